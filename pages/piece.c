/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * piece.c - one piece of address space: which of its pages are free, and where
 * the lowest run of n of them is.
 *
 *   | struct, summaries, busy map, dirty map | pages ... | never used |
 *   0                                   pc_header   pc_committed   pc_pages
 *
 * For each chunk of 512 pages a summary tells the free pages at its start, the
 * longest free run inside it, and the free pages at its end: enough to find a
 * run across chunks without a look at their bits.  (Go's page allocator has
 * the same three numbers, in a tree; a list is enough for 512 chunks.)
 *
 * A header of zeroes says that all is free, so that only those of its pages are
 * touched that describe touched chunks.
 */
#include "vm_int.h"

enum { COMMIT_STEP = 256 }; /* pages at a time; twice that if huge */
_Static_assert(
    (size_t)PIECE_CHUNK << PAGE_SHIFT == VM_PIECE_ALIGN, "whole chunks");

/* Ten bits each, 512 in all three being stored as zero. */
struct summary {
	size_t first, longest, last;
};
#define SUMMARY_FREE ((uint32_t)PIECE_CHUNK * (1u | 1u << 10 | 1u << 20))

static inline struct summary
summary_get(const struct piece *pc, size_t chunk)
{
	uint32_t w = pc->pc_summary[chunk] ^ SUMMARY_FREE;

	return (struct summary){w & 1023, w >> 10 & 1023, w >> 20};
}

static struct summary
summary_count(const struct piece *pc, size_t chunk)
{
	size_t at = chunk * PIECE_CHUNK, end = at + PIECE_CHUNK;
	size_t from = at, to = bits_next(pc->pc_busy, at, end, true);
	struct summary s = {to - at, 0, 0};

	while (from < end) {
		s.longest = uma_max(s.longest, to - from);
		s.last = to == end ? to - from : 0;
		from = bits_next(pc->pc_busy, to, end, false);
		to = bits_next(pc->pc_busy, from, end, true);
	}
	return s;
}

static void
summary_update(struct piece *pc, size_t at, size_t npages)
{
	size_t end = (at + npages - 1) / PIECE_CHUNK;

	for (size_t c = at / PIECE_CHUNK; c <= end; c++) {
		struct summary s = summary_count(pc, c);
		size_t w = s.first | s.longest << 10 | s.last << 20;

		pc->pc_summary[c] = (uint32_t)w ^ SUMMARY_FREE;
	}
}

/* Bytes of the header of a piece of so many pages, in whole pages. */
static size_t
header_len(size_t npages)
{
	size_t len =
	    sizeof(struct piece) + npages / PIECE_CHUNK * sizeof(uint32_t);

	return uma_roundup(
	    uma_roundup(len, 8) + 2 * (npages / 8), UMA_PAGE_SIZE);
}

size_t
piece_len(size_t npages, size_t align_pages)
{
	size_t want = (npages + align_pages - 1) << PAGE_SHIFT;
	size_t len = uma_roundup(want, VM_PIECE_ALIGN);

	while (len < want + header_len(len >> PAGE_SHIFT))
		len += VM_PIECE_ALIGN;
	return len;
}

struct piece *
piece_make(void *base, size_t len, int domain, bool nodump)
{
	struct piece *pc = base;
	size_t npages = len >> PAGE_SHIFT, header = header_len(npages);

	/*
	 * Once, and before anything is committed, which keeps the advice; but
	 * what we know of the pages is no secret.
	 */
	if (nodump)
		vm_nodump((char *)base + header, len - header);
	vm_huge(base, len);
	vm_name(base, len, nodump ? "libuma nodump" : "libuma");
	(void)domain_bind(base, len, domain);
	if (!vm_commit(base, header))
		return NULL;
	pc->pc_pages = npages;
	pc->pc_header = header >> PAGE_SHIFT;
	pc->pc_committed = pc->pc_header;
	pc->pc_dirty = (bits_word *)((char *)base + header - npages / 8);
	pc->pc_busy = pc->pc_dirty - npages / 64;
	pc->pc_longest = npages;
	pc->pc_nodump = nodump;
	pc->pc_domain = (uint8_t)domain;
	piece_take(pc, 0, pc->pc_header);
	return pc;
}

/* Where in the free run of len pages from start the pages fit. */
static inline size_t
fit(const struct piece *pc, size_t start, size_t len, size_t npages,
    size_t align)
{
	uintptr_t page0 = (uintptr_t)pc >> PAGE_SHIFT;
	size_t at = uma_roundup(page0 + start, align) - page0;

	return at + npages <= start + len ? at : PIECE_NONE;
}

static size_t
chunk_find(const struct piece *pc, size_t chunk, size_t npages, size_t align)
{
	size_t from = chunk * PIECE_CHUNK, end = from + PIECE_CHUNK;

	while ((from = bits_next(pc->pc_busy, from, end, false)) < end) {
		size_t to = bits_next(pc->pc_busy, from, end, true);
		size_t at = fit(pc, from, to - from, npages, align);

		if (at != PIECE_NONE)
			return at;
		from = to;
	}
	return PIECE_NONE;
}

/* First fit; start and len are the free run that ends where chunk c starts. */
static size_t
summaries_find(const struct piece *pc, size_t npages, size_t align)
{
	size_t start = 0, len = 0, at;

	for (size_t c = pc->pc_hint; c * PIECE_CHUNK < pc->pc_pages; c++) {
		struct summary s = summary_get(pc, c);

		if (len == 0)
			start = c * PIECE_CHUNK;
		len += s.first;
		if (len >= npages &&
		    (at = fit(pc, start, len, npages, align)) != PIECE_NONE)
			return at;
		if (s.first == PIECE_CHUNK)
			continue;
		if (s.longest >= npages &&
		    (at = chunk_find(pc, c, npages, align)) != PIECE_NONE)
			return at;
		start = (c + 1) * PIECE_CHUNK - s.last;
		len = s.last;
	}
	return PIECE_NONE;
}

size_t
piece_find(struct piece *pc, size_t npages, size_t align, size_t limit)
{
	size_t chunks = pc->pc_pages / PIECE_CHUNK;

	while (
	    pc->pc_hint < chunks && summary_get(pc, pc->pc_hint).longest == 0)
		pc->pc_hint++;
	if (npages > pc->pc_longest)
		return PIECE_NONE;
	size_t at = summaries_find(pc, npages, align);
	if (at == PIECE_NONE && align == 1)
		pc->pc_longest = npages - 1;
	/* The lowest place is above the limit: so is every other. */
	return at != PIECE_NONE && at + npages <= limit ? at : PIECE_NONE;
}

/*
 * Steps keep calls to the system rare; being smaller than a huge page, unless
 * these are wanted, they also keep the kernel from filling one for the first
 * small run in it.
 */
bool
piece_commit(struct piece *pc, size_t end)
{
	size_t from = pc->pc_committed;
	size_t step = vm_wants_huge() ? PIECE_CHUNK : COMMIT_STEP;
	size_t to = uma_min(uma_roundup(end, step), pc->pc_pages);
	char *base = piece_page(pc, from);

	if (end <= from)
		return true;
	if (!vm_commit(base, (to - from) << PAGE_SHIFT)) {
		to = end;
		if (!vm_commit(base, (to - from) << PAGE_SHIFT))
			return false;
	}
	pc->pc_committed = to;
	return true;
}

void
piece_take(struct piece *pc, size_t at, size_t npages)
{
	UMA_ASSERT(bits_next(pc->pc_busy, at, at + npages, true) == at + npages,
	    "pages taken twice");
	pc->pc_dirty_cnt -= bits_cnt(pc->pc_dirty, at, at + npages);
	pc->pc_busy_cnt += npages;
	bits_put(pc->pc_busy, at, at + npages, true);
	summary_update(pc, at, npages);
}

void
piece_give(struct piece *pc, size_t at, size_t npages)
{
	UMA_ASSERT(
	    bits_next(pc->pc_busy, at, at + npages, false) == at + npages,
	    "pages freed twice");
	pc->pc_busy_cnt -= npages;
	pc->pc_dirty_cnt += bits_cnt(pc->pc_dirty, at, at + npages);
	bits_put(pc->pc_busy, at, at + npages, false);
	summary_update(pc, at, npages);
	pc->pc_hint = uma_min(pc->pc_hint, at / PIECE_CHUNK);
	pc->pc_longest = pc->pc_pages; /* to be found out by the next failure */
}

void
piece_mark(struct piece *pc, size_t at, size_t npages, bool dirty)
{
	UMA_ASSERT(
	    bits_next(pc->pc_busy, at, at + npages, false) == at + npages,
	    "pages that are not in use marked");
	bits_put(pc->pc_dirty, at, at + npages, dirty);
}

/* Those bits of [from, to), all in one word, that are free and dirty. */
static inline uint64_t
dirty_free(const struct piece *pc, size_t from, size_t to)
{
	return bits_load(pc->pc_dirty, from) & ~bits_load(pc->pc_busy, from) &
	       bits_mask(from, to);
}

size_t
piece_dirty_below(struct piece *pc, size_t end, size_t *at)
{
	size_t from;
	uint64_t w;

	end = pc->pc_dirty_cnt == 0 ? 0 : uma_min(end, pc->pc_committed);
	for (;;) { /* down to the run's last page */
		if (end == 0)
			return 0;
		from = (end - 1) & ~(size_t)63;
		if ((w = dirty_free(pc, from, end)) != 0)
			break;
		end = from;
	}
	end = from + 64 - (size_t)__builtin_clzll(w);
	/* Down to its first; the header at page 0 is always busy. */
	size_t least = end - uma_min(end, (size_t)PIECE_RELEASE);
	for (*at = end; *at > least; *at = from) {
		from = uma_max((*at - 1) & ~(size_t)63, least);
		w = ~dirty_free(pc, from, *at) & bits_mask(from, *at);
		if (w != 0) {
			*at = (from | 63) + 1 - (size_t)__builtin_clzll(w);
			break;
		}
	}
	return end - *at;
}

void
piece_forget(struct piece *pc, size_t at, size_t npages)
{
	size_t end = (at + npages - 1) / PIECE_CHUNK;

	for (size_t c = at / PIECE_CHUNK; c <= end; c++)
		if (summary_get(pc, c).longest == PIECE_CHUNK)
			pagemap_forget(piece_page(pc, c * PIECE_CHUNK));
}

bool
piece_is_valid(struct piece *pc)
{
	size_t busy = bits_cnt(pc->pc_busy, 0, pc->pc_pages), dirty = 0;
	size_t chunks = pc->pc_pages / PIECE_CHUNK, from = 0;

	for (; from < pc->pc_pages; from += 64)
		dirty += (size_t)__builtin_popcountll(
		    dirty_free(pc, from, from + 64));
	for (size_t c = 0; c < chunks; c++) {
		struct summary is = summary_get(pc, c);
		struct summary be = summary_count(pc, c);

		if (is.first != be.first || is.longest != be.longest ||
		    is.last != be.last || be.longest > pc->pc_longest ||
		    (c < pc->pc_hint && be.longest > 0))
			return false;
	}
	size_t fresh = pc->pc_committed;
	return busy == pc->pc_busy_cnt && dirty == pc->pc_dirty_cnt &&
	       pc->pc_header <= fresh && fresh <= pc->pc_pages &&
	       bits_next(pc->pc_busy, fresh, pc->pc_pages, true) ==
		   pc->pc_pages &&
	       bits_next(pc->pc_dirty, fresh, pc->pc_pages, true) ==
		   pc->pc_pages;
}
