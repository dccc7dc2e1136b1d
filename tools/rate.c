/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rate.c - what happened between two snapshots.
 *
 * A zone is the same when its address and its name are.  One that was not
 * there before has done all it did since.  Zones come oldest first in both, so
 * the next one is mostly found where the last was; the search goes round for
 * when it is not, in memory that says what it likes.
 *
 * Counters only rise, but a snapshot reads those of the CPUs one after the
 * other, while an interrupted hit may take its count back: what went back a
 * little is no change.  A zone destroyed and made again at the same place under
 * the same name cannot be told from that, and shows no change either, once.
 */
#include <stdlib.h>
#include <string.h>

#include "umastat.h"

static bool
same_zone(
    const struct uma_stats *a, size_t i, const struct uma_stats *b, size_t k)
{
	const struct uma_zone_stat *one = uma_stats_zone(a, i);
	const struct uma_zone_stat *two = uma_stats_zone(b, k);

	return one->zone == two->zone && one->name_cnt == two->name_cnt &&
	       strcmp(stat_name(a, i), stat_name(b, k)) == 0;
}

/* Where zone z of now was before, looking from hint on; or how many there were.
 */
static size_t
find_before(const struct uma_stats *before, size_t hint,
    const struct uma_stats *now, size_t z)
{
	for (size_t i = 0; i < before->nzones; i++) {
		size_t at = (hint + i) % before->nzones;

		if (same_zone(before, at, now, z))
			return at;
	}
	return before->nzones;
}

static double
per_second(uint64_t now, uint64_t before, double seconds)
{
	return now > before && seconds > 0 ? (double)(now - before) / seconds
					   : 0;
}

static struct rate
rate_of(const struct uma_zone_stat *was, const struct uma_zone_stat *is,
    double seconds)
{
	return (struct rate){
	    .requests = per_second(is->allocs, was->allocs, seconds),
	    .frees = per_second(is->frees, was->frees, seconds),
	    .fails = per_second(is->fails, was->fails, seconds),
	    .sleeps = per_second(is->sleeps, was->sleeps, seconds),
	    .refills = per_second(is->refills, was->refills, seconds),
	};
}

struct change *
change_of(
    const struct uma_stats *before, const struct uma_stats *now, double seconds)
{
	static const struct uma_zone_stat nothing;
	struct change *c =
	    calloc(1, sizeof *c + (now->nzones + 1) * sizeof c->rate[0]);
	size_t stayed = 0, next = 0;

	if (c == NULL)
		die(EXIT_TARGET, "out of memory");
	c->seconds = seconds;
	if (before == NULL)
		return c;
	for (size_t z = 0; z < now->nzones; z++) {
		size_t at = find_before(before, next, now, z);
		bool there = at < before->nzones;

		next = there ? at + 1 : next;
		stayed += there;
		c->rate[z] =
		    rate_of(there ? uma_stats_zone(before, at) : &nothing,
			uma_stats_zone(now, z), seconds);
	}
	c->came = now->nzones - stayed;
	/* One of before may be found twice in memory that repeats itself. */
	c->went = before->nzones > stayed ? before->nzones - stayed : 0;
	return c;
}
