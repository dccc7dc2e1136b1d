/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * umactl, the program, on processes that offer a control socket, that offer
 * none, and that are not what they seem.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "children.h"
#include "client.h"

#include <libgen.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <uma/sysctl.h>

static char folder[64], path[96], program[4096];
static pid_t target;
static char text[CLIENT_TEXT];

static unsigned char node_bytes[40];
static char node_text[32] = "a%s\xc3\xa4\x9b\033[31m";
static int node_int = -2;

static int
bytes_handle(SYSCTL_HANDLER_ARGS)
{
	(void)oidp, (void)arg1, (void)arg2;
	return SYSCTL_OUT(req, node_bytes, sizeof node_bytes);
}

static void
target_main(const char *at, int ready)
{
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);

	struct sysctl_oid_list *vm = uma_sysctl_children("_vm");
	uma_zone_t z =
	    uma_zcreate("conn", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	alarm(PATIENCE * 4);
	CHILD_MUST(z != NULL && vm != NULL);
	for (int i = 0; i < 42; i++)
		CHILD_MUST(uma_zalloc(z, M_WAITOK) != NULL);
	for (int i = 0; i < 40; i++)
		node_bytes[i] = (unsigned char)i;
	SYSCTL_ADD_PROC(NULL, vm, OID_AUTO, "bytes",
	    CTLTYPE_OPAQUE | CTLFLAG_RD, NULL, 0, bytes_handle, "", "bytes");
	SYSCTL_ADD_STRING(NULL, vm, OID_AUTO, "t\033 %n", CTLFLAG_RW, node_text,
	    sizeof node_text, "a \033 text");
	SYSCTL_ADD_INT(NULL, vm, OID_AUTO, "int", CTLFLAG_RW, &node_int, 0, "");
	struct pollfd p = {.fd = uma_control_fd(at), .events = POLLIN};
	CHILD_MUST(p.fd >= 0);
	CHILD_MUST(write(ready, "r", 1) == 1);
	for (;;) {
		poll(&p, 1, -1);
		(void)uma_control_handle();
	}
}

/* The same, of which nothing can be asked. */
static void
silent_main(int ready)
{
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	for (int i = 0; i < 3; i++) {
		uma_zone_t z = uma_zcreate("a.b\033[%n", 100, NULL, NULL, NULL,
		    NULL, UMA_ALIGN_PTR, 0);

		CHILD_MUST(z != NULL && uma_zalloc(z, M_WAITOK) != NULL);
		(void)uma_zone_set_max(z, 1000);
	}
	CHILD_MUST(write(ready, "r", 1) == 1);
	pause();
}

#define SILENT "" /* for a path */

/*
 * A process that offers its socket at a path, or with NULL by default, or one
 * that does not.
 */
static pid_t
target_start(const char *at)
{
	int fd[2];
	char byte;

	ck_assert_int_eq(pipe(fd), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(fd[0]);
		if (at != NULL && strcmp(at, SILENT) == 0)
			silent_main(fd[1]);
		else
			target_main(at, fd[1]);
	}
	close(fd[1]);
	ck_assert_int_eq(read(fd[0], &byte, 1), 1);
	close(fd[0]);
	return pid;
}

static void
target_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static void
setup(void)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	snprintf(
	    program, sizeof program, "%.4000s/../tools/umactl", dirname(self));
	folder_make(folder, path);
	setenv("XDG_RUNTIME_DIR", folder, 1);
	target = target_start(path);
}

static void
teardown(void)
{
	char libuma[96];

	target_kill(target);
	snprintf(libuma, sizeof libuma, "%s/libuma", folder);
	(void)rmdir(libuma);
	folder_remove(folder, path);
}

/* Run it by the shell; what it prints, on both, goes to text. */
static int __attribute__((format(printf, 1, 2))) umactl(const char *fmt, ...)
{
	char arguments[512], line[6000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(arguments, sizeof arguments, fmt, ap);
	va_end(ap);
	snprintf(line, sizeof line, "%s %s 2>&1", program, arguments);
	FILE *f = popen(line, "r");
	ck_assert_ptr_nonnull(f);
	size_t n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	int status = pclose(f);
	ck_assert_msg(WIFEXITED(status), "status %#x: %s", status, text);
	return WEXITSTATUS(status);
}

START_TEST(values_are_printed_as_sysctl_does)
{
	static const char *const said[][2] = {
	    {"vm.uma.conn.stats.current", "vm.uma.conn.stats.current: 42\n"},
	    {"-n vm.uma.conn.stats.current", "42\n"},
	    {"-e vm.uma.conn.stats.current", "vm.uma.conn.stats.current=42\n"},
	    {"-N vm.uma.conn.stats.current", "vm.uma.conn.stats.current\n"},
	    {"-x vm.uma.conn.stats.current vm.int",
		"vm.uma.conn.stats.current: 0x0000002a\n"
		"vm.int: 0xfffffffe\n"},
	    {"-t vm.int vm.uma.conn", "vm.int: integer\nvm.uma.conn: node\n"},
	    {"-d vm.zone_count", "vm.zone_count: Number of zones\n"},
	    {"-dt vm.zone_count", "vm.zone_count: integer: Number of zones\n"},
	    {"-C vm.zone_warnings", "vm.zone_warnings: 1 (default)\n"},
	    {"vm.int vm.zone_warnings", "vm.int: -2\nvm.zone_warnings: 1\n"},
	    {"vm.bytes", "vm.bytes: Format: Length:40 "
			 "Dump:0x000102030405060708090a0b0c0d0e0f...\n"},
	    {"-b vm.int | od -An -tx1", " fe ff ff ff\n"},
	    {"-b vm.bytes | od -An -tu1 -j38", "  38  39\n"},
	    {"vm.uma.conn.keg.domain.0.pages",
		"vm.uma.conn.keg.domain.0.pages: 3\n"},
	};

	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
		ck_assert_int_eq(umactl("-p %s %s", path, said[i][0]), 0);
		ck_assert_str_eq(text, said[i][1]);
	}
}
END_TEST

START_TEST(a_node_stands_for_what_is_below_it)
{
	ck_assert_int_eq(umactl("-p %s vm.uma.conn.limit", path), 0);
	ck_assert_str_eq(text, "vm.uma.conn.limit.bucket_max: 262144\n"
			       "vm.uma.conn.limit.high: 0\n"
			       "vm.uma.conn.limit.items: 190\n"
			       "vm.uma.conn.limit.low: 0\n"
			       "vm.uma.conn.limit.max_items: 0\n"
			       "vm.uma.conn.limit.peak: 250\n"
			       "vm.uma.conn.limit.sleepers: 0\n"
			       "vm.uma.conn.limit.sleeps: 0\n");
	ck_assert_int_eq(umactl("-p %s -W vm.uma.conn", path), 0);
	ck_assert_str_eq(text, "vm.uma.conn.limit.max_items: 0\n");
}
END_TEST

START_TEST(all_names_are_those_of_the_tree)
{
	char name[UMA_SYSCTL_NAME_MAX] = "";

	ck_assert_int_eq(umactl("-p %s -aN | grep -v '^vm.[bit]'", path), 0);
	char *save = NULL, *at = strtok_r(text, "\n", &save);
	uma_zcreate("conn", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	while (uma_sysctl_next(name, name, sizeof name) == 0) {
		if (strncmp(name, "vm.uma.conn", 11) != 0)
			continue;
		while (at != NULL && strcmp(at, name) != 0)
			at = strtok_r(NULL, "\n", &save);
		ck_assert_msg(at != NULL, "no %s", name);
	}
	ck_assert_int_eq(umactl("-p %s -a", path), 0);
	ck_assert_ptr_null(strstr(text, "vm.bytes"));
	ck_assert_ptr_nonnull(strstr(text, "\nvm.uma.conn.size: 64\n"));
	ck_assert_int_eq(umactl("-p %s -ao", path), 0);
	ck_assert_ptr_nonnull(strstr(text, "\nvm.zone_stats: Format: Length:"));
}
END_TEST

START_TEST(settings_are_shown_with_their_source)
{
	ck_assert_int_eq(umactl("-p %s vm.uma.limit=123", path), 0);
	ck_assert_str_eq(text, "vm.uma.limit: 0 -> 123\n");
	ck_assert_int_eq(umactl("-p %s -C", path), 0);
	ck_assert_ptr_nonnull(strstr(text, "\nvm.uma.limit: 123 (sysctl)\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nvm.uma.thp: never (default)\n"));
	ck_assert_ptr_null(strstr(text, "vm.zone_count"));
}
END_TEST

START_TEST(values_are_set)
{
	ck_assert_int_eq(umactl("-p %s vm.uma.conn.limit.max_items=1000 "
				"vm.int=-2147483648",
			     path),
	    0);
	ck_assert_str_eq(text, "vm.uma.conn.limit.max_items: 0 -> 1024\n"
			       "vm.int: -2 -> -2147483648\n");
	ck_assert_int_eq(
	    umactl("-p %s -n 'vm.t\\x1b\\x20%%n=x\\y= z'", path), 0);
	ck_assert_str_eq(text, "a%s\xc3\xa4\\x9b\\x1b[31m -> x\\y= z\n");
	ck_assert_int_eq(umactl("-p %s -e vm.int=5", path), 0);
	ck_assert_str_eq(text, "vm.int=5\n");
	ck_assert_int_eq(umactl("-p %s -q vm.int=6", path), 0);
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(umactl("-p %s -n vm.int", path), 0);
	ck_assert_str_eq(text, "6\n");
}
END_TEST

START_TEST(files_of_settings_are_read)
{
	ck_assert_int_eq(
	    umactl("-p %s -f - vm.int <<'EOF'\n"
		   "# a comment\n\n  vm.int = 7 # seven\nvm.uma.limit=\"99\"\n"
		   "vm.zone_warnings\nEOF\n",
		path),
	    0);
	ck_assert_str_eq(text,
	    "vm.int: -2 -> 7\nvm.uma.limit: 0 -> 99\nvm.zone_warnings: 1\n"
	    "vm.int: 7\n");
	ck_assert_int_eq(umactl("-p %s -f /no/such", path), 1);
	/* What -e prints can be read again. */
	ck_assert_int_eq(
	    umactl("-p %s -eaW | %s -p %s -f -", path, program, path), 0);
}
END_TEST

START_TEST(bytes_that_a_terminal_heeds_are_escaped)
{
	ck_assert_int_eq(umactl("-p %s 'vm.t\\x1B %%n'", path), 0);
	ck_assert_str_eq(text, "vm.t\\x1b\\x20%n: a%s\xc3\xa4\\x9b\\x1b[31m\n");
	ck_assert_int_eq(umactl("-p %s -d 'vm.t\033 %%n'", path), 0);
	ck_assert_str_eq(text, "vm.t\\x1b\\x20%n: a \\x1b text\n");
	ck_assert_int_eq(umactl("-p %s -aN", path), 0);
	ck_assert_ptr_nonnull(strstr(text, "\nvm.t\\x1b\\x20%n\n"));
	ck_assert_int_eq(umactl("-p %s 'x\033%%s'", path), 1);
	ck_assert_str_eq(text, "umactl: unknown name 'x\\x1b%s'\n");
}
END_TEST

START_TEST(what_fails_is_said_and_counted)
{
	ck_assert_int_eq(umactl("-p %s vm.no vm.int", path), 1);
	ck_assert_str_eq(text, "umactl: unknown name 'vm.no'\nvm.int: -2\n");
	ck_assert_int_eq(umactl("-p %s -i vm.no vm.int", path), 0);
	ck_assert_str_eq(text, "vm.int: -2\n");
	ck_assert_int_eq(umactl("-p %s vm.zone_count=1", path), 1);
	ck_assert_str_eq(
	    text, "umactl: vm.zone_count: Operation not permitted\n");
	ck_assert_int_eq(umactl("-p %s -q vm.zone_count=1", path), 1);
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(umactl("-p %s vm.int=x", path), 1);
	ck_assert_str_eq(text, "umactl: vm.int: Invalid argument\n");
	ck_assert_int_eq(umactl("-p %s $(printf 'x%%2000d' 1)", path), 1);
	ck_assert_int_eq(umactl("-p %s", path), 2);
	ck_assert_int_eq(umactl("vm.int"), 2);
	ck_assert_int_eq(umactl("-p %s -a vm.int", path), 2);
	ck_assert_int_eq(umactl("-p %s -Z vm.int", path), 2);
	ck_assert_int_eq(umactl("-p x vm.int"), 2);
	ck_assert_int_eq(umactl("-p -1 vm.int"), 2);
	ck_assert_int_eq(umactl("-p /no/such/socket vm.int"), 3);
}
END_TEST

START_TEST(processes_are_found_by_their_numbers)
{
	pid_t pid = target_start(NULL);
	char line[128];

	ck_assert_int_eq(umactl("-p %d vm.int", (int)pid), 0);
	ck_assert_str_eq(text, "vm.int: -2\n");
	ck_assert_int_eq(umactl("-l"), 0);
	snprintf(line, sizeof line, "%7d  test_umactl ", (int)pid);
	ck_assert_msg(strstr(text, line) != NULL, "%s", text);
	ck_assert_int_eq(umactl("-ln"), 0);
	snprintf(line, sizeof line, "%d\n", (int)pid);
	ck_assert_msg(strstr(text, line) != NULL, "%s", text);
	target_kill(pid);
	/* Its file is still there. */
	(void)umactl("-ln");
	ck_assert_ptr_null(strstr(text, line));
	ck_assert_int_eq(umactl("-p %d vm.int", (int)pid), 3);
	snprintf(line, sizeof line, "%s/libuma/%d", folder, (int)pid);
	ck_assert_int_eq(unlink(line), 0);
}
END_TEST

/* A file called by another process's number. */
START_TEST(a_socket_that_is_another_processs_does_not_count)
{
	char libuma[96], fake[128];

	snprintf(libuma, sizeof libuma, "%s/libuma", folder);
	ck_assert_int_eq(mkdir(libuma, 0700), 0);
	snprintf(fake, sizeof fake, "%s/%d", libuma, (int)getppid());
	pid_t pid = target_start(fake);
	(void)umactl("-p %d vm.int", (int)getppid());
	ck_assert_ptr_null(strstr(text, "vm.int: -2"));
	(void)umactl("-l");
	ck_assert_ptr_null(strstr(text, fake));
	target_kill(pid);
	ck_assert_int_eq(unlink(fake), 0);
}
END_TEST

#define HELLO "libuma 9 control 1 pid 1\n"

/* What says this, instead of a process with our library, is refused. */
static void
liar_says(const char *greeting, const char *answer, int status)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	char request[1100];
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof sun.sun_path, "%s/liar", folder);
	ck_assert_int_eq(bind(s, (struct sockaddr *)&sun, sizeof sun), 0);
	ck_assert_int_eq(listen(s, 1), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int c = accept(s, NULL, NULL);

		alarm(PATIENCE);
		send(c, greeting, strlen(greeting), MSG_NOSIGNAL);
		if (strncmp(greeting, HELLO, strlen(HELLO)) == 0 &&
		    read(c, request, sizeof request) > 0)
			send(c, answer, strlen(answer), MSG_NOSIGNAL);
		shutdown(c, SHUT_WR);
		while (read(c, request, sizeof request) > 0)
			;
		_exit(0);
	}
	close(s);
	int got = umactl("-p %s vm.int", sun.sun_path);
	ck_assert_msg(got == status && strchr(text, '\033') == NULL,
	    "'%s' and '%s': %d, %s", greeting, answer, got, text);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(unlink(sun.sun_path), 0);
}

START_TEST(liars_are_not_believed)
{
	char line[3000];

	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	liar_says("", "", 3);
	liar_says("HTTP\033\n", "", 3);
	liar_says("libuma 9 control 2 pid 1\n", "", 3);
	liar_says("error 1 \033\n", "", 3);
	liar_says(line, "", 3);
	liar_says(HELLO, "", 3);
	liar_says(HELLO, "\n", 3);
	liar_says(HELLO, "ok -1\n", 3);
	liar_says(HELLO, "ok 99999999999999999999999\n", 3);
	liar_says(HELLO, "ok 99999999\nx", 3);
	liar_says(HELLO, "ok 5\nx y z", 3);
	liar_says(HELLO, line, 3);
	liar_says(HELLO, "error 2 \033\n", 1);
	liar_says(HELLO, "error 99999 \033\n", 1);
	liar_says(HELLO, "ok 14\nint r I - \033\n\nddok 4 int\n\033[m\n", 3);
	liar_says(HELLO, "ok 13\nint r I - \033\n\nok 4 int\n\033[m\n", 0);
	liar_says(HELLO, "ok 13\nint r I - \033\n\nok 0 int\n", 0);
}
END_TEST

/* ---- without a socket ---- */

START_TEST(zones_are_read_from_the_memory_of_a_silent_process)
{
	pid_t pid = target_start(SILENT);

	ck_assert_int_eq(
	    umactl("-p %d vm.zone_count vm.uma.a_b_[%%n.stats", (int)pid), 0);
	ck_assert_str_eq(text, "vm.zone_count: 5\n"
			       "vm.uma.a_b_[%n.stats.allocs: 1\n"
			       "vm.uma.a_b_[%n.stats.current: 1\n"
			       "vm.uma.a_b_[%n.stats.fails: 0\n"
			       "vm.uma.a_b_[%n.stats.frees: 0\n"
			       "vm.uma.a_b_[%n.stats.xdomain: 0\n");
	ck_assert_int_eq(
	    umactl("-p %d -n 'vm.uma.a_b_[%%n_2.keg.name'", (int)pid), 0);
	ck_assert_str_eq(text, "a.b\\x1b[%n\n");
	ck_assert_int_eq(
	    umactl("-p %d -d 'vm.uma.a_b_[%%n_1.size'", (int)pid), 0);
	ck_assert_str_eq(
	    text, "vm.uma.a_b_[%n_1.size: Bytes of an item, as requested\n");
	ck_assert_int_eq(
	    umactl(
		"-p %d vm.zone_count vm.uma.limit vm.zone_count=1", (int)pid),
	    1);
	ck_assert_ptr_nonnull(
	    strstr(text, "vm.zone_count: 5\numactl: process "));
	ck_assert_ptr_nonnull(strstr(text,
	    " has no control socket that answers: only statistics of zones can "
	    "be "
	    "read, nothing set\numactl: unknown name 'vm.uma.limit'\n"
	    "umactl: vm.zone_count: Operation not supported\n"));
	target_kill(pid);
}
END_TEST

/* Each line of the one is in the other. */
START_TEST(memory_and_socket_say_the_same)
{
	static char memory[CLIENT_TEXT + 2];
	pid_t pid = target_start(NULL);
	char *save = NULL, libuma[128];

	ck_assert_int_eq(umactl("-p %d -ae", (int)pid), 0);
	snprintf(libuma, sizeof libuma, "%s/libuma/%d", folder, (int)pid);
	ck_assert_int_eq(unlink(libuma), 0);
	snprintf(memory, sizeof memory, "\n%s", text);
	ck_assert_int_eq(umactl("-p %d -ae", (int)pid), 0);
	int n = 0;
	for (char *at = strtok_r(text, "\n", &save); at != NULL;
	     at = strtok_r(NULL, "\n", &save)) {
		char line[300];

		snprintf(line, sizeof line, "\n%s\n", at);
		/* The client that asked was some of it. */
		ck_assert_msg(strstr(memory, line) != NULL ||
				  strstr(line, "kmem_total") != NULL,
		    "only in memory: %s", at);
		n++;
	}
	ck_assert_int_gt(n, 60);
	target_kill(pid);
}
END_TEST

START_TEST(another_user_is_told_why_not)
{
	char line[6000];
	pid_t pid = target_start(SILENT);

	if (getuid() != 0 || chmod(folder, 0755) != 0) {
		target_kill(pid);
		return;
	}
	snprintf(line, sizeof line, "%s", program);
	snprintf(program, sizeof program,
	    "setpriv --reuid=65534 --regid=65534 --clear-groups %.3000s", line);
	int by_pid = umactl("-p %d vm.zone_count", (int)pid);
	/* Where the folder of the build is closed to others. */
	bool ran = by_pid != 126 && by_pid != 127;
	ck_assert_msg(!ran || by_pid == 3, "%d: %s", by_pid, text);
	ck_assert(!ran || strstr(text, "umactl: ") == text);
	int by_path = umactl("-p %s vm.zone_count", path);
	ck_assert_msg(!ran || by_path == 3, "%d: %s", by_path, text);
	ck_assert(!ran || strstr(text, "Permission denied") != NULL);
	target_kill(pid);
}
END_TEST

START_TEST(a_stopped_process_is_not_waited_for)
{
	double start = test_now();

	ck_assert_int_eq(kill(target, SIGSTOP), 0);
	ck_assert_int_eq(umactl("-p %s vm.int", path), 3);
	ck_assert_str_eq(
	    text, "umactl: the process does not answer: it takes too long\n");
	ck_assert(test_now() - start < PATIENCE);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("umactl");
	TCase *t = tcase_create("umactl");

	tcase_set_timeout(t, TEST_TIMEOUT);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, values_are_printed_as_sysctl_does);
	tcase_add_test(t, a_node_stands_for_what_is_below_it);
	tcase_add_test(t, all_names_are_those_of_the_tree);
	tcase_add_test(t, settings_are_shown_with_their_source);
	tcase_add_test(t, values_are_set);
	tcase_add_test(t, files_of_settings_are_read);
	tcase_add_test(t, bytes_that_a_terminal_heeds_are_escaped);
	tcase_add_test(t, what_fails_is_said_and_counted);
	tcase_add_test(t, processes_are_found_by_their_numbers);
	tcase_add_test(t, a_socket_that_is_another_processs_does_not_count);
	tcase_add_test(t, liars_are_not_believed);
	tcase_add_test(t, zones_are_read_from_the_memory_of_a_silent_process);
	tcase_add_test(t, a_stopped_process_is_not_waited_for);
	tcase_add_test(t, memory_and_socket_say_the_same);
	tcase_add_test(t, another_user_is_told_why_not);
	suite_add_tcase(s, t);
	return test_run(s);
}
