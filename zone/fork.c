/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork.c - every lock is taken before a fork, in their order, and is free after
 * it on both sides; what other threads waited for or walked over in the parent
 * is nobody's business in the child.
 */
#include <pthread.h>

#include "pages_int.h"
#include "zone_int.h"

static void
acquire_limit(struct uma_zone *zone)
{
	uma_lock_fork_acquire(&zone->uz_limit.l_lock);
}

static void
acquire_depots(struct uma_zone *zone)
{
	for (int k = 0; k < zone->uz_domains; k++)
		uma_lock_fork_acquire(&zone->uz_depot[k].d_lock);
}

static void
acquire_cache(struct uma_zone *zone)
{
	cache_fork_prepare(&zone->uz_cache);
}

static void
acquire_keg(struct uma_zone *zone)
{
	keg_fork_prepare(zone->uz_keg);
}

static void
fork_prepare(void)
{
	uma_lock_fork_acquire(&control_lock);
	uma_lock_fork_acquire(&uma_start_lock);
	uma_lock_fork_acquire(&oid_lock);
	uma_lock_fork_acquire(&zlist_lock);
	zlist_each_locked(acquire_limit);
	zlist_each_locked(acquire_depots);
	zlist_each_locked(acquire_cache);
	zlist_each_locked(acquire_keg);
	pages_fork_prepare();
}

static void
release_parent(struct uma_zone *zone)
{
	uma_lock_fork_release(keg_lock(zone->uz_keg));
	cache_fork_parent(&zone->uz_cache);
	for (int k = 0; k < zone->uz_domains; k++)
		uma_lock_fork_release(&zone->uz_depot[k].d_lock);
	uma_lock_fork_release(&zone->uz_limit.l_lock);
}

static void
fork_parent(void)
{
	pages_fork_parent();
	zlist_each_locked(release_parent);
	uma_lock_fork_release(&zlist_lock);
	uma_lock_fork_release(&oid_lock);
	uma_lock_fork_release(&uma_start_lock);
	uma_lock_fork_release(&control_lock);
}

static void
release_child(struct uma_zone *zone)
{
	zone->uz_refs = 0;
	keg_fork_child(zone->uz_keg);
	cache_fork_child(&zone->uz_cache);
	for (int k = 0; k < zone->uz_domains; k++)
		uma_lock_fork_child(&zone->uz_depot[k].d_lock);
	uma_lock_fork_child(&zone->uz_limit.l_lock);
	maxaction_fork_child(zone);
	watermark_fork_child(zone);
}

static void
fork_child(void)
{
	pages_fork_child();
	zlist_each_locked(release_child);
	uma_lock_fork_child(&zlist_lock);
	zlist_each_locked(limit_fork_child);
	oid_fork_child();
	uma_lock_fork_child(&uma_start_lock);
	uma_lock_fork_child(&control_lock);
	control_fork_child();
	tick_fork_child();
}

bool
fork_start(void)
{
	static _Atomic bool registered;

	if (!atomic_exchange(&registered, true) &&
	    pthread_atfork(fork_prepare, fork_parent, fork_child) != 0)
		atomic_store(&registered, false);
	return atomic_load(&registered);
}

/*
 * Early, since the handlers registered first run last before a fork: those of
 * the program may still use zones.  Should it fail, the start tries again.
 */
static __attribute__((constructor(101))) void
fork_construct(void)
{
	(void)fork_start();
}
