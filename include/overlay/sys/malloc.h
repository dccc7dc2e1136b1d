/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys/malloc.h - malloc(9)'s flags, which uma_zalloc() takes.
 */
#ifndef UMA_OVERLAY_SYS_MALLOC_H
#define UMA_OVERLAY_SYS_MALLOC_H

#include <uma.h>

#endif
