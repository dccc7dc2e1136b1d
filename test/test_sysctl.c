/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sysctl tree as a program sees it: FreeBSD's protocol and errors, the
 * settings, what zones have below vm.uma, and walking all of it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <uma.h>
#include <uma/reclaim.h>
#include <uma/stat.h>
#include <uma/sysctl.h>

#include "test.h"

static uma_zone_t
zone_named(const char *name)
{
	uma_zone_t z =
	    uma_zcreate(name, 100, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	ck_assert_ptr_nonnull(z);
	return z;
}

/* A number, whatever its width. */
static uint64_t
number(const char *name)
{
	uint64_t v = 0;
	size_t len = sizeof v;

	ck_assert_msg(uma_sysctlbyname(name, &v, &len, NULL, 0) == 0,
	    "%s: errno %d", name, errno);
	return v;
}

static bool
is_there(const char *name)
{
	return uma_sysctlbyname(name, NULL, NULL, NULL, 0) == 0;
}

static int
error_of(
    const char *name, void *old, size_t *oldlen, const void *new, size_t newlen)
{
	errno = 0;
	ck_assert_int_eq(uma_sysctlbyname(name, old, oldlen, new, newlen), -1);
	return errno;
}

/* ---- the protocol ---- */

START_TEST(a_setting_is_read_and_written_with_the_old_value_returned)
{
	int old = -1, new = 0;
	size_t len = sizeof old;

	ck_assert_int_eq(
	    uma_sysctlbyname("vm.zone_warnings", &old, &len, &new, sizeof new),
	    0);
	ck_assert_int_eq(old, 1);
	ck_assert_uint_eq(len, sizeof(int));
	ck_assert_uint_eq(number("vm.zone_warnings"), 0);
}
END_TEST

START_TEST(without_a_buffer_the_size_is_told)
{
	size_t len = 0;

	zone_named("sized");
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.zone_warnings", NULL, &len, NULL, 0), 0);
	ck_assert_uint_eq(len, sizeof(int));
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.uma.sized.keg.name", NULL, &len, NULL, 0), 0);
	ck_assert_uint_eq(len, sizeof "sized");
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.zone_warnings", NULL, NULL, NULL, 0), 0);
}
END_TEST

START_TEST(a_short_buffer_gets_what_fits_and_nothing_is_written)
{
	char text[8] = "zzzzzzz";
	size_t len = 3;
	int new = 0;

	zone_named("shorter");
	ck_assert_int_eq(
	    error_of("vm.uma.shorter.keg.name", text, &len, NULL, 0), ENOMEM);
	ck_assert_uint_eq(len, 3);
	ck_assert_str_eq(text, "shozzzz");
	len = 2;
	ck_assert_int_eq(
	    error_of("vm.zone_warnings", text, &len, &new, sizeof new), ENOMEM);
	ck_assert_uint_eq(number("vm.zone_warnings"), 1);
}
END_TEST

START_TEST(each_refusal_has_freebsds_errno)
{
	int new = 1, old = 0;
	size_t len = sizeof old;

	uma_zone_t z = zone_named("z");
	ck_assert_int_eq(error_of("vm.nothing", &old, &len, NULL, 0), ENOENT);
	ck_assert_int_eq(error_of("", &old, &len, NULL, 0), ENOENT);
	ck_assert_int_eq(error_of("vm.", &old, &len, NULL, 0), ENOENT);
	ck_assert_int_eq(error_of("vm.uma.z.", &old, &len, NULL, 0), ENOENT);
	ck_assert_int_eq(
	    error_of("vm.uma.no.size", &old, &len, NULL, 0), ENOENT);
	ck_assert_int_eq(error_of("vm", &old, &len, NULL, 0), EISDIR);
	ck_assert_int_eq(error_of("vm.uma.z", &old, &len, NULL, 0), EISDIR);
	ck_assert_int_eq(error_of("vm.uma.z.keg", &old, &len, NULL, 0), EISDIR);
	ck_assert_int_eq(
	    error_of("vm.uma.z.size", NULL, NULL, &new, sizeof new), EPERM);
	ck_assert_int_eq(
	    error_of("vm.uma.thp", NULL, NULL, "always", 7), EPERM);
	ck_assert_int_eq(
	    error_of("vm.zone_warnings", NULL, NULL, &new, 2), EINVAL);
	ck_assert_int_eq(
	    error_of("vm.zone_warnings", NULL, NULL, &new, 8), EINVAL);
	ck_assert_int_eq(
	    error_of("vm.uma.sink", NULL, NULL, "nowhere", 7), EINVAL);
	ck_assert_int_eq(error_of(NULL, &old, &len, NULL, 0), EINVAL);
	uma_zdestroy(z); /* nobody is at it */
}
END_TEST

START_TEST(without_a_length_there_is_no_room)
{
	int old = 7, new = 0;

	ck_assert_int_eq(
	    error_of("vm.zone_warnings", &old, NULL, NULL, 0), ENOMEM);
	ck_assert_int_eq(
	    error_of("vm.zone_warnings", &old, NULL, &new, sizeof new), ENOMEM);
	ck_assert_int_eq(old, 7);
	ck_assert_uint_eq(number("vm.zone_warnings"), 1);
}
END_TEST

START_TEST(a_refusal_leaves_the_length_as_it_was)
{
	int old, new = 1;
	size_t len = 100;

	ck_assert_int_eq(
	    error_of("vm.zone_warnings", &old, &len, &new, 3), EINVAL);
	ck_assert_uint_eq(len, 100);
	ck_assert_int_eq(
	    error_of("vm.zone_count", &old, &len, &new, sizeof new), EPERM);
	ck_assert_uint_eq(len, 100);
	ck_assert_int_eq(error_of("vm.none", &old, &len, NULL, 0), ENOENT);
	ck_assert_uint_eq(len, 100);
}
END_TEST

/* ---- settings ---- */

static void
source_is(const char *name, const char *source)
{
	struct uma_sysctl_info info = {.size = sizeof info};

	ck_assert_int_eq(uma_sysctl_info(name, &info), 0);
	ck_assert_str_eq(info.source, source);
}

START_TEST(a_setting_says_where_its_value_is_from)
{
	uint64_t bytes = 1 << 20;

	setenv("UMA_OPTIONS", "vm.uma.limit=64k,vm.uma.debug=check", 1);
	ck_assert_uint_eq(number("vm.uma.limit"), 64 << 10);
	source_is("vm.uma.limit", "UMA_OPTIONS");
	source_is("vm.uma.debug", "UMA_OPTIONS");
	source_is("vm.uma.cache_max", "default");
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.uma.limit", NULL, NULL, &bytes, sizeof bytes),
	    0);
	source_is("vm.uma.limit", "sysctl");
	source_is("vm.zone_count", "");
	ck_assert_uint_eq(uma_limit(), bytes);
	ck_assert_uint_eq(number("vm.uma_kmem_limit"), bytes);
	uma_set_limit(1 << 21);
	ck_assert_uint_eq(number("vm.uma.limit"), 1 << 21);
	source_is("vm.uma.limit", "program");
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.uma.limit", NULL, NULL, &bytes, sizeof bytes),
	    0);
	ck_assert_uint_eq(uma_limit(), bytes);
	source_is("vm.uma.limit", "sysctl");
	bytes = UINT64_MAX; /* -1 is no number of bytes */
	ck_assert_int_eq(
	    error_of("vm.uma.limit", NULL, NULL, &bytes, sizeof bytes), EINVAL);
	ck_assert_int_eq(
	    error_of("vm.uma.cache_max", NULL, NULL, &bytes, sizeof bytes),
	    EINVAL);
}
END_TEST

/* A zone that is destroyed with an item out says so on standard error. */
static off_t
said_by_a_leak(int fd)
{
	uma_zone_t z = zone_named("leaky");

	ck_assert_ptr_nonnull(uma_zalloc(z, M_WAITOK));
	uma_zdestroy(z);
	return lseek(fd, 0, SEEK_END);
}

START_TEST(messages_are_silenced_while_the_program_runs)
{
	FILE *to = tmpfile();

	ck_assert_ptr_nonnull(to);
	ck_assert_int_eq(dup2(fileno(to), 2), 2);
	off_t before = said_by_a_leak(2);
	ck_assert_int_gt(before, 0);
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.uma.sink", NULL, NULL, "none", 4), 0);
	ck_assert_int_eq(said_by_a_leak(2), before);
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.uma.sink", NULL, NULL, "stderr", 6), 0);
	ck_assert_int_gt(said_by_a_leak(2), before);
}
END_TEST

START_TEST(a_zones_limit_says_where_it_is_from)
{
	static const char node[] = "vm.uma.bound.limit.max_items";
	struct uma_sysctl_info info = {.size = sizeof info};
	uint64_t max = 50;

	setenv("UMA_OPTIONS",
	    "vm.uma.bound.limit.max_items=10,vm.uma.bound.debug=check", 1);
	uma_zone_t z = zone_named("bound");
	source_is(node, "UMA_OPTIONS");
	uma_zone_set_max(z, 20);
	source_is(node, "program");
	ck_assert_int_eq(
	    uma_sysctlbyname(node, NULL, NULL, &max, sizeof max), 0);
	source_is(node, "sysctl");
	zone_named("free");
	source_is("vm.uma.free.limit.max_items", "default");
	source_is("vm.uma.free.debug", "default");
	zone_named("bound"); /* the same is for all of the name */
	source_is("vm.uma.bound_1.limit.max_items", "UMA_OPTIONS");
	source_is("vm.uma.bound_1.debug", "UMA_OPTIONS");
	ck_assert_int_eq(uma_sysctl_info(node, &info), 0);
	ck_assert_uint_eq(info.kind, CTLTYPE_U64 | CTLFLAG_RWTUN);
}
END_TEST

START_TEST(a_setting_of_words_reads_as_its_word)
{
	char word[16];
	size_t len = sizeof word;

	ck_assert_int_eq(
	    uma_sysctlbyname("vm.uma.sink", word, &len, "none", 4), 0);
	ck_assert_str_eq(word, "stderr");
	len = sizeof word;
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.uma.sink", word, &len, NULL, 0), 0);
	ck_assert_str_eq(word, "none");
	ck_assert_uint_eq(len, sizeof "none");
}
END_TEST

static void
count_line(void *arg, const char *line, size_t len)
{
	(void)line, (void)len;
	++*(int *)arg;
}

START_TEST(a_setting_of_words_takes_no_longer_ones)
{
	char word[400];

	memset(word, 'x', sizeof word);
	for (size_t len = 1; len < sizeof word; len++)
		ck_assert_int_eq(
		    error_of("vm.uma.sink", NULL, NULL, word, len), EINVAL);
	ck_assert_int_eq(
	    error_of("vm.uma.sink", NULL, NULL, "none+stderr", 11), EINVAL);
	ck_assert_int_eq(error_of("vm.uma.sink", NULL, NULL, "", 0), EINVAL);
}
END_TEST

START_TEST(warnings_are_silenced_while_the_program_runs)
{
	uma_zone_t z = zone_named("full");
	int lines = 0, off = 0, on = 1;

	uma_set_warning_sink(count_line, &lines);
	uma_zone_set_max(z, 1);
	uma_zone_set_warning(z, "is full");
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.zone_warnings", NULL, NULL, &off, sizeof off),
	    0);
	while (uma_zalloc(z, M_NOWAIT) != NULL)
		;
	ck_assert_int_eq(lines, 0);
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.zone_warnings", NULL, NULL, &on, sizeof on),
	    0);
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	ck_assert_int_eq(lines, 1);
}
END_TEST

START_TEST(a_cap_on_caches_takes_effect_while_the_program_runs)
{
	struct uma_zone_stat st = {.size = sizeof st};
	uint64_t none = 0;
	uma_zone_t z = zone_named("capped");

	ck_assert_int_eq(uma_sysctlbyname("vm.uma.zone_cache_max", NULL, NULL,
			     &none, sizeof none),
	    0);
	uma_zfree(z, uma_zalloc(z, M_WAITOK));
	ck_assert_int_eq(uma_zone_stat(z, &st), 0);
	ck_assert_uint_eq(st.free_cached, 0);
	ck_assert_uint_eq(number("vm.uma.capped.limit.bucket_max"), 0);
}
END_TEST

/* ---- zones ---- */

/* A node of the type, readable, as long as that, and with its words. */
static void
type_is(const char *name, uint32_t type, const char *fmt)
{
	static const size_t size[CTLTYPE + 1] = {[CTLTYPE_INT] = sizeof(int),
	    [CTLTYPE_LONG] = sizeof(long),
	    [CTLTYPE_ULONG] = sizeof(long),
	    [CTLTYPE_U16] = 2,
	    [CTLTYPE_U32] = 4,
	    [CTLTYPE_U64] = 8};
	struct uma_sysctl_info info = {.size = sizeof info};
	char value[256];
	size_t len = sizeof value;

	ck_assert_msg(uma_sysctl_info(name, &info) == 0, "%s", name);
	ck_assert_msg((info.kind & CTLTYPE) == type, "%s: %u", name, info.kind);
	ck_assert_msg(info.kind & CTLFLAG_RD, "%s", name);
	ck_assert_msg(strcmp(info.fmt, fmt) == 0, "%s: %s", name, info.fmt);
	ck_assert_msg(info.descr[0] != '\0', "%s", name);
	ck_assert_msg(
	    uma_sysctlbyname(name, value, &len, NULL, 0) == 0, "%s", name);
	ck_assert_msg(
	    len == (type == CTLTYPE_STRING ? strlen(value) + 1 : size[type]),
	    "%s: %zu bytes", name, len);
}

START_TEST(a_zone_has_freebsds_names_and_types)
{
	static const struct {
		const char *name;
		uint32_t type;
		const char *fmt;
	} leaf[] = {
	    {"size", CTLTYPE_INT, "I"},
	    {"flags", CTLTYPE_STRING, "A"},
	    {"debug", CTLTYPE_STRING, "A"},
	    {"bucket_size", CTLTYPE_U16, "SU"},
	    {"bucket_size_max", CTLTYPE_U16, "SU"},
	    {"keg.name", CTLTYPE_STRING, "A"},
	    {"keg.rsize", CTLTYPE_U32, "IU"},
	    {"keg.ppera", CTLTYPE_U32, "IU"},
	    {"keg.ipers", CTLTYPE_U32, "IU"},
	    {"keg.align", CTLTYPE_U32, "IU"},
	    {"keg.reserve", CTLTYPE_U32, "IU"},
	    {"keg.efficiency", CTLTYPE_INT, "I"},
	    {"keg.domain.0.pages", CTLTYPE_U32, "IU"},
	    {"keg.domain.0.free_items", CTLTYPE_U32, "IU"},
	    {"keg.domain.0.free_slabs", CTLTYPE_U32, "IU"},
	    {"limit.items", CTLTYPE_U64, "QU"},
	    {"limit.max_items", CTLTYPE_U64, "QU"},
	    {"limit.sleepers", CTLTYPE_U32, "IU"},
	    {"limit.sleeps", CTLTYPE_U64, "QU"},
	    {"limit.bucket_max", CTLTYPE_U64, "QU"},
	    {"limit.high", CTLTYPE_U64, "QU"},
	    {"limit.low", CTLTYPE_U64, "QU"},
	    {"limit.peak", CTLTYPE_U64, "QU"},
	    {"domain.0.nitems", CTLTYPE_LONG, "L"},
	    {"domain.0.imax", CTLTYPE_LONG, "L"},
	    {"domain.0.imin", CTLTYPE_LONG, "L"},
	    {"domain.0.bimin", CTLTYPE_LONG, "L"},
	    {"domain.0.wss", CTLTYPE_LONG, "L"},
	    {"domain.0.limin", CTLTYPE_LONG, "L"},
	    {"domain.0.timin", CTLTYPE_INT, "I"},
	    {"stats.current", CTLTYPE_INT, "I"},
	    {"stats.allocs", CTLTYPE_U64, "QU"},
	    {"stats.frees", CTLTYPE_U64, "QU"},
	    {"stats.fails", CTLTYPE_U64, "QU"},
	    {"stats.xdomain", CTLTYPE_U64, "QU"},
	};
	char name[64];

	zone_named("named");
	for (size_t i = 0; i < sizeof leaf / sizeof leaf[0]; i++) {
		snprintf(name, sizeof name, "vm.uma.named.%s", leaf[i].name);
		type_is(name, leaf[i].type, leaf[i].fmt);
	}
	snprintf(
	    name, sizeof name, "vm.uma.named.domain.%d.wss", uma_ndomains());
	ck_assert(!is_there(name));
}
END_TEST

START_TEST(the_whole_tree_has_freebsds_names_and_types)
{
	char mode[200];
	size_t len = sizeof mode;

	zone_named("one");
	type_is("vm.zone_count", CTLTYPE_INT, "I");
	type_is("vm.zone_warnings", CTLTYPE_INT, "I");
	type_is("vm.uma_kmem_limit", CTLTYPE_ULONG, "LU");
	type_is("vm.uma_kmem_total", CTLTYPE_ULONG, "LU");
	type_is("vm.uma.percpu_mode", CTLTYPE_STRING, "A");
	type_is("kern.smp.maxid", CTLTYPE_INT, "I");
	ck_assert_uint_eq(number("vm.uma_kmem_total"), uma_size());
	ck_assert_uint_ge(number("vm.zone_count"), 3);
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.uma.percpu_mode", mode, &len, NULL, 0), 0);
	ck_assert_str_eq(mode, uma_percpu_mode());
}
END_TEST

START_TEST(a_zones_numbers_are_those_of_its_statistics)
{
	struct uma_zone_stat st = {.size = sizeof st};
	uma_zone_t z = zone_named("counted");
	uint64_t pages = 0, free = 0;
	void *item[10];
	char name[64];

	for (int i = 0; i < 10; i++)
		item[i] = uma_zalloc(z, M_WAITOK);
	for (int i = 0; i < 3; i++)
		uma_zfree(z, item[i]);
	ck_assert_int_eq(uma_zone_stat(z, &st), 0);
	ck_assert_uint_eq(number("vm.uma.counted.stats.current"), 7);
	ck_assert_uint_eq(number("vm.uma.counted.stats.allocs"), 10);
	ck_assert_uint_eq(number("vm.uma.counted.stats.frees"), 3);
	ck_assert_uint_eq(number("vm.uma.counted.size"), 100);
	ck_assert_uint_eq(number("vm.uma.counted.keg.rsize"), st.stride);
	ck_assert_uint_eq(number("vm.uma.counted.keg.ipers"), st.slab_items);
	ck_assert_uint_eq(
	    number("vm.uma.counted.keg.ppera"), st.slab_size / 4096);
	ck_assert_uint_eq(number("vm.uma.counted.keg.align"), 7);
	ck_assert_uint_eq(
	    number("vm.uma.counted.limit.items"), st.used + st.free_cached);
	ck_assert_uint_ge(number("vm.uma.counted.keg.efficiency"), 90);
	ck_assert_uint_le(number("vm.uma.counted.keg.efficiency"), 100);
	for (int d = 0; d < uma_ndomains(); d++) {
		snprintf(
		    name, sizeof name, "vm.uma.counted.keg.domain.%d.pages", d);
		pages += number(name);
		snprintf(name, sizeof name,
		    "vm.uma.counted.keg.domain.%d.free_items", d);
		free += number(name);
	}
	ck_assert_uint_eq(pages, st.slabs * st.slab_size / 4096);
	ck_assert_uint_eq(free, st.free_slab);
}
END_TEST

/* Of domain 0 of the zone that the next test makes. */
static uint64_t
depot(const char *leaf)
{
	char name[64];

	sprintf(name, "vm.uma.worked.domain.0.%s", leaf);
	return number(name);
}

static void
alloc_or_free(uma_zone_t z, void **item, int n, bool alloc)
{
	for (int i = 0; i < n; i++) {
		if (alloc)
			item[i] = uma_zalloc(z, M_WAITOK);
		else
			uma_zfree(z, item[i]);
	}
}

START_TEST(a_depots_numbers_are_of_its_working_set)
{
	static void *item[5000];
	cpu_set_t one;

	/* Long enough for what comes until the first update. */
	setenv("UMA_OPTIONS",
	    TEST_TSAN || TEST_ASAN ? "vm.uma.reclaim_period=2k"
				   : "vm.uma.reclaim_period=200",
	    1);
	if (uma_ndomains() > 1)
		return; /* the items could be anywhere */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
	uma_zone_t z = zone_named("worked");
	alloc_or_free(z, item, 5000, true);
	ck_assert_uint_eq(depot("nitems"), 0);
	alloc_or_free(z, item, 5000, false);
	alloc_or_free(z, item, 1500, true);
	alloc_or_free(z, item, 1000, false);
	/* The most; since then the fewest, the fewest of all, and now. */
	ck_assert_uint_eq(depot("imin"), 0);
	ck_assert_uint_gt(depot("bimin"), depot("imin"));
	ck_assert_uint_gt(depot("nitems"), depot("bimin"));
	ck_assert_uint_gt(depot("imax"), depot("nitems"));
	ck_assert_uint_eq(depot("wss"), 0);
	uint64_t batch = depot("imax") - depot("bimin"), now = depot("nitems");
	while (depot("wss") == 0) {
		uma_reclaim_tick();
		test_sleep_ms(5);
	}
	ck_assert_uint_eq(depot("wss"), batch);
	ck_assert_uint_eq(depot("imax"), now);
	ck_assert_uint_eq(depot("limin"), 0);
	ck_assert_uint_eq(depot("timin"), 0);
	while (depot("timin") < 2) {
		uma_reclaim_tick();
		test_sleep_ms(5);
	}
	ck_assert_uint_lt(depot("wss"), batch);
	ck_assert_uint_gt(depot("limin"), 2);
	uma_zone_reclaim(z, UMA_RECLAIM_DRAIN);
	ck_assert_uint_eq(depot("nitems"), 0);
}
END_TEST

static void *
take_and_give(void *zone)
{
	uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	return NULL;
}

START_TEST(a_zones_limit_and_slabs_have_their_numbers)
{
	pthread_t thread;
	void *item[4];
	uma_zone_t z =
	    uma_zcreate("full", 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	ck_assert_int_eq(uma_zone_set_max(z, 4), 4);
	alloc_or_free(z, item, 4, true);
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	ck_assert_uint_eq(number("vm.uma.full.stats.fails"), 1);
	ck_assert_uint_eq(number("vm.uma.full.limit.items"), 4);
	ck_assert_uint_eq(number("vm.uma.full.limit.max_items"), 4);
	ck_assert_uint_eq(number("vm.uma.full.limit.sleepers"), 0);
	ck_assert_uint_gt(number("vm.uma.full.bucket_size_max"),
	    number("vm.uma.full.bucket_size"));
	ck_assert_uint_eq(
	    number("vm.uma.full.limit.bucket_max"), (16 << 20) / 4096);
	ck_assert_uint_eq(number("vm.uma.full.keg.reserve"), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, take_and_give, z), 0);
	while (number("vm.uma.full.limit.sleepers") == 0)
		test_sleep_ms(1);
	ck_assert_uint_eq(number("vm.uma.full.limit.sleepers"), 1);
	uma_zfree(z, item[0]);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(number("vm.uma.full.limit.sleeps"), 1);
	ck_assert_uint_eq(number("vm.uma.full.limit.sleepers"), 0);
	alloc_or_free(z, item + 1, 3, false);
	/* A slab that nothing is allocated of. */
	z = uma_zcreate("bare", 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR,
	    UMA_ZONE_NOBUCKET);
	item[0] = uma_zalloc(z, M_WAITOK);
	ck_assert_uint_eq(number("vm.uma.bare.keg.domain.0.free_slabs"), 0);
	uma_zfree(z, item[0]);
	if (uma_ndomains() == 1)
		ck_assert_uint_eq(
		    number("vm.uma.bare.keg.domain.0.free_slabs"), 1);
}
END_TEST

START_TEST(flags_read_as_a_number_and_names)
{
	char text[64];
	size_t len = sizeof text;

	uma_zcreate("flagged", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR,
	    UMA_ZONE_NOFREE | UMA_ZONE_NODUMP);
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.uma.flagged.flags", text, &len, NULL, 0), 0);
	ck_assert_str_eq(text, "0x4020<NOFREE,NODUMP>");
}
END_TEST

START_TEST(the_limit_of_a_zone_can_be_set)
{
	uma_zone_t z = zone_named("bound");
	uint64_t max = 1;
	int64_t bad = -1;

	ck_assert_int_eq(uma_sysctlbyname("vm.uma.bound.limit.max_items", NULL,
			     NULL, &max, sizeof max),
	    0);
	ck_assert_int_ge(uma_zone_get_max(z), 1);
	ck_assert_uint_eq(number("vm.uma.bound.limit.max_items"),
	    (uint64_t)uma_zone_get_max(z));
	ck_assert_int_eq(error_of("vm.uma.bound.limit.max_items", NULL, NULL,
			     &bad, sizeof bad),
	    EINVAL);
	max = 0;
	ck_assert_int_eq(uma_sysctlbyname("vm.uma.bound.limit.max_items", NULL,
			     NULL, &max, sizeof max),
	    0);
	ck_assert_int_eq(uma_zone_get_max(z), 0);
}
END_TEST

/* Their items are what other zones' slabs stand on. */
START_TEST(the_librarys_own_zones_get_no_limit)
{
	uint64_t max = 1;

	zone_named("user");
	for (int i = 0; i < 2; i++) {
		char name[64];

		sprintf(name, "vm.uma.UMA_Slabs_%d.limit.max_items", i);
		ck_assert_int_eq(
		    error_of(name, NULL, NULL, &max, sizeof max), EPERM);
		ck_assert_uint_eq(number(name), 0);
	}
}
END_TEST

START_TEST(names_are_escaped_and_numbered)
{
	uma_zone_t first;

	char name[64];
	size_t len = sizeof name;

	zone_named("a.b/c\\d-e f\tg%s");
	ck_assert(is_there("vm.uma.a_b_c_d_e_f_g%s.size"));
	zone_named("d\x7fl");
	ck_assert(is_there("vm.uma.d_l.size"));
	zone_named("a\x1b[2J%n");
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.uma.a_[2J%n.keg.name", name, &len, NULL, 0),
	    0);
	ck_assert_str_eq(name, "a\\x1b[2J%n");
	first = zone_named("twin");
	zone_named("twin");
	zone_named("twin_1");
	zone_named("twin");
	ck_assert(is_there("vm.uma.twin.size"));
	ck_assert(is_there("vm.uma.twin_1.size"));
	ck_assert(is_there("vm.uma.twin_1_1.size"));
	ck_assert(is_there("vm.uma.twin_2.size"));
	uma_zdestroy(first);
	ck_assert(!is_there("vm.uma.twin.size"));
	ck_assert(is_there("vm.uma.twin_1.size"));
	zone_named("twin");
	ck_assert(is_there("vm.uma.twin.size")); /* free again */
	ck_assert(!is_there("vm.uma.twin_3.size"));
	/* Not in the way of a setting, nor without a name. */
	zone_named("limit");
	ck_assert(is_there("vm.uma.limit_1.size"));
	zone_named("percpu_mode");
	ck_assert(is_there("vm.uma.percpu_mode_1.size"));
	ck_assert(!is_there("vm.uma.percpu_mode.size"));
	zone_named("");
	ck_assert(is_there("vm.uma._.size"));
}
END_TEST

START_TEST(a_very_long_name_is_cut_and_still_unique)
{
	char name[500], node[UMA_SYSCTL_NAME_MAX] = "vm.uma.longz";
	int n = 0;

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	memcpy(name, "longz", 5);
	zone_named(name);
	zone_named(name);
	while (uma_sysctl_next(node, node, sizeof node) == 0 &&
	       strncmp(node, "vm.uma.longz", 12) == 0)
		n += strstr(node, ".keg.rsize") != NULL && is_there(node);
	ck_assert_int_eq(n, 2);
}
END_TEST

/* ---- walking ---- */

/* '.' before all else. */
static int
compare(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b)
		a++, b++;
	return (*a == '.' ? 1 : (unsigned char)*a * 2) -
	       (*b == '.' ? 1 : (unsigned char)*b * 2);
}

/* All of it, in order and readable; how many nodes. */
static int
walk(bool quiet)
{
	char at[UMA_SYSCTL_NAME_MAX] = "", next[UMA_SYSCTL_NAME_MAX];
	struct uma_sysctl_info info = {.size = sizeof info};
	char value[256];
	size_t len;
	int n = 0;

	while (uma_sysctl_next(at, next, sizeof next) == 0) {
		ck_assert_msg(compare(at, next) < 0, "%s, %s", at, next);
		strcpy(at, next);
		len = sizeof value;
		n++;
		if (uma_sysctlbyname(at, value, &len, NULL, 0) != 0 ||
		    uma_sysctl_info(at, &info) != 0)
			ck_assert_msg(strcmp(at, "vm.zone_stats") == 0
					  ? errno == ENOMEM
					  : !quiet && errno == ENOENT,
			    "%s", at);
		else
			ck_assert_msg(info.descr[0] != '\0', "%s", at);
	}
	ck_assert_int_eq(errno, ENOENT);
	return n;
}

START_TEST(a_walk_meets_every_node_once_in_order)
{
	int before = walk(true);

	zone_named("one");
	zone_named("two");
	zone_named("one$"); /* below '.' where names are only compared */
	int leaves = walk(true) - before;
	ck_assert_int_eq(leaves, 3 * (25 + 10 * uma_ndomains()));
	ck_assert_int_ge(before, leaves / 3 * 2 + 17); /* two internal ones */
}
END_TEST

START_TEST(a_cut_name_is_an_error)
{
	char small[8] = "";

	errno = 0;
	ck_assert_int_eq(uma_sysctl_next("", small, sizeof small), -1);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_eq(strlen(small), sizeof small - 1);
	ck_assert_int_eq(uma_sysctl_next("zzz", small, sizeof small), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(info_tells_type_and_format)
{
	struct uma_sysctl_info info = {.size = sizeof info};

	zone_named("told");
	ck_assert_int_eq(uma_sysctl_info("vm.uma.told.stats.allocs", &info), 0);
	ck_assert_uint_eq(info.kind, CTLTYPE_U64 | CTLFLAG_RD);
	ck_assert_str_eq(info.fmt, "QU");
	ck_assert_int_eq(uma_sysctl_info("vm.zone_warnings", &info), 0);
	ck_assert_uint_eq(info.kind, CTLTYPE_INT | CTLFLAG_RWTUN);
	ck_assert_int_eq(uma_sysctl_info("vm.uma.told", &info), 0);
	ck_assert_uint_eq(info.kind & CTLTYPE, CTLTYPE_NODE);
	ck_assert_str_eq(info.fmt, "N");
	info.size = 1;
	ck_assert_int_eq(uma_sysctl_info("vm.uma.told", &info), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

static _Atomic bool stop;

static void *
come_and_go(void *arg)
{
	uma_zone_t z[4] = {NULL};

	(void)arg;
	for (unsigned i = 0; !atomic_load(&stop); i++) {
		uma_zdestroy(z[i % 4]);
		z[i % 4] = zone_named(i % 3 == 0 ? "guest" : "visitor");
		uma_zfree(z[i % 4], uma_zalloc(z[i % 4], M_WAITOK));
		if (i % 8 == 7)
			test_sleep_ms(2); /* machines may have one CPU */
	}
	for (int i = 0; i < 4; i++)
		uma_zdestroy(z[i]);
	return NULL;
}

START_TEST(a_walk_goes_on_while_zones_come_and_go)
{
	pthread_t thread;
	int most = 0;

	zone_named("zebra"); /* is always met */
	ck_assert_int_eq(pthread_create(&thread, NULL, come_and_go, NULL), 0);
	for (int i = 0; i < TEST_SCALE(50); i++) {
		int n = walk(false);

		most = n > most ? n : most;
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	ck_assert_int_ge(most, 50);
	ck_assert(is_there("vm.uma.zebra.size"));
}
END_TEST

/* Zones that go and come again as fast as a walk passes do not lead it on. */
START_TEST(a_walk_ends_however_fast_zones_come_and_go)
{
	char at[UMA_SYSCTL_NAME_MAX] = "vm.uma.guest";
	uma_zone_t old = zone_named("guest"), new;
	int steps = 0;

	for (int i = 0; i < 2000; i++) {
		new = zone_named("guest");
		uma_zdestroy(old);
		old = new;
	}
	while (uma_sysctl_next(at, at, sizeof at) == 0 &&
	       strncmp(at, "vm.uma.guest", 12) == 0) {
		new = zone_named("guest");
		uma_zdestroy(old);
		old = new;
		steps++;
	}
	ck_assert_int_lt(steps, 200);
}
END_TEST

START_TEST(many_zones_of_a_name_have_numbers_of_their_own)
{
	char node[64];

	for (int i = 0; i < 200; i++)
		zone_named("many");
	for (int i = 1; i < 200; i++) {
		sprintf(node, "vm.uma.many_%d.size", i);
		ck_assert_msg(is_there(node), "%s", node);
	}
	ck_assert(is_there("vm.uma.many.size"));
	ck_assert(!is_there("vm.uma.many_0.size"));
	ck_assert(!is_there("vm.uma.many_200.size"));
}
END_TEST

START_TEST(a_child_of_a_fork_reads_the_tree)
{
	zone_named("forked");
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(is_there("vm.uma.forked.stats.current") ? 7 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("sysctl");
	TCase *tc = tcase_create("sysctl");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_test(
	    tc, a_setting_is_read_and_written_with_the_old_value_returned);
	tcase_add_test(tc, without_a_buffer_the_size_is_told);
	tcase_add_test(
	    tc, a_short_buffer_gets_what_fits_and_nothing_is_written);
	tcase_add_test(tc, each_refusal_has_freebsds_errno);
	tcase_add_test(tc, without_a_length_there_is_no_room);
	tcase_add_test(tc, a_refusal_leaves_the_length_as_it_was);
	tcase_add_test(tc, a_setting_says_where_its_value_is_from);
	tcase_add_test(tc, a_zones_limit_says_where_it_is_from);
	tcase_add_test(tc, messages_are_silenced_while_the_program_runs);
	tcase_add_test(tc, a_setting_of_words_reads_as_its_word);
	tcase_add_test(tc, a_setting_of_words_takes_no_longer_ones);
	tcase_add_test(tc, warnings_are_silenced_while_the_program_runs);
	tcase_add_test(tc, a_cap_on_caches_takes_effect_while_the_program_runs);
	tcase_add_test(tc, a_zone_has_freebsds_names_and_types);
	tcase_add_test(tc, the_whole_tree_has_freebsds_names_and_types);
	tcase_add_test(tc, a_zones_numbers_are_those_of_its_statistics);
	tcase_add_test(tc, a_depots_numbers_are_of_its_working_set);
	tcase_add_test(tc, a_zones_limit_and_slabs_have_their_numbers);
	tcase_add_test(tc, flags_read_as_a_number_and_names);
	tcase_add_test(tc, the_limit_of_a_zone_can_be_set);
	tcase_add_test(tc, the_librarys_own_zones_get_no_limit);
	tcase_add_test(tc, names_are_escaped_and_numbered);
	tcase_add_test(tc, a_very_long_name_is_cut_and_still_unique);
	tcase_add_test(tc, a_walk_meets_every_node_once_in_order);
	tcase_add_test(tc, a_cut_name_is_an_error);
	tcase_add_test(tc, info_tells_type_and_format);
	tcase_add_test(tc, a_walk_goes_on_while_zones_come_and_go);
	tcase_add_test(tc, a_walk_ends_however_fast_zones_come_and_go);
	tcase_add_test(tc, many_zones_of_a_name_have_numbers_of_their_own);
	tcase_add_test(tc, a_child_of_a_fork_reads_the_tree);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
