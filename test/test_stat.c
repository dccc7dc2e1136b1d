/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Statistics: snapshots of one zone and of all, and what they are printed as.
 */
#define _GNU_SOURCE 1

#include "children.h"
#include "formats.h"

#include <stddef.h>

#include <uma/reclaim.h>

static uma_zone_t
zone_of(const char *name, size_t size, uint32_t flags)
{
	uma_zone_t z = uma_zcreate(
	    name, size, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, flags);

	ck_assert_msg(z != NULL, "zone %s: %s", name, strerror(errno));
	return z;
}

static struct uma_stats *
taken(void)
{
	struct uma_stats *s = uma_stats_take();

	ck_assert_msg(s != NULL, "no snapshot: %d", errno);
	return s;
}

/* The number of a zone in a snapshot. */
static size_t
number_of(const struct uma_stats *s, uma_zone_t zone)
{
	for (size_t z = 0; z < s->nzones; z++)
		if (uma_stats_zone(s, z)->zone == (uintptr_t)zone)
			return z;
	ck_abort_msg("the zone is not in it");
}

static const char *
printed(const char *what)
{
	static struct text t;

	t.len = t.pieces = 0;
	ck_assert_int_eq(uma_stats_print(text_add, &t, what), 0);
	ck_assert_uint_lt(t.len, sizeof t.s - 1);
	return t.s;
}

/* ---- one zone ---- */

START_TEST(a_zone_tells_what_it_is)
{
	uma_zone_t z = uma_zcreate("one", 100, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_CACHE, UMA_ZONE_OFFPAGE);
	void *p[500];

	for (int i = 0; i < 500; i++)
		p[i] = uma_zalloc(z, M_WAITOK);
	for (int i = 0; i < 300; i++)
		uma_zfree(z, p[i]);
	struct uma_zone_stat st = stat_of(z);
	ck_assert_uint_eq(st.align, UMA_ALIGN_CACHE + 1);
	ck_assert_uint_eq(st.flags & UMA_ZONE_OFFPAGE, UMA_ZONE_OFFPAGE);
	ck_assert_uint_eq(st.item_bytes, st.stride);
	ck_assert_uint_eq(st.used, 200);
	ck_assert_uint_eq(st.memory, st.slabs * st.slab_size);
	ck_assert_uint_eq(st.memory, uma_zone_memory(z));
	ck_assert_uint_gt(st.headers, 0);
	ck_assert_uint_gt(st.meta, 64);
	ck_assert_uint_eq(st.free_cpu + st.free_depot, st.free_cached);
	ck_assert_uint_gt(st.free_cpu, 0);
	ck_assert_uint_gt(st.free_depot, 0);
	ck_assert_uint_gt(st.bucket_items, 0);
	ck_assert_uint_ge(st.refills, 1);
	ck_assert_uint_le(st.refills, st.allocs);
	ck_assert_uint_eq(st.sleepers, 0);
	ck_assert_uint_eq(st.zone, (uintptr_t)z);
	ck_assert_uint_eq(st.own, 0);
}
END_TEST

START_TEST(hits_are_no_refills)
{
	uma_zone_t z = zone_of("hits", 64, 0);

	uma_zfree(z, uma_zalloc(z, M_WAITOK));
	uint64_t before = stat_of(z).refills;
	for (int i = 0; i < 1000; i++)
		uma_zfree(z, uma_zalloc(z, M_WAITOK));
	/* A thread may lose its CPU, but not at every call. */
	ck_assert_uint_lt(stat_of(z).refills - before, 100);
	ck_assert_uint_eq(stat_of(z).allocs, 1001);
}
END_TEST

START_TEST(buckets_that_are_freed_into_are_no_refills)
{
	uma_zone_t z = zone_of("frees", 64, 0);
	void *p[1000];

	for (int i = 0; i < 1000; i++)
		p[i] = uma_zalloc(z, M_WAITOK);
	uint64_t before = stat_of(z).refills;
	ck_assert_uint_gt(before, 0);
	for (int i = 0; i < 1000; i++)
		uma_zfree(z, p[i]);
	ck_assert_uint_eq(stat_of(z).refills, before);
}
END_TEST

static void *
sleeper(void *zone)
{
	uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	return NULL;
}

START_TEST(who_waits_at_the_limit_is_a_sleeper)
{
	uma_zone_t z = zone_of("full", 4096, UMA_ZONE_NOBUCKET);
	int max = uma_zone_set_max(z, 1);
	void *p[64];

	ck_assert_int_le(max, 64);
	for (int i = 0; i < max; i++)
		p[i] = uma_zalloc(z, M_WAITOK);
	pthread_t t = thread_start(sleeper, z);
	ck_assert(WAIT_FOR(stat_of(z).sleepers == 1));
	ck_assert_uint_eq(stat_of(z).used, stat_of(z).limit);
	for (int i = 0; i < max; i++)
		uma_zfree(z, p[i]);
	thread_join(t);
	ck_assert_uint_eq(stat_of(z).sleepers, 0);
	ck_assert_uint_eq(stat_of(z).sleeps, 1);
}
END_TEST

START_TEST(a_struct_of_another_size_gets_what_both_know)
{
	size_t first = offsetof(struct uma_zone_stat, align);
	uma_zone_t z = zone_of("size", 64, 0);
	struct {
		struct uma_zone_stat st;
		unsigned char more[64];
	} old, new;

	memset(&old, 0xa5, sizeof old);
	old.st.size = first;
	ck_assert_int_eq(uma_zone_stat(z, &old.st), 0);
	ck_assert_uint_eq(old.st.size, first);
	ck_assert_uint_eq(old.st.item_size, 64);
	ck_assert_uint_eq(old.st.align, 0xa5a5a5a5a5a5a5a5u);
	memset(&new, 0xa5, sizeof new);
	new.st.size = sizeof new;
	ck_assert_int_eq(uma_zone_stat(z, &new.st), 0);
	ck_assert_uint_eq(new.st.size, sizeof new.st);
	ck_assert_uint_eq(new.st.align, UMA_ALIGN_PTR + 1);
	ck_assert_uint_eq(new.more[0], 0xa5);
	old.st.size = first - 1;
	errno = 0;
	ck_assert_int_eq(uma_zone_stat(z, &old.st), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* ---- all zones ---- */

#define LONG_NAME                                               \
	"a name that is rather longer than what the struct of " \
	"a zone has room for, and whole all the same"

START_TEST(a_snapshot_has_all_zones_oldest_first)
{
	uma_zone_t a = zone_of("first", 64, 0), b = zone_of(LONG_NAME, 64, 0);
	struct uma_stats *s = taken();
	size_t na = number_of(s, a), nb = number_of(s, b);

	ck_assert_uint_eq(nb, na + 1);
	ck_assert_uint_eq(s->nzones, nb + 1);
	ck_assert_uint_eq(s->memory->zones, s->nzones);
	ck_assert_str_eq(s->name[na], "first");
	ck_assert_str_eq(s->name[nb], LONG_NAME);
	ck_assert_str_eq(uma_stats_zone(s, na)->name, "first");
	ck_assert_uint_eq(strlen(uma_stats_zone(s, nb)->name), 31);
	ck_assert_str_eq(s->version, UMA_VERSION_STRING);
	ck_assert_int_eq(
	    strncmp(s->mode, uma_percpu_mode(), sizeof s->mode - 1), 0);
	ck_assert_int_eq(s->ncpus, uma_ncpus());
	ck_assert_int_eq(s->ndomains, uma_ndomains());
	for (size_t z = 0; z < na; z++)
		ck_assert_uint_eq(uma_stats_zone(s, z)->own, 1);
	uma_stats_free(s);
	uma_stats_free(NULL);
}
END_TEST

START_TEST(cpus_and_domains_add_up_to_their_zone)
{
	uma_zone_t z = zone_of("parts", 500, 0);
	void *p[2000];

	for (int i = 0; i < 2000; i++)
		p[i] = uma_zalloc(z, M_WAITOK);
	for (int i = 0; i < 1500; i++)
		uma_zfree(z, p[i]);
	struct uma_stats *s = taken();
	size_t n = number_of(s, z);
	const struct uma_zone_stat *st = uma_stats_zone(s, n);
	uint64_t cached = 0, allocs = 0, slabs = 0, free = 0, depot = 0;

	for (int c = 0; c < s->ncpus; c++) {
		ck_assert_uint_eq(
		    uma_stats_cpu(s, n, c)->size, sizeof(struct uma_cpu_stat));
		cached += uma_stats_cpu(s, n, c)->cached;
		allocs += uma_stats_cpu(s, n, c)->allocs;
	}
	for (int d = 0; d < s->ndomains; d++) {
		slabs += uma_stats_domain(s, n, d)->slabs;
		free += uma_stats_domain(s, n, d)->free_slab;
		depot += uma_stats_domain(s, n, d)->free_depot;
	}
	ck_assert_uint_eq(cached, st->free_cpu);
	ck_assert_uint_gt(allocs, 0);
	ck_assert_uint_le(allocs, st->allocs + 16);
	ck_assert_uint_eq(slabs, st->slabs);
	ck_assert_uint_eq(free, st->free_slab);
	ck_assert_uint_eq(depot, st->free_depot);
	ck_assert_uint_eq(st->used, 500);
	uma_stats_free(s);
}
END_TEST

START_TEST(there_are_no_elements_beyond_the_last)
{
	struct uma_stats *s = taken();

	ck_assert_ptr_null(uma_stats_zone(s, s->nzones));
	ck_assert_ptr_null(uma_stats_cpu(s, s->nzones, 0));
	ck_assert_ptr_null(uma_stats_cpu(s, 0, s->ncpus));
	ck_assert_ptr_null(uma_stats_cpu(s, 0, -1));
	ck_assert_ptr_null(uma_stats_domain(s, s->nzones, 0));
	ck_assert_ptr_null(uma_stats_domain(s, 0, s->ndomains));
	ck_assert_ptr_null(uma_stats_domain(s, 0, -1));
	uma_stats_free(s);
}
END_TEST

START_TEST(a_snapshot_of_one_zone_has_the_process_too)
{
	uma_zone_t z = zone_of("alone", 64, 0);
	void *p = uma_zalloc(z, M_WAITOK);
	struct uma_stats *s = uma_stats_take_zone(z);

	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(s->nzones, 1);
	ck_assert_str_eq(s->name[0], "alone");
	ck_assert_uint_eq(uma_stats_zone(s, 0)->used, 1);
	ck_assert_uint_gt(s->memory->mapped, 0);
	ck_assert_uint_ge(s->memory->zones, 3);
	uma_stats_free(s);
	uma_zfree(z, p);
}
END_TEST

START_TEST(a_snapshot_gives_its_memory_back)
{
	struct uma_memory_stat before = {.size = sizeof before}, after = before;

	for (int i = 0; i < 300; i++)
		zone_of(LONG_NAME, 64, 0);
	uma_stats_free(taken());
	ck_assert_int_eq(uma_memory_stat(&before), 0);
	for (int i = 0; i < 100; i++)
		uma_stats_free(taken());
	ck_assert_int_eq(uma_memory_stat(&after), 0);
	ck_assert_uint_eq(after.meta, before.meta);
}
END_TEST

static void
child_has_no_memory(void *arg)
{
	struct rlimit as = {1 << 20, 1 << 20};
	uma_zone_t large = uma_zcreate("large", 1 << 20, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);
	uma_zone_t page = uma_zcreate("page", 4096, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);
	struct text *t = arg;

	for (int i = 0; i < 300; i++)
		CHILD_MUST(uma_zcreate("one of many", 64, NULL, NULL, NULL,
			       NULL, UMA_ALIGN_PTR, 0) != NULL);
	CHILD_MUST(large != NULL && page != NULL);
	CHILD_MUST(setrlimit(RLIMIT_AS, &as) == 0);
	void *last = uma_zalloc(large, M_NOWAIT);
	for (void *p = last; p != NULL; p = uma_zalloc(large, M_NOWAIT))
		last = p;
	while (uma_zalloc(page, M_NOWAIT) != NULL)
		;
	errno = 0;
	CHILD_MUST(uma_stats_take() == NULL && errno == ENOMEM);
	for (const char *what = "zscjo"; *what != '\0'; what++) {
		char one[2] = {*what, '\0'};

		errno = 0;
		CHILD_MUST(uma_stats_print(text_add, t, one) == -1);
		CHILD_MUST(errno == ENOMEM && t->len == 0);
	}
	/* What needs none works, and so does all once there is some. */
	struct uma_memory_stat m = {.size = sizeof m};
	CHILD_MUST(uma_memory_stat(&m) == 0 && m.other == 0 && m.used > 0);
	uma_zfree(large, last);
	uma_zone_reclaim(large, UMA_RECLAIM_DRAIN_CPU);
	struct uma_stats *s = uma_stats_take();
	CHILD_MUST(s != NULL && s->nzones == 304);
	uma_stats_free(s);
	CHILD_MUST(uma_stats_print(text_add, t, "j") == 0);
	CHILD_MUST(json_is_valid(t->s));
}

START_TEST(without_memory_there_is_no_snapshot_and_no_text)
{
	static struct text t;

	if (TEST_ASAN || TEST_TSAN)
		return; /* they need address space of their own */
	in_child(child_has_no_memory, &t);
}
END_TEST

static void
child_prints(void *arg)
{
	struct text *t = arg;

	for (const char *what = "zscjo"; *what != '\0'; what++) {
		char one[2] = {*what, '\0'};

		t->len = 0;
		CHILD_MUST(uma_stats_print(text_add, t, one) == 0);
		CHILD_MUST(strstr(t->s, "forked") != NULL);
	}
}

START_TEST(a_child_of_a_fork_has_the_same_numbers)
{
	static struct text t;
	uma_zone_t z = zone_of("forked", 64, 0);
	void *p = uma_zalloc(z, M_WAITOK);

	in_child(child_prints, &t);
	uma_zfree(z, p);
}
END_TEST

/* ---- text ---- */

START_TEST(anything_else_is_invalid)
{
	static const char *const what[] = {NULL, "", "x", "zz", "zj", "Z", " "};
	static struct text t;
	struct uma_stats *s = taken();

	for (size_t i = 0; i < sizeof what / sizeof what[0]; i++) {
		errno = 0;
		ck_assert_int_eq(uma_stats_print(text_add, &t, what[i]), -1);
		ck_assert_int_eq(errno, EINVAL);
		errno = 0;
		ck_assert_int_eq(
		    uma_stats_format(s, text_add, &t, what[i]), -1);
		ck_assert_int_eq(errno, EINVAL);
	}
	ck_assert_uint_eq(t.pieces, 0);
	uma_stats_free(s);
}
END_TEST

/* What a name may be, and what of it each format shows. */
static const struct hostile {
	const char *name, *text, *json, *metrics;
} hostile[] = {
    {"plain-1", "plain-1", "\"plain-1\"", "\"plain-1\""},
    {"%s%n%1000d", "%s%n%1000d:", "\"%s%n%1000d\"", "\"%s%n%1000d\""},
    {"esc\x1b[31m", "esc\\x1b[31m:", "\"esc\\u001b[31m\"",
	"\"esc\xef\xbf\xbd"
	"1b[31m\""},
    {"two\nlines\tand", "two\\x0alines\\x09and",
	"\"two\\u000alines\\u0009and\"",
	"\"two\\nlines\xef\xbf\xbd"
	"09and\""},
    {"q\"b\\", "q\"b\\\\:", "\"q\\\"b\\\\\"", "\"q\\\"b\\\\\""},
    {"\x7f", "\\x7f:", "\"\\u007f\"",
	"\"\xef\xbf\xbd"
	"7f\""},
    {"bad\xff\xc3", "bad\\xff\\xc3:",
	"\"bad\xef\xbf\xbd"
	"ff\xef\xbf\xbd"
	"c3\"",
	"\"bad\xef\xbf\xbd"
	"ff\xef\xbf\xbd"
	"c3\""},
    {"c1\xc2\x9b", "c1\\xc2\\x9b:", "\"c1\xef\xbf\xbd", "\"c1\xef\xbf\xbd"},
    {"long\xc0\x80", "long\\xc0\\x80:", "\"long\xef\xbf\xbd",
	"\"long\xef\xbf\xbd"},
    {"sur\xed\xa0\x80", "sur\\xed\\xa0\\x80:", "\"sur\xef\xbf\xbd",
	"\"sur\xef\xbf\xbd"},
    {"big\xf4\x90\x80\x80", "big\\xf4\\x90\\x80\\x80:", "\"big\xef\xbf\xbd",
	"\"big\xef\xbf\xbd"},
    {"caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x90\x98",
	"caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x90\x98:",
	"\"caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x90\x98\"",
	"\"caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x90\x98\""},
    {"", "\n:", "\"\"", "\"\""},
    {LONG_NAME, LONG_NAME ":", "\"" LONG_NAME "\"", "\"" LONG_NAME "\""},
};
enum { HOSTILE = sizeof hostile / sizeof hostile[0] };

static void
hostile_make(void)
{
	for (int i = 0; i < HOSTILE; i++) {
		uma_zone_t z = zone_of(hostile[i].name, 64, 0);

		ck_assert_ptr_nonnull(uma_zalloc(z, M_WAITOK));
	}
}

START_TEST(the_table_has_the_columns_of_vmstat)
{
	hostile_make();
	const char *t = printed("z");
	ck_assert_ptr_eq(strstr(t, "ITEM                    SIZE    LIMIT     "
				   "USED     FREE        REQ   FAIL  SLEEP "
				   "XDOMAIN\n\n"),
	    t);
	for (int i = 0; i < HOSTILE; i++)
		ck_assert_msg(strstr(t, hostile[i].text) != NULL, "no %s in %s",
		    hostile[i].text, t);
	ck_assert(text_is_tame(t));
	/* A line a zone, and two above. */
	size_t lines = 0;
	for (const char *p = t; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	struct uma_stats *s = taken();
	ck_assert_uint_eq(lines, s->nzones + 2);
	uma_stats_free(s);
}
END_TEST

START_TEST(json_is_valid_and_has_the_keys_of_vmstat)
{
	uma_zone_t z = zone_of("keys", 40, 0);
	int max = uma_zone_set_max(z, 1000);
	char wanted[256];

	hostile_make();
	for (int i = 0; i < 10; i++)
		ck_assert_ptr_nonnull(uma_zalloc(z, M_WAITOK));
	struct uma_zone_stat st = stat_of(z);
	const char *t = printed("j");
	ck_assert_msg(json_is_valid(t), "%s", t);
	ck_assert(text_is_tame(t));
	ck_assert_ptr_eq(
	    strstr(t, "{\"memory-zone-statistics\":{\"zone\":["), t);
	snprintf(wanted, sizeof wanted,
	    "{\"name\":\"keys\",\"size\":40,\"limit\":%d,\"used\":10,\"free\":"
	    "%llu,\"requests\":10,\"fail\":0,\"sleep\":0,\"xdomain\":0,",
	    max, (unsigned long long)(st.free_cached + st.free_slab));
	ck_assert_msg(strstr(t, wanted) != NULL, "no %s in %s", wanted, t);
	for (int i = 0; i < HOSTILE; i++)
		ck_assert_msg(strstr(t, hostile[i].json) != NULL, "no %s in %s",
		    hostile[i].json, t);
}
END_TEST

/* The same reader that a user of the text has, where there is one. */
START_TEST(python_reads_the_json)
{
	if (system("python3 -c 'import json' 2>/dev/null") != 0)
		return;
	hostile_make();
	const char *t = printed("j");
	FILE *f = popen(
	    "python3 -c 'import json,sys\n"
	    "d = json.loads(sys.stdin.buffer.read().decode(\"utf-8\"))\n"
	    "m = d[\"memory\"]\n"
	    "zs = d[\"memory-zone-statistics\"][\"zone\"]\n"
	    "assert list(zs[0])[:8] == [\"name\", \"size\", \"limit\","
	    " \"used\", \"free\", \"requests\", \"fail\", \"sleep\"]\n"
	    "own = (\"mapped\", \"absent\", \"held\", \"image\", \"zones\")\n"
	    "assert m[\"mapped\"] == sum(v for k, v in m.items()"
	    " if k not in own), m\n"
	    "assert any(z[\"name\"] == \"q\\\"b\\\\\" for z in zs)\n'",
	    "w");
	ck_assert_ptr_nonnull(f);
	fputs(t, f);
	ck_assert_int_eq(pclose(f), 0);
}
END_TEST

START_TEST(openmetrics_is_valid)
{
	int families = 0;

	hostile_make();
	const char *t = printed("o"), *fault = metrics_fault(t, &families);
	ck_assert_msg(fault == NULL, "%.200s", fault);
	ck_assert(text_is_tame(t));
	ck_assert_int_ge(families, 20);
	for (int i = 0; i < HOSTILE; i++)
		ck_assert_msg(strstr(t, hostile[i].metrics) != NULL,
		    "no %s in %s", hostile[i].metrics, t);
	ck_assert_ptr_nonnull(
	    strstr(t, "uma_zone_requests_total{zone=\"plain-1\"} 1\n"));
	ck_assert_ptr_nonnull(
	    strstr(t, "uma_zone_used_items{zone=\"plain-1\"} 1\n"));
}
END_TEST

START_TEST(zones_of_one_name_are_told_apart_in_openmetrics)
{
	for (int i = 0; i < 3; i++)
		zone_of("twin", 64, 0);
	const char *t = printed("o");
	ck_assert_ptr_nonnull(strstr(t, "total{zone=\"twin\"} 0"));
	ck_assert_ptr_nonnull(strstr(t, "total{zone=\"twin\",number=\"1\"} 0"));
	ck_assert_ptr_nonnull(strstr(t, "total{zone=\"twin\",number=\"2\"} 0"));
}
END_TEST

START_TEST(the_explanation_adds_up)
{
	uma_zone_t z = zone_of("largest", 1 << 20, 0);
	unsigned long long sum = 0, bytes;

	hostile_make();
	ck_assert_ptr_nonnull(uma_zalloc(z, M_WAITOK));
	const char *t = printed("s");
	ck_assert(text_is_tame(t));
	const char *line = strstr(t, "WHAT\n\n");
	ck_assert_ptr_nonnull(line);
	for (line += 6;; line = strchr(line, '\n') + 1) {
		ck_assert_int_eq(sscanf(line, "%llu", &bytes), 1);
		if (strstr(line, "mapped: the sum") < strchr(line, '\n') &&
		    strstr(line, "mapped: the sum") != NULL)
			break;
		sum += bytes;
	}
	ck_assert_uint_eq(sum, bytes);
	ck_assert_uint_gt(sum, 0);
	/* The zones with most memory: this one first. */
	ck_assert_ptr_nonnull(strstr(t, "\nlargest "));
	ck_assert(strstr(t, "\nlargest ") < strstr(t, "\nplain-1 "));
}
END_TEST

START_TEST(what_cpus_have_is_a_line_each)
{
	uma_zone_t z = zone_of("busy", 64, 0);

	zone_of("idle", 64, 0);
	uma_zfree(z, uma_zalloc(z, M_WAITOK));
	for (int i = 0; i < 100; i++)
		uma_zfree(z, uma_zalloc(z, M_WAITOK));
	const char *t = printed("c");
	ck_assert_ptr_nonnull(strstr(t, "\nbusy "));
	ck_assert_ptr_null(strstr(t, "\nidle "));
}
END_TEST

static struct {
	uma_zone_t doomed, used;
	int calls;
} back;

/* Whatever a program may do, in the middle of the text. */
static void
back_call(void *arg, const char *text, size_t len)
{
	(void)arg, (void)text, (void)len;
	if (back.calls++ == 0)
		uma_zdestroy(back.doomed);
	uma_zone_t z = zone_of("made meanwhile", 64, 0);
	uma_zfree(z, uma_zalloc(z, M_WAITOK));
	uma_zfree(back.used, uma_zalloc(back.used, M_WAITOK));
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	(void)stat_of(z);
	uma_stats_free(taken());
	uma_zdestroy(z);
}

START_TEST(the_callback_may_use_make_and_destroy_zones)
{
	char one[2] = {"zscjo"[_i], '\0'};

	for (int i = 0; i < 100; i++)
		zone_of("some", 64, 0);
	back.doomed = zone_of("doomed", 64, 0);
	back.used = zone_of("used", 64, 0);
	ck_assert_int_eq(uma_stats_print(back_call, NULL, one), 0);
	/* What CPUs have of idle zones is little text. */
	ck_assert_int_gt(back.calls, one[0] == 'c' ? 0 : 1);
}
END_TEST

/* ---- snapshots of another's ---- */

START_TEST(a_library_with_larger_structs_is_read)
{
	struct wide {
		struct uma_zone_stat st;
		uint64_t more[7];
	} wide[2];
	struct uma_memory_stat m = {.size = sizeof m, .mapped = 7, .other = 7};
	struct uma_stats s = {.size = sizeof s + 8,
	    .zone_size = sizeof wide[0],
	    .cpu_size = sizeof(struct uma_cpu_stat),
	    .domain_size = sizeof(struct uma_domain_stat),
	    .nzones = 2,
	    .ncpus = 4,
	    .ndomains = 2,
	    .memory = &m,
	    .zone = &wide[0].st};
	static struct text t;

	memset(wide, 0x5a, sizeof wide);
	wide[0].st.used = 11;
	wide[1].st.used = 22;
	strcpy(wide[0].st.name, "w0");
	strcpy(wide[1].st.name, "w1");
	ck_assert_uint_eq(uma_stats_zone(&s, 1)->used, 22);
	ck_assert_ptr_null(uma_stats_cpu(&s, 0, 0));
	ck_assert_int_eq(uma_stats_format(&s, text_add, &t, "j"), 0);
	ck_assert_msg(json_is_valid(t.s), "%s", t.s);
	ck_assert_uint_eq(json_number(t.s, "\"w0\"", "used"), 11);
	ck_assert_uint_eq(json_number(t.s, "\"w1\"", "used"), 22);
}
END_TEST

START_TEST(a_library_with_smaller_structs_is_read_or_refused)
{
	struct uma_zone_stat st = {.size = sizeof st, .used = 3, .name = "s"};
	struct uma_memory_stat m = {.size = sizeof m};
	struct uma_stats s = {.size = sizeof s,
	    .zone_size = offsetof(struct uma_zone_stat, align),
	    .cpu_size = sizeof(struct uma_cpu_stat),
	    .domain_size = sizeof(struct uma_domain_stat),
	    .nzones = 1,
	    .memory = &m,
	    .zone = &st};
	static struct text t;

	st.align = 77;
	ck_assert_int_eq(uma_stats_format(&s, text_add, &t, "j"), 0);
	ck_assert_uint_eq(json_number(t.s, "\"s\"", "used"), 3);
	ck_assert_uint_eq(json_number(t.s, "\"s\"", "align"), 0);
	s.zone_size--;
	errno = 0;
	ck_assert_int_eq(uma_stats_format(&s, text_add, &t, "j"), -1);
	ck_assert_int_eq(errno, EINVAL);
	s.zone_size++;
	s.size--;
	ck_assert_int_eq(uma_stats_format(&s, text_add, &t, "j"), -1);
}
END_TEST

/* As a reader of another process might fill it, from memory that it found. */
START_TEST(numbers_and_names_may_be_anything)
{
	uint64_t seed = test_seed("garbage");
	static struct text t;
	int families;

	for (int round = 0; round < 200; round++) {
		struct uma_zone_stat st[3];
		struct uma_cpu_stat cpu[6];
		struct uma_domain_stat domain[3];
		struct uma_memory_stat m;
		char name[64];
		const char *names[3] = {name, NULL, name};
		struct uma_stats s = {.size = sizeof s,
		    .zone_size = sizeof st[0],
		    .cpu_size = sizeof cpu[0],
		    .domain_size = sizeof domain[0],
		    .nzones = 3,
		    .ncpus = round % 3,
		    .ndomains = round % 2,
		    .memory = round % 7 == 0 ? NULL : &m,
		    .zone = st,
		    .cpu = round % 5 == 0 ? NULL : cpu,
		    .domain = domain,
		    .name = round % 4 == 0 ? NULL : names};
		struct {
			void *at;
			size_t len;
		} all[] = {{st, sizeof st}, {cpu, sizeof cpu},
		    {domain, sizeof domain}, {&m, sizeof m},
		    {name, sizeof name - 1}, {s.version, sizeof s.version},
		    {s.mode, sizeof s.mode}};

		for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
			for (size_t b = 0; b < all[i].len; b++)
				((unsigned char *)all[i].at)[b] =
				    (unsigned char)test_rand(&seed);
		name[sizeof name - 1] = '\0';
		m.size = sizeof m;
		for (const char *what = "zscjo"; *what != '\0'; what++) {
			char one[2] = {*what, '\0'};

			t.len = 0;
			ck_assert_int_eq(
			    uma_stats_format(&s, text_add, &t, one), 0);
			ck_assert_msg(text_is_tame(t.s), "%s: %s", one, t.s);
			ck_assert(*what != 'j' || json_is_valid(t.s));
			ck_assert(*what != 'o' ||
				  metrics_fault(t.s, &families) == NULL);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("stat");
	TCase *tc = tcase_create("numbers");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, a_zone_tells_what_it_is);
	tcase_add_test(tc, hits_are_no_refills);
	tcase_add_test(tc, buckets_that_are_freed_into_are_no_refills);
	tcase_add_test(tc, who_waits_at_the_limit_is_a_sleeper);
	tcase_add_test(tc, a_struct_of_another_size_gets_what_both_know);
	tcase_add_test(tc, a_snapshot_has_all_zones_oldest_first);
	tcase_add_test(tc, cpus_and_domains_add_up_to_their_zone);
	tcase_add_test(tc, there_are_no_elements_beyond_the_last);
	tcase_add_test(tc, a_snapshot_of_one_zone_has_the_process_too);
	tcase_add_test(tc, a_snapshot_gives_its_memory_back);
	tcase_add_test(tc, without_memory_there_is_no_snapshot_and_no_text);
	tcase_add_test(tc, a_child_of_a_fork_has_the_same_numbers);
	suite_add_tcase(s, tc);
	tc = tcase_create("text");
	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, anything_else_is_invalid);
	tcase_add_test(tc, the_table_has_the_columns_of_vmstat);
	tcase_add_test(tc, json_is_valid_and_has_the_keys_of_vmstat);
	tcase_add_test(tc, python_reads_the_json);
	tcase_add_test(tc, openmetrics_is_valid);
	tcase_add_test(tc, zones_of_one_name_are_told_apart_in_openmetrics);
	tcase_add_test(tc, the_explanation_adds_up);
	tcase_add_test(tc, what_cpus_have_is_a_line_each);
	tcase_add_loop_test(
	    tc, the_callback_may_use_make_and_destroy_zones, 0, 5);
	tcase_add_test(tc, a_library_with_larger_structs_is_read);
	tcase_add_test(tc, a_library_with_smaller_structs_is_read_or_refused);
	tcase_add_test(tc, numbers_and_names_may_be_anything);
	suite_add_tcase(s, tc);
	return test_run(s);
}
