/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys/param.h - the C library's, with macros that FreeBSD's has besides.
 */
#ifndef UMA_OVERLAY_SYS_PARAM_H
#define UMA_OVERLAY_SYS_PARAM_H
#pragma GCC system_header /* #include_next */

#include_next <sys/param.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef nitems
#define nitems(array) (sizeof(array) / sizeof((array)[0]))
#endif
#ifndef rounddown
#define rounddown(x, y) (((x) / (y)) * (y))
#endif
/* For powers of two. */
#ifndef roundup2
#define roundup2(x, y) (((x) + ((y)-1)) & ~((y)-1))
#endif
#ifndef rounddown2
#define rounddown2(x, y) ((x) & ~((y)-1))
#endif
#ifndef CACHE_LINE_SIZE
#define CACHE_LINE_SIZE 64
#endif

#endif
