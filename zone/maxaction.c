/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maxaction.c - what a program wants done when a zone is full.
 *
 * The kernel queues a task for it, and a thread of the kernel's runs the task.
 * We have no thread unless one is asked for, and one that is asked for, to give
 * memory back, sleeps for seconds.  So the thread that the limit stopped runs
 * the action, at the one moment where it has neither locks nor items nor a
 * place in the queue: before it goes to sleep, or before it returns without an
 * item.  It had the time to wait in the first case; in the second the action's
 * time is the caller's, as that of a ctor is.  It also makes sense of the
 * action: what it frees is there for the very call that was stopped and waits.
 *
 * As with a task, stops are counted and not queued: one thread at a time runs
 * the action, with the number of stops since the last run; others add theirs
 * and go on.  The runner looks again when it has come to an end, so no stop is
 * left without a run behind it; but after a few in a row it has done enough for
 * others, and what is then left goes with the next stop.  Stops of the runner
 * in its own action do not count: it would never end.
 */
#include <errno.h>

#include "zone_int.h"

#define RUNS_IN_A_ROW 8

/* Its address is the thread. */
static __thread char self __attribute__((tls_model("initial-exec")));

static inline uintptr_t
thread_self(void)
{
	return (uintptr_t)&self;
}

bool
maxaction_is_ours(struct uma_zone *zone)
{
	return atomic_load_explicit(&zone->uz_maxaction.ma_runner,
		   memory_order_relaxed) == thread_self();
}

void
maxaction_note(struct uma_zone *zone)
{
	struct maxaction *ma = &zone->uz_maxaction;

	if (atomic_load(&ma->ma_fn) != NULL && !maxaction_is_ours(zone))
		atomic_fetch_add(&ma->ma_pending, 1);
}

/* False: another thread is at it, and will look again. */
static bool
maxaction_run_once(struct uma_zone *zone)
{
	struct maxaction *ma = &zone->uz_maxaction;
	uintptr_t nobody = 0;

	if (!atomic_compare_exchange_strong(
		&ma->ma_runner, &nobody, thread_self()))
		return false;
	uint32_t n = atomic_exchange(&ma->ma_pending, 0);
	uma_maxaction_t fn = atomic_load(&ma->ma_fn);
	if (n > 0 && fn != NULL)
		fn(zone, (int)uma_min(n, (uint32_t)INT_MAX));
	atomic_store(&ma->ma_runner, 0);
	return true;
}

void
maxaction_run(struct uma_zone *zone)
{
	struct maxaction *ma = &zone->uz_maxaction;
	int saved = errno;

	for (int k = 0; k < RUNS_IN_A_ROW && atomic_load(&ma->ma_pending) != 0;
	     k++)
		if (!maxaction_run_once(zone))
			break;
	errno = saved;
}

void
maxaction_fork_child(struct uma_zone *zone)
{
	struct maxaction *ma = &zone->uz_maxaction;

	if (maxaction_is_ours(zone))
		return;
	atomic_store(&ma->ma_runner, 0);
	atomic_store(&ma->ma_pending, 0);
}

void
uma_zone_set_maxaction(uma_zone_t zone, uma_maxaction_t fn)
{
	atomic_store(&zone->uz_maxaction.ma_fn, fn);
}
