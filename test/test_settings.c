/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UMA_OPTIONS: what is understood has its effect, what is not is reported,
 * with the nearest known name or the position, and otherwise ignored.
 * The variable is read once, so each case is a fresh run of this program.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <ctype.h>
#include <limits.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <uma.h>
#include <uma/reclaim.h>
#include <uma/sysctl.h>

#include "books.h"

/* ---- what a fresh run can be asked to do ---- */

#define EXIT_WORKED	8 /* so that no accident looks like success */
#define EXIT_NOT_SECURE 9

static int
run_work(void)
{
	static void *v[1000];
	uma_zone_t z =
	    uma_zcreate("worker", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	if (z == NULL)
		return 1;
	for (int i = 0; i < 1000; i++) {
		if ((v[i] = uma_zalloc(z, M_WAITOK)) == NULL)
			return 2;
		memset(v[i], i, 64);
	}
	for (int i = 0; i < 1000; i++) {
		if (!is_filled(v[i], i, 64))
			return 3;
		uma_zfree(z, v[i]);
	}
	if (uma_zone_get_cur(z) != 0)
		return 4;
	uma_zdestroy(z);
	return EXIT_WORKED;
}

/* Fills a zone with a warning. */
static int
run_warn(void)
{
	uma_zone_t z = uma_zcreate(
	    "warned", 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	if (z == NULL)
		return 1;
	uma_zone_set_max(z, 1);
	uma_zone_set_warning(z, "full");
	while (uma_zalloc(z, M_NOWAIT) != NULL)
		;
	return EXIT_WORKED;
}

/* Destroys a zone with items out: a message that is no warning. */
static int
run_leak(void)
{
	uma_zone_t z =
	    uma_zcreate("leaky", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	if (z == NULL || uma_zalloc(z, M_WAITOK) == NULL ||
	    uma_zalloc(z, M_WAITOK) == NULL)
		return 1;
	uma_zdestroy(z);
	return EXIT_WORKED;
}

static int
run_double_free(void)
{
	uma_zone_t z =
	    uma_zcreate("twice", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	void *p;

	if (z == NULL || uma_zalloc(z, M_WAITOK) == NULL ||
	    (p = uma_zalloc(z, M_WAITOK)) == NULL ||
	    uma_zalloc(z, M_WAITOK) == NULL)
		return 1;
	uma_zfree(z, p);
	uma_zfree(z, p);
	return EXIT_WORKED;
}

/* Is anything cached? Not under debug=check. */
static int
run_cached(void)
{
	struct uma_zone_stat st = {.size = sizeof st};
	uma_zone_t z =
	    uma_zcreate("cached", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	if (z == NULL)
		return 1;
	uma_zfree(z, uma_zalloc(z, M_WAITOK));
	if (uma_zone_stat(z, &st) != 0)
		return 2;
	return st.free_cached > 0 ? EXIT_WORKED : 0;
}

/* Has this setting the value, as far as a program can see? */
static int
run_limit(void)
{
	uma_zdestroy(uma_zcreate("first", 64, NULL, NULL, NULL, NULL, 0, 0));
	return uma_limit() == (64 << 10) ? EXIT_WORKED : 0;
}

static int
run_period(void)
{
	int ms = uma_reclaim_tick();

	return ms > 4000 && ms <= 5120 ? EXIT_WORKED : 0;
}

static int
run_no_period(void)
{
	return uma_reclaim_tick() == INT_MAX ? EXIT_WORKED : 0;
}

static int
run_period_default(void)
{
	int ms = uma_reclaim_tick();

	return ms > 19000 && ms <= 20000 ? EXIT_WORKED : 0;
}

static bool
caches(uma_zone_t z)
{
	struct uma_zone_stat st = {.size = sizeof st};

	uma_zfree(z, uma_zalloc(z, M_WAITOK));
	return uma_zone_stat(z, &st) == 0 && st.free_cached > 0;
}

/* The settings of single zones: what became of these three? */
static int
run_zones(void)
{
	static const char *const name[] = {"conn.a", "conn b", "other"};
	char source[16];

	for (int i = 0; i < 3; i++) {
		struct uma_sysctl_info info = {.size = sizeof info};
		char node[32] = "vm.uma.other.debug";
		uma_zone_t z = uma_zcreate(
		    name[i], 1024, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

		if (z == NULL)
			return 1;
		if (i < 2)
			sprintf(node, "vm.uma.conn_%c.debug", 'a' + i);
		if (uma_sysctl_info(node, &info) != 0)
			return 2;
		strcpy(source, info.source);
		fprintf(stderr, "%s %d %s;", caches(z) ? "cached" : "checked",
		    uma_zone_get_max(z), source);
	}
	return EXIT_WORKED;
}

static int
run_secure(void)
{
	return getauxval(AT_SECURE) ? run_warn() : EXIT_NOT_SECURE;
}

static const struct {
	const char *name;
	int (*run)(void);
} runs[] = {
    {"work", run_work},
    {"warn", run_warn},
    {"leak", run_leak},
    {"double free", run_double_free},
    {"cached", run_cached},
    {"limit", run_limit},
    {"period", run_period},
    {"no period", run_no_period},
    {"period default", run_period_default},
    {"zones", run_zones},
    {"secure", run_secure},
};

static int
fresh_run(const char *name)
{
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
		if (strcmp(runs[i].name, name) == 0)
			return runs[i].run();
	return 1;
}

/* ---- asking for it ---- */

struct request {
	const char *program, *run, *options; /* options NULL: not set */
	uid_t uid;
};

static void
exec_fresh(void *arg)
{
	struct request *rq = arg;

	if (rq->options != NULL)
		setenv("UMA_OPTIONS", rq->options, 1);
	else
		unsetenv("UMA_OPTIONS");
	if (rq->uid != 0 && setuid(rq->uid) != 0)
		_exit(1);
	execl(rq->program, rq->program, "fresh", rq->run, (char *)NULL);
	_exit(127);
}

static char text[1 << 18];

static int
fresh(const char *run, const char *options)
{
	struct request rq = {"/proc/self/exe", run, options, 0};

	return child_says(exec_fresh, &rq, text, sizeof text);
}

static void
expect_work(const char *run, const char *options)
{
	int status = fresh(run, options);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WORKED,
	    "%s with '%.80s': status %#x, it said: %.300s", run, options,
	    status, text);
}

static void
expect_abort(const char *run, const char *options)
{
	int status = fresh(run, options);

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
	    "%s with '%.80s': status %#x, it said: %.300s", run, options,
	    status, text);
}

static int
lines_of(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += *s == '\n';
	return n;
}

/* ---- what is understood ---- */

START_TEST(known_settings_are_taken_in_silence)
{
	static const char *const good[] = {NULL, "", "debug=none",
	    "debug=check", "debug=all", "percpu=auto", "percpu=lock",
	    "vm.zone_warnings=0", "vm.zone_warnings=1", "sink=stderr",
	    "sink=none", "debug=check,percpu=lock,vm.zone_warnings=0",
	    "percpu=lock,percpu=auto", "vm.uma.limit=0", "vm.uma.limit=1",
	    "vm.uma.limit=64k", "vm.uma.limit=16M", "vm.uma.limit=1g",
	    "vm.uma.mlock=0", "vm.uma.prefault=0", "vm.uma.prefault=1",
	    "vm.uma.reclaim_period=0", "vm.uma.reclaim_period=1",
	    "vm.uma.reclaim_period=20000", "vm.uma.reclaim_period=5k",
	    "vm.uma.reclaim_thread=0", "vm.uma.reclaim_thread=1",
	    "vm.uma.thp=never", "vm.uma.thp=always", "vm.uma.thp=system",
	    "vm.uma.limit=1g,vm.uma.thp=system,vm.uma.reclaim_period=100"};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		expect_work("work", good[i]);
		ck_assert_str_eq(text, "");
	}
}
END_TEST

START_TEST(debug_check_finds_a_double_free_at_the_call)
{
	expect_abort("double free", "debug=check");
	ck_assert_ptr_nonnull(
	    strstr(text, "uma: zone 'twice': double free of 0x"));
	ck_assert_int_eq(lines_of(text), 1);
	expect_abort("double free", "debug=all");
	ck_assert_ptr_nonnull(
	    strstr(text, "uma: zone 'twice': double free of 0x"));
}
END_TEST

START_TEST(debug_check_sends_every_free_to_its_slab)
{
	expect_work("cached", NULL);
	expect_work("cached", "debug=none");
	int status = fresh("cached", "debug=check");
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(the_per_cpu_lock_path_can_be_chosen)
{
	expect_work("work", "percpu=lock");
	expect_work("cached", "percpu=lock");
	expect_work("warn", "percpu=lock");
	ck_assert_str_eq(text, "[zone: warned] full\n");
}
END_TEST

START_TEST(zone_warnings_of_zero_silences_all_zones)
{
	expect_work("warn", NULL);
	ck_assert_str_eq(text, "[zone: warned] full\n");
	expect_work("warn", "vm.zone_warnings=1");
	ck_assert_str_eq(text, "[zone: warned] full\n");
	expect_work("warn", "vm.zone_warnings=0");
	ck_assert_str_eq(text, "");
	/* Other messages are not warnings. */
	expect_work("leak", "vm.zone_warnings=0");
	ck_assert_str_eq(
	    text, "uma: zone 'leaky': destroyed with 2 items allocated\n");
}
END_TEST

START_TEST(the_last_of_equal_names_counts)
{
	expect_work("warn", "vm.zone_warnings=0,vm.zone_warnings=1");
	ck_assert_str_eq(text, "[zone: warned] full\n");
	expect_work("warn", "vm.zone_warnings=1,vm.zone_warnings=0");
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(sink_none_silences_messages_but_not_reports)
{
	expect_work("leak", "sink=stderr");
	ck_assert_str_eq(
	    text, "uma: zone 'leaky': destroyed with 2 items allocated\n");
	expect_work("leak", "sink=none");
	ck_assert_str_eq(text, "");
	expect_work("warn", "sink=none");
	ck_assert_str_eq(text, "");
	expect_abort("double free", "sink=none,debug=check");
	ck_assert_ptr_nonnull(strstr(text, "double free"));
}
END_TEST

START_TEST(numbers_have_units_of_1024)
{
	expect_work("limit", "vm.uma.limit=65536");
	expect_work("limit", "vm.uma.limit=64k");
	expect_work("limit", "vm.uma.limit=64K");
	expect_work("period", "vm.uma.reclaim_period=5000");
	expect_work("period", "vm.uma.reclaim_period=5k");
}
END_TEST

START_TEST(a_period_is_20_seconds_unless_it_is_said_to_be_none)
{
	expect_work("period default", NULL);
	expect_work("period default", "vm.uma.reclaim_period=x");
	expect_work("no period", "vm.uma.reclaim_period=0");
	expect_work("no period", "vm.uma.prefault=1");
}
END_TEST

static void
expect_zones(const char *options, const char *a, const char *b, const char *c)
{
	char wanted[128];

	snprintf(wanted, sizeof wanted, "%s;%s;%s;", a, b, c);
	expect_work("zones", options);
	ck_assert_msg(strcmp(text, wanted) == 0, "%s: %s", options, text);
}

START_TEST(settings_of_zones_are_for_those_whose_names_match)
{
	static const char *const plain = "cached 0 default";
	static const char *const checked = "checked 0 UMA_OPTIONS";

	expect_zones(NULL, plain, plain, plain);
	expect_zones("vm.uma.conn_a.debug=check", checked, plain, plain);
	expect_zones("vm.uma.conn*.debug=all", checked, checked, plain);
	expect_zones("vm.uma.*_b.debug=check", plain, checked, plain);
	expect_zones("vm.uma.o*h*r.debug=check", plain, plain, checked);
	expect_zones("vm.uma.*n_b.debug=check", plain, checked, plain);
	expect_zones("vm.uma.conn_a***.debug=check", checked, plain, plain);
	expect_zones("vm.uma.*?*?***.debug=check", checked, checked, checked);
	expect_zones("vm.uma.conn?a.debug=check", checked, plain, plain);
	expect_zones("vm.uma.conn.debug=check", plain, plain, plain);
	expect_zones("vm.uma.*.debug=none+check", checked, checked, checked);
	/* The last that matches; a zone's own before that of all. */
	expect_zones("vm.uma.*.debug=check,vm.uma.conn*.debug=none",
	    "cached 0 UMA_OPTIONS", "cached 0 UMA_OPTIONS", checked);
	expect_zones("vm.uma.other.debug=none,debug=check", checked, checked,
	    "cached 0 UMA_OPTIONS");
	expect_zones("vm.uma.conn*.limit.max_items=10,"
		     "vm.uma.conn_b.limit.max_items=1k",
	    "cached 12 default", "cached 1024 default", plain);
}
END_TEST

START_TEST(bad_settings_of_zones_are_reported)
{
	expect_work("work", "vm.uma.conn*.debgu=check");
	ck_assert_ptr_nonnull(strstr(text, "unknown setting "
					   "'vm.uma.conn*.debgu' at column 1, "
					   "the nearest is "
					   "'vm.uma.conn*.debug'"));
	expect_work("work", "sink=stderr,vm.uma.*.limit.max_item=1");
	ck_assert_ptr_nonnull(strstr(text, "'vm.uma.*.limit.max_items'"));
	expect_work("work", "vm.uma.conn*.debug=chek");
	ck_assert_ptr_nonnull(
	    strstr(text, "bad value 'chek' for 'vm.uma.conn*.debug' at column "
			 "1, wanted one of: none, check, all\n"));
	expect_work("work", "vm.uma.conn.limit.max_items=many");
	ck_assert_ptr_nonnull(strstr(text, "wanted items, like 100 or 10k\n"));
	expect_work("work", "vm.uma.conn.limit.max_items=3g");
	ck_assert_int_eq(lines_of(text), 1);
	expect_work("work", "vm.uma.conn.debug");
	ck_assert_int_eq(lines_of(text), 1);
}
END_TEST

START_TEST(more_settings_of_zones_than_there_is_room_for_are_reported)
{
	static char options[1 << 16];
	size_t len = 0;

	/* The last of a thousand counts; one more than 1024 is too many. */
	for (int i = 0; i < 1000; i++)
		len +=
		    (size_t)sprintf(options + len, "vm.uma.conn_%c.debug=%s,",
			'a' + i % 2, i < 998 ? "check" : "none");
	expect_zones(options, "cached 0 UMA_OPTIONS", "cached 0 UMA_OPTIONS",
	    "cached 0 default");
	for (int i = 1000; i < 1025; i++)
		len +=
		    (size_t)sprintf(options + len, "vm.uma.z%d.debug=none,", i);
	expect_work("work", options);
	ck_assert_int_eq(lines_of(text), 1);
	ck_assert_ptr_nonnull(strstr(text, "too many settings of zones"));
	sprintf(options + len, "strict");
	expect_abort("work", options);
}
END_TEST

START_TEST(strict_makes_what_is_not_understood_fatal)
{
	expect_work("work", "strict");
	ck_assert_str_eq(text, "");
	expect_work("work", "strict=1,debug=check");
	expect_work("work", "strict=0,nonsense=1");
	expect_abort("work", "strict,nonsense=1,debug=chek");
	ck_assert_int_eq(lines_of(text), 3);
	ck_assert_ptr_nonnull(strstr(text, "'nonsense'"));
	ck_assert_ptr_nonnull(strstr(text, "'chek'"));
	ck_assert_ptr_nonnull(strstr(
	    text, "uma: UMA_OPTIONS: strict, and 2 settings not understood\n"));
	expect_abort("work", "vm.uma.x.debug=1,strict");
	expect_abort("work", "sink=none,strict,nonsense=1");
	ck_assert_ptr_nonnull(strstr(text, "'nonsense'"));
}
END_TEST

/* ---- what is not ---- */

START_TEST(an_unknown_name_is_reported_with_the_nearest_known_one)
{
	static const struct {
		const char *options, *unknown, *nearest;
	} typo[] = {
	    {"debgu=check", "debgu", "debug"},
	    {"debugg=check", "debugg", "debug"},
	    {"perpcu=lock", "perpcu", "percpu"},
	    {"percp=lock", "percp", "percpu"},
	    {"vm.zone_warning=0", "vm.zone_warning", "vm.zone_warnings"},
	    {"zone_warnings=0", "zone_warnings", "vm.zone_warnings"},
	    {"skin=none", "skin", "sink"},
	    {"Debug=check", "Debug", "debug"},
	    {"vm.uma.limits=1", "vm.uma.limits", "vm.uma.limit"},
	    {"vm.uma.lock=1", "vm.uma.lock", "vm.uma.mlock"},
	    {"uma.prefault=1", "uma.prefault", "vm.uma.prefault"},
	    {"vm.uma.reclaim_periods=1", "vm.uma.reclaim_periods",
		"vm.uma.reclaim_period"},
	    {"vm.uma.reclaim_tread=1", "vm.uma.reclaim_tread",
		"vm.uma.reclaim_thread"},
	    {"vm.uma.htp=never", "vm.uma.htp", "vm.uma.thp"},
	    {"vm.uma.debgu=check", "vm.uma.debgu", "vm.uma.debug"},
	    {"vm.uma.percp=lock", "vm.uma.percp", "vm.uma.percpu"},
	};

	for (size_t i = 0; i < sizeof typo / sizeof *typo; i++) {
		char quoted[64];

		expect_work("work", typo[i].options);
		ck_assert_int_eq(lines_of(text), 1);
		ck_assert_ptr_nonnull(strstr(text, "UMA_OPTIONS"));
		snprintf(quoted, sizeof quoted, "'%s'", typo[i].unknown);
		ck_assert_msg(
		    strstr(text, quoted) != NULL, "no %s in: %s", quoted, text);
		snprintf(quoted, sizeof quoted, "'%s'", typo[i].nearest);
		ck_assert_msg(
		    strstr(text, quoted) != NULL, "no %s in: %s", quoted, text);
	}
}
END_TEST

START_TEST(settings_beside_an_unknown_name_count)
{
	expect_work("warn", "nonsense=1,vm.zone_warnings=0");
	ck_assert_int_eq(lines_of(text), 1);
	ck_assert_ptr_nonnull(strstr(text, "nonsense"));
	expect_work("warn", "vm.zone_warnings=0,nonsense=1");
	ck_assert_int_eq(lines_of(text), 1);
}
END_TEST

START_TEST(a_malformed_value_is_reported_with_its_position_and_ignored)
{
	static const struct {
		const char *options;
		int column; /* of the setting, from 1 */
	} bad[] = {
	    {"vm.zone_warnings=2", 1},
	    {"vm.zone_warnings=", 1},
	    {"vm.zone_warnings=-1", 1},
	    {"vm.zone_warnings=00000000000000000000000099", 1},
	    {"vm.zone_warnings", 1},
	    {"debug=none,percpu=lok", 12},
	    {"debug=none,percpu=auto,percpu=", 24},
	    {",debug=chek", 2},
	    {"debug=none,sink=/tmp/x", 12},
	    {"vm.uma.limit=-1", 1},
	    {"vm.uma.limit=", 1},
	    {"vm.uma.limit=1t", 1},
	    {"vm.uma.limit=1kk", 1},
	    {"vm.uma.limit=0x10", 1},
	    {"vm.uma.limit=99999999999999999999g", 1},
	    {"vm.uma.limit=18446744073709551617", 1}, /* 2^64, and 1 */
	    {"vm.uma.limit=8589934592g", 1}, /* 2^63 */
	    {"vm.uma.limit=17179869185g", 1}, /* 2^64, and 1g */
	    {"percpu=auto+lock", 1},
	    {"vm.uma.mlock=yes", 1},
	    {"vm.uma.prefault=2", 1},
	    {"vm.uma.reclaim_period=1s", 1},
	    {"vm.uma.reclaim_period=20.5", 1},
	    {"debug=none,vm.uma.reclaim_thread=on", 12},
	    {"vm.uma.thp=0", 1},
	    {"vm.uma.thp=Never", 1},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char column[32];

		expect_work("warn", bad[i].options);
		ck_assert_int_eq(lines_of(text), 2);
		ck_assert_ptr_nonnull(strstr(text, "UMA_OPTIONS"));
		/* As if it were not there: the warning comes. */
		ck_assert_ptr_nonnull(strstr(text, "[zone: warned] full\n"));
		snprintf(column, sizeof column, "column %d,", bad[i].column);
		ck_assert_msg(strstr(text, column) != NULL,
		    "no %s for '%s' in: %s", column, bad[i].options, text);
	}
}
END_TEST

/* What would do says what is wanted, so that nobody has to look it up. */
START_TEST(a_malformed_value_is_reported_with_those_that_are_good)
{
	static const struct {
		const char *options, *wanted;
	} bad[] = {
	    {"vm.uma.limit=x", "wanted bytes, like 4096, 64k, 16m or 1g\n"},
	    {"vm.uma.reclaim_period=x",
		"wanted milliseconds, like 500 or 20000\n"},
	    {"vm.uma.mlock=x", "wanted one of: 0, 1\n"},
	    {"vm.uma.prefault=x", "wanted one of: 0, 1\n"},
	    {"vm.uma.reclaim_thread=x", "wanted one of: 0, 1\n"},
	    {"vm.uma.thp=x", "wanted one of: never, always, system\n"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		expect_work("work", bad[i].options);
		ck_assert_int_eq(lines_of(text), 1);
		ck_assert_msg(strstr(text, bad[i].wanted) != NULL,
		    "no '%s' for '%s' in: %s", bad[i].wanted, bad[i].options,
		    text);
	}
}
END_TEST

/* What is longer than any name or value is not what its beginning says. */
START_TEST(a_name_or_value_that_is_too_long_is_reported)
{
	char options[512];

	sprintf(options, "vm.zone_warnings=%0150d", 7);
	expect_work("warn", options);
	ck_assert_int_eq(lines_of(text), 2);
	ck_assert_ptr_nonnull(strstr(text, "for 'vm.zone_warnings' at"));
	/* 127 zeros, and a unit that turns them into nothing */
	sprintf(options, "vm.uma.limit=%0127d5", 0);
	expect_work("work", options);
	ck_assert_int_eq(lines_of(text), 1);
	/* up to the 127th byte a setting of zones */
	sprintf(options, "vm.uma.%0114d.debugging=check", 0);
	expect_work("work", options);
	ck_assert_int_eq(lines_of(text), 1);
	sprintf(options, "strict,vm.uma.%0114d.debugging=check", 0);
	expect_abort("work", options);
	/* no zone is called so */
	sprintf(options, "vm.uma.%096d.debug=check", 0);
	expect_work("work", options);
	ck_assert_int_eq(lines_of(text), 1);
	ck_assert_ptr_nonnull(strstr(text, "names too long"));
	sprintf(options, "vm.uma.%095d.debug=check", 0);
	expect_work("work", options);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(a_name_without_a_value_is_reported)
{
	expect_work("work", "debug");
	ck_assert_int_eq(lines_of(text), 1);
	ck_assert_ptr_nonnull(strstr(text, "UMA_OPTIONS"));
	expect_work("work", "=check");
	ck_assert_int_eq(lines_of(text), 1);
}
END_TEST

START_TEST(control_bytes_are_shown_escaped)
{
	expect_work("work", "de\x1b[2Jbug=\x07,%s%n=1");
	ck_assert_int_ge(lines_of(text), 1);
	for (const char *s = text; *s != '\0'; s++)
		ck_assert_msg(*s == '\n' || !iscntrl((unsigned char)*s),
		    "control byte %#x in: %s", *s, text);
	ck_assert_ptr_nonnull(strstr(text, "\\x1"));
	expect_work("work", "debug=\x1b[2J");
	ck_assert_ptr_null(strchr(text, '\x1b'));
	ck_assert_ptr_nonnull(strstr(text, "bad value '\\x1b[2J' for 'debug'"));
}
END_TEST

START_TEST(any_text_leaves_the_program_working)
{
	static const char letters[] =
	    "debugprcvm.zone_warnings=====,,,,+01x%\\";
	uint64_t seed = test_seed("any_text"), state = seed;
	char options[300];

	for (int i = 0; i < TEST_SCALE(300); i++) {
		size_t len = test_rand(&state) % sizeof options;

		for (size_t k = 0; k < len; k++)
			options[k] = i % 2 == 0 /* any byte but NUL */
					 ? letters[test_rand(&state) %
						   (sizeof letters - 1)]
					 : (char)(test_rand(&state) % 255 + 1);
		options[len == sizeof options ? len - 1 : len] = '\0';
		expect_work("work", options);
	}
}
END_TEST

START_TEST(a_very_long_text_leaves_the_program_working)
{
	static char options[100000];

	memset(options, 'a', sizeof options - 1);
	expect_work("work", options);
	memset(options, ',', sizeof options - 1);
	expect_work("work", options);
	memset(options, '=', sizeof options - 1);
	expect_work("work", options);
	for (size_t i = 0; i + 4 < sizeof options; i += 4)
		memcpy(options + i, "a=b,", 4);
	expect_work("work", options);
	snprintf(options, sizeof options, "%050000d=1", 0);
	expect_work("work", options);
}
END_TEST

/* ---- who reads it, and when ---- */

START_TEST(the_sink_hears_what_is_wrong_with_the_settings)
{
	ck_assert_int_eq(setenv("UMA_OPTIONS", "debgu=check", 1), 0);
	catch_messages();
	uma_zdestroy(plain_zone("first", 16, 0, 0));
	ck_assert_int_eq(said.lines, 1);
	ck_assert_ptr_nonnull(strstr(said.text, "debgu"));
	/* Once in a process. */
	uma_zdestroy(plain_zone("second", 16, 0, 0));
	ck_assert_int_eq(said.lines, 1);
}
END_TEST

START_TEST(the_variable_is_read_before_the_first_zone_only)
{
	ck_assert_int_eq(setenv("UMA_OPTIONS", "debug=none", 1), 0);
	uma_zdestroy(plain_zone("first", 16, 0, 0));
	ck_assert_int_eq(setenv("UMA_OPTIONS", "debug=check", 1), 0);
	uma_zone_t z = plain_zone("second", 64, 0, 0);
	uma_zfree(z, must_alloc(z, M_WAITOK));
	ck_assert_uint_gt(stat_of(z).free_cached, 0);
	uma_zdestroy(z);
}
END_TEST

static bool
copy_program(const char *to)
{
	static char buf[1 << 16];
	int in = open("/proc/self/exe", O_RDONLY);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0700);
	ssize_t n = -1;

	while (in >= 0 && out >= 0 && (n = read(in, buf, sizeof buf)) > 0)
		if (write(out, buf, (size_t)n) != n)
			break;
	close(in);
	close(out);
	return n == 0 && chmod(to, 04755) == 0;
}

/* Needs root, and a place where the set-user-ID bit counts. */
START_TEST(a_set_user_id_program_does_not_read_it)
{
	char dir[] = "/var/tmp/uma_settings_XXXXXX", program[64];
	struct request rq = {program, "secure", "vm.zone_warnings=0", 65534};

	if (geteuid() != 0 || TEST_ASAN || TEST_TSAN)
		return;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	chmod(dir, 0755);
	snprintf(program, sizeof program, "%s/fresh", dir);
	bool copied = copy_program(program);
	int status = child_says(exec_fresh, &rq, text, sizeof text);
	unlink(program);
	rmdir(dir);
	ck_assert(copied);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == EXIT_NOT_SECURE)
		return;
	ck_assert_int_eq(WEXITSTATUS(status), EXIT_WORKED);
	ck_assert_str_eq(text, "[zone: warned] full\n");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("settings");
	TCase *tc = tcase_create("understood");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, known_settings_are_taken_in_silence);
	tcase_add_test(tc, debug_check_finds_a_double_free_at_the_call);
	tcase_add_test(tc, debug_check_sends_every_free_to_its_slab);
	tcase_add_test(tc, the_per_cpu_lock_path_can_be_chosen);
	tcase_add_test(tc, zone_warnings_of_zero_silences_all_zones);
	tcase_add_test(tc, the_last_of_equal_names_counts);
	tcase_add_test(tc, sink_none_silences_messages_but_not_reports);
	tcase_add_test(tc, numbers_have_units_of_1024);
	tcase_add_test(tc, a_period_is_20_seconds_unless_it_is_said_to_be_none);
	suite_add_tcase(s, tc);

	tc = tcase_create("not understood");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, settings_of_zones_are_for_those_whose_names_match);
	tcase_add_test(tc, bad_settings_of_zones_are_reported);
	tcase_add_test(
	    tc, more_settings_of_zones_than_there_is_room_for_are_reported);
	tcase_add_test(tc, strict_makes_what_is_not_understood_fatal);
	tcase_add_test(
	    tc, an_unknown_name_is_reported_with_the_nearest_known_one);
	tcase_add_test(tc, settings_beside_an_unknown_name_count);
	tcase_add_test(
	    tc, a_malformed_value_is_reported_with_its_position_and_ignored);
	tcase_add_test(
	    tc, a_malformed_value_is_reported_with_those_that_are_good);
	tcase_add_test(tc, a_name_or_value_that_is_too_long_is_reported);
	tcase_add_test(tc, a_name_without_a_value_is_reported);
	tcase_add_test(tc, control_bytes_are_shown_escaped);
	tcase_add_test(tc, any_text_leaves_the_program_working);
	tcase_add_test(tc, a_very_long_text_leaves_the_program_working);
	suite_add_tcase(s, tc);

	tc = tcase_create("reading");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_sink_hears_what_is_wrong_with_the_settings);
	tcase_add_test(tc, the_variable_is_read_before_the_first_zone_only);
	tcase_add_test(tc, a_set_user_id_program_does_not_read_it);
	suite_add_tcase(s, tc);
	return s;
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "fresh") == 0)
		return fresh_run(argv[2]);
	return test_run(suite());
}
