/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket from inside: time that clients have, the mode before
 * anything corrects it, requests of random bytes; and the helper thread that
 * serves it where vm.uma.control asks for that, in fresh runs of this program.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "children.h"
#include "client.h"

#include <dirent.h>
#include <uma/sysctl.h>

#include "control_int.h"
#include "pages_int.h"

#define MS 1000000

static char folder[64], path[96];
static struct client client;
static bool no_chmod;

/* In place of the C library's. */
int
fchmodat(int dir, const char *name, mode_t mode, int flags)
{
	char where[128];

	(void)flags;
	if (no_chmod) {
		errno = ENOTSUP;
		return -1;
	}
	if (dir == AT_FDCWD)
		return chmod(name, mode);
	snprintf(where, sizeof where, "/proc/self/fd/%d/%s", dir, name);
	return chmod(where, mode);
}

static void
setup(void)
{
	folder_make(folder, path);
}

static void
teardown(void)
{
	uma_control_close();
	folder_remove(folder, path);
}

static void
offer(void)
{
	ck_assert_int_ge(uma_control_fd(path), 0);
}

START_TEST(the_mode_needs_no_correction)
{
	struct stat st;

	no_chmod = true;
	umask(0);
	offer();
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

/* ---- time ---- */

/* The loop is woken for it, and the client ended. */
static bool
is_ended_in_time(void)
{
	struct pollfd p = {.fd = uma_control_fd(NULL), .events = POLLIN};

	if (poll(&p, 1, PATIENCE * 1000) != 1)
		return false;
	client.serves = false;
	for (int i = 0; i < 100 && poll(&p, 1, 20) == 1; i++)
		(void)uma_control_handle();
	return client_is_over(&client);
}

START_TEST(half_a_line_ends_after_a_while)
{
	control_set_patience((int64_t)1000 * 1000 * MS, 100 * MS);
	offer();
	client_start(&client, path, true);
	client_send(&client, "get", 3);
	(void)uma_control_handle();
	ck_assert(is_ended_in_time());
}
END_TEST

START_TEST(half_a_line_is_given_no_time_by_more_of_it)
{
	int sent = 0;

	control_set_patience((int64_t)1000 * 1000 * MS, 300 * MS);
	offer();
	client_start(&client, path, true);
	/* Fewer than a line may have. */
	while (sent < 500 && send(client.fd, "x", 1, MSG_NOSIGNAL) == 1) {
		(void)uma_control_handle();
		test_sleep_ms(10);
		sent++;
	}
	ck_assert_int_lt(sent, 500);
	ck_assert(client_is_over(&client));
}
END_TEST

START_TEST(a_reply_that_is_not_read_ends_after_a_while)
{
	control_set_patience((int64_t)1000 * 1000 * MS, 100 * MS);
	offer();
	client_start(&client, path, true);
	while (send(client.fd, "stats\n", 6, MSG_DONTWAIT) == 6)
		(void)uma_control_handle();
	ck_assert(is_ended_in_time());
}
END_TEST

START_TEST(an_idle_client_ends_after_a_longer_while)
{
	control_set_patience(100 * MS, (int64_t)1000 * 1000 * MS);
	offer();
	client_start(&client, path, true);
	ck_assert(is_ended_in_time());
	client_start(&client, path, true);
	client_send(&client, "get", 3);
	(void)uma_control_handle();
	test_sleep_ms(200);
	ck_assert_str_eq(
	    client_ask(&client, " vm.zone_warnings\n"), "ok 2 int\n1\n");
}
END_TEST

START_TEST(a_client_that_is_served_is_not_ended)
{
	control_set_patience(400 * MS, 400 * MS);
	offer();
	client_start(&client, path, true);
	for (double end = test_now() + 1.5; test_now() < end; test_sleep_ms(5))
		ck_assert_str_eq(client_ask(&client, "get vm.zone_warnings\n"),
		    "ok 2 int\n1\n");
}
END_TEST

/* ---- requests ---- */

START_TEST(random_requests_are_read_within_their_bounds)
{
	static const char *const word[] = {"get", "set", "list", "describe",
	    "stats", "reclaim", "help", "quit", "vm.uma.limit", "vm", "z",
	    "trim", "vm.zone_stats", "99999999999999999999", "-1", "\\x20"};
	uint64_t seed = test_seed("random_requests");

	ck_assert_ptr_nonnull(
	    uma_zcreate("x", 8, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0));
	for (int i = 0; i < TEST_SCALE(20000); i++) {
		/* As long as it is said to be, so that ASan sees the end. */
		char text[CONTROL_LINE_MAX], *line;
		size_t len = 0;
		struct reply rp = {0};

		for (uint64_t r = test_rand(&seed); r % 8 != 0 && len < 900;
		     r = test_rand(&seed)) {
			if (r & 16)
				text[len++] = (char)(r >> 8);
			else
				len += (size_t)sprintf(text + len, "%s%s",
				    word[(r >> 8) % 16], r & 32 ? " " : "");
		}
		line = malloc(len + 1);
		memcpy(line, text, len);
		line[len] = '\0';
		if (control_line(line, len, &rp)) {
			MUST(rp.rp_text != NULL, "no reply");
			MUST(strncmp(rp.rp_text + rp.rp_sent, "ok ", 3) == 0 ||
				 strncmp(
				     rp.rp_text + rp.rp_sent, "error ", 6) == 0,
			    "no head");
		}
		reply_free(&rp);
		free(line);
	}
}
END_TEST

START_TEST(long_names_are_read_within_their_bounds)
{
	static const char *const word[] = {
	    "get ", "set ", "list ", "describe "};
	static const char *const first[] = {"", "vm.uma.", "vm.uma.x.",
	    "vm.uma.x.domain.0.", "vm.uma.x.domain.", "vm.uma.x.keg.domain.0."};
	struct reply rp = {0};

	ck_assert_ptr_nonnull(
	    uma_zcreate("x", 8, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0));
	for (size_t i = 0; i < sizeof first / sizeof first[0] * 4; i++) {
		for (size_t n = 1; n < 900; n += n < 300 ? 1 : 50) {
			char name[1024], *line = malloc(1100);

			memset(name, i % 2 ? 'a' : '9', n);
			name[n] = '\0';
			int len = sprintf(
			    line, "%s%s%s", word[i % 4], first[i / 4], name);
			ck_assert(control_line(line, (size_t)len, &rp));
			reply_free(&rp);
			free(line);
		}
	}
}
END_TEST

static size_t huge;

static int
huge_handle(SYSCTL_HANDLER_ARGS)
{
	static char zeros[4096];
	int error = 0;

	(void)oidp, (void)arg1, (void)arg2;
	for (size_t at = 0; at < huge && error == 0; at += sizeof zeros)
		error = SYSCTL_OUT(req, zeros, sizeof zeros);
	return error;
}

START_TEST(a_value_is_as_long_as_a_reply_may_be_or_refused)
{
	struct pages_stat before, after;

	ck_assert_ptr_nonnull(
	    SYSCTL_ADD_PROC(NULL, uma_sysctl_children("_vm"), OID_AUTO, "huge",
		CTLTYPE_OPAQUE | CTLFLAG_RD, NULL, 0, huge_handle, "", ""));
	offer();
	client_start(&client, path, true);
	pages_stat(&before);
	huge = 8 << 20;
	client_send(&client, "get vm.huge\n", 12);
	size_t len = 0, want = strlen("ok 8388608 opaque\n") + huge;
	while (len < want) {
		client.len = 0;
		ck_assert(client_take(&client));
		len += client.len;
	}
	ck_assert_uint_eq(len, want);
	huge = 32 << 20;
	ck_assert_str_eq(
	    client_ask(&client, "get vm.huge\n"), "error 12 no memory\n");
	pages_stat(&after);
	ck_assert_uint_le(after.ps_meta, before.ps_meta + 65536);
}
END_TEST

/* ---- the helper, in fresh runs ---- */

#define EXIT_WORKED 8 /* so that no accident looks like success */

static int
helpers(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *d;
	char file[320], name[32] = "";
	int n = 0;

	CHILD_MUST(dir != NULL);
	while ((d = readdir(dir)) != NULL) {
		snprintf(
		    file, sizeof file, "/proc/self/task/%s/comm", d->d_name);
		FILE *f = fopen(file, "r");
		if (f == NULL)
			continue;
		n += fgets(name, sizeof name, f) != NULL &&
		     strcmp(name, "uma_reclaim\n") == 0;
		fclose(f);
	}
	closedir(dir);
	return n;
}

static uma_zone_t
new_zone(void)
{
	uma_zone_t z =
	    uma_zcreate("conn", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	CHILD_MUST(z != NULL);
	return z;
}

static void
run_off(void)
{
	int before = descriptors();

	(void)new_zone();
	test_sleep_ms(100);
	CHILD_MUST(helpers() == 0 && descriptors() == before);
}

static void
run_served(void)
{
	char text[256];

	(void)new_zone();
	client_start(&client, getenv("UMA_TEST_PATH"), false);
	CHILD_MUST(helpers() == 1);
	CHILD_MUST(strcmp(client_ask(&client, "get vm.uma.conn.size\n"),
		       "ok 3 int\n64\n") == 0);
	snprintf(text, sizeof text, "string rt A UMA_OPTIONS ");
	CHILD_MUST(strstr(client_ask(&client, "describe vm.uma.control\n"),
		       text) != NULL);
	CHILD_MUST(strstr(client_ask(&client, "reclaim\n"), "ok 0\n") != NULL);
	exit(EXIT_WORKED);
}

/* What was not asked for is not done. */
static void
run_no_reclaim(void)
{
	static void *item[2000];
	uma_zone_t z = uma_zcreate("bare", 64, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);

	CHILD_MUST(z != NULL);
	client_start(&client, getenv("UMA_TEST_PATH"), false);
	for (int i = 0; i < 2000; i++)
		item[i] = uma_zalloc(z, M_WAITOK);
	for (int i = 0; i < 2000; i++)
		uma_zfree(z, item[i]);
	uint64_t slabs = stat_of(z).slabs;
	test_sleep_ms(300);
	CHILD_MUST(stat_of(z).slabs == slabs);
}

static void
run_fork(void)
{
	int status;

	(void)new_zone();
	client_start(&client, getenv("UMA_TEST_PATH"), false);
	pid_t pid = fork();
	CHILD_MUST(pid >= 0);
	if (pid == 0) {
		(void)new_zone();
		CHILD_MUST(WAIT_FOR(helpers() == 1));
		test_sleep_ms(1500);
		exit(EXIT_WORKED);
	}
	CHILD_MUST(waitpid(pid, &status, 0) == pid);
	CHILD_MUST(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WORKED);
	CHILD_MUST(is_there(getenv("UMA_TEST_PATH")));
	CHILD_MUST(strcmp(client_ask(&client, "get vm.uma.conn.size\n"),
		       "ok 3 int\n64\n") == 0);
}

/* The parent goes, and the child has the path. */
static void
run_daemon(void)
{
	char greeting[64];

	(void)new_zone();
	client_start(&client, getenv("UMA_TEST_PATH"), false);
	pid_t pid = fork();
	CHILD_MUST(pid >= 0);
	/* At once: ThreadSanitizer's lasts a second. */
	if (pid > 0)
		syscall(SYS_exit_group, EXIT_WORKED);
	(void)new_zone();
	snprintf(greeting, sizeof greeting,
	    "libuma " UMA_VERSION_STRING " control 1 pid %d\n", getpid());
	/* The parent may still be there, or just going. */
	do {
		client_open(&client, getenv("UMA_TEST_PATH"), false);
		client_wait_reply(&client);
		close(client.fd);
	} while (strcmp(client.text, greeting) != 0);
}

/* The helper opens it while the program forks. */
static void
run_fork_early(void)
{
	int status;

	double start = test_now();
	(void)new_zone();
	/* Numbers of processes follow each other. */
	while (test_now() - start < getpid() % 64 * 10e-6)
		;
	pid_t pid = fork();
	CHILD_MUST(pid >= 0);
	if (pid == 0) {
		DIR *dir = opendir("/proc/self/fd");
		struct dirent *d;
		char file[320], to[128];

		CHILD_MUST(dir != NULL);
		while ((d = readdir(dir)) != NULL) {
			snprintf(
			    file, sizeof file, "/proc/self/fd/%s", d->d_name);
			ssize_t n = readlink(file, to, sizeof to);
			CHILD_MUST(n < 6 || memcmp(to, "socket", 6) != 0);
		}
		_exit(EXIT_WORKED);
	}
	CHILD_MUST(waitpid(pid, &status, 0) == pid);
	CHILD_MUST(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WORKED);
	client_start(&client, getenv("UMA_TEST_PATH"), false);
}

/* The helper looks every ten seconds. */
static void
run_left(void)
{
	(void)new_zone();
	exit(EXIT_WORKED);
}

/* Behind the library's own. */
static bool is_late;

static __attribute__((destructor(102))) void
late(void)
{
	if (is_late && (uma_control_fd(getenv("UMA_TEST_PATH")) != -1 ||
			   errno != ECANCELED))
		_exit(1);
}

static void
run_late(void)
{
	is_late = true;
	(void)new_zone();
	exit(EXIT_WORKED);
}

/* For what the helper says. */
static void
run_wait(void)
{
	(void)new_zone();
	test_sleep_ms(500);
}

static void *
churn(void *arg)
{
	void *v[64];

	for (int round = 0; round < TEST_SCALE(3000); round++) {
		for (int i = 0; i < 64; i++)
			v[i] = uma_zalloc(arg, M_WAITOK);
		for (int i = 0; i < 64; i++)
			uma_zfree(arg, v[i]);
	}
	return NULL;
}

static void *
ask_much(void *arg)
{
	static const char *const line[] = {"stats\n", "get vm.zone_stats\n",
	    "list vm.uma\n", "set vm.uma.limit 100000000\n", "reclaim\n",
	    "get vm.uma.control\n", "set vm.uma.conn.limit.max_items 100000\n"};
	struct client *c = malloc(sizeof *c);

	CHILD_MUST(c != NULL);
	for (int i = 0; i < TEST_SCALE(60); i++) {
		client_start(c, arg, false);
		for (size_t k = 0; k < sizeof line / sizeof line[0]; k++)
			(void)client_ask(c, line[k]);
		close(c->fd);
	}
	free(c);
	return NULL;
}

/* Zones at work, several clients, forks, and it is closed and opened. */
static void
run_traffic(void)
{
	uma_zone_t z = new_zone();
	char *socket_path = getenv("UMA_TEST_PATH");
	pthread_t t[5];

	for (int i = 0; i < 5; i++)
		CHILD_MUST(pthread_create(&t[i], NULL, i < 2 ? churn : ask_much,
			       i < 2 ? (void *)z : socket_path) == 0);
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		CHILD_MUST(waitpid(pid, NULL, 0) == pid);
	}
	for (int i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
	uma_control_close();
	CHILD_MUST(!is_there(socket_path));
}

static const struct run {
	const char *name;
	void (*fn)(void);
} runs[] = {
    {"off", run_off},
    {"served", run_served},
    {"no reclaim", run_no_reclaim},
    {"fork", run_fork},
    {"daemon", run_daemon},
    {"fork early", run_fork_early},
    {"left", run_left},
    {"late", run_late},
    {"wait", run_wait},
    {"traffic", run_traffic},
};

static void
run(const char *name)
{
	for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
		if (strcmp(runs[i].name, name) == 0) {
			alarm(PATIENCE * 4);
			runs[i].fn();
			exit(EXIT_WORKED);
		}
	}
	exit(2);
}

struct fresh {
	const char *name;
	const char *options;
};

static void
exec_fresh(void *arg)
{
	const struct fresh *f = arg;

	setenv("UMA_TEST_RUN", f->name, 1);
	setenv("UMA_TEST_PATH", path, 1);
	setenv("UMA_OPTIONS", f->options, 1);
	execl("/proc/self/exe", "test_int_control", (char *)NULL);
}

/* What the run says goes to text. */
static void
fresh_run(const char *name, const char *options, char text[TEST_TEXT])
{
	struct fresh f = {name, options};
	int status = child_says(exec_fresh, &f, text, TEST_TEXT);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WORKED,
	    "'%s' with %s: status %#x, it said: %s", name, options, status,
	    text);
}

static void
fresh_silent(const char *name)
{
	char text[TEST_TEXT], options[256];

	snprintf(options, sizeof options,
	    "vm.uma.control=%s,vm.uma.reclaim_period=20", path);
	fresh_run(name, options, text);
	/* LeakSanitizer has something to say about threads at exit. */
	ck_assert_msg(TEST_ASAN || text[0] == '\0', "%s", text);
	ck_assert(!is_there(path));
}

START_TEST(nothing_is_offered_unasked)
{
	char text[TEST_TEXT];

	fresh_run("off", "vm.uma.control=0", text);
	ck_assert_str_eq(text, "");
	fresh_run("off", "", text);
}
END_TEST

START_TEST(the_option_has_a_thread_serve_it)
{
	fresh_silent("served");
}
END_TEST

START_TEST(the_thread_does_only_what_was_asked_for)
{
	fresh_silent("no reclaim");
}
END_TEST

START_TEST(a_child_leaves_the_path_to_its_parent)
{
	fresh_silent("fork");
}
END_TEST

START_TEST(a_daemon_has_its_parents_path)
{
	for (int i = 0; i < TEST_SCALE(10); i++)
		fresh_silent("daemon");
}
END_TEST

START_TEST(a_child_forked_meanwhile_has_no_socket)
{
	for (int i = 0; i < TEST_SCALE(150); i++)
		fresh_silent("fork early");
}
END_TEST

START_TEST(exit_is_not_kept_waiting)
{
	double start = test_now();

	for (int i = 0; i < TEST_SCALE(20); i++)
		fresh_silent("left");
	ck_assert(test_now() - start < PATIENCE);
}
END_TEST

START_TEST(behind_its_end_nothing_is_offered)
{
	char text[TEST_TEXT];

	fresh_run("late", "", text);
	ck_assert(!is_there(path));
}
END_TEST

START_TEST(zones_and_clients_and_forks_go_together)
{
	fresh_silent("traffic");
}
END_TEST

START_TEST(a_path_that_cannot_be_is_said)
{
	char text[TEST_TEXT];

	fresh_run("left", "vm.uma.control=yes", text);
	ck_assert_str_eq(text,
	    "uma: UMA_OPTIONS: bad value 'yes' for 'vm.uma.control' at column "
	    "1, wanted 1, 0, or a path that begins with /\n");
	fresh_run("wait", "vm.uma.control=/no/such/folder/socket", text);
	ck_assert_str_eq(text, "uma: vm.uma.control: no socket, error 2\n");
}
END_TEST

int
main(void)
{
	if (getenv("UMA_TEST_RUN") != NULL)
		run(getenv("UMA_TEST_RUN"));

	Suite *s = suite_create("control from inside");
	TCase *t = tcase_create("control");

	tcase_set_timeout(t, TEST_TIMEOUT);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_mode_needs_no_correction);
	tcase_add_test(t, half_a_line_ends_after_a_while);
	tcase_add_test(t, half_a_line_is_given_no_time_by_more_of_it);
	tcase_add_test(t, a_reply_that_is_not_read_ends_after_a_while);
	tcase_add_test(t, an_idle_client_ends_after_a_longer_while);
	tcase_add_test(t, a_client_that_is_served_is_not_ended);
	tcase_add_test(t, random_requests_are_read_within_their_bounds);
	tcase_add_test(t, long_names_are_read_within_their_bounds);
	tcase_add_test(t, a_value_is_as_long_as_a_reply_may_be_or_refused);
	tcase_add_test(t, nothing_is_offered_unasked);
	tcase_add_test(t, the_option_has_a_thread_serve_it);
	tcase_add_test(t, the_thread_does_only_what_was_asked_for);
	tcase_add_test(t, a_child_leaves_the_path_to_its_parent);
	tcase_add_test(t, a_daemon_has_its_parents_path);
	tcase_add_test(t, a_child_forked_meanwhile_has_no_socket);
	tcase_add_test(t, exit_is_not_kept_waiting);
	tcase_add_test(t, behind_its_end_nothing_is_offered);
	tcase_add_test(t, zones_and_clients_and_forks_go_together);
	tcase_add_test(t, a_path_that_cannot_be_is_said);
	suite_add_tcase(s, t);
	return test_run(s);
}
