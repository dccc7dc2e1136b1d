/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map.c - the slabs of a zone, to look at.
 *
 * Slabs come one by one, in the order of their addresses, and nobody knows how
 * many.  The first MAP_ROWS are kept item by item, and shown as a row each if
 * that was all.  Beside that each is counted into a cell, and when all cells
 * are taken two become one: so 100,000 slabs are some thousand cells of the
 * same number of slabs, the last perhaps of fewer, in bounded memory.
 *
 * A cell, which is one item or many, shows how much of it is out: all, some
 * tenths, or nothing, and then what most of its free items are.
 */
#include <stdlib.h>
#include <string.h>

#include "umastat.h"

struct map *
map_new(void)
{
	struct map *m = calloc(1, sizeof *m);

	if (m == NULL)
		die(EXIT_TARGET, "out of memory");
	m->span = 1;
	return m;
}

void
map_free(struct map *m)
{
	for (int i = 0; m != NULL && i < MAP_ROWS; i++)
		free(m->row[i].state);
	free(m);
}

static void
cell_merge(struct map_cell *to, const struct map_cell *from)
{
	for (int s = 0; s < 4; s++)
		to->items[s] += from->items[s];
}

static uint64_t
cell_items(const struct map_cell *cell)
{
	return cell->items[0] + cell->items[1] + cell->items[2] +
	       cell->items[3];
}

static struct map_cell
cell_count(const uint8_t *state, uint64_t n)
{
	struct map_cell cell = {{0}};

	for (uint64_t i = 0; i < n; i++)
		cell.items[state[i] & 3]++;
	return cell;
}

static void
map_fold(struct map *m)
{
	for (size_t i = 0; i < MAP_CELLS / 2; i++) {
		struct map_cell two = m->cell[2 * i];

		cell_merge(&two, &m->cell[2 * i + 1]);
		m->cell[i] = two;
	}
	memset(&m->cell[MAP_CELLS / 2], 0, sizeof m->cell / 2);
	m->span *= 2;
}

void
map_add(void *map, const struct slab_view *slab)
{
	struct map *m = map;
	struct map_cell cell = cell_count(slab->state, slab->items);

	if (m->slabs < MAP_ROWS) {
		struct map_row *row = &m->row[m->slabs];

		*row = (struct map_row){slab->run, slab->size, slab->items,
		    slab->domain, malloc(slab->items + 1)};
		if (row->state == NULL)
			die(EXIT_TARGET, "out of memory");
		memcpy(row->state, slab->state, slab->items);
	}
	if (m->slabs / m->span == MAP_CELLS)
		map_fold(m);
	cell_merge(&m->cell[m->slabs / m->span], &cell);
	cell_merge(&m->all, &cell);
	m->slabs++;
	m->bytes += slab->size;
	m->full += cell.items[ITEM_OUT] == slab->items;
	m->empty += cell.items[ITEM_OUT] == 0;
	m->part = m->slabs - m->full - m->empty;
}

size_t
map_cells(const struct map *m)
{
	return (size_t)((m->slabs + m->span - 1) / m->span);
}

enum map_kind
map_kind(const struct map_cell *cell)
{
	uint64_t all = cell_items(cell), out = cell->items[ITEM_OUT];
	int most = ITEM_CACHED;

	if (all == 0)
		return MAP_NONE;
	if (out == all)
		return MAP_OUT;
	if (out > 0) {
		int tenths = (int)((double)out * 10 / (double)all + 0.5);

		tenths = tenths < 1 ? 1 : tenths > 9 ? 9 : tenths;
		return (enum map_kind)(MAP_TENTH + tenths - 1);
	}
	for (int s = ITEM_READY; s <= ITEM_FRESH; s++)
		if (cell->items[s] > cell->items[most])
			most = s;
	return most == ITEM_CACHED  ? MAP_CACHED
	       : most == ITEM_READY ? MAP_READY
				    : MAP_FRESH;
}

struct map_cell
map_piece(const struct map_row *row, uint64_t i, uint64_t of)
{
	uint64_t first = row->items * i / of;
	uint64_t end = row->items * (i + 1) / of;

	return cell_count(row->state + first, end - first);
}

/* ---- as text ---- */

static const char glyph[MAP_KINDS] = {
    [MAP_NONE] = ' ',
    [MAP_OUT] = '#',
    [MAP_TENTH] = '1',
    '2',
    '3',
    '4',
    '5',
    '6',
    '7',
    '8',
    '9',
    [MAP_CACHED] = 'o',
    [MAP_READY] = '.',
    [MAP_FRESH] = '_',
};

static const char *
colour_of(enum map_kind kind)
{
	switch (kind) {
	case MAP_NONE:
		return "0";
	case MAP_OUT:
		return "31"; /* red */
	case MAP_CACHED:
		return "36"; /* cyan */
	case MAP_READY:
		return "32"; /* green */
	case MAP_FRESH:
		return "34"; /* blue */
	default:
		return "33"; /* yellow */
	}
}

struct brush {
	struct text *t;
	bool colour;
	const char *last; /* the colour that is set; NULL: none */
};

static void
draw(struct brush *b, enum map_kind kind)
{
	const char *want = colour_of(kind);

	if (b->colour && (b->last == NULL || strcmp(b->last, want) != 0))
		text_add(b->t, "\033[%sm", want);
	b->last = want;
	text_append(b->t, &glyph[kind], 1);
}

static void
draw_end(struct brush *b, const char *then)
{
	text_add(
	    b->t, "%s%s", b->colour && b->last != NULL ? "\033[0m" : "", then);
	b->last = NULL;
}

static void
text_legend(struct text *t, bool colour)
{
	static const struct {
		enum map_kind kind;
		const char *says;
	} legend[] = {
	    {MAP_OUT, "out"},
	    {MAP_TENTH, "to"},
	    {MAP_TENTH + 8, "tenths out"},
	    {MAP_CACHED, "cached"},
	    {MAP_READY, "ready"},
	    {MAP_FRESH, "fresh"},
	};
	struct brush b = {t, colour, NULL};

	for (size_t i = 0; i < sizeof legend / sizeof legend[0]; i++) {
		draw(&b, legend[i].kind);
		draw_end(&b, " ");
		text_add(t, "%s%s", legend[i].says,
		    legend[i].kind == MAP_FRESH	  ? "\n"
		    : legend[i].kind == MAP_TENTH ? " "
						  : "   ");
	}
}

static void
text_head(struct text *t, const struct map *m, const char *zone)
{
	char shown[SHOWN_NAME];
	const uint64_t *n = m->all.items;

	text_add(t, "%s: %llu slabs, ", show_name(shown, zone),
	    (unsigned long long)m->slabs);
	text_bytes(t, 0, m->bytes);
	text_add(t,
	    "; %llu with all items out, %llu with some, %llu with none\n",
	    (unsigned long long)m->full, (unsigned long long)m->part,
	    (unsigned long long)m->empty);
	text_add(t, "items: %llu out, %llu cached, %llu ready, %llu fresh\n",
	    (unsigned long long)n[ITEM_OUT], (unsigned long long)n[ITEM_CACHED],
	    (unsigned long long)n[ITEM_READY],
	    (unsigned long long)n[ITEM_FRESH]);
}

/* Address, domain and items out, 34 columns; then the items between bars. */
static void
text_row(struct text *t, const struct map_row *row, int width, bool colour)
{
	struct brush b = {t, colour, NULL};
	struct map_cell all = map_piece(row, 0, 1);
	uint64_t room = (uint64_t)(width > 54 ? width - 36 : 18);
	uint64_t pieces = row->items < room ? row->items : room;

	text_add(t, "%#14llx %3d %6llu/%-6llu |", (unsigned long long)row->run,
	    row->domain, (unsigned long long)all.items[ITEM_OUT],
	    (unsigned long long)row->items);
	for (uint64_t i = 0; i < pieces; i++) {
		struct map_cell cell = map_piece(row, i, pieces);

		draw(&b, map_kind(&cell));
	}
	draw_end(&b, "|\n");
}

static void
text_rows(struct text *t, const struct map *m, int width, bool colour)
{
	text_add(t, "%14s %3s %13s\n", "ADDRESS", "DOM", "OUT/ITEMS ");
	for (uint64_t i = 0; i < m->slabs; i++)
		text_row(t, &m->row[i], width, colour);
}

static void
text_cells(struct text *t, const struct map *m, int width, bool colour)
{
	struct brush b = {t, colour, NULL};
	size_t cells = map_cells(m), line = width >= 80 ? 64 : 32;

	for (size_t i = 0; i < cells; i++) {
		if (i % line == 0)
			text_add(
			    t, "%8llu ", (unsigned long long)(i * m->span));
		draw(&b, map_kind(&m->cell[i]));
		if (i % line == line - 1 || i == cells - 1)
			draw_end(&b, "\n");
	}
	text_add(t, "a cell: %llu slab%s, in the order of addresses\n",
	    (unsigned long long)m->span, m->span == 1 ? "" : "s");
}

void
map_text(struct text *t, const struct map *m, const char *zone, int width,
    bool colour)
{
	text_head(t, m, zone);
	if (m->slabs <= MAP_ROWS)
		text_rows(t, m, width, colour);
	else
		text_cells(t, m, width, colour);
	text_legend(t, colour);
}
