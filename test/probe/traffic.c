/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * traffic.c - a program for test/probes.sh: a zone that comes to every probe,
 * and a probe of the program's own, as a linker has to keep them apart.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/sdt.h>

#include <uma.h>
#include <uma/wait.h>

#define ITEMS 4000
#define MAX   8

static void
come_and_go(uma_zone_t zone)
{
	static void *item[ITEMS];

	for (int round = 0; round < 2; round++) {
		for (int k = 0; k < ITEMS; k++)
			item[k] = uma_zalloc(zone, M_WAITOK);
		for (int k = 0; k < ITEMS; k++)
			uma_zfree(zone, item[k]);
	}
	uma_zone_reclaim(zone, UMA_RECLAIM_DRAIN_CPU);
}

static void
be_full(uma_zone_t zone)
{
	void *item[MAX];

	if (uma_zone_set_max(zone, MAX) != MAX)
		abort();
	for (int k = 0; k < MAX; k++)
		item[k] = uma_zalloc(zone, M_WAITOK);
	if (uma_zalloc(zone, M_NOWAIT) != NULL ||
	    uma_zalloc_timed(zone, NULL, M_WAITOK, 500000000) != NULL)
		abort();
	for (int k = 0; k < MAX; k++)
		uma_zfree(zone, item[k]);
}

int
main(void)
{
	uma_zone_t zone = uma_zcreate(
	    "conn %s", 512, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	if (zone == NULL)
		return 1;
	printf("zone %p\n", (void *)zone);
	fflush(stdout);
	STAP_PROBE1(own, here, zone);
	come_and_go(zone);
	be_full(zone);
	uma_zdestroy(zone);
	return 0;
}
