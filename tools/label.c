/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * label.c - one more label in every line of metrics, so that those of several
 * processes can be told apart when one collector reads them all.
 */
#include <ctype.h>
#include <string.h>

#include "umastat.h"

/* "name=value": the name is one, and none of those that are there. */
bool
label_is_valid(const char *label)
{
	static const char *const ours[] = {
	    "zone", "place", "part", "version", "mode", "number", NULL};
	size_t n = strspn(label, "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	if (n == 0 || label[n] != '=' || isdigit((unsigned char)*label))
		return false;
	for (int i = 0; ours[i] != NULL; i++)
		if (strlen(ours[i]) == n && memcmp(ours[i], label, n) == 0)
			return false;
	return true;
}

/* name="value", with what is special in a value escaped. */
static void
label_write(struct text *t, const char *label)
{
	size_t name = strcspn(label, "=");

	text_add(t, "%.*s=\"", (int)name, label);
	for (const char *s = label + name + 1; *s != '\0'; s++) {
		if (*s == '\n')
			text_add(t, "\\n");
		else
			text_add(
			    t, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	}
	text_add(t, "\"");
}

/* Lines are "name{label="...",...} number" or "name number", or comments. */
void
label_all(struct text *t, const struct text *metrics, const char *label)
{
	const char *line = metrics->at, *end;

	for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		size_t name = *line == '#' ? 0 : strcspn(line, "{ ");

		text_append(t, line, name);
		if (name > 0) {
			bool first = line[name] == ' ';

			text_add(t, "{");
			label_write(t, label);
			text_add(t, first ? "}" : ",");
			name += !first;
		}
		text_append(t, line + name, (size_t)(end + 1 - line) - name);
	}
}
