/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list.c - all zones, newest first, and walking them while they come and go.
 *
 * A walker holds a reference to the zone it is at, not the lock, so that it may
 * run hooks there; removal waits for the walkers to move on.
 */
#include "zone_int.h"

struct uma_lock zlist_lock = UMA_LOCK_INITIALIZER(UMA_RANK_ZLIST);

/* guarded by zlist_lock */
static CDS_LIST_HEAD(zlist);
static size_t zlist_cnt;
static struct uma_zone *zlist_mark; /* where zlist_resume goes on, or NULL */

static _Atomic uint32_t zlist_moves; /* walkers that moved on */

/*
 * Twice the changes of the list, and odd while one is under way: for readers of
 * our memory, who take no lock.
 */
static _Atomic uint64_t zlist_changes;

/* Around a change.  Locked. */
static void
zlist_tell_change(void)
{
	uma_lock_assert_held(&zlist_lock);
	atomic_fetch_add(&zlist_changes, 1);
}

void
zlist_add(struct uma_zone *zone)
{
	uma_lock_acquire(&zlist_lock);
	zone_name_assign(zone);
	zlist_tell_change();
	cds_list_add(&zone->uz_link, &zlist);
	zlist_cnt++;
	sample_zone(zone);
	zlist_tell_change();
	uma_lock_release(&zlist_lock);
}

static struct uma_zone *
zlist_after(struct uma_zone *zone)
{
	struct cds_list_head *at = zone->uz_link.next;

	return at != &zlist ? cds_list_entry(at, struct uma_zone, uz_link)
			    : NULL;
}

void
zlist_remove(struct uma_zone *zone)
{
	for (;;) {
		uma_lock_acquire(&zlist_lock);
		uint32_t moves = atomic_load(&zlist_moves);
		bool alone = zone->uz_refs == 0;
		if (alone) {
			if (zlist_mark == zone)
				zlist_mark = zlist_after(zone);
			zone_name_drop(zone);
			zlist_tell_change();
			cds_list_del(&zone->uz_link);
			zlist_cnt--;
			zlist_tell_change();
		}
		uma_lock_release(&zlist_lock);
		if (alone)
			return;
		uma_wait(&zlist_moves, moves, -1);
	}
}

/* A child of a fork forgets the walkers, of which the caller may be one. */
static bool
zlist_unref(struct uma_zone *zone)
{
	if (zone->uz_refs == 0 || --zone->uz_refs > 0)
		return false;
	atomic_fetch_add(&zlist_moves, 1);
	return true;
}

struct uma_zone *
zlist_next(struct uma_zone *prev)
{
	struct cds_list_head *at;
	struct uma_zone *next = NULL;
	bool left = false;

	uma_lock_acquire(&zlist_lock);
	at = prev == NULL ? zlist.next : prev->uz_link.next;
	if (at != &zlist) {
		next = cds_list_entry(at, struct uma_zone, uz_link);
		next->uz_refs++;
	}
	if (prev != NULL)
		left = zlist_unref(prev);
	uma_lock_release(&zlist_lock);
	if (left)
		uma_wake(&zlist_moves, INT_MAX);
	return next;
}

struct uma_zone *
zlist_pick(bool (*pick)(struct uma_zone *zone, void *arg), void *arg)
{
	struct uma_zone *picked = NULL;
	struct cds_list_head *at;

	uma_lock_acquire(&zlist_lock);
	cds_list_for_each (at, &zlist) {
		struct uma_zone *zone =
		    cds_list_entry(at, struct uma_zone, uz_link);

		if (pick(zone, arg))
			picked = zone;
	}
	if (picked != NULL)
		picked->uz_refs++;
	uma_lock_release(&zlist_lock);
	return picked;
}

struct uma_zone *
zlist_find(const struct keg *keg)
{
	struct cds_list_head *at;
	struct uma_zone *zone = NULL;

	uma_lock_acquire(&zlist_lock);
	cds_list_for_each (at, &zlist) {
		struct uma_zone *z =
		    cds_list_entry(at, struct uma_zone, uz_link);

		if (z->uz_keg == keg)
			zone = z;
	}
	if (zone != NULL)
		zone->uz_refs++;
	uma_lock_release(&zlist_lock);
	return zone;
}

size_t
zlist_count(void)
{
	uma_lock_acquire(&zlist_lock);
	size_t n = zlist_cnt;
	uma_lock_release(&zlist_lock);
	return n;
}

void
zlist_each_locked(void (*fn)(struct uma_zone *zone))
{
	struct cds_list_head *at;

	/* The head is no zone, nor aligned like one. */
	cds_list_for_each (at, &zlist)
		fn(cds_list_entry(at, struct uma_zone, uz_link));
}

void
zlist_leave(struct uma_zone *zone)
{
	uma_lock_acquire(&zlist_lock);
	bool left = zlist_unref(zone);
	uma_lock_release(&zlist_lock);
	if (left)
		uma_wake(&zlist_moves, INT_MAX);
}

void
zlist_set_mark(struct uma_zone *zone)
{
	uma_lock_acquire(&zlist_lock);
	zlist_mark = zone;
	uma_lock_release(&zlist_lock);
}

struct uma_zone *
zlist_resume(void)
{
	uma_lock_acquire(&zlist_lock);
	struct uma_zone *zone = zlist_mark;
	if (zone != NULL)
		zone->uz_refs++;
	uma_lock_release(&zlist_lock);
	return zone != NULL ? zone : zlist_next(NULL);
}

/* ---- for readers of our memory ---- */

static struct uma_debug_root roots[] = {
    {"zlist", &zlist},
    {"zlist_cnt", &zlist_cnt},
    {"zlist_changes", &zlist_changes},
};
struct uma_debug_table zlist_debug = {
    .root = roots, .root_cnt = sizeof roots / sizeof roots[0]};
