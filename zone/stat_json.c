/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stat_json.c - statistics as JSON (RFC 8259), with the names that vmstat -z
 * gives them in FreeBSD: container memory-zone-statistics, list zone, and its
 * keys, in its order.  What is ours comes behind them.
 */
#include <stddef.h>
#include <string.h>

#include "stat_int.h"

typedef unsigned long long ull;

/* Keys of a zone behind FreeBSD's, with the members of these names. */
#define KEY(name)                                           \
	{                                                   \
#name, offsetof(struct uma_zone_stat, name) \
	}
static const struct {
	const char *k_name;
	size_t k_offset;
} keys[] = {KEY(stride), KEY(item_bytes), KEY(align), KEY(flags),
    KEY(slab_size), KEY(slab_items), KEY(slabs), KEY(memory), KEY(absent),
    KEY(headers), KEY(meta), KEY(free_cached), KEY(free_cpu), KEY(free_depot),
    KEY(free_slab), KEY(frees), KEY(refills), KEY(bucket_items), KEY(sleepers),
    KEY(zone), KEY(name_cnt), KEY(own)};

static void
json_string(struct out *o, const char *name, const char *s)
{
	out_fmt(o, "\"%s\":\"", name);
	out_string(o, s, ESCAPE_JSON);
	out_text(o, "\"");
}

static void
json_cpus(const struct uma_stats *s, struct out *o, size_t z)
{
	const char *comma = "";

	out_text(o, ",\"cpu\":[");
	for (int c = 0; c < s->ncpus && s->cpu != NULL; c++) {
		struct uma_cpu_stat st = row_cpu(s, z, c);

		if (st.cached == 0 && st.allocs == 0)
			continue;
		out_fmt(o, "%s{\"cpu\":%d,\"requests\":%llu,\"free\":%llu}",
		    comma, c, (ull)st.allocs, (ull)st.cached);
		comma = ",";
	}
	out_text(o, "]");
}

static void
json_domains(const struct uma_stats *s, struct out *o, size_t z)
{
	out_text(o, ",\"domain\":[");
	for (int d = 0; d < s->ndomains && s->domain != NULL; d++) {
		struct uma_domain_stat st = row_domain(s, z, d);

		out_fmt(o,
		    "%s{\"domain\":%d,\"slabs\":%llu,\"free_slab\":%llu,"
		    "\"empty\":%llu,\"free_depot\":%llu,\"wss\":%llu}",
		    d > 0 ? "," : "", d, (ull)st.slabs, (ull)st.free_slab,
		    (ull)st.empty, (ull)st.free_depot, (ull)st.wss);
	}
	out_text(o, "]");
}

static void
json_zone(const struct uma_stats *s, struct out *o, size_t z)
{
	struct row r = row_get(s, z);
	const struct uma_zone_stat *st = &r.r_stat;

	out_text(o, z > 0 ? ",\n{" : "\n{");
	json_string(o, "name", row_name(&r));
	out_fmt(o,
	    ",\"size\":%llu,\"limit\":%llu,\"used\":%llu,\"free\":%llu,"
	    "\"requests\":%llu,\"fail\":%llu,\"sleep\":%llu,\"xdomain\":%llu",
	    (ull)st->item_size, (ull)st->limit, (ull)st->used,
	    (ull)(st->free_cached + st->free_slab), (ull)st->allocs,
	    (ull)st->fails, (ull)st->sleeps, (ull)st->xdomain);
	for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
		out_fmt(o, ",\"%s\":%llu", keys[k].k_name,
		    (ull) * (const uint64_t *)((const char *)st +
					       keys[k].k_offset));
	json_cpus(s, o, z);
	json_domains(s, o, z);
	out_text(o, "}");
}

static void
json_memory(const struct uma_stats *s, struct out *o)
{
	struct uma_memory_stat m = row_memory(s);

	out_fmt(o, "\"memory\":{\"mapped\":%llu", (ull)m.mapped);
	for (size_t i = 0; i < MEMORY_PARTS; i++)
		out_fmt(o, ",\"%s\":%llu", memory_parts[i].mp_name,
		    (ull)memory_value(&m, &memory_parts[i]));
	out_text(o, "}");
}

static void
json_library(const struct uma_stats *s, struct out *o)
{
	char version[sizeof s->version + 1] = "", mode[sizeof s->mode + 1] = "";

	memcpy(version, s->version, sizeof s->version);
	memcpy(mode, s->mode, sizeof s->mode);
	out_text(o, "\"library\":{");
	json_string(o, "version", version);
	out_text(o, ",");
	json_string(o, "mode", mode);
	out_fmt(o, ",\"cpus\":%d,\"domains\":%d,\"time\":%llu}", s->ncpus,
	    s->ndomains, (ull)s->time);
}

void
stat_json(const struct uma_stats *s, struct out *o)
{
	out_text(o, "{\"memory-zone-statistics\":{\"zone\":[");
	for (size_t z = 0; z < s->nzones; z++)
		json_zone(s, o, z);
	out_text(o, "\n]},\n");
	json_memory(s, o);
	out_text(o, ",\n");
	json_library(s, o);
	out_text(o, "}\n");
}
