/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * name.c - what zones are called in the sysctl tree: by their names, with _ for
 * what would divide or end a name there.  A second zone of a name gets _1, the
 * next _2, and so on, for as long as it lives; so do those that are called like
 * one of our settings.
 *
 * Only the number is kept, with two hashes, so that a new zone looks at one
 * line of each other one.  The hashes are Fowler, Noll and Vo's FNV-1a.
 */
#include <stdio.h>
#include <string.h>

#include "sysctl_int.h"

/* Room for the number: its sign, ten digits and the NUL. */
#define BASE_MAX (ZONE_NAME_MAX - 12)

static uint32_t
name_hash(const char *name, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 16777619u;
	return h;
}

size_t
zone_base(const struct uma_zone *zone, char name[ZONE_NAME_MAX])
{
	const char *from = zone->uz_name;
	size_t len = 0;

	for (; *from != '\0' && len < BASE_MAX; from++, len++) {
		unsigned char c = (unsigned char)*from;
		bool bad = c <= ' ' || c == 0x7f || strchr("./\\-", c) != NULL;

		name[len] = bad ? '_' : *from;
	}
	if (len == 0)
		name[len++] = '_';
	name[len] = '\0';
	return len;
}

void
zone_name(const struct uma_zone *zone, char name[ZONE_NAME_MAX])
{
	size_t len = zone_base(zone, name);

	if (zone->uz_name_cnt != 0)
		snprintf(name + len, ZONE_NAME_MAX - len, "_%u",
		    (unsigned)zone->uz_name_cnt);
}

/* A new zone, and what the other zones have to do with it. */
struct naming {
	struct uma_zone *ng_zone;
	char ng_base[ZONE_NAME_MAX];
	char ng_name[ZONE_NAME_MAX];
	uint32_t ng_cnt; /* beyond those of the zones with its base */
	bool ng_taken; /* another zone has the name */
};

static bool
naming_look_base(struct uma_zone *other, void *arg)
{
	struct naming *ng = arg;
	char base[ZONE_NAME_MAX];

	if (other->uz_base_hash == ng->ng_zone->uz_base_hash) {
		zone_base(other, base);
		if (strcmp(base, ng->ng_base) == 0)
			ng->ng_cnt =
			    uma_max(ng->ng_cnt, other->uz_name_cnt + 1);
	}
	return false;
}

static bool
naming_look_name(struct uma_zone *other, void *arg)
{
	struct naming *ng = arg;
	char name[ZONE_NAME_MAX];

	if (other->uz_name_hash == ng->ng_zone->uz_name_hash) {
		zone_name(other, name);
		ng->ng_taken |= strcmp(name, ng->ng_name) == 0;
	}
	return false;
}

void
zone_name_assign(struct uma_zone *zone)
{
	struct naming ng = {.ng_zone = zone};
	size_t len = zone_base(zone, ng.ng_base);

	zone->uz_base_hash = name_hash(ng.ng_base, len);
	ng.ng_cnt = setting_has_name(ng.ng_base) ? 1 : 0;
	zlist_look_locked(naming_look_base, &ng);
	do { /* "a_1" may be what another zone was made with */
		zone->uz_name_cnt = ng.ng_cnt++;
		zone_name(zone, ng.ng_name);
		zone->uz_name_hash = name_hash(ng.ng_name, strlen(ng.ng_name));
		ng.ng_taken = false;
		zlist_look_locked(naming_look_name, &ng);
	} while (ng.ng_taken);
}

/* ---- finding them ---- */

struct wanted {
	const char *w_name;
	size_t w_len;
	uint32_t w_hash;
	char w_best[ZONE_NAME_MAX];
};

static bool
is_wanted(struct uma_zone *zone, void *arg)
{
	const struct wanted *w = arg;
	char name[ZONE_NAME_MAX];

	if (zone->uz_name_hash != w->w_hash)
		return false;
	zone_name(zone, name);
	return strncmp(name, w->w_name, w->w_len) == 0 &&
	       name[w->w_len] == '\0';
}

struct uma_zone *
zone_by_name(const char *name, size_t len)
{
	struct wanted w = {name, len, name_hash(name, len), ""};

	return len < ZONE_NAME_MAX ? zlist_pick(is_wanted, &w) : NULL;
}

static bool
is_nearer(struct uma_zone *zone, void *arg)
{
	struct wanted *w = arg;
	char name[ZONE_NAME_MAX];

	zone_name(zone, name);
	if (strcmp(name, w->w_name) <= 0 ||
	    (w->w_best[0] != '\0' && strcmp(name, w->w_best) >= 0))
		return false;
	strcpy(w->w_best, name);
	return true;
}

struct uma_zone *
zone_after_name(const char *name)
{
	struct wanted w = {name, strlen(name), 0, ""};

	return zlist_pick(is_nearer, &w);
}
