/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stat_json.c - statistics as JSON (RFC 8259), with the names that vmstat -z
 * gives them in FreeBSD: container memory-zone-statistics, list zone, and its
 * keys, in its order.  What is ours comes behind them.
 */
#include <stddef.h>
#include <string.h>

#include "stat_int.h"

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
	out_text(o, "\"");
	out_text(o, name);
	out_text(o, "\":\"");
	out_string(o, s, ESCAPE_JSON);
	out_text(o, "\"");
}

static void
json_number(struct out *o, const char *before, const char *name, uint64_t n)
{
	out_text(o, before);
	out_text(o, "\"");
	out_text(o, name);
	out_text(o, "\":");
	out_number(o, n);
}

static void
json_cpus(const struct uma_stats *s, struct out *o, size_t z)
{
	const char *before = "{";

	out_text(o, ",\"cpu\":[");
	for (int c = 0; c < s->ncpus && s->cpu != NULL; c++) {
		struct uma_cpu_stat st = row_cpu(s, z, c);

		if (st.cached == 0 && st.allocs == 0)
			continue;
		json_number(o, before, "cpu", (uint64_t)c);
		json_number(o, ",", "requests", st.allocs);
		json_number(o, ",", "free", st.cached);
		out_text(o, "}");
		before = ",{";
	}
	out_text(o, "]");
}

static void
json_domains(const struct uma_stats *s, struct out *o, size_t z)
{
	out_text(o, ",\"domain\":[");
	for (int d = 0; d < s->ndomains && s->domain != NULL; d++) {
		struct uma_domain_stat st = row_domain(s, z, d);

		json_number(o, d > 0 ? ",{" : "{", "domain", (uint64_t)d);
		json_number(o, ",", "slabs", st.slabs);
		json_number(o, ",", "free_slab", st.free_slab);
		json_number(o, ",", "empty", st.empty);
		json_number(o, ",", "free_depot", st.free_depot);
		json_number(o, ",", "wss", st.wss);
		out_text(o, "}");
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
	json_number(o, ",", "size", st->item_size);
	json_number(o, ",", "limit", st->limit);
	json_number(o, ",", "used", st->used);
	json_number(o, ",", "free", st->free_cached + st->free_slab);
	json_number(o, ",", "requests", st->allocs);
	json_number(o, ",", "fail", st->fails);
	json_number(o, ",", "sleep", st->sleeps);
	json_number(o, ",", "xdomain", st->xdomain);
	for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
		json_number(o, ",", keys[k].k_name,
		    *(const uint64_t *)((const char *)st + keys[k].k_offset));
	json_cpus(s, o, z);
	json_domains(s, o, z);
	out_text(o, "}");
}

static void
json_memory(const struct uma_stats *s, struct out *o)
{
	struct uma_memory_stat m = row_memory(s);

	out_text(o, "\"memory\":");
	json_number(o, "{", "mapped", m.mapped);
	for (size_t i = 0; i < MEMORY_PARTS; i++)
		json_number(o, ",", memory_parts[i].mp_name,
		    memory_value(&m, &memory_parts[i]));
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
	json_number(o, ",", "cpus", (uint64_t)s->ncpus);
	json_number(o, ",", "domains", (uint64_t)s->ndomains);
	json_number(o, ",", "time", s->time);
	out_text(o, "}");
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
