/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an address is: items in every state, what lies around them, what is not
 * ours; and that a pointer is an item, or the program ends.
 */
#define _GNU_SOURCE 1

#include <sys/mman.h>
#include <uma/whatis.h>

#include "threads.h"

static struct uma_whatis
what(const void *addr)
{
	struct uma_whatis w;

	memset(&w, 0xa5, sizeof w);
	w.size = sizeof w;
	MUST(uma_whatis(addr, &w) == 0, "uma_whatis: %d", errno);
	MUST(w.size == sizeof w, "size %zu", w.size);
	return w;
}

static uma_zone_t
zone_of(const char *name, size_t size, uint32_t flags)
{
	uma_zone_t z = uma_zcreate(
	    name, size, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, flags);

	ck_assert_ptr_nonnull(z);
	return z;
}

/* ---- items ---- */

static const uint32_t layouts[] = {0, UMA_ZONE_OFFPAGE, UMA_ZONE_HASH,
    UMA_ZONE_OFFPAGE | UMA_ZONE_HASH, UMA_ZONE_REFCNT, UMA_ZONE_NOTOUCH,
    UMA_ZONE_CACHESPREAD, UMA_ZONE_MALLOC, UMA_ZONE_NOBUCKET};
static const size_t sizes[] = {1, 8, 40, 200, 1000, 2049, 4096, 5000, 40000};

/* Every byte of an item, or some of a large one. */
static void
item_is_found(uma_zone_t z, const char *item, size_t size)
{
	size_t step = size / 50 + 1;

	for (size_t at = 0; at < size;
	     at += at + step < size || at == size - 1 ? step : size - 1 - at) {
		struct uma_whatis w = what(item + at);

		MUST(w.item == item, "byte %zu of %p is of %p", at,
		    (const void *)item, w.item);
		MUST(w.zone == z && w.state == UMA_WHATIS_OUT, "state %d",
		    w.state);
		MUST(w.item_size == size && w.domain == 0, "size %zu",
		    w.item_size);
		MUST((char *)w.slab <= item &&
			 item + size <= (char *)w.slab + w.slab_size,
		    "slab %p", w.slab);
	}
}

START_TEST(any_byte_of_an_item_leads_to_it)
{
	void *item[100];

	for (size_t l = 0; l < sizeof layouts / sizeof layouts[0]; l++)
		for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
			uma_zone_t z = zone_of("found", sizes[s], layouts[l]);

			for (int i = 0; i < 100; i++)
				item[i] = uma_zalloc(z, M_WAITOK);
			for (int i = 0; i < 100; i++)
				item_is_found(z, item[i], sizes[s]);
			ck_assert_str_eq(what(item[0]).name, "found");
			uma_zfree_bulk(z, item, 100);
			uma_zdestroy(z);
		}
}
END_TEST

START_TEST(items_of_a_slab_have_numbers_in_order)
{
	uma_zone_t z = zone_of("number", 100, 0);
	uint64_t stride = stat_of(z).stride;
	void *item[20];

	for (int i = 0; i < 20; i++)
		item[i] = uma_zalloc(z, M_WAITOK);
	for (int i = 0; i < 20; i++) {
		struct uma_whatis w = what(item[i]), v = what(item[0]);

		if (w.slab != v.slab)
			continue;
		ck_assert_int_eq((char *)item[i] - (char *)item[0],
		    ((long)w.index - (long)v.index) * (long)stride);
	}
	uma_zfree_bulk(z, item, 20);
	uma_zdestroy(z);
}
END_TEST

START_TEST(each_cpu_s_copy_is_the_item)
{
	uma_zone_t z = zone_of("copies", 64, UMA_ZONE_PCPU);
	char *a = uma_zalloc(z, M_WAITOK), *b = uma_zalloc(z, M_WAITOK);

	for (int c = 0; c < uma_ncpus(); c++) {
		struct uma_whatis w = what(a + c * UMA_PCPU_STRIDE + 63);

		ck_assert_ptr_eq(w.item, a);
		ck_assert_ptr_eq(what(b + c * UMA_PCPU_STRIDE).item, (void *)b);
		ck_assert_int_eq(w.state, UMA_WHATIS_OUT);
	}
	uma_zfree(z, a);
	uma_zfree(z, b);
	uma_zdestroy(z);
}
END_TEST

static int
no_init(void *mem, int size, int flags)
{
	(void)mem, (void)size, (void)flags;
	return 0;
}

START_TEST(a_free_item_is_fresh_or_ready)
{
	uma_zone_t z = uma_zcreate("states", 1000, NULL, NULL, no_init, NULL,
	    UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);
	void *first = uma_zalloc(z, M_WAITOK), *item = uma_zalloc(z, M_WAITOK);
	struct uma_whatis w = what(item);
	char *next = (char *)item + ((char *)item - (char *)first);

	ck_assert_int_eq(w.state, UMA_WHATIS_OUT);
	ck_assert_int_eq(what(next).state, UMA_WHATIS_FRESH);
	ck_assert_ptr_eq(what(next).item, next);
	uma_zfree(z, item);
	ck_assert_int_eq(what(item).state, UMA_WHATIS_READY);
	uma_zfree(z, first);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN);
	w = what(item);
	ck_assert_int_eq(w.state, UMA_WHATIS_PAGES);
	ck_assert_ptr_null(w.zone);
	ck_assert_ptr_null(w.item);
	ck_assert_str_eq(w.name, "");
	uma_zdestroy(z);
}
END_TEST

START_TEST(what_lies_around_items_is_the_slab_s)
{
	uma_zone_t z = zone_of("around", 3000, 0);
	void *item = uma_zalloc(z, M_WAITOK);
	struct uma_whatis w = what(item);
	size_t other = 0;

	for (size_t at = 0; at < w.slab_size; at++) {
		struct uma_whatis v = what((char *)w.slab + at);

		MUST(v.zone == z && v.slab == w.slab, "byte %zu", at);
		if (v.state == UMA_WHATIS_SLAB) {
			MUST(v.item == NULL && v.index == 0, "byte %zu", at);
			other++;
		}
	}
	ck_assert_uint_eq(
	    other, w.slab_size - stat_of(z).stride * stat_of(z).slab_items);
	ck_assert_ptr_ne(what((char *)w.slab - 1).slab, w.slab);
	ck_assert_ptr_ne(what((char *)w.slab + w.slab_size).slab, w.slab);
	uma_zfree(z, item);
	uma_zdestroy(z);
}
END_TEST

START_TEST(a_long_name_is_cut)
{
	uma_zone_t z = zone_of(
	    "a name of more than thirty-one bytes, which is much", 64, 0);
	void *item = uma_zalloc(z, M_WAITOK);

	ck_assert_str_eq(what(item).name, "a name of more than thirty-one ");
	uma_zfree(z, item);
	uma_zdestroy(z);
}
END_TEST

START_TEST(what_a_destroyed_zone_left_is_no_zone_s)
{
	uma_zone_t z = zone_of("left", 64, 0);
	void *item = uma_zalloc(z, M_WAITOK);

	uma_set_warning_sink(mute_sink, NULL);
	uma_zdestroy(z);
	ck_assert_int_eq(what(item).state, UMA_WHATIS_PAGES);
	ck_assert_ptr_null(what(item).zone);
}
END_TEST

/* ---- what is not ours ---- */

static int global;

START_TEST(other_memory_is_not_ours)
{
	int local = 0;
	char *heap = malloc(100);
	char *hole =
	    mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const void *addr[] = {NULL, (void *)1, (void *)-1, (void *)0x1000,
	    (void *)((uintptr_t)1 << 47), (void *)((uintptr_t)1 << 48),
	    (void *)INTPTR_MIN, &global, &local, heap, hole,
	    (void *)(uintptr_t)what};

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof addr / sizeof addr[0]; i++) {
			struct uma_whatis w = what(addr[i]);

			ck_assert_int_eq(w.state, UMA_WHATIS_NONE);
			ck_assert_int_eq(w.domain, -1);
			ck_assert_ptr_null(w.zone);
			ck_assert_ptr_null(w.slab);
			ck_assert_ptr_null(w.item);
			ck_assert_uint_eq(w.slab_size + w.item_size, 0);
		}
		(void)zone_of("makes the library start", 64, 0);
	}
	free(heap);
	munmap(hole, 4096);
}
END_TEST

START_TEST(no_address_is_too_wild)
{
	uint64_t rnd = test_seed(__func__);
	uma_zone_t z = zone_of("near", 200, UMA_ZONE_HASH);
	char *item = uma_zalloc(z, M_WAITOK);

	for (int i = 0; i < LOAD(1000000); i++) {
		uint64_t r = test_rand(&rnd);

		(void)what((void *)(uintptr_t)(r >> (r % 64)));
		(void)what(item + (int64_t)(r >> 3) % (64 << 20));
	}
	uma_zfree(z, item);
	uma_zdestroy(z);
}
END_TEST

START_TEST(a_struct_of_another_version_is_no_harm)
{
	struct {
		struct uma_whatis w;
		char more[64];
	} later;
	struct uma_whatis w = {.size = sizeof w - 1, .state = 77};

	memset(&later, 0xa5, sizeof later);
	errno = 0;
	ck_assert_int_eq(uma_whatis(&global, &w), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(w.state, 77);
	later.w.size = sizeof later;
	ck_assert_int_eq(uma_whatis(&global, &later.w), 0);
	ck_assert_uint_eq(later.w.size, sizeof later.w);
	for (size_t i = 0; i < sizeof later.more; i++)
		ck_assert_int_eq((unsigned char)later.more[i], 0xa5);
}
END_TEST

/* ---- while others work ---- */

static _Atomic bool stop;
static void *_Atomic seen[64];

static void *
come_and_go(void *arg)
{
	uint64_t rnd = (uintptr_t)arg;

	while (!atomic_load(&stop)) {
		uma_zone_t z = zone_of("comes and goes",
		    test_rand(&rnd) % 3000 + 1, layouts[test_rand(&rnd) % 4]);
		void *item[64];

		for (int i = 0; i < 64; i++) {
			item[i] = uma_zalloc(z, M_WAITOK);
			atomic_store(&seen[i], item[i]);
		}
		uma_zfree_bulk(z, item, 64);
		uma_zdestroy(z);
	}
	return NULL;
}

START_TEST(looking_at_what_goes_away_is_no_harm)
{
	uint64_t rnd = test_seed(__func__);
	pthread_t t[2];
	int ours = 0;

	for (uintptr_t i = 0; i < 2; i++)
		t[i] = thread_start(come_and_go, (void *)(rnd + i));
	for (int i = 0; i < LOAD(200000) || ours == 0; i++) {
		struct uma_whatis w =
		    what(atomic_load(&seen[test_rand(&rnd) % 64]));

		MUST(w.zone == NULL || strcmp(w.name, "comes and goes") == 0 ||
			 strncmp(w.name, "UMA", 3) == 0,
		    "zone '%s'", w.name);
		ours += w.zone != NULL;
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		thread_join(t[i]);
}
END_TEST

/* ---- that it is an item ---- */

static struct {
	uma_zone_t zone;
	const void *item;
} demand;

static void
require(void *arg)
{
	(void)arg;
	uma_zone_require(demand.zone, demand.item);
}

static void
expect(const void *item, const char *text)
{
	demand.item = item;
	test_expect_abort(require, NULL, text);
}

START_TEST(require_lets_items_pass_and_nothing_else)
{
	uma_zone_t z = zone_of("wanted", 200, UMA_ZONE_NOBUCKET);
	uma_zone_t o = zone_of("other", 200, 0);
	char *item = uma_zalloc(z, M_WAITOK), *alien = uma_zalloc(o, M_WAITOK);

	uma_zone_require(z, item);
	uma_zone_require(o, alien);
	demand.zone = z;
	expect(NULL, "uma: zone 'wanted': foreign use of");
	expect(&global, "uma: zone 'wanted': foreign use of");
	expect((void *)-1, "uma: zone 'wanted': foreign use of");
	expect(item + 8, "uma: zone 'wanted': misaligned use of");
	expect(alien, "uma: zone 'wanted': wrong-zone use of");
	expect(alien, "belongs to zone 'other'");
	uma_zfree(z, item);
	expect(item, "uma: zone 'wanted': late use of");
	uma_zfree(o, alien);
	uma_zdestroy(o);
	uma_zdestroy(z);
}
END_TEST

START_TEST(require_takes_any_value)
{
	for (size_t l = 0; l < sizeof layouts / sizeof layouts[0]; l++) {
		uma_zone_t z = zone_of("wanted", 200, layouts[l]);
		char *item = uma_zalloc(z, M_WAITOK);
		struct uma_whatis w = what(item);
		const void *const addr[] = {(void *)1, item + 1, item - 1,
		    item + 199, (char *)w.slab - 1,
		    (char *)w.slab + w.slab_size - 1,
		    (char *)w.slab + w.slab_size, (void *)0x7ffffffff000,
		    (void *)((uintptr_t)1 << 47), (void *)((uintptr_t)1 << 57),
		    (void *)INTPTR_MIN, (void *)(INTPTR_MIN | 4096),
		    (void *)((uintptr_t)item | (uintptr_t)INTPTR_MIN), z,
		    (void *)(uintptr_t)what};

		uma_zone_require(z, item);
		demand.zone = z;
		for (size_t i = 0; i < sizeof addr / sizeof addr[0]; i++)
			expect(addr[i], " use of ");
		uma_zfree(z, item);
		uma_zdestroy(z);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("whatis");
	TCase *tc = tcase_create("whatis");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, any_byte_of_an_item_leads_to_it);
	tcase_add_test(tc, items_of_a_slab_have_numbers_in_order);
	tcase_add_test(tc, each_cpu_s_copy_is_the_item);
	tcase_add_test(tc, a_free_item_is_fresh_or_ready);
	tcase_add_test(tc, what_lies_around_items_is_the_slab_s);
	tcase_add_test(tc, a_long_name_is_cut);
	tcase_add_test(tc, what_a_destroyed_zone_left_is_no_zone_s);
	tcase_add_test(tc, other_memory_is_not_ours);
	tcase_add_test(tc, no_address_is_too_wild);
	tcase_add_test(tc, a_struct_of_another_version_is_no_harm);
	tcase_add_test(tc, looking_at_what_goes_away_is_no_harm);
	tcase_add_test(tc, require_lets_items_pass_and_nothing_else);
	tcase_add_test(tc, require_takes_any_value);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
