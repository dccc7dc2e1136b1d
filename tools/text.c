/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.c - text that grows, and what of foreign text may reach a terminal.
 *
 * A terminal obeys control bytes, also the eight-bit ones, alone (0x9b) or as
 * UTF-8 (0xc2 0x9b), and some characters turn the direction of all that
 * follows.  So only printable ASCII and well-formed UTF-8 from U+00A0 up pass,
 * without those.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "umastat.h"

void
die(int status, const char *fmt, ...)
{
	va_list ap;

	terminal_give_back(); /* or the line would be lost with the screen */
	fputs("umastat: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

static void
text_reserve(struct text *t, size_t more)
{
	if (t->room - t->len > more)
		return;
	t->room = (t->len + more) * 2 + 4096;
	t->at = realloc(t->at, t->room);
	if (t->at == NULL)
		die(EXIT_TARGET, "out of memory");
}

void
text_append(struct text *t, const char *bytes, size_t len)
{
	text_reserve(t, len);
	memcpy(t->at + t->len, bytes, len);
	t->len += len;
	t->at[t->len] = '\0';
}

void
text_add(struct text *t, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n > 0) {
		text_reserve(t, (size_t)n);
		vsnprintf(t->at + t->len, (size_t)n + 1, fmt, ap);
		t->len += (size_t)n;
	}
	va_end(ap);
}

void
text_free(struct text *t)
{
	free(t->at);
	*t = (struct text){0};
}

void
text_bytes(struct text *t, int width, uint64_t bytes)
{
	static const char unit[] = "BKMGTPE";
	double n = (double)bytes;
	int u = 0;
	char number[16];

	while (n >= 1023.5)
		n /= 1024, u++;
	snprintf(number, sizeof number, u > 0 && n < 9.95 ? "%.1f%c" : "%.0f%c",
	    n, unit[u]);
	text_add(t, "%*s", width, number);
}

/* ---- what may be shown ---- */

/* Of two bytes or more: its length, and its number; 0: it is none. */
static size_t
utf8_read(const unsigned char *s, size_t left, uint32_t *number)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;

	if (*s < 0xc2 || *s > 0xf4 || left < len)
		return 0;
	*number = *s & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*number = *number << 6 | (s[i] & 0x3f);
	}
	if (*number < least[len] || *number > 0x10ffff ||
	    (*number >= 0xd800 && *number < 0xe000))
		return 0;
	return len;
}

size_t
shown_len(const char *text, size_t left)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t n = 0;

	if (*s < 0x80)
		return *s >= 0x20 && *s < 0x7f ? 1 : 0;

	size_t len = utf8_read(s, left, &n);
	bool turns = n == 0x61c || (n >= 0x200b && n <= 0x200f) ||
		     (n >= 0x2028 && n <= 0x202e) ||
		     (n >= 0x2060 && n <= 0x206f) || n == 0xfeff;

	return n < 0xa0 || turns ? 0 : len;
}

char *
show_name(char dst[SHOWN_NAME], const char *name)
{
	static const char hex[] = "0123456789abcdef";
	char *to = dst, *end = dst + SHOWN_NAME - 5;
	size_t left = strlen(name), n;

	for (; left > 0 && to < end; name += n, left -= n) {
		n = shown_len(name, left);
		if (n == 0) {
			unsigned char c = (unsigned char)*name;

			*to++ = '\\', *to++ = 'x';
			*to++ = hex[c >> 4], *to++ = hex[c & 15];
			n = 1;
			continue;
		}
		if (*name == '\\')
			*to++ = '\\';
		memcpy(to, name, n);
		to += n;
	}
	*to = '\0';
	return dst;
}

/* A character is a column: of UTF-8, the bytes that begin one. */
size_t
show_columns(const char *shown)
{
	size_t n = 0;

	for (; *shown != '\0'; shown++)
		n += (*shown & 0xc0) != 0x80;
	return n;
}

void
text_column(struct text *t, size_t width, const char *shown)
{
	size_t have = show_columns(shown), keep = 0, n = 0;

	if (have <= width) {
		text_add(t, "%s%*s", shown, (int)(width - have), "");
		return;
	}
	for (; n + 1 < width || (shown[keep] & 0xc0) == 0x80; keep++)
		n += (shown[keep + 1] & 0xc0) != 0x80;
	text_add(t, "%.*s~", (int)keep, shown);
}
