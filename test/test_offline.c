/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs that a process may no longer use, or that are no longer there, while
 * items lie in their caches: a limited zone still yields all its items, reclaim
 * finds them, and nothing is left at the end.
 *
 * With UMA_TEST_OFFLINE=1 in the environment, and the right to, a CPU is really
 * taken away for a moment, which disturbs whatever else runs on the machine.
 */
#define _GNU_SOURCE 1

#include "children.h"

#include <sys/prctl.h>

enum { CPUS = 2, LIMIT = 4000, SIZE = 128 };

/* ---- items into the caches of both CPUs ---- */

static struct {
	uma_zone_t zone;
	int cpu[CPUS]; /* which they are */
	_Atomic int ready, left;
	void *item[CPUS][LIMIT / CPUS];
	int cnt[CPUS];
	int limit;
} far;

/* The first CPUs that this process may use; false: fewer than two. */
static bool
far_choose(void)
{
	cpu_set_t all;
	int n = 0;

	CHILD_MUST(sched_getaffinity(0, sizeof all, &all) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE && n < CPUS; cpu++)
		if (CPU_ISSET(cpu, &all))
			far.cpu[n++] = cpu;
	return n == CPUS;
}

static void
run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHILD_MUST(sched_setaffinity(0, sizeof set, &set) == 0);
}

/*
 * All run at once, each on its CPU, so that no two are given the same one
 * where CPUs are numbered by how many are in use.
 */
static void *
far_fill(void *arg)
{
	int me = (int)(intptr_t)arg;

	run_on(far.cpu[me]);
	far.ready++;
	while (far.ready < CPUS)
		;
	for (int i = 0; i < LIMIT / CPUS; i++) {
		void *item = uma_zalloc(far.zone, M_NOWAIT);

		if (item == NULL)
			break;
		memset(item, 1, SIZE);
		far.item[me][far.cnt[me]++] = item;
	}
	far.left++;
	while (far.left < CPUS)
		;
	for (int i = 0; i < far.cnt[me]; i++)
		uma_zfree(far.zone, far.item[me][i]);
	return NULL;
}

static void
far_open(uint32_t flags, int limit)
{
	pthread_t t[CPUS];

	far.zone = uma_zcreate(
	    "far", SIZE, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, flags);
	CHILD_MUST(far.zone != NULL);
	far.limit = limit > 0 ? uma_zone_set_max(far.zone, limit) : 0;
	for (intptr_t i = 0; i < CPUS; i++)
		t[i] = thread_start(far_fill, (void *)i);
	for (int i = 0; i < CPUS; i++)
		thread_join(t[i]);
	CHILD_MUST(uma_zone_get_cur(far.zone) == 0);
	CHILD_MUST(stat_of(far.zone).free_cached > 0);
}

/* ---- what must be so without one of the CPUs ---- */

static struct said said = SAID_INITIALIZER;

/* Every item that the limit allows, then none. */
static void
all_can_be_had(void)
{
	struct list {
		struct list *next;
	} *list = NULL, *item;
	int n = 0;

	while ((item = uma_zalloc(far.zone, M_NOWAIT)) != NULL) {
		item->next = list;
		list = item;
		CHILD_MUST(++n <= far.limit);
	}
	CHILD_MUST(n == far.limit);
	CHILD_MUST(uma_zone_get_cur(far.zone) == n);
	for (; list != NULL; list = item) {
		item = list->next;
		uma_zfree(far.zone, list);
	}
}

static void
nothing_stays(void)
{
	uma_zone_reclaim(far.zone, UMA_RECLAIM_DRAIN_CPU);
	struct uma_zone_stat st = stat_of(far.zone);
	CHILD_MUST(st.used == 0);
	CHILD_MUST(st.free_cached == 0);
	CHILD_MUST(st.slabs == 0);
}

/* A leak would be said. */
static void
destroyed_in_silence(void)
{
	uma_set_warning_sink(said_sink, &said);
	uma_zdestroy(far.zone);
	CHILD_MUST(said_lines(&said) == 0);
}

/* Someone who sleeps for an item gets one that lies in the lost CPU's cache. */
static void *
sleeper(void *arg)
{
	(void)arg;
	return uma_zalloc(far.zone, M_WAITOK);
}

static void
a_sleeper_gets_one(void)
{
	pthread_t t = thread_start(sleeper, NULL);
	void *item;

	CHILD_MUST(pthread_join(t, &item) == 0);
	CHILD_MUST(item != NULL);
	uma_zfree(far.zone, item);
}

enum wanted { ALL_ITEMS, RECLAIM, DESTROY, SLEEPER, WANTED };

static void
works_without_it(enum wanted wanted)
{
	if (wanted == ALL_ITEMS)
		all_can_be_had();
	else if (wanted == RECLAIM)
		nothing_stays();
	else if (wanted == SLEEPER)
		a_sleeper_gets_one();
	destroyed_in_silence();
}

/* ---- affinity that shrinks ---- */

static void
child_shrinks(void *arg)
{
	CHILD_MUST(far_choose());
	far_open(0, LIMIT);
	run_on(far.cpu[0]);
	works_without_it(*(enum wanted *)arg);
}

static void
child_shrinks_to_the_other(void *arg)
{
	CHILD_MUST(far_choose());
	far_open(0, LIMIT);
	run_on(far.cpu[1]);
	works_without_it(*(enum wanted *)arg);
}

static bool
skipped(void)
{
	if (far_choose())
		return false;
	printf("skipped: this process may use one CPU only\n");
	return true;
}

START_TEST(items_of_a_cpu_that_may_not_be_used_are_not_lost)
{
	enum wanted wanted = (enum wanted)_i;

	if (skipped())
		return;
	in_child(child_shrinks, &wanted);
	in_child(child_shrinks_to_the_other, &wanted);
}
END_TEST

/* Threads that go on while the affinity changes under them. */
static _Atomic bool stop;

static void *
goes_on(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	void *item[64] = {NULL};

	while (!stop) {
		void **p = &item[test_rand(&seed) % 64];

		if (*p != NULL) {
			uma_zfree(far.zone, *p);
			*p = NULL;
		} else {
			*p = uma_zalloc(far.zone, M_NOWAIT);
		}
	}
	for (int i = 0; i < 64; i++)
		uma_zfree(far.zone, item[i]);
	return NULL;
}

static void
set_all_threads(pid_t *tid, int n, const cpu_set_t *set)
{
	for (int i = 0; i < n; i++)
		CHILD_MUST(sched_setaffinity(tid[i], sizeof *set, set) == 0);
}

static _Atomic int tids;
static pid_t tid[CPUS];

static void *
goes_on_known(void *arg)
{
	tid[(intptr_t)arg] = (pid_t)syscall(SYS_gettid);
	tids++;
	return goes_on(arg);
}

static void
child_flips(void *arg)
{
	pthread_t t[CPUS];
	cpu_set_t set;

	(void)arg;
	CHILD_MUST(far_choose());
	far_open(0, LIMIT);
	for (intptr_t i = 0; i < CPUS; i++)
		t[i] = thread_start(goes_on_known, (void *)i);
	while (tids < CPUS)
		test_sleep_ms(1);
	for (int i = 0; i < 200; i++) {
		CPU_ZERO(&set);
		CPU_SET(far.cpu[i % 2], &set);
		if (i % 3 == 0)
			CPU_SET(far.cpu[1 - i % 2], &set);
		set_all_threads(tid, CPUS, &set);
		if (i % 20 == 0)
			uma_zone_reclaim(far.zone, UMA_RECLAIM_DRAIN_CPU);
		test_sleep_ms(1);
	}
	stop = true;
	for (int i = 0; i < CPUS; i++)
		thread_join(t[i]);
	CHILD_MUST(uma_zone_get_cur(far.zone) == 0);
	works_without_it(ALL_ITEMS);
}

START_TEST(affinity_may_change_under_threads_at_work)
{
	if (!skipped())
		in_child(child_flips, NULL);
}
END_TEST

/* ---- a CPU that goes offline ---- */

static const char online_file[] = "/sys/devices/system/cpu/cpu1/online";

static bool
set_online(bool on)
{
	int fd = open(online_file, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	bool ok = write(fd, on ? "1" : "0", 1) == 1;
	close(fd);
	return ok;
}

static bool
may_offline(void)
{
	const char *asked = getenv("UMA_TEST_OFFLINE");

	if (asked == NULL || strcmp(asked, "1") != 0)
		printf("skipped: UMA_TEST_OFFLINE=1 is not set\n");
	else if (access(online_file, W_OK) != 0)
		printf("skipped: %s: %s\n", online_file, strerror(errno));
	else if (!far_choose() || far.cpu[1] != 1)
		printf("skipped: CPU 1 is not the second of this process\n");
	else
		return true;
	return false;
}

/* While the CPU is away, and when it is back. */
static void
child_offline(void *arg)
{
	enum wanted wanted = *(enum wanted *)arg;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CHILD_MUST(far_choose());
	far_open(0, LIMIT);
	CHILD_MUST(set_online(false));
	if (wanted == ALL_ITEMS) {
		all_can_be_had();
		/* Threads start where they can. */
		a_sleeper_gets_one();
		CHILD_MUST(set_online(true));
		all_can_be_had();
	}
	works_without_it(wanted);
}

/*
 * The child takes the CPU away; this process brings it back, however the child
 * ends.
 */
static void
offline_guarded(enum wanted wanted)
{
	int status = -1;
	double end = test_now() + CHILD_SECONDS;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		child_offline(&wanted);
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0 && test_now() < end)
		test_sleep_ms(5);
	if (status == -1) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	bool back = false;
	for (int i = 0; i < 100 && !(back = set_online(true)); i++)
		test_sleep_ms(50);
	ck_assert_msg(back, "CPU 1 stays offline: %s", strerror(errno));
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "the child ended with status %#x", status);
}

static void
bring_back(int sig)
{
	(void)set_online(true);
	signal(sig, SIG_DFL);
	raise(sig);
}

START_TEST(items_of_a_cpu_that_is_offline_are_not_lost)
{
	static const int end[] = {SIGTERM, SIGINT, SIGHUP, SIGALRM};

	if (!may_offline())
		return;
	for (size_t i = 0; i < sizeof end / sizeof end[0]; i++)
		signal(end[i], bring_back);
	offline_guarded((enum wanted)_i);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("offline");
	TCase *tc = tcase_create("CPUs");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_loop_test(
	    tc, items_of_a_cpu_that_may_not_be_used_are_not_lost, 0, WANTED);
	tcase_add_test(tc, affinity_may_change_under_threads_at_work);
	tcase_add_loop_test(
	    tc, items_of_a_cpu_that_is_offline_are_not_lost, 0, WANTED);
	suite_add_tcase(s, tc);
	return s;
}

/* Check kills a test that takes too long: the CPU comes back in any case. */
int
main(void)
{
	const char *asked = getenv("UMA_TEST_OFFLINE");
	int rc = test_run(suite());

	if (asked != NULL && strcmp(asked, "1") == 0)
		(void)set_online(true);
	return rc;
}
