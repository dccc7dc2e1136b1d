/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The warning of a full zone: its text, and how often it comes.
 *
 * The program defines the C library's clock calls, which the library linked
 * into it then uses: this counts its looks at the real-time clock and turns
 * the monotonic one forward.
 */
#define _GNU_SOURCE 1

#include "sleepers.h"

#include <sys/time.h>

static _Atomic int realtime_looks;
static _Atomic int monotonic_shift; /* seconds */

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		atomic_fetch_add(&realtime_looks, 1);
	long rc = syscall(SYS_clock_gettime, id, ts);
	if (rc == 0 && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE ||
			   id == CLOCK_MONOTONIC_RAW || id == CLOCK_BOOTTIME))
		ts->tv_sec += atomic_load(&monotonic_shift);
	return (int)rc;
}

time_t
time(time_t *t)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (t != NULL)
		*t = ts.tv_sec;
	return ts.tv_sec;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec ts;

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

static struct said said = SAID_INITIALIZER;

static uma_zone_t
full_zone(const char *name, const char *warning, void **item)
{
	uma_zone_t z = page_zone(name, 1);

	uma_set_warning_sink(said_sink, &said);
	uma_zone_set_warning(z, warning);
	take(z, item, 1);
	ck_assert_int_eq(said_lines(&said), 0);
	return z;
}

static void
full_zone_end(uma_zone_t z, void *item)
{
	uma_zfree(z, item);
	uma_set_warning_sink(NULL, NULL);
	uma_zdestroy(z);
}

START_TEST(many_failures_give_one_warning)
{
	void *item;
	uma_zone_t z = full_zone("crowded", "raise the limit", &item);

	for (int i = 0; i < 1000; i++)
		refused(z);
	ck_assert_int_eq(said_lines(&said), 1);
	ck_assert_str_eq(said.last, "[zone: crowded] raise the limit\n");
	full_zone_end(z, item);
}
END_TEST

START_TEST(going_to_sleep_warns_too)
{
	void *item;
	struct sleeper s;
	uma_zone_t z = full_zone("sleepy", "somebody waits", &item);

	sleeper_start(&s, z, NULL);
	ck_assert(WAIT_FOR(said_lines(&said) == 1));
	ck_assert_str_eq(said.last, "[zone: sleepy] somebody waits\n");
	uma_zone_set_max(z, 2);
	sleeper_end(&s);
	full_zone_end(z, item);
}
END_TEST

START_TEST(warnings_are_each_zones_own)
{
	void *item[2];
	uma_zone_t a = full_zone("first", "text a", &item[0]);
	uma_zone_t b = full_zone("second", "text b", &item[1]);

	refused(a);
	ck_assert_str_eq(said.last, "[zone: first] text a\n");
	refused(b);
	ck_assert_str_eq(said.last, "[zone: second] text b\n");
	refused(a);
	ck_assert_int_eq(said_lines(&said), 2);
	uma_zfree(a, item[0]);
	uma_zdestroy(a);
	full_zone_end(b, item[1]);
}
END_TEST

START_TEST(no_text_no_warning)
{
	void *item;
	uma_zone_t z = full_zone("silent", NULL, &item);

	refused(z);
	uma_zone_set_warning(z, "said once");
	uma_zone_set_warning(z, NULL);
	refused(z);
	ck_assert_int_eq(said_lines(&said), 0);
	full_zone_end(z, item);
}
END_TEST

START_TEST(warning_text_is_copied)
{
	void *item;
	char name[] = "borrowed", text[] = "soon gone";
	uma_zone_t z = full_zone(name, text, &item);

	memset(name, 'x', sizeof name - 1);
	memset(text, 'x', sizeof text - 1);
	refused(z);
	ck_assert_str_eq(said.last, "[zone: borrowed] soon gone\n");
	full_zone_end(z, item);
}
END_TEST

START_TEST(the_next_warning_comes_after_three_hundred_seconds)
{
	void *item;
	uma_zone_t z = full_zone("patient", "full again", &item);

	refused(z);
	ck_assert_int_eq(said_lines(&said), 1);
	atomic_fetch_add(&monotonic_shift, 290);
	refused(z);
	ck_assert_int_eq(said_lines(&said), 1);
	atomic_fetch_add(&monotonic_shift, 11);
	refused(z);
	ck_assert_int_eq(said_lines(&said), 2);
	refused(z);
	ck_assert_int_eq(said_lines(&said), 2);
	full_zone_end(z, item);
}
END_TEST

/* Somebody may set the date: it must cause neither a flood nor silence. */
START_TEST(the_real_time_clock_does_not_matter)
{
	void *item;
	struct sleeper s;
	uma_zone_t z = full_zone("timeless", "full", &item);
	int before = atomic_load(&realtime_looks);

	for (int i = 0; i < 100; i++)
		refused(z);
	sleeper_start(&s, z, NULL);
	uma_zone_set_max(z, 2);
	sleeper_end(&s);
	ck_assert_int_eq(atomic_load(&realtime_looks), before);
	ck_assert_int_eq(said_lines(&said), 1);
	full_zone_end(z, item);
}
END_TEST

START_TEST(control_bytes_and_percent_signs_are_harmless)
{
	void *item;
	uma_zone_t z =
	    full_zone("a%s%n\x1b[31m\n", "100%% %s %n\a\x7f\nmore", &item);

	refused(z);
	ck_assert_int_eq(said_lines(&said), 1);
	size_t len = strlen(said.last);
	ck_assert_int_eq(said.last[len - 1], '\n');
	for (size_t i = 0; i < len - 1; i++)
		ck_assert_int_ge((unsigned char)said.last[i], ' ');
	ck_assert_ptr_null(strchr(said.last, 0x7f));
	ck_assert_ptr_nonnull(strstr(said.last, "[zone: a%s%n"));
	ck_assert_ptr_nonnull(strstr(said.last, "] 100%% %s %n"));
	full_zone_end(z, item);
}
END_TEST

/* The exit status of the program that option_child is. */
static int
run_with_options(const char *options)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		setenv("UMA_OPTIONS", options, 1);
		execl("/proc/self/exe", "test_warning", "option-child", NULL);
		_exit(99);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Provokes one warning; returns the lines that came. */
static int
option_child(void)
{
	void *item = NULL;
	uma_zone_t z =
	    uma_zcreate("opt", 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	uma_set_warning_sink(said_sink, &said);
	uma_zone_set_warning(z, "full");
	uma_zone_set_max(z, 1);
	item = uma_zalloc(z, M_NOWAIT);
	if (item == NULL || uma_zalloc(z, M_NOWAIT) != NULL)
		return 90;
	return said_lines(&said);
}

START_TEST(zone_warnings_are_switched_by_an_option)
{
	ck_assert_int_eq(run_with_options("vm.zone_warnings=1"), 1);
	ck_assert_int_eq(run_with_options("vm.zone_warnings=0"), 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("warning");
	TCase *tc = tcase_create("warning");
	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, many_failures_give_one_warning);
	tcase_add_test(tc, going_to_sleep_warns_too);
	tcase_add_test(tc, warnings_are_each_zones_own);
	tcase_add_test(tc, no_text_no_warning);
	tcase_add_test(tc, warning_text_is_copied);
	tcase_add_test(tc, the_next_warning_comes_after_three_hundred_seconds);
	tcase_add_test(tc, the_real_time_clock_does_not_matter);
	tcase_add_test(tc, control_bytes_and_percent_signs_are_harmless);
	tcase_add_test(tc, zone_warnings_are_switched_by_an_option);
	suite_add_tcase(s, tc);
	return s;
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "option-child") == 0)
		return option_child();
	return test_run(suite());
}
