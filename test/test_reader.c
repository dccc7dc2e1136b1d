/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_reader.c - what the reader of the tools sees in other processes and in
 * their core files is what these saw themselves.
 */
#define _GNU_SOURCE /* memmem */
#include "fillers.h"

#include <pthread.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <uma/debug.h>

static const char *const kinds[] = {"shared", "archive", "stripped", "static"};
#define KINDS ((int)(sizeof kinds / sizeof kinds[0]))

/* Static programs cannot have sanitizers. */
static bool
have_kind(int kind)
{
	return !(TEST_ASAN || TEST_TSAN) || strcmp(kinds[kind], "static") != 0;
}

/* The statistics of a copy are those that one of the files has. */
static void
expect_same(struct target *t, size_t copy, const char *file)
{
	target_use(t, copy);
	struct uma_stats *s = target_stats(t);
	ck_assert_msg(s != NULL, "%s", target_error());
	char *got = stats_text(s), *want = file_text(file);
	cut_time(got);
	cut_time(want);
	expect_text(got, want);
	free(got);
	free(want);
	target_stats_free(s);
}

START_TEST(a_process_has_the_numbers_that_it_sees_itself)
{
	if (!have_kind(_i))
		return;
	fillers_enter();
	pid_t pid = filler_start(kinds[_i], "stop", NULL);
	struct target *t = target_pid(pid);

	ck_assert_msg(t != NULL, "%s", target_error());
	ck_assert_uint_eq(target_copies(t), 1);
	ck_assert_int_eq(target_process(t), pid);
	ck_assert_str_eq(target_copy_version(t, 0), UMA_VERSION_STRING);
	ck_assert_ptr_nonnull(strstr(target_copy_path(t, 0),
	    strcmp(kinds[_i], "shared") == 0 ? "libuma.so" : kinds[_i]));
	expect_same(t, 0, "stats.0");
	expect_same(t, 0, "stats.0");
	target_close(t);
	filler_kill(pid);
	fillers_leave();
}
END_TEST

START_TEST(a_core_file_has_the_numbers_that_the_process_saw)
{
	char core[64];

	fillers_enter();
	if (have_kind(_i) && cores_are_written()) {
		pid_t pid = filler_start(kinds[_i], "abort", NULL);
		core_name(pid, core);
		struct target *t = target_core(core);

		ck_assert_msg(t != NULL, "%s", target_error());
		ck_assert_uint_eq(target_copies(t), 1);
		ck_assert_int_eq(target_process(t), pid);
		ck_assert_ptr_nonnull(strstr(target_name(t), kinds[_i]));
		expect_same(t, 0, "stats.0");
		target_close(t);
	}
	fillers_leave();
}
END_TEST

/* Which of two copies is whose, their paths tell. */
static void
expect_both(struct target *t)
{
	ck_assert_msg(t != NULL, "%s", target_error());
	ck_assert_uint_eq(target_copies(t), 2);
	for (size_t n = 0; n < 2; n++) {
		const char *path = target_copy_path(t, n);

		expect_same(t, n,
		    strstr(path, "plugin.so") != NULL ? "stats.1" : "stats.0");
	}
	ck_assert_str_ne(target_copy_path(t, 0), target_copy_path(t, 1));
	target_close(t);
}

START_TEST(a_plugin_with_a_library_of_its_own_is_found_too)
{
	char core[64];

	fillers_enter();
	pid_t pid = filler_start(kinds[_i], "stop", "plugin.so");
	expect_both(target_pid(pid));
	filler_kill(pid);
	if (cores_are_written()) {
		pid = filler_start(kinds[_i], "abort", "plugin.so");
		core_name(pid, core);
		expect_both(target_core(core));
	}
	fillers_leave();
}
END_TEST

/* What the kernel left out is read from the files; but not more than that. */
START_TEST(a_core_file_does_without_the_program)
{
	char core[64], program[4200];

	fillers_enter();
	snprintf(program, sizeof program, "cp %s/archive gone", fillers_bin);
	ck_assert_int_eq(system(program), 0);
	strcpy(fillers_bin, fillers_dir);
	if (cores_are_written()) {
		pid_t pid = filler_start("gone", "abort", NULL);
		ck_assert_int_eq(unlink("gone"), 0);
		core_name(pid, core);
		struct target *t = target_core(core);

		ck_assert_msg(t != NULL, "%s", target_error());
		struct uma_stats *s = target_stats(t);
		ck_assert_msg(s != NULL, "%s", target_error());
		ck_assert_uint_gt(s->nzones, 10);
		target_stats_free(s);
		target_close(t);
	}
	fillers_leave();
}
END_TEST

START_TEST(first_pages_that_were_left_out_are_read_from_the_file)
{
	char core[64], program[4200];

	fillers_enter();
	if (cores_are_written()) {
		FILE *f = fopen("/proc/self/coredump_filter", "w");

		ck_assert_ptr_nonnull(f);
		fprintf(f, "0x23\n"); /* without ELF headers */
		fclose(f);
		snprintf(
		    program, sizeof program, "cp %s/archive copy", fillers_bin);
		ck_assert_int_eq(system(program), 0);
		strcpy(fillers_bin, fillers_dir);
		pid_t pid = filler_start("copy", "abort", NULL);
		core_name(pid, core);
		struct target *t = target_core(core);
		ck_assert_msg(t != NULL, "%s", target_error());
		expect_same(t, 0, "stats.0");
		target_close(t);
		ck_assert_int_eq(rename("copy", "elsewhere"), 0);
		ck_assert_ptr_null(target_core(core));
		ck_assert_ptr_nonnull(strstr(target_error(), "first page of"));
	}
	fillers_leave();
}
END_TEST

/* ---- slabs ---- */

struct seen {
	uint64_t slabs, state[4], run;
};

static void
slab_seen(void *arg, const struct slab_view *v)
{
	struct seen *seen = arg;

	ck_assert_uint_gt(v->run, seen->run);
	seen->run = v->run;
	seen->slabs++;
	for (uint64_t i = 0; i < v->items; i++) {
		ck_assert_uint_le(v->state[i], ITEM_FRESH);
		seen->state[v->state[i]]++;
	}
}

/* Each zone's slabs agree with its statistics. */
static void
expect_slabs(struct target *t)
{
	ck_assert_msg(t != NULL, "%s", target_error());
	struct uma_stats *s = target_stats(t);

	ck_assert_msg(s != NULL, "%s", target_error());
	ck_assert_uint_gt(s->nzones, 2);
	for (size_t z = 0; z < s->nzones; z++) {
		const struct uma_zone_stat *st = uma_stats_zone(s, z);
		char addr[32];
		struct seen by_addr = {0}, by_name = {0};

		snprintf(
		    addr, sizeof addr, "0x%llx", (unsigned long long)st->zone);
		ck_assert_msg(target_slabs(t, addr, slab_seen, &by_addr),
		    "%s: %s", s->name[z], target_error());
		ck_assert_msg(target_slabs(t, s->name[z], slab_seen, &by_name),
		    "%s", target_error());
		ck_assert_mem_eq(&by_addr, &by_name, sizeof by_addr);
		ck_assert_uint_eq(by_addr.slabs, st->slabs);
		ck_assert_uint_eq(by_addr.state[ITEM_OUT], st->used);
		ck_assert_uint_eq(by_addr.state[ITEM_CACHED], st->free_cached);
		ck_assert_uint_eq(
		    by_addr.state[ITEM_READY] + by_addr.state[ITEM_FRESH],
		    st->free_slab);
	}
	struct seen none = {0};
	ck_assert(!target_slabs(t, "no such zone", slab_seen, &none));
	ck_assert_ptr_nonnull(strstr(target_error(), "'no such zone'"));
	target_stats_free(s);
	target_close(t);
}

START_TEST(slabs_and_statistics_agree)
{
	char core[64];

	fillers_enter();
	pid_t pid = filler_start("archive", "stop", NULL);
	expect_slabs(target_pid(pid));
	filler_kill(pid);
	if (cores_are_written()) {
		pid = filler_start("archive", "abort", NULL);
		core_name(pid, core);
		expect_slabs(target_core(core));
	}
	fillers_leave();
}
END_TEST

/* slab_seen's, one slab of which each item is known. */
static void
slab_copy(void *arg, const struct slab_view *v)
{
	uint8_t *state = arg;

	ck_assert_uint_le(v->items, 4096);
	memcpy(state, v->state, v->items);
	memset(state + v->items, 0xff, 4096 - v->items);
	ck_assert_uint_lt(v->first, v->size);
}

START_TEST(each_item_is_what_it_is)
{
	uma_zone_t zone = uma_zcreate("items", 64, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);
	uint8_t state[4096];
	void *item[10];

	for (int i = 0; i < 10; i++)
		item[i] = uma_zalloc(zone, M_WAITOK);
	uma_zfree(zone, item[3]);
	uma_zfree(zone, item[7]);
	pid_t pid = child_that_waits();
	struct target *t = target_pid(pid);
	ck_assert_msg(t != NULL, "%s", target_error());
	ck_assert(target_slabs(t, "items", slab_copy, state));
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(state[i], i >= 10	      ? ITEM_FRESH
					   : i == 3 || i == 7 ? ITEM_READY
							      : ITEM_OUT);
	target_close(t);
	filler_kill(pid);
	for (int i = 0; i < 10; i++)
		if (i != 3 && i != 7)
			uma_zfree(zone, item[i]);
	uma_zdestroy(zone);
}
END_TEST

/* ---- NODUMP ---- */

/* How often a file has these bytes, by what of it is there. */
static size_t
file_count(const char *name, const char *bytes, size_t len)
{
	int fd = open(name, O_RDONLY);
	struct stat st;
	size_t cnt = 0;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	off_t at = 0;
	while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && at < st.st_size) {
		off_t end = lseek(fd, at, SEEK_HOLE);
		char *p = mmap(NULL, (size_t)(end - (at & -4096)), PROT_READ,
		    MAP_PRIVATE, fd, at & -4096);

		ck_assert_ptr_ne(p, MAP_FAILED);
		size_t left = (size_t)(end - (at & -4096));
		for (char *q = p; (q = memmem(q, left - (size_t)(q - p), bytes,
				       len)) != NULL;
		     q++)
			cnt++;
		munmap(p, left);
		at = end;
	}
	close(fd);
	return cnt;
}

START_TEST(core_files_have_all_of_nodump_zones_but_their_items)
{
	static const char secret[] = "TERCES!!";
	char core[64], open_mark[9] = "";

	for (int i = 0; i < 8; i++)
		open_mark[i] = (char)(secret[i] ^ 0x55);
	fillers_enter();
	if (cores_are_written()) {
		pid_t pid = filler_start("stripped", "abort", NULL);
		core_name(pid, core);
		ck_assert_uint_gt(file_count(core, open_mark, 8), 10000);
		/* But for where the program itself has it. */
		ck_assert_uint_le(file_count(core, secret, 8), 2);
		expect_slabs(target_core(core));
	}
	fillers_leave();
}
END_TEST

/* ---- processes that run ---- */

enum { THREADS = 3 };

static void *
busy(void *arg)
{
	uma_zone_t zone = arg;
	void *items[300];

	for (;;) {
		for (int i = 0; i < 300; i++)
			items[i] = uma_zalloc(zone, M_WAITOK);
		for (int i = 0; i < 300; i++)
			uma_zfree(zone, items[i]);
	}
	return NULL;
}

static void *
come_and_go(void *arg)
{
	(void)arg;
	for (;;) {
		uma_zone_t zone[20];

		for (int i = 0; i < 20; i++)
			zone[i] = uma_zcreate("passing", 32, NULL, NULL, NULL,
			    NULL, UMA_ALIGN_PTR, 0);
		for (int i = 0; i < 20; i++)
			uma_zdestroy(zone[i]);
	}
	return NULL;
}

static pid_t
busy_child(void *(*more)(void *))
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	uma_zone_t zone =
	    uma_zcreate("busy", 128, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	pthread_t thread;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread, NULL, busy, zone);
	if (more != NULL)
		pthread_create(&thread, NULL, more, NULL);
	for (;;)
		pause();
}

static struct target *
wait_for_zone(pid_t pid, const char *name)
{
	for (int i = 0; i < 5000; i++) {
		struct target *t = target_pid(pid);
		struct uma_stats *s = t != NULL ? target_stats(t) : NULL;
		bool there = false;

		for (size_t z = 0; s != NULL && z < s->nzones; z++)
			there = there || (strcmp(s->name[z], name) == 0 &&
					     s->zone[z].slabs > 0);
		target_stats_free(s);
		if (there)
			return t;
		target_close(t);
		usleep(1000);
	}
	ck_abort_msg("no zone %s", name);
}

START_TEST(a_process_that_runs_is_read_and_not_stopped)
{
	uint64_t first = 0, last = 0;
	pid_t pid = busy_child(NULL);
	struct target *t = wait_for_zone(pid, "busy");

	for (int i = 0; i < TEST_SCALE(300); i++) {
		struct uma_stats *s = target_stats(t);
		struct seen seen = {0};

		ck_assert_msg(s != NULL, "%s", target_error());
		for (size_t z = 0; z < s->nzones; z++) {
			if (strcmp(s->name[z], "busy") != 0)
				continue;
			ck_assert_uint_le(s->zone[z].used, THREADS * 600);
			if (last > 0)
				ck_assert_uint_gt(s->zone[z].slabs, 0);
			last = s->zone[z].allocs;
			first = first != 0 ? first : last;
		}
		target_stats_free(s);
		ck_assert_msg(target_slabs(t, "busy", slab_seen, &seen), "%s",
		    target_error());
		if (last > 0)
			ck_assert_uint_gt(seen.slabs, 0);
	}
	ck_assert_uint_gt(last, first);
	target_close(t);
	filler_kill(pid);
}
END_TEST

/* A child of that number, or of any if it is 0; -1: that cannot be had. */
static pid_t
child_numbered(pid_t number)
{
	struct clone_args args = {.exit_signal = SIGCHLD,
	    .set_tid = number != 0 ? (uintptr_t)&number : 0,
	    .set_tid_size = number != 0};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);

	while (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
	}
	return pid;
}

START_TEST(another_process_of_the_same_number_is_another)
{
	uma_zone_t zone =
	    uma_zcreate("of all", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	ck_assert_ptr_nonnull(uma_zalloc(zone, M_WAITOK));
	pid_t pid = child_numbered(0);
	struct target *t = wait_for_zone(pid, "of all");

	filler_kill(pid);
	if (child_numbered(pid) == pid) {
		ck_assert_ptr_null(target_stats(t));
		ck_assert_ptr_nonnull(strstr(target_error(), "has ended"));
		filler_kill(pid);
	} else {
		printf("skipped: no process's number can be chosen here\n");
	}
	target_close(t);
}
END_TEST

START_TEST(zones_that_come_and_go_do_not_hinder_a_reader)
{
	pid_t pid = busy_child(come_and_go);
	struct target *t = wait_for_zone(pid, "busy");
	int good = 0, tries = TEST_SCALE(100);

	for (int i = 0; i < tries; i++) {
		struct uma_stats *s = target_stats(t);

		if (s != NULL)
			good++;
		else
			ck_assert_msg(
			    strstr(target_error(), "chang") != NULL ||
				strstr(target_error(), "cannot") != NULL,
			    "%s", target_error());
		target_stats_free(s);
	}
	printf("zones come and go: %d of %d were read\n", good, tries);
	ck_assert_int_gt(good, 0);
	target_close(t);
	filler_kill(pid);
}
END_TEST

/* ---- time ---- */

enum { ZONES = 1000 };

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

/* The price of a call to the system that copies a little. */
static double
price_of_a_read(pid_t pid)
{
	char buf[1024];
	struct iovec to = {buf, sizeof buf};
	struct iovec from = {
	    &uma_debug_layout, sizeof(struct uma_debug_layout)};
	double start = now();

	for (int i = 0; i < 2000; i++)
		ck_assert_int_gt(process_vm_readv(pid, &to, 1, &from, 1, 0), 0);
	return (now() - start) / 2000;
}

START_TEST(a_thousand_zones_cost_a_few_thousand_small_reads)
{
	uma_zone_t zone[ZONES];
	char name[32];
	double best = 1e9;

	for (int i = 0; i < ZONES; i++) {
		snprintf(name, sizeof name, "zone %d", i);
		zone[i] = uma_zcreate(
		    name, 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
		uma_zfree(zone[i], uma_zalloc(zone[i], M_WAITOK));
	}
	pid_t pid = child_that_waits();
	double price = price_of_a_read(pid);
	for (int i = 0; i < 10; i++) {
		double start = now();
		struct target *t = target_pid(pid);
		struct uma_stats *s = target_stats(t);

		ck_assert_msg(s != NULL, "%s", target_error());
		ck_assert_uint_ge(s->nzones, ZONES);
		target_stats_free(s);
		target_close(t);
		best = now() - start < best ? now() - start : best;
	}
	printf("1,000 zones: %.2f ms, as %.0f small reads\n", 1e3 * best,
	    best / price);
	ck_assert_double_lt(
	    best, (TEST_ASAN || TEST_TSAN ? 20 : 5) * 4000 * price);
	filler_kill(pid);
	for (int i = 0; i < ZONES; i++)
		uma_zdestroy(zone[i]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("the reader");
	TCase *tc = tcase_create("reader");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(
	    tc, a_process_has_the_numbers_that_it_sees_itself, 0, KINDS);
	tcase_add_loop_test(
	    tc, a_core_file_has_the_numbers_that_the_process_saw, 0, KINDS);
	/* On the shared library, and on the archive. */
	tcase_add_loop_test(
	    tc, a_plugin_with_a_library_of_its_own_is_found_too, 0, 2);
	tcase_add_test(tc, a_core_file_does_without_the_program);
	tcase_add_test(
	    tc, first_pages_that_were_left_out_are_read_from_the_file);
	tcase_add_test(tc, slabs_and_statistics_agree);
	tcase_add_test(tc, each_item_is_what_it_is);
	tcase_add_test(tc, core_files_have_all_of_nodump_zones_but_their_items);
	tcase_add_test(tc, a_process_that_runs_is_read_and_not_stopped);
	tcase_add_test(tc, another_process_of_the_same_number_is_another);
	tcase_add_test(tc, zones_that_come_and_go_do_not_hinder_a_reader);
	tcase_add_test(tc, a_thousand_zones_cost_a_few_thousand_small_reads);
	suite_add_tcase(s, tc);
	return test_run(s);
}
