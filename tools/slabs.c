/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slabs.c - the slabs of a zone, and what each of their items is.
 *
 * A slab is on one of the lists of its keg, and moves from one to another as
 * items come and go.  The lists are walked as that of the zones is; a walk that
 * breaks off begins anew, and what it has seen counts: a slab seen twice is one
 * slab, and one that is the keg's no more when its header is read is none.
 *
 * A slab's bits say which items are out of it.  Those that lie in buckets are
 * free all the same: all buckets of the zone are read (cached.c).
 */
#define _GNU_SOURCE /* strtoull, asprintf */
#include <stdlib.h>
#include <string.h>

#include "cached.h"

#define SLABS_MAX  ((size_t)1 << 22)
#define ITEMS_MAX  ((uint64_t)1 << 20) /* of a slab */
#define BATCH_MAX  64
#define BATCH_LEN  ((size_t)1 << 20) /* bytes of headers read at once, about */
#define REGION_MAX ((uint64_t)1 << 42) /* bytes of a slab */

struct keg_view {
	struct target *t;
	const struct copy *c;
	uint64_t addr;
	char *bytes;
	size_t len;
	int domains;
	uint64_t items, stride, size; /* of a slab */
	size_t bits; /* bytes of its two bitmaps */
};

struct slab_at {
	uint64_t header, run, base;
	int domain;
};

struct slab_list {
	struct slab_at *slab;
	size_t cnt, room;
};

/* ---- the zone ---- */

/* Its number in the list, or that behind the last. */
static size_t
zone_find(struct target *t, const struct zone_list *zl, const char *zone)
{
	const struct copy *c = target_copy(t);
	char *end;
	uint64_t addr = strtoull(zone, &end, 16);
	bool is_addr = strncmp(zone, "0x", 2) == 0 && *end == '\0';

	for (size_t z = zl->cnt; z-- > 0;) {
		if (is_addr && zl->addr[z] == addr)
			return z;
		char *name = target_string(t,
		    field_get(c, zone_bytes(zl, z), zl->len, NF_ZONE_NAME),
		    NAME_LEN_MAX);
		bool same = name != NULL && strcmp(name, zone) == 0;
		free(name);
		if (same)
			return z;
	}
	return zl->cnt;
}

static bool
keg_view_read(
    struct target *t, const struct zone_list *zl, size_t z, struct keg_view *k)
{
	const struct copy *c = target_copy(t);

	*k = (struct keg_view){.t = t, .c = c, .domains = zl->domains};
	k->addr = field_get(c, zone_bytes(zl, z), zl->len, NF_ZONE_KEG);
	k->len = c->field[NF_KEG].value +
		 (size_t)zl->domains * c->field[NF_KEGDOM].value;
	k->bytes = malloc(k->len);
	if (k->bytes == NULL)
		return target_fail("no memory");
	if (!target_read(t, k->addr, k->bytes, k->len))
		return target_fail_read(t, "what belongs to the zone");
	k->items =
	    field_get2(c, k->bytes, k->len, NF_KEG_LAYOUT, NF_LAYOUT_ITEMS);
	k->stride =
	    field_get2(c, k->bytes, k->len, NF_KEG_LAYOUT, NF_LAYOUT_STRIDE);
	k->size =
	    field_get2(c, k->bytes, k->len, NF_KEG_LAYOUT, NF_LAYOUT_PAGES)
	    << c->field[NF_PAGE_SHIFT].value;
	k->bits = (size_t)((k->items + 63) / 64 * 16);
	if (k->items == 0 || k->items > ITEMS_MAX || k->stride == 0 ||
	    k->size > REGION_MAX || k->stride > k->size)
		return target_fail(
		    "%s: the zone is damaged: %llu items of %llu bytes a slab",
		    t->name, (unsigned long long)k->items,
		    (unsigned long long)k->stride);
	return true;
}

/* ---- the lists of the keg ---- */

static bool
slab_add(struct slab_list *sl, struct slab_at at)
{
	if (sl->cnt == SLABS_MAX)
		return target_fail("more than %zu slabs", SLABS_MAX);
	if (sl->cnt == sl->room) {
		size_t room = sl->room == 0 ? 64 : 2 * sl->room;
		struct slab_at *slab = realloc(sl->slab, room * sizeof *slab);

		if (slab == NULL)
			return target_fail("no memory");
		sl->slab = slab;
		sl->room = room;
	}
	sl->slab[sl->cnt++] = at;
	return true;
}

/* The slabs of one list; false: it broke off. */
static bool
list_walk(const struct keg_view *k, uint64_t head, struct slab_list *sl)
{
	const struct copy *c = k->c;
	uint64_t prev = head, at;
	char raw[STRUCT_MAX];
	size_t len = c->field[NF_SLAB].value;

	if (!target_read(k->t, head + c->field[NF_LIST_NEXT].value, &at, 8))
		return target_fail_read(k->t, "the list of slabs");
	while (at != head) {
		uint64_t header = at - c->field[NF_SLAB_LINK].value;

		if (!target_read(k->t, header, raw, len))
			return target_fail_read(k->t, "the header of a slab");
		if (field_get2(c, raw, len, NF_SLAB_LINK, NF_LIST_PREV) !=
			prev ||
		    field_get(c, raw, len, NF_SLAB_KEG) != k->addr)
			return target_fail("%s: the slabs of the zone kept "
					   "changing, or are damaged",
			    k->t->name);
		if (!slab_add(sl, (struct slab_at){header,
				      field_get(c, raw, len, NF_SLAB_RUN),
				      field_get(c, raw, len, NF_SLAB_BASE),
				      (int)(uint8_t)field_get(
					  c, raw, len, NF_SLAB_DOMAIN)}))
			return false;
		prev = at;
		at = field_get2(c, raw, len, NF_SLAB_LINK, NF_LIST_NEXT);
	}
	return true;
}

static bool
lists_walk(const struct keg_view *k, struct slab_list *sl)
{
	const struct copy *c = k->c;
	bool whole = true;

	for (int d = 0; d < k->domains; d++)
		for (uint32_t l = 0; l < c->field[NF_KEG_LISTS].value; l++) {
			uint64_t head =
			    k->addr + c->field[NF_KEG_DOMAIN].value +
			    (uint64_t)d * c->field[NF_KEGDOM].value +
			    c->field[NF_KEGDOM_LIST].value +
			    l * c->field[NF_KEGDOM_LIST].size;

			whole = list_walk(k, head, sl) && whole;
		}
	return whole;
}

static int
slab_compare(const void *a, const void *b)
{
	const struct slab_at *x = a, *y = b;

	return (x->run > y->run) - (x->run < y->run);
}

/* Each slab once, by address. */
static void
slabs_sort(struct slab_list *sl)
{
	size_t to = 0;

	if (sl->cnt == 0)
		return;
	qsort(sl->slab, sl->cnt, sizeof sl->slab[0], slab_compare);
	for (size_t i = 1; i < sl->cnt; i++)
		if (sl->slab[i].run != sl->slab[to].run)
			sl->slab[++to] = sl->slab[i];
	sl->cnt = to + 1;
}

/* In a process that runs, most slabs are better than none. */
static bool
slabs_read(const struct keg_view *k, struct slab_list *sl)
{
	int tries = 0;
	bool whole = false;

	do {
		if (sl->cnt > SLABS_MAX / 2)
			break;
		whole = lists_walk(k, sl);
		slabs_sort(sl);
	} while (!whole && try_again(k->t, ++tries));
	return whole || (sl->cnt > 0 && k->t->fd < 0 && !k->t->gone);
}

/* ---- what the items are ---- */

static bool
bit_at(const char *raw, size_t len, uint64_t off, uint64_t i)
{
	return number_at(raw, len, off + i / 64 * 8, 8) >> (i % 64) & 1;
}

static void
states_fill(const struct keg_view *k, const char *raw, size_t len,
    const struct slab_at *s, const struct cached *cached, uint8_t *state)
{
	uint64_t bits = k->c->field[NF_SLAB_BITS].value;
	uint64_t ready = bits + k->bits / 2;
	uint64_t end = s->base + k->items * k->stride;

	for (uint64_t i = 0; i < k->items; i++) {
		state[i] = ITEM_OUT;
		if (bit_at(raw, len, bits, i))
			state[i] = bit_at(raw, len, ready, i) ? ITEM_READY
							      : ITEM_FRESH;
	}
	for (size_t n = cached_from(cached, s->base);
	     n < cached->cnt && cached->item[n] < end; n++) {
		uint64_t off = cached->item[n] - s->base;

		if (off % k->stride == 0 && state[off / k->stride] == ITEM_OUT)
			state[off / k->stride] = ITEM_CACHED;
	}
}

struct show {
	target_slab_fn fn;
	void *arg;
};

static void
slab_show(const struct keg_view *k, const char *raw, size_t len,
    const struct slab_at *s, const struct cached *cached, uint8_t *state,
    const struct show *show)
{
	if (field_get(k->c, raw, len, NF_SLAB_KEG) != k->addr ||
	    field_get(k->c, raw, len, NF_SLAB_RUN) != s->run ||
	    s->base - s->run >= k->size)
		return;
	states_fill(k, raw, len, s, cached, state);
	struct slab_view v = {.run = s->run,
	    .size = k->size,
	    .items = k->items,
	    .stride = k->stride,
	    .first = s->base - s->run,
	    .domain = s->domain,
	    .state = state};
	show->fn(show->arg, &v);
}

static bool
slabs_show(const struct keg_view *k, const struct slab_list *sl,
    const struct cached *cached, const struct show *show)
{
	size_t len = k->c->field[NF_SLAB_BITS].value + k->bits, cnt;
	size_t room = BATCH_LEN / len < 1	    ? 1
		      : BATCH_LEN / len > BATCH_MAX ? BATCH_MAX
						    : BATCH_LEN / len;
	char *raw = malloc(room * len);
	uint8_t *state = malloc(k->items);
	struct span span[BATCH_MAX];

	for (size_t i = 0; raw != NULL && state != NULL && i < sl->cnt;
	     i += cnt) {
		cnt = sl->cnt - i < room ? sl->cnt - i : room;
		for (size_t n = 0; n < cnt; n++)
			span[n] = (struct span){
			    sl->slab[i + n].header, raw + n * len, len, false};
		target_read_spans(k->t, span, cnt);
		for (size_t n = 0; n < cnt; n++)
			if (span[n].ok)
				slab_show(k, span[n].buf, len, &sl->slab[i + n],
				    cached, state, show);
	}
	bool ok = raw != NULL && state != NULL;
	free(raw);
	free(state);
	return ok || target_fail("no memory");
}

static bool
zone_slabs(struct target *t, const struct zone_list *zl, size_t z,
    const struct show *show)
{
	struct slab_list sl = {.cnt = 0};
	struct cached cached = {.cnt = 0};
	struct keg_view k;

	bool ok = keg_view_read(t, zl, z, &k) &&
		  cached_read(t, zl, z, &cached) && slabs_read(&k, &sl) &&
		  slabs_show(&k, &sl, &cached, show);
	free(k.bytes);
	free(sl.slab);
	free(cached.item);
	return ok;
}

bool
target_slabs(struct target *t, const char *zone, target_slab_fn fn, void *arg)
{
	struct show show = {fn, arg};
	struct zone_list zl;

	t->left = SPEND_MAX;
	if (!zones_read(t, &zl))
		return false;
	size_t z = zone_find(t, &zl, zone);
	bool ok;
	if (z < zl.cnt) {
		ok = zone_slabs(t, &zl, z, &show);
	} else {
		char *name = escape_text(zone, strlen(zone));

		ok = target_fail("%s has no zone '%.200s'", t->name,
		    name != NULL ? name : "?");
		free(name);
	}
	zones_free(&zl);
	return ok;
}
