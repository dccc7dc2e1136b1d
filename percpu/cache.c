/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache.c - per-CPU caches of items: the place where most allocations end.
 *
 * How it works
 *
 * (1) A cache keeps, for each CPU, a bucket of free items from which the CPU
 * allocates and into which it frees, and a spare.  It knows neither zones nor
 * slabs; what it has not, or has no room for, the caller sees to.
 *
 * (2) Words.  header: a CPU's cache line.  loaded: the bucket that the header's
 * cursor points into.  spare: a second bucket, full or empty, that makes
 * a run of allocations after a run of frees, or the contrary, cost nothing.
 * dummy: a bucket without room, and a table of headers with nothing else
 * loaded, at which every hit misses.
 *
 * (3) The life of an item.  cache_pop reads the slot under the cursor and moves
 * the cursor down; NULL is the bottom, so the bucket is empty.  cache_push looks
 * at the slot above: BUCKET_TOP is there when the bucket is full; otherwise the
 * item goes in and the cursor up.  On a miss the caller asks cache_turn to load
 * the spare, and else brings a bucket of its own to cache_load.
 *
 * (4) Memory.  One word is bucket and fill level at once:
 *
 *     h_cursor --------------------.
 *                                  v
 *     bucket: | header | NULL | i1 | i2 | .... | BUCKET_TOP | its address |
 *
 * (5) Locks.  A lock a header, taken by its CPU's threads for a few loads and
 * stores, and by whoever disables, drains or counts.  cache_disable stores the
 * dummy table into the base words and then passes through each lock: a hit
 * that read the old base has either left, or looks at the base again once it
 * has the lock, and sees the dummy.  Fork takes all of them.
 *
 * (6) Invariants.  The slots between the sentinels and up to the cursor are
 * items, none of them NULL or BUCKET_TOP; a spare's ub_cnt is true.
 *
 * (7) Choices.  A cursor instead of bucket and count, since one store then
 * exchanges a bucket, which a restartable sequence can commit; capacities
 * differ freely from bucket to bucket for the same reason.  Headers are keyed by
 * CPU, not by thread: memory does not grow with threads, and their end costs
 * nothing.
 *
 * (8) To change this safely: whatever touches a header holds its lock, and has
 * looked at the base under it.  Idea of per-CPU magazines: Bonwick and Adams,
 * "Magazines and Vmem", 2001.
 */
#include <errno.h>

#include "cpu.h"
#include "pages_int.h"

struct pcpu_header {
	_Alignas(UMA_CACHE_LINE) void **h_cursor; /* top occupied slot */
	uint64_t h_allocs;
	struct bucket *h_spare;
	struct uma_lock h_lock; /* guards all of it */
};
_Static_assert(
    sizeof(struct pcpu_header) == UMA_CACHE_LINE, "a line for each CPU");

/* Both empty and full. */
static void *dummy_slot[] = {NULL, BUCKET_TOP};
static struct pcpu_header dummy_table = {.h_cursor = dummy_slot};

#define FOREACH_HEADER(h, c)                                             \
	for (struct pcpu_header *h = (c)->c_table,                       \
				*end_ = h == NULL ? h : h + cpu_count(); \
	     h < end_; h++)

bool
cache_init(struct cache *c)
{
	size_t bytes = (size_t)cpu_count() * sizeof(struct pcpu_header);

	atomic_init(&c->c_alloc_base, &dummy_table);
	atomic_init(&c->c_free_base, &dummy_table);
	c->c_table = meta_alloc(bytes, 0);
	FOREACH_HEADER (h, c) {
		h->h_cursor = dummy_slot;
		uma_lock_init(&h->h_lock, UMA_RANK_CACHE);
	}
	return c->c_table != NULL;
}

void
cache_fini(struct cache *c)
{
	meta_free(c->c_table, (size_t)cpu_count() * sizeof(struct pcpu_header));
	c->c_table = NULL;
}

/* This CPU's header, locked; NULL when the base is the dummy. */
static struct pcpu_header *
header_enter(_Atomic(struct pcpu_header *) *basep)
{
	struct pcpu_header *base =
	    atomic_load_explicit(basep, memory_order_acquire);

	if (uma_unlikely(base == &dummy_table))
		return NULL;
	struct pcpu_header *h = &base[percpu_cpu()];
	uma_lock_acquire(&h->h_lock);
	if (uma_likely(
		atomic_load_explicit(basep, memory_order_relaxed) == base))
		return h;
	uma_lock_release(&h->h_lock);
	return NULL;
}

static void
header_leave(struct pcpu_header *h)
{
	uma_lock_release(&h->h_lock);
}

/* ---- hits ---- */

void *
cache_pop(struct cache *c)
{
	struct pcpu_header *h = header_enter(&c->c_alloc_base);

	if (uma_unlikely(h == NULL))
		return NULL;
	void *item = *h->h_cursor;
	if (uma_likely(item != NULL)) {
		h->h_cursor--;
		h->h_allocs++;
	}
	header_leave(h);
	return item;
}

bool
cache_push(struct cache *c, void *item)
{
	struct pcpu_header *h = header_enter(&c->c_free_base);

	if (uma_unlikely(h == NULL))
		return false;
	bool room = h->h_cursor[1] != BUCKET_TOP && h->h_cursor[0] != item;
	if (uma_likely(room))
		*++h->h_cursor = item;
	header_leave(h);
	return room;
}

bool
cache_top_is(struct cache *c, const void *item)
{
	struct pcpu_header *h = header_enter(&c->c_free_base);

	if (h == NULL)
		return false;
	bool top = *h->h_cursor == item;
	header_leave(h);
	return top;
}

/* ---- exchanges ---- */

/*
 * Take the loaded bucket out of a header, its count made true; NULL when it is
 * the dummy.  Locked.
 */
static struct bucket *
header_unload(struct pcpu_header *h)
{
	void **slot = h->h_cursor;
	uint16_t cnt = 0;

	h->h_cursor = dummy_slot;
	if (slot == dummy_slot)
		return NULL;
	if (slot[1] == BUCKET_TOP) {
		struct bucket *full = slot[2];

		full->ub_cnt = full->ub_cap;
		return full;
	}
	for (; *slot != NULL; slot--)
		cnt++;
	struct bucket *b = caa_container_of(slot, struct bucket, ub_slot[0]);
	b->ub_cnt = cnt;
	return b;
}

static void
header_load(struct pcpu_header *h, struct bucket *b)
{
	h->h_cursor = &b->ub_slot[b->ub_cnt];
}

static bool
header_is(const struct pcpu_header *h, enum cache_want want)
{
	return want == CACHE_EMPTY ? h->h_cursor[0] == NULL
				   : h->h_cursor[1] == BUCKET_TOP;
}

static bool
bucket_helps(const struct bucket *b, enum cache_want want)
{
	return b != NULL &&
	       (want == CACHE_EMPTY ? b->ub_cnt > 0 : b->ub_cnt < b->ub_cap);
}

/* Two base words, one table: but the caller of a free may see the former. */
static struct pcpu_header *
header_enter_for(struct cache *c, enum cache_want want)
{
	return header_enter(
	    want == CACHE_EMPTY ? &c->c_alloc_base : &c->c_free_base);
}

bool
cache_turn(struct cache *c, enum cache_want want)
{
	struct pcpu_header *h = header_enter_for(c, want);

	if (h == NULL)
		return false;
	bool again = true;
	if (header_is(h, want)) {
		again = bucket_helps(h->h_spare, want);
		if (again) {
			struct bucket *spare = h->h_spare;

			h->h_spare = header_unload(h);
			header_load(h, spare);
		}
	}
	header_leave(h);
	return again;
}

struct bucket *
cache_load(struct cache *c, enum cache_want want, struct bucket *b)
{
	struct pcpu_header *h = header_enter_for(c, want);

	if (h == NULL)
		return b;
	if (header_is(h, want)) {
		struct bucket *spare = h->h_spare;

		h->h_spare = header_unload(h);
		header_load(h, b);
		b = spare;
	}
	header_leave(h);
	return b;
}

/* ---- all CPUs ---- */

static void
cache_set_base(struct cache *c, struct pcpu_header *base)
{
	atomic_store_explicit(&c->c_alloc_base, base, memory_order_release);
	atomic_store_explicit(&c->c_free_base, base, memory_order_release);
}

void
cache_enable(struct cache *c)
{
	if (c->c_table != NULL)
		cache_set_base(c, c->c_table);
}

void
cache_disable(struct cache *c)
{
	cache_set_base(c, &dummy_table);
	FOREACH_HEADER (h, c) {
		uma_lock_acquire(&h->h_lock);
		uma_lock_release(&h->h_lock);
	}
}

void
cache_drain(struct cache *c, void (*fn)(void *arg, struct bucket *b), void *arg)
{
	FOREACH_HEADER (h, c) {
		uma_lock_acquire(&h->h_lock);
		struct bucket *loaded = header_unload(h);
		struct bucket *spare = h->h_spare;
		h->h_spare = NULL;
		uma_lock_release(&h->h_lock);
		if (loaded != NULL)
			fn(arg, loaded);
		if (spare != NULL)
			fn(arg, spare);
	}
}

/* Items below the cursor.  Locked. */
static uint64_t
header_items(const struct pcpu_header *h)
{
	uint64_t n = h->h_spare != NULL ? h->h_spare->ub_cnt : 0;

	for (void **slot = h->h_cursor; *slot != NULL; slot--)
		n++;
	return n;
}

void
cache_stat(struct cache *c, struct cache_stat *st)
{
	*st = (struct cache_stat){0};
	FOREACH_HEADER (h, c) {
		uma_lock_acquire(&h->h_lock);
		st->cs_allocs += h->h_allocs;
		st->cs_items += header_items(h);
		uma_lock_release(&h->h_lock);
	}
}

/* ---- fork ---- */

void
cache_fork_prepare(struct cache *c)
{
	FOREACH_HEADER (h, c)
		uma_lock_fork_acquire(&h->h_lock);
}

void
cache_fork_parent(struct cache *c)
{
	FOREACH_HEADER (h, c)
		uma_lock_fork_release(&h->h_lock);
}

void
cache_fork_child(struct cache *c)
{
	FOREACH_HEADER (h, c)
		uma_lock_fork_child(&h->h_lock);
}
