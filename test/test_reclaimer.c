/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library's own thread, which there is only when it is asked for.  The
 * variable is read once, so each case is a fresh run of this program.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <uma.h>
#include <uma/reclaim.h>

#include "books.h"

#define THREAD "vm.uma.reclaim_thread=1,vm.uma.reclaim_period=20"

#define EXIT_WORKED 8 /* so that no accident looks like success */
#define PATIENCE    25 /* seconds, for what must happen */

/* In a fresh run: the line that failed. */
#define NEED(cond)                                                         \
	do {                                                               \
		if (!(cond)) {                                             \
			fprintf(stderr, "line %d: %s\n", __LINE__, #cond); \
			_exit(1);                                          \
		}                                                          \
	} while (0)

#define WAIT_FOR(cond)                                 \
	do {                                           \
		double wf_end = test_now() + PATIENCE; \
		while (!(cond) && test_now() < wf_end) \
			test_sleep_ms(5);              \
		NEED(cond);                            \
	} while (0)

/* ---- what the kernel says of our threads ---- */

/* The value of a field of a thread's status, after the colon and tab. */
static bool
task_field(const char *task, const char *field, char *value, size_t size)
{
	char path[320], line[256];
	size_t len = strlen(field);
	bool found = false;

	snprintf(path, sizeof path, "/proc/self/task/%s/status", task);
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return false;
	while (!found && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, field, len) == 0 && line[len] == ':') {
			line[strcspn(line, "\n")] = '\0';
			snprintf(value, size, "%s", line + len + 2);
			found = true;
		}
	fclose(f);
	return found;
}

/* Threads of ours; its status field, when there is one and it is asked for. */
static int
helpers(const char *field, char *value, size_t size)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *d;
	char name[64];
	int n = 0;

	NEED(dir != NULL);
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.' ||
		    !task_field(d->d_name, "Name", name, sizeof name) ||
		    strcmp(name, "uma_reclaim") != 0)
			continue;
		n++;
		if (field != NULL)
			NEED(task_field(d->d_name, field, value, size));
	}
	closedir(dir);
	return n;
}

/* Of all kinds; a sanitizer may have one of its own, which comes late. */
static int
tasks(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *d;
	int n = 0;

	NEED(dir != NULL);
	while ((d = readdir(dir)) != NULL)
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* ---- what a fresh run can be asked to do ---- */

#define MANY 5000
static void *items[MANY];

/* A zone whose free items are all in slabs. */
static uma_zone_t
bare_zone(uma_fini fini)
{
	uma_zone_t z = uma_zcreate("bare", 64, NULL, NULL, NULL, fini,
	    UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);

	NEED(z != NULL);
	return z;
}

static uint64_t
slabs(uma_zone_t z)
{
	struct uma_zone_stat st = {.size = sizeof st};

	NEED(uma_zone_stat(z, &st) == 0);
	return st.slabs;
}

static void
burst(uma_zone_t z)
{
	for (int i = 0; i < MANY; i++)
		NEED((items[i] = uma_zalloc(z, M_WAITOK)) != NULL);
	for (int i = 0; i < MANY; i++)
		uma_zfree(z, items[i]);
}

/* How many threads there are behind all calls but an explicit one. */
static void
run_count(void)
{
	int before = tasks();
	uma_zone_t z = bare_zone(NULL);

	burst(z);
	(void)uma_reclaim_tick();
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	uma_zdestroy(z);
	test_sleep_ms(50);
	NEED(TEST_TSAN || tasks() == before);
	NEED(helpers(NULL, NULL, 0) == 0);
}

static void
run_named(void)
{
	int before = tasks();
	uma_zone_t z[3];

	for (int i = 0; i < 3; i++)
		z[i] = bare_zone(NULL);
	(void)uma_reclaim_tick();
	WAIT_FOR(helpers(NULL, NULL, 0) == 1);
	NEED(TEST_TSAN || tasks() == before + 1);
	for (int i = 0; i < 3; i++)
		uma_zdestroy(z[i]);
	NEED(TEST_TSAN || tasks() == before + 1);
}

/* All but those that cannot be, and the two that are the C library's own. */
static void
run_signals(void)
{
	uint64_t all = ~(uint64_t)0 >> 1;
	sigset_t mine, after;
	char value[64];

	sigemptyset(&mine);
	sigaddset(&mine, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &mine, NULL);
	(void)bare_zone(NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int s = 1; s < 32; s++)
		NEED(sigismember(&after, s) == (s == SIGUSR1));
	WAIT_FOR(helpers("SigBlk", value, sizeof value) == 1);
	uint64_t blocked = strtoull(value, NULL, 16);
	for (int s = 1; s < 32; s++)
		NEED(s == SIGKILL || s == SIGSTOP ||
		     (blocked & all) >> (s - 1) & 1);
}

static _Atomic int fini_tid;

static void
tid_fini(void *mem, int size)
{
	(void)mem;
	(void)size;
	atomic_store(&fini_tid, gettid());
}

/* Without another call, fini and all. */
static void
run_alone(void)
{
	uma_zone_t z = bare_zone(tid_fini);

	burst(z);
	NEED(slabs(z) > 0);
	WAIT_FOR(slabs(z) == 0);
	NEED(fini_tid != 0 && fini_tid != gettid());
}

/* A period of 0 leaves the thread nothing but pressure. */
static void
run_no_period(void)
{
	uma_zone_t z = bare_zone(NULL);

	burst(z);
	uint64_t before = slabs(z);
	WAIT_FOR(helpers(NULL, NULL, 0) == 1);
	test_sleep_ms(100);
	NEED(slabs(z) == before);
}

static void
fork_child_has_its_own(uma_zone_t z, bool by_tick)
{
	int status;

	pid_t pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		NEED(helpers(NULL, NULL, 0) == 0);
		burst(z);
		if (by_tick)
			(void)uma_reclaim_tick();
		else
			uma_zdestroy(bare_zone(NULL));
		WAIT_FOR(helpers(NULL, NULL, 0) == 1);
		WAIT_FOR(slabs(z) == 0);
		_exit(EXIT_WORKED);
	}
	NEED(waitpid(pid, &status, 0) == pid);
	NEED(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WORKED);
}

static void
run_fork(void)
{
	uma_zone_t z = bare_zone(NULL);

	WAIT_FOR(helpers(NULL, NULL, 0) == 1);
	fork_child_has_its_own(z, false);
	fork_child_has_its_own(z, true);
	/* The parent's is still there, and at work. */
	burst(z);
	WAIT_FOR(slabs(z) == 0);
	NEED(helpers(NULL, NULL, 0) == 1);
}

/* The thread is woken by nothing it could not look at. */
static void
run_closed(void)
{
	uma_zone_t z = bare_zone(NULL);
	struct timespec ts;

	WAIT_FOR(helpers(NULL, NULL, 0) == 1);
	/* Past the sanitizers, who take our thread's use of one for a race. */
	for (int fd = 3; fd < 1024; fd++)
		syscall(SYS_close, fd);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	double before = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
	test_sleep_ms(300);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	NEED((double)ts.tv_sec + (double)ts.tv_nsec / 1e9 - before < 0.2);
	burst(z);
	WAIT_FOR(slabs(z) == 0);
}

/* What is cached goes when memory is short, long before a period is over. */
static void
run_pressure(void)
{
	struct uma_zone_stat st = {.size = sizeof st};
	uma_zone_t z =
	    uma_zcreate("cached", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	NEED(z != NULL);
	WAIT_FOR(helpers(NULL, NULL, 0) == 1);
	burst(z);
	NEED(uma_zone_stat(z, &st) == 0 && st.free_cached > 0);
	/* Nobody reads at the other end before the thread does. */
	int fd = open(getenv("MEMORY_PRESSURE_WATCH"), O_RDWR | O_CLOEXEC);
	NEED(fd >= 0 && write(fd, "low", 3) == 3);
	WAIT_FOR(uma_zone_stat(z, &st) == 0 && st.free_cached == 0);
}

static uma_zone_t early_zone;

static __attribute__((constructor)) void
early(void)
{
	if (getenv("UMA_TEST_EARLY") != NULL)
		early_zone = bare_zone(NULL);
}

static void
run_early(void)
{
	NEED(early_zone != NULL);
	burst(early_zone);
	WAIT_FOR(helpers(NULL, NULL, 0) == 1);
	WAIT_FOR(slabs(early_zone) == 0);
}

/* Threads cannot be had: it says so, once, and traffic does the work. */
static void
run_refused(void)
{
	pthread_attr_t attr;

	NEED(pthread_attr_init(&attr) == 0);
	NEED(pthread_attr_setstacksize(&attr, (size_t)1 << 46) == 0);
	NEED(pthread_setattr_default_np(&attr) == 0);
	uma_zone_t idle = bare_zone(NULL);
	burst(idle);
	uma_zone_t busy =
	    uma_zcreate("busy", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	double end = test_now() + PATIENCE;
	while (slabs(idle) > 0 && test_now() < end)
		burst(busy);
	NEED(slabs(idle) == 0);
	NEED(helpers(NULL, NULL, 0) == 0);
}

static void *
churn(void *arg)
{
	uma_zone_t z = arg;
	void *v[200];

	for (;;) {
		for (int i = 0; i < 200; i++)
			NEED((v[i] = uma_zalloc(z, M_WAITOK)) != NULL);
		for (int i = 0; i < 200; i++)
			uma_zfree(z, v[i]);
	}
	return arg;
}

/* Exit in the middle of everybody's work. */
/* The numbers of descriptors that the program closed are its own again. */
static void
run_reopened(void)
{
	enum { PAIRS = 4 };
	int fd[PAIRS][2];
	char text[4];

	bare_zone(NULL);
	WAIT_FOR(helpers(NULL, NULL, 0) == 1);
	test_sleep_ms(100);
	for (int i = 3; i < 64; i++)
		close(i);
	for (int i = 0; i < PAIRS; i++) {
		NEED(socketpair(
			 AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd[i]) == 0);
		NEED(write(fd[i][0], "one", 3) == 3);
		NEED(write(fd[i][1], "two", 3) == 3);
	}
	test_sleep_ms(300);
	for (int i = 0; i < PAIRS; i++)
		for (int k = 0; k < 2; k++)
			NEED(read(fd[i][k], text, sizeof text) == 3);
}

static void
run_main_left(void)
{
	burst(bare_zone(NULL));
	pthread_exit(NULL);
}

static void
run_exit(void)
{
	pthread_t t;

	for (int i = 0; i < 4; i++) {
		uma_zone_t z = uma_zcreate("churn", 256, NULL, NULL, NULL,
		    i % 2 ? tid_fini : NULL, UMA_ALIGN_PTR,
		    i < 2 ? UMA_ZONE_NOBUCKET : 0);

		NEED(z != NULL);
		burst(z);
		if (i > 0)
			NEED(pthread_create(&t, NULL, churn, z) == 0);
	}
	test_sleep_ms((long)getpid() % 8);
}

static const struct {
	const char *name;
	void (*run)(void);
} runs[] = {
    {"count", run_count},
    {"named", run_named},
    {"signals", run_signals},
    {"alone", run_alone},
    {"no period", run_no_period},
    {"fork", run_fork},
    {"closed", run_closed},
    {"pressure", run_pressure},
    {"early", run_early},
    {"refused", run_refused},
    {"exit", run_exit},
    {"reopened", run_reopened},
    {"main left", run_main_left},
};

static int
fresh_run(const char *name)
{
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
		if (strcmp(runs[i].name, name) == 0) {
			runs[i].run();
			return EXIT_WORKED;
		}
	return 1;
}

/* ---- asking for it ---- */

struct request {
	const char *run, *options;
};

static void
exec_fresh(void *arg)
{
	struct request *rq = arg;

	if (strcmp(rq->run, "early") == 0)
		setenv("UMA_TEST_EARLY", "1", 1);
	options_add(rq->options);
	execl("/proc/self/exe", "fresh", "fresh", rq->run, (char *)NULL);
	_exit(127);
}

static char text[4096];

static void
expect_work(const char *run, const char *options)
{
	struct request rq = {run, options};
	int status = child_says(exec_fresh, &rq, text, sizeof text);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WORKED,
	    "%s with '%s': status %#x, it said: %s", run, options, status,
	    text);
}

static void
expect_silent_work(const char *run, const char *options)
{
	expect_work(run, options);
	ck_assert_str_eq(text, "");
}

START_TEST(nobody_gets_a_thread_unasked)
{
	expect_silent_work("count", "");
	expect_silent_work("count", "vm.uma.reclaim_period=1");
	expect_silent_work("count", "vm.uma.reclaim_thread=0");
}
END_TEST

START_TEST(who_asks_gets_one_whatever_is_called)
{
	expect_silent_work("named", "vm.uma.reclaim_thread=1");
	expect_silent_work("named", THREAD);
}
END_TEST

START_TEST(it_takes_no_signals_and_leaves_the_callers_mask)
{
	expect_silent_work("signals", THREAD);
}
END_TEST

START_TEST(it_gives_memory_back_without_a_call)
{
	expect_silent_work("alone", THREAD);
}
END_TEST

START_TEST(without_a_period_it_waits_for_pressure)
{
	expect_silent_work(
	    "no period", "vm.uma.reclaim_thread=1,vm.uma.reclaim_period=0");
}
END_TEST

START_TEST(a_forked_child_gets_its_own_with_a_zone_or_a_tick)
{
	expect_silent_work("fork", THREAD);
}
END_TEST

/* A FIFO to say in that memory is short, as a service manager would. */
static void
expect_work_with_fifo(const char *run, const char *options)
{
	char dir[] = "/tmp/uma_reclaimer_XXXXXX", path[64];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	setenv("MEMORY_PRESSURE_WATCH", path, 1);
	struct request rq = {run, options};
	int status = child_says(exec_fresh, &rq, text, sizeof text);
	unlink(path);
	rmdir(dir);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WORKED,
	    "%s: status %#x, it said: %s", run, status, text);
}

START_TEST(a_program_that_closes_all_descriptors_loses_no_time)
{
	expect_work_with_fifo("closed", THREAD);
}
END_TEST

/* To close what another thread uses is a race, as the sanitizer says. */
START_TEST(what_a_program_opens_then_is_its_own)
{
	if (!TEST_TSAN)
		expect_work_with_fifo("reopened", THREAD);
}
END_TEST

/* A sanitizer's own threads would keep the process. */
START_TEST(it_does_not_keep_a_process_that_all_others_have_left)
{
	struct request rq = {"main left", THREAD};

	if (TEST_ASAN || TEST_TSAN)
		return;
	ck_assert_int_eq(child_says(exec_fresh, &rq, text, sizeof text), 0);
}
END_TEST

START_TEST(it_gives_memory_back_when_the_system_is_short_of_it)
{
	expect_work_with_fifo("pressure", "vm.uma.reclaim_thread=1");
}
END_TEST

START_TEST(it_may_start_before_main)
{
	expect_silent_work("early", THREAD);
}
END_TEST

START_TEST(a_refused_thread_is_reported_once_and_done_without)
{
	static const char said_start[] = "uma: vm.uma.reclaim_thread: ";

	expect_work("refused", THREAD);
	ck_assert_int_eq(strncmp(text, said_start, sizeof said_start - 1), 0);
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}
END_TEST

START_TEST(exit_is_clean_in_the_middle_of_work)
{
	for (int i = 0; i < TEST_SCALE(100); i++)
		expect_silent_work(
		    "exit", "vm.uma.reclaim_thread=1,vm.uma.reclaim_period=1");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("reclaimer");
	TCase *tc = tcase_create("thread");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, nobody_gets_a_thread_unasked);
	tcase_add_test(tc, who_asks_gets_one_whatever_is_called);
	tcase_add_test(tc, it_takes_no_signals_and_leaves_the_callers_mask);
	tcase_add_test(tc, it_gives_memory_back_without_a_call);
	tcase_add_test(tc, without_a_period_it_waits_for_pressure);
	tcase_add_test(tc, a_forked_child_gets_its_own_with_a_zone_or_a_tick);
	tcase_add_test(tc, a_program_that_closes_all_descriptors_loses_no_time);
	tcase_add_test(tc, it_gives_memory_back_when_the_system_is_short_of_it);
	tcase_add_test(tc, what_a_program_opens_then_is_its_own);
	tcase_add_test(
	    tc, it_does_not_keep_a_process_that_all_others_have_left);
	tcase_add_test(tc, it_may_start_before_main);
	tcase_add_test(tc, a_refused_thread_is_reported_once_and_done_without);
	tcase_add_test(tc, exit_is_clean_in_the_middle_of_work);
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
