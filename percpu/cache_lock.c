/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_lock.c - hits without restartable sequences: a lock a header.
 *
 * c_on is looked at under the header's lock.  cache_disable clears it and then
 * passes through every lock: a hit that saw it set has left by then, and
 * whoever gets the lock later sees it cleared.
 */
#include "cache.h"

/* This CPU's header, locked; NULL when the cache is off. */
static struct pcpu_header *
header_enter(struct cache *c)
{
	if (uma_unlikely(!cache_enabled(c)))
		return NULL;
	struct pcpu_header *h = &c->c_table[percpu_cpu()];
	uma_lock_acquire(&h->h_lock);
	if (uma_likely(cache_enabled(c)))
		return h;
	uma_lock_release(&h->h_lock);
	return NULL;
}

static void
header_leave(struct pcpu_header *h)
{
	uma_lock_release(&h->h_lock);
}

static void **
header_cursor(struct pcpu_header *h)
{
	return atomic_load_explicit(&h->h_cursor, memory_order_relaxed);
}

static void
header_set_cursor(struct pcpu_header *h, void **cursor)
{
	atomic_store_explicit(&h->h_cursor, cursor, memory_order_relaxed);
}

int
lock_pop_bulk(struct cache *c, void **items, int n)
{
	struct pcpu_header *h = header_enter(c);
	int k = 0;

	if (uma_unlikely(h == NULL))
		return 0;
	void **cursor = header_cursor(h);
	while (k < n && *cursor != NULL)
		items[k++] = *cursor--;
	header_set_cursor(h, cursor);
	atomic_store_explicit(&h->h_allocs,
	    atomic_load_explicit(&h->h_allocs, memory_order_relaxed) +
		(uint64_t)k,
	    memory_order_relaxed);
	header_leave(h);
	return k;
}

int
lock_push_bulk(struct cache *c, void *const *items, int n)
{
	struct pcpu_header *h = header_enter(c);
	int k = 0;

	if (uma_unlikely(h == NULL))
		return 0;
	void **cursor = header_cursor(h);
	while (k < n && items[k] != NULL && cursor[1] != BUCKET_TOP)
		*++cursor = items[k++];
	header_set_cursor(h, cursor);
	header_leave(h);
	return k;
}

void *
lock_pop(struct cache *c)
{
	void *item;

	return lock_pop_bulk(c, &item, 1) == 1 ? item : NULL;
}

bool
lock_push(struct cache *c, void *item)
{
	struct pcpu_header *h = header_enter(c);

	if (uma_unlikely(h == NULL))
		return false;
	void **cursor = header_cursor(h);
	bool room = cursor[1] != BUCKET_TOP && cursor[0] != item;
	if (uma_likely(room)) {
		*++cursor = item;
		header_set_cursor(h, cursor);
	}
	header_leave(h);
	return room;
}

bool
lock_top_is(struct cache *c, const void *item)
{
	struct pcpu_header *h = header_enter(c);

	if (h == NULL)
		return false;
	bool top = *header_cursor(h) == item;
	header_leave(h);
	return top;
}

static bool
header_is(struct pcpu_header *h, enum cache_want want)
{
	void **cursor = header_cursor(h);

	return want == CACHE_EMPTY ? cursor[0] == NULL
				   : cursor[1] == BUCKET_TOP;
}

/* Load b; what was loaded becomes the spare, and the spare that was returns. */
static struct bucket *
header_exchange(struct pcpu_header *h, struct bucket *b)
{
	struct bucket *old = cache_cursor_bucket(header_cursor(h));

	header_set_cursor(h, bucket_cursor(b));
	return atomic_exchange(&h->h_spare, old);
}

bool
lock_turn(struct cache *c, enum cache_want want)
{
	struct pcpu_header *h = header_enter(c);

	if (h == NULL)
		return false;
	bool again = !header_is(h, want);
	struct bucket *spare = atomic_load(&h->h_spare);
	if (!again && bucket_helps(spare, want)) {
		header_exchange(h, spare);
		again = true;
	}
	header_leave(h);
	return again;
}

struct bucket *
lock_load(struct cache *c, enum cache_want want, struct bucket *b)
{
	struct pcpu_header *h = header_enter(c);

	if (h == NULL)
		return b;
	if (header_is(h, want))
		b = header_exchange(h, b);
	header_leave(h);
	return b;
}
