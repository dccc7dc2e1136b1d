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
 * items leaves, comes back.
 *
 * (3) The life of an item.  keg_import takes free items from partial slabs,
 * then from an empty one, under the keg's lock; if there is none, keg_grow
 * makes a slab without the lock: pages, header, page map, then link.  Those of
 * the batch that are fresh get their init, without the lock; they are ready
 * from then on.  keg_release finds the slab of each item through the page map,
 * refuses what is not an item that is out, and sets its free bit.  A slab whose
 * items are all free waits on the empty list until keg_reclaim runs fini on
 * those that are ready and gives the pages back.
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
 * child of a fork finds the lists whole; items that another thread had in hand
 * are out for ever.
 *
 * (6) Invariants, checked by keg_is_valid: uk_free is the sum of us_free;
 * slabs on the partial list have 0 < us_free < us_items, and so on.
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

#include "hash.h"
#include "pages_int.h"
#include "slab.h"

struct keg {
	/* set once */
	struct layout uk_layout;
	struct keg_config uk_config;

	struct uma_lock uk_lock;
	/* guarded by uk_lock */
	struct cds_list_head uk_partial;
	struct cds_list_head uk_empty;
	struct cds_list_head uk_full;
	struct hash uk_hash; /* UMA_ZONE_HASH: page to slab */
	size_t uk_slabs;
	size_t uk_free; /* free items in all slabs */
	uint32_t uk_colour; /* of the next slab */
};

static bool keg_is_valid_locked(struct keg *keg);

/* Debug builds look at the whole keg wherever it comes to rest.  Locked. */
static inline void
keg_settled(struct keg *keg)
{
	if (UMA_DEBUG >= 2)
		UMA_ASSERT(keg_is_valid_locked(keg), "zone '%s'",
		    keg->uk_config.kc_name);
}

/* ---- slabs ---- */

/* Move a slab to the list that its free items call for.  Locked. */
static void
keg_relink(struct keg *keg, struct slab *s)
{
	uma_lock_assert_held(&keg->uk_lock);
	cds_list_del(&s->us_link);
	cds_list_add(&s->us_link, s->us_free == 0 ? &keg->uk_full
				  : s->us_free == s->us_items
				      ? &keg->uk_empty
				      : &keg->uk_partial);
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

/* Give back a slab that is on no list and in no hash. */
static void
keg_slab_free(struct keg *keg, struct slab *s)
{
	const struct layout *l = &keg->uk_layout;

	pages_free(s->us_run, l->l_pages, keg_page_flags(keg));
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
	char *run = pages_alloc(
	    l->l_pages, l->l_start_align, domain, keg_page_flags(keg));

	if (run == NULL)
		return NULL;
	size_t colour = keg_colour_next(keg);
	struct slab *s = keg_header_alloc(keg, run, colour);
	if (s == NULL) {
		pages_free(run, l->l_pages, keg_page_flags(keg));
		return NULL;
	}
	slab_init(s, keg, run, colour, l->l_items);
	return s;
}

/*
 * Make one slab, and link it where all can take from it, or keep it apart.
 * Unlocked; NULL when there is no memory.
 */
static struct slab *
keg_grow(struct keg *keg, int domain, bool apart)
{
	struct slab *s = keg_slab_alloc(keg, domain);

	if (s == NULL)
		return NULL;
	uma_lock_acquire(&keg->uk_lock);
	bool entered = keg_slab_enter(keg, s);
	if (entered) {
		CDS_INIT_LIST_HEAD(&s->us_link);
		if (!apart)
			keg_relink(keg, s);
		keg->uk_slabs++;
		keg->uk_free += s->us_items;
	}
	uma_lock_release(&keg->uk_lock);
	if (!entered) {
		keg_slab_free(keg, s);
		return NULL;
	}
	return s;
}

/* ---- hooks ---- */

/* Whether it matters which items are ready. */
static bool
keg_has_hooks(const struct keg *keg)
{
	return keg->uk_config.kc_init != NULL || keg->uk_config.kc_fini != NULL;
}

static char *
slab_item(const struct keg *keg, const struct slab *s, size_t i)
{
	return s->us_base + i * keg->uk_layout.l_stride;
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
		return hash_find(&keg->uk_hash, r->r_item);
	}
	keg_fault(keg, r, "foreign ", &nowhere,
	    word == PM_NONE ? "not libuma's memory" : "no zone's memory now");
}

/*
 * Where an item lives, which must be in this keg and out; aborts otherwise.
 * The map is asked before anything is read through the address.  Locked.
 */
static struct place
keg_locate(struct keg *keg, const struct request *r)
{
	struct slab *s = keg_find_slab(keg, r);
	size_t off = (size_t)((const char *)r->r_item - s->us_base);
	size_t stride = s->us_keg->uk_layout.l_stride;
	struct place at = {s, (uint32_t)(off / stride)};

	if (s->us_keg != keg)
		keg_fault_other(keg, r, s->us_keg, &at);
	if ((const char *)r->r_item < s->us_base || at.p_index >= s->us_items ||
	    off % stride != 0)
		keg_fault(keg, r, "misaligned ", &at, "not an item's start");
	if (slab_bit(s->us_bits, at.p_index))
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
	struct place at = keg_locate(keg, &r);
	r.r_op = fault;
	keg_fault(keg, &r, "", &at, detail);
}

/* ---- import and release ---- */

/* Up to n items from the slabs there are; fresh ones marked.  Locked. */
static int
keg_take(struct keg *keg, void **items, int n, uint64_t *fresh)
{
	int got = 0;

	while (got < n) {
		struct cds_list_head *list = !cds_list_empty(&keg->uk_partial)
						 ? &keg->uk_partial
						 : &keg->uk_empty;
		if (cds_list_empty(list))
			break;
		struct slab *s =
		    cds_list_first_entry(list, struct slab, us_link);
		while (got < n && s->us_free > 0) {
			uint32_t i = slab_take(s);

			if (!slab_bit(slab_ready_bits(s), i))
				slab_bit_set(fresh, (size_t)got);
			items[got++] = slab_item(keg, s, i);
		}
		keg_relink(keg, s);
	}
	keg->uk_free -= (size_t)got;
	return got;
}

/* Items that are out become free again.  Locked. */
static void
keg_put(struct keg *keg, const char *who, void **items, int n)
{
	for (int k = 0; k < n; k++) {
		struct request r = {who, "free", items[k]};
		struct place at = keg_locate(keg, &r);
		struct slab *s = at.p_slab;
		bool listed_right =
		    s->us_free > 0 && s->us_free + 1 < s->us_items;

		slab_put(s, at.p_index);
		if (!listed_right)
			keg_relink(keg, s);
	}
	keg->uk_free += (size_t)n;
}

static void
keg_mark_ready(struct keg *keg, void *item)
{
	struct request r = {keg->uk_config.kc_name, "free", item};
	struct place at = keg_locate(keg, &r);

	slab_bit_set(slab_ready_bits(at.p_slab), at.p_index);
}

/*
 * Run init on the fresh ones of a batch.  The first failure ends it: fresh
 * items from there on go back, still fresh.  Returns how many are left, in
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
	keg_put(keg, keg->uk_config.kc_name, refused, nrefused);
	keg_settled(keg);
	uma_lock_release(&keg->uk_lock);
	return left;
}

int
keg_import(
    struct keg *keg, void **items, int n, int domain, int flags, int *hook)
{
	uint64_t fresh[KEG_BATCH_MAX / 64] = {0};
	int got;

	UMA_ASSERT(n > 0 && n <= KEG_BATCH_MAX, "%d items", n);
	*hook = 0;
	for (;;) {
		uma_lock_acquire(&keg->uk_lock);
		got = keg_take(keg, items, n, fresh);
		keg_settled(keg);
		uma_lock_release(&keg->uk_lock);
		if (got > 0)
			break;
		/* Another thread may empty the new slab first: look again. */
		if (keg_grow(keg, domain, false) == NULL)
			return 0;
	}
	if (keg_has_hooks(keg))
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
	struct place at = keg_locate(keg, &r);
	uma_lock_release(&keg->uk_lock);
	if (keg->uk_layout.l_refcnt == 0)
		return NULL;
	return (uint32_t *)(void *)(slab_item(keg, at.p_slab, at.p_index) +
				    keg->uk_layout.l_refcnt);
}

/* ---- preallocation and reclaim ---- */

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

int
keg_prealloc(struct keg *keg, int n, int flags, int *made, bool *hook)
{
	*hook = false;
	for (*made = 0; *made < n;) {
		struct slab *s = keg_grow(keg, 0, true);

		if (s == NULL)
			return ENOMEM;
		int error = keg_slab_init_all(keg, s, flags);
		*hook = error != 0;
		uma_lock_acquire(&keg->uk_lock);
		keg_relink(keg, s);
		uma_lock_release(&keg->uk_lock);
		if (error != 0)
			return error;
		*made += (int)s->us_items;
	}
	return 0;
}

/* Take an empty slab out of the keg; NULL when there is none.  Unlocked. */
static struct slab *
keg_detach_empty(struct keg *keg)
{
	struct slab *s = NULL;

	uma_lock_acquire(&keg->uk_lock);
	if (!cds_list_empty(&keg->uk_empty)) {
		s = cds_list_first_entry(&keg->uk_empty, struct slab, us_link);
		cds_list_del(&s->us_link);
		keg->uk_slabs--;
		keg->uk_free -= s->us_items;
		if (keg->uk_config.kc_flags & UMA_ZONE_HASH)
			hash_remove(
			    &keg->uk_hash, s->us_run, keg->uk_layout.l_pages);
	}
	uma_lock_release(&keg->uk_lock);
	return s;
}

static void
keg_slab_fini_all(struct keg *keg, struct slab *s)
{
	const struct keg_config *kc = &keg->uk_config;
	int saved = errno;

	if (kc->kc_fini == NULL)
		return;
	for (uint32_t i = 0; i < s->us_items; i++)
		if (slab_bit(slab_ready_bits(s), i))
			kc->kc_fini(slab_item(keg, s, i), (int)kc->kc_size);
	errno = saved;
}

size_t
keg_reclaim(struct keg *keg, bool all)
{
	struct slab *s;
	size_t n = 0;

	if ((keg->uk_config.kc_flags & UMA_ZONE_NOFREE) && !all)
		return 0;
	while ((s = keg_detach_empty(keg)) != NULL) {
		keg_slab_fini_all(keg, s);
		keg_slab_free(keg, s);
		n++;
	}
	return n;
}

/* ---- the keg itself ---- */

struct keg *
keg_create(const struct keg_config *kc)
{
	struct layout l;

	if (!layout_choose(kc, &l)) {
		errno = EINVAL;
		return NULL;
	}
	struct keg *keg = meta_alloc(sizeof *keg, 0);
	if (keg == NULL)
		return NULL;
	keg->uk_layout = l;
	keg->uk_config = *kc;
	uma_lock_init(&keg->uk_lock, UMA_RANK_KEG);
	CDS_INIT_LIST_HEAD(&keg->uk_partial);
	CDS_INIT_LIST_HEAD(&keg->uk_empty);
	CDS_INIT_LIST_HEAD(&keg->uk_full);
	return keg;
}

void
keg_destroy(struct keg *keg)
{
	UMA_ASSERT(keg->uk_slabs == 0, "zone '%s'", keg->uk_config.kc_name);
	hash_free(&keg->uk_hash);
	meta_free(keg, sizeof *keg);
}

void
keg_stat(struct keg *keg, struct keg_stat *st)
{
	const struct layout *l = &keg->uk_layout;

	*st = (struct keg_stat){.ks_stride = l->l_stride,
	    .ks_slab_size = l->l_pages * UMA_PAGE_SIZE,
	    .ks_slab_items = l->l_items,
	    .ks_offpage = l->l_offpage};
	uma_lock_acquire(&keg->uk_lock);
	st->ks_slabs = keg->uk_slabs;
	st->ks_free = keg->uk_free;
	uma_lock_release(&keg->uk_lock);
}

/* Slabs of one list, whose free items lie within [least, most]. */
static bool
keg_list_is_valid(
    struct keg *keg, struct cds_list_head *list, size_t *slabs, size_t *free)
{
	struct slab *s;

	cds_list_for_each_entry (s, list, us_link) {
		bool right = list == &keg->uk_full ? s->us_free == 0
			     : list == &keg->uk_empty
				 ? s->us_free == s->us_items
				 : s->us_free > 0 && s->us_free < s->us_items;

		if (!right || s->us_keg != keg || !slab_is_valid(s))
			return false;
		++*slabs;
		*free += s->us_free;
	}
	return true;
}

/* A slab that keg_prealloc has in hand is on no list. */
static bool
keg_is_valid_locked(struct keg *keg)
{
	size_t slabs = 0, free = 0;

	uma_lock_assert_held(&keg->uk_lock);
	return keg_list_is_valid(keg, &keg->uk_partial, &slabs, &free) &&
	       keg_list_is_valid(keg, &keg->uk_empty, &slabs, &free) &&
	       keg_list_is_valid(keg, &keg->uk_full, &slabs, &free) &&
	       slabs <= keg->uk_slabs && free <= keg->uk_free;
}

bool
keg_is_valid(struct keg *keg)
{
	uma_lock_acquire(&keg->uk_lock);
	bool valid = keg_is_valid_locked(keg);
	uma_lock_release(&keg->uk_lock);
	return valid;
}

struct uma_lock *
keg_lock(struct keg *keg)
{
	return &keg->uk_lock;
}
