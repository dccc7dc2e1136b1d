/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * percpu_int.h - what percpu/ shows: which CPU am I, buckets, and caches, which
 * are tables of one header a CPU.
 */
#ifndef UMA_PERCPU_INT_H
#define UMA_PERCPU_INT_H

#include <urcu/list.h>

#define UMA_SEQ_MODULE_STAYS /* linked with -z nodelete, or pinned */
#include <uma/seq.h>

#include "uma_int.h"

/* ---- which CPU (cpu.c) ---- */

/*
 * percpu_init: ncpu CPUs in ndomains NUMA domains; called once, before the
 * first cache.  lock: no restartable sequences, though there may be some.
 * False: no memory, and it may be called again.
 * percpu_cpu: the running CPU's number, below ncpu; stale at once.
 * percpu_mode: how hits are made, and why so, in words.
 */
bool percpu_init(int ncpu, int ndomains, bool lock);
int percpu_cpu(void);
const char *percpu_mode(void);

/* ---- buckets (bucket.c) ---- */

/*
 * A bucket holds up to ub_cap pointers in ub_slot[1..ub_cap], between the
 * sentinel NULL in ub_slot[0], under the lowest, and BUCKET_TOP above the
 * highest; behind that is the bucket's own address.  ub_cnt counts while the
 * bucket is in somebody's hands; while it is loaded, a CPU's cursor does.
 */
struct bucket {
	struct cds_list_head ub_link;
	uint16_t ub_cap;
	uint16_t ub_cnt;
	int32_t ub_cpu; /* the depot's: who brought it */
	void *ub_slot[];
};

#define BUCKET_TOP     ((void *)1)
#define BUCKET_CAP_MAX 250

/* The largest capacity whose bucket takes at most size bytes. */
#define BUCKET_CAP(size) (((size) - sizeof(struct bucket)) / sizeof(void *) - 3)
_Static_assert(BUCKET_CAP(2048) == BUCKET_CAP_MAX, "two KiB and no waste");

/*
 * bucket_alloc: an empty one; NULL when there is no memory.  nogrow: only from
 * memory that is ready.
 */
struct bucket *bucket_alloc(int cap, bool nogrow);
void bucket_free(struct bucket *b);
/* The capacity to begin with for items of size bytes. */
int bucket_cap_for(size_t size);

static inline void
bucket_push(struct bucket *b, void *item)
{
	UMA_ASSERT(b->ub_cnt < b->ub_cap, "bucket %p", (void *)b);
	b->ub_slot[++b->ub_cnt] = item;
}

static inline void *
bucket_pop(struct bucket *b)
{
	UMA_ASSERT(b->ub_cnt > 0, "bucket %p", (void *)b);
	return b->ub_slot[b->ub_cnt--];
}

/* ---- caches (cache.c, cache_seq.c, cache_lock.c) ---- */

struct pcpu_header;

/*
 * A zone embeds the hot part in its first line, and the rest elsewhere.  The
 * base words of the hot part point to the table of headers, or to the dummy
 * table, at which every hit misses.
 */
struct cache {
	struct uma_seq_cache *c_hot;
	struct pcpu_header *c_table; /* NULL: this zone never caches */
	_Atomic bool c_on; /* hits may succeed */
	struct uma_lock c_lock; /* changes of c_on and of the bases */
	struct cds_list_head c_drained; /* c_lock: buckets out of headers */
	_Atomic uint64_t c_drained_cnt; /* items in them */
};

/* What a loaded bucket has to be for an exchange to be wanted. */
enum cache_want { CACHE_EMPTY, CACHE_FULL };

/* cache_init: a disabled cache; false: no memory.  cache_fini: it is empty. */
bool cache_init(struct cache *c, struct uma_seq_cache *hot);
void cache_fini(struct cache *c);

/*
 * The hit, which goes to the label miss where it cannot be made, and the same
 * as a call, first thing on a miss: processes without sequences hit there.
 * Pop: an item of this CPU's, or NULL.  Push: false when this CPU's bucket is
 * full, or when item is on its top, which only a double free can bring about
 * (cache_top_is tells).
 */
#if UMA_HAVE_SEQ
#define CACHE_HIT_POP	 UMA_SEQ_POP
#define CACHE_HIT_PUSH	 UMA_SEQ_PUSH
#define CACHE_HIT_MISSED UMA_SEQ_MISSED
#else
#define CACHE_HIT_POP(hot, item, miss) \
	do {                           \
		(item) = NULL;         \
		goto miss;             \
	} while (0)
#define CACHE_HIT_PUSH(hot, item, miss) goto miss
#define CACHE_HIT_MISSED		(void)0
#endif

void *cache_pop(struct cache *c);
bool cache_push(struct cache *c, void *item);
bool cache_top_is(struct cache *c, const void *item);

/* Up to n > 0 at once; how many. */
int cache_pop_bulk(struct cache *c, void **items, int n);
int cache_push_bulk(struct cache *c, void *const *items, int n);

static inline bool
cache_enabled(struct cache *c)
{
	return atomic_load_explicit(&c->c_on, memory_order_relaxed);
}

/*
 * cache_turn: if this CPU's loaded bucket is what is wanted and its spare can
 * help, change them over.  True: try the hit again.
 * cache_load: if this CPU's loaded bucket is what is wanted, b takes its place.
 * Buckets that have no place any more, b among them if it was not wanted, are
 * put on the list surplus, and are the caller's.
 */
bool cache_turn(
    struct cache *c, enum cache_want want, struct cds_list_head *surplus);
void cache_load(struct cache *c, enum cache_want want, struct bucket *b,
    struct cds_list_head *surplus);

/*
 * cache_disable: every hit misses from now on; a hit that was under way has
 * ended when this returns.  cache_enable: the contrary.  The caller orders
 * them.
 */
void cache_disable(struct cache *c);
void cache_enable(struct cache *c);

/*
 * cache_drain: take the buckets out of all headers, those loaded and the
 * spares, unless the headers show nothing to be had.  cache_take_drained: one
 * of them, for the caller; NULL when there are none.  They are taken one by
 * one, so that few are in a thread's hands when another forks, and all can be
 * found by whoever drains at the same time.
 */
void cache_drain(struct cache *c);
struct bucket *cache_take_drained(struct cache *c);

struct cache_stat {
	uint64_t cs_allocs; /* hits, ever */
	uint64_t cs_items; /* items in loaded and spare buckets */
};
/* Of the table's header of that number, which with mm_cid is no CPU's. */
void cache_stat_cpu(struct cache *c, int n, struct cache_stat *st);
/*
 * What no header has: items that a drain has in hand, and what is to be added
 * to the sum of the headers' counts, modulo 2^64.
 */
void cache_stat_rest(struct cache *c, struct cache_stat *st);
size_t cache_bytes(void); /* of a cache's table */

/* The layout descriptor (uma/debug.h). */
extern struct uma_debug_table percpu_debug;

/* Around fork: the locks of the cache, in two ranks. */
void cache_fork_prepare(struct cache *c);
void cache_fork_parent(struct cache *c);
void cache_fork_child(struct cache *c);

#endif
