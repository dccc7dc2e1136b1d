/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * whatis.c - what an address is, for those who ask and those who insist.
 */
#include <errno.h>
#include <string.h>

#include <uma/whatis.h>

#include "pages_int.h"
#include "zone_int.h"

/* The least that a caller of the first version brings. */
#define WHATIS_SIZE_FIRST sizeof(struct uma_whatis)

static int
whatis_state(const struct keg_item *it)
{
	if (it->ki_item == NULL)
		return UMA_WHATIS_SLAB;
	if (!it->ki_free)
		return UMA_WHATIS_OUT;
	return it->ki_ready ? UMA_WHATIS_READY : UMA_WHATIS_FRESH;
}

/* The zone is referenced. */
static void
whatis_fill(
    struct uma_zone *zone, const struct keg_item *it, struct uma_whatis *w)
{
	struct keg_stat ks;

	keg_stat(zone->uz_keg, &ks);
	w->state = whatis_state(it);
	w->domain = it->ki_domain;
	memcpy(w->name, zone->uz_name,
	    uma_min(zone->uz_name_size, sizeof w->name - 1));
	w->zone = zone;
	w->slab = it->ki_slab;
	w->slab_size = ks.ks_slab_size;
	w->item = it->ki_item;
	w->item_size = zone->uz_hot.size;
	w->index = it->ki_index;
}

int
uma_whatis(const void *addr, struct uma_whatis *w)
{
	struct uma_whatis full = {.domain = pages_domain_of(addr)};
	struct keg_item it;
	size_t size = w->size;

	if (size < WHATIS_SIZE_FIRST) {
		errno = EINVAL;
		return -1;
	}
	if (pagemap_get(addr) != PM_NONE)
		full.state = UMA_WHATIS_PAGES;
	const struct keg *keg = keg_hint(addr);
	struct uma_zone *zone = keg != NULL ? zlist_find(keg) : NULL;
	if (zone != NULL) {
		if (keg_whatis(zone->uz_keg, addr, &it))
			whatis_fill(zone, &it, &full);
		zlist_leave(zone);
	}
	full.size = uma_min(size, sizeof full);
	memcpy(w, &full, full.size);
	return 0;
}

void
uma_zone_require(uma_zone_t zone, const void *item)
{
	keg_check(zone->uz_keg, zone->uz_name, "use", item);
}
