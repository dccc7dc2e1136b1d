/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.c - the tables that uma_stats_format(3) does not make: changes a
 * second, and what each CPU and each NUMA domain holds, in bytes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "umastat.h"

/* Products of what a damaged process says may overflow: they stay large. */
static uint64_t
times(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t
plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

void
table_status(struct text *t, const struct watch *w)
{
	const struct uma_memory_stat *m = w->now->memory;

	text_add(t, "%s: %zu zones", w->what, w->now->nzones);
	if (w->change != NULL && w->change->came + w->change->went > 0)
		text_add(t, " (+%zu -%zu)", w->change->came, w->change->went);
	text_add(t, ", mapped ");
	text_bytes(t, 0, m->mapped);
	text_add(t, ", used ");
	text_bytes(t, 0, m->used);
	text_add(t, ", cached ");
	text_bytes(t, 0, plus(m->cached_cpu, m->cached_depot));
	text_add(t, ", in slabs ");
	text_bytes(t, 0, m->free_slab);
	if (w->change != NULL && w->change->seconds > 0)
		text_add(t, ", %.1f s", w->change->seconds);
	text_add(t, "\n");
}

/* ---- changes a second ---- */

/* Seven columns, whatever the number. */
static void
text_rate(struct text *t, double rate)
{
	static const char unit[] = " kMGTPE";
	int u = 0;

	if (rate < 99999.5) {
		text_add(
		    t, rate < 99.95 && rate > 0 ? " %7.1f" : " %7.0f", rate);
		return;
	}
	while (rate >= 999.5 && unit[u + 1] != '\0')
		rate /= 1000, u++;
	text_add(t, " %6.*f%c", rate < 99.95 ? 1 : 0, rate, unit[u]);
}

/* What matters most stands to the left, since a narrow terminal cuts. */
void
table_rate_head(struct text *t, size_t name_width)
{
	text_column(t, name_width, "ITEM");
	text_add(t, " %7s %8s %8s %6s %7s %7s %7s %7s %7s\n", "SIZE", "USED",
	    "FREE", "MEMORY", "REQ/s", "FAIL/s", "SLEEP/s", "FREE/s", "FILL/s");
}

void
table_rate_row(
    struct text *t, size_t name_width, const struct watch *w, size_t zone)
{
	const struct uma_zone_stat *st = uma_stats_zone(w->now, zone);
	const struct rate *rate = &w->change->rate[zone];
	char shown[SHOWN_NAME];

	text_column(t, name_width, show_name(shown, stat_name(w->now, zone)));
	text_add(t, " %7llu %8llu %8llu ", (unsigned long long)st->item_size,
	    (unsigned long long)st->used,
	    (unsigned long long)plus(st->free_cached, st->free_slab));
	text_bytes(t, 6, st->memory);
	text_rate(t, rate->requests);
	text_rate(t, rate->fails);
	text_rate(t, rate->sleeps);
	text_rate(t, rate->frees);
	text_rate(t, rate->refills);
	text_add(t, "\n");
}

static size_t *
order_new(const struct uma_stats *s)
{
	size_t *order = calloc(s->nzones + 1, sizeof *order);

	if (order == NULL)
		die(EXIT_TARGET, "out of memory");
	return order;
}

void
table_rates(struct text *t, const struct watch *w, const struct pick *p)
{
	size_t *order = order_new(w->now), width = 20;
	size_t n = pick_zones(w->now, w->change, p, order);
	char shown[SHOWN_NAME];

	for (size_t i = 0; i < n; i++) {
		size_t columns =
		    show_columns(show_name(shown, stat_name(w->now, order[i])));

		width = columns > width ? columns : width;
	}
	table_status(t, w);
	table_rate_head(t, width);
	for (size_t i = 0; i < n; i++)
		table_rate_row(t, width, w, order[i]);
	free(order);
}

/* ---- what each CPU holds ---- */

static uint64_t
cpu_bytes(const struct uma_stats *s, size_t z, int cpu)
{
	const struct uma_cpu_stat *c = uma_stats_cpu(s, z, cpu);

	return c == NULL ? 0
			 : times(c->cached, uma_stats_zone(s, z)->item_bytes);
}

/* One row: name, the bytes of those CPUs that have a column, their sum. */
static void
cpu_row(struct text *t, const char *name, const uint64_t *bytes,
    const uint64_t *total, int ncpus)
{
	char shown[SHOWN_NAME];
	uint64_t sum = 0;

	text_column(t, 20, show_name(shown, name));
	for (int c = 0; c < ncpus; c++) {
		sum = plus(sum, bytes[c]);
		if (total[c] > 0)
			text_add(t, " "), text_bytes(t, 6, bytes[c]);
	}
	text_add(t, " "), text_bytes(t, 7, sum);
	text_add(t, "\n");
}

/* CPUs without anything have no column, since there may be hundreds. */
void
table_cpus(struct text *t, const struct uma_stats *s)
{
	int n = s->ncpus > 0 ? s->ncpus : 0;
	uint64_t *total = calloc((size_t)n * 2 + 1, sizeof *total);

	if (total == NULL)
		die(EXIT_TARGET, "out of memory");
	for (size_t z = 0; z < s->nzones; z++)
		for (int c = 0; c < n; c++)
			total[c] = plus(total[c], cpu_bytes(s, z, c));
	text_column(t, 20, "ITEM");
	for (int c = 0; c < n; c++) {
		char head[16];

		snprintf(head, sizeof head, "CPU%d", c);
		if (total[c] > 0)
			text_add(t, " %6s", head);
	}
	text_add(t, " %7s\n\n", "ALL");
	for (size_t z = 0; z < s->nzones; z++) {
		for (int c = 0; c < n; c++)
			total[n + c] = cpu_bytes(s, z, c);
		cpu_row(t, stat_name(s, z), total + n, total, n);
	}
	cpu_row(t, "all zones", total, total, n);
	text_add(
	    t, "\nBytes of free items that the CPUs hold (%s).\n", s->mode);
	free(total);
}

/* ---- what each domain holds ---- */

void
table_domains(struct text *t, const struct uma_stats *s)
{
	char shown[SHOWN_NAME];

	text_column(t, 20, "ITEM");
	text_add(t, " %6s %8s %7s %7s %7s %8s %7s\n\n", "DOMAIN", "SLABS",
	    "MEMORY", "EMPTY", "FREE", "DEPOT", "WSS");
	for (size_t z = 0; z < s->nzones; z++) {
		const struct uma_zone_stat *st = uma_stats_zone(s, z);

		for (int d = 0; d < s->ndomains; d++) {
			const struct uma_domain_stat *ds =
			    uma_stats_domain(s, z, d);

			if (ds == NULL ||
			    (ds->slabs == 0 && ds->free_depot == 0 && d > 0))
				continue;
			text_column(t, 20, show_name(shown, stat_name(s, z)));
			text_add(
			    t, " %6d %8llu ", d, (unsigned long long)ds->slabs);
			text_bytes(t, 7, times(ds->slabs, st->slab_size));
			text_add(t, " %7llu ", (unsigned long long)ds->empty);
			text_bytes(t, 7, times(ds->free_slab, st->item_bytes));
			text_add(t, " ");
			text_bytes(t, 8, times(ds->free_depot, st->item_bytes));
			text_add(t, " ");
			text_bytes(t, 7, times(ds->wss, st->item_bytes));
			text_add(t, "\n");
		}
	}
}
