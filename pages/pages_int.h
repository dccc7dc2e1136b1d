/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pages_int.h - what pages/ shows: address space, runs of pages, the page map,
 * the metadata pool, the machine's topology.  The only folder that maps memory.
 */
#ifndef UMA_PAGES_INT_H
#define UMA_PAGES_INT_H

#include "uma_int.h"

#define PAGE_SHIFT    12
#define UMA_PAGE_SIZE ((size_t)1 << PAGE_SHIFT)
#define UMA_PAGE_MASK (UMA_PAGE_SIZE - 1)

/*
 * pages_init: ready the folder; 0, or -1 with errno.  Called under the
 * library's start lock; may be called again after it failed.
 */
int pages_init(void);

/* ---- runs of pages (run.c over vm.c) ---- */

enum {
	PAGES_ZERO = 1, /* the run reads as zero */
	PAGES_NODUMP =
	    2, /* keep it out of core dumps; hand it to pages_free too */
};

/*
 * pages_alloc: a run of npages pages that starts at a multiple of align bytes
 * (a power of two, at least UMA_PAGE_SIZE), readable and writable, from the
 * given NUMA domain.  Lowest address first.  The page map says PM_PAGES of it
 * until pagemap_set says otherwise.
 * Returns NULL, errno ENOMEM, when the system gives no more.
 */
void *pages_alloc(size_t npages, size_t align, int domain, int flags);

/* pages_free: take a run back; needs no memory.  Its map entries: PM_PAGES. */
void pages_free(void *run, size_t npages, int flags);

/*
 * pages_release: hand the memory of free pages back to the system (they stay
 * ours as address space).  Returns the bytes handed back.
 */
size_t pages_release(void);

struct pages_stat {
	size_t ps_reserved; /* bytes of address space */
	size_t ps_used; /* bytes in runs handed out */
	size_t ps_dirty; /* bytes of free pages that still hold memory */
	size_t ps_meta; /* bytes of runs that the metadata pool holds */
};
void pages_stat(struct pages_stat *st);
bool pages_is_valid(void);

/* Used by NUMA-aware layers; 1 until domains are told apart. */
int pages_domain_cnt(void);

/* ---- page map (map.c) ---- */

/*
 * One word a page, for every address there is: 0, or a pointer to something 8
 * byte aligned with a tag in its low bits.  Reading takes no lock and is
 * allowed for any value of the address.
 */
enum pagemap_tag {
	PM_NONE = 0, /* not ours */
	PM_PAGES = 1, /* ours, in no use that concerns anyone */
	PM_META = 2, /* metadata pool's chunk */
	PM_SLAB = 3, /* slab header */
	PM_KEG = 4, /* keg whose hash knows the slab */
	PM_TAG_MASK = 7
};

static inline enum pagemap_tag
pagemap_tag(uintptr_t word)
{
	return (enum pagemap_tag)(word & PM_TAG_MASK);
}

static inline void *
pagemap_ptr(uintptr_t word)
{
	return (void *)(word & ~(uintptr_t)PM_TAG_MASK);
}

uintptr_t pagemap_get(const void *addr);

/*
 * pagemap_set: enter npages pages from start.  Cannot fail for memory from
 * pages_alloc; for other memory false, errno ENOMEM (or EINVAL above 2^48).
 */
bool pagemap_set(const void *start, size_t npages, uintptr_t word);

/* ---- metadata pool (meta.c) ---- */

/*
 * meta_alloc: size bytes of zeroed memory for our own structures, aligned to
 * 64 bytes from 64 bytes up and to 16 below.  NULL, errno ENOMEM.
 * META_NOGROW: only from what the pool has already.
 * meta_free: the same size as was asked for; needs no memory; NULL does
 * nothing.  Empty chunks go back to the page runs.
 */
enum { META_NOGROW = 1 };
void *meta_alloc(size_t size, int flags);
void meta_free(void *p, size_t size);

/* ---- topology (topology.c) ---- */

struct topology {
	int tp_cpus; /* CPUs that can ever be: highest possible number + 1 */
	int tp_domains; /* NUMA domains, at least 1 */
};

/*
 * topology_read: the machine below root ("" for the real one), from
 * sys/devices/system/{cpu/possible,node/possible}; what cannot be read counts
 * as all CPUs that the kernel has room for, and as one domain.
 */
void topology_read(const char *root, struct topology *tp);
int pages_cpu_cnt(void); /* tp_cpus of the real machine, from pages_init */

/* ---- fork: all locks of the folder ---- */
void pages_fork_prepare(void);
void pages_fork_parent(void);
void pages_fork_child(void);

#endif
