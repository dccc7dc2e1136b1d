/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map.c - the page map: one word a page, two levels for 48-bit addresses.
 *
 * The root is in .bss, a leaf covers 1 GiB and is mapped when something in it
 * is first entered; both cost memory only where they are written.  That is few
 * places far apart, so both are kept from huge pages.  Leaves are never taken
 * away, so that readers need no lock.
 *
 * Pages in no use have a word of zero, and a byte for each 2 MiB, a piece's
 * chunk, says whose they are: nobody's, or ours and of which NUMA domain.  So
 * the words of a chunk without a page in use, which fill a page themselves, can
 * be given back to the system, and read as before.
 */
#include <errno.h>

#include "vm_int.h"

enum { MAP_BITS = 48, LEAF_BITS = 18, ROOT_BITS = 18 };
_Static_assert(PAGE_SHIFT + LEAF_BITS + ROOT_BITS == MAP_BITS, "levels");
#define LEAF_SPAN ((uintptr_t)1 << (PAGE_SHIFT + LEAF_BITS)) /* bytes */
#define MAP_END	  ((uintptr_t)1 << MAP_BITS)

#define LEAF_CHUNKS (LEAF_SPAN / VM_PIECE_ALIGN)

struct leaf {
	_Atomic uintptr_t lf_word[1 << LEAF_BITS];
	_Atomic uint8_t lf_owner[LEAF_CHUNKS]; /* domain + 1, 0: not ours */
};
_Static_assert(
    VM_PIECE_ALIGN / UMA_PAGE_SIZE * sizeof(uintptr_t) == UMA_PAGE_SIZE,
    "the words of a chunk are a page");

/* Bytes that a leaf is mapped with. */
#define LEAF_LEN ((sizeof(struct leaf) + UMA_PAGE_MASK) & ~UMA_PAGE_MASK)

static struct leaf *_Atomic root[1 << ROOT_BITS];

static inline _Atomic uintptr_t *
leaf_word(struct leaf *leaf, uintptr_t addr)
{
	return &leaf->lf_word[addr >> PAGE_SHIFT & ((1 << LEAF_BITS) - 1)];
}

static inline struct leaf *
leaf_of(uintptr_t addr)
{
	return addr < MAP_END ? atomic_load_explicit(&root[addr / LEAF_SPAN],
				    memory_order_acquire)
			      : NULL;
}

static inline _Atomic uint8_t *
leaf_owner(struct leaf *leaf, uintptr_t addr)
{
	return &leaf->lf_owner[addr / VM_PIECE_ALIGN % LEAF_CHUNKS];
}

int
pages_domain_of(const void *p)
{
	uintptr_t addr = (uintptr_t)p;
	struct leaf *leaf = leaf_of(addr);

	return leaf == NULL ? -1
			    : atomic_load_explicit(leaf_owner(leaf, addr),
				  memory_order_relaxed) -
				  1;
}

/* Acquire: what the word points to was written before the word. */
uintptr_t
pagemap_get(const void *p)
{
	uintptr_t addr = (uintptr_t)p, word = 0;
	struct leaf *leaf = leaf_of(addr);

	if (leaf != NULL)
		word = atomic_load_explicit(
		    leaf_word(leaf, addr), memory_order_acquire);
	if (word == 0 && pages_domain_of(p) >= 0)
		return PM_PAGES;
	return word;
}

/* Those pages of the root that are nobody else's too. */
void
pagemap_init(void)
{
	uintptr_t from = uma_roundup((uintptr_t)root, UMA_PAGE_SIZE);
	uintptr_t to = (uintptr_t)(root + (1 << ROOT_BITS)) & ~UMA_PAGE_MASK;

	vm_nohuge((void *)from, to - from);
}

/* A leaf that nobody needed and the system would not take back. */
static struct leaf *_Atomic leaf_spare;
static _Atomic size_t leaf_cnt; /* those that are mapped, used or not */

size_t
pagemap_bytes(void)
{
	return atomic_load(&leaf_cnt) * LEAF_LEN;
}

size_t
pagemap_image(void)
{
	return sizeof root;
}

static struct leaf *
leaf_alloc(void)
{
	struct leaf *leaf = atomic_exchange(&leaf_spare, NULL);

	if (leaf == NULL && (leaf = vm_map(LEAF_LEN)) != NULL) {
		atomic_fetch_add(&leaf_cnt, 1);
		vm_nohuge(leaf, LEAF_LEN);
		vm_name(leaf, LEAF_LEN, "libuma page map");
	}
	return leaf;
}

static bool
leaf_make(size_t i)
{
	struct leaf *none = NULL, *leaf;

	if (atomic_load_explicit(&root[i], memory_order_acquire) != NULL)
		return true;
	leaf = leaf_alloc();
	if (leaf == NULL)
		return false;
	if (atomic_compare_exchange_strong_explicit(&root[i], &none, leaf,
		memory_order_acq_rel, memory_order_acquire))
		return true;
	/* Another was faster; ours is as it was mapped. */
	if (vm_unmap(leaf, LEAF_LEN))
		atomic_fetch_sub(&leaf_cnt, 1);
	else
		atomic_store(&leaf_spare, leaf);
	return true;
}

bool
pagemap_reserve(const void *start, size_t len)
{
	uintptr_t addr = (uintptr_t)start;

	if (len == 0)
		return true;
	if (addr >= MAP_END || len > MAP_END - addr) {
		errno = EINVAL;
		return false;
	}
	for (size_t i = addr / LEAF_SPAN; i <= (addr + len - 1) / LEAF_SPAN;
	     i++)
		if (!leaf_make(i)) {
			errno = ENOMEM;
			return false;
		}
	return true;
}

void
pagemap_own(const void *start, size_t len, int domain)
{
	uintptr_t addr = (uintptr_t)start, end = addr + len;

	for (; addr < end; addr += VM_PIECE_ALIGN)
		atomic_store_explicit(leaf_owner(leaf_of(addr), addr),
		    (uint8_t)(domain + 1), memory_order_relaxed);
}

void
pagemap_forget(const void *chunk)
{
	uintptr_t addr = (uintptr_t)chunk;

	(void)vm_release(leaf_word(leaf_of(addr), addr), UMA_PAGE_SIZE);
}

bool
pagemap_set(const void *start, size_t npages, uintptr_t word)
{
	uintptr_t addr = (uintptr_t)start;

	/* All leaves first, so that a refusal leaves nothing half entered. */
	if (npages > MAP_END >> PAGE_SHIFT) {
		errno = EINVAL;
		return false;
	}
	if (!pagemap_reserve(start, npages << PAGE_SHIFT))
		return false;
	for (; npages > 0; npages--, addr += UMA_PAGE_SIZE) {
		_Atomic uintptr_t *at = leaf_word(leaf_of(addr), addr);

		/* What is not written stays without memory. */
		if (atomic_load_explicit(at, memory_order_relaxed) != word)
			atomic_store_explicit(at, word, memory_order_release);
	}
	return true;
}

/* ---- for readers of our memory ---- */

static struct uma_debug_entry entries[] = {
    DEBUG_CONST("map_bits", MAP_BITS),
    DEBUG_CONST("leaf_bits", LEAF_BITS),
    DEBUG_CONST("root_bits", ROOT_BITS),
    DEBUG_CONST("leaf_chunks", LEAF_CHUNKS),
    DEBUG_CONST("piece_align", VM_PIECE_ALIGN),
    DEBUG_CONST("pm_pages", PM_PAGES),
    DEBUG_CONST("pm_meta", PM_META),
    DEBUG_CONST("pm_slab", PM_SLAB),
    DEBUG_CONST("pm_keg", PM_KEG),
    DEBUG_CONST("pm_tag_mask", PM_TAG_MASK),
    DEBUG_STRUCT("leaf", struct leaf),
    DEBUG_ARRAY("leaf", struct leaf, lf_word),
    DEBUG_ARRAY("leaf", struct leaf, lf_owner),
    DEBUG_CONST("leaf_len", LEAF_LEN),
    DEBUG_CONST("pagemap_image", sizeof root),
};
static struct uma_debug_root roots[] = {
    {"pagemap", root}, {"leaf_cnt", &leaf_cnt}};
struct uma_debug_table map_debug = DEBUG_TABLE(entries, roots);
