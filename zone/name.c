/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * name.c - what zones are called in the sysctl tree: by their names, with _ for
 * what would divide or end a name there.  A second zone of a name gets _1, the
 * next _2, and so on, for as long as it lives; so do those that are called like
 * one of our settings.
 *
 * Numbers of zones that are gone are given again, as long as few zones share a
 * name: if they only rose, a walk in the order of names could be led on by zones
 * that come and go faster than it passes them.
 *
 * They are found through a table of chains, by a hash of their names without
 * the number (Fowler, Noll and Vo's FNV-1a), so that neither a read nor a new
 * zone looks at all others.  A name that ends in a number may be in two chains.
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

/* ---- the table.  Locked, all of these. ---- */

#define CHAINS 512
static struct uma_zone *chain[CHAINS]; /* guarded by zlist_lock */

static struct uma_zone **
chain_for(const char *base, size_t len)
{
	return &chain[name_hash(base, len) % CHAINS];
}

static struct uma_zone *
chain_find(struct uma_zone *zone, const char *wanted, size_t len)
{
	char name[ZONE_NAME_MAX];

	for (; zone != NULL; zone = zone->uz_name_next) {
		zone_name(zone, name);
		if (strncmp(name, wanted, len) == 0 && name[len] == '\0')
			return zone;
	}
	return NULL;
}

static struct uma_zone *
name_find(const char *name, size_t len)
{
	struct uma_zone *zone = chain_find(*chain_for(name, len), name, len);
	size_t base = len;

	uma_lock_assert_held(&zlist_lock);
	if (zone != NULL)
		return zone;
	while (base > 0 && name[base - 1] >= '0' && name[base - 1] <= '9')
		base--;
	if (base < 2 || base == len || name[base - 1] != '_')
		return NULL;
	return chain_find(*chain_for(name, base - 1), name, len);
}

/* The least number that is free, of the first 64; or the one after all. */
static uint32_t
name_cnt_free(const char *base, size_t len)
{
	uint64_t taken = setting_has_name(base) ? 1 : 0;
	char other[ZONE_NAME_MAX];
	uint32_t after = 0;

	for (struct uma_zone *z = *chain_for(base, len); z != NULL;
	     z = z->uz_name_next) {
		zone_base(z, other);
		if (strcmp(other, base) != 0)
			continue;
		after = uma_max(after, z->uz_name_cnt + 1);
		if (z->uz_name_cnt < 64)
			taken |= UINT64_C(1) << z->uz_name_cnt;
	}
	return taken != UINT64_MAX ? (uint32_t)__builtin_ctzll(~taken) : after;
}

void
zone_name_assign(struct uma_zone *zone)
{
	char base[ZONE_NAME_MAX], name[ZONE_NAME_MAX];
	size_t len = zone_base(zone, base);
	struct uma_zone **head = chain_for(base, len);

	zone->uz_name_cnt = name_cnt_free(base, len);
	zone_name(zone, name);
	/* "a_1" may be what another zone was made with. */
	while (name_find(name, strlen(name)) != NULL) {
		zone->uz_name_cnt++;
		zone_name(zone, name);
	}
	zone->uz_name_next = *head;
	*head = zone;
}

void
zone_name_drop(struct uma_zone *zone)
{
	char base[ZONE_NAME_MAX];
	struct uma_zone **at = chain_for(base, zone_base(zone, base));

	while (*at != zone)
		at = &(*at)->uz_name_next;
	*at = zone->uz_name_next;
}

/* ---- finding them ---- */

struct uma_zone *
zone_by_name(const char *name, size_t len)
{
	if (len == 0 || len >= ZONE_NAME_MAX)
		return NULL;
	uma_lock_acquire(&zlist_lock);
	struct uma_zone *zone = name_find(name, len);
	if (zone != NULL)
		zone->uz_refs++;
	uma_lock_release(&zlist_lock);
	return zone;
}

struct nearest {
	const char *nr_after;
	char nr_best[ZONE_NAME_MAX];
};

static bool
is_nearer(struct uma_zone *zone, void *arg)
{
	struct nearest *nr = arg;
	char name[ZONE_NAME_MAX];

	zone_name(zone, name);
	if (strcmp(name, nr->nr_after) <= 0 ||
	    (nr->nr_best[0] != '\0' && strcmp(name, nr->nr_best) >= 0))
		return false;
	strcpy(nr->nr_best, name);
	return true;
}

struct uma_zone *
zone_after_name(const char *name)
{
	struct nearest nr = {name, ""};

	return zlist_pick(is_nearer, &nr);
}
