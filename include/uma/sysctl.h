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
#define CTLTYPE_U8     0xa
#define CTLTYPE_U16    0xb
#define CTLTYPE_S8     0xc
#define CTLTYPE_S16    0xd
#define CTLTYPE_S32    0xe
#define CTLTYPE_U32    0xf

#define CTLFLAG_RD     0x80000000u
#define CTLFLAG_WR     0x40000000u
#define CTLFLAG_RW     (CTLFLAG_RD | CTLFLAG_WR)
#define CTLFLAG_SKIP   0x01000000u /* a walk passes it over */
#define CTLFLAG_TUN    0x00080000u /* ours: UMA_OPTIONS may set it */
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
 *          left alone by errors but ENOMEM.  NULL for none.
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
	char source[16]; /* "default", "UMA_OPTIONS", "sysctl", "program"; "" */
	char descr[96]; /* a few words; cut if longer */
};

/*
 * uma_sysctl_info: fill *info about the node of that name.
 *
 * Errors   ENOENT: no such node.  EINVAL: info->size is below the first
 *          version's, or name is NULL.  ENOMEM: as above.
 */
UMA_API int uma_sysctl_info(const char *name, struct uma_sysctl_info *info);

/* ---- nodes of the program's own ---- */

struct sysctl_oid;
struct sysctl_oid_list; /* the nodes below one */

/* A read, a write, or both, for a handler. */
struct sysctl_req {
	void *oldptr; /* NULL: only the length is asked for, or nothing */
	size_t oldlen; /* bytes that oldptr has room for */
	size_t oldidx; /* bytes of the old value, so far */
	const void *newptr; /* NULL: no new value */
	size_t newlen; /* its bytes */
	size_t newidx; /* of them taken, so far */
};

/*
 * A handler answers a read with SYSCTL_OUT(), and if req->newptr is not NULL
 * takes a new value with SYSCTL_IN().  Returns 0 or an errno.  No lock is held;
 * the node stays as long as the handler runs, which cannot remove it.
 */
#define SYSCTL_HANDLER_ARGS                                 \
	struct sysctl_oid *oidp, void *arg1, intmax_t arg2, \
	    struct sysctl_req *req
typedef int (*uma_sysctl_handler)(SYSCTL_HANDLER_ARGS);

struct sysctl_oid {
	/* filled by macros */
	const char *oid_above; /* how they name what it is below */
	const char *oid_name;
	const char *oid_fmt;
	const char *oid_descr;
	uma_sysctl_handler oid_handler;
	void *oid_arg1;
	intmax_t oid_arg2;
	/* the library's */
	struct sysctl_oid *oid_parent;
	struct sysctl_oid *oid_next;
	struct sysctl_oid *oid_ctx_next;
	struct sysctl_ctx_list *oid_ctx;
	size_t oid_size;
	uint32_t oid_running;
	uint32_t oid_kind; /* filled by macros */
};

struct sysctl_ctx_list {
	struct sysctl_oid *ctx_first;
};

/*
 * uma_sysctl_register, uma_sysctl_unregister: what the static macros call when
 * their module is loaded and unloaded.  A node below one that is not there yet
 * waits for it.  unregister waits for handlers of the node that run in other
 * threads.
 */
UMA_API void uma_sysctl_register(struct sysctl_oid *oid);
UMA_API void uma_sysctl_unregister(struct sysctl_oid *oid);

/*
 * uma_sysctl_children: what is below the node that the static macros call so:
 * "_vm_uma" is vm.uma, "" the root.  NULL, errno ENOENT: none is called so.
 */
UMA_API struct sysctl_oid_list *uma_sysctl_children(const char *above);

/*
 * uma_sysctl_ctx_init: an empty list of nodes; 0.
 * uma_sysctl_ctx_free: remove all nodes that were added with it; 0, or EBUSY
 * and nothing removed, when nodes of others are below them or a handler of
 * theirs calls.  Waits for handlers as uma_sysctl_unregister() does.
 * Threads  one at a time for one list.
 */
UMA_API int uma_sysctl_ctx_init(struct sysctl_ctx_list *ctx);
UMA_API int uma_sysctl_ctx_free(struct sysctl_ctx_list *ctx);

/*
 * uma_sysctl_add: add a node while the program runs; what the SYSCTL_ADD_
 * macros call.  name, fmt and descr are copied; ctx may be NULL, and the node
 * stays then.
 *
 * Returns  the node, or NULL with errno.
 * Errors   EINVAL: parent is NULL, or name is empty or has a dot in it.
 *          EEXIST: there is one of the name, and not both have others below.
 *          ENAMETOOLONG, ENOMEM.
 */
UMA_API struct sysctl_oid *uma_sysctl_add(struct sysctl_ctx_list *ctx,
    struct sysctl_oid_list *parent, const char *name, uint32_t kind, void *arg1,
    intmax_t arg2, uma_sysctl_handler handler, const char *fmt,
    const char *descr);

/*
 * uma_sysctl_remove: remove a node that uma_sysctl_add() made, with or without
 * a context; with recurse not 0, all such nodes below it too.  Waits for
 * handlers as uma_sysctl_unregister() does.
 *
 * Returns  0, or an errno: EINVAL: it is NULL or static.  ENOTEMPTY: there are
 *          nodes below it, and recurse is 0.  EBUSY: the handler of one calls.
 */
UMA_API int uma_sysctl_remove(struct sysctl_oid *oid, int recurse);

/*
 * uma_sysctl_out: add size bytes to the old value; 0, or ENOMEM: cut.
 * uma_sysctl_in: take size bytes of the new value; 0, or EINVAL: too short.
 */
UMA_API int uma_sysctl_out(struct sysctl_req *req, const void *p, size_t size);
UMA_API int uma_sysctl_in(struct sysctl_req *req, void *p, size_t size);
#define SYSCTL_OUT(req, p, size) uma_sysctl_out(req, p, size)
#define SYSCTL_IN(req, p, size)	 uma_sysctl_in(req, p, size)

/*
 * Handlers: of the int, the bool, the 8, 16 and 64 bits, the string and the
 * bytes, both of arg2 bytes, at arg1; or with arg1 NULL of the number arg2,
 * which cannot be set; and of the limit and the occupancy of the zone at arg1,
 * which is a uma_zone_t *.
 */
UMA_API int uma_sysctl_handle_int(SYSCTL_HANDLER_ARGS);
UMA_API int uma_sysctl_handle_bool(SYSCTL_HANDLER_ARGS);
UMA_API int uma_sysctl_handle_8(SYSCTL_HANDLER_ARGS);
UMA_API int uma_sysctl_handle_16(SYSCTL_HANDLER_ARGS);
UMA_API int uma_sysctl_handle_64(SYSCTL_HANDLER_ARGS);
UMA_API int uma_sysctl_handle_string(SYSCTL_HANDLER_ARGS);
UMA_API int uma_sysctl_handle_opaque(SYSCTL_HANDLER_ARGS);
UMA_API int uma_sysctl_handle_zone_max(SYSCTL_HANDLER_ARGS);
UMA_API int uma_sysctl_handle_zone_cur(SYSCTL_HANDLER_ARGS);

#define OID_AUTO (-1) /* nbr, which has no meaning here */

/*
 * Static nodes, at file scope: below parent, which is written _vm_uma for
 * vm.uma, while their module is loaded.  SYSCTL_NODE may have static before it.
 */
#define SYSCTL_DECL(name) struct sysctl_oid
#define SYSCTL_OID(parent, nbr, name, kind, a1, a2, handler, fmt, descr)      \
	uma_sysctl_static(sysctl_##parent##_##name, #parent, #name, kind, a1, \
	    a2, handler, fmt, descr)
#define SYSCTL_NODE(parent, nbr, name, access, handler, descr)          \
	uma_sysctl_storage(sysctl_##parent##_##name)                    \
	    uma_sysctl_static(sysctl_##parent##_##name, #parent, #name, \
		CTLTYPE_NODE | (access), 0, 0, handler, "N", descr)
#define SYSCTL_INT(parent, nbr, name, access, ptr, val, descr)          \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_INT | (access), ptr, val, \
	    uma_sysctl_handle_int, "I", descr)
#define SYSCTL_UINT(parent, nbr, name, access, ptr, val, descr)          \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_UINT | (access), ptr, val, \
	    uma_sysctl_handle_int, "IU", descr)
#define SYSCTL_LONG(parent, nbr, name, access, ptr, val, descr)          \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_LONG | (access), ptr, val, \
	    uma_sysctl_handle_64, "L", descr)
#define SYSCTL_ULONG(parent, nbr, name, access, ptr, val, descr)          \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_ULONG | (access), ptr, val, \
	    uma_sysctl_handle_64, "LU", descr)
#define SYSCTL_U64(parent, nbr, name, access, ptr, val, descr)          \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_U64 | (access), ptr, val, \
	    uma_sysctl_handle_64, "QU", descr)
#define SYSCTL_STRING(parent, nbr, name, access, ptr, len, descr)          \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_STRING | (access), ptr, len, \
	    uma_sysctl_handle_string, "A", descr)
#define SYSCTL_PROC(parent, nbr, name, access, ptr, arg, handler, fmt, descr) \
	SYSCTL_OID(parent, nbr, name, access, ptr, arg, handler, fmt, descr)
#define SYSCTL_UMA_MAX(parent, nbr, name, access, zone, descr) \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_INT | (access),  \
	    uma_sysctl_zone(zone), 0, uma_sysctl_handle_zone_max, "I", descr)
#define SYSCTL_UMA_CUR(parent, nbr, name, access, zone, descr)               \
	SYSCTL_OID(parent, nbr, name, uma_sysctl_rd(CTLTYPE_INT | (access)), \
	    uma_sysctl_zone(zone), 0, uma_sysctl_handle_zone_cur, "I", descr)

/* Dynamic ones: below a node or a static one's, until ctx is freed. */
#define SYSCTL_CHILDREN(oid)	       ((struct sysctl_oid_list *)(void *)(oid))
#define SYSCTL_STATIC_CHILDREN(parent) uma_sysctl_children(#parent)
#define SYSCTL_ADD_OID(                                        \
    ctx, parent, nbr, name, kind, a1, a2, handler, fmt, descr) \
	uma_sysctl_add(                                        \
	    ctx, parent, name, kind, (void *)(a1), a2, handler, fmt, descr)
#define SYSCTL_ADD_NODE(ctx, parent, nbr, name, access, handler, descr)  \
	uma_sysctl_add(ctx, parent, name, CTLTYPE_NODE | (access), 0, 0, \
	    handler, "N", descr)
#define SYSCTL_ADD_INT(ctx, parent, nbr, name, access, ptr, val, descr)     \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_INT | (access), ptr, \
	    val, uma_sysctl_handle_int, "I", descr)
#define SYSCTL_ADD_UINT(ctx, parent, nbr, name, access, ptr, val, descr)     \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_UINT | (access), ptr, \
	    val, uma_sysctl_handle_int, "IU", descr)
#define SYSCTL_ADD_LONG(ctx, parent, nbr, name, access, ptr, descr)          \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_LONG | (access), ptr, \
	    0, uma_sysctl_handle_64, "L", descr)
#define SYSCTL_ADD_ULONG(ctx, parent, nbr, name, access, ptr, descr)          \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_ULONG | (access), ptr, \
	    0, uma_sysctl_handle_64, "LU", descr)
#define SYSCTL_ADD_U64(ctx, parent, nbr, name, access, ptr, val, descr)     \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_U64 | (access), ptr, \
	    val, uma_sysctl_handle_64, "QU", descr)
#define SYSCTL_ADD_STRING(ctx, parent, nbr, name, access, ptr, len, descr)     \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_STRING | (access), ptr, \
	    len, uma_sysctl_handle_string, "A", descr)
#define SYSCTL_ADD_PROC(                                           \
    ctx, parent, nbr, name, access, ptr, arg, handler, fmt, descr) \
	SYSCTL_ADD_OID(                                            \
	    ctx, parent, nbr, name, access, ptr, arg, handler, fmt, descr)
#define SYSCTL_ADD_UMA_MAX(ctx, parent, nbr, name, access, zone, descr) \
	SYSCTL_ADD_OID(ctx, parent, nbr, name, CTLTYPE_INT | (access),  \
	    uma_sysctl_zone(zone), 0, uma_sysctl_handle_zone_max, "I", descr)
#define SYSCTL_ADD_UMA_CUR(ctx, parent, nbr, name, access, zone, descr)      \
	SYSCTL_ADD_OID(ctx, parent, nbr, name,                               \
	    uma_sysctl_rd(CTLTYPE_INT | (access)), uma_sysctl_zone(zone), 0, \
	    uma_sysctl_handle_zone_cur, "I", descr)

/* A pointer to a zone, and to nothing else. */
#define uma_sysctl_zone(zone) (1 ? (zone) : (uma_zone_t *)0)
#define uma_sysctl_rd(kind)   (((kind) & ~CTLFLAG_WR) | CTLFLAG_RD)

/* Something that static may stand before, and that leaves nothing. */
#define uma_sysctl_storage(id)                                   \
	__attribute__((unused)) inline void id##_is_a_node(void) \
	{                                                        \
	}
/* Constructors, since they work in programs and all kinds of modules. */
#define uma_sysctl_static(id, above, name, kind, a1, a2, handler, fmt, descr) \
	static struct sysctl_oid id = {above, name, fmt, descr, handler,      \
	    (void *)(a1), a2, 0, 0, 0, 0, 0, 0, kind};                        \
	__attribute__((constructor)) static void id##_add(void)               \
	{                                                                     \
		uma_sysctl_register(&id);                                     \
	}                                                                     \
	uma_sysctl_static_end(id) struct sysctl_oid

/*
 * The nodes of a program stay: at its end there is nothing to wait for, and a
 * handler that never returns would be waited for.
 */
#if defined(__PIC__) && !defined(__PIE__)
#define uma_sysctl_static_end(id)                                 \
	__attribute__((destructor)) static void id##_remove(void) \
	{                                                         \
		uma_sysctl_unregister(&id);                       \
	}
#else
#define uma_sysctl_static_end(id)
#endif

#ifdef __cplusplus
}
#endif

#endif
