/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma.h - the zone allocator: typed, cached, limited collections of items.
 *
 * The contract is FreeBSD's uma(9), call for call; what libuma adds is said
 * to be its own.  Manual: uma(3).  Every function here may be called by any
 * thread, before main and from destructors, and none from a signal handler.
 * None is a cancellation point.
 */
#ifndef UMA_H
#define UMA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define UMA_ALIGNOF(type) ((int)(alignof(type) - 1))
#else
#define UMA_ALIGNOF(type) ((int)(_Alignof(type) - 1))
#endif

#if defined(__GNUC__)
#define UMA_API __attribute__((visibility("default")))
#else
#define UMA_API
#endif

/* The version of this header: major * 10000 + minor * 100 + patch. */
#define UMA_VERSION	   100
#define UMA_VERSION_STRING "0.1.0"

typedef struct uma_zone *uma_zone_t;

/*
 * Hooks.  No lock is held while one runs; it may call any function of this
 * library on any zone, except destroy the zone that it belongs to.
 *
 * uma_ctor  each allocation, just before the item is handed out.  arg is
 *           uma_zalloc_arg()'s.  0 is success; an errno value makes the
 *           allocation fail with it, and the dtor does not run.
 * uma_dtor  each free, while the item is still whole.  It leaves the item as
 *           the init hook left it.
 * uma_init  when an item enters the zone's cache from its slab, in batches.
 *           0 or an errno value; a refused item is not handed out, its fini
 *           does not run, and its init runs again before it is next used.
 * uma_fini  once for each successful init, before the memory is given back.
 *
 * size is the zone's item size in bytes, flags the M_ flags of the call.
 */
typedef int (*uma_ctor)(void *mem, int size, void *arg, int flags);
typedef void (*uma_dtor)(void *mem, int size, void *arg);
typedef int (*uma_init)(void *mem, int size, int flags);
typedef void (*uma_fini)(void *mem, int size);

/* Allocation flags, malloc(9)'s.  One of M_NOWAIT and M_WAITOK, plus M_ZERO. */
#define M_NOWAIT 0x0001 /* never sleep: NULL when nothing is to be had */
#define M_WAITOK 0x0002 /* sleep until there is an item */
#define M_ZERO	 0x0100 /* clear the item's size bytes, after the ctor */

/*
 * Zone flags.  Those of the historical interface fit in 16 bits.
 */
#define UMA_ZONE_ZINIT	     0x0002 /* the init hook is a zero fill */
#define UMA_ZONE_CONTIG	     0x0004 /* small items stay within a page */
#define UMA_ZONE_OFFPAGE     0x0008 /* slab headers outside the slab */
#define UMA_ZONE_MALLOC	     0x0010 /* for malloc(9): memory not pre-zeroed */
#define UMA_ZONE_NOFREE	     0x0020 /* slabs stay until destruction */
#define UMA_ZONE_VM	     0x0080 /* for the VM: headers stay on the page */
#define UMA_ZONE_HASH	     0x0100 /* find slabs through the keg's hash */
#define UMA_ZONE_REFCNT	     0x0400 /* a counter an item: uma_find_refcnt() */
#define UMA_ZONE_MAXBUCKET   0x0800 /* start with the largest buckets */
#define UMA_ZONE_CACHESPREAD 0x1000 /* starts spread over the cache's sets */
#define UMA_ZONE_VTOSLAB     0x2000 /* find slabs through the page map */
#define UMA_ZONE_NODUMP	     0x4000 /* keep the pages out of core dumps */
#define UMA_ZONE_PCPU	     0x8000 /* a private copy of each item a CPU */
#define UMA_ZONE_FIRSTTOUCH  0x00010000 /* memory of the caller's domain */
#define UMA_ZONE_ROUNDROBIN  0x00020000 /* memory of all domains in turn */
#define UMA_ZONE_NOBUCKET    0x00100000 /* no caching of free items */
#define UMA_ZONE_NOTOUCH     0x00200000 /* the library keeps out of items */

/* Alignments are masks: 2^n - 1.  The largest is UMA_ALIGN_MAX. */
#define UMA_ALIGN_PTR	((int)sizeof(void *) - 1)
#define UMA_ALIGN_LONG	((int)sizeof(long) - 1)
#define UMA_ALIGN_INT	((int)sizeof(int) - 1)
#define UMA_ALIGN_SHORT ((int)sizeof(short) - 1)
#define UMA_ALIGN_CHAR	0
#define UMA_ALIGN_CACHE 63
#define UMA_ALIGN_MAX	((2 << 20) - 1)

/*
 * uma_version: the version of the library that runs, as UMA_VERSION counts.
 */
UMA_API int uma_version(void);

/*
 * uma_zcreate: create a zone of items of one size.
 *
 * name     for statistics and messages; copied.
 * size     bytes an item, 1 to INT_MAX (UMA_PCPU_STRIDE with UMA_ZONE_PCPU).
 * ctor, dtor, uminit, fini
 *          hooks, each may be NULL.  UMA_ZONE_ZINIT takes uminit's place.
 * align    mask: items start at multiples of align + 1 bytes.
 * flags    UMA_ZONE_*.
 * Returns  the zone; the caller owns it until uma_zdestroy().
 * Errors   NULL and nothing changed.  EINVAL: name NULL, size 0 or too
 *          large, align no mask or above UMA_ALIGN_MAX, unknown or
 *          contradictory flags (MAXBUCKET with NOBUCKET, HASH with VTOSLAB,
 *          FIRSTTOUCH with ROUNDROBIN, VM with PCPU or OFFPAGE, NOTOUCH with
 *          REFCNT, ZINIT or VM, PCPU with CACHESPREAD).  ENOMEM: no memory for
 *          the zone.
 * Threads  any.
 */
UMA_API uma_zone_t uma_zcreate(const char *name, size_t size, uma_ctor ctor,
    uma_dtor dtor, uma_init uminit, uma_fini fini, int align, uint32_t flags);

/*
 * uma_zdestroy: destroy a zone whose items have all been freed.
 *
 * Runs fini on every cached item and gives all memory back.  If items are still
 * out, a message names the zone and their number; they stay readable, are never
 * handed out again; freeing one, and allocating from or destroying the zone
 * again, aborts.  NULL does nothing.
 * Threads  any; no other call on this zone may be under way or follow.
 */
UMA_API void uma_zdestroy(uma_zone_t zone);

/*
 * uma_zalloc: uma_zalloc_arg() with a NULL arg.
 */
UMA_API void *uma_zalloc(uma_zone_t zone, int flags);

/*
 * uma_zalloc_arg: take one item from a zone.
 *
 * arg      passed to the zone's ctor untouched.
 * flags    M_NOWAIT or M_WAITOK; M_ZERO added clears the item's full size (all
 *          CPUs' copies in a PCPU zone).  Neither bit means M_WAITOK.  A hit
 *          without M_ZERO in a zone without a ctor does not look at them.
 * Returns  an initialised, constructed item, aligned as the zone was created;
 *          the caller owns it until uma_zfree_arg() on the same zone.  Its
 *          memory is zero the first time it is handed out (but in MALLOC
 *          zones); later it is as the last free left it.
 * Errors   NULL, errno ENOMEM: M_NOWAIT, and no memory or the zone is full;
 *          or the errno that the ctor or init returned, whatever the flags.
 * Threads  any.  M_WAITOK may sleep.
 */
UMA_API void *uma_zalloc_arg(uma_zone_t zone, void *arg, int flags);

/*
 * uma_zalloc_domain: uma_zalloc_arg(), but the item's memory is of the given
 * NUMA domain, as long as that has any; else of another.
 *
 * domain   0 to uma_ndomains() - 1; UMA_ANYDOMAIN for uma_zalloc_arg(), which
 *          is what it does, too, where there is one domain only.
 * Errors   as there; NULL, errno EINVAL: no such domain.
 * Threads  as there.  Takes locks: the CPUs' caches are not for it.
 */
UMA_API void *uma_zalloc_domain(
    uma_zone_t zone, void *arg, int domain, int flags);

/*
 * uma_zalloc_timed: uma_zalloc_arg(), which sleeps no longer than ns
 * nanoseconds (libuma's own call).
 *
 * flags    as there; with M_NOWAIT, ns is of no account.
 * ns       from the call on, by CLOCK_MONOTONIC; 0 or less: do not sleep.
 * Errors   as there, and NULL, errno ETIMEDOUT: no item, or no memory, in time.
 * Threads  as there.  Who gives up loses nothing that was meant for him: an
 *          item that comes in the same moment is returned, or goes to the next.
 */
UMA_API void *uma_zalloc_timed(
    uma_zone_t zone, void *arg, int flags, int64_t ns);

/*
 * uma_zfree: uma_zfree_arg() with a NULL arg.
 */
UMA_API void uma_zfree(uma_zone_t zone, void *item);

/*
 * uma_zfree_arg: give an item back to the zone that it came from.
 *
 * item     from uma_zalloc*() on this zone; NULL does nothing.
 * arg      passed to the zone's dtor untouched.
 * Errors   none.  Aborts with a message when the item is found to be free
 *          already, of another zone, of no zone, or not an item's start.
 * Threads  any, not only the one that allocated.  Never sleeps for memory.
 */
UMA_API void uma_zfree_arg(uma_zone_t zone, void *item, void *arg);

/*
 * uma_zalloc_bulk, uma_zalloc_burst: n items at once, or as many as there are
 * (libuma's own calls).
 *
 * items    where to store them, room for n.
 * flags    as for uma_zalloc(); each item's ctor gets a NULL arg.
 * Returns  bulk: n, or 0 and nothing allocated.  burst: what could be had
 *          without sleeping, 0 to n; with M_WAITOK at least 1, for which it
 *          sleeps.  0 for n of 0.
 * Errors   0, errno ENOMEM: not enough, and M_NOWAIT; or n above the zone's
 *          limit.  A hook's errno: items constructed before it in a bulk are
 *          destructed again, those of a burst are returned.  EINVAL: n < 0, or
 *          items NULL.  The contents of items are then undefined.
 * Threads  any.  M_WAITOK may sleep, without items in hand.
 */
UMA_API int uma_zalloc_bulk(uma_zone_t zone, void **items, int n, int flags);
UMA_API int uma_zalloc_burst(uma_zone_t zone, void **items, int n, int flags);

/*
 * uma_zfree_bulk: uma_zfree() of each of n items; NULL ones are passed over.
 */
UMA_API void uma_zfree_bulk(uma_zone_t zone, void **items, int n);

/*
 * uma_find_refcnt: the item's own counter, in a UMA_ZONE_REFCNT zone.
 *
 * The counter is zero when the item is handed out for the first time and is
 * never touched by the zone afterwards.
 * Errors   aborts: the zone has no counters, or the item is not the zone's.
 */
UMA_API uint32_t *uma_find_refcnt(uma_zone_t zone, void *item);

/*
 * uma_zone_set_max: limit the zone's items, cached ones included.
 *
 * nitems   at least 1; rounded up to the items of whole pages (down where that
 *          passes INT_MAX).  0 removes the limit.
 * Returns  the limit in force: nitems rounded, or 0 for none.  Sleepers are
 *          woken as far as a raised limit allows; a lowered one refuses
 *          allocations until enough items have been freed.
 * Errors   nitems < 0: errno EINVAL, nothing changed, the limit in force.
 * Threads  any, at any time.
 */
UMA_API int uma_zone_set_max(uma_zone_t zone, int nitems);

/*
 * uma_zone_get_max: the limit in force, in items; 0 for none.
 */
UMA_API int uma_zone_get_max(uma_zone_t zone);

/*
 * uma_zone_get_cur: the approximate number of items that are allocated.
 *
 * Adds up counters CPU by CPU and stops no thread; takes the depot's lock, and
 * without restartable sequences those of the CPUs' caches, one at a time and
 * each for a few loads.  Exact when no other thread is inside a call on the
 * zone.
 */
UMA_API int uma_zone_get_cur(uma_zone_t zone);

/*
 * uma_zone_set_maxcache: limit the free items that the zone caches; others go
 * back to their slabs.
 *
 * nitems   0 for no caching, INT_MAX for no more than vm.uma.zone_cache_max
 *          says.  What buckets have room for counts, so that fewer may be
 *          cached.  Independent of uma_zone_set_max(), which counts cached
 *          items among the others.
 * Errors   nitems < 0: errno EINVAL, nothing changed.
 * Threads  any, at any time.  What is above a lowered number is given back
 *          before it returns, as long as no hook of the zone takes longer than
 *          some 100 ms.
 */
UMA_API void uma_zone_set_maxcache(uma_zone_t zone, int nitems);

/*
 * uma_zone_exhausted: 1 while an allocation would fail, or sleep, because of
 * the zone's limit: all that it allows is allocated or reserved, or somebody
 * waits for it; 0 otherwise.  As uma_zone_get_cur(), for whose price it comes
 * near the limit, it may be out of date at once.
 */
UMA_API int uma_zone_exhausted(uma_zone_t zone);

/*
 * uma_zone_memory: bytes of the zone's slabs, whole ones, whatever is in them:
 * free items, pages that were never touched, or were given back out of a slab
 * that stays.  Headers that lie apart from their slabs are not among them.
 */
UMA_API size_t uma_zone_memory(uma_zone_t zone);

/*
 * uma_zwait: sleep until an M_WAITOK allocation would not, and leave the item
 * for whoever comes first.  Neither counted nor constructed.
 *
 * Errors   an init that fails ends it, with the hook's value in errno, which is
 *          kept otherwise.
 */
UMA_API void uma_zwait(uma_zone_t zone);

/*
 * uma_zone_require: abort, with the message of a wrong free, unless item is
 * the start of one that is the zone's and out (libuma's own call).
 *
 * item     any value whatever.  A free item that waits in a cache is out.
 */
UMA_API void uma_zone_require(uma_zone_t zone, const void *item);

/*
 * uma_zone_set_warning: what to say when the zone is full and fails, or
 * makes wait, an allocation: "[zone: NAME] TEXT", once in 300 s at most.
 *
 * warning  copied; NULL for none.  vm.zone_warnings=0 silences all zones.
 * Errors   no memory for the copy: errno ENOMEM, the old warning stays.
 */
UMA_API void uma_zone_set_warning(uma_zone_t zone, const char *warning);

/*
 * uma_zone_set_maxaction: what to do whenever the limit stops an allocation,
 * which then fails or sleeps: call fn, with the zone and the number of stops
 * since the last call.
 *
 * fn       NULL for none.  Called by the thread that was stopped, which has no
 *          lock of the library, before it fails or sleeps; one thread at a time
 *          for a zone.  May call any function but destroy the zone; its own
 *          stops at this zone's limit do not count.
 * Threads  any, at any time.  A call of the old fn may still be under way.
 */
typedef void (*uma_maxaction_t)(uma_zone_t zone, int pending);
UMA_API void uma_zone_set_maxaction(uma_zone_t zone, uma_maxaction_t fn);

/* What to give back: see uma_reclaim(). */
#define UMA_RECLAIM_DRAIN     1 /* every cached item but the CPUs' own */
#define UMA_RECLAIM_DRAIN_CPU 2 /* the CPUs' own as well */
#define UMA_RECLAIM_TRIM      3 /* what is above the estimated working set */

/*
 * uma_reclaim, uma_zone_reclaim: move cached items back to their slabs, run
 * fini on those of empty slabs and return these to the system; for every zone
 * (and the memory that the library itself holds ready), or for one.
 *
 * request  UMA_RECLAIM_*; anything else aborts.
 * Threads  any.  Runs fini hooks.
 */
UMA_API void uma_reclaim(int request);
UMA_API void uma_zone_reclaim(uma_zone_t zone, int request);

/*
 * uma_reclaim_domain, uma_zone_reclaim_domain: the same for the memory of one
 * NUMA domain; UMA_ANYDOMAIN is every.
 *
 * domain   0 to uma_ndomains() - 1, or UMA_ANYDOMAIN; anything else aborts.
 *          DRAIN_CPU empties all CPUs' caches, others' items wait in their
 *          domains' then.  ROUNDROBIN zones do not cache by domain: all that
 *          they cache is reclaimed, and slabs of the one domain.
 */
#define UMA_ANYDOMAIN (-1)
UMA_API void uma_reclaim_domain(int request, int domain);
UMA_API void uma_zone_reclaim_domain(uma_zone_t zone, int request, int domain);

/*
 * uma_prealloc: make slabs for at least nitems items, init run, beyond those
 * that the zone has.  They do not count against the zone's limit until they
 * are allocated or cached.  Sleeps until there is memory, as M_WAITOK does;
 * an init that fails ends it early, with the hook's value in errno.
 */
UMA_API void uma_prealloc(uma_zone_t zone, int nitems);

/*
 * UMA_ZONE_PCPU zones.  uma_zalloc() returns a base address; the copy of CPU
 * c is at base + c * sizeof(struct pcpu).
 */
#define UMA_PCPU_STRIDE 4096
struct pcpu {
	unsigned char pc_area[UMA_PCPU_STRIDE];
};

/*
 * uma_curcpu: the number of the CPU that runs the caller, 0 to uma_ncpus() - 1;
 * stale as soon as the thread is moved.
 * uma_ncpus: the number of CPUs that this system can ever have.
 */
UMA_API int uma_curcpu(void);
UMA_API int uma_ncpus(void);

/*
 * uma_ndomains: the number of NUMA domains that memory is kept apart for; 1 on
 * machines without, and where libnuma cannot be used.
 * uma_curdomain: the domain of the CPU that runs the caller, stale at once.
 */
UMA_API int uma_ndomains(void);
UMA_API int uma_curdomain(void);

/*
 * uma_percpu_mode: how this process makes its hits, and why: "rseq: mm_cid",
 * "rseq: cpu_id", or "lock: ..." with the reason; "not started: no memory"
 * while that is so.
 */
UMA_API const char *uma_percpu_mode(void);

/*
 * zpcpu_get: the running CPU's copy.  A thread may be moved at any time, so
 * that two may use one copy at once: use atomics, or pin the thread.
 * zpcpu_get_cpu: the copy of the given CPU.
 */
UMA_API void *zpcpu_get(void *base);
UMA_API void *zpcpu_get_cpu(void *base, int cpu);

/*
 * uma_set_warning_sink: where one-line messages go (libuma's own call).
 *
 * sink     called with each line, len bytes including its newline, without
 *          any lock held; NULL for standard error, the default.
 * Reports of broken contracts go to descriptor 2 in any case.
 */
typedef void (*uma_warning_sink)(void *arg, const char *line, size_t len);
UMA_API void uma_set_warning_sink(uma_warning_sink sink, void *arg);

#ifdef __cplusplus
}
#endif

#endif
