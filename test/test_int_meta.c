/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_int_meta.c - the page map and the metadata pool.
 */
#include <pthread.h>

#include "pages_int.h"
#include "test.h"

#define PG UMA_PAGE_SIZE

static void *
get(size_t npages)
{
	void *run = pages_alloc(npages, PG, 0, 0);

	ck_assert_ptr_nonnull(run);
	return run;
}

static bool
is_zero(const void *p, size_t len)
{
	const char *c = p;

	return len == 0 || (c[0] == 0 && memcmp(c, c + 1, len - 1) == 0);
}

static struct pages_stat
stat_now(void)
{
	struct pages_stat st;

	pages_stat(&st);
	return st;
}

/* ---- page map ---- */

START_TEST(the_page_map_answers_for_any_address)
{
	int here;
	static const uintptr_t odd[] = {0, 1, 4096, UINTPTR_MAX,
	    UINTPTR_MAX - 4095, (uintptr_t)1 << 47, (uintptr_t)1 << 48,
	    ((uintptr_t)1 << 48) - 1, (uintptr_t)1 << 63, 0xffff800000000000u,
	    0xffffffff80000000u, 0x8000000000000000u + 4096};

	uintptr_t run = (uintptr_t)get(1);

	for (int bit = 48; bit < 64; bit++)
		ck_assert_uint_eq(
		    pagemap_get((void *)(run | (uintptr_t)1 << bit)), PM_NONE);
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		ck_assert_uint_eq(pagemap_get((void *)odd[i]), PM_NONE);
	ck_assert_uint_eq(pagemap_get(&here), PM_NONE);
	ck_assert_uint_eq(pagemap_get(odd), PM_NONE);
	ck_assert_uint_eq(pagemap_get((void *)&pagemap_get), PM_NONE);
	uint64_t seed = 1;
	for (int i = 0; i < 100000; i++)
		ck_assert_uint_le(
		    pagemap_get((void *)test_rand(&seed)), PM_PAGES);
}
END_TEST

START_TEST(the_page_map_follows_a_run)
{
	static _Alignas(8) char keg[8];
	char *run = get(3);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(pagemap_get(run + i * PG), PM_PAGES);

	ck_assert(pagemap_set(run + PG, 2, (uintptr_t)keg | PM_KEG));

	ck_assert_uint_eq(pagemap_get(run + PG - 1), PM_PAGES);
	uintptr_t word = pagemap_get(run + 3 * PG - 1);
	ck_assert_int_eq(pagemap_tag(word), PM_KEG);
	ck_assert_ptr_eq(pagemap_ptr(word), keg);
	pages_free(run, 3, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(pagemap_get(run + i * PG), PM_PAGES);
}
END_TEST

START_TEST(addresses_beyond_the_map_cannot_be_entered)
{
	char *end = (char *)((uintptr_t)1 << 48);

	errno = 0;
	ck_assert(!pagemap_set(end, 1, PM_PAGES));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert(!pagemap_set(end - PG, 2, PM_PAGES));
	ck_assert(!pagemap_set(end - PG, SIZE_MAX / PG, PM_PAGES));
	ck_assert_uint_eq(pagemap_get(end - PG), PM_NONE);
	ck_assert(pagemap_set(end - PG, 1, PM_PAGES));
	ck_assert_uint_eq(pagemap_get(end - 1), PM_PAGES);
}
END_TEST

/* ---- metadata pool ---- */

START_TEST(metadata_is_zeroed_and_aligned_and_goes_back_whole)
{
	uint64_t seed = test_seed("metadata");
	static struct {
		unsigned char *p;
		size_t size;
	} item[3000];
	size_t ops = TEST_SCALE(200000) / (UMA_DEBUG >= 2 ? 10 : 1);

	for (size_t op = 0; op < ops; op++) {
		uint64_t r = test_rand(&seed);
		size_t i = (r >> 32) % 3000;
		unsigned char tag = (unsigned char)(1 + i % 255);

		if (item[i].p != NULL) {
			ck_assert_uint_eq(item[i].p[0], tag);
			ck_assert_int_eq(
			    memcmp(item[i].p, item[i].p + 1, item[i].size - 1),
			    0);
			meta_free(item[i].p, item[i].size);
			item[i].p = NULL;
			continue;
		}
		item[i].size = 1 + (r >> 8) % ((uint64_t)16 << r % 8);
		if (r % 512 == 3)
			item[i].size = 1 + (r >> 8) % 100000;
		item[i].p = meta_alloc(item[i].size, 0);
		ck_assert_ptr_nonnull(item[i].p);
		ck_assert_uint_eq(
		    (uintptr_t)item[i].p % (item[i].size < 64 ? 16 : 64), 0);
		ck_assert(is_zero(item[i].p, item[i].size));
		ck_assert_int_eq(pagemap_tag(pagemap_get(item[i].p)), PM_META);
		memset(item[i].p, tag, item[i].size);
	}
	for (size_t i = 0; i < 3000; i++)
		meta_free(item[i].p, item[i].size);
	pages_release();

	ck_assert_uint_eq(stat_now().ps_meta, 0);
	ck_assert_uint_eq(stat_now().ps_used, 0);
	ck_assert(pages_is_valid());
}
END_TEST

START_TEST(every_size_of_metadata_holds_its_bytes)
{
	for (size_t size = 1; size <= 70000; size += 1 + size / 40) {
		unsigned char *a = meta_alloc(size, 0), *b;

		ck_assert_ptr_nonnull(a);
		memset(a, 0xff, size);
		b = meta_alloc(size, 0);
		ck_assert(is_zero(b, size));
		ck_assert(b >= a + size || a >= b + size);
		meta_free(a, size);
		meta_free(b, size);
	}
	pages_release();
	ck_assert_uint_eq(stat_now().ps_used, 0);
}
END_TEST

START_TEST(metadata_without_growth_takes_only_what_is_there)
{
	errno = 0;
	ck_assert_ptr_null(meta_alloc(100, META_NOGROW));
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_ptr_null(meta_alloc(100000, META_NOGROW));
	void *a = meta_alloc(100, 0);
	void *b = meta_alloc(100, META_NOGROW);
	ck_assert_ptr_nonnull(b);

	size_t held = stat_now().ps_meta;
	while (meta_alloc(100, META_NOGROW) != NULL)
		;

	ck_assert_uint_eq(stat_now().ps_meta, held);
	meta_free(a, 100);
	ck_assert_ptr_eq(meta_alloc(100, META_NOGROW), a);
}
END_TEST

static void
free_wrongly(void *arg)
{
	static _Alignas(64) char foreign[64];
	char *p = meta_alloc(64, 0), *big = meta_alloc(50000, 0);

	switch (*(int *)arg) {
	case 0:
		meta_free(foreign, 64);
		break;
	case 1:
		meta_free(p, 64);
		meta_free(p, 64);
		break;
	case 2:
		meta_free(p, 200);
		break;
	case 3:
		meta_free(p + 16, 64);
		break;
	case 4:
		meta_free(p - 64, 64);
		break;
	case 5:
		meta_free(big, 64);
		break;
	case 6:
		meta_free(p, 50000);
		break;
	case 7:
		meta_free(big, 50000);
		meta_free(big, 50000);
		break;
	case 8:
		meta_free((void *)-64, 64);
		break;
	}
}

START_TEST(freeing_what_is_not_metadata_aborts)
{
	for (int i = 0; i <= 8; i++)
		test_expect_abort(
		    free_wrongly, &i, "uma: metadata pool: free of ");
	meta_free(NULL, 64);
}
END_TEST

static void *
meta_thread(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	unsigned char *p[64] = {0};

	for (int op = 0; op < TEST_SCALE(50000); op++) {
		size_t i = test_rand(&seed) % 64, size = 8 << i % 8;

		if (p[i] != NULL) {
			ck_assert_uint_eq(p[i][0], (unsigned char)i + 1);
			meta_free(p[i], size);
			p[i] = NULL;
		} else {
			p[i] = meta_alloc(size, 0);
			ck_assert(is_zero(p[i], size));
			p[i][0] = (unsigned char)i + 1;
		}
	}
	for (size_t i = 0; i < 64; i++)
		meta_free(p[i], 8 << i % 8);
	return NULL;
}

START_TEST(threads_share_the_metadata_pool)
{
	pthread_t t[4];
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, meta_thread, (void *)(i + 1));

	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);

	pages_release();
	ck_assert_uint_eq(stat_now().ps_meta, 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("metadata");
	TCase *map = tcase_create("page map"), *meta = tcase_create("pool");

	tcase_add_test(map, the_page_map_answers_for_any_address);
	tcase_add_test(map, the_page_map_follows_a_run);
	tcase_add_test(map, addresses_beyond_the_map_cannot_be_entered);
	tcase_add_test(
	    meta, metadata_is_zeroed_and_aligned_and_goes_back_whole);
	tcase_add_test(meta, every_size_of_metadata_holds_its_bytes);
	tcase_add_test(meta, metadata_without_growth_takes_only_what_is_there);
	tcase_add_test(meta, freeing_what_is_not_metadata_aborts);
	tcase_add_test(meta, threads_share_the_metadata_pool);
	TCase *tc[] = {map, meta};
	for (int i = 0; i < 2; i++) {
		tcase_set_timeout(tc[i], 60);
		suite_add_tcase(s, tc[i]);
	}
	return s;
}

int
main(void)
{
	return test_run(suite());
}
