/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Broken contracts: zones that cannot be are refused with nothing changed;
 * wrong frees are found where a slab is looked at, and at the call itself
 * with debug=check, and end in one line on descriptor 2 and an abort.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <limits.h>
#include <regex.h>
#include <uma.h>

#include "books.h"

static void *items[4000];

/* ---- uma_zcreate ---- */

static const struct {
	const char *name;
	size_t size;
	int align;
	uint32_t flags;
} refused[] = {
    {NULL, 16, 0, 0},
    {"size 0", 0, 0, 0},
    {"size 0", 0, 0, UMA_ZONE_PCPU},
    {"overflow", (size_t)INT_MAX + 1, 0, 0},
    {"overflow", SIZE_MAX, 0, 0},
    {"overflow", SIZE_MAX - 63, 63, 0},
    {"overflow", (size_t)1 << 63, 0, 0},
    {"no mask", 16, 2, 0},
    {"no mask", 16, 8, 0},
    {"no mask", 16, 5, 0},
    {"no mask", 16, 64, 0},
    {"no mask", 16, -1, 0},
    {"no mask", 16, INT_MIN, 0},
    {"align", 16, UMA_ALIGN_MAX * 2 + 1, 0},
    {"align", 16, INT_MAX, 0},
    {"unknown", 16, 0, 0x0001},
    {"unknown", 16, 0, 0x0040},
    {"unknown", 16, 0, 0x80000000u},
    {"unknown", 16, 0, 0xffffffffu},
    {"buckets", 16, 0, UMA_ZONE_MAXBUCKET | UMA_ZONE_NOBUCKET},
    {"lookup", 16, 0, UMA_ZONE_HASH | UMA_ZONE_VTOSLAB},
    {"vm pcpu", 16, 0, UMA_ZONE_VM | UMA_ZONE_PCPU},
    {"vm offpage", 16, 0, UMA_ZONE_VM | UMA_ZONE_OFFPAGE},
    {"pcpu size", UMA_PCPU_STRIDE + 1, 0, UMA_ZONE_PCPU},
};

struct zones_text {
	char text[65536];
	size_t len;
};

static void
collect(void *arg, const char *text, size_t len)
{
	struct zones_text *zt = arg;

	ck_assert_uint_lt(zt->len + len, sizeof zt->text);
	memcpy(zt->text + zt->len, text, len);
	zt->len += len;
}

START_TEST(a_zone_that_cannot_be_is_refused_and_nothing_changes)
{
	static struct zones_text before, after;
	uma_zone_t z = plain_zone("bystander", 16, 0, 0);
	void *p = must_alloc(z, M_WAITOK);

	ck_assert_int_eq(uma_stats_print(collect, &before, "z"), 0);
	errno = 0;
	ck_assert_ptr_null(uma_zcreate(refused[_i].name, refused[_i].size,
	    count_ctor, count_dtor, count_init, count_fini, refused[_i].align,
	    refused[_i].flags));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(uma_stats_print(collect, &after, "z"), 0);
	ck_assert_uint_eq(after.len, before.len);
	ck_assert_int_eq(memcmp(after.text, before.text, before.len), 0);
	ck_assert_int_eq(hooks.init + hooks.ctor + hooks.dtor + hooks.fini, 0);
	books_assert(z, 1);
	uma_zfree(z, p);
	uma_zdestroy(z);
}
END_TEST

START_TEST(refusals_leave_no_memory_behind)
{
	uma_zone_t z = plain_zone("warm up", 16, 0, 0);
	long before = resident_bytes();
	int made = 0;

	for (int i = 0; i < 400000; i++)
		made += uma_zcreate(
			    "refused", 0, NULL, NULL, NULL, NULL, 0, 0) != NULL;
	ck_assert_int_eq(made, 0);
	ck_assert_int_lt(resident_bytes(), before + RESIDENT_SLACK);
	uma_zdestroy(z);
}
END_TEST

START_TEST(the_largest_that_is_allowed_is_accepted)
{
	uma_zone_t wide = plain_zone("wide", UMA_PCPU_STRIDE, 0, UMA_ZONE_PCPU);
	uma_zone_t large = plain_zone("large", INT_MAX, 0, 0);
	uma_zone_t aligned = plain_zone("aligned", 1, UMA_ALIGN_MAX, 0);

	void *p = must_alloc(aligned, M_WAITOK);
	ck_assert_uint_eq((uintptr_t)p & UMA_ALIGN_MAX, 0);
	uma_zfree(aligned, p);
	uma_zfree(wide, must_alloc(wide, M_WAITOK));
	uma_zdestroy(wide);
	uma_zdestroy(large);
	uma_zdestroy(aligned);
}
END_TEST

/* ---- wrong frees ---- */

/*
 * One wrong deed.  The item that is freed wrongly is found before the child
 * does it, so that its address can be asked for in the message.
 */
struct deed {
	uma_zone_t zone, other;
	void *item; /* freed wrongly */
	bool checked; /* debug=check: it must come at the call */
	uint32_t flags; /* of the zone */
};

/*
 * Where the zone caches, the drain is what looks at the slab; at the call the
 * child must be dead before it.
 */
static void
free_wrongly(struct deed *d)
{
	uma_zfree(d->zone, d->item);
	if (d->checked) {
		static const char late[] = "survived the call\n";

		(void)!write(2, late, sizeof late - 1);
		_exit(3);
	}
	uma_zone_reclaim(d->zone, UMA_RECLAIM_DRAIN_CPU);
}

static void
free_twice(void *arg)
{
	struct deed *d = arg;

	uma_zfree(d->zone, d->item);
	free_wrongly(d);
}

static void
free_once(void *arg)
{
	free_wrongly(arg);
}

/* Does text consist of one line of the documented form? */
static void
assert_report(const char *text, const char *zone, const char *fault,
    const void *item, bool in_slab)
{
	char form[512];
	regex_t re;

	snprintf(form, sizeof form, "^uma: zone '%s': %s of %p%s[^\n]*\n$",
	    zone, fault, item,
	    in_slab ? " \\(slab 0x[0-9a-f]+, item [0-9]+, size [0-9]+\\): "
		    : "");
	ck_assert_int_eq(regcomp(&re, form, REG_EXTENDED | REG_NOSUB), 0);
	ck_assert_msg(regexec(&re, text, 0, NULL, 0) == 0,
	    "wanted '%s', it said: %s", form, text);
	regfree(&re);
}

static void
expect_report(
    void (*deed)(void *), struct deed *d, const char *fault, bool in_slab)
{
	char text[4096];
	int status = child_says(deed, d, text, sizeof text);

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
	    "no abort (status %#x), it said: %s", status, text);
	assert_report(text, "culprit", fault, d->item, in_slab);
}

/*
 * The ways by which a free meets the slab: the drain, no buckets, at once
 * with debug=check; with headers on the page and off it.
 */
static const struct {
	bool checked;
	uint32_t flags;
} ways[] = {
    {false, 0},
    {false, UMA_ZONE_NOBUCKET},
    {false, UMA_ZONE_OFFPAGE | UMA_ZONE_HASH},
    {false, UMA_ZONE_OFFPAGE | UMA_ZONE_VTOSLAB},
    {false, UMA_ZONE_HASH | UMA_ZONE_NOBUCKET},
    {false, UMA_ZONE_MALLOC | UMA_ZONE_REFCNT},
    {true, 0},
    {true, UMA_ZONE_OFFPAGE | UMA_ZONE_HASH},
    {true, UMA_ZONE_VTOSLAB},
    {true, UMA_ZONE_MAXBUCKET},
};

/* Two zones of one layout with items out; the deed is about to be done. */
static struct deed
prepare(int way)
{
	struct deed d = {
	    .checked = ways[way].checked, .flags = ways[way].flags};

	if (d.checked)
		options_add("debug=check");
	d.zone = plain_zone("culprit", 96, UMA_ALIGN_PTR, d.flags);
	d.other = plain_zone("bystander", 96, UMA_ALIGN_PTR, d.flags);
	take_many(d.zone, items, 50);
	take_many(d.other, items + 50, 50);
	d.item = items[20];
	return d;
}

START_TEST(a_free_of_null_does_nothing)
{
	struct deed d = prepare(_i);

	uma_zfree(d.zone, NULL);
	uma_zfree_arg(d.zone, NULL, &d);
	uma_zone_reclaim(d.zone, UMA_RECLAIM_DRAIN_CPU);
	books_assert(d.zone, 50);
	ck_assert_uint_eq(stat_of(d.zone).frees, 0);
	free_many(d.zone, items, 50);
	uma_zdestroy(d.zone);
}
END_TEST

START_TEST(a_double_free_aborts)
{
	struct deed d = prepare(_i);

	expect_report(free_twice, &d, "double free", true);
}
END_TEST

START_TEST(a_free_of_another_zone_s_item_aborts)
{
	struct deed d = prepare(_i);

	d.item = items[70];
	/* A hash knows the slabs of its own keg only. */
	expect_report(
	    free_once, &d, "wrong-zone free", !(d.flags & UMA_ZONE_HASH));
}
END_TEST

START_TEST(a_free_of_a_pointer_into_an_item_aborts)
{
	struct deed d = prepare(_i);

	d.item = (char *)items[20] + 8;
	expect_report(free_once, &d, "misaligned free", true);
	d.item = (char *)items[20] + 95;
	expect_report(free_once, &d, "misaligned free", true);
}
END_TEST

START_TEST(a_free_of_memory_that_is_no_zone_s_aborts)
{
	static _Alignas(64) char global[256];
	_Alignas(64) char local[256];
	struct deed d = prepare(_i);

	d.item = global;
	expect_report(free_once, &d, "foreign free", false);
	d.item = local;
	expect_report(free_once, &d, "foreign free", false);
	/* Nothing is mapped there: the check itself must not look. */
	d.item = (void *)(uintptr_t)0x10000;
	expect_report(free_once, &d, "foreign free", false);
	d.item = (void *)(uintptr_t)0xfffffffffffff000u;
	expect_report(free_once, &d, "foreign free", false);
	d.item = (void *)(uintptr_t)0x8000000000000000u;
	expect_report(free_once, &d, "foreign free", false);
}
END_TEST

static void
free_of_leftover(void *arg)
{
	struct deed *d = arg;

	uma_set_warning_sink(said_sink, NULL);
	uma_zdestroy(d->zone);
	uma_zfree(d->zone, d->item);
}

START_TEST(a_free_after_destroy_aborts)
{
	struct deed d = prepare(_i);

	expect_report(free_of_leftover, &d, "free after destroy", true);
}
END_TEST

/* ---- at the places where slabs are looked at ---- */

static void
double_free_then_destroy(void *arg)
{
	struct deed *d = arg;

	for (int i = 0; i < 50; i++)
		uma_zfree(d->zone, items[i]);
	uma_zfree(d->zone, d->item);
	uma_zdestroy(d->zone);
}

START_TEST(destroying_the_zone_finds_a_double_free)
{
	struct deed d = prepare(0);

	expect_report(double_free_then_destroy, &d, "double free", true);
}
END_TEST

static void
wrong_zone_free_then_global_reclaim(void *arg)
{
	struct deed *d = arg;

	uma_zfree(d->zone, d->item);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
}

START_TEST(a_global_reclaim_finds_a_wrong_zone_free)
{
	struct deed d = prepare(0);

	d.item = items[60];
	expect_report(
	    wrong_zone_free_then_global_reclaim, &d, "wrong-zone free", true);
}
END_TEST

START_TEST(a_wrong_zone_of_another_layout_is_a_wrong_zone)
{
	struct deed d = prepare(_i);
	uma_zone_t page = plain_zone("other layout", 5000, 0, 0);

	d.item = must_alloc(page, M_WAITOK);
	expect_report(free_once, &d, "wrong-zone free", true);
}
END_TEST

static void
free_an_address_never_allocated(void *arg)
{
	struct deed *d = arg;

	/* The item behind the last one out is free in its slab. */
	free_wrongly(d);
}

START_TEST(a_free_of_a_slab_s_free_item_is_a_double_free)
{
	options_add("debug=check");
	struct deed d = {.checked = true};

	d.zone = plain_zone("culprit", 96, UMA_ALIGN_PTR, 0);
	d.item = must_alloc(d.zone, M_WAITOK);
	d.item = (char *)d.item + stat_of(d.zone).stride;
	expect_report(free_an_address_never_allocated, &d, "double free", true);
}
END_TEST

static void
scribbling_dtor(void *mem, int size, void *arg)
{
	(void)arg;
	memset(mem, 0, (size_t)size);
}

static void
free_what_no_dtor_can_stand(void *zone)
{
	uma_zfree(zone, (void *)(uintptr_t)0x10000);
}

START_TEST(check_looks_at_the_item_before_the_dtor_does)
{
	options_add("debug=check");
	uma_zone_t z = uma_zcreate(
	    "culprit", 96, NULL, scribbling_dtor, NULL, NULL, UMA_ALIGN_PTR, 0);

	test_expect_abort(free_what_no_dtor_can_stand, z,
	    "zone 'culprit': foreign free of 0x10000");
}
END_TEST

START_TEST(correct_programs_run_unhindered_under_check)
{
	options_add("debug=check");
	uma_zone_t z = uma_zcreate("checked", 96, count_ctor, count_dtor,
	    count_init, count_fini, UMA_ALIGN_PTR, 0);

	catch_messages();
	int max = uma_zone_set_max(z, 1000);
	for (int round = 0; round < 5; round++) {
		take_many(z, items, (size_t)max);
		ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
		books_assert(z, (uint64_t)max);
		free_many(z, items, (size_t)max);
		books_assert(z, 0);
	}
	/* Every free has gone to its slab. */
	ck_assert_uint_eq(stat_of(z).free_cached, 0);
	ck_assert_int_eq(hooks.ctor, 5L * max);
	ck_assert_int_eq(hooks.dtor, 5L * max);
	uma_zdestroy(z);
	ck_assert_int_eq(hooks.fini, hooks.init);
	ck_assert_int_eq(said.lines, 0);
}
END_TEST

/* ---- counters ---- */

static void
find_refcnt_of(void *arg)
{
	struct deed *d = arg;

	*uma_find_refcnt(d->zone, d->item) = 1;
}

static void
expect_refcnt_abort(struct deed *d)
{
	test_expect_abort(find_refcnt_of, d, "uma: zone 'counted': ");
}

START_TEST(find_refcnt_aborts_for_what_is_no_item_of_the_zone)
{
	static _Alignas(64) char global[64];
	struct deed d = {
	    .zone = plain_zone("counted", 64, UMA_ALIGN_PTR, UMA_ZONE_REFCNT)};
	uma_zone_t other =
	    plain_zone("not this", 64, UMA_ALIGN_PTR, UMA_ZONE_REFCNT);
	char *p = must_alloc(d.zone, M_WAITOK);

	d.item = NULL;
	expect_refcnt_abort(&d);
	d.item = global;
	expect_refcnt_abort(&d);
	d.item = p + 1;
	expect_refcnt_abort(&d);
	d.item = must_alloc(other, M_WAITOK);
	expect_refcnt_abort(&d);
}
END_TEST

START_TEST(find_refcnt_aborts_in_a_zone_without_counters)
{
	struct deed d = {.zone = plain_zone("counted", 64, 0, 0)};

	d.item = must_alloc(d.zone, M_WAITOK);
	expect_refcnt_abort(&d);
}
END_TEST

/* ---- flags and requests ---- */

static const int bad_requests[] = {0, -1, 4, 99, INT_MIN, INT_MAX};

static void
reclaim_zone_badly(void *arg)
{
	uma_zone_t z = plain_zone("reclaimed", 64, 0, 0);

	uma_zone_reclaim(z, *(const int *)arg);
}

static void
reclaim_all_badly(void *arg)
{
	uma_reclaim(*(const int *)arg);
}

START_TEST(an_unknown_reclaim_request_aborts)
{
	int request = bad_requests[_i];
	char number[32];

	snprintf(number, sizeof number, "%d", request);
	test_expect_abort(reclaim_zone_badly, &request, "uma: ");
	test_expect_abort(reclaim_zone_badly, &request, number);
	test_expect_abort(reclaim_all_badly, &request, "uma: ");
	test_expect_abort(reclaim_all_badly, &request, number);
}
END_TEST

static const int bad_flags[] = {M_NOWAIT | M_WAITOK,
    M_NOWAIT | M_WAITOK | M_ZERO, M_NOWAIT | 0x40000000, M_WAITOK | 0x0004,
    M_WAITOK | INT_MIN};

static void
allocate_badly(void *arg)
{
	uma_zone_t z = plain_zone("flagged", 64, 0, 0);

	uma_zalloc(z, *(const int *)arg);
}

START_TEST(contradictory_or_unknown_allocation_flags_abort)
{
	int flags = bad_flags[_i];

	test_expect_abort(allocate_badly, &flags, "uma: zone 'flagged': ");
}
END_TEST

static TCase *
refusal_tests(void)
{
	const int n = (int)(sizeof refused / sizeof *refused);
	TCase *tc = tcase_create("refusals");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(
	    tc, a_zone_that_cannot_be_is_refused_and_nothing_changes, 0, n);
	tcase_add_test(tc, refusals_leave_no_memory_behind);
	tcase_add_test(tc, the_largest_that_is_allowed_is_accepted);
	return tc;
}

static TCase *
free_tests(void)
{
	const int n = (int)(sizeof ways / sizeof *ways);
	TCase *tc = tcase_create("wrong frees");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_free_of_null_does_nothing, 0, n);
	tcase_add_loop_test(tc, a_double_free_aborts, 0, n);
	tcase_add_loop_test(tc, a_free_of_another_zone_s_item_aborts, 0, n);
	tcase_add_loop_test(tc, a_free_of_a_pointer_into_an_item_aborts, 0, n);
	tcase_add_loop_test(
	    tc, a_free_of_memory_that_is_no_zone_s_aborts, 0, n);
	tcase_add_loop_test(tc, a_free_after_destroy_aborts, 0, n);
	tcase_add_test(tc, destroying_the_zone_finds_a_double_free);
	tcase_add_test(tc, a_global_reclaim_finds_a_wrong_zone_free);
	tcase_add_loop_test(
	    tc, a_wrong_zone_of_another_layout_is_a_wrong_zone, 0, n);
	tcase_add_test(tc, a_free_of_a_slab_s_free_item_is_a_double_free);
	tcase_add_test(tc, check_looks_at_the_item_before_the_dtor_does);
	tcase_add_test(tc, correct_programs_run_unhindered_under_check);
	return tc;
}

static TCase *
other_tests(void)
{
	TCase *tc = tcase_create("counters, flags, requests");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, find_refcnt_aborts_for_what_is_no_item_of_the_zone);
	tcase_add_test(tc, find_refcnt_aborts_in_a_zone_without_counters);
	tcase_add_loop_test(tc, an_unknown_reclaim_request_aborts, 0,
	    (int)(sizeof bad_requests / sizeof *bad_requests));
	tcase_add_loop_test(tc, contradictory_or_unknown_allocation_flags_abort,
	    0, (int)(sizeof bad_flags / sizeof *bad_flags));
	return tc;
}

static Suite *
suite(void)
{
	Suite *s = suite_create("misuse");

	suite_add_tcase(s, refusal_tests());
	suite_add_tcase(s, free_tests());
	suite_add_tcase(s, other_tests());
	return s;
}

int
main(void)
{
	return test_run(suite());
}
