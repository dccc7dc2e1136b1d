/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_int_pages.c - runs of pages, with the system's mapping calls under the
 * test's control.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "machine.h"
#include "pages_int.h"
#include "process_madvise.h"
#include "test.h"

#define PG  UMA_PAGE_SIZE
#define MIB ((size_t)1 << 20)

/* ---- the system's calls, in front of the C library's ---- */

enum { MMAP = 1, MUNMAP = 2, MPROTECT = 4, MADVISE = 8, MBIND = 16, ALL = 31 };
static bool no_munmap; /* whatever else may fail */
static int fail_calls; /* which of them may fail */
static int fail_at; /* the call that does, from 1; 0 none, -1 each */
static int fail_cnt;
static int madvise_ms; /* how long MADV_DONTNEED takes */
static bool thp_always; /* do as if huge pages were on for all memory */
static size_t nohuge_len; /* bytes that were to have none */

/* A sanitizer's own start comes through here before its tables are there. */
#define PLAIN __attribute__((no_sanitize("thread", "address", "undefined")))

static PLAIN bool
refused(int call)
{
	if (fail_at == 0 || !(fail_calls & call))
		return false;
	if (fail_at > 0 && ++fail_cnt != fail_at)
		return false;
	errno = ENOMEM;
	return true;
}

static void
refuse(int calls, int at)
{
	fail_calls = calls;
	fail_at = at;
	fail_cnt = 0;
}

PLAIN void *
mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	if (refused(MMAP))
		return MAP_FAILED;
	void *p = (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
	if (thp_always && p != MAP_FAILED)
		syscall(SYS_madvise, p, len, MADV_HUGEPAGE);
	return p;
}

PLAIN int
munmap(void *addr, size_t len)
{
	if (no_munmap) {
		errno = ENOMEM;
		return -1;
	}
	return refused(MUNMAP) ? -1 : (int)syscall(SYS_munmap, addr, len);
}

/* The nodes of made-up machines are not the kernel's. */
long mbind(void *addr, unsigned long len, int mode, const unsigned long *mask,
    unsigned long maxnode, unsigned flags);
PLAIN long
mbind(void *addr, unsigned long len, int mode, const unsigned long *mask,
    unsigned long maxnode, unsigned flags)
{
	(void)addr, (void)len, (void)mode, (void)mask, (void)maxnode,
	    (void)flags;
	return refused(MBIND) ? -1 : 0;
}

PLAIN int
mprotect(void *addr, size_t len, int prot)
{
	return refused(MPROTECT) ? -1
				 : (int)syscall(SYS_mprotect, addr, len, prot);
}

PLAIN int
madvise(void *addr, size_t len, int advice)
{
	if (refused(MADVISE))
		return -1;
	if (advice == MADV_NOHUGEPAGE)
		nohuge_len += len;
	if (madvise_ms > 0 && advice == MADV_DONTNEED)
		test_sleep_ms(madvise_ms);
	return (int)syscall(SYS_madvise, addr, len, advice);
}

/* ---- helpers ---- */

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

static size_t
resident(void *p, size_t npages)
{
	size_t cnt = 0;
	unsigned char *vec = calloc(npages, 1);

	ck_assert_int_eq(mincore(p, npages * PG, vec), 0);
	for (size_t i = 0; i < npages; i++)
		cnt += vec[i] & 1;
	free(vec);
	return cnt;
}

/* ---- runs ---- */

START_TEST(runs_read_as_zero_when_asked_and_keep_their_pages_apart)
{
	char *a = pages_alloc(5, PG, 0, PAGES_ZERO);
	ck_assert(is_zero(a, 5 * PG));
	memset(a, 0xa5, 5 * PG);
	pages_free(a, 5, 0);

	char *b = pages_alloc(9, PG, 0, PAGES_ZERO);

	ck_assert_ptr_eq(a, b);
	ck_assert(is_zero(b, 9 * PG));
	/* Half dirty, half fresh, over a released page. */
	memset(b, 0x5a, 9 * PG);
	pages_free(b, 9, 0);
	ck_assert_uint_eq(pages_release(), 9 * PG);
	b = pages_alloc(3, PG, 0, 0);
	memset(b, 0x5a, 3 * PG);
	pages_free(b, 3, 0);
	b = pages_alloc(12, PG, 0, PAGES_ZERO);
	ck_assert(is_zero(b, 12 * PG));
	ck_assert(pages_is_valid());
}
END_TEST

START_TEST(runs_start_at_multiples_of_the_alignment)
{
	for (size_t align = PG; align <= 4096 * MIB; align *= 2) {
		char *odd = get(1);
		char *run = pages_alloc(3, align, 0, 0);

		ck_assert_ptr_nonnull(run);
		ck_assert_uint_eq((uintptr_t)run % align, 0);
		run[3 * PG - 1] = odd[0] = 1;
	}
	ck_assert(pages_is_valid());
}
END_TEST

START_TEST(the_lowest_address_comes_first)
{
	char *run[64];
	for (int i = 0; i < 64; i++) {
		run[i] = get(2);
		ck_assert_ptr_eq(run[i], run[0] + (size_t)i * 2 * PG);
	}

	pages_free(run[40], 2, 0);
	pages_free(run[10], 2, 0);
	pages_free(run[20], 2, 0);
	pages_free(run[21], 2, 0);

	ck_assert_ptr_eq(get(3), run[20]);
	ck_assert_ptr_eq(get(1), run[10]);
	ck_assert_ptr_eq(get(1), run[10] + PG);
	ck_assert_ptr_eq(get(1), run[20] + 3 * PG);
	ck_assert_ptr_eq(get(1), run[40]);
}
END_TEST

START_TEST(freed_neighbours_join_whatever_the_order)
{
	char *run[300]; /* over a chunk of 512 pages */
	uint64_t seed = 7;
	get(1);
	for (int i = 0; i < 300; i++)
		run[i] = get(7);
	char *first = run[0];
	get(1);

	for (int n = 300; n > 0; n--) {
		size_t i = test_rand(&seed) % (uint64_t)n;

		pages_free(run[i], 7, 0);
		run[i] = run[n - 1];
	}

	ck_assert_ptr_eq(get(2100), first);
}
END_TEST

START_TEST(one_page_above_a_power_of_two_costs_one_page)
{
	for (size_t k = 1; k <= 1 << 14; k *= 2) {
		size_t used = stat_now().ps_used;
		char *run = get(k + 1), *next = get(1);

		ck_assert_uint_eq(stat_now().ps_used - used, (k + 2) * PG);
		ck_assert_ptr_eq(next, run + (k + 1) * PG);
	}
}
END_TEST

/* Fill all that there is with 8-page runs; no more address space then. */
static size_t
fill(char ***runs)
{
	size_t cnt = 0, max = 1 << 14;
	*runs = calloc(max, sizeof **runs);

	get(1);
	refuse(MMAP, -1);
	while (cnt < max && ((*runs)[cnt] = pages_alloc(8, PG, 0, 0)) != NULL)
		cnt++;
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_gt(cnt, 8000);
	return cnt;
}

/*
 * The failure of Seastar's buddy allocator: most memory free, nothing to be
 * had.  Here every hole that is long enough must be found, and requests that
 * no hole holds get new address space.
 */
START_TEST(scattered_runs_do_not_waste_the_holes_between)
{
	char **run;
	size_t cnt = fill(&run), holes = 0, hole = 0, got = 0;
	uint64_t seed = test_seed("scattered_runs");
	for (size_t i = 0; i < cnt; i++) {
		if (test_rand(&seed) % 1000 < 968) {
			pages_free(run[i], 8, 0);
			hole += 8;
			continue;
		}
		holes += hole / 256;
		hole = 0;
	}
	hole += 8; /* what fill() could not use is less than this */
	holes += (hole - 8) / 256;

	while (pages_alloc(256, PG, 0, 0) != NULL)
		got++;

	ck_assert_uint_ge(got, holes);
	ck_assert_uint_le(got, holes + 1);
	ck_assert(pages_is_valid());
	refuse(0, 0);
	for (size_t mib = 1; mib <= 64; mib *= 2)
		ck_assert_ptr_nonnull(pages_alloc(mib * 256, PG, 0, 0));
	ck_assert(pages_is_valid());
	free(run);
}
END_TEST

START_TEST(a_full_piece_and_a_huge_run_get_more_address_space)
{
	size_t reserved;
	get(1);
	reserved = stat_now().ps_reserved;

	char *half = get(reserved / PG / 2), *more = get(reserved / PG / 2);
	char *huge = get(3u << 18);

	half[0] = more[0] = huge[0] = huge[((size_t)3 << 30) - 1] = 1;
	ck_assert_uint_gt(stat_now().ps_reserved, reserved + ((size_t)3 << 30));
	pages_free(half, reserved / PG / 2, 0);
	pages_free(more, reserved / PG / 2, 0);
	pages_free(huge, 3u << 18, 0);
	ck_assert_uint_eq(stat_now().ps_used, PG);
	ck_assert(pages_is_valid());
}
END_TEST

START_TEST(absurd_sizes_are_refused)
{
	for (int shift = 43; shift < 64; shift++) {
		errno = 0;
		ck_assert_ptr_null(
		    pages_alloc(((size_t)1 << shift) / PG, PG, 0, 0));
		ck_assert_int_eq(errno, ENOMEM);
		ck_assert_ptr_null(pages_alloc(1, (size_t)1 << shift, 0, 0));
	}
	ck_assert_ptr_null(pages_alloc(SIZE_MAX, PG, 0, 0));
	ck_assert_uint_eq(stat_now().ps_used, 0);
}
END_TEST

START_TEST(release_drops_resident_memory)
{
	size_t n = 8 * MIB / PG;
	char *run = get(n);
	memset(run, 1, n * PG);
	ck_assert_uint_eq(resident(run, n), n);
	pages_free(run, n, 0);
	ck_assert_uint_eq(stat_now().ps_dirty, n * PG);

	ck_assert_uint_eq(pages_release(), n * PG);

	ck_assert_uint_eq(resident(run, n), 0);
	ck_assert_uint_eq(stat_now().ps_dirty, 0);
	ck_assert_uint_eq(pages_release(), 0);
}
END_TEST

START_TEST(release_takes_scattered_pages_and_spares_those_in_use)
{
	size_t n = 2000;
	char *run[2000];
	for (size_t i = 0; i < n; i++) {
		run[i] = get(1);
		memset(run[i], 1, PG);
	}
	for (size_t i = 0; i < n; i += 2)
		pages_free(run[i], 1, 0);

	ck_assert_uint_eq(pages_release(), n / 2 * PG);

	ck_assert_uint_eq(resident(run[0], n), n / 2);
	for (size_t i = 1; i < n; i += 2)
		ck_assert_int_eq(run[i][PG - 1], 1);
	ck_assert(pages_is_valid());
}
END_TEST

START_TEST(dirty_memory_is_bounded_without_being_asked)
{
	size_t n = 64 * MIB / PG;
	char *run = get(n);
	memset(run, 1, n * PG);
	for (size_t i = 0; i < n; i += 16) {
		pages_free(run + i * PG, 16, 0);
		ck_assert_uint_le(stat_now().ps_dirty, 16 * MIB);
	}

	ck_assert_uint_le(resident(run, n), 16 * MIB / PG);
	ck_assert_uint_ge(resident(run, n), 4 * MIB / PG);
}
END_TEST

START_TEST(refused_release_leaves_pages_dirty)
{
	size_t n = 32 * MIB / PG;
	char *run = get(n);
	memset(run, 1, n * PG);
	refuse(MADVISE, -1);
	for (size_t i = 0; i < n; i++)
		pages_free(run + i * PG, 1, 0);
	ck_assert_uint_eq(stat_now().ps_dirty, n * PG);
	ck_assert_uint_eq(pages_release(), 0);
	ck_assert_uint_eq(stat_now().ps_dirty, n * PG);
	ck_assert(pages_is_valid());

	char *again = pages_alloc(100, PG, 0, PAGES_ZERO);

	ck_assert_ptr_eq(again, run);
	ck_assert(is_zero(again, 100 * PG));
	refuse(0, 0);
	ck_assert_uint_eq(pages_release(), (n - 100) * PG);
}
END_TEST

static void *
release_thread(void *arg)
{
	(void)arg;
	pages_release();
	return NULL;
}

START_TEST(allocation_waits_for_pages_on_their_way_to_the_system)
{
	char **run;
	pthread_t t;
	fill(&run);
	while (pages_alloc(1, PG, 0, 0) != NULL)
		;
	pages_free(run[5], 8, 0);
	madvise_ms = 100;
	ck_assert_int_eq(pthread_create(&t, NULL, release_thread, NULL), 0);
	test_sleep_ms(30);

	void *again = pages_alloc(8, PG, 0, 0);

	ck_assert_ptr_eq(again, run[5]);
	pthread_join(t, NULL);
	ck_assert(pages_is_valid());
	free(run);
}
END_TEST

/* The VmFlags line of the mapping that holds p has the flag dd. */
static bool
is_nodump(void *p)
{
	char line[1024];
	unsigned long from = 0, to = 0;
	bool found = false;
	FILE *f = fopen("/proc/self/smaps", "r");

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f) != NULL) {
		unsigned long a, b;

		if (sscanf(line, "%lx-%lx", &a, &b) == 2) {
			from = a;
			to = b;
		}
		if (from <= (uintptr_t)p && (uintptr_t)p < to &&
		    strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, " dd") != NULL;
	}
	fclose(f);
	return found;
}

START_TEST(nodump_runs_lie_apart_and_stay_out_of_core_dumps)
{
	char *plain = get(4), *run = pages_alloc(600, PG, 0, PAGES_NODUMP);

	ck_assert_ptr_nonnull(run);
	ck_assert(is_nodump(run));
	ck_assert(is_nodump(run + 600 * PG - 1));
	ck_assert(!is_nodump(plain));
	/* But the header of their piece is dumped. */
	ck_assert(!is_nodump(run - PG));
	ck_assert(
	    !is_nodump((void *)((uintptr_t)run & ~(uintptr_t)(2 * MIB - 1))));
	memset(run, 1, 600 * PG);
	pages_free(run, 600, PAGES_NODUMP);
	ck_assert_uint_eq(pages_release(), 600 * PG);
	ck_assert(!is_nodump(get(5000)));
	ck_assert_ptr_eq(pages_alloc(5, PG, 0, PAGES_NODUMP), run);
	ck_assert(is_nodump(run));
	/* More than a first piece of such runs. */
	char *big = pages_alloc(40 * MIB / PG, PG, 0, PAGES_NODUMP);
	ck_assert_ptr_nonnull(big);
	ck_assert(is_nodump(big));
	ck_assert(is_nodump(big + 40 * MIB - 1));
	ck_assert(!is_nodump(get(1)));
	ck_assert(pages_is_valid());
}
END_TEST

/* Lines of a file of /proc/self that start with the text; sum of numbers. */
static size_t
lines(const char *path, const char *text, size_t *sum)
{
	char line[1024];
	size_t cnt = 0, value;
	FILE *f = fopen(path, "r");

	ck_assert_ptr_nonnull(f);
	for (*sum = 0; fgets(line, sizeof line, f) != NULL;) {
		if (strncmp(line, text, strlen(text)) != 0)
			continue;
		cnt++;
		if (sscanf(line + strlen(text), "%zu", &value) == 1)
			*sum += value;
	}
	fclose(f);
	return cnt;
}

START_TEST(runs_of_both_kinds_do_not_use_up_the_mappings)
{
	enum { RUNS = 8000 };
	static char *run[RUNS];
	uint64_t seed = test_seed("both_kinds");
	size_t sum, before = lines("/proc/self/maps", "", &sum);

	for (size_t op = 0; op < 4 * RUNS; op++) {
		size_t i = op < RUNS ? op : test_rand(&seed) % RUNS;
		size_t n = 1 + i % 5;
		int flags = i & 1 ? PAGES_NODUMP : 0;

		if (run[i] != NULL)
			pages_free(run[i], n, flags);
		run[i] = pages_alloc(n, PG, 0, flags);
		ck_assert_ptr_nonnull(run[i]);
		*run[i] = 1;
	}
	ck_assert_uint_le(lines("/proc/self/maps", "", &sum), before + 24);
	for (size_t i = 0; i < RUNS; i += 500) {
		ck_assert(!is_nodump(run[i]));
		ck_assert(is_nodump(run[i + 1]));
	}
	ck_assert(pages_is_valid());
}
END_TEST

/* KiB of this process in huge pages. */
static size_t
huge_kib(void)
{
	size_t sum;

	lines("/proc/self/smaps", "AnonHugePages:", &sum);
	return sum;
}

START_TEST(the_page_map_takes_no_huge_pages)
{
	extern char __bss_start[], _end[];
	char *bss = (char *)uma_roundup((uintptr_t)__bss_start, PG);
	size_t root = 2 * MIB - PG, leaf = 2 * MIB, before = huge_kib();
	thp_always = true;
	syscall(SYS_madvise, bss, (uintptr_t)(_end - bss) & -PG, MADV_HUGEPAGE);

	errno = 0;
	ck_assert_int_eq(pages_init(&(struct pages_config){0}), 0);
	*(char *)get(1) = 1;
	*(char *)pages_alloc(1, PG, 0, PAGES_NODUMP) = 1;

	ck_assert_int_eq(errno, 0);
	ck_assert_uint_ge(nohuge_len, root + leaf);
	ck_assert_uint_eq(huge_kib(), before);
}
END_TEST

START_TEST(a_first_run_touches_few_pages)
{
	char *p = meta_alloc(64, 0);
	char *piece = (char *)((uintptr_t)p & -(2 * MIB));

	*p = 1;

	ck_assert_uint_le(resident(piece, MIB / PG), 8);
}
END_TEST

/* ---- refusals ---- */

/* Everything once; all that was had goes back.  Returns the refusals met. */
static int
walk(void)
{
	/* More than a first piece; the thread sanitizer takes long for that. */
	static const size_t big = TEST_TSAN ? 700 : 66000;
	const size_t pages[] = {1, 3, 600, big, 1, big, 4};
	static const size_t bytes[] = {16, 500, 4000, 40000};
	void *run[7], *item[4];
	int missing = 0;

	for (int i = 0; i < 7; i++) {
		errno = 0;
		run[i] = pages_alloc(pages[i], i == 2 ? 4 * MIB : PG,
		    i % pages_domain_cnt(),
		    PAGES_ZERO | (i == 4 ? PAGES_NODUMP : 0));
		ck_assert_int_eq(errno, run[i] == NULL ? ENOMEM : 0);
		missing += run[i] == NULL;
		if (run[i] != NULL)
			((char *)run[i])[pages[i] * PG - 1] = 1;
	}
	for (int i = 0; i < 4; i++) {
		errno = 0;
		item[i] = meta_alloc(bytes[i], 0);
		ck_assert_int_eq(errno, item[i] == NULL ? ENOMEM : 0);
		missing += item[i] == NULL;
		if (item[i] != NULL)
			ck_assert(is_zero(item[i], bytes[i]));
	}
	for (int i = 0; i < 4; i++)
		meta_free(item[i], bytes[i]);
	for (int i = 0; i < 7; i++)
		if (run[i] != NULL)
			pages_free(run[i], pages[i], i == 4 ? PAGES_NODUMP : 0);
	pages_release();
	return missing;
}

static void
walk_with_refusals(int calls, int at)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		refuse(calls, at);
		int missing = walk(), last = fail_cnt;

		refuse(0, 0);
		ck_assert_uint_eq(stat_now().ps_used, 0);
		ck_assert_uint_eq(stat_now().ps_meta, 0);
		ck_assert(pages_is_valid());
		if (calls & (MADVISE | MUNMAP | MBIND) && calls != ALL)
			ck_assert_int_eq(missing, 0);
		ck_assert_int_eq(walk(), 0);
		ck_assert(pages_is_valid());
		_exit(last < at ? 1 : 0);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	/* The end: the call number `at` was never made. */
	if (at > 0)
		fail_cnt = WEXITSTATUS(status);
}

static void
each_may_fail(int calls)
{
	int at = 0;

	do {
		walk_with_refusals(calls, ++at);
		ck_assert_int_lt(at, 500);
	} while (fail_cnt == 0);
	ck_assert_int_gt(at, 1);
	walk_with_refusals(calls, -1);
}

START_TEST(any_mapping_call_may_fail)
{
	static const int calls[] = {MMAP, MUNMAP, MPROTECT, MADVISE, ALL};

	for (int c = 0; c < 5; c++)
		each_may_fail(calls[c]);
}
END_TEST

START_TEST(any_mapping_call_may_fail_for_several_domains)
{
	static const char *const cpus[] = {"0", "1", "2", "3"};
	static const int calls[] = {MMAP, MPROTECT, MBIND, ALL};
	char *root = machine_make(4, cpus);

	topology_set_root(root);
	ck_assert_int_eq(pages_init(&(struct pages_config){0}), 0);
	machine_remove(root);
	ck_assert_int_eq(pages_domain_cnt(), 4);
	for (int c = 0; c < 4; c++)
		each_may_fail(calls[c]);
}
END_TEST

/* Bytes of address space of this process. */
static size_t
as_now(void)
{
	size_t pages_now;
	FILE *f = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%zu", &pages_now), 1);
	fclose(f);
	return pages_now * PG;
}

/* What was to be kept out of core dumps is not, once it is used otherwise. */
START_TEST(address_space_used_again_is_as_new)
{
	no_munmap = true;
	refuse(MPROTECT, 1);
	ck_assert_ptr_null(pages_alloc(600 * MIB / PG, PG, 0, PAGES_NODUMP));
	refuse(0, 0);
	size_t before = as_now();

	char *run = get(600 * MIB / PG);

	ck_assert_uint_le(as_now(), before + 32 * MIB);
	ck_assert(is_zero(run, MIB));
	ck_assert(!is_nodump(run));
	ck_assert(!is_nodump(run + 600 * MIB - 1));
}
END_TEST

/* To unmap may need a mapping more than a process may have. */
START_TEST(address_space_that_cannot_be_unmapped_is_used_again)
{
	static const size_t mib[] = {600, 1300, 2100};
	size_t first = 0;

	get(1);
	no_munmap = true;
	for (int round = 0; round < 60; round++) {
		size_t npages = mib[round % 3] * MIB / PG;

		refuse(MPROTECT, 1);
		ck_assert_ptr_null(pages_alloc(npages, PG, 0, 0));
		ck_assert_int_eq(errno, ENOMEM);
		if (round == 2)
			first = as_now();
	}
	ck_assert_uint_eq(as_now(), first);
	refuse(0, 0);
	for (int i = 0; i < 3; i++) {
		size_t len = mib[i] * MIB;
		char *run = pages_alloc(len / PG, PG, 0, PAGES_ZERO);

		ck_assert_ptr_nonnull(run);
		ck_assert(is_zero(run, MIB) && is_zero(run + len - MIB, MIB));
		run[0] = run[len - 1] = 1;
	}
	/* For the map's leaves, at most. */
	ck_assert_uint_le(as_now(), first + 32 * MIB);
	ck_assert(pages_is_valid());
}
END_TEST

START_TEST(what_is_committed_is_used_when_no_more_can_be)
{
	char *low = get(100), *high = get(100);
	get(56); /* to the end of the first step, nearly */
	pages_free(high, 100, 0);
	pages_free(low, 100, 0);
	refuse(MPROTECT, -1);

	ck_assert_ptr_eq(get(150), low);
	ck_assert_ptr_null(pages_alloc(1000, PG, 0, 0));
	ck_assert_ptr_eq(get(50), low + 150 * PG);
	ck_assert(pages_is_valid());
}
END_TEST

START_TEST(committed_pages_of_another_piece_are_found)
{
	get(1);
	char *big = get(65000), *next = get(4000); /* in two pieces */
	ck_assert_uint_gt(stat_now().ps_reserved, 256 * MIB);
	next[0] = 1;
	pages_free(big, 65000, 0);
	refuse(MPROTECT, -1);

	ck_assert_ptr_eq(get(10000), big);
	ck_assert(pages_is_valid());
}
END_TEST

START_TEST(neither_kind_of_run_takes_the_other_s_pages)
{
	get(1);
	refuse(MMAP, -1);
	ck_assert_ptr_null(pages_alloc(1, PG, 0, PAGES_NODUMP));
	ck_assert_int_eq(errno, ENOMEM);
	refuse(0, 0);
	char *run = pages_alloc(1, PG, 0, PAGES_NODUMP);
	ck_assert_ptr_nonnull(run);
	pages_free(run, 1, PAGES_NODUMP);

	refuse(MMAP | MPROTECT, -1);

	ck_assert_ptr_null(pages_alloc(1000, PG, 0, 0));
	ck_assert_ptr_eq(pages_alloc(200, PG, 0, PAGES_NODUMP), run);
	ck_assert(!is_nodump(get(200)));
	ck_assert_ptr_null(pages_alloc(200, PG, 0, 0));
	ck_assert_ptr_null(pages_alloc(200, PG, 0, PAGES_NODUMP));
	ck_assert(pages_is_valid());
}
END_TEST

START_TEST(less_is_taken_where_more_is_refused)
{
	refuse(MMAP, 1);
	char *run = get(1);
	ck_assert_uint_eq(stat_now().ps_reserved, 128 * MIB);
	*run = 1;

	refuse(MPROTECT, 1);
	char *more = get(300);

	more[300 * PG - 1] = 1;
	ck_assert_int_eq(fail_cnt, 2);
}
END_TEST

START_TEST(a_limit_on_address_space_makes_pieces_smaller)
{
	struct rlimit as;
	unsigned long pages_now;
	FILE *f = fopen("/proc/self/statm", "r");
	ck_assert_int_eq(fscanf(f, "%lu", &pages_now), 1);
	fclose(f);
	if (TEST_ASAN || TEST_TSAN)
		return; /* they reserve more than any limit */
	as.rlim_cur = as.rlim_max = pages_now * PG + 64 * MIB;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &as), 0);

	char *run = get(1);

	ck_assert_uint_le(stat_now().ps_reserved, as.rlim_cur / 16);
	size_t got = 0;
	for (*run = 1; (run = pages_alloc(256, PG, 0, 0)) != NULL; got++)
		run[MIB - 1] = 1;
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_ge(got, 32);
	ck_assert(pages_is_valid());
}
END_TEST

START_TEST(foreign_memory_can_be_entered_and_removed)
{
	/* Two leaves of 1 GiB meet in the middle of these pages. */
	char *p = (char *)((uintptr_t)5 << 40);

	refuse(MMAP, 2);
	errno = 0;
	ck_assert(!pagemap_set(p - 2 * PG, 4, 8 | PM_SLAB));
	ck_assert_int_eq(errno, ENOMEM);
	refuse(0, 0);
	for (int i = -2; i < 2; i++)
		ck_assert_uint_eq(pagemap_get(p + i * (ptrdiff_t)PG), 0);

	ck_assert(pagemap_set(p - 2 * PG, 4, 8 | PM_SLAB));

	ck_assert_uint_eq(pagemap_get(p - 2 * PG - 1), 0);
	ck_assert_uint_eq(pagemap_get(p - 2 * PG), 8 | PM_SLAB);
	ck_assert_uint_eq(pagemap_get(p + 2 * PG - 1), 8 | PM_SLAB);
	ck_assert_uint_eq(pagemap_get(p + 2 * PG), 0);
	ck_assert(pagemap_set(p - 2 * PG, 4, PM_NONE));
	ck_assert_uint_eq(pagemap_get(p), 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("pages");
	TCase *runs = tcase_create("runs"), *no = tcase_create("refusals");

	tcase_add_test(
	    runs, runs_read_as_zero_when_asked_and_keep_their_pages_apart);
	tcase_add_test(runs, runs_start_at_multiples_of_the_alignment);
	tcase_add_test(runs, the_lowest_address_comes_first);
	tcase_add_test(runs, freed_neighbours_join_whatever_the_order);
	tcase_add_test(runs, one_page_above_a_power_of_two_costs_one_page);
	tcase_add_test(runs, scattered_runs_do_not_waste_the_holes_between);
	tcase_add_test(
	    runs, a_full_piece_and_a_huge_run_get_more_address_space);
	tcase_add_test(runs, absurd_sizes_are_refused);
	tcase_add_test(runs, release_drops_resident_memory);
	tcase_add_test(
	    runs, release_takes_scattered_pages_and_spares_those_in_use);
	tcase_add_test(runs, dirty_memory_is_bounded_without_being_asked);
	tcase_add_test(
	    runs, allocation_waits_for_pages_on_their_way_to_the_system);
	tcase_add_test(runs, nodump_runs_lie_apart_and_stay_out_of_core_dumps);
	tcase_add_test(runs, runs_of_both_kinds_do_not_use_up_the_mappings);
	tcase_add_test(runs, the_page_map_takes_no_huge_pages);
	tcase_add_test(runs, a_first_run_touches_few_pages);
	tcase_add_test(no, refused_release_leaves_pages_dirty);
	tcase_add_test(no, any_mapping_call_may_fail);
	tcase_add_test(no, any_mapping_call_may_fail_for_several_domains);
	tcase_add_test(no, address_space_that_cannot_be_unmapped_is_used_again);
	tcase_add_test(no, address_space_used_again_is_as_new);
	tcase_add_test(no, what_is_committed_is_used_when_no_more_can_be);
	tcase_add_test(no, committed_pages_of_another_piece_are_found);
	tcase_add_test(no, neither_kind_of_run_takes_the_other_s_pages);
	tcase_add_test(no, less_is_taken_where_more_is_refused);
	tcase_add_test(no, a_limit_on_address_space_makes_pieces_smaller);
	tcase_add_test(no, foreign_memory_can_be_entered_and_removed);
	TCase *tc[] = {runs, no};
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
