/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * percpu_int.h - what percpu/ shows: which CPU am I, buckets, and caches, which
 * are tables of one header a CPU.
 */
#ifndef UMA_PERCPU_INT_H
#define UMA_PERCPU_INT_H

#include <urcu/list.h>

#include "uma_int.h"

/* ---- which CPU (cpu.c) ---- */

enum percpu_mode {
	PERCPU_AUTO, /* the best that the process has */
	PERCPU_LOCK, /* a lock a header, though there may be better */
};

/*
 * percpu_init: ncpu CPUs; called once, before the first cache.
 * percpu_cpu: the running CPU's number, below ncpu; stale at once.
 */
void percpu_init(int ncpu, enum percpu_mode mode);
int percpu_cpu(void);

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
	uint32_t ub_pad;
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

/* ---- caches (cache.c) ---- */

struct pcpu_header;

/*
 * What a zone embeds in its first line.  The base words point to the table of
 * headers that hits use, or to the dummy table, at which every hit misses.
 */
struct cache {
	_Atomic(struct pcpu_header *) c_alloc_base;
	_Atomic(struct pcpu_header *) c_free_base;
	struct pcpu_header *c_table;
};

/* What a loaded bucket has to be for an exchange to be wanted. */
enum cache_want { CACHE_EMPTY, CACHE_FULL };

/* cache_init: a disabled cache; false: no memory.  cache_fini: it is empty. */
bool cache_init(struct cache *c);
void cache_fini(struct cache *c);

/*
 * cache_pop: an item of this CPU's, or NULL.
 * cache_push: false when this CPU's bucket is full, or item is on its top,
 * which only a double free can bring about (cache_top_is tells).
 */
void *cache_pop(struct cache *c);
bool cache_push(struct cache *c, void *item);
bool cache_top_is(struct cache *c, const void *item);

/* Whether hits can succeed at all. */
static inline bool
cache_enabled(struct cache *c)
{
	return atomic_load_explicit(&c->c_alloc_base, memory_order_relaxed) ==
	       c->c_table;
}

/*
 * cache_turn: if this CPU's loaded bucket is what is wanted and its spare can
 * help, change them over.  True: try the hit again.
 */
bool cache_turn(struct cache *c, enum cache_want want);

/*
 * cache_load: if this CPU's loaded bucket is what is wanted, it becomes the
 * spare, b is loaded in its place, and the former spare is returned, or NULL.
 * Otherwise, or when the cache is disabled, b comes back.
 */
struct bucket *cache_load(
    struct cache *c, enum cache_want want, struct bucket *b);

/*
 * cache_disable: every hit misses from now on; a hit that was under way has
 * ended when this returns.  cache_enable: the contrary.  The caller orders them.
 */
void cache_disable(struct cache *c);
void cache_enable(struct cache *c);

/*
 * cache_drain: take all CPUs' buckets, those loaded and the spares, and hand
 * them to fn one by one, no lock held.
 */
void cache_drain(
    struct cache *c, void (*fn)(void *arg, struct bucket *b), void *arg);

struct cache_stat {
	uint64_t cs_allocs; /* hits, ever */
	uint64_t cs_items; /* items in loaded and spare buckets */
};
void cache_stat(struct cache *c, struct cache_stat *st);

/* Around fork: all headers' locks. */
void cache_fork_prepare(struct cache *c);
void cache_fork_parent(struct cache *c);
void cache_fork_child(struct cache *c);

#endif
