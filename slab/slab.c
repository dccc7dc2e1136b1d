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

uint32_t
slab_take(struct slab *s)
{
	uint32_t w = s->us_hint;

	UMA_ASSERT(s->us_free > 0, "slab %p", (void *)s);
	while (s->us_bits[w] == 0)
		w++;
	uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(s->us_bits[w]);
	s->us_bits[w] &= s->us_bits[w] - 1;
	s->us_hint = w;
	s->us_free--;
	return i;
}

void
slab_put(struct slab *s, uint32_t i)
{
	UMA_ASSERT(!slab_bit(s->us_bits, i), "slab %p", (void *)s);
	slab_bit_set(s->us_bits, i);
	s->us_hint = uma_min(s->us_hint, i / 64);
	s->us_free++;
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
