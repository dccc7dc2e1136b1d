/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map.c - the page map: one word a page, two levels for 48-bit addresses.
 *
 * The root is in .bss, a leaf covers 1 GiB and is mapped when something in it
 * is first entered; both cost memory only where they are written.  That is few
 * places far apart, so both are kept from huge pages.  Leaves are never taken
 * away, so that readers need no lock.
 */
#include <errno.h>

#include "vm_int.h"

enum { MAP_BITS = 48, LEAF_BITS = 18, ROOT_BITS = 18 };
_Static_assert(PAGE_SHIFT + LEAF_BITS + ROOT_BITS == MAP_BITS, "levels");
#define LEAF_SPAN ((uintptr_t)1 << (PAGE_SHIFT + LEAF_BITS)) /* bytes */
#define MAP_END	  ((uintptr_t)1 << MAP_BITS)

struct leaf {
	_Atomic uintptr_t lf_word[1 << LEAF_BITS];
};

static struct leaf *_Atomic root[1 << ROOT_BITS];

static inline _Atomic uintptr_t *
leaf_word(struct leaf *leaf, uintptr_t addr)
{
	return &leaf->lf_word[addr >> PAGE_SHIFT & ((1 << LEAF_BITS) - 1)];
}

/* Acquire: what the word points to was written before the word. */
uintptr_t
pagemap_get(const void *p)
{
	uintptr_t addr = (uintptr_t)p;

	if (addr >= MAP_END)
		return PM_NONE;
	struct leaf *leaf =
	    atomic_load_explicit(&root[addr / LEAF_SPAN], memory_order_acquire);
	if (leaf == NULL)
		return PM_NONE;
	return atomic_load_explicit(
	    leaf_word(leaf, addr), memory_order_acquire);
}

/* Those pages of the root that are nobody else's too. */
void
pagemap_init(void)
{
	uintptr_t from = uma_roundup((uintptr_t)root, UMA_PAGE_SIZE);
	uintptr_t to = (uintptr_t)(root + (1 << ROOT_BITS)) & ~UMA_PAGE_MASK;

	vm_nohuge((void *)from, to - from);
}

static bool
leaf_make(size_t i)
{
	struct leaf *none = NULL, *leaf;

	if (atomic_load_explicit(&root[i], memory_order_acquire) != NULL)
		return true;
	leaf = vm_map(sizeof *leaf);
	if (leaf == NULL)
		return false;
	vm_nohuge(leaf, sizeof *leaf);
	if (!atomic_compare_exchange_strong_explicit(&root[i], &none, leaf,
		memory_order_acq_rel, memory_order_acquire))
		vm_unreserve(leaf, sizeof *leaf); /* another was faster */
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
		struct leaf *leaf = atomic_load_explicit(
		    &root[addr / LEAF_SPAN], memory_order_acquire);

		atomic_store_explicit(
		    leaf_word(leaf, addr), word, memory_order_release);
	}
	return true;
}
