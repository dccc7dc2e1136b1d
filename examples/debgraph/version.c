/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * version.c - the order of [epoch:]upstream[-revision], as section 5.6.12 of
 * the Debian policy defines it.
 */
#include <stdlib.h>
#include <string.h>

#include "debgraph.h"

/* A part of a version number: [at, end). */
struct part {
	const char *at, *end;
};

static bool
is_digit(const struct part *p)
{
	return p->at < p->end && *p->at >= '0' && *p->at <= '9';
}

/*
 * The rank of a character among non-digits: tilde before the end of the part
 * (so that 1~rc1 < 1), then letters, then the others.  A digit ends the run.
 */
static int
rank(const struct part *p)
{
	if (p->at == p->end || is_digit(p))
		return 0;

	unsigned char c = (unsigned char)*p->at;

	if (c == '~')
		return -1;
	if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
		return c;
	return c + 256;
}

/* Runs of digits compare as numbers of any length. */
static int
number_cmp(struct part *a, struct part *b)
{
	int first_diff = 0;

	while (a->at < a->end && *a->at == '0')
		a->at++;
	while (b->at < b->end && *b->at == '0')
		b->at++;
	for (; is_digit(a) && is_digit(b); a->at++, b->at++)
		if (first_diff == 0)
			first_diff = *a->at - *b->at;
	if (is_digit(a) != is_digit(b))
		return is_digit(a) ? 1 : -1;
	return first_diff;
}

/* In turns: a run of non-digits, a run of digits, until one decides. */
static int
part_cmp(struct part a, struct part b)
{
	while (a.at < a.end || b.at < b.end) {
		for (;;) {
			int ra = rank(&a), rb = rank(&b);

			if (ra != rb)
				return ra - rb;
			if (ra == 0)
				break;
			a.at++, b.at++;
		}

		int diff = number_cmp(&a, &b);

		if (diff != 0)
			return diff;
	}
	return 0;
}

/* Missing epochs are 0, and a missing revision compares like "0". */
static void
split(const char *s, struct part part[3])
{
	const char *end = s + strlen(s);
	const char *colon = strchr(s, ':');
	const char *dash = strrchr(s, '-');

	part[0] = colon != NULL ? (struct part){s, colon} : (struct part){s, s};
	if (colon != NULL)
		s = colon + 1;
	if (dash == NULL || dash < s)
		dash = end;
	part[1] = (struct part){s, dash};
	part[2] = (struct part){dash < end ? dash + 1 : end, end};
}

int
version_cmp(const char *a, const char *b)
{
	struct part pa[3], pb[3];

	split(a, pa);
	split(b, pb);
	for (int i = 0; i < 3; i++) {
		int diff = part_cmp(pa[i], pb[i]);

		if (diff != 0)
			return diff;
	}
	return 0;
}

bool
version_matches(const char *have, enum op op, const char *want)
{
	if (op == OP_ANY)
		return true;

	int diff = version_cmp(have, want);

	switch (op) {
	case OP_LT:
		return diff < 0;
	case OP_LE:
		return diff <= 0;
	case OP_EQ:
		return diff == 0;
	case OP_GE:
		return diff >= 0;
	default:
		return diff > 0;
	}
}
