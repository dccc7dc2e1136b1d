/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl_memory.c - a process that offers no socket, by what its memory says
 * (reader.h): the names for which the statistics have the value, under the
 * names and with the words of the process's own tree.  There is nothing to set.
 *
 * All of them are made when the process is opened, and sorted as the tree is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "reader.h"

enum {
	BASE_MAX = 84, /* bytes of a zone's name in the tree, without its NUL */
	NAME_MAX_LEN = 160,
};

struct node {
	char *name;
	char *value; /* with its newline */
	const struct leaf *leaf;
};

struct memory_ctl {
	struct ctl ctl;
	size_t count, room;
	struct node *node; /* sorted */
	char note[160];
};

/* ---- the names below a zone's ---- */

struct of {
	const struct uma_stats *stats;
	const struct uma_zone_stat *zone;
	const struct uma_domain_stat *domain;
	uint64_t slab_pages;
};

#define VALUE(name, expression)                   \
	static uint64_t name(const struct of *of) \
	{                                         \
		return (expression);              \
	}
VALUE(bucket_size, of->zone->bucket_items)
VALUE(depot_items, of->domain->free_depot)
VALUE(depot_wss, of->domain->wss)
VALUE(align, of->zone->align - 1)
VALUE(slab_free, of->domain->free_slab)
VALUE(slab_empty, of->domain->empty)
VALUE(slab_pages, of->domain->slabs * of->slab_pages)
VALUE(items_a_slab, of->zone->slab_items)
VALUE(pages_a_slab, of->slab_pages)
VALUE(stride, of->zone->stride)
VALUE(limit_items, of->zone->used + of->zone->free_cached)
VALUE(limit_max, of->zone->limit)
VALUE(sleepers, of->zone->sleepers)
VALUE(sleeps, of->zone->sleeps)
VALUE(item_size, of->zone->item_size)
VALUE(allocs, of->zone->allocs)
VALUE(current, of->zone->used)
VALUE(fails, of->zone->fails)
VALUE(frees, of->zone->frees)
VALUE(xdomain, of->zone->xdomain)
VALUE(zone_count, of->stats->nzones)
VALUE(held, of->stats->memory->held)

struct leaf {
	const char *name; /* with N for the number of a domain */
	const char *type;
	uint64_t (*value)(const struct of *of);
	const char *descr;
};

static const struct leaf leaves[] = {
    {"bucket_size", "u16", bucket_size,
	"Items that the next bucket has room for"},
    {"domain.N.nitems", "long", depot_items, "Free items in the depot"},
    {"domain.N.wss", "long", depot_wss, "Estimated working set, in items"},
    {"keg.align", "u32", align, "Alignment of items, as a mask"},
    {"keg.domain.N.free_items", "u32", slab_free, "Free items in slabs"},
    {"keg.domain.N.free_slabs", "u32", slab_empty, "Slabs without an item out"},
    {"keg.domain.N.pages", "u32", slab_pages, "Pages of slabs"},
    {"keg.ipers", "u32", items_a_slab, "Items in a slab"},
    {"keg.ppera", "u32", pages_a_slab, "Pages of a slab"},
    {"keg.rsize", "u32", stride, "Bytes from item to item"},
    {"limit.items", "u64", limit_items, "Items allocated and cached"},
    {"limit.max_items", "u64", limit_max,
	"Limit on items allocated and cached, 0 for none"},
    {"limit.sleepers", "u32", sleepers, "Threads and waiters at the limit"},
    {"limit.sleeps", "u64", sleeps, "Sleeps at the limit, ever"},
    {"size", "int", item_size, "Bytes of an item, as requested"},
    {"stats.allocs", "u64", allocs, "Allocations that succeeded, ever"},
    {"stats.current", "int", current, "Items allocated"},
    {"stats.fails", "u64", fails, "Allocations that failed, ever"},
    {"stats.frees", "u64", frees, "Frees, ever"},
    {"stats.xdomain", "u64", xdomain, "Frees of another domain's items, ever"},
};
static const struct leaf singles[] = {
    {"vm.uma_kmem_total", "ulong", held,
	"Bytes of memory that zones and the library hold"},
    {"vm.zone_count", "int", zone_count, "Number of zones"},
};
static const struct leaf mode_leaf = {"vm.uma.percpu_mode", "string", NULL,
    "How hits in the CPUs' caches are made, and why so"};
static const struct leaf name_leaf = {
    "keg.name", "string", NULL, "Name of the keg"};

/* ---- making the nodes ---- */

/* False: no memory. */
static bool
node_add(struct memory_ctl *m, const struct leaf *leaf, const char *name,
    const char *value)
{
	if (m->count == m->room) {
		size_t room = m->room * 2 + 64;
		struct node *more = realloc(m->node, room * sizeof *more);

		if (more == NULL)
			return false;
		m->node = more;
		m->room = room;
	}
	struct node *n = &m->node[m->count];
	*n = (struct node){strdup(name), malloc(strlen(value) + 2), leaf};
	if (n->name == NULL || n->value == NULL) {
		free(n->name);
		free(n->value);
		return false;
	}
	strcat(strcpy(n->value, value), "\n");
	m->count++;
	return true;
}

static bool
number_add(struct memory_ctl *m, const struct leaf *leaf, const char *name,
    const struct of *of)
{
	char value[32];

	snprintf(
	    value, sizeof value, "%llu", (unsigned long long)leaf->value(of));
	return node_add(m, leaf, name, value);
}

/* As the process itself calls it: _ for what would divide or end a name. */
static void
zone_prefix(
    const struct uma_zone_stat *st, const char *name, char prefix[NAME_MAX_LEN])
{
	size_t len = (size_t)sprintf(prefix, "vm.uma.");
	const char *from = name;

	for (; *from != '\0' && from - name < BASE_MAX; from++) {
		unsigned char c = (unsigned char)*from;
		bool bad = c <= ' ' || c == 0x7f || strchr("./\\-", c) != NULL;

		prefix[len++] = bad ? '_' : *from;
	}
	if (from == name)
		prefix[len++] = '_';
	prefix[len] = '\0';
	if (st->name_cnt != 0)
		snprintf(prefix + len, NAME_MAX_LEN - len, "_%u",
		    (unsigned)st->name_cnt);
}

/* A leaf of each domain, or the one. */
static bool
leaf_add(struct memory_ctl *m, const struct leaf *leaf, const char *prefix,
    struct of *of, size_t z)
{
	const char *at = strstr(leaf->name, ".N.");
	char name[2 * NAME_MAX_LEN];

	if (at == NULL) {
		snprintf(name, sizeof name, "%s.%s", prefix, leaf->name);
		return number_add(m, leaf, name, of);
	}
	for (int d = 0; d < of->stats->ndomains; d++) {
		of->domain = uma_stats_domain(of->stats, z, d);
		snprintf(name, sizeof name, "%s.%.*s.%d%s", prefix,
		    (int)(at - leaf->name), leaf->name, d, at + 2);
		if (of->domain != NULL && !number_add(m, leaf, name, of))
			return false;
	}
	return true;
}

static bool
zone_add(struct memory_ctl *m, const struct uma_stats *stats, size_t z)
{
	const struct uma_zone_stat *st = uma_stats_zone(stats, z);
	struct of of = {.stats = stats, .zone = st};
	char prefix[NAME_MAX_LEN], keg[NAME_MAX_LEN + 16];

	if (st == NULL)
		return true;
	const char *name = stats->name != NULL ? stats->name[z] : st->name;
	of.slab_pages = st->slab_size / (uint64_t)sysconf(_SC_PAGESIZE);
	zone_prefix(st, name, prefix);
	snprintf(keg, sizeof keg, "%s.%s", prefix, name_leaf.name);
	bool ok =
	    node_add(m, &name_leaf, keg, ctl_printable(name, strlen(name)));
	for (size_t i = 0; ok && i < sizeof leaves / sizeof leaves[0]; i++)
		ok = leaf_add(m, &leaves[i], prefix, &of, z);
	return ok;
}

/* The tree's order: '.' comes first. */
static int
compare(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b)
		a++, b++;
	int ca = *a == '\0' ? 0 : *a == '.' ? 1 : (unsigned char)*a + 2;
	int cb = *b == '\0' ? 0 : *b == '.' ? 1 : (unsigned char)*b + 2;
	return ca - cb;
}

static int
compare_nodes(const void *a, const void *b)
{
	return compare(
	    ((const struct node *)a)->name, ((const struct node *)b)->name);
}

static bool
fill(struct memory_ctl *m, const struct uma_stats *stats)
{
	struct of of = {.stats = stats};
	bool ok = node_add(m, &mode_leaf, mode_leaf.name, stats->mode);

	for (size_t i = 0; ok && i < sizeof singles / sizeof singles[0]; i++)
		ok = number_add(m, &singles[i], singles[i].name, &of);
	for (size_t z = 0; ok && z < stats->nzones; z++)
		ok = zone_add(m, stats, z);
	qsort(m->node, m->count, sizeof *m->node, compare_nodes);
	return ok;
}

/* ---- what umactl calls ---- */

/* The first node behind, or with the same name. */
static size_t
position(const struct memory_ctl *m, const char *name)
{
	size_t low = 0, high = m->count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (compare(m->node[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* 0, and *n is NULL where others are below; or ENOENT. */
static int
find(struct ctl *c, const char *name, const struct node **n)
{
	const struct memory_ctl *m = (const struct memory_ctl *)c;
	size_t at = position(m, name), len = strlen(name);

	if (at == m->count || strncmp(m->node[at].name, name, len) != 0)
		return ENOENT;
	*n = m->node[at].name[len] == '\0' ? &m->node[at] : NULL;
	return *n != NULL || m->node[at].name[len] == '.' ? 0 : ENOENT;
}

static int
value_set(struct ctl_value *v, const char *type, const char *text)
{
	snprintf(v->type, sizeof v->type, "%s", type);
	v->bytes = strdup(text);
	v->len = strlen(text);
	return v->bytes != NULL ? 0 : ENOMEM;
}

static int
memory_get(struct ctl *c, const char *name, struct ctl_value *v)
{
	const struct node *n;
	int error = find(c, name, &n);

	if (error != 0)
		return error;
	return n != NULL ? value_set(v, n->leaf->type, n->value) : EISDIR;
}

static int
memory_describe(struct ctl *c, const char *name, struct ctl_info *info)
{
	const struct node *n;
	int error = find(c, name, &n);

	*info = (struct ctl_info){
	    .type = "node", .access = "r", .format = "-", .source = "-"};
	if (error == 0 && n != NULL) {
		snprintf(info->type, sizeof info->type, "%s", n->leaf->type);
		snprintf(info->descr, sizeof info->descr, "%s", n->leaf->descr);
	}
	return error;
}

static int
memory_set(struct ctl *c, const char *name, const char *value)
{
	(void)c, (void)name, (void)value;
	return EOPNOTSUPP;
}

static int
memory_list(struct ctl *c, const char *after, struct ctl_value *v)
{
	struct memory_ctl *m = (struct memory_ctl *)c;
	char text[NAME_MAX_LEN * 64 * 2] = "";
	size_t at = position(m, after), len = 0;

	if (at < m->count && strcmp(m->node[at].name, after) == 0)
		at++;
	for (int i = 0; i < 64 && at < m->count; i++, at++)
		len += (size_t)sprintf(text + len, "%s\n", m->node[at].name);
	return value_set(v, "", text);
}

static void
memory_close(struct ctl *c)
{
	struct memory_ctl *m = (struct memory_ctl *)c;

	for (size_t i = 0; i < m->count; i++) {
		free(m->node[i].name);
		free(m->node[i].value);
	}
	free(m->node);
	free(m);
}

static struct uma_stats *
stats_of(long pid)
{
	struct target *t = target_pid(pid);
	struct uma_stats *stats = t != NULL ? target_stats(t) : NULL;

	if (stats == NULL)
		ctl_set_error(
		    "process %ld has no control socket that answers, and: %s",
		    pid, target_error());
	target_close(t);
	return stats;
}

struct ctl *
ctl_memory(long pid)
{
	struct uma_stats *stats = stats_of(pid);
	struct memory_ctl *m;

	if (stats == NULL)
		return NULL;
	m = calloc(1, sizeof *m);
	if (m == NULL || !fill(m, stats)) {
		ctl_set_error("no memory");
		if (m != NULL)
			memory_close(&m->ctl);
		m = NULL;
	} else {
		m->ctl = (struct ctl){memory_get, memory_describe, memory_set,
		    memory_list, memory_close, m->note};
		snprintf(m->note, sizeof m->note,
		    "process %ld has no control socket that answers: only "
		    "statistics of zones can be read, nothing set",
		    pid);
	}
	target_stats_free(stats);
	return m != NULL ? &m->ctl : NULL;
}
