/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma/stream.h - what vm.zone_stats reads as: FreeBSD's stream of statistics,
 * byte for byte.  Manual: uma_sysctl(3).
 *
 * One struct uma_stream_header; then for each zone one struct uma_type_header
 * and ush_maxcpus times struct uma_percpu_stat.
 */
#ifndef UMA_STREAM_H
#define UMA_STREAM_H

#include <stdint.h>

#define UMA_STREAM_VERSION 1
struct uma_stream_header {
	uint32_t ush_version; /* UMA_STREAM_VERSION */
	uint32_t ush_maxcpus; /* uma_ncpus() */
	uint32_t ush_count; /* zones */
	uint32_t _ush_pad;
};

#define UTH_MAX_NAME	   32
#define UTH_ZONE_SECONDARY 1 /* free items of the keg are another zone's */
struct uma_type_header {
	char uth_name[UTH_MAX_NAME]; /* NUL-terminated, cut if longer */
	uint32_t uth_align; /* alignment, as a mask */
	uint32_t uth_size; /* bytes, as requested */
	uint32_t uth_rsize; /* bytes from item to item */
	uint32_t uth_maxpages; /* pages that the limit comes to, 0 for none */
	uint32_t uth_limit; /* items, 0 for none */
	uint32_t uth_pages; /* of slabs */
	uint32_t uth_keg_free; /* free items in slabs */
	uint32_t uth_zone_free; /* in depots */
	uint32_t uth_bucketsize; /* items the next bucket has room for */
	uint32_t uth_zone_flags; /* UTH_ZONE_ */
	uint64_t uth_allocs; /* without those of the CPUs below */
	uint64_t uth_frees; /* the same */
	uint64_t uth_fails;
	uint64_t uth_sleeps;
	uint64_t uth_xdomain;
	uint64_t _uth_reserved1[1];
};

struct uma_percpu_stat {
	uint64_t ups_allocs; /* hits in the CPU's cache */
	uint64_t ups_frees; /* 0: frees are not counted by CPU */
	uint64_t ups_cache_free; /* free items in it */
	uint64_t _ups_reserved[5];
};

#endif
