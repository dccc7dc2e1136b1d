/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * facts.c - what the graph knows.  All walks follow what resolve.c picked for
 * the Depends and Pre-Depends of a package's newest version.
 */
#include <string.h>

#include "debgraph.h"

#define LINE_WIDTH 76

static struct depend *
hard_from(struct depend *d)
{
	while (d != NULL && (!depend_is_hard(d) || d->d_picked == NULL))
		d = STAILQ_NEXT(d, d_next);
	return d;
}

/* The first hard dependency of a package that is satisfied, and the next. */
static struct depend *
hard_first(const struct package *k)
{
	struct version *v = TAILQ_FIRST(&k->k_versions);

	return v == NULL ? NULL : hard_from(STAILQ_FIRST(&v->v_depends));
}

static struct depend *
hard_next(const struct depend *d)
{
	return hard_from(STAILQ_NEXT(d, d_next));
}

/* Print words with separators between, on lines of some 76 columns. */
struct line {
	size_t column;
};

static void
line_word(struct line *line, const char *separator, const char *word)
{
	size_t len = strlen(separator) + strlen(word);

	if (line->column == 0 || line->column + len > LINE_WIDTH) {
		printf("%s%s   ", line->column ? separator : "",
		    line->column ? "\n" : "");
		line->column = 3;
		separator = "";
	}
	line->column += strlen(separator) + strlen(word) + 1;
	printf("%s %s", separator, word);
}

void
facts_counts(struct graph *g)
{
	uint64_t packages = 0, virtuals = 0, missing = 0;
	struct package *k;

	STAILQ_FOREACH(k, &g->g_packages, k_next)
	{
		if (!TAILQ_EMPTY(&k->k_versions))
			packages++;
		else if (!LIST_EMPTY(&k->k_providers))
			virtuals++;
		else
			missing++;
	}
	printf(
	    "packages                %10llu\n", (unsigned long long)packages);
	printf("versions                %10llu\n",
	    (unsigned long long)g->g_versions);
	printf("virtual packages        %10llu  names that others provide\n",
	    (unsigned long long)virtuals);
	printf("missing packages        %10llu  names only asked for\n",
	    (unsigned long long)missing);
	printf("provides                %10llu\n",
	    (unsigned long long)g->g_provides);
	if (g->g_malformed > 0)
		printf("not understood          %10llu\n",
		    (unsigned long long)g->g_malformed);
	printf("\nRelations                relations  alternatives\n");
	for (int i = 0; i < REL_CNT; i++)
		printf("  %-21s %10llu  %12llu\n", relation_name[i],
		    (unsigned long long)g->g_depends[i],
		    (unsigned long long)g->g_choices[i]);
}

static void
print_unresolvable(const struct depend *d)
{
	static const char *const sign[] = {
	    [OP_LT] = "<<",
	    [OP_LE] = "<=",
	    [OP_EQ] = "=",
	    [OP_GE] = ">=",
	    [OP_GT] = ">>",
	};
	const struct choice *c = SLIST_FIRST(&d->d_choices);

	printf("    %s %s needs %s", d->d_version->v_package->k_name,
	    d->d_version->v_string, c->c_package->k_name);
	if (c->c_op != OP_ANY)
		printf(" (%s %s)", sign[c->c_op], c->c_version);
	printf("%s\n", SLIST_NEXT(c, c_next) != NULL ? " | ..." : "");
}

void
facts_unresolvable(struct graph *g)
{
	uint64_t nobody[REL_CNT] = {0}, shown = 0;
	struct package *k;
	struct version *v;
	struct depend *d;

	STAILQ_FOREACH(k, &g->g_packages, k_next)
	TAILQ_FOREACH(v, &k->k_versions, v_next)
	STAILQ_FOREACH(d, &v->v_depends, d_next)
	nobody[d->d_relation] += d->d_picked == NULL;
	printf("\nUnresolvable: no version and no provider in the index\n");
	for (int i = 0; i < REL_CNT; i++)
		if (i <= REL_ENHANCES)
			printf("  %-21s %10llu\n", relation_name[i],
			    (unsigned long long)nobody[i]);
	STAILQ_FOREACH(k, &g->g_packages, k_next)
	TAILQ_FOREACH(v, &k->k_versions, v_next)
	STAILQ_FOREACH(d, &v->v_depends, d_next)
	if (depend_is_hard(d) && d->d_picked == NULL && shown++ < 3)
		print_unresolvable(d);
}

static struct visit *
visit_new(struct package *k)
{
	struct visit *s = object_new(KIND_VISIT);

	s->s_package = k;
	s->s_depend = hard_first(k);
	return s;
}

STAILQ_HEAD(visits, visit);

static void
visits_pop(struct visits *visits)
{
	struct visit *s = STAILQ_FIRST(visits);

	STAILQ_REMOVE_HEAD(visits, s_next);
	object_free(KIND_VISIT, s);
}

/* What Tarjan's walk (SIAM J. Comput. 1, 1972) keeps, and finds. */
struct components {
	struct visits path;
	struct package *stack; /* met, and in no component yet */
	uint32_t met;
	uint32_t cycles, largest;
	struct package *of_largest, *deepest;
};

static void
component_enter(struct components *t, struct package *k)
{
	struct visit *s = visit_new(k);

	k->k_index = k->k_low = ++t->met;
	k->k_stack = t->stack;
	t->stack = k;
	STAILQ_INSERT_HEAD(&t->path, s, s_next);
}

/* All members are on the stack, down to the first one met. */
static void
component_close(struct components *t, struct package *first)
{
	struct package *k, *members = t->stack;
	struct depend *d;
	uint32_t size = 0;

	for (k = members; k != first->k_stack; k = k->k_stack, size++)
		k->k_component = first;
	t->stack = k;
	first->k_depth = 1;
	for (k = members; k != t->stack; k = k->k_stack)
		for (d = hard_first(k); d != NULL; d = hard_next(d)) {
			struct package *to = d->d_picked->k_component;

			if (to != first && to->k_depth >= first->k_depth) {
				first->k_depth = to->k_depth + 1;
				first->k_below = to;
			}
		}
	t->cycles += size > 1;
	if (size > t->largest) {
		t->largest = size;
		t->of_largest = first;
	}
	if (t->deepest == NULL || first->k_depth > t->deepest->k_depth)
		t->deepest = first;
}

/* Depth first from one package, without recursion: chains can be long. */
static void
component_walk(struct components *t, struct package *root)
{
	struct visit *s;

	component_enter(t, root);
	while ((s = STAILQ_FIRST(&t->path)) != NULL) {
		struct package *k = s->s_package;

		if (s->s_depend != NULL) {
			struct package *to = s->s_depend->d_picked;

			s->s_depend = hard_next(s->s_depend);
			if (to->k_index == 0)
				component_enter(t, to);
			else if (to->k_component == NULL &&
				 to->k_index < k->k_low)
				k->k_low = to->k_index;
			continue;
		}
		if (k->k_low == k->k_index)
			component_close(t, k);
		visits_pop(&t->path);
		s = STAILQ_FIRST(&t->path);
		if (s != NULL && k->k_low < s->s_package->k_low)
			s->s_package->k_low = k->k_low;
	}
}

void
facts_components(struct graph *g)
{
	struct components t = {.path = STAILQ_HEAD_INITIALIZER(t.path)};
	struct line line = {0};
	struct package *k;
	uint32_t shown = 0;

	STAILQ_FOREACH(k, &g->g_packages, k_next)
	if (k->k_index == 0 && !TAILQ_EMPTY(&k->k_versions))
		component_walk(&t, k);
	printf("\nCycles: packages that need each other\n");
	printf("  cycles                %10u\n", t.cycles);
	printf("  packages in largest   %10u\n", t.largest);
	STAILQ_FOREACH(k, &g->g_packages, k_next)
	if (t.largest > 1 && k->k_component == t.of_largest && shown++ < 12)
		line_word(&line, line.column ? "," : "", k->k_name);
	printf("%s", shown > 12 ? ", ...\n" : shown > 0 ? "\n" : "");

	line.column = 0;
	printf("\nLongest chain of dependencies (a cycle is one link): %u\n",
	    t.deepest != NULL ? t.deepest->k_depth : 0);
	for (k = t.deepest; k != NULL; k = k->k_below)
		line_word(&line, line.column ? " >" : "", k->k_name);
	printf("\n");
}

/*
 * All that installing one package brings in, itself included, as a plan of
 * visits in the order of their distance; each is counted for its package.
 */
static uint32_t
closure(struct graph *g, struct package *root)
{
	struct visits plan = STAILQ_HEAD_INITIALIZER(plan);
	struct visit *s = visit_new(root);
	uint32_t size = 0;

	root->k_mark = ++g->g_query;
	STAILQ_INSERT_TAIL(&plan, s, s_next);
	for (; s != NULL; s = STAILQ_NEXT(s, s_next), size++)
		for (; s->s_depend; s->s_depend = hard_next(s->s_depend)) {
			struct package *to = s->s_depend->d_picked;

			if (s->s_package == root && to->k_mark != g->g_query)
				to->k_direct++;
			if (to->k_mark == g->g_query)
				continue;
			to->k_mark = g->g_query;
			to->k_all++;

			struct visit *next = visit_new(to);

			STAILQ_INSERT_TAIL(&plan, next, s_next);
		}
	while (!STAILQ_EMPTY(&plan))
		visits_pop(&plan);
	return size;
}

static void
print_most_needed(struct graph *g)
{
	enum { TOP = 10 };
	struct package *top[TOP], *k;
	int n = 0, i;

	STAILQ_FOREACH(k, &g->g_packages, k_next)
	{
		for (i = n; i > 0 && top[i - 1]->k_direct < k->k_direct; i--)
			if (i < TOP)
				top[i] = top[i - 1];
		if (i < TOP && k->k_direct > 0) {
			top[i] = k;
			n += n < TOP;
		}
	}
	printf("\nMost depended upon         directly     in all\n");
	for (i = 0; i < n; i++)
		printf("  %-21s %10u %10u\n", top[i]->k_name, top[i]->k_direct,
		    top[i]->k_all);
}

/* The plan of every package of the index, each made and thrown away. */
void
facts_closures(struct graph *g)
{
	static const char *const known[] = {"bash", "python3", "git",
	    "openssh-server", "systemd", "build-essential", "postgresql",
	    "firefox-esr", "gimp", "libreoffice", "gnome", "kde-full",
	    "texlive-full"};
	uint64_t packages = 0, total = 0;
	uint32_t most = 0;
	struct package *k, *largest = NULL;

	STAILQ_FOREACH(k, &g->g_packages, k_next)
	{
		if (TAILQ_EMPTY(&k->k_versions))
			continue;

		uint32_t size = closure(g, k);

		total += size;
		if (size > most) {
			most = size;
			largest = k;
		}
		if (packages++ % 1024 == 0)
			progress("planning", packages, g->g_versions);
	}
	print_most_needed(g);
	if (largest == NULL)
		return;
	printf("\nPackages that installing one brings in, itself included\n");
	printf("  on average            %12.1f\n",
	    (double)total / (double)packages);
	printf("  most                  %10u  %s\n", most, largest->k_name);
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if ((k = package_find(known[i])) != NULL &&
		    !TAILQ_EMPTY(&k->k_versions))
			printf("  %-21s %10u\n", known[i], closure(g, k));
}
