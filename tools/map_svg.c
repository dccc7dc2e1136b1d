/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map_svg.c - the map of a zone's slabs as a picture.
 *
 * Whatever the zone, there are at most 4096 cells, or 64 rows of 128 pieces,
 * and neighbours that look the same are one rectangle.  Colours differ in
 * lightness too, and follow the reader's choice of a light or a dark page.
 */
#include <string.h>

#include "umastat.h"

#define LEFT   24
#define UPPER  84 /* of the plot */
#define WIDTH  752
#define PLOT   528 /* of a row: it ends at the right margin */
#define ROW    13 /* height */
#define CELL   11
#define ACROSS 64 /* cells a line */

static const char style[] =
    "<style>\n"
    "text{font:12px system-ui,\"DejaVu Sans\",sans-serif;fill:#24292f}"
    ".head{font-size:17px;font-weight:600}"
    ".key{font:11px ui-monospace,\"DejaVu Sans Mono\",monospace;fill:#57606a}"
    ".page{fill:#fff}.out{fill:#9a3412}.cached{fill:#3f8fd6}"
    ".ready{fill:#b6c2cd}.fresh{fill:#e1e6eb}\n"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.key{fill:#9da7b3}"
    ".page{fill:#0d1117}.out{fill:#fb9a5a}.cached{fill:#2f74b5}"
    ".ready{fill:#48535f}.fresh{fill:#1d242c}}\n"
    "</style>\n";

/* After show_name(): what is left to be escaped is XML's own. */
static void
svg_name(struct text *t, const char *name, size_t columns)
{
	char shown[SHOWN_NAME];
	struct text cut = {0};

	show_name(shown, name);
	text_column(&cut,
	    columns < show_columns(shown) ? columns : show_columns(shown),
	    shown);
	for (const char *s = cut.at; *s != '\0'; s++) {
		switch (*s) {
		case '&':
			text_add(t, "&amp;");
			break;
		case '<':
			text_add(t, "&lt;");
			break;
		case '>':
			text_add(t, "&gt;");
			break;
		case '"':
			text_add(t, "&quot;");
			break;
		case '\'':
			text_add(t, "&#39;");
			break;
		default:
			text_append(t, s, 1);
		}
	}
	text_free(&cut);
}

static void
svg_box(struct text *t, enum map_kind kind, double x, double y, double width,
    double height)
{
	const char *class = kind == MAP_CACHED	? "cached"
			    : kind == MAP_READY ? "ready"
			    : kind == MAP_FRESH ? "fresh"
						: "out";

	if (kind == MAP_NONE)
		return;
	text_add(t,
	    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
	    "class=\"%s\"",
	    x, y, width, height, class);
	if (kind >= MAP_TENTH && kind < MAP_CACHED)
		text_add(
		    t, " opacity=\"%.2f\"", 0.15 + 0.08 * (kind - MAP_TENTH));
	text_add(t, "/>\n");
}

/* Boxes side by side, kept until one looks different. */
struct strip {
	struct text *t;
	double x, y, width, height; /* x: where the strip begins */
	enum map_kind kind;
	size_t from; /* the first box of this kind */
};

static void
strip_box(struct strip *s, size_t i, enum map_kind kind)
{
	if (kind == s->kind)
		return;
	svg_box(s->t, s->kind, s->x + (double)s->from * s->width, s->y,
	    (double)(i - s->from) * s->width, s->height);
	s->kind = kind;
	s->from = i;
}

static void
svg_row(struct text *t, const struct map_row *row, double y)
{
	size_t pieces = row->items < 128 ? (size_t)row->items : 128;
	struct map_cell all = map_piece(row, 0, 1);
	struct strip s = {t, WIDTH - LEFT - PLOT, y,
	    (double)PLOT / (double)(pieces + !pieces), ROW - 2, MAP_NONE, 0};

	text_add(t,
	    "<g><title>slab at %#llx, domain %d: %llu of %llu items out"
	    "</title>\n<text x=\"%d\" y=\"%.1f\" class=\"key\">%#llx</text>"
	    "<text x=\"%d\" y=\"%.1f\" class=\"key\" text-anchor=\"end\">%llu"
	    "</text>\n",
	    (unsigned long long)row->run, row->domain,
	    (unsigned long long)all.items[ITEM_OUT],
	    (unsigned long long)row->items, LEFT, y + ROW - 4,
	    (unsigned long long)row->run, WIDTH - LEFT - PLOT - 12, y + ROW - 4,
	    (unsigned long long)all.items[ITEM_OUT]);
	for (size_t i = 0; i < pieces; i++) {
		struct map_cell cell = map_piece(row, i, pieces);

		strip_box(&s, i, map_kind(&cell));
	}
	strip_box(&s, pieces, MAP_NONE);
	text_add(t, "</g>\n");
}

static void
svg_cells(struct text *t, const struct map *m)
{
	size_t cells = map_cells(m);

	for (size_t first = 0; first < cells; first += ACROSS) {
		size_t n = cells - first < ACROSS ? cells - first : ACROSS;
		struct strip s = {t, LEFT,
		    UPPER + (double)(first / ACROSS) * CELL, CELL, CELL - 1,
		    MAP_NONE, 0};

		for (size_t i = 0; i < n; i++)
			strip_box(&s, i, map_kind(&m->cell[first + i]));
		strip_box(&s, n, MAP_NONE);
	}
}

static void
svg_legend(struct text *t, const struct map *m, int y)
{
	static const struct {
		enum map_kind kind;
		const char *says;
	} legend[] = {
	    {MAP_OUT, "out"},
	    {MAP_TENTH + 4, "some out"},
	    {MAP_CACHED, "cached"},
	    {MAP_READY, "ready"},
	    {MAP_FRESH, "fresh"},
	};
	int x = LEFT;

	for (size_t i = 0; i < sizeof legend / sizeof legend[0]; i++) {
		svg_box(t, legend[i].kind, x, y, 24, 12);
		text_add(t, "<text x=\"%d\" y=\"%d\">%s</text>\n", x + 30,
		    y + 10, legend[i].says);
		x += 44 + 9 * (int)strlen(legend[i].says);
	}
	if (m->slabs > MAP_ROWS)
		text_add(t,
		    "<text x=\"%d\" y=\"%d\">a cell: %llu slab%s</text>\n", x,
		    y + 10, (unsigned long long)m->span,
		    m->span == 1 ? "" : "s");
}

static void
svg_words(struct text *t, const struct map *m, const char *zone)
{
	const uint64_t *n = m->all.items;

	text_add(t, "<title>Slabs of zone ");
	svg_name(t, zone, SHOWN_NAME);
	text_add(t,
	    "</title>\n<desc>%llu slabs: %llu with all items out, %llu with "
	    "some, %llu with none. Items: %llu out, %llu cached, %llu ready, "
	    "%llu fresh.</desc>\n%s"
	    "<rect width=\"100%%\" height=\"100%%\" class=\"page\"/>\n"
	    "<text x=\"%d\" y=\"32\" class=\"head\">",
	    (unsigned long long)m->slabs, (unsigned long long)m->full,
	    (unsigned long long)m->part, (unsigned long long)m->empty,
	    (unsigned long long)n[ITEM_OUT], (unsigned long long)n[ITEM_CACHED],
	    (unsigned long long)n[ITEM_READY],
	    (unsigned long long)n[ITEM_FRESH], style, LEFT);
	svg_name(t, zone, 64);
	text_add(t, "</text>\n<text x=\"%d\" y=\"52\">%llu slabs, ", LEFT,
	    (unsigned long long)m->slabs);
	text_bytes(t, 0, m->bytes);
	text_add(t,
	    ": %llu with all items out, %llu with some, %llu with none</text>\n"
	    "<text x=\"%d\" y=\"69\">items: %llu out, %llu cached, %llu ready, "
	    "%llu fresh</text>\n",
	    (unsigned long long)m->full, (unsigned long long)m->part,
	    (unsigned long long)m->empty, LEFT, (unsigned long long)n[ITEM_OUT],
	    (unsigned long long)n[ITEM_CACHED],
	    (unsigned long long)n[ITEM_READY],
	    (unsigned long long)n[ITEM_FRESH]);
}

void
map_svg(struct text *t, const struct map *m, const char *zone)
{
	bool rows = m->slabs <= MAP_ROWS;
	size_t lines =
	    rows ? (size_t)m->slabs : (map_cells(m) + ACROSS - 1) / ACROSS;
	int bottom = UPPER + (int)lines * (rows ? ROW : CELL);

	text_add(t,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
	    "height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n",
	    WIDTH, bottom + 48, WIDTH, bottom + 48);
	svg_words(t, m, zone);
	for (size_t i = 0; rows && i < lines; i++)
		svg_row(t, &m->row[i], UPPER + (double)i * ROW);
	if (!rows)
		svg_cells(t, m);
	svg_legend(t, m, bottom + 16);
	text_add(t, "</svg>\n");
}
