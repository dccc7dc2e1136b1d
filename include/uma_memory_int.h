/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma_memory_int.h - how zones add up to a process's memory: the same sums in
 * the process itself (zone/stat.c) and in who reads it (tools/).  Never
 * installed.
 */
#ifndef UMA_MEMORY_INT_H
#define UMA_MEMORY_INT_H

#include <uma/stat.h>

/* A zone's part of it. */
static inline void
memory_add(struct uma_memory_stat *m, const struct uma_zone_stat *st)
{
	uint64_t items =
	    (st->used + st->free_cached + st->free_slab) * st->item_bytes;

	m->zones++;
	if (st->own) {
		m->own += st->memory;
		return;
	}
	m->used += st->used * st->item_bytes;
	m->cached_cpu += st->free_cpu * st->item_bytes;
	m->cached_depot += st->free_depot * st->item_bytes;
	m->free_slab += st->free_slab * st->item_bytes;
	m->slack += st->memory > items ? st->memory - items : 0;
}

/* Each part what is left of it all, at most. */
static inline void
memory_settle(struct uma_memory_stat *m)
{
	uint64_t *part[] = {&m->meta, &m->pagemap, &m->pieces, &m->dirty,
	    &m->untouched, &m->spare, &m->own, &m->lost, &m->used,
	    &m->cached_cpu, &m->cached_depot, &m->free_slab, &m->slack};
	uint64_t left = m->mapped;

	for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
		*part[i] = *part[i] < left ? *part[i] : left;
		left -= *part[i];
	}
	m->other = left;
}

#endif
