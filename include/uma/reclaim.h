/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma/reclaim.h - when memory goes back by itself: after a time of idleness,
 * under memory pressure, above a total.
 */
#ifndef UMA_RECLAIM_H
#define UMA_RECLAIM_H

#include <uma.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * uma_reclaim_tick: give back what has been idle for some periods
 * (vm.uma.reclaim_period, in milliseconds), if that is due.  For programs with
 * an event loop of their own; others set vm.uma.reclaim_thread=1.
 *
 * Takes about a millisecond at most and goes on in the next call.
 * Returns  milliseconds until the next call is of use; 0: there is more to do;
 *          INT_MAX: never, as vm.uma.reclaim_period is 0, or with
 *          vm.uma.prefault or vm.uma.mlock.
 * Threads  any, one at a time has an effect; the others, and fini hooks that
 *          call it, get a time at once.  Runs fini hooks.
 */
UMA_API int uma_reclaim_tick(void);

/*
 * uma_pressure_fd: a descriptor that poll(2), select(2) and epoll(7) show as
 * readable while the system says that memory is short.
 *
 * It comes from, in this order, what the service manager gives in
 * MEMORY_PRESSURE_WATCH, the pressure file of the process's control group, the
 * system's, and the event counters of the control group.
 * Returns  the descriptor, the same at each call; it is the library's, and is
 *          not to be closed or read.  Execve closes it.
 * Errors   -1 with errno.  ENOTSUP: the system offers none of these, or the
 *          service manager wants none watched.  EMFILE, ENFILE, ENOMEM.
 * Threads  any.  The child of a fork has none until it calls this.
 */
UMA_API int uma_pressure_fd(void);

/*
 * uma_pressure_handle: take note of what made uma_pressure_fd() readable and
 * give memory back: what is above the working set, and at most once a second
 * everything that is cached.  May be called without waiting for the descriptor,
 * which a pressure file shows as readable once for each report.
 *
 * Returns  1 if there was pressure, 0 if not (nothing was given back).
 * Threads  any.  Runs fini hooks.
 */
UMA_API int uma_pressure_handle(void);

/*
 * The soft limit on the memory of all zones together: above it the library
 * gives back what it caches, at most once a second.  No allocation fails or
 * waits for it.
 *
 * uma_set_limit  bytes; 0 for none.  Starts as vm.uma.limit.  Looked at when a
 *                zone next takes items from its slabs.
 * uma_limit      the limit, in bytes; 0 for none.
 * uma_size       bytes of memory that zones and the library itself hold.
 * uma_avail      uma_limit() - uma_size(), which may be negative; without a
 *                limit LONG_MAX.
 */
UMA_API void uma_set_limit(unsigned long bytes);
UMA_API unsigned long uma_limit(void);
UMA_API unsigned long uma_size(void);
UMA_API long uma_avail(void);

#ifdef __cplusplus
}
#endif

#endif
