/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugin.h - what the modules that test_plugin loads show it: the same calls,
 * made by code of the module.
 */
#ifndef UMA_TEST_PLUGIN_H
#define UMA_TEST_PLUGIN_H

#include <uma.h>
#include <uma/stat.h>

struct plugin {
	uma_zone_t (*create)(void);
	void (*destroy)(uma_zone_t zone);
	int (*stat)(uma_zone_t zone, struct uma_zone_stat *st);
	const char *(*mode)(void);
	/*
	 * Allocate and free n items.  Each is marked, and put into *place, an
	 * atomic word, for what was there, which is freed.  How many were
	 * allocated; -1 if an item that came back was not marked.
	 */
	long (*run)(uma_zone_t zone, void **place, long n);
	void (*free)(uma_zone_t zone, void *item);
};

#define PLUGIN_SYMBOL "plugin"

#endif
