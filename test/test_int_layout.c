/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_int_layout.c - every cut of a slab keeps its promises.
 */
#include "pages_int.h"
#include "slab.h"
#include "test.h"

#define PG UMA_PAGE_SIZE

static struct layout
layout_of(size_t size, size_t align, uint32_t flags)
{
	struct keg_config kc = {.kc_name = "layout",
	    .kc_size = size,
	    .kc_align = align,
	    .kc_flags = flags,
	    .kc_copies = flags & UMA_ZONE_PCPU ? 3 : 1};
	struct layout l;

	ck_assert_msg(layout_choose(&kc, &l), "%zu B at %zu, flags %#x", size,
	    align, flags);
	return l;
}

static bool
refused(size_t size, size_t align, uint32_t flags)
{
	struct keg_config kc = {.kc_name = "refused",
	    .kc_size = size,
	    .kc_align = align,
	    .kc_flags = flags,
	    .kc_copies = 1};
	struct layout l;

	return !layout_choose(&kc, &l);
}

/* Bytes that a header off the page takes of its zone's slabs. */
static size_t
header_cost(size_t items)
{
	return uma_roundup(
	    keg_header_size(items <= 64 ? 64 : KEG_OFFPAGE_ITEMS), 64);
}

static size_t
slab_cost(const struct layout *l)
{
	return l->l_pages * PG + (l->l_offpage ? header_cost(l->l_items) : 0);
}

static double
waste_of(const struct layout *l)
{
	return 1 - (double)(l->l_items * l->l_stride) / (double)slab_cost(l);
}

/* Everything that a keg relies on. */
static void
layout_check(const struct layout *l, size_t size, size_t align, uint32_t flags)
{
	size_t bytes = l->l_pages * PG, used = l->l_items * l->l_stride;
	size_t last = (l->l_colours - 1) * l->l_colour_step;

	ck_assert_uint_ge(l->l_stride, size);
	ck_assert_uint_eq(l->l_stride % align, 0);
	ck_assert_uint_eq(l->l_start_align % align, 0);
	ck_assert_uint_ge(l->l_start_align, PG);
	ck_assert_uint_ge(l->l_items, 1);
	ck_assert_uint_ge(l->l_colours, 1);
	ck_assert_uint_eq(l->l_colour_step % align, 0);
	ck_assert_uint_eq(l->l_colour_step % UMA_CACHE_LINE, 0);
	ck_assert_uint_eq(l->l_header, keg_header_size(l->l_items));
	ck_assert_uint_le(last + used, bytes);
	if (l->l_offpage) {
		ck_assert_uint_le(l->l_items, KEG_OFFPAGE_ITEMS);
		ck_assert_uint_le(
		    l->l_header, keg_header_size(KEG_OFFPAGE_ITEMS));
	} else {
		ck_assert_uint_le(
		    uma_roundup(last + used, SLAB_HEADER_ALIGN) + l->l_header,
		    bytes);
	}
	if (flags & UMA_ZONE_REFCNT) {
		ck_assert_uint_ge(l->l_refcnt, size);
		ck_assert_uint_eq(l->l_refcnt % sizeof(uint32_t), 0);
		ck_assert_uint_le(l->l_refcnt + sizeof(uint32_t), l->l_stride);
	} else {
		ck_assert_uint_eq(l->l_refcnt, 0);
	}
	if (flags & (UMA_ZONE_OFFPAGE | UMA_ZONE_NOTOUCH))
		ck_assert(l->l_offpage);
	if ((flags & UMA_ZONE_NODUMP) && !(flags & UMA_ZONE_VM))
		ck_assert(l->l_offpage);
	if (flags & UMA_ZONE_VM)
		ck_assert(!l->l_offpage);
	if (l->l_stride >= PG || (flags & UMA_ZONE_CACHESPREAD))
		ck_assert_uint_eq(l->l_colours, 1);
}

static const uint32_t flag_sets[] = {0, UMA_ZONE_VM, UMA_ZONE_OFFPAGE,
    UMA_ZONE_REFCNT, UMA_ZONE_VM | UMA_ZONE_REFCNT, UMA_ZONE_NOTOUCH,
    UMA_ZONE_NOTOUCH | UMA_ZONE_OFFPAGE, UMA_ZONE_CONTIG,
    UMA_ZONE_CONTIG | UMA_ZONE_VM, UMA_ZONE_CONTIG | UMA_ZONE_OFFPAGE,
    UMA_ZONE_CACHESPREAD, UMA_ZONE_CACHESPREAD | UMA_ZONE_VM,
    UMA_ZONE_CACHESPREAD | UMA_ZONE_CONTIG,
    UMA_ZONE_CACHESPREAD | UMA_ZONE_REFCNT, UMA_ZONE_CONTIG | UMA_ZONE_REFCNT,
    UMA_ZONE_NODUMP, UMA_ZONE_NODUMP | UMA_ZONE_VM,
    UMA_ZONE_NODUMP | UMA_ZONE_CONTIG};
#define FLAG_SETS ((int)(sizeof flag_sets / sizeof flag_sets[0]))

/* Sanitizers look at fewer sizes. */
#define STEP ((size_t)(TEST_ASAN || TEST_TSAN ? 5 : 1))

/* From size 1 to several pages, steps growing, so that all kinds occur. */
#define FOR_SIZES(s, most) \
	for (size_t s = 1; s <= (most); s += STEP * (s < 2200 ? 7 : 1 + s / 37))

START_TEST(items_and_header_fit_at_every_colour_with_every_flag)
{
	for (size_t align = 1; align <= 4 * PG; align *= 2)
		FOR_SIZES(size, 300000)
		{
			struct layout l = layout_of(size, align, flag_sets[_i]);
			layout_check(&l, size, align, flag_sets[_i]);
		}
}
END_TEST

static const size_t aligns[] = {8, 16, 64};

START_TEST(slabs_waste_at_most_2_percent_below_a_page)
{
	size_t align = aligns[_i];

	for (size_t size = 64; size < PG; size += STEP) {
		struct layout l = layout_of(size, align, 0);

		layout_check(&l, size, align, 0);
		ck_assert_msg(waste_of(&l) <= 0.02, "%zu B: %.2f %%", size,
		    100 * waste_of(&l));
		ck_assert_uint_le(l.l_pages, 64);
	}
}
END_TEST

START_TEST(slabs_of_large_alignment_waste_at_most_2_percent)
{
	for (size_t align = 128; align <= PG; align *= 2)
		for (size_t size = 64; size < PG; size += 3 * STEP) {
			struct layout l = layout_of(size, align, 0);

			layout_check(&l, size, align, 0);
			ck_assert_msg(waste_of(&l) <= 0.02,
			    "%zu B at %zu: %.2f %%", size, align,
			    100 * waste_of(&l));
		}
}
END_TEST

START_TEST(a_million_live_items_take_at_most_1_02_of_their_size)
{
	static const size_t sizes[] = {64, 128, 256, 512, 1024, 2048, 4096};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct layout l = layout_of(sizes[i], 8, 0);
		double live = (double)(slab_cost(&l) + 8 * l.l_pages) /
			      (double)(l.l_items * sizes[i]);

		ck_assert_msg(waste_of(&l) <= 0.013, "%zu B: %.4f", sizes[i],
		    waste_of(&l));
		ck_assert_msg(live <= 1.016, "%zu B: %.4f", sizes[i], live);
	}
	struct layout l = layout_of(16, 8, 0);
	ck_assert(waste_of(&l) <= 0.03);
}
END_TEST

/* ---- colours ---- */

/* Cache lines of a page in which an item of some slab starts. */
static size_t
lines_started(const struct layout *l)
{
	bool line[PG / UMA_CACHE_LINE] = {false};
	size_t n = 0;

	for (size_t c = 0; c < l->l_colours; c++)
		for (size_t i = 0; i < l->l_items; i++) {
			size_t at = c * l->l_colour_step + i * l->l_stride;
			bool *b = &line[at % PG / UMA_CACHE_LINE];

			n += !*b;
			*b = true;
		}
	return n;
}

START_TEST(items_of_a_power_of_two_start_in_every_cache_line)
{
	static const struct {
		size_t size, lines;
	} want[] = {{64, 64}, {128, 64}, {256, 64}, {512, 64}, {1024, 32},
	    {2048, 4}, {4096, 1}};

	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		struct layout l = layout_of(want[i].size, 8, 0);
		ck_assert_uint_eq(lines_started(&l), want[i].lines);
		l = layout_of(want[i].size, 8, UMA_ZONE_VM);
		ck_assert_uint_eq(lines_started(&l), want[i].lines);
	}
}
END_TEST

START_TEST(items_of_any_size_start_in_half_of_the_cache_lines)
{
	for (size_t size = 64; size <= 4032; size += STEP) {
		struct layout l = layout_of(size, 8, 0);

		if (l.l_stride != 2048)
			ck_assert_msg(lines_started(&l) >= 24, "%zu B: %zu",
			    size, lines_started(&l));
	}
}
END_TEST

START_TEST(no_two_colours_touch_the_same_sets)
{
	FOR_SIZES(size, PG)
	{
		struct layout l = layout_of(size, 8, 0);

		ck_assert_uint_ge(l.l_colour_step, UMA_CACHE_LINE);
		if (l.l_colours > 1)
			ck_assert_uint_le(
			    l.l_colours * l.l_colour_step, l.l_stride);
	}
}
END_TEST

/* ---- what stays when most items are free ---- */

/* Whether the header lies on the page at [from, from + PG). */
static bool
has_header(const struct layout *l, size_t colour, size_t from)
{
	size_t at =
	    uma_roundup(colour + l->l_items * l->l_stride, SLAB_HEADER_ALIGN);

	return !l->l_offpage && at < from + PG && at + l->l_header > from;
}

/* Expected bytes an item once nine in ten, by chance, are free. */
static double
sparse_cost(const struct layout *l)
{
	double all = 0;

	for (size_t c = 0; c < l->l_colours; c++) {
		size_t base = c * l->l_colour_step;

		for (size_t from = 0; from < l->l_pages * PG; from += PG) {
			double droppable = !has_header(l, base, from);

			for (size_t i = 0; i < l->l_items; i++) {
				size_t at = base + i * l->l_stride;
				if (at < from + PG && at + l->l_stride > from)
					droppable *= 0.9;
			}
			all += (1 - droppable) * (double)PG + 8;
		}
		all += (double)(slab_cost(l) - l->l_pages * PG);
	}
	return all / (double)(l->l_colours * l->l_items);
}

START_TEST(sparse_slabs_keep_little_more_than_jemalloc_s)
{
	/* Resident bytes an object that jemalloc 5.3 was measured to keep. */
	static const struct {
		size_t size, peer;
	} sizes[] = {
	    {256, 218}, {512, 309}, {1024, 387}, {2048, 457}, {4096, 547}};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct layout l = layout_of(sizes[i].size, 8, 0);
		double keeps = sparse_cost(&l);

		/* 2 % are left for all that is not slabs. */
		ck_assert_msg(keeps <= 1.08 * (double)sizes[i].peer,
		    "%zu B: %.1f", sizes[i].size, keeps);
	}
}
END_TEST

START_TEST(headers_do_not_pin_pages_that_few_items_share)
{
	for (size_t size = 249; size <= PG; size += STEP)
		ck_assert(layout_of(size, 8, 0).l_offpage);
	for (size_t size = 1; size <= 128; size++)
		ck_assert(!layout_of(size, 8, 0).l_offpage);
}
END_TEST

/* ---- flags ---- */

START_TEST(contig_items_of_up_to_a_page_never_cross_its_end)
{
	static const uint32_t more[] = {
	    0, UMA_ZONE_VM, UMA_ZONE_OFFPAGE, UMA_ZONE_CACHESPREAD};
	uint32_t flags = UMA_ZONE_CONTIG | more[_i];

	for (size_t align = 1; align <= PG; align *= 2)
		for (size_t size = 1; size <= PG;
		     size += STEP * (size < 300 ? 1 : 5)) {
			struct layout l = layout_of(size, align, flags);

			layout_check(&l, size, align, flags);
			ck_assert_uint_le(l.l_stride, PG);
			if (!(flags & UMA_ZONE_VM))
				ck_assert_uint_eq(l.l_pages, 1);
			size_t end = (l.l_colours - 1) * l.l_colour_step +
				     l.l_items * l.l_stride;
			ck_assert_uint_le(end, PG);
		}
	struct layout full = layout_of(PG, 8, flags);
	ck_assert_uint_eq(full.l_pages, flags & UMA_ZONE_VM ? 2 : 1);
	ck_assert_uint_eq(full.l_items, 1);
}
END_TEST

START_TEST(contig_items_above_a_page_have_a_run_of_the_fewest_pages)
{
	for (size_t size = PG + 1; size < 40 * PG; size += 97) {
		struct layout l = layout_of(size, 8, UMA_ZONE_CONTIG);

		layout_check(&l, size, 8, UMA_ZONE_CONTIG);
		ck_assert_uint_eq(l.l_items, 1);
		ck_assert_uint_eq(l.l_pages, (l.l_stride + PG - 1) / PG);
	}
}
END_TEST

START_TEST(contig_gives_up_no_item_for_colours)
{
	for (size_t size = 8; size <= PG; size += 8) {
		struct layout l =
		    layout_of(size, 8, UMA_ZONE_CONTIG | UMA_ZONE_OFFPAGE);

		ck_assert_uint_eq(
		    l.l_items, uma_min(PG / size, (size_t)KEG_OFFPAGE_ITEMS));
	}
	/* Four items leave 424 bytes, and 72 of them to the header. */
	struct layout l = layout_of(900, 4, UMA_ZONE_CONTIG);
	ck_assert_uint_ge(l.l_colours, 4);
}
END_TEST

START_TEST(cachespread_starts_items_at_every_unit_of_alignment)
{
	for (size_t align = 8; align <= PG; align *= 2)
		for (size_t size = 1; size <= 3 * PG; size += 29) {
			struct layout l =
			    layout_of(size, align, UMA_ZONE_CACHESPREAD);
			size_t plain = uma_roundup(uma_max(size, 8), align);

			layout_check(&l, size, align, UMA_ZONE_CACHESPREAD);
			ck_assert_uint_eq(l.l_stride / align % 2, 1);
			ck_assert_uint_le(l.l_stride, plain + align);
			ck_assert(
			    plain / align % 2 == 0 || l.l_stride == plain);
		}
	/* An odd number of units comes to every place of a page in turn. */
	struct layout l = layout_of(512, 64, UMA_ZONE_CACHESPREAD);
	ck_assert_uint_eq(l.l_stride, 576);
	ck_assert_uint_eq(lines_started(&l), 64);
}
END_TEST

START_TEST(contig_goes_before_cachespread)
{
	uint32_t both = UMA_ZONE_CONTIG | UMA_ZONE_CACHESPREAD;

	ck_assert_uint_eq(layout_of(512, 64, both).l_stride, 576);
	ck_assert_uint_eq(layout_of(PG, 64, both).l_stride, PG);
	ck_assert_uint_eq(layout_of(PG, 64, both).l_pages, 1);
	ck_assert_uint_eq(layout_of(2 * PG, 64, both).l_stride, 2 * PG + 64);
	ck_assert_uint_eq(layout_of(2 * PG, 64, both).l_pages, 3);
}
END_TEST

START_TEST(notouch_and_vm_exclude_each_other)
{
	FOR_SIZES(size, 3 * PG)
	{
		ck_assert(refused(size, 8, UMA_ZONE_NOTOUCH | UMA_ZONE_VM));
		ck_assert(refused(size, 8, UMA_ZONE_OFFPAGE | UMA_ZONE_VM));
	}
}
END_TEST

START_TEST(pcpu_slabs_are_a_page_of_items_for_each_cpu)
{
	for (size_t size = 1; size <= UMA_PCPU_STRIDE; size++) {
		struct layout l = layout_of(size, 8, UMA_ZONE_PCPU);

		ck_assert_uint_eq(l.l_items, UMA_PCPU_STRIDE / l.l_stride);
		ck_assert_uint_eq(l.l_pages, 3 * UMA_PCPU_STRIDE / PG);
		ck_assert_uint_eq(l.l_colours, 1);
		ck_assert(l.l_offpage);
		ck_assert_uint_le(l.l_items, KEG_OFFPAGE_ITEMS);
	}
	ck_assert(refused(UMA_PCPU_STRIDE + 1, 8, UMA_ZONE_PCPU));
	ck_assert(refused(8, 2 * UMA_PCPU_STRIDE, UMA_ZONE_PCPU));
}
END_TEST

/* ---- the original's cuts ---- */

START_TEST(no_cut_of_freebsd_s_wastes_less)
{
	static const struct {
		size_t size, items, pages;
		bool off;
	} theirs[] = {{64, 63, 1, false}, {128, 31, 1, false},
	    {256, 15, 1, false}, {384, 10, 1, false}, {512, 8, 1, true},
	    {1000, 4, 1, false}, {1024, 4, 1, true}, {1360, 3, 1, true},
	    {2048, 2, 1, true}, {2049, 9, 5, false}, {3000, 4, 3, false},
	    {4096, 1, 1, true}, {4097, 9, 10, false}, {5000, 3, 4, false},
	    {9216, 2, 5, false}, {65536, 1, 16, true}};

	for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++) {
		struct layout l = layout_of(theirs[i].size, 8, 0);
		/* Their cut, with a header of ours. */
		double cost =
		    (double)(theirs[i].pages * PG +
			     (theirs[i].off ? header_cost(theirs[i].items)
					    : 0));
		double used = (double)(theirs[i].items * l.l_stride);

		ck_assert_msg(waste_of(&l) <= 1 - used / cost + 1e-9,
		    "%zu B: %.4f, theirs %.4f", theirs[i].size, waste_of(&l),
		    1 - used / cost);
	}
}
END_TEST

static void
colour_tests(Suite *s)
{
	TCase *tc = tcase_create("colours");

	tcase_add_test(tc, items_of_a_power_of_two_start_in_every_cache_line);
	tcase_add_test(tc, items_of_any_size_start_in_half_of_the_cache_lines);
	tcase_add_test(tc, no_two_colours_touch_the_same_sets);
	tcase_add_test(tc, sparse_slabs_keep_little_more_than_jemalloc_s);
	tcase_add_test(tc, headers_do_not_pin_pages_that_few_items_share);
	suite_add_tcase(s, tc);
}

static void
flag_tests(Suite *s)
{
	TCase *tc = tcase_create("flags");

	tcase_add_loop_test(
	    tc, contig_items_of_up_to_a_page_never_cross_its_end, 0, 4);
	tcase_add_test(
	    tc, contig_items_above_a_page_have_a_run_of_the_fewest_pages);
	tcase_add_test(tc, contig_gives_up_no_item_for_colours);
	tcase_add_test(tc, cachespread_starts_items_at_every_unit_of_alignment);
	tcase_add_test(tc, contig_goes_before_cachespread);
	tcase_add_test(tc, notouch_and_vm_exclude_each_other);
	tcase_add_test(tc, pcpu_slabs_are_a_page_of_items_for_each_cpu);
	suite_add_tcase(s, tc);
}

static Suite *
suite(void)
{
	Suite *s = suite_create("layout");
	TCase *tc = tcase_create("cuts");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc,
	    items_and_header_fit_at_every_colour_with_every_flag, 0, FLAG_SETS);
	tcase_add_loop_test(
	    tc, slabs_waste_at_most_2_percent_below_a_page, 0, 3);
	tcase_add_test(tc, slabs_of_large_alignment_waste_at_most_2_percent);
	tcase_add_test(
	    tc, a_million_live_items_take_at_most_1_02_of_their_size);
	tcase_add_test(tc, no_cut_of_freebsd_s_wastes_less);
	suite_add_tcase(s, tc);
	colour_tests(s);
	flag_tests(s);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
