/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resident.h - resident bytes an item: with all items live, after 90 % of them
 * were freed at random and the allocator was told to give memory back, and
 * after all were; what huge pages change in it; and what zones leave behind.
 */
#ifndef UMA_BENCH_RESIDENT_H
#define UMA_BENCH_RESIDENT_H

#include <fcntl.h>

#include "bench.h"

/* A file's text; without stdio, whose buffer would be allocated. */
static void
file_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
}

/* Bytes of a line of smaps_rollup, which is exact, other than statm. */
static double
smaps_bytes(const char *line)
{
	char text[4096];

	file_text("/proc/self/smaps_rollup", text, sizeof text);
	const char *at = strstr(text, line);
	return at == NULL ? 0 : strtod(at + strlen(line), NULL) * 1024;
}

static double
resident_bytes(void)
{
	return smaps_bytes("\nRss:");
}

/* ---- live, 90 % freed, all freed ---- */

struct live {
	struct peer peer;
	uint32_t n;
	void **items;
	uint32_t *order;
};

/* The order and the room for the addresses are resident from here on. */
static struct live
live_open(long n)
{
	struct live l = {.n = (uint32_t)n};

	l.items = pages(l.n * sizeof *l.items);
	l.order = pages(l.n * sizeof *l.order);
	shuffle(l.order, l.n);
	return l;
}

static void
live_fill(struct live *l)
{
	for (uint32_t i = 0; i < l->n; i++) {
		l->items[i] = peer_alloc(&l->peer);
		memset(l->items[i], 1, l->peer.size);
	}
}

static void
live_free(struct live *l, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		peer_free(&l->peer, l->items[l->order[i]]);
	peer_reclaim();
}

/*
 * Prints size, n, then bytes an item when live, with 90 % freed, with all
 * freed, and the bytes that the process has grown by since before its first
 * zone.
 */
static void
run_footprint(long size, long n)
{
	struct live l = live_open(n);
	uint32_t most = l.n / 10 * 9;

	(void)resident_bytes(); /* its own code becomes resident */
	double start = resident_bytes();
	l.peer = peer_open((size_t)size, NULL);
	double base = resident_bytes();
	live_fill(&l);
	double live = resident_bytes() - base;
	live_free(&l, 0, most);
	double some = resident_bytes() - base;
	live_free(&l, most, l.n);
	double none = resident_bytes();
	printf("footprint\t%ld\t%ld\t%.3f\t%.3f\t%.3f\t%.0f\n", size, n,
	    live / (double)n, some / (double)n, (none - base) / (double)n,
	    none - start);
}

/* ---- huge pages ---- */

#define HUGE_OPS (1 << 20)

static void
huge_run(void *arg)
{
	struct live *l = arg;
	uint64_t seed = SEED;

	for (int i = 0; i < HUGE_OPS; i++) {
		void **item = &l->items[random_below(&seed, l->n)];

		peer_free(&l->peer, *item);
		*item = peer_alloc(&l->peer);
		item_touch(*item, l->peer.size);
	}
}

/*
 * Prints size, n, the ns of a random replacement among all and of an item that
 * is made in the beginning, bytes an item when live and with 90 % freed, which
 * part of the first were huge pages, and the bytes that the process has grown
 * by when all were freed and given back.
 */
static void
run_huge(long size, long n)
{
	struct live l = live_open(n);

	stay_on_cpu(0);
	(void)resident_bytes();
	double start = resident_bytes();
	l.peer = peer_open((size_t)size, NULL);
	double base = resident_bytes();
	/* The bench's own arrays stay as they are, whatever the system does. */
	double huge = smaps_bytes("\nAnonHugePages:");
	double fill = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	live_fill(&l);
	fill = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - fill;
	double live = resident_bytes() - base;
	huge = smaps_bytes("\nAnonHugePages:") - huge;
	double ns = measure(huge_run, &l, HUGE_OPS);
	live_free(&l, 0, l.n / 10 * 9);
	double some = resident_bytes() - base;
	live_free(&l, l.n / 10 * 9, l.n);
	double none = resident_bytes() - start;
	printf("huge\t%ld\t%ld\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.0f\n", size, n,
	    ns, fill / (double)n, live / (double)n, some / (double)n,
	    huge / live, none);
}

/* ---- many zones ---- */

#define ZONES	    2000
#define ZONE_ROUNDS 6

/* Prints the bytes that the process has grown by, after each round. */
static void
run_zones(void)
{
	struct peer *peers = pages(ZONES * sizeof *peers);
	double grown[ZONE_ROUNDS];

	(void)resident_bytes();
	double start = resident_bytes();
	for (int round = 0; round < ZONE_ROUNDS; round++) {
		for (int i = 0; i < ZONES; i++) {
			void *items[8];

			peers[i] = peer_open(16 + (size_t)i % 64 * 16, NULL);
			for (int j = 0; j < 8; j++) {
				items[j] = peer_alloc(&peers[i]);
				item_touch(items[j], peers[i].size);
			}
			for (int j = 0; j < 8; j++)
				peer_free(&peers[i], items[j]);
		}
		for (int i = 0; i < ZONES; i++)
			peer_close(&peers[i]);
		grown[round] = resident_bytes() - start;
	}
	printf("zones\t%d", ZONES);
	for (int round = 0; round < ZONE_ROUNDS; round++)
		printf("\t%.0f", grown[round]);
	printf("\n");
}

#endif
