/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: what clients may ask for and get, who may, where the file
 * is made and when it goes, and what forks leave of it.  Each test is a process
 * of its own, which serves its socket itself unless it says otherwise.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "children.h"
#include "client.h"

#include <sys/epoll.h>

#include <uma/reclaim.h>
#include <uma/sysctl.h>

#define NOBODY 65534

static char folder[64], path[96];
static struct client client, other;
static uma_zone_t zone;

static void
setup(void)
{
	folder_make(folder, path);
	zone =
	    uma_zcreate("conn", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	ck_assert_ptr_nonnull(zone);
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

static mode_t
mode_of(const char *file)
{
	struct stat st;

	ck_assert_int_eq(lstat(file, &st), 0);
	return st.st_mode & 07777;
}

static bool
readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* ---- requests ---- */

START_TEST(values_are_read)
{
	char text[128];

	offer();
	client_start(&client, path, true);
	ck_assert_str_eq(
	    client_ask(&client, "get vm.uma.conn.size\n"), "ok 3 int\n64\n");
	snprintf(
	    text, sizeof text, "ok %zu string\n%s\n", strlen(path) + 1, path);
	ck_assert_str_eq(client_ask(&client, "get vm.uma.control\n"), text);
	ck_assert_str_eq(client_ask(&client, "get vm.uma.reclaim_period\n"),
	    "ok 6 u64\n20000\n");
	ck_assert_str_eq(client_ask(&client, "describe vm.zone_count\n"),
	    "ok 26\nint r I - Number of zones\n");
	ck_assert_str_eq(client_ask(&client, "describe vm.uma.conn\n"),
	    "ok 12\nnode r N - \n");
	ck_assert_msg(strncmp(client_ask(&client, "stats\n"), "ok ", 3) == 0 &&
			  strstr(client.text, "\nconn: ") != NULL,
	    "%s", client.text);
	ck_assert_msg(strncmp(client_ask(&client, "get vm.zone_stats\n"), "ok ",
			  3) == 0 &&
			  strstr(client.text, " opaque\n") != NULL,
	    "%s", client.text);
	ck_assert_str_eq(client_ask(&client, "list vm.uma_kmem_total\n"),
	    "ok 45\nvm.zone_count\nvm.zone_stats\nvm.zone_warnings\n");
}
END_TEST

/* What the program's nodes have may be anything. */
static int64_t node_long = -5;
static int node_int = -7;
static unsigned node_pair[2] = {1, 4294967295u};
static char node_text[64] = "two words\n\x01\xff";

static int
pair_handle(SYSCTL_HANDLER_ARGS)
{
	(void)oidp, (void)arg1, (void)arg2;
	return SYSCTL_OUT(req, node_pair, sizeof node_pair);
}

static void
add_nodes(void)
{
	struct sysctl_oid_list *vm = uma_sysctl_children("_vm");

	ck_assert_ptr_nonnull(vm);
	ck_assert_ptr_nonnull(SYSCTL_ADD_LONG(
	    NULL, vm, OID_AUTO, "t long", CTLFLAG_RW, &node_long, ""));
	ck_assert_ptr_nonnull(SYSCTL_ADD_INT(
	    NULL, vm, OID_AUTO, "t%d\n\\", CTLFLAG_RW, &node_int, 0, ""));
	ck_assert_ptr_nonnull(SYSCTL_ADD_STRING(NULL, vm, OID_AUTO, "ttext",
	    CTLFLAG_RW, node_text, sizeof node_text, ""));
	ck_assert_ptr_nonnull(SYSCTL_ADD_PROC(NULL, vm, OID_AUTO, "tpair",
	    CTLTYPE_UINT | CTLFLAG_RD, NULL, 0, pair_handle, "IU", ""));
}

START_TEST(names_and_values_may_hold_any_byte)
{
	add_nodes();
	offer();
	client_start(&client, path, true);
	ck_assert_str_eq(
	    client_ask(&client, "get vm.t\\x20long\n"), "ok 3 long\n-5\n");
	ck_assert_str_eq(
	    client_ask(&client, "get vm.t%d\\x0a\\x5C\n"), "ok 3 int\n-7\n");
	ck_assert_str_eq(client_ask(&client, "get vm.ttext\n"),
	    "ok 13 string\ntwo words\n\x01\xff\n");
	ck_assert_str_eq(client_ask(&client, "get vm.tpair\n"),
	    "ok 13 uint\n1 4294967295\n");
	ck_assert_str_eq(
	    client_ask(&client, "set vm.ttext a b\\x0ac\\x5cx\n"), "ok 0\n");
	ck_assert_str_eq(node_text, "a b\nc\\x");
	ck_assert_msg(strstr(client_ask(&client, "list vm.t\n"),
			  "\nvm.t\\x20long\nvm.t%d\\x0a\\x5c\nvm.tpair\n"
			  "vm.ttext\n") != NULL,
	    "%s", client.text);
}
END_TEST

START_TEST(values_are_set_where_the_tree_lets_them)
{
	static const char *const said[][2] = {
	    {"set vm.uma.limit 1000000\n", "ok 0\n"},
	    {"set vm.uma.limit 0x10\n", "ok 0\n"},
	    {"set vm.zone_count 4\n", "error 1 "},
	    {"set vm.uma.conn.size 4\n", "error 1 "},
	    {"set vm.uma.control /tmp/x\n", "error 1 "},
	    {"set vm.nothing 4\n", "error 2 "},
	    {"set vm.uma 4\n", "error 21 "},
	    {"set vm.uma.limit\n", "error 22 "},
	    {"set vm.uma.limit -1\n", "error 22 "},
	    {"set vm.uma.limit 1k\n", "error 22 "},
	    {"set vm.uma.limit 18446744073709551615\n", "error 22 "},
	    {"set vm.uma.limit 18446744073709551616\n", "error 22 "},
	    {"set vm.t\\x20long -9223372036854775808\n", "ok 0\n"},
	    {"set vm.t\\x20long 9223372036854775808\n", "error 22 "},
	    {"set vm.t%d\\x0a\\x5c -2147483648\n", "ok 0\n"},
	    {"set vm.t%d\\x0a\\x5c -2147483649\n", "error 22 "},
	    {"set vm.t%d\\x0a\\x5c 2147483648\n", "error 22 "},
	    {"set vm.t%d\\x0a\\x5c 4 5\n", "error 22 "},
	    {"set vm.tpair 4\n", "error 1 "},
	    {"get vm.uma\n", "error 21 "},
	    {"get\n", "error 2 "},
	    {"get vm.\\x0\n", "error 22 "},
	    {"get vm.\\x00\n", "error 22 "},
	    {"get vm.\\xg0\n", "error 22 "},
	    {"get \\\n", "error 22 "},
	    {"describe nothing\n", "error 2 "},
	    {"stats nothing\n", "error 22 "},
	    {"reclaim everything\n", "error 22 "},
	    {"no such request\n", "error 38 "},
	    {"\n", "error 38 "},
	    {"reclaim drain-cpu\r\n", "ok 0\n"},
	};

	add_nodes();
	offer();
	client_start(&client, path, true);
	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
		const char *text = client_ask(&client, said[i][0]);

		ck_assert_msg(
		    strncmp(text, said[i][1], strlen(said[i][1])) == 0,
		    "%s is answered by %s", said[i][0], text);
	}
	ck_assert_uint_eq(uma_limit(), 16);
	ck_assert_int_eq(node_long, INT64_MIN);
	ck_assert_int_eq(node_int, INT32_MIN);
}
END_TEST

START_TEST(a_walk_by_list_meets_what_uma_sysctl_next_does)
{
	char name[UMA_SYSCTL_NAME_MAX] = "", line[UMA_SYSCTL_NAME_MAX + 8];
	int n = 0;

	for (int i = 0; i < 20; i++)
		ck_assert_ptr_nonnull(uma_zcreate(
		    "many", 8, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0));
	offer();
	client_start(&client, path, true);
	for (;;) {
		snprintf(line, sizeof line, "list %s\n", name);
		char *save = NULL, *text = strdup(client_ask(&client, line));
		char *at = strtok_r(text, "\n", &save);

		ck_assert_int_eq(strncmp(text, "ok ", 3), 0);
		for (; (at = strtok_r(NULL, "\n", &save)) != NULL; n++) {
			ck_assert_int_eq(
			    uma_sysctl_next(name, name, sizeof name), 0);
			ck_assert_str_eq(at, name);
		}
		free(text);
		if (strcmp(client.text, "ok 0\n") == 0)
			break;
	}
	ck_assert_int_eq(uma_sysctl_next(name, name, sizeof name), -1);
	ck_assert_int_gt(n, 400);
}
END_TEST

START_TEST(requests_sent_together_are_answered_in_order)
{
	offer();
	client_start(&client, path, true);
	client_send(&client, "get vm.zone_warnings\nhelp\nquit\nhelp\n", 37);
	ck_assert_int_eq(shutdown(client.fd, SHUT_WR), 0);
	client.len = 0;
	while (client_take(&client))
		test_sleep_ms(1);
	ck_assert_msg(strncmp(client.text, "ok 2 int\n1\nok ", 14) == 0 &&
			  strcmp(client.text + client.len - 5, "quit\n") == 0,
	    "%s", client.text);
	ck_assert(!readable(uma_control_fd(NULL)));
}
END_TEST

START_TEST(the_loop_is_woken_for_each_of_several_requests)
{
	struct pollfd p = {.events = POLLIN};

	offer();
	client_start(&client, path, true);
	p.fd = uma_control_fd(NULL);
	client_send(&client, "get vm.int\nget vm.int\nget vm.int\n", 33);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(poll(&p, 1, PATIENCE * 1000), 1);
		ck_assert_int_eq(uma_control_handle(), 1);
	}
	ck_assert(!readable(p.fd));
}
END_TEST

/* printf ... | socat - UNIX-CONNECT:PATH */
START_TEST(who_says_no_more_still_gets_the_answers)
{
	offer();
	client_open(&client, path, true);
	client_send(
	    &client, "get vm.zone_warnings\nget vm.uma.conn.size\nget", 45);
	ck_assert_int_eq(shutdown(client.fd, SHUT_WR), 0);
	while (client_take(&client))
		test_sleep_ms(1);
	ck_assert_ptr_nonnull(
	    strstr(client.text, "\nok 2 int\n1\nok 3 int\n64\n"));
}
END_TEST

/* ---- who ---- */

/* Says "1" if there is an answer to a request, "0" if not. */
static void
ask_as(uid_t uid, const char *said)
{
	int status, fd;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		alarm(20);
		CHILD_MUST(setgid(uid) == 0 && setuid(uid) == 0);
		fd = client_connect(path);
		if (said == NULL)
			_exit(fd < 0 && errno == EACCES ? 0 : 1);
		CHILD_MUST(fd >= 0);
		client.fd = fd;
		client.serves = false;
		client_wait_reply(&client);
		_exit(strncmp(client.text, said, strlen(said)) != 0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		(void)uma_control_handle();
	ck_assert_int_eq(status, 0);
}

START_TEST(nobody_else_gets_in)
{
	if (getuid() != 0)
		return;
	offer();
	ask_as(NOBODY, NULL);
	ck_assert_int_eq(chmod(folder, 0755), 0);
	ask_as(NOBODY, NULL);
	/* However it came about. */
	ck_assert_int_eq(chmod(path, 0666), 0);
	ask_as(NOBODY, "error 1 ");
	ask_as(0, "libuma ");
}
END_TEST

START_TEST(a_process_of_another_user_lets_root_in)
{
	if (getuid() != 0)
		return;
	ck_assert_int_eq(chown(folder, NOBODY, NOBODY), 0);
	ck_assert_int_eq(setresuid(NOBODY, NOBODY, 0), 0);
	offer();
	ck_assert_int_eq(setresuid(0, 0, 0), 0);
	ck_assert_int_eq(seteuid(NOBODY), 0);
	client_connect(path);
	ck_assert_int_eq(seteuid(0), 0);
	client_start(&client, path, true);
	ck_assert_int_eq(chown(folder, 0, 0), 0);
}
END_TEST

/* ---- where ---- */

START_TEST(the_mode_does_not_depend_on_the_umask)
{
	static const mode_t mask[] = {0, 022, 077, 0777};

	for (size_t i = 0; i < sizeof mask / sizeof mask[0]; i++) {
		mode_t old = umask(mask[i]);

		offer();
		umask(old);
		ck_assert_uint_eq(mode_of(path), 0600);
		uma_control_close();
	}
}
END_TEST

/* The process's own end of a connection, held by another number. */
static int
hold_connection(void)
{
	for (int fd = 3; fd < 1024; fd++) {
		struct sockaddr_un sun = {.sun_family = AF_UNSPEC};
		socklen_t len = sizeof sun, size = sizeof(int);
		int listens = 1;

		if (getsockname(fd, (struct sockaddr *)&sun, &len) == 0 &&
		    sun.sun_family == AF_UNIX &&
		    strcmp(sun.sun_path, path) == 0 &&
		    getsockopt(
			fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 &&
		    listens == 0)
			return dup(fd);
	}
	return -1;
}

/* As a child might that was forked just then. */
START_TEST(a_client_sees_the_end_though_its_connection_is_held)
{
	offer();
	client_start(&client, path, true);
	ck_assert_int_ge(hold_connection(), 0);
	uma_control_close();
	client.serves = false;
	ck_assert(client_is_over(&client));
}
END_TEST

START_TEST(closing_removes_the_file_and_the_descriptors)
{
	int before = descriptors();

	int set = uma_control_fd(path);
	client_start(&client, path, true);
	uma_control_close();
	ck_assert(!is_there(path));
	ck_assert(client_is_over(&client));
	close(client.fd);
	ck_assert_int_eq(descriptors(), before + 1);
	ck_assert_int_eq(uma_control_handle(), 0);
	ck_assert(!readable(set));
	uma_control_close();
	ck_assert_int_eq(uma_control_fd(path), set);
	client_start(&client, path, true);
}
END_TEST

START_TEST(what_has_taken_the_files_place_stays)
{
	offer();
	ck_assert_int_eq(unlink(path), 0);
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	uma_control_close();
	ck_assert(is_there(path));
	ck_assert_int_eq(uma_control_fd(path), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert(is_there(path));
}
END_TEST

START_TEST(no_link_is_followed)
{
	char target[128];

	snprintf(target, sizeof target, "%s/target", folder);
	ck_assert_int_eq(symlink(target, path), 0);
	ck_assert_int_eq(uma_control_fd(path), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert(is_there(path) && !is_there(target));
	/* A folder by a link is not the folder. */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink(folder, path), 0);
	snprintf(target, sizeof target, "%s/socket", path);
	ck_assert_int_eq(uma_control_fd(target), -1);
	ck_assert_int_eq(errno, ENOTDIR);
}
END_TEST

START_TEST(a_folder_that_others_write_to_is_refused)
{
	ck_assert_int_eq(chmod(folder, 0777), 0);
	ck_assert_int_eq(uma_control_fd(path), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(chmod(folder, 0720), 0);
	ck_assert_int_eq(uma_control_fd(path), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(chmod(folder, 01777), 0);
	offer();
	uma_control_close();
	if (getuid() != 0)
		return;
	ck_assert_int_eq(chmod(folder, 0700), 0);
	ck_assert_int_eq(chown(folder, NOBODY, NOBODY), 0);
	ck_assert_int_eq(uma_control_fd(path), -1);
	ck_assert_int_eq(errno, EPERM);
}
END_TEST

START_TEST(bad_paths_are_refused)
{
	char text[200];
	int before = descriptors();

	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	text[0] = '/';
	ck_assert_int_eq(uma_control_fd(text), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
	ck_assert_int_eq(uma_control_fd("socket"), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(uma_control_fd(""), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(uma_control_fd("/"), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(uma_control_fd("/no/such/folder/socket"), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(descriptors(), before + 1);
	offer();
	ck_assert_int_eq(uma_control_fd(NULL), uma_control_fd(path));
	ck_assert_int_eq(uma_control_fd("/tmp/other"), -1);
	ck_assert_int_eq(errno, EBUSY);
}
END_TEST

/* A child that offers it, says so by a byte, and waits to be killed. */
static pid_t
server(int *lives)
{
	char byte = 1;
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(fd[0]);
		alarm(60);
		byte = uma_control_fd(path) >= 0;
		CHILD_MUST(write(fd[1], &byte, 1) == 1);
		while (byte == 1 && uma_control_handle() >= 0)
			test_sleep_ms(1);
		_exit(0);
	}
	close(fd[1]);
	ck_assert_int_eq(read(fd[0], &byte, 1), 1);
	*lives = byte;
	close(fd[0]);
	return pid;
}

static void
kill_one(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(the_file_of_a_dead_process_is_replaced)
{
	int lives;
	pid_t pid = server(&lives);

	ck_assert_int_eq(lives, 1);
	ck_assert_int_eq(uma_control_fd(path), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	kill_one(pid);
	ck_assert(is_there(path));
	offer();
	client_start(&client, path, true);
}
END_TEST

/* All at the same time, or as near to that as can be. */
static void
race(const int gun[2], int result)
{
	char byte;

	alarm(60);
	close(gun[1]);
	CHILD_MUST(read(gun[0], &byte, 1) == 0);
	byte = uma_control_fd(path) >= 0;
	CHILD_MUST(write(result, &byte, 1) == 1);
	pause();
}

START_TEST(of_many_that_come_upon_a_dead_ones_file_one_gets_it)
{
	enum { MANY = 6 };
	pid_t pid[MANY];
	int fd[2], gun[2], lives;

	for (int round = 0; round < TEST_SCALE(150); round++) {
		char byte;
		int winners = 0;

		kill_one(server(&lives));
		ck_assert_int_eq(lives, 1);
		ck_assert_int_eq(pipe(fd), 0);
		ck_assert_int_eq(pipe(gun), 0);
		for (int i = 0; i < MANY; i++) {
			pid[i] = fork();
			ck_assert_int_ge(pid[i], 0);
			if (pid[i] == 0)
				race(gun, fd[1]);
		}
		close(gun[0]);
		close(gun[1]);
		for (int i = 0; i < MANY; i++) {
			ck_assert_int_eq(read(fd[0], &byte, 1), 1);
			winners += byte;
		}
		for (int i = 0; i < MANY; i++)
			kill_one(pid[i]);
		ck_assert_int_eq(winners, 1);
		ck_assert(is_there(path));
		close(fd[0]);
		close(fd[1]);
	}
}
END_TEST

/* ---- the path by default ---- */

static void
default_path(char text[96])
{
	size_t len = 96;

	ck_assert_int_ge(uma_control_fd(NULL), 0);
	ck_assert_int_eq(
	    uma_sysctlbyname("vm.uma.control", text, &len, NULL, 0), 0);
}

START_TEST(by_default_it_is_under_the_processs_number)
{
	char wanted[128], got[96];

	snprintf(wanted, sizeof wanted, "%s/libuma/%d", folder, getpid());
	ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", folder, 1), 0);
	mode_t old = umask(0777);
	default_path(got);
	umask(old);
	ck_assert_str_eq(got, wanted);
	ck_assert_uint_eq(mode_of(got), 0600);
	*strrchr(wanted, '/') = '\0';
	ck_assert_uint_eq(mode_of(wanted), 0700);
	uma_control_close();
	ck_assert_int_eq(rmdir(wanted), 0);
}
END_TEST

static void
expect_tmp(void)
{
	char wanted[96], got[96];

	snprintf(wanted, sizeof wanted, "/tmp/libuma-%u/%d",
	    (unsigned)geteuid(), getpid());
	default_path(got);
	ck_assert_str_eq(got, wanted);
	uma_control_close();
}

START_TEST(folders_that_are_not_ours_alone_are_passed_over)
{
	char sub[96];

	unsetenv("XDG_RUNTIME_DIR");
	expect_tmp();
	ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", "relative", 1), 0);
	expect_tmp();
	ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", folder, 1), 0);
	ck_assert_int_eq(chmod(folder, 0777), 0);
	expect_tmp();
	ck_assert_int_eq(chmod(folder, 0700), 0);
	snprintf(sub, sizeof sub, "%s/libuma", folder);
	ck_assert_int_eq(symlink("/tmp", sub), 0);
	expect_tmp();
	ck_assert_int_eq(unlink(sub), 0);
	ck_assert_int_eq(mkdir(sub, 0755), 0);
	expect_tmp();
	ck_assert_int_eq(rmdir(sub), 0);
}
END_TEST

/* ---- clients that mean harm, or die ---- */

static bool
still_serves(void)
{
	client_start(&other, path, true);
	bool ok = strcmp(client_ask(&other, "get vm.uma.conn.size\n"),
		      "ok 3 int\n64\n") == 0;
	client_end(&other);
	return ok;
}

START_TEST(who_reads_nothing_stops_nobody)
{
	offer();
	client_start(&client, path, true);
	for (int i = 0; i < 200; i++)
		ck_assert_ptr_nonnull(uma_zcreate(
		    "filler", 8, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0));
	/* As many replies as fill its buffer, and more. */
	while (send(client.fd, "stats\n", 6, MSG_DONTWAIT) == 6)
		(void)uma_control_handle();
	double start = test_now();
	ck_assert(still_serves());
	ck_assert(test_now() - start < PATIENCE / 2.0);
	/* Waiting for the one costs nothing. */
	ck_assert(!readable(uma_control_fd(NULL)));
	/* It goes on when it reads. */
	for (int i = 0; i < 20; i++) {
		client.len = 0;
		ck_assert(WAIT_FOR(client_take(&client) && client.len > 0));
	}
}
END_TEST

START_TEST(half_a_request_stops_nobody)
{
	offer();
	client_start(&client, path, true);
	client_send(&client, "get vm.uma.co", 13);
	ck_assert(still_serves());
	ck_assert_str_eq(client_ask(&client, "nn.size\n"), "ok 3 int\n64\n");
}
END_TEST

START_TEST(a_line_without_end_is_refused_and_ends_the_client)
{
	char line[1024];

	offer();
	memset(line, 'x', sizeof line);
	client_start(&client, path, true);
	client_send(&client, line, sizeof line);
	client_wait_reply(&client);
	ck_assert_str_eq(client.text, "error 7 request too long\n");
	ck_assert(client_is_over(&client));
	/* One less fits. */
	line[sizeof line - 1] = '\n';
	client_start(&client, path, true);
	client_send(&client, line, sizeof line);
	client_wait_reply(&client);
	ck_assert_int_eq(strncmp(client.text, "error 38 ", 9), 0);
}
END_TEST

START_TEST(bytes_without_sense_do_no_harm)
{
	static const char *const word[] = {"get ", "set ", "list ", "describe ",
	    "stats ", "reclaim ", "vm.", "uma.", "conn", "\\x", "\\x00", "%s%n",
	    "\n", "\r\n", ".", " "};
	uint64_t seed = test_seed("bytes_without_sense_do_no_harm");

	offer();
	for (int i = 0; i < TEST_SCALE(300); i++) {
		char text[900];
		size_t len = 0;

		while (len < 800) {
			uint64_t r = test_rand(&seed);

			if (r % 3 == 0)
				text[len++] = (char)(r >> 8);
			else
				len += (size_t)sprintf(text + len, "%s",
				    word[(r >> 8) %
					 (sizeof word / sizeof word[0])]);
		}
		client_start(&client, path, true);
		client_send(&client, text, len);
		for (int k = 0; k < 50; k++) {
			client.len = 0;
			(void)client_take(&client);
		}
		client_end(&client);
	}
	ck_assert(still_serves());
}
END_TEST

START_TEST(who_leaves_in_the_middle_raises_no_signal)
{
	offer();
	for (int i = 0; i < 100; i++) {
		client_start(&client, path, true);
		client_send(
		    &client, "stats\nstats\nstats\nget vm.zone_stats\n", 36);
		for (int k = 0; k < i % 4; k++)
			(void)uma_control_handle();
		client_end(&client);
	}
	while (readable(uma_control_fd(NULL)))
		(void)uma_control_handle();
	ck_assert(still_serves());
}
END_TEST

START_TEST(thousands_of_clients_get_eight_places)
{
	enum { MANY = 300, ROUNDS = 10 };
	static int fd[MANY];
	int before = descriptors();

	offer();
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < MANY; i++) {
			fd[i] = client_connect(path);
			(void)uma_control_handle();
		}
		int mine = 0;
		for (int i = 0; i < MANY; i++)
			mine += fd[i] >= 0;
		ck_assert_int_le(descriptors() - before - mine, 3 + 8);
		if (round == ROUNDS - 1)
			break;
		for (int i = 0; i < MANY; i++)
			close(fd[i]);
		while (readable(uma_control_fd(NULL)))
			(void)uma_control_handle();
	}
	/* One that has been idle for a second makes room. */
	test_sleep_ms(1100);
	ck_assert(still_serves());
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
}
END_TEST

START_TEST(without_descriptors_it_waits)
{
	struct rlimit old, none;

	offer();
	int fd = client_connect(path), set = uma_control_fd(NULL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 3;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	(void)uma_control_handle();
	/* The loop is not kept busy. */
	ck_assert(!readable(set));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	client = (struct client){.fd = fd, .serves = true};
	client_wait_reply(&client);
	ck_assert_int_eq(strncmp(client.text, "libuma ", 7), 0);
}
END_TEST

/* ---- forks and the end ---- */

START_TEST(all_descriptors_are_closed_by_exec)
{
	bool was[1024];

	for (int fd = 0; fd < 1024; fd++)
		was[fd] = fcntl(fd, F_GETFD) >= 0;
	offer();
	client_start(&client, path, true);
	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);

		ck_assert(was[fd] || flags < 0 || (flags & FD_CLOEXEC));
	}
}
END_TEST

static void
child_has_nothing(void *arg)
{
	CHILD_MUST(descriptors() == *(int *)arg);
	CHILD_MUST(uma_control_handle() == 0);
	uma_control_close();
	CHILD_MUST(is_there(path));
	exit(0);
}

START_TEST(a_child_neither_serves_nor_removes_it)
{
	int before = descriptors();

	offer();
	client_start(&client, path, true);
	int mine = before + 1; /* the client's own end */
	in_child(child_has_nothing, &mine);
	ck_assert(is_there(path));
	ck_assert_str_eq(
	    client_ask(&client, "get vm.uma.conn.size\n"), "ok 3 int\n64\n");
	ck_assert(still_serves());
}
END_TEST

static void
child_offers_its_own(void *arg)
{
	char own[128];

	(void)arg;
	snprintf(own, sizeof own, "%s.child", path);
	CHILD_MUST(uma_control_fd(path) == -1 && errno == EADDRINUSE);
	CHILD_MUST(uma_control_fd(own) >= 0);
	client_start(&other, own, true);
	CHILD_MUST(strncmp(client_ask(&other, "help\n"), "ok ", 3) == 0);
	exit(0);
}

START_TEST(a_child_may_have_one_of_its_own)
{
	char own[128];

	offer();
	client_start(&client, path, true);
	in_child(child_offers_its_own, NULL);
	snprintf(own, sizeof own, "%s.child", path);
	ck_assert(!is_there(own));
	ck_assert_str_eq(
	    client_ask(&client, "get vm.uma.conn.size\n"), "ok 3 int\n64\n");
}
END_TEST

/* A child of its owner that lives on does not answer for it. */
START_TEST(when_the_owner_is_dead_so_is_the_socket)
{
	int fd[2], status;
	pid_t grandchild;

	ck_assert_int_eq(pipe(fd), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		CHILD_MUST(uma_control_fd(path) >= 0);
		grandchild = fork();
		if (grandchild == 0) {
			alarm(60);
			pause();
		}
		CHILD_MUST(write(fd[1], &grandchild, sizeof grandchild) ==
			   sizeof grandchild);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(
	    read(fd[0], &grandchild, sizeof grandchild), sizeof grandchild);
	ck_assert(is_there(path));
	ck_assert(WAIT_FOR(client_connect(path) == -1));
	ck_assert_int_eq(errno, ECONNREFUSED);
	offer();
	kill(grandchild, SIGKILL);
}
END_TEST

static void
child_exits(void *arg)
{
	(void)arg;
	CHILD_MUST(uma_control_fd(path) >= 0);
	CHILD_MUST(is_there(path));
	exit(0);
}

START_TEST(exit_removes_the_file)
{
	in_child(child_exits, NULL);
	ck_assert(!is_there(path));
}
END_TEST

static int
fork_handle(SYSCTL_HANDLER_ARGS)
{
	int status = 0;
	pid_t pid = fork();

	(void)oidp, (void)arg1, (void)arg2;
	if (pid == 0) {
		int v = 1;

		/* The child goes on, back through the request. */
		return SYSCTL_OUT(req, &v, sizeof v);
	}
	(void)waitpid(pid, &status, 0);
	return SYSCTL_OUT(req, &status, sizeof status);
}

static pid_t tester;

START_TEST(a_handler_may_fork)
{
	tester = getpid();
	ck_assert_ptr_nonnull(
	    SYSCTL_ADD_PROC(NULL, uma_sysctl_children("_vm"), OID_AUTO, "fork",
		CTLTYPE_INT | CTLFLAG_RD, NULL, 0, fork_handle, "I", ""));
	offer();
	client_start(&client, path, true);
	client_send(&client, "get vm.fork\n", 12);
	while (uma_control_handle() == 0) {
		if (getpid() != tester) {
			/* Nothing is served here, and nothing was lost. */
			CHILD_MUST(uma_control_handle() == 0);
			uma_control_close();
			_exit(is_there(path) ? 9 : 1);
		}
	}
	client_wait_reply(&client);
	ck_assert_str_eq(client.text, "ok 5 int\n2304\n");
}
END_TEST

static int
close_handle(SYSCTL_HANDLER_ARGS)
{
	int v = uma_control_handle() + (uma_control_fd(NULL) < 0);

	(void)oidp, (void)arg1, (void)arg2;
	uma_control_close();
	return SYSCTL_OUT(req, &v, sizeof v);
}

START_TEST(a_handler_may_close_it)
{
	ck_assert_ptr_nonnull(
	    SYSCTL_ADD_PROC(NULL, uma_sysctl_children("_vm"), OID_AUTO, "close",
		CTLTYPE_INT | CTLFLAG_RD, NULL, 0, close_handle, "I", ""));
	offer();
	client_start(&client, path, true);
	ck_assert_str_eq(
	    client_ask(&client, "get vm.close\n"), "ok 2 int\n0\n");
	ck_assert(client_is_over(&client));
	ck_assert(!is_there(path));
	offer();
	ck_assert(still_serves());
}
END_TEST

static void
child_does_nothing(void *arg)
{
	(void)arg;
}

START_TEST(numbers_that_the_program_closed_are_its_own)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	int pipes[8][2], foreign;

	int set = uma_control_fd(path);
	client_start(&client, path, true);
	for (int fd = 3; fd < 64; fd++)
		if (fd != client.fd)
			syscall(SYS_close, fd);
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(pipe(pipes[i]), 0);
		ck_assert_int_eq(write(pipes[i][1], "x", 1), 1);
	}
	ck_assert_int_eq(uma_control_handle(), 0);
	for (int i = 0; i < 8; i++)
		ck_assert(readable(pipes[i][0]));
	/* Nor are events taken from one that has the number of the set. */
	ck_assert_int_ge(dup2(pipes[0][0], 50), 0);
	foreign = epoll_create1(0);
	ck_assert_int_eq(dup2(foreign, set), set);
	ck_assert_int_eq(epoll_ctl(set, EPOLL_CTL_ADD, 50, &ev), 0);
	ck_assert_int_eq(uma_control_handle(), 0);
	ck_assert_int_eq(epoll_wait(set, &ev, 1, 0), 1);
	in_child(child_does_nothing, NULL);
	int now = descriptors();
	ck_assert_int_eq(uma_control_fd(path), -1);
	ck_assert_int_eq(errno, EBADF);
	uma_control_close();
	ck_assert_int_eq(descriptors(), now);
	ck_assert(readable(50));
	ck_assert(!is_there(path));
	offer();
	ck_assert(still_serves());
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("control");
	TCase *t = tcase_create("control");

	tcase_set_timeout(t, TEST_TIMEOUT);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, values_are_read);
	tcase_add_test(t, names_and_values_may_hold_any_byte);
	tcase_add_test(t, values_are_set_where_the_tree_lets_them);
	tcase_add_test(t, a_walk_by_list_meets_what_uma_sysctl_next_does);
	tcase_add_test(t, requests_sent_together_are_answered_in_order);
	tcase_add_test(t, the_loop_is_woken_for_each_of_several_requests);
	tcase_add_test(t, who_says_no_more_still_gets_the_answers);
	tcase_add_test(t, nobody_else_gets_in);
	tcase_add_test(t, a_process_of_another_user_lets_root_in);
	tcase_add_test(t, the_mode_does_not_depend_on_the_umask);
	tcase_add_test(t, closing_removes_the_file_and_the_descriptors);
	tcase_add_test(t, a_client_sees_the_end_though_its_connection_is_held);
	tcase_add_test(t, what_has_taken_the_files_place_stays);
	tcase_add_test(t, no_link_is_followed);
	tcase_add_test(t, a_folder_that_others_write_to_is_refused);
	tcase_add_test(t, bad_paths_are_refused);
	tcase_add_test(t, the_file_of_a_dead_process_is_replaced);
	tcase_add_test(t, of_many_that_come_upon_a_dead_ones_file_one_gets_it);
	tcase_add_test(t, by_default_it_is_under_the_processs_number);
	tcase_add_test(t, folders_that_are_not_ours_alone_are_passed_over);
	tcase_add_test(t, who_reads_nothing_stops_nobody);
	tcase_add_test(t, half_a_request_stops_nobody);
	tcase_add_test(t, a_line_without_end_is_refused_and_ends_the_client);
	tcase_add_test(t, bytes_without_sense_do_no_harm);
	tcase_add_test(t, who_leaves_in_the_middle_raises_no_signal);
	tcase_add_test(t, thousands_of_clients_get_eight_places);
	tcase_add_test(t, without_descriptors_it_waits);
	tcase_add_test(t, all_descriptors_are_closed_by_exec);
	tcase_add_test(t, a_child_neither_serves_nor_removes_it);
	tcase_add_test(t, a_child_may_have_one_of_its_own);
	tcase_add_test(t, when_the_owner_is_dead_so_is_the_socket);
	tcase_add_test(t, exit_removes_the_file);
	tcase_add_test(t, a_handler_may_fork);
	tcase_add_test(t, a_handler_may_close_it);
	tcase_add_test(t, numbers_that_the_program_closed_are_its_own);
	suite_add_tcase(s, t);
	return test_run(s);
}
