/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm.zone_stats, taken apart by offsets as FreeBSD documents the format, with
 * no help from uma/stream.h; and the same by libmemstat's sums.
 */
#include <pthread.h>
#include <stdatomic.h>

#include <uma.h>
#include <uma/stat.h>
#include <uma/sysctl.h>

#include "test.h"

enum {
	HEAD = 16,
	TYPE = 120,
	PERCPU = 64,
	/* offsets in a zone's record */
	ALIGN = 32,
	SIZE = 36,
	RSIZE = 40,
	MAXPAGES = 44,
	LIMIT = 48,
	PAGES = 52,
	KEG_FREE = 56,
	ZONE_FREE = 60,
	BUCKETSIZE = 64,
	ZONE_FLAGS = 68,
	ALLOCS = 72,
	FREES = 80,
	FAILS = 88,
	SLEEPS = 96,
	XDOMAIN = 104,
	/* in a CPU's */
	P_ALLOCS = 0,
	P_FREES = 8,
	P_FREE = 16
};

static unsigned char buffer[1 << 22];
static size_t length;

static uint32_t
at32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static uint64_t
at64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static int
read_stream(void)
{
	length = sizeof buffer;
	return uma_sysctlbyname("vm.zone_stats", buffer, &length, NULL, 0);
}

static size_t
record(void)
{
	return TYPE + (size_t)at32(buffer + 4) * PERCPU;
}

static const unsigned char *
find(const char *name)
{
	for (uint32_t i = 0; i < at32(buffer + 8); i++) {
		const unsigned char *p = buffer + HEAD + i * record();

		if (strcmp((const char *)p, name) == 0)
			return p;
	}
	return NULL;
}

/* A number of the zone's and its CPUs' together. */
static uint64_t
sum(const unsigned char *p, size_t own, size_t cpus)
{
	uint64_t n = at64(p + own);

	for (uint32_t c = 0; c < at32(buffer + 4); c++)
		n += at64(p + TYPE + c * PERCPU + cpus);
	return n;
}

static uint64_t
cached(const unsigned char *p)
{
	uint64_t n = at32(p + ZONE_FREE);

	for (uint32_t c = 0; c < at32(buffer + 4); c++)
		n += at64(p + TYPE + c * PERCPU + P_FREE);
	return n;
}

START_TEST(the_stream_has_a_header_and_a_record_a_zone)
{
	size_t asked = 0;
	int zones, maxid;
	size_t len = sizeof zones;

	uma_zcreate("one", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	ck_assert_int_eq(read_stream(), 0);
	ck_assert_uint_eq(at32(buffer), 1);
	ck_assert_uint_eq(at32(buffer + 4), (uint32_t)uma_ncpus());
	uma_sysctlbyname("vm.zone_count", &zones, &len, NULL, 0);
	ck_assert_uint_eq(at32(buffer + 8), (uint32_t)zones);
	uma_sysctlbyname("kern.smp.maxid", &maxid, &len, NULL, 0);
	ck_assert_int_eq(maxid, uma_ncpus() - 1);
	ck_assert_uint_eq(length, HEAD + (size_t)zones * record());
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.zone_stats", NULL, &asked, NULL, 0), 0);
	ck_assert_uint_eq(asked, length);
	ck_assert_ptr_nonnull(find("one"));
	ck_assert_ptr_nonnull(find("UMA Slabs 0"));
}
END_TEST

START_TEST(a_record_has_the_numbers_of_its_zone)
{
	struct uma_zone_stat st = {.size = sizeof st};
	static void *item[2000];
	uma_zone_t z = uma_zcreate(
	    "counted", 200, NULL, NULL, NULL, NULL, UMA_ALIGN_CACHE, 0);

	uma_zone_set_max(z, 2000);
	for (int i = 0; i < 2000; i++)
		item[i] = uma_zalloc(z, M_WAITOK);
	while (uma_zalloc(z, M_NOWAIT) != NULL)
		;
	for (int i = 0; i < 1500; i++)
		uma_zfree(z, item[i]);
	ck_assert_int_eq(uma_zone_stat(z, &st), 0);
	ck_assert_int_eq(read_stream(), 0);
	const unsigned char *p = find("counted");
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(at32(p + ALIGN), 63);
	ck_assert_uint_eq(at32(p + SIZE), 200);
	ck_assert_uint_eq(at32(p + RSIZE), st.stride);
	ck_assert_uint_eq(at32(p + LIMIT), st.limit);
	ck_assert_uint_ge(
	    (uint64_t)at32(p + MAXPAGES) * 4096, st.limit * st.stride);
	ck_assert_uint_eq(at32(p + PAGES), st.slabs * st.slab_size / 4096);
	ck_assert_uint_eq(at32(p + KEG_FREE), st.free_slab);
	ck_assert_uint_gt(at32(p + BUCKETSIZE), 0);
	ck_assert_uint_eq(at32(p + ZONE_FLAGS), 0);
	ck_assert_uint_eq(at64(p + FAILS), 1);
	ck_assert_uint_eq(at64(p + SLEEPS), 0);
	ck_assert_uint_eq(at64(p + XDOMAIN), st.xdomain);
	ck_assert_uint_eq(sum(p, ALLOCS, P_ALLOCS), st.allocs);
	ck_assert_uint_eq(sum(p, FREES, P_FREES), st.frees);
	ck_assert_uint_eq(
	    sum(p, ALLOCS, P_ALLOCS) - sum(p, FREES, P_FREES), st.used);
	ck_assert_uint_eq(cached(p), st.free_cached);
}
END_TEST

static int
refuse(void *mem, int size, void *arg, int flags)
{
	(void)mem, (void)size, (void)flags;
	return *(int *)arg ? ENXIO : 0;
}

START_TEST(allocations_that_a_ctor_undid_are_not_in_any_sum)
{
	uma_zone_t z = uma_zcreate(
	    "refused", 64, refuse, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	int yes = 1, no = 0;
	void *item = NULL;

	for (int i = 0; i < 100; i++)
		ck_assert_ptr_null(uma_zalloc_arg(z, &yes, M_NOWAIT));
	item = uma_zalloc_arg(z, &no, M_NOWAIT);
	ck_assert_ptr_nonnull(item);
	ck_assert_int_eq(read_stream(), 0);
	const unsigned char *p = find("refused");
	ck_assert_uint_eq(sum(p, ALLOCS, P_ALLOCS), 1);
	ck_assert_uint_le(at64(p + ALLOCS), 1); /* nor less than none */
	ck_assert_uint_eq(at64(p + FAILS), 100);
	uma_zfree(z, item);
}
END_TEST

START_TEST(a_short_buffer_is_an_error_and_not_passed)
{
	int new = 1;

	uma_zcreate("short", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	ck_assert_int_eq(read_stream(), 0);
	for (size_t len = 0; len < length; len += 13) {
		size_t got = len;

		memset(buffer, 0x5a, sizeof buffer);
		ck_assert_int_eq(
		    uma_sysctlbyname("vm.zone_stats", buffer, &got, NULL, 0),
		    -1);
		ck_assert_int_eq(errno, ENOMEM);
		ck_assert_uint_eq(got, len);
		ck_assert_uint_eq(buffer[len], 0x5a);
	}
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.zone_stats", NULL, NULL, &new, sizeof new),
	    -1);
	ck_assert_int_eq(errno, EPERM);
}
END_TEST

/*
 * A reader as FreeBSD's libmemstat is: it learns from two nodes how much room
 * it needs, trusts the header's counts as far as the bytes go, and adds up.
 */
struct memory_type {
	uint64_t numallocs, numfrees, failures, sleeps;
	uint64_t count, bytes, free, kegfree, zonefree;
	uint64_t countlimit, byteslimit, memalloced, memfreed;
	uint64_t percpu_free[64];
};

static int
int_of(const char *name)
{
	int v = -1;
	size_t len = sizeof v;

	ck_assert_int_eq(uma_sysctlbyname(name, &v, &len, NULL, 0), 0);
	return v;
}

static void
type_read(const unsigned char *p, uint32_t cpus, struct memory_type *mt)
{
	uint32_t size = at32(p + SIZE), secondary = at32(p + ZONE_FLAGS) & 1;

	*mt = (struct memory_type){.numallocs = at64(p + ALLOCS),
	    .numfrees = at64(p + FREES),
	    .failures = at64(p + FAILS),
	    .sleeps = at64(p + SLEEPS),
	    .countlimit = at32(p + LIMIT),
	    .byteslimit = (uint64_t)at32(p + LIMIT) * size,
	    .zonefree = at32(p + ZONE_FREE),
	    .kegfree = secondary ? 0 : at32(p + KEG_FREE)};
	for (uint32_t c = 0; c < cpus; c++) {
		const unsigned char *ps = p + TYPE + c * PERCPU;

		mt->numallocs += at64(ps + P_ALLOCS);
		mt->numfrees += at64(ps + P_FREES);
		mt->free += at64(ps + P_FREE);
		if (c < 64)
			mt->percpu_free[c] = at64(ps + P_FREE);
	}
	mt->free += mt->zonefree + mt->kegfree;
	mt->memalloced = mt->numallocs * size;
	mt->memfreed = mt->numfrees * size;
	mt->bytes = mt->memalloced - mt->memfreed;
	mt->count = mt->numallocs - mt->numfrees;
}

/* The zone of that name; how many zones there are. */
static uint32_t
memstat(const char *name, struct memory_type *mt)
{
	size_t room;
	int tries = 0, found = 0;

	do { /* zones may have come since they were counted */
		room = TYPE +
		       (size_t)int_of("vm.zone_count") *
			   (TYPE +
			       PERCPU * ((size_t)int_of("kern.smp.maxid") + 1));
		ck_assert_int_lt(tries++, 1000);
		length = room;
	} while (
	    uma_sysctlbyname("vm.zone_stats", buffer, &length, NULL, 0) != 0);
	const unsigned char *end = buffer + length, *p = buffer + HEAD;
	uint32_t cpus = at32(buffer + 4), zones = at32(buffer + 8);

	ck_assert_uint_ge(length, HEAD);
	ck_assert_uint_eq(at32(buffer), 1);
	ck_assert_uint_le(cpus, (uint32_t)int_of("kern.smp.maxid") + 1);
	for (uint32_t i = 0; i < zones; i++, p += TYPE + cpus * PERCPU) {
		ck_assert_uint_ge((size_t)(end - p), TYPE + cpus * PERCPU);
		ck_assert_ptr_nonnull(memchr(p, '\0', 32));
		if (strcmp((const char *)p, name) == 0) {
			type_read(p, cpus, mt);
			found++;
		}
	}
	ck_assert_ptr_eq(p, end);
	ck_assert_int_eq(found, 1);
	return zones;
}

START_TEST(libmemstats_sums_are_those_of_the_statistics)
{
	struct uma_zone_stat st = {.size = sizeof st};
	struct memory_type mt;
	static void *item[3000];
	uint64_t cached = 0;
	uma_zone_t z = uma_zcreate("a zone whose name is longer than there is",
	    120, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	uma_zone_set_max(z, 5000);
	for (int i = 0; i < 3000; i++)
		item[i] = uma_zalloc(z, M_WAITOK);
	for (int i = 0; i < 1000; i++)
		uma_zfree(z, item[i]);
	ck_assert_int_eq(uma_zone_stat(z, &st), 0);
	memstat("a zone whose name is longer tha", &mt);
	ck_assert_uint_eq(mt.count, 2000);
	ck_assert_uint_eq(mt.count, st.used);
	ck_assert_uint_eq(mt.numallocs, st.allocs);
	ck_assert_uint_eq(mt.numfrees, st.frees);
	ck_assert_uint_eq(mt.failures, st.fails);
	ck_assert_uint_eq(mt.sleeps, st.sleeps);
	ck_assert_uint_eq(mt.bytes, 2000 * 120);
	ck_assert_uint_eq(mt.memalloced, 3000 * 120);
	ck_assert_uint_eq(mt.memfreed, 1000 * 120);
	ck_assert_uint_eq(mt.countlimit, st.limit);
	ck_assert_uint_eq(mt.byteslimit, st.limit * 120);
	ck_assert_uint_eq(mt.free, st.free_cached + st.free_slab);
	ck_assert_uint_eq(mt.kegfree, st.free_slab);
	for (int c = 0; c < 64; c++)
		cached += mt.percpu_free[c];
	ck_assert_uint_eq(cached + mt.zonefree, st.free_cached);
	ck_assert_uint_gt(cached, 0);
	/* All that slabs have is used or free. */
	ck_assert_uint_eq(mt.count + mt.free, st.slabs * st.slab_items);
}
END_TEST

static _Atomic bool stop;

static void *
churn(void *zone)
{
	void *item[40];

	while (!atomic_load(&stop)) {
		for (int i = 0; i < 40; i++)
			item[i] = uma_zalloc(zone, M_WAITOK);
		for (int i = 0; i < 40; i++)
			uma_zfree(zone, item[i]);
	}
	return NULL;
}

START_TEST(libmemstat_reads_while_others_allocate)
{
	pthread_t thread[3];
	struct memory_type mt;
	uint64_t before = 0;
	uma_zone_t z =
	    uma_zcreate("busy", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, churn, z);
	for (int i = 0; i < TEST_SCALE(1000); i++) {
		memstat("busy", &mt);
		ck_assert_uint_ge(mt.numallocs, mt.numfrees);
		/* One that begins again may have been counted already. */
		ck_assert_uint_ge(mt.numallocs + (uint64_t)uma_ncpus(), before);
		before = mt.numallocs;
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	memstat("busy", &mt);
	ck_assert_uint_eq(mt.count, 0);
	ck_assert_uint_eq(mt.numallocs % 40, 0);
}
END_TEST

static void *
come_and_go(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		uma_zone_t z = uma_zcreate(
		    "guest", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

		uma_zfree(z, uma_zalloc(z, M_WAITOK));
		uma_zdestroy(z);
	}
	return NULL;
}

START_TEST(the_header_counts_what_follows_while_zones_come_and_go)
{
	pthread_t thread;

	uma_zcreate("stays", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, come_and_go, NULL), 0);
	for (int i = 0; i < TEST_SCALE(2000); i++) {
		ck_assert_int_eq(read_stream(), 0);
		ck_assert_uint_eq(length, HEAD + at32(buffer + 8) * record());
		ck_assert_ptr_nonnull(find("stays"));
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("stream");
	TCase *tc = tcase_create("stream");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_stream_has_a_header_and_a_record_a_zone);
	tcase_add_test(tc, a_record_has_the_numbers_of_its_zone);
	tcase_add_test(tc, allocations_that_a_ctor_undid_are_not_in_any_sum);
	tcase_add_test(tc, libmemstats_sums_are_those_of_the_statistics);
	tcase_add_test(tc, libmemstat_reads_while_others_allocate);
	tcase_add_test(tc, a_short_buffer_is_an_error_and_not_passed);
	tcase_add_test(
	    tc, the_header_counts_what_follows_while_zones_come_and_go);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
