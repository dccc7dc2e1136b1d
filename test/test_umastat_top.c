/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_umastat_top.c - umastat --top on a pseudo-terminal: keys, size, and that
 * the terminal is given back on every way out.
 */
#define _GNU_SOURCE /* posix_openpt */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "umastat_run.h"

#define ENTER  "\033[?1049h\033[?25l"
#define LEAVE  "\033[0m\033[?25h\033[?1049l"
#define SECOND 10.0 /* what must happen happens within */

struct screen {
	int master, slave;
	pid_t pid;
	char text[1 << 18]; /* all that was written */
	size_t len, mark;
	struct termios before;
};

static struct patient patient;
static struct screen sc;

static void
screen_open(void)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};

	sc.len = sc.mark = 0;
	sc.master = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert_int_ge(sc.master, 0);
	ck_assert_int_eq(grantpt(sc.master), 0);
	ck_assert_int_eq(unlockpt(sc.master), 0);
	sc.slave = open(ptsname(sc.master), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(sc.slave, 0);
	ck_assert_int_eq(ioctl(sc.master, TIOCSWINSZ, &size), 0);
	ck_assert_int_eq(tcgetattr(sc.slave, &sc.before), 0);
}

/* On the terminal, in a session of its own; in: NULL, or a file to read. */
static void
screen_run(const char *arguments, const char *in)
{
	screen_open();
	sc.pid = fork();
	ck_assert_int_ge(sc.pid, 0);
	if (sc.pid == 0) {
		setsid();
		ioctl(sc.slave, TIOCSCTTY, 0);
		dup2(in == NULL ? sc.slave : open(in, O_RDONLY), 0);
		dup2(sc.slave, 1);
		dup2(sc.slave, 2);
		close(sc.master);
		close(sc.slave);
		umastat_exec(arguments, patient.pid);
	}
}

/* More of what it writes; false: nothing came in that time. */
static bool
screen_read(int ms)
{
	struct pollfd in = {.fd = sc.master, .events = POLLIN};

	if (poll(&in, 1, ms) <= 0 || !(in.revents & POLLIN))
		return false;
	ssize_t n =
	    read(sc.master, sc.text + sc.len, sizeof sc.text - 1 - sc.len);
	if (n <= 0)
		return false;
	sc.len += (size_t)n;
	sc.text[sc.len] = '\0';
	return true;
}

/* Wait until it writes this, after what was waited for before. */
static void
expect(const char *text)
{
	double end = test_now() + SECOND;
	char *at = NULL;

	sc.text[sc.len] = '\0';
	while ((at = strstr(sc.text + sc.mark, text)) == NULL) {
		ck_assert_msg(test_now() < end, "no '%s' in: %.1000s", text,
		    sc.text + sc.mark);
		screen_read(100);
	}
	sc.mark = (size_t)(at - sc.text) + strlen(text);
}

static void
type(const char *keys)
{
	ck_assert_int_eq(
	    write(sc.master, keys, strlen(keys)), (ssize_t)strlen(keys));
}

static bool
terminal_is_as_before(void)
{
	struct termios now;

	ck_assert_int_eq(tcgetattr(sc.slave, &now), 0);
	return now.c_lflag == sc.before.c_lflag &&
	       now.c_iflag == sc.before.c_iflag &&
	       now.c_oflag == sc.before.c_oflag &&
	       memcmp(now.c_cc, sc.before.c_cc, sizeof now.c_cc) == 0;
}

/* It ended: everything read, the terminal given back.  Returns its status. */
static int
screen_end(void)
{
	double end = test_now() + SECOND;
	int status = 0;
	pid_t ended;

	while ((ended = waitpid(sc.pid, &status, WNOHANG)) == 0) {
		ck_assert(test_now() < end);
		screen_read(10);
	}
	ck_assert_int_eq(ended, sc.pid);
	while (screen_read(0))
		;
	ck_assert(terminal_is_as_before());
	const char *last = NULL;
	for (char *s = sc.text; (s = strstr(s, "\033[?1049")) != NULL; s++)
		last = s;
	ck_assert_ptr_nonnull(last);
	ck_assert_int_eq(last[7], 'l'); /* the last of them leaves */
	ck_assert_ptr_eq(strstr(last, "\033[?25l"), NULL);
	close(sc.master);
	close(sc.slave);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
start(void)
{
	setenv("TERM", "xterm", 1);
	patient = patient_start(40);
}

static void
end(void)
{
	patient_end(&patient);
}

START_TEST(it_draws_redraws_and_quits)
{
	screen_run("--top -w 0.1 %p", NULL);
	expect(ENTER);
	expect("\033[H");
	expect("people");
	ck_assert(!terminal_is_as_before());
	expect("\033[H"); /* in place, by itself */
	expect("\033[H");
	type("q");
	ck_assert_int_eq(screen_end(), 0);
}
END_TEST

START_TEST(keys_change_the_order_at_once)
{
	screen_run("--top -w 1000 -m [abp]* %p", NULL);
	expect("by age");
	type("n");
	expect("by name");
	expect("ants");
	expect("bees");
	type("R");
	expect("reversed");
	expect("people");
	expect("bees");
	type("h");
	expect("h: less");
	type("\033[Bx");
	expect("by fail");
	type("\004");
	ck_assert_int_eq(screen_end(), 0);
}
END_TEST

START_TEST(changes_appear_on_the_screen)
{
	screen_run("-t -w 0.3 -m ants %p", NULL);
	expect("ants                      32        2 ");
	expect(" 8.0K       0");
	patient_command(&patient, 'a');
	do
		expect(" 8.0K ");
	while (strtod(sc.text + sc.mark, NULL) == 0);
	type("q");
	ck_assert_int_eq(screen_end(), 0);
}
END_TEST

/* The longest row, and how many: of a frame that begins at text. */
static void
measure(const char *text, int *rows, int *columns)
{
	int column = 0;

	*rows = 1;
	*columns = 0;
	for (const char *s = text; *s != '\0'; s++) {
		if (*s == '\033') {
			if (strncmp(s, "\033[H", 3) == 0 && s != text)
				break;
			s += strcspn(s, "HKJm");
		} else if (*s == '\n') {
			++*rows;
		} else if (*s == '\r') {
			column = 0;
		} else if (++column > *columns) {
			*columns = column;
		}
	}
}

START_TEST(another_size_is_another_frame)
{
	static const struct winsize sizes[] = {
	    {10, 40, 0, 0}, {50, 150, 0, 0}, {1, 1, 0, 0}, {3, 20, 0, 0}};
	int rows, columns;

	screen_run("-t -w 1000 %p", NULL);
	expect("\033[H");
	expect("number 10");
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		while (screen_read(200))
			;
		sc.mark = sc.len;
		ck_assert_int_eq(ioctl(sc.master, TIOCSWINSZ, &sizes[i]), 0);
		expect("\033[H");
		while (screen_read(200))
			;
		measure(sc.text + sc.mark - 3, &rows, &columns);
		ck_assert_int_le(rows, sizes[i].ws_row);
		ck_assert_int_le(columns, sizes[i].ws_col);
		ck_assert(rows == sizes[i].ws_row || rows > 40);
	}
	type("q");
	ck_assert_int_eq(screen_end(), 0);
}
END_TEST

START_TEST(signals_end_it_and_the_terminal_is_given_back)
{
	static const int signals[] = {
	    SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGSEGV, SIGUSR1};

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		screen_run("-t %p", NULL);
		expect("people");
		kill(sc.pid, signals[i]);
		ck_assert_int_eq(screen_end(), -signals[i]);
	}
	screen_run("-t %p", NULL);
	expect("people");
	type("\003"); /* ^C of the terminal itself */
	ck_assert_int_eq(screen_end(), -SIGINT);
}
END_TEST

START_TEST(stopped_it_gives_the_terminal_back_and_takes_it_again)
{
	int status;

	screen_run("-t -w 1000 %p", NULL);
	expect("people");
	type("\032"); /* ^Z */
	ck_assert_int_eq(waitpid(sc.pid, &status, WUNTRACED), sc.pid);
	ck_assert(WIFSTOPPED(status));
	expect(LEAVE);
	ck_assert(terminal_is_as_before());
	kill(sc.pid, SIGCONT);
	expect(ENTER);
	type("n");
	expect("by name");
	type("q");
	ck_assert_int_eq(screen_end(), 0);
}
END_TEST

START_TEST(the_end_of_the_process_leaves_its_message_on_the_terminal)
{
	struct patient p = patient;

	patient = patient_start(0);
	screen_run("-t -w 0.1 %p", NULL);
	expect("people");
	patient_end(&patient);
	ck_assert_int_eq(screen_end(), 3);
	ck_assert_ptr_nonnull(strstr(strstr(sc.text, LEAVE), "has ended\r\n"));
	patient = p;
}
END_TEST

START_TEST(the_end_of_its_input_ends_it)
{
	screen_run("-t -w 1000 %p", "/dev/null");
	expect("people");
	ck_assert_int_eq(screen_end(), 0);
}
END_TEST

START_TEST(a_count_ends_it)
{
	screen_run("-t -w 0.05 -n 3 %p", NULL);
	ck_assert_int_eq(screen_end(), 0);
	char *s = sc.text;
	for (int i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(s = strstr(s + 1, "\033[H"));
	ck_assert_ptr_null(strstr(s + 1, "\033[H"));
}
END_TEST

START_TEST(without_a_terminal_it_prints_plain_tables)
{
	struct run r = umastat("-t -w 0.05 -n 2 %p", patient.pid);

	ck_assert_int_eq(r.status, 0);
	ck_assert_ptr_nonnull(strstr(r.out, "REQ/s"));
	ck_assert_ptr_null(strchr(r.out, '\033'));
	run_free(&r);
}
END_TEST

START_TEST(a_dumb_terminal_gets_plain_tables)
{
	setenv("TERM", "dumb", 1);
	screen_run("-t -w 0.05 -n 1 %p", NULL);
	expect("REQ/s");
	waitpid(sc.pid, NULL, 0);
	ck_assert_ptr_null(strchr(sc.text, '\033'));
}
END_TEST

START_TEST(a_terminal_gets_colours_unless_told_not_to)
{
	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
	screen_run("--map people %p", NULL);
	expect("\033[31m#");
	expect("fresh");
	waitpid(sc.pid, NULL, 0);
	setenv("NO_COLOR", "1", 1);
	screen_run("--map people %p", NULL);
	expect("fresh");
	waitpid(sc.pid, NULL, 0);
	ck_assert_ptr_null(strchr(sc.text, '\033'));
	ck_assert_ptr_nonnull(strstr(sc.text, "|#"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("umastat_top");
	TCase *tc = tcase_create("top");

	tcase_add_checked_fixture(tc, start, end);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, it_draws_redraws_and_quits);
	tcase_add_test(tc, keys_change_the_order_at_once);
	tcase_add_test(tc, changes_appear_on_the_screen);
	tcase_add_test(tc, another_size_is_another_frame);
	tcase_add_test(tc, signals_end_it_and_the_terminal_is_given_back);
	tcase_add_test(
	    tc, stopped_it_gives_the_terminal_back_and_takes_it_again);
	tcase_add_test(
	    tc, the_end_of_the_process_leaves_its_message_on_the_terminal);
	tcase_add_test(tc, the_end_of_its_input_ends_it);
	tcase_add_test(tc, a_count_ends_it);
	tcase_add_test(tc, without_a_terminal_it_prints_plain_tables);
	tcase_add_test(tc, a_dumb_terminal_gets_plain_tables);
	tcase_add_test(tc, a_terminal_gets_colours_unless_told_not_to);
	suite_add_tcase(s, tc);
	return test_run(s);
}
