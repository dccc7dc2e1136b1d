/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysctl_int.h - the parts of the sysctl tree, for the files that make it up.
 */
#ifndef UMA_SYSCTL_INT_H
#define UMA_SYSCTL_INT_H

#include <uma/sysctl.h>

#include "zone_int.h"

#define SYSCTL_STRING_MAX \
	160 /* bytes of the longest string of ours, with NUL */

union sysctl_value {
	uint64_t v_number;
	char v_string[SYSCTL_STRING_MAX];
};

/* What a name stands for, while somebody looks at it. */
struct node {
	uint32_t n_kind;
	const char *n_fmt; /* NULL: the type's */
	const char *n_descr;
	const char *n_source; /* of a setting; or NULL */
	/* An errno, or 0.  set: NULL where n_kind says that it cannot be. */
	int (*n_get)(const struct node *n, union sysctl_value *v);
	int (*n_set)(const struct node *n, const union sysctl_value *v);
	const void *n_arg;
	struct uma_zone *n_zone; /* a reference */
	int n_domain;
	struct sysctl_oid *n_oid; /* the program's, by oid_find; or NULL */
};

/*
 * A part of the tree.  find: fill *n, which is zero, if the name is there.
 * next: put into best, which is UMA_SYSCTL_NAME_MAX bytes, the least name above
 * after, if that is below the one in best; "" there is above all.
 */
struct sysctl_part {
	bool (*sp_find)(const char *name, struct node *n);
	void (*sp_next)(const char *after, char *best);
};
extern const struct sysctl_part settings_part, zones_part, oid_part;

/* ---- oid.c: nodes of the program's ---- */

/* Its handler.  An errno, or 0. */
int oid_call(struct sysctl_oid *oid, struct sysctl_req *req);
/* The end of what oid_part's find began. */
void oid_leave(struct sysctl_oid *oid);

/* The order of names: '.' comes first.  Below 0, 0, above 0. */
int sysctl_compare(const char *a, const char *b);
/* One that is always there, and found before the program's. */
bool sysctl_is_ours(const char *name);
/* best = name, if after < name < best. */
void sysctl_better(const char *after, const char *name, char *best);

/* ---- name.c: what zones are called in the tree ---- */

/* Bytes of the longest, with its NUL. */
#define ZONE_NAME_MAX 96

void zone_name(const struct uma_zone *zone, char name[ZONE_NAME_MAX]);
/* With a reference, for zlist_leave; or NULL. */
struct uma_zone *zone_by_name(const char *name, size_t len);
/* The one whose name follows; "": the first. */
struct uma_zone *zone_after_name(const char *name);

/* The same without a number; its length. */
size_t zone_base(const struct uma_zone *zone, char name[ZONE_NAME_MAX]);

/* ---- rule.c: settings of single zones ---- */

enum rule_kind { RULE_DEBUG, RULE_MAX, RULE_NONE };

/* What a name from UMA_OPTIONS sets. */
enum rule_kind rule_kind(const char *name);
/* Of a kind. */
void rule_add(const char *name, int value);
/* The k-th name of the form that begins like this one; false: none. */
bool rule_candidate(const char *name, int k, char *candidate, size_t size);
/* The value for a zone; false: there is no rule. */
bool rule_find(const struct uma_zone *zone, enum rule_kind kind, int *value);

/* ---- stream.c ---- */

/* The handler of vm.zone_stats. */
int stream_handle(SYSCTL_HANDLER_ARGS);

/* ---- settings.c ---- */

/* A setting's name below vm.uma, which no zone gets. */
bool setting_has_name(const char *name);

#endif
