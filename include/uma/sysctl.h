/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma/sysctl.h - numbers and settings by name, as FreeBSD's sysctl has them.
 * Manual: uma_sysctl(3).
 */
#ifndef UMA_SYSCTL_H
#define UMA_SYSCTL_H

#include <uma.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a node is, with FreeBSD's values: a type, and flags. */
#define CTLTYPE	       0xf
#define CTLTYPE_NODE   1 /* has others below it */
#define CTLTYPE_INT    2
#define CTLTYPE_STRING 3 /* its NUL counts in its length */
#define CTLTYPE_S64    4
#define CTLTYPE_OPAQUE 5 /* bytes */
#define CTLTYPE_UINT   6
#define CTLTYPE_LONG   7
#define CTLTYPE_ULONG  8
#define CTLTYPE_U64    9
#define CTLTYPE_U16    0xb
#define CTLTYPE_S32    0xe
#define CTLTYPE_U32    0xf

#define CTLFLAG_RD     0x80000000u
#define CTLFLAG_WR     0x40000000u
#define CTLFLAG_RW     (CTLFLAG_RD | CTLFLAG_WR)
#define CTLFLAG_SKIP   0x01000000u /* a walk passes it over */
#define CTLFLAG_TUN    0x00080000u /* UMA_OPTIONS may set it */
#define CTLFLAG_RDTUN  (CTLFLAG_RD | CTLFLAG_TUN)
#define CTLFLAG_RWTUN  (CTLFLAG_RW | CTLFLAG_TUN)
#define CTLFLAG_MPSAFE 0x00040000u /* no meaning here */

/* Bytes of the longest name, with its NUL. */
#define UMA_SYSCTL_NAME_MAX 256

/*
 * uma_sysctlbyname: read and set the node of that name, as FreeBSD's
 * sysctlbyname(3) does.
 *
 * oldp     where its value goes, *oldlenp bytes; NULL for none.
 * oldlenp  set to the bytes stored, or with oldp NULL to those of the value;
 *          NULL for none.
 * newp     a value to set, newlen bytes; NULL for none.
 * Returns  0, or -1 with errno.
 * Errors   ENOENT: no such node.  EISDIR: it has others below it, and no value.
 *          ENOMEM: *oldlenp is less than the value takes; as much as fits is
 *          stored, nothing is set.  Or no memory to start the library.  EPERM:
 *          newp, and it cannot be set.  EINVAL: newlen is not the value's, or
 *          it cannot have that value; or name is NULL.
 * Threads  any.  Stops no allocation for longer than an exchange of buckets.
 */
UMA_API int uma_sysctlbyname(const char *name, void *oldp, size_t *oldlenp,
    const void *newp, size_t newlen);

/*
 * uma_sysctl_next: the name of the next node with a value, in the order of
 * names, a node before what is below it.
 *
 * name     where to go on, there or not; "" or NULL: from the first.
 * next     gets the name, cut to size bytes with its NUL; may be name.
 * Returns  0, or -1 with errno.
 * Errors   ENOENT: that was the last.  ENOMEM: it was cut, or as above.
 * Threads  any; zones may come and go between two calls.
 */
UMA_API int uma_sysctl_next(const char *name, char *next, size_t size);

/* What there is to know of a node but its value.  Set size as in uma_stat(3).
 */
struct uma_sysctl_info {
	size_t size; /* of this struct, in bytes, set by the caller */
	uint32_t kind; /* CTLTYPE_ and CTLFLAG_ */
	char fmt[8]; /* FreeBSD's: "I" int, "IU", "L", "LU", "A" string ... */
	char source[16]; /* "default", "UMA_OPTIONS", "sysctl"; or "" */
	char descr[96]; /* a few words; cut if longer */
};

/*
 * uma_sysctl_info: fill *info about the node of that name.
 *
 * Errors   ENOENT: no such node.  EINVAL: info->size is below the first
 *          version's, or name is NULL.  ENOMEM: as above.
 */
UMA_API int uma_sysctl_info(const char *name, struct uma_sysctl_info *info);

#ifdef __cplusplus
}
#endif

#endif
