/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zones.c - the target's list of zones.
 *
 * The list may change while it is walked.  A step is good if the zone that it
 * leads to points back to where it came from; so a walk cannot go round, and
 * it ends at the head or at a zone that has left.  Between two equal even
 * values of zlist_changes it has seen the list as it was.  Where zones come and
 * go all the time that may never happen: then a walk that was good at each step
 * will do.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "target.h"

#define LIST_MAX    ((size_t)1 << 30) /* bytes of the copies */
#define TRIES_MAX   12
#define TRIES_EXACT 6 /* after which a walk good at each step will do */

bool
try_again(struct target *t, int tries)
{
	struct timespec some = {0, 500000};

	if (t->fd >= 0 || t->gone || t->denied || t->left == 0 ||
	    tries >= TRIES_MAX)
		return false;
	nanosleep(&some, NULL);
	return true;
}

uint64_t
root_get(struct target *t, enum name_root r, size_t size)
{
	uint64_t v = 0, addr = target_copy(t)->root[r];

	if (addr == 0 || !target_read(t, addr, &v, size))
		return 0;
	return v;
}

void
zones_free(struct zone_list *zl)
{
	free(zl->addr);
	free(zl->bytes);
	*zl = (struct zone_list){0};
}

static bool
list_grow(struct zone_list *zl)
{
	size_t room = zl->room == 0 ? 64 : 2 * zl->room;

	if (zl->cnt < zl->room)
		return true;
	uint64_t *addr = realloc(zl->addr, room * sizeof *addr);
	if (addr == NULL)
		return target_fail("no memory");
	zl->addr = addr;
	char *bytes = realloc(zl->bytes, room * zl->len);
	if (bytes == NULL)
		return target_fail("no memory");
	zl->bytes = bytes;
	zl->room = room;
	return true;
}

/* Counts that sizes go by. */
static bool
counts_read(struct target *t, struct zone_list *zl)
{
	struct copy *c = target_copy(t);
	int32_t cpus, domains;

	if (!target_read(t, c->root[NR_CPU_CNT], &cpus, sizeof cpus) ||
	    !target_read(t, c->root[NR_DOMAIN_CNT], &domains, sizeof domains))
		return target_fail_read(t, "what libuma knows of the machine");
	if (cpus < 1 || cpus > CPUS_MAX || domains < 1 || domains > DOMAINS_MAX)
		return target_fail("%s: the memory of its libuma is damaged: "
				   "%d CPUs, %d domains",
		    t->name, cpus, domains);
	zl->cpus = cpus;
	zl->domains = domains;
	zl->len = c->field[NF_ZONE].value +
		  (size_t)domains * c->field[NF_DEPOT].value;
	return true;
}

enum walk { WALK_WHOLE, WALK_BROKEN, WALK_FAILED };

static enum walk
list_walk(struct target *t, struct zone_list *zl)
{
	const struct copy *c = target_copy(t);
	uint64_t head = c->root[NR_ZLIST], prev = head, at;

	if (!target_read(t, head + c->field[NF_LIST_NEXT].value, &at, 8)) {
		target_fail_read(t, "the list of zones");
		return WALK_FAILED;
	}
	for (zl->cnt = 0; at != head; zl->cnt++) {
		if (zl->cnt == ZONES_MAX || zl->cnt >= LIST_MAX / zl->len) {
			target_fail("%s: more than %zu zones: the memory of "
				    "its libuma is damaged",
			    t->name, zl->cnt);
			return WALK_FAILED;
		}
		if (!list_grow(zl))
			return WALK_FAILED;
		char *raw = zone_bytes(zl, zl->cnt);
		uint64_t addr = at - c->field[NF_ZONE_LINK].value;
		if (!target_read(t, addr, raw, zl->len)) {
			target_fail_read(t, "a zone");
			return WALK_BROKEN;
		}
		if (field_get2(c, raw, zl->len, NF_ZONE_LINK, NF_LIST_PREV) !=
		    prev) {
			target_fail("%s: the list of zones kept changing, or "
				    "is damaged",
			    t->name);
			return WALK_BROKEN;
		}
		zl->addr[zl->cnt] = addr;
		prev = at;
		at = field_get2(c, raw, zl->len, NF_ZONE_LINK, NF_LIST_NEXT);
	}
	return WALK_WHOLE;
}

static bool
still_there(struct target *t)
{
	if (proc_is_same(t) && names_still(t, target_copy(t)))
		return true;
	if (t->fd >= 0 || t->gone || t->denied || proc_is_zombie(t->pid))
		return target_fail_read(t, "the layout of its libuma");
	return target_fail("%s: its libuma is gone: it executes another "
			   "program, or is ending",
	    t->name);
}

bool
zones_read(struct target *t, struct zone_list *zl)
{
	int tries = 0;

	*zl = (struct zone_list){0};
	t->gone = false;
	if (!still_there(t) || !counts_read(t, zl))
		return false;
	do {
		uint64_t before = root_get(t, NR_ZLIST_CHANGES, 8);
		enum walk walk = list_walk(t, zl);
		uint64_t after = root_get(t, NR_ZLIST_CHANGES, 8);

		if (walk == WALK_FAILED)
			break;
		if (walk == WALK_WHOLE &&
		    ((before == after && before % 2 == 0) ||
			tries >= TRIES_EXACT || t->fd >= 0))
			return true;
	} while (try_again(t, ++tries));
	if (t->gone || t->denied)
		target_fail_read(t, "the list of zones");
	zones_free(zl);
	return false;
}
