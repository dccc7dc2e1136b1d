/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * start.c - the first call of a process: settings, pages, CPUs, fork handlers.
 * It may come before main, and may fail for want of memory and be tried again.
 */
#define _GNU_SOURCE /* secure_getenv */
#include <stdlib.h>

#include "pages_int.h"
#include "zone_int.h"

struct uma_lock uma_start_lock = UMA_LOCK_INITIALIZER(UMA_RANK_INIT);
struct settings uma_settings = {
    .set_zone_warnings = true,
    .set_cache_max = (uint64_t)256 << 20,
    .set_zone_cache_max = (uint64_t)16 << 20,
    .set_reclaim_period = 20000,
    .set_sample_period = (uint64_t)512 << 10,
};

/* The steps that must not be repeated, guarded by uma_start_lock. */
static bool settings_read;
static _Atomic bool started;

static void
start_settings(void)
{
	const char *text = secure_getenv("UMA_OPTIONS");

	if (text != NULL)
		settings_parse(&uma_settings, text, false);
	uma_message_mute(uma_settings.set_sink_none);
	settings_read = true;
}

/* What there is to say about the settings, without any lock held. */
static void
start_say(void)
{
	const char *text = secure_getenv("UMA_OPTIONS");
	struct settings scratch;

	/* Faults that are fatal are told in any case. */
	if (uma_settings.set_strict)
		uma_message_mute(false);
	size_t faults = text != NULL ? settings_parse(&scratch, text, true) : 0;

	if (rules_lost()) {
		uma_message("uma: UMA_OPTIONS: too many settings of zones, or "
			    "names too long: not all count");
		faults++;
	}
	UMA_FATAL_IF(faults > 0 && uma_settings.set_strict,
	    "UMA_OPTIONS: strict, and %zu setting%s not understood", faults,
	    faults == 1 ? "" : "s");
	uma_message_mute(SETTING(sink_none));
}

static bool
start_locked(void)
{
	if (!settings_read)
		start_settings();
	struct pages_config pages = {.pg_thp = uma_settings.set_thp,
	    .pg_prefault = uma_settings.set_prefault,
	    .pg_mlock = uma_settings.set_mlock};
	if (pages_init(&pages) != 0)
		return false;
	if (!percpu_init(pages_cpu_cnt(), pages_domain_cnt(),
		uma_settings.set_percpu_lock))
		return false;
	return header_zones_start();
}

const char *
uma_percpu_mode(void)
{
	return uma_start() ? percpu_mode() : "not started: no memory";
}

bool
uma_start(void)
{
	if (uma_likely(atomic_load_explicit(&started, memory_order_acquire)))
		return true;
	/* Both may take locks of the C library's: before ours. */
	if (!module_pin() || !fork_start())
		return false;
	uma_lock_acquire(&uma_start_lock);
	bool first = !settings_read;
	if (!atomic_load_explicit(&started, memory_order_relaxed))
		atomic_store_explicit(
		    &started, start_locked(), memory_order_release);
	bool ok = atomic_load_explicit(&started, memory_order_relaxed);
	uma_lock_release(&uma_start_lock);
	if (first)
		start_say();
	return ok;
}
