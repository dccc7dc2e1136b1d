/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys/sysctl.h - FreeBSD's names for what uma/sysctl.h has, and the macros that
 * are made of it.
 */
#ifndef UMA_OVERLAY_SYS_SYSCTL_H
#define UMA_OVERLAY_SYS_SYSCTL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uma/sysctl.h>

#define sysctlbyname	     uma_sysctlbyname
#define sysctl_ctx_init	     uma_sysctl_ctx_init
#define sysctl_ctx_free	     uma_sysctl_ctx_free
#define sysctl_handle_bool   uma_sysctl_handle_bool
#define sysctl_handle_8	     uma_sysctl_handle_8
#define sysctl_handle_16     uma_sysctl_handle_16
#define sysctl_handle_32     uma_sysctl_handle_int
#define sysctl_handle_int    uma_sysctl_handle_int
#define sysctl_handle_long   uma_sysctl_handle_64
#define sysctl_handle_64     uma_sysctl_handle_64
#define sysctl_handle_string uma_sysctl_handle_string
#define sysctl_handle_opaque uma_sysctl_handle_opaque

/* del of 0 would leave it to be added again, which there is no call for. */
#define sysctl_remove_oid(oid, del, recurse) \
	((del) ? uma_sysctl_remove(oid, recurse) : EINVAL)

#define CTLTYPE_STRUCT CTLTYPE_OPAQUE

/* No meaning here: of privileges, jails, and the kernel's own locks. */
#define CTLFLAG_ANYBODY	  0
#define CTLFLAG_SECURE	  0
#define CTLFLAG_PRISON	  0
#define CTLFLAG_VNET	  0
#define CTLFLAG_CAPRD	  0
#define CTLFLAG_CAPWR	  0
#define CTLFLAG_CAPRW	  0
#define CTLFLAG_STATS	  0
#define CTLFLAG_DYN	  0
#define CTLFLAG_NOFETCH	  0
#define CTLFLAG_NEEDGIANT 0

/* The constant val is the value. */
#define SYSCTL_NULL_BOOL_PTR  ((bool *)NULL)
#define SYSCTL_NULL_S8_PTR    ((int8_t *)NULL)
#define SYSCTL_NULL_U8_PTR    ((uint8_t *)NULL)
#define SYSCTL_NULL_S16_PTR   ((int16_t *)NULL)
#define SYSCTL_NULL_U16_PTR   ((uint16_t *)NULL)
#define SYSCTL_NULL_S32_PTR   ((int32_t *)NULL)
#define SYSCTL_NULL_U32_PTR   ((uint32_t *)NULL)
#define SYSCTL_NULL_S64_PTR   ((int64_t *)NULL)
#define SYSCTL_NULL_U64_PTR   ((uint64_t *)NULL)
#define SYSCTL_NULL_INT_PTR   ((int *)NULL)
#define SYSCTL_NULL_UINT_PTR  ((unsigned int *)NULL)
#define SYSCTL_NULL_LONG_PTR  ((long *)NULL)
#define SYSCTL_NULL_ULONG_PTR ((unsigned long *)NULL)
#define SYSCTL_NULL_QUAD_PTR  ((int64_t *)NULL)
#define SYSCTL_NULL_UQUAD_PTR ((uint64_t *)NULL)

/* ---- static nodes ---- */

#define SYSCTL_ROOT_NODE(nbr, name, access, handler, descr) \
	SYSCTL_NODE(, nbr, name, access, handler, descr)
#define SYSCTL_BOOL(parent, nbr, name, access, ptr, val, descr)        \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_U8 | (access), ptr, val, \
	    uma_sysctl_handle_bool, "CU", descr)
#define SYSCTL_S8(parent, nbr, name, access, ptr, val, descr)          \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_S8 | (access), ptr, val, \
	    uma_sysctl_handle_8, "C", descr)
#define SYSCTL_U8(parent, nbr, name, access, ptr, val, descr)          \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_U8 | (access), ptr, val, \
	    uma_sysctl_handle_8, "CU", descr)
#define SYSCTL_S16(parent, nbr, name, access, ptr, val, descr)          \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_S16 | (access), ptr, val, \
	    uma_sysctl_handle_16, "S", descr)
#define SYSCTL_U16(parent, nbr, name, access, ptr, val, descr)          \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_U16 | (access), ptr, val, \
	    uma_sysctl_handle_16, "SU", descr)
#define SYSCTL_S32(parent, nbr, name, access, ptr, val, descr)          \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_S32 | (access), ptr, val, \
	    uma_sysctl_handle_int, "I", descr)
#define SYSCTL_U32(parent, nbr, name, access, ptr, val, descr)          \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_U32 | (access), ptr, val, \
	    uma_sysctl_handle_int, "IU", descr)
#define SYSCTL_S64(parent, nbr, name, access, ptr, val, descr)          \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_S64 | (access), ptr, val, \
	    uma_sysctl_handle_64, "Q", descr)
#define SYSCTL_QUAD  SYSCTL_S64
#define SYSCTL_UQUAD SYSCTL_U64
#define SYSCTL_CONST_STRING(parent, nbr, name, access, text, descr)       \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_STRING | (access), text, 0, \
	    uma_sysctl_handle_string, "A", descr)
#define SYSCTL_OPAQUE(parent, nbr, name, access, ptr, len, fmt, descr)     \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_OPAQUE | (access), ptr, len, \
	    uma_sysctl_handle_opaque, fmt, descr)
#define SYSCTL_STRUCT(parent, nbr, name, access, ptr, type, descr) \
	SYSCTL_OPAQUE(parent, nbr, name, access, ptr,              \
	    (intmax_t)sizeof(struct type), "S," #type, descr)

/* ---- dynamic nodes ---- */

#define SYSCTL_NODE_CHILDREN(parent, name) \
	uma_sysctl_children(#parent "_" #name)
#define SYSCTL_ADD_ROOT_NODE(ctx, nbr, name, access, handler, descr) \
	SYSCTL_ADD_NODE(                                             \
	    ctx, uma_sysctl_children(""), nbr, name, access, handler, descr)
#define SYSCTL_ADD_BOOL(ctx, parent, nbr, name, access, ptr, val, descr)   \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_U8 | (access), ptr, \
	    val, uma_sysctl_handle_bool, "CU", descr)
#define SYSCTL_ADD_S8(ctx, parent, nbr, name, access, ptr, val, descr)     \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_S8 | (access), ptr, \
	    val, uma_sysctl_handle_8, "C", descr)
#define SYSCTL_ADD_U8(ctx, parent, nbr, name, access, ptr, val, descr)     \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_U8 | (access), ptr, \
	    val, uma_sysctl_handle_8, "CU", descr)
#define SYSCTL_ADD_S16(ctx, parent, nbr, name, access, ptr, val, descr)     \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_S16 | (access), ptr, \
	    val, uma_sysctl_handle_16, "S", descr)
#define SYSCTL_ADD_U16(ctx, parent, nbr, name, access, ptr, val, descr)     \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_U16 | (access), ptr, \
	    val, uma_sysctl_handle_16, "SU", descr)
#define SYSCTL_ADD_S32(ctx, parent, nbr, name, access, ptr, val, descr)     \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_S32 | (access), ptr, \
	    val, uma_sysctl_handle_int, "I", descr)
#define SYSCTL_ADD_U32(ctx, parent, nbr, name, access, ptr, val, descr)     \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_U32 | (access), ptr, \
	    val, uma_sysctl_handle_int, "IU", descr)
#define SYSCTL_ADD_S64(ctx, parent, nbr, name, access, ptr, val, descr)     \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_S64 | (access), ptr, \
	    val, uma_sysctl_handle_64, "Q", descr)
#define SYSCTL_ADD_QUAD(ctx, parent, nbr, name, access, ptr, descr) \
	SYSCTL_ADD_S64(ctx, parent, nbr, name, access, ptr, 0, descr)
#define SYSCTL_ADD_UQUAD(ctx, parent, nbr, name, access, ptr, descr) \
	SYSCTL_ADD_U64(ctx, parent, nbr, name, access, ptr, 0, descr)
#define SYSCTL_ADD_CONST_STRING(ctx, parent, nbr, name, access, text, descr) \
	SYSCTL_ADD_STRING(ctx, parent, nbr, name, access, text, 0, descr)
#define SYSCTL_ADD_OPAQUE(                                                     \
    ctx, parent, nbr, name, access, ptr, len, fmt, descr)                      \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_OPAQUE | (access), ptr, \
	    (intmax_t)(len), uma_sysctl_handle_opaque, fmt, descr)
#define SYSCTL_ADD_STRUCT(ctx, parent, nbr, name, access, ptr, type, descr) \
	SYSCTL_ADD_OPAQUE(ctx, parent, nbr, name, access, ptr,              \
	    sizeof(struct type), "S," #type, descr)

#endif
