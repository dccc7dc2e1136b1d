/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings.c - one table of names and values, filled from UMA_OPTIONS:
 * name=value,name=value.  What it does not know it reports and ignores.
 */
#include <string.h>

#include "pages_int.h"
#include "zone_int.h"

#define NAME_MAX_LEN 64

struct choice {
	const char *c_value;
	int c_sets;
};

#define BYTES "bytes, like 4096, 64k, 16m or 1g"
#define MS    "milliseconds, like 500 or 20000"
#define OFF_ON                 \
	{                      \
		{"0", 0},      \
		{              \
			"1", 1 \
		}              \
	}
#define AT(field) offsetof(struct settings, set_##field)

static const struct setting {
	const char *s_name;
	size_t s_offset; /* in struct settings, of an int or a uint64_t */
	struct choice s_choice[4]; /* an int's */
	const char *s_number; /* what a uint64_t counts */
} setting_table[] = {
    {"debug", AT(debug_check), {{"none", 0}, {"check", 1}, {"all", 1}}, NULL},
    {"percpu", AT(percpu_lock), {{"auto", 0}, {"lock", 1}}, NULL},
    {"sink", AT(sink_none), {{"stderr", 0}, {"none", 1}}, NULL},
    {"vm.uma.cache_max", AT(cache_max), {{0}}, BYTES},
    {"vm.uma.limit", AT(limit), {{0}}, BYTES},
    {"vm.uma.mlock", AT(mlock), OFF_ON, NULL},
    {"vm.uma.prefault", AT(prefault), OFF_ON, NULL},
    {"vm.uma.reclaim_period", AT(reclaim_period), {{0}}, MS},
    {"vm.uma.reclaim_thread", AT(reclaim_thread), OFF_ON, NULL},
    {"vm.uma.thp", AT(thp),
	{{"never", THP_NEVER}, {"always", THP_ALWAYS}, {"system", THP_SYSTEM}},
	NULL},
    {"vm.uma.zone_cache_max", AT(zone_cache_max), {{0}}, BYTES},
    {"vm.zone_warnings", AT(zone_warnings), OFF_ON, NULL},
};
#define SETTINGS (sizeof setting_table / sizeof setting_table[0])

/* One name=value of the text, escaped for messages; at is its column from 1. */
struct element {
	char e_name[NAME_MAX_LEN];
	char e_value[NAME_MAX_LEN];
	bool e_has_value;
	size_t e_at;
};

/* Edits from a to b (Levenshtein 1965), row by row. */
static size_t
edit_distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_LEN + 1], lb = strlen(b);

	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] =
			    uma_min(change, uma_min(row[j], row[j - 1]) + 1);
		}
	}
	return row[lb];
}

static UMA_COLD void
say_unknown(const struct element *e)
{
	size_t best = 0, best_distance = SIZE_MAX;
	char name[4 * NAME_MAX_LEN];

	for (size_t i = 0; i < SETTINGS; i++) {
		size_t d = edit_distance(e->e_name, setting_table[i].s_name);

		if (d < best_distance) {
			best_distance = d;
			best = i;
		}
	}
	uma_message("uma: UMA_OPTIONS: unknown setting '%s' at column %zu, "
		    "the nearest is '%s'",
	    uma_escape(name, sizeof name, e->e_name), e->e_at,
	    setting_table[best].s_name);
}

static UMA_COLD void
say_malformed(const struct element *e, const struct setting *s)
{
	char value[4 * NAME_MAX_LEN], wanted[NAME_MAX_LEN] = "";

	if (s->s_number != NULL)
		strcat(wanted, s->s_number);
	for (const struct choice *c = s->s_choice; c->c_value != NULL; c++) {
		strcat(wanted, wanted[0] == '\0' ? "one of: " : ", ");
		strcat(wanted, c->c_value);
	}
	uma_message("uma: UMA_OPTIONS: bad value '%s' for '%s' at column %zu, "
		    "wanted %s",
	    uma_escape(value, sizeof value, e->e_value), s->s_name, e->e_at,
	    wanted);
}

/* Digits and one of k, m, g.  False: something else, or beyond 2^63. */
static bool
parse_number(const char *text, uint64_t *number)
{
	static const char unit[] = "kmg";
	uint64_t n = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (n > (uint64_t)INT64_MAX / 10 - 1)
			return false;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	if (p == text)
		return false;
	if (*p != '\0') {
		const char *u = strchr(unit, *p | 0x20);
		int shift = u != NULL ? 10 * (int)(u - unit + 1) : 0;

		if (u == NULL || p[1] != '\0' ||
		    n > (uint64_t)INT64_MAX >> shift)
			return false;
		n <<= shift;
	}
	*number = n;
	return true;
}

/* Store the value; false: it is none of the setting's. */
static bool
setting_store(struct settings *set, const struct setting *s, const char *value)
{
	void *at = (char *)set + s->s_offset;

	if (s->s_number != NULL)
		return parse_number(value, at);
	for (const struct choice *c = s->s_choice; c->c_value != NULL; c++) {
		if (strcmp(c->c_value, value) == 0) {
			*(int *)at = c->c_sets;
			return true;
		}
	}
	return false;
}

static void
setting_apply(struct settings *set, const struct element *e, bool say)
{
	const struct setting *s = setting_table;

	while (
	    s < setting_table + SETTINGS && strcmp(s->s_name, e->e_name) != 0)
		s++;
	bool known = s < setting_table + SETTINGS;
	if (known && e->e_has_value && setting_store(set, s, e->e_value))
		return;
	if (say && known)
		say_malformed(e, s);
	else if (say)
		say_unknown(e);
}

static void
copy_part(char *dst, const char *from, const char *end)
{
	size_t len = uma_min((size_t)(end - from), (size_t)NAME_MAX_LEN - 1);

	memcpy(dst, from, len);
	dst[len] = '\0';
}

void
settings_parse(struct settings *set, const char *text, bool say)
{
	const char *next;

	for (const char *p = text; *p != '\0';
	     p = *next == ',' ? next + 1 : next) {
		struct element e = {.e_at = (size_t)(p - text) + 1};
		const char *equals;

		next = p + strcspn(p, ",");
		if (next == p)
			continue;
		equals = memchr(p, '=', (size_t)(next - p));
		e.e_has_value = equals != NULL;
		copy_part(e.e_name, p, equals != NULL ? equals : next);
		if (equals != NULL)
			copy_part(e.e_value, equals + 1, next);
		setting_apply(set, &e, say);
	}
}
