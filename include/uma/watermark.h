/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma/watermark.h - a call when many of a zone's items are in use, and another
 * when few are again; the most that ever were.
 */
#ifndef UMA_WATERMARK_H
#define UMA_WATERMARK_H

#include <uma.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UMA_WATERMARK_LOW  0 /* fallen to the low mark */
#define UMA_WATERMARK_HIGH 1 /* risen to the high mark */

typedef void (*uma_watermark_fn)(uma_zone_t zone, void *arg, int level);

/*
 * uma_zone_set_watermark: have fn called when the items in use rise to high, and
 * when they have fallen again to low; by turns, beginning with high.
 *
 * low,     items; 0 <= low < high.  fn is called at the mark, or up to a quarter
 * high     of the distance between the marks before it.
 * fn       called with arg and one of the levels above, by a thread whose call
 *          moved items between a CPU's cache and the zone, no lock of the
 *          library held, and by one thread at a time.  It may call any function
 *          of the library, but it must not destroy the zone.  NULL: there are no
 *          marks; low and high are not looked at.
 * Returns  0, or -1 and the marks are as they were.  When it returns, what was
 *          set before is not called any more, and is not running, unless this
 *          is a call from there.
 * Errors   EINVAL: not 0 <= low < high.
 * Threads  any.  Waits for fn to end, if another thread is in it.
 */
UMA_API int uma_zone_set_watermark(
    uma_zone_t zone, int low, int high, uma_watermark_fn fn, void *arg);

/*
 * uma_zone_get_peak: the most items that were ever in use at once, and at most
 * what the caches of the CPUs hold more.
 *
 * Threads  any.  Never sleeps.
 */
UMA_API uint64_t uma_zone_get_peak(uma_zone_t zone);

#ifdef __cplusplus
}
#endif

#endif
