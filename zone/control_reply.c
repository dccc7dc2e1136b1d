/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_reply.c - the text that goes to a client.  It is made as a whole
 * before the first byte is sent, so that its first line can have the length of
 * the rest, and so that what a slow client reads is of one time.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control_int.h"
#include "pages_int.h"

enum {
	HEAD_MAX = 64, /* of the first line */
	ROOM_FIRST = 1024,
	ROOM_MAX = 16 << 20,
};

static bool
reply_grow(struct reply *rp, size_t len)
{
	size_t room = rp->rp_room != 0 ? rp->rp_room : ROOM_FIRST;
	char *text;

	while (room < len)
		room *= 2;
	if (room > ROOM_MAX || (text = meta_alloc(room, 0)) == NULL)
		return false;
	if (rp->rp_text != NULL)
		memcpy(text, rp->rp_text, rp->rp_len);
	else
		rp->rp_len = rp->rp_sent = HEAD_MAX;
	meta_free(rp->rp_text, rp->rp_room);
	rp->rp_text = text;
	rp->rp_room = room;
	return true;
}

char *
reply_space(struct reply *rp, size_t len)
{
	size_t used = rp->rp_text != NULL ? rp->rp_len : HEAD_MAX;

	if (!rp->rp_lost && len <= ROOM_MAX - used &&
	    (used + len <= rp->rp_room || reply_grow(rp, used + len)))
		return rp->rp_text + used;
	rp->rp_lost = true;
	return NULL;
}

void
reply_put(struct reply *rp, const char *text, size_t len)
{
	char *at = reply_space(rp, len);

	if (at == NULL)
		return;
	memcpy(at, text, len);
	rp->rp_len += len;
}

void
reply_put_name(struct reply *rp, const char *name)
{
	for (; *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;
		char coded[8];

		if (c <= ' ' || c == 0x7f || c == '\\')
			snprintf(coded, sizeof coded, "\\x%02x", c);
		else
			snprintf(coded, sizeof coded, "%c", c);
		reply_put(rp, coded, strlen(coded));
	}
}

void
reply_printf(struct reply *rp, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n > 0)
		reply_put(rp, text, uma_min((size_t)n, sizeof text - 1));
}

static const char *
error_text(int error)
{
	static const struct {
		int error;
		const char *text;
	} known[] = {
	    {E2BIG, "request too long"},
	    {EINVAL, "bad value or request"},
	    {EISDIR, "others are below it, it has no value"},
	    {ENOENT, "no such name"},
	    {ENOMEM, "no memory"},
	    {ENOSYS, "unknown request, try help"},
	    {EOVERFLOW, "value too long"},
	    {EPERM, "cannot be set"},
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].error == error)
			return known[i].text;
	return "failed";
}

void
reply_end(struct reply *rp, int error, const char *word)
{
	char head[HEAD_MAX];
	int n;

	if (rp->rp_lost) {
		reply_free(rp);
		error = ENOMEM;
	}
	if (reply_space(rp, 0) == NULL)
		return;
	if (error != 0)
		rp->rp_len = HEAD_MAX;
	if (error != 0)
		n = snprintf(head, sizeof head, "error %d %s\n", error,
		    error_text(error));
	else
		n = snprintf(head, sizeof head, "ok %zu%s%s\n",
		    rp->rp_len - HEAD_MAX, word[0] != '\0' ? " " : "", word);
	rp->rp_sent = HEAD_MAX - (size_t)n;
	memcpy(rp->rp_text + rp->rp_sent, head, (size_t)n);
}

void
reply_free(struct reply *rp)
{
	meta_free(rp->rp_text, rp->rp_room);
	*rp = (struct reply){.rp_text = NULL};
}
