/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * meta.c - the metadata pool: memory for the library's own structures, in size
 * classes, since nothing here may call malloc.
 *
 * A chunk is one run: a header of one cache line, then items of one class.  The
 * page map leads from an item to its chunk.  A class knows its chunks that have
 * a free item; an empty chunk goes back to the runs, but for one a class, which
 * is kept against alternating alloc and free.  Sizes above the largest class
 * are runs of their own.
 */
#include <errno.h>
#include <string.h>

#include <urcu/compiler.h>
#include <urcu/hlist.h>

#include "vm_int.h"

enum {
	CLASS_CNT = 21,
	CLASS_SIZE_MAX = 32 << 10,
	CHUNK_ITEMS_MIN = 8, /* more where more fit in one page */
	CHUNK_WORDS = 4,
	CHUNK_ITEMS_MAX = CHUNK_WORDS * 64
};

/* Halves between powers of two where alignment allows. */
static const uint16_t class_size[CLASS_CNT] = {16, 32, 48, 64, 128, 192, 256,
    384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384,
    24576, CLASS_SIZE_MAX};

struct chunk {
	struct cds_hlist_node ch_link; /* its class's list */
	uint16_t ch_class;
	uint16_t ch_items; /* in all */
	uint16_t ch_used;
	uint16_t ch_fresh; /* items from this one on are still zero */
	uint64_t ch_busy[CHUNK_WORDS];
};
_Static_assert(sizeof(struct chunk) <= UMA_CACHE_LINE, "chunk's header");
_Static_assert((4096 - UMA_CACHE_LINE) / 16 <= CHUNK_ITEMS_MAX, "bitmap");
#define CHUNK_HEADER ((size_t)UMA_CACHE_LINE)

static struct {
	struct uma_lock m_lock;
	_Atomic size_t m_pages; /* of runs that the pool holds */
	struct {
		struct cds_hlist_head partial; /* used and free items */
		struct chunk *empty; /* kept, or NULL */
	} m_class[CLASS_CNT];
} pool = {.m_lock = UMA_LOCK_INITIALIZER(UMA_RANK_META)};

static void
partial_push(struct chunk *ch)
{
	cds_hlist_add_head(&ch->ch_link, &pool.m_class[ch->ch_class].partial);
}

static void
partial_remove(struct chunk *ch)
{
	cds_hlist_del(&ch->ch_link);
}

/* The smallest class that holds size, 1 to CLASS_SIZE_MAX. */
static size_t
class_of(size_t size)
{
	size_t low = 0, high = CLASS_CNT - 1;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (class_size[mid] < size)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static size_t
chunk_pages(size_t class)
{
	size_t items =
	    uma_max((UMA_PAGE_SIZE - CHUNK_HEADER) / class_size[class],
		(size_t)CHUNK_ITEMS_MIN);
	size_t len = CHUNK_HEADER + items * class_size[class];

	return uma_roundup(len, UMA_PAGE_SIZE) >> PAGE_SHIFT;
}

/* A run that the page map calls ours; NULL with errno. */
static void *
pool_grow(size_t npages)
{
	void *run =
	    pages_alloc(npages, UMA_PAGE_SIZE, 0, PAGES_ZERO | PAGES_QUIET);

	if (run == NULL)
		return NULL;
	(void)pagemap_set(run, npages, (uintptr_t)run | PM_META);
	atomic_fetch_add(&pool.m_pages, npages);
	return run;
}

static void
pool_shrink(void *run, size_t npages)
{
	atomic_fetch_sub(&pool.m_pages, npages);
	pages_free(run, npages, 0);
}

static struct chunk *
chunk_make(size_t class)
{
	size_t npages = chunk_pages(class);
	struct chunk *ch = pool_grow(npages);

	if (ch == NULL)
		return NULL;
	size_t items =
	    ((npages << PAGE_SHIFT) - CHUNK_HEADER) / class_size[class];
	ch->ch_class = (uint16_t) class;
	ch->ch_items = (uint16_t)items;
	return ch;
}

/* The lowest free item of a chunk that has one; *fresh: it is still zero. */
static void *
chunk_take(struct chunk *ch, bool *fresh)
{
	size_t w = 0;

	while (ch->ch_busy[w] == ~(uint64_t)0)
		w++;
	size_t i = w * 64 + (size_t)__builtin_ctzll(~ch->ch_busy[w]);
	UMA_ASSERT(i < ch->ch_items, "full chunk on the list");
	ch->ch_busy[w] |= (uint64_t)1 << i % 64;
	*fresh = i == ch->ch_fresh;
	ch->ch_fresh += *fresh;
	if (++ch->ch_used == ch->ch_items)
		partial_remove(ch);
	return (char *)ch + CHUNK_HEADER + i * class_size[ch->ch_class];
}

/*
 * A chunk with a free item, on its list; NULL with errno.  Called locked,
 * returns locked; the lock is dropped while the pool grows.
 */
static struct chunk *
class_chunk(size_t class, int flags)
{
	struct cds_hlist_node *first = pool.m_class[class].partial.next;

	if (first != NULL)
		return caa_container_of(first, struct chunk, ch_link);
	struct chunk *ch = pool.m_class[class].empty;
	if (ch != NULL) {
		pool.m_class[class].empty = NULL;
	} else if (flags & META_NOGROW) {
		errno = ENOMEM;
	} else {
		uma_lock_release(&pool.m_lock);
		ch = chunk_make(class);
		uma_lock_acquire(&pool.m_lock);
	}
	if (ch != NULL)
		partial_push(ch);
	return ch;
}

static void *
large_alloc(size_t size, int flags)
{
	size_t npages = (size >> PAGE_SHIFT) + ((size & UMA_PAGE_MASK) != 0);

	if (flags & META_NOGROW) {
		errno = ENOMEM;
		return NULL;
	}
	return pool_grow(npages);
}

/* What has been used before is cleared here and not when it is freed. */
void *
meta_alloc(size_t size, int flags)
{
	void *p = NULL;
	bool fresh = false;

	if (size > CLASS_SIZE_MAX)
		return large_alloc(size, flags);
	uma_lock_acquire(&pool.m_lock);
	struct chunk *ch = class_chunk(class_of(size), flags);
	if (ch != NULL)
		p = chunk_take(ch, &fresh);
	uma_lock_release(&pool.m_lock);
	if (p != NULL && !fresh)
		memset(p, 0, size);
	return p;
}

/* Called locked, when an item has gone.  Returns a chunk to give back. */
static struct chunk *
chunk_settle(struct chunk *ch)
{
	if (ch->ch_used == ch->ch_items - 1)
		partial_push(ch);
	if (ch->ch_used > 0)
		return NULL;
	partial_remove(ch);
	if (pool.m_class[ch->ch_class].empty != NULL)
		return ch;
	pool.m_class[ch->ch_class].empty = ch;
	return NULL;
}

static void
chunk_free_item(struct chunk *ch, void *p, size_t size)
{
	size_t class = class_of(size);
	size_t off = (size_t)((char *)p - (char *)ch) - CHUNK_HEADER;
	size_t i = off / class_size[class];

	uma_lock_acquire(&pool.m_lock);
	uint64_t bit = (uint64_t)1 << i % 64;
	UMA_FATAL_IF(ch->ch_class != class || i >= ch->ch_items ||
			 off % class_size[class] != 0 ||
			 (ch->ch_busy[i / 64] & bit) == 0,
	    "metadata pool: free of %p, size %zu: no such item", p, size);
	ch->ch_busy[i / 64] &= ~bit;
	ch->ch_used--;
	ch = chunk_settle(ch);
	uma_lock_release(&pool.m_lock);
	if (ch != NULL)
		pool_shrink(ch, chunk_pages(class));
}

void
meta_free(void *p, size_t size)
{
	if (p == NULL)
		return;
	uintptr_t word = pagemap_get(p);
	void *run = pagemap_ptr(word);

	UMA_FATAL_IF(pagemap_tag(word) != PM_META ||
			 (run == p) != (size > CLASS_SIZE_MAX),
	    "metadata pool: free of %p, size %zu: not the pool's", p, size);
	if (size > CLASS_SIZE_MAX)
		pool_shrink(
		    run, uma_roundup(size, UMA_PAGE_SIZE) >> PAGE_SHIFT);
	else
		chunk_free_item(run, p, size);
}

void
meta_trim(void)
{
	for (size_t class = 0; class < CLASS_CNT; class ++) {
		uma_lock_acquire(&pool.m_lock);
		struct chunk *ch = pool.m_class[class].empty;
		pool.m_class[class].empty = NULL;
		uma_lock_release(&pool.m_lock);
		if (ch != NULL)
			pool_shrink(ch, chunk_pages(class));
	}
}

size_t
meta_held(void)
{
	return atomic_load(&pool.m_pages) << PAGE_SHIFT;
}

void
meta_fork_prepare(void)
{
	uma_lock_fork_acquire(&pool.m_lock);
}

void
meta_fork_parent(void)
{
	uma_lock_fork_release(&pool.m_lock);
}

void
meta_fork_child(void)
{
	uma_lock_fork_child(&pool.m_lock);
}

/* ---- for readers of our memory ---- */

static struct uma_debug_entry entries[] = {
    DEBUG_CONST("meta_class_max", CLASS_SIZE_MAX)};
static struct uma_debug_root roots[] = {{"meta.m_pages", &pool.m_pages}};
struct uma_debug_table meta_debug = DEBUG_TABLE(entries, roots);
