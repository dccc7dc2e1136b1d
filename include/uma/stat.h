/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma/stat.h - what zones hold and have done, and where all memory is.
 *
 * uma_stat(3) and uma_stats(3) say what each number is and how they add up.
 * Each struct begins with its size and only ever grows at the end.
 */
#ifndef UMA_STAT_H
#define UMA_STAT_H

#include <uma.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One zone's numbers.  Set size to sizeof(struct uma_zone_stat) first: a
 * library of another version fills what both know.
 */
struct uma_zone_stat {
	size_t size; /* of this struct, in bytes, set by the caller */
	char name[32]; /* NUL-terminated, cut if longer */
	uint64_t item_size; /* bytes, as requested */
	uint64_t stride; /* bytes from one item of a slab to the next */
	uint64_t slab_size; /* bytes */
	uint64_t slab_items; /* items a slab */
	uint64_t limit; /* items, 0 for none */
	uint64_t used; /* items allocated */
	uint64_t free_cached; /* free items in buckets: per CPU and depot */
	uint64_t free_slab; /* free items in slabs */
	uint64_t slabs; /* slabs that the keg holds */
	uint64_t allocs; /* successful allocations, ever */
	uint64_t frees; /* frees, ever */
	uint64_t fails; /* allocations that returned NULL, ever */
	uint64_t sleeps; /* times a caller slept at the limit, ever */
	uint64_t xdomain; /* frees of other NUMA domains' items */
	/* the first version ends here */
	uint64_t align; /* bytes */
	uint64_t flags; /* UMA_ZONE_ */
	uint64_t item_bytes; /* stride, times the copies of a PCPU item */
	uint64_t bucket_items; /* that the next bucket has room for */
	uint64_t sleepers; /* who wait at the limit now */
	uint64_t free_cpu; /* of free_cached, what CPUs have */
	uint64_t free_depot; /* of free_cached, what no CPU has */
	uint64_t memory; /* bytes of slabs: slabs * slab_size */
	uint64_t absent; /* bytes of them that are known to have no memory */
	uint64_t headers; /* bytes of slab headers that lie off the page */
	uint64_t meta; /* bytes of its own structures: zone, keg, CPUs, slots */
	uint64_t refills; /* buckets of items brought to a CPU, ever */
	uint64_t zone; /* its address */
	uint64_t name_cnt; /* tells zones of one name apart; or 0 */
	uint64_t own; /* 1: the library's, of slab headers */
};

/*
 * uma_zone_stat: fill *st.  Exact when no other thread is inside a call on
 * the zone; otherwise each number is near, and items that a reclaim under way
 * has in hand count as used.
 *
 * Returns  0, or -1 with errno EINVAL: st->size below the first version's.
 */
UMA_API int uma_zone_stat(uma_zone_t zone, struct uma_zone_stat *st);

/* What a CPU has of a zone; with rseq by mm_cid, what a number of those has. */
struct uma_cpu_stat {
	size_t size; /* of this struct */
	uint64_t allocs; /* allocations that ended there, ever; about */
	uint64_t cached; /* free items */
};

/* What a NUMA domain has of a zone. */
struct uma_domain_stat {
	size_t size; /* of this struct */
	uint64_t slabs;
	uint64_t free_slab; /* free items in them */
	uint64_t empty; /* slabs without an item out */
	uint64_t free_depot; /* free items that no CPU has */
	uint64_t wss; /* working set of the depot, in items */
};

/*
 * The process, in bytes.  What the library has mapped, and the parts of it,
 * which add up to it always; with nobody inside a call, other is 0.
 */
struct uma_memory_stat {
	size_t size; /* of this struct, set by the caller */
	uint64_t mapped; /* address space, as /proc/self/maps shows it */
	/* parts */
	uint64_t used; /* allocated items of the program's zones */
	uint64_t cached_cpu; /* free items that CPUs have */
	uint64_t cached_depot; /* free items that no CPU has */
	uint64_t free_slab; /* free items in slabs */
	uint64_t slack; /* of slabs: headers, colours, what is left over */
	uint64_t own; /* slabs of the library's own zones */
	uint64_t lost; /* slabs of zones destroyed with items out */
	uint64_t meta; /* the metadata pool: zones, buckets, snapshots */
	uint64_t pagemap; /* leaves of the page map */
	uint64_t pieces; /* books of the pieces of address space */
	uint64_t dirty; /* free pages that still have memory */
	uint64_t untouched; /* free pages without: address space only */
	uint64_t spare; /* address space that the system did not take back */
	uint64_t other; /* what changed while the rest was read */
	/* no parts */
	uint64_t absent; /* of the slabs' bytes, known to have no memory */
	uint64_t held; /* what uma_size() says, and uma_limit() looks at */
	uint64_t image; /* tables in .bss: the program's or libuma.so's */
	uint64_t zones; /* how many there are, the library's among them */
};

/* uma_memory_stat: fill *st.  Returns 0, or -1 with EINVAL, as above. */
UMA_API int uma_memory_stat(struct uma_memory_stat *st);

/*
 * All of it at one time.  Programs read the arrays through the functions below,
 * since a library of another version has larger elements.
 */
struct uma_stats {
	size_t size; /* of this struct */
	size_t zone_size, cpu_size, domain_size; /* of an array's element */
	size_t nzones;
	int ncpus, ndomains;
	uint64_t time; /* CLOCK_MONOTONIC, in ns */
	struct uma_memory_stat *memory;
	struct uma_zone_stat *zone; /* [nzones], oldest first */
	struct uma_cpu_stat *cpu; /* [nzones][ncpus]; or NULL */
	struct uma_domain_stat *domain; /* [nzones][ndomains]; or NULL */
	const char *
	    *name; /* [nzones], whole; NULL: as the zone's stat has it */
	char version[16]; /* of the library */
	char mode[128]; /* uma_percpu_mode() */
};

/*
 * uma_stats_take: all zones, or those there are when the walk begins, and the
 * process.  uma_stats_take_zone: one zone, and the process.
 * Returns  a snapshot, for uma_stats_free; NULL, errno ENOMEM.
 */
UMA_API struct uma_stats *uma_stats_take(void);
UMA_API struct uma_stats *uma_stats_take_zone(uma_zone_t zone);
UMA_API void uma_stats_free(struct uma_stats *stats);

/* The elements of zone number z; NULL: there are none of that number. */
UMA_API const struct uma_zone_stat *uma_stats_zone(
    const struct uma_stats *stats, size_t z);
UMA_API const struct uma_cpu_stat *uma_stats_cpu(
    const struct uma_stats *stats, size_t z, int cpu);
UMA_API const struct uma_domain_stat *uma_stats_domain(
    const struct uma_stats *stats, size_t z, int domain);

/*
 * uma_stats_format: a snapshot as text, given to cb in pieces.  It may be of
 * another process, and its numbers and names may be anything.
 * uma_stats_print: the same of this process, now.
 *
 * what     "z": a table with the columns of vmstat -z.
 *          "s": where all memory is, explained.
 *          "c": what each CPU has.
 *          "j": JSON with the keys of vmstat -z, and more behind them.
 *          "o": OpenMetrics.
 * cb       called without a lock held; text is not NUL-terminated.
 * Returns  0, or -1 with errno EINVAL: what is something else, or a struct is
 *          smaller than its first version; ENOMEM: none for the snapshot.
 */
typedef void (*uma_stats_cb)(void *arg, const char *text, size_t len);
UMA_API int uma_stats_format(const struct uma_stats *stats, uma_stats_cb cb,
    void *arg, const char *what);
UMA_API int uma_stats_print(uma_stats_cb cb, void *arg, const char *what);

#ifdef __cplusplus
}
#endif

#endif
