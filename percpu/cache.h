/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache.h - headers of caches, for the files of percpu/.
 */
#ifndef UMA_PERCPU_CACHE_H
#define UMA_PERCPU_CACHE_H

#include "cpu.h"

/* The first two words are uma/seq.h's. */
struct pcpu_header {
	_Alignas(UMA_CACHE_LINE) _Atomic(void **) h_cursor;
	_Atomic uint64_t h_allocs; /* from HEADER_ALLOCS upwards */
	_Atomic(struct bucket *)
	    h_spare; /* with sequences changed by exchange only */
	struct uma_lock h_lock; /* hits without sequences */
};
_Static_assert(
    sizeof(struct pcpu_header) == UMA_CACHE_LINE, "a line for each CPU");
_Static_assert(offsetof(struct pcpu_header, h_cursor) == 0 &&
		   offsetof(struct pcpu_header, h_allocs) == 8,
    "as the sequences have it");

#define HEADER_ALLOCS ((uint64_t)1 << 63)

/* A cursor that is both at the bottom and at the top: no bucket. */
extern void *cache_dummy_slot[2];
/* A table whose headers have nothing else. */
extern struct pcpu_header *cache_dummy_table;

#define FOREACH_HEADER(h, c)                                             \
	for (struct pcpu_header *h = (c)->c_table,                       \
				*end_ = h == NULL ? h : h + cpu.cpu_cnt; \
	     h < end_; h++)

static inline bool
bucket_helps(const struct bucket *b, enum cache_want want)
{
	return b != NULL &&
	       (want == CACHE_EMPTY ? b->ub_cnt > 0 : b->ub_cnt < b->ub_cap);
}

/* The dummy table; false: no memory. */
bool cache_start(void);

/*
 * The bucket that a cursor points into, its count made true; NULL for the
 * dummy.  The caller alone has the bucket.
 */
struct bucket *cache_cursor_bucket(void **cursor);

static inline void **
bucket_cursor(struct bucket *b)
{
	return &b->ub_slot[b->ub_cnt];
}

static inline void
surplus_add(struct cds_list_head *surplus, struct bucket *b)
{
	if (b != NULL)
		cds_list_add_tail(&b->ub_link, surplus);
}

/* The two ways of making hits: under locks, and with sequences. */
void *lock_pop(struct cache *c);
bool lock_push(struct cache *c, void *item);
bool lock_top_is(struct cache *c, const void *item);
int lock_pop_bulk(struct cache *c, void **items, int n);
int lock_push_bulk(struct cache *c, void *const *items, int n);
bool lock_turn(struct cache *c, enum cache_want want);
struct bucket *lock_load(
    struct cache *c, enum cache_want want, struct bucket *b);

bool seq_top_is(struct cache *c, const void *item);
bool seq_turn(
    struct cache *c, enum cache_want want, struct cds_list_head *surplus);
void seq_load(struct cache *c, enum cache_want want, struct bucket *b,
    struct cds_list_head *surplus);

#endif
