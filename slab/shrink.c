/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shrink.c - a keg's memory on its way back: empty slabs, and single pages of
 * the others.
 *
 * A page may go when all the items that overlap it are free.  These items are
 * claimed first, which makes them look used: nobody takes them, nor the slab.
 * Without the lock their fini runs, if they were ready, the page is given to
 * the system, and what an item at its edge has on a page that stays is cleared.
 * Then the items are free again, and fresh: zero all over, with an init to come
 * before the next use.
 *
 * A reclaim sees every slab once: it numbers itself, and slabs that it has seen
 * stand behind those that it has not.  One that begins while another is under
 * way makes all unseen again, for both.
 */
#include <errno.h>
#include <string.h>

#include "keg.h"

/* Whole pages without a used item, and the items that they take with them. */
struct hole {
	struct slab *h_slab;
	size_t h_start, h_end; /* bytes from the slab's first page on */
	size_t h_first, h_last; /* items: first, and one behind the last */
	size_t h_absent; /* pages that lose their memory by it */
	bool h_kept; /* the system refused it */
};

/* What one round has in hand, from as many slabs as it takes. */
struct claim {
	int c_slabs; /* seen */
	int c_cnt;
	struct hole c_hole[PAGES_DROP_MAX];
};

enum { CLAIM_SLABS = 64 }; /* seen under one hold of the lock, at most */

/* The pages between free items first and last (not included), if any. */
static bool
hole_between(const struct keg *keg, struct slab *s, size_t first, size_t last,
    struct hole *h)
{
	size_t stride = keg->uk_layout.l_stride;
	size_t colour = (size_t)(s->us_base - s->us_run);
	size_t start =
	    first == 0 ? colour & ~UMA_PAGE_MASK : colour + first * stride;
	size_t end =
	    last == s->us_items ? slab_body(keg, s) : colour + last * stride;

	h->h_start = uma_roundup(start, UMA_PAGE_SIZE);
	h->h_end = end & ~UMA_PAGE_MASK;
	if (h->h_start >= h->h_end)
		return false;
	h->h_first = h->h_start > colour ? (h->h_start - colour) / stride : 0;
	h->h_last = (h->h_end - colour + stride - 1) / stride;
	h->h_last = uma_min(h->h_last, last);
	/* Where all are fresh there is no memory, unless from the last user. */
	return s->us_memory || slab_bit_next(slab_ready_bits(s), h->h_first,
				   h->h_last, true) < h->h_last;
}

static void
hole_claim(struct keg *keg, struct hole *h)
{
	h->h_absent = (h->h_end - h->h_start) / UMA_PAGE_SIZE -
		      slab_pages_fresh(keg, h->h_slab, h->h_start, h->h_end);
	for (size_t i = h->h_first; i < h->h_last; i++)
		slab_bit_clear(h->h_slab->us_bits, i);
	h->h_slab->us_free -= (uint32_t)(h->h_last - h->h_first);
	slab_domain(keg, h->h_slab)->kd_free -= h->h_last - h->h_first;
	keg->uk_hands++;
}

/* What was in hand is back, or with the system.  Locked. */
static void
hands_empty(struct keg *keg, uint32_t n)
{
	uma_lock_assert_held(&keg->uk_lock);
	/* The child of a fork has forgotten those of its parent's threads. */
	keg->uk_hands -= uma_min(n, keg->uk_hands);
	if (keg->uk_hands_waiters > 0)
		uma_wake(&keg->uk_hands, INT_MAX);
}

static _Noreturn UMA_COLD void
keg_fail_claimed(struct keg *keg, const struct slab *s, size_t i)
{
	char name[128];

	uma_fatal("zone '%s': double free of %p (slab %p, item %zu, size %zu): "
		  "the item is free",
	    uma_escape(name, sizeof name, keg->uk_config.kc_name),
	    (void *)slab_item(keg, s, i), (void *)s->us_run, i,
	    keg->uk_config.kc_size);
}

/* The claimed items are free again, and fresh.  Locked. */
static void
hole_give(struct keg *keg, const struct hole *h)
{
	struct slab *s = h->h_slab;

	uma_lock_assert_held(&keg->uk_lock);
	for (size_t i = h->h_first; i < h->h_last; i++) {
		if (uma_unlikely(slab_bit(s->us_bits, i)))
			keg_fail_claimed(keg, s, i);
		slab_bit_clear(slab_ready_bits(s), i);
		slab_put(s, (uint32_t)i);
	}
	slab_domain(keg, s)->kd_free += h->h_last - h->h_first;
	slab_domain(keg, s)->kd_absent += h->h_absent;
	pages_absent_add(h->h_absent);
	s->us_kept |= h->h_kept;
	keg_relink(keg, s);
}

/* Claim the holes of a slab that the claim has room for.  Locked. */
static void
slab_claim(struct keg *keg, struct slab *s, struct claim *c)
{
	size_t items = s->us_items, first, last = 0;

	while (last < items && c->c_cnt < PAGES_DROP_MAX) {
		struct hole *h = &c->c_hole[c->c_cnt];

		first = slab_bit_next(s->us_bits, last, items, true);
		last = slab_bit_next(s->us_bits, first, items, false);
		h->h_slab = s;
		if (first < last && hole_between(keg, s, first, last, h)) {
			hole_claim(keg, h);
			c->c_cnt++;
		}
	}
}

/* The ready ones of items that are nobody else's, first to at most last. */
static uint64_t
slab_ready_word(
    struct keg *keg, struct slab *s, size_t first, size_t last, size_t *end)
{
	*end = uma_min((first | 63) + 1, last);
	/* Neighbours in the word may be others'. */
	uma_lock_acquire(&keg->uk_lock);
	uint64_t w = slab_ready_bits(s)[first / 64];
	uma_lock_release(&keg->uk_lock);
	return w >> (first % 64) << (first % 64) &
	       UINT64_MAX >> (63 - (*end - 1) % 64);
}

/* Run fini on them.  Unlocked. */
static void
slab_fini(struct keg *keg, struct slab *s, size_t first, size_t last)
{
	const struct keg_config *kc = &keg->uk_config;
	size_t size = kc->kc_size, end;
	int saved = errno;

	if (kc->kc_fini == NULL)
		return;
	for (; first < last; first = end) {
		uint64_t w = slab_ready_word(keg, s, first, last, &end);

		for (; w != 0; w &= w - 1) {
			size_t i = first / 64 * 64 + (size_t)__builtin_ctzll(w);

			kc->kc_fini(slab_item(keg, s, i), (int)size);
		}
	}
	errno = saved;
}

static void
clear_between(char *from, char *to)
{
	if (from < to)
		memset(from, 0, (size_t)(to - from));
}

/* Unlocked.  Returns the bytes given back. */
static size_t
claim_drop(struct keg *keg, struct claim *c)
{
	struct pages_range range[PAGES_DROP_MAX];
	size_t len = 0;

	for (int k = 0; k < c->c_cnt; k++) {
		const struct hole *h = &c->c_hole[k];

		slab_fini(keg, h->h_slab, h->h_first, h->h_last);
		range[k].pr_start = h->h_slab->us_run + h->h_start;
		range[k].pr_len = h->h_end - h->h_start;
	}
	pages_drop(range, c->c_cnt);
	for (int k = 0; k < c->c_cnt; k++) {
		struct hole *h = &c->c_hole[k];
		char *start = range[k].pr_start;

		h->h_kept = !range[k].pr_dropped;
		clear_between(slab_item(keg, h->h_slab, h->h_first), start);
		clear_between(start + range[k].pr_len,
		    slab_item(keg, h->h_slab, h->h_last));
		len += range[k].pr_dropped ? range[k].pr_len : 0;
		if (!range[k].pr_dropped)
			c->c_hole[k].h_absent = 0;
	}
	return len;
}

/* A partial slab of the domain that this round has not seen.  Locked. */
static struct slab *
keg_unseen(struct keg *keg, int domain)
{
	for (int list = LIST_EMPTY - 1; list >= LIST_PARTIAL; list--) {
		struct cds_list_head *head =
		    &keg->uk_domain[domain].kd_list[list];

		if (cds_list_empty(head))
			continue;
		struct slab *s =
		    cds_list_first_entry(head, struct slab, us_link);
		if (s->us_round != keg->uk_round)
			return s;
	}
	return NULL;
}

/*
 * Claim holes of slabs that this round has not seen, while there is surely room
 * for all of a slab's; idle: of those that did not change since the last time.
 * Locked.
 */
static void
keg_claim(struct keg *keg, int domain, bool idle, struct claim *c)
{
	int most = (int)uma_min(
	    keg->uk_layout.l_pages / 2 + 1, (size_t)PAGES_DROP_MAX);
	struct slab *s;

	c->c_cnt = 0;
	for (c->c_slabs = 0;
	     c->c_slabs < CLAIM_SLABS && c->c_cnt + most <= PAGES_DROP_MAX &&
	     (s = keg_unseen(keg, domain)) != NULL;
	     c->c_slabs++) {
		s->us_round = keg->uk_round;
		if (!idle || !s->us_changed) {
			slab_claim(keg, s, c);
			s->us_memory = false;
		}
		s->us_changed &= !idle;
		keg_relink(keg, s);
	}
}

/* The numbers are used up: begin again, with all slabs unseen.  Locked. */
static UMA_COLD void
keg_rounds_again(struct keg *keg)
{
	struct slab *s;

	for (int d = 0; d < pages_domain_cnt(); d++)
		for (int list = 0; list < LIST_CNT; list++)
			cds_list_for_each_entry (
			    s, &keg->uk_domain[d].kd_list[list], us_link)
				s->us_round = 0;
	keg->uk_round = 1;
}

/* A new round, in which all slabs are unseen.  Locked. */
static void
keg_round_begin(struct keg *keg)
{
	if (++keg->uk_round == 0)
		keg_rounds_again(keg);
	keg->uk_reclaims++;
}

/* Some slabs of a domain; how many, 0: this round has seen all.  Unlocked. */
static int
keg_shrink_some(struct keg *keg, int domain, bool idle, size_t *len)
{
	struct claim c;

	if (!keg_places_tell(keg) || keg->uk_layout.l_pages < 2)
		return 0;
	uma_lock_acquire(&keg->uk_lock);
	keg_claim(keg, domain, idle, &c);
	keg->uk_claims += c.c_cnt > 0;
	uma_lock_release(&keg->uk_lock);
	if (c.c_cnt == 0)
		return c.c_slabs;
	*len += claim_drop(keg, &c);
	uma_lock_acquire(&keg->uk_lock);
	for (int k = 0; k < c.c_cnt; k++)
		hole_give(keg, &c.c_hole[k]);
	hands_empty(keg, (uint32_t)c.c_cnt);
	keg->uk_claims -= keg->uk_claims > 0;
	if (keg->uk_forks)
		uma_wake(&keg->uk_claims, INT_MAX);
	keg_settled(keg);
	uma_lock_release(&keg->uk_lock);
	return c.c_slabs;
}

/* Take the last slab of a list of empty ones out of the keg; or NULL. */
static struct slab *
keg_detach(struct keg *keg, int domain, int list)
{
	struct keg_domain *kd = &keg->uk_domain[domain];
	struct cds_list_head *head = &kd->kd_list[list];
	struct slab *s = NULL;

	uma_lock_acquire(&keg->uk_lock);
	if (!cds_list_empty(head)) {
		s = cds_list_entry(head->prev, struct slab, us_link);
		cds_list_del(&s->us_link);
		kd->kd_slabs--;
		kd->kd_free -= s->us_items;
		keg->uk_hands++;
		if (kd->kd_absent > 0)
			keg_absent_sub(
			    kd, slab_pages_fresh(keg, s, 0,
				    keg->uk_layout.l_pages * UMA_PAGE_SIZE));
		kd->kd_empty -= list == LIST_EMPTY;
		kd->kd_empty_least = uma_min(kd->kd_empty_least, kd->kd_empty);
		if (keg->uk_config.kc_flags & UMA_ZONE_HASH)
			hash_remove(
			    &keg->uk_hash, s->us_run, keg->uk_layout.l_pages);
	}
	uma_lock_release(&keg->uk_lock);
	return s;
}

/* One empty slab of the list; false: there is none.  Unlocked. */
static bool
keg_free_empty(struct keg *keg, int domain, int list, size_t *len)
{
	struct slab *s = keg_detach(keg, domain, list);

	if (s == NULL)
		return false;
	slab_fini(keg, s, 0, s->us_items);
	keg_slab_free(keg, s);
	uma_lock_acquire(&keg->uk_lock);
	hands_empty(keg, 1);
	uma_lock_release(&keg->uk_lock);
	*len += keg->uk_layout.l_pages * UMA_PAGE_SIZE;
	return true;
}

static bool
keg_keeps_all(const struct keg *keg)
{
	return keg->uk_config.kc_flags & UMA_ZONE_NOFREE;
}

/*
 * No more slabs than there are at the beginning: another reclaim makes all
 * unseen again, and a fini that uses its own zone may leave an empty one behind.
 */
static size_t
keg_reclaim_domain(struct keg *keg, int d, bool all)
{
	struct keg_domain *kd = &keg->uk_domain[d];
	size_t len = 0, seen = 1, left;

	uma_lock_acquire(&keg->uk_lock);
	left = kd->kd_slabs;
	uma_lock_release(&keg->uk_lock);
	for (; left > 0 && seen > 0; left -= uma_min(seen, left))
		seen = (size_t)keg_shrink_some(keg, d, false, &len);
	while (keg_free_empty(keg, d, LIST_PREALLOC, &len))
		;
	uma_lock_acquire(&keg->uk_lock);
	left = all ? SIZE_MAX : kd->kd_empty;
	uma_lock_release(&keg->uk_lock);
	while (left-- > 0 && keg_free_empty(keg, d, LIST_EMPTY, &len))
		;
	return len;
}

size_t
keg_reclaim(struct keg *keg, int domain, bool all)
{
	size_t len = 0, before;

	if (keg_keeps_all(keg) && !all)
		return 0;
	uma_lock_acquire(&keg->uk_lock);
	keg_round_begin(keg);
	uma_lock_release(&keg->uk_lock);
	/* A fini may have freed items of domains that were done by then. */
	do {
		before = len;
		for (int d = 0; d < pages_domain_cnt(); d++)
			if (domain < 0 || d == domain)
				len += keg_reclaim_domain(keg, d, all);
	} while (all && len > before);
	uma_lock_acquire(&keg->uk_lock);
	keg->uk_reclaims -= keg->uk_reclaims > 0; /* fork forgets them */
	uma_lock_release(&keg->uk_lock);
	return len;
}

/* Unless one is under way: what is idle is what was so all the time. */
static void
keg_idle_begin(struct keg *keg)
{
	uma_lock_acquire(&keg->uk_lock);
	if (!keg->uk_idling) {
		keg_round_begin(keg);
		keg->uk_idling = true;
		for (int d = 0; d < pages_domain_cnt(); d++) {
			struct keg_domain *kd = &keg->uk_domain[d];

			kd->kd_idle = kd->kd_empty_least;
			kd->kd_empty_least = kd->kd_empty;
		}
	}
	uma_lock_release(&keg->uk_lock);
}

static bool
keg_idle_domain(struct keg *keg, int d, int64_t until, size_t *len)
{
	size_t *idle = &keg->uk_domain[d].kd_idle;

	for (; *idle > 0; --*idle) {
		if (uma_now_ns() > until)
			return false;
		if (!keg_free_empty(keg, d, LIST_EMPTY, len))
			*idle = 1;
	}
	do
		if (uma_now_ns() > until)
			return false;
	while (keg_shrink_some(keg, d, true, len) > 0);
	return true;
}

bool
keg_idle(struct keg *keg, int64_t until, size_t *len)
{
	if (keg_keeps_all(keg))
		return true;
	keg_idle_begin(keg);
	for (int d = 0; d < pages_domain_cnt(); d++)
		if (!keg_idle_domain(keg, d, until, len))
			return false;
	uma_lock_acquire(&keg->uk_lock);
	keg->uk_idling = false;
	keg->uk_reclaims -= keg->uk_reclaims > 0; /* fork forgets them */
	uma_lock_release(&keg->uk_lock);
	return true;
}

/* But where a fini runs, which may fork, items may be in hand in the child. */
void
keg_fork_prepare(struct keg *keg)
{
	uint32_t claims;

	uma_lock_fork_acquire(&keg->uk_lock);
	while (
	    keg->uk_config.kc_fini == NULL && (claims = keg->uk_claims) != 0) {
		keg->uk_forks = true;
		uma_lock_fork_release(&keg->uk_lock);
		uma_wait(&keg->uk_claims, claims, -1);
		uma_lock_fork_acquire(&keg->uk_lock);
	}
	keg->uk_forks = false;
}

bool
keg_is_idling(struct keg *keg)
{
	uma_lock_acquire(&keg->uk_lock);
	bool idling = keg->uk_idling;
	uma_lock_release(&keg->uk_lock);
	return idling;
}
