/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program.c - a process for test/gdb.sh to look into: zones of several kinds,
 * and what it knows of them itself, on standard output.  Then it stops itself,
 * or with an argument aborts.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uma.h>
#include <uma/stat.h>
#include <uma/whatis.h>

struct conn {
	int fd;
	char peer[28];
};

static void
print(void *arg, const char *text, size_t len)
{
	fwrite(text, 1, len, arg);
}

static void
tell(const void *addr)
{
	static const char *const word[] = {
	    "none", "pages", "slab", "fresh", "ready", "out"};
	struct uma_whatis w = {.size = sizeof w};

	uma_whatis(addr, &w);
	printf("whatis %p %s %p %zu %p %zu\n", addr, word[w.state], w.item,
	    w.index, w.slab, w.slab_size);
}

static void *
item_of(uma_zone_t zone)
{
	void *item = uma_zalloc(zone, M_WAITOK | M_ZERO);

	if (item == NULL)
		abort();
	return item;
}

static uma_zone_t
zone_of(const char *name, size_t size, int align, uint32_t flags)
{
	uma_zone_t z =
	    uma_zcreate(name, size, NULL, NULL, NULL, NULL, align, flags);

	if (z == NULL)
		abort();
	return z;
}

/* Allocated at file level: a tool that looks for leaks should find it. */
struct conn *volatile kept[1000];

static void
fill(void)
{
	uma_zone_t z = zone_of("conn", sizeof(struct conn), UMA_ALIGN_PTR, 0);

	uma_zone_set_max(z, 5000);
	for (int i = 0; i < 1000; i++) {
		kept[i] = item_of(z);
		kept[i]->fd = i;
		snprintf(kept[i]->peer, sizeof kept[i]->peer, "peer %d", i);
	}
	for (int i = 3; i < 1000; i++) /* into buckets, and slabs */
		uma_zfree(z, kept[i]);
	for (int i = 0; i < 10; i++)
		tell((char *)kept[i] + 5);
	tell(kept[500]);
	tell(kept[999]);
}

static void
fill_others(void)
{
	char *large = item_of(zone_of("large", 40000, UMA_ALIGN_CACHE, 0));
	char *percpu =
	    item_of(zone_of("percpu", 64, UMA_ALIGN_PTR, UMA_ZONE_PCPU));
	uma_zone_t hash = zone_of(
	    "hash", 100, UMA_ALIGN_PTR, UMA_ZONE_OFFPAGE | UMA_ZONE_HASH);
	uma_zone_t coloured = zone_of("coloured", 1100, UMA_ALIGN_PTR, 0);
	char *hashed[200], *colour[100];

	for (int i = 0; i < 200; i++)
		hashed[i] = item_of(hash);
	for (int i = 0; i < 100; i++)
		colour[i] = item_of(coloured);
	item_of(zone_of("two words", 24, UMA_ALIGN_PTR, 0));
	item_of(
	    zone_of("bad\033[31m%s%n\\ \xc3\xa4\x80", 24, UMA_ALIGN_PTR, 0));
	zone_of("empty", 16, UMA_ALIGN_PTR, 0);
	zone_of("twin", 16, UMA_ALIGN_PTR, 0);
	zone_of("twin", 16, UMA_ALIGN_PTR, 0);
	tell(large);
	tell(large + 39999);
	tell(percpu + 8);
	tell(percpu + UMA_PCPU_STRIDE + 8); /* where there are two CPUs */
	for (int i = 0; i < 100; i += 20)
		tell(colour[i] + 1099);
	tell(hashed[150] + 99);
	tell(&hash);
	tell((void *)-1);
	tell(NULL);
}

int
main(int argc, char **argv)
{
	(void)argv;
	fill();
	fill_others();
	uma_stats_print(print, stdout, "z");
	fflush(stdout);
	if (argc > 1)
		abort();
	raise(SIGSTOP);
	return 0;
}
