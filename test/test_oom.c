/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Out of memory: every mapping call of the library fails once, and from each
 * on for good, in every kind of public call; and limits on address space.
 *
 * The program defines the C library's mapping calls, which the library linked
 * into it then uses.  They fail by plan only while armed, which they are only
 * around the call under test.  Each attempt is a child, so that it starts with
 * a library that has not yet mapped anything.
 */
#define _GNU_SOURCE 1

#include "children.h"

#include <sys/mman.h>

enum { SLACK = 8 << 20 };
enum phase { CREATE, PREALLOC, ALLOC, FREE, RECLAIM, DESTROY, NEVER };

static struct {
	_Atomic bool armed;
	_Atomic long seen, failed; /* calls while armed */
	_Atomic long at; /* the call that fails, from 1 */
	_Atomic bool for_good; /* and all later ones */
	_Atomic bool munmap_failed;
	_Atomic long bytes; /* mapped and not unmapped */
} plan;

static bool
fails_now(void)
{
	if (!atomic_load(&plan.armed))
		return false;
	long n = atomic_fetch_add(&plan.seen, 1) + 1;
	long at = atomic_load(&plan.at);
	if (atomic_load(&plan.for_good) ? n < at : n != at)
		return false;
	atomic_fetch_add(&plan.failed, 1);
	errno = ENOMEM;
	return true;
}

/* ThreadSanitizer has to see what is mapped; it wraps these calls itself. */
#define SANITIZERS __attribute__((weak, visibility("default")))
extern SANITIZERS void *__interceptor_mmap(
    void *addr, size_t len, int prot, int flags, int fd, off_t off);
extern SANITIZERS int __interceptor_munmap(void *addr, size_t len);

void *
mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	void *p;

	if (fails_now())
		return MAP_FAILED;
	if (TEST_TSAN && __interceptor_mmap != NULL)
		p = __interceptor_mmap(addr, len, prot, flags, fd, off);
	else
		p = (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
	if (p != MAP_FAILED && (flags & MAP_FIXED) == 0)
		atomic_fetch_add(&plan.bytes, (long)len);
	return p;
}

int
munmap(void *addr, size_t len)
{
	int rc;

	if (fails_now()) {
		atomic_store(&plan.munmap_failed, true);
		return -1;
	}
	if (TEST_TSAN && __interceptor_munmap != NULL)
		rc = __interceptor_munmap(addr, len);
	else
		rc = (int)syscall(SYS_munmap, addr, len);
	if (rc == 0)
		atomic_fetch_sub(&plan.bytes, (long)len);
	return rc;
}

int
mprotect(void *addr, size_t len, int prot)
{
	return fails_now() ? -1 : (int)syscall(SYS_mprotect, addr, len, prot);
}

int
madvise(void *addr, size_t len, int advice)
{
	return fails_now() ? -1 : (int)syscall(SYS_madvise, addr, len, advice);
}

/* ---- one life of a few zones, with failures in one phase ---- */

enum { SHAPES = 4, ITEMS = 64 };

static const struct {
	size_t size;
	int items;
	uint32_t flags;
} shape[SHAPES] = {
    {64, 64, 0},
    {8192, 48, 0},
    {3000, 32, UMA_ZONE_OFFPAGE | UMA_ZONE_HASH},
    {1000000, 6, UMA_ZONE_NODUMP | UMA_ZONE_NOBUCKET},
};

struct life {
	enum phase phase; /* where calls fail */
	uma_zone_t zone[SHAPES];
	void *item[SHAPES][ITEMS];
	uint64_t fails[SHAPES];
	/* Results, in memory that the parent shares. */
	struct result {
		bool reached;
		bool munmap_failed;
		long bytes;
		int zones;
	} * result;
};

static void
arm(struct life *l, enum phase phase)
{
	atomic_store(&plan.armed, l->phase == phase);
}

static void
disarm(void)
{
	atomic_store(&plan.armed, false);
}

static uma_zone_t
life_zone(int s)
{
	return uma_zcreate("oom", shape[s].size, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, shape[s].flags);
}

static void
life_create(struct life *l)
{
	for (int s = 0; s < SHAPES; s++) {
		errno = 0;
		arm(l, CREATE);
		l->zone[s] = life_zone(s);
		disarm();
		if (l->zone[s] != NULL)
			continue;
		CHILD_MUST(errno == ENOMEM);
		CHILD_MUST(atomic_load(&plan.failed) > 0);
		l->zone[s] = life_zone(s); /* nothing fails now */
		CHILD_MUST(l->zone[s] != NULL);
	}
}

static void
life_prealloc(struct life *l)
{
	for (int s = 0; s < SHAPES; s++) {
		arm(l, PREALLOC);
		uma_prealloc(l->zone[s], shape[s].items / 2);
		disarm();
		struct uma_zone_stat st = stat_of(l->zone[s]);
		CHILD_MUST(st.used == 0);
		CHILD_MUST(
		    st.slabs * st.slab_items >= (uint64_t)shape[s].items / 2);
	}
}

/* The books of one zone while the caller holds n of its items. */
static void
life_books(struct life *l, int s, uint64_t n)
{
	struct uma_zone_stat st = stat_of(l->zone[s]);

	CHILD_MUST(st.used == n);
	CHILD_MUST(st.allocs - st.frees == n);
	CHILD_MUST(st.fails == l->fails[s]);
	CHILD_MUST(st.sleeps == 0);
	CHILD_MUST(st.used + st.free_cached + st.free_slab ==
		   st.slabs * st.slab_items);
}

static bool
is_zero(const unsigned char *p, size_t size)
{
	return p[0] == 0 && memcmp(p, p + 1, size - 1) == 0;
}

/* Fresh memory is zero, also where the system refused to drop the old. */
static void
life_alloc(struct life *l, int s)
{
	for (int i = 0; i < shape[s].items; i++) {
		errno = 0;
		arm(l, ALLOC);
		void *item = uma_zalloc(l->zone[s], M_NOWAIT);
		disarm();
		if (item == NULL) {
			CHILD_MUST(errno == ENOMEM);
			CHILD_MUST(atomic_load(&plan.failed) > 0);
			l->fails[s]++;
			life_books(l, s, (uint64_t)i);
			item = uma_zalloc(l->zone[s], M_NOWAIT);
			CHILD_MUST(item != NULL);
		}
		life_books(l, s, (uint64_t)i + 1);
		CHILD_MUST(is_zero(item, shape[s].size));
		memset(item, 0xff, shape[s].size);
		l->item[s][i] = item;
	}
}

static void
life_free(struct life *l, int s)
{
	for (int i = shape[s].items - 1; i >= 0; i--) {
		arm(l, FREE);
		uma_zfree(l->zone[s], l->item[s][i]);
		disarm();
		life_books(l, s, (uint64_t)i);
	}
}

static void
life_reclaim(struct life *l)
{
	for (int s = 0; s < SHAPES; s++) {
		arm(l, RECLAIM);
		uma_zone_reclaim(l->zone[s], UMA_RECLAIM_DRAIN_CPU);
		disarm();
		CHILD_MUST(stat_of(l->zone[s]).slabs == 0);
		life_books(l, s, 0);
	}
	arm(l, RECLAIM);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	disarm();
}

static void
count_zones(void *arg, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		*(int *)arg += text[i] == '\n';
}

/* Two rounds: the second one meets memory that the first one gave back. */
static void
life_main(void *arg)
{
	struct life *l = arg;

	life_create(l);
	if (l->phase != ALLOC) /* or there would be nothing to ask for */
		life_prealloc(l);
	for (int round = 0; round < 2; round++) {
		for (int s = 0; s < SHAPES; s++)
			life_alloc(l, s);
		for (int s = 0; s < SHAPES; s++)
			life_free(l, s);
		life_reclaim(l);
	}
	for (int s = 0; s < SHAPES; s++) {
		arm(l, DESTROY);
		uma_zdestroy(l->zone[s]);
		disarm();
	}
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	l->result->zones = 0;
	uma_stats_print(count_zones, &l->result->zones, "z");
	l->result->bytes = atomic_load(&plan.bytes);
	l->result->reached = atomic_load(&plan.failed) > 0;
	l->result->munmap_failed = atomic_load(&plan.munmap_failed);
}

static struct result
live(enum phase phase, long at, bool for_good)
{
	static struct life l;

	if (l.result == NULL)
		l.result = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(l.result, MAP_FAILED);
	l.phase = phase;
	atomic_store(&plan.at, at);
	atomic_store(&plan.for_good, for_good);
	in_child(life_main, &l);
	return *l.result;
}

/*
 * Fail call 1, 2, 3 ... of a phase until a life ends without reaching it.
 * Whatever failed, the same zones are left at the end, and no more memory is
 * mapped, but for a little that depends on where the system put things.  What
 * could not be unmapped stays, of course.
 */
static void
sweep(enum phase phase, bool for_good, bool must_fail)
{
	struct result plain = live(NEVER, 1, false);
	long at = 1;

	for (;; at++) {
		struct result r = live(phase, at, for_good);

		ck_assert_msg(r.zones == plain.zones,
		    "call %ld: %d lines of zones, not %d", at, r.zones,
		    plain.zones);
		ck_assert_msg(r.munmap_failed || r.bytes <= plain.bytes + SLACK,
		    "call %ld: %ld bytes stay mapped, not %ld", at, r.bytes,
		    plain.bytes);
		if (!r.reached)
			break;
	}
	printf("phase %d%s: %ld calls failed\n", (int)phase,
	    for_good ? ", for good" : "", at - 1);
	ck_assert(!must_fail || at > 1);
}

START_TEST(zcreate_survives_each_failing_call)
{
	sweep(CREATE, false, true);
	sweep(CREATE, true, true);
}
END_TEST

START_TEST(zalloc_survives_each_failing_call)
{
	sweep(ALLOC, false, true);
	sweep(ALLOC, true, true);
}
END_TEST

/* It waits as M_WAITOK does: it would stay for ever where all calls fail. */
START_TEST(prealloc_survives_each_failing_call)
{
	sweep(PREALLOC, false, true);
}
END_TEST

START_TEST(zfree_never_fails)
{
	sweep(FREE, false, false);
	sweep(FREE, true, false);
}
END_TEST

START_TEST(reclaim_never_fails)
{
	sweep(RECLAIM, false, true);
	sweep(RECLAIM, true, true);
}
END_TEST

START_TEST(zdestroy_never_fails)
{
	sweep(DESTROY, false, false);
	sweep(DESTROY, true, false);
}
END_TEST

/* ---- waiting for memory ---- */

static struct said said = SAID_INITIALIZER;

static void *
heal(void *ms)
{
	test_sleep_ms(*(long *)ms);
	disarm();
	return NULL;
}

static void
fail_from(long at)
{
	atomic_store(&plan.seen, 0);
	atomic_store(&plan.failed, 0);
	atomic_store(&plan.at, at);
	atomic_store(&plan.for_good, true);
	atomic_store(&plan.armed, true);
}

/* Allocate until a call had to wait for memory; calls fail from at on. */
static void
wait_for_memory(long ms, long at, int *lines, double *waited)
{
	struct list {
		struct list *next;
	} *list = NULL;
	uma_zone_t z = uma_zcreate(
	    "waits", 1 << 20, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	uint64_t n = 0;

	uma_set_warning_sink(said_sink, &said);
	fail_from(at);
	double start = test_now();
	pthread_t t = thread_start(heal, &ms);
	while (atomic_load(&plan.failed) == 0) {
		struct list *item = uma_zalloc(z, M_WAITOK);

		ck_assert_ptr_nonnull(item);
		item->next = list;
		list = item;
		MUST(n++ < 10000, "10 GB without a mapping call");
	}
	*waited = test_now() - start;
	*lines = said_lines(&said);
	thread_join(t);
	ck_assert_uint_eq(stat_of(z).used, n);
	ck_assert_uint_eq(stat_of(z).fails, 0);
	while (list != NULL) {
		struct list *next = list->next;

		uma_zfree(z, list);
		list = next;
	}
	ck_assert_int_eq(uma_zone_get_cur(z), 0);
	uma_zdestroy(z);
	uma_set_warning_sink(NULL, NULL);
}

START_TEST(waitok_waits_for_memory_and_never_gives_null)
{
	int lines;
	double waited;

	wait_for_memory(300, 1, &lines, &waited);
	ck_assert_double_ge(waited, 0.25);
	ck_assert_int_le(lines, (int)waited + 1);
}
END_TEST

START_TEST(waitok_may_find_any_call_failing_from_then_on)
{
	int lines;
	double waited;

	for (long at = 2; at <= 9; at++)
		wait_for_memory(60, at, &lines, &waited);
}
END_TEST

START_TEST(prealloc_waits_for_memory)
{
	long ms = 200;
	uma_zone_t z = uma_zcreate(
	    "prealloc", 1 << 20, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	uma_set_warning_sink(mute_sink, NULL);
	fail_from(1);
	pthread_t t = thread_start(heal, &ms);
	uma_prealloc(z, 200);
	thread_join(t);
	struct uma_zone_stat st = stat_of(z);
	ck_assert_int_gt(atomic_load(&plan.failed), 0);
	ck_assert_uint_ge(st.slabs * st.slab_items, 200);
	ck_assert_uint_eq(st.used, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(waiting_for_memory_says_so_once_a_second)
{
	int lines;
	double waited;

	wait_for_memory(2300, 1, &lines, &waited);
	ck_assert_int_ge(lines, 1);
	ck_assert_int_le(lines, (int)waited + 1);
}
END_TEST

/* ---- limits on address space ---- */

/* Everything the zone can get: items kept in a list through themselves. */
static long
take_all(uma_zone_t z)
{
	void **list = NULL, **item;
	long n = 0;

	errno = 0;
	while ((item = uma_zalloc(z, M_NOWAIT)) != NULL) {
		*item = list;
		list = item;
		n++;
	}
	CHILD_MUST(errno == ENOMEM);
	CHILD_MUST(uma_zone_get_cur(z) == n);
	while (list != NULL) {
		item = *list;
		uma_zfree(z, list);
		list = item;
	}
	CHILD_MUST(uma_zone_get_cur(z) == 0);
	return n;
}

static void
child_as_limit(size_t bytes)
{
	struct rlimit as = {bytes, bytes};

	CHILD_MUST(setrlimit(RLIMIT_AS, &as) == 0);
}

static void
child_cycles(void *arg)
{
	size_t size = *(size_t *)arg;

	child_as_limit((size_t)256 << 20);
	uma_zone_t z = uma_zcreate(
	    "cycles", size, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	CHILD_MUST(z != NULL);
	long first = take_all(z);
	/* Half of what the limit allows, or something is badly wasted. */
	CHILD_MUST((size_t)first * size >= (size_t)128 << 20);
	for (int i = 0; i < 9; i++) {
		uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
		uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
		CHILD_MUST(take_all(z) * 10 >= first * 9);
	}
	uma_zdestroy(z);
}

START_TEST(all_memory_can_be_had_again_and_again)
{
	size_t size[] = {100000, 1500};
	int sizes = UMA_DEBUG > 1 ? 1 : 2; /* small items take long there */

	for (int i = 0; i < sizes; i++)
		in_child(child_cycles, &size[i]);
}
END_TEST

static void
child_starts(void *arg)
{
	void *item[1000];

	child_as_limit(*(size_t *)arg);
	uma_zone_t z =
	    uma_zcreate("small", 512, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	CHILD_MUST(z != NULL);
	for (int i = 0; i < 1000; i++)
		CHILD_MUST((item[i] = uma_zalloc(z, M_NOWAIT)) != NULL);
	for (int i = 0; i < 1000; i++)
		uma_zfree(z, item[i]);
	uma_zdestroy(z);
}

/* The address space of this process now, in bytes. */
static size_t
as_now(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%zu", &pages), 1);
	fclose(f);
	return pages * 4096;
}

START_TEST(a_small_address_space_is_enough_to_start)
{
	size_t room[] = {1024, 128, 32, 16};

	for (int i = 0; i < 4; i++) {
		size_t limit = as_now() + (room[i] << 20);

		in_child(child_starts, &limit);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("oom");
	TCase *tc = tcase_create("failing calls");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, zcreate_survives_each_failing_call);
	tcase_add_test(tc, zalloc_survives_each_failing_call);
	tcase_add_test(tc, prealloc_survives_each_failing_call);
	tcase_add_test(tc, zfree_never_fails);
	tcase_add_test(tc, reclaim_never_fails);
	tcase_add_test(tc, zdestroy_never_fails);
	tcase_add_test(tc, waitok_waits_for_memory_and_never_gives_null);
	tcase_add_test(tc, waitok_may_find_any_call_failing_from_then_on);
	tcase_add_test(tc, waiting_for_memory_says_so_once_a_second);
	tcase_add_test(tc, prealloc_waits_for_memory);
	suite_add_tcase(s, tc);

	/* The sanitizers' own address space is beyond any limit. */
	if (TEST_TSAN || TEST_ASAN)
		return s;
	tc = tcase_create("address space");
	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, all_memory_can_be_had_again_and_again);
	tcase_add_test(tc, a_small_address_space_is_enough_to_start);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
