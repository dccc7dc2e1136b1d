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
 * base: where a hit finds the table of headers.  dummy: a bucket without room,
 * and a table of headers with nothing else loaded, at which every hit misses.
 * sequence: some instructions that the kernel begins again if the thread is
 * interrupted in between (uma/seq_x86_64.h).
 *
 * (3) The life of an item.  A pop reads the slot under the cursor and moves the
 * cursor down; NULL is the bottom, so the bucket is empty.  A push looks at the
 * slot above: BUCKET_TOP is there when the bucket is full; otherwise the item
 * goes in and the cursor up.  On a miss the caller asks cache_turn to load the
 * spare, and else brings a bucket of its own to cache_load.
 *
 * (4) Memory.  One word is bucket and fill level at once:
 *
 *     h_cursor --------------------.
 *                                  v
 *     bucket: | header | NULL | i1 | i2 | .... | BUCKET_TOP | its address |
 *
 * (5) Locks.  Hits are sequences (cache_seq.c), or, where a process has none,
 * are made under a lock a header (cache_lock.c); which, is decided once, at the
 * start (cpu.c).  Without sequences the bases stay on the dummy, so that code
 * that has them inlined misses and calls.  c_lock orders changes of the bases.
 * A drain stores the dummy into them and has the kernel restart every sequence
 * under way (cpu_barrier): from there on all headers are the drainer's.  Fork
 * takes c_lock and the headers' locks; a sequence of another thread has then
 * either committed or not.
 *
 * (6) Invariants.  The slots between the sentinels and up to the cursor are
 * items, none of them NULL or BUCKET_TOP; a spare's ub_cnt is true; with
 * sequences h_spare changes by exchange only.
 *
 * (7) Counting.  A pop raises the header's count right before its commit.  An
 * abort between the two is seen by the abort stub, which raises over.  So
 *     hits = sum of (h_allocs - HEADER_ALLOCS) - over
 * exactly, at rest; while others run it may be ahead by one call a thread, and
 * the child of a fork stays so for each thread that the fork caught between the
 * two.  Frees are not counted: they are allocations less the items that are
 * out.  A reader takes the items in the cache first and the count afterwards,
 * and stops nobody; without sequences it passes through the headers' locks.
 *
 * (8) Choices.  A cursor instead of bucket and count, since one store then
 * exchanges a bucket, which a sequence can commit; capacities differ freely
 * from bucket to bucket for the same reason.  Headers are keyed by CPU, not by
 * thread: memory does not grow with threads, and their end costs nothing.
 *
 * (9) To change this safely: a sequence commits by its last instruction and
 * writes nothing before that which matters if it does not; no instruction of a
 * counting sequence before the count may leave a negative result in the flags.
 * Bonwick and Adams, "Magazines and Vmem", 2001; Desnoyers and others, rseq(2).
 */
#include "cache.h"

#include "pages_int.h"

void *cache_dummy_slot[2] = {NULL, BUCKET_TOP};
struct pcpu_header *cache_dummy_table;

static void
table_init(struct pcpu_header *table)
{
	for (int i = 0; i < cpu.cpu_cnt; i++) {
		atomic_init(&table[i].h_cursor, cache_dummy_slot);
		atomic_init(&table[i].h_allocs, HEADER_ALLOCS);
		uma_lock_init(&table[i].h_lock, UMA_RANK_CACHE);
	}
}

size_t
cache_bytes(void)
{
	return (size_t)cpu.cpu_cnt * sizeof(struct pcpu_header);
}

static struct pcpu_header *
table_alloc(void)
{
	struct pcpu_header *table = meta_alloc(cache_bytes(), 0);

	if (table != NULL)
		table_init(table);
	return table;
}

bool
cache_start(void)
{
	if (cache_dummy_table == NULL)
		cache_dummy_table = table_alloc();
	return cache_dummy_table != NULL;
}

/* Both bases at once, as far as hits are concerned: they look at one each. */
static void
cache_set_base(struct cache *c, struct pcpu_header *base)
{
	uma_lock_assert_held(&c->c_lock);
	__atomic_store_n(&c->c_hot->alloc_base, base, __ATOMIC_SEQ_CST);
	__atomic_store_n(&c->c_hot->free_base, base, __ATOMIC_SEQ_CST);
}

bool
cache_init(struct cache *c, struct uma_seq_cache *hot)
{
	*hot = (struct uma_seq_cache){
	    .alloc_base = cache_dummy_table,
	    .free_base = cache_dummy_table,
	    .rs = cpu.cpu_rs,
	    .id = cpu.cpu_id,
	};
	c->c_hot = hot;
	c->c_table = table_alloc();
	uma_lock_init(&c->c_lock, UMA_RANK_TABLE);
	CDS_INIT_LIST_HEAD(&c->c_drained);
	return c->c_table != NULL;
}

void
cache_fini(struct cache *c)
{
	meta_free(c->c_table, cache_bytes());
	c->c_table = NULL;
}

/* ---- hits and exchanges, by the mode ---- */

void *
cache_pop(struct cache *c)
{
	void *item;

	if (!cpu.cpu_seq)
		return lock_pop(c);
	CACHE_HIT_POP(c->c_hot, item, miss);
	return item;
miss:
	CACHE_HIT_MISSED;
	return NULL;
}

bool
cache_push(struct cache *c, void *item)
{
	if (!cpu.cpu_seq)
		return lock_push(c, item);
	CACHE_HIT_PUSH(c->c_hot, item, miss);
	return true;
miss:
	CACHE_HIT_MISSED;
	return false;
}

int
cache_pop_bulk(struct cache *c, void **items, int n)
{
#if UMA_HAVE_SEQ
	if (cpu.cpu_seq)
		return (int)uma_seq_pop_bulk(c->c_hot, items, n);
#endif
	return lock_pop_bulk(c, items, n);
}

int
cache_push_bulk(struct cache *c, void *const *items, int n)
{
#if UMA_HAVE_SEQ
	if (cpu.cpu_seq)
		return (int)uma_seq_push_bulk(c->c_hot, items, n);
#endif
	return lock_push_bulk(c, items, n);
}

bool
cache_top_is(struct cache *c, const void *item)
{
	return cpu.cpu_seq ? seq_top_is(c, item) : lock_top_is(c, item);
}

bool
cache_turn(struct cache *c, enum cache_want want, struct cds_list_head *surplus)
{
	return cpu.cpu_seq ? seq_turn(c, want, surplus) : lock_turn(c, want);
}

void
cache_load(struct cache *c, enum cache_want want, struct bucket *b,
    struct cds_list_head *surplus)
{
	if (cpu.cpu_seq)
		seq_load(c, want, b, surplus);
	else
		surplus_add(surplus, lock_load(c, want, b));
}

struct bucket *
cache_cursor_bucket(void **cursor)
{
	uint16_t cnt = 0;

	if (cursor == cache_dummy_slot)
		return NULL;
	if (cursor[1] == BUCKET_TOP) {
		struct bucket *full = cursor[2];

		full->ub_cnt = full->ub_cap;
		return full;
	}
	for (; *cursor != NULL; cursor--)
		cnt++;
	struct bucket *b = caa_container_of(cursor, struct bucket, ub_slot[0]);
	b->ub_cnt = cnt;
	return b;
}

/* ---- all CPUs ---- */

/* What began while hits could succeed has ended when this returns.  Locked. */
static void
cache_settle(struct cache *c)
{
	uma_lock_assert_held(&c->c_lock);
	if (cpu.cpu_seq) {
		cpu_barrier();
		return;
	}
	FOREACH_HEADER (h, c) {
		uma_lock_acquire(&h->h_lock);
		uma_lock_release(&h->h_lock);
	}
}

void
cache_enable(struct cache *c)
{
	uma_lock_acquire(&c->c_lock);
	atomic_store(&c->c_on, true);
	if (cpu.cpu_seq)
		cache_set_base(c, c->c_table);
	uma_lock_release(&c->c_lock);
}

void
cache_disable(struct cache *c)
{
	uma_lock_acquire(&c->c_lock);
	atomic_store(&c->c_on, false);
	cache_set_base(c, cache_dummy_table);
	cache_settle(c);
	uma_lock_release(&c->c_lock);
}

/* Nothing to be had, as far as a look without stopping anyone can tell. */
static bool
cache_looks_empty(struct cache *c)
{
	FOREACH_HEADER (h, c) {
		void **cursor = atomic_load(&h->h_cursor);

		if (*(void *volatile *)cursor != NULL ||
		    atomic_load(&h->h_spare) != NULL)
			return false;
	}
	return true;
}

static void
drained_add(struct cache *c, struct bucket *b)
{
	uma_lock_assert_held(&c->c_lock);
	if (b == NULL)
		return;
	cds_list_add_tail(&b->ub_link, &c->c_drained);
	atomic_fetch_add_explicit(
	    &c->c_drained_cnt, b->ub_cnt, memory_order_relaxed);
}

/* Take a header's buckets.  No hit is under way, or the header is locked. */
static void
header_strip(struct cache *c, struct pcpu_header *h)
{
	drained_add(c, cache_cursor_bucket(
			   atomic_exchange(&h->h_cursor, cache_dummy_slot)));
	drained_add(c, atomic_exchange(&h->h_spare, NULL));
}

static void
drain_seq(struct cache *c)
{
	bool on = cache_enabled(c);

	if (on) {
		cache_set_base(c, cache_dummy_table);
		cache_settle(c);
	}
	FOREACH_HEADER (h, c)
		header_strip(c, h);
	if (on)
		cache_set_base(c, c->c_table);
}

static void
drain_lock(struct cache *c)
{
	FOREACH_HEADER (h, c) {
		uma_lock_acquire(&h->h_lock);
		header_strip(c, h);
		uma_lock_release(&h->h_lock);
	}
}

void
cache_drain(struct cache *c)
{
	if (cpu.cpu_seq && cache_looks_empty(c))
		return;
	uma_lock_acquire(&c->c_lock);
	if (cpu.cpu_seq)
		drain_seq(c);
	else
		drain_lock(c);
	uma_lock_release(&c->c_lock);
}

struct bucket *
cache_take_drained(struct cache *c)
{
	struct bucket *b = NULL;

	uma_lock_acquire(&c->c_lock);
	if (!cds_list_empty(&c->c_drained)) {
		b = cds_list_first_entry(&c->c_drained, struct bucket, ub_link);
		cds_list_del(&b->ub_link);
		atomic_fetch_sub_explicit(
		    &c->c_drained_cnt, b->ub_cnt, memory_order_relaxed);
	}
	uma_lock_release(&c->c_lock);
	return b;
}

/*
 * Items at and below a cursor.  It may move on meanwhile, and its bucket be
 * freed: the memory stays readable, and a bucket ends soon.
 */
static uint64_t
cursor_items(void **cursor)
{
	uint64_t n = 0;

	while (n < BUCKET_CAP_MAX && *(void *volatile *)(cursor - n) != NULL)
		n++;
	return n;
}

static void
header_stat(struct pcpu_header *h, struct cache_stat *st)
{
	struct bucket *spare = atomic_load(&h->h_spare);

	st->cs_allocs +=
	    atomic_load_explicit(&h->h_allocs, memory_order_relaxed) -
	    HEADER_ALLOCS;
	st->cs_items += cursor_items(atomic_load(&h->h_cursor));
	if (spare != NULL)
		st->cs_items += *(volatile uint16_t *)&spare->ub_cnt;
}

static void
header_stat_locked(struct pcpu_header *h, struct cache_stat *st)
{
	if (!cpu.cpu_seq)
		uma_lock_acquire(&h->h_lock);
	header_stat(h, st);
	if (!cpu.cpu_seq)
		uma_lock_release(&h->h_lock);
}

void
cache_stat_cpu(struct cache *c, int n, struct cache_stat *st)
{
	*st = (struct cache_stat){.cs_items = 0};
	if (c->c_table != NULL)
		header_stat_locked(&c->c_table[n], st);
}

void
cache_stat_rest(struct cache *c, struct cache_stat *st)
{
	st->cs_items =
	    atomic_load_explicit(&c->c_drained_cnt, memory_order_relaxed);
	st->cs_allocs = -__atomic_load_n(&c->c_hot->over, __ATOMIC_RELAXED);
}

/* ---- fork ---- */

void
cache_fork_prepare(struct cache *c)
{
	uma_lock_fork_acquire(&c->c_lock);
	FOREACH_HEADER (h, c)
		uma_lock_fork_acquire(&h->h_lock);
}

void
cache_fork_parent(struct cache *c)
{
	FOREACH_HEADER (h, c)
		uma_lock_fork_release(&h->h_lock);
	uma_lock_fork_release(&c->c_lock);
}

void
cache_fork_child(struct cache *c)
{
	FOREACH_HEADER (h, c)
		uma_lock_fork_child(&h->h_lock);
	uma_lock_fork_child(&c->c_lock);
}
