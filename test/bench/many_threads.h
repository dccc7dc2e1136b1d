/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * many_threads.h - the rows of the bench in which several threads work.
 */
#ifndef UMA_BENCH_MANY_THREADS_H
#define UMA_BENCH_MANY_THREADS_H

#include <stdatomic.h>

#include "one_thread.h"

/* ---- producer and consumer ---- */

#define RING	4096
#define PUBLISH 16
#define PASSED	(1 << 18)

/* Each side's counter has a line of its own. */
struct ring {
	struct peer peer;
	_Alignas(64) _Atomic long made;
	_Alignas(64) _Atomic long taken;
	_Alignas(64) void *slots[RING];
};

static inline void
pause_a_little(int *spins)
{
	/* With one CPU the other side has to get it. */
	if (++*spins % 4096 == 0)
		sched_yield();
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

static void
ring_produce(struct ring *r)
{
	int spins = 0;

	for (long i = 0; i < PASSED; i++) {
		while (i - atomic_load(&r->taken) >= RING - PUBLISH)
			pause_a_little(&spins);
		void *item = peer_alloc(&r->peer);
		item_touch(item, r->peer.size);
		r->slots[i % RING] = item;
		if ((i + 1) % PUBLISH == 0)
			atomic_store_explicit(
			    &r->made, i + 1, memory_order_release);
	}
}

static void *
ring_consume(void *arg)
{
	struct ring *r = arg;
	int spins = 0;

	stay_on_cpu(1);
	for (long i = 0; i < PASSED; i++) {
		while (
		    atomic_load_explicit(&r->made, memory_order_acquire) <= i)
			pause_a_little(&spins);
		void *item = r->slots[i % RING];
		*(volatile uint64_t *)item += 1;
		peer_free(&r->peer, item);
		if ((i + 1) % PUBLISH == 0)
			atomic_store_explicit(
			    &r->taken, i + 1, memory_order_release);
	}
	return NULL;
}

static void
ring_run(void *arg)
{
	struct ring *r = arg;
	pthread_t consumer;

	r->made = r->taken = 0;
	if (pthread_create(&consumer, NULL, ring_consume, r) != 0)
		exit(1);
	ring_produce(r);
	pthread_join(consumer, NULL);
}

static void
row_ring(const char *name, long n, long size)
{
	struct ring *r = pages(sizeof *r);

	(void)n;
	stay_on_cpu(0);
	r->peer = peer_open((size_t)size, NULL);
	/* Two CPUs work, so that half of the CPU time is what passes. */
	result(name, measure(ring_run, r, PASSED) / 2);
}

/* ---- many threads, each with its own items ---- */

#define CROWD_MAX 64
#define CROWD_MS  60
#define CROWD_OPS 4096

struct crowd {
	struct herd herds[CROWD_MAX];
	pthread_barrier_t gate;
	_Atomic bool stop;
	_Atomic long ops;
	_Atomic long ns; /* of all threads, while they worked */
	int n;
};
static struct crowd crowd;

static void *
crowd_thread(void *arg)
{
	struct herd *h = arg;
	long ops = 0;

	herd_fill(h);
	pthread_barrier_wait(&crowd.gate);
	double start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	while (!crowd.stop) {
		for (int i = 0; i < CROWD_OPS; i++) {
			void **item = &h->items[h->picks[(ops + i) % PICKS]];

			peer_free(&h->peer, *item);
			*item = peer_alloc(&h->peer);
			item_touch(*item, h->peer.size);
		}
		ops += CROWD_OPS;
	}
	crowd.ns += (long)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start);
	crowd.ops += ops;
	return NULL;
}

static void
row_threads(const char *name, long n, long size)
{
	struct peer peer = peer_open((size_t)size, NULL);
	struct timespec work = {.tv_nsec = CROWD_MS * 1000000};
	pthread_t threads[CROWD_MAX];

	crowd.n = (int)n;
	pthread_barrier_init(&crowd.gate, NULL, (unsigned)n + 1);
	for (int i = 0; i < crowd.n; i++) {
		crowd.herds[i] =
		    (struct herd){.peer = peer, .n = n > 8 ? 2000 : 10000};
		if (pthread_create(
			&threads[i], NULL, crowd_thread, &crowd.herds[i]) != 0)
			exit(1);
	}
	pthread_barrier_wait(&crowd.gate);
	nanosleep(&work, NULL);
	crowd.stop = true;
	for (int i = 0; i < crowd.n; i++)
		pthread_join(threads[i], NULL);
	result(name, (double)crowd.ns / (double)crowd.ops);
}

#endif
