/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top.c - what the screen shows, and what keys do to it.
 *
 * A frame is drawn over the last one: home, each line cleared to its end, the
 * rest of the screen cleared; nothing flickers, and no line is longer than the
 * terminal is wide, so nothing scrolls.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "umastat.h"

#define HEAD_ROWS 3 /* above the zones */

static const char help[] =
    "n name  s size  u used  f free  m memory  "
    "r requests  x fail  a age   R reverse\n"
    "j k, arrows, space, b: move   + -: faster, slower   "
    "h: less   q: quit\n";

/* The final bytes of arrow and page keys, as the letters that do the same. */
static const char *const arrows[] = {
    "A\0k", "B\0j", "5~\0b", "6~\0 ", "H\0g", NULL};

/* The first key of what was typed, as a letter; *len: its bytes. */
static char
key_letter(const char *keys, size_t left, size_t *len)
{
	*len = 1;
	if (*keys != '\033' || left < 3 || (keys[1] != '[' && keys[1] != 'O'))
		return *keys;
	for (int i = 0; arrows[i] != NULL; i++) {
		size_t n = strlen(arrows[i]);

		if (left >= n + 2 && memcmp(keys + 2, arrows[i], n) == 0) {
			*len = n + 2;
			return arrows[i][n + 1];
		}
	}
	*len = left; /* one we do not know: none of it is a letter */
	return '\0';
}

static bool
key_sorts(struct top *top, char letter)
{
	static const char letters[SORT_CNT] = {
	    [SORT_AGE] = 'a',
	    [SORT_NAME] = 'n',
	    [SORT_SIZE] = 's',
	    [SORT_USED] = 'u',
	    [SORT_FREE] = 'f',
	    [SORT_MEMORY] = 'm',
	    [SORT_REQUESTS] = 'r',
	    [SORT_FAIL] = 'x',
	};

	for (int k = 0; k < SORT_CNT; k++) {
		if (letters[k] == letter) {
			top->pick.sort = (enum sort_key)k;
			top->first = 0;
			return true;
		}
	}
	return false;
}

static void
move_by(struct top *top, long rows)
{
	if (rows < 0 && top->first < (size_t)-rows)
		top->first = 0;
	else
		top->first += (size_t)rows; /* top_frame() knows the end */
}

static enum top_key
key_press(struct top *top, char letter)
{
	long page = top->rows - HEAD_ROWS - 1;

	if (key_sorts(top, letter))
		return TOP_REDRAW;
	switch (letter) {
	case 'q':
	case 'Q':
	case 4: /* ^D */
		return TOP_QUIT;
	case 'R':
		top->pick.reverse = !top->pick.reverse;
		return TOP_REDRAW;
	case 'h':
	case '?':
		top->help = !top->help;
		return TOP_REDRAW;
	case 'j':
	case 'k':
		move_by(top, letter == 'j' ? 1 : -1);
		return TOP_REDRAW;
	case ' ':
	case 'b':
		move_by(top, letter == ' ' ? page : -page);
		return TOP_REDRAW;
	case 'g':
		top->first = 0;
		return TOP_REDRAW;
	case '+':
		top->period = top->period > 0.2 ? top->period / 2 : 0.1;
		return TOP_READ;
	case '-':
		top->period = top->period < 1800 ? top->period * 2 : 3600;
		return TOP_REDRAW;
	default:
		return TOP_NOTHING;
	}
}

/* The most that any of the keys asked for. */
enum top_key
top_key(struct top *top, const char *keys, size_t len)
{
	enum top_key most = TOP_NOTHING;

	while (len > 0) {
		size_t n;
		char letter = key_letter(keys, len, &n);
		enum top_key does = key_press(top, letter);

		most = does > most ? does : most;
		keys += n, len -= n;
	}
	return most;
}

/* ---- the frame ---- */

/*
 * One line, cut at the terminal's width.  A line as wide as that is not cleared
 * to its end: the cursor still stands on its last column.
 */
static void
frame_line(struct text *t, const char *line, size_t len, int columns)
{
	size_t keep = 0;
	int n = 0;

	for (; keep < len; keep++) {
		bool begins = (line[keep] & 0xc0) != 0x80;

		if (begins && n == columns)
			break;
		n += begins;
	}
	text_append(t, line, keep);
	if (n < columns)
		text_add(t, "\033[K");
}

/* All lines but those that the terminal has no row for. */
static void
frame_draw(struct text *t, const struct text *page, int rows, int columns)
{
	const char *line = page->at, *end;

	text_add(t, "\033[H");
	for (int row = 0; row < rows && *line != '\0'; row++, line = end + 1) {
		bool head = row == HEAD_ROWS - 1;

		end = strchr(line, '\n');
		text_add(
		    t, "%s%s", row > 0 ? "\r\n" : "", head ? "\033[7m" : "");
		frame_line(t, line, (size_t)(end - line), columns);
		text_add(t, "%s", head ? "\033[0m" : "");
		if (end[1] == '\0' && row + 1 < rows)
			text_add(t, "\r\n\033[J");
	}
}

static void
page_settings(struct text *t, const struct top *top, size_t n)
{
	char shown[SHOWN_NAME];

	text_add(t, "by %s%s, every %g s", sort_names[top->pick.sort],
	    top->pick.reverse ? ", reversed" : "", top->period);
	if (top->pick.match != NULL)
		text_add(t, ", match %s", show_name(shown, top->pick.match));
	if (top->first > 0)
		text_add(t, ", from %zu of %zu", top->first + 1, n);
	text_add(t, "; h: help, q: quit\n");
}

void
top_frame(struct text *t, struct top *top, const struct watch *w)
{
	size_t *order = calloc(w->now->nzones + 1, sizeof *order);
	size_t width = top->columns > 120 ? 32 : 20;
	struct text page = {0};

	if (order == NULL)
		die(EXIT_TARGET, "out of memory");
	size_t n = pick_zones(w->now, w->change, &top->pick, order);
	if (top->first >= n)
		top->first = n > 0 ? n - 1 : 0;
	table_status(&page, w);
	page_settings(&page, top, n);
	table_rate_head(&page, width);
	if (top->help)
		text_add(&page, "%s", help);
	for (size_t i = top->first; i < n && i < top->first + (size_t)top->rows;
	     i++)
		table_rate_row(&page, width, w, order[i]);
	frame_draw(t, &page, top->rows, top->columns);
	text_free(&page);
	free(order);
}
