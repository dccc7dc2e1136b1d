/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl_socket.c - a process by its control socket: uma_control(3) has what goes
 * over it.  What comes back is not trusted: it is bounded, and waited for only
 * so long.
 */
#define _GNU_SOURCE /* struct ucred, mempcpy */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl.h"
#include "umastat.h"

enum {
	LINE_MAX_LEN = 1024, /* of a request, and of a reply's first line */
	REPLY_MAX = 64 << 20,
	SECONDS = 5,
};

struct socket_ctl {
	struct ctl ctl;
	int fd;
	size_t len, at; /* of buf, what has come, and what of it was used */
	char buf[4096];
};

/* ---- errors and texts, for all files ---- */

static char error_text[512];

const char *
ctl_error(void)
{
	return error_text;
}

void
ctl_set_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error_text, sizeof error_text, fmt, ap);
	va_end(ap);
}

const char *
ctl_printable(const char *text, size_t len)
{
	static char *ring[4];
	static unsigned turn;
	char **mine = &ring[turn++ % 4], *to;

	free(*mine);
	to = *mine = malloc(4 * len + 1);
	if (to == NULL)
		return "?";
	for (size_t i = 0, n; i < len; i += n) {
		n = shown_len(text + i, len - i);
		if (n == 0)
			to += sprintf(to, "\\x%02x", (unsigned char)text[i]);
		else
			to = mempcpy(to, text + i, n);
		n += n == 0;
	}
	*to = '\0';
	return *mine;
}

void
ctl_value_free(struct ctl_value *v)
{
	free(v->bytes);
	*v = (struct ctl_value){.bytes = NULL};
}

/* ---- bytes ---- */

static int
lost(const char *why)
{
	ctl_set_error("the process does not answer: %s", why);
	return CTL_LOST;
}

static int
send_all(struct socket_ctl *s, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(s->fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return lost(strerror(errno));
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
receive(struct socket_ctl *s, char *to, size_t room, size_t *got)
{
	ssize_t n;

	do {
		n = recv(s->fd, to, room, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return lost(
		    errno == EAGAIN ? "it takes too long" : strerror(errno));
	if (n == 0)
		return lost("it has closed the connection");
	*got = (size_t)n;
	return 0;
}

/* Without its newline, NUL-terminated. */
static int
read_line(struct socket_ctl *s, char line[LINE_MAX_LEN])
{
	size_t len = 0;

	for (;;) {
		if (s->at == s->len) {
			int error = receive(s, s->buf, sizeof s->buf, &s->len);

			s->at = 0;
			if (error != 0) {
				s->len = 0;
				return error;
			}
		}
		char c = s->buf[s->at++];
		if (c == '\n')
			break;
		if (len == LINE_MAX_LEN - 1)
			return lost("it does not speak our language");
		line[len++] = c;
	}
	line[len] = '\0';
	return 0;
}

static int
read_bytes(struct socket_ctl *s, char *to, size_t len)
{
	while (len > 0) {
		size_t n = s->len - s->at;

		if (n > 0) {
			n = n < len ? n : len;
			memcpy(to, s->buf + s->at, n);
			s->at += n;
		} else {
			int error = receive(s, to, len, &n);

			if (error != 0)
				return error;
		}
		to += n;
		len -= n;
	}
	return 0;
}

/* ---- requests ---- */

static int
read_reply(struct socket_ctl *s, struct ctl_value *v)
{
	char line[LINE_MAX_LEN];
	int error = read_line(s, line), number;
	size_t len;

	if (error != 0)
		return error;
	if (sscanf(line, "error %d", &number) == 1 && number > 0) {
		ctl_set_error("%s", ctl_printable(line, strlen(line)));
		return number;
	}
	v->type[0] = '\0';
	if (sscanf(line, "ok %zu %15s", &len, v->type) < 1 || len > REPLY_MAX)
		return lost("it does not speak our language");
	v->bytes = malloc(len + 1);
	if (v->bytes == NULL)
		return ENOMEM;
	v->len = len;
	v->bytes[len] = '\0';
	return read_bytes(s, v->bytes, len);
}

/*
 * Append with \xNN for what would end the line or the word, a backslash too
 * where it is meant as one; false: no room.
 */
static bool
encode(char *line, const char *text, const char *special)
{
	size_t len = strlen(line);

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		bool code = c < ' ' || strchr(special, c) != NULL;

		if (len + 5 >= LINE_MAX_LEN)
			return false;
		len += (size_t)sprintf(line + len, code ? "\\x%02x" : "%c", c);
	}
	return true;
}

/* Names come, and are given by people, with their backslashes. */
static int
ask(struct socket_ctl *s, const char *word, const char *name, const char *value,
    struct ctl_value *v)
{
	char line[LINE_MAX_LEN + 1];

	snprintf(line, sizeof line, "%s ", word);
	if (!encode(line, name, " ") ||
	    (value != NULL && strcat(line, " ") && !encode(line, value, "\\")))
		return ENAMETOOLONG;
	strcat(line, "\n");
	int error = send_all(s, line, strlen(line));
	return error != 0 ? error : read_reply(s, v);
}

static int
socket_get(struct ctl *c, const char *name, struct ctl_value *v)
{
	return ask((struct socket_ctl *)c, "get", name, NULL, v);
}

static int
socket_list(struct ctl *c, const char *after, struct ctl_value *v)
{
	return ask((struct socket_ctl *)c, "list", after, NULL, v);
}

static int
socket_set(struct ctl *c, const char *name, const char *value)
{
	struct ctl_value v = {.bytes = NULL};
	int error = ask((struct socket_ctl *)c, "set", name, value, &v);

	ctl_value_free(&v);
	return error;
}

static int
socket_describe(struct ctl *c, const char *name, struct ctl_info *info)
{
	struct ctl_value v = {.bytes = NULL};
	int error = ask((struct socket_ctl *)c, "describe", name, NULL, &v);

	*info = (struct ctl_info){.type = ""};
	if (error == 0 &&
	    sscanf(v.bytes, "%15s %7s %15s %31s %255[^\n]", info->type,
		info->access, info->format, info->source, info->descr) < 4)
		error = lost("it does not speak our language");
	ctl_value_free(&v);
	return error;
}

static void
socket_close(struct ctl *c)
{
	close(((struct socket_ctl *)c)->fd);
	free(c);
}

/* ---- connecting ---- */

/* The process is the one that was asked for; 0: any. */
static bool
is_process(int fd, long pid)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	return pid == 0 ||
	       (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
		   peer.pid == pid);
}

static int
connect_to(const char *path, long pid)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct timeval patience = {SECONDS, 0};

	if (strlen(path) >= sizeof sun.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(sun.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0) {
		if (is_process(fd, pid))
			return fd;
		errno = ESRCH;
	}
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static bool
greeted(struct socket_ctl *s)
{
	char line[LINE_MAX_LEN];
	int version;

	if (read_line(s, line) != 0)
		return false;
	if (sscanf(line, "libuma %*s control %d", &version) == 1 &&
	    version == 1)
		return true;
	ctl_set_error("%s", ctl_printable(line, strlen(line)));
	return false;
}

struct ctl *
ctl_socket(const char *path, long pid)
{
	struct socket_ctl *s = calloc(1, sizeof *s);

	if (s == NULL) {
		ctl_set_error("no memory");
		return NULL;
	}
	s->ctl = (struct ctl){socket_get, socket_describe, socket_set,
	    socket_list, socket_close, NULL};
	s->fd = connect_to(path, pid);
	if (s->fd < 0) {
		ctl_set_error("%s: %s", ctl_printable(path, strlen(path)),
		    errno == ESRCH ? "is another process's" : strerror(errno));
		free(s);
		return NULL;
	}
	if (greeted(s))
		return &s->ctl;
	socket_close(&s->ctl);
	return NULL;
}
