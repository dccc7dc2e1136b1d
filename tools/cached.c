/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cached.c - the items of a zone that are free in buckets: those that CPUs have
 * loaded, their spare ones, those that a drain has in hand, and the depots'.
 *
 * Buckets wander while they are looked for.  One may be seen twice, which does
 * not matter, or not at all: its items then count as out.
 */
#include <stdlib.h>
#include <string.h>

#include "cached.h"

#define ITEMS_MAX   ((size_t)1 << 24)
#define BUCKETS_MAX (1 << 20) /* of a list */

static bool
item_add(struct cached *cached, uint64_t item)
{
	if (cached->cnt == ITEMS_MAX)
		return true;
	if (cached->cnt == cached->room) {
		size_t room = cached->room == 0 ? 256 : 2 * cached->room;
		uint64_t *more = realloc(cached->item, room * sizeof *more);

		if (more == NULL)
			return target_fail("no memory");
		cached->item = more;
		cached->room = room;
	}
	cached->item[cached->cnt++] = item;
	return true;
}

/* The items of a bucket that no CPU has loaded. */
static bool
bucket_add(struct target *t, uint64_t bucket, struct cached *cached)
{
	const struct copy *c = target_copy(t);
	uint64_t slot[BUCKET_MAX], cnt = 0;

	if (!target_read(t, bucket + c->field[NF_BUCKET_CNT].value, &cnt, 2))
		return true;
	if (cnt > c->field[NF_BUCKET_CAP_MAX].value ||
	    !target_read(
		t, bucket + c->field[NF_BUCKET_SLOT].value + 8, slot, cnt * 8))
		return true;
	for (uint64_t i = 0; i < cnt; i++)
		if (!item_add(cached, slot[i]))
			return false;
	return true;
}

static bool
bucket_list_add(struct target *t, uint64_t head, struct cached *cached)
{
	const struct copy *c = target_copy(t);
	uint64_t prev = head, at, back;

	if (!target_read(t, head + c->field[NF_LIST_NEXT].value, &at, 8))
		return true;
	for (int n = 0; at != head && n < BUCKETS_MAX; n++) {
		if (!target_read(
			t, at + c->field[NF_LIST_PREV].value, &back, 8) ||
		    back != prev)
			return true;
		if (!bucket_add(t, at - c->field[NF_BUCKET_LINK].value, cached))
			return false;
		prev = at;
		if (!target_read(t, at + c->field[NF_LIST_NEXT].value, &at, 8))
			return true;
	}
	return true;
}

/* Down from a cursor to the slot that is NULL. */
static bool
cursor_add(struct target *t, uint64_t cursor, struct cached *cached)
{
	const struct copy *c = target_copy(t);
	uint64_t slot[BUCKET_MAX];
	size_t n = c->field[NF_BUCKET_CAP_MAX].value;

	if (cursor == 0 || cursor == c->root[NR_DUMMY_SLOT])
		return true;
	if (8 * n > cursor + 8 ||
	    !target_read(t, cursor + 8 - 8 * n, slot, 8 * n))
		return true;
	while (n > 0 && slot[n - 1] != 0)
		if (!item_add(cached, slot[--n]))
			return false;
	return true;
}

static bool
cpus_add(struct target *t, const struct zone_list *zl, uint64_t table,
    struct cached *cached)
{
	const struct copy *c = target_copy(t);
	size_t len = c->field[NF_PCPU].value;
	char *raw = malloc((size_t)zl->cpus * len);
	bool ok = raw != NULL || target_fail("no memory");

	if (ok && target_read(t, table, raw, (size_t)zl->cpus * len))
		for (int cpu = 0; ok && cpu < zl->cpus; cpu++) {
			const char *h = raw + (size_t)cpu * len;
			uint64_t spare = field_get(c, h, len, NF_PCPU_SPARE);

			ok = cursor_add(t, field_get(c, h, len, NF_PCPU_CURSOR),
				 cached) &&
			     (spare == 0 || bucket_add(t, spare, cached));
		}
	free(raw);
	return ok;
}

static int
item_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Depots before CPUs: items move from there to here as they are used. */
static bool
depots_add(struct target *t, const struct zone_list *zl, size_t z,
    struct cached *cached)
{
	const struct copy *c = target_copy(t);

	for (int d = 0; d < zl->domains; d++) {
		uint64_t depot = (uint64_t)c->field[NF_ZONE_DEPOT].value +
				 (uint64_t)d * c->field[NF_DEPOT].value;
		uint64_t cross = number_at(zone_bytes(zl, z), zl->len,
		    depot + c->field[NF_DEPOT_CROSS].value, 8);

		if (!bucket_list_add(t,
			zl->addr[z] + depot + c->field[NF_DEPOT_FULL].value,
			cached) ||
		    (cross != 0 && !bucket_add(t, cross, cached)))
			return false;
	}
	return true;
}

bool
cached_read(struct target *t, const struct zone_list *zl, size_t z,
    struct cached *cached)
{
	const struct copy *c = target_copy(t);
	const char *raw = zone_bytes(zl, z);
	uint64_t table =
	    field_get2(c, raw, zl->len, NF_ZONE_CACHE, NF_CACHE_TABLE);

	if (!depots_add(t, zl, z, cached) ||
	    !bucket_list_add(t,
		zl->addr[z] + c->field[NF_ZONE_CACHE].value +
		    c->field[NF_CACHE_DRAINED].value,
		cached) ||
	    (table != 0 && !cpus_add(t, zl, table, cached)))
		return false;
	if (cached->cnt > 0)
		qsort(cached->item, cached->cnt, sizeof cached->item[0],
		    item_compare);
	return true;
}

size_t
cached_from(const struct cached *cached, uint64_t addr)
{
	size_t low = 0, high = cached->cnt;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (cached->item[mid] < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}
