/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_umastat_ui.c - what umastat(8) draws, from snapshots made by hand.
 *
 * The parts of tools/ are linked in; there is no process and no terminal.
 */
#include "test.h"
#include "umastat.h"

#define MANY 100000

/* ---- a snapshot by hand: n zones, two CPUs, two domains ---- */

struct fake {
	struct uma_stats stats;
	struct uma_memory_stat memory;
	struct uma_zone_stat zone[8];
	struct uma_cpu_stat cpu[8][2];
	struct uma_domain_stat domain[8][2];
	const char *name[8];
};

static void
fake_zone(struct fake *f, const char *name, uint64_t at, uint64_t allocs)
{
	size_t z = f->stats.nzones++;
	struct uma_zone_stat *st = &f->zone[z];

	*st = (struct uma_zone_stat){.size = sizeof *st,
	    .item_size = 100 - z,
	    .item_bytes = 128,
	    .slab_size = 4096,
	    .used = 10 * z,
	    .free_slab = 7,
	    .memory = 4096 * z,
	    .allocs = allocs,
	    .fails = z == 1 ? 5 : 0,
	    .zone = at};
	f->cpu[z][1] = (struct uma_cpu_stat){sizeof f->cpu[z][1], 1, 8 * z};
	f->domain[z][1] =
	    (struct uma_domain_stat){sizeof f->domain[z][1], 3, 7, 2, 4, 1};
	f->name[z] = name;
}

static struct fake *
fake_new(void)
{
	struct fake *f = calloc(1, sizeof *f);

	f->memory.size = sizeof f->memory;
	f->memory.mapped = 12 << 20;
	f->stats = (struct uma_stats){.size = sizeof f->stats,
	    .zone_size = sizeof f->zone[0],
	    .cpu_size = sizeof f->cpu[0][0],
	    .domain_size = sizeof f->domain[0][0],
	    .ncpus = 2,
	    .ndomains = 2,
	    .memory = &f->memory,
	    .zone = f->zone,
	    .cpu = f->cpu[0],
	    .domain = f->domain[0],
	    .name = f->name,
	    .mode = "by hand"};
	return f;
}

/* Four zones, of which the third is the best known. */
static struct fake *
fake_four(void)
{
	struct fake *f = fake_new();

	fake_zone(f, "conn", 0x1000, 100);
	fake_zone(f, "buf", 0x2000, 50);
	fake_zone(f, "conn", 0x3000, 70);
	fake_zone(f, "arp", 0x4000, 300);
	return f;
}

static void
expect_order(const struct fake *f, struct pick pick, const char *want)
{
	size_t order[8];
	char got[9] = "";
	size_t n = pick_zones(&f->stats, NULL, &pick, order);

	for (size_t i = 0; i < n; i++)
		got[i] = (char)('0' + order[i]);
	ck_assert_str_eq(got, want);
}

/* ---- names ---- */

START_TEST(a_name_shows_what_is_no_text_as_numbers)
{
	static const char *const names[][2] = {
	    {"plain name-1", "plain name-1"},
	    {"%s%n", "%s%n"},
	    {"\033[31mred\a", "\\x1b[31mred\\x07"},
	    {"back\\slash", "back\\\\slash"},
	    {"\x7f", "\\x7f"},
	    {"m\xc3\xbcll", "m\xc3\xbcll"},
	    {"\x9b;1m", "\\x9b;1m"}, /* a terminal's CSI in one byte */
	    {"\xc2\x9b;1m", "\\xc2\\x9b;1m"}, /* and in UTF-8 */
	    {"\xe2\x80\xaeright", "\\xe2\\x80\\xaeright"},
	    {"\xc0\xaf \xed\xa0\x80", "\\xc0\\xaf \\xed\\xa0\\x80"},
	    {"cut \xe2\x82", "cut \\xe2\\x82"},
	    {"\xf0\x9f\x90\x8c", "\xf0\x9f\x90\x8c"},
	    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
	    {"", ""},
	};
	char shown[SHOWN_NAME];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		ck_assert_str_eq(show_name(shown, names[i][0]), names[i][1]);
}
END_TEST

START_TEST(a_name_of_any_length_fits_and_no_escape_is_cut)
{
	char name[2000], shown[SHOWN_NAME];

	memset(name, 1, sizeof name);
	for (size_t len = 0; len < sizeof name; len++) {
		name[len] = '\0';
		size_t n = strlen(show_name(shown, name));

		ck_assert_uint_lt(n, SHOWN_NAME);
		ck_assert_uint_eq(n % 4, 0);
		name[len] = 1;
	}
}
END_TEST

START_TEST(a_column_counts_characters_and_marks_a_cut)
{
	struct text t = {0};

	text_column(&t, 5, "m\xc3\xbcll");
	text_add(&t, "|");
	text_column(&t, 4, "m\xc3\xbcll");
	text_add(&t, "|");
	text_column(&t, 3, "m\xc3\xbcll");
	text_add(&t, "|");
	ck_assert_str_eq(t.at, "m\xc3\xbcll |m\xc3\xbcll|m\xc3\xbc~|");
	text_free(&t);
}
END_TEST

START_TEST(bytes_have_a_unit_and_few_digits)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} all[] = {{0, "0B"}, {1023, "1023B"}, {1024, "1.0K"}, {10240, "10K"},
	    {1023 * 1024, "1023K"}, {1024 * 1024 - 1, "1.0M"},
	    {UINT64_MAX, "16E"}};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct text t = {0};

		text_bytes(&t, 0, all[i].bytes);
		ck_assert_str_eq(t.at, all[i].text);
		text_free(&t);
	}
}
END_TEST

/* ---- which, in which order ---- */

START_TEST(zones_are_sorted_by_any_number_the_older_first)
{
	struct fake *f = fake_four();

	expect_order(f, (struct pick){.sort = SORT_AGE}, "0123");
	expect_order(f, (struct pick){.sort = SORT_NAME}, "3102");
	expect_order(f, (struct pick){.sort = SORT_SIZE}, "0123");
	expect_order(f, (struct pick){.sort = SORT_USED}, "3210");
	expect_order(f, (struct pick){.sort = SORT_FREE}, "0123");
	expect_order(f, (struct pick){.sort = SORT_MEMORY}, "3210");
	expect_order(f, (struct pick){.sort = SORT_REQUESTS}, "3021");
	expect_order(f, (struct pick){.sort = SORT_FAIL}, "1023");
	expect_order(
	    f, (struct pick){.sort = SORT_NAME, .reverse = true}, "2013");
	free(f);
}
END_TEST

START_TEST(keys_are_known_by_name_and_as_haproxy_has_them)
{
	enum sort_key key;

	ck_assert(sort_key_of("used", &key) && key == SORT_USED);
	ck_assert(sort_key_of("byname", &key) && key == SORT_NAME);
	ck_assert(sort_key_of("bysize", &key) && key == SORT_SIZE);
	ck_assert(sort_key_of("byusage", &key) && key == SORT_MEMORY);
	ck_assert(!sort_key_of("use", &key) && !sort_key_of("", &key));
}
END_TEST

START_TEST(a_glob_picks_zones_and_all_that_belongs_to_them)
{
	struct fake *f = fake_four();
	struct pick pick = {.match = "[ac]*", .sort = SORT_NAME};

	expect_order(f, pick, "302");
	struct uma_stats *s = pick_stats(&f->stats, &pick);
	ck_assert_uint_eq(s->nzones, 3);
	ck_assert_str_eq(stat_name(s, 0), "arp");
	ck_assert_uint_eq(uma_stats_zone(s, 0)->zone, 0x4000);
	ck_assert_uint_eq(uma_stats_cpu(s, 0, 1)->cached, 24);
	ck_assert_uint_eq(uma_stats_cpu(s, 2, 1)->cached, 16);
	ck_assert_uint_eq(uma_stats_domain(s, 2, 1)->slabs, 3);
	ck_assert_ptr_null(uma_stats_zone(s, 3));
	free(s);
	pick.match = "none";
	s = pick_stats(&f->stats, &pick);
	ck_assert_uint_eq(s->nzones, 0);
	free(s);
	free(f);
}
END_TEST

START_TEST(a_snapshot_without_arrays_or_names_can_be_picked_from)
{
	struct fake *f = fake_four();

	f->stats.cpu = NULL;
	f->stats.domain = NULL;
	f->stats.name = NULL;
	strcpy(f->zone[1].name, "short");
	struct uma_stats *s =
	    pick_stats(&f->stats, &(struct pick){.match = "s*"});
	struct text t = {0};

	ck_assert_uint_eq(s->nzones, 1);
	ck_assert_str_eq(stat_name(s, 0), "short");
	table_cpus(&t, s);
	table_domains(&t, s);
	ck_assert_ptr_nonnull(strstr(t.at, "short"));
	text_free(&t);
	free(s);
	free(f);
}
END_TEST

/* ---- what changed ---- */

START_TEST(changes_are_counted_by_the_second)
{
	struct fake *a = fake_four(), *b = fake_four();

	b->zone[0].allocs += 1000;
	b->zone[0].frees += 500;
	b->zone[1].fails += 10;
	b->zone[2].sleeps += 1;
	b->zone[3].refills += 4;
	struct change *c = change_of(&a->stats, &b->stats, 2);
	ck_assert(c->rate[0].requests == 500 && c->rate[0].frees == 250);
	ck_assert(c->rate[1].fails == 5 && c->rate[1].requests == 0);
	ck_assert(c->rate[2].sleeps == 0.5 && c->rate[3].refills == 2);
	ck_assert_uint_eq(c->came + c->went, 0);
	free(c);
	free(a);
	free(b);
}
END_TEST

START_TEST(zones_that_come_have_done_all_since_those_that_go_are_counted)
{
	struct fake *a = fake_four(), *b = fake_new();

	fake_zone(b, "buf", 0x2000, 60);
	fake_zone(b, "arp", 0x4000, 310);
	fake_zone(b, "new", 0x1000, 7); /* another, where one was */
	struct change *c = change_of(&a->stats, &b->stats, 1);
	ck_assert(c->rate[0].requests == 10);
	ck_assert(c->rate[1].requests == 10);
	ck_assert(c->rate[2].requests == 7);
	ck_assert_uint_eq(c->came, 1);
	ck_assert_uint_eq(c->went, 2);
	free(c);
	free(a);
	free(b);
}
END_TEST

START_TEST(a_counter_that_went_back_is_no_change)
{
	struct fake *a = fake_four(), *b = fake_four();

	b->zone[0].allocs = 3;
	struct change *c = change_of(&a->stats, &b->stats, 1);
	ck_assert(c->rate[0].requests == 0);
	free(c);
	c = change_of(&a->stats, &b->stats, 0); /* no time at all */
	ck_assert(c->rate[1].requests == 0);
	free(c);
	c = change_of(NULL, &b->stats, 0);
	ck_assert(c->rate[0].requests == 0 && c->came == 0);
	free(c);
	free(a);
	free(b);
}
END_TEST

START_TEST(with_changes_the_busiest_zone_is_first)
{
	struct fake *a = fake_four(), *b = fake_four();
	struct pick pick = {.sort = SORT_REQUESTS};
	size_t order[8];

	b->zone[1].allocs += 5; /* zone 3 has most, ever */
	struct change *c = change_of(&a->stats, &b->stats, 1);
	ck_assert_uint_eq(pick_zones(&b->stats, c, &pick, order), 4);
	ck_assert_uint_eq(order[0], 1);
	free(c);
	free(a);
	free(b);
}
END_TEST

/* ---- tables ---- */

START_TEST(each_cpu_that_holds_something_has_a_column_of_bytes)
{
	struct fake *f = fake_four();
	struct text t = {0};

	f->name[3] = "a\033b";
	table_cpus(&t, &f->stats);
	ck_assert_str_eq(t.at,
	    "ITEM                   CPU1     ALL\n\n"
	    "conn                     0B      0B\n"
	    "buf                    1.0K    1.0K\n"
	    "conn                   2.0K    2.0K\n"
	    "a\\x1bb                 3.0K    3.0K\n"
	    "all zones              6.0K    6.0K\n\n"
	    "Bytes of free items that the CPUs hold (by hand).\n");
	text_free(&t);
	free(f);
}
END_TEST

START_TEST(numbers_that_make_no_sense_are_printed_all_the_same)
{
	struct fake *f = fake_four();
	struct text t = {0};

	memset(&f->memory, 0xff, sizeof f->memory);
	for (int z = 0; z < 4; z++) {
		memset(&f->zone[z], 0xff, sizeof f->zone[z]);
		memset(f->zone[z].name, 'x', sizeof f->zone[z].name - 1);
		f->zone[z].name[31] = '\0';
		memset(&f->cpu[z], 0xff, sizeof f->cpu[z]);
		memset(&f->domain[z], 0xff, sizeof f->domain[z]);
	}
	struct change *c = change_of(NULL, &f->stats, 0);
	struct watch w = {"it", &f->stats, c};
	table_cpus(&t, &f->stats);
	table_domains(&t, &f->stats);
	table_rates(&t, &w, &(struct pick){.sort = SORT_FREE});
	ck_assert_ptr_nonnull(strstr(t.at, "16E"));
	free(c);
	text_free(&t);
	free(f);
}
END_TEST

/* ---- the screen ---- */

/* What a terminal of that size would show; it fails when anything scrolls. */
static void
play(const char *s, int rows, int columns, char screen[50][201])
{
	int row = 0, column = 0;

	for (; *s != '\0'; s++) {
		if (strncmp(s, "\033[H", 3) == 0) {
			row = column = 0, s += 2;
		} else if (strncmp(s, "\033[K", 3) == 0) {
			/* Behind the last column the cursor is still on it. */
			screen[row][column - (column == columns)] = '\0';
			s += 2;
		} else if (strncmp(s, "\033[J", 3) == 0) {
			for (int r = row; r < rows; r++)
				screen[r][0] = '\0';
			s += 2;
		} else if (strncmp(s, "\033[7m", 4) == 0 ||
			   strncmp(s, "\033[0m", 4) == 0) {
			s += 3;
		} else if (*s == '\r') {
			column = 0;
		} else if (*s == '\n') {
			ck_assert_int_lt(++row, rows);
		} else {
			ck_assert(*s >= ' ' && *s < 127);
			ck_assert_int_lt(column, columns);
			screen[row][column++] = *s;
			if (column == columns)
				screen[row][column] = '\0';
		}
	}
}

static void
frame(struct top *top, const struct fake *f, char screen[50][201])
{
	struct change *c = change_of(NULL, &f->stats, 0);
	struct watch w = {"process 1 (x)", &f->stats, c};
	struct text t = {0};

	memset(screen, 0, 50 * 201);
	strcpy(screen[top->rows - 1], "what was there before");
	top_frame(&t, top, &w);
	play(t.at, top->rows, top->columns, screen);
	text_free(&t);
	free(c);
}

START_TEST(a_frame_fits_every_terminal)
{
	struct fake *f = fake_four();
	char screen[50][201];

	for (int rows = 1; rows < 50; rows++) {
		for (int columns = 1; columns < 200; columns += 7) {
			struct top top = {.period = 2,
			    .rows = rows,
			    .columns = columns,
			    .help = rows & 1};

			frame(&top, f, screen);
			ck_assert_str_ne(
			    screen[rows - 1], "what was there before");
			if (rows >= 3 && columns < 80)
				ck_assert_uint_eq(
				    strlen(screen[2]), (size_t)columns);
		}
	}
	free(f);
}
END_TEST

START_TEST(a_frame_has_a_status_a_head_and_the_zones)
{
	struct fake *f = fake_four();
	struct top top = {.period = 2, .rows = 24, .columns = 80};
	char screen[50][201];

	f->name[0] = "\033]0;title\a";
	frame(&top, f, screen);
	ck_assert_ptr_nonnull(strstr(screen[0], "process 1 (x): 4 zones"));
	ck_assert_ptr_nonnull(strstr(screen[1], "by age, every 2 s"));
	ck_assert_ptr_eq(strstr(screen[2], "ITEM "), screen[2]);
	ck_assert_ptr_eq(strstr(screen[3], "\\x1b]0;title\\x07"), screen[3]);
	ck_assert_ptr_eq(strstr(screen[6], "arp "), screen[6]);
	ck_assert_str_eq(screen[7], "");
	free(f);
}
END_TEST

START_TEST(keys_sort_move_and_quit)
{
	struct fake *f = fake_four();
	struct top top = {.period = 2, .rows = 24, .columns = 80};
	char screen[50][201];

	ck_assert_int_eq(top_key(&top, "n", 1), TOP_REDRAW);
	frame(&top, f, screen);
	ck_assert_ptr_nonnull(strstr(screen[1], "by name"));
	ck_assert_ptr_eq(strstr(screen[3], "arp "), screen[3]);
	ck_assert_int_eq(top_key(&top, "R\033[Bj", 5), TOP_REDRAW);
	frame(&top, f, screen);
	ck_assert_ptr_nonnull(strstr(screen[1], "reversed"));
	ck_assert_ptr_nonnull(strstr(screen[1], "from 3 of 4"));
	ck_assert_ptr_eq(strstr(screen[3], "buf "), screen[3]);
	ck_assert_int_eq(top_key(&top, "\033[6~", 4), TOP_REDRAW);
	frame(&top, f, screen); /* no further than the last */
	ck_assert_uint_eq(top.first, 3);
	ck_assert_int_eq(top_key(&top, "\033[5~", 4), TOP_REDRAW);
	ck_assert_uint_eq(top.first, 0);
	ck_assert_int_eq(top_key(&top, "z\033[99~", 6), TOP_NOTHING);
	ck_assert_int_eq(top_key(&top, "jq", 2), TOP_QUIT);
	ck_assert_int_eq(top_key(&top, "\004", 1), TOP_QUIT);
	free(f);
}
END_TEST

START_TEST(the_period_has_ends)
{
	struct top top = {.period = 2, .rows = 24, .columns = 80};

	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(top_key(&top, "+", 1), TOP_READ);
	ck_assert(top.period >= 0.1);
	for (int i = 0; i < 100; i++)
		top_key(&top, "-", 1);
	ck_assert(top.period <= 3600);
}
END_TEST

/* ---- metrics ---- */

START_TEST(a_label_is_added_to_every_metric)
{
	struct text plain = {0}, t = {0};

	text_add(&plain, "# HELP a Text {of} it.\n"
			 "a_total{zone=\"x {y z\"} 1\nb 2\n# EOF\n");
	label_all(&t, &plain, "job=a\"b\\c\nd");
	ck_assert_str_eq(t.at,
	    "# HELP a Text {of} it.\n"
	    "a_total{job=\"a\\\"b\\\\c\\nd\",zone=\"x {y z\"} 1\n"
	    "b{job=\"a\\\"b\\\\c\\nd\"} 2\n# EOF\n");
	text_free(&plain);
	text_free(&t);
}
END_TEST

START_TEST(a_label_has_a_name_of_its_own)
{
	ck_assert(label_is_valid("job=web") && label_is_valid("_a1="));
	ck_assert(!label_is_valid("job") && !label_is_valid("=web"));
	ck_assert(!label_is_valid("1a=b") && !label_is_valid("a-b=c"));
	ck_assert(!label_is_valid("zone=x") && label_is_valid("zones=x"));
}
END_TEST

/* ---- maps ---- */

static void
add_slab(struct map *m, uint64_t i, const char *states)
{
	uint8_t state[256];
	size_t n = strlen(states);

	for (size_t k = 0; k < n; k++)
		state[k] = states[k] == '#'   ? ITEM_OUT
			   : states[k] == 'o' ? ITEM_CACHED
			   : states[k] == '.' ? ITEM_READY
					      : ITEM_FRESH;
	map_add(m, &(struct slab_view){.run = 0x10000 + i * 4096,
		       .size = 4096,
		       .items = n,
		       .state = state});
}

START_TEST(a_map_shows_each_item_of_few_slabs)
{
	struct map *m = map_new();
	struct text t = {0};

	add_slab(m, 0, "##o._");
	add_slab(m, 1, "#####");
	add_slab(m, 2, ".....");
	map_text(&t, m, "a\033b", 80, false);
	ck_assert_str_eq(t.at,
	    "a\\x1bb: 3 slabs, 12K; 1 with all items out, 1 with some, 1 with "
	    "none\n"
	    "items: 7 out, 1 cached, 6 ready, 1 fresh\n"
	    "       ADDRESS DOM    OUT/ITEMS \n"
	    "       0x10000   0      2/5      |##o._|\n"
	    "       0x11000   0      5/5      |#####|\n"
	    "       0x12000   0      0/5      |.....|\n"
	    "# out   1 to 9 tenths out   o cached   . ready   _ fresh\n");
	text_free(&t);
	map_free(m);
}
END_TEST

START_TEST(colours_repeat_what_the_signs_say)
{
	struct map *m = map_new();
	struct text plain = {0}, colour = {0};

	add_slab(m, 0, "##oo..__");
	map_text(&plain, m, "z", 80, false);
	map_text(&colour, m, "z", 80, true);
	ck_assert_ptr_null(strchr(plain.at, '\033'));
	ck_assert_ptr_nonnull(strstr(
	    colour.at, "|\033[31m##\033[36moo\033[32m..\033[34m__\033[0m|"));
	char *to = colour.at;
	for (char *s = colour.at; *s != '\0'; s++) {
		if (*s == '\033')
			s = strchr(s, 'm');
		else
			*to++ = *s;
	}
	*to = '\0';
	ck_assert_str_eq(plain.at, colour.at);
	text_free(&plain);
	text_free(&colour);
	map_free(m);
}
END_TEST

START_TEST(a_cell_of_many_items_says_how_many_are_out)
{
	static const struct {
		struct map_cell cell;
		enum map_kind kind;
	} all[] = {
	    {{{0, 0, 0, 0}}, MAP_NONE},
	    {{{9, 0, 0, 0}}, MAP_OUT},
	    {{{1, 0, 999, 0}}, MAP_TENTH},
	    {{{5, 5, 0, 0}}, MAP_TENTH + 4},
	    {{{999, 0, 0, 1}}, MAP_TENTH + 8},
	    {{{0, 1, 1, 1}}, MAP_CACHED},
	    {{{0, 1, 2, 1}}, MAP_READY},
	    {{{0, 1, 1, 2}}, MAP_FRESH},
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		ck_assert_int_eq(map_kind(&all[i].cell), all[i].kind);
}
END_TEST

START_TEST(any_number_of_slabs_makes_a_bounded_map_that_loses_none)
{
	struct map *m = map_new();
	uint64_t out = 0;
	struct text t = {0};

	for (uint64_t i = 0; i < MANY; i++)
		add_slab(m, i, i % 3 == 0 ? "#####" : "#o...");
	ck_assert_uint_le(map_cells(m), MAP_CELLS);
	ck_assert_uint_gt(map_cells(m), MAP_CELLS / 2 - 1);
	for (size_t i = 0; i < map_cells(m); i++)
		out += m->cell[i].items[ITEM_OUT];
	ck_assert_uint_eq(out, m->all.items[ITEM_OUT]);
	ck_assert_uint_eq(m->slabs, MANY);
	ck_assert_uint_eq(m->full, (MANY + 2) / 3);
	map_text(&t, m, "many", 80, false);
	ck_assert_uint_lt(t.len, 8000);
	ck_assert_ptr_nonnull(strstr(t.at, "a cell: 32 slabs"));
	text_free(&t);
	map_svg(&t, m, "many");
	ck_assert_uint_lt(t.len, 400000);
	text_free(&t);
	map_free(m);
}
END_TEST

START_TEST(as_many_slabs_as_rows_and_one_more)
{
	struct map *m = map_new();
	struct text t = {0};

	map_text(&t, m, "none", 80, false); /* of a zone without a slab */
	ck_assert_ptr_nonnull(strstr(t.at, "none: 0 slabs"));
	text_free(&t);
	map_svg(&t, m, "none");
	text_free(&t);
	for (uint64_t i = 0; i < MAP_ROWS; i++)
		add_slab(m, i, "#.");
	map_text(&t, m, "rows", 80, false);
	ck_assert_ptr_nonnull(strstr(t.at, "ADDRESS"));
	text_free(&t);
	add_slab(m, MAP_ROWS, "#.");
	map_text(&t, m, "cells", 80, false);
	ck_assert_ptr_null(strstr(t.at, "ADDRESS"));
	ck_assert_ptr_nonnull(strstr(t.at, "\n      64 5\n"));
	text_free(&t);
	map_free(m);
}
END_TEST

START_TEST(a_picture_escapes_the_name)
{
	struct map *m = map_new();
	struct text t = {0};

	add_slab(m, 0, "##..__oo");
	map_svg(&t, m, "<a & \"b\">\033'");
	ck_assert_ptr_nonnull(strstr(t.at,
	    "<title>Slabs of zone &lt;a &amp; &quot;b&quot;&gt;\\x1b&#39;"
	    "</title>"));
	ck_assert_ptr_nonnull(strstr(t.at, "<desc>1 slabs"));
	ck_assert_ptr_null(strchr(t.at, '\033'));
	text_free(&t);
	map_free(m);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("umastat_ui");
	TCase *text = tcase_create("text"), *zones = tcase_create("zones");
	TCase *screen = tcase_create("screen"), *maps = tcase_create("maps");

	tcase_add_test(text, a_name_shows_what_is_no_text_as_numbers);
	tcase_add_test(text, a_name_of_any_length_fits_and_no_escape_is_cut);
	tcase_add_test(text, a_column_counts_characters_and_marks_a_cut);
	tcase_add_test(text, bytes_have_a_unit_and_few_digits);
	tcase_add_test(zones, zones_are_sorted_by_any_number_the_older_first);
	tcase_add_test(zones, keys_are_known_by_name_and_as_haproxy_has_them);
	tcase_add_test(zones, a_glob_picks_zones_and_all_that_belongs_to_them);
	tcase_add_test(
	    zones, a_snapshot_without_arrays_or_names_can_be_picked_from);
	tcase_add_test(zones, changes_are_counted_by_the_second);
	tcase_add_test(zones,
	    zones_that_come_have_done_all_since_those_that_go_are_counted);
	tcase_add_test(zones, a_counter_that_went_back_is_no_change);
	tcase_add_test(zones, with_changes_the_busiest_zone_is_first);
	tcase_add_test(
	    zones, each_cpu_that_holds_something_has_a_column_of_bytes);
	tcase_add_test(
	    zones, numbers_that_make_no_sense_are_printed_all_the_same);
	tcase_add_test(screen, a_frame_fits_every_terminal);
	tcase_add_test(screen, a_frame_has_a_status_a_head_and_the_zones);
	tcase_add_test(screen, keys_sort_move_and_quit);
	tcase_add_test(screen, the_period_has_ends);
	tcase_add_test(zones, a_label_is_added_to_every_metric);
	tcase_add_test(zones, a_label_has_a_name_of_its_own);
	tcase_add_test(maps, a_map_shows_each_item_of_few_slabs);
	tcase_add_test(maps, colours_repeat_what_the_signs_say);
	tcase_add_test(maps, a_cell_of_many_items_says_how_many_are_out);
	tcase_add_test(
	    maps, any_number_of_slabs_makes_a_bounded_map_that_loses_none);
	tcase_add_test(maps, as_many_slabs_as_rows_and_one_more);
	tcase_add_test(maps, a_picture_escapes_the_name);
	suite_add_tcase(s, text);
	suite_add_tcase(s, zones);
	suite_add_tcase(s, screen);
	suite_add_tcase(s, maps);
	return test_run(s);
}
