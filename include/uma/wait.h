/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma/wait.h - waiting at a limit without sleeping: a call when it is one's
 * turn, for programs that are driven by events.
 */
#ifndef UMA_WAIT_H
#define UMA_WAIT_H

#include <uma.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Who waits.  Zero it before its first use; it stays where it is, and is the
 * library's, from uma_zone_wait() until the function is called or
 * uma_zone_wait_cancel() returns.
 */
struct uma_waiter {
	uint64_t opaque[8];
};

typedef void (*uma_wait_fn)(void *arg);

/*
 * uma_zone_wait: queue for an item, among the callers who sleep for one.
 *
 * fn       called once, with arg, when it is w's turn: the limit has room for
 *          one item then, which is reserved for w.  By the thread that freed
 *          one or made room otherwise, no lock of the library held; at once, in
 *          this call, if there is room now.  It may call any function of the
 *          library, but it must not sleep for the zone nor destroy it.
 * Returns  0, or -1 and fn is not called.
 * Errors   EBUSY: w waits, or has its item reserved.  EAGAIN: more than some
 *          hundred thousand wait for the zone.  EINVAL: fn is NULL.
 * Threads  any.  Does not sleep.
 */
UMA_API int uma_zone_wait(
    uma_zone_t zone, struct uma_waiter *w, uma_wait_fn fn, void *arg);

/*
 * uma_zalloc_waited: uma_zalloc_arg() of the item that is reserved for w.
 * It cannot fail for the limit, nor sleep for it.
 *
 * Errors   as there, and w keeps its reservation.  EAGAIN: it has none.
 * Threads  any; fn too.
 */
UMA_API void *uma_zalloc_waited(
    uma_zone_t zone, struct uma_waiter *w, void *arg, int flags);

/*
 * uma_zone_wait_cancel: give the place, or the reservation, to the next.
 *
 * Returns  0: w does not wait any more, and fn is not called for it; or it was
 *          not waiting.  1: there was a reservation; fn was called, or another
 *          thread is about to.
 */
UMA_API int uma_zone_wait_cancel(uma_zone_t zone, struct uma_waiter *w);

#ifdef __cplusplus
}
#endif

#endif
