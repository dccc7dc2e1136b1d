/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oid.c - nodes of the sysctl tree that the program makes, static and dynamic.
 *
 * They are one list, each with its parent, and no tree: two modules may both
 * have a node of a name, and what is below either is below the name.  Static
 * ones know what they are below as the macros write it, "_vm_uma" for vm.uma,
 * so that no module needs a symbol of another one, nor to be loaded after it: a
 * node waits, unseen, for its parent.
 *
 * No lock is held while a handler runs.  The node counts the threads that are
 * at it, and removal waits for them.
 */
#include <errno.h>
#include <string.h>

#include "pages_int.h"
#include "sysctl_int.h"

struct uma_lock oid_lock = UMA_LOCK_INITIALIZER(UMA_RANK_SYSCTL);

/* The nodes at the root that FreeBSD has, vm.uma and vm.zone_stats. */
#define ROOT(above, name)                                                    \
	{                                                                    \
		above, name, "N", "", NULL, NULL, 0, NULL, NULL, NULL, NULL, \
		    0, 0, CTLTYPE_NODE | CTLFLAG_RW                          \
	}
static struct sysctl_oid root = {.oid_name = "", .oid_kind = CTLTYPE_NODE};
static struct sysctl_oid base[] = {ROOT("", "compat"), ROOT("", "debug"),
    ROOT("", "dev"), ROOT("", "hw"), ROOT("", "kern"), ROOT("", "machdep"),
    ROOT("", "net"), ROOT("", "security"), ROOT("", "user"), ROOT("", "vfs"),
    ROOT("", "vm"), ROOT("_vm", "uma"),
    {"_vm", "zone_stats", "S,uma", "Statistics of all zones, as a stream",
	stream_handle, NULL, 0, NULL, NULL, NULL, NULL, 0, 0,
	CTLTYPE_OPAQUE | CTLFLAG_RD}};
#define BASES (sizeof base / sizeof base[0])

/* guarded by oid_lock: first come, first found */
static struct sysctl_oid *oids;

static _Atomic uint32_t oid_moves; /* threads that left a node */

/* A handler that this thread is in, and the one that called it. */
struct frame {
	const struct sysctl_oid *fr_oid;
	const struct frame *fr_outer;
};
static __thread const struct frame *frames
    __attribute__((tls_model("initial-exec")));

static unsigned
frames_at(const struct sysctl_oid *oid)
{
	unsigned n = 0;

	for (const struct frame *f = frames; f != NULL; f = f->fr_outer)
		n += f->fr_oid == oid;
	return n;
}

/* This thread is in a handler of a node of the context. */
static bool
frames_in(const struct sysctl_ctx_list *ctx)
{
	const struct frame *f = frames;

	while (f != NULL && f->fr_oid->oid_ctx != ctx)
		f = f->fr_outer;
	return f != NULL;
}

static bool
is_node(const struct sysctl_oid *oid)
{
	return (oid->oid_kind & CTLTYPE) == CTLTYPE_NODE;
}

/* ---- the list.  Locked, all of these. ---- */

/* The macros call it so: what it is below, an underscore, its name. */
static bool
oid_is_called(const struct sysctl_oid *oid, const char *called)
{
	size_t len = oid->oid_above != NULL ? strlen(oid->oid_above) : 0;

	return oid->oid_above != NULL && is_node(oid) &&
	       strncmp(called, oid->oid_above, len) == 0 &&
	       called[len] == '_' &&
	       strcmp(called + len + 1, oid->oid_name) == 0;
}

static struct sysctl_oid *
oid_called(const char *called)
{
	struct sysctl_oid *oid = oids;

	if (called[0] == '\0')
		return &root;
	while (oid != NULL && !oid_is_called(oid, called))
		oid = oid->oid_next;
	return oid;
}

/* Static nodes find parents that have come. */
static void
oid_resolve(void)
{
	for (struct sysctl_oid *o = oids; o != NULL; o = o->oid_next)
		if (o->oid_parent == NULL && o->oid_above != NULL)
			o->oid_parent = oid_called(o->oid_above);
}

static void
oid_append(struct sysctl_oid *oid)
{
	struct sysctl_oid **at = &oids;

	while (*at != NULL)
		at = &(*at)->oid_next;
	oid->oid_next = NULL;
	*at = oid;
}

/* Before the first other one. */
static void
oid_base(void)
{
	if (oids != NULL)
		return;
	for (size_t i = 0; i < BASES; i++)
		oid_append(&base[i]);
	oid_resolve();
}

static void
oid_unlink(struct sysctl_oid *oid)
{
	struct sysctl_oid **at = &oids;

	while (*at != NULL && *at != oid)
		at = &(*at)->oid_next;
	if (*at == NULL)
		return;
	*at = oid->oid_next;
	for (struct sysctl_oid *o = oids; o != NULL; o = o->oid_next)
		if (o->oid_parent == oid)
			o->oid_parent = NULL;
	oid_resolve();
}

/* From the root; false: it waits for a parent, or the name is too long. */
static bool
oid_path(const struct sysctl_oid *oid, char path[UMA_SYSCTL_NAME_MAX])
{
	char *at = path + UMA_SYSCTL_NAME_MAX - 1;

	*at = '\0';
	for (; oid != &root; oid = oid->oid_parent) {
		size_t len = strlen(oid->oid_name);

		if (oid->oid_parent == NULL || len + 1 >= (size_t)(at - path))
			return false;
		if (*at != '\0')
			*--at = '.';
		at -= len;
		memcpy(at, oid->oid_name, len);
	}
	memmove(path, at, strlen(at) + 1);
	return true;
}

/* Nobody is at it but this thread.  Locked, and released. */
static void
oid_wait(struct sysctl_oid *oid)
{
	for (;;) {
		uint32_t moves = atomic_load(&oid_moves);
		bool alone = oid->oid_running <= frames_at(oid);

		uma_lock_release(&oid_lock);
		if (alone)
			return;
		uma_wait(&oid_moves, moves, -1);
		uma_lock_acquire(&oid_lock);
	}
}

void
oid_fork_child(void)
{
	for (struct sysctl_oid *o = oids; o != NULL; o = o->oid_next)
		o->oid_running = 0;
	uma_lock_fork_child(&oid_lock);
}

/* ---- the part of the tree ---- */

static bool
oid_find(const char *name, struct node *n)
{
	char path[UMA_SYSCTL_NAME_MAX];
	struct sysctl_oid *oid;

	uma_lock_acquire(&oid_lock);
	oid_base();
	for (oid = oids; oid != NULL; oid = oid->oid_next)
		if (oid_path(oid, path) && strcmp(path, name) == 0)
			break;
	if (oid != NULL)
		oid->oid_running++;
	uma_lock_release(&oid_lock);
	if (oid == NULL)
		return false;
	n->n_kind = oid->oid_kind;
	n->n_fmt = oid->oid_fmt;
	n->n_descr = oid->oid_descr;
	n->n_oid = oid;
	return true;
}

static void
oid_next_name(const char *after, char *next)
{
	char path[UMA_SYSCTL_NAME_MAX];

	uma_lock_acquire(&oid_lock);
	oid_base();
	for (struct sysctl_oid *o = oids; o != NULL; o = o->oid_next)
		if (!is_node(o) && !(o->oid_kind & CTLFLAG_SKIP) &&
		    oid_path(o, path))
			sysctl_better(after, path, next);
	uma_lock_release(&oid_lock);
}

const struct sysctl_part oid_part = {oid_find, oid_next_name};

/* A child of a fork has forgotten who was there. */
void
oid_leave(struct sysctl_oid *oid)
{
	uma_lock_acquire(&oid_lock);
	if (oid->oid_running > 0)
		oid->oid_running--;
	atomic_fetch_add(&oid_moves, 1);
	uma_lock_release(&oid_lock);
	uma_wake(&oid_moves, INT_MAX);
}

int
oid_call(struct sysctl_oid *oid, struct sysctl_req *req)
{
	if (oid->oid_handler == NULL)
		return EINVAL;
	struct frame self = {oid, frames};

	frames = &self;
	int error = oid->oid_handler(oid, oid->oid_arg1, oid->oid_arg2, req);
	frames = self.fr_outer;
	return error;
}

/* ---- static nodes ---- */

void
uma_sysctl_register(struct sysctl_oid *oid)
{
	uma_lock_acquire(&oid_lock);
	oid_base();
	oid_append(oid);
	oid_resolve();
	uma_lock_release(&oid_lock);
}

void
uma_sysctl_unregister(struct sysctl_oid *oid)
{
	uma_lock_acquire(&oid_lock);
	oid_unlink(oid);
	oid_wait(oid);
}

struct sysctl_oid_list *
uma_sysctl_children(const char *above)
{
	uma_lock_acquire(&oid_lock);
	oid_base();
	struct sysctl_oid *oid = oid_called(above);
	uma_lock_release(&oid_lock);
	if (oid == NULL)
		errno = ENOENT;
	return SYSCTL_CHILDREN(oid);
}

/* ---- dynamic nodes ---- */

/* A copy of text behind the node, at *at, which moves on. */
static const char *
copy_behind(char **at, const char *text)
{
	char *copy = *at;

	strcpy(copy, text);
	*at += strlen(text) + 1;
	return copy;
}

static struct sysctl_oid *
oid_make(const char *name, const char *fmt, const char *descr)
{
	size_t size = sizeof(struct sysctl_oid) + strlen(name) + strlen(fmt) +
		      strlen(descr) + 3;
	struct sysctl_oid *oid = meta_alloc(size, 0);

	if (oid == NULL)
		return NULL;
	char *at = (char *)(oid + 1);
	oid->oid_size = size;
	oid->oid_name = copy_behind(&at, name);
	oid->oid_fmt = copy_behind(&at, fmt);
	oid->oid_descr = copy_behind(&at, descr);
	return oid;
}

/* What it is below waits itself for a parent. */
static bool
oid_waits(const struct sysctl_oid *oid)
{
	while (oid != NULL && oid != &root)
		oid = oid->oid_parent;
	return oid == NULL;
}

/* Add it, with its parent; 0 or an errno.  Locked. */
static int
oid_insert(struct sysctl_oid *oid)
{
	char path[UMA_SYSCTL_NAME_MAX] = "", other[UMA_SYSCTL_NAME_MAX];

	if (!oid_waits(oid) && !oid_path(oid, path))
		return ENAMETOOLONG;
	if (sysctl_is_ours(path))
		return EEXIST;
	for (struct sysctl_oid *o = oids; o != NULL; o = o->oid_next)
		if (oid_path(o, other) && strcmp(other, path) == 0 &&
		    !(is_node(o) && is_node(oid)))
			return EEXIST;
	oid_append(oid);
	if (oid->oid_ctx != NULL) {
		oid->oid_ctx_next = oid->oid_ctx->ctx_first;
		oid->oid_ctx->ctx_first = oid;
	}
	return 0;
}

struct sysctl_oid *
uma_sysctl_add(struct sysctl_ctx_list *ctx, struct sysctl_oid_list *parent,
    const char *name, uint32_t kind, void *arg1, intmax_t arg2,
    uma_sysctl_handler handler, const char *fmt, const char *descr)
{
	if (parent == NULL || name == NULL || name[0] == '\0' ||
	    strchr(name, '.') != NULL) {
		errno = EINVAL;
		return NULL;
	}
	struct sysctl_oid *oid = NULL;
	if (uma_start())
		oid = oid_make(
		    name, fmt != NULL ? fmt : "", descr != NULL ? descr : "");
	if (oid == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	oid->oid_parent = (struct sysctl_oid *)(void *)parent;
	oid->oid_ctx = ctx;
	oid->oid_kind = kind;
	oid->oid_arg1 = arg1;
	oid->oid_arg2 = arg2;
	oid->oid_handler = handler;
	uma_lock_acquire(&oid_lock);
	int error = oid_insert(oid);
	uma_lock_release(&oid_lock);
	if (error == 0)
		return oid;
	meta_free(oid, oid->oid_size);
	errno = error;
	return NULL;
}

/* One below it, which is dynamic too, with none below; or itself.  Locked. */
static struct sysctl_oid *
oid_lowest(struct sysctl_oid *oid)
{
	struct sysctl_oid *o = oids;

	while (o != NULL)
		if (o->oid_parent == oid) {
			oid = o;
			o = oids;
		} else {
			o = o->oid_next;
		}
	return oid;
}

static void
ctx_unlink(struct sysctl_oid *oid)
{
	struct sysctl_oid **at;

	if (oid->oid_ctx == NULL)
		return;
	at = &oid->oid_ctx->ctx_first;
	while (*at != NULL && *at != oid)
		at = &(*at)->oid_ctx_next;
	if (*at == oid)
		*at = oid->oid_ctx_next;
}

/* This thread is in the handler of one of them. */
static bool
frames_below(const struct sysctl_oid *oid)
{
	for (const struct frame *f = frames; f != NULL; f = f->fr_outer)
		for (const struct sysctl_oid *o = f->fr_oid; o != NULL;
		     o = o->oid_parent)
			if (o == oid)
				return true;
	return false;
}

int
uma_sysctl_remove(struct sysctl_oid *oid, int recurse)
{
	struct sysctl_oid *lowest;

	if (oid == NULL || oid->oid_size == 0)
		return EINVAL;
	do {
		uma_lock_acquire(&oid_lock);
		bool busy = frames_below(oid);
		lowest = oid_lowest(oid);
		if (busy || (lowest != oid && !recurse)) {
			uma_lock_release(&oid_lock);
			return busy ? EBUSY : ENOTEMPTY;
		}
		oid_unlink(lowest);
		ctx_unlink(lowest);
		oid_wait(lowest);
		meta_free(lowest, lowest->oid_size);
	} while (lowest != oid);
	return 0;
}

int
uma_sysctl_ctx_init(struct sysctl_ctx_list *ctx)
{
	ctx->ctx_first = NULL;
	return 0;
}

/* Nodes of others are below some of its own.  Locked. */
static bool
ctx_is_busy(const struct sysctl_ctx_list *ctx)
{
	for (const struct sysctl_oid *o = oids; o != NULL; o = o->oid_next)
		if (o->oid_ctx != ctx && o->oid_parent != NULL &&
		    o->oid_parent->oid_ctx == ctx)
			return true;
	return false;
}

int
uma_sysctl_ctx_free(struct sysctl_ctx_list *ctx)
{
	struct sysctl_oid *oid;

	uma_lock_acquire(&oid_lock);
	bool busy = ctx_is_busy(ctx) || frames_in(ctx);
	if (!busy)
		for (oid = ctx->ctx_first; oid != NULL; oid = oid->oid_ctx_next)
			oid_unlink(oid);
	uma_lock_release(&oid_lock);
	if (busy)
		return EBUSY;
	while ((oid = ctx->ctx_first) != NULL) {
		uma_lock_acquire(&oid_lock);
		oid_wait(oid);
		ctx->ctx_first = oid->oid_ctx_next;
		meta_free(oid, oid->oid_size);
	}
	return 0;
}
