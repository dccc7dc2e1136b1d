/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads.h - what the tests with threads share: cheap checks, waiting for a
 * condition, choosing a CPU, seeing that a thread sleeps, catching messages.
 */
#ifndef UMA_TEST_THREADS_H
#define UMA_TEST_THREADS_H

#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include <uma.h>
#include <uma/stat.h>

#ifndef UMA_DEBUG
#define UMA_DEBUG 0
#endif

/* DEBUG=2 looks at whole structures in every slow path. */
#define LOAD(n) (TEST_SCALE(n) / (UMA_DEBUG > 1 ? 8 : 1) + 1)

/* Seconds after which something that must happen is taken not to happen. */
#define PATIENCE (TEST_TSAN || TEST_ASAN ? 60 : 25)

/* The limit of a whole test, in seconds. */
#define TEST_TIMEOUT (TEST_TSAN || TEST_ASAN || UMA_DEBUG > 0 ? 300 : 60)

/* As ck_assert_msg, but a success costs nothing: for loops and threads. */
#define MUST(cond, ...)                            \
	do {                                       \
		if (!(cond))                       \
			ck_abort_msg(__VA_ARGS__); \
	} while (0)

/* Poll until cond is true; false when it has not come within PATIENCE. */
#define WAIT_FOR(cond)                                           \
	({                                                       \
		double wf_end = test_now() + PATIENCE;           \
		bool wf_ok;                                      \
		while (!(wf_ok = (cond)) && test_now() < wf_end) \
			test_sleep_ms(1);                        \
		wf_ok;                                           \
	})

static inline struct uma_zone_stat
stat_of(uma_zone_t zone)
{
	struct uma_zone_stat st = {.size = sizeof st};

	MUST(uma_zone_stat(zone, &st) == 0, "uma_zone_stat: %d", errno);
	return st;
}

static inline pthread_t
thread_start(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	MUST(pthread_create(&t, NULL, fn, arg) == 0, "no thread");
	return t;
}

static inline void
thread_join(pthread_t t)
{
	MUST(pthread_join(t, NULL) == 0, "no join");
}

/* CPUs that the process may use; its first thread is never pinned. */
static inline int
cpus_usable(void)
{
	cpu_set_t all;

	MUST(sched_getaffinity(getpid(), sizeof all, &all) == 0, "affinity");
	return CPU_COUNT(&all);
}

/* Bind the calling thread to the nth usable CPU, counted round and round. */
static inline void
pin_to(unsigned nth)
{
	cpu_set_t all, one;
	int cpu = 0;

	MUST(sched_getaffinity(getpid(), sizeof all, &all) == 0, "affinity");
	for (unsigned left = nth % (unsigned)CPU_COUNT(&all);; cpu++)
		if (CPU_ISSET(cpu, &all) && left-- == 0)
			break;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	MUST(sched_setaffinity(0, sizeof one, &one) == 0, "pin");
}

/* Does the kernel say that this thread of ours sleeps? */
static inline bool
thread_sleeps(int tid)
{
	char path[64], text[512];

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	char *p = strrchr(text, ')');
	return p != NULL && p[1] == ' ' && p[2] == 'S';
}

/* A warning sink: how many lines came, and the last one. */
struct said {
	pthread_mutex_t lock;
	int lines;
	char last[1024];
};

#define SAID_INITIALIZER                          \
	{                                         \
		.lock = PTHREAD_MUTEX_INITIALIZER \
	}

static inline void
said_sink(void *arg, const char *line, size_t len)
{
	struct said *s = arg;

	pthread_mutex_lock(&s->lock);
	size_t keep = len < sizeof s->last - 1 ? len : sizeof s->last - 1;
	memcpy(s->last, line, keep);
	s->last[keep] = '\0';
	s->lines++;
	pthread_mutex_unlock(&s->lock);
}

static inline int
said_lines(struct said *s)
{
	pthread_mutex_lock(&s->lock);
	int n = s->lines;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* A sink for messages that a test provokes and does not look at. */
static inline void
mute_sink(void *arg, const char *line, size_t len)
{
	(void)arg;
	(void)line;
	(void)len;
}

#endif
