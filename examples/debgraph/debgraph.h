/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debgraph.h - Debian's package index as a graph of small objects.
 *
 *	package --versions--> version --depends--> depend --choices--> choice
 *	   ^                     |                                       |
 *	   |                     +--provides--> provide --+              |
 *	   +---------------- package <--------------------+--------------+
 *
 * A package is a name: one that is shipped, one that others provide, or one
 * that is only asked for.  A depend is one comma-separated part of a relation
 * field, a choice one of its alternatives.
 */
#ifndef DEBGRAPH_H
#define DEBGRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>

enum relation {
	REL_PRE_DEPENDS,
	REL_DEPENDS,
	REL_RECOMMENDS,
	REL_SUGGESTS,
	REL_ENHANCES,
	REL_BREAKS,
	REL_CONFLICTS,
	REL_REPLACES,
	REL_CNT
};

enum op { OP_ANY, OP_LT, OP_LE, OP_EQ, OP_GE, OP_GT };

struct version;
struct depend;

/* One alternative: "name (op version)". */
struct choice {
	SLIST_ENTRY(choice) c_next; /* in the depend, in the index's order */
	LIST_ENTRY(choice) c_named; /* among all that name the package */
	struct depend *c_depend;
	struct package *c_package;
	char *c_version; /* NULL with OP_ANY */
	enum op c_op;
};

struct depend {
	STAILQ_ENTRY(depend) d_next; /* in the version */
	SLIST_HEAD(, choice) d_choices;
	struct version *d_version;
	struct package *d_picked; /* who satisfies it; NULL for nobody */
	enum relation d_relation;
};

struct provide {
	SLIST_ENTRY(provide) p_next; /* in the version */
	LIST_ENTRY(provide) p_named; /* among all providers of the package */
	struct version *p_from;
	struct package *p_package;
	char *p_version; /* NULL: provides no particular version */
};

struct version {
	TAILQ_ENTRY(version) v_next; /* in the package, newest first */
	STAILQ_HEAD(, depend) v_depends;
	SLIST_HEAD(, provide) v_provides;
	struct package *v_package;
	char *v_string;
	char *v_arch;
};

struct package {
	SLIST_ENTRY(package) k_hash;
	STAILQ_ENTRY(package) k_next; /* in the order of appearance */
	char *k_name;
	TAILQ_HEAD(versions, version) k_versions;
	LIST_HEAD(, provide) k_providers;
	LIST_HEAD(, choice) k_choices;
	/* What the questions of facts.c note down. */
	struct package *k_component; /* the first member met, one for all */
	struct package *k_below; /* next link of the longest chain down */
	struct package *k_stack;
	uint32_t k_index, k_low; /* Tarjan's numbers */
	uint32_t k_depth; /* links of the longest chain down */
	uint32_t k_mark; /* the last query that came by */
	uint32_t k_direct, k_all; /* packages that need this one */
};

/* A step of a walk through the graph: lives as long as the walk needs it. */
struct visit {
	STAILQ_ENTRY(visit) s_next;
	struct package *s_package;
	struct depend *s_depend; /* where a depth-first walk goes on */
};

STAILQ_HEAD(packages, package);

struct graph {
	struct packages g_packages;
	uint32_t g_query; /* number of the last walk */
	uint64_t g_stanzas, g_versions, g_provides, g_malformed;
	uint64_t g_depends[REL_CNT], g_choices[REL_CNT];
};

/* object.c: where objects come from. */
enum kind {
	KIND_PACKAGE,
	KIND_VERSION,
	KIND_DEPEND,
	KIND_CHOICE,
	KIND_PROVIDE,
	KIND_VISIT,
	KIND_STRING, /* the first of the string classes */
	KIND_CNT = KIND_STRING + 7
};
#define STRING_MAX 512 /* bytes with the NUL */

void objects_open(bool uma);
void objects_close(void);
void *object_new(enum kind kind);
void object_free(enum kind kind, void *object);
char *string_new(const char *text, size_t len);
void string_free(char *string);

/* version.c: the order of Debian's version numbers. */
int version_cmp(const char *a, const char *b);
bool version_matches(const char *have, enum op op, const char *want);

/* graph.c: putting objects into the graph and taking them out. */
extern const char *const relation_name[REL_CNT];

struct package *package_get(struct graph *g, const char *name, size_t len);
struct package *package_find(const char *name);
struct package *package_random(uint64_t *seed);
struct version *version_insert(
    struct graph *g, struct package *k, const char *string, const char *arch);
void version_remove(struct graph *g, struct version *v);
struct version *version_copy(
    struct graph *g, struct version *old, const char *string);
struct depend *depend_insert(
    struct graph *g, struct version *v, enum relation relation);
void choice_insert(struct graph *g, struct depend *d, struct package *k,
    enum op op, const char *want, size_t len);
void provide_insert(struct graph *g, struct version *v, struct package *k,
    const char *version, size_t len);
void graph_free(struct graph *g);

/* index.c: reading the index. */
bool index_read(struct graph *g, FILE *f);

/* resolve.c: who satisfies what, and what if a version changes. */
static inline bool
depend_is_hard(const struct depend *d)
{
	return d->d_relation <= REL_DEPENDS;
}
static inline bool
depend_is_positive(const struct depend *d)
{
	return d->d_relation <= REL_ENHANCES;
}
void depend_resolve(struct depend *d);
void graph_resolve(struct graph *g);
void graph_rebuild_trials(struct graph *g, uint32_t trials);

/* facts.c: what the graph knows. */
void facts_counts(struct graph *g);
void facts_unresolvable(struct graph *g);
void facts_components(struct graph *g);
void facts_closures(struct graph *g);

/* debgraph.c: a line that comes and goes on a terminal. */
void progress(const char *what, uint64_t done, uint64_t of);

#endif
