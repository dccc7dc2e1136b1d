/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_int_reader.c - what the reader of the tools sees of a process on a
 * machine of several NUMA domains, with waiters, and with a drain under way, is
 * what that sees itself.
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include "fillers.h"

#include <sched.h>

#include "machine.h"
#include "pages_int.h"
#include "zone_int.h"

enum { NODES = 4, ITEMS = 2000 };

static void
on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* A machine of one CPU has the items of one domain only. */
	(void)sched_setaffinity(0, sizeof set, &set);
}

/* A child that writes its own statistics to a pipe, and stops. */
static pid_t
child_stopped(char *text, size_t size, void (*before)(void *), void *arg)
{
	int fd[2], status;
	size_t len = 0;
	ssize_t n;

	ck_assert_int_eq(pipe(fd), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (before != NULL)
			before(arg);
		struct uma_stats *s = uma_stats_take();
		char *own = stats_text(s);
		if (write(fd[1], own, strlen(own)) < 0)
			_exit(1);
		close(fd[0]);
		close(fd[1]);
		raise(SIGSTOP);
		_exit(0);
	}
	close(fd[1]);
	while ((n = read(fd[0], text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(fd[0]);
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	return pid;
}

static void
expect_same(void (*before)(void *), void *arg)
{
	size_t size = 1 << 20;
	char *want = malloc(size);
	pid_t pid = child_stopped(want, size, before, arg);
	struct target *t = target_pid(pid);

	ck_assert_msg(t != NULL, "%s", target_error());
	struct uma_stats *s = target_stats(t);
	ck_assert_msg(s != NULL, "%s", target_error());
	char *got = stats_text(s);
	cut_time(want);
	cut_time(got);
	expect_text(got, want);
	free(got);
	free(want);
	target_stats_free(s);
	target_close(t);
	filler_kill(pid);
}

START_TEST(domains_are_told_apart)
{
	static const char *const cpus[NODES] = {"0", "", "1", ""};
	static const uint32_t flags[] = {
	    0, UMA_ZONE_ROUNDROBIN, UMA_ZONE_PCPU, UMA_ZONE_NODUMP};
	static void *items[ITEMS];
	char *root = machine_make(NODES, cpus);

	topology_set_root(root);
	ck_assert_int_eq(uma_ndomains(), NODES);
	machine_remove(root);
	for (size_t f = 0; f < sizeof flags / sizeof flags[0]; f++) {
		uma_zone_t z = uma_zcreate("domains", 100, NULL, NULL, NULL,
		    NULL, UMA_ALIGN_PTR, flags[f]);

		for (int i = 0; i < ITEMS; i++) {
			if (i % 500 == 0)
				on_cpu(i / 500 % 2);
			items[i] = uma_zalloc(z, M_WAITOK);
		}
		for (int i = 0; i < 1500; i++) {
			if (i % 300 == 0)
				on_cpu(i / 300 % 2);
			uma_zfree(z, items[i]);
		}
		for (int d = 0; d < NODES; d++)
			z->uz_depot[d].d_ws.ws_size = 70 + (uint64_t)d;
	}
	expect_same(NULL, NULL);
}
END_TEST

static void
nothing(void *arg)
{
	(void)arg;
}

static void
wait_at_limit(void *arg)
{
	static struct uma_waiter waiter[3];
	struct uma_zone_stat st = {.size = sizeof st};
	uma_zone_t z = arg;

	for (int i = 0; i < 3; i++)
		uma_zone_wait(z, &waiter[i], nothing, NULL);
	if (uma_zone_stat(z, &st) != 0 || st.sleepers != 3)
		_exit(1);
}

START_TEST(waiters_are_counted)
{
	uma_zone_t z =
	    uma_zcreate("full", 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	int max = uma_zone_set_max(z, 10);

	for (int i = 0; i < max; i++)
		ck_assert_ptr_nonnull(uma_zalloc(z, M_NOWAIT));
	ck_assert_ptr_null(uma_zalloc(z, M_NOWAIT));
	expect_same(wait_at_limit, z);
}
END_TEST

static void
drain_half(void *arg)
{
	uma_zone_t z = arg;

	cache_drain(&z->uz_cache);
}

START_TEST(items_that_a_drain_has_in_hand_are_counted)
{
	uma_zone_t z = uma_zcreate(
	    "drained", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	uma_zfree(z, uma_zalloc(z, M_WAITOK));
	expect_same(drain_half, z);
}
END_TEST

START_TEST(slabs_of_destroyed_zones_are_lost)
{
	uma_zone_t z =
	    uma_zcreate("gone", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	ck_assert_ptr_nonnull(uma_zalloc(z, M_WAITOK));
	uma_zdestroy(z);
	expect_same(NULL, NULL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("the reader, from inside");
	TCase *tc = tcase_create("reader");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, domains_are_told_apart);
	tcase_add_test(tc, waiters_are_counted);
	tcase_add_test(tc, items_that_a_drain_has_in_hand_are_counted);
	tcase_add_test(tc, slabs_of_destroyed_zones_are_lost);
	suite_add_tcase(s, tc);
	return test_run(s);
}
