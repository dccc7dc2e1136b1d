/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone.c - zones: creating and destroying them.
 *
 * How it works
 *
 * (1) A zone hands out items of one size, typed by its hooks, and takes them
 * back.  It is for objects that come and go in numbers; it is not for
 * memory of many sizes.
 *
 * (2) Words.  cache: a bucket or two of free items for each CPU (percpu/).
 * depot: the zone's buckets that no CPU has, for each NUMA domain (depot.c,
 * domain.c).  keg: the slabs (slab/).
 * unit: the right to have one item out of the keg (limit.c).  hold: a reason
 * why every call has to miss the cache.
 *
 * (3) The life of an item.  uma_zalloc: cache_pop, or zalloc_miss: zone_fetch
 * tries the CPU's spare bucket (cache_turn), its domain's depot (depot_take),
 * zone_fill, which takes units (limit_take) and items (keg_import), runs their
 * init and makes a bucket of them.  Without room for a bucket, or with a hold,
 * zone_alloc_item takes one unit, which may sleep (limit_acquire), and one
 * item; uma_zone_wait gets the unit without sleeping (wait.c).  item_construct
 * runs the ctor.  uma_zfree: the dtor, cache_push, or zfree_miss: the spare, a
 * new empty bucket, the full one to the depots, by the domain of its items
 * (zone_put_bucket); or zone_release, the item to the keg (keg_release) and the
 * unit to whom it is due (limit_give).  Reclaim (reclaim.c) moves buckets down
 * and empty slabs out, with fini.
 *
 * (4) Memory.
 *
 *     struct uma_zone -- uz_cache --> header of CPU 0: cursor --> bucket
 *        |      |                     header of CPU 1: cursor --> bucket
 *        |      `- uz_depot, one a domain --> bucket <-> bucket <-> ...
 *        `- uz_keg --> slab <-> slab <-> ...
 *
 * (5) Locks, in order: the start's, sysctl nodes, list of zones, l_lock of a
 * limit, d_lock of a depot, c_lock of a cache, a CPU's header, the keg's, those
 * of pages/.  No two of a rank are held, and none while a hook or the sink
 * runs.  Fork takes all of them in that order (fork.c).
 *
 * (6) Invariants at rest:
 *     units = items out of the keg + reserved by waiters
 *     items out of the keg = allocated + in buckets
 *     slabs * items a slab = items out of the keg + free in slabs
 *     allocs - frees = allocated
 *
 * (7) Choices.  Frees are not counted: they are allocs less what is allocated,
 * which saves the hit an instruction.  The unit is paid for before the import,
 * so that no instant shows more items than the limit.  A destroyed zone with
 * items out is kept, so that a late free can be told from a wrong one.
 *
 * (8) To change this safely: what waits must hold the cache first and drain
 * after it; what puts a bucket where others find it must look for holds behind
 * it.  Bonwick 1994 (slabs), Bonwick and Adams 2001 (buckets, depot);
 * Roberson's UMA for the shape of the whole.
 */
#include <errno.h>
#include <string.h>

#include "pages_int.h"
#include "sysctl_int.h"

#define ZONE_FLAGS                                                            \
	(UMA_ZONE_ZINIT | UMA_ZONE_OFFPAGE | UMA_ZONE_MALLOC |                \
	    UMA_ZONE_NOFREE | UMA_ZONE_VM | UMA_ZONE_HASH | UMA_ZONE_REFCNT | \
	    UMA_ZONE_MAXBUCKET | UMA_ZONE_VTOSLAB | UMA_ZONE_NODUMP |         \
	    UMA_ZONE_PCPU | UMA_ZONE_NOBUCKET | UMA_ZONE_FIRSTTOUCH |         \
	    UMA_ZONE_ROUNDROBIN | UMA_ZONE_CACHESPREAD | UMA_ZONE_CONTIG |    \
	    UMA_ZONE_NOTOUCH)

/*
 * Pairs of flags that contradict each other.  In the memory that a NOTOUCH zone
 * stays out of, counters lie beside their items, a zero fill would write, and
 * VM zones have their headers.
 */
static const uint32_t zone_conflicts[] = {
    UMA_ZONE_MAXBUCKET | UMA_ZONE_NOBUCKET,
    UMA_ZONE_HASH | UMA_ZONE_VTOSLAB,
    UMA_ZONE_VM | UMA_ZONE_PCPU,
    UMA_ZONE_PCPU | UMA_ZONE_CACHESPREAD,
    UMA_ZONE_VM | UMA_ZONE_OFFPAGE,
    UMA_ZONE_FIRSTTOUCH | UMA_ZONE_ROUNDROBIN,
    UMA_ZONE_NOTOUCH | UMA_ZONE_REFCNT,
    UMA_ZONE_NOTOUCH | UMA_ZONE_ZINIT,
    UMA_ZONE_NOTOUCH | UMA_ZONE_VM,
};

int
uma_version(void)
{
	return UMA_VERSION;
}

/* ---- headers off the page: from internal zones, by size ---- */

static struct header_zone {
	size_t hz_items; /* of the largest slab that it serves */
	const char *hz_name;
	_Atomic(uma_zone_t) hz_zone;
} header_zones[] = {
    {64, "UMA Slabs 0", NULL}, {KEG_OFFPAGE_ITEMS, "UMA Slabs 1", NULL}};
#define HEADER_ZONES (sizeof header_zones / sizeof header_zones[0])

static struct header_zone *
header_zone_for(size_t size)
{
	size_t z = 0;

	while (size > keg_header_size(header_zones[z].hz_items))
		z++;
	UMA_ASSERT(z < HEADER_ZONES, "header of %zu bytes", size);
	return &header_zones[z];
}

static void *
header_alloc(size_t size)
{
	uma_zone_t zone = atomic_load(&header_zone_for(size)->hz_zone);

	return uma_zalloc(zone, M_NOWAIT | M_ZERO);
}

static void
header_free(void *header, size_t size)
{
	uma_zfree(atomic_load(&header_zone_for(size)->hz_zone), header);
}

struct uma_zone *
header_zone(size_t z)
{
	return z < HEADER_ZONES ? atomic_load(&header_zones[z].hz_zone) : NULL;
}

static struct uma_zone *zone_make(const char *name, size_t size, uma_ctor ctor,
    uma_dtor dtor, const struct keg_config *kc, uint32_t flags);

/* Called under the start lock; what a failed call has made stays. */
bool
header_zones_start(void)
{
	bool ok = true;

	for (size_t z = 0; z < HEADER_ZONES && ok; z++) {
		struct header_zone *hz = &header_zones[z];

		if (atomic_load(&hz->hz_zone) != NULL)
			continue;
		struct keg_config kc = {
		    .kc_size = keg_header_size(hz->hz_items),
		    .kc_align = UMA_CACHE_LINE,
		    .kc_flags = UMA_ZONE_VM,
		    .kc_copies = 1,
		};
		struct uma_zone *zone = zone_make(
		    hz->hz_name, kc.kc_size, NULL, NULL, &kc, UMA_ZONE_VM);
		ok = zone != NULL;
		atomic_store(&hz->hz_zone, zone);
	}
	return ok;
}

/* ---- creation ---- */

static int
zero_init(void *mem, int size, int flags)
{
	(void)flags;
	memset(mem, 0, (size_t)size);
	return 0;
}

static bool
zone_args_valid(const char *name, size_t size, int align, uint32_t flags)
{
	if (name == NULL || size == 0 || size > INT_MAX)
		return false;
	if (align < 0 || align > UMA_ALIGN_MAX || (align & (align + 1)) != 0)
		return false;
	if (flags & ~(uint32_t)ZONE_FLAGS)
		return false;
	for (size_t i = 0; i < sizeof zone_conflicts / sizeof zone_conflicts[0];
	     i++)
		if ((flags & zone_conflicts[i]) == zone_conflicts[i])
			return false;
	return true;
}

/* Of slabs that zones with items out left behind, for ever. */
static _Atomic uint64_t lost;

uint64_t
zone_lost_bytes(void)
{
	return atomic_load(&lost);
}

static void
zone_free(struct uma_zone *zone)
{
	cache_fini(&zone->uz_cache);
	if (zone->uz_keg != NULL)
		keg_destroy(zone->uz_keg);
	if (zone->uz_warning != NULL)
		meta_free(zone->uz_warning, strlen(zone->uz_warning) + 1);
	meta_free(zone->uz_name, zone->uz_name_size);
	meta_free(zone, zone_bytes(zone->uz_domains));
}

static bool
zone_init(struct uma_zone *zone, const char *name, const struct keg_config *kc)
{
	struct keg_config mine = *kc;

	for (int k = 0; k < zone->uz_domains; k++)
		depot_init(&zone->uz_depot[k]);
	limit_init(&zone->uz_limit);
	watermark_init(&zone->uz_watermark);
	zone->uz_name_size = strlen(name) + 1;
	zone->uz_name = meta_alloc(zone->uz_name_size, 0);
	if (zone->uz_name == NULL)
		return false;
	memcpy(zone->uz_name, name, zone->uz_name_size);
	mine.kc_name = zone->uz_name;
	mine.kc_zone = zone;
	zone->uz_keg = keg_create(&mine);
	return zone->uz_keg != NULL &&
	       cache_init(&zone->uz_cache, &zone->uz_hot.cache);
}

/* A zone, listed; NULL with errno. */
static struct uma_zone *
zone_make(const char *name, size_t size, uma_ctor ctor, uma_dtor dtor,
    const struct keg_config *kc, uint32_t flags)
{
	int domains = pages_domain_cnt();
	struct uma_zone *zone = meta_alloc(zone_bytes(domains), 0);

	if (zone == NULL)
		return NULL;
	zone->uz_domains = domains;
	zone->uz_sorts = domains > 1 && !(flags & UMA_ZONE_ROUNDROBIN);
	zone->uz_hot.size = (uint32_t)size;
	zone->uz_hot.flags = flags;
	zone->uz_ctor = ctor;
	zone->uz_dtor = dtor;
	zone->uz_hot.flags_below = ctor != NULL ? 0 : M_ZERO;
	zone->uz_hot.item_least = dtor != NULL ? UINTPTR_MAX : 1;
	zone->uz_fini = kc->kc_fini != NULL; /* before others see it */
	if (!zone_init(zone, name, kc)) {
		int error = errno;

		zone_free(zone);
		errno = error;
		return NULL;
	}
	struct keg_stat ks;
	keg_stat(zone->uz_keg, &ks);
	zone->uz_item_bytes =
	    ks.ks_stride *
	    (flags & UMA_ZONE_PCPU ? (size_t)pages_cpu_cnt() : 1);
	atomic_store(&zone->uz_bucket_bytes_max, UINT64_MAX);
	atomic_store(&zone->uz_bucket_cap, zone_bucket_cap_first(zone));
	int check = uma_settings.set_debug_check;
	(void)rule_find(zone, RULE_DEBUG, &check);
	zone->uz_check = check != 0;
	zone->uz_hot.watch = (zone->uz_check ? WATCH_CHECK : 0) |
			     (dtor == NULL ? WATCH_NODTOR : 0);
	if ((flags & UMA_ZONE_NOBUCKET) || zone->uz_check)
		atomic_store(&zone->uz_limit.l_holds, HOLD_NOCACHE);
	else
		cache_enable(&zone->uz_cache);
	zlist_add(zone);
	probe_zone_create(zone->uz_name, zone, size, kc->kc_align, flags);
	return zone;
}

uma_zone_t
uma_zcreate(const char *name, size_t size, uma_ctor ctor, uma_dtor dtor,
    uma_init uminit, uma_fini fini, int align, uint32_t flags)
{
	if (!zone_args_valid(name, size, align, flags)) {
		errno = EINVAL;
		return NULL;
	}
	if (!uma_start()) {
		errno = ENOMEM;
		return NULL;
	}
	reclaimer_check();
	struct keg_config kc = {
	    .kc_size = size,
	    .kc_align = (size_t)align + 1,
	    .kc_flags = flags,
	    .kc_copies = flags & UMA_ZONE_PCPU ? pages_cpu_cnt() : 1,
	    .kc_init = flags & UMA_ZONE_ZINIT ? zero_init : uminit,
	    .kc_fini = fini,
	    .kc_header_alloc = header_alloc,
	    .kc_header_free = header_free,
	};
	struct uma_zone *zone = zone_make(name, size, ctor, dtor, &kc, flags);
	int max;
	if (zone != NULL && rule_find(zone, RULE_MAX, &max)) {
		(void)uma_zone_set_max(zone, max);
		atomic_store(&zone->uz_max_source, "UMA_OPTIONS");
	}
	return zone;
}

/* ---- preallocation and destruction ---- */

void
uma_prealloc(uma_zone_t zone, int nitems)
{
	int tries = 0, made, error;
	bool hook;

	while (nitems > 0) {
		error =
		    keg_prealloc(zone->uz_keg, nitems, M_WAITOK, &made, &hook);
		if (hook) {
			errno = error;
			return;
		}
		nitems -= uma_min(made, nitems);
		if (error != 0)
			(void)zone_wait_memory(zone, UNTIL_NEVER, &tries);
	}
}

static UMA_COLD void
zone_say_leak(struct uma_zone *zone, uint64_t items)
{
	char name[128];

	uma_message("uma: zone '%s': destroyed with %llu item%s allocated",
	    uma_escape(name, sizeof name, zone->uz_name),
	    (unsigned long long)items, items == 1 ? "" : "s");
}

void
uma_zdestroy(uma_zone_t zone)
{
	char name[128];

	if (zone == NULL)
		return;
	UMA_FATAL_IF(limit_holds(zone) & HOLD_DEAD,
	    "zone '%s': destroy after destroy",
	    uma_escape(name, sizeof name, zone->uz_name));
	UMA_FATAL_IF(limit_is_calling(zone) || maxaction_is_ours(zone) ||
			 watermark_is_ours(zone),
	    "zone '%s': destroy by a function that it called",
	    uma_escape(name, sizeof name, zone->uz_name));
	zlist_remove(zone);
	limit_forget(zone);
	watermark_forget(zone);
	/* Fini hooks may still free items of this zone: they pass the cache. */
	limit_hold(zone, HOLD_NOCACHE);
	zone_drain(zone);
	size_t len = keg_reclaim(zone->uz_keg, UMA_ANYDOMAIN, true);
	limit_hold(zone, HOLD_DEAD);
	uint64_t items =
	    limit_items(zone) - atomic_load(&zone->uz_limit.l_reserved);
	struct keg_stat ks;
	keg_stat(zone->uz_keg, &ks);
	atomic_fetch_add(&lost, ks.ks_slabs * ks.ks_slab_size);
	probe_zone_destroy(zone->uz_name, zone, items);
	if (items != 0)
		zone_say_leak(zone, items);
	else if (ks.ks_slabs == 0)
		zone_free(zone);
	/* Else a thread of a forked parent had some of a slab in its hands. */
	headers_reclaim(len, UMA_RECLAIM_DRAIN, UMA_ANYDOMAIN);
	pages_release();
}

/* ---- for readers of our memory ---- */

static struct uma_debug_entry entries[] = {
    DEBUG_CONST("header_zones", HEADER_ZONES),
    DEBUG_STRUCT("hz", struct header_zone),
    DEBUG_MEMBER("hz", struct header_zone, hz_zone),
};
static struct uma_debug_root roots[] = {
    {"header_zones", header_zones}, {"lost", &lost}};
struct uma_debug_table zones_debug = DEBUG_TABLE(entries, roots);
