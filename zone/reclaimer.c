/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reclaimer.c - the thread that gives memory back, for programs that ask for it
 * with vm.uma.reclaim_thread=1, and serves the control socket, for those that
 * ask with vm.uma.control.  Nobody else gets one, and it does what it was asked
 * for only.
 *
 * It sleeps until the next period's work is due (tick.c), the system says that
 * memory is short (pressure.c), or somebody has a request (control.c).  It has
 * no lock, so that exit needs not to wait for it: what it works on is never
 * freed, and it ends with the process.
 *
 * It starts with the first zone, also before main: the setting was read from
 * the environment, so the C library is up, and pthread_create takes no lock of
 * the dynamic linker's that a constructor's caller holds.  It does not start
 * from an allocation or a free, since pthread_create calls malloc, and the
 * malloc of a program that makes its own of zones may hold a lock just then.
 *
 * Its stack is as large as the system has it for threads, since fini hooks run
 * on it, which are the program's; what they do not touch is address space only.
 * All signals are blocked: those of the process are for the program's threads.
 *
 * The child of a fork has no such thread until it makes a zone or ticks.
 */
#define _GNU_SOURCE /* pthread_setname_np */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <uma/control.h>
#include <uma/reclaim.h>

#include "zone_int.h"

/* The shortest time from one event to the next, however many there are. */
#define RECLAIMER_REST_NS INT64_C(100000000)
/* With nothing else to do: from one look whether all others left to the next.
 */
#define RECLAIMER_LOOK_NS INT64_C(10000000000)

enum { RECLAIMER_NONE, RECLAIMER_STARTS, RECLAIMER_RUNS, RECLAIMER_FAILED };
static _Atomic uint32_t reclaimer_state;

bool
reclaimer_runs(void)
{
	return uma_settings.set_reclaim_thread &&
	       atomic_load_explicit(&reclaimer_state, memory_order_relaxed) ==
		   RECLAIMER_RUNS;
}

void
reclaimer_fork_child(void)
{
	atomic_store(&reclaimer_state, RECLAIMER_NONE);
}

static void
reclaimer_sleep(int64_t ns)
{
	static _Atomic uint32_t never;

	uma_wait(&never, 0, ns);
}

enum { WOKEN_PRESSURE = 1, WOKEN_CONTROL = 2 };

/*
 * Until that time, or the first event before it; what there was.  A program
 * that closes all descriptors closes these too: time alone, then.
 */
static int
reclaimer_wait(int64_t until)
{
	struct pollfd p[2] = {
	    {.fd = uma_settings.set_reclaim_thread ? uma_pressure_fd() : -1,
		.events = POLLIN},
	    {.fd = control_descriptor(), .events = POLLIN}};
	int64_t ns = uma_max(until - uma_now_ns(), 0);

	int ms = (int)uma_min(ns / 1000000 + (ns % 1000000 != 0), INT_MAX);
	if (poll(p, 2, until == INT64_MAX ? -1 : ms) <= 0)
		return 0;
	int woken = (p[0].revents & POLLIN ? WOKEN_PRESSURE : 0) |
		    (p[1].revents & POLLIN ? WOKEN_CONTROL : 0);
	if (woken == 0)
		reclaimer_sleep(uma_max(ns, RECLAIMER_REST_NS));
	return woken;
}

/* What is due; returns when there is more. */
static int64_t
reclaimer_round(void)
{
	if (!uma_settings.set_reclaim_thread)
		return uma_now_ns() + RECLAIMER_LOOK_NS;
	int64_t next = tick_round();
	return uma_min(next, total_watch());
}

/*
 * main has left by pthread_exit, and so have all others: only we would keep the
 * process, and from every signal but one.
 */
static bool
reclaimer_alone(void)
{
	char text[512], state = 0;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC), threads = 0;
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

	if (fd >= 0)
		close(fd);
	text[uma_max(n, (ssize_t)0)] = '\0';
	/* Fields 3 and 20, behind a name that may hold anything; proc(5). */
	const char *p = strrchr(text, ')');
	return p != NULL &&
	       sscanf(p,
		   ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
		   "%*s %*s %*s %d",
		   &state, &threads) == 2 &&
	       state == 'Z' && threads <= 2;
}

static void *
reclaimer_main(void *arg)
{
	pthread_setname_np(pthread_self(), "uma_reclaim");
	control_offer();
	while (!reclaimer_alone()) {
		int woken = reclaimer_wait(reclaimer_round());

		if (woken & WOKEN_CONTROL)
			(void)uma_control_handle();
		if (woken & WOKEN_PRESSURE) {
			(void)uma_pressure_handle();
			reclaimer_sleep(RECLAIMER_REST_NS);
		}
	}
	return arg;
}

static int
reclaimer_start(void)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t thread;

	int error = pthread_attr_init(&attr);
	if (error != 0)
		return error;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&thread, &attr, reclaimer_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return error;
}

void
reclaimer_check(void)
{
	uint32_t none = RECLAIMER_NONE;
	int saved = errno;

	if (uma_likely(!uma_settings.set_reclaim_thread &&
		       uma_settings.set_control[0] == '\0') ||
	    !atomic_compare_exchange_strong(
		&reclaimer_state, &none, RECLAIMER_STARTS))
		return;
	int error = reclaimer_start();
	atomic_store(
	    &reclaimer_state, error == 0 ? RECLAIMER_RUNS : RECLAIMER_FAILED);
	if (error != 0 && uma_settings.set_reclaim_thread)
		uma_message("uma: vm.uma.reclaim_thread: no thread, error %d; "
			    "memory goes back without",
		    error);
	if (error != 0 && uma_settings.set_control[0] != '\0')
		uma_message("uma: vm.uma.control: no thread, error %d", error);
	errno = saved;
}
