/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names.c - from the tables of a copy of the library to what the reader needs
 * to know of its structs and variables.
 */
#define _GNU_SOURCE /* vasprintf */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

#define ENTRY_SIZE_MAX 256 /* bytes */

#define N(id, text) text,
static const char *const field_name[NF_CNT] = {
    NAMES_WANTED(N) NAMES_OPTIONAL(N)};
static const char *const root_name[NR_CNT] = {
    ROOTS_WANTED(N) ROOTS_OPTIONAL(N)};
#undef N

__attribute__((format(printf, 2, 3))) static bool
wrong(struct copy *c, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	free(c->wrong);
	c->wrong = text;
	return false;
}

/* The index of a name in a list, or n. */
static size_t
name_find(const char *const *list, size_t n, const char *raw)
{
	char name[UMA_DEBUG_NAME + 1] = "";
	size_t i = 0;

	memcpy(name, raw, UMA_DEBUG_NAME);
	while (i < n && strcmp(list[i], name) != 0)
		i++;
	return i;
}

static void
field_enter(struct copy *c, const char *raw)
{
	struct uma_debug_entry e;

	memcpy(&e, raw, sizeof e);
	size_t i = name_find(field_name, NF_CNT, e.name);
	if (i < NF_CNT)
		c->field[i] = (struct field){true, e.value, e.size};
}

static void
root_enter(struct copy *c, const char *raw)
{
	struct uma_debug_root r;

	memcpy(&r, raw, sizeof r);
	size_t i = name_find(root_name, NR_CNT, r.name);
	if (i < NR_CNT)
		c->root[i] = (uintptr_t)r.address;
}

/* An array of cnt elements of len bytes each, which enter takes one by one. */
static bool
array_read(struct target *t, struct copy *c, uint64_t addr, size_t cnt,
    size_t len, void (*enter)(struct copy *c, const char *raw))
{
	if (cnt == 0)
		return true;
	if (cnt > ENTRIES_MAX)
		return false;
	char *raw = malloc(cnt * len);
	bool ok = raw != NULL && target_read(t, addr, raw, cnt * len);
	for (size_t i = 0; ok && i < cnt; i++)
		enter(c, raw + i * len);
	free(raw);
	return ok;
}

static bool
table_read(struct target *t, const struct uma_debug_layout *l, size_t n,
    struct copy *c)
{
	struct uma_debug_table table;

	return target_read(t, (uintptr_t)l->table[n], &table, sizeof table) &&
	       array_read(t, c, (uintptr_t)table.entry, table.entry_cnt,
		   l->entry_size, field_enter) &&
	       array_read(t, c, (uintptr_t)table.root, table.root_cnt,
		   l->root_size, root_enter);
}

static bool
tables_read(struct target *t, const struct uma_debug_layout *l, struct copy *c)
{
	for (size_t n = 0; n < l->table_cnt && !c->unread; n++)
		c->unread = !table_read(t, l, n, c);
	return !c->unread ||
	       wrong(c, "the tables of its libuma cannot be read");
}

static bool
size_fits(uint32_t size, size_t least)
{
	return size >= least && size <= ENTRY_SIZE_MAX;
}

static bool
header_check(const struct uma_debug_layout *l, struct copy *c)
{
	if (memcmp(l->magic, UMA_DEBUG_MAGIC, sizeof UMA_DEBUG_MAGIC) != 0)
		return wrong(c, "the layout of its libuma is damaged");
	if (l->version != UMA_DEBUG_VERSION)
		return wrong(c,
		    "its libuma is another version, with layout %u; "
		    "this program knows layout %d",
		    l->version, UMA_DEBUG_VERSION);
	if (l->size < sizeof *l || l->table_cnt > UMA_DEBUG_TABLES ||
	    !size_fits(l->entry_size, sizeof(struct uma_debug_entry)) ||
	    !size_fits(l->root_size, sizeof(struct uma_debug_root)) ||
	    !size_fits(l->table_size, sizeof(struct uma_debug_table)))
		return wrong(c, "the layout of its libuma is damaged");
	return true;
}

static bool
all_there(struct copy *c)
{
	const char *missing = NULL;

	for (size_t i = 0; i < NF_OPTIONAL; i++)
		if (!c->field[i].known)
			missing = field_name[i];
	for (size_t i = 0; i < NR_OPTIONAL; i++)
		if (c->root[i] == 0)
			missing = root_name[i];
	return missing == NULL ||
	       wrong(c,
		   "its libuma is damaged or another version, %s, which has no "
		   "'%s'; this program is of %s",
		   c->version, missing, UMA_VERSION_STRING);
}

static bool
size_good(const struct copy *c, enum name_field f)
{
	return c->field[f].value > 0 && c->field[f].value <= STRUCT_MAX;
}

/* Sizes, offsets and constants that loops and buffers go by. */
static bool
sizes_check(struct copy *c)
{
	static const enum name_field structs[] = {
	    NF_BUCKET, NF_PCPU, NF_DEPOT, NF_ZONE, NF_KEG, NF_KEGDOM, NF_SLAB};
	bool good = c->field[NF_BUCKET_CAP_MAX].value <= BUCKET_MAX &&
		    c->field[NF_PAGE_SHIFT].value < 32 &&
		    c->field[NF_LIMIT_ITEMS_BITS].value < 64 &&
		    c->field[NF_LIMIT_SLEEP_BITS].value < 64 &&
		    c->field[NF_HEADER_ALLOCS_BIT].value < 64 &&
		    c->field[NF_KEG_LISTS].value < 64;

	for (size_t i = 0; i < sizeof structs / sizeof structs[0]; i++)
		good = good && size_good(c, structs[i]);
	for (size_t i = 0; i < NF_OPTIONAL; i++)
		good = good && c->field[i].value <= STRUCT_MAX;
	return good || wrong(c, "the tables of its libuma are damaged");
}

bool
names_read(struct target *t, uint64_t layout, struct copy *c)
{
	struct uma_debug_layout l;

	c->field = calloc(NF_CNT, sizeof c->field[0]);
	c->root = calloc(NR_CNT, sizeof c->root[0]);
	if (c->field == NULL || c->root == NULL)
		return wrong(c, "no memory");
	c->unread = !target_read(t, layout, &l, sizeof l);
	if (c->unread)
		return wrong(c, "the layout of its libuma cannot be read");
	if (!header_check(&l, c))
		return false;
	char *version = escape_text(l.library, sizeof l.library);
	snprintf(c->version, sizeof c->version, "%s",
	    version != NULL ? version : "?");
	free(version);
	return tables_read(t, &l, c) && all_there(c) && sizes_check(c);
}

bool
names_still(struct target *t, const struct copy *c)
{
	struct uma_debug_layout l;

	return target_read(t, c->layout, &l, sizeof l) &&
	       memcmp(l.magic, UMA_DEBUG_MAGIC, sizeof UMA_DEBUG_MAGIC) == 0;
}
