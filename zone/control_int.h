/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_int.h - the control socket, for the files that make it up.
 */
#ifndef UMA_CONTROL_INT_H
#define UMA_CONTROL_INT_H

#include <sys/types.h>

#include <uma/control.h>

#include "zone_int.h"

/* ---- control_reply.c: the text that goes to a client ---- */

/*
 * Zeroed memory is an empty one.  Its memory is of the metadata pool; where
 * that has none, or the text would be longer than 16 MiB, it becomes an error.
 */
struct reply {
	char *rp_text; /* room for the first line, then the rest */
	size_t rp_room;
	size_t rp_len; /* bytes of both */
	size_t rp_sent; /* of them, those gone or not needed */
	bool rp_lost; /* something did not fit */
};

/* Space for len bytes more, in one piece, to be counted by the caller. */
char *reply_space(struct reply *rp, size_t len);
void reply_put(struct reply *rp, const char *text, size_t len);
/* The same, with control bytes, blanks and backslashes as \xNN. */
void reply_put_name(struct reply *rp, const char *name);
void reply_printf(struct reply *rp, const char *fmt, ...) UMA_PRINTF(2, 3);
/*
 * Make a whole of it: an error, or "ok", the length, a word if there is one,
 * and what was put.  Without memory rp_lost is left, and no text.
 */
void reply_end(struct reply *rp, int error, const char *word);
void reply_free(struct reply *rp);

/* ---- control_line.c: requests ---- */

/* The longest, in bytes with its newline. */
#define CONTROL_LINE_MAX 1024

/*
 * Answer a request of len bytes, without its newline, in line[len], which it
 * may change.  False: the client wants no more.
 */
bool control_line(char *line, size_t len, struct reply *rp);

/* ---- control_file.c: the socket and its file ---- */

#define CONTROL_PATH_MAX 108 /* bytes of the longest, with its NUL */

struct control_file {
	char cf_path[CONTROL_PATH_MAX];
	dev_t cf_dev;
	ino_t cf_ino;
};

/* The path, or with NULL the one by default: 0, or an errno. */
int control_file_name(struct control_file *cf, const char *path);
/* A socket that listens there, in *fd: 0, or an errno. */
int control_file_listen(struct control_file *cf, int *fd);
/* Unless it is another's by now. */
void control_file_remove(const struct control_file *cf);

#endif
