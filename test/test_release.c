/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that comes back page by page: what a live item keeps, what the items
 * of a page that was given back are afterwards, and that nothing is lost where
 * the system refuses to take it.
 *
 * A record an address knows whether init and fini ran by turns and what the
 * last free left.  Whatever is handed out must be as that says, or new: all of
 * the item, never a part.
 */
#define _GNU_SOURCE 1

#include "process_madvise.h"
#include "process_madvise.h"
#include "threads.h"

#include <sys/mman.h>

/* Sizes and flags that make slabs of every shape. */
static const struct kind {
	size_t size;
	uint32_t flags;
} kinds[] = {
    {64, 0},
    {100, UMA_ZONE_VTOSLAB},
    {1000, 0},
    {3000, 0},
    {5000, 0},
    {8192, 0},
    {40000, 0},
    {512, UMA_ZONE_ZINIT},
    {2500, UMA_ZONE_ZINIT},
    {300, UMA_ZONE_HASH},
    {3000, UMA_ZONE_OFFPAGE | UMA_ZONE_HASH},
    {700, UMA_ZONE_OFFPAGE},
    {1500, UMA_ZONE_VM},
    {96, UMA_ZONE_REFCNT},
    {1364, UMA_ZONE_REFCNT | UMA_ZONE_OFFPAGE},
    {200, UMA_ZONE_PCPU},
    {2000, UMA_ZONE_NODUMP},
    {600, UMA_ZONE_NOFREE},
    {800, UMA_ZONE_MALLOC},
    {48, UMA_ZONE_NOBUCKET},
    {128, UMA_ZONE_MAXBUCKET},
    {1000, UMA_ZONE_CONTIG},
    {1024, UMA_ZONE_CACHESPREAD},
    {320, UMA_ZONE_NOTOUCH},
    {1800, UMA_ZONE_FIRSTTOUCH},
    {450, UMA_ZONE_ROUNDROBIN},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* ---- madvise, in front of the C library's ---- */

static struct {
	_Atomic long seen;
	_Atomic long at; /* the call that fails, from 1; 0 none */
	_Atomic bool for_good; /* and all later ones */
} refusal;

int
madvise(void *addr, size_t len, int advice)
{
	long at = atomic_load(&refusal.at);

	if (at > 0) {
		long n = atomic_fetch_add(&refusal.seen, 1) + 1;

		if (n == at || (n > at && atomic_load(&refusal.for_good))) {
			errno = EINVAL;
			return -1;
		}
	}
	return (int)syscall(SYS_madvise, addr, len, advice);
}

static void
refuse(long at, bool for_good)
{
	atomic_store(&refusal.seen, 0);
	atomic_store(&refusal.for_good, for_good);
	atomic_store(&refusal.at, at);
}

/* ---- records ---- */

enum { RECORDS = 1 << 20 };

struct record {
	_Atomic uintptr_t addr; /* 0: empty place */
	_Atomic uint32_t inits, finis;
	_Atomic uint32_t put_serial; /* the zone it was last freed to */
	_Atomic uint32_t put_inits; /* inits at that time */
};
static struct record records[RECORDS];
static _Atomic uint32_t serial;

static struct record *
record_of(const void *item)
{
	uintptr_t addr = (uintptr_t)item, none;
	size_t i = (addr * 0x9e3779b97f4a7c15u) >> 44;

	for (size_t n = 0; n < RECORDS; n++, i++) {
		struct record *r = &records[i % RECORDS];

		none = 0;
		if (atomic_compare_exchange_strong(&r->addr, &none, addr) ||
		    none == addr)
			return r;
	}
	ck_abort_msg("too many addresses");
}

/* What the user of an item at this address writes, and what its init does. */
static int
key_of(const void *item)
{
	return 1 + (int)((((uintptr_t)item * 0x9e3779b97f4a7c15u) >> 32) % 127);
}

static int
built_of(const void *item)
{
	return key_of(item) + 128;
}

static bool
bytes_are(const void *p, size_t size, int byte)
{
	const unsigned char *b = p;

	return b[0] == byte && memcmp(b, b + 1, size - 1) == 0;
}

/* ---- hooks ---- */

static struct {
	_Atomic long calls, one_in; /* of so many inits, one fails; 0 none */
	_Atomic bool memory_is_any; /* MALLOC */
	_Atomic long inits, finis;
} hook;

static int
fresh_init(void *mem, int size, int flags)
{
	struct record *r = record_of(mem);
	long one_in = atomic_load(&hook.one_in);

	(void)flags;
	MUST(r->inits == r->finis, "init of an item that has had its init");
	MUST(hook.memory_is_any || bytes_are(mem, (size_t)size, 0),
	    "init finds memory that is not zero");
	if (one_in > 0 && atomic_fetch_add(&hook.calls, 1) % one_in == 0)
		return EAGAIN;
	memset(mem, built_of(mem), (size_t)size);
	r->inits++;
	hook.inits++;
	return 0;
}

static void
ready_fini(void *mem, int size)
{
	struct record *r = record_of(mem);

	MUST(r->inits == r->finis + 1, "fini without init");
	MUST(bytes_are(mem, (size_t)size, built_of(mem)),
	    "fini does not find what init and dtor left");
	r->finis++;
	hook.finis++;
}

static void
restore_dtor(void *mem, int size, void *arg)
{
	(void)arg;
	memset(mem, built_of(mem), (size_t)size);
}

/* ---- a zone, and its items taken and put ---- */

struct pool {
	uma_zone_t zone;
	struct kind kind;
	bool hooks;
	size_t copies;
};

static bool
has_hooks(size_t test)
{
	return test >= KINDS && !(kinds[test % KINDS].flags & UMA_ZONE_ZINIT);
}

static void
pool_open(struct pool *p, struct kind kind, bool hooks)
{
	*p = (struct pool){.kind = kind, .hooks = hooks, .copies = 1};
	/* Hooks see the first copy only. */
	if (kind.flags & UMA_ZONE_PCPU && !hooks)
		p->copies = (size_t)uma_ncpus();
	hook.memory_is_any = kind.flags & UMA_ZONE_MALLOC;
	serial++;
	p->zone = uma_zcreate("release", kind.size, NULL,
	    hooks ? restore_dtor : NULL, hooks ? fresh_init : NULL,
	    hooks ? ready_fini : NULL, UMA_ALIGN_PTR, kind.flags);
	MUST(p->zone != NULL, "size %zu flags %#x: %s", kind.size, kind.flags,
	    strerror(errno));
}

static bool
pool_is(const struct pool *p, const void *item, int byte)
{
	for (size_t c = 0; c < p->copies; c++)
		if (!bytes_are((const char *)item + c * UMA_PCPU_STRIDE,
			p->kind.size, byte))
			return false;
	return true;
}

/* Is it new?  It must be that, or as the last free left it. */
static bool
pool_is_fresh(const struct pool *p, const void *item)
{
	struct record *r = record_of(item);
	bool was_ours = r->put_serial == serial;

	if (p->hooks) {
		MUST(r->inits == r->finis + 1, "an item without init");
		MUST(pool_is(p, item, built_of(item)), "not as init left it");
		return !was_ours || r->put_inits != r->inits;
	}
	if (p->kind.flags & UMA_ZONE_MALLOC)
		return false;
	bool zero = pool_is(p, item, 0);
	MUST(zero || (was_ours && pool_is(p, item, key_of(item))),
	    "size %zu flags %#x, %p: neither zero nor as it was left",
	    p->kind.size, p->kind.flags, item);
	MUST(!zero || !was_ours || !(p->kind.flags & UMA_ZONE_NOFREE),
	    "NOFREE, and its contents are gone");
	return zero;
}

/* What was handed out is right, and ours from here on. */
static bool
pool_taken(struct pool *p, void *item)
{
	bool fresh = pool_is_fresh(p, item);

	if (p->kind.flags & UMA_ZONE_REFCNT) {
		uint32_t *cnt = uma_find_refcnt(p->zone, item);

		MUST(*cnt == (fresh ? 0 : (uint32_t)key_of(item)),
		    "counter %u of an item that is %s", *cnt,
		    fresh ? "new" : "as it was left");
		*cnt = (uint32_t)key_of(item);
	}
	for (size_t c = 0; c < p->copies; c++)
		memset((char *)item + c * UMA_PCPU_STRIDE, key_of(item),
		    p->kind.size);
	return fresh;
}

static void *
pool_take(struct pool *p, bool *fresh)
{
	void *item = uma_zalloc(p->zone, M_WAITOK);
	bool is_fresh;

	MUST(item != NULL, "uma_zalloc: %s", strerror(errno));
	is_fresh = pool_taken(p, item);
	if (fresh != NULL)
		*fresh = is_fresh;
	return item;
}

static void
pool_put(struct pool *p, void *item)
{
	struct record *r = record_of(item);

	MUST(pool_is(p, item, key_of(item)), "an item in use was changed");
	MUST(!(p->kind.flags & UMA_ZONE_REFCNT) ||
		 *uma_find_refcnt(p->zone, item) == (uint32_t)key_of(item),
	    "the counter of an item in use was changed");
	r->put_serial = serial;
	r->put_inits = r->inits;
	uma_zfree(p->zone, item);
}

static void
pool_books(struct pool *p, uint64_t used)
{
	struct uma_zone_stat st = stat_of(p->zone);

	MUST(st.used == used && st.allocs - st.frees == used,
	    "%llu items out, not %llu", (unsigned long long)st.used,
	    (unsigned long long)used);
	MUST(
	    st.used + st.free_cached + st.free_slab == st.slabs * st.slab_items,
	    "items lost: %llu + %llu + %llu, slabs %llu of %llu",
	    (unsigned long long)st.used, (unsigned long long)st.free_cached,
	    (unsigned long long)st.free_slab, (unsigned long long)st.slabs,
	    (unsigned long long)st.slab_items);
}

/* All items are back: nothing is left of them. */
static void
pool_close(struct pool *p)
{
	uma_zone_reclaim(p->zone, UMA_RECLAIM_DRAIN_CPU);
	pool_books(p, 0);
	if (!(p->kind.flags & UMA_ZONE_NOFREE))
		MUST(stat_of(p->zone).slabs == 0, "slabs stay");
	uma_zdestroy(p->zone);
	MUST(hook.inits == hook.finis, "%ld inits, %ld finis", (long)hook.inits,
	    (long)hook.finis);
}

/* ---- what a live item keeps ---- */

static int
by_address(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

	return x < y ? -1 : x > y;
}

struct many {
	void **item; /* NULL: freed */
	size_t cnt;
};

/* Items of so many bytes together, by address. */
static void
many_take(struct many *m, struct pool *p, size_t bytes)
{
	m->cnt = bytes / (p->kind.size * p->copies);
	m->item = malloc(m->cnt * sizeof m->item[0]);
	ck_assert_ptr_nonnull(m->item);
	for (size_t i = 0; i < m->cnt; i++)
		m->item[i] = pool_take(p, NULL);
	qsort(m->item, m->cnt, sizeof m->item[0], by_address);
}

static void
many_put(struct many *m, struct pool *p)
{
	for (size_t i = 0; i < m->cnt; i++)
		if (m->item[i] != NULL)
			pool_put(p, m->item[i]);
	free(m->item);
}

/*
 * All but one, at random, of each group as large as a slab; of every second
 * group all.  Returns the number left.
 */
static size_t
many_thin(struct many *m, struct pool *p, uint64_t *seed)
{
	size_t group = (size_t)stat_of(p->zone).slab_items, left = 0;

	for (size_t i = 0; i < m->cnt; i += group) {
		size_t end = i + group < m->cnt ? i + group : m->cnt;
		size_t keep = i + test_rand(seed) % (end - i);

		if (i / group % 2 == 1)
			keep = end;
		for (size_t k = i; k < end; k++) {
			if (k == keep) {
				left++;
				continue;
			}
			pool_put(p, m->item[k]);
			m->item[k] = NULL;
		}
	}
	return left;
}

static void
many_again(struct many *m, struct pool *p)
{
	for (size_t i = 0; i < m->cnt; i++)
		if (m->item[i] == NULL)
			m->item[i] = pool_take(p, NULL);
}

enum { PAGE = 4096, FREE_PAGE = 1, LIVE_PAGE = 2 };

/* The pages that the items lay on, in one range: FREE_PAGE, or LIVE_PAGE. */
struct range {
	uintptr_t from;
	size_t npages;
	unsigned char *state, *core;
};

static void
range_mark(struct range *r, const void *item, size_t size, int state)
{
	size_t at = ((uintptr_t)item - r->from) / PAGE;
	size_t end = ((uintptr_t)item + size - 1 - r->from) / PAGE;

	for (; at <= end; at++)
		if (r->state[at] < state)
			r->state[at] = (unsigned char)state;
}

static void
range_open(struct range *r, const struct many *m, size_t size)
{
	uintptr_t last = (uintptr_t)m->item[m->cnt - 1] + size;

	r->from = (uintptr_t)m->item[0] / PAGE * PAGE;
	r->npages = (last - r->from) / PAGE + 1;
	r->state = calloc(r->npages, 1);
	r->core = calloc(r->npages, 1);
	ck_assert(r->state != NULL && r->core != NULL);
	for (size_t i = 0; i < m->cnt; i++)
		range_mark(r, m->item[i], size, FREE_PAGE);
}

/* How many of the pages in this state are in memory. */
static size_t
range_resident(struct range *r, int state)
{
	size_t cnt = 0;

	for (size_t i = 0, end; i < r->npages; i = end) {
		for (end = i + 1; end < r->npages; end++)
			if ((r->state[end] == 0) != (r->state[i] == 0))
				break;
		if (r->state[i] == 0 || mincore((void *)(r->from + i * PAGE),
					    (end - i) * PAGE, r->core + i) != 0)
			continue;
		for (size_t k = i; k < end; k++)
			cnt += r->state[k] == state && (r->core[k] & 1);
	}
	return cnt;
}

static void
range_close(struct range *r)
{
	free(r->state);
	free(r->core);
}

/*
 * Besides the live items' pages only those that headers of slabs lie on may
 * stay, one a slab, and a few that others have got meanwhile.
 */
enum { FEW_PAGES = 64 };

static void
live_item_pins_its_page(size_t size, uint32_t flags, bool hooks)
{
	struct pool p;
	struct many m;
	struct range r;
	uint64_t seed = size;

	pool_open(&p, (struct kind){size, flags}, hooks);
	many_take(&m, &p, (size_t)LOAD(12 << 20));
	range_open(&r, &m, size);
	size_t all = range_resident(&r, FREE_PAGE);
	size_t left = many_thin(&m, &p, &seed);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);

	struct uma_zone_stat st = stat_of(p.zone);
	for (size_t i = 0; i < m.cnt; i++)
		if (m.item[i] != NULL)
			range_mark(&r, m.item[i], size, LIVE_PAGE);
	size_t rest = range_resident(&r, FREE_PAGE);
	printf("size %5zu%s: %6zu pages, %5zu live items in %5llu slabs of "
	       "%3llu pages keep %5zu + %5zu pages\n",
	    size, hooks ? " hooks" : "", all, left,
	    (unsigned long long)st.slabs,
	    (unsigned long long)st.slab_size / PAGE,
	    range_resident(&r, LIVE_PAGE), rest);
	ck_assert_uint_gt(all * PAGE, m.cnt * size / 8 * 7);
	ck_assert_uint_le(st.slabs, 2 * left);
	ck_assert_msg(rest <= st.slabs + FEW_PAGES,
	    "size %zu: %llu slabs keep %zu pages without a live item", size,
	    (unsigned long long)st.slabs, rest);
	pool_books(&p, left);
	many_again(&m, &p);
	many_put(&m, &p);
	pool_close(&p);
	range_close(&r);
}

START_TEST(one_live_item_pins_its_own_pages_only)
{
	static const size_t size[] = {
	    64, 100, 256, 1000, 1024, 2048, 3000, 4096, 5000, 8192};

	for (size_t i = 0; i < sizeof size / sizeof size[0]; i++)
		live_item_pins_its_page(size[i], 0, _i != 0);
}
END_TEST

START_TEST(nofree_gives_no_page_back)
{
	struct pool p;
	struct many m;
	struct range r;
	uint64_t seed = 5;

	pool_open(&p, (struct kind){600, UMA_ZONE_NOFREE}, _i != 0);
	many_take(&m, &p, 4 << 20);
	range_open(&r, &m, 600);
	size_t all = range_resident(&r, FREE_PAGE);
	long finis = hook.finis;
	uint64_t slabs = stat_of(p.zone).slabs;
	many_thin(&m, &p, &seed);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);

	ck_assert_uint_eq(range_resident(&r, FREE_PAGE), all);
	ck_assert_uint_eq(stat_of(p.zone).slabs, slabs);
	ck_assert_int_eq(hook.finis, finis);
	many_again(&m, &p);
	many_put(&m, &p);
	pool_close(&p);
	range_close(&r);
}
END_TEST

/* ---- what the others have become ---- */

/* Rounds of thinning, reclaim and taking again, in every kind of zone. */
START_TEST(items_come_again_new_or_as_they_were_left)
{
	struct kind kind = kinds[_i % KINDS];
	struct pool p;
	struct many m;
	uint64_t seed = test_seed("come_again");

	pool_open(&p, kind, has_hooks((size_t)_i));
	many_take(&m, &p, (size_t)LOAD(1 << 20) + 10 * kind.size);
	for (int round = 0; round < 4; round++) {
		size_t left = many_thin(&m, &p, &seed);

		uma_zone_reclaim(p.zone, UMA_RECLAIM_DRAIN_CPU);
		pool_books(&p, left);
		many_again(&m, &p);
		pool_books(&p, m.cnt);
		qsort(m.item, m.cnt, sizeof m.item[0], by_address);
	}
	many_put(&m, &p);
	pool_close(&p);
}
END_TEST

/*
 * Items over the edge of a page of which only one side went: new as a whole,
 * or whole as they were, and there are some that are new.
 */
START_TEST(items_across_the_edge_of_a_dropped_page_are_new_as_a_whole)
{
	static const size_t size[] = {96, 1000, 3000, 5000, 9000};
	struct pool p;
	struct many m;
	uint64_t seed = test_seed("across");

	for (size_t s = 0; s < sizeof size / sizeof size[0]; s++) {
		size_t fresh = 0, left = 0;

		pool_open(&p, (struct kind){size[s], 0}, _i != 0);
		many_take(&m, &p, (size_t)LOAD(2 << 20));
		many_thin(&m, &p, &seed);
		uint64_t slabs = stat_of(p.zone).slabs;
		uma_zone_reclaim(p.zone, UMA_RECLAIM_DRAIN_CPU);
		/* In the slabs there are now; no other is made for these. */
		struct uma_zone_stat st = stat_of(p.zone);
		ck_assert_uint_lt(st.slabs, slabs);
		size_t n = (size_t)st.free_slab, at = 0;
		for (; n > 0; n--, at++) {
			bool is_fresh;

			while (m.item[at] != NULL)
				at++;
			m.item[at] = pool_take(&p, &is_fresh);
			uintptr_t a = (uintptr_t)m.item[at];
			if (a / PAGE == (a + size[s] - 1) / PAGE)
				continue;
			fresh += is_fresh;
			left += !is_fresh;
		}
		ck_assert_uint_eq(stat_of(p.zone).slabs, st.slabs);
		printf("size %zu: across an edge %zu new, %zu as left\n",
		    size[s], fresh, left);
		ck_assert_uint_gt(fresh, 0);
		many_put(&m, &p);
		pool_close(&p);
	}
}
END_TEST

/* A failing init leaves the item as new as it was. */
START_TEST(an_init_that_fails_leaves_the_item_new)
{
	struct kind kind = kinds[_i];
	struct pool p;
	struct many m;
	uint64_t seed = 3, fails = 0;

	if (kind.flags & UMA_ZONE_ZINIT)
		return;
	pool_open(&p, kind, true);
	many_take(&m, &p, (size_t)LOAD(256 << 10) + 10 * kind.size);
	size_t left = many_thin(&m, &p, &seed);
	uma_zone_reclaim(p.zone, UMA_RECLAIM_DRAIN_CPU);
	hook.one_in = 3;
	for (size_t i = 0; i < m.cnt; i++) {
		while (m.item[i] == NULL) {
			errno = 0;
			m.item[i] = uma_zalloc(p.zone, M_WAITOK);
			if (m.item[i] != NULL) {
				pool_taken(&p, m.item[i]);
				left++;
				break;
			}
			ck_assert_int_eq(errno, EAGAIN);
			fails++;
		}
	}
	hook.one_in = 0;
	ck_assert_uint_eq(left, m.cnt);
	ck_assert_uint_eq(stat_of(p.zone).fails, fails);
	pool_books(&p, m.cnt);
	many_put(&m, &p);
	pool_close(&p);
}
END_TEST

START_TEST(nodump_stays_when_pages_have_gone)
{
	struct pool p;
	struct many m;
	struct range r;
	uint64_t seed = 9;

	pool_open(&p, (struct kind){2000, UMA_ZONE_NODUMP}, false);
	many_take(&m, &p, 4 << 20);
	range_open(&r, &m, 2000);
	many_thin(&m, &p, &seed);
	uma_zone_reclaim(p.zone, UMA_RECLAIM_DRAIN_CPU);
	struct uma_zone_stat st = stat_of(p.zone);
	for (size_t i = 0; i < m.cnt; i++)
		if (m.item[i] != NULL)
			range_mark(&r, m.item[i], 2000, LIVE_PAGE);
	ck_assert_uint_le(range_resident(&r, FREE_PAGE), st.slabs + FEW_PAGES);
	many_again(&m, &p);
	many_put(&m, &p);
	pool_close(&p);
	range_close(&r);
}
END_TEST

/* ---- the system refuses ---- */

/* One life of a zone; returns how many calls of madvise it made. */
static long
refused_life(struct kind kind, bool hooks, long at, bool for_good)
{
	struct pool p;
	struct many m;
	uint64_t seed = 11;

	pool_open(&p, kind, hooks);
	refuse(at, for_good);
	many_take(&m, &p, 64 * kind.size + (128 << 10));
	for (int round = 0; round < 2; round++) {
		size_t left = many_thin(&m, &p, &seed);

		uma_zone_reclaim(p.zone, UMA_RECLAIM_DRAIN_CPU);
		pool_books(&p, left);
		many_again(&m, &p);
		qsort(m.item, m.cnt, sizeof m.item[0], by_address);
	}
	many_put(&m, &p);
	uma_zone_reclaim(p.zone, UMA_RECLAIM_DRAIN_CPU);
	pool_books(&p, 0);
	long seen = refusal.seen;
	refuse(0, false);
	/* What could not be given back is as good as any. */
	for (int i = 0; i < 50; i++)
		pool_put(&p, pool_take(&p, NULL));
	pool_close(&p);
	return seen;
}

START_TEST(each_call_to_give_back_may_be_refused)
{
	struct kind kind = kinds[_i % KINDS];
	bool hooks = has_hooks((size_t)_i);
	long seen = 1;

	for (int for_good = 0; for_good < 2; for_good++) {
		long at = 1;

		for (; at <= seen || at == 1; at += 1 + at / 8)
			seen = refused_life(kind, hooks, at, for_good);
	}
	refused_life(kind, hooks, 1, true);
}
END_TEST

/* ---- traffic while pages go ---- */

enum { WORKERS = 2, SLOTS_MAX = 512 };

static struct {
	struct pool pool;
	_Atomic bool stop;
	_Atomic uint64_t taken, fresh, reclaims;
	_Atomic uint64_t seed;
} traffic;

static void
worker_turn(void **slot, size_t slots, uint64_t *seed)
{
	size_t i = test_rand(seed) % slots;
	bool fresh;

	if (slot[i] != NULL) {
		pool_put(&traffic.pool, slot[i]);
		slot[i] = NULL;
		return;
	}
	slot[i] = pool_take(&traffic.pool, &fresh);
	traffic.taken++;
	traffic.fresh += fresh;
}

/*
 * Random items, and now and then nearly all of them at once, which it may give
 * back itself.
 */
static void *
worker(void *arg)
{
	size_t slots = (1 << 20) / (traffic.pool.kind.size + 1);
	void *slot[SLOTS_MAX] = {NULL};
	uint64_t seed = traffic.seed + (uintptr_t)arg;

	slots = slots < SLOTS_MAX ? slots : SLOTS_MAX;
	while (!traffic.stop) {
		worker_turn(slot, slots, &seed);
		if (test_rand(&seed) % (2 * slots) != 0)
			continue;
		for (size_t i = 0; i < slots; i++) {
			if (slot[i] == NULL || test_rand(&seed) % 16 == 0)
				continue;
			pool_put(&traffic.pool, slot[i]);
			slot[i] = NULL;
		}
		if (test_rand(&seed) % 4 == 0)
			uma_zone_reclaim(
			    traffic.pool.zone, UMA_RECLAIM_DRAIN_CPU);
	}
	for (size_t i = 0; i < slots; i++)
		if (slot[i] != NULL)
			pool_put(&traffic.pool, slot[i]);
	return NULL;
}

static void
reclaim_for(double seconds)
{
	static const int request[] = {UMA_RECLAIM_DRAIN_CPU,
	    UMA_RECLAIM_DRAIN_CPU, UMA_RECLAIM_DRAIN, UMA_RECLAIM_TRIM};
	double end = test_now() + seconds;
	struct timespec pause = {0, 50000};

	for (int i = 0; test_now() < end; i++) {
		if (i % 8 == 7)
			uma_reclaim(request[i / 8 % 4]);
		else
			uma_zone_reclaim(traffic.pool.zone, request[i % 4]);
		traffic.reclaims++;
		nanosleep(&pause, NULL);
	}
}

START_TEST(items_are_whole_while_another_thread_reclaims)
{
	struct pool *p = &traffic.pool;
	pthread_t t[WORKERS];

	traffic.seed = test_seed("traffic");
	pool_open(p, kinds[_i % KINDS], has_hooks((size_t)_i));
	/* Every other reclaim finds some calls refused. */
	refuse(_i % 4 == 3 ? 20 : 0, true);
	for (uintptr_t i = 0; i < WORKERS; i++)
		t[i] = thread_start(worker, (void *)i);
	reclaim_for(0.05);
	traffic.stop = true;
	for (int i = 0; i < WORKERS; i++)
		thread_join(t[i]);
	refuse(0, false);
	printf("size %zu flags %#x%s: %llu taken, %llu new, %llu reclaims\n",
	    p->kind.size, p->kind.flags, p->hooks ? " hooks" : "",
	    (unsigned long long)traffic.taken,
	    (unsigned long long)traffic.fresh,
	    (unsigned long long)traffic.reclaims);
	pool_close(p);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("release");
	TCase *tc = tcase_create("pages");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_loop_test(tc, one_live_item_pins_its_own_pages_only, 0, 2);
	tcase_add_loop_test(tc, nofree_gives_no_page_back, 0, 2);
	tcase_add_loop_test(
	    tc, items_come_again_new_or_as_they_were_left, 0, 2 * KINDS);
	tcase_add_loop_test(tc,
	    items_across_the_edge_of_a_dropped_page_are_new_as_a_whole, 0, 2);
	tcase_add_loop_test(
	    tc, an_init_that_fails_leaves_the_item_new, 0, KINDS);
	tcase_add_test(tc, nodump_stays_when_pages_have_gone);
	tcase_add_loop_test(
	    tc, each_call_to_give_back_may_be_refused, 0, 2 * KINDS);
	tcase_add_loop_test(
	    tc, items_are_whole_while_another_thread_reclaims, 0, 2 * KINDS);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
