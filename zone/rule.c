/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rule.c - settings of single zones, from UMA_OPTIONS: vm.uma.GLOB.debug and
 * vm.uma.GLOB.limit.max_items.  A zone gets what fits its name when it is made;
 * of several that fit the last one counts.  The name is the one in the sysctl
 * tree, but without a number: zones of one name are alike.
 */
#include <string.h>

#include "sysctl_int.h"

#define RULES_MAX 1024 /* memory that is not filled is not touched */
#define PREFIX	  "vm.uma."

static const char *const rule_leaf[] = {"debug", "limit.max_items"};

struct rule {
	char r_glob[ZONE_NAME_MAX];
	enum rule_kind r_kind;
	int r_value;
};

/* Filled at the start, and only read from then on. */
static struct rule rules[RULES_MAX];
static size_t rules_cnt;
static bool lost;

/* * for any text, ? for any character; all else is itself. */
static bool
glob_matches(const char *glob, const char *name)
{
	const char *star = NULL, *again = NULL;

	while (*name != '\0') {
		if (*glob == '*') {
			star = ++glob;
			again = name;
		} else if (*glob == '?' || *glob == *name) {
			glob++;
			name++;
		} else if (star != NULL) { /* the last * takes one more */
			glob = star;
			name = ++again;
		} else {
			return false;
		}
	}
	while (*glob == '*')
		glob++;
	return *glob == '\0';
}

/* Where the leaf begins in a name of the form; or NULL. */
static const char *
rule_tail(const char *name)
{
	const char *dot = NULL;

	if (strncmp(name, PREFIX, sizeof PREFIX - 1) == 0)
		dot = strchr(name + sizeof PREFIX - 1, '.');
	return dot != NULL ? dot + 1 : NULL;
}

enum rule_kind
rule_kind(const char *name)
{
	const char *tail = rule_tail(name);

	for (int k = 0; tail != NULL && k < RULE_NONE; k++)
		if (strcmp(tail, rule_leaf[k]) == 0)
			return (enum rule_kind)k;
	return RULE_NONE;
}

bool
rule_candidate(const char *name, int k, char *candidate, size_t size)
{
	const char *tail = rule_tail(name);

	if (tail == NULL || k >= RULE_NONE ||
	    (size_t)(tail - name) + strlen(rule_leaf[k]) >= size)
		return false;
	memcpy(candidate, name, (size_t)(tail - name));
	strcpy(candidate + (tail - name), rule_leaf[k]);
	return true;
}

bool
rules_lost(void)
{
	return lost;
}

void
rule_add(const char *name, int value)
{
	const char *glob = name + sizeof PREFIX - 1;
	size_t len = (size_t)(rule_tail(name) - 1 - glob);
	struct rule *r = &rules[rules_cnt];

	if (rules_cnt == RULES_MAX || len >= sizeof r->r_glob) {
		lost = true;
		return;
	}
	memcpy(r->r_glob, glob, len);
	r->r_kind = rule_kind(name);
	r->r_value = value;
	rules_cnt++;
}

bool
rule_find(const struct uma_zone *zone, enum rule_kind kind, int *value)
{
	char name[ZONE_NAME_MAX];

	if (rules_cnt == 0)
		return false;
	zone_base(zone, name);
	for (size_t i = rules_cnt; i-- > 0;) {
		if (rules[i].r_kind != kind ||
		    !glob_matches(rules[i].r_glob, name))
			continue;
		*value = rules[i].r_value;
		return true;
	}
	return false;
}
