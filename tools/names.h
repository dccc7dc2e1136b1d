/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names.h - the names that the reader looks for in the tables of the library.
 * Those of the second list are as of a later library: without them their
 * numbers are 0.
 */
#ifndef UMA_TOOLS_NAMES_H
#define UMA_TOOLS_NAMES_H

#define NAMES_WANTED(F)                                 \
	F(LIST_NEXT, "list.next")                       \
	F(LIST_PREV, "list.prev")                       \
	F(PAGE_SHIFT, "const.page_shift")               \
	F(HEADER_ALLOCS_BIT, "const.header_allocs_bit") \
	F(BUCKET_CAP_MAX, "const.bucket_cap_max")       \
	F(LIMIT_ITEMS_BITS, "const.limit_items_bits")   \
	F(LIMIT_SLEEP_BITS, "const.limit_sleep_bits")   \
	F(BUCKET, "bucket.")                            \
	F(BUCKET_LINK, "bucket.ub_link")                \
	F(BUCKET_CAP, "bucket.ub_cap")                  \
	F(BUCKET_CNT, "bucket.ub_cnt")                  \
	F(BUCKET_SLOT, "bucket.ub_slot")                \
	F(SEQ_OVER, "seq.over")                         \
	F(CACHE_TABLE, "cache.c_table")                 \
	F(CACHE_DRAINED, "cache.c_drained")             \
	F(CACHE_DRAINED_CNT, "cache.c_drained_cnt")     \
	F(PCPU, "pcpu.")                                \
	F(PCPU_CURSOR, "pcpu.h_cursor")                 \
	F(PCPU_ALLOCS, "pcpu.h_allocs")                 \
	F(PCPU_SPARE, "pcpu.h_spare")                   \
	F(HOT_CACHE, "hot.cache")                       \
	F(HOT_SIZE, "hot.size")                         \
	F(HOT_FLAGS, "hot.flags")                       \
	F(LIMIT_WORD, "limit.l_word")                   \
	F(LIMIT_MAX, "limit.l_max")                     \
	F(LIMIT_RESERVED, "limit.l_reserved")           \
	F(WSET_SIZE, "wset.ws_size")                    \
	F(DEPOT, "depot.")                              \
	F(DEPOT_FULL, "depot.d_full")                   \
	F(DEPOT_CROSS, "depot.d_cross")                 \
	F(DEPOT_ITEMS, "depot.d_items")                 \
	F(DEPOT_WS, "depot.d_ws")                       \
	F(ZONE, "zone.")                                \
	F(ZONE_HOT, "zone.uz_hot")                      \
	F(ZONE_CACHE, "zone.uz_cache")                  \
	F(ZONE_KEG, "zone.uz_keg")                      \
	F(ZONE_BUCKET_CAP, "zone.uz_bucket_cap")        \
	F(ZONE_ITEM_BYTES, "zone.uz_item_bytes")        \
	F(ZONE_LIMIT, "zone.uz_limit")                  \
	F(ZONE_ALLOCS, "zone.uz_allocs")                \
	F(ZONE_FAILS, "zone.uz_fails")                  \
	F(ZONE_SLEEPS, "zone.uz_sleeps")                \
	F(ZONE_XDOMAIN, "zone.uz_xdomain")              \
	F(ZONE_LINK, "zone.uz_link")                    \
	F(ZONE_NAME_SIZE, "zone.uz_name_size")          \
	F(ZONE_NAME, "zone.uz_name")                    \
	F(ZONE_DEPOT, "zone.uz_depot")                  \
	F(LAYOUT_STRIDE, "layout.l_stride")             \
	F(LAYOUT_PAGES, "layout.l_pages")               \
	F(LAYOUT_ITEMS, "layout.l_items")               \
	F(LAYOUT_HEADER, "layout.l_header")             \
	F(LAYOUT_OFFPAGE, "layout.l_offpage")           \
	F(CONFIG_ALIGN, "config.kc_align")              \
	F(KEG, "keg.")                                  \
	F(KEG_LAYOUT, "keg.uk_layout")                  \
	F(KEG_CONFIG, "keg.uk_config")                  \
	F(KEG_DOMAIN, "keg.uk_domain")                  \
	F(KEGDOM, "kegdom.")                            \
	F(KEGDOM_LIST, "kegdom.kd_list")                \
	F(KEGDOM_SLABS, "kegdom.kd_slabs")              \
	F(KEGDOM_FREE, "kegdom.kd_free")                \
	F(KEGDOM_EMPTY, "kegdom.kd_empty")              \
	F(KEGDOM_ABSENT, "kegdom.kd_absent")            \
	F(KEG_LISTS, "const.keg_lists")                 \
	F(SLAB, "slab.")                                \
	F(SLAB_LINK, "slab.us_link")                    \
	F(SLAB_KEG, "slab.us_keg")                      \
	F(SLAB_RUN, "slab.us_run")                      \
	F(SLAB_BASE, "slab.us_base")                    \
	F(SLAB_ITEMS, "slab.us_items")                  \
	F(SLAB_DOMAIN, "slab.us_domain")                \
	F(SLAB_BITS, "slab.us_bits")

#define NAMES_OPTIONAL(F)                            \
	F(ZONE_REFILLS, "zone.uz_refills")           \
	F(ZONE_NAME_CNT, "zone.uz_name_cnt")         \
	F(ZONE_BUCKET_BYTES, "zone.uz_bucket_bytes") \
	F(KEG_HASH, "keg.uk_hash")                   \
	F(HASH_SIZE, "hash.h_size")                  \
	F(HASHENT, "hashent.")                       \
	F(HEADER_ZONES, "const.header_zones")        \
	F(HZ, "hz.")                                 \
	F(HZ_ZONE, "hz.hz_zone")                     \
	F(LEAF_LEN, "const.leaf_len")                \
	F(RUNS_IMAGE, "const.runs_image")            \
	F(PAGEMAP_IMAGE, "const.pagemap_image")

#define ROOTS_WANTED(R)                     \
	R(ZLIST, "zlist")                   \
	R(ZLIST_CNT, "zlist_cnt")           \
	R(ZLIST_CHANGES, "zlist_changes")   \
	R(CPU_CNT, "cpu.cpu_cnt")           \
	R(CPU_MODE, "cpu.cpu_mode")         \
	R(DUMMY_SLOT, "cache_dummy_slot")   \
	R(DOMAIN_CNT, "domain_cnt")         \
	R(RUNS_RESERVED, "runs.r_reserved") \
	R(RUNS_HEADER, "runs.r_header")     \
	R(RUNS_USED, "runs.r_used")         \
	R(RUNS_DIRTY, "runs.r_dirty")       \
	R(RUNS_HELD, "runs.r_held")         \
	R(RUNS_OUT, "runs.r_out")           \
	R(META_PAGES, "meta.m_pages")

#define ROOTS_OPTIONAL(R)               \
	R(HEADER_ZONES, "header_zones") \
	R(LOST, "lost")                 \
	R(LEAF_CNT, "leaf_cnt")         \
	R(PAGES_ABSENT, "pages_absent") \
	R(VM_MAPPED, "vm_mapped")       \
	R(VM_UNUSED, "vm_unused")

#define F(id, text) NF_##id,
enum name_field {
	NAMES_WANTED(F) NF_OPTIONAL,
	NF_BEFORE = NF_OPTIONAL - 1,
	NAMES_OPTIONAL(F) NF_CNT
};
#undef F
#define R(id, text) NR_##id,
enum name_root {
	ROOTS_WANTED(R) NR_OPTIONAL,
	NR_BEFORE = NR_OPTIONAL - 1,
	ROOTS_OPTIONAL(R) NR_CNT
};
#undef R

#endif
