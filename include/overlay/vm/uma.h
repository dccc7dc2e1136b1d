/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/uma.h - the zone allocator under FreeBSD's name.
 */
#ifndef UMA_OVERLAY_VM_UMA_H
#define UMA_OVERLAY_VM_UMA_H

#include <sys/malloc.h>
#include <sys/param.h>
#include <uma.h>
#include <uma/reclaim.h>
#include <uma/stream.h>

#endif
