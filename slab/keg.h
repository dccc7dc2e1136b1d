/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keg.h - a keg from inside, for keg.c, which takes items out and puts them
 * back, and shrink.c, which gives memory back.
 */
#ifndef UMA_SLAB_KEG_H
#define UMA_SLAB_KEG_H

#include "hash.h"
#include "pages_int.h"
#include "slab.h"
#include "uma_probe_int.h"

/*
 * A domain's slabs: without a free item, the fullest first, the empty last; but
 * those that were made ahead of time do not count as idle.
 */
enum {
	LIST_FULL,
	LIST_PARTIAL,
	LIST_EMPTY = LIST_PARTIAL + 4,
	LIST_PREALLOC,
	LIST_CNT
};

struct keg_domain {
	struct cds_list_head kd_list[LIST_CNT];
	size_t kd_slabs; /* on a list, or in the hands of keg_prealloc */
	size_t kd_free; /* free items in them */
	size_t kd_empty; /* slabs on LIST_EMPTY */
	size_t kd_empty_least; /* fewest since the last keg_idle */
	size_t kd_idle; /* of them, that this one has yet to give back */
	size_t kd_absent; /* pages of slabs that have no memory, at least */
};

/* Pages of the domain got memory again, at most so many.  Locked. */
static inline void
keg_absent_sub(struct keg_domain *kd, size_t npages)
{
	npages = uma_min(npages, kd->kd_absent);
	if (npages > 0) {
		kd->kd_absent -= npages;
		pages_absent_sub(npages);
	}
}

struct keg {
	/* set once */
	struct layout uk_layout;
	struct keg_config uk_config;
	uint32_t uk_full_shift; /* free items by this: which partial list */
	uint64_t uk_stride_inverse; /* 2^64 / stride, rounded up */

	struct uma_lock uk_lock;
	/* guarded by uk_lock */
	struct hash uk_hash; /* UMA_ZONE_HASH: page to slab */
	uint32_t uk_colour; /* of the next slab */
	uint32_t uk_next_domain; /* of keg_prealloc */
	uint16_t uk_round; /* number of the last reclaim */
	uint16_t uk_reclaims; /* under way, a keg_idle among them */
	bool uk_idling; /* it goes on at the next call */
	_Atomic uint32_t uk_hands; /* free items and slabs in reclaims' hands */
	uint32_t uk_hands_waiters;
	_Atomic uint32_t uk_claims; /* threads with items, not slabs, in hand */
	bool uk_forks; /* a fork waits for these */
	struct keg_domain uk_domain[]; /* pages_domain_cnt() of them */
};

bool keg_is_valid_locked(struct keg *keg);

/* Debug builds look at the whole keg wherever it comes to rest.  Locked. */
static inline void
keg_settled(struct keg *keg)
{
	if (UMA_DEBUG >= 2)
		UMA_ASSERT(keg_is_valid_locked(keg), "zone '%s'",
		    keg->uk_config.kc_name);
}

#define SLAB_PROBE(name, keg, s)                                         \
	probe_##name((keg)->uk_config.kc_name, (keg)->uk_config.kc_zone, \
	    (s)->us_run, (keg)->uk_layout.l_pages *UMA_PAGE_SIZE,        \
	    (s)->us_items, (s)->us_domain)

static inline char *
slab_item(const struct keg *keg, const struct slab *s, size_t i)
{
	return s->us_base + i * keg->uk_layout.l_stride;
}

/*
 * Whether the place of an item tells which memory was written to.  Not where
 * each CPU has a copy somewhere else, nor where we must not clear items.
 */
static inline bool
keg_places_tell(const struct keg *keg)
{
	return !(keg->uk_config.kc_flags & (UMA_ZONE_PCPU | UMA_ZONE_NOTOUCH));
}

/* Bytes of a slab that are not its header's. */
static inline size_t
slab_body(const struct keg *keg, const struct slab *s)
{
	return keg->uk_layout.l_offpage ? keg->uk_layout.l_pages * UMA_PAGE_SIZE
					: (size_t)((const char *)s - s->us_run);
}

/*
 * The number of the item at so many bytes from the first: a division by the
 * stride, exact as long as their product is below 2^64 (Granlund and
 * Montgomery, "Division by Invariant Integers using Multiplication", 1994).
 */
static inline size_t
keg_index(const struct keg *keg, size_t off)
{
	return (size_t)((unsigned __int128)off * keg->uk_stride_inverse >> 64);
}

static inline struct keg_domain *
slab_domain(struct keg *keg, const struct slab *s)
{
	return &keg->uk_domain[s->us_domain];
}

/* The list that a slab belongs on. */
static inline unsigned
keg_list_for(const struct keg *keg, const struct slab *s)
{
	if (s->us_free == 0)
		return LIST_FULL;
	if (s->us_free == s->us_items)
		return s->us_prealloc ? LIST_PREALLOC : LIST_EMPTY;
	return LIST_PARTIAL + (s->us_free >> keg->uk_full_shift);
}

/*
 * Of the pages that the bytes of a slab from start to end are on, those that
 * have no memory, or are not known to: none of their items is ready.  Locked.
 */
size_t slab_pages_fresh(
    const struct keg *keg, struct slab *s, size_t start, size_t end);
/* Move a slab there.  Locked. */
void keg_relink(struct keg *keg, struct slab *s);
/* Give back a slab that is on no list and in no hash.  Unlocked. */
void keg_slab_free(struct keg *keg, struct slab *s);

#endif
