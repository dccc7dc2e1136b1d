/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nodes.c - a module with nodes of the sysctl tree, below one of its own and
 * below one that another module has.
 */
#include <uma/sysctl.h>

UMA_API int plugin_number = 5;

/* The parent after the child: their order is nobody's business. */
SYSCTL_INT(_debug_plugin, OID_AUTO, number, CTLFLAG_RW, &plugin_number, 0,
    "A number of the module's");
SYSCTL_NODE(_debug, OID_AUTO, plugin, CTLFLAG_RW, 0, "The module's");
SYSCTL_INT(_debug_host, OID_AUTO, guest, CTLFLAG_RD, 0, 7, "Below another's");
