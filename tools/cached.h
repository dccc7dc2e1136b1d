/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cached.h - the items of a zone that are free in buckets, for slabs.c.
 */
#ifndef UMA_TOOLS_CACHED_H
#define UMA_TOOLS_CACHED_H

#include "target.h"

struct cached {
	uint64_t *item; /* by address */
	size_t cnt, room;
};

bool cached_read(struct target *t, const struct zone_list *zl, size_t z,
    struct cached *cached);
/* The number of the first at or above an address. */
size_t cached_from(const struct cached *cached, uint64_t addr);

#endif
