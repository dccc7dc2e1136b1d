/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * formats.h - what reads statistics: JSON (RFC 8259) and OpenMetrics 1.0, as
 * strictly as their texts have it, and no more than whether they are well
 * formed; and the first number behind a key.
 */
#ifndef UMA_TEST_FORMATS_H
#define UMA_TEST_FORMATS_H

#include "test.h"

/* ---- text from a callback ---- */

struct text {
	size_t len, pieces;
	char s[4 << 20];
};

static inline void
text_add(void *arg, const char *piece, size_t len)
{
	struct text *t = arg;

	t->pieces++;
	if (len > sizeof t->s - 1 - t->len)
		len = sizeof t->s - 1 - t->len;
	memcpy(t->s + t->len, piece, len);
	t->len += len;
	t->s[t->len] = '\0';
}

/* ---- UTF-8 (RFC 3629) ---- */

/* Behind the character at s; NULL: it is none. */
static inline const char *
utf8_skip(const char *s)
{
	static const struct {
		unsigned char from, to, least, most;
		int len;
	} row[] = {{0x01, 0x7f, 0, 0, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2},
	    {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
	    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
	    {0xf4, 0xf4, 0x80, 0x8f, 4}};
	const unsigned char *u = (const unsigned char *)s;

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		if (*u < row[i].from || *u > row[i].to)
			continue;
		if (row[i].len > 1 &&
		    (u[1] < row[i].least || u[1] > row[i].most))
			return NULL;
		for (int k = 2; k < row[i].len; k++)
			if ((u[k] & 0xc0) != 0x80)
				return NULL;
		return s + row[i].len;
	}
	return NULL;
}

/* Nothing that a terminal obeys: no control characters but newlines. */
static inline bool
text_is_tame(const char *s)
{
	while (s != NULL && *s != '\0') {
		unsigned char c = (unsigned char)*s;

		if ((c < 0x20 && c != '\n') || c == 0x7f ||
		    (c == 0xc2 && (unsigned char)s[1] < 0xa0))
			return false;
		s = utf8_skip(s);
	}
	return s != NULL;
}

/* ---- JSON ---- */

static inline const char *json_value(const char *s, int depth);

static inline const char *
json_space(const char *s)
{
	return s == NULL ? NULL : s + strspn(s, " \t\r\n");
}

static inline const char *
json_string(const char *s)
{
	if (s == NULL || *s++ != '"')
		return NULL;
	while (s != NULL && *s != '"') {
		if ((unsigned char)*s < 0x20)
			return NULL;
		if (*s != '\\')
			s = utf8_skip(s);
		else if (s[1] == 'u')
			s = strspn(s + 2, "0123456789abcdefABCDEF") < 4 ? NULL
									: s + 6;
		else
			s = s[1] == '\0' || strchr("\"\\/bfnrt", s[1]) == NULL
				? NULL
				: s + 2;
	}
	return s == NULL ? NULL : s + 1;
}

/* Members or elements up to the closing bracket. */
static inline const char *
json_list(const char *s, char close, int depth)
{
	s = json_space(s + 1);
	if (*s == close)
		return s + 1;
	for (;;) {
		if (close == '}') {
			s = json_space(json_string(json_space(s)));
			if (s == NULL || *s++ != ':')
				return NULL;
		}
		s = json_space(json_value(s, depth + 1));
		if (s == NULL || (*s != ',' && *s != close))
			return NULL;
		if (*s++ == close)
			return s;
	}
}

/* Behind the value at s; NULL: it is none. */
static inline const char *
json_value(const char *s, int depth)
{
	s = json_space(s);
	if (s == NULL || depth > 64)
		return NULL;
	if (*s == '{')
		return json_list(s, '}', depth);
	if (*s == '[')
		return json_list(s, ']', depth);
	if (*s == '"')
		return json_string(s);
	size_t digits = strspn(s, "0123456789"); /* all of ours */
	return digits == 0 || (digits > 1 && *s == '0') ? NULL : s + digits;
}

static inline bool
json_is_valid(const char *s)
{
	s = json_space(json_value(s, 0));
	return s != NULL && *s == '\0';
}

/* The number behind "key": after the text from; UINT64_MAX: there is none. */
static inline uint64_t
json_number(const char *s, const char *from, const char *key)
{
	char quoted[64];

	snprintf(quoted, sizeof quoted, "\"%s\":", key);
	s = strstr(s, from);
	s = s == NULL ? NULL : strstr(s, quoted);
	return s == NULL ? UINT64_MAX : strtoull(s + strlen(quoted), NULL, 10);
}

/* ---- OpenMetrics ---- */

struct metrics {
	char family[128], type[16], unit[16];
	bool help, samples;
	int families;
};

static inline size_t
metrics_name(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyz_0123456789");
}

/* Behind {label="value",...}; NULL: malformed. */
static inline const char *
metrics_labels(const char *s)
{
	do {
		size_t n = metrics_name(++s);

		if (n == 0 || strncmp(s + n, "=\"", 2) != 0)
			return NULL;
		s += n + 2;
		while (s != NULL && *s != '"') {
			if (*s == '\n' || *s == '\0')
				return NULL;
			if (*s != '\\')
				s = utf8_skip(s);
			else
				s = s[1] != '\0' &&
					    strchr("\\\"n", s[1]) != NULL
					? s + 2
					: NULL;
		}
		if (s == NULL)
			return NULL;
		s++;
	} while (*s == ',');
	return *s == '}' ? s + 1 : NULL;
}

/* "# TYPE name text": of a family that begins, or the one that did. */
static inline bool
metrics_comment(struct metrics *m, const char *s, size_t len)
{
	char word[8], name[128], text[128];

	if (len > 120 || sscanf(s, "# %7s %127s %127s", word, name, text) != 3)
		return false;
	if (strcmp(word, "TYPE") == 0) {
		*m = (struct metrics){.families = m->families + 1};
		strcpy(m->family, name);
		snprintf(m->type, sizeof m->type, "%.15s", text);
		return true;
	}
	if (strcmp(name, m->family) != 0 || m->samples)
		return false;
	if (strcmp(word, "UNIT") == 0) {
		size_t n = strlen(name), u = strlen(text);

		snprintf(m->unit, sizeof m->unit, "%.15s", text);
		return n > u + 1 && name[n - u - 1] == '_' &&
		       strcmp(name + n - u, text) == 0;
	}
	m->help = strcmp(word, "HELP") == 0;
	return m->help;
}

static inline bool
metrics_sample(struct metrics *m, const char *s)
{
	const char *suffix = strcmp(m->type, "counter") == 0 ? "_total"
			     : strcmp(m->type, "info") == 0  ? "_info"
							     : "";
	size_t n = strlen(m->family);

	if (!m->help || n == 0 || strncmp(s, m->family, n) != 0 ||
	    strncmp(s + n, suffix, strlen(suffix)) != 0)
		return false;
	s += n + strlen(suffix);
	m->samples = true;
	if (*s == '{' && (s = metrics_labels(s)) == NULL)
		return false;
	if (*s++ != ' ')
		return false;
	n = strspn(s, "0123456789");
	return n > 0 && s[n] == '\n';
}

/* The line that is wrong, or NULL; families begin once, and only once. */
static inline const char *
metrics_fault(const char *s, int *families)
{
	struct metrics m = {.families = 0};
	char begun[64][128];

	while (*s != '\0' && strcmp(s, "# EOF\n") != 0) {
		const char *end = strchr(s, '\n');
		int was = m.families;

		if (end == NULL)
			return s;
		if (*s == '#' ? !metrics_comment(&m, s, (size_t)(end - s))
			      : !metrics_sample(&m, s))
			return s;
		if (m.families > was) {
			for (int i = 0; i < was; i++)
				if (strcmp(begun[i], m.family) == 0)
					return s;
			if (was == 64)
				return s;
			strcpy(begun[was], m.family);
		}
		s = end + 1;
	}
	*families = m.families;
	return *s == '\0' ? "no # EOF" : NULL;
}

#endif
