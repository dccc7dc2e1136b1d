/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.c - runs of pages: who gets which pages of which piece, and when memory
 * goes back to the system.
 *
 * How it works
 *
 * For: memory in whole pages, for slabs and for our own structures, that comes
 * back to the system in single pages.  Not for items, and not for speed: one
 * lock, some hundred nanoseconds a call, paid once a slab.
 *
 * Words: a piece is a stretch of reserved address space with a header that
 * describes it (piece.c); a run, pages of one piece that lie together and have
 * one owner; a dirty page, one that may hold something else than zero; a
 * released page, free and given back, hence clean.
 *
 * A run's life: pages_alloc looks for the lowest place in all pieces
 * (piece_find), reserves another piece if there is none (runs_grow), makes the
 * place usable if it never was (piece_commit), marks it busy (piece_take),
 * and clears its dirty pages, without the lock, if zeroes were asked for.
 * pages_free clears the page map, marks the pages that were touched dirty, and
 * the run free (piece_give); neighbours join by themselves, since there are
 * only bits.  Past a threshold
 * some of the dirty runs, the highest first, go back to the system
 * (release_batch); pages_release gives all back.
 *
 * Runs that core dumps leave out lie in pieces of their own: the advice, given
 * for single runs, would split the piece's mapping at each, and the system
 * allows a process no more than some 65,000 mappings.
 *
 * A piece is of one NUMA domain, whose memory the kernel prefers for it; a run
 * comes from another domain's piece rather than not at all.
 *
 *   address space:  ... [piece: header | busy, free, busy, ... | untouched] ...
 *                        \__ multiple of 2 MiB, up to 1 GiB or one run ___/
 *
 * Locks: META, then PAGES.  PAGES guards the table of pieces and all headers.
 * madvise runs without it: the pages that it works on are busy meanwhile
 * (runs.r_out of them), and who finds no place waits for their return before it
 * fails.  fork waits for it too, so that the child finds none out.
 *
 * Always: busy pages = headers + handed out + r_out; and what pages are free
 * and dirty is the sum of the pieces' counts (pages_is_valid).
 *
 * Not taken: powers of two (2^k + 1 pages cost 2^(k+1), and free memory is lost
 * in buddies that never meet); size-ordered trees of free runs (freeing would
 * have to write into free pages or need memory); MADV_FREE (a page that may or
 * may not be zero is worth neither); giving address space back (the page map
 * would have to forget, and mappings are cheap).
 *
 * To change: nothing below the lock may fail after piece_take.  First fit by
 * address with immediate coalescing: Wilson, Johnstone, Neely, Boles, "Dynamic
 * Storage Allocation: A Survey and Critical Review", 1995.
 */
#include <errno.h>
#include <string.h>

#include "vm_int.h"

#define PIECE_LEN_FIRST	 ((size_t)256 << 20)
#define PIECE_LEN_NODUMP ((size_t)16 << 20) /* the first for such runs */
#define PIECE_LEN_MAX	 ((size_t)1 << 30)

enum {
	PIECES_MAX = 1 << 14, /* 16 TiB; in .bss, touched as far as used */
	RUN_PAGES_MAX = 1 << 30, /* 4 TiB: sums of these do not overflow */
	DIRTY_MAX = (16 << 20) >> PAGE_SHIFT, /* free dirty pages we keep */
	DIRTY_KEEP = DIRTY_MAX / 2, /* and what a release leaves of them */
	/* What one free may have to pay for: about a millisecond. */
	BATCH_RUNS = 32,
	BATCH_PAGES = 4 * PIECE_RELEASE,
};

static struct {
	struct uma_lock r_lock;
	/* Pages. */
	size_t r_reserved;
	size_t r_header;
	size_t r_used; /* handed out */
	size_t r_dirty; /* free and dirty */
	size_t r_dirty_least; /* fewest since the last pages_idle */
	size_t r_release_at; /* release when r_dirty is more */
	_Atomic size_t r_held; /* bytes of memory, for readers without lock */
	/* Pages that madvise works on; whoever needs them sleeps on it. */
	_Atomic uint32_t r_out;
	uint32_t r_sleepers;

	size_t r_next_len[2]; /* of the next piece, in bytes; by nodump */
	size_t r_cnt;
	struct piece *r_piece[PIECES_MAX]; /* by address */
} runs = {
    .r_lock = UMA_LOCK_INITIALIZER(UMA_RANK_PAGES),
    .r_release_at = DIRTY_MAX,
    .r_next_len = {PIECE_LEN_FIRST, PIECE_LEN_NODUMP},
};

/* The number of pieces that start at or below the address. */
static size_t
pieces_below(uintptr_t addr)
{
	size_t low = 0, high = runs.r_cnt;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if ((uintptr_t)runs.r_piece[mid] <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
runs_is_valid(void)
{
	size_t busy = 0, dirty = 0, header = 0, reserved = 0;

	uma_lock_assert_held(&runs.r_lock);
	for (size_t i = 0; i < runs.r_cnt; i++) {
		struct piece *pc = runs.r_piece[i];

		if (!piece_is_valid(pc) || (i > 0 && runs.r_piece[i - 1] >= pc))
			return false;
		busy += pc->pc_busy_cnt;
		dirty += pc->pc_dirty_cnt;
		header += pc->pc_header;
		reserved += pc->pc_pages;
	}
	return busy == header + runs.r_used + runs.r_out &&
	       dirty == runs.r_dirty && header == runs.r_header &&
	       reserved == runs.r_reserved;
}

/* The end of every function that changed something. */
static void
runs_leave(void)
{
	size_t held = runs.r_used + runs.r_dirty + runs.r_out;

	UMA_ASSERT(UMA_DEBUG < 2 || runs_is_valid(), "page runs");
	runs.r_dirty_least = uma_min(runs.r_dirty_least, runs.r_dirty);
	atomic_store_explicit(
	    &runs.r_held, held << PAGE_SHIFT, memory_order_relaxed);
	uma_lock_release(&runs.r_lock);
}

static void
piece_enter(struct piece *pc)
{
	size_t i = pieces_below((uintptr_t)pc);

	memmove(&runs.r_piece[i + 1], &runs.r_piece[i],
	    (runs.r_cnt - i) * sizeof runs.r_piece[0]);
	runs.r_piece[i] = pc;
	runs.r_cnt++;
	runs.r_reserved += pc->pc_pages;
	runs.r_header += pc->pc_header;
}

/* What a run has to be. */
struct want {
	size_t w_pages, w_align; /* in pages */
	int w_domain; /* -1: any */
	bool w_nodump;
};

/* Another piece, which has room for the run; false, nothing changed. */
static UMA_COLD bool
runs_grow(const struct want *w)
{
	size_t *next_len = &runs.r_next_len[w->w_nodump];
	size_t need = piece_len(w->w_pages, w->w_align);
	size_t len = uma_max(*next_len, need);

	if (runs.r_cnt == PIECES_MAX)
		return false;
	void *base = vm_reserve(&len, need);
	if (base == NULL)
		return false;
	struct piece *pc = NULL;
	if (pagemap_reserve(base, len))
		pc = piece_make(base, len, w->w_domain, w->w_nodump);
	if (pc == NULL) {
		vm_unreserve(base, len);
		return false;
	}
	pagemap_own(base, len, w->w_domain);
	piece_enter(pc);
	*next_len = uma_min(*next_len * 2, PIECE_LEN_MAX);
	return true;
}

/* The lowest place, or the lowest that is committed already. */
static struct piece *
runs_find(const struct want *w, bool committed, size_t *at)
{
	for (size_t i = 0; i < runs.r_cnt; i++) {
		struct piece *pc = runs.r_piece[i];

		if (pc->pc_nodump != w->w_nodump ||
		    (w->w_domain >= 0 && pc->pc_domain != w->w_domain))
			continue;
		*at = piece_find(pc, w->w_pages, w->w_align,
		    committed ? pc->pc_committed : pc->pc_pages);
		if (*at != PIECE_NONE)
			return pc;
	}
	return NULL;
}

/* A place that is ready to be taken; in any domain rather than none. */
static struct piece *
runs_place(const struct want *w, size_t *at)
{
	struct want any = *w;
	struct piece *pc = runs_find(w, false, at);

	any.w_domain = -1;
	if (pc == NULL && runs_grow(w))
		pc = runs_find(w, false, at);
	if (pc == NULL)
		pc = runs_find(&any, false, at);
	if (pc != NULL && piece_commit(pc, *at + w->w_pages))
		return pc;
	return runs_find(&any, true, at);
}

/* Called locked, returns locked.  False: nothing is out. */
static bool
runs_wait_out(void)
{
	uint32_t out = runs.r_out;

	if (out == 0)
		return false;
	runs.r_sleepers++;
	uma_lock_release(&runs.r_lock);
	uma_wait(&runs.r_out, out, -1);
	uma_lock_acquire(&runs.r_lock);
	runs.r_sleepers--;
	return true;
}

/*
 * Without the lock: nobody changes the dirty bits of pages that are ours, and
 * that the words also hold others' bits does not matter.
 */
static void
run_clear(struct piece *pc, size_t at, size_t npages)
{
	size_t end = at + npages, to;

	while ((at = bits_next(pc->pc_dirty, at, end, true)) < end) {
		to = bits_next(pc->pc_dirty, at, end, false);
		memset(piece_page(pc, at), 0, (to - at) << PAGE_SHIFT);
		at = to;
	}
}

void *
pages_alloc(size_t npages, size_t align, int domain, int flags)
{
	bool dirty;

	return pages_alloc_told(npages, align, domain, flags, &dirty);
}

void *
pages_alloc_told(
    size_t npages, size_t align, int domain, int flags, bool *has_memory)
{
	int saved = errno;
	size_t at = 0, align_pages = align >> PAGE_SHIFT;
	struct want w = {.w_pages = npages,
	    .w_align = align_pages,
	    .w_domain = uma_max(domain, 0),
	    .w_nodump = flags & PAGES_NODUMP};
	struct piece *pc;

	UMA_ASSERT(npages > 0 && align_pages > 0 && (align & (align - 1)) == 0,
	    "%zu pages at %zu", npages, align);
	errno = ENOMEM;
	if (npages > RUN_PAGES_MAX || align_pages > RUN_PAGES_MAX)
		return NULL;

	uma_lock_acquire(&runs.r_lock);
	do
		pc = runs_place(&w, &at);
	while (pc == NULL && runs_wait_out());
	if (pc != NULL) {
		size_t dirty = pc->pc_dirty_cnt;

		piece_take(pc, at, npages);
		runs.r_used += npages;
		runs.r_dirty -= dirty - pc->pc_dirty_cnt;
		*has_memory = dirty != pc->pc_dirty_cnt && !vm_prefaults();
	}
	runs_leave();

	if (!(flags & PAGES_QUIET))
		vm_say();
	if (pc == NULL)
		return NULL;
	void *run = piece_page(pc, at);
	if (vm_prefaults() && !vm_populate(run, npages << PAGE_SHIFT)) {
		pages_free(run, npages, flags);
		errno = ENOMEM;
		return NULL;
	}
	if (flags & PAGES_ZERO)
		run_clear(pc, at, npages);
	errno = saved;
	return run;
}

/* What is on its way to the system, without the lock. */
struct batch {
	int b_cnt;
	struct piece *b_piece[BATCH_RUNS];
	struct pages_range b_range[BATCH_RUNS];
};

/*
 * Called locked.  Make runs of dirty pages below *below busy, the highest
 * first, until keep dirty pages are left; *below falls to where to go on, and
 * to 0 at the end.
 */
static void
batch_take(struct batch *b, uintptr_t *below, size_t keep)
{
	size_t i = *below > 0 ? pieces_below(*below - 1) : 0, pages = 0;

	b->b_cnt = 0;
	while (i > 0 && b->b_cnt < BATCH_RUNS && pages < BATCH_PAGES &&
	       runs.r_dirty > keep) {
		struct piece *pc = runs.r_piece[i - 1];
		size_t at, n;

		n = piece_dirty_below(
		    pc, (*below - (uintptr_t)pc) >> PAGE_SHIFT, &at);
		if (n == 0) {
			*below = (uintptr_t)pc;
			i--;
			continue;
		}
		*below = (uintptr_t)piece_page(pc, at);
		piece_take(pc, at, n);
		pages += n;
		runs.r_dirty -= n;
		runs.r_out += (uint32_t)n;
		b->b_piece[b->b_cnt] = pc;
		b->b_range[b->b_cnt++] = (struct pages_range){
		    .pr_start = piece_page(pc, at), .pr_len = n << PAGE_SHIFT};
	}
	if (i == 0 || runs.r_dirty <= keep)
		*below = 0;
}

/*
 * Called locked.  What the system refused is as dirty as before.  Returns the
 * bytes released.
 */
static size_t
batch_give(struct batch *b)
{
	size_t len = 0;

	for (int i = 0; i < b->b_cnt; i++) {
		struct piece *pc = b->b_piece[i];
		const struct pages_range *r = &b->b_range[i];
		size_t n = r->pr_len >> PAGE_SHIFT;
		size_t at =
		    (size_t)((char *)r->pr_start - (char *)pc) >> PAGE_SHIFT;

		piece_mark(pc, at, n, !r->pr_dropped);
		piece_give(pc, at, n);
		piece_forget(pc, at, n);
		runs.r_dirty += r->pr_dropped ? 0 : n;
		runs.r_out -= (uint32_t)n;
		len += r->pr_dropped ? r->pr_len : 0;
	}
	if (runs.r_sleepers > 0)
		uma_wake(&runs.r_out, INT_MAX);
	return len;
}

/*
 * One batch: one call to the system or, from old ones, BATCH_RUNS, which bounds
 * what a free pays, and what an allocation that needs these pages waits for.
 * Returns the bytes released.
 */
static size_t
release_batch(uintptr_t *below, size_t keep)
{
	struct batch b;

	uma_lock_acquire(&runs.r_lock);
	batch_take(&b, below, keep);
	uma_lock_release(&runs.r_lock);
	vm_release_all(b.b_range, b.b_cnt);
	uma_lock_acquire(&runs.r_lock);
	size_t len = batch_give(&b);
	/* Where all is refused (locked memory), do not ask at every free. */
	runs.r_release_at =
	    DIRTY_MAX + (b.b_cnt > 0 && len == 0 ? runs.r_dirty : 0);
	runs_leave();
	return len;
}

/* Called locked.  The piece that a run with these flags is in, and where. */
static struct piece *
run_piece(void *run, size_t npages, int flags, size_t *at)
{
	size_t i = pieces_below((uintptr_t)run);

	UMA_ASSERT(i > 0, "free of pages that are not ours: %p", run);
	struct piece *pc = runs.r_piece[i - 1];
	*at = ((uintptr_t)run - (uintptr_t)pc) >> PAGE_SHIFT;
	UMA_ASSERT(*at + npages <= pc->pc_committed,
	    "free of pages that are not ours: %p", run);
	UMA_ASSERT(pc->pc_nodump == !!(flags & PAGES_NODUMP),
	    "free of %p with other flags than it was had with", run);
	return pc;
}

void
pages_free_touched(void *run, size_t npages, size_t from, size_t to, int flags)
{
	/* Above all pieces. */
	uintptr_t below = UINTPTR_MAX;
	size_t at;

	UMA_ASSERT(from <= to && to <= npages, "%zu to %zu of %zu pages", from,
	    to, npages);
	(void)pagemap_set(run, npages, PM_NONE);

	uma_lock_acquire(&runs.r_lock);
	struct piece *pc = run_piece(run, npages, flags, &at);
	size_t dirty = pc->pc_dirty_cnt;
	piece_mark(pc, at, from, true);
	piece_mark(pc, at + to, npages - to, true);
	piece_give(pc, at, npages);
	runs.r_used -= npages;
	runs.r_dirty += pc->pc_dirty_cnt - dirty;
	bool many = runs.r_dirty > runs.r_release_at && !vm_prefaults();
	runs_leave();

	if (many)
		(void)release_batch(&below, DIRTY_KEEP);
}

void
pages_free(void *run, size_t npages, int flags)
{
	pages_free_touched(run, npages, npages, npages, flags);
}

/* Until keep pages of those that are free and dirty are left. */
static size_t
release_to(size_t keep)
{
	uintptr_t below = UINTPTR_MAX;
	size_t len = 0;

	while (below != 0)
		len += release_batch(&below, keep);
	return len;
}

size_t
pages_release(void)
{
	meta_trim();
	return release_to(0);
}

bool
pages_idle(int64_t until)
{
	static size_t keep;
	static uintptr_t below; /* 0: not under way */

	if (vm_prefaults())
		return true;
	if (below == 0) {
		uma_lock_acquire(&runs.r_lock);
		keep = runs.r_dirty - runs.r_dirty_least;
		runs.r_dirty_least = runs.r_dirty;
		uma_lock_release(&runs.r_lock);
		below = UINTPTR_MAX;
	}
	while (below != 0) {
		if (uma_now_ns() > until)
			return false;
		(void)release_batch(&below, keep);
	}
	return true;
}

void
pages_drop(struct pages_range *range, int n)
{
	vm_release_all(range, n);
	for (int i = 0; i < n; i++)
		if (!range[i].pr_dropped)
			memset(range[i].pr_start, 0, range[i].pr_len);
}

static _Atomic size_t pages_absent;

void
pages_absent_add(size_t npages)
{
	atomic_fetch_add_explicit(&pages_absent, npages, memory_order_relaxed);
}

void
pages_absent_sub(size_t npages)
{
	atomic_fetch_sub_explicit(&pages_absent, npages, memory_order_relaxed);
}

size_t
pages_held(void)
{
	size_t held = atomic_load_explicit(&runs.r_held, memory_order_relaxed);
	size_t absent =
	    atomic_load_explicit(&pages_absent, memory_order_relaxed)
	    << PAGE_SHIFT;

	/* The two are read one after the other. */
	return held - uma_min(held, absent);
}

void
pages_stat(struct pages_stat *st)
{
	*st = (struct pages_stat){
	    .ps_meta = meta_held(),
	    .ps_pagemap = pagemap_bytes(),
	    .ps_absent = atomic_load(&pages_absent) << PAGE_SHIFT,
	    .ps_image = pagemap_image() + sizeof runs,
	};
	uma_lock_acquire(&runs.r_lock);
	st->ps_mapped = vm_mapped_bytes();
	st->ps_spare = vm_unused_bytes();
	st->ps_reserved = runs.r_reserved << PAGE_SHIFT;
	st->ps_header = runs.r_header << PAGE_SHIFT;
	st->ps_used = runs.r_used << PAGE_SHIFT;
	st->ps_dirty = (runs.r_dirty + runs.r_out) << PAGE_SHIFT;
	uma_lock_release(&runs.r_lock);
}

bool
pages_is_valid(void)
{
	uma_lock_acquire(&runs.r_lock);
	bool valid = runs_is_valid();
	uma_lock_release(&runs.r_lock);
	return valid;
}

/* Nothing may be out in the child, which has no thread to bring it back. */
void
pages_fork_prepare(void)
{
	uint32_t out;

	meta_fork_prepare();
	uma_lock_fork_acquire(&runs.r_lock);
	while ((out = runs.r_out) != 0) {
		runs.r_sleepers++;
		uma_lock_fork_release(&runs.r_lock);
		uma_wait(&runs.r_out, out, -1);
		uma_lock_fork_acquire(&runs.r_lock);
		runs.r_sleepers--;
	}
}

void
pages_fork_parent(void)
{
	uma_lock_fork_release(&runs.r_lock);
	meta_fork_parent();
}

void
pages_fork_child(void)
{
	runs.r_sleepers = 0;
	uma_lock_fork_child(&runs.r_lock);
	meta_fork_child();
}

/* ---- for readers of our memory ---- */

static struct uma_debug_entry entries[] = {
    DEBUG_CONST("pieces_max", PIECES_MAX),
    DEBUG_CONST("runs_image", sizeof runs),
    DEBUG_STRUCT("piece", struct piece),
    DEBUG_MEMBER("piece", struct piece, pc_pages),
    DEBUG_MEMBER("piece", struct piece, pc_header),
    DEBUG_MEMBER("piece", struct piece, pc_committed),
    DEBUG_MEMBER("piece", struct piece, pc_busy_cnt),
    DEBUG_MEMBER("piece", struct piece, pc_dirty_cnt),
    DEBUG_MEMBER("piece", struct piece, pc_nodump),
    DEBUG_MEMBER("piece", struct piece, pc_domain),
};
static struct uma_debug_root roots[] = {
    {"runs.r_reserved", &runs.r_reserved},
    {"runs.r_header", &runs.r_header},
    {"runs.r_used", &runs.r_used},
    {"runs.r_dirty", &runs.r_dirty},
    {"runs.r_held", &runs.r_held},
    {"runs.r_out", &runs.r_out},
    {"runs.r_cnt", &runs.r_cnt},
    {"runs.r_piece", runs.r_piece},
    {"pages_absent", &pages_absent},
};
struct uma_debug_table runs_debug = DEBUG_TABLE(entries, roots);
