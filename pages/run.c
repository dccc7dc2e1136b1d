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
 * pages_free resets the page map and marks the run free and dirty (piece_give);
 * neighbours join by themselves, since there are only bits.  Past a threshold
 * some of the dirty runs, the highest first, go back to the system
 * (release_batch); pages_release gives all back.
 *
 * Runs that core dumps leave out lie in pieces of their own: the advice, given
 * for single runs, would split the piece's mapping at each, and the system
 * allows a process no more than some 65,000 mappings.
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
	BATCH_RUNS = 32, /* madvise calls that one free may have to pay */
};

static struct {
	struct uma_lock r_lock;
	/* Pages. */
	size_t r_reserved;
	size_t r_header;
	size_t r_used; /* handed out */
	size_t r_dirty; /* free and dirty */
	size_t r_release_at; /* release when r_dirty is more */
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
	UMA_ASSERT(UMA_DEBUG < 2 || runs_is_valid(), "page runs");
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

/* Another piece, which has room for the run; NULL, nothing changed. */
static UMA_COLD struct piece *
runs_grow(size_t npages, size_t align, bool nodump)
{
	size_t need = piece_len(npages, align);
	size_t len = uma_max(runs.r_next_len[nodump], need);

	if (runs.r_cnt == PIECES_MAX)
		return NULL;
	void *base = vm_reserve(&len, need);
	if (base == NULL)
		return NULL;
	struct piece *pc = NULL;
	if (pagemap_reserve(base, len))
		pc = piece_make(base, len, nodump);
	if (pc == NULL) {
		vm_unreserve(base, len);
		return NULL;
	}
	piece_enter(pc);
	runs.r_next_len[nodump] =
	    uma_min(runs.r_next_len[nodump] * 2, PIECE_LEN_MAX);
	return pc;
}

/* The lowest place, or the lowest that is committed already. */
static struct piece *
runs_find(size_t npages, size_t align, bool nodump, bool committed, size_t *at)
{
	for (size_t i = 0; i < runs.r_cnt; i++) {
		struct piece *pc = runs.r_piece[i];

		if (pc->pc_nodump != nodump)
			continue;
		*at = piece_find(pc, npages, align,
		    committed ? pc->pc_committed : pc->pc_pages);
		if (*at != PIECE_NONE)
			return pc;
	}
	return NULL;
}

/* A place that is ready to be taken. */
static struct piece *
runs_place(size_t npages, size_t align, bool nodump, size_t *at)
{
	struct piece *pc = runs_find(npages, align, nodump, false, at);

	if (pc == NULL && (pc = runs_grow(npages, align, nodump)) != NULL)
		*at = piece_find(pc, npages, align, pc->pc_pages);
	if (pc != NULL && !piece_commit(pc, *at + npages))
		pc = runs_find(npages, align, nodump, true, at);
	return pc;
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
	int saved = errno;
	size_t at = 0, align_pages = align >> PAGE_SHIFT;
	bool nodump = flags & PAGES_NODUMP;
	struct piece *pc;

	(void)domain;
	UMA_ASSERT(npages > 0 && align_pages > 0 && (align & (align - 1)) == 0,
	    "%zu pages at %zu", npages, align);
	errno = ENOMEM;
	if (npages > RUN_PAGES_MAX || align_pages > RUN_PAGES_MAX)
		return NULL;

	uma_lock_acquire(&runs.r_lock);
	do
		pc = runs_place(npages, align_pages, nodump, &at);
	while (pc == NULL && runs_wait_out());
	if (pc != NULL) {
		size_t dirty = pc->pc_dirty_cnt;

		piece_take(pc, at, npages);
		runs.r_used += npages;
		runs.r_dirty -= dirty - pc->pc_dirty_cnt;
	}
	runs_leave();

	if (pc == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	void *run = piece_page(pc, at);
	if (flags & PAGES_ZERO)
		run_clear(pc, at, npages);
	errno = saved;
	return run;
}

/* What is on its way to the system, without the lock. */
struct batch {
	size_t b_cnt;
	struct {
		struct piece *piece;
		size_t at, npages;
		bool done;
	} b_run[BATCH_RUNS];
};

/*
 * Called locked.  Make runs of dirty pages below *below busy, the highest
 * first, until keep dirty pages are left; *below falls to where to go on, and
 * to 0 at the end.
 */
static void
batch_take(struct batch *b, uintptr_t *below, size_t keep)
{
	size_t i = *below > 0 ? pieces_below(*below - 1) : 0;

	b->b_cnt = 0;
	while (i > 0 && b->b_cnt < BATCH_RUNS && runs.r_dirty > keep) {
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
		runs.r_dirty -= n;
		runs.r_out += (uint32_t)n;
		b->b_run[b->b_cnt].piece = pc;
		b->b_run[b->b_cnt].at = at;
		b->b_run[b->b_cnt++].npages = n;
	}
	if (i == 0 || runs.r_dirty <= keep)
		*below = 0;
}

/* Called locked.  What the system refused is as dirty as before. */
static void
batch_give(struct batch *b)
{
	for (size_t i = 0; i < b->b_cnt; i++) {
		size_t n = b->b_run[i].npages;

		piece_give(
		    b->b_run[i].piece, b->b_run[i].at, n, !b->b_run[i].done);
		runs.r_dirty += b->b_run[i].done ? 0 : n;
		runs.r_out -= (uint32_t)n;
	}
	if (runs.r_sleepers > 0)
		uma_wake(&runs.r_out, INT_MAX);
}

/*
 * One batch: at most BATCH_RUNS calls to the system, which bounds what a free
 * pays, and what an allocation that needs these pages waits for.  Returns the
 * bytes released.
 */
static size_t
release_batch(uintptr_t *below, size_t keep)
{
	struct batch b;
	size_t len = 0;

	uma_lock_acquire(&runs.r_lock);
	batch_take(&b, below, keep);
	uma_lock_release(&runs.r_lock);
	for (size_t i = 0; i < b.b_cnt; i++) {
		size_t n = b.b_run[i].npages << PAGE_SHIFT;

		b.b_run[i].done =
		    vm_release(piece_page(b.b_run[i].piece, b.b_run[i].at), n);
		len += b.b_run[i].done ? n : 0;
	}
	uma_lock_acquire(&runs.r_lock);
	batch_give(&b);
	/* Where all is refused (locked memory), do not ask at every free. */
	runs.r_release_at =
	    DIRTY_MAX + (b.b_cnt > 0 && len == 0 ? runs.r_dirty : 0);
	runs_leave();
	return len;
}

void
pages_free(void *run, size_t npages, int flags)
{
	/* Above all pieces. */
	uintptr_t below = UINTPTR_MAX;

	(void)pagemap_set(run, npages, PM_PAGES);

	uma_lock_acquire(&runs.r_lock);
	size_t i = pieces_below((uintptr_t)run);
	UMA_ASSERT(i > 0, "free of pages that are not ours: %p", run);
	struct piece *pc = runs.r_piece[i - 1];
	size_t at = ((uintptr_t)run - (uintptr_t)pc) >> PAGE_SHIFT;
	UMA_ASSERT(at + npages <= pc->pc_committed,
	    "free of pages that are not ours: %p", run);
	UMA_ASSERT(pc->pc_nodump == !!(flags & PAGES_NODUMP),
	    "free of %p with other flags than it was had with", run);
	piece_give(pc, at, npages, true);
	runs.r_used -= npages;
	runs.r_dirty += npages;
	bool many = runs.r_dirty > runs.r_release_at;
	runs_leave();

	if (many)
		(void)release_batch(&below, DIRTY_KEEP);
}

size_t
pages_release(void)
{
	uintptr_t below = UINTPTR_MAX;
	size_t len = 0;

	meta_trim();
	while (below != 0)
		len += release_batch(&below, 0);
	return len;
}

void
pages_stat(struct pages_stat *st)
{
	size_t meta = meta_held();

	uma_lock_acquire(&runs.r_lock);
	*st = (struct pages_stat){
	    .ps_reserved = runs.r_reserved << PAGE_SHIFT,
	    .ps_used = runs.r_used << PAGE_SHIFT,
	    .ps_dirty = runs.r_dirty << PAGE_SHIFT,
	    .ps_meta = meta,
	};
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

int
pages_domain_cnt(void)
{
	return 1;
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
