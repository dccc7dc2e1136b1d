/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * total.c - the soft limit on the memory of all zones together.
 *
 * Why it never fails an allocation.  The limit is there to have caches given
 * back before memory is short, which nobody but the library can do; what is
 * allocated only the program can give back, and telling it through NULL at a
 * line that some other zone crossed would punish whoever comes next.  FreeBSD's
 * behaves so.  A bound that must hold is a zone's limit, or RLIMIT_AS: those
 * name who is refused.  The design counts the total among the suppliers that
 * may fail; here it is none, since M_WAITOK callers would wait for frees that
 * no rule promises.
 *
 * The check stands where items come from slabs, which is where the total may
 * rise.  Above the limit the caches of all CPUs are emptied, at most once a
 * second, by the thread that came by, or by the helper if there is one; a
 * program that really needs more than its limit works on with a cost that is
 * bounded.
 */
#include <errno.h>

#include <uma/reclaim.h>

#include "pages_int.h"
#include "zone_int.h"

#define TOTAL_PERIOD_NS INT64_C(1000000000)
#define TOTAL_NONE_NS	(20 * TOTAL_PERIOD_NS) /* a limit may be set later */
#define TOTAL_UNSET	UINT64_MAX /* as vm.uma.limit has it */

static _Atomic uint64_t total_limit = TOTAL_UNSET;
static _Atomic int64_t total_next_at; /* the next reclaim */

static uint64_t
total_get(void)
{
	uint64_t limit =
	    atomic_load_explicit(&total_limit, memory_order_relaxed);

	return limit == TOTAL_UNSET ? SETTING(limit) : limit;
}

/*
 * In the middle of an allocation a lock may be held that the fini of quite
 * another zone wants: the slabs of zones with one stay then.
 */
static UMA_COLD void
total_reclaim(void)
{
	int saved = errno;

	if (!warn_due(&total_next_at, TOTAL_PERIOD_NS))
		return;
	reclaim_without_hooks();
	errno = saved;
}

void
total_check(void)
{
	uint64_t limit = total_get();

	if (uma_unlikely(limit != 0 && pages_held() > limit) &&
	    !reclaimer_runs())
		total_reclaim();
}

int64_t
total_watch(void)
{
	uint64_t limit = total_get();

	if (limit != 0 && pages_held() > limit &&
	    warn_due(&total_next_at, TOTAL_PERIOD_NS))
		uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	return uma_now_ns() + (limit != 0 ? TOTAL_PERIOD_NS : TOTAL_NONE_NS);
}

void
uma_set_limit(unsigned long bytes)
{
	atomic_store_explicit(&total_limit,
	    uma_min((uint64_t)bytes, TOTAL_UNSET - 1), memory_order_relaxed);
}

unsigned long
uma_limit(void)
{
	/* The settings are read by the first call of all. */
	(void)uma_start();
	return (unsigned long)total_get();
}

unsigned long
uma_size(void)
{
	return pages_held();
}

long
uma_avail(void)
{
	unsigned long limit = uma_limit(), size = uma_size();

	if (limit == 0)
		return LONG_MAX;
	if (limit >= size)
		return (long)uma_min(limit - size, (unsigned long)LONG_MAX);
	return -(long)uma_min(size - limit, (unsigned long)LONG_MAX);
}
