/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysctl_zone.c - vm.uma.<zone>.*: the names and types of FreeBSD's tree, and
 * what our statistics have for them.  Each read looks at what it needs only.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pages_int.h"
#include "sysctl_int.h"

#define PREFIX	   "vm.uma."
#define PREFIX_LEN (sizeof PREFIX - 1)
#define LEAF_MAX   64 /* bytes of the longest name below a zone's */

/* ---- numbers, by where they are from ---- */

enum zone_number {
	BUCKET_SIZE,
	BUCKET_SIZE_MAX,
	SIZE,
	LIMIT_BUCKET_MAX,
	LIMIT_NOW,
	LIMIT_MAX_ITEMS,
	LIMIT_ASLEEP,
	LIMIT_SLEPT,
	LIMIT_HIGH,
	LIMIT_LOW,
	LIMIT_PEAK,
	RESERVE,
	KEG_ALIGN,
	KEG_EFFICIENCY,
	KEG_IPERS,
	KEG_PPERA,
	KEG_RSIZE,
	KEG_FREE_ITEMS,
	KEG_FREE_SLABS,
	KEG_PAGES,
	DEPOT_BIMIN,
	DEPOT_IMAX,
	DEPOT_IMIN,
	DEPOT_LIMIN,
	DEPOT_NITEMS,
	DEPOT_TIMIN,
	DEPOT_WSS,
	STAT_ALLOCS,
	STAT_CURRENT,
	STAT_FAILS,
	STAT_FREES,
	STAT_XDOMAIN
};

static uint64_t
zone_number(const struct node *n, enum zone_number what)
{
	struct uma_zone *zone = n->n_zone;
	uint64_t word = atomic_load(&zone->uz_limit.l_word);

	switch (what) {
	case BUCKET_SIZE:
		return atomic_load(&zone->uz_bucket_cap);
	case BUCKET_SIZE_MAX:
		return BUCKET_CAP_MAX;
	case SIZE:
		return zone->uz_hot.size;
	case LIMIT_BUCKET_MAX:
		return uma_min(SETTING(zone_cache_max),
			   atomic_load(&zone->uz_bucket_bytes_max)) /
		       zone->uz_item_bytes;
	case LIMIT_NOW:
		return word & LIMIT_ITEMS;
	case LIMIT_MAX_ITEMS:
		return (uint64_t)uma_zone_get_max(zone);
	case LIMIT_ASLEEP:
		return (word & LIMIT_SLEEPERS) >> LIMIT_ITEMS_BITS;
	case LIMIT_SLEPT:
		return atomic_load(&zone->uz_sleeps);
	case LIMIT_HIGH:
		return atomic_load(&zone->uz_watermark.wm_high);
	case LIMIT_LOW:
		return atomic_load(&zone->uz_watermark.wm_low);
	case LIMIT_PEAK:
		return atomic_load(&zone->uz_peak);
	default:
		return 0; /* reserve: there are none */
	}
}

/* Of the memory of a slab and its header, the percentage that items have. */
static uint64_t
keg_efficiency(const struct keg_stat *ks)
{
	return 100 * ks->ks_slab_items * ks->ks_stride /
	       (ks->ks_slab_size + ks->ks_header);
}

static uint64_t
keg_number(const struct node *n, enum zone_number what)
{
	struct keg_domain_stat kds;
	struct keg_stat ks;

	keg_stat(n->n_zone->uz_keg, &ks);
	switch (what) {
	case KEG_ALIGN:
		return ks.ks_align - 1;
	case KEG_EFFICIENCY:
		return keg_efficiency(&ks);
	case KEG_IPERS:
		return ks.ks_slab_items;
	case KEG_PPERA:
		return ks.ks_slab_size / UMA_PAGE_SIZE;
	case KEG_RSIZE:
		return ks.ks_stride;
	default:
		keg_domain_stat(n->n_zone->uz_keg, n->n_domain, &kds);
	}
	if (what == KEG_PAGES)
		return kds.kds_slabs * (ks.ks_slab_size / UMA_PAGE_SIZE);
	return what == KEG_FREE_ITEMS ? kds.kds_free : kds.kds_empty;
}

static uint64_t
depot_number(const struct node *n, enum zone_number what)
{
	struct wset ws;
	uint64_t items = depot_wset(n->n_zone, n->n_domain, &ws);

	switch (what) {
	case DEPOT_BIMIN:
		return ws.ws_low;
	case DEPOT_IMAX:
		return ws.ws_max;
	case DEPOT_IMIN:
		return ws.ws_min;
	case DEPOT_LIMIN:
		return ws.ws_idle;
	case DEPOT_TIMIN:
		return ws.ws_idle_periods;
	case DEPOT_WSS:
		return ws.ws_size;
	default:
		return items;
	}
}

static uint64_t
stat_number(const struct node *n, enum zone_number what)
{
	struct uma_zone_stat st = {.size = sizeof st};

	(void)uma_zone_stat(n->n_zone, &st);
	switch (what) {
	case STAT_ALLOCS:
		return st.allocs;
	case STAT_FAILS:
		return st.fails;
	case STAT_FREES:
		return st.frees;
	case STAT_XDOMAIN:
		return st.xdomain;
	default:
		return uma_min(st.used, (uint64_t)INT_MAX);
	}
}

/* ---- the names below a zone's ---- */

struct leaf {
	const char *lf_name; /* with N for the number of a domain */
	uint32_t lf_type;
	enum zone_number lf_what;
	const char *lf_descr;
};

static int
get_number(const struct node *n, union sysctl_value *v)
{
	enum zone_number what = ((const struct leaf *)n->n_arg)->lf_what;

	v->v_number = what < KEG_ALIGN	   ? zone_number(n, what)
		      : what < DEPOT_BIMIN ? keg_number(n, what)
		      : what < STAT_ALLOCS ? depot_number(n, what)
					   : stat_number(n, what);
	return 0;
}

static int
get_keg_name(const struct node *n, union sysctl_value *v)
{
	uma_escape(v->v_string, sizeof v->v_string, n->n_zone->uz_name);
	return 0;
}

static int
get_flags(const struct node *n, union sysctl_value *v)
{
	static const struct {
		uint32_t f_bit;
		const char *f_name;
	} flag[] = {{UMA_ZONE_ZINIT, "ZINIT"}, {UMA_ZONE_CONTIG, "CONTIG"},
	    {UMA_ZONE_OFFPAGE, "OFFPAGE"}, {UMA_ZONE_MALLOC, "MALLOC"},
	    {UMA_ZONE_NOFREE, "NOFREE"}, {UMA_ZONE_VM, "VM"},
	    {UMA_ZONE_HASH, "HASH"}, {UMA_ZONE_REFCNT, "REFCNT"},
	    {UMA_ZONE_MAXBUCKET, "MAXBUCKET"},
	    {UMA_ZONE_CACHESPREAD, "CACHESPREAD"},
	    {UMA_ZONE_VTOSLAB, "VTOSLAB"}, {UMA_ZONE_NODUMP, "NODUMP"},
	    {UMA_ZONE_PCPU, "PCPU"}, {UMA_ZONE_FIRSTTOUCH, "FIRSTTOUCH"},
	    {UMA_ZONE_ROUNDROBIN, "ROUNDROBIN"},
	    {UMA_ZONE_NOBUCKET, "NOBUCKET"}, {UMA_ZONE_NOTOUCH, "NOTOUCH"}};
	uint32_t flags = n->n_zone->uz_hot.flags;
	char *text = v->v_string, separator = '<';
	size_t size = sizeof v->v_string;
	size_t len = (size_t)snprintf(text, size, "0x%x", (unsigned)flags);

	for (size_t i = 0; i < sizeof flag / sizeof flag[0]; i++) {
		if (!(flags & flag[i].f_bit) || len >= size)
			continue;
		len += (size_t)snprintf(
		    text + len, size - len, "%c%s", separator, flag[i].f_name);
		separator = ',';
	}
	if (separator == ',' && len + 1 < size)
		strcpy(text + len, ">");
	return 0;
}

static int
get_debug(const struct node *n, union sysctl_value *v)
{
	strcpy(v->v_string, n->n_zone->uz_check ? "check" : "none");
	return 0;
}

static int
set_max_items(const struct node *n, const union sysctl_value *v)
{
	if (v->v_number > INT_MAX)
		return EINVAL;
	(void)uma_zone_set_max(n->n_zone, (int)v->v_number);
	atomic_store(&n->n_zone->uz_max_source, "sysctl");
	return 0;
}

static const struct leaf leaf_table[] = {
    {"bucket_size", CTLTYPE_U16, BUCKET_SIZE,
	"Items that the next bucket has room for"},
    {"bucket_size_max", CTLTYPE_U16, BUCKET_SIZE_MAX,
	"Items that a bucket can have room for"},
    {"debug", CTLTYPE_STRING, 0, "Checks of every allocation and free"},
    {"domain.N.bimin", CTLTYPE_LONG, DEPOT_BIMIN,
	"Fewest items since the most of this period"},
    {"domain.N.imax", CTLTYPE_LONG, DEPOT_IMAX, "Most items in this period"},
    {"domain.N.imin", CTLTYPE_LONG, DEPOT_IMIN, "Fewest items in this period"},
    {"domain.N.limin", CTLTYPE_LONG, DEPOT_LIMIN,
	"Items that have been idle for long"},
    {"domain.N.nitems", CTLTYPE_LONG, DEPOT_NITEMS, "Free items in the depot"},
    {"domain.N.timin", CTLTYPE_INT, DEPOT_TIMIN,
	"Periods that items have been idle for"},
    {"domain.N.wss", CTLTYPE_LONG, DEPOT_WSS,
	"Estimated working set, in items"},
    {"flags", CTLTYPE_STRING, 0, "Flags of the zone"},
    {"keg.align", CTLTYPE_U32, KEG_ALIGN, "Alignment of items, as a mask"},
    {"keg.domain.N.free_items", CTLTYPE_U32, KEG_FREE_ITEMS,
	"Free items in slabs"},
    {"keg.domain.N.free_slabs", CTLTYPE_U32, KEG_FREE_SLABS,
	"Slabs without an item out"},
    {"keg.domain.N.pages", CTLTYPE_U32, KEG_PAGES, "Pages of slabs"},
    {"keg.efficiency", CTLTYPE_INT, KEG_EFFICIENCY,
	"Percentage of a slab's memory that items have"},
    {"keg.ipers", CTLTYPE_U32, KEG_IPERS, "Items in a slab"},
    {"keg.name", CTLTYPE_STRING, 0, "Name of the keg"},
    {"keg.ppera", CTLTYPE_U32, KEG_PPERA, "Pages of a slab"},
    {"keg.reserve", CTLTYPE_U32, RESERVE, "Items kept in reserve"},
    {"keg.rsize", CTLTYPE_U32, KEG_RSIZE, "Bytes from item to item"},
    {"limit.bucket_max", CTLTYPE_U64, LIMIT_BUCKET_MAX,
	"Free items that the caches may have room for"},
    {"limit.high", CTLTYPE_U64, LIMIT_HIGH, "High water mark, 0 for none"},
    {"limit.items", CTLTYPE_U64, LIMIT_NOW, "Items allocated and cached"},
    {"limit.low", CTLTYPE_U64, LIMIT_LOW, "Low water mark"},
    {"limit.max_items", CTLTYPE_U64, LIMIT_MAX_ITEMS,
	"Limit on items allocated and cached, 0 for none"},
    {"limit.peak", CTLTYPE_U64, LIMIT_PEAK,
	"Most items allocated, or cached by CPUs, ever"},
    {"limit.sleepers", CTLTYPE_U32, LIMIT_ASLEEP,
	"Threads and waiters at the limit"},
    {"limit.sleeps", CTLTYPE_U64, LIMIT_SLEPT, "Sleeps at the limit, ever"},
    {"size", CTLTYPE_INT, SIZE, "Bytes of an item, as requested"},
    {"stats.allocs", CTLTYPE_U64, STAT_ALLOCS,
	"Allocations that succeeded, ever"},
    {"stats.current", CTLTYPE_INT, STAT_CURRENT, "Items allocated"},
    {"stats.fails", CTLTYPE_U64, STAT_FAILS, "Allocations that failed, ever"},
    {"stats.frees", CTLTYPE_U64, STAT_FREES, "Frees, ever"},
    {"stats.xdomain", CTLTYPE_U64, STAT_XDOMAIN,
	"Frees of another domain's items, ever"},
};
#define LEAVES (sizeof leaf_table / sizeof leaf_table[0])

/* A leaf's name, of a domain. */
static void
leaf_name(const struct leaf *lf, int domain, char name[LEAF_MAX])
{
	const char *at = strstr(lf->lf_name, ".N.");

	if (at == NULL)
		strcpy(name, lf->lf_name);
	else
		snprintf(name, LEAF_MAX, "%.*s.%d%s", (int)(at - lf->lf_name),
		    lf->lf_name, domain, at + 2);
}

static int
leaf_domains(const struct leaf *lf, const struct uma_zone *zone)
{
	return strstr(lf->lf_name, ".N.") != NULL ? zone->uz_domains : 1;
}

/* A limit there would refuse slabs to all zones. */
static bool
is_internal(const struct uma_zone *zone)
{
	const struct uma_zone *mine;

	for (size_t z = 0; (mine = header_zone(z)) != NULL; z++)
		if (mine == zone)
			return true;
	return false;
}

static void
leaf_node(const struct leaf *lf, int domain, struct node *n)
{
	int value;

	n->n_kind = lf->lf_type | CTLFLAG_RD;
	n->n_descr = lf->lf_descr;
	n->n_arg = lf;
	n->n_domain = domain;
	n->n_get = get_number;
	if (lf->lf_type == CTLTYPE_STRING)
		n->n_get = lf->lf_name[0] == 'f'   ? get_flags
			   : lf->lf_name[0] == 'd' ? get_debug
						   : get_keg_name;
	if (n->n_get == get_debug) {
		n->n_kind |= CTLFLAG_TUN;
		n->n_source = rule_find(n->n_zone, RULE_DEBUG, &value) ||
				      uma_settings.set_debug_check
				  ? "UMA_OPTIONS"
				  : "default";
	}
	if (lf->lf_what == LIMIT_MAX_ITEMS && !is_internal(n->n_zone)) {
		n->n_kind |= CTLFLAG_WR | CTLFLAG_TUN;
		n->n_set = set_max_items;
		n->n_source = atomic_load(&n->n_zone->uz_max_source);
		if (n->n_source == NULL)
			n->n_source = "default";
	}
}

static bool
leaf_find(const char *rest, struct node *n)
{
	char name[LEAF_MAX];

	for (size_t i = 0; i < LEAVES; i++) {
		const struct leaf *lf = &leaf_table[i];

		for (int d = 0; d < leaf_domains(lf, n->n_zone); d++) {
			leaf_name(lf, d, name);
			if (strcmp(name, rest) == 0) {
				leaf_node(lf, d, n);
				return true;
			}
		}
	}
	return false;
}

/* The least leaf of the zone above after, which is a whole name. */
static void
leaf_next(const struct uma_zone *zone, const char *after, char *best)
{
	char full[PREFIX_LEN + ZONE_NAME_MAX + LEAF_MAX] = PREFIX;

	zone_name(zone, full + PREFIX_LEN);
	strcat(full, ".");
	size_t len = strlen(full);
	for (size_t i = 0; i < LEAVES; i++) {
		const struct leaf *lf = &leaf_table[i];

		for (int d = 0; d < leaf_domains(lf, zone); d++) {
			leaf_name(lf, d, full + len);
			sysctl_better(after, full, best);
		}
	}
}
_Static_assert(PREFIX_LEN + ZONE_NAME_MAX + LEAF_MAX <= UMA_SYSCTL_NAME_MAX,
    "the longest name fits");

/* ---- the part ---- */

static bool
zones_find(const char *name, struct node *n)
{
	if (strncmp(name, PREFIX, PREFIX_LEN) != 0)
		return false;
	const char *zone = name + PREFIX_LEN, *dot = strchr(zone, '.');
	if (dot == NULL)
		return false;
	n->n_zone = zone_by_name(zone, (size_t)(dot - zone));
	if (n->n_zone == NULL)
		return false;
	if (leaf_find(dot + 1, n))
		return true;
	zlist_leave(n->n_zone);
	n->n_zone = NULL;
	return false;
}

/* The zone's name in after: "" if that is before all zones. */
static void
zone_part(const char *after, char part[UMA_SYSCTL_NAME_MAX])
{
	size_t len = 0;

	if (strncmp(after, PREFIX, PREFIX_LEN) == 0) {
		after += PREFIX_LEN;
		len = uma_min(
		    strcspn(after, "."), (size_t)UMA_SYSCTL_NAME_MAX - 1);
	}
	memcpy(part, after, len);
	part[len] = '\0';
}

static void
zones_next(const char *after, char *best)
{
	char part[UMA_SYSCTL_NAME_MAX], mine[UMA_SYSCTL_NAME_MAX] = "";
	struct uma_zone *zone;

	/* Above all that begins with the prefix? */
	if (strncmp(after, PREFIX, PREFIX_LEN) != 0 &&
	    sysctl_compare(after, PREFIX) > 0)
		return;
	zone_part(after, part);
	zone = part[0] != '\0' ? zone_by_name(part, strlen(part)) : NULL;
	if (zone != NULL) {
		leaf_next(zone, after, mine);
		zlist_leave(zone);
	}
	if (mine[0] == '\0' && (zone = zone_after_name(part)) != NULL) {
		leaf_next(zone, after, mine);
		zlist_leave(zone);
	}
	if (mine[0] != '\0')
		sysctl_better(after, mine, best);
}

const struct sysctl_part zones_part = {zones_find, zones_next};
