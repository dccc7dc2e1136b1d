/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma/whatis.h - what an address is.
 */
#ifndef UMA_WHATIS_H
#define UMA_WHATIS_H

#include <uma.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an address is of, in struct uma_whatis. */
#define UMA_WHATIS_NONE	 0 /* not of libuma's memory */
#define UMA_WHATIS_PAGES 1 /* of it, and of no zone that there is */
#define UMA_WHATIS_SLAB	 2 /* a zone's slab, but no item of it */
#define UMA_WHATIS_FRESH 3 /* a free item that needs its init */
#define UMA_WHATIS_READY 4 /* a free item */
#define UMA_WHATIS_OUT	 5 /* an item that is allocated, or in a cache */

/*
 * An address.  Set size to sizeof(struct uma_whatis) first: a library of
 * another version fills what both know.
 */
struct uma_whatis {
	size_t size; /* of this struct, in bytes, set by the caller */
	int state; /* UMA_WHATIS_* */
	int domain; /* NUMA domain that it was asked from, -1: not libuma's */
	char name[32]; /* the zone's, NUL-terminated, cut if longer */
	uma_zone_t zone; /* NULL: none */
	void *slab; /* its first byte; NULL: none */
	size_t slab_size; /* bytes */
	void *item; /* its start; NULL: none */
	size_t item_size; /* bytes, as requested */
	size_t index; /* of the item in its slab */
};

/*
 * uma_whatis: look up an address, any value whatever, and fill *w.
 *
 * Reads no memory but the library's own, and takes the locks of the list of
 * zones and of one zone's slabs.  The answer may be out of date at once; the
 * zone may be destroyed as soon as it is given.
 * Returns  0, or -1 with errno EINVAL: w->size below the first version's.
 * Threads  any.
 */
UMA_API int uma_whatis(const void *addr, struct uma_whatis *w);

#ifdef __cplusplus
}
#endif

#endif
