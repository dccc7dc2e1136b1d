/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wait.c - waiting at a limit without sleeping.
 *
 * A waiter is idle, queued, or has its unit (granted), and busy while one of
 * the calls here has it in hand.  From idle, whoever changes the state first
 * has it; from queued and granted, whoever has the lock of the limit, so that
 * the child of a fork finds as many granted as there are units reserved.
 * Whoever grants a unit copies the function beforehand and does not look at the
 * waiter again: its owner may be through with it before the function is called.
 */
#include <errno.h>

#include "pages_int.h"
#include "zone_int.h"

static struct limit_waiter *
waiter_limit(struct uma_waiter *w)
{
	return (struct limit_waiter *)(void *)w;
}

static bool
waiter_begin(struct limit_waiter *s)
{
	uint32_t idle = WAIT_IDLE;

	return atomic_compare_exchange_strong(&s->lw_state, &idle, WAIT_BUSY);
}

/* One that waits elsewhere would break the books of both zones. */
static void
waiter_check(struct uma_zone *zone, struct limit_waiter *s)
{
	uint32_t state = atomic_load(&s->lw_state);
	char name[128];

	UMA_FATAL_IF((state == WAIT_QUEUED || state == WAIT_GRANTED) &&
			 atomic_load(&s->lw_zone) != zone,
	    "zone '%s': waiter of another zone",
	    uma_escape(name, sizeof name, zone->uz_name));
}

/* Queue it; what others free meanwhile into caches is its as well. */
static int
waiter_queue(struct uma_zone *zone, struct limit_waiter *s)
{
	if (!limit_queue(zone, s)) {
		atomic_store(&s->lw_state, WAIT_IDLE);
		errno = EAGAIN;
		return -1;
	}
	zone_drain(zone);
	watermark_look(zone);
	return 0;
}

int
uma_zone_wait(uma_zone_t zone, struct uma_waiter *w, uma_wait_fn fn, void *arg)
{
	struct limit_waiter *s = waiter_limit(w);

	zalloc_check_alive(zone);
	if (fn == NULL) {
		errno = EINVAL;
		return -1;
	}
	if (!waiter_begin(s)) {
		errno = EBUSY;
		return -1;
	}
	s->lw_fn = fn;
	s->lw_arg = arg;
	atomic_store(&s->lw_zone, zone);
	if (limit_is_calling(zone))
		return waiter_queue(zone, s);
	if (limit_try(zone)) {
		limit_reserve(zone, s);
		limit_call(zone, fn, arg);
		watermark_look(zone);
		return 0;
	}
	limit_stops(zone);
	maxaction_run(zone);
	return waiter_queue(zone, s);
}

void *
uma_zalloc_waited(uma_zone_t zone, struct uma_waiter *w, void *arg, int flags)
{
	struct limit_waiter *s = waiter_limit(w);
	int error = 0, saved = errno;

	flags = zalloc_check_flags(zone, flags);
	zalloc_check_alive(zone);
	waiter_check(zone, s);
	if (!limit_claim(zone, s, WAIT_BUSY)) {
		errno = EAGAIN;
		return NULL;
	}
	sample_check();
	void *item = zone_import_one(
	    zone, zone_import_domain(zone), flags, UNTIL_NEVER, &error);
	if (item != NULL) {
		errno = saved;
		error = item_construct(zone, item, arg, flags);
	}
	if (item != NULL && error == 0) {
		atomic_fetch_add_explicit(
		    &zone->uz_allocs, 1, memory_order_relaxed);
		atomic_store(&s->lw_state, WAIT_IDLE);
		sample_alloc(zone, item);
		return item;
	}
	if (item != NULL)
		keg_release(zone->uz_keg, zone->uz_name, &item, 1);
	atomic_fetch_add_explicit(&zone->uz_fails, 1, memory_order_relaxed);
	limit_reserve(zone, s);
	errno = error != 0 ? error : ENOMEM;
	probe_alloc_fail(zone->uz_name, zone, errno);
	return NULL;
}

int
uma_zone_wait_cancel(uma_zone_t zone, struct uma_waiter *w)
{
	struct limit_waiter *s = waiter_limit(w);

	waiter_check(zone, s);
	if (limit_leave(zone, s) || !limit_claim(zone, s, WAIT_IDLE))
		return 0;
	limit_give(zone, 1);
	watermark_look(zone);
	return 1;
}
