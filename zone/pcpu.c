/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcpu.c - items with a copy for each CPU, and counters beside items.
 */
#include "pages_int.h"
#include "zone_int.h"

_Static_assert(sizeof(struct pcpu) == UMA_PCPU_STRIDE,
    "base + cpu * sizeof(struct pcpu) is the contract");

/* Both work before the first zone, too. */
int
uma_ncpus(void)
{
	UMA_FATAL_IF(!uma_start(), "no memory to start");
	return pages_cpu_cnt();
}

int
uma_curcpu(void)
{
	UMA_FATAL_IF(!uma_start(), "no memory to start");
	return percpu_cpu();
}

void *
zpcpu_get(void *base)
{
	return zpcpu_get_cpu(base, percpu_cpu());
}

void *
zpcpu_get_cpu(void *base, int cpu)
{
	UMA_FATAL_IF(cpu < 0 || cpu >= pages_cpu_cnt(),
	    "zpcpu_get_cpu: CPU %d of %d", cpu, pages_cpu_cnt());
	return (char *)base + (size_t)cpu * sizeof(struct pcpu);
}

uint32_t *
uma_find_refcnt(uma_zone_t zone, void *item)
{
	char name[128];

	UMA_FATAL_IF(!(zone->uz_hot.flags & UMA_ZONE_REFCNT),
	    "zone '%s': counter of %p asked for, but no UMA_ZONE_REFCNT",
	    uma_escape(name, sizeof name, zone->uz_name), item);
	return keg_check(zone->uz_keg, zone->uz_name, "lookup", item);
}
