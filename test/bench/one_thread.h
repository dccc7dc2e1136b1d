/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * one_thread.h - the rows of the bench in which one thread works.
 */
#ifndef UMA_BENCH_ONE_THREAD_H
#define UMA_BENCH_ONE_THREAD_H

#include "bench.h"

/* ---- pair, batches, bulk ---- */

#define OPS	  (1 << 18)
#define BATCH_MAX 4096
#define BULK	  32

struct batch {
	struct peer peer;
	int n;
	void *items[BATCH_MAX];
};

static void
pair_run(void *arg)
{
	struct batch *b = arg;

	for (int i = 0; i < OPS; i++) {
		void *item = peer_alloc(&b->peer);

		item_touch(item, 64);
		peer_free(&b->peer, item);
	}
}

/* Freed last in, first out. */
static void
batch_run(void *arg)
{
	struct batch *b = arg;

	for (int done = 0; done < OPS; done += b->n) {
		for (int i = 0; i < b->n; i++) {
			b->items[i] = peer_alloc(&b->peer);
			item_touch(b->items[i], 64);
		}
		for (int i = b->n; i > 0; i--)
			peer_free(&b->peer, b->items[i - 1]);
	}
}

static void
bulk_run(void *arg)
{
	struct batch *b = arg;

	for (int done = 0; done < OPS; done += BULK) {
		peer_alloc_bulk(&b->peer, b->items, BULK);
		for (int i = 0; i < BULK; i++)
			*(volatile uint64_t *)b->items[i] = (uint64_t)i;
		peer_free_bulk(&b->peer, b->items, BULK);
	}
}

static void
row_pair(const char *name, long n, long size)
{
	struct batch *b = pages(sizeof *b);

	b->peer = peer_open((size_t)size, NULL);
	b->n = (int)n;
	result(name, measure(n == 1 ? pair_run : batch_run, b, OPS));
}

/* Inline, since without bulk calls nobody has a row for it. */
static inline void
row_bulk(const char *name, long n, long size)
{
	struct batch *b = pages(sizeof *b);

	(void)n;
	b->peer = peer_open((size_t)size, NULL);
	result(name, measure(bulk_run, b, OPS));
}

/* ---- random replacement ---- */

#define PICKS (1 << 16)

/* Live items, and which of them go next. */
struct herd {
	struct peer peer;
	uint32_t n;
	void **items;
	uint32_t *picks;
};

static void
herd_fill(struct herd *h)
{
	uint32_t *order = pages(h->n * sizeof *order);
	uint64_t seed = SEED + h->n;

	h->items = pages(h->n * sizeof *h->items);
	h->picks = pages(PICKS * sizeof *h->picks);
	/* Where an item lies says nothing about where its neighbours do. */
	shuffle(order, h->n);
	for (uint32_t i = 0; i < h->n; i++) {
		h->items[order[i]] = peer_alloc(&h->peer);
		item_touch(h->items[order[i]], h->peer.size);
	}
	for (int i = 0; i < PICKS; i++)
		h->picks[i] = random_below(&seed, h->n);
	munmap(order, h->n * sizeof *order);
}

static void
herd_run(void *arg)
{
	struct herd *h = arg;

	for (int i = 0; i < OPS; i++) {
		void **item = &h->items[h->picks[i % PICKS]];

		peer_free(&h->peer, *item);
		*item = peer_alloc(&h->peer);
		item_touch(*item, h->peer.size);
	}
}

static void
row_replace(const char *name, long n, long size)
{
	struct herd h = {
	    .peer = peer_open((size_t)size, NULL), .n = (uint32_t)n};

	herd_fill(&h);
	result(name, measure(herd_run, &h, OPS));
}

/* ---- constructed objects ---- */

#define CONN_LISTS 4

struct link {
	struct link *next, *prev;
};

/* What a server keeps for a connection, say. */
struct conn {
	pthread_mutex_t lock;
	struct link lists[CONN_LISTS];
	struct link member;
	uint64_t uses;
	char text[256];
};

static int
conn_init(void *item, int size, int flags)
{
	struct conn *c = item;

	(void)size;
	(void)flags;
	pthread_mutex_init(&c->lock, NULL);
	for (int i = 0; i < CONN_LISTS; i++)
		c->lists[i].next = c->lists[i].prev = &c->lists[i];
	c->uses = 0;
	memset(c->text, 0, sizeof c->text);
	return 0;
}

/* Leaves the object as it was made. */
static void
conn_use(struct conn *c)
{
	struct link *head = &c->lists[c->uses++ % CONN_LISTS];

	c->member.next = c->member.prev = head;
	head->next = head->prev = &c->member;
	__asm__ volatile("" ::"r"(c) : "memory");
	head->next = head->prev = head;
}

static inline struct conn *
conn_open(const struct peer *p)
{
	struct conn *c = peer_alloc(p);

	if (!PEER_KEEPS)
		conn_init(c, sizeof *c, 0);
	return c;
}

static inline void
conn_close(const struct peer *p, struct conn *c)
{
	if (!PEER_KEEPS)
		pthread_mutex_destroy(&c->lock);
	peer_free(p, c);
}

static void
conn_run(void *arg)
{
	struct herd *h = arg;

	for (int i = 0; i < OPS; i++) {
		void **item = &h->items[h->picks[i % PICKS]];

		conn_close(&h->peer, *item);
		*item = conn_open(&h->peer);
		conn_use(*item);
	}
}

static void
row_constructed(const char *name, long n, long size)
{
	struct herd h = {.n = (uint32_t)n};

	(void)size;
	h.peer = peer_open(sizeof(struct conn), conn_init);
	h.items = pages(h.n * sizeof *h.items);
	h.picks = pages(PICKS * sizeof *h.picks);
	uint64_t seed = SEED;
	for (int i = 0; i < PICKS; i++)
		h.picks[i] = random_below(&seed, h.n);
	for (uint32_t i = 0; i < h.n; i++)
		h.items[i] = conn_open(&h.peer);
	result(name, measure(conn_run, &h, OPS));
}

/* ---- latency ---- */

#if defined(__x86_64__)

#include <x86intrin.h>

#define SAMPLES	   (1 << 19)
#define CYCLES_MAX (1 << 16)

/* Nothing before or behind runs in between. */
static inline uint64_t
cycles(void)
{
	unsigned cpu;
	uint64_t t = __rdtscp(&cpu);

	_mm_lfence();
	return t;
}

static inline void
histogram_add(uint32_t *hist, uint64_t took)
{
	hist[took < CYCLES_MAX ? took : CYCLES_MAX - 1]++;
}

/* The cycles that the given part of all samples did not exceed. */
static double
histogram_part(const uint32_t *hist, double part)
{
	uint64_t sum = 0;
	int i = 0;

	while (i < CYCLES_MAX - 1 &&
	       (double)(sum += hist[i]) < part * (double)SAMPLES)
		i++;
	return i;
}

static void
latency_run(struct herd *h, uint32_t *hist, uint32_t *empty)
{
	for (int i = 0; i < SAMPLES; i++) {
		void **item = &h->items[h->picks[i % PICKS]];

		peer_free(&h->peer, *item);
		uint64_t start = cycles();
		*item = peer_alloc(&h->peer);
		histogram_add(hist, cycles() - start);
		item_touch(*item, h->peer.size);
		start = cycles();
		histogram_add(empty, cycles() - start);
	}
}

static void
row_latency(const char *name, long n, long size)
{
	struct herd h = {
	    .peer = peer_open((size_t)size, NULL), .n = (uint32_t)n};
	uint32_t *hist = pages(CYCLES_MAX * sizeof *hist);
	uint32_t *empty = pages(CYCLES_MAX * sizeof *empty);

	(void)name;
	herd_fill(&h);
	latency_run(&h, hist, empty);
	memset(hist, 0, CYCLES_MAX * sizeof *hist);
	memset(empty, 0, CYCLES_MAX * sizeof *empty);
	double ns = clock_ns(CLOCK_MONOTONIC);
	uint64_t tsc = cycles();
	latency_run(&h, hist, empty);
	ns = (clock_ns(CLOCK_MONOTONIC) - ns) / (double)(cycles() - tsc);
	result("latency p50", histogram_part(hist, 0.5) * ns);
	result("latency p99", histogram_part(hist, 0.99) * ns);
	result("latency p99.9", histogram_part(hist, 0.999) * ns);
	result("(timer alone)", histogram_part(empty, 0.5) * ns);
}

#endif

#endif
