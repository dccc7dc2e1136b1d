/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench.c - libuma beside the allocators that this machine has.
 *
 * What is measured.  An operation is one allocation and one free; unless the
 * row's name says more, of 64 bytes.  Each new item is written to, as a user's
 * would be.
 *
 *   pair              allocate, free, again: the shortest way through
 *   batch N           allocate N, free them, the last one first
 *   replace SIZE      10,000 live items; a random one is freed and allocated
 *                     anew: the usual life of a program, and its cache misses
 *   constructed       the same with 1,000 objects of a mutex, four list heads and
 *                     a buffer of 256 bytes, ready for use.  A zone keeps free
 *                     objects constructed; with malloc(3) each is made anew
 *   pass on           one thread allocates and hands over, another frees
 *   threads N         N threads replace, each among its own 10,000 items (2,000
 *                     where there are 64 threads), all of one zone
 *   bulk 32           32 items a call, or 32 calls where there is no such call
 *   latency           one allocation out of "replace 64", timed by itself with
 *                     the CPU's clock, which costs "(timer alone)" of it
 *
 * How.  This source is compiled once for each allocator, and the runner (run.sh)
 * has each program do each row in turn, one process each, in rounds, whose order
 * rotates: a machine that becomes slower becomes so for all.  Rows of one thread
 * stay on one CPU, which changes with the round.  Time is CPU time, of all
 * threads; a row takes the least of some repetitions, since disturbances only
 * ever add.  What the tables show is, over the rounds, the median of this, and
 * of its ratio to glibc's in the same round, with the least and the most.  The
 * rows of memory are not repeated.  Memory of the bench itself is mapped, not
 * allocated.
 *
 * Why so.  A time alone says little, as it belongs to one machine and one minute;
 * a ratio of two times from one round lasts longer.  Archives are compared with
 * archives: a call into a shared library costs more, so the table has a column
 * for libuma as an archive and one for it as a shared library, and names what
 * each peer was linked as.  glibc is always shared.
 *
 * What it does not say.  How a program of yours will do: an allocator's share of
 * it may be small, and its items colder than these.  larson and the like, where
 * the scheduler decides.  More than one NUMA domain.
 */
#define _GNU_SOURCE
#include "many_threads.h"
#include "one_thread.h"

static const struct row {
	const char *name;
	void (*run)(const char *name, long n, long size);
	long n, size;
	const char *kind;
} rows[] = {
    {"pair", row_pair, 1, 64, "single"},
    {"batch 16", row_pair, 16, 64, "single"},
    {"batch 256", row_pair, 256, 64, "single"},
    {"batch 4096", row_pair, 4096, 64, "single"},
    {"replace 16 B", row_replace, 10000, 16, "single"},
    {"replace 64 B", row_replace, 10000, 64, "single"},
    {"replace 256 B", row_replace, 10000, 256, "single"},
    {"replace 1024 B", row_replace, 10000, 1024, "single"},
    {"replace 4096 B", row_replace, 10000, 4096, "single"},
    {"constructed", row_constructed, 1000, 0, "single"},
#ifdef PEER_BULK
    {"bulk 32", row_bulk, BULK, 64, "single"},
#endif
    {"pass on", row_ring, 0, 64, "threads"},
    {"threads 2", row_threads, 2, 64, "threads"},
    {"threads 8", row_threads, 8, 64, "threads"},
    {"threads 64", row_threads, 64, 64, "threads"},
#if defined(__x86_64__)
    {"latency", row_latency, 10000, 64, "single"},
#endif
};
#define NROWS ((int)(sizeof rows / sizeof rows[0]))

static int
usage(const char *self)
{
	fprintf(stderr, "usage: %s about | rows | ROW ROUND\n", self);
	return 2;
}

/* bench about | rows | ROW ROUND: who it is, the rows, one of them. */
int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "about") == 0) {
		peer_about();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "rows") == 0) {
		for (int i = 0; i < NROWS; i++)
			printf("%d %s\n", i, rows[i].kind);
		return 0;
	}
	int row = argc == 3 ? atoi(argv[1]) : NROWS;
	if (row < 0 || row >= NROWS)
		return usage(argv[0]);
	if (strcmp(rows[row].kind, "threads") != 0)
		stay_on_cpu(atoi(argv[2]));
	rows[row].run(rows[row].name, rows[row].n, rows[row].size);
	return 0;
}
