/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Early and late: zones made in constructors, before main and before other
 * constructors, used in destructors and atexit handlers; and a zone that
 * outlives the thread that made it.
 */
#define _GNU_SOURCE 1

#include "threads.h"

static uma_zone_t first_zone, early_zone, late_zone;
static void *first_item, *early_item;
static int first_inits;
static bool late_mode; /* this process is the one of late_main() */

static int
first_init(void *mem, int size, int flags)
{
	(void)flags;
	first_inits++;
	memset(mem, 0x42, (size_t)size);
	return 0;
}

/* The earliest constructor that a program may have. */
__attribute__((constructor(101))) static void
first_constructor(void)
{
	first_zone = uma_zcreate(
	    "first", 64, NULL, NULL, first_init, NULL, UMA_ALIGN_CACHE, 0);
	if (first_zone != NULL)
		first_item = uma_zalloc(first_zone, M_WAITOK);
}

__attribute__((constructor)) static void
later_constructor(void)
{
	early_zone =
	    uma_zcreate("early", 40, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	if (early_zone == NULL || first_zone == NULL)
		return;
	/* One made by another constructor, and one of our own. */
	uma_zfree(first_zone, uma_zalloc(first_zone, M_WAITOK));
	early_item = uma_zalloc(early_zone, M_NOWAIT);
	uma_zone_set_max(early_zone, 1000);
}

START_TEST(zones_work_before_main)
{
	unsigned char *p = first_item;

	ck_assert_ptr_nonnull(first_zone);
	ck_assert_ptr_nonnull(first_item);
	ck_assert_ptr_nonnull(early_item);
	ck_assert_int_eq((int)((uintptr_t)first_item % 64), 0);
	ck_assert_int_gt(first_inits, 0);
	ck_assert_int_eq(p[0], 0x42);
	ck_assert_int_eq(p[63], 0x42);
	ck_assert_int_eq(*(unsigned char *)early_item, 0); /* never used */
	ck_assert_int_eq(uma_zone_get_cur(first_zone), 1);
	ck_assert_int_eq(uma_zone_get_cur(early_zone), 1);
	ck_assert_int_ge(uma_zone_get_max(early_zone), 1000);
	ck_assert_uint_eq(stat_of(first_zone).allocs, 2);
	ck_assert_uint_eq(stat_of(first_zone).frees, 1);
}
END_TEST

START_TEST(zones_made_before_main_can_be_emptied_and_destroyed)
{
	void *item[500];

	for (int i = 0; i < 500; i++) {
		item[i] = uma_zalloc(early_zone, M_WAITOK);
		ck_assert_ptr_nonnull(item[i]);
	}
	for (int i = 0; i < 500; i++)
		uma_zfree(early_zone, item[i]);
	uma_zfree(early_zone, early_item);
	uma_zone_reclaim(early_zone, UMA_RECLAIM_DRAIN_CPU);
	ck_assert_uint_eq(stat_of(early_zone).slabs, 0);
	uma_zdestroy(early_zone);
	uma_zfree(first_zone, first_item);
	uma_zdestroy(first_zone);
}
END_TEST

static void *
use_first(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		uma_zfree(first_zone, uma_zalloc(first_zone, M_WAITOK));
	return NULL;
}

START_TEST(threads_and_children_use_zones_made_before_main)
{
	int status;

	thread_join(thread_start(use_first, NULL));
	ck_assert_int_eq(uma_zone_get_cur(first_zone), 1);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		use_first(NULL);
		uma_zfree(first_zone, first_item);
		_exit(uma_zone_get_cur(first_zone));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(uma_zone_get_cur(first_zone), 1);
}
END_TEST

static void *
make_zone(void *item)
{
	uma_zone_t z =
	    uma_zcreate("orphan", 88, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	*(void **)item = uma_zalloc(z, M_WAITOK);
	return z;
}

START_TEST(a_zone_outlives_the_thread_that_made_it)
{
	void *item = NULL, *zone = NULL;
	pthread_t t = thread_start(make_zone, &item);

	ck_assert_int_eq(pthread_join(t, &zone), 0);
	ck_assert_ptr_nonnull(zone);
	ck_assert_ptr_nonnull(item);
	void *other = uma_zalloc(zone, M_WAITOK);
	ck_assert_ptr_ne(other, item);
	uma_zfree(zone, item);
	uma_zfree(zone, other);
	ck_assert_int_eq(uma_zone_get_cur(zone), 0);
	uma_zdestroy(zone);
}
END_TEST

/* ---- after main: another process of this program ---- */

static void
say(const char *text)
{
	if (late_mode && write(1, text, strlen(text)) < 0)
		_exit(98);
}

/* Returns whether a zone, old or new, works as it should. */
static bool
zones_work(void)
{
	uma_zone_t z =
	    uma_zcreate("last", 33, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	if (z == NULL)
		return false;
	void *a = uma_zalloc(z, M_WAITOK);
	void *b = uma_zalloc(late_zone, M_WAITOK);
	bool ok = a != NULL && b != NULL && uma_zone_get_cur(z) == 1;
	uma_zfree(z, a);
	uma_zfree(late_zone, b);
	uma_zone_reclaim(late_zone, UMA_RECLAIM_DRAIN_CPU);
	uma_zdestroy(z);
	return ok;
}

static void
late_atexit(void)
{
	say(zones_work() ? "atexit " : "atexit fails ");
}

__attribute__((destructor(101))) static void
late_destructor(void)
{
	if (!late_mode)
		return;
	bool ok = zones_work() && uma_zone_get_cur(late_zone) == 0;
	uma_zdestroy(late_zone);
	uma_zfree(first_zone, first_item);
	uma_zdestroy(first_zone);
	say(ok ? "destructor" : "destructor fails");
}

static int
late_main(void)
{
	late_mode = true;
	late_zone =
	    uma_zcreate("late", 256, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	return atexit(late_atexit) != 0 || late_zone == NULL;
}

START_TEST(zones_work_in_exit_handlers_and_destructors)
{
	int fd[2], status;
	char text[100] = "";
	size_t len = 0;
	ssize_t n;

	ck_assert_int_eq(pipe(fd), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(fd[1], 1);
		close(fd[0]);
		close(fd[1]);
		execl("/proc/self/exe", "test_early", "late-child", NULL);
		_exit(99);
	}
	close(fd[1]);
	while (len < sizeof text - 1 &&
	       (n = read(fd[0], text + len, sizeof text - 1 - len)) > 0)
		len += (size_t)n;
	close(fd[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_str_eq(text, "atexit destructor");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("early");
	TCase *tc = tcase_create("early and late");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, zones_work_before_main);
	tcase_add_test(tc, zones_made_before_main_can_be_emptied_and_destroyed);
	tcase_add_test(tc, threads_and_children_use_zones_made_before_main);
	tcase_add_test(tc, a_zone_outlives_the_thread_that_made_it);
	tcase_add_test(tc, zones_work_in_exit_handlers_and_destructors);
	suite_add_tcase(s, tc);
	return s;
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "late-child") == 0)
		return late_main();
	return test_run(suite());
}
