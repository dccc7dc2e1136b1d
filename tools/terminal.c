/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * terminal.c - taking the terminal, and giving it back on every way out.
 *
 * While it is ours, lines are not edited and not echoed, the other screen is
 * shown, and there is no cursor.  The end, an error and a signal that ends us
 * give it back first; being stopped too, and with SIGCONT it is taken again.
 * The handlers call what POSIX allows there: write, tcsetattr, raise.
 */
#define _GNU_SOURCE /* ppoll */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "umastat.h"

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[0m\033[?25h\033[?1049l"

static struct termios saved, raw;
static volatile sig_atomic_t taken, keyboard;

static void
say(const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0)
			bytes += n, len -= (size_t)n;
	}
}

static void
take(void)
{
	taken = 1;
	if (keyboard)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	say(ENTER, sizeof ENTER - 1);
}

void
terminal_give_back(void)
{
	if (!taken)
		return;
	taken = 0;
	say(LEAVE, sizeof LEAVE - 1);
	if (keyboard)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
}

/* SA_RESETHAND and SA_NODEFER: what is raised here ends us, here. */
static void
on_end(int sig)
{
	terminal_give_back();
	raise(sig);
}

static void
on_stop(int sig)
{
	int keep = errno;

	(void)sig;
	terminal_give_back();
	raise(SIGSTOP);
	take();
	errno = keep;
}

/* Only there so that a wait for keys ends. */
static void
on_size(int sig)
{
	(void)sig;
}

static void
handle(const int *signals, void (*handler)(int), int flags)
{
	for (; *signals != 0; signals++) {
		struct sigaction act = {.sa_flags = flags};

		act.sa_handler = handler;
		sigfillset(&act.sa_mask);
		if (flags & SA_NODEFER)
			sigdelset(&act.sa_mask, *signals);
		sigaction(*signals, &act, NULL);
	}
}

void
terminal_take(void)
{
	static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE,
	    SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGALRM, SIGUSR1, SIGUSR2,
	    0};
	static const int stops[] = {SIGTSTP, 0}, sizes[] = {SIGWINCH, 0};
	sigset_t winch;

	keyboard = tcgetattr(STDIN_FILENO, &saved) == 0;
	raw = saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	/* Its signal comes while we wait, and is remembered while we do not. */
	sigemptyset(&winch);
	sigaddset(&winch, SIGWINCH);
	sigprocmask(SIG_BLOCK, &winch, NULL);
	handle(ends, on_end, SA_RESETHAND | SA_NODEFER);
	handle(stops, on_stop, 0);
	handle(sizes, on_size, 0);
	take();
}

void
terminal_size(int *rows, int *columns)
{
	struct winsize size = {0};

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*rows = size.ws_row > 0 ? size.ws_row : 24;
	*columns = size.ws_col > 0 ? size.ws_col : 80;
}

int
terminal_keys(char *keys, size_t size, double seconds)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	struct timespec wait = {.tv_sec = (time_t)seconds};
	sigset_t none;

	wait.tv_nsec = (long)((seconds - (double)wait.tv_sec) * 1e9);
	sigprocmask(SIG_SETMASK, NULL, &none);
	sigdelset(&none, SIGWINCH);
	int n = ppoll(&in, 1, &wait, &none);
	if (n <= 0)
		return n == 0 || errno == EINTR ? 0 : -1;

	ssize_t got = read(STDIN_FILENO, keys, size);

	if (got < 0 && errno == EINTR)
		return 0;
	return got > 0 ? (int)got : -1;
}
