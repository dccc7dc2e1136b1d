/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resident.h - the rows of the bench that count resident bytes an item: with all
 * items live, after 90 % of them were freed at random and the allocator was told
 * to give memory back, and after all were.
 */
#ifndef UMA_BENCH_RESIDENT_H
#define UMA_BENCH_RESIDENT_H

#include <fcntl.h>

#include "bench.h"

/* Exact, other than statm; without stdio, whose buffer would be allocated. */
static double
resident_bytes(void)
{
	int fd = open("/proc/self/smaps_rollup", O_RDONLY);
	char text[4096];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	const char *at = strstr(text, "\nRss:");
	return at == NULL ? 0 : strtod(at + 5, NULL) * 1024;
}

struct live {
	struct peer peer;
	uint32_t n;
	void **items;
	uint32_t *order;
	double before; /* resident */
};

static void
live_result(const struct live *l, const char *what)
{
	char name[64];

	snprintf(name, sizeof name, "%zu B: %s", l->peer.size, what);
	result(name, (resident_bytes() - l->before) / (double)l->n);
}

static void
live_free(struct live *l, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		peer_free(&l->peer, l->items[l->order[i]]);
	peer_reclaim();
}

static void
row_memory(const char *name, long n, long size)
{
	struct live l = {
	    .peer = peer_open((size_t)size, NULL), .n = (uint32_t)n};

	(void)name;
	l.items = pages(l.n * sizeof *l.items);
	l.order = pages(l.n * sizeof *l.order);
	shuffle(l.order, l.n);
	l.before = resident_bytes();
	for (uint32_t i = 0; i < l.n; i++) {
		l.items[i] = peer_alloc(&l.peer);
		memset(l.items[i], 1, l.peer.size);
	}
	live_result(&l, "live");
	live_free(&l, 0, l.n / 10 * 9);
	live_result(&l, "90 % freed");
	live_free(&l, l.n / 10 * 9, l.n);
	live_result(&l, "all freed");
}

#endif
