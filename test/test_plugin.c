/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Modules that use the library, loaded and unloaded while threads run: one that
 * inlines the hits of the shared library, and one with the archive inside.
 *
 * A thread that used a module keeps what the module left in its rseq area; the
 * kernel looks at it at the next signal.  So threads that did nothing since are
 * sent signals all the time, before and after the module is gone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>

#include <uma/seq.h>

#include "plugin/plugin.h"
#include "threads.h"

#define CYCLES	LOAD(1000)
#define USERS	3
#define RUNNERS 2
#define SIGNAL	SIGUSR1

/* ---- modules ---- */

static const char *
module_path(const char *name)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	MUST(n > 0, "no path of mine: %d", errno);
	path[n] = '\0';
	char *end = strrchr(path, '/');
	snprintf(end, (size_t)(path + sizeof path - end), "/plugin/%s", name);
	return path;
}

static void *
module_open(const char *name)
{
	void *module = dlopen(module_path(name), RTLD_NOW | RTLD_LOCAL);

	MUST(module != NULL, "%s", dlerror());
	return module;
}

static const struct plugin *
module_plugin(void *module)
{
	const struct plugin *p = dlsym(module, PLUGIN_SYMBOL);

	MUST(p != NULL, "%s", dlerror());
	return p;
}

static bool
module_loaded(const char *name)
{
	void *module = dlopen(module_path(name), RTLD_LAZY | RTLD_NOLOAD);

	if (module != NULL)
		dlclose(module);
	return module != NULL;
}

/* ---- the threads ---- */

static struct {
	pthread_rwlock_t lock; /* read: the module stays loaded */
	const struct plugin *plugin;
	uma_zone_t zone; /* the plugin's */
	unsigned cycle;
	_Atomic unsigned seen[USERS]; /* the cycle that a user served last */
	_Atomic bool stop;
	_Atomic long allocs; /* of zone */
	void *place;
	/* the program's own zone */
	uma_zone_t own;
	_Atomic long own_allocs;
} load = {.lock = PTHREAD_RWLOCK_INITIALIZER};

static _Atomic unsigned long signals;

static void
on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add_explicit(&signals, 1, memory_order_relaxed);
}

/* Uses the plugin once a cycle, and otherwise nothing that has a sequence. */
static void *
user(void *arg)
{
	_Atomic unsigned *seen = arg;

	while (!atomic_load(&load.stop)) {
		pthread_rwlock_rdlock(&load.lock);
		if (load.plugin != NULL && atomic_load(seen) != load.cycle) {
			long n = load.plugin->run(load.zone, &load.place, 400);

			MUST(n == 400, "an item was not as it was left");
			atomic_fetch_add(&load.allocs, n);
			atomic_store(seen, load.cycle);
		}
		pthread_rwlock_unlock(&load.lock);
		sched_yield();
	}
	return NULL;
}

/* Runs the program's own copy of the library. */
static void *
runner(void *arg)
{
	void *items[8];
	long n = 0;

	(void)arg;
	for (; !atomic_load(&load.stop); n++) {
		for (int i = 0; i < 8; i++)
			items[i] = uma_zalloc(load.own, M_WAITOK);
		for (int i = 0; i < 8; i++)
			uma_zfree(load.own, items[i]);
		if (n % 64 == 0)
			sched_yield();
	}
	atomic_fetch_add(&load.own_allocs, n * 8);
	return NULL;
}

static pthread_t threads[USERS + RUNNERS];

static void *
signaller(void *arg)
{
	struct timespec pause = {0, 200000};

	(void)arg;
	while (!atomic_load(&load.stop)) {
		for (int i = 0; i < USERS + RUNNERS; i++)
			pthread_kill(threads[i], SIGNAL);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static bool
all_served(void)
{
	for (int i = 0; i < USERS; i++)
		if (atomic_load(&load.seen[i]) != load.cycle)
			return false;
	return true;
}

/* Load, have every user use it, unload. */
static void
cycle(const char *name, uma_zone_t zone)
{
	void *module = module_open(name);
	const struct plugin *p = module_plugin(module);
	void *left;

	pthread_rwlock_wrlock(&load.lock);
	load.zone = zone != NULL ? zone : p->create();
	load.plugin = p;
	load.cycle++;
	pthread_rwlock_unlock(&load.lock);
	MUST(load.zone != NULL, "no zone");
	MUST(WAIT_FOR(all_served()), "the users are stuck");
	pthread_rwlock_wrlock(&load.lock);
	load.plugin = NULL;
	left = load.place;
	load.place = NULL;
	p->free(load.zone, left);
	if (zone == NULL)
		p->destroy(load.zone);
	MUST(dlclose(module) == 0, "%s", dlerror());
	pthread_rwlock_unlock(&load.lock);
}

/* Cycles under load; on zone, or on one that the module makes. */
static void
run_cycles(const char *name, uma_zone_t zone, bool stays)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	load.own =
	    uma_zcreate("own", 96, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	ck_assert_int_eq(sigaction(SIGNAL, &sa, NULL), 0);
	for (int i = 0; i < USERS; i++)
		threads[i] = thread_start(user, &load.seen[i]);
	for (int i = USERS; i < USERS + RUNNERS; i++)
		threads[i] = thread_start(runner, NULL);
	pthread_t sender = thread_start(signaller, NULL);
	for (int i = 0; i < CYCLES; i++) {
		cycle(name, zone);
		MUST(module_loaded(name) == stays, "cycle %d: %s is %s", i,
		    name, stays ? "gone" : "still there");
	}
	atomic_store(&load.stop, true);
	thread_join(sender);
	for (int i = 0; i < USERS + RUNNERS; i++)
		thread_join(threads[i]);
	ck_assert_uint_gt(atomic_load(&signals), CYCLES);
	struct uma_zone_stat st = stat_of(load.own);
	ck_assert_uint_eq(st.allocs, (uint64_t)load.own_allocs);
	ck_assert_uint_eq(st.used, 0);
	uma_zdestroy(load.own);
}

/* ---- tests ---- */

START_TEST(a_module_that_inlines_hits_can_be_unloaded)
{
	struct uma_zone_stat st = {.size = sizeof st};
	const struct plugin *p = module_plugin(module_open("library.so"));
	uma_zone_t zone = p->create();
	void *place = NULL;
	long n = p->run(zone, &place, 10000);

	run_cycles("inline.so", zone, false);
	/* Called here, inlined there, and freed by either. */
	n += p->run(zone, &place, 10000) + atomic_load(&load.allocs);
	ck_assert_int_eq(p->stat(zone, &st), 0);
	ck_assert_uint_eq(st.allocs, (uint64_t)n);
	ck_assert_uint_eq(st.used, 1);
	p->free(zone, place);
	p->destroy(zone);
}
END_TEST

START_TEST(a_module_with_the_archive_inside_stays)
{
	ck_assert(!module_loaded("archive.so"));
	run_cycles("archive.so", NULL, true);
}
END_TEST

START_TEST(a_module_with_the_archive_inside_that_made_no_zone_goes)
{
	void *module = module_open("archive.so");

	ck_assert_ptr_nonnull(module_plugin(module));
	ck_assert_int_eq(dlclose(module), 0);
	ck_assert(!module_loaded("archive.so"));
}
END_TEST

#if UMA_HAVE_SEQ
/* Functions are bound when called: only that symbol can be missed. */
START_TEST(a_module_of_another_abi_is_not_loaded)
{
	ck_assert_ptr_nonnull(dlopen(module_path("stub.so"), RTLD_LAZY));
	ck_assert_ptr_nonnull(dlopen(module_path("library.so"), RTLD_LAZY));
	ck_assert_ptr_null(dlopen(module_path("inline.so"), RTLD_LAZY));
	ck_assert_ptr_nonnull(
	    strstr(dlerror(), "undefined symbol: uma_inline_abi_1"));
}
END_TEST

/* ---- the control: would it be seen, if a descriptor were left behind? ---- */

static void
use_and_unload(const char *name)
{
	void *module = module_open(name), *place = NULL;
	const struct plugin *p = module_plugin(module);
	uma_zone_t zone = p->create();

	p->run(zone, &place, 1000);
	MUST(dlclose(module) == 0, "%s", dlerror());
	signal(SIGNAL, on_signal);
	raise(SIGNAL);
}

static int
end_of_child(const char *name)
{
	struct rlimit none = {0, 0};
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGSEGV, SIG_DFL);
		use_and_unload(name);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/*
 * If the thread is preempted between its last sequence and the end of the
 * module, the kernel forgets the descriptor by itself; hence more than one try.
 */
START_TEST(a_descriptor_left_behind_would_be_seen)
{
	int killed = 0;

	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(end_of_child("inline.so"), 0);
		killed += end_of_child("stale.so") == SIGSEGV;
	}
	/* Without sequences every hit misses, and the library's mark stays. */
	bool seq = strncmp(uma_percpu_mode(), "rseq", 4) == 0;
	ck_assert(seq ? killed > 0 : killed == 0);
}
END_TEST
#endif

int
main(void)
{
	Suite *s = suite_create("plugin");
	TCase *tc = tcase_create("modules");

	tcase_set_timeout(tc, TEST_TIMEOUT * 4);
	tcase_add_test(tc, a_module_that_inlines_hits_can_be_unloaded);
	tcase_add_test(tc, a_module_with_the_archive_inside_stays);
	tcase_add_test(
	    tc, a_module_with_the_archive_inside_that_made_no_zone_goes);
#if UMA_HAVE_SEQ
	tcase_add_test(tc, a_module_of_another_abi_is_not_loaded);
	tcase_add_test(tc, a_descriptor_left_behind_would_be_seen);
#endif
	suite_add_tcase(s, tc);
	return test_run(s);
}
