/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab.h - a slab: a run of pages cut into items, and its header.
 *
 * An item is fresh (free, its init has not run), ready (free, init has run) or
 * used.  Two bitmaps say which; nothing is ever written into a free item.
 *
 *                free  ready
 *     fresh        1     0
 *     ready        1     1
 *     used         0     1     (init under way or not wanted: 0)
 */
#ifndef UMA_SLAB_SLAB_H
#define UMA_SLAB_SLAB_H

#include <urcu/list.h>

#include "layout.h"

#define SLAB_HEADER_ALIGN 16

struct slab {
	struct cds_list_head us_link; /* the keg's list for its free items */
	struct keg *us_keg;
	char *us_run; /* first page */
	char *us_base; /* item 0, the colour behind us_run */
	uint32_t us_items; /* items in all */
	uint32_t us_free; /* of these free */
	uint32_t us_hint; /* no word of the free bitmap below has a bit */
	uint16_t us_round; /* of the keg's reclaims, the last that saw it */
	uint8_t us_list : 4; /* that us_link is on */
	uint8_t us_kept : 1; /* memory that items left, though they are fresh */
	uint8_t us_memory : 1; /* below fresh items, too: from the last user */
	uint8_t us_changed : 1; /* since keg_idle saw it */
	uint8_t us_prealloc : 1; /* from keg_prealloc, and never used */
	uint8_t us_domain; /* NUMA domain of its pages */
	uint64_t us_bits[]; /* free bitmap, then ready bitmap */
};
_Static_assert(sizeof(struct slab) % sizeof(uint64_t) == 0, "bitmaps follow");

static inline size_t
slab_words(size_t items)
{
	return (items + 63) / 64;
}

static inline uint64_t *
slab_ready_bits(struct slab *s)
{
	return s->us_bits + slab_words(s->us_items);
}

static inline bool
slab_bit(const uint64_t *bits, size_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static inline void
slab_bit_set(uint64_t *bits, size_t i)
{
	bits[i / 64] |= (uint64_t)1 << (i % 64);
}

static inline void
slab_bit_clear(uint64_t *bits, size_t i)
{
	bits[i / 64] &= ~((uint64_t)1 << (i % 64));
}

/* The first bit of [from, to) that is on (or off), or to. */
static inline size_t
slab_bit_next(const uint64_t *bits, size_t from, size_t to, bool on)
{
	uint64_t flip = on ? 0 : UINT64_MAX;

	while (from < to) {
		uint64_t w = (bits[from / 64] ^ flip) >> (from % 64);

		if (w != 0)
			return uma_min(from + (size_t)__builtin_ctzll(w), to);
		from = (from | 63) + 1;
	}
	return to;
}

/* The lowest free item becomes used; there is one. */
static inline uint32_t
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

/* Item i becomes free again. */
static inline void
slab_put(struct slab *s, uint32_t i)
{
	UMA_ASSERT(!slab_bit(s->us_bits, i), "slab %p", (void *)s);
	slab_bit_set(s->us_bits, i);
	s->us_hint = uma_min(s->us_hint, i / 64);
	s->us_free++;
}

/* A header in zeroed memory; all items free and fresh. */
void slab_init(
    struct slab *s, struct keg *keg, char *run, size_t colour, uint32_t items);

/* us_free and us_hint agree with the bitmap. */
bool slab_is_valid(const struct slab *s);

#endif
