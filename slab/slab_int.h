/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab_int.h - what slab/ shows: kegs.  A keg turns runs of pages into items of
 * one size and knows which of them are out.
 */
#ifndef UMA_SLAB_INT_H
#define UMA_SLAB_INT_H

#include <uma.h>

#include "uma_int.h"

struct keg;

/* Items that one keg_import or keg_release may move. */
#define KEG_BATCH_MAX 256

/* Bytes of the header of a slab of that many items. */
size_t keg_header_size(size_t items);

/* Items of a slab whose header is off the page, at most. */
#define KEG_OFFPAGE_ITEMS 512

struct keg_config {
	const char *kc_name; /* kept by the zone, outlives the keg */
	const void *kc_zone; /* its address, for probes */
	size_t kc_size; /* bytes an item */
	size_t kc_align; /* bytes, a power of two */
	uint32_t kc_flags; /* UMA_ZONE_* */
	int kc_copies; /* CPUs with UMA_ZONE_PCPU, else 1 */
	uma_init kc_init;
	uma_fini kc_fini;
	/* Where headers off the page live; zeroed memory, NULL for none. */
	void *(*kc_header_alloc)(size_t size);
	void (*kc_header_free)(void *header, size_t size);
};

/*
 * keg_create: NULL, errno EINVAL when no slab can hold such items, ENOMEM.
 * keg_destroy: frees the keg, all of whose items are back and whose slabs
 * keg_reclaim has returned.
 */
struct keg *keg_create(const struct keg_config *kc);
void keg_destroy(struct keg *keg);

/*
 * keg_import: take up to n items, at least one, each with its init run; from
 * slabs of the given NUMA domain, else from others'.
 *
 * Makes at most one slab, and that only when no slab of the domain has a free
 * item.
 * *hook gets the errno of the init that failed, or 0.
 * Returns the number taken; 0: *hook says why, or there is no memory.
 */
int keg_import(
    struct keg *keg, void **items, int n, int domain, int flags, int *hook);

/*
 * keg_release: put n items back.  who names the zone in the message with which
 * a double, wrong-zone, foreign or misaligned free aborts.  Needs no memory.
 */
void keg_release(struct keg *keg, const char *who, void **items, int n);

/*
 * keg_check: abort with a message unless item is one of the keg's that is out;
 * op, "free" or "lookup", is what the message says was tried.  Its counter's
 * address, in a REFCNT keg; otherwise NULL.
 */
uint32_t *keg_check(
    struct keg *keg, const char *who, const char *op, const void *item);

/*
 * keg_fail: abort over a free of item that only the caller could find wrong.
 */
_Noreturn void keg_fail(struct keg *keg, const char *who, const void *item,
    const char *fault, const char *detail);

/*
 * keg_whatis: what an address, any value whatever, is to a keg.  False: it is
 * in no slab of its.  Never aborts, and never faults.
 * keg_hint: the keg to ask, if any; it may be gone, so that the caller looks
 * among those that he knows to be there.
 */
struct keg_item {
	void *ki_slab; /* first page */
	void *ki_item; /* its start; NULL: between, before or behind items */
	size_t ki_index;
	int ki_domain; /* NUMA domain */
	bool ki_free, ki_ready; /* slab.h has the table */
};
const struct keg *keg_hint(const void *addr);
bool keg_whatis(struct keg *keg, const void *addr, struct keg_item *it);

/*
 * keg_prealloc: make slabs for n items and run their inits.
 * Returns 0; ENOMEM; or the errno of an init (then *hook is true).  *made
 * counts the items made.
 */
int keg_prealloc(struct keg *keg, int n, int flags, int *made, bool *hook);

/*
 * keg_reclaim: run fini in empty slabs and give them back, and single pages of
 * others whose items are all free; of one NUMA domain, or -1 for every; all:
 * those of NOFREE kegs too.  Runs hooks.  Returns the bytes given back.
 *
 * keg_idle: give back the empty slabs that were not needed since the last time,
 * and such pages of slabs that did not change since then.  False: it was not
 * through when the time (uma_now_ns) was over, and goes on at the next call.
 * Adds the bytes given back to *len.  One caller at a time.
 */
size_t keg_reclaim(struct keg *keg, int domain, bool all);
bool keg_idle(struct keg *keg, int64_t until, size_t *len);
bool keg_is_idling(struct keg *keg); /* it is to be called again */

struct keg_stat {
	size_t ks_stride; /* bytes from item to item */
	size_t ks_slab_size; /* bytes */
	size_t ks_slab_items; /* items a slab */
	size_t ks_slabs; /* slabs there are */
	size_t ks_free; /* free items in them */
	size_t ks_align; /* bytes */
	size_t ks_header; /* bytes of a slab's header off the page, or 0 */
	size_t ks_absent; /* bytes of slabs that are known to have no memory */
	size_t ks_meta; /* bytes that the keg itself takes */
	bool ks_offpage;
};
void keg_stat(struct keg *keg, struct keg_stat *st);

struct keg_domain_stat {
	size_t kds_slabs; /* slabs of the domain */
	size_t kds_free; /* free items in them */
	size_t kds_empty; /* slabs without an item out */
};
void keg_domain_stat(struct keg *keg, int domain, struct keg_domain_stat *st);

/* Every invariant of a keg at rest; for tests and UMA_DEBUG=2. */
bool keg_is_valid(struct keg *keg);

/* The layout descriptor (uma/debug.h). */
extern struct uma_debug_table slab_debug;

/* Around fork. */
struct uma_lock *keg_lock(struct keg *keg);
/* Before a fork: the lock, when no reclaim has items in its hands. */
void keg_fork_prepare(struct keg *keg);
void keg_fork_child(struct keg *keg); /* in place of releasing it */

#endif
