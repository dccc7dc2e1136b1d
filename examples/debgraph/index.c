/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * index.c - reading an index: stanzas of "Field: value" lines, with an empty
 * line between two stanzas, and a blank in front of continuation lines.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "debgraph.h"

enum field {
	FIELD_PACKAGE = REL_CNT, /* the relations come first */
	FIELD_VERSION,
	FIELD_ARCHITECTURE,
	FIELD_PROVIDES,
	FIELD_CNT
};

/* The values of one stanza; the buffers serve one stanza after the other. */
struct stanza {
	struct value {
		char *text;
		size_t len, size;
	} value[FIELD_CNT];
	enum field current; /* continuation lines belong to it */
};

static const char *
field_name(int i)
{
	static const char *const rest[] = {
	    "Package", "Version", "Architecture", "Provides"};

	return i < REL_CNT ? relation_name[i] : rest[i - REL_CNT];
}

/* The field of that name; FIELD_CNT: none that we read. */
static enum field
field_find(const char *name, size_t len)
{
	int i = 0;

	for (; i < FIELD_CNT; i++)
		if (strncasecmp(field_name(i), name, len) == 0 &&
		    field_name(i)[len] == '\0')
			break;
	return (enum field)i;
}

static void
value_append(struct value *value, const char *text, size_t len)
{
	if (value->len + len + 1 > value->size) {
		value->size = 2 * (value->len + len + 1);
		value->text = realloc(value->text, value->size);
		if (value->text == NULL) {
			perror("debgraph");
			exit(1);
		}
	}
	memcpy(value->text + value->len, text, len);
	value->len += len;
	value->text[value->len] = '\0';
}

/* A position in the text of a value. */
static void
skip_blanks(const char **at)
{
	*at += strspn(*at, " \t\n");
}

/* "(>= 1.2)", or nothing.  False: neither. */
static bool
parse_condition(const char **at, enum op *op, const char **version, size_t *len)
{
	static const struct {
		char text[3];
		enum op op;
	} ops[] = {
	    {"<<", OP_LT},
	    {"<=", OP_LE},
	    {">=", OP_GE},
	    {">>", OP_GT},
	    {"=", OP_EQ},
	    {"<", OP_LE}, /* the old spellings of <= and >= */
	    {">", OP_GE},
	};
	size_t i = 0;

	*op = OP_ANY;
	if (**at != '(')
		return true;
	++*at;
	skip_blanks(at);
	while (strncmp(*at, ops[i].text, strlen(ops[i].text)) != 0)
		if (++i == sizeof ops / sizeof ops[0])
			return false;
	*op = ops[i].op;
	*at += strlen(ops[i].text);
	skip_blanks(at);
	*version = *at;
	*len = strcspn(*at, " \t\n),|");
	*at += *len;
	skip_blanks(at);
	return *len > 0 && *len < STRING_MAX && *(*at)++ == ')';
}

struct term {
	const char *name, *version;
	size_t name_len, version_len;
	enum op op;
};

/* One alternative; stands at its separator, or at the end, afterwards. */
static bool
parse_term(const char **at, struct term *term)
{
	bool good;

	skip_blanks(at);
	term->name = *at;
	term->name_len = strcspn(*at, " \t\n(:,|");
	*at += term->name_len;
	good = term->name_len > 0 && term->name_len < STRING_MAX;
	if (**at == ':') /* an architecture, as in python3:any */
		*at += strcspn(*at, " \t\n(,|");
	skip_blanks(at);
	good &=
	    parse_condition(at, &term->op, &term->version, &term->version_len);
	*at += strcspn(*at, ",|");
	return good;
}

static void
insert_relation(
    struct graph *g, struct version *v, enum relation relation, const char *at)
{
	struct depend *d = NULL;
	struct term term;

	for (;;) {
		skip_blanks(&at);
		if (*at == '\0')
			return;
		if (!parse_term(&at, &term)) {
			g->g_malformed++;
		} else {
			if (d == NULL)
				d = depend_insert(g, v, relation);
			choice_insert(g, d,
			    package_get(g, term.name, term.name_len), term.op,
			    term.version, term.version_len);
		}
		if (*at == ',')
			d = NULL;
		if (*at != '\0')
			at++;
	}
}

static void
insert_provides(struct graph *g, struct version *v, const char *at)
{
	struct term term;

	for (;;) {
		skip_blanks(&at);
		if (*at == '\0')
			return;
		if (!parse_term(&at, &term))
			g->g_malformed++;
		else
			provide_insert(g, v,
			    package_get(g, term.name, term.name_len),
			    term.op == OP_EQ ? term.version : NULL,
			    term.version_len);
		if (*at != '\0')
			at++;
	}
}

/* A stanza is complete: put it into the graph. */
static void
insert_stanza(struct graph *g, const struct stanza *s)
{
	const struct value *name = &s->value[FIELD_PACKAGE];
	const struct value *version = &s->value[FIELD_VERSION];
	const struct value *arch = &s->value[FIELD_ARCHITECTURE];

	if (name->len == 0 || version->len == 0)
		return; /* dpkg's leftovers of removed packages */
	g->g_stanzas++;
	if (name->len >= STRING_MAX || version->len >= STRING_MAX ||
	    arch->len >= STRING_MAX) {
		g->g_malformed++;
		return;
	}

	struct package *k = package_get(g, name->text, name->len);
	struct version *v = version_insert(
	    g, k, version->text, arch->len > 0 ? arch->text : "all");

	if (v == NULL)
		return; /* listed twice */
	for (int i = 0; i < REL_CNT; i++)
		if (s->value[i].len > 0)
			insert_relation(
			    g, v, (enum relation)i, s->value[i].text);
	if (s->value[FIELD_PROVIDES].len > 0)
		insert_provides(g, v, s->value[FIELD_PROVIDES].text);
}

static void
stanza_end(struct graph *g, struct stanza *s)
{
	insert_stanza(g, s);
	for (int i = 0; i < FIELD_CNT; i++)
		s->value[i].len = 0;
	s->current = FIELD_CNT;
}

static void
stanza_line(struct stanza *s, const char *line, size_t len)
{
	const char *text = line;

	if (*line != ' ' && *line != '\t') {
		const char *colon = memchr(line, ':', len);

		s->current = FIELD_CNT;
		if (colon == NULL)
			return;
		s->current = field_find(line, (size_t)(colon - line));
		text = colon + 1;
	}
	if (s->current == FIELD_CNT)
		return;
	while (text < line + len && (*text == ' ' || *text == '\t'))
		text++;
	value_append(&s->value[s->current], text, (size_t)(line + len - text));
}

/* False: reading failed, errno says why. */
bool
index_read(struct graph *g, FILE *f)
{
	struct stanza s = {.current = FIELD_CNT};
	struct stat st;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	uint64_t done = 0, of = 0;

	if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode))
		of = (uint64_t)st.st_size;
	while ((len = getline(&line, &size, f)) > 0) {
		done += (uint64_t)len;
		len = (ssize_t)strlen(line); /* a NUL ends the line */
		while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL)
			line[--len] = '\0';
		if (len > 0) {
			stanza_line(&s, line, (size_t)len);
			continue;
		}
		stanza_end(g, &s);
		progress("reading", done, of);
	}
	stanza_end(g, &s);
	free(line);
	for (int i = 0; i < FIELD_CNT; i++)
		free(s.value[i].text);
	return ferror(f) == 0;
}
