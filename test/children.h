/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * children.h - forked children that do a part of a test.
 *
 * A child reports by its exit status and is killed by its own alarm when it
 * hangs.  It must not use Check, whose pipe belongs to the parent.
 */
#ifndef UMA_TEST_CHILDREN_H
#define UMA_TEST_CHILDREN_H

#include "threads.h"

enum { CHILD_SECONDS = TEST_TSAN || TEST_ASAN ? 120 : 30 };

/* In the child: leave with the line's number when cond is false. */
#define CHILD_MUST(cond)                      \
	do {                                  \
		if (!(cond))                  \
			child_fail(__LINE__); \
	} while (0)

static inline _Noreturn void
child_fail(int line)
{
	char text[] = "child failed at line 00000\n";

	for (char *p = text + sizeof text - 3; line > 0; line /= 10)
		*p-- = (char)('0' + line % 10);
	ssize_t n = write(2, text, sizeof text - 1);
	_exit(n > 0 ? 1 : 2);
}

/* fork, run fn(arg) in the child and demand that it returns in time. */
static inline void
in_child(void (*fn)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(CHILD_SECONDS);
		fn(arg);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) != pid)
		ck_assert_int_eq(errno, EINTR);
	ck_assert_msg(!WIFSIGNALED(status), "the child %s",
	    WTERMSIG(status) == SIGALRM ? "hangs" : "died by a signal");
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

#endif
