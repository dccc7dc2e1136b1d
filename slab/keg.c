/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keg.c - kegs: items of one size, carved from slabs.
 *
 * How it works
 *
 * (1) A keg is the back of a zone: it turns runs of pages into items and back,
 * in batches.  It is not for speed (buckets are, percpu/) and knows no limits
 * (zone/).
 *
 * (2) Words.  slab: a run of pages with a header, cut into items.  fresh,
 * ready, used: what an item is, see slab.h.  partial, empty, full: a slab with
 * some, with all, with none of its items free.  import, release: a batch of
 * items leaves, comes back.  domain: of NUMA, each with slabs of its own.
 *
 * (3) The life of an item.  keg_import takes free items from the fullest
 * partial slabs of the domain, so that others get empty, then from an empty
 * one, under the keg's lock; if there is none, keg_grow makes a slab without
 * the lock: pages, header, page map, then link.  Without memory for it, other
 * domains' free items serve.  Those of the batch that are fresh get their init,
 * without the lock; they are ready from then on.  keg_release finds the slab of
 * each item through the page map, refuses what is not an item that is out, and
 * sets its free bit.  A slab whose items are all free waits on the last list
 * until keg_reclaim runs fini on those that are ready and gives the pages back;
 * single pages of partial slabs go the same way (shrink.c).
 *
 * (4) Memory.
 *
 *     us_run       us_base                                     header
 *     | colour ... | item 0 | item 1 | ... | item n-1 | ... | struct slab |
 *
 * or with the header off the page, from kc_header_alloc.  With UMA_ZONE_PCPU
 * the run is one page of items for each CPU, copies UMA_PCPU_STRIDE apart.
 * With UMA_ZONE_REFCNT each item is followed by its counter.
 *
 * (5) Locks.  uk_lock guards lists, bitmaps, counts and the hash.  Below it
 * come only those of pages/.  Hooks and header allocation run without it.  The
 * child of a fork finds the lists whole; what another thread had in hand, in a
 * hook or between two of its steps, is out for ever.
 *
 * (6) Invariants, checked by keg_is_valid (valid.c): kd_free is the sum of
 * us_free, a slab is on the list that its us_free calls for, and so on.
 *
 * (7) Not taken: free lists inside the items (they would write into free
 * memory: an item keeps what its last user left, and its constructed state);
 * running init on a whole slab at once, as the original does (a slab may hold
 * hundreds of items of which one is wanted, and a page that was dropped must
 * get its inits again in any case); finding the header by masking the address
 * (a foreign pointer would make the check itself read wild memory).
 *
 * (8) To change this safely: no hook, no allocation under uk_lock; whatever
 * leaves keg_import early must put back what it took, in the state it found.
 */
#include <errno.h>
#include <string.h>

#include "keg.h"

/* ---- slabs ---- */

/*
 * To the front, so that what was used last is used next; while a reclaim is
 * under way, what it has seen to the end, out of its way.
 */
void
keg_relink(struct keg *keg, struct slab *s)
{
	struct keg_domain *kd = slab_domain(keg, s);
	unsigned list = keg_list_for(keg, s);

	uma_lock_assert_held(&keg->uk_lock);
	kd->kd_empty += (list == LIST_EMPTY) - (s->us_list == LIST_EMPTY);
	kd->kd_empty_least = uma_min(kd->kd_empty_least, kd->kd_empty);
	s->us_list = list & 0xf;
	cds_list_del(&s->us_link);
	if (keg->uk_reclaims > 0 && s->us_round == keg->uk_round)
		cds_list_add_tail(&s->us_link, &kd->kd_list[list]);
	else
		cds_list_add(&s->us_link, &kd->kd_list[list]);
}

static int
keg_page_flags(const struct keg *keg)
{
	uint32_t flags = keg->uk_config.kc_flags;

	/* Counters and CPUs' copies start at zero even where items need not. */
	bool zero = !(flags & UMA_ZONE_MALLOC) ||
		    (flags & (UMA_ZONE_REFCNT | UMA_ZONE_PCPU)) != 0;

	return (zero ? PAGES_ZERO : 0) |
	       (flags & UMA_ZONE_NODUMP ? PAGES_NODUMP : 0);
}

static size_t
keg_colour_next(struct keg *keg)
{
	const struct layout *l = &keg->uk_layout;

	uma_lock_acquire(&keg->uk_lock);
	uint32_t colour = keg->uk_colour;
	keg->uk_colour = (colour + 1) % l->l_colours;
	uma_lock_release(&keg->uk_lock);
	return colour * l->l_colour_step;
}

/* The header of a slab that starts at run: on its pages, or elsewhere. */
static struct slab *
keg_header_alloc(struct keg *keg, char *run, size_t colour)
{
	const struct layout *l = &keg->uk_layout;

	if (l->l_offpage)
		return keg->uk_config.kc_header_alloc(l->l_header);
	size_t items = (size_t)l->l_items * l->l_stride;
	void *header = run + uma_roundup(colour + items, SLAB_HEADER_ALIGN);
	/* MALLOC zones' pages come as the last user left them. */
	return memset(header, 0, l->l_header);
}

/*
 * The pages of a slab that nobody has written to: behind the last item that is
 * ready, up to the header.  An item that was ready once lies on a page that was
 * touched or dropped since.
 */
static void
slab_untouched(const struct keg *keg, struct slab *s, size_t *from, size_t *to)
{
	const struct layout *l = &keg->uk_layout;
	const uint64_t *ready = slab_ready_bits(s);
	size_t w = slab_words(s->us_items);
	size_t touched = (size_t)(s->us_base - s->us_run);

	while (w > 0 && ready[w - 1] == 0)
		w--;
	if (w > 0)
		touched += (w * 64 - (size_t)__builtin_clzll(ready[w - 1])) *
			   l->l_stride;
	*from = uma_min((touched + UMA_PAGE_MASK) / UMA_PAGE_SIZE, l->l_pages);
	*to = slab_body(keg, s) / UMA_PAGE_SIZE;
	*to = uma_max(*from, *to);
}

void
keg_slab_free(struct keg *keg, struct slab *s)
{
	const struct layout *l = &keg->uk_layout;
	size_t from = l->l_pages, to = l->l_pages;

	SLAB_PROBE(slab_free, keg, s);
	if (keg_places_tell(keg) && !s->us_kept)
		slab_untouched(keg, s, &from, &to);
	pages_free_touched(
	    s->us_run, l->l_pages, from, to, keg_page_flags(keg));
	if (l->l_offpage)
		keg->uk_config.kc_header_free(s, l->l_header);
}

/* Enter a slab where frees will look for it.  Locked; false: no memory. */
static bool
keg_slab_enter(struct keg *keg, struct slab *s)
{
	size_t npages = keg->uk_layout.l_pages;
	uintptr_t word = (uintptr_t)s | PM_SLAB;

	uma_lock_assert_held(&keg->uk_lock);
	if (keg->uk_config.kc_flags & UMA_ZONE_HASH) {
		if (!hash_insert(&keg->uk_hash, s->us_run, npages, s))
			return false;
		word = (uintptr_t)keg | PM_KEG;
	}
	return pagemap_set(s->us_run, npages, word);
}

/* A new slab, on no list yet; NULL when there is no memory. */
static struct slab *
keg_slab_alloc(struct keg *keg, int domain)
{
	const struct layout *l = &keg->uk_layout;
	bool memory;
	char *run = pages_alloc_told(
	    l->l_pages, l->l_start_align, domain, keg_page_flags(keg), &memory);

	if (run == NULL)
		return NULL;
	size_t colour = keg_colour_next(keg);
	struct slab *s = keg_header_alloc(keg, run, colour);
	if (s == NULL) {
		pages_free(run, l->l_pages, keg_page_flags(keg));
		return NULL;
	}
	slab_init(s, keg, run, colour, l->l_items);
	s->us_domain = (uint8_t)pages_domain_of(run);
	s->us_memory = memory;
	CDS_INIT_LIST_HEAD(&s->us_link);
	SLAB_PROBE(slab_alloc, keg, s);
	return s;
}

/*
 * Make one slab, and link it where all can take from it; or leave it in *apart.
 * Unlocked.  The domain that it is of, or -1: there is no memory.
 */
static int
keg_grow(struct keg *keg, int domain, struct slab **apart)
{
	struct slab *s = keg_slab_alloc(keg, domain);

	if (s == NULL)
		return -1;
	domain = s->us_domain;
	uma_lock_acquire(&keg->uk_lock);
	bool entered = keg_slab_enter(keg, s);
	if (entered) {
		s->us_round = keg->uk_round;
		slab_domain(keg, s)->kd_slabs++;
		slab_domain(keg, s)->kd_free += s->us_items;
		if (apart == NULL)
			keg_relink(keg, s);
		else
			*apart = s;
	}
	uma_lock_release(&keg->uk_lock);
	if (!entered) {
		keg_slab_free(keg, s);
		return -1;
	}
	return domain;
}

/* ---- hooks ---- */

/* Whether it matters which items are ready. */
static bool
keg_has_hooks(const struct keg *keg)
{
	return keg->uk_config.kc_init != NULL || keg->uk_config.kc_fini != NULL;
}

static int
keg_item_init(struct keg *keg, void *item, int flags)
{
	const struct keg_config *kc = &keg->uk_config;
	/* Hooks may change errno and succeed; callers' errno is theirs. */
	int saved = errno;

	if (kc->kc_init == NULL)
		return 0;
	int error = kc->kc_init(item, (int)kc->kc_size, flags);

	/* Fresh items are zero, whatever an init has begun with. */
	if (error != 0 && !(kc->kc_flags & UMA_ZONE_NOTOUCH))
		for (int c = 0; c < kc->kc_copies; c++)
			memset((char *)item + (size_t)c * UMA_PCPU_STRIDE, 0,
			    keg->uk_layout.l_stride);
	errno = saved;
	return error;
}

/* ---- an item's slab ---- */

struct place {
	struct slab *p_slab;
	uint32_t p_index;
};

/* What was asked for, by whom, of which item: for the report. */
struct request {
	const char *r_who; /* the zone's name */
	const char *r_op; /* "free" or "lookup" */
	const void *r_item;
};

static _Noreturn UMA_COLD void
keg_fault(struct keg *keg, const struct request *r, const char *kind,
    const struct place *at, const char *detail)
{
	char name[128];
	size_t size = keg->uk_config.kc_size;

	uma_escape(name, sizeof name, r->r_who);
	if (at->p_slab == NULL)
		uma_fatal("zone '%s': %s%s of %p (no slab, size %zu): %s", name,
		    kind, r->r_op, r->r_item, size, detail);
	uma_fatal("zone '%s': %s%s of %p (slab %p, item %u, size %zu): %s",
	    name, kind, r->r_op, r->r_item, (void *)at->p_slab->us_run,
	    at->p_index, size, detail);
}

static _Noreturn UMA_COLD void
keg_fault_other(struct keg *keg, const struct request *r,
    const struct keg *other, const struct place *at)
{
	char name[128], detail[160] = "belongs to zone '";

	uma_escape(name, sizeof name, other->uk_config.kc_name);
	strcat(detail, name);
	strcat(detail, "'");
	keg_fault(keg, r, "wrong-zone ", at, detail);
}

/* The slab that an address lies in; no more is known of the address. */
static struct slab *
keg_find_slab(struct keg *keg, const struct request *r)
{
	uintptr_t word = pagemap_get(r->r_item);
	struct place nowhere = {0};

	uma_lock_assert_held(&keg->uk_lock);
	if (pagemap_tag(word) == PM_SLAB)
		return pagemap_ptr(word);
	if (pagemap_tag(word) == PM_KEG) {
		if (pagemap_ptr(word) != keg)
			keg_fault_other(keg, r, pagemap_ptr(word), &nowhere);
		struct slab *s = hash_find(&keg->uk_hash, r->r_item);
		/* NULL: a reclaim is about to give it back. */
		if (s != NULL)
			return s;
	}
	keg_fault(keg, r, "foreign ", &nowhere,
	    word == PM_NONE ? "not libuma's memory" : "no zone's memory now");
}

/*
 * Where an item lives, which must be in this keg and out; aborts otherwise.
 * The map is asked before anything is read through the address, unless it lies
 * in the slab near, which is the keg's.  Locked.
 */
static inline struct place
keg_locate(struct keg *keg, struct slab *near, const struct request *r)
{
	const char *item = r->r_item;
	bool nearby =
	    near != NULL && (uintptr_t)item - (uintptr_t)near->us_run <
				keg->uk_layout.l_pages * UMA_PAGE_SIZE;
	struct slab *s = nearby ? near : keg_find_slab(keg, r);
	size_t off = (size_t)(item - s->us_base);
	size_t i = keg_index(s->us_keg, off);
	struct place at = {s, (uint32_t)i};

	if (uma_unlikely(s->us_keg != keg))
		keg_fault_other(keg, r, s->us_keg, &at);
	if (uma_unlikely(item < s->us_base || i >= s->us_items ||
			 off != i * keg->uk_layout.l_stride))
		keg_fault(keg, r, "misaligned ", &at, "not an item's start");
	if (uma_unlikely(slab_bit(s->us_bits, at.p_index)))
		keg_fault(keg, r, r->r_op[0] == 'f' ? "double " : "late ", &at,
		    "the item is free");
	return at;
}

void
keg_fail(struct keg *keg, const char *who, const void *item, const char *fault,
    const char *detail)
{
	struct request r = {who, "free", item};

	uma_lock_acquire(&keg->uk_lock);
	struct place at = keg_locate(keg, NULL, &r);
	r.r_op = fault;
	keg_fault(keg, &r, "", &at, detail);
}

size_t
slab_pages_fresh(
    const struct keg *keg, struct slab *s, size_t start, size_t end)
{
	size_t stride = keg->uk_layout.l_stride, cnt = 0;
	size_t colour = (size_t)(s->us_base - s->us_run);

	for (size_t at = start & ~UMA_PAGE_MASK; at < end;
	     at += UMA_PAGE_SIZE) {
		size_t first = at > colour ? (at - colour) / stride : 0;
		size_t last = uma_max(at + UMA_PAGE_SIZE, colour) - colour;

		last =
		    uma_min((last + stride - 1) / stride, (size_t)s->us_items);
		cnt += first >= last || slab_bit_next(slab_ready_bits(s), first,
					    last, true) == last;
	}
	return cnt;
}

/* ---- import and release ---- */

/* The fullest slab with a free item, so that others get empty; or NULL. */
static struct slab *
keg_fullest(struct keg_domain *kd)
{
	for (int list = LIST_PARTIAL; list < LIST_CNT; list++)
		if (!cds_list_empty(&kd->kd_list[list]))
			return cds_list_first_entry(
			    &kd->kd_list[list], struct slab, us_link);
	return NULL;
}

/*
 * Up to n items from the slabs of a domain; fresh ones marked.  Without hooks
 * an item is ready from its first use on.  Locked.
 */
static int
keg_take(struct keg *keg, int domain, void **items, int n, uint64_t *fresh)
{
	struct keg_domain *kd = &keg->uk_domain[domain];
	bool hooks = keg_has_hooks(keg);
	size_t stride = keg->uk_layout.l_stride;
	struct slab *s;
	int got = 0;

	while (got < n && (s = keg_fullest(kd)) != NULL) {
		uint64_t *ready = slab_ready_bits(s);

		while (got < n && s->us_free > 0) {
			uint32_t i = slab_take(s);

			if (kd->kd_absent > 0 && !slab_bit(ready, i)) {
				size_t at =
				    (size_t)(slab_item(keg, s, i) - s->us_run);

				keg_absent_sub(kd,
				    slab_pages_fresh(keg, s, at, at + stride));
			}
			if (!hooks)
				slab_bit_set(ready, i);
			else if (!slab_bit(ready, i))
				slab_bit_set(fresh, (size_t)got);
			items[got++] = slab_item(keg, s, i);
		}
		s->us_changed = true;
		s->us_prealloc = false;
		keg_relink(keg, s);
	}
	kd->kd_free -= (size_t)got;
	return got;
}

/* Items that are out become free again.  Locked. */
static void
keg_put(struct keg *keg, const char *who, void **items, int n)
{
	struct slab *s = NULL;

	for (int k = 0; k < n; k++) {
		struct request r = {who, "free", items[k]};
		struct place at = keg_locate(keg, s, &r);

		s = at.p_slab;
		slab_put(s, at.p_index);
		s->us_changed = true;
		slab_domain(keg, s)->kd_free++;
		if (keg_list_for(keg, s) != s->us_list)
			keg_relink(keg, s);
	}
}

static void
keg_mark_ready(struct keg *keg, void *item)
{
	struct request r = {keg->uk_config.kc_name, "free", item};
	struct place at = keg_locate(keg, NULL, &r);

	slab_bit_set(slab_ready_bits(at.p_slab), at.p_index);
}

/*
 * Run init on the fresh ones of a batch.  The first failure ends it: fresh
 * items from there on go back, fresh again.  Returns how many are left, in
 * front.
 */
static int
keg_init_batch(struct keg *keg, void **items, int n, const uint64_t *fresh,
    int flags, int *hook)
{
	uint64_t done[KEG_BATCH_MAX / 64] = {0};
	void *refused[KEG_BATCH_MAX];
	int nrefused = 0, left = 0;

	for (int k = 0; k < n; k++) {
		if (!slab_bit(fresh, (size_t)k))
			continue;
		if (*hook == 0)
			*hook = keg_item_init(keg, items[k], flags);
		if (*hook == 0)
			slab_bit_set(done, (size_t)k);
	}
	uma_lock_acquire(&keg->uk_lock);
	for (int k = 0; k < n; k++) {
		bool is_fresh = slab_bit(fresh, (size_t)k);

		if (is_fresh && !slab_bit(done, (size_t)k)) {
			refused[nrefused++] = items[k];
			continue;
		}
		if (is_fresh)
			keg_mark_ready(keg, items[k]);
		items[left++] = items[k];
	}
	if (nrefused > 0) {
		struct request r = {keg->uk_config.kc_name, "free", refused[0]};

		keg_locate(keg, NULL, &r).p_slab->us_kept = true;
		keg_put(keg, keg->uk_config.kc_name, refused, nrefused);
	}
	keg_settled(keg);
	uma_lock_release(&keg->uk_lock);
	return left;
}

/* What is free in any domain, when there is no memory for more.  Unlocked. */
static int
keg_take_any(struct keg *keg, void **items, int n, uint64_t *fresh)
{
	int got = 0;

	uma_lock_acquire(&keg->uk_lock);
	for (int d = 0; d < pages_domain_cnt() && got == 0; d++)
		got = keg_take(keg, d, items, n, fresh);
	keg_settled(keg);
	uma_lock_release(&keg->uk_lock);
	return got;
}

/*
 * Free items may be in a reclaim's hands, which gives them back within one call
 * to the system, unless there is a fini, that may want what the caller has.
 * False: there are none.  Unlocked.
 */
static bool
keg_wait_hands(struct keg *keg)
{
	uma_lock_acquire(&keg->uk_lock);
	uint32_t hands = keg->uk_config.kc_fini == NULL ? keg->uk_hands : 0;
	keg->uk_hands_waiters += hands > 0;
	uma_lock_release(&keg->uk_lock);
	if (hands == 0)
		return false;
	uma_wait(&keg->uk_hands, hands, -1);
	uma_lock_acquire(&keg->uk_lock);
	keg->uk_hands_waiters--;
	uma_lock_release(&keg->uk_lock);
	return true;
}

int
keg_import(
    struct keg *keg, void **items, int n, int domain, int flags, int *hook)
{
	uint64_t fresh[KEG_BATCH_MAX / 64] = {0};
	int got = 0;

	UMA_ASSERT(n > 0 && n <= KEG_BATCH_MAX, "%d items", n);
	*hook = 0;
	while (got == 0 && domain >= 0) {
		uma_lock_acquire(&keg->uk_lock);
		got = keg_take(keg, domain, items, n, fresh);
		keg_settled(keg);
		uma_lock_release(&keg->uk_lock);
		/* Another thread may empty the new slab first: look again. */
		if (got == 0)
			domain = keg_grow(keg, domain, NULL);
	}
	while (got == 0) {
		got = keg_take_any(keg, items, n, fresh);
		if (got == 0 && !keg_wait_hands(keg))
			break;
	}
	if (got > 0 && keg_has_hooks(keg))
		got = keg_init_batch(keg, items, got, fresh, flags, hook);
	return got;
}

void
keg_release(struct keg *keg, const char *who, void **items, int n)
{
	uma_lock_acquire(&keg->uk_lock);
	keg_put(keg, who, items, n);
	keg_settled(keg);
	uma_lock_release(&keg->uk_lock);
}

uint32_t *
keg_check(struct keg *keg, const char *who, const char *op, const void *item)
{
	struct request r = {who, op, item};

	uma_lock_acquire(&keg->uk_lock);
	struct place at = keg_locate(keg, NULL, &r);
	uma_lock_release(&keg->uk_lock);
	if (keg->uk_layout.l_refcnt == 0)
		return NULL;
	return (uint32_t *)(void *)(slab_item(keg, at.p_slab, at.p_index) +
				    keg->uk_layout.l_refcnt);
}

/* ---- preallocation ---- */

/* Make every item ready in a new slab that is kept apart. */
static int
keg_slab_init_all(struct keg *keg, struct slab *s, int flags)
{
	if (!keg_has_hooks(keg))
		return 0;
	for (uint32_t i = 0; i < s->us_items; i++) {
		int error = keg_item_init(keg, slab_item(keg, s, i), flags);

		if (error != 0)
			return error;
		slab_bit_set(slab_ready_bits(s), i);
	}
	return 0;
}

static int
keg_domain_next(struct keg *keg)
{
	uma_lock_acquire(&keg->uk_lock);
	uint32_t d = keg->uk_next_domain++ % (uint32_t)pages_domain_cnt();
	uma_lock_release(&keg->uk_lock);
	return (int)d;
}

int
keg_prealloc(struct keg *keg, int n, int flags, int *made, bool *hook)
{
	*hook = false;
	for (*made = 0; *made < n;) {
		struct slab *s;

		if (keg_grow(keg, keg_domain_next(keg), &s) < 0)
			return ENOMEM;
		int error = keg_slab_init_all(keg, s, flags);
		*hook = error != 0;
		uma_lock_acquire(&keg->uk_lock);
		s->us_prealloc = error == 0;
		s->us_kept = error != 0;
		keg_relink(keg, s);
		uma_lock_release(&keg->uk_lock);
		if (error != 0)
			return error;
		*made += (int)s->us_items;
	}
	return 0;
}

/* ---- the keg itself ---- */

static size_t
keg_size(void)
{
	return sizeof(struct keg) +
	       (size_t)pages_domain_cnt() * sizeof(struct keg_domain);
}

/* So that free items, fewer than items, fall into four lists. */
static uint32_t
keg_full_shift(uint32_t items)
{
	uint32_t bits = 32 - (uint32_t)__builtin_clz(items);

	return bits > 2 ? bits - 2 : 0;
}

struct keg *
keg_create(const struct keg_config *kc)
{
	struct layout l;

	if (!layout_choose(kc, &l)) {
		errno = EINVAL;
		return NULL;
	}
	struct keg *keg = meta_alloc(keg_size(), 0);
	if (keg == NULL)
		return NULL;
	keg->uk_layout = l;
	keg->uk_config = *kc;
	keg->uk_full_shift = keg_full_shift(l.l_items);
	keg->uk_stride_inverse = UINT64_MAX / l.l_stride + 1;
	uma_lock_init(&keg->uk_lock, UMA_RANK_KEG);
	for (int d = 0; d < pages_domain_cnt(); d++)
		for (int list = 0; list < LIST_CNT; list++)
			CDS_INIT_LIST_HEAD(&keg->uk_domain[d].kd_list[list]);
	return keg;
}

void
keg_destroy(struct keg *keg)
{
	for (int d = 0; d < pages_domain_cnt(); d++)
		UMA_ASSERT(keg->uk_domain[d].kd_slabs == 0, "zone '%s'",
		    keg->uk_config.kc_name);
	hash_free(&keg->uk_hash);
	meta_free(keg, keg_size());
}

void
keg_stat(struct keg *keg, struct keg_stat *st)
{
	const struct layout *l = &keg->uk_layout;

	*st = (struct keg_stat){.ks_stride = l->l_stride,
	    .ks_slab_size = l->l_pages * UMA_PAGE_SIZE,
	    .ks_slab_items = l->l_items,
	    .ks_align = keg->uk_config.kc_align,
	    .ks_header = l->l_offpage ? l->l_header : 0,
	    .ks_offpage = l->l_offpage};
	uma_lock_acquire(&keg->uk_lock);
	for (int d = 0; d < pages_domain_cnt(); d++) {
		st->ks_slabs += keg->uk_domain[d].kd_slabs;
		st->ks_free += keg->uk_domain[d].kd_free;
		st->ks_absent += keg->uk_domain[d].kd_absent * UMA_PAGE_SIZE;
	}
	st->ks_meta = keg_size() + hash_bytes(&keg->uk_hash);
	uma_lock_release(&keg->uk_lock);
}

void
keg_domain_stat(struct keg *keg, int domain, struct keg_domain_stat *st)
{
	const struct keg_domain *kd = &keg->uk_domain[domain];

	uma_lock_acquire(&keg->uk_lock);
	*st = (struct keg_domain_stat){.kds_slabs = kd->kd_slabs,
	    .kds_free = kd->kd_free,
	    .kds_empty = kd->kd_empty};
	uma_lock_release(&keg->uk_lock);
}

struct uma_lock *
keg_lock(struct keg *keg)
{
	return &keg->uk_lock;
}

/* What other threads had in hand is out for ever; nobody waits for it. */
void
keg_fork_child(struct keg *keg)
{
	keg->uk_hands = 0;
	keg->uk_hands_waiters = 0;
	keg->uk_claims = 0;
	keg->uk_reclaims = 0;
	keg->uk_idling = false;
	uma_lock_fork_child(&keg->uk_lock);
}
