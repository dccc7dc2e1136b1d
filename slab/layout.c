/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout.c - choosing the cut of a slab by its cost.
 *
 * The cost of a cut is what a slab takes (its pages, and its header where that
 * is elsewhere) less what its items need, as a share of the former.  Sizes are
 * tried upwards; the first whose cost is at most LAYOUT_WASTE_PERMILLE and that
 * holds enough items for a refill to be worth a lock is taken, else the
 * cheapest.  The header stays on the page where that is cheap enough: it then
 * costs no allocation of its own.
 *
 * What a slab has left over is colour: successive slabs start their items a
 * step further on, so that equal items of different slabs do not fight for the
 * same cache sets (Bonwick, "The Slab Allocator", 1994, section 4.3).  Items of
 * a page or more keep to page boundaries.
 */
#include "layout.h"

#include "pages_int.h"
#include "slab.h"

#define LAYOUT_WASTE_PERMILLE 20
#define LAYOUT_PAGES_MAX      64 /* unless a single item needs more */
#define LAYOUT_SMALLEST	      8 /* bytes of the smallest item */

/* Items that a refill should find in one slab. */
static size_t
layout_items_wanted(size_t stride)
{
	return stride <= 128	? 128
	       : stride <= 1024 ? 64
	       : stride <= 8192 ? 8
				: 1;
}

size_t
keg_header_size(size_t items)
{
	return sizeof(struct slab) + 2 * slab_words(items) * sizeof(uint64_t);
}

/* Items that fit in bytes with their header behind them. */
static size_t
layout_inpage_items(size_t bytes, size_t stride)
{
	size_t n = bytes / stride;

	while (n > 0 &&
	       uma_roundup(n * stride, SLAB_HEADER_ALIGN) + keg_header_size(n) >
		   bytes)
		n--;
	return n;
}

static size_t
layout_waste(size_t bytes, size_t stride, size_t items, size_t off_header)
{
	size_t total = bytes + off_header;

	return ((total - items * stride) * 1000 + total - 1) / total;
}

struct cut {
	size_t c_pages, c_items, c_waste;
	bool c_offpage;
};

static bool
layout_cut(size_t pages, size_t stride, bool offpage, struct cut *c)
{
	size_t bytes = pages * UMA_PAGE_SIZE;
	size_t n = offpage ? uma_min(bytes / stride, (size_t)KEG_OFFPAGE_ITEMS)
			   : layout_inpage_items(bytes, stride);

	if (n == 0)
		return false;
	*c = (struct cut){.c_pages = pages,
	    .c_items = n,
	    .c_offpage = offpage,
	    .c_waste = layout_waste(
		bytes, stride, n, offpage ? keg_header_size(n) : 0)};
	return true;
}

/* The better place of the header for a slab of that many pages. */
static bool
layout_best_place(size_t pages, size_t stride, uint32_t flags, struct cut *best)
{
	struct cut in, off;
	bool in_ok = !(flags & UMA_ZONE_OFFPAGE) &&
		     layout_cut(pages, stride, false, &in);
	bool off_ok =
	    !(flags & UMA_ZONE_VM) && layout_cut(pages, stride, true, &off);

	if (!in_ok && !off_ok)
		return false;
	*best = in_ok && (!off_ok || in.c_waste <= LAYOUT_WASTE_PERMILLE ||
			     in.c_waste <= off.c_waste)
		    ? in
		    : off;
	return true;
}

static bool
layout_search(size_t stride, uint32_t flags, struct cut *best)
{
	size_t least = (stride + UMA_PAGE_SIZE - 1) / UMA_PAGE_SIZE;
	size_t most = uma_max((size_t)LAYOUT_PAGES_MAX, least + 1);
	bool found = false;

	for (size_t pages = least; pages <= most; pages++) {
		struct cut c;

		if (!layout_best_place(pages, stride, flags, &c))
			continue;
		if (!found || c.c_waste < best->c_waste)
			*best = c;
		found = true;
		if (c.c_waste <= LAYOUT_WASTE_PERMILLE &&
		    c.c_items >= layout_items_wanted(stride)) {
			*best = c;
			break;
		}
	}
	return found;
}

static void
layout_colour(struct layout *l, size_t align)
{
	size_t used = l->l_items * l->l_stride;

	l->l_colours = 1;
	l->l_colour_step = uma_max(align, (size_t)UMA_CACHE_LINE);
	if (l->l_stride >= UMA_PAGE_SIZE)
		return;
	if (!l->l_offpage)
		used = uma_roundup(used, SLAB_HEADER_ALIGN) + l->l_header;
	l->l_colours =
	    (uint32_t)((l->l_pages * UMA_PAGE_SIZE - used) / l->l_colour_step) +
	    1;
}

/* One page of items for each CPU, the copies a page apart. */
static bool
layout_pcpu(const struct keg_config *kc, struct layout *l)
{
	if (l->l_stride > UMA_PCPU_STRIDE || kc->kc_align > UMA_PCPU_STRIDE)
		return false;
	l->l_items = (uint32_t)(UMA_PCPU_STRIDE / l->l_stride);
	l->l_pages = (size_t)kc->kc_copies * (UMA_PCPU_STRIDE / UMA_PAGE_SIZE);
	l->l_offpage = true;
	l->l_header = keg_header_size(l->l_items);
	l->l_colours = 1;
	l->l_colour_step = UMA_CACHE_LINE;
	return true;
}

bool
layout_choose(const struct keg_config *kc, struct layout *l)
{
	size_t size = uma_max(kc->kc_size, (size_t)LAYOUT_SMALLEST);
	struct cut best;

	*l = (struct layout){0};
	if (kc->kc_flags & UMA_ZONE_REFCNT) {
		/* Beside its item, so that neighbours do not share its line. */
		l->l_refcnt = uma_roundup(kc->kc_size, sizeof(uint32_t));
		size = uma_max(size, l->l_refcnt + sizeof(uint32_t));
	}
	l->l_stride = uma_roundup(size, kc->kc_align);
	l->l_start_align = uma_max(kc->kc_align, UMA_PAGE_SIZE);
	if (kc->kc_flags & UMA_ZONE_PCPU)
		return layout_pcpu(kc, l);
	if (!layout_search(l->l_stride, kc->kc_flags, &best))
		return false;
	l->l_pages = best.c_pages;
	l->l_items = (uint32_t)best.c_items;
	l->l_offpage = best.c_offpage;
	l->l_header = keg_header_size(l->l_items);
	layout_colour(l, kc->kc_align);
	return true;
}
