/* SPDX-License-Identifier: BSD-2-Clause */
#include "pages_int.h"
#include "percpu_int.h"

static size_t
bucket_bytes(int cap)
{
	return sizeof(struct bucket) + ((size_t)cap + 3) * sizeof(void *);
}

struct bucket *
bucket_alloc(int cap, bool nogrow)
{
	struct bucket *b =
	    meta_alloc(bucket_bytes(cap), nogrow ? META_NOGROW : 0);

	if (b == NULL)
		return NULL;
	b->ub_cap = (uint16_t)cap;
	b->ub_slot[cap + 1] = BUCKET_TOP;
	b->ub_slot[cap + 2] = b;
	return b;
}

void
bucket_free(struct bucket *b)
{
	if (b != NULL)
		meta_free(b, bucket_bytes(b->ub_cap));
}

/*
 * Buckets of 16 KiB of items, or thereabouts; a cached large item costs more
 * memory, and its use costs more than its allocation.  The steps fill the
 * metadata pool's size classes.
 */
int
bucket_cap_for(size_t size)
{
	static const struct {
		size_t bc_item, bc_bytes;
	} step[] = {{64, 2048}, {128, 1024}, {256, 512}, {512, 256},
	    {1024, 192}, {2048, 128}, {4096, 96}};

	for (size_t i = 0; i < sizeof step / sizeof step[0]; i++)
		if (size <= step[i].bc_item)
			return (int)BUCKET_CAP(step[i].bc_bytes);
	return (int)BUCKET_CAP(64);
}
