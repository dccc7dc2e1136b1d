/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stat_int.h - how statistics become text: what the formats share.
 */
#ifndef UMA_STAT_INT_H
#define UMA_STAT_INT_H

#include <uma/stat.h>

#include "uma_int.h"

/* Text on its way to a callback, in pieces. */
struct out {
	uma_stats_cb o_cb;
	void *o_arg;
	size_t o_len;
	char o_text[1024];
};
void out_flush(struct out *o);
void out_bytes(struct out *o, const char *text, size_t len);
void out_text(struct out *o, const char *text);
void out_number(struct out *o, uint64_t n);
/* At most 256 bytes. */
void out_fmt(struct out *o, const char *fmt, ...) UMA_PRINTF(2, 3);

/*
 * A string of any bytes, without quotes around it; returns the columns that it
 * has in a text.
 */
enum out_escape { ESCAPE_TEXT, ESCAPE_JSON, ESCAPE_METRICS };
size_t out_string(struct out *o, const char *s, enum out_escape how);

/* A zone's numbers and whole name, from a snapshot of any version. */
struct row {
	struct uma_zone_stat r_stat; /* what it has not is 0 */
	const char *r_name;
};
struct row row_get(const struct uma_stats *s, size_t z);
const char *row_name(const struct row *r);
struct uma_cpu_stat row_cpu(const struct uma_stats *s, size_t z, int cpu);
struct uma_domain_stat row_domain(const struct uma_stats *s, size_t z, int d);
struct uma_memory_stat row_memory(const struct uma_stats *s);

/* Names and meanings of what uma_memory_stat has, the parts first. */
struct memory_part {
	const char *mp_name;
	const char *mp_text;
	size_t mp_offset; /* in the struct */
	bool mp_is_part;
};
#define MEMORY_PARTS 18
extern const struct memory_part memory_parts[MEMORY_PARTS];

static inline uint64_t
memory_value(const struct uma_memory_stat *m, const struct memory_part *mp)
{
	return *(const uint64_t *)((const char *)m + mp->mp_offset);
}

/* The formats. */
void stat_table(const struct uma_stats *s, struct out *o);
void stat_cpus(const struct uma_stats *s, struct out *o);
void stat_explain(const struct uma_stats *s, struct out *o);
void stat_json(const struct uma_stats *s, struct out *o);
void stat_metrics(const struct uma_stats *s, struct out *o);

#endif
