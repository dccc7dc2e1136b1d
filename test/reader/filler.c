/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filler.c - a process for test_reader to look into: fills zones of many kinds,
 * leaves its own statistics in files, and stops or dies.
 *
 *     filler stop|abort FILE [PLUGIN]
 *
 * FILE.0 gets the statistics; with a plugin, which has a library of its own and
 * is this file too, FILE.1 those of the plugin.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uma.h>
#include <uma/stat.h>

enum { ITEMS = 3000 };

static const struct kind {
	size_t size;
	uint32_t flags;
	int limit;
} kinds[] = {
    {16, 0, 0},
    {64, 0, 5000},
    {200, UMA_ZONE_HASH, 0},
    {1024, 0, 0},
    {2048, UMA_ZONE_REFCNT, 0},
    {5000, 0, 0},
    {128, UMA_ZONE_PCPU, 0},
    {300, UMA_ZONE_NODUMP, 0},
    {64, UMA_ZONE_NODUMP, 0},
    {300, UMA_ZONE_OFFPAGE, 0},
    {77, UMA_ZONE_NOBUCKET, 0},
    {500, UMA_ZONE_CACHESPREAD, 3001},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* What only NODUMP items hold, so that it is looked for in vain elsewhere. */
static void
mark(char *item, const struct kind *k)
{
	for (int i = 0; i < 8; i++)
		item[i] = (char)("TERCES!!"[i] ^
				 (k->flags & UMA_ZONE_NODUMP ? 0 : 0x55));
}

static void
fill_zone(size_t n)
{
	const struct kind *k = &kinds[n];
	static void *items[ITEMS];
	char name[80];

	snprintf(name, sizeof name,
	    n % 2 ? "kind %zu" : "kind %zu\033[1m \"%%s\" and longer than 31",
	    n);
	uma_zone_t zone = uma_zcreate(
	    name, k->size, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, k->flags);
	if (zone == NULL)
		exit(2);
	if (k->limit != 0)
		uma_zone_set_max(zone, k->limit);
	for (int i = 0; i < ITEMS; i++) {
		if ((items[i] = uma_zalloc(zone, M_NOWAIT)) == NULL)
			exit(3);
		mark(items[i], k);
	}
	for (int i = 0; i < 2000; i += 1 + (int)n % 3)
		uma_zfree(zone, items[i]);
}

static void
put(void *arg, const char *text, size_t len)
{
	fwrite(text, 1, len, arg);
}

/* The snapshot is kept: the library's memory has to stay as it says. */
__attribute__((visibility("default"))) int
filler_fill(const char *file, int number)
{
	char name[4096];

	for (size_t n = 0; n < KINDS; n++)
		fill_zone(n);
	struct uma_stats *s = uma_stats_take();
	snprintf(name, sizeof name, "%s.%d", file, number);
	FILE *f = fopen(name, "w");
	if (s == NULL || f == NULL)
		return 1;
	uma_stats_format(s, put, f, "z");
	uma_stats_format(s, put, f, "j");
	return fclose(f);
}

#ifdef FILLER_ALONE
static int
load(const char *plugin, const char *file)
{
	(void)plugin;
	(void)file;
	return 4;
}
#elif !defined(FILLER_PLUGIN)
static int
load(const char *plugin, const char *file)
{
	int (*fill)(const char *, int);
	void *module = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);

	if (module == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		return 4;
	}
	*(void **)&fill = dlsym(module, "filler_fill");
	return fill(file, 1);
}
#endif

#ifndef FILLER_PLUGIN
int
main(int argc, char **argv)
{
	if (argc < 3)
		return 1;
	int error = argc > 3 ? load(argv[3], argv[2]) : 0;
	if (error == 0)
		error = filler_fill(argv[2], 0);
	if (error != 0)
		return error;
	if (strcmp(argv[1], "stop") == 0)
		raise(SIGSTOP);
	if (strcmp(argv[1], "abort") == 0) {
		signal(SIGABRT, SIG_DFL);
		abort();
	}
	return 0;
}
#endif
