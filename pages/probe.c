/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.c - the semaphores of all probes, at the bottom of the house, where
 * every folder's probes find them.
 *
 * Hidden, in a section of this name, as the tools want it; the notes refer to
 * them, and to nothing else of ours.
 */
#include "uma_probe_int.h"

#if UMA_PROBES
#define PROBE_DEFINE(provider, name)                   \
	unsigned short PROBE_SEMAPHORE(provider, name) \
	    __attribute__((section(".probes")));
PROBES(PROBE_DEFINE)
#endif
