/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout.c - choosing the cut of a slab by its cost.
 *
 * Waste is what a slab takes (its pages, and its header where that is
 * elsewhere) less what its items need, as a share of the former: header, tail
 * and colours together.  Sizes are tried upwards; the first cut is taken that
 * wastes at most what layout_waste_allowed says, holds enough items for a
 * refill to be worth a lock, and has all colours wanted.  If there is none, the
 * best of those that waste little enough, else the cheapest.  Small slabs are
 * better than that rule needs: a zone with few items pays for a whole one.
 *
 * Colour: successive slabs start their items a step further on, so that equal
 * items of different slabs do not fight for the same cache sets (Bonwick, "The
 * Slab Allocator", 1994, section 4.3).  Starts of items a stride apart are
 * alike below the largest power of two in the stride, p; reaching every set
 * takes p / 64 colours, hence p - 64 bytes.  Strides near a fraction of a page
 * (1368, 2056) come round to nearly the same places, so where p is small the
 * starts are counted, and half of a page's lines are wanted.  Where the bytes
 * are not left over an item is given up, and the slab grows until that is
 * cheap.
 *
 * Colour has a price where a whole number of items shares a page: at colour 0
 * none crosses a page's end, at any other one in each page does, and a page can
 * go back to the system only when all items on it are free.  Of 2048 byte items
 * with nine in ten free, 389 bytes an item stay at colour 0 and 555 at the
 * others.  layout_colours_most bounds the colours by that: eight at 1024 bytes
 * cost no speed (four cost 40 %), and only two at 2048, where speed would like
 * 32.  Items of a page or more have one.
 *
 * The header is on the slab's pages for small items: it then costs no
 * allocation.  From LAYOUT_PINNING bytes an item it is elsewhere, since it
 * would keep its page, which would often be free otherwise; and of NODUMP
 * zones, whose pages are not in core dumps.
 *
 * CACHESPREAD is colour inside the slab: a stride of an odd number of alignment
 * units makes items start at all of them in turn.  CONTIG takes the fewest
 * pages for one item.  Both: a spread stride in a CONTIG slab, unspread where
 * an item of a page or less would outgrow its page.
 */
#include "layout.h"

#include "pages_int.h"
#include "slab.h"

#define LAYOUT_WASTE_PERMILLE 13
#define LAYOUT_WASTE_BIG      20 /* of items of a page and more */
#define LAYOUT_PAGES_MAX      64 /* unless a single item needs more */
#define LAYOUT_SMALLEST	      8 /* bytes of the smallest item */
#define LAYOUT_PINNING	      256 /* stride whose pages headers should not pin */

/* What a keg asks of its slabs. */
struct want {
	size_t w_stride, w_step;
	size_t w_items; /* a slab */
	size_t w_waste; /* permille, at most */
	size_t w_colours; /* enough to spread over the cache's sets; 1: none */
	bool w_contig; /* the fewest pages */
	bool w_in, w_off; /* the header may be on the page, may be elsewhere */
};

struct cut {
	size_t c_pages, c_items, c_colours, c_waste;
	bool c_offpage;
};

/* Of items a whole number of which shares a page. */
static size_t
layout_colours_most(size_t stride)
{
	return stride == UMA_PAGE_SIZE / 2   ? 2
	       : stride == UMA_PAGE_SIZE / 4 ? 8
					     : SIZE_MAX;
}

/* For a refill to be worth a lock, and for starts at many places of a page. */
static size_t
layout_items_wanted(size_t stride)
{
	return stride <= 128		? 128
	       : stride <= 1024		? 64
	       : stride < UMA_PAGE_SIZE ? 32
	       : stride <= 8192		? 8
					: 1;
}

static size_t
layout_waste_allowed(size_t stride)
{
	size_t bitmaps = stride < 64 ? 1000 / (4 * stride) : 0;

	return stride < UMA_PAGE_SIZE ? LAYOUT_WASTE_PERMILLE + bitmaps
				      : LAYOUT_WASTE_BIG;
}

size_t
keg_header_size(size_t items)
{
	return sizeof(struct slab) + 2 * slab_words(items) * sizeof(uint64_t);
}

/* Bytes that a header elsewhere takes: those zones have two sizes of item. */
static size_t
layout_header_cost(size_t items)
{
	return uma_roundup(
	    keg_header_size(items <= LAYOUT_HEADER_SMALL ? LAYOUT_HEADER_SMALL
							 : KEG_OFFPAGE_ITEMS),
	    UMA_CACHE_LINE);
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

/* A slab of that many pages and items, which fit. */
static struct cut
layout_cut_of(const struct want *w, size_t pages, size_t items, bool offpage)
{
	size_t bytes = pages * UMA_PAGE_SIZE;
	size_t used = items * w->w_stride;
	size_t total = bytes + (offpage ? layout_header_cost(items) : 0);
	size_t waste = ((total - used) * 1000 + total - 1) / total;

	if (!offpage)
		used = uma_roundup(used, SLAB_HEADER_ALIGN) +
		       keg_header_size(items);
	size_t colours = (bytes - used) / w->w_step + 1;
	return (struct cut){.c_pages = pages,
	    .c_items = items,
	    .c_colours = uma_min(colours, w->w_colours),
	    .c_waste = waste,
	    .c_offpage = offpage};
}

/* The best slab of that many pages with the header there; false: none. */
static bool
layout_cut(const struct want *w, size_t pages, bool offpage, struct cut *c)
{
	size_t bytes = pages * UMA_PAGE_SIZE;
	size_t n = offpage
		       ? uma_min(bytes / w->w_stride, (size_t)KEG_OFFPAGE_ITEMS)
		       : layout_inpage_items(bytes, w->w_stride);

	if (n == 0 || !(offpage ? w->w_off : w->w_in))
		return false;
	*c = layout_cut_of(w, pages, n, offpage);
	if (c->c_colours < w->w_colours && n > 1) {
		/* An item less is room for all colours. */
		struct cut less = layout_cut_of(w, pages, n - 1, offpage);

		if (less.c_waste <= w->w_waste)
			*c = less;
	}
	return true;
}

/* Whether a is the better of two that both lack something. */
static bool
layout_is_better(const struct want *w, const struct cut *a, const struct cut *b)
{
	bool a_ok = a->c_waste <= w->w_waste, b_ok = b->c_waste <= w->w_waste;

	if (a_ok != b_ok)
		return a_ok;
	if (a_ok && a->c_colours != b->c_colours)
		return a->c_colours > b->c_colours;
	return a->c_waste < b->c_waste;
}

static bool
layout_search(const struct want *w, struct cut *best)
{
	size_t least = (w->w_stride + UMA_PAGE_SIZE - 1) / UMA_PAGE_SIZE;
	size_t most = uma_max((size_t)LAYOUT_PAGES_MAX, least + 1);
	bool off_first = w->w_stride >= LAYOUT_PINNING;
	struct cut c;

	best->c_items = 0;
	for (size_t pages = least; pages <= most; pages++)
		for (int place = 0; place < 2; place++) {
			if (!layout_cut(w, pages, off_first != place, &c))
				continue;
			if (best->c_items == 0 || layout_is_better(w, &c, best))
				*best = c;
			if (c.c_waste <= w->w_waste &&
			    c.c_items >= w->w_items &&
			    c.c_colours >= w->w_colours) {
				*best = c;
				return true;
			}
		}
	return best->c_items > 0;
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

/*
 * The fewest pages that hold an item; those of up to a page all lie within one.
 */
static bool
layout_contig(const struct want *w, struct cut *best)
{
	size_t pages = (w->w_stride + UMA_PAGE_SIZE - 1) / UMA_PAGE_SIZE;
	struct cut in, off;
	bool in_ok = layout_cut(w, pages, false, &in);
	bool off_ok = layout_cut(w, pages, true, &off);

	if (in_ok || off_ok) {
		*best =
		    in_ok && (!off_ok || in.c_waste <= off.c_waste) ? in : off;
		return true;
	}
	if (!w->w_in)
		return false;
	*best = layout_cut_of(w, pages + 1, 1, false);
	best->c_colours = 1;
	return true;
}

_Static_assert(UMA_PAGE_SIZE / UMA_CACHE_LINE <= 64, "a bit a line");

/* Places in a page, a step apart, where items of some colour start. */
static size_t
layout_starts(const struct want *w, size_t items, size_t colours)
{
	uint64_t places = 0;

	for (size_t c = 0; c < colours; c++)
		for (size_t i = 0; i < items; i++) {
			size_t at = c * w->w_step + i * w->w_stride;
			places |= (uint64_t)1 << at % UMA_PAGE_SIZE / w->w_step;
		}
	return (size_t)__builtin_popcountll(places);
}

/* Colours, and the step between them. */
static void
layout_want_colours(struct want *w, uint32_t flags)
{
	size_t pow2 = w->w_stride & -w->w_stride;
	size_t n = pow2 / w->w_step, k = 1;
	size_t items = w->w_contig ? UMA_PAGE_SIZE / w->w_stride : w->w_items;

	w->w_colours = 1;
	if (w->w_stride >= UMA_PAGE_SIZE || (flags & UMA_ZONE_CACHESPREAD))
		return;
	if (n > 1) {
		w->w_colours = uma_min(n, layout_colours_most(w->w_stride));
		w->w_step = pow2 / w->w_colours;
		return;
	}
	while (2 * k * w->w_step <= w->w_stride &&
	       layout_starts(w, items, k) < UMA_PAGE_SIZE / w->w_step / 2)
		k *= 2;
	w->w_colours = k;
}

static struct want
layout_want(const struct keg_config *kc, size_t stride)
{
	uint32_t flags = kc->kc_flags;
	bool pins = stride >= LAYOUT_PINNING && stride < UMA_PAGE_SIZE &&
		    !(flags & (UMA_ZONE_CONTIG | UMA_ZONE_VM));
	/* Core dumps without the items still tell what became of them. */
	bool apart = (flags & (UMA_ZONE_OFFPAGE | UMA_ZONE_NOTOUCH)) ||
		     ((flags & UMA_ZONE_NODUMP) && !(flags & UMA_ZONE_VM));
	struct want w = {.w_stride = stride,
	    .w_step = uma_max(kc->kc_align, (size_t)UMA_CACHE_LINE),
	    .w_items = layout_items_wanted(stride),
	    .w_waste = layout_waste_allowed(stride),
	    .w_contig = (flags & UMA_ZONE_CONTIG) != 0,
	    .w_in = !apart && !pins,
	    .w_off = !(flags & UMA_ZONE_VM)};

	layout_want_colours(&w, flags);
	return w;
}

static size_t
layout_stride(const struct keg_config *kc, size_t size)
{
	size_t stride = uma_roundup(size, kc->kc_align);
	size_t spread = stride + kc->kc_align;

	if (!(kc->kc_flags & UMA_ZONE_CACHESPREAD) ||
	    stride / kc->kc_align % 2 != 0)
		return stride;
	/* To stay within a page goes before spreading. */
	if ((kc->kc_flags & UMA_ZONE_CONTIG) && stride <= UMA_PAGE_SIZE &&
	    spread > UMA_PAGE_SIZE)
		return stride;
	return spread;
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
	l->l_stride = layout_stride(kc, size);
	l->l_start_align = uma_max(kc->kc_align, UMA_PAGE_SIZE);
	if (kc->kc_flags & UMA_ZONE_PCPU)
		return layout_pcpu(kc, l);
	struct want w = layout_want(kc, l->l_stride);
	if (!(w.w_contig ? layout_contig(&w, &best) : layout_search(&w, &best)))
		return false;
	l->l_pages = best.c_pages;
	l->l_items = (uint32_t)best.c_items;
	l->l_offpage = best.c_offpage;
	l->l_header = keg_header_size(l->l_items);
	l->l_colour_step = w.w_step;
	l->l_colours = (uint32_t)best.c_colours;
	return true;
}
