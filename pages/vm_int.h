/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm_int.h - what the files of pages/ share and no other folder sees: calls to
 * the system, bitmaps, pieces of address space.
 */
#ifndef UMA_PAGES_VM_INT_H
#define UMA_PAGES_VM_INT_H

#include "pages_int.h"

/* ---- the system (vm.c); every call keeps errno ---- */

/* Pieces of address space start and end at multiples of this. */
#define VM_PIECE_ALIGN ((size_t)2 << 20)

void vm_init(const struct pages_config *config);

/*
 * vm_reserve: address space of *len bytes, or down to need when there is not
 * as much; *len says how much it became.  NULL when not even need is left.
 */
void *vm_reserve(size_t *len, size_t need);
void vm_unreserve(void *base, size_t len); /* or keep it for vm_reserve */
bool vm_commit(void *base, size_t len); /* readable and writable from now on */
void *vm_map(size_t len); /* zeroed memory at once; NULL */
bool vm_unmap(void *base, size_t len); /* the contrary; false: still there */
size_t vm_mapped_bytes(void); /* address space that we have */
size_t vm_unused_bytes(void); /* and of it, what is in nobody's use */
bool vm_release(void *base, size_t len); /* memory to the system; reads as 0 */
/* The same for up to PAGES_DROP_MAX ranges, each of which says if it was. */
void vm_release_all(struct pages_range *range, int n);
bool vm_populate(void *base, size_t len); /* all its memory now */
bool vm_wants_huge(void); /* pages, wherever they fit */
bool vm_prefaults(void); /* a first use is not to fault */
/* Advice, which may be refused without harm. */
void vm_nodump(void *base, size_t len); /* keep it out of core dumps */
void vm_nohuge(void *base, size_t len); /* no huge page for a first byte */
void vm_huge(void *base, size_t len); /* as the settings say, for items */
void vm_name(void *base, size_t len, const char *name); /* in /proc/self/maps */
bool domain_bind(void *base, size_t len, int domain); /* the next memory */
/* Say, without a lock held, what a call had to leave undone. */
void vm_say(void);

/* ---- bitmaps ---- */

/*
 * Words are atomic, in relaxed order, so that the holder of a run may look at
 * the bits of its pages without the lock while others change neighbouring bits
 * under it.
 */
typedef _Atomic uint64_t bits_word;

static inline uint64_t
bits_load(const bits_word *map, size_t bit)
{
	return atomic_load_explicit(&map[bit / 64], memory_order_relaxed);
}

/* Those bits of from's word that are in [from, to). */
static inline uint64_t
bits_mask(size_t from, size_t to)
{
	size_t n = uma_min(to - from, 64 - from % 64);

	return (~(uint64_t)0 >> (64 - n)) << from % 64;
}

/* The first bit of the word after bit's. */
static inline size_t
bits_step(size_t bit)
{
	return (bit | 63) + 1;
}

static inline void
bits_put(bits_word *map, size_t from, size_t to, bool on)
{
	for (; from < to; from = bits_step(from)) {
		uint64_t mask = bits_mask(from, to), w = bits_load(map, from);

		atomic_store_explicit(&map[from / 64],
		    on ? w | mask : w & ~mask, memory_order_relaxed);
	}
}

static inline size_t
bits_cnt(const bits_word *map, size_t from, size_t to)
{
	size_t cnt = 0;

	for (; from < to; from = bits_step(from))
		cnt += (size_t)__builtin_popcountll(
		    bits_load(map, from) & bits_mask(from, to));
	return cnt;
}

/* The first bit of [from, to) that is on (or off), or to. */
static inline size_t
bits_next(const bits_word *map, size_t from, size_t to, bool on)
{
	uint64_t flip = on ? 0 : ~(uint64_t)0;

	for (; from < to; from = bits_step(from)) {
		uint64_t w =
		    (bits_load(map, from) ^ flip) & bits_mask(from, to);

		if (w != 0)
			return from / 64 * 64 + (size_t)__builtin_ctzll(w);
	}
	return to;
}

/* ---- one piece of address space (piece.c) ---- */

#define PIECE_CHUNK 512 /* pages that share a summary: VM_PIECE_ALIGN */
#define PIECE_NONE  SIZE_MAX
/* Pages that one call gives to the system: what others may have to wait for. */
#define PIECE_RELEASE 1024

/*
 * The header lies at the piece's start.  Page numbers count from there.
 * Guarded by the lock of the runs, but for the bits of the dirty map that
 * belong to a run, which its holder may read.
 */
struct piece {
	size_t pc_pages; /* in the piece */
	size_t pc_header; /* of these, for this header */
	size_t pc_committed; /* pages below this are readable and writable */
	size_t pc_busy_cnt; /* bits in pc_busy */
	size_t pc_dirty_cnt; /* bits in pc_dirty that are not in pc_busy */
	size_t pc_hint; /* chunks below this one are full */
	size_t pc_longest; /* no free run is longer */
	bits_word *pc_busy; /* not free: header, handed out, being released */
	bits_word *pc_dirty; /* may hold something else than zero */
	bool pc_nodump; /* its pages, but for the header, are not dumped */
	uint8_t pc_domain;
	uint32_t pc_summary[]; /* a chunk: piece.c */
};

/* piece_len: bytes for a piece that surely holds such a run; a multiple of
 * VM_PIECE_ALIGN. */
size_t piece_len(size_t npages, size_t align_pages);
/* piece_make: build the header; NULL when it cannot be committed. */
struct piece *piece_make(void *base, size_t len, int domain, bool nodump);
/*
 * piece_find: the lowest place for npages below page limit, PIECE_NONE if there
 * is none.
 */
size_t piece_find(
    struct piece *pc, size_t npages, size_t align_pages, size_t limit);
/* piece_commit: make pages below end usable; false, nothing changed. */
bool piece_commit(struct piece *pc, size_t end);
void piece_take(struct piece *pc, size_t at, size_t npages);
/* piece_mark: busy pages are dirty, or not, which says what they will be. */
void piece_mark(struct piece *pc, size_t at, size_t npages, bool dirty);
void piece_give(struct piece *pc, size_t at, size_t npages);
/*
 * piece_dirty_below: the highest run of free dirty pages below page end, at
 * most PIECE_RELEASE of them; its length, 0 for none, and its start in *at.
 */
size_t piece_dirty_below(struct piece *pc, size_t end, size_t *at);
/* piece_forget: the page map of those chunks of a run that are all free. */
void piece_forget(struct piece *pc, size_t at, size_t npages);
bool piece_is_valid(struct piece *pc);

static inline void *
piece_page(struct piece *pc, size_t at)
{
	return (char *)pc + (at << PAGE_SHIFT);
}

/* ---- the rest ---- */

void pagemap_init(void);
size_t pagemap_bytes(void); /* of its leaves */
size_t pagemap_image(void); /* of its root, in .bss */
bool pagemap_reserve(const void *start, size_t len); /* make the leaves */
/* Whole chunks, whose leaves are there, are ours and of that domain. */
void pagemap_own(const void *start, size_t len, int domain);
/* No page of this chunk is in use: give its words' memory back. */
void pagemap_forget(const void *chunk);

size_t meta_held(void); /* bytes of the pool's runs */
void meta_trim(void); /* give the empty chunks back */
void meta_fork_prepare(void);
void meta_fork_parent(void);
void meta_fork_child(void);

#endif
