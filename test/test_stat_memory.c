/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where all memory is: what the library says that it has mapped is what the
 * system shows, and its parts add up to it, whatever the zones are like.
 */
#define _GNU_SOURCE 1

#include "children.h"

#include <uma/reclaim.h>

/* ---- what the system shows ---- */

/* Read without an allocation, which might map something itself. */
static char maps_text[1 << 20];

static void
maps_read(void)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	while ((n = read(fd, maps_text + len, sizeof maps_text - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	ck_assert_uint_lt(len, sizeof maps_text - 1);
	maps_text[len] = '\0';
}

/* Bytes of address space but for what grows by itself. */
static uint64_t
maps_bytes(void)
{
	uint64_t sum = 0;

	maps_read();
	for (char *line = maps_text, *end; *line != '\0'; line = end + 1) {
		unsigned long from, to;

		end = strchr(line, '\n');
		*end = '\0';
		ck_assert_int_eq(sscanf(line, "%lx-%lx", &from, &to), 2);
		if (strstr(line, "[heap]") == NULL &&
		    strstr(line, "[stack]") == NULL)
			sum += to - from;
	}
	return sum;
}

static struct uma_memory_stat
memory_now(void)
{
	struct uma_memory_stat m = {.size = sizeof m};

	ck_assert_int_eq(uma_memory_stat(&m), 0);
	return m;
}

static uint64_t
parts_sum(const struct uma_memory_stat *m)
{
	return m->used + m->cached_cpu + m->cached_depot + m->free_slab +
	       m->slack + m->own + m->lost + m->meta + m->pagemap + m->pieces +
	       m->dirty + m->untouched + m->spare + m->other;
}

/* The zones' part of it, from their own numbers. */
static void
zones_are_true(const char *when)
{
	struct uma_stats *s = uma_stats_take();
	uint64_t used = 0, cpu = 0, depot = 0, slab = 0, slack = 0, own = 0;

	ck_assert_ptr_nonnull(s);
	for (size_t z = 0; z < s->nzones; z++) {
		const struct uma_zone_stat *st = uma_stats_zone(s, z);
		uint64_t items = st->used + st->free_cached + st->free_slab;

		ck_assert_uint_eq(items, st->slabs * st->slab_items);
		ck_assert_uint_le(items * st->item_bytes, st->memory);
		if (st->own) {
			own += st->memory;
			continue;
		}
		used += st->used * st->item_bytes;
		cpu += st->free_cpu * st->item_bytes;
		depot += st->free_depot * st->item_bytes;
		slab += st->free_slab * st->item_bytes;
		slack += st->memory - items * st->item_bytes;
	}
	const struct uma_memory_stat *m = s->memory;
	ck_assert_msg(m->used == used && m->cached_cpu == cpu &&
			  m->cached_depot == depot && m->free_slab == slab &&
			  m->slack == slack && m->own == own,
	    "%s: the zones' parts are not the zones'", when);
	uma_stats_free(s);
}

static uint64_t maps_before; /* the first zone */

/* At rest: all of it, byte for byte. */
static struct uma_memory_stat
memory_is_true(const char *when)
{
	uint64_t shown = maps_bytes() - maps_before;
	struct uma_memory_stat m = memory_now();

	/* Sanitizers map much beside us. */
	ck_assert_msg(TEST_ASAN || TEST_TSAN || m.mapped == shown,
	    "%s: mapped %llu, the system %llu", when,
	    (unsigned long long)m.mapped, (unsigned long long)shown);
	ck_assert_msg(parts_sum(&m) == m.mapped && m.other == 0,
	    "%s: mapped %llu, parts %llu, other %llu", when,
	    (unsigned long long)m.mapped, (unsigned long long)parts_sum(&m),
	    (unsigned long long)m.other);
	zones_are_true(when);
	return m;
}

/* ---- zones of all kinds ---- */

static const struct kind {
	const char *name;
	size_t size;
	int items;
	int align;
	uint32_t flags;
} kind[] = {
    {"one byte", 1, 5000, 0, 0},
    {"plain", 64, 3000, UMA_ALIGN_PTR, 0},
    {"coloured", 1000, 500, UMA_ALIGN_CACHE, 0},
    {"off page", 3000, 300, UMA_ALIGN_PTR, UMA_ZONE_OFFPAGE},
    {"hash", 700, 300, UMA_ALIGN_PTR, UMA_ZONE_HASH | UMA_ZONE_OFFPAGE},
    {"pcpu", 32, 400, UMA_ALIGN_PTR, UMA_ZONE_PCPU},
    {"pcpu of a page", 4096, 20, UMA_ALIGN_PTR, UMA_ZONE_PCPU},
    {"counters", 200, 500, UMA_ALIGN_PTR, UMA_ZONE_REFCNT},
    {"no dump", 5000, 300, UMA_ALIGN_PTR, UMA_ZONE_NODUMP},
    {"pages", 3 * 4096, 200, UMA_ALIGN_PTR, 0},
    {"a MiB", 1 << 20, 20, UMA_ALIGN_PTR, 0},
    {"kept", 256, 500, UMA_ALIGN_PTR, UMA_ZONE_NOFREE},
    {"as it is", 100, 500, UMA_ALIGN_PTR, UMA_ZONE_MALLOC},
    {"no bucket", 48, 300, UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET},
    {"vm", 512, 300, UMA_ALIGN_PTR, UMA_ZONE_VM},
    {"untouched", 2000, 300, UMA_ALIGN_PTR, UMA_ZONE_NOTOUCH},
};
enum { KINDS = sizeof kind / sizeof kind[0], ITEMS_MAX = 5000 };

static uma_zone_t
plain_zone(const char *name, size_t size, int align, uint32_t flags)
{
	uma_zone_t z =
	    uma_zcreate(name, size, NULL, NULL, NULL, NULL, align, flags);

	ck_assert_msg(z != NULL, "zone %s: %s", name, strerror(errno));
	return z;
}

static uma_zone_t zone[KINDS];
static void *item[KINDS][ITEMS_MAX];

static void
zones_make(void)
{
	for (int k = 0; k < KINDS; k++) {
		zone[k] = plain_zone(
		    kind[k].name, kind[k].size, kind[k].align, kind[k].flags);
		for (int i = 0; i < kind[k].items; i++) {
			item[k][i] = uma_zalloc(zone[k], M_WAITOK);
			ck_assert_ptr_nonnull(item[k][i]);
		}
	}
}

static void
zones_free(int from, int step)
{
	for (int k = 0; k < KINDS; k++)
		for (int i = from; i < kind[k].items; i += step)
			if (item[k][i] != NULL) {
				uma_zfree(zone[k], item[k][i]);
				item[k][i] = NULL;
			}
}

static uint64_t
bytes_out(void)
{
	uint64_t sum = 0;

	for (int k = 0; k < KINDS; k++) {
		struct uma_zone_stat st = stat_of(zone[k]);
		uint64_t out = 0;

		for (int i = 0; i < kind[k].items; i++)
			out += item[k][i] != NULL;
		ck_assert_uint_eq(st.used, out);
		ck_assert_uint_eq(
		    st.item_bytes, st.stride * (kind[k].flags & UMA_ZONE_PCPU
						       ? (uint64_t)uma_ncpus()
						       : 1));
		sum += out * st.item_bytes;
	}
	return sum;
}

START_TEST(before_the_first_zone_nothing_is_mapped)
{
	struct uma_memory_stat m = memory_now();

	ck_assert_uint_eq(m.mapped, 0);
	ck_assert_uint_eq(parts_sum(&m), 0);
	ck_assert_uint_eq(m.zones, 0);
	ck_assert_uint_ge(m.image, 2 << 20);
}
END_TEST

START_TEST(what_is_mapped_is_what_the_system_shows)
{
	struct uma_memory_stat m;

	maps_before = maps_bytes();
	zones_make();
	m = memory_is_true("all allocated");
	ck_assert_uint_eq(m.used, bytes_out());
	ck_assert_uint_ge(m.zones, KINDS + 2);
	ck_assert_uint_gt(m.own, 0);
	ck_assert_uint_gt(m.pieces, 0);
	ck_assert_uint_gt(m.pagemap, 0);
	ck_assert_uint_gt(m.slack, 0);
	ck_assert_uint_gt(m.untouched, 0);

	zones_free(0, 3);
	m = memory_is_true("a third freed");
	ck_assert_uint_eq(m.used, bytes_out());
	ck_assert_uint_gt(m.cached_cpu, 0);
	ck_assert_uint_gt(m.cached_depot, 0);

	uma_reclaim(UMA_RECLAIM_TRIM);
	memory_is_true("trimmed");
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	m = memory_is_true("drained");
	ck_assert_uint_eq(m.cached_cpu + m.cached_depot, 0);
	ck_assert_uint_gt(m.free_slab, 0);
	ck_assert_uint_eq(m.dirty, 0);
	ck_assert_uint_eq(m.used, bytes_out());

	zones_free(0, 1);
	memory_is_true("all freed");
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	m = memory_is_true("all freed and drained");
	ck_assert_uint_eq(m.used, 0);
	for (int k = 0; k < KINDS; k++)
		uma_zdestroy(zone[k]);
	m = memory_is_true("destroyed");
	ck_assert_uint_eq(m.used + m.cached_cpu + m.free_slab + m.slack, 0);
	ck_assert_uint_eq(m.lost, 0);
	ck_assert_uint_eq(m.zones, 2);
}
END_TEST

START_TEST(slabs_of_a_zone_destroyed_with_items_out_are_lost)
{
	uma_zone_t z = plain_zone("leaky", 10000, UMA_ALIGN_PTR, 0);

	uma_set_warning_sink(mute_sink, NULL);
	ck_assert_ptr_nonnull(uma_zalloc(z, M_WAITOK));
	uint64_t slabs = stat_of(z).memory, lost = memory_now().lost;
	uma_zdestroy(z);
	struct uma_memory_stat m = memory_now();
	ck_assert_uint_eq(m.lost, lost + slabs);
	ck_assert_uint_eq(parts_sum(&m), m.mapped);
	ck_assert_uint_eq(m.other, 0);
}
END_TEST

START_TEST(pages_that_were_given_back_out_of_slabs_are_absent)
{
	uma_zone_t z = plain_zone("pages", 4096, UMA_ALIGN_PTR, 0);
	void *p[256];

	for (int i = 0; i < 256; i++)
		memset(p[i] = uma_zalloc(z, M_WAITOK), 1, 4096);
	uint64_t held = memory_now().held;
	for (int i = 0; i < 256; i++)
		if (i % 16 != 0)
			uma_zfree(z, p[i]);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	struct uma_zone_stat st = stat_of(z);
	struct uma_memory_stat m = memory_now();
	ck_assert_uint_gt(st.absent, 100 * 4096);
	ck_assert_uint_le(st.absent, st.memory);
	ck_assert_uint_ge(m.absent, st.absent);
	ck_assert_uint_lt(m.held, held);
	ck_assert_uint_eq(m.held, uma_size());
	ck_assert_uint_eq(parts_sum(&m), m.mapped);
	for (int i = 0; i < 256; i += 16)
		uma_zfree(z, p[i]);
	uma_zdestroy(z);
}
END_TEST

/* In a child, since the limit stays: it must fit into what it has left. */
static void
child_limited(void *arg)
{
	uint64_t before = maps_bytes();
	struct rlimit as = {before + *(size_t *)arg, before + *(size_t *)arg};
	struct uma_memory_stat m = {.size = sizeof m};
	int got = 0;

	if (!TEST_ASAN && !TEST_TSAN)
		CHILD_MUST(setrlimit(RLIMIT_AS, &as) == 0);
	uma_zone_t z = uma_zcreate(
	    "limited", 100000, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	for (; z != NULL && got < 5000; got++)
		if (uma_zalloc(z, M_NOWAIT) == NULL)
			break;
	uint64_t shown = maps_bytes() - before;
	CHILD_MUST(uma_memory_stat(&m) == 0);
	CHILD_MUST(TEST_ASAN || TEST_TSAN || m.mapped == shown);
	CHILD_MUST(parts_sum(&m) == m.mapped && m.other == 0);
	if (z == NULL)
		return;
	CHILD_MUST(m.used == (uint64_t)got * stat_of(z).item_bytes);
}

static size_t room_row[] = {1 << 20, 8 << 20, 64 << 20, 300 << 20};

START_TEST(it_is_true_under_a_limit_on_address_space)
{
	in_child(child_limited, &room_row[_i]);
}
END_TEST

static void
child_counts(void *arg)
{
	struct uma_memory_stat m = {.size = sizeof m};

	uma_zfree(zone[1], arg);
	CHILD_MUST(uma_memory_stat(&m) == 0);
	CHILD_MUST(parts_sum(&m) == m.mapped && m.other == 0);
	CHILD_MUST(
	    TEST_ASAN || TEST_TSAN || m.mapped == maps_bytes() - maps_before);
}

START_TEST(it_is_true_in_a_child_of_a_fork)
{
	maps_before = maps_bytes();
	zones_make();
	in_child(child_counts, item[1][0]);
}
END_TEST

START_TEST(a_struct_of_another_size_gets_what_both_know)
{
	struct {
		struct uma_memory_stat m;
		uint64_t more;
	} large;
	struct uma_memory_stat small = {.size = sizeof small - 1};

	memset(&large, 0xa5, sizeof large);
	large.m.size = sizeof large;
	ck_assert_int_eq(uma_memory_stat(&large.m), 0);
	ck_assert_uint_eq(large.m.size, sizeof large.m);
	ck_assert_uint_eq(large.more, 0xa5a5a5a5a5a5a5a5u);
	errno = 0;
	ck_assert_int_eq(uma_memory_stat(&small), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_uint_eq(small.size, sizeof small - 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("stat_memory");
	TCase *tc = tcase_create("memory");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, before_the_first_zone_nothing_is_mapped);
	tcase_add_test(tc, what_is_mapped_is_what_the_system_shows);
	tcase_add_test(tc, slabs_of_a_zone_destroyed_with_items_out_are_lost);
	tcase_add_test(tc, pages_that_were_given_back_out_of_slabs_are_absent);
	tcase_add_loop_test(tc, it_is_true_under_a_limit_on_address_space, 0,
	    sizeof room_row / sizeof room_row[0]);
	tcase_add_test(tc, it_is_true_in_a_child_of_a_fork);
	tcase_add_test(tc, a_struct_of_another_size_gets_what_both_know);
	suite_add_tcase(s, tc);
	return test_run(s);
}
