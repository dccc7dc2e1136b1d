/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout.h - how a keg's slabs are cut.
 */
#ifndef UMA_SLAB_LAYOUT_H
#define UMA_SLAB_LAYOUT_H

#include "slab_int.h"

/* Headers off the page have two sizes: of slabs of that many items, and more */
#define LAYOUT_HEADER_SMALL 64

struct layout {
	size_t l_stride; /* bytes from item to item */
	size_t l_refcnt; /* offset of the counter in an item, 0: none */
	size_t l_pages; /* pages a slab */
	size_t l_start_align; /* bytes, of the slab's first page */
	size_t l_header; /* bytes of the header */
	size_t l_colour_step; /* bytes between colours */
	uint32_t l_colours; /* different starts of item 0, at least 1 */
	uint32_t l_items; /* items a slab */
	bool l_offpage; /* the header is elsewhere */
};

/* False: no slab can be cut for such items. */
bool layout_choose(const struct keg_config *kc, struct layout *l);

#endif
