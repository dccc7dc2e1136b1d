/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma_probe_int.h - static probes (USDT) on the slow paths of every folder.
 * Never installed.
 *
 * A probe is a nop that tools find by a note in the file and replace by a
 * breakpoint, and a semaphore, a number that they raise while they watch: a
 * probe that nobody watches costs a load and a branch that is not taken, and
 * its arguments are not made.  There is none on a hit.  uma_probes(7) is what
 * users are told; test/probes.sh holds the two together.
 *
 * Without <sys/sdt.h>, or with UMA_PROBES defined as 0, the functions below are
 * empty.  UMA_PROBES defined as 1 insists on the header.
 */
#ifndef UMA_PROBE_INT_H
#define UMA_PROBE_INT_H

#include "uma_int.h"

#ifndef UMA_PROBES
#if __has_include(<sys/sdt.h>)
#define UMA_PROBES 1
#else
#define UMA_PROBES 0
#endif
#endif

/* All of them: X(provider, name). */
#define PROBES(X)              \
	X(uma, zone_create)    \
	X(uma, zone_destroy)   \
	X(uma, zone_drain)     \
	X(uma, slab_alloc)     \
	X(uma, slab_free)      \
	X(uma, bucket_refill)  \
	X(uma, bucket_flush)   \
	X(uma, bucket_release) \
	X(uma, limit)          \
	X(uma, sleep)          \
	X(uma, wakeup)         \
	X(uma, alloc_fail)     \
	X(uma, reclaim_start)  \
	X(uma, reclaim_done)   \
	X(otel_memory, alloc)  \
	X(otel_memory, free)

#if UMA_PROBES

/*
 * Every tool can read registers and constants; addresses relative to the
 * instruction, which the header would allow too, some cannot.
 */
#define STAP_SDT_ARG_CONSTRAINT nr
#define _SDT_HAS_SEMAPHORES	1
#include <sys/sdt.h>

#define PROBE_SEMAPHORE(provider, name) provider##_##name##_semaphore
#define PROBE_DECLARE(provider, name)                         \
	extern unsigned short PROBE_SEMAPHORE(provider, name) \
	    __attribute__((visibility("hidden")));
PROBES(PROBE_DECLARE)

/* Tools write it from outside. */
#define PROBE_WATCHED(provider, name) \
	(__atomic_load_n(             \
	     &PROBE_SEMAPHORE(provider, name), __ATOMIC_RELAXED) != 0)

/* n arguments. */
#define PROBE(provider, name, n, ...)                               \
	do {                                                        \
		if (uma_unlikely(PROBE_WATCHED(provider, name)))    \
			STAP_PROBE##n(provider, name, __VA_ARGS__); \
	} while (0)

#else

#define PROBE_WATCHED(provider, name) false
/* The arguments are used; the call is not. */
#define PROBE(provider, name, n, ...)               \
	do {                                        \
		if (false)                          \
			probe_none(n, __VA_ARGS__); \
	} while (0)
static inline void
probe_none(int n, ...)
{
	(void)n;
}

#endif

/* ---- a function for each; the types are those of the manual ---- */

/* zone: a struct uma_zone, for its address; name: its name. */
static inline void
probe_zone_create(const char *name, const void *zone, uint64_t size,
    uint64_t align, uint32_t flags)
{
	PROBE(uma, zone_create, 5, name, zone, size, align, flags);
}

/* items: still allocated. */
static inline void
probe_zone_destroy(const char *name, const void *zone, uint64_t items)
{
	PROBE(uma, zone_destroy, 3, name, zone, items);
}

static inline void
probe_zone_drain(const char *name, const void *zone)
{
	PROBE(uma, zone_drain, 2, name, zone);
}

static inline void
probe_slab_alloc(const char *name, const void *zone, const void *slab,
    uint64_t bytes, uint32_t items, int32_t domain)
{
	PROBE(uma, slab_alloc, 6, name, zone, slab, bytes, items, domain);
}

static inline void
probe_slab_free(const char *name, const void *zone, const void *slab,
    uint64_t bytes, uint32_t items, int32_t domain)
{
	PROBE(uma, slab_free, 6, name, zone, slab, bytes, items, domain);
}

/* fresh: from the keg, not from a depot. */
static inline void
probe_bucket_refill(
    const char *name, const void *zone, uint32_t items, int32_t fresh)
{
	PROBE(uma, bucket_refill, 4, name, zone, items, fresh);
}

static inline void
probe_bucket_flush(const char *name, const void *zone, uint32_t items)
{
	PROBE(uma, bucket_flush, 3, name, zone, items);
}

static inline void
probe_bucket_release(const char *name, const void *zone, uint32_t items)
{
	PROBE(uma, bucket_release, 3, name, zone, items);
}

static inline void
probe_limit(const char *name, const void *zone, uint64_t items, uint64_t max)
{
	PROBE(uma, limit, 4, name, zone, items, max);
}

enum probe_sleep { PROBE_SLEEP_LIMIT, PROBE_SLEEP_MEMORY };

static inline void
probe_sleep(const char *name, const void *zone, enum probe_sleep why)
{
	PROBE(uma, sleep, 3, name, zone, (int32_t)why);
}

/* again: it was not in vain. */
static inline void
probe_wakeup(
    const char *name, const void *zone, enum probe_sleep why, int32_t again)
{
	PROBE(uma, wakeup, 4, name, zone, (int32_t)why, again);
}

static inline void
probe_alloc_fail(const char *name, const void *zone, int32_t error)
{
	PROBE(uma, alloc_fail, 3, name, zone, error);
}

static inline void
probe_reclaim_start(
    const char *name, const void *zone, int32_t request, int32_t domain)
{
	PROBE(uma, reclaim_start, 4, name, zone, request, domain);
}

/* bytes: of slabs, given back. */
static inline void
probe_reclaim_done(const char *name, const void *zone, int32_t request,
    int32_t domain, uint64_t bytes)
{
	PROBE(uma, reclaim_done, 5, name, zone, request, domain, bytes);
}

/* For sampled allocations only: sample.c. */
static inline void
probe_otel_alloc(const void *item, uint64_t size, uint64_t weight)
{
	PROBE(otel_memory, alloc, 3, item, size, weight);
}

static inline void
probe_otel_free(const void *item)
{
	PROBE(otel_memory, free, 1, item);
}

#endif
