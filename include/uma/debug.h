/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma/debug.h - where the library keeps what, for programs that look into the
 * memory of another process, or of one that has left a core file.
 *
 * A copy of the library has one struct uma_debug_layout.  Programs that use the
 * library have no need of it; readers find it without symbols, through an ELF
 * note that is loaded with the program or library that the copy is part of:
 *
 *     PT_NOTE: owner UMA_DEBUG_NOTE, type UMA_DEBUG_NOTE_TYPE, 8 bytes: what
 *     has to be added to their own address to get that of the layout.
 *
 * All of it is written data, so that core dumps have it.  The names are the
 * members' in the library's sources, after a prefix for the struct; offsets,
 * sizes and even the set of names differ between builds, which is why they are
 * here.  A reader looks names up and says which it misses.
 */
#ifndef UMA_DEBUG_H
#define UMA_DEBUG_H

#include <uma.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UMA_DEBUG_NOTE	    "libuma"
#define UMA_DEBUG_NOTE_TYPE 1
#define UMA_DEBUG_MAGIC	    "libuma" /* and NULs up to 8 bytes */
#define UMA_DEBUG_VERSION   1
#define UMA_DEBUG_NAME	    24
#define UMA_DEBUG_TABLES    16

/*
 * "zone.uz_link"  a member: its offset, and its size, or that of one element
 * "zone."         a struct: its size in bytes
 * "const.x"       a constant
 * Names are padded with NULs, of which there is one at least.
 */
struct uma_debug_entry {
	char name[UMA_DEBUG_NAME];
	uint32_t value;
	uint32_t size; /* bytes; 0: no member */
};

/* A variable. */
struct uma_debug_root {
	char name[UMA_DEBUG_NAME];
	const volatile void *address;
};

struct uma_debug_table {
	struct uma_debug_entry *entry;
	struct uma_debug_root *root;
	uint32_t entry_cnt, root_cnt;
};

struct uma_debug_layout {
	char magic[8]; /* UMA_DEBUG_MAGIC */
	uint32_t version; /* UMA_DEBUG_VERSION: of these five structs */
	uint32_t size; /* of this one, in bytes */
	char library[16]; /* UMA_VERSION_STRING */
	uint32_t entry_size, root_size; /* of one, in bytes */
	uint32_t table_size;
	uint32_t table_cnt; /* that are not NULL, in front */
	struct uma_debug_table *table[UMA_DEBUG_TABLES];
};

/* Of the copy of the library that the program is linked to. */
UMA_API extern struct uma_debug_layout uma_debug_layout;

#ifdef __cplusplus
}
#endif

#endif
