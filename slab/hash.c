/* SPDX-License-Identifier: BSD-2-Clause */
#include "hash.h"

#include "pages_int.h"

#define HASH_SIZE_MIN 32

/* Fibonacci hashing: page numbers of neighbouring slabs spread out. */
static size_t
hash_slot(const struct hash *h, uintptr_t page)
{
	return (size_t)((page >> PAGE_SHIFT) * UINT64_C(0x9e3779b97f4a7c15) >>
			32) &
	       (h->h_size - 1);
}

static void
hash_enter(struct hash *h, uintptr_t page, struct slab *s)
{
	size_t i = hash_slot(h, page);

	while (h->h_table[i].he_page != 0)
		i = (i + 1) & (h->h_size - 1);
	h->h_table[i] = (struct hash_entry){page, s};
	h->h_cnt++;
}

static bool
hash_grow(struct hash *h, size_t want)
{
	struct hash old = *h;
	size_t size = uma_max(old.h_size, (size_t)HASH_SIZE_MIN);

	while (size < 2 * want)
		size *= 2;
	if (size == old.h_size)
		return true;
	struct hash_entry *table = meta_alloc(size * sizeof *table, 0);
	if (table == NULL)
		return false;
	*h = (struct hash){.h_table = table, .h_size = size};
	for (size_t i = 0; i < old.h_size; i++)
		if (old.h_table[i].he_page != 0)
			hash_enter(
			    h, old.h_table[i].he_page, old.h_table[i].he_slab);
	hash_free(&old);
	return true;
}

bool
hash_insert(struct hash *h, const void *run, size_t npages, struct slab *s)
{
	if (!hash_grow(h, h->h_cnt + npages))
		return false;
	for (size_t i = 0; i < npages; i++)
		hash_enter(h, (uintptr_t)run + i * UMA_PAGE_SIZE, s);
	return true;
}

/* The slot of a page, which is there, or of the vacancy that ends its search. */
static size_t
hash_seek(const struct hash *h, uintptr_t page)
{
	size_t i = hash_slot(h, page);

	while (h->h_table[i].he_page != 0 && h->h_table[i].he_page != page)
		i = (i + 1) & (h->h_size - 1);
	return i;
}

/* Close the gap at i: entries behind it that it would hide move up. */
static void
hash_close_gap(struct hash *h, size_t i)
{
	size_t mask = h->h_size - 1;

	for (size_t j = (i + 1) & mask; h->h_table[j].he_page != 0;
	     j = (j + 1) & mask) {
		size_t home = hash_slot(h, h->h_table[j].he_page);

		if (((j - home) & mask) < ((j - i) & mask))
			continue;
		h->h_table[i] = h->h_table[j];
		i = j;
	}
	h->h_table[i] = (struct hash_entry){0};
}

void
hash_remove(struct hash *h, const void *run, size_t npages)
{
	for (size_t i = 0; i < npages; i++) {
		size_t at = hash_seek(h, (uintptr_t)run + i * UMA_PAGE_SIZE);

		UMA_ASSERT(
		    h->h_table[at].he_page != 0, "page %zu of %p", i, run);
		hash_close_gap(h, at);
		h->h_cnt--;
	}
}

struct slab *
hash_find(const struct hash *h, const void *addr)
{
	if (h->h_size == 0)
		return NULL;
	return h->h_table[hash_seek(h, (uintptr_t)addr & ~UMA_PAGE_MASK)]
	    .he_slab;
}

void
hash_free(struct hash *h)
{
	meta_free(h->h_table, hash_bytes(h));
	*h = (struct hash){0};
}
