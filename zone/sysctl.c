/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysctl.c - numbers and settings by name.
 *
 * There is no tree in memory: each part (settings, zones, nodes of the
 * program's) finds a name that it is asked for, and tells which of its names
 * comes next after another one.  A walk that goes from name to name is thus at
 * no place that could be pulled from under it, and needs no lock between two
 * calls; a zone that is read is held by a reference, as walkers do.
 */
#include <errno.h>
#include <string.h>

#include <uma/reclaim.h>

#include "sysctl_int.h"

static int
order(char c)
{
	return c == '\0' ? 0 : c == '.' ? 1 : (unsigned char)c + 2;
}

int
sysctl_compare(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b)
		a++, b++;
	return order(*a) - order(*b);
}

void
sysctl_better(const char *after, const char *name, char *best)
{
	if (sysctl_compare(name, after) > 0 &&
	    (best[0] == '\0' || sysctl_compare(name, best) < 0))
		strcpy(best, name);
}

/* ---- single nodes ---- */

static int
get_zone_count(const struct node *n, union sysctl_value *v)
{
	(void)n;
	v->v_number = zlist_count();
	return 0;
}

static int
get_percpu_mode(const struct node *n, union sysctl_value *v)
{
	(void)n;
	uma_escape(v->v_string, sizeof v->v_string, uma_percpu_mode());
	return 0;
}

static int
get_limit(const struct node *n, union sysctl_value *v)
{
	(void)n;
	v->v_number = uma_limit();
	return 0;
}

static int
get_total(const struct node *n, union sysctl_value *v)
{
	(void)n;
	v->v_number = uma_size();
	return 0;
}

/* Readers of vm.zone_stats ask for it. */
static int
get_maxid(const struct node *n, union sysctl_value *v)
{
	(void)n;
	v->v_number = (uint64_t)(uma_ncpus() - 1);
	return 0;
}

static const struct single {
	const char *sg_name;
	uint32_t sg_kind;
	const char *sg_descr;
	int (*sg_get)(const struct node *n, union sysctl_value *v);
} single_table[] = {
    {"kern.smp.maxid", CTLTYPE_INT | CTLFLAG_RD,
	"The highest number that a CPU can have", get_maxid},
    {"vm.uma.percpu_mode", CTLTYPE_STRING | CTLFLAG_RD,
	"How hits in the CPUs' caches are made, and why so", get_percpu_mode},
    {"vm.uma_kmem_limit", CTLTYPE_ULONG | CTLFLAG_RD,
	"Bytes above which caches are given back, 0 for none", get_limit},
    {"vm.uma_kmem_total", CTLTYPE_ULONG | CTLFLAG_RD,
	"Bytes of memory that zones and the library hold", get_total},
    {"vm.zone_count", CTLTYPE_INT | CTLFLAG_RD, "Number of zones",
	get_zone_count},
};
#define SINGLES (sizeof single_table / sizeof single_table[0])

static bool
singles_find(const char *name, struct node *n)
{
	for (size_t i = 0; i < SINGLES; i++) {
		const struct single *sg = &single_table[i];

		if (strcmp(sg->sg_name, name) != 0)
			continue;
		n->n_kind = sg->sg_kind;
		n->n_descr = sg->sg_descr;
		n->n_get = sg->sg_get;
		return true;
	}
	return false;
}

static void
singles_next(const char *after, char *best)
{
	for (size_t i = 0; i < SINGLES; i++)
		sysctl_better(after, single_table[i].sg_name, best);
}

static const struct sysctl_part singles_part = {singles_find, singles_next};

/* ---- the parts together ---- */

static const struct sysctl_part *const parts[] = {
    &singles_part, &settings_part, &oid_part, &zones_part};
#define PARTS (sizeof parts / sizeof parts[0])

bool
sysctl_is_ours(const char *name)
{
	struct node n = {0};

	return singles_find(name, &n) || settings_part.sp_find(name, &n);
}

static bool
started(void)
{
	if (uma_start())
		return true;
	errno = ENOMEM;
	return false;
}

static bool
next_name(const char *after, char best[UMA_SYSCTL_NAME_MAX])
{
	best[0] = '\0';
	for (size_t i = 0; i < PARTS; i++)
		parts[i]->sp_next(after, best);
	return best[0] != '\0';
}

/* Others lie below the name. */
static bool
is_inner(const char *name)
{
	char next[UMA_SYSCTL_NAME_MAX];
	size_t len = strlen(name);

	return len > 0 && next_name(name, next) &&
	       strncmp(next, name, len) == 0 && next[len] == '.';
}

/* 0 or an errno; with 0, node_leave is to be called. */
static int
node_find(const char *name, struct node *n)
{
	*n = (struct node){0};
	for (size_t i = 0; i < PARTS; i++)
		if (parts[i]->sp_find(name, n))
			return 0;
	if (!is_inner(name))
		return ENOENT;
	n->n_kind = CTLTYPE_NODE | CTLFLAG_RD;
	n->n_fmt = "N";
	n->n_descr = "";
	return 0;
}

static void
node_leave(struct node *n)
{
	if (n->n_zone != NULL)
		zlist_leave(n->n_zone);
	if (n->n_oid != NULL)
		oid_leave(n->n_oid);
}

/* ---- values ---- */

static size_t
type_size(uint32_t kind)
{
	switch (kind & CTLTYPE) {
	case CTLTYPE_U16:
		return sizeof(uint16_t);
	case CTLTYPE_INT:
	case CTLTYPE_UINT:
	case CTLTYPE_S32:
	case CTLTYPE_U32:
		return sizeof(uint32_t);
	default:
		return sizeof(uint64_t);
	}
}

static const char *
type_format(uint32_t kind)
{
	static const char *const format[CTLTYPE + 1] = {
	    [CTLTYPE_NODE] = "N",
	    [CTLTYPE_INT] = "I",
	    [CTLTYPE_STRING] = "A",
	    [CTLTYPE_S64] = "Q",
	    [CTLTYPE_UINT] = "IU",
	    [CTLTYPE_LONG] = "L",
	    [CTLTYPE_ULONG] = "LU",
	    [CTLTYPE_U64] = "QU",
	    [CTLTYPE_U16] = "SU",
	    [CTLTYPE_S32] = "I",
	    [CTLTYPE_U32] = "IU",
	};
	const char *fmt = format[kind & CTLTYPE];

	return fmt != NULL ? fmt : "";
}

/* Numbers are little-endian here, so that the low bytes come first. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values by memcpy");

static int
value_read(const struct node *n, void *oldp, size_t *oldlenp)
{
	union sysctl_value v = {.v_number = 0};
	int error = n->n_get(n, &v);
	size_t size = (n->n_kind & CTLTYPE) == CTLTYPE_STRING
			  ? strlen(v.v_string) + 1
			  : type_size(n->n_kind);
	size_t room = oldlenp != NULL ? *oldlenp : 0;

	if (error != 0)
		return error;
	if (oldp == NULL) {
		if (oldlenp != NULL)
			*oldlenp = size;
		return 0;
	}
	memcpy(oldp, &v, uma_min(size, room));
	if (oldlenp != NULL)
		*oldlenp = uma_min(size, room);
	return room < size ? ENOMEM : 0;
}

static int
value_write(const struct node *n, const void *newp, size_t newlen)
{
	union sysctl_value v = {.v_number = 0};

	if ((n->n_kind & CTLTYPE) == CTLTYPE_STRING) {
		/* With its NUL or without. */
		if (newlen >= sizeof v.v_string)
			return EINVAL;
		memcpy(v.v_string, newp, newlen);
		v.v_string[newlen] = '\0';
	} else {
		if (newlen != type_size(n->n_kind))
			return EINVAL;
		memcpy(&v.v_number, newp, newlen);
	}
	return n->n_set(n, &v);
}

static int
handler_io(const struct node *n, void *oldp, size_t *oldlenp, const void *newp,
    size_t newlen)
{
	struct sysctl_req req = {.oldptr = oldp,
	    .oldlen = oldp != NULL && oldlenp != NULL ? *oldlenp : 0,
	    .newptr = newp,
	    .newlen = newp != NULL ? newlen : 0};
	int error = oid_call(n->n_oid, &req);

	if (oldlenp != NULL)
		*oldlenp =
		    oldp == NULL ? req.oldidx : uma_min(req.oldidx, req.oldlen);
	return error;
}

static int
node_io(const struct node *n, void *oldp, size_t *oldlenp, const void *newp,
    size_t newlen)
{
	if ((n->n_kind & CTLTYPE) == CTLTYPE_NODE)
		return EISDIR;
	if (newp != NULL && !(n->n_kind & CTLFLAG_WR))
		return EPERM;
	if (n->n_oid != NULL)
		return handler_io(n, oldp, oldlenp, newp, newlen);
	int error = 0;
	if (oldp != NULL || oldlenp != NULL)
		error = value_read(n, oldp, oldlenp);
	if (error == 0 && newp != NULL)
		error = value_write(n, newp, newlen);
	return error;
}

/* ---- the calls ---- */

static int
result(int error)
{
	if (error == 0)
		return 0;
	errno = error;
	return -1;
}

int
uma_sysctlbyname(const char *name, void *oldp, size_t *oldlenp,
    const void *newp, size_t newlen)
{
	struct node n;

	if (name == NULL)
		return result(EINVAL);
	if (!started())
		return -1;
	int error = node_find(name, &n);
	if (error != 0)
		return result(error);
	size_t len = oldlenp != NULL ? *oldlenp : 0;
	error = node_io(&n, oldp, oldlenp != NULL ? &len : NULL, newp, newlen);
	node_leave(&n);
	if (oldlenp != NULL && (error == 0 || error == ENOMEM))
		*oldlenp = len;
	return result(error);
}

int
uma_sysctl_next(const char *name, char *next, size_t size)
{
	char best[UMA_SYSCTL_NAME_MAX];

	if (!started())
		return -1;
	if (!next_name(name != NULL ? name : "", best))
		return result(ENOENT);
	size_t len = strlen(best) + 1;
	if (size > 0) {
		memcpy(next, best, uma_min(len, size));
		next[uma_min(len, size) - 1] = '\0';
	}
	return result(len > size ? ENOMEM : 0);
}

static void
copy_text(char *dst, size_t size, const char *src)
{
	size_t len = src != NULL ? uma_min(strlen(src), size - 1) : 0;

	memcpy(dst, src != NULL ? src : "", len);
	dst[len] = '\0';
}

int
uma_sysctl_info(const char *name, struct uma_sysctl_info *info)
{
	struct uma_sysctl_info full;
	size_t size = info->size;
	struct node n;

	if (name == NULL || size < sizeof full)
		return result(EINVAL);
	if (!started())
		return -1;
	int error = node_find(name, &n);
	if (error != 0)
		return result(error);
	full = (struct uma_sysctl_info){.size = sizeof full, .kind = n.n_kind};
	copy_text(full.fmt, sizeof full.fmt,
	    n.n_fmt != NULL ? n.n_fmt : type_format(n.n_kind));
	copy_text(full.source, sizeof full.source, n.n_source);
	copy_text(full.descr, sizeof full.descr, n.n_descr);
	node_leave(&n);
	memcpy(info, &full, sizeof full);
	return 0;
}
