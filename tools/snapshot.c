/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot.c - the statistics of all zones of a target, by the arithmetic of
 * the library's own: zone/stat.c says what it means, percpu/cache.c what
 * cursors are, and where counts begin.
 *
 * Zones are taken in blocks, of which everything of one kind is read with one
 * call: first kegs, tables of CPUs and names, then the buckets that the CPUs
 * have, and then the zones once more, since what is allocated is the units less
 * what is cached, and counted in the other order could be less than nothing.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "target.h"
#include "uma_memory_int.h"

#define BLOCK_HEADERS 4096 /* CPUs' headers in a block, about */
#define BLOCK_ZONES   256
#define CELLS_MAX     ((size_t)1 << 24) /* zones times CPUs */

/* What a block is read into. */
struct block {
	struct target *t;
	const struct copy *c;
	struct zone_list *zl;
	size_t from, cnt; /* zones */
	size_t room; /* zones that there is memory for */
	size_t keg_len, table_len, bucket_len; /* bytes */
	char *keg, *table; /* [room] */
	char *window; /* [room * cpus]: slots below the cursors */
	char *spare; /* [room * cpus]: heads of buckets */
	char **name; /* [zl->cnt], malloc'ed */
	struct span *span; /* [2 * room * cpus], or 3 * room */
	size_t spans;
};

static uint64_t
sub_clamped(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static const char *
raw_zone(const struct block *b, size_t i)
{
	return zone_bytes(b->zl, b->from + i);
}

static uint64_t
zone_get(const struct block *b, size_t i, enum name_field f)
{
	return field_get(b->c, raw_zone(b, i), b->zl->len, f);
}

static uint64_t
zone_get2(
    const struct block *b, size_t i, enum name_field outer, enum name_field f)
{
	return field_get2(b->c, raw_zone(b, i), b->zl->len, outer, f);
}

static uint64_t
keg_get2(
    const struct block *b, size_t i, enum name_field outer, enum name_field f)
{
	return field_get2(b->c, b->keg + i * b->keg_len, b->keg_len, outer, f);
}

/* A field of one of an array of structs inside a struct. */
static uint64_t
element_get(const struct copy *c, const char *raw, size_t len,
    enum name_field array, enum name_field size, size_t n, enum name_field f)
{
	return number_at(raw, len,
	    (uint64_t)c->field[array].value + n * c->field[size].value +
		c->field[f].value,
	    c->field[f].size);
}

static uint64_t
domain_get(const struct block *b, size_t i, int d, enum name_field f)
{
	return element_get(b->c, b->keg + i * b->keg_len, b->keg_len,
	    NF_KEG_DOMAIN, NF_KEGDOM, (size_t)d, f);
}

static uint64_t
depot_get(const struct block *b, size_t i, int d, enum name_field f)
{
	return element_get(b->c, raw_zone(b, i), b->zl->len, NF_ZONE_DEPOT,
	    NF_DEPOT, (size_t)d, f);
}

static uint64_t
depot_wss(const struct block *b, size_t i, int d)
{
	const struct copy *c = b->c;

	return number_at(raw_zone(b, i), b->zl->len,
	    (uint64_t)c->field[NF_ZONE_DEPOT].value +
		(uint64_t)d * c->field[NF_DEPOT].value +
		c->field[NF_DEPOT_WS].value + c->field[NF_WSET_SIZE].value,
	    c->field[NF_WSET_SIZE].size);
}

static uint64_t
header_get(const struct block *b, size_t i, int cpu, enum name_field f)
{
	const struct copy *c = b->c;

	return number_at(b->table + i * b->table_len, b->table_len,
	    (uint64_t)cpu * c->field[NF_PCPU].value + c->field[f].value,
	    c->field[f].size);
}

/* ---- reading a block ---- */

static void
block_free(struct block *b)
{
	free(b->keg);
	free(b->table);
	free(b->window);
	free(b->spare);
	free(b->span);
	for (size_t z = 0; b->name != NULL && z < b->zl->cnt; z++)
		free(b->name[z]);
	free(b->name);
}

static bool
block_init(struct block *b, struct target *t, struct zone_list *zl)
{
	const struct copy *c = target_copy(t);
	size_t cpus = (size_t)zl->cpus, room = BLOCK_HEADERS / cpus;

	room = room < 1 ? 1 : room > BLOCK_ZONES ? BLOCK_ZONES : room;
	*b = (struct block){.t = t,
	    .c = c,
	    .zl = zl,
	    .room = room,
	    .keg_len = c->field[NF_KEG].value +
		       (size_t)zl->domains * c->field[NF_KEGDOM].value,
	    .table_len = cpus * c->field[NF_PCPU].value,
	    .bucket_len = c->field[NF_BUCKET].value};
	b->keg = malloc(room * b->keg_len);
	b->table = malloc(room * b->table_len);
	b->window =
	    malloc(room * cpus * 8 * (c->field[NF_BUCKET_CAP_MAX].value + 1));
	b->spare = malloc(room * cpus * b->bucket_len);
	b->span = malloc((room * cpus * 2 + room * 3) * sizeof *b->span);
	b->name = calloc(zl->cnt + 1, sizeof *b->name);
	if (b->keg != NULL && b->table != NULL && b->window != NULL &&
	    b->spare != NULL && b->span != NULL && b->name != NULL)
		return true;
	block_free(b);
	return target_fail("no memory");
}

static void
span_add(struct block *b, uint64_t addr, void *buf, size_t len)
{
	b->span[b->spans++] = (struct span){addr, buf, len, false};
}

/* False: some of it cannot be read. */
static bool
spans_read(struct block *b, const char *what)
{
	target_read_spans(b->t, b->span, b->spans);
	for (size_t i = 0; i < b->spans; i++)
		if (!b->span[i].ok)
			return target_fail_read(b->t, what);
	b->spans = 0;
	return true;
}

static bool
block_read_parts(struct block *b)
{
	for (size_t i = 0; i < b->cnt; i++) {
		uint64_t table = zone_get2(b, i, NF_ZONE_CACHE, NF_CACHE_TABLE);
		size_t len = zone_get(b, i, NF_ZONE_NAME_SIZE);
		char *to = b->table + i * b->table_len;

		len = len < NAME_LEN_MAX ? len : NAME_LEN_MAX;
		char *name = calloc(len + 1, 1);
		free(b->name[b->from + i]);
		b->name[b->from + i] = name;
		if (name == NULL)
			return target_fail("no memory");
		span_add(b, zone_get(b, i, NF_ZONE_KEG),
		    b->keg + i * b->keg_len, b->keg_len);
		memset(to, 0, b->table_len);
		if (table != 0)
			span_add(b, table, to, b->table_len);
		if (len > 0)
			span_add(b, zone_get(b, i, NF_ZONE_NAME), name, len);
	}
	return spans_read(b, "what belongs to a zone");
}

/* The slots at and below a CPU's cursor: where, of what length; 0: none. */
static size_t
window_at(const struct block *b, size_t i, int cpu, uint64_t *addr)
{
	uint64_t cursor = header_get(b, i, cpu, NF_PCPU_CURSOR);
	uint64_t len = 8 * ((uint64_t)b->c->field[NF_BUCKET_CAP_MAX].value + 1);

	if (cursor == 0 || cursor == b->c->root[NR_DUMMY_SLOT])
		return 0;
	if (len > cursor + 8)
		len = cursor + 8;
	*addr = cursor + 8 - len;
	return (size_t)len;
}

static char *
window_of(const struct block *b, size_t i, int cpu)
{
	return b->window + (i * (size_t)b->zl->cpus + (size_t)cpu) * 8 *
			       (b->c->field[NF_BUCKET_CAP_MAX].value + 1);
}

static char *
spare_of(const struct block *b, size_t i, int cpu)
{
	return b->spare +
	       (i * (size_t)b->zl->cpus + (size_t)cpu) * b->bucket_len;
}

static bool
block_read_buckets(struct block *b)
{
	for (size_t i = 0; i < b->cnt; i++)
		for (int cpu = 0; cpu < b->zl->cpus; cpu++) {
			uint64_t addr = 0;
			uint64_t spare = header_get(b, i, cpu, NF_PCPU_SPARE);
			size_t len = window_at(b, i, cpu, &addr);

			if (len > 0)
				span_add(b, addr, window_of(b, i, cpu), len);
			if (spare != 0)
				span_add(b, spare, spare_of(b, i, cpu),
				    b->bucket_len);
		}
	return spans_read(b, "a bucket of a zone");
}

/* The zones again; those whose parts are others now were destroyed. */
static bool
block_read_zones(struct block *b)
{
	static const enum name_field same[] = {NF_ZONE_KEG, NF_ZONE_NAME};
	uint64_t before[BLOCK_ZONES][2];

	for (size_t i = 0; i < b->cnt; i++) {
		for (int k = 0; k < 2; k++)
			before[i][k] = zone_get(b, i, same[k]);
		span_add(b, b->zl->addr[b->from + i],
		    zone_bytes(b->zl, b->from + i), b->zl->len);
	}
	if (!spans_read(b, "a zone"))
		return false;
	for (size_t i = 0; i < b->cnt; i++)
		for (int k = 0; k < 2; k++)
			if (before[i][k] != zone_get(b, i, same[k]))
				return target_fail(
				    "%s: the list of zones kept changing",
				    b->t->name);
	return true;
}

/* ---- the numbers of one zone ---- */

static uint64_t
cpu_items(const struct block *b, size_t i, int cpu)
{
	uint64_t addr, n = 0, slot;
	size_t len = window_at(b, i, cpu, &addr);
	const char *top = window_of(b, i, cpu) + len;

	while (n < b->c->field[NF_BUCKET_CAP_MAX].value && 8 * (n + 1) <= len) {
		memcpy(&slot, top - 8 * (n + 1), 8);
		if (slot == 0)
			break;
		n++;
	}
	if (header_get(b, i, cpu, NF_PCPU_SPARE) != 0)
		n += field_get(
		    b->c, spare_of(b, i, cpu), b->bucket_len, NF_BUCKET_CNT);
	return n;
}

/* The items in hand, and all allocations. */
static void
stat_cpus(const struct block *b, size_t i, struct uma_zone_stat *st,
    struct uma_cpu_stat *row)
{
	uint64_t start = (uint64_t)1 << b->c->field[NF_HEADER_ALLOCS_BIT].value;
	bool table = zone_get2(b, i, NF_ZONE_CACHE, NF_CACHE_TABLE) != 0;
	uint64_t over = number_at(raw_zone(b, i), b->zl->len,
	    (uint64_t)b->c->field[NF_ZONE_HOT].value +
		b->c->field[NF_HOT_CACHE].value +
		b->c->field[NF_SEQ_OVER].value,
	    b->c->field[NF_SEQ_OVER].size);

	st->free_cpu = zone_get2(b, i, NF_ZONE_CACHE, NF_CACHE_DRAINED_CNT);
	st->allocs = zone_get(b, i, NF_ZONE_ALLOCS) - over;
	for (int cpu = 0; cpu < b->zl->cpus; cpu++) {
		row[cpu].size = sizeof row[cpu];
		if (!table)
			continue;
		row[cpu].cached = cpu_items(b, i, cpu);
		row[cpu].allocs = header_get(b, i, cpu, NF_PCPU_ALLOCS) - start;
		st->free_cpu += row[cpu].cached;
		st->allocs += row[cpu].allocs;
	}
}

static void
stat_domains(const struct block *b, size_t i, struct uma_zone_stat *st,
    struct uma_domain_stat *row)
{
	uint64_t shift = b->c->field[NF_PAGE_SHIFT].value;

	for (int d = 0; d < b->zl->domains; d++) {
		row[d] = (struct uma_domain_stat){.size = sizeof row[d],
		    .slabs = domain_get(b, i, d, NF_KEGDOM_SLABS),
		    .free_slab = domain_get(b, i, d, NF_KEGDOM_FREE),
		    .empty = domain_get(b, i, d, NF_KEGDOM_EMPTY),
		    .free_depot = depot_get(b, i, d, NF_DEPOT_ITEMS),
		    .wss = depot_wss(b, i, d)};
		st->slabs += row[d].slabs;
		st->free_slab += row[d].free_slab;
		st->free_depot += row[d].free_depot;
		st->absent += domain_get(b, i, d, NF_KEGDOM_ABSENT) << shift;
	}
}

static void
stat_keg(const struct block *b, size_t i, struct uma_zone_stat *st)
{
	uint64_t header = keg_get2(b, i, NF_KEG_LAYOUT, NF_LAYOUT_HEADER);
	uint64_t hash = keg_get2(b, i, NF_KEG_HASH, NF_HASH_SIZE);
	uint64_t room = zone_get(b, i, NF_ZONE_BUCKET_BYTES);

	st->stride = keg_get2(b, i, NF_KEG_LAYOUT, NF_LAYOUT_STRIDE);
	st->slab_size = keg_get2(b, i, NF_KEG_LAYOUT, NF_LAYOUT_PAGES)
			<< b->c->field[NF_PAGE_SHIFT].value;
	st->slab_items = keg_get2(b, i, NF_KEG_LAYOUT, NF_LAYOUT_ITEMS);
	st->align = keg_get2(b, i, NF_KEG_CONFIG, NF_CONFIG_ALIGN);
	st->memory = st->slabs * st->slab_size;
	if (keg_get2(b, i, NF_KEG_LAYOUT, NF_LAYOUT_OFFPAGE) != 0)
		st->headers = st->slabs * header;
	st->meta = b->zl->len + zone_get(b, i, NF_ZONE_NAME_SIZE) + b->keg_len +
		   hash * b->c->field[NF_HASHENT].value + b->table_len;
	if (st->item_bytes != 0)
		st->meta += room / st->item_bytes * 8;
}

static void
stat_limit(const struct block *b, size_t i, struct uma_zone_stat *st)
{
	uint64_t word = zone_get2(b, i, NF_ZONE_LIMIT, NF_LIMIT_WORD);
	uint64_t max = zone_get2(b, i, NF_ZONE_LIMIT, NF_LIMIT_MAX);
	uint64_t held = zone_get2(b, i, NF_ZONE_LIMIT, NF_LIMIT_RESERVED);
	unsigned items = b->c->field[NF_LIMIT_ITEMS_BITS].value;
	unsigned sleep = b->c->field[NF_LIMIT_SLEEP_BITS].value;
	uint64_t all = ((uint64_t)1 << items) - 1;

	st->free_cached = st->free_cpu + st->free_depot;
	st->limit = max == all ? 0 : max;
	st->sleepers = word >> items & (((uint64_t)1 << sleep) - 1);
	st->used = sub_clamped(word & all, st->free_cached + held);
	st->frees = sub_clamped(st->allocs, st->used);
}

static bool
is_own(struct target *t, uint64_t zone)
{
	const struct copy *c = target_copy(t);
	uint64_t cnt = c->field[NF_HEADER_ZONES].value, at;

	for (uint64_t z = 0; z < cnt && z < 16; z++)
		if (target_read(t,
			c->root[NR_HEADER_ZONES] + z * c->field[NF_HZ].value +
			    c->field[NF_HZ_ZONE].value,
			&at, 8) &&
		    at == zone)
			return true;
	return false;
}

static void
stat_zone(const struct block *b, size_t i, struct uma_zone_stat *st,
    struct uma_cpu_stat *cpu, struct uma_domain_stat *domain)
{
	*st = (struct uma_zone_stat){.size = sizeof *st};
	st->zone = b->zl->addr[b->from + i];
	strncpy(st->name, b->name[b->from + i], sizeof st->name - 1);
	st->item_size = zone_get2(b, i, NF_ZONE_HOT, NF_HOT_SIZE);
	st->flags = zone_get2(b, i, NF_ZONE_HOT, NF_HOT_FLAGS);
	st->item_bytes = zone_get(b, i, NF_ZONE_ITEM_BYTES);
	st->bucket_items = zone_get(b, i, NF_ZONE_BUCKET_CAP);
	st->fails = zone_get(b, i, NF_ZONE_FAILS);
	st->sleeps = zone_get(b, i, NF_ZONE_SLEEPS);
	st->xdomain = zone_get(b, i, NF_ZONE_XDOMAIN);
	st->refills = zone_get(b, i, NF_ZONE_REFILLS);
	st->name_cnt = zone_get(b, i, NF_ZONE_NAME_CNT);
	stat_cpus(b, i, st, cpu);
	stat_domains(b, i, st, domain);
	stat_keg(b, i, st);
	stat_limit(b, i, st);
}

/* ---- the process ---- */

static void
memory_finish(struct target *t, struct uma_memory_stat *m)
{
	const struct copy *c = target_copy(t);
	uint64_t shift = c->field[NF_PAGE_SHIFT].value;
	uint64_t reserved = root_get(t, NR_RUNS_RESERVED, 8) << shift;
	uint64_t used = root_get(t, NR_RUNS_USED, 8) << shift;
	uint64_t dirty =
	    root_get(t, NR_RUNS_DIRTY, 8) + root_get(t, NR_RUNS_OUT, 4);

	m->size = sizeof *m;
	m->mapped = root_get(t, NR_VM_MAPPED, 8);
	m->lost = root_get(t, NR_LOST, 8);
	m->meta = root_get(t, NR_META_PAGES, 8) << shift;
	m->pagemap = root_get(t, NR_LEAF_CNT, 8) * c->field[NF_LEAF_LEN].value;
	m->pieces = root_get(t, NR_RUNS_HEADER, 8) << shift;
	m->dirty = dirty << shift;
	/* Read one after the other, unlike in the library. */
	m->untouched = sub_clamped(reserved, m->pieces + used + m->dirty);
	m->spare = root_get(t, NR_VM_UNUSED, 8);
	m->absent = root_get(t, NR_PAGES_ABSENT, 8) << shift;
	m->held = sub_clamped(root_get(t, NR_RUNS_HELD, 8), m->absent);
	m->image = (uint64_t)c->field[NF_RUNS_IMAGE].value +
		   c->field[NF_PAGEMAP_IMAGE].value;
	memory_settle(m);
}

/* ---- the whole ---- */

void
target_stats_free(struct uma_stats *s)
{
	if (s == NULL)
		return;
	for (size_t z = 0; s->name != NULL && z < s->nzones; z++)
		free((void *)(uintptr_t)s->name[z]);
	free(s->name);
	free(s->memory);
	free(s->zone);
	free(s->cpu);
	free(s->domain);
	free(s);
}

static void
stats_describe(struct target *t, struct uma_stats *s)
{
	struct timespec now;
	uint64_t at = root_get(t, NR_CPU_MODE, 8);
	char *mode = at != 0 ? target_string(t, at, sizeof s->mode - 1) : NULL;

	strncpy(s->version, target_copy(t)->version, sizeof s->version - 1);
	strncpy(s->mode, mode != NULL ? mode : "unknown", sizeof s->mode - 1);
	free(mode);
	if (t->fd < 0 && clock_gettime(CLOCK_MONOTONIC, &now) == 0)
		s->time =
		    (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct uma_stats *
stats_make(struct target *t, const struct zone_list *zl)
{
	struct uma_stats *s = calloc(1, sizeof *s);
	size_t n = zl->cnt;

	if (s == NULL)
		return NULL;
	*s = (struct uma_stats){.size = sizeof *s,
	    .zone_size = sizeof *s->zone,
	    .cpu_size = sizeof *s->cpu,
	    .domain_size = sizeof *s->domain,
	    .nzones = n,
	    .ncpus = zl->cpus,
	    .ndomains = zl->domains};
	s->memory = calloc(1, sizeof *s->memory);
	s->zone = calloc(n + 1, sizeof *s->zone);
	s->cpu = calloc(n * (size_t)zl->cpus + 1, sizeof *s->cpu);
	s->domain = calloc(n * (size_t)zl->domains + 1, sizeof *s->domain);
	s->name = calloc(n + 1, sizeof *s->name);
	if (s->memory == NULL || s->zone == NULL || s->cpu == NULL ||
	    s->domain == NULL || s->name == NULL) {
		target_stats_free(s);
		return NULL;
	}
	stats_describe(t, s);
	return s;
}

/* The list has the newest first, the statistics the oldest. */
static void
block_fill(struct block *b, struct uma_stats *s)
{
	for (size_t i = 0; i < b->cnt; i++) {
		size_t z = s->nzones - 1 - (b->from + i);

		stat_zone(b, i, &s->zone[z], &s->cpu[z * (size_t)s->ncpus],
		    &s->domain[z * (size_t)s->ndomains]);
		s->name[z] = b->name[b->from + i];
		b->name[b->from + i] = NULL;
		/* The library's own are made before all others. */
		s->zone[z].own =
		    z < 16 && is_own(b->t, b->zl->addr[b->from + i]);
	}
}

static bool
blocks_read(struct block *b, struct uma_stats *s)
{
	for (b->from = 0; b->from < b->zl->cnt; b->from += b->cnt) {
		b->spans = 0;
		b->cnt = b->zl->cnt - b->from;
		b->cnt = b->cnt < b->room ? b->cnt : b->room;
		if (!block_read_parts(b) || !block_read_buckets(b) ||
		    !block_read_zones(b))
			return false;
		block_fill(b, s);
	}
	for (size_t z = 0; z < s->nzones; z++)
		memory_add(s->memory, &s->zone[z]);
	memory_finish(b->t, s->memory);
	return true;
}

static struct uma_stats *
stats_read(struct target *t, struct zone_list *zl)
{
	struct uma_stats *s = NULL;
	struct block b;

	if (zl->cnt * (size_t)zl->cpus > CELLS_MAX) {
		target_fail("%s: %zu zones and %d CPUs are too many", t->name,
		    zl->cnt, zl->cpus);
		return NULL;
	}
	if (!block_init(&b, t, zl))
		return NULL;
	s = stats_make(t, zl);
	if (s == NULL)
		target_fail("no memory");
	else if (!blocks_read(&b, s)) {
		target_stats_free(s);
		s = NULL;
	}
	block_free(&b);
	return s;
}

struct uma_stats *
target_stats(struct target *t)
{
	struct zone_list zl;
	int tries = 0;

	t->left = SPEND_MAX;
	do {
		if (!zones_read(t, &zl))
			return NULL;
		struct uma_stats *s = stats_read(t, &zl);
		zones_free(&zl);
		if (s != NULL && proc_is_same(t))
			return s;
		if (s != NULL)
			target_fail_read(t, "it");
		target_stats_free(s);
	} while (try_again(t, ++tries));
	return NULL;
}
