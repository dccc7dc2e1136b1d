/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zones on machines of 2, 4 and 8 NUMA domains, which are made up: the first
 * two CPUs that we may use are in domains 0 and 1, the others have none.
 *
 * Each test is a process of its own, so that each has its machine; and each is
 * run with hits as the process has them, and with hits under locks.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sys/mman.h>

#include "children.h"
#include "machine.h"
#include "pages_int.h"
#include "sleepers.h"
#include "traffic.h"
#include "zone_int.h"

enum { MACHINES = 6, MANY = 3000 };

static int nodes;
static int cpu_of[2]; /* by domain */
static void *item[4 * MANY];

/* ---- the system says no ---- */

/* A sanitizer's own start comes through here before its tables are there. */
#define PLAIN __attribute__((no_sanitize("thread", "address", "undefined")))

static bool no_memory;

PLAIN int
mprotect(void *addr, size_t len, int prot)
{
	if (no_memory && (prot & PROT_WRITE)) {
		errno = ENOMEM;
		return -1;
	}
	return (int)syscall(SYS_mprotect, addr, len, prot);
}

/* ---- machines ---- */

/* False, after a word about it, when there are no two CPUs to run on. */
static bool
two_cpus(void)
{
	cpu_set_t set;
	int n = 0;

	MUST(sched_getaffinity(0, sizeof set, &set) == 0, "affinity");
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpu_of[n++] = cpu;
	if (n == 2)
		return true;
	printf("skipped: only one CPU may be used\n");
	return false;
}

/* Start the library on the ith machine; false: nothing can be tested here. */
static bool
machine(int i)
{
	const char *cpus[8] = {"", "", "", "", "", "", "", ""};
	char text[2][16], options[256];
	const char *old = getenv("UMA_OPTIONS");

	if (!two_cpus())
		return false;
	nodes = 2 << (i % 3);
	for (int d = 0; d < 2; d++) {
		snprintf(text[d], sizeof text[d], "%d", cpu_of[d]);
		cpus[d] = text[d];
	}
	snprintf(options, sizeof options, "%s%s", old != NULL ? old : "",
	    i < 3	  ? ""
	    : old != NULL ? ",percpu=lock"
			  : "percpu=lock");
	ck_assert_int_eq(setenv("UMA_OPTIONS", options, 1), 0);
	char *root = machine_make(nodes, cpus);
	topology_set_root(root);
	ck_assert_int_eq(uma_ndomains(), nodes);
	machine_remove(root);
	return true;
}

/* Run on the CPU of domain 0 or 1. */
static void
on(int domain)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu_of[domain], &set);
	MUST(sched_setaffinity(0, sizeof set, &set) == 0, "pin");
	MUST(uma_curdomain() == domain, "on domain %d", uma_curdomain());
}

static uma_zone_t
zone_make(size_t size, uint32_t flags)
{
	uma_zone_t z =
	    uma_zcreate("numa", size, NULL, NULL, NULL, NULL, 15, flags);

	MUST(z != NULL, "no zone: errno %d", errno);
	return z;
}

static void
take_on(int domain, uma_zone_t z, void **at, int n)
{
	on(domain);
	take(z, at, n);
}

static void
give_on(int domain, uma_zone_t z, void **at, int n)
{
	on(domain);
	give(z, at, n);
}

/* How many of n items are of a domain. */
static int
of_domain(int domain, void **at, int n)
{
	int count = 0;

	for (int i = 0; i < n; i++)
		count += pages_domain_of(at[i]) == domain;
	return count;
}

static void
shuffle(void **at, int n, uint64_t seed)
{
	for (int i = n - 1; i > 0; i--) {
		int j = (int)(test_rand(&seed) % (uint64_t)(i + 1));
		void *t = at[i];

		at[i] = at[j];
		at[j] = t;
	}
}

/* ---- books ---- */

static void
balanced(uma_zone_t z, uint64_t used)
{
	struct uma_zone_stat st = stat_of(z);

	ck_assert_uint_eq(st.used, used);
	ck_assert_uint_eq(st.allocs - st.frees, used);
	ck_assert_uint_eq(
	    st.used + st.free_cached + st.free_slab, st.slabs * st.slab_items);
}

static void
bucket_is_of(const struct bucket *b, int domain, uint64_t *n)
{
	for (int k = 1; k <= b->ub_cnt; k++)
		MUST(pages_domain_of(b->ub_slot[k]) == domain,
		    "item of domain %d in depot %d",
		    pages_domain_of(b->ub_slot[k]), domain);
	*n += b->ub_cnt;
}

/* Each depot has items of its own domain only, and as many as it says. */
static void
sorted(uma_zone_t z)
{
	for (int d = 0; d < nodes; d++) {
		struct depot *depot = &z->uz_depot[d];
		struct bucket *b;
		uint64_t n = 0;

		cds_list_for_each_entry (b, &depot->d_full, ub_link)
			bucket_is_of(b, d, &n);
		if (depot->d_cross != NULL)
			bucket_is_of(depot->d_cross, d, &n);
		ck_assert_uint_eq(n, depot_items(z, d));
	}
}

/* No item and no bucket may be lost, and destruction is silent. */
static void
destroy(uma_zone_t z)
{
	struct said said = SAID_INITIALIZER;

	balanced(z, 0);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	ck_assert_uint_eq(atomic_load(&z->uz_bucket_bytes), 0);
	uma_set_warning_sink(said_sink, &said);
	uma_zdestroy(z);
	uma_set_warning_sink(NULL, NULL);
	ck_assert_msg(said_lines(&said) == 0, "it said: %s", said.last);
}

/* ---- policies ---- */

START_TEST(items_are_of_the_domain_of_the_cpu_that_allocates)
{
	static const size_t size[] = {16, 256, 1500, 4096, 20000};

	if (!machine(_i))
		return;
	for (size_t s = 0; s < sizeof size / sizeof size[0]; s++) {
		uma_zone_t z =
		    zone_make(size[s], s % 2 == 0 ? UMA_ZONE_FIRSTTOUCH : 0);
		int n = size[s] > 4096 ? 300 : MANY;

		for (int d = 0; d < 2; d++) {
			take_on(d, z, item, n);
			ck_assert_int_eq(of_domain(d, item, n), n);
			give_on(d, z, item, n);
			sorted(z);
		}
		ck_assert_uint_eq(stat_of(z).xdomain, 0);
		destroy(z);
	}
}
END_TEST

START_TEST(round_robin_takes_from_all_domains_in_turn)
{
	if (!machine(_i))
		return;
	uma_zone_t z = zone_make(64, UMA_ZONE_ROUNDROBIN);
	uma_zone_t one = zone_make(64, UMA_ZONE_ROUNDROBIN | UMA_ZONE_NOBUCKET);

	take_on(0, z, item, 4 * MANY);
	for (int d = 0; d < nodes; d++) {
		int n = of_domain(d, item, 4 * MANY);

		ck_assert_int_ge(n, 4 * MANY / nodes - BUCKET_CAP_MAX);
		ck_assert_int_le(n, 4 * MANY / nodes + BUCKET_CAP_MAX);
	}
	give_on(1, z, item, 4 * MANY);
	ck_assert_uint_eq(stat_of(z).xdomain, 0);
	take_on(1, one, item, MANY / nodes * nodes);
	for (int d = 0; d < nodes; d++)
		ck_assert_int_eq(
		    of_domain(d, item, MANY / nodes * nodes), MANY / nodes);
	give(one, item, MANY / nodes * nodes);
	uma_zone_reclaim_domain(z, UMA_RECLAIM_DRAIN, 0);
	for (int d = 0; d < nodes; d++)
		ck_assert_uint_eq(depot_items(z, d), 0);
	destroy(one);
	destroy(z);
}
END_TEST

START_TEST(flags_that_contradict_each_other_are_refused)
{
	static const uint32_t bad[] = {
	    UMA_ZONE_FIRSTTOUCH | UMA_ZONE_ROUNDROBIN,
	    UMA_ZONE_NOTOUCH | UMA_ZONE_REFCNT,
	    UMA_ZONE_NOTOUCH | UMA_ZONE_ZINIT, UMA_ZONE_NOTOUCH | UMA_ZONE_VM};

	if (!machine(_i))
		return;
	for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
		errno = 0;
		ck_assert_ptr_null(
		    uma_zcreate("bad", 64, NULL, NULL, NULL, NULL, 0, bad[k]));
		ck_assert_int_eq(errno, EINVAL);
	}
}
END_TEST

/* ---- frees on another domain's CPU ---- */

START_TEST(items_freed_elsewhere_come_home_in_buckets_and_are_counted)
{
	if (!machine(_i))
		return;
	uma_zone_t z = zone_make(64, 0);

	take_on(0, z, item, MANY);
	uint64_t home = depot_items(z, 0);
	give_on(1, z, item, MANY);
	sorted(z);
	uint64_t cross = stat_of(z).xdomain;
	/* But for what CPU 1 has in its two buckets. */
	ck_assert_uint_ge(cross, MANY - 2 * BUCKET_CAP_MAX);
	ck_assert_uint_eq(depot_items(z, 0) - home, cross);
	ck_assert_uint_eq(depot_items(z, 1), 0);
	destroy(z);
}
END_TEST

START_TEST(what_came_home_is_used_again)
{
	if (!machine(_i))
		return;
	uma_zone_t z = zone_make(4096, 0);
	int n = MANY - 300; /* CPU 1 has some, and others cool */

	take_on(0, z, item, MANY);
	give_on(1, z, item, MANY);
	uint64_t slabs = stat_of(z).slabs, cross = stat_of(z).xdomain;
	ck_assert_uint_ge(cross, (uint64_t)n);
	take_on(0, z, item, n);
	ck_assert_int_eq(of_domain(0, item, n), n);
	ck_assert_uint_eq(stat_of(z).slabs, slabs);
	give(z, item, n);
	ck_assert_uint_eq(stat_of(z).xdomain, cross);
	destroy(z);
}
END_TEST

START_TEST(mixed_buckets_are_sorted)
{
	if (!machine(_i))
		return;
	uma_zone_t z = zone_make(64, 0);
	int n = 4 * MANY;

	for (int i = 0; i < n; i++)
		item[i] = uma_zalloc_domain(z, NULL, i % nodes, M_NOWAIT);
	shuffle(item, n, test_seed("mixed"));
	give_on(1, z, item, n);
	sorted(z);
	balanced(z, 0);
	uint64_t far = 0;
	for (int d = 0; d < nodes; d++) {
		ck_assert_uint_ge(depot_items(z, d),
		    (uint64_t)(n / nodes - 2 * BUCKET_CAP_MAX));
		far += d != 1 ? depot_items(z, d) : 0;
	}
	ck_assert_uint_eq(stat_of(z).xdomain, far);
	destroy(z);
}
END_TEST

START_TEST(bulk_frees_are_sorted_too)
{
	if (!machine(_i))
		return;
	uma_zone_t z = zone_make(64, 0);

	take_on(0, z, item, MANY);
	take_on(1, z, item + MANY, MANY);
	shuffle(item, 2 * MANY, test_seed("bulk"));
	uint64_t home = depot_items(z, 0);
	for (int i = 0; i < 2 * MANY; i += MANY / 10)
		uma_zfree_bulk(z, item + i, MANY / 10);
	sorted(z);
	ck_assert_uint_eq(depot_items(z, 0) - home, stat_of(z).xdomain);
	ck_assert_uint_ge(stat_of(z).xdomain, MANY - 2 * BUCKET_CAP_MAX);
	on(0);
	ck_assert_int_eq(
	    uma_zalloc_bulk(z, item, 2 * MANY, M_NOWAIT), 2 * MANY);
	balanced(z, 2 * MANY);
	uma_zfree_bulk(z, item, 2 * MANY);
	destroy(z);
}
END_TEST

START_TEST(without_memory_for_buckets_items_go_to_their_slabs)
{
	if (!machine(_i))
		return;
	uma_zone_t z = zone_make(64, 0);

	take_on(0, z, item, MANY);
	take_on(1, z, item + MANY, MANY);
	shuffle(item, 2 * MANY, test_seed("capped"));
	uma_settings.set_zone_cache_max = 64 << 10;
	give(z, item, 2 * MANY);
	sorted(z);
	balanced(z, 0);
	ck_assert_uint_le(stat_of(z).free_cached * 64, 128 << 10);
	destroy(z);
}
END_TEST

START_TEST(at_the_cap_near_items_are_had_in_place_of_far_ones)
{
	if (!machine(_i))
		return;
	uma_zone_t z = zone_make(64, 0);

	uma_settings.set_zone_cache_max = 128 << 10;
	take_on(1, z, item, MANY);
	give(z, item, MANY);
	ck_assert_uint_gt(depot_items(z, 1), 1000);
	take_on(0, z, item, MANY);
	ck_assert_int_eq(of_domain(0, item, MANY), MANY);
	balanced(z, MANY);
	give(z, item, MANY);
	destroy(z);
}
END_TEST

/* ---- items of a given domain ---- */

static void *last_arg;
static int ctor_error;

static int
note_arg(void *mem, int size, void *arg, int flags)
{
	(void)mem;
	(void)size;
	(void)flags;
	last_arg = arg;
	return ctor_error;
}

START_TEST(an_item_of_a_domain_is_of_that_domain)
{
	if (!machine(_i))
		return;
	uma_zone_t z =
	    uma_zcreate("asked", 256, note_arg, NULL, NULL, NULL, 15, 0);

	on(0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++) {
			int d = i % nodes;

			item[i] = uma_zalloc_domain(
			    z, &item[i], d, M_NOWAIT | M_ZERO);
			MUST(pages_domain_of(item[i]) == d, "domain %d", d);
			MUST(last_arg == &item[i], "arg");
			MUST(*(char *)item[i] == 0, "not zero");
			memset(item[i], 0xee, 256);
		}
		ck_assert_uint_eq(
		    stat_of(z).allocs, (uint64_t)(round + 1) * MANY);
		balanced(z, MANY);
		shuffle(item, MANY, (uint64_t)round);
		give_on(round % 2, z, item, MANY);
	}
	/* What was in the depots was used. */
	ck_assert_uint_le(stat_of(z).slabs * stat_of(z).slab_items, 2 * MANY);
	destroy(z);
}
END_TEST

START_TEST(any_domain_is_an_ordinary_allocation_and_no_domain_is_an_error)
{
	static const int bad[] = {-2, 8, INT_MAX, INT_MIN};

	if (!machine(_i))
		return;
	uma_zone_t z = zone_make(256, 0);

	on(1);
	item[0] = uma_zalloc_domain(z, NULL, UMA_ANYDOMAIN, M_NOWAIT);
	ck_assert_int_eq(pages_domain_of(item[0]), 1);
	for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
		errno = 0;
		ck_assert_ptr_null(
		    uma_zalloc_domain(z, NULL, bad[k], M_WAITOK));
		ck_assert_int_eq(errno, EINVAL);
	}
	balanced(z, 1);
	ck_assert_uint_eq(stat_of(z).fails, 0);
	uma_zfree(z, item[0]);
	destroy(z);
}
END_TEST

START_TEST(a_ctor_that_fails_undoes_an_item_of_a_domain)
{
	if (!machine(_i))
		return;
	uma_zone_t z =
	    uma_zcreate("refused", 256, note_arg, NULL, NULL, NULL, 15, 0);

	ctor_error = EBUSY;
	errno = 0;
	ck_assert_ptr_null(uma_zalloc_domain(z, NULL, 1, M_WAITOK));
	ck_assert_int_eq(errno, EBUSY);
	ck_assert_uint_eq(stat_of(z).allocs, 0);
	ck_assert_uint_eq(stat_of(z).fails, 1);
	destroy(z);
}
END_TEST

START_TEST(a_round_robin_zone_has_items_of_a_domain_as_well)
{
	if (!machine(_i))
		return;
	uma_zone_t z = zone_make(256, UMA_ZONE_ROUNDROBIN);

	take_on(0, z, item, MANY);
	give(z, item, MANY);
	for (int i = 0; i < 100; i++) {
		int d = i % 2 == 0 ? 0 : nodes - 1;

		item[i] = uma_zalloc_domain(z, NULL, d, M_NOWAIT);
		ck_assert_int_eq(pages_domain_of(item[i]), d);
	}
	give(z, item, 100);
	destroy(z);
}
END_TEST

/* ---- when one domain has no more ---- */

START_TEST(no_allocation_fails_while_another_domain_has_memory)
{
	if (!machine(_i))
		return;
	uma_zone_t z = zone_make(4096, 0);
	int n = 0, far = MANY / 2;

	/* In slabs, in the depot, and in the cache of CPU 1. */
	take_on(1, z, item, far);
	give(z, item, far / 2);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	give(z, item + far / 2, far - far / 2);
	on(0);
	no_memory = true;
	while (
	    n < 4 * MANY && (item[n] = _i % 2 == 0 ? uma_zalloc(z, M_NOWAIT)
						   : uma_zalloc_domain(z, NULL,
							 0, M_NOWAIT)) != NULL)
		n++;
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_eq(stat_of(z).free_cached, 0);
	ck_assert_uint_eq(stat_of(z).free_slab, 0);
	balanced(z, (uint64_t)n);
	ck_assert_int_ge(of_domain(1, item, n), far - far / 2);
	no_memory = false;
	give(z, item, n);
	destroy(z);
}
END_TEST

START_TEST(far_buckets_are_taken_before_an_allocation_fails)
{
	if (!machine(_i))
		return;
	uma_zone_t z = page_zone("far", MANY);

	/* All units are cached in the other domain. */
	take_on(1, z, item, MANY);
	give(z, item, MANY);
	take_on(0, z, item, MANY);
	refused(z);
	/* But for a few that found no place in a bucket. */
	ck_assert_int_ge(of_domain(1, item, MANY), MANY - 64);
	give(z, item, MANY);
	destroy(z);
}
END_TEST

/* ---- limits and sleepers ---- */

START_TEST(a_limit_is_reached_whatever_was_freed_where)
{
	if (!machine(_i))
		return;
	uint64_t seed = test_seed("limit");

	for (int max = 10; max < MANY; max *= 4) {
		uma_zone_t z = page_zone("limited", max);

		for (int round = 0; round < 4; round++) {
			int here = round % 2;

			take_on(here, z, item, max);
			refused(z);
			shuffle(item, max, seed + (uint64_t)round);
			give_on(!here, z, item, max / 2);
			give_on(here, z, item + max / 2, max - max / 2);
			on(here);
			for (int i = 0; i < max; i++) {
				item[i] = uma_zalloc_domain(
				    z, NULL, i % nodes, M_NOWAIT);
				ck_assert_ptr_nonnull(item[i]);
			}
			refused(z);
			give_on(!here, z, item, max);
			balanced(z, 0);
		}
		destroy(z);
	}
}
END_TEST

static void *
domain_sleeper(void *arg)
{
	struct sleeper *s = arg;

	s->item = uma_zalloc_domain(s->zone, NULL, 1, M_WAITOK);
	atomic_store(&s->place, 1);
	return NULL;
}

START_TEST(a_sleeper_gets_what_lies_in_cross_buckets)
{
	if (!machine(_i))
		return;
	uma_zone_t z = page_zone("sleepers", 100);
	struct sleeper s, t = {.zone = z};
	struct bucket *none = NULL;

	take_on(0, z, item, 100);
	sleeper_start(&s, z, NULL);
	uint64_t sleeps = stat_of(z).sleeps;
	t.thread = thread_start(domain_sleeper, &t);
	ck_assert(WAIT_FOR(stat_of(z).sleeps > sleeps));
	/* As if this were being sorted when the sleepers came. */
	depot_add(z, 0, item, 1, &none, PUT_FREED);
	ck_assert_ptr_nonnull(z->uz_depot[0].d_cross);
	/* Another goes the whole way, and takes the first along. */
	struct bucket *b = zone_bucket_make(z);
	bucket_push(b, item[1]);
	on(1);
	zone_put_bucket(z, b, PUT_FREED);
	ck_assert(sleeper_back(&s));
	ck_assert(WAIT_FOR(atomic_load(&t.place) != 0));
	thread_join(t.thread);
	ck_assert_ptr_nonnull(t.item);
	uma_zfree(z, t.item);
	sleeper_end(&s);
	give(z, item + 2, 98);
	ck_assert_int_eq(uma_zone_get_cur(z), 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(nobody_sleeps_while_cross_buckets_have_items)
{
	if (!machine(_i))
		return;
	uma_zone_t z = page_zone("awake", 100);
	struct bucket *none = NULL;

	take_on(0, z, item, 100);
	depot_add(z, 0, item, 3, &none, PUT_FREED);
	on(1);
	for (int i = 0; i < 3; i++)
		item[i] = uma_zalloc(z, M_WAITOK);
	ck_assert_uint_eq(stat_of(z).sleeps, 0);
	refused(z);
	give(z, item, 100);
	ck_assert_int_eq(uma_zone_get_cur(z), 0);
	uma_zdestroy(z);
}
END_TEST

/* ---- reclaim ---- */

/* MANY items of each of the domains 0 and 1, in depots and CPUs' caches. */
static uma_zone_t
both_cached(uint32_t flags)
{
	uma_zone_t z = zone_make(64, flags);

	take_on(0, z, item, MANY);
	take_on(1, z, item + MANY, MANY);
	give_on(0, z, item, MANY);
	give_on(1, z, item + MANY, MANY);
	return z;
}

START_TEST(reclaiming_a_domain_leaves_the_others)
{
	static const int request[] = {
	    UMA_RECLAIM_TRIM, UMA_RECLAIM_DRAIN, UMA_RECLAIM_DRAIN_CPU};

	if (!machine(_i))
		return;
	for (int r = 0; r < 3; r++) {
		uma_zone_t z = both_cached(0);
		uint64_t near = depot_items(z, 1), far = depot_items(z, 0);

		ck_assert_uint_gt(near, 0);
		/* The first only sees that nothing of it was used. */
		if (request[r] == UMA_RECLAIM_TRIM)
			uma_zone_reclaim_domain(z, UMA_RECLAIM_TRIM, 1);
		ck_assert_uint_eq(depot_items(z, 1), near);
		if (_i % 2 == 0)
			uma_zone_reclaim_domain(z, request[r], 1);
		else
			uma_reclaim_domain(request[r], 1);
		ck_assert_uint_eq(depot_items(z, 1), 0);
		ck_assert_uint_ge(depot_items(z, 0), far);
		sorted(z);
		balanced(z, 0);
		if (request[r] == UMA_RECLAIM_DRAIN_CPU)
			ck_assert_uint_eq(
			    stat_of(z).free_cached, depot_items(z, 0));
		uma_zone_reclaim_domain(
		    z, UMA_RECLAIM_DRAIN_CPU, UMA_ANYDOMAIN);
		ck_assert_uint_eq(stat_of(z).slabs, 0);
		destroy(z);
	}
}
END_TEST

START_TEST(slabs_of_a_domain_go_and_those_of_others_stay)
{
	if (!machine(_i))
		return;
	for (int cached = 0; cached < 2; cached++) {
		uma_zone_t z = both_cached(cached ? 0 : UMA_ZONE_NOBUCKET);
		uint64_t slab_items = stat_of(z).slab_items;

		ck_assert_uint_ge(stat_of(z).slabs * slab_items, 2 * MANY);
		uma_zone_reclaim_domain(z, UMA_RECLAIM_DRAIN_CPU, 0);
		uint64_t left = stat_of(z).slabs * slab_items;
		ck_assert_uint_ge(left, MANY);
		ck_assert_uint_lt(left, 2 * MANY);
		uma_zone_reclaim_domain(z, UMA_RECLAIM_DRAIN_CPU, 1);
		ck_assert_uint_eq(stat_of(z).slabs, 0);
		destroy(z);
	}
}
END_TEST

static void
reclaim_of_no_domain(void *arg)
{
	uma_reclaim_domain(UMA_RECLAIM_TRIM, *(int *)arg);
}

START_TEST(reclaiming_no_domain_aborts)
{
	if (!machine(_i))
		return;
	test_expect_abort(reclaim_of_no_domain, &nodes, "bad reclaim domain");
	test_expect_abort(
	    reclaim_of_no_domain, (int[]){-2}, "bad reclaim domain -2");
}
END_TEST

/* ---- fork, threads ---- */

static void
child_uses_all(void *arg)
{
	uma_zone_t z = arg;

	for (int d = 0; d < 2; d++) {
		on(d);
		for (int i = 0; i < 2 * MANY; i++) {
			item[i] = uma_zalloc(z, M_NOWAIT);
			CHILD_MUST(item[i] != NULL);
		}
		for (int i = 0; i < 2 * MANY; i++)
			uma_zfree(z, item[i]);
	}
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
	CHILD_MUST(uma_zone_get_cur(z) == 0);
	uma_zdestroy(z);
}

START_TEST(the_child_of_a_fork_has_all_depots)
{
	if (!machine(_i))
		return;
	uma_zone_t z = both_cached(0);

	in_child(child_uses_all, z);
	balanced(z, 0);
	destroy(z);
}
END_TEST

static void *
noise_domains(void *arg)
{
	struct traffic *tr = arg;
	uint64_t rnd = tr->seed ^ 0xd0;

	while (traffic_running(tr)) {
		int request = (int)(test_rand(&rnd) % 3) + UMA_RECLAIM_DRAIN;
		int domain = (int)(test_rand(&rnd) % (uint64_t)nodes);

		uma_reclaim_domain(request, domain);
		depot_tick(tr->zone[test_rand(&rnd) % TRAFFIC_ZONES]);
		usleep(200);
	}
	return NULL;
}

START_TEST(random_traffic_over_domains_balances)
{
	static struct traffic tr;

	if (!machine(_i))
		return;
	tr.workers = 8;
	tr.ops = LOAD(30000);
	tr.hop = true;
	tr.seed = test_seed("traffic");
	traffic_start(&tr);
	pthread_t reclaimer = thread_start(noise_reclaim, &tr);
	pthread_t other = thread_start(noise_domains, &tr);
	traffic_join(&tr);
	thread_join(reclaimer);
	thread_join(other);
	uint64_t cross = 0;
	for (int z = 0; z < TRAFFIC_ZONES; z++) {
		sorted(tr.zone[z]);
		cross += stat_of(tr.zone[z]).xdomain;
	}
	ck_assert_uint_gt(cross, 0);
	traffic_finish(&tr);
}
END_TEST

static Suite *
suite(void)
{
	const TTest *const test[] = {
	    items_are_of_the_domain_of_the_cpu_that_allocates,
	    round_robin_takes_from_all_domains_in_turn,
	    flags_that_contradict_each_other_are_refused,
	    items_freed_elsewhere_come_home_in_buckets_and_are_counted,
	    what_came_home_is_used_again,
	    mixed_buckets_are_sorted,
	    bulk_frees_are_sorted_too,
	    without_memory_for_buckets_items_go_to_their_slabs,
	    at_the_cap_near_items_are_had_in_place_of_far_ones,
	    an_item_of_a_domain_is_of_that_domain,
	    any_domain_is_an_ordinary_allocation_and_no_domain_is_an_error,
	    a_ctor_that_fails_undoes_an_item_of_a_domain,
	    a_round_robin_zone_has_items_of_a_domain_as_well,
	    no_allocation_fails_while_another_domain_has_memory,
	    far_buckets_are_taken_before_an_allocation_fails,
	    a_limit_is_reached_whatever_was_freed_where,
	    a_sleeper_gets_what_lies_in_cross_buckets,
	    nobody_sleeps_while_cross_buckets_have_items,
	    reclaiming_a_domain_leaves_the_others,
	    slabs_of_a_domain_go_and_those_of_others_stay,
	    reclaiming_no_domain_aborts,
	    the_child_of_a_fork_has_all_depots,
	    random_traffic_over_domains_balances,
	};
	Suite *s = suite_create("numa");
	TCase *tc = tcase_create("machines");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	for (size_t i = 0; i < sizeof test / sizeof test[0]; i++)
		tcase_add_loop_test(tc, test[i], 0, MACHINES);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
