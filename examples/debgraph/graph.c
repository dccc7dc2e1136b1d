/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * graph.c - putting objects into the graph and taking them out again.
 */
#include <string.h>

#include "debgraph.h"

#define TABLE_SIZE (1u << 17)

const char *const relation_name[REL_CNT] = {
    "Pre-Depends",
    "Depends",
    "Recommends",
    "Suggests",
    "Enhances",
    "Breaks",
    "Conflicts",
    "Replaces",
};

static SLIST_HEAD(, package) table[TABLE_SIZE];

/* FNV-1a, by Fowler, Noll and Vo. */
static uint32_t
hash(const char *name, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 16777619u;
	return (h ^ (h >> 17)) % TABLE_SIZE;
}

static struct package *
lookup(const char *name, size_t len, uint32_t slot)
{
	struct package *k;

	SLIST_FOREACH(k, &table[slot], k_hash)
	if (strncmp(k->k_name, name, len) == 0 && k->k_name[len] == '\0')
		break;
	return k;
}

struct package *
package_find(const char *name)
{
	size_t len = strlen(name);

	return lookup(name, len, hash(name, len));
}

/* The package of that name, made when it is met for the first time. */
struct package *
package_get(struct graph *g, const char *name, size_t len)
{
	uint32_t slot = hash(name, len);
	struct package *k = lookup(name, len, slot);

	if (k != NULL)
		return k;
	k = object_new(KIND_PACKAGE);
	k->k_name = string_new(name, len);
	k->k_component = k->k_below = k->k_stack = NULL;
	k->k_index = k->k_low = k->k_depth = 0;
	k->k_mark = k->k_direct = k->k_all = 0;
	SLIST_INSERT_HEAD(&table[slot], k, k_hash);
	STAILQ_INSERT_TAIL(&g->g_packages, k, k_next);
	return k;
}

/* A package that has a version; xorshift64 (Marsaglia, 2003) picks it. */
struct package *
package_random(uint64_t *seed)
{
	struct package *k;

	for (;;) {
		*seed ^= *seed << 13;
		*seed ^= *seed >> 7;
		*seed ^= *seed << 17;
		SLIST_FOREACH(k, &table[*seed % TABLE_SIZE], k_hash)
		if (!TAILQ_EMPTY(&k->k_versions))
			return k;
	}
}

/* NULL: the package has this version of this architecture already. */
struct version *
version_insert(
    struct graph *g, struct package *k, const char *string, const char *arch)
{
	struct version *older;

	TAILQ_FOREACH(older, &k->k_versions, v_next)
	{
		int diff = version_cmp(string, older->v_string);

		if (diff > 0)
			break;
		if (diff == 0 && strcmp(arch, older->v_arch) == 0)
			return NULL;
	}

	struct version *v = object_new(KIND_VERSION);

	v->v_package = k;
	v->v_string = string_new(string, strlen(string));
	v->v_arch = string_new(arch, strlen(arch));
	if (older != NULL)
		TAILQ_INSERT_BEFORE(older, v, v_next);
	else
		TAILQ_INSERT_TAIL(&k->k_versions, v, v_next);
	g->g_versions++;
	return v;
}

struct depend *
depend_insert(struct graph *g, struct version *v, enum relation relation)
{
	struct depend *d = object_new(KIND_DEPEND);

	d->d_version = v;
	d->d_picked = NULL;
	d->d_relation = relation;
	STAILQ_INSERT_TAIL(&v->v_depends, d, d_next);
	g->g_depends[relation]++;
	return d;
}

/* Append an alternative; want, of len bytes, may be anything with OP_ANY. */
void
choice_insert(struct graph *g, struct depend *d, struct package *k, enum op op,
    const char *want, size_t len)
{
	struct choice *c = object_new(KIND_CHOICE);
	struct choice *last = SLIST_FIRST(&d->d_choices);

	c->c_depend = d;
	c->c_package = k;
	c->c_op = op;
	c->c_version = op == OP_ANY ? NULL : string_new(want, len);
	while (last != NULL && SLIST_NEXT(last, c_next) != NULL)
		last = SLIST_NEXT(last, c_next);
	if (last == NULL)
		SLIST_INSERT_HEAD(&d->d_choices, c, c_next);
	else
		SLIST_INSERT_AFTER(last, c, c_next);
	LIST_INSERT_HEAD(&k->k_choices, c, c_named);
	g->g_choices[d->d_relation]++;
}

void
provide_insert(struct graph *g, struct version *v, struct package *k,
    const char *version, size_t len)
{
	struct provide *p = object_new(KIND_PROVIDE);

	p->p_from = v;
	p->p_package = k;
	p->p_version = version == NULL ? NULL : string_new(version, len);
	SLIST_INSERT_HEAD(&v->v_provides, p, p_next);
	LIST_INSERT_HEAD(&k->k_providers, p, p_named);
	g->g_provides++;
}

static void
depend_free(struct graph *g, struct depend *d)
{
	struct choice *c;

	while ((c = SLIST_FIRST(&d->d_choices)) != NULL) {
		SLIST_REMOVE_HEAD(&d->d_choices, c_next);
		LIST_REMOVE(c, c_named);
		string_free(c->c_version);
		object_free(KIND_CHOICE, c);
		g->g_choices[d->d_relation]--;
	}
	g->g_depends[d->d_relation]--;
	object_free(KIND_DEPEND, d);
}

void
version_remove(struct graph *g, struct version *v)
{
	struct depend *d;
	struct provide *p;

	while ((d = STAILQ_FIRST(&v->v_depends)) != NULL) {
		STAILQ_REMOVE_HEAD(&v->v_depends, d_next);
		depend_free(g, d);
	}
	while ((p = SLIST_FIRST(&v->v_provides)) != NULL) {
		SLIST_REMOVE_HEAD(&v->v_provides, p_next);
		LIST_REMOVE(p, p_named);
		string_free(p->p_version);
		object_free(KIND_PROVIDE, p);
		g->g_provides--;
	}
	TAILQ_REMOVE(&v->v_package->k_versions, v, v_next);
	string_free(v->v_string);
	string_free(v->v_arch);
	object_free(KIND_VERSION, v);
	g->g_versions--;
}

/* The same contents under another version number; NULL if that is taken. */
struct version *
version_copy(struct graph *g, struct version *old, const char *string)
{
	struct version *v =
	    version_insert(g, old->v_package, string, old->v_arch);
	struct depend *d;
	struct choice *c;
	struct provide *p;

	if (v == NULL)
		return NULL;
	STAILQ_FOREACH(d, &old->v_depends, d_next)
	{
		struct depend *copy = depend_insert(g, v, d->d_relation);

		copy->d_picked = d->d_picked;
		SLIST_FOREACH(c, &d->d_choices, c_next)
		choice_insert(g, copy, c->c_package, c->c_op, c->c_version,
		    c->c_version ? strlen(c->c_version) : 0);
	}
	SLIST_FOREACH(p, &old->v_provides, p_next)
	provide_insert(g, v, p->p_package, p->p_version,
	    p->p_version ? strlen(p->p_version) : 0);
	return v;
}

/* Versions first: they hold on to packages. */
void
graph_free(struct graph *g)
{
	struct package *k;
	struct version *v;

	STAILQ_FOREACH(k, &g->g_packages, k_next)
	while ((v = TAILQ_FIRST(&k->k_versions)) != NULL)
		version_remove(g, v);
	memset(table, 0, sizeof table);
	while ((k = STAILQ_FIRST(&g->g_packages)) != NULL) {
		STAILQ_REMOVE_HEAD(&g->g_packages, k_next);
		string_free(k->k_name);
		object_free(KIND_PACKAGE, k);
	}
}
