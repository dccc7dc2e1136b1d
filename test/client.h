/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.h - a client of the control socket, in the process that serves it or
 * in another: it waits for an answer by having the socket served, if it is to.
 */
#ifndef UMA_TEST_CLIENT_H
#define UMA_TEST_CLIENT_H

#include "threads.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <uma/control.h>

#define CLIENT_TEXT 65536

struct client {
	int fd;
	bool serves; /* the socket is this process's, and has no thread */
	size_t len;
	char text[CLIENT_TEXT]; /* what has come, NUL-terminated */
};

/* -1 with errno. */
static inline int
client_connect(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	MUST(fd >= 0 && strlen(path) < sizeof sun.sun_path, "socket");
	strcpy(sun.sun_path, path);
	if (connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static inline void
client_open(struct client *c, const char *path, bool serves)
{
	*c = (struct client){.serves = serves};
	/* Its queue may be full just now. */
	MUST(WAIT_FOR((c->fd = client_connect(path)) >= 0 ||
		      (serves && uma_control_handle() < 0)),
	    "no connection: %d", errno);
}

/* Take what has come; false: the end of it. */
static inline bool
client_take(struct client *c)
{
	if (c->serves)
		(void)uma_control_handle();
	ssize_t n =
	    recv(c->fd, c->text + c->len, sizeof c->text - 1 - c->len, 0);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		return false;
	c->len += n > 0 ? (size_t)n : 0;
	c->text[c->len] = '\0';
	return true;
}

/* A whole reply is there: an error, or as long as it says. */
static inline bool
client_has_reply(const struct client *c)
{
	const char *end = memchr(c->text, '\n', c->len);
	size_t len;

	if (end == NULL)
		return false;
	if (sscanf(c->text, "ok %zu", &len) != 1)
		return true;
	return c->len >= (size_t)(end + 1 - c->text) + len;
}

static inline void
client_wait_reply(struct client *c)
{
	c->len = 0;
	MUST(WAIT_FOR(!client_take(c) || client_has_reply(c)), "no reply");
}

static inline void
client_send(struct client *c, const char *line, size_t len)
{
	MUST(send(c->fd, line, len, MSG_NOSIGNAL) == (ssize_t)len,
	    "send: errno %d", errno);
}

/* The reply to a line, which has its newline. */
static inline const char *
client_ask(struct client *c, const char *line)
{
	client_send(c, line, strlen(line));
	client_wait_reply(c);
	return c->text;
}

/* Connected, and greeted. */
static inline void
client_start(struct client *c, const char *path, bool serves)
{
	client_open(c, path, serves);
	client_wait_reply(c);
	MUST(strncmp(c->text, "libuma ", 7) == 0, "greeted by: %s", c->text);
}

/* It was closed by the other side. */
static inline bool
client_is_over(struct client *c)
{
	for (double end = test_now() + PATIENCE; test_now() < end;) {
		c->len = 0;
		if (!client_take(c))
			return true;
		test_sleep_ms(1);
	}
	return false;
}

static inline void
client_end(struct client *c)
{
	close(c->fd);
	if (c->serves)
		(void)uma_control_handle();
}

/* ---- folders ---- */

/* A new one, and the path of a file in it. */
static inline void
folder_make(char folder[64], char path[96])
{
	strcpy(folder, "/tmp/uma_control_XXXXXX");
	MUST(mkdtemp(folder) != NULL, "mkdtemp");
	snprintf(path, 96, "%s/socket", folder);
}

static inline void
folder_remove(const char *folder, const char *path)
{
	(void)unlink(path);
	MUST(rmdir(folder) == 0, "%s is not empty", folder);
}

static inline bool
is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static inline int
descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

#endif
