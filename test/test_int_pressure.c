/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_int_pressure.c - low memory: which source is watched, when it tells, and
 * what is given back.  Trees are made up; FIFOs stand in for pressure files,
 * but for those of this machine that anybody may watch.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <uma/reclaim.h>

#include "test.h"
#include "zone_int.h"

static char tree[64];

/* ---- the tree ---- */

static const char *
in_tree(const char *name)
{
	static char path[4][512];
	static int turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", tree, name);
	return p;
}

static void
make_file(const char *name, const char *text)
{
	FILE *f = fopen(in_tree(name), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void
make_fifo(const char *name)
{
	ck_assert_int_eq(mkfifo(in_tree(name), 0600), 0);
}

static void
make_dirs(const char *name)
{
	char path[512];

	snprintf(path, sizeof path, "%s", in_tree(name));
	for (char *p = path + strlen(tree) + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	mkdir(path, 0700);
}

#define GROUP  "sys/fs/cgroup/a.slice/b.service"
#define EVENTS "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n"

static void
make_group(void)
{
	make_file("proc/self/cgroup",
	    "2:cpu:/\n1:name=systemd:/x\n0::/a.slice/b.service\n");
}

static void
setup(void)
{
	strcpy(tree, "/tmp/uma-pressure.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(tree));
	make_dirs("proc/self");
	make_dirs("proc/pressure");
	make_dirs(GROUP);
	pressure_set_root(tree);
	unsetenv("MEMORY_PRESSURE_WATCH");
	unsetenv("MEMORY_PRESSURE_WRITE");
}

static void
teardown(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", tree);
	ck_assert_int_eq(system(command), 0);
}

/* ---- looking ---- */

static int
readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms);
}

static int
watched(void)
{
	int fd = uma_pressure_fd();

	ck_assert_msg(fd >= 0, "no descriptor: %s", strerror(errno));
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(readable(fd, 0), 0);
	return fd;
}

static void
expect_refusal(int error)
{
	errno = 0;
	ck_assert_int_eq(uma_pressure_fd(), -1);
	ck_assert_int_eq(errno, error);
	ck_assert_int_eq(uma_pressure_handle(), 0);
}

static int
open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int
kept_by_exec(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) == 0;
	return n;
}

static int
fifo_writer(const char *name)
{
	int fd = open(in_tree(name), O_WRONLY | O_NONBLOCK);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void
put(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
}

/* Readable, handled once, and quiet. */
static void
expect_one_report(int fd)
{
	ck_assert_int_eq(readable(fd, 1000), 1);
	ck_assert_int_eq(uma_pressure_handle(), 1);
	ck_assert_int_eq(readable(fd, 0), 0);
	ck_assert_int_eq(uma_pressure_handle(), 0);
}

static void
expect_fifo_tells(int fd, const char *name)
{
	int writer = fifo_writer(name);

	put(writer, "x");
	expect_one_report(fd);
	close(writer);
	ck_assert_int_eq(readable(fd, 0), 0);
}

/* ---- the manager's protocol ---- */

static void
watch_in_tree(const char *name)
{
	setenv("MEMORY_PRESSURE_WATCH", in_tree(name), 1);
}

static int
listener(const char *name)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(sun.sun_path, in_tree(name));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	return fd;
}

START_TEST(a_write_to_the_managers_fifo_is_one_report)
{
	make_fifo("fifo");
	watch_in_tree("fifo");
	int fd = watched();

	ck_assert_int_eq(uma_pressure_fd(), fd);
	ck_assert_int_eq(uma_pressure_handle(), 0);
	expect_fifo_tells(fd, "fifo");
	expect_fifo_tells(fd, "fifo");
}
END_TEST

START_TEST(all_that_was_written_is_one_report)
{
	static char much[20000];

	memset(much, 'x', sizeof much - 1);
	make_fifo("fifo");
	watch_in_tree("fifo");
	int fd = watched(), writer = fifo_writer("fifo");

	put(writer, much);
	put(writer, much);
	errno = 77;
	expect_one_report(fd);
	ck_assert_int_eq(errno, 77);
}
END_TEST

/* As a user who may only read it; root may all. */
START_TEST(a_writer_that_left_a_read_only_fifo_does_not_wake_for_ever)
{
	make_fifo("fifo");
	chmod(tree, 0711);
	ck_assert_int_eq(chmod(in_tree("fifo"), 0644), 0);
	int writer = open(in_tree("fifo"), O_RDWR | O_NONBLOCK);
	bool root = geteuid() == 0;

	if (root)
		ck_assert_int_eq(seteuid(65534), 0);
	else
		chmod(in_tree("fifo"), 0444);
	watch_in_tree("fifo");
	int fd = watched();
	if (root)
		ck_assert_int_eq(seteuid(0), 0);
	put(writer, "x");
	expect_one_report(fd);

	close(writer);
	uma_pressure_handle();
	ck_assert_int_eq(readable(fd, 0), 0);
	if (!root)
		chmod(in_tree("fifo"), 0644);
	writer = fifo_writer("fifo");
	put(writer, "x");
	expect_one_report(fd);
	close(writer);
	ck_assert_int_eq(uma_pressure_handle(), 0);
	ck_assert_int_eq(readable(fd, 0), 0);
}
END_TEST

START_TEST(a_socket_gets_the_text_and_tells)
{
	char got[64] = "";
	int l = listener("socket");

	watch_in_tree("socket");
	setenv("MEMORY_PRESSURE_WRITE", "AGhlbGxvIHdvcmxk", 1);
	int fd = watched(), peer = accept(l, NULL, NULL);

	ck_assert_int_eq(read(peer, got, sizeof got), 12);
	ck_assert_int_eq(memcmp(got, "\0hello world", 12), 0);
	put(peer, "x");
	expect_one_report(fd);

	close(peer);
	uma_pressure_handle();
	ck_assert_int_eq(readable(fd, 0), 0);
	ck_assert_int_eq(uma_pressure_handle(), 0);
}
END_TEST

START_TEST(base64_is_decoded_with_its_padding)
{
	static const struct {
		const char *coded, *text;
	} form[] = {{"", ""}, {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"},
	    {"Zm9vYmE=", "fooba"}, {"+/+/", "\xfb\xff\xbf"}};

	for (size_t i = 0; i < sizeof form / sizeof form[0]; i++) {
		char got[16] = "";
		int fds[2];

		make_fifo("fifo");
		watch_in_tree("fifo");
		setenv("MEMORY_PRESSURE_WRITE", form[i].coded, 1);
		int reader = open(in_tree("fifo"), O_RDONLY | O_NONBLOCK);

		ck_assert_int_eq(pipe(fds), 0);
		pid_t pid = fork();
		if (pid == 0)
			_exit(uma_pressure_fd() < 0 ||
			      write(fds[1], "x", 1) != 1 ||
			      usleep(100000) != 0);
		ck_assert_int_eq(read(fds[0], got, 1), 1);
		ssize_t n = read(reader, got, sizeof got);
		ck_assert_int_eq(n < 0 ? 0 : n, (int)strlen(form[i].text));
		ck_assert_int_eq(memcmp(got, form[i].text, n < 0 ? 0 : n), 0);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
		close(reader);
		unlink(in_tree("fifo"));
	}
}
END_TEST

START_TEST(malformed_base64_is_refused)
{
	static const char *const bad[] = {"Zg=", "Zg",
	    "Z===", "====", "Zm9v=", "Zg==Zg==", "Z!==", "Zm9v\n", "=Zm9"};
	int before = open_descriptors();

	make_fifo("fifo");
	watch_in_tree("fifo");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		setenv("MEMORY_PRESSURE_WRITE", bad[i], 1);
		expect_refusal(ENOTSUP);
	}
	ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

START_TEST(a_text_too_long_is_refused)
{
	static char coded[8001];

	memset(coded, 'A', sizeof coded - 1);
	make_fifo("fifo");
	watch_in_tree("fifo");
	setenv("MEMORY_PRESSURE_WRITE", coded, 1);
	expect_refusal(ENOTSUP);
}
END_TEST

START_TEST(dev_null_turns_all_watching_off)
{
	make_group();
	make_fifo(GROUP "/memory.pressure");
	setenv("MEMORY_PRESSURE_WATCH", "/dev/null", 1);
	expect_refusal(ENOTSUP);

	unsetenv("MEMORY_PRESSURE_WATCH");
	watched();
}
END_TEST

START_TEST(what_cannot_be_watched_is_passed_over)
{
	static const char *const bad[] = {
	    "", "relative", "no/such", "file", "proc", "deaf", "zero"};
	int before = open_descriptors();

	make_file("file", "text\n");
	make_fifo("relative");
	ck_assert_int_eq(chdir(tree), 0);
	int deaf = listener("deaf");
	close(deaf);
	ck_assert_int_eq(symlink("/dev/zero", in_tree("zero")), 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (i < 2)
			setenv("MEMORY_PRESSURE_WATCH", bad[i], 1);
		else
			watch_in_tree(bad[i]);
		expect_refusal(ENOTSUP);
	}
	ck_assert_int_eq(open_descriptors(), before);

	make_fifo("proc/pressure/memory");
	int fd = watched();
	expect_fifo_tells(fd, "proc/pressure/memory");
}
END_TEST

START_TEST(an_ordinary_file_is_not_written_to)
{
	char got[16] = "";

	make_group();
	make_file(GROUP "/memory.pressure", "text\n");
	expect_refusal(ENOTSUP);

	FILE *f = fopen(in_tree(GROUP "/memory.pressure"), "r");
	ck_assert_ptr_nonnull(fgets(got, sizeof got, f));
	ck_assert_str_eq(got, "text\n");
	fclose(f);
}
END_TEST

/* ---- pressure files and their order ---- */

START_TEST(the_order_is_manager_group_system_events)
{
	static const char *const source[] = {
	    "fifo", GROUP "/memory.pressure", "proc/pressure/memory"};

	make_group();
	make_file(GROUP "/memory.events", EVENTS);
	watch_in_tree("fifo");
	for (int i = 0; i < 3; i++)
		make_fifo(source[i]);
	for (int i = 0; i <= 3; i++) {
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			int fd = watched();

			if (i < 3)
				expect_fifo_tells(fd, source[i]);
			make_file(GROUP "/memory.events",
			    "low 0\nhigh 1\nmax 0\noom 0\n");
			_exit(uma_pressure_handle() != (i == 3));
		}
		int status;
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(status == 0, "source %d: status %#x", i, status);
		if (i < 3)
			unlink(in_tree(source[i]));
		make_file(GROUP "/memory.events", EVENTS);
	}
}
END_TEST

START_TEST(groups_that_are_not_of_version_2_are_passed_over)
{
	static char much[20000];
	static const char *const none[] = {"", "1:memory:/a.slice/b.service\n",
	    "10::/a.slice/b.service\n", "0::\n",
	    "0::/../cgroup/a.slice/b.service\n", "0::/a.slice/b.service/..\n",
	    "0::/a.slice/gone (deleted)\n", much};

	/* So long that it is cut, to the path of another group. */
	memset(much, 'x', sizeof much - 1);
	memcpy(much + 8191 - 12, "\n0::/a.slice/b.service\n", 23);
	make_fifo(GROUP "/memory.pressure");
	make_fifo("sys/fs/cgroup/a.slice/memory.pressure");
	expect_refusal(ENOTSUP);
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		make_file("proc/self/cgroup", none[i]);
		expect_refusal(ENOTSUP);
	}
	make_group();
	int fd = watched();
	expect_fifo_tells(fd, GROUP "/memory.pressure");
}
END_TEST

START_TEST(the_group_may_be_the_root_of_its_namespace)
{
	make_file("proc/self/cgroup", "0::/\n");
	make_fifo("sys/fs/cgroup/memory.pressure");
	int fd = watched();
	expect_fifo_tells(fd, "sys/fs/cgroup/memory.pressure");
}
END_TEST

static _Atomic bool spin_end;

static void *
spin(void *arg)
{
	while (!atomic_load(&spin_end))
		;
	return arg;
}

/*
 * The real thing, on the pressure of CPUs, which is made easily: more threads
 * than there are.  A poll takes the event from the file, so that handle has to
 * find it elsewhere.
 */
START_TEST(a_pressure_file_tells_and_handle_finds_it)
{
	const char *path = "/proc/pressure/cpu";
	const char trigger[] = "some 20000 2000000";
	pthread_t thread[16];
	int n = uma_min((int)sysconf(_SC_NPROCESSORS_ONLN) + 2, 16);
	int probe = open(path, O_RDWR | O_NONBLOCK);
	bool can = probe >= 0 &&
		   write(probe, trigger, sizeof trigger) == sizeof trigger;

	close(probe);
	if (!can)
		return;
	setenv("MEMORY_PRESSURE_WATCH", path, 1);
	setenv("MEMORY_PRESSURE_WRITE", "c29tZSAyMDAwMCAyMDAwMDAwAA==", 1);
	int fd = uma_pressure_fd();
	ck_assert_int_ge(fd, 0);
	for (int i = 0; i < n; i++)
		pthread_create(&thread[i], NULL, spin, NULL);
	int told = readable(fd, 10000);
	atomic_store(&spin_end, true);
	for (int i = 0; i < n; i++)
		pthread_join(thread[i], NULL);

	ck_assert_int_eq(told, 1);
	ck_assert_int_eq(uma_pressure_handle(), 1);
	ck_assert_int_eq(uma_pressure_handle(), 0);
}
END_TEST

/* ---- memory.events ---- */

START_TEST(events_tell_when_high_max_or_oom_rises)
{
	static const char *const rise[] = {"low 0\nhigh 1\nmax 0\noom 0\n",
	    "low 0\nhigh 1\nmax 7\noom 0\n",
	    "low 0\nhigh 1\nmax 7\noom 1\noom_kill 0\n"};

	make_group();
	make_file(GROUP "/memory.events", EVENTS);
	int kept = kept_by_exec(), fd = watched();

	ck_assert_int_eq(kept_by_exec(), kept);
	for (int i = 0; i < 3; i++) {
		make_file(GROUP "/memory.events", rise[i]);
		expect_one_report(fd);
	}
	/* Not ours: low is a protection, oom_kill may be of a child group. */
	make_file(GROUP "/memory.events",
	    "low 9\nhigh 1\nmax 7\noom 1\noom_kill 9\noom_group_kill 9\n");
	ck_assert_int_eq(readable(fd, 1000), 1);
	ck_assert_int_eq(uma_pressure_handle(), 0);
	ck_assert_int_eq(readable(fd, 0), 0);
}
END_TEST

START_TEST(events_from_before_the_first_call_do_not_count)
{
	make_group();
	make_file(GROUP "/memory.events", "low 0\nhigh 100\nmax 5\noom 2\n");
	int fd = watched();

	ck_assert_int_eq(uma_pressure_handle(), 0);
	make_file(GROUP "/memory.events", "low 0\nhigh 100\nmax 6\noom 2\n");
	expect_one_report(fd);
}
END_TEST

/* ---- what is given back ---- */

#define ITEMS 2000

static uint64_t
cached(uma_zone_t zone)
{
	struct uma_zone_stat st = {.size = sizeof st};

	ck_assert_int_eq(uma_zone_stat(zone, &st), 0);
	return st.free_cached;
}

static void
fill_cache(uma_zone_t zone)
{
	static void *item[ITEMS];

	for (int i = 0; i < ITEMS; i++)
		item[i] = uma_zalloc(zone, M_WAITOK);
	for (int i = 0; i < ITEMS; i++)
		uma_zfree(zone, item[i]);
	ck_assert_uint_gt(cached(zone), 0);
}

START_TEST(handle_gives_all_back_at_most_once_a_second)
{
	uma_zone_t zone =
	    uma_zcreate("z", 256, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	make_fifo("fifo");
	watch_in_tree("fifo");
	int fd = watched(), writer = fifo_writer("fifo");

	fill_cache(zone);
	uma_pressure_handle();
	ck_assert_uint_gt(cached(zone), 0);
	put(writer, "x");
	double start = test_now();
	expect_one_report(fd);
	ck_assert_uint_eq(cached(zone), 0);

	fill_cache(zone);
	put(writer, "x");
	expect_one_report(fd);
	uint64_t left = cached(zone);
	/* On a machine that stood still the second is over. */
	if (test_now() - start < 1)
		ck_assert_uint_gt(left, 0);

	test_sleep_ms(1100);
	put(writer, "x");
	expect_one_report(fd);
	ck_assert_uint_eq(cached(zone), 0);
	uma_zdestroy(zone);
}
END_TEST

/* ---- processes, threads, descriptors ---- */

START_TEST(handle_without_a_descriptor_does_nothing)
{
	make_fifo("fifo");
	watch_in_tree("fifo");
	errno = 77;
	ck_assert_int_eq(uma_pressure_handle(), 0);
	ck_assert_int_eq(errno, 77);
}
END_TEST

START_TEST(a_child_has_none_until_it_calls_and_leaves_the_parents_alone)
{
	int status;

	make_group();
	make_fifo(GROUP "/memory.pressure");
	int fd = watched();
	int before = open_descriptors();
	int writer = fifo_writer(GROUP "/memory.pressure");

	put(writer, "x");
	close(writer);
	pid_t pid = fork();
	if (pid == 0) {
		/* What there is for the parent is not taken from it. */
		ck_assert_int_eq(uma_pressure_handle(), 0);
		unlink(in_tree(GROUP "/memory.pressure"));
		make_fifo("proc/pressure/memory");
		int mine = watched();
		ck_assert_int_eq(open_descriptors(), before);
		expect_fifo_tells(mine, "proc/pressure/memory");
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "status %#x", status);
	ck_assert_int_eq(uma_pressure_fd(), fd);
	expect_one_report(fd);
}
END_TEST

/* A daemon closes all it has, and the numbers come to others. */
START_TEST(a_child_closes_no_number_that_is_somebody_elses)
{
	int status;

	make_group();
	make_file(GROUP "/memory.events", EVENTS);
	watched();
	pid_t pid = fork();
	if (pid == 0) {
		int fds[64], n = 0;

		for (int fd = 3; fd < 256; fd++)
			close(fd);
		while (n < 64)
			fds[n++] = open("/dev/null", O_RDONLY);
		uma_pressure_fd();
		struct stat st;
		while (
		    n > 0 && fstat(fds[n - 1], &st) == 0 && S_ISCHR(st.st_mode))
			n--;
		_exit(n);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "status %#x", status);
}
END_TEST

#define THREADS 8
static pthread_barrier_t barrier;

static void *
first_call(void *arg)
{
	pthread_barrier_wait(&barrier);
	*(int *)arg = uma_pressure_fd();
	return NULL;
}

static void
first_calls_together(void)
{
	pthread_t thread[THREADS];
	int fd[THREADS];

	pthread_barrier_init(&barrier, NULL, THREADS);
	int before = open_descriptors();
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, first_call, &fd[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(fd[i], watched());
	ck_assert_int_eq(open_descriptors(), before + 2);
	expect_fifo_tells(fd[0], "fifo");
}

/* Many times, for there is but one first call in a process. */
START_TEST(first_calls_of_eight_threads_make_one_descriptor)
{
	make_fifo("fifo");
	watch_in_tree("fifo");
	for (int round = 0; round < 100; round++) {
		int status;
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			first_calls_together();
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(status == 0, "status %#x", status);
	}
}
END_TEST

static void *
call_cancelled(void *arg)
{
	pthread_cancel(pthread_self());
	int fd = uma_pressure_fd();
	int told = uma_pressure_handle();
	*(int *)arg = fd >= 0 && told == 0;
	pthread_testcancel();
	return arg;
}

START_TEST(neither_call_is_a_cancellation_point)
{
	pthread_t thread;
	void *end;
	int done = 0;

	make_group();
	make_file(GROUP "/memory.events", EVENTS);
	pthread_create(&thread, NULL, call_cancelled, &done);
	pthread_join(thread, &end);
	ck_assert_int_eq(done, 1);
	ck_assert_ptr_eq(end, PTHREAD_CANCELED);
}
END_TEST

/* Each number of descriptors that is too small, for each source. */
START_TEST(want_of_descriptors_is_told_and_nothing_stays_open)
{
	static const char *const source[] = {
	    "fifo", "socket", GROUP "/memory.events"};
	struct rlimit saved, few;
	int l = -1;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &saved), 0);
	make_group();
	for (int i = 0; i < 3; i++) {
		int tries = 0, error = EMFILE, lowest = dup(0);

		if (i == 0)
			make_fifo(source[i]);
		else if (i == 1)
			l = listener(source[i]);
		else
			make_file(source[i], EVENTS);
		close(lowest);
		if (i < 2)
			watch_in_tree(source[i]);
		else
			setenv("MEMORY_PRESSURE_WATCH", "/no/such", 1);
		int before = open_descriptors();
		pid_t pid = fork();
		while (pid == 0 && error == EMFILE) {
			few = saved;
			few.rlim_cur = (rlim_t)(lowest + tries++);
			setrlimit(RLIMIT_NOFILE, &few);
			error = uma_pressure_fd() < 0 ? errno : 0;
			if (error != 0 && open_descriptors() != before)
				_exit(100);
		}
		if (pid == 0)
			_exit(error != 0 ? 101 : tries);
		int status;
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(WIFEXITED(status) &&
				  WEXITSTATUS(status) >= (i == 2 ? 4 : 3) &&
				  WEXITSTATUS(status) < 100,
		    "%s: status %#x", source[i], status);
	}
	close(l);
}
END_TEST

START_TEST(standard_descriptors_are_left_to_the_program)
{
	int status;

	make_group();
	make_file(GROUP "/memory.events", EVENTS);
	pid_t pid = fork();
	if (pid == 0) {
		for (int fd = 0; fd < 3; fd++)
			close(fd);
		int fd = uma_pressure_fd();
		for (int i = 0; i < 3; i++)
			if (fcntl(i, F_GETFD) >= 0)
				_exit(1);
		_exit(fd < 3);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "status %#x", status);
}
END_TEST

int
main(void)
{
	const TTest *const test[] = {a_write_to_the_managers_fifo_is_one_report,
	    all_that_was_written_is_one_report,
	    a_writer_that_left_a_read_only_fifo_does_not_wake_for_ever,
	    a_socket_gets_the_text_and_tells,
	    base64_is_decoded_with_its_padding, malformed_base64_is_refused,
	    a_text_too_long_is_refused, dev_null_turns_all_watching_off,
	    what_cannot_be_watched_is_passed_over,
	    an_ordinary_file_is_not_written_to,
	    the_order_is_manager_group_system_events,
	    groups_that_are_not_of_version_2_are_passed_over,
	    the_group_may_be_the_root_of_its_namespace,
	    a_pressure_file_tells_and_handle_finds_it,
	    events_tell_when_high_max_or_oom_rises,
	    events_from_before_the_first_call_do_not_count,
	    handle_gives_all_back_at_most_once_a_second,
	    handle_without_a_descriptor_does_nothing,
	    a_child_has_none_until_it_calls_and_leaves_the_parents_alone,
	    a_child_closes_no_number_that_is_somebody_elses,
	    first_calls_of_eight_threads_make_one_descriptor,
	    neither_call_is_a_cancellation_point,
	    want_of_descriptors_is_told_and_nothing_stays_open,
	    standard_descriptors_are_left_to_the_program};
	Suite *s = suite_create("pressure");
	TCase *tc = tcase_create("pressure");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof test / sizeof test[0]; i++)
		tcase_add_test(tc, test[i]);
	suite_add_tcase(s, tc);
	return test_run(s);
}
