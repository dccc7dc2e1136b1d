/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stat_out.c - text for a callback, names made harmless, and what a snapshot
 * says, whichever library filled it.
 *
 * A name is whatever bytes the program gave the zone.  A terminal must not obey
 * it and a parser must not choke on it, so nothing that is no text is passed
 * on: control characters (C1's too), bytes that are no UTF-8, and what has a
 * meaning in the format.  Nothing is ever used as a format of printf's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "stat_int.h"

void
out_flush(struct out *o)
{
	size_t len = o->o_len;

	o->o_len = 0;
	if (len > 0)
		o->o_cb(o->o_arg, o->o_text, len);
}

void
out_bytes(struct out *o, const char *text, size_t len)
{
	while (len > 0) {
		size_t n = uma_min(len, sizeof o->o_text - o->o_len);

		memcpy(o->o_text + o->o_len, text, n);
		o->o_len += n;
		text += n;
		len -= n;
		if (o->o_len == sizeof o->o_text)
			out_flush(o);
	}
}

void
out_text(struct out *o, const char *text)
{
	out_bytes(o, text, strlen(text));
}

void
out_fmt(struct out *o, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n > 0)
		out_bytes(o, text, uma_min((size_t)n, sizeof text - 1));
}

/* Most of what is printed: a third of what printf takes. */
void
out_number(struct out *o, uint64_t n)
{
	char text[20], *at = text + sizeof text;

	do
		*--at = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	out_bytes(o, at, (size_t)(text + sizeof text - at));
}

/* ---- names ---- */

/* The continuation bytes that follow, at most n of them. */
static size_t
utf8_tail(const unsigned char *s, size_t n)
{
	size_t i = 0;

	while (i < n && (s[i] & 0xc0) == 0x80)
		i++;
	return i;
}

/*
 * Bytes of the character at s, which is not ASCII: 0 if it is none, or one that
 * controls a terminal (RFC 3629: no overlong forms, no surrogates, nothing
 * above U+10FFFF).  The NUL ends every look ahead.
 */
static size_t
utf8_len(const unsigned char *s)
{
	size_t n = *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;

	if (*s < 0xc2 || *s > 0xf4 || utf8_tail(s + 1, n - 1) != n - 1)
		return 0;
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f) ||
	    (*s == 0xc2 && s[1] < 0xa0))
		return 0;
	return n;
}

/*
 * A byte that is no text; C1's controls come as two such.  Where the format has
 * no escape for it, the replacement character and the byte in hex, so that two
 * names remain two.
 */
static size_t
escape_byte(struct out *o, unsigned char c, enum out_escape how)
{
	if (how == ESCAPE_TEXT)
		out_fmt(o, "\\x%02x", c);
	else if (how == ESCAPE_JSON && c < 0x80)
		out_fmt(o, "\\u%04x", c);
	else if (how == ESCAPE_METRICS && c == '\n')
		out_text(o, "\\n");
	else
		out_fmt(o, "\xef\xbf\xbd%02x", c);
	return 4;
}

/* Bytes from s on that mean themselves in every format. */
static size_t
plain_len(const unsigned char *s)
{
	size_t n = 0;

	while (s[n] >= 0x20 && s[n] < 0x7f && s[n] != '\\' && s[n] != '"')
		n++;
	return n;
}

size_t
out_string(struct out *o, const char *s, enum out_escape how)
{
	const unsigned char *at = (const unsigned char *)s;
	size_t columns = 0;

	while (*at != '\0') {
		size_t plain = plain_len(at);
		size_t n = *at < 0x80 ? 1 : utf8_len(at);

		if (plain > 0) {
			out_bytes(o, (const char *)at, plain);
			columns += plain;
			at += plain;
		} else if (n == 0 || *at < 0x20 || *at == 0x7f) {
			columns += escape_byte(o, *at++, how);
		} else {
			if (n == 1 && (*at == '\\' || how != ESCAPE_TEXT)) {
				out_bytes(o, "\\", 1);
				columns++;
			}
			out_bytes(o, (const char *)at, n);
			columns++;
			at += n;
		}
	}
	return columns;
}

/* ---- a snapshot's elements, of any version ---- */

static void
copy(void *to, size_t size, const void *from, size_t from_size)
{
	memset(to, 0, size);
	if (from != NULL)
		memcpy(to, from, uma_min(size, from_size));
}

struct row
row_get(const struct uma_stats *s, size_t z)
{
	struct row r;

	copy(&r.r_stat, sizeof r.r_stat, uma_stats_zone(s, z), s->zone_size);
	r.r_stat.name[sizeof r.r_stat.name - 1] = '\0';
	r.r_name = s->name != NULL ? s->name[z] : NULL;
	return r;
}

const char *
row_name(const struct row *r)
{
	return r->r_name != NULL ? r->r_name : r->r_stat.name;
}

struct uma_cpu_stat
row_cpu(const struct uma_stats *s, size_t z, int cpu)
{
	struct uma_cpu_stat st;

	copy(&st, sizeof st, uma_stats_cpu(s, z, cpu), s->cpu_size);
	return st;
}

struct uma_domain_stat
row_domain(const struct uma_stats *s, size_t z, int domain)
{
	struct uma_domain_stat st;

	copy(&st, sizeof st, uma_stats_domain(s, z, domain), s->domain_size);
	return st;
}

struct uma_memory_stat
row_memory(const struct uma_stats *s)
{
	struct uma_memory_stat m;

	copy(&m, sizeof m, s->memory, s->memory != NULL ? s->memory->size : 0);
	return m;
}
