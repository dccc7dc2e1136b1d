/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stat_metrics.c - statistics as OpenMetrics 1.0: families, each with its TYPE,
 * UNIT and HELP, and all of its samples together.
 *
 * Frees are not among the counters: while others work, they are a difference of
 * two numbers that were read one after the other, and a counter that falls by
 * one is taken for one that began anew.  They are requests less used.
 */
#include <stddef.h>
#include <string.h>

#include "stat_int.h"

typedef unsigned long long ull;

#define AT(name) offsetof(struct uma_zone_stat, name)
struct family {
	const char *f_name;
	const char *f_unit; /* the name ends in it; or NULL */
	const char *f_help;
	const char *f_label; /* of one of several rows of a name; or "" */
	size_t f_offset; /* in uma_zone_stat */
};

static const struct family counters[] = {
    {"uma_zone_requests", NULL, "Allocations that succeeded.", "", AT(allocs)},
    {"uma_zone_failures", NULL, "Allocations that failed.", "", AT(fails)},
    {"uma_zone_sleeps", NULL, "Sleeps at the limit.", "", AT(sleeps)},
    {"uma_zone_refills", NULL, "Buckets of items brought to a CPU.", "",
	AT(refills)},
    {"uma_zone_xdomain", NULL, "Frees of other NUMA domains' items.", "",
	AT(xdomain)},
};

static const struct family gauges[] = {
    {"uma_zone_used_items", "items", "Items allocated.", "", AT(used)},
    {"uma_zone_free_items", "items", "Free items, by place.", ",place=\"cpu\"",
	AT(free_cpu)},
    {"uma_zone_free_items", "items", "", ",place=\"depot\"", AT(free_depot)},
    {"uma_zone_free_items", "items", "", ",place=\"slab\"", AT(free_slab)},
    {"uma_zone_limit_items", "items", "Most items there may be; 0: any.", "",
	AT(limit)},
    {"uma_zone_sleepers", NULL, "Callers that wait at the limit.", "",
	AT(sleepers)},
    {"uma_zone_size_bytes", "bytes", "An item, as requested.", "",
	AT(item_size)},
    {"uma_zone_item_bytes", "bytes", "An item, with all that it takes.", "",
	AT(item_bytes)},
    {"uma_zone_memory_bytes", "bytes", "Slabs.", "", AT(memory)},
    {"uma_zone_absent_bytes", "bytes",
	"Pages of slabs that are known to have no memory.", "", AT(absent)},
    {"uma_zone_meta_bytes", "bytes", "The zone's own structures.", "",
	AT(meta)},
};

static void
family_head(struct out *o, const char *name, const char *type, const char *unit,
    const char *help)
{
	out_fmt(o, "# TYPE %s %s\n", name, type);
	if (unit != NULL)
		out_fmt(o, "# UNIT %s %s\n", name, unit);
	out_fmt(o, "# HELP %s %s\n", name, help);
}

static void
zone_sample(struct out *o, const struct family *f, const char *suffix,
    const struct row *r)
{
	const uint64_t *value =
	    (const uint64_t *)((const char *)&r->r_stat + f->f_offset);

	out_text(o, f->f_name);
	out_text(o, suffix);
	out_text(o, "{zone=\"");
	out_string(o, row_name(r), ESCAPE_METRICS);
	out_text(o, "\"");
	if (r->r_stat.name_cnt != 0) /* one of several of its name */
		out_fmt(o, ",number=\"%llu\"", (ull)r->r_stat.name_cnt);
	out_text(o, f->f_label);
	out_text(o, "} ");
	out_number(o, *value);
	out_text(o, "\n");
}

static void
families(const struct uma_stats *s, struct out *o, const struct family *f,
    size_t n, const char *type, const char *suffix)
{
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(f[i].f_name, f[i - 1].f_name) != 0)
			family_head(
			    o, f[i].f_name, type, f[i].f_unit, f[i].f_help);
		for (size_t z = 0; z < s->nzones; z++) {
			struct row r = row_get(s, z);

			zone_sample(o, &f[i], suffix, &r);
		}
	}
}

static void
scalar(struct out *o, const char *name, const char *unit, const char *help,
    uint64_t value)
{
	family_head(o, name, "gauge", unit, help);
	out_fmt(o, "%s %llu\n", name, (ull)value);
}

static void
memory(const struct uma_stats *s, struct out *o)
{
	struct uma_memory_stat m = row_memory(s);

	family_head(o, "uma_memory_bytes", "gauge", "bytes",
	    "Parts of what is mapped, which they add up to.");
	for (size_t i = 0; i < MEMORY_PARTS && memory_parts[i].mp_is_part; i++)
		out_fmt(o, "uma_memory_bytes{part=\"%s\"} %llu\n",
		    memory_parts[i].mp_name,
		    (ull)memory_value(&m, &memory_parts[i]));
	scalar(o, "uma_mapped_bytes", "bytes", "Address space of the library.",
	    m.mapped);
	scalar(o, "uma_absent_bytes", "bytes",
	    "Pages of slabs that are known to have no memory.", m.absent);
	scalar(o, "uma_held_bytes", "bytes",
	    "What the limit on all zones' memory looks at.", m.held);
	scalar(o, "uma_image_bytes", "bytes", "Tables in .bss.", m.image);
	scalar(o, "uma_zones", NULL, "Zones there are.", m.zones);
}

static void
build(const struct uma_stats *s, struct out *o)
{
	char text[sizeof s->mode + 1] = "";

	family_head(o, "uma_build", "info", NULL, "The library.");
	memcpy(text, s->version, sizeof s->version);
	out_text(o, "uma_build_info{version=\"");
	out_string(o, text, ESCAPE_METRICS);
	memcpy(text, s->mode, sizeof s->mode);
	out_text(o, "\",mode=\"");
	out_string(o, text, ESCAPE_METRICS);
	out_text(o, "\"} 1\n");
}

void
stat_metrics(const struct uma_stats *s, struct out *o)
{
	build(s, o);
	families(s, o, counters, sizeof counters / sizeof counters[0],
	    "counter", "_total");
	families(s, o, gauges, sizeof gauges / sizeof gauges[0], "gauge", "");
	memory(s, o);
	out_text(o, "# EOF\n");
}
