/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shadow.h - what a model knows about memory that it has been handed: a
 * record an address, a bit a byte that is in use, and patterns that tell whose
 * bytes they are.
 */
#ifndef UMA_TEST_SHADOW_H
#define UMA_TEST_SHADOW_H

#include "test.h"

/* ---- records ---- */

struct record {
	uintptr_t addr; /* 0: empty place */
	uint32_t serial; /* of the zone; another one makes the rest void */
	uint32_t id; /* pattern that the item holds, 0: as init left it */
	uint32_t epoch; /* of the zone at the last free, or init */
	uint32_t count; /* the item's reference counter */
	bool live; /* handed out */
	bool ready; /* between init and fini */
};

static struct {
	struct record *at;
	size_t cnt, size; /* size: a power of two */
} records;

static inline size_t
place_of_addr(uintptr_t addr, size_t size)
{
	uint64_t h = (uint64_t)addr * 0x9e3779b97f4a7c15u;

	return (size_t)(h >> 20) & (size - 1);
}

static inline struct record *
record_find(struct record *at, size_t size, uintptr_t addr)
{
	size_t i = place_of_addr(addr, size);

	while (at[i].addr != 0 && at[i].addr != addr)
		i = (i + 1) & (size - 1);
	return &at[i];
}

static inline void
records_grow(void)
{
	size_t size = records.size == 0 ? 1 << 16 : records.size * 2;
	struct record *at = calloc(size, sizeof *at);

	if (at == NULL)
		abort();
	for (size_t i = 0; i < records.size; i++)
		if (records.at[i].addr != 0)
			*record_find(at, size, records.at[i].addr) =
			    records.at[i];
	free(records.at);
	records.at = at;
	records.size = size;
}

/* The record of an address of this zone, made anew if it was another's. */
static inline struct record *
record_of(const void *p, uint32_t serial)
{
	if (records.cnt * 2 >= records.size)
		records_grow();
	struct record *r = record_find(records.at, records.size, (uintptr_t)p);
	if (r->addr == 0)
		records.cnt++;
	if (r->addr == 0 || r->serial != serial)
		*r = (struct record){.addr = (uintptr_t)p, .serial = serial};
	return r;
}

/* ---- bytes in use ---- */

#define SHADOW_PAGE  4096u
#define SHADOW_WORDS (SHADOW_PAGE / 64)

struct shadow_page {
	uintptr_t number; /* 0: empty place */
	uint64_t *used; /* a bit a byte */
};

static struct {
	struct shadow_page *at;
	size_t cnt, size;
} shadow_pages;

static inline struct shadow_page *
shadow_find(struct shadow_page *at, size_t size, uintptr_t number)
{
	size_t i = place_of_addr(number, size);

	while (at[i].number != 0 && at[i].number != number)
		i = (i + 1) & (size - 1);
	return &at[i];
}

static inline uint64_t *
shadow_of(uintptr_t number)
{
	if (shadow_pages.cnt * 2 >= shadow_pages.size) {
		size_t old = shadow_pages.size;
		size_t size = old == 0 ? 1 << 14 : old * 2;
		struct shadow_page *at = calloc(size, sizeof *at);

		if (at == NULL)
			abort();
		for (size_t i = 0; i < old; i++)
			if (shadow_pages.at[i].number != 0)
				*shadow_find(
				    at, size, shadow_pages.at[i].number) =
				    shadow_pages.at[i];
		free(shadow_pages.at);
		shadow_pages.at = at;
		shadow_pages.size = size;
	}
	struct shadow_page *p =
	    shadow_find(shadow_pages.at, shadow_pages.size, number);
	if (p->number == 0) {
		p->number = number;
		p->used = calloc(SHADOW_WORDS, sizeof *p->used);
		if (p->used == NULL)
			abort();
		shadow_pages.cnt++;
	}
	return p->used;
}

/*
 * Mark n bytes as in use, or as free again.  False: one of them was so
 * already, which is an overlap.
 */
static inline bool
shadow_mark(const void *start, size_t n, bool used)
{
	uintptr_t a = (uintptr_t)start;
	bool clean = true;

	while (n > 0) {
		uint64_t *word =
		    &shadow_of(a / SHADOW_PAGE)[a % SHADOW_PAGE / 64];
		unsigned first = a % 64;
		unsigned cnt = n < 64 - first ? (unsigned)n : 64 - first;
		uint64_t mask =
		    (cnt == 64 ? ~(uint64_t)0 : ((uint64_t)1 << cnt) - 1)
		    << first;

		clean &= (used ? *word & mask : ~*word & mask) == 0;
		if (used)
			*word |= mask;
		else
			*word &= ~mask;
		a += cnt;
		n -= cnt;
	}
	return clean;
}

/* ---- patterns ---- */

#define PATTERN_STEP 0x9e3779b97f4a7c15u

static inline uint64_t
pattern_of(uint32_t id)
{
	uint64_t state = id;

	return test_rand(&state) | 1;
}

static inline void
pattern_fill(void *p, size_t size, uint32_t id)
{
	unsigned char *b = p;
	uint64_t x = pattern_of(id);

	for (; size >= 8; size -= 8, b += 8, x += PATTERN_STEP)
		memcpy(b, &x, 8);
	memcpy(b, &x, size);
}

/* Is it the pattern of id? */
static inline bool
pattern_is(const void *p, size_t size, uint32_t id)
{
	const unsigned char *b = p;
	uint64_t x = pattern_of(id);

	for (; size >= 8; size -= 8, b += 8, x += PATTERN_STEP)
		if (memcmp(b, &x, 8) != 0)
			return false;
	return memcmp(b, &x, size) == 0;
}

/* Are all bytes the same? */
static inline bool
bytes_are(const void *p, size_t size, unsigned char byte)
{
	const unsigned char *b = p;

	return size == 0 || (b[0] == byte && memcmp(b, b + 1, size - 1) == 0);
}

#endif
