/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolve.c - who satisfies what, and what breaks if one version changes.
 */
#include <string.h>

#include "debgraph.h"

static bool
provide_matches(const struct provide *p, const struct choice *c)
{
	if (c->c_op == OP_ANY)
		return true;
	return p->p_version != NULL &&
	       version_matches(p->p_version, c->c_op, c->c_version);
}

/*
 * The package itself if it has a version that will do; else the first by name
 * of those that provide it, whatever the order in which they were linked.
 */
static struct package *
choice_pick(const struct choice *c)
{
	const struct version *v;
	const struct provide *p;
	struct package *best = NULL;

	TAILQ_FOREACH(v, &c->c_package->k_versions, v_next)
	if (version_matches(v->v_string, c->c_op, c->c_version))
		return c->c_package;
	LIST_FOREACH(p, &c->c_package->k_providers, p_named)
	{
		struct package *k = p->p_from->v_package;

		if (provide_matches(p, c) &&
		    (best == NULL || strcmp(k->k_name, best->k_name) < 0))
			best = k;
	}
	return best;
}

/* The first alternative that can be had, as apt does. */
void
depend_resolve(struct depend *d)
{
	struct choice *c;

	d->d_picked = NULL;
	SLIST_FOREACH(c, &d->d_choices, c_next)
	if ((d->d_picked = choice_pick(c)) != NULL)
		return;
}

void
graph_resolve(struct graph *g)
{
	struct package *k;
	struct version *v;
	struct depend *d;

	STAILQ_FOREACH(k, &g->g_packages, k_next)
	TAILQ_FOREACH(v, &k->k_versions, v_next)
	STAILQ_FOREACH(d, &v->v_depends, d_next)
	if (depend_is_positive(d))
		depend_resolve(d);
}

/*
 * Resolve what names the package once more.  Returns the number of Depends
 * and Pre-Depends that were satisfied and are no longer.
 */
static uint32_t
resolve_again(struct package *k)
{
	struct choice *c;
	uint32_t broken = 0;

	LIST_FOREACH(c, &k->k_choices, c_named)
	{
		struct depend *d = c->c_depend;
		bool before = d->d_picked != NULL;

		if (!depend_is_positive(d))
			continue;
		depend_resolve(d);
		if (before && d->d_picked == NULL && depend_is_hard(d))
			broken++;
	}
	return broken;
}

/* Put a copy with another version number in a version's place. */
static uint32_t
replace_version(struct graph *g, struct version *old, const char *string)
{
	struct package *k = old->v_package;

	if (version_copy(g, old, string) == NULL)
		return 0;
	version_remove(g, old);
	return resolve_again(k);
}

/*
 * The churn.  Take a package, put a rebuild of it (1.2-3 becomes 1.2-3+b1) in
 * its place, see who depended on exactly the old one, and put that back.  Each
 * trial makes and frees all objects of a version twice; the graph is the same
 * before and after.
 */
void
graph_rebuild_trials(struct graph *g, uint32_t trials)
{
	uint64_t seed = 20260101, broken = 0;
	uint32_t harmless = 0, most = 0;
	struct package *worst = NULL;
	char old[STRING_MAX], rebuilt[STRING_MAX + 4];

	for (uint32_t i = 0; i < trials; i++) {
		struct package *k = package_random(&seed);

		snprintf(old, sizeof old, "%s",
		    TAILQ_FIRST(&k->k_versions)->v_string);
		snprintf(
		    rebuilt, sizeof rebuilt, "%.*s+b1", STRING_MAX - 4, old);

		uint32_t n =
		    replace_version(g, TAILQ_FIRST(&k->k_versions), rebuilt);

		replace_version(g, TAILQ_FIRST(&k->k_versions), old);
		broken += n;
		harmless += n == 0;
		if (n > most) {
			most = n;
			worst = k;
		}
		if (i % 1024 == 0)
			progress("rebuilding", i, trials);
	}
	printf("\nRebuilding one package alone, %u random trials\n", trials);
	printf("  nothing else breaks   %10u times\n", harmless);
	printf("  dependencies broken   %10llu in all\n",
	    (unsigned long long)broken);
	if (worst != NULL)
		printf("  worst                 %10u by %s\n", most,
		    worst->k_name);
}
