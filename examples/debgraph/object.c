/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * object.c - one small interface, two allocators behind it.
 *
 * This is the only file that knows whether the objects are zone items or
 * malloc'd.  A kind of object that has lists gets them from its init hook.
 * In a zone an object keeps its lists, empty, from one life to the next, and
 * init runs once per piece of memory; with malloc it runs on each allocation.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uma.h>

#include "debgraph.h"

static int
package_init(void *mem, int size, int flags)
{
	struct package *k = mem;

	(void)size, (void)flags;
	TAILQ_INIT(&k->k_versions);
	LIST_INIT(&k->k_providers);
	LIST_INIT(&k->k_choices);
	return 0;
}

/* Objects come back as init left them; fini is the last to look. */
static void
package_fini(void *mem, int size)
{
	struct package *k = mem;

	(void)size;
	assert(TAILQ_EMPTY(&k->k_versions));
	assert(LIST_EMPTY(&k->k_providers));
	assert(LIST_EMPTY(&k->k_choices));
	(void)k;
}

static int
version_init(void *mem, int size, int flags)
{
	struct version *v = mem;

	(void)size, (void)flags;
	STAILQ_INIT(&v->v_depends);
	SLIST_INIT(&v->v_provides);
	return 0;
}

static int
depend_init(void *mem, int size, int flags)
{
	struct depend *d = mem;

	(void)size, (void)flags;
	SLIST_INIT(&d->d_choices);
	return 0;
}

static const struct {
	const char *name;
	size_t size;
	uma_init init;
	uma_fini fini;
} kinds[KIND_CNT] = {
    [KIND_PACKAGE] = {"package", sizeof(struct package), package_init,
	package_fini},
    [KIND_VERSION] = {"version", sizeof(struct version), version_init, NULL},
    [KIND_DEPEND] = {"depend", sizeof(struct depend), depend_init, NULL},
    [KIND_CHOICE] = {"choice", sizeof(struct choice), NULL, NULL},
    [KIND_PROVIDE] = {"provide", sizeof(struct provide), NULL, NULL},
    [KIND_VISIT] = {"visit", sizeof(struct visit), NULL, NULL},
    [KIND_STRING] = {"string-8", 8, NULL, NULL},
    {"string-16", 16, NULL, NULL},
    {"string-32", 32, NULL, NULL},
    {"string-64", 64, NULL, NULL},
    {"string-128", 128, NULL, NULL},
    {"string-256", 256, NULL, NULL},
    {"string-512", STRING_MAX, NULL, NULL},
};

static uma_zone_t zones[KIND_CNT]; /* all NULL: malloc */

void
objects_open(bool uma)
{
	for (int i = 0; uma && i < KIND_CNT; i++) {
		bool text = i >= KIND_STRING;

		zones[i] = uma_zcreate(kinds[i].name, kinds[i].size, NULL, NULL,
		    kinds[i].init, kinds[i].fini,
		    text ? UMA_ALIGN_CHAR : UMA_ALIGN_PTR, 0);
		if (zones[i] == NULL) {
			perror("debgraph: uma_zcreate");
			exit(1);
		}
	}
}

/* Says so on standard error if an object was not freed. */
void
objects_close(void)
{
	for (int i = 0; i < KIND_CNT; i++)
		uma_zdestroy(zones[i]);
}

static void *
checked_malloc(size_t size)
{
	void *mem = malloc(size);

	if (mem == NULL) {
		perror("debgraph");
		exit(1);
	}
	return mem;
}

void *
object_new(enum kind kind)
{
	if (zones[kind] != NULL)
		return uma_zalloc(zones[kind], M_WAITOK); /* never NULL */

	void *object = checked_malloc(kinds[kind].size);

	if (kinds[kind].init != NULL)
		kinds[kind].init(object, (int)kinds[kind].size, M_WAITOK);
	return object;
}

void
object_free(enum kind kind, void *object)
{
	if (zones[kind] != NULL) {
		uma_zfree(zones[kind], object);
		return;
	}
	if (kinds[kind].fini != NULL)
		kinds[kind].fini(object, (int)kinds[kind].size);
	free(object);
}

/* The smallest class for size bytes. */
static enum kind
string_kind(size_t size)
{
	enum kind kind = KIND_STRING;

	while (kinds[kind].size < size)
		kind++;
	return kind;
}

/* A copy of len bytes of text, with a NUL; len < STRING_MAX. */
char *
string_new(const char *text, size_t len)
{
	char *s = zones[KIND_STRING] == NULL
		      ? checked_malloc(len + 1)
		      : uma_zalloc(zones[string_kind(len + 1)], M_WAITOK);

	memcpy(s, text, len);
	s[len] = '\0';
	return s;
}

void
string_free(char *string)
{
	if (string == NULL)
		return;
	if (zones[KIND_STRING] == NULL)
		free(string);
	else
		uma_zfree(zones[string_kind(strlen(string) + 1)], string);
}
