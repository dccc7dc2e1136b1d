/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_line.c - the requests that the control socket takes, and what each
 * does.  uma_control(3) describes them for those who write clients; whatever
 * may be read and set here is what uma_sysctlbyname() reads and sets.
 *
 * A request is a line: a word, and what that wants after a blank.  \xNN stands
 * for a byte, so that every name and value can be written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uma/sysctl.h>

#include "control_int.h"

enum {
	LIST_MAX = 64, /* names a reply */
	NUMBERS_MAX = 256, /* bytes of a node's that has several */
	TRIES = 4, /* to read what grows meanwhile */
};

static const char *const type_name[CTLTYPE + 1] = {
    [CTLTYPE_NODE] = "node",
    [CTLTYPE_INT] = "int",
    [CTLTYPE_STRING] = "string",
    [CTLTYPE_S64] = "s64",
    [CTLTYPE_OPAQUE] = "opaque",
    [CTLTYPE_UINT] = "uint",
    [CTLTYPE_LONG] = "long",
    [CTLTYPE_ULONG] = "ulong",
    [CTLTYPE_U64] = "u64",
    [CTLTYPE_U16] = "u16",
    [CTLTYPE_S32] = "s32",
    [CTLTYPE_U32] = "u32",
};

/* Of a number: bytes, whether below 0, and the word; bytes 0: no number. */
struct number_type {
	size_t nt_size;
	bool nt_signed;
};

static struct number_type
number_type(uint32_t kind)
{
	switch (kind & CTLTYPE) {
	case CTLTYPE_INT:
	case CTLTYPE_S32:
		return (struct number_type){4, true};
	case CTLTYPE_UINT:
	case CTLTYPE_U32:
		return (struct number_type){4, false};
	case CTLTYPE_U16:
		return (struct number_type){2, false};
	case CTLTYPE_LONG:
	case CTLTYPE_S64:
		return (struct number_type){8, true};
	case CTLTYPE_ULONG:
	case CTLTYPE_U64:
		return (struct number_type){8, false};
	default:
		return (struct number_type){0, false};
	}
}

/* 0 or an errno. */
static int
node_info(const char *name, struct uma_sysctl_info *info)
{
	*info = (struct uma_sysctl_info){.size = sizeof *info};
	return uma_sysctl_info(name, info) == 0 ? 0 : errno;
}

static const char *
type_word(uint32_t kind)
{
	const char *word = type_name[kind & CTLTYPE];

	return word != NULL ? word : "opaque";
}

/* ---- reading ---- */

/* Little-endian, as sysctl.c asserts. */
static void
put_number(struct reply *rp, struct number_type nt, const char *at)
{
	uint64_t v = 0;
	int shift = 64 - 8 * (int)nt.nt_size;

	memcpy(&v, at, nt.nt_size);
	if (nt.nt_signed)
		reply_printf(rp, "%lld", (long long)(v << shift) >> shift);
	else
		reply_printf(rp, "%llu", (unsigned long long)v);
}

/* One number, or several with blanks between them. */
static int
get_numbers(const char *name, struct number_type nt, struct reply *rp)
{
	char old[NUMBERS_MAX];
	size_t len = sizeof old;

	if (uma_sysctlbyname(name, old, &len, NULL, 0) != 0)
		return errno == ENOMEM ? EOVERFLOW : errno;
	for (size_t at = 0; at + nt.nt_size <= len; at += nt.nt_size) {
		if (at > 0)
			reply_put(rp, " ", 1);
		put_number(rp, nt, old + at);
	}
	reply_put(rp, "\n", 1);
	return 0;
}

static int
get_bytes(const char *name, struct reply *rp, size_t *len)
{
	for (int i = 0; i < TRIES; i++) {
		*len = 0;
		if (uma_sysctlbyname(name, NULL, len, NULL, 0) != 0)
			return errno;
		*len += *len / 8;
		char *at = reply_space(rp, *len + 1);
		if (at == NULL)
			return ENOMEM;
		if (uma_sysctlbyname(name, at, len, NULL, 0) == 0) {
			rp->rp_len += *len;
			return 0;
		}
		if (errno != ENOMEM)
			return errno;
	}
	return ENOMEM;
}

/* Without the NUL that ends it, and a newline instead. */
static int
get_string(const char *name, struct reply *rp)
{
	size_t len;
	int error = get_bytes(name, rp, &len);

	if (error != 0)
		return error;
	if (len > 0 && rp->rp_text[rp->rp_len - 1] == '\0')
		rp->rp_len--;
	reply_put(rp, "\n", 1);
	return 0;
}

static int
do_get(const char *name, char *value, struct reply *rp, const char **word)
{
	struct uma_sysctl_info info;
	int error = node_info(name, &info);
	size_t len;

	(void)value;
	if (error != 0)
		return error;
	if ((info.kind & CTLTYPE) == CTLTYPE_NODE)
		return EISDIR;
	struct number_type nt = number_type(info.kind);
	*word = type_word(info.kind);
	if (nt.nt_size > 0)
		return get_numbers(name, nt, rp);
	if ((info.kind & CTLTYPE) == CTLTYPE_STRING)
		return get_string(name, rp);
	return get_bytes(name, rp, &len);
}

static int
do_describe(const char *name, char *value, struct reply *rp, const char **word)
{
	struct uma_sysctl_info info;
	int error = node_info(name, &info);

	(void)value, (void)word;
	if (error != 0)
		return error;
	reply_printf(rp, "%s %s%s%s %s %s %s\n", type_word(info.kind),
	    info.kind & CTLFLAG_RD ? "r" : "",
	    info.kind & CTLFLAG_WR ? "w" : "",
	    info.kind & CTLFLAG_TUN ? "t" : "",
	    info.fmt[0] != '\0' ? info.fmt : "-",
	    info.source[0] != '\0' ? info.source : "-", info.descr);
	return 0;
}

static int
do_list(const char *name, char *value, struct reply *rp, const char **word)
{
	char next[UMA_SYSCTL_NAME_MAX];

	(void)value, (void)word;
	for (int i = 0; i < LIST_MAX; i++) {
		if (uma_sysctl_next(i == 0 ? name : next, next, sizeof next) !=
		    0)
			return errno == ENOENT ? 0 : errno;
		reply_put_name(rp, next);
		reply_put(rp, "\n", 1);
	}
	return 0;
}

static void
stats_cb(void *arg, const char *text, size_t len)
{
	reply_put(arg, text, len);
}

static int
do_stats(const char *name, char *value, struct reply *rp, const char **word)
{
	(void)value, (void)word;
	return uma_stats_print(stats_cb, rp, name[0] != '\0' ? name : "z") == 0
		   ? 0
		   : errno;
}

/* ---- changing ---- */

/* The value of a number in *v; false: it is none, or out of range. */
static bool
parse_number(struct number_type nt, const char *text, uint64_t *v)
{
	int bits = 8 * (int)nt.nt_size - nt.nt_signed;
	char *end;

	if ((*text < '0' || *text > '9') && *text != '-')
		return false;
	errno = 0;
	if (*text == '-') {
		long long n = strtoll(text, &end, 0);

		*v = (uint64_t)n;
		return nt.nt_signed && errno == 0 && *end == '\0' &&
		       n >= INT64_MIN >> (63 - bits);
	}
	*v = strtoull(text, &end, 0);
	return errno == 0 && *end == '\0' && (bits == 64 || *v >> bits == 0);
}

static int
do_set(const char *name, char *value, struct reply *rp, const char **word)
{
	struct uma_sysctl_info info;
	int error = node_info(name, &info);
	uint64_t v;

	(void)rp, (void)word;
	if (error != 0)
		return error;
	struct number_type nt = number_type(info.kind);
	const void *newp = value;
	size_t newlen = strlen(value);
	if (nt.nt_size > 0 && (info.kind & CTLFLAG_WR)) {
		if (!parse_number(nt, value, &v))
			return EINVAL;
		newp = &v;
		newlen = nt.nt_size;
	}
	return uma_sysctlbyname(name, NULL, NULL, newp, newlen) == 0 ? 0
								     : errno;
}

static int
do_reclaim(const char *name, char *value, struct reply *rp, const char **word)
{
	static const struct {
		const char *name;
		int request;
	} how[] = {
	    {"", UMA_RECLAIM_TRIM},
	    {"trim", UMA_RECLAIM_TRIM},
	    {"drain", UMA_RECLAIM_DRAIN},
	    {"drain-cpu", UMA_RECLAIM_DRAIN_CPU},
	};

	(void)value, (void)rp, (void)word;
	for (size_t i = 0; i < sizeof how / sizeof how[0]; i++) {
		if (strcmp(name, how[i].name) == 0) {
			uma_reclaim(how[i].request);
			return 0;
		}
	}
	return EINVAL;
}

/* ---- the table ---- */

static int do_help(
    const char *name, char *value, struct reply *rp, const char **word);

static const struct request {
	const char *rq_word;
	int (*rq_do)(
	    const char *name, char *value, struct reply *rp, const char **word);
	const char *rq_help;
} request_table[] = {
    {"get", do_get, "get NAME: its value"},
    {"set", do_set, "set NAME VALUE"},
    {"list", do_list, "list [NAME]: some names after this one, in order"},
    {"describe", do_describe,
	"describe NAME: type, rwt, format, source, words"},
    {"stats", do_stats, "stats [LETTER]: what uma_stats_print() prints"},
    {"reclaim", do_reclaim, "reclaim [trim|drain|drain-cpu]"},
    {"help", do_help, "help: this"},
    {"quit", NULL, "quit"},
};
#define REQUESTS (sizeof request_table / sizeof request_table[0])

static int
do_help(const char *name, char *value, struct reply *rp, const char **word)
{
	(void)name, (void)value, (void)word;
	for (size_t i = 0; i < REQUESTS; i++)
		reply_printf(rp, "%s\n", request_table[i].rq_help);
	return 0;
}

static int
hex_digit(char c)
{
	static const char digit[] = "0123456789abcdefABCDEF";
	const char *at = c != '\0' ? strchr(digit, c) : NULL;
	int v = at != NULL ? (int)(at - digit) : -1;

	return v < 16 ? v : v - 6;
}

/* \xNN to the byte, in place; false: not that, or a NUL. */
static bool
decode(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++) {
		if (*text == '\\') {
			int high = text[1] == 'x' ? hex_digit(text[2]) : -1;
			int low = high >= 0 ? hex_digit(text[3]) : -1;

			if (low < 0 || high + low == 0)
				return false;
			*to++ = (char)(high << 4 | low);
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
	return true;
}

/* The text up to the next blank; *rest is what is behind it. */
static char *
cut(char *text, char **rest)
{
	size_t len = strcspn(text, " ");

	*rest = text + len + (text[len] == ' ');
	text[len] = '\0';
	return text;
}

static const struct request *
request_find(const char *word)
{
	for (size_t i = 0; i < REQUESTS; i++)
		if (strcmp(request_table[i].rq_word, word) == 0)
			return &request_table[i];
	return NULL;
}

/* 0 or an errno. */
static int
request_do(
    const struct request *rq, char *rest, struct reply *rp, const char **word)
{
	char *value, *name = cut(rest, &value);

	if (!decode(name) || !decode(value))
		return EINVAL;
	return rq->rq_do(name, value, rp, word);
}

bool
control_line(char *line, size_t len, struct reply *rp)
{
	const char *word = "";
	char *rest;

	if (len > 0 && line[len - 1] == '\r')
		line[--len] = '\0';
	if (memchr(line, '\0', len) != NULL) {
		reply_end(rp, EINVAL, "");
		return true;
	}
	const struct request *rq = request_find(cut(line, &rest));
	if (rq != NULL && rq->rq_do == NULL)
		return false;
	int error = rq != NULL ? request_do(rq, rest, rp, &word) : ENOSYS;
	reply_end(rp, error, word);
	return true;
}
