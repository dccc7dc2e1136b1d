/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.c - the memory of libuma beside that of the allocators that this
 * machine has.
 *
 * What is measured.
 *
 *   timeline     resident bytes over time: 50,000 items of 16 to 1,024 bytes, a
 *                burst to a million, 90 % freed at random, two seconds with
 *                little to do, the call that gives memory back, and the end
 *   footprint    resident bytes an item, of so many of one size: all live; 90 %
 *                of them freed at random and memory given back; all freed, and
 *                given back; and by how much the process has grown in the end
 *   stall        a gibibyte, freed at random, is given back by one call: how
 *                long it takes, how many system calls, and the longest wait of
 *                a thread that allocates and frees on another CPU
 *   huge         random replacement among a million items, whose translations
 *                no TLB holds, and resident bytes, with huge pages and without;
 *                the quicker of two
 *   zones        by how much the process has grown after 2,000 zones were made,
 *                used and destroyed, six times over
 *
 * How.  As bench.c says: one program for each allocator, a process for each
 * number, and the bench's own memory is mapped and resident before the first
 * count.  Resident bytes are those of smaps_rollup, which are exact, but for the
 * samples of the timeline, which are those of statm.  A count begins when the
 * zone has been made, but for the growth of the process, which begins before.
 * Memory is given back by uma_reclaim(UMA_RECLAIM_DRAIN_CPU), malloc_trim(0),
 * jemalloc's arena.ALL.purge after a flush of the thread's cache, mi_collect,
 * and ReleaseFreeMemory.
 */
#define _GNU_SOURCE
#include "stall.h"
#include "timeline.h"

static int
usage(const char *self)
{
	fprintf(stderr,
	    "usage: %s timeline | zones | footprint SIZE N | huge SIZE N | "
	    "stall SIZE N\n",
	    self);
	return 2;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	long size = argc == 4 ? atol(argv[2]) : 0;
	long n = argc == 4 ? atol(argv[3]) : 0;
	bool sized = size >= 8 && n >= 10 && n <= INT32_MAX;

	if (argc == 2 && strcmp(what, "timeline") == 0)
		run_timeline();
	else if (argc == 2 && strcmp(what, "zones") == 0)
		run_zones();
	else if (sized && strcmp(what, "footprint") == 0)
		run_footprint(size, n);
	else if (sized && strcmp(what, "huge") == 0)
		run_huge(size, n);
	else if (sized && strcmp(what, "stall") == 0)
		run_stall(size, n);
	else
		return usage(argv[0]);
	return 0;
}
