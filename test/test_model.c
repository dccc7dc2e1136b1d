/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A shadow model: random operations over many zones at once, each compared
 * with what a record of all items says must come of it.
 *
 * Seen are overlap, misalignment, items lost or handed out twice, contents
 * that are neither zero at first nor later what the last free left, wrong
 * numbers of hook calls, limits exceeded, refusals without a reason, numbers
 * that do not add up.  UMA_TEST_SEED repeats a run, UMA_TEST_OPS sets its
 * length.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <uma.h>

#include "model.h"

static uint64_t total_allocs, total_frees, total_fails;

/* ---- one allocation, one free ---- */

static void
call_begins(struct mzone *m)
{
	m->saw_ctor = m->saw_dtor = m->ctor_failed = m->init_failed = 0;
	m->saw_mem = m->saw_arg = NULL;
	m->saw_flags = 0;
	m->busy = true;
}

static void
refused_check(struct mzone *m, int flags, int err)
{
	m->fails++;
	total_fails++;
	if (m->saw_dtor != 0)
		wrong(m, "dtor ran in a failing allocation");
	if (m->ctor_failed > 0) {
		if (m->saw_ctor != 1 || err != CTOR_ERRNO)
			wrong(m, "ctor failed, %d calls, errno %d", m->saw_ctor,
			    err);
	} else if (m->saw_ctor != 0) {
		wrong(m, "refused after a ctor that succeeded");
	} else if (m->limit != 0 && m->nlive >= m->limit) {
		if (err != ENOMEM || !(flags & M_NOWAIT))
			wrong(m, "full, errno %d, flags %#x", err, flags);
	} else if (m->init_failed == 0)
		wrong(m, "refused without a reason, errno %d", err);
	else if (err != INIT_ERRNO)
		wrong(m, "init failed, errno %d", err);
}

static void
handed_out_check(struct mzone *m, void *p, void *arg, int flags)
{
	struct record *r = record_of(p, m->serial);

	if (m->limit != 0 && m->nlive >= m->limit)
		wrong(m, "item %zu of %llu", m->nlive + 1,
		    (unsigned long long)m->limit);
	if (((uintptr_t)p & (uintptr_t)m->align) != 0)
		wrong(m, "%p is not aligned", p);
	if (m->saw_dtor != 0 || m->ctor_failed != 0)
		wrong(m, "%p: %d dtor calls, %d failed ctor calls", p,
		    m->saw_dtor, m->ctor_failed);
	if (m->saw_ctor != (m->has_ctor ? 1 : 0))
		wrong(m, "%p: %d ctor calls", p, m->saw_ctor);
	if (m->has_ctor &&
	    (m->saw_mem != p || m->saw_arg != arg || m->saw_flags != flags))
		wrong(m, "%p: ctor saw mem %p arg %p flags %#x", p, m->saw_mem,
		    m->saw_arg, m->saw_flags);
	if (r->live)
		wrong(m, "%p is handed out twice", p);
	if (m->has_init && !r->ready)
		wrong(m, "%p is handed out without init", p);
	for (int cpu = 0; cpu < copies_of(m); cpu++)
		if (!shadow_mark(copy_of(p, cpu), m->size, true))
			wrong(m, "%p, copy %d, overlaps", p, cpu);
	if (flags & M_ZERO) {
		for (int cpu = 0; cpu < copies_of(m); cpu++)
			if (!bytes_are(copy_of(p, cpu), m->size, 0))
				wrong(m, "%p is not cleared", p);
	} else if (!item_is_left(m, p, r))
		wrong(m, "%p has neither its first nor its last contents", p);
}

static void
alloc_one(struct mzone *m)
{
	bool full = m->limit != 0 && m->nlive >= m->limit;
	int flags = full || chance(500) ? M_NOWAIT : M_WAITOK;
	void *arg = chance(300) ? NULL : (void *)(uintptr_t)rnd(1u << 30);

	op++;
	if (chance(200))
		flags |= M_ZERO;
	/* At the limit caches are emptied, and empty slabs may go back. */
	if (m->limit != 0)
		m->epoch++;
	call_begins(m);
	errno = 0;
	void *p = arg == NULL ? uma_zalloc(m->z, flags)
			      : uma_zalloc_arg(m->z, arg, flags);
	m->busy = false;
	if (p == NULL) {
		refused_check(m, flags, errno);
		return;
	}
	handed_out_check(m, p, arg, flags);
	struct record *r = record_of(p, m->serial);
	count_check_and_set(m, p, r);
	/* A pattern a copy. */
	next_id += 1;
	r->id = next_id;
	next_id += (uint32_t)copies_of(m);
	for (int cpu = 0; cpu < copies_of(m); cpu++)
		pattern_fill(copy_of(p, cpu), m->size, r->id + (uint32_t)cpu);
	r->live = true;
	m->live[m->nlive++] = p;
	m->allocs++;
	total_allocs++;
}

static void
live_check(struct mzone *m, void *p)
{
	struct record *r = record_of(p, m->serial);

	if (!r->live)
		wrong(m, "the model has lost %p", p);
	if (!item_has_pattern(m, p, r->id))
		wrong(m, "%p was written to by somebody else", p);
	if ((m->flags & UMA_ZONE_REFCNT) &&
	    *uma_find_refcnt(m->z, p) != r->count)
		wrong(m, "the counter of %p has changed", p);
}

static void
free_one(struct mzone *m)
{
	size_t i = chance(400) ? m->nlive - 1 : rnd(m->nlive);
	void *p = m->live[i];
	void *arg = chance(300) ? NULL : (void *)(uintptr_t)rnd(1u << 30);

	op++;
	live_check(m, p);
	for (int cpu = 0; cpu < copies_of(m); cpu++)
		if (!shadow_mark(copy_of(p, cpu), m->size, false))
			wrong(m, "the model has lost bytes of %p", p);
	struct record *r = record_of(p, m->serial);
	r->live = false;
	r->epoch = m->epoch;
	m->live[i] = m->live[--m->nlive];
	m->frees++;
	total_frees++;
	call_begins(m);
	if (arg == NULL)
		uma_zfree(m->z, p);
	else
		uma_zfree_arg(m->z, p, arg);
	m->busy = false;
	if (m->saw_ctor != 0 || m->saw_dtor != (m->has_dtor ? 1 : 0))
		wrong(m, "free of %p: %d ctor, %d dtor calls", p, m->saw_ctor,
		    m->saw_dtor);
	if (m->has_dtor && (m->saw_mem != p || m->saw_arg != arg))
		wrong(m, "free of %p: dtor saw mem %p arg %p", p, m->saw_mem,
		    m->saw_arg);
}

/* Slabs may go back during the same call, hence the new epoch. */
static void
nested(void)
{
	static bool inside;
	struct mzone *m = &zones[rnd(ZONES)];
	int saved = errno;

	if (inside || m->busy || !chance(50))
		return;
	inside = true;
	if (chance(600) && m->nlive < m->max_live)
		alloc_one(m);
	else if (m->nlive > 0)
		free_one(m);
	m->epoch++;
	errno = saved;
	inside = false;
}

/* ---- the numbers ---- */

static struct uma_zone_stat
books_check(struct mzone *m)
{
	struct uma_zone_stat st;
	const char *problem = books_problem(m->z, m->nlive, &st);

	if (problem != NULL)
		wrong(m,
		    "%s: %zu out; used %llu cached %llu slab %llu slabs "
		    "%llu x %llu",
		    problem, m->nlive, (unsigned long long)st.used,
		    (unsigned long long)st.free_cached,
		    (unsigned long long)st.free_slab,
		    (unsigned long long)st.slabs,
		    (unsigned long long)st.slab_items);
	if (st.allocs != m->allocs || st.frees != m->frees ||
	    st.fails != m->fails)
		wrong(m,
		    "allocs %llu frees %llu fails %llu, not %llu %llu "
		    "%llu",
		    (unsigned long long)st.allocs, (unsigned long long)st.frees,
		    (unsigned long long)st.fails, (unsigned long long)m->allocs,
		    (unsigned long long)m->frees, (unsigned long long)m->fails);
	if (st.limit != m->limit || st.sleeps != 0 || st.xdomain != 0)
		wrong(m, "limit %llu sleeps %llu xdomain %llu",
		    (unsigned long long)st.limit, (unsigned long long)st.sleeps,
		    (unsigned long long)st.xdomain);
	uint64_t held = st.used + st.free_cached;
	if (m->limit != 0 && held > m->ceiling)
		wrong(m, "%llu items held, %llu before",
		    (unsigned long long)held, (unsigned long long)m->ceiling);
	if (m->limit != 0)
		m->ceiling = held > m->limit ? held : m->limit;
	if (m->has_init && m->has_fini &&
	    (m->inits - m->finis < held ||
		m->inits - m->finis > st.slabs * st.slab_items))
		wrong(m, "%llu items between init and fini, %llu held",
		    (unsigned long long)(m->inits - m->finis),
		    (unsigned long long)held);
	return st;
}

static void
audit(struct mzone *m)
{
	op++;
	for (size_t i = 0; i < m->nlive; i++)
		live_check(m, m->live[i]);
	books_check(m);
}

/* ---- zones come and go ---- */

static size_t
random_size(void)
{
	static const size_t top[] = {8, 64, 64, 256, 1024, 1024, 8192, 65536};
	size_t max = top[rnd(sizeof top / sizeof *top)];

	return chance(200) ? max : 1 + rnd(max);
}

static uint32_t
random_flags(size_t size)
{
	static const uint32_t any[] = {UMA_ZONE_ZINIT, UMA_ZONE_OFFPAGE,
	    UMA_ZONE_MALLOC, UMA_ZONE_NOFREE, UMA_ZONE_VM, UMA_ZONE_HASH,
	    UMA_ZONE_REFCNT, UMA_ZONE_MAXBUCKET, UMA_ZONE_VTOSLAB,
	    UMA_ZONE_NODUMP, UMA_ZONE_PCPU, UMA_ZONE_NOBUCKET};
	uint32_t flags = 0;

	for (size_t i = 0; i < sizeof any / sizeof *any; i++)
		flags |= chance(150) ? any[i] : 0;
	if (flags & UMA_ZONE_MAXBUCKET)
		flags &= ~(uint32_t)UMA_ZONE_NOBUCKET;
	if (flags & UMA_ZONE_HASH)
		flags &= ~(uint32_t)UMA_ZONE_VTOSLAB;
	if (size > UMA_PCPU_STRIDE)
		flags &= ~(uint32_t)UMA_ZONE_PCPU;
	if (flags & (UMA_ZONE_PCPU | UMA_ZONE_OFFPAGE))
		flags &= ~(uint32_t)UMA_ZONE_VM;
	return flags;
}

static void
limit_set(struct mzone *m, int n)
{
	int want =
	    n == 0 ? 0
		   : (n + m->page_items - 1) / m->page_items * m->page_items;
	int got = uma_zone_set_max(m->z, n);

	if (got != want || uma_zone_get_max(m->z) != want)
		wrong(m, "set_max(%d) is %d, get_max %d, not %d", n, got,
		    uma_zone_get_max(m->z), want);
	m->limit = (uint64_t)want;
	m->epoch++;
	/* Caches make room at once; only what is out may exceed it. */
	m->ceiling = m->nlive > m->limit ? m->nlive : m->limit;
	books_check(m);
}

static void
zone_shape(struct mzone *m)
{
	m->size = random_size();
	m->flags = random_flags(m->size);
	m->align = (1 << rnd(13)) - 1;
	/* Copies are a page apart. */
	m->has_ctor = chance(500);
	m->has_dtor = chance(500);
	m->has_fini = chance(500);
	m->has_init = !(m->flags & UMA_ZONE_ZINIT) &&
		      (m->has_fini ? chance(800) : chance(200));
	m->ctor_fails = m->has_ctor && chance(500) ? 50 : 0;
	m->init_fails = m->has_init && chance(500) ? 50 : 0;
	m->max_live = LIVE_BYTES / (m->size * (size_t)copies_of(m));
	if (m->max_live > LIVE_MAX)
		m->max_live = LIVE_MAX;
}

static void
zone_create(struct mzone *m)
{
	size_t slot = (size_t)(m - zones);

	memset(m, 0, sizeof *m);
	m->serial = ++next_serial;
	m->busy = true;
	snprintf(m->name, sizeof m->name, "model %u", m->serial);
	zone_shape(m);
	m->growing = true;
	m->z = uma_zcreate(m->name, m->size,
	    m->has_ctor ? hooks_of[slot].ctor : NULL,
	    m->has_dtor ? hooks_of[slot].dtor : NULL,
	    m->has_init ? hooks_of[slot].init : NULL,
	    m->has_fini ? hooks_of[slot].fini : NULL, m->align, m->flags);
	if (m->z == NULL)
		wrong(m, "zcreate: %s", strerror(errno));
	m->page_items = page_items(m->z);
	if (stat_of(m->z).stride < m->size || m->inits + m->finis != 0)
		wrong(m, "a new zone's stride or hook calls");
	if (chance(300))
		limit_set(m, 1 + (int)rnd(m->max_live));
	books_check(m);
	m->busy = false;
}

static void
zone_destroy(struct mzone *m)
{
	while (m->nlive > 0)
		free_one(m);
	books_check(m);
	m->busy = true;
	uma_zdestroy(m->z);
	if (m->has_init && m->has_fini && m->inits != m->finis)
		wrong(m, "destroyed: %llu init, %llu fini calls",
		    (unsigned long long)m->inits, (unsigned long long)m->finis);
}

static void
create_wrongly(struct mzone *m)
{
	static const struct {
		size_t size;
		int align;
		uint32_t flags;
	} bad[] = {{0, 0, 0}, {SIZE_MAX, 0, 0}, {8, 5, 0}, {8, -1, 0},
	    {8, 0, UMA_ZONE_MAXBUCKET | UMA_ZONE_NOBUCKET},
	    {8, 0, UMA_ZONE_HASH | UMA_ZONE_VTOSLAB},
	    {8, 0, UMA_ZONE_VM | UMA_ZONE_OFFPAGE}, {8, 0, 1}};
	size_t i = rnd(sizeof bad / sizeof *bad);

	op++;
	errno = 0;
	if (uma_zcreate("bad", bad[i].size, NULL, NULL, NULL, NULL,
		bad[i].align, bad[i].flags) != NULL ||
	    errno != EINVAL)
		wrong(m, "bad zone %zu was made, or errno %d", i, errno);
}

/* ---- the rarer operations ---- */

static void
reclaim_one(struct mzone *m)
{
	static const int requests[] = {
	    UMA_RECLAIM_TRIM, UMA_RECLAIM_DRAIN, UMA_RECLAIM_DRAIN_CPU};
	int request = requests[rnd(3)];
	uint64_t slabs = books_check(m).slabs;

	op++;
	m->epoch++;
	m->busy = true;
	uma_zone_reclaim(m->z, request);
	m->busy = false;
	struct uma_zone_stat st = books_check(m);
	if (m->flags & UMA_ZONE_NOFREE ? st.slabs != slabs : st.slabs > slabs)
		wrong(m, "reclaim made %llu slabs of %llu",
		    (unsigned long long)st.slabs, (unsigned long long)slabs);
	if (request != UMA_RECLAIM_DRAIN_CPU)
		return;
	if (st.free_cached != 0)
		wrong(m, "%llu items cached after DRAIN_CPU",
		    (unsigned long long)st.free_cached);
	if (!(m->flags & UMA_ZONE_NOFREE) && st.slabs > m->nlive)
		wrong(m, "%llu slabs for %zu items after DRAIN_CPU",
		    (unsigned long long)st.slabs, m->nlive);
}

static void
reclaim_all(void)
{
	static const int requests[] = {
	    UMA_RECLAIM_TRIM, UMA_RECLAIM_DRAIN, UMA_RECLAIM_DRAIN_CPU};

	op++;
	for (int i = 0; i < ZONES; i++)
		zones[i].epoch++;
	uma_reclaim(requests[rnd(3)]);
	for (int i = 0; i < ZONES; i++)
		books_check(&zones[i]);
}

static void
change_limit(struct mzone *m)
{
	op++;
	if (chance(300))
		limit_set(m, 0);
	else
		limit_set(m, 1 + (int)rnd(2 * m->nlive + 20));
}

static void
prealloc(struct mzone *m)
{
	int n = 1 + (int)rnd(1 + m->max_live / 16);
	struct uma_zone_stat before = books_check(m);

	op++;
	call_begins(m);
	errno = 0;
	uma_prealloc(m->z, n);
	int err = errno;
	m->busy = false;
	struct uma_zone_stat after = books_check(m);
	uint64_t made = (after.slabs - before.slabs) * after.slab_items;
	if (m->init_failed == 0 && made < (uint64_t)n)
		wrong(m, "prealloc(%d) made %llu items", n,
		    (unsigned long long)made);
	if (m->init_failed == 0 && made >= (uint64_t)n + after.slab_items)
		wrong(m, "prealloc(%d) made as many as %llu items", n,
		    (unsigned long long)made);
	if (m->init_failed > 0 && err != INIT_ERRNO)
		wrong(m, "prealloc: init failed, errno %d", err);
	if (m->saw_ctor != 0 || m->saw_dtor != 0)
		wrong(m, "prealloc called ctor or dtor");
}

static void
burst(struct mzone *m)
{
	uint64_t n = 1 + rnd(24);

	if (m->nlive == 0)
		m->growing = true;
	else if (m->nlive >= m->max_live || chance(30))
		m->growing = !m->growing;
	while (n-- > 0) {
		bool take = chance(m->growing ? 700 : 300);

		if (take && m->nlive < m->max_live)
			alloc_one(m);
		else if (!take && m->nlive > 0)
			free_one(m);
	}
}

static void
step(void)
{
	struct mzone *m = &zones[rnd(ZONES)];
	uint64_t what = rnd(1000);

	if (what < 900)
		burst(m);
	else if (what < 930)
		books_check(m);
	else if (what < 935)
		audit(m);
	else if (what < 950)
		reclaim_one(m);
	else if (what < 953)
		reclaim_all();
	else if (what < 970)
		change_limit(m);
	else if (what < 980)
		prealloc(m);
	else if (what < 985)
		create_wrongly(m);
	else if (what < 993) {
		zone_destroy(m);
		zone_create(m);
		op++;
	} else /* other caches; where a CPU is not ours, we stay */
		run_on_cpu((int)rnd((uint64_t)uma_ncpus()));
}

START_TEST(random_operations_agree_with_the_model)
{
	const char *s = getenv("UMA_TEST_OPS");
	uint64_t ops = s != NULL ? strtoull(s, NULL, 0) : TEST_SCALE(1200000);

	seed = rng = test_seed("test_model");
	signal(SIGABRT, say_where);
	signal(SIGSEGV, say_where);
	signal(SIGBUS, say_where);
	catch_messages();
	for (int i = 0; i < ZONES; i++)
		zones[i].busy = true;
	for (int i = 0; i < ZONES; i++)
		zone_create(&zones[i]);
	while (op < ops)
		step();
	for (int i = 0; i < ZONES; i++) {
		audit(&zones[i]);
		zone_destroy(&zones[i]);
	}
	printf("test_model: %llu operations: %llu allocations, %llu frees, "
	       "%llu refused; %u zones, %zu addresses\n",
	    (unsigned long long)op, (unsigned long long)total_allocs,
	    (unsigned long long)total_frees, (unsigned long long)total_fails,
	    next_serial, records.cnt);
	ck_assert_uint_eq(total_allocs, total_frees);
	ck_assert_msg(said.lines == 0, "the library said: %s", said.text);
}
END_TEST

/* ---- the model itself ---- */

START_TEST(the_shadow_notices_overlap)
{
	char *p = (char *)(uintptr_t)0x7000000;

	ck_assert(shadow_mark(p + 4000, 200, true));
	ck_assert(!shadow_mark(p + 4199, 1, true));
	ck_assert(shadow_mark(p + 4200, 5000, true));
	ck_assert(!shadow_mark(p + 3999, 2, true));
	ck_assert(shadow_mark(p + 4000, 200, false));
	ck_assert(!shadow_mark(p + 4000, 1, false));
	ck_assert(shadow_mark(p + 4001, 199, true));
}
END_TEST

START_TEST(the_shadow_notices_a_changed_byte)
{
	unsigned char item[67];

	for (size_t size = 1; size <= sizeof item; size++) {
		pattern_fill(item, size, 12345);
		ck_assert(pattern_is(item, size, 12345));
		for (size_t i = 0; i < size; i++) {
			item[i] ^= 1;
			ck_assert(!pattern_is(item, size, 12345));
			item[i] ^= 1;
		}
		memset(item, 0, size);
		ck_assert(!pattern_is(item, size, 12345));
		ck_assert(bytes_are(item, size, 0));
		item[size - 1] = 1;
		ck_assert(!bytes_are(item, size, 0));
	}
}
END_TEST

START_TEST(the_shadow_keeps_a_record_an_address)
{
	for (uintptr_t a = 1; a < 100000; a++)
		record_of((void *)(a * 8), 1)->id = (uint32_t)a;
	for (uintptr_t a = 1; a < 100000; a++)
		ck_assert(record_of((void *)(a * 8), 1)->id == (uint32_t)a);
	ck_assert_uint_eq(records.cnt, 99999);
	ck_assert_uint_eq(record_of((void *)8, 2)->id, 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("model");
	TCase *tc = tcase_create("the shadow");

	tcase_add_test(tc, the_shadow_notices_overlap);
	tcase_add_test(tc, the_shadow_notices_a_changed_byte);
	tcase_add_test(tc, the_shadow_keeps_a_record_an_address);
	suite_add_tcase(s, tc);

	tc = tcase_create("zones");
	tcase_set_timeout(tc, 0);
	tcase_add_test(tc, random_operations_agree_with_the_model);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
