/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugin.c - the code of all modules that test_plugin loads.  PLUGIN_INLINE:
 * with its hits inlined.
 */
#include "plugin.h"
#ifdef PLUGIN_INLINE
#include <uma/inline.h>
#endif

#define MARK  UINT64_C(0x706c7567696e2121)
#define BATCH 40

static uma_zone_t
create(void)
{
	return uma_zcreate(
	    "plugin", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
}

static void
zfree(uma_zone_t zone, void *item)
{
	uma_zfree(zone, item);
}

/* One item away, marked, for the one in *place. */
static int
give_back(uma_zone_t zone, void **place, uint64_t *item)
{
	*item = MARK;
	item = __atomic_exchange_n(place, item, __ATOMIC_ACQ_REL);
	if (item == NULL)
		return 1;
	int good = *item == MARK;
	*item = 0;
	uma_zfree(zone, item);
	return good;
}

static long
run(uma_zone_t zone, void **place, long n)
{
	void *items[BATCH];
	long done = 0;

	while (done < n) {
		int k = 0;

		for (; k < BATCH && done < n; k++, done++)
			items[k] = k % 2 == 0
				       ? uma_zalloc(zone, M_WAITOK)
				       : uma_zalloc_arg(zone, NULL, M_WAITOK);
		while (k-- > 0)
			if (!give_back(zone, place, items[k]))
				return -1;
	}
	return done;
}

extern const struct plugin plugin;
UMA_API const struct plugin plugin = {
    .create = create,
    .destroy = uma_zdestroy,
    .stat = uma_zone_stat,
    .mode = uma_percpu_mode,
    .run = run,
    .free = zfree,
};
