/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings.c - one table of names and values, filled from UMA_OPTIONS:
 * name=value,name=value.  What it does not know it reports and ignores.  The
 * sysctl tree is a view of the same table; those without a dot are below vm.uma
 * there, and both forms are good in UMA_OPTIONS.
 *
 * What is only looked at when zones are made, or was told to the system at the
 * start, can be read there but not set: the zones that there are would not
 * follow.
 */
#include <errno.h>
#include <string.h>

#include <uma/reclaim.h>

#include "pages_int.h"
#include "sysctl_int.h"

#define NAME_MAX_LEN 128

struct choice {
	const char *c_value;
	int c_sets;
};

#define BYTES "bytes, like 4096, 64k, 16m or 1g"
#define ITEMS "items, like 100 or 10k"
#define MS    "milliseconds, like 500 or 20000"
#define PATH  "1, 0, or a path that begins with /"
#define OFF_ON                 \
	{                      \
		{"0", 0},      \
		{              \
			"1", 1 \
		}              \
	}
#define AT(field) offsetof(struct settings, set_##field)

/* What a write does besides storing the value. */
static void
apply_limit(void)
{
	uma_set_limit(SETTING(limit));
}

static void
apply_sink(void)
{
	uma_message_mute(SETTING(sink_none));
}

static void
apply_nothing(void)
{
}

static const struct setting {
	const char *s_name;
	size_t s_offset; /* in struct settings, of an int, a uint64_t, a text */
	struct choice s_choice[4]; /* an int's */
	const char *s_number; /* what a uint64_t counts; a text: what it is */
	void (*s_apply)(void); /* NULL: not at run time */
	const char *s_descr;
} setting_table[] = {
    {"debug", AT(debug_check), {{"none", 0}, {"check", 1}, {"all", 1}}, NULL,
	NULL, "Checks of every allocation and free"},
    {"percpu", AT(percpu_lock), {{"auto", 0}, {"lock", 1}}, NULL, NULL,
	"How the CPUs' caches are protected"},
    {"sink", AT(sink_none), {{"stderr", 0}, {"none", 1}}, NULL, apply_sink,
	"Where messages go"},
    {"strict", AT(strict), OFF_ON, NULL, NULL,
	"Settings that are not understood end the program"},
    {"vm.uma.cache_max", AT(cache_max), {{0}}, BYTES, apply_nothing,
	"Bytes of items that all caches may have room for"},
    {"vm.uma.control", AT(control), {{0}}, PATH, NULL,
	"Path of the socket by which others read and set"},
    {"vm.uma.limit", AT(limit), {{0}}, BYTES, apply_limit,
	"Bytes above which caches are given back, 0 for none"},
    {"vm.uma.mlock", AT(mlock), OFF_ON, NULL, NULL, "Memory is locked"},
    {"vm.uma.prefault", AT(prefault), OFF_ON, NULL, NULL,
	"Slabs have all their memory from the start"},
    {"vm.uma.reclaim_period", AT(reclaim_period), {{0}}, MS, apply_nothing,
	"Milliseconds between two looks for idle memory, 0 for none"},
    {"vm.uma.reclaim_thread", AT(reclaim_thread), OFF_ON, NULL, NULL,
	"A thread gives idle memory back"},
    {"vm.uma.sample_period", AT(sample_period), {{0}}, BYTES, apply_nothing,
	"Bytes of allocations to one that profilers are told of, 0 for none"},
    {"vm.uma.thp", AT(thp),
	{{"never", THP_NEVER}, {"always", THP_ALWAYS}, {"system", THP_SYSTEM}},
	NULL, NULL, "Use of huge pages"},
    {"vm.uma.zone_cache_max", AT(zone_cache_max), {{0}}, BYTES, apply_nothing,
	"Bytes of items that a zone's caches may have room for"},
    {"vm.zone_warnings", AT(zone_warnings), OFF_ON, NULL, apply_nothing,
	"Full zones print their warnings"},
};
#define SETTINGS (sizeof setting_table / sizeof setting_table[0])
#define SHORT	 "vm.uma." /* goes before names without a dot */

/* Where the values of uma_settings are from. */
static const char *_Atomic setting_source[SETTINGS];

/* One name=value of the text, escaped for messages; at is its column from 1. */
struct element {
	char e_name[NAME_MAX_LEN];
	char e_value[NAME_MAX_LEN];
	bool e_has_value;
	bool e_cut; /* it was longer */
	size_t e_at;
};

/* Its name in the tree. */
static void
setting_name(const struct setting *s, char name[NAME_MAX_LEN])
{
	strcpy(name, strchr(s->s_name, '.') == NULL ? SHORT : "");
	strcat(name, s->s_name);
}

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

static void
nearer(const char *name, const char *candidate, char best[NAME_MAX_LEN],
    size_t *distance)
{
	size_t d = edit_distance(name, candidate);

	if (d < *distance) {
		*distance = d;
		strcpy(best, candidate);
	}
}

/* The nearest name, all of those that begin with a zone's among them. */
static void
nearest(const char *name, char best[NAME_MAX_LEN])
{
	size_t distance = SIZE_MAX;
	char candidate[NAME_MAX_LEN];

	for (size_t i = 0; i < SETTINGS; i++) {
		nearer(name, setting_table[i].s_name, best, &distance);
		setting_name(&setting_table[i], candidate);
		nearer(name, candidate, best, &distance);
	}
	for (int k = 0; rule_candidate(name, k, candidate, sizeof candidate);
	     k++)
		nearer(name, candidate, best, &distance);
}

static UMA_COLD void
say_unknown(const struct element *e)
{
	char name[2 * NAME_MAX_LEN], best[NAME_MAX_LEN],
	    shown[2 * NAME_MAX_LEN];

	nearest(e->e_name, best);
	uma_message("uma: UMA_OPTIONS: unknown setting '%s' at column %zu, "
		    "the nearest is '%s'",
	    uma_escape(name, sizeof name, e->e_name), e->e_at,
	    uma_escape(shown, sizeof shown, best));
}

static UMA_COLD void
say_malformed(const struct element *e, const struct setting *s)
{
	char value[2 * NAME_MAX_LEN], wanted[NAME_MAX_LEN] = "";
	char name[2 * NAME_MAX_LEN];

	if (s->s_number != NULL)
		strcat(wanted, s->s_number);
	for (const struct choice *c = s->s_choice; c->c_value != NULL; c++) {
		strcat(wanted, wanted[0] == '\0' ? "one of: " : ", ");
		strcat(wanted, c->c_value);
	}
	uma_message("uma: UMA_OPTIONS: bad value '%s' for '%s' at column %zu, "
		    "wanted %s",
	    uma_escape(value, sizeof value, e->e_value),
	    uma_escape(name, sizeof name, e->e_name), e->e_at, wanted);
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

static bool
setting_is(const struct setting *s, const char *name)
{
	char full[NAME_MAX_LEN];

	setting_name(s, full);
	return strcmp(s->s_name, name) == 0 || strcmp(full, name) == 0;
}

/* One of its words, or some with + between them. */
static bool
parse_choice(const struct setting *s, const char *value, int *choice)
{
	const char *end;

	*choice = 0;
	for (;; value = end + 1) {
		const struct choice *c = s->s_choice;
		size_t len = strcspn(value, "+");

		end = value + len;
		while (c->c_value != NULL &&
		       (strncmp(c->c_value, value, len) != 0 ||
			   c->c_value[len] != '\0'))
			c++;
		if (c->c_value == NULL)
			return false;
		*choice |= c->c_sets;
		if (*end == '\0')
			return true;
		if (s != setting_table) /* debug is the only list */
			return false;
	}
}

static bool
is_text(const struct setting *s)
{
	return s->s_offset == AT(control);
}

/* A path, or 0, or 1. */
static bool
text_store(char *at, const char *value)
{
	if (value[0] != '/' && strcmp(value, "0") != 0 &&
	    strcmp(value, "1") != 0)
		return false;
	if (strlen(value) >= SETTING_TEXT_MAX)
		return false;
	strcpy(at, strcmp(value, "0") != 0 ? value : "");
	return true;
}

/* Store the value; false: it is none of the setting's. */
static bool
setting_store(struct settings *set, const struct setting *s, const char *value)
{
	char *at = (char *)set + s->s_offset;
	uint64_t number;

	if (is_text(s))
		return text_store(at, value);
	if (s->s_number != NULL) {
		if (!parse_number(value, &number))
			return false;
		__atomic_store_n((uint64_t *)at, number, __ATOMIC_RELAXED);
		return true;
	}
	int choice;
	if (!parse_choice(s, value, &choice))
		return false;
	__atomic_store_n((int *)at, choice, __ATOMIC_RELAXED);
	return true;
}

/* A setting of single zones.  False: not its kind of value. */
static bool
rule_apply(const struct settings *set, const struct element *e,
    const struct setting *like)
{
	uint64_t number;
	int value;

	if (like->s_number == NULL) {
		if (!parse_choice(like, e->e_value, &value))
			return false;
	} else {
		if (!parse_number(e->e_value, &number) || number > INT_MAX)
			return false;
		value = (int)number;
	}
	/* The second reading is for messages only. */
	if (set == &uma_settings)
		rule_add(e->e_name, value);
	return true;
}

/* What a setting of zones has for values. */
static const struct setting *
rule_setting(const char *name)
{
	static const struct setting max = {.s_number = ITEMS};

	switch (rule_kind(name)) {
	case RULE_DEBUG:
		return &setting_table[0];
	case RULE_MAX:
		return &max;
	default:
		return NULL;
	}
}

static const struct setting *
setting_named(const char *name)
{
	for (const struct setting *s = setting_table;
	     s < setting_table + SETTINGS; s++)
		if (setting_is(s, name))
			return s;
	return NULL;
}

/* False: not understood. */
static bool
setting_apply(struct settings *set, struct element *e, bool say)
{
	const struct setting *s = setting_named(e->e_name);
	const struct setting *like = rule_setting(e->e_name);

	if (!e->e_has_value && strcmp(e->e_name, "strict") == 0) {
		strcpy(e->e_value, "1");
		e->e_has_value = true;
	}
	bool whole = e->e_has_value && !e->e_cut;

	if (s != NULL && whole && setting_store(set, s, e->e_value)) {
		if (set == &uma_settings)
			setting_source[s - setting_table] = "UMA_OPTIONS";
		return true;
	}
	if (like != NULL && whole && rule_apply(set, e, like))
		return true;
	if (say && s == NULL && like == NULL)
		say_unknown(e);
	else if (say)
		say_malformed(e, s != NULL ? s : like);
	return false;
}

/* False: cut. */
static bool
copy_part(char *dst, const char *from, const char *end)
{
	size_t len = uma_min((size_t)(end - from), (size_t)NAME_MAX_LEN - 1);

	memcpy(dst, from, len);
	dst[len] = '\0';
	return from + len == end;
}

size_t
settings_parse(struct settings *set, const char *text, bool say)
{
	size_t faults = 0;
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
		e.e_cut =
		    !copy_part(e.e_name, p, equals != NULL ? equals : next);
		if (equals != NULL && !copy_part(e.e_value, equals + 1, next))
			e.e_cut = true;
		if (!setting_apply(set, &e, say))
			faults++;
	}
	return faults;
}

/* ---- the view of the sysctl tree ---- */

static int
get_setting(const struct node *n, union sysctl_value *v)
{
	const struct setting *s = n->n_arg;
	const char *at = (const char *)&uma_settings + s->s_offset;
	int number;

	if (s->s_apply == apply_limit) {
		v->v_number = uma_limit();
		return 0;
	}
	if (is_text(s)) {
		control_path(v->v_string, sizeof v->v_string);
		return 0;
	}
	if (s->s_number != NULL) {
		v->v_number =
		    __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED);
		return 0;
	}
	number = __atomic_load_n((const int *)at, __ATOMIC_RELAXED);
	v->v_number = (uint64_t)number;
	if ((n->n_kind & CTLTYPE) == CTLTYPE_INT)
		return 0;
	for (const struct choice *c = s->s_choice; c->c_value != NULL; c++) {
		if (c->c_sets == number) {
			strcpy(v->v_string, c->c_value);
			break;
		}
	}
	return 0;
}

static int
set_setting(const struct node *n, const union sysctl_value *v)
{
	const struct setting *s = n->n_arg;
	char *at = (char *)&uma_settings + s->s_offset;

	if ((n->n_kind & CTLTYPE) == CTLTYPE_INT) {
		__atomic_store_n((int *)at, v->v_number != 0, __ATOMIC_RELAXED);
	} else if (s->s_number != NULL) {
		if (v->v_number > INT64_MAX)
			return EINVAL;
		__atomic_store_n((uint64_t *)at, v->v_number, __ATOMIC_RELAXED);
	} else if (!setting_store(&uma_settings, s, v->v_string)) {
		return EINVAL;
	}
	s->s_apply();
	setting_source[s - setting_table] = "sysctl";
	return 0;
}

static bool
settings_find(const char *name, struct node *n)
{
	char full[NAME_MAX_LEN];
	const struct setting *s = setting_table;

	for (; s < setting_table + SETTINGS; s++) {
		setting_name(s, full);
		if (strcmp(full, name) == 0)
			break;
	}
	if (s == setting_table + SETTINGS)
		return false;
	n->n_kind = is_text(s)			       ? CTLTYPE_STRING
		    : s->s_number != NULL	       ? CTLTYPE_U64
		    : s->s_choice[0].c_value[0] == '0' ? CTLTYPE_INT
						       : CTLTYPE_STRING;
	n->n_kind |= s->s_apply != NULL ? CTLFLAG_RWTUN : CTLFLAG_RDTUN;
	n->n_descr = s->s_descr;
	n->n_source = setting_source[s - setting_table];
	if (n->n_source == NULL)
		n->n_source = "default";
	if (s->s_apply == apply_limit && uma_limit() != SETTING(limit))
		n->n_source = "program";
	n->n_arg = s;
	n->n_get = get_setting;
	n->n_set = set_setting;
	return true;
}

static void
settings_next(const char *after, char *best)
{
	char full[NAME_MAX_LEN];

	for (const struct setting *s = setting_table;
	     s < setting_table + SETTINGS; s++) {
		setting_name(s, full);
		sysctl_better(after, full, best);
	}
}

bool
setting_has_name(const char *name)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		const char *mine = setting_table[i].s_name;

		if (strncmp(mine, SHORT, sizeof SHORT - 1) == 0)
			mine += sizeof SHORT - 1;
		if (strcmp(mine, name) == 0)
			return true;
	}
	return strcmp(name, "percpu_mode") == 0;
}

const struct sysctl_part settings_part = {settings_find, settings_next};
