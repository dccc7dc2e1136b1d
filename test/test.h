/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test.h - what every test program shares: running a suite, expecting an
 * abort with its message, random numbers with a printed seed, time.
 */
#ifndef UMA_TEST_H
#define UMA_TEST_H

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TEST_TSAN 1
#endif
#endif
#ifndef TEST_ASAN
#define TEST_ASAN 0
#endif
#ifndef TEST_TSAN
#define TEST_TSAN 0
#endif
/* Sanitizers multiply the work: scale counts down under them. */
#define TEST_SCALE(n) ((n) / (TEST_TSAN ? 10 : TEST_ASAN ? 4 : 1) + 1)

/* Run a suite, print Check's totals; main's return value. */
static inline int
test_run(Suite *s)
{
	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Run fn(arg) in a child; its descriptor 2 goes to text. Returns its status. */
static inline int
child_says(void (*fn)(void *), void *arg, char *text, size_t size)
{
	int fd[2], status;
	char rest[4096]; /* what text has no room for */
	size_t len = 0;
	ssize_t n = 0;

	ck_assert_int_eq(pipe(fd), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		dup2(fd[1], 2);
		close(fd[0]);
		close(fd[1]);
		fn(arg);
		_exit(0);
	}
	close(fd[1]);
	while (
	    len < size - 1 && (n = read(fd[0], text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	while (n > 0)
		n = read(fd[0], rest, sizeof rest);
	close(fd[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

#define TEST_TEXT 4096

/* The same, and it dies by SIGABRT. */
static inline void
test_abort_text(void (*fn)(void *), void *arg, char text[TEST_TEXT])
{
	int status = child_says(fn, arg, text, TEST_TEXT);

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
	    "no abort (status %#x), it said: %s", status, text);
}

/* The same, and the text contains needle. */
static inline void
test_expect_abort(void (*fn)(void *), void *arg, const char *needle)
{
	char text[TEST_TEXT];

	test_abort_text(fn, arg, text);
	ck_assert_msg(strstr(text, needle) != NULL, "wanted '%s', it said: %s",
	    needle, text);
}

/* The same, and the text is that and no more. */
static inline void
test_expect_abort_only(void (*fn)(void *), void *arg, const char *whole)
{
	char text[TEST_TEXT];

	test_abort_text(fn, arg, text);
	ck_assert_str_eq(text, whole);
}

/* The seed of this run: UMA_TEST_SEED, or the time; printed. */
static inline uint64_t
test_seed(const char *test)
{
	const char *s = getenv("UMA_TEST_SEED");
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	uint64_t seed =
	    s != NULL ? strtoull(s, NULL, 0)
		      : (uint64_t)ts.tv_sec * 1000003u + (uint64_t)ts.tv_nsec;
	printf("%s: UMA_TEST_SEED=%llu\n", test, (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t
test_rand(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline double
test_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static inline void
test_sleep_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
		;
}

#endif
