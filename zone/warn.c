/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * warn.c - what a zone says when it is full: not often, and off if so wished.
 */
#include <errno.h>
#include <string.h>

#include "pages_int.h"
#include "zone_int.h"

#define WARN_PERIOD_NS (INT64_C(300) * 1000000000)
#define WARN_TEXT_MAX  256

bool
warn_due(_Atomic int64_t *at, int64_t period)
{
	int64_t now = uma_now_ns();
	int64_t due = atomic_load_explicit(at, memory_order_relaxed);

	return now >= due &&
	       atomic_compare_exchange_strong_explicit(at, &due, now + period,
		   memory_order_relaxed, memory_order_relaxed);
}

/* A copy of the warning, since another thread may replace it; false: none. */
static bool
zone_warning_get(struct uma_zone *zone, char *text, size_t size)
{
	uma_lock_acquire(&zone->uz_limit.l_lock);
	bool any = zone->uz_warning != NULL;
	if (any)
		uma_escape(text, size, zone->uz_warning);
	uma_lock_release(&zone->uz_limit.l_lock);
	return any;
}

void
zone_warn_full(struct uma_zone *zone)
{
	char name[128], text[WARN_TEXT_MAX];

	if (!SETTING(zone_warnings) ||
	    !zone_warning_get(zone, text, sizeof text) ||
	    !warn_due(&zone->uz_warn_at, WARN_PERIOD_NS))
		return;
	uma_message("[zone: %s] %s",
	    uma_escape(name, sizeof name, zone->uz_name), text);
}

void
uma_zone_set_warning(uma_zone_t zone, const char *warning)
{
	char *copy = NULL;

	if (warning != NULL) {
		copy = meta_alloc(strlen(warning) + 1, 0);
		if (copy == NULL) {
			errno = ENOMEM;
			return;
		}
		strcpy(copy, warning);
	}
	uma_lock_acquire(&zone->uz_limit.l_lock);
	char *old = zone->uz_warning;
	zone->uz_warning = copy;
	uma_lock_release(&zone->uz_limit.l_lock);
	if (old != NULL)
		meta_free(old, strlen(old) + 1);
}

void
uma_set_warning_sink(uma_warning_sink sink, void *arg)
{
	uma_message_sink(sink, arg);
}
