/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debug.c - slab/'s part of the layout descriptor.
 */
#include "keg.h"

static struct uma_debug_entry entries[] = {
    DEBUG_CONST("pcpu_stride", UMA_PCPU_STRIDE),
    DEBUG_CONST("keg_lists", LIST_CNT),
    DEBUG_STRUCT("layout", struct layout),
    DEBUG_MEMBER("layout", struct layout, l_stride),
    DEBUG_MEMBER("layout", struct layout, l_refcnt),
    DEBUG_MEMBER("layout", struct layout, l_pages),
    DEBUG_MEMBER("layout", struct layout, l_header),
    DEBUG_MEMBER("layout", struct layout, l_colour_step),
    DEBUG_MEMBER("layout", struct layout, l_colours),
    DEBUG_MEMBER("layout", struct layout, l_items),
    DEBUG_MEMBER("layout", struct layout, l_offpage),
    DEBUG_STRUCT("config", struct keg_config),
    DEBUG_MEMBER("config", struct keg_config, kc_size),
    DEBUG_MEMBER("config", struct keg_config, kc_align),
    DEBUG_MEMBER("config", struct keg_config, kc_flags),
    DEBUG_MEMBER("config", struct keg_config, kc_copies),
    DEBUG_STRUCT("hash", struct hash),
    DEBUG_MEMBER("hash", struct hash, h_table),
    DEBUG_MEMBER("hash", struct hash, h_size),
    DEBUG_STRUCT("hashent", struct hash_entry),
    DEBUG_MEMBER("hashent", struct hash_entry, he_page),
    DEBUG_MEMBER("hashent", struct hash_entry, he_slab),
    DEBUG_STRUCT("keg", struct keg),
    DEBUG_MEMBER("keg", struct keg, uk_layout),
    DEBUG_MEMBER("keg", struct keg, uk_config),
    DEBUG_MEMBER("keg", struct keg, uk_hash),
    DEBUG_ARRAY("keg", struct keg, uk_domain),
    DEBUG_STRUCT("kegdom", struct keg_domain),
    DEBUG_ARRAY("kegdom", struct keg_domain, kd_list),
    DEBUG_MEMBER("kegdom", struct keg_domain, kd_slabs),
    DEBUG_MEMBER("kegdom", struct keg_domain, kd_free),
    DEBUG_MEMBER("kegdom", struct keg_domain, kd_empty),
    DEBUG_MEMBER("kegdom", struct keg_domain, kd_absent),
    DEBUG_STRUCT("slab", struct slab),
    DEBUG_MEMBER("slab", struct slab, us_link),
    DEBUG_MEMBER("slab", struct slab, us_keg),
    DEBUG_MEMBER("slab", struct slab, us_run),
    DEBUG_MEMBER("slab", struct slab, us_base),
    DEBUG_MEMBER("slab", struct slab, us_items),
    DEBUG_MEMBER("slab", struct slab, us_free),
    DEBUG_MEMBER("slab", struct slab, us_domain),
    DEBUG_ARRAY("slab", struct slab, us_bits),
};

struct uma_debug_table slab_debug = {
    .entry = entries, .entry_cnt = sizeof entries / sizeof entries[0]};
