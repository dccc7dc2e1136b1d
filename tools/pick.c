/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pick.c - which zones, in which order.
 */
#define _GNU_SOURCE /* qsort_r */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "umastat.h"

const char *const sort_names[SORT_CNT] = {
    [SORT_AGE] = "age",
    [SORT_NAME] = "name",
    [SORT_SIZE] = "size",
    [SORT_USED] = "used",
    [SORT_FREE] = "free",
    [SORT_MEMORY] = "memory",
    [SORT_REQUESTS] = "requests",
    [SORT_FAIL] = "fail",
};

/* HAProxy's words are understood too: byname, bysize, byusage. */
bool
sort_key_of(const char *word, enum sort_key *key)
{
	if (strncmp(word, "by", 2) == 0)
		word += 2;
	if (strcmp(word, "usage") == 0)
		word = sort_names[SORT_MEMORY];
	for (int k = 0; k < SORT_CNT; k++) {
		if (strcmp(word, sort_names[k]) == 0) {
			*key = (enum sort_key)k;
			return true;
		}
	}
	return false;
}

const char *
stat_name(const struct uma_stats *s, size_t z)
{
	return s->name != NULL && s->name[z] != NULL
		   ? s->name[z]
		   : uma_stats_zone(s, z)->name;
}

struct order {
	const struct uma_stats *stats;
	const struct change *change;
	const struct pick *pick;
};

/* What the zone is sorted by, when that is a number. */
static double
sort_number(const struct order *o, size_t z)
{
	const struct uma_zone_stat *st = uma_stats_zone(o->stats, z);
	const struct rate *rate = o->change ? &o->change->rate[z] : NULL;

	switch (o->pick->sort) {
	case SORT_SIZE:
		return (double)st->item_size;
	case SORT_USED:
		return (double)st->used;
	case SORT_FREE:
		return (double)st->free_cached + (double)st->free_slab;
	case SORT_MEMORY:
		return (double)st->memory;
	case SORT_REQUESTS:
		return rate ? rate->requests : (double)st->allocs;
	case SORT_FAIL:
		return rate ? rate->fails : (double)st->fails;
	default:
		return 0;
	}
}

static int
zone_compare(const void *a, const void *b, void *arg)
{
	const size_t one = *(const size_t *)a, two = *(const size_t *)b;
	const struct order *o = arg;
	int by = 0;

	if (o->pick->sort == SORT_NAME) {
		by = strcmp(stat_name(o->stats, one), stat_name(o->stats, two));
	} else {
		double x = sort_number(o, one), y = sort_number(o, two);

		by = x < y ? 1 : x > y ? -1 : 0;
	}
	if (by == 0) /* the older first */
		by = one < two ? -1 : 1;
	return o->pick->reverse ? -by : by;
}

size_t
pick_zones(const struct uma_stats *s, const struct change *change,
    const struct pick *pick, size_t *order)
{
	struct order by = {s, change, pick};
	size_t n = 0;

	for (size_t z = 0; z < s->nzones; z++)
		if (pick->match == NULL ||
		    fnmatch(pick->match, stat_name(s, z), 0) == 0)
			order[n++] = z;
	qsort_r(order, n, sizeof *order, zone_compare, &by);
	return n;
}

/* Move n elements of size bytes, those of each zone in order, to their place.
 */
static void *
move(char *to, const void *from, const size_t *order, size_t n, size_t size)
{
	if (from == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		memcpy(
		    to + i * size, (const char *)from + order[i] * size, size);
	return to;
}

/* One piece of memory: the struct, the arrays, the order. */
struct uma_stats *
pick_stats(const struct uma_stats *s, const struct pick *p)
{
	size_t zone = s->zone_size, name = sizeof s->name[0];
	size_t cpu = s->cpu_size * (size_t)s->ncpus;
	size_t domain = s->domain_size * (size_t)s->ndomains;
	size_t each = zone + cpu + domain + name + sizeof(size_t);
	struct uma_stats *to = calloc(1, sizeof *to + each * (s->nzones + 1));

	if (to == NULL)
		die(EXIT_TARGET, "out of memory");

	size_t *order = (size_t *)(to + 1);
	size_t n = pick_zones(s, NULL, p, order);
	char *room = (char *)(order + s->nzones);

	*to = *s;
	to->nzones = n;
	to->zone = move(room, s->zone, order, n, zone);
	to->name = move(room += n * zone, s->name, order, n, name);
	to->cpu = move(room += n * name, s->cpu, order, n, cpu);
	to->domain = move(room += n * cpu, s->domain, order, n, domain);
	return to;
}
