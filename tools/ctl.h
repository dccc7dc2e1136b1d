/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl.h - what the files of umactl share: a process whose names can be read,
 * by its control socket or from its memory, and a way to find the socket.
 */
#ifndef UMA_TOOLS_CTL_H
#define UMA_TOOLS_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What a name has, as the socket gives it; zeroed memory has nothing. */
struct ctl_value {
	char type[16]; /* "int", "string", "opaque" ... */
	char *bytes; /* a number or a string as text, ended by a newline */
	size_t len;
};
void ctl_value_free(struct ctl_value *v);

struct ctl_info {
	char type[16];
	char access[8]; /* of "rwt" */
	char format[16]; /* FreeBSD's; or "-" */
	char source[32]; /* where a setting is from; or "-" */
	char descr[256];
};

/*
 * A process.  The functions return 0, an errno, or CTL_LOST: it cannot be
 * asked any more; ctl_error() says why, and about the errno more than its name
 * does, where there is more.
 */
#define CTL_LOST (-1)
struct ctl {
	int (*get)(struct ctl *c, const char *name, struct ctl_value *v);
	int (*describe)(struct ctl *c, const char *name, struct ctl_info *info);
	int (*set)(struct ctl *c, const char *name, const char *value);
	/* Some names after this one, in order, a line each; none at the end. */
	int (*list)(struct ctl *c, const char *after, struct ctl_value *v);
	void (*close)(struct ctl *c);
	const char *note; /* why some names and all writes fail; or NULL */
};

/* NULL: ctl_error() says why, in one line for people, escaped. */
struct ctl *ctl_socket(const char *path, long pid);
struct ctl *ctl_process(long pid); /* by its socket, or ctl_memory */
struct ctl *ctl_memory(long pid);

const char *ctl_error(void);
void ctl_set_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Print the processes that offer a socket; false: there are none. */
bool ctl_list_processes(bool names);

/*
 * A text with what no terminal is to see as \xNN, in memory of its own, which
 * the next three calls leave alone.
 */
const char *ctl_printable(const char *text, size_t len);

#endif
