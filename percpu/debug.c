/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debug.c - percpu/'s part of the layout descriptor.
 */
#include "cache.h"

static struct uma_debug_entry entries[] = {
    /* h_allocs counts from the bit of that number upwards. */
    DEBUG_CONST("header_allocs_bit", 63),
    DEBUG_CONST("bucket_cap_max", BUCKET_CAP_MAX),
    DEBUG_MEMBER("list", struct cds_list_head, next),
    DEBUG_MEMBER("list", struct cds_list_head, prev),
    DEBUG_STRUCT("bucket", struct bucket),
    DEBUG_MEMBER("bucket", struct bucket, ub_link),
    DEBUG_MEMBER("bucket", struct bucket, ub_cap),
    DEBUG_MEMBER("bucket", struct bucket, ub_cnt),
    DEBUG_MEMBER("bucket", struct bucket, ub_cpu),
    DEBUG_ARRAY("bucket", struct bucket, ub_slot),
    DEBUG_STRUCT("seq", struct uma_seq_cache),
    DEBUG_MEMBER("seq", struct uma_seq_cache, alloc_base),
    DEBUG_MEMBER("seq", struct uma_seq_cache, free_base),
    DEBUG_MEMBER("seq", struct uma_seq_cache, over),
    DEBUG_STRUCT("cache", struct cache),
    DEBUG_MEMBER("cache", struct cache, c_table),
    DEBUG_MEMBER("cache", struct cache, c_on),
    DEBUG_MEMBER("cache", struct cache, c_drained),
    DEBUG_MEMBER("cache", struct cache, c_drained_cnt),
    DEBUG_STRUCT("pcpu", struct pcpu_header),
    DEBUG_MEMBER("pcpu", struct pcpu_header, h_cursor),
    DEBUG_MEMBER("pcpu", struct pcpu_header, h_allocs),
    DEBUG_MEMBER("pcpu", struct pcpu_header, h_spare),
};
_Static_assert(HEADER_ALLOCS == (uint64_t)1 << 63, "header_allocs_bit");

static struct uma_debug_root roots[] = {
    {"cpu.cpu_cnt", &cpu.cpu_cnt}, /* headers of a table */
    {"cpu.cpu_seq", &cpu.cpu_seq},
    {"cpu.cpu_mode", &cpu.cpu_mode},
    {"cache_dummy_slot", cache_dummy_slot},
};

struct uma_debug_table percpu_debug = DEBUG_TABLE(entries, roots);
