/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench.h - what the rows of the bench share: clocks, random numbers, memory
 * that does not come from the allocator under test, CPUs, the measuring loop.
 */
#ifndef UMA_BENCH_H
#define UMA_BENCH_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

#define SEED 0x9e3779b97f4a7c15u

/* CPU time is a thread's or the program's: other programs do not count. */
static inline double
clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Below n; xorshift (Marsaglia, 2003). */
static inline uint32_t
random_below(uint64_t *state, uint32_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)((*state >> 32) * n >> 32);
}

/* Zeroed and resident. */
static inline void *
pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

/* Stay on the nth of the CPUs that we were given. */
static inline void
stay_on_cpu(int nth)
{
	cpu_set_t all, one;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof all, &all) != 0)
		return;
	nth %= CPU_COUNT(&all);
	for (int c = 0; c < CPU_SETSIZE; c++) {
		if (CPU_ISSET(c, &all) && nth-- == 0) {
			CPU_SET(c, &one);
			sched_setaffinity(0, sizeof one, &one);
			return;
		}
	}
}

/* The use of a new item that everybody makes: its first and last bytes. */
static inline void
item_touch(void *item, size_t size)
{
	*(volatile uint64_t *)item = (uint64_t)(uintptr_t)item;
	((volatile char *)item)[size - 1] = 1;
}

/* Indices below n in an order without any; as many as there is room for. */
static inline void
shuffle(uint32_t *order, uint32_t n)
{
	uint64_t seed = SEED;

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (uint32_t i = n; i > 1; i--) {
		uint32_t j = random_below(&seed, i), t = order[i - 1];

		order[i - 1] = order[j];
		order[j] = t;
	}
}

static inline void
result(const char *what, double value)
{
	printf("%s\t%.3f\n", what, value);
}

#define REPEATS 9

/*
 * Let run(arg) do its work, which is ops allocations and as many frees, once to
 * warm up and then some times over; the least ns of CPU time for one of each.
 */
static inline double
measure(void (*run)(void *arg), void *arg, double ops)
{
	double least = 1e30;

	run(arg);
	for (int i = 0; i < REPEATS; i++) {
		double start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

		run(arg);
		double ns = (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / ops;
		least = ns < least ? ns : least;
	}
	return least;
}

#endif
