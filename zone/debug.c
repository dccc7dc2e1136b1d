/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debug.c - zone/'s part of the layout descriptor, the whole of it, and the
 * note by which it is found.
 *
 * None of it is const: what was never written to, or cannot be, is not in core
 * dumps, and the linker puts it beside variables that are.  The note lies in
 * the first pages of a program or library, which dumps have, or their file has.
 */
#include "pages_int.h"
#include "zone_int.h"

static struct uma_debug_entry entries[] = {
    DEBUG_CONST("limit_items_bits", LIMIT_ITEMS_BITS),
    DEBUG_CONST("limit_sleep_bits", LIMIT_SLEEP_BITS),
    DEBUG_STRUCT("hot", struct uma_zone_hot),
    DEBUG_MEMBER("hot", struct uma_zone_hot, cache),
    DEBUG_MEMBER("hot", struct uma_zone_hot, size),
    DEBUG_MEMBER("hot", struct uma_zone_hot, flags),
    DEBUG_STRUCT("limit", struct limit),
    DEBUG_MEMBER("limit", struct limit, l_word),
    DEBUG_MEMBER("limit", struct limit, l_max),
    DEBUG_MEMBER("limit", struct limit, l_holds),
    DEBUG_MEMBER("limit", struct limit, l_reserved),
    DEBUG_STRUCT("wset", struct wset),
    DEBUG_MEMBER("wset", struct wset, ws_size),
    DEBUG_STRUCT("depot", struct depot),
    DEBUG_MEMBER("depot", struct depot, d_full),
    DEBUG_MEMBER("depot", struct depot, d_cross),
    DEBUG_MEMBER("depot", struct depot, d_items),
    DEBUG_MEMBER("depot", struct depot, d_ws),
    DEBUG_STRUCT("zone", struct uma_zone),
    DEBUG_MEMBER("zone", struct uma_zone, uz_hot),
    DEBUG_MEMBER("zone", struct uma_zone, uz_cache),
    DEBUG_MEMBER("zone", struct uma_zone, uz_keg),
    DEBUG_MEMBER("zone", struct uma_zone, uz_bucket_cap),
    DEBUG_MEMBER("zone", struct uma_zone, uz_bucket_bytes),
    DEBUG_MEMBER("zone", struct uma_zone, uz_item_bytes),
    DEBUG_MEMBER("zone", struct uma_zone, uz_limit),
    DEBUG_MEMBER("zone", struct uma_zone, uz_allocs),
    DEBUG_MEMBER("zone", struct uma_zone, uz_fails),
    DEBUG_MEMBER("zone", struct uma_zone, uz_sleeps),
    DEBUG_MEMBER("zone", struct uma_zone, uz_xdomain),
    DEBUG_MEMBER("zone", struct uma_zone, uz_refills),
    DEBUG_MEMBER("zone", struct uma_zone, uz_name_cnt),
    DEBUG_MEMBER("zone", struct uma_zone, uz_domains),
    DEBUG_MEMBER("zone", struct uma_zone, uz_link),
    DEBUG_MEMBER("zone", struct uma_zone, uz_name_size),
    DEBUG_MEMBER("zone", struct uma_zone, uz_name),
    DEBUG_ARRAY("zone", struct uma_zone, uz_depot),
};

static struct uma_debug_table zone_debug = {
    .entry = entries, .entry_cnt = sizeof entries / sizeof entries[0]};

#define TABLES                                                           \
	{                                                                \
		&domain_debug, &map_debug, &meta_debug, &runs_debug,     \
		    &vm_debug, &percpu_debug, &slab_debug, &zlist_debug, \
		    &zones_debug, &zone_debug,                           \
	}
#define TABLE_CNT                                     \
	(sizeof((struct uma_debug_table *[])TABLES) / \
	    sizeof(struct uma_debug_table *))
_Static_assert(TABLE_CNT <= UMA_DEBUG_TABLES, "room for all");

struct uma_debug_layout uma_debug_layout = {
    .magic = UMA_DEBUG_MAGIC,
    .version = UMA_DEBUG_VERSION,
    .size = sizeof(struct uma_debug_layout),
    .library = UMA_VERSION_STRING,
    .entry_size = sizeof(struct uma_debug_entry),
    .root_size = sizeof(struct uma_debug_root),
    .table_size = sizeof(struct uma_debug_table),
    .table_cnt = TABLE_CNT,
    .table = TABLES,
};

/* The name that another copy of the library cannot take over. */
extern struct uma_debug_layout uma_debug_here
    __attribute__((alias("uma_debug_layout"), visibility("hidden")));

__asm__(".pushsection .note.libuma, \"a\", %note\n"
	".balign 4\n"
	".4byte 7, 8, 1\n" /* bytes of owner and descriptor; type */
	".asciz \"" UMA_DEBUG_NOTE "\"\n"
	".balign 4\n"
	".8byte uma_debug_here - .\n"
	".popsection");
_Static_assert(sizeof UMA_DEBUG_NOTE == 7 && UMA_DEBUG_NOTE_TYPE == 1,
    "as the note has it");
