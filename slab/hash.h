/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash.h - page number to slab, for kegs that ask for UMA_ZONE_HASH.
 *
 * Linear probing with backward-shift deletion (Knuth, TAOCP 6.4, algorithm R),
 * at most half full, so that a removal needs no memory and leaves no trace.
 * Every page of a slab is entered.  All calls are made under the keg's lock.
 */
#ifndef UMA_SLAB_HASH_H
#define UMA_SLAB_HASH_H

#include "uma_int.h"

struct slab;

struct hash_entry {
	uintptr_t he_page; /* address of a page; 0: vacant */
	struct slab *he_slab;
};

struct hash {
	struct hash_entry *h_table;
	size_t h_size; /* entries, 0 or a power of two */
	size_t h_cnt;
};

/* False: no memory to grow; nothing was entered. */
bool hash_insert(
    struct hash *h, const void *run, size_t npages, struct slab *s);
void hash_remove(struct hash *h, const void *run, size_t npages);
struct slab *hash_find(const struct hash *h, const void *addr);
void hash_free(struct hash *h);

static inline size_t
hash_bytes(const struct hash *h)
{
	return h->h_size * sizeof *h->h_table;
}

#endif
