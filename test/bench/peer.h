/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer.h - the allocators that the bench compares, each behind the same few
 * calls.  One program is built for each; PEER_* says which.
 */
#ifndef UMA_BENCH_PEER_H
#define UMA_BENCH_PEER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(PEER_JEMALLOC)
#include <jemalloc/jemalloc.h>
#elif defined(PEER_MIMALLOC)
#include <mimalloc.h>
#elif defined(PEER_TCMALLOC)
#include <gperftools/malloc_extension_c.h>
#include <gperftools/tcmalloc.h>
#elif defined(PEER_GLIBC)
#include <gnu/libc-version.h>
#include <malloc.h>
#else
#define PEER_UMA
#include <uma.h>
#ifdef PEER_INLINE
#include <uma/inline.h>
#endif
#ifdef PEER_TICK
#include <uma/reclaim.h>
#endif
#endif

/* Makes an item of size bytes what its user wants to find: uma_init's type. */
typedef int (*peer_init)(void *item, int size, int flags);

/* What items are taken from: a zone, or just their size. */
struct peer {
	size_t size;
#ifdef PEER_UMA
	uma_zone_t zone;
#endif
};

#ifdef PEER_UMA

/* Free items keep what init made of them. */
#define PEER_KEEPS 1

static inline struct peer
peer_open(size_t size, peer_init init)
{
	struct peer p = {.size = size};

	p.zone = uma_zcreate("bench", size, NULL, NULL, init, NULL, 15, 0);
	if (p.zone == NULL) {
		perror("uma_zcreate");
		exit(1);
	}
	return p;
}

static inline void *
peer_alloc(const struct peer *p)
{
	return uma_zalloc(p->zone, M_NOWAIT);
}

static inline void
peer_free(const struct peer *p, void *item)
{
	uma_zfree(p->zone, item);
}

#ifdef PEER_BULK
static inline void
peer_alloc_bulk(const struct peer *p, void **items, int n)
{
	if (uma_zalloc_bulk(p->zone, items, n, M_NOWAIT) != n)
		abort();
}

static inline void
peer_free_bulk(const struct peer *p, void **items, int n)
{
	uma_zfree_bulk(p->zone, items, n);
}
#endif

static inline void
peer_reclaim(void)
{
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
}

/* What the program's own loop does now and then.  Returns ms until the next. */
static inline int
peer_tick(void)
{
#ifdef PEER_TICK
	return uma_reclaim_tick();
#else
	uma_reclaim(UMA_RECLAIM_TRIM);
	return 500;
#endif
}

static inline void
peer_close(const struct peer *p)
{
	uma_zdestroy(p->zone);
}

static inline void
peer_about(void)
{
	printf("libuma %s, %s\n", UMA_VERSION_STRING, uma_percpu_mode());
}

#else

#define PEER_KEEPS 0

static inline struct peer
peer_open(size_t size, peer_init init)
{
	(void)init;
	return (struct peer){.size = size};
}

static inline void *
peer_alloc(const struct peer *p)
{
	return malloc(p->size);
}

static inline void
peer_free(const struct peer *p, void *item)
{
	(void)p;
	free(item);
}

static inline void
peer_reclaim(void)
{
#if defined(PEER_JEMALLOC)
	char name[64];

	snprintf(
	    name, sizeof name, "arena.%u.purge", (unsigned)MALLCTL_ARENAS_ALL);
	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	mallctl(name, NULL, NULL, NULL, 0);
#elif defined(PEER_MIMALLOC)
	mi_collect(true);
#elif defined(PEER_TCMALLOC)
	MallocExtension_ReleaseFreeMemory();
#else
	malloc_trim(0);
#endif
}

/* They do what they do with time by themselves, in calls or in a thread. */
static inline int
peer_tick(void)
{
	return 1 << 30;
}

static inline void
peer_close(const struct peer *p)
{
	(void)p;
}

static inline void
peer_about(void)
{
#if defined(PEER_JEMALLOC)
	printf("jemalloc %d.%d.%d\n", JEMALLOC_VERSION_MAJOR,
	    JEMALLOC_VERSION_MINOR, JEMALLOC_VERSION_BUGFIX);
#elif defined(PEER_MIMALLOC)
	printf("mimalloc %d.%d\n", mi_version() / 100, mi_version() % 100);
#elif defined(PEER_TCMALLOC)
	printf("%s\n", tc_version(NULL, NULL, NULL));
#else
	printf("glibc %s\n", gnu_get_libc_version());
#endif
}

#endif

#if !defined(PEER_UMA) || !defined(PEER_BULK)

/* Who has no call for many items makes many calls. */
static inline void
peer_alloc_bulk(const struct peer *p, void **items, int n)
{
	for (int i = 0; i < n; i++)
		items[i] = peer_alloc(p);
}

static inline void
peer_free_bulk(const struct peer *p, void **items, int n)
{
	for (int i = 0; i < n; i++)
		peer_free(p, items[i]);
}

#endif

#endif
