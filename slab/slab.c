/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab.c - the bitmaps of one slab.  Everything here runs under the keg's lock.
 */
#include "slab.h"

void
slab_init(
    struct slab *s, struct keg *keg, char *run, size_t colour, uint32_t items)
{
	s->us_keg = keg;
	s->us_run = run;
	s->us_base = run + colour;
	s->us_items = items;
	s->us_free = items;
	for (uint32_t i = 0; i < items / 64; i++)
		s->us_bits[i] = UINT64_MAX;
	if (items % 64 != 0)
		s->us_bits[items / 64] = ((uint64_t)1 << (items % 64)) - 1;
}

bool
slab_is_valid(const struct slab *s)
{
	size_t words = slab_words(s->us_items);
	uint32_t free = 0;

	for (size_t w = 0; w < words; w++) {
		if (w < s->us_hint && s->us_bits[w] != 0)
			return false;
		free += (uint32_t)__builtin_popcountll(s->us_bits[w]);
	}
	if (s->us_items % 64 != 0 &&
	    s->us_bits[words - 1] >> (s->us_items % 64) != 0)
		return false;
	return free == s->us_free;
}
