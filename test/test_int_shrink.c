/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reclaim against what happens at the same time: frees that break the contract
 * while items are in a reclaim's hands, hooks, allocations, forks; and memory
 * that is there without anybody having written to an item.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "machine.h"
#include "pages_int.h"
#include "process_madvise.h"
#include "test.h"
#include "zone_int.h"

#define PLAIN __attribute__((no_sanitize("thread", "address", "undefined")))

static bool no_memory; /* to be had from the system */
static bool no_drop; /* it takes none back */

PLAIN int
mprotect(void *addr, size_t len, int prot)
{
	if (no_memory && (prot & PROT_WRITE)) {
		errno = ENOMEM;
		return -1;
	}
	return (int)syscall(SYS_mprotect, addr, len, prot);
}

PLAIN int
madvise(void *addr, size_t len, int advice)
{
	if (no_drop && advice == MADV_DONTNEED) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_madvise, addr, len, advice);
}

static uma_zone_t zone;
static void *item[100000];

static void
make_zone(size_t size, uma_init init, uma_fini fini, uint32_t flags)
{
	zone = uma_zcreate("shrunk", size, NULL, NULL, init, fini,
	    UMA_ALIGN_PTR, flags | UMA_ZONE_NOBUCKET);
	ck_assert_ptr_nonnull(zone);
}

static void
take(int n)
{
	for (int i = 0; i < n; i++)
		ck_assert_ptr_nonnull(item[i] = uma_zalloc(zone, M_NOWAIT));
}

static struct keg_stat
stat_now(void)
{
	struct keg_stat st;

	keg_stat(zone->uz_keg, &st);
	return st;
}

static size_t
anon_bytes(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long kib = 0;
	char line[128];

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f) != NULL)
		(void)sscanf(line, "RssAnon: %lu", &kib);
	fclose(f);
	return kib << 10;
}

/* ---- contracts ---- */

static void *victim;

static void
free_the_victim(void *mem, int size)
{
	void *p = victim;

	(void)mem;
	(void)size;
	victim = NULL;
	if (p != NULL)
		uma_zfree(zone, p);
}

/* From the second, or the first, of a slab's items on; the fourth twice. */
static void
free_twice_in_fini(void *arg)
{
	int from = *(int *)arg;

	make_zone(8192, NULL, free_the_victim, from == 0 ? UMA_ZONE_HASH : 0);
	take(8);
	for (int i = from; i < 8; i++)
		uma_zfree(zone, item[i]);
	victim = item[3];
	uma_zone_reclaim(zone, UMA_RECLAIM_DRAIN_CPU);
}

START_TEST(a_double_free_is_found_while_a_reclaim_has_the_item)
{
	int from = 1;

	test_expect_abort(free_twice_in_fini, &from, "double free of ");
}
END_TEST

START_TEST(a_double_free_is_found_while_a_reclaim_has_the_slab)
{
	int from = 0;

	test_expect_abort(free_twice_in_fini, &from, "foreign free of ");
}
END_TEST

/* ---- hooks ---- */

static bool refuse = true;
static int dirty_copies;

static int
write_and_refuse(void *mem, int size, int flags)
{
	(void)flags;
	for (int c = 0; c < uma_ncpus(); c++) {
		int *p = zpcpu_get_cpu(mem, c);

		dirty_copies += *p != 0;
		memset(p, 0x77, (size_t)size);
	}
	bool now = refuse;
	refuse = false;
	return now ? EIO : 0;
}

START_TEST(after_a_failed_init_every_cpus_copy_is_zero)
{
	make_zone(64, write_and_refuse, NULL, UMA_ZONE_PCPU);
	ck_assert_ptr_null(uma_zalloc(zone, M_NOWAIT));
	ck_assert_ptr_nonnull(uma_zalloc(zone, M_NOWAIT));
	ck_assert_int_eq(dirty_copies, 0);
}
END_TEST

struct pair {
	struct pair *p_other;
	char p_rest[1000];
};

static void
free_the_other(void *mem, int size)
{
	struct pair *p = mem, *other = p->p_other;

	(void)size;
	p->p_other = NULL;
	if (other != NULL)
		uma_zfree(zone, other);
}

START_TEST(destroy_gives_all_back_though_fini_frees_in_another_domain)
{
	const char *cpus[] = {"0", "1"};
	char *root = machine_make(2, cpus);
	struct pages_stat st;
	size_t used = 0;

	topology_set_root(root);
	ck_assert_int_eq(uma_ndomains(), 2);
	machine_remove(root);
	for (int round = 0; round < 4; round++) {
		make_zone(sizeof(struct pair), NULL, free_the_other, 0);
		struct pair *p = uma_zalloc_domain(zone, NULL, 1, M_WAITOK);
		p->p_other = uma_zalloc_domain(zone, NULL, 0, M_WAITOK);
		uma_zfree(zone, p);
		uma_zdestroy(zone);
		pages_stat(&st);
		if (round == 1)
			used = st.ps_used;
		else if (round > 1)
			ck_assert_uint_eq(st.ps_used, used);
	}
}
END_TEST

/* ---- at the same time ---- */

static _Atomic bool inside, go_on;

static void *
reclaim_on_and_on(void *arg)
{
	while (!go_on)
		uma_zone_reclaim(zone, UMA_RECLAIM_TRIM);
	return arg;
}

START_TEST(no_allocation_fails_while_a_reclaim_has_the_last_free_items)
{
	const int tries = TEST_SCALE(100000), room = 40;
	pthread_t thread;
	int n = 64;

	make_zone(2048, NULL, NULL, 0);
	take(n);
	no_memory = true;
	while ((item[n] = uma_zalloc(zone, M_NOWAIT)) != NULL)
		n++;
	for (int i = 4; i < 4 + room; i++)
		uma_zfree(zone, item[i]);
	pthread_create(&thread, NULL, reclaim_on_and_on, NULL);
	for (int i = 0; i < tries; i++) {
		void *p = uma_zalloc(zone, M_NOWAIT);

		ck_assert_msg(p != NULL, "the %d. try failed", i);
		uma_zfree(zone, p);
	}
	go_on = true;
	pthread_join(thread, NULL);
}
END_TEST

static void
wait_inside(void *mem, int size)
{
	(void)mem;
	(void)size;
	inside = true;
	while (!go_on)
		test_sleep_ms(1);
}

static void *
reclaim_once(void *arg)
{
	uma_zone_reclaim(zone, UMA_RECLAIM_DRAIN_CPU);
	return arg;
}

START_TEST(a_child_can_destroy_a_zone_that_its_parent_was_reclaiming)
{
	pthread_t thread;
	int status;

	make_zone(8192, NULL, wait_inside, 0);
	take(20);
	for (int i = 1; i < 20; i += 2)
		uma_zfree(zone, item[i]);
	pthread_create(&thread, NULL, reclaim_once, NULL);
	while (!inside)
		test_sleep_ms(1);
	pid_t pid = fork();
	if (pid == 0) {
		go_on = true;
		for (int i = 0; i < 20; i += 2)
			uma_zfree(zone, item[i]);
		uma_zdestroy(zone);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	go_on = true;
	pthread_join(thread, NULL);
}
END_TEST

/* ---- numbers ---- */

START_TEST(a_reclaim_sees_slabs_that_none_has_seen_for_65536)
{
	const int rounds[] = {65534, 65535, 65536};

	make_zone(4096, NULL, NULL, 0);
	take(400);
	for (int i = 0; i < rounds[_i]; i++)
		keg_reclaim(zone->uz_keg, -1, false);
	for (int i = 0; i < 400; i++)
		if (i % 8 != 0)
			uma_zfree(zone, item[i]);
	ck_assert_uint_ge(keg_reclaim(zone->uz_keg, -1, false), 300 * 4096);
}
END_TEST

/* ---- memory that nobody wrote to ---- */

START_TEST(memory_of_former_users_goes_from_under_fresh_items)
{
	uma_zone_t one[40];

	make_zone(4096, NULL, NULL, 0);
	size_t before = anon_bytes();
	take(2000);
	for (int i = 0; i < 2000; i++)
		memset(item[i], 1, 4096);
	for (int i = 0; i < 2000; i++)
		uma_zfree(zone, item[i]);
	/* Pages stay with the library, and are not zero. */
	keg_reclaim(zone->uz_keg, -1, false);
	for (size_t i = 0; i < 40; i++) {
		one[i] = uma_zcreate("one", 2040 + i * 8, NULL, NULL, NULL,
		    NULL, UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);
		ck_assert_ptr_nonnull(one[i]);
		*(int *)uma_zalloc(one[i], M_WAITOK) = 1;
	}
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	ck_assert_uint_le(anon_bytes() - before, 40 * 2 * 4096 + (1 << 20));
}
END_TEST

START_TEST(memory_that_was_refused_once_goes_later)
{
	make_zone(4096, NULL, NULL, 0);
	size_t before = anon_bytes(), n = stat_now().ks_slab_items;

	take(3000);
	for (int i = 0; i < 3000; i++)
		memset(item[i], 1, 4096);
	for (size_t i = 0; i < 3000; i++)
		if (i % n != 0)
			uma_zfree(zone, item[i]);
	no_drop = true;
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	no_drop = false;
	for (size_t i = 0; i < 3000; i += n)
		uma_zfree(zone, item[i]);
	uma_zdestroy(zone);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	ck_assert_uint_le(anon_bytes(), before + (1 << 20));
}
END_TEST

static int
fill_and_refuse(void *mem, int size, int flags)
{
	(void)flags;
	memset(mem, 1, (size_t)size);
	return EIO;
}

START_TEST(memory_of_an_item_whose_init_failed_goes)
{
	make_zone(8 << 20, fill_and_refuse, NULL, 0);
	size_t before = anon_bytes();

	ck_assert_ptr_null(uma_zalloc(zone, M_NOWAIT));
	uma_zdestroy(zone);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	ck_assert_uint_le(anon_bytes(), before + (1 << 20));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("shrink");
	TCase *tc = tcase_create("shrink");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_double_free_is_found_while_a_reclaim_has_the_item);
	tcase_add_test(tc, a_double_free_is_found_while_a_reclaim_has_the_slab);
	tcase_add_test(tc, after_a_failed_init_every_cpus_copy_is_zero);
	tcase_add_test(
	    tc, destroy_gives_all_back_though_fini_frees_in_another_domain);
	tcase_add_test(
	    tc, no_allocation_fails_while_a_reclaim_has_the_last_free_items);
	tcase_add_test(
	    tc, a_child_can_destroy_a_zone_that_its_parent_was_reclaiming);
	if (UMA_DEBUG < 2) /* which looks at all slabs each time */
		tcase_add_loop_test(tc,
		    a_reclaim_sees_slabs_that_none_has_seen_for_65536, 0, 3);
	/* Sanitizers have memory of their own in the count. */
	if (TEST_ASAN || TEST_TSAN) {
		printf("skipped: resident memory, under a sanitizer\n");
		return s;
	}
	TCase *mem = tcase_create("memory");
	suite_add_tcase(s, mem);
	tcase_set_timeout(mem, 60);
	tcase_add_test(mem, memory_of_former_users_goes_from_under_fresh_items);
	tcase_add_test(mem, memory_that_was_refused_once_goes_later);
	tcase_add_test(mem, memory_of_an_item_whose_init_failed_goes);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
