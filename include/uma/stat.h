/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma/stat.h - what zones hold and have done.
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
};

/*
 * uma_zone_stat: fill *st.  Exact when no other thread is inside a call on
 * the zone; otherwise each number is near, and items that a reclaim under way
 * has in hand count as used.
 *
 * Returns  0, or -1 with errno EINVAL: st->size below the first version's.
 */
UMA_API int uma_zone_stat(uma_zone_t zone, struct uma_zone_stat *st);

/*
 * uma_stats_print: statistics of all zones as text, given to cb in pieces.
 *
 * what     "z": a table with the columns of vmstat -z.
 * cb       called without a lock held; text is not NUL-terminated.
 * Returns  0, or -1 with errno EINVAL: what is something else.
 */
typedef void (*uma_stats_cb)(void *arg, const char *text, size_t len);
UMA_API int uma_stats_print(uma_stats_cb cb, void *arg, const char *what);

#ifdef __cplusplus
}
#endif

#endif
