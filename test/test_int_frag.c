/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_int_frag.c - free memory in pieces: what a larger request gets of it,
 * what odd sizes cost, and how far random traffic spreads.
 *
 * The resource is physical memory: address space is reserved without it, and
 * pages that were released hold none.  So what is free can be had in any shape
 * as long as there are addresses.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include <uma.h>

#include "pages_int.h"
#include "process_madvise.h"
#include "test.h"

#ifndef UMA_DEBUG
#define UMA_DEBUG 0
#endif

#define PG  UMA_PAGE_SIZE
#define MIB ((size_t)1 << 20)

/* Sanitizers, and debug builds that look at all pages each time. */
#define SMALL (TEST_ASAN || TEST_TSAN || UMA_DEBUG > 0)

/* A sanitizer's own start comes through here before its tables are there. */
#define PLAIN __attribute__((no_sanitize("thread", "address", "undefined")))

static bool no_mmap, no_release;

PLAIN void *
mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	if (no_mmap) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
}

PLAIN int
madvise(void *addr, size_t len, int advice)
{
	if (no_release && advice == MADV_DONTNEED) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_madvise, addr, len, advice);
}

static char *
get(size_t npages)
{
	char *run = pages_alloc(npages, PG, 0, 0);

	ck_assert_ptr_nonnull(run);
	return run;
}

static struct pages_stat
stat_now(void)
{
	struct pages_stat st;

	pages_stat(&st);
	return st;
}

/* Bytes of this process: of address space (field 1), in memory (field 2). */
static size_t
statm(int field)
{
	size_t pages[2];
	FILE *f = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%zu %zu", &pages[0], &pages[1]), 2);
	fclose(f);
	return pages[field - 1] * PG;
}

/* Have all its memory, as a user who fills it; unseen by sanitizers. */
static PLAIN void
touch(char *run, size_t npages)
{
	for (size_t i = 0; i < npages; i++)
		*(volatile char *)(run + i * PG) = 1;
}

/* ---- a pool of 32 KiB blocks, most of them freed at random ---- */

enum { BLOCK = 8, KEEP_PERMILLE = 32 };
#define POOL   ((SMALL ? 128 : 512) * MIB)
#define BLOCKS (POOL / (BLOCK * PG))
/* What the kernel's counters are off, and the page map's words. */
#define SLACK (MIB + POOL / 256)

struct pool {
	size_t full; /* bytes in memory when it was full */
	size_t reserved; /* bytes of address space then */
	size_t free; /* bytes of it that were freed */
};

static void
pool_thin_out(struct pool *p)
{
	static char *block[512 * MIB / (BLOCK * PG)];
	uint64_t seed = test_seed("pool");
	size_t live = 0;

	for (size_t i = 0; i < BLOCKS; i++)
		touch(block[i] = get(BLOCK), BLOCK);
	p->full = statm(2);
	p->reserved = stat_now().ps_reserved;
	for (size_t i = 0; i < BLOCKS; i++) {
		if (test_rand(&seed) % 1000 < KEEP_PERMILLE)
			live++;
		else
			pages_free(block[i], BLOCK, 0);
	}
	p->free = (BLOCKS - live) * BLOCK * PG;
	pages_release();
	ck_assert(pages_is_valid());
}

/*
 * The share of the free memory, in percent, that requests of so many MiB get
 * while the process never holds more than it did when the pool was full.
 */
static double
pool_usable(const struct pool *p, size_t mib)
{
	size_t npages = mib * MIB / PG, got = 0;
	char *run;

	while (statm(2) + mib * MIB <= p->full &&
	       (run = pages_alloc(npages, PG, 0, 0)) != NULL) {
		touch(run, npages);
		got += mib * MIB;
	}
	ck_assert_uint_le(statm(2), p->full + SLACK);
	ck_assert(pages_is_valid());
	double share = 100.0 * (double)got / (double)p->free;
	printf("%zu MiB requests: %.1f %% of %zu MiB free usable, %zu MiB of "
	       "address space added to %zu\n",
	    mib, share, p->free / MIB,
	    (stat_now().ps_reserved - p->reserved) / MIB, p->reserved / MIB);
	return share;
}

static const size_t request_mib[] = {1, 4, 8};

/*
 * Seastar's pool gave 36, 2 and 0 percent of this to requests of 1, 4 and 8
 * MiB.
 */
START_TEST(most_free_memory_can_be_had_in_large_runs)
{
	struct pool p;

	pool_thin_out(&p);
	ck_assert_double_ge(pool_usable(&p, request_mib[_i]), 90.0);
}
END_TEST

/* The test can tell: without release only the holes are left. */
START_TEST(little_could_be_had_if_pages_kept_their_memory)
{
	struct pool p;

	no_release = true;
	pool_thin_out(&p);
	ck_assert_double_le(pool_usable(&p, 8), 10.0);
}
END_TEST

/*
 * With addresses for half a pool more, that half is usable at any size, but for
 * headers, page map, and the ends of pieces, each of which is a 16th of the
 * limit: of a small pool's a large run leaves a third.  Holes come on top.
 */
START_TEST(a_limit_on_address_space_leaves_what_addresses_there_are)
{
	struct pool p;
	struct rlimit as;

	as.rlim_cur = as.rlim_max = statm(1) + POOL + POOL / 2;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &as), 0);
	pool_thin_out(&p);
	double share = pool_usable(&p, request_mib[_i]);
	ck_assert_double_ge(share, SMALL ? 20.0 : 35.0);
}
END_TEST

/* ---- one page above a power of two ---- */

enum { K_MAX = 12 };

/* Runs of so many pages until the first piece is full. */
static size_t
fill(char **run, size_t max, size_t npages)
{
	size_t cnt = 0;

	while (cnt < max && (run[cnt] = pages_alloc(npages, PG, 0, 0)) != NULL)
		cnt++;
	return cnt;
}

START_TEST(runs_of_a_power_of_two_and_one_page_lie_close)
{
	size_t npages = ((size_t)1 << _i) + 1, max = 1 << 16;
	char **run = calloc(max, sizeof *run);

	get(1);
	no_mmap = true;
	size_t cnt = fill(run, max, npages);
	ck_assert_uint_gt(cnt, 0);
	ck_assert_uint_lt(cnt, max);
	size_t taken = (size_t)(run[cnt - 1] - run[0]) / PG + npages;
	size_t asked = cnt * npages;
	printf("%zu pages: %zu runs, waste %.2f %%\n", npages, cnt,
	    100.0 * (double)(taken - asked) / (double)asked);
	ck_assert_uint_le((taken - asked) * 100, asked * 6);
	/* What is left of the piece is less than a run and its header. */
	struct pages_stat st = stat_now();
	ck_assert_uint_lt(
	    st.ps_reserved - st.ps_used, npages * PG + st.ps_reserved / 1000);
	/* As many again in the places of every other. */
	for (size_t i = 0; i < cnt; i += 2)
		pages_free(run[i], npages, 0);
	ck_assert_uint_eq(fill(run, max, npages), (cnt + 1) / 2);
	ck_assert(pages_is_valid());
	no_mmap = false;
	free(run);
}
END_TEST

/* Headers, wherever they are, included. */
START_TEST(items_of_a_power_of_two_and_one_page_waste_little)
{
	enum { ITEMS = 64 };
	size_t size = (((size_t)1 << _i) + 1) * PG;
	void *item[ITEMS];
	uma_zone_t z = uma_zcreate("odd", size, NULL, NULL, NULL, NULL, 0, 0);

	ck_assert_ptr_nonnull(z);
	size_t before = stat_now().ps_used;
	for (int i = 0; i < ITEMS; i++)
		ck_assert_ptr_nonnull(item[i] = uma_zalloc(z, M_WAITOK));
	size_t taken = stat_now().ps_used - before, asked = ITEMS * size;
	printf("items of %zu pages: waste %.2f %%\n", size / PG,
	    100.0 * ((double)taken / (double)asked - 1.0));
	/* And the pool's first chunks. */
	ck_assert_uint_le(taken, asked / 100 * 106 + 32 * PG);
	for (int i = 0; i < ITEMS; i++)
		uma_zfree(z, item[i]);
	uma_zdestroy(z);
}
END_TEST

/* ---- random traffic ---- */

enum { RUNS = 1 << 14, PAGES_MAX = 512 };

static struct {
	struct {
		char *at;
		size_t npages;
	} run[RUNS];
	size_t cnt, live, peak; /* runs, pages, most pages ever */
	char *base; /* of the first piece */
	size_t top; /* pages from there to the end of the highest run ever */
	uint64_t seed;
} traffic;

/* Of each power of two as many. */
static size_t
traffic_size(void)
{
	size_t n = (size_t)1 << test_rand(&traffic.seed) % 9;

	return n + test_rand(&traffic.seed) % n;
}

static void
traffic_alloc(void)
{
	size_t n = traffic_size(), i = traffic.cnt++;
	char *at = get(n);
	size_t top = (size_t)(at - traffic.base) / PG + n;

	traffic.run[i].at = at;
	traffic.run[i].npages = n;
	traffic.live += n;
	if (traffic.live > traffic.peak)
		traffic.peak = traffic.live;
	if (top > traffic.top)
		traffic.top = top;
}

static void
traffic_free(void)
{
	size_t i = test_rand(&traffic.seed) % traffic.cnt;

	pages_free(traffic.run[i].at, traffic.run[i].npages, 0);
	traffic.live -= traffic.run[i].npages;
	traffic.run[i] = traffic.run[--traffic.cnt];
}

/* So many calls around so many pages. */
static void
traffic_run(size_t ops, size_t pages)
{
	while (ops-- > 0) {
		bool grow = test_rand(&traffic.seed) % 2 == 0;

		if (traffic.live > pages + pages / 16)
			grow = false;
		else if (traffic.live < pages - pages / 16)
			grow = true;
		if (traffic.cnt == 0 || (grow && traffic.cnt < RUNS))
			traffic_alloc();
		else
			traffic_free();
	}
}

/* Pages up to the end of the highest run that is out. */
static size_t
traffic_extent(void)
{
	size_t extent = 0;

	for (size_t i = 0; i < traffic.cnt; i++) {
		size_t end = (size_t)(traffic.run[i].at - traffic.base) / PG +
			     traffic.run[i].npages;

		extent = end > extent ? end : extent;
	}
	return extent;
}

/*
 * What traffic around a steady volume has touched is the volume and some holes:
 * half as many as there are runs (Knuth's rule), and shorter than these, since
 * the first that fits is cut.
 */
START_TEST(random_traffic_keeps_to_little_more_than_its_volume)
{
	size_t ops = 1000000 / (SMALL ? 20 : 1), pages = 96 * MIB / PG;

	traffic.seed = test_seed("traffic");
	traffic.base = (char *)((uintptr_t)get(1) & -(2 * MIB));
	size_t reserved = stat_now().ps_reserved;
	traffic_run(ops, pages);

	double spread = (double)traffic.top / (double)traffic.peak;
	printf("%zu calls, at most %zu pages out, %zu touched: %.1f %% free\n",
	    ops, traffic.peak, traffic.top, 100.0 * (spread - 1.0));
	ck_assert_uint_eq(stat_now().ps_reserved, reserved);
	ck_assert_double_le(spread, 1.5);
	ck_assert(pages_is_valid());
}
END_TEST

/* Runs made after most have gone move to low addresses. */
START_TEST(first_fit_places_low)
{
	size_t ops = 400000 / (SMALL ? 20 : 1), pages = 96 * MIB / PG;

	traffic.seed = test_seed("low");
	traffic.base = (char *)((uintptr_t)get(1) & -(2 * MIB));
	traffic_run(ops, pages);
	size_t high = traffic_extent();
	while (traffic.live > pages / 4)
		traffic_free();
	traffic_run(ops, pages / 4);

	size_t low = traffic_extent();
	printf("%zu pages out lie below page %zu, were below %zu\n",
	    traffic.live, low, high);
	ck_assert_uint_le(low, 2 * traffic.live);
	ck_assert(pages_is_valid());
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("fragmentation");
	TCase *tc = tcase_create("runs");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(
	    tc, most_free_memory_can_be_had_in_large_runs, 0, 3);
	/* The sanitizers' own address space is beyond any limit. */
	if (!TEST_ASAN && !TEST_TSAN) {
		tcase_add_test(
		    tc, little_could_be_had_if_pages_kept_their_memory);
		tcase_add_loop_test(tc,
		    a_limit_on_address_space_leaves_what_addresses_there_are, 0,
		    3);
	}
	tcase_add_loop_test(
	    tc, runs_of_a_power_of_two_and_one_page_lie_close, 0, K_MAX + 1);
	tcase_add_loop_test(tc,
	    items_of_a_power_of_two_and_one_page_waste_little, 0, K_MAX + 1);
	tcase_add_test(tc, random_traffic_keeps_to_little_more_than_its_volume);
	tcase_add_test(tc, first_fit_places_low);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
