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

enum pages_thp { THP_NEVER, THP_ALWAYS, THP_SYSTEM };
struct pages_config {
	int pg_thp; /* huge pages: never, always, as the system has it */
	bool pg_prefault; /* runs have all their memory when handed out */
	bool pg_mlock; /* and it is locked */
};

/*
 * pages_init: ready the folder; 0, or -1 with errno.  Called under the
 * library's start lock; may be called again after it failed.
 */
int pages_init(const struct pages_config *config);

/* ---- runs of pages (run.c over vm.c) ---- */

enum {
	PAGES_ZERO = 1, /* the run reads as zero */
	PAGES_NODUMP =
	    2, /* keep it out of core dumps; hand it to pages_free too */
	PAGES_QUIET = 4, /* locks may be held: say nothing now */
};

/*
 * pages_alloc: a run of npages pages that starts at a multiple of align bytes
 * (a power of two, at least UMA_PAGE_SIZE), readable and writable, from the
 * given NUMA domain, or where that has no more from another.  Lowest address
 * first.  The page map says PM_PAGES of it until pagemap_set says otherwise.
 * Returns NULL, errno ENOMEM, when the system gives no more.
 */
void *pages_alloc(size_t npages, size_t align, int domain, int flags);

/* The same; *dirty: some of it has memory already. */
void *pages_alloc_told(
    size_t npages, size_t align, int domain, int flags, bool *dirty);

/* pages_free: take a run back; needs no memory.  Its map entries: PM_PAGES. */
void pages_free(void *run, size_t npages, int flags);
/* The same, but nobody has written to the pages from up to to. */
void pages_free_touched(
    void *run, size_t npages, size_t from, size_t to, int flags);

/*
 * pages_release: hand the memory of free pages back to the system (they stay
 * ours as address space).  Returns the bytes handed back.
 */
size_t pages_release(void);

/*
 * pages_drop: give the memory of ranges of whole pages that the caller has to
 * the system and let him keep the pages, which are zero then.
 */
#define PAGES_DROP_MAX 64
struct pages_range {
	void *pr_start;
	size_t pr_len; /* bytes */
	bool pr_dropped; /* set; false: refused, and cleared instead */
};
void pages_drop(struct pages_range *range, int n);

/*
 * pages_idle: pages_release of those free pages that no allocation has wanted
 * since the last time.  False: it was not through when the time (uma_now_ns)
 * was over, and goes on at the next call.  One caller at a time.
 */
bool pages_idle(int64_t until);

/*
 * Bytes of memory that runs handed out and dirty free pages take, less the
 * pages of the former that their owner says have none.  No lock.
 */
size_t pages_held(void);
void pages_absent_add(size_t npages);
void pages_absent_sub(size_t npages);

/* All in bytes. */
struct pages_stat {
	size_t ps_mapped; /* address space that is ours in any way */
	size_t ps_reserved; /* of it, pieces */
	size_t ps_header; /* of these, their headers */
	size_t ps_used; /* runs handed out */
	size_t ps_dirty; /* free pages that still hold memory */
	size_t ps_meta; /* of ps_used, runs that the metadata pool holds */
	size_t ps_pagemap; /* of ps_mapped, leaves of the page map */
	size_t ps_spare; /* of ps_mapped, what the system did not take back */
	size_t ps_absent; /* of ps_used, known to have no memory */
	size_t ps_image; /* of tables in .bss */
};
void pages_stat(struct pages_stat *st);
bool pages_is_valid(void);

/*
 * pages_domain_of: the domain that pages at this address were asked from, or -1
 * when they are not from pages_alloc.  No lock; any value of the address.
 */
int pages_domain_of(const void *addr);

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

/* ---- topology (topology.c), and that of our machine (domain.c) ---- */

/*
 * More than any kernel numbers, as yet; but for domains: nodes after the last
 * count as nodes without memory, so that their CPUs go to what is nearest.
 */
enum {
	TOPOLOGY_DOMAINS = 64,
	TOPOLOGY_NODES = 1024,
	TOPOLOGY_CPUS = 8192,
};

struct topology {
	int tp_cpus; /* CPUs that can ever be: highest possible number + 1 */
	int tp_domains; /* NUMA domains, at least 1 */
	int tp_node[TOPOLOGY_DOMAINS]; /* the kernel's number, rising */
	uint8_t tp_cpu_domain[TOPOLOGY_CPUS]; /* topology_domain reads it */
};

/*
 * topology_read: the machine below root, by the files of sys/devices/system.
 * What cannot be read counts as all CPUs that the kernel has room for, and as
 * one domain.  A domain is a node that is online and has memory.  CPUs of other
 * nodes belong to the nearest domain; CPUs that no node lists, to domain 0.
 * Neither allocates nor fails; errno is kept.
 *
 * topology_read_usable: of more than one such node only those that usable()
 * leaves in the set; one domain when it returns false.
 */
typedef bool topology_usable_fn(_Atomic uint64_t *nodes);
void topology_read(const char *root, struct topology *tp);
void topology_read_usable(
    const char *root, topology_usable_fn *usable, struct topology *tp);

/* The domain of a CPU; 0 for any number that is none. */
int topology_domain(const struct topology *tp, int cpu);

/*
 * Our machine's, from pages_init: CPUs, NUMA domains (1 where they are not told
 * apart), and the domain of a CPU.
 */
int pages_cpu_cnt(void);
int pages_domain_cnt(void);
int pages_cpu_domain(int cpu);

/*
 * topology_set_root: for tests, before pages_init: our machine is the one below
 * root, which is not copied, and nobody is asked what of it is usable.
 */
void topology_set_root(const char *root);

/* A topology_usable_fn: the nodes that libnuma and the system let us use. */
bool domain_usable(_Atomic uint64_t *nodes);

/* ---- the layout descriptor (uma/debug.h) ---- */
extern struct uma_debug_table domain_debug, map_debug, meta_debug, runs_debug,
    vm_debug;

/* ---- fork: all locks of the folder ---- */
void pages_fork_prepare(void);
void pages_fork_parent(void);
void pages_fork_child(void);

#endif
