/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys/sysctl.h - FreeBSD's names for what uma/sysctl.h has.
 */
#ifndef UMA_OVERLAY_SYS_SYSCTL_H
#define UMA_OVERLAY_SYS_SYSCTL_H

#include <sys/types.h>
#include <uma/sysctl.h>

#define sysctlbyname	     uma_sysctlbyname
#define sysctl_ctx_init	     uma_sysctl_ctx_init
#define sysctl_ctx_free	     uma_sysctl_ctx_free
#define sysctl_handle_int    uma_sysctl_handle_int
#define sysctl_handle_long   uma_sysctl_handle_64
#define sysctl_handle_64     uma_sysctl_handle_64
#define sysctl_handle_string uma_sysctl_handle_string

#endif
