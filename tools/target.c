/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target.c - a process, or what one left, as something that can be read.
 *
 * How it works
 *
 * (1) For: the statistics of a process that knows nothing of it, while it runs
 * or when it is dead, by the same code.  Not for changing anything there.
 *
 * (2) Words.  target: the process or the core file.  span: one piece of its
 * memory that is to be copied.  copy: of the library, of which a process may
 * have several.  layout: the table of names, offsets and addresses that a copy
 * keeps for readers (uma/debug.h).  field, root: an entry of it.
 *
 * (3) The way.  proc.c or core.c: which files are loaded where.  elf.c: from a
 * file's header, as it is in memory, to its notes, and from the library's note
 * to the layout.  names.c: the fields and roots that are needed.  zones.c: the
 * list of zones.  snapshot.c: what hangs on it, and the arithmetic of the
 * library's own statistics.  slabs.c: the slabs of a zone; cached.c: which of
 * their items lie in buckets.
 *
 * (4) Nothing is stopped, so nothing is believed.  Each copy of memory may be
 * torn, stale, or of something else by now; in a core file it may be made up.
 * Hence: whatever is read is read into buffers of our own, and taken from there
 * by number_at, which looks at the bounds; a count is bounded before memory is
 * asked for (the MAX in target.h), and so is all that one call reads, since
 * memory that was never written to is endless and costs a liar nothing
 * (target_spend); a list is followed only where the way back
 * agrees, so that it cannot lead round, and no longer than its bound; what did
 * not hold is tried again some times, and then a message says so.
 *
 * (5) The number of calls to the system counts, not the bytes: what is known
 * together is read together (target_read_spans).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target.h"
#include "umastat.h"

static char message[512];

bool
target_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	return false;
}

const char *
target_error(void)
{
	return message;
}

static int
yama_scope(void)
{
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%d", &scope) != 1)
		scope = 0;
	(void)fclose(f);
	return scope;
}

static bool
fail_denied(const struct target *t)
{
	int scope = yama_scope();

	if (scope > 0)
		return target_fail("the kernel does not permit to read %s: "
				   "/proc/sys/kernel/yama/ptrace_scope is %d, "
				   "so that CAP_SYS_PTRACE is needed",
		    t->name, scope);
	return target_fail("the kernel does not permit to read %s: it has to "
			   "be of the same user, or CAP_SYS_PTRACE is needed",
	    t->name);
}

bool
target_fail_read(struct target *t, const char *what)
{
	if (t->left == 0)
		return target_fail("%s: reading %s would take too long: the "
				   "memory of its libuma is damaged",
		    t->name, what);
	if (t->fd >= 0 && t->size < t->want)
		return target_fail(
		    "%s: %s is not in it: it is cut off, at %llu of %llu bytes",
		    t->name, what, (unsigned long long)t->size,
		    (unsigned long long)t->want);
	if (t->fd >= 0)
		return target_fail("%s: %s is not in it", t->name, what);
	if (t->denied)
		return fail_denied(t);
	if (t->gone || proc_is_zombie(t->pid))
		return target_fail("%s has ended", t->name);
	return target_fail("%s: %s cannot be read", t->name, what);
}

/* ---- reading ---- */

bool
target_spend(struct target *t, uint64_t bytes)
{
	uint64_t cost = bytes > SPEND_LEAST ? bytes : SPEND_LEAST;

	t->left = cost < t->left ? t->left - cost : 0;
	return t->left > 0;
}

void
target_read_spans(struct target *t, struct span *span, size_t n)
{
	bool may = true;

	for (size_t i = 0; i < n; i++) {
		span[i].ok = false;
		may = may && target_spend(t, span[i].len);
	}
	if (!may)
		return;
	if (t->fd < 0) {
		proc_read_spans(t, span, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		span[i].ok =
		    core_read(t, span[i].addr, span[i].buf, span[i].len);
}

bool
target_read(struct target *t, uint64_t addr, void *buf, size_t len)
{
	struct span one = {addr, buf, len, false};

	target_read_spans(t, &one, 1);
	return one.ok;
}

/* What lies beyond the end of a page may not be there. */
char *
target_string(struct target *t, uint64_t addr, size_t max)
{
	char *text = malloc(max + 1);
	size_t len = 0;

	if (text == NULL)
		return NULL;
	while (len < max) {
		size_t n = PAGE - (addr + len) % PAGE;

		n = n < max - len ? n : max - len;
		if (!target_read(t, addr + len, text + len, n))
			break;
		const char *end = memchr(text + len, '\0', n);
		if (end != NULL)
			return text;
		len += n;
	}
	text[len] = '\0';
	if (len > 0)
		return text;
	free(text);
	return NULL;
}

char *
escape_text(const char *src, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t left = strnlen(src, len), n;
	char *text = malloc(4 * left + 1), *to = text;

	if (text == NULL)
		return NULL;
	for (; left > 0; src += n, left -= n) {
		unsigned char c = (unsigned char)*src;

		n = shown_len(src, left);
		if (n > 0 && c != '\\') {
			memcpy(to, src, n);
			to += n;
			continue;
		}
		n = 1;
		*to++ = '\\';
		if (c == '\\') {
			*to++ = '\\';
			continue;
		}
		*to++ = 'x';
		*to++ = hex[c >> 4];
		*to++ = hex[c & 15];
	}
	*to = '\0';
	return text;
}

/* ---- opening and closing ---- */

bool
mapping_add(struct target *t, uint64_t start, uint64_t end, uint64_t offset,
    const char *path, size_t len)
{
	if (t->mappings == MAPPINGS_MAX)
		return true;
	if ((t->mappings & (t->mappings - 1)) == 0) {
		size_t room = t->mappings == 0 ? 1 : 2 * t->mappings;
		struct mapping *m = realloc(t->mapping, room * sizeof *m);

		if (m == NULL)
			return target_fail("no memory");
		t->mapping = m;
	}
	char *name = strndup(path, len);
	if (name == NULL)
		return target_fail("no memory");
	t->mapping[t->mappings++] = (struct mapping){start, end, offset, name};
	return true;
}

static void
copy_clear(struct copy *c)
{
	free(c->path);
	free(c->wrong);
	free(c->field);
	free(c->root);
}

void
target_close(struct target *t)
{
	if (t == NULL)
		return;
	for (size_t n = 0; n < t->copies; n++)
		copy_clear(&t->copy[n]);
	for (size_t i = 0; i < t->mappings; i++)
		free(t->mapping[i].path);
	free(t->mapping);
	core_close(t);
	if (t->dir >= 0)
		close(t->dir);
	free(t->name);
	free(t);
}

/* There may have been more than can be read now. */
static bool
is_cut_short(const struct target *t)
{
	return t->gone || t->denied || t->left == 0 ||
	       (t->fd >= 0 && t->size < t->want);
}

/* Copies that cannot be read are dropped, if there is another. */
static bool
copies_choose(struct target *t)
{
	size_t good = 0;

	for (size_t n = 0; n < t->copies; n++)
		good += t->copy[n].wrong == NULL;
	if (t->copies > 0 && good == 0)
		return t->copy[0].unread && is_cut_short(t)
			   ? target_fail_read(t, "the layout of its libuma")
			   : target_fail("%s: %s", t->name, t->copy[0].wrong);
	size_t to = 0;
	for (size_t n = 0; n < t->copies; n++) {
		if (t->copy[n].wrong == NULL)
			t->copy[to++] = t->copy[n];
		else
			copy_clear(&t->copy[n]);
	}
	t->copies = to;
	return good > 0;
}

static bool
fail_none(struct target *t)
{
	char first[EI_NIDENT];

	if (is_cut_short(t))
		return target_fail_read(t, "what leads to libuma");
	for (size_t i = 0; i < t->mappings; i++)
		if (t->fd >= 0 && t->mapping[i].offset == 0 &&
		    !target_read(t, t->mapping[i].start, first, sizeof first)) {
			char *path = escape_text(
			    t->mapping[i].path, strlen(t->mapping[i].path));

			target_fail("%s: no libuma is found, and the first "
				    "page of %.200s is not in it, nor is that "
				    "file there",
			    t->name, path != NULL ? path : "?");
			free(path);
			return false;
		}
	return target_fail("%s does not use libuma", t->name);
}

/* Every file's first page may lead to a copy of the library. */
static bool
copies_find(struct target *t)
{
	char first[EI_NIDENT];

	if (t->fd < 0 && t->mappings > 0) {
		(void)target_read(t, t->mapping[0].start, first, sizeof first);
		if (t->denied || t->gone)
			return target_fail_read(t, "it");
	}
	for (size_t i = 0; i < t->mappings; i++)
		if (t->mapping[i].offset == 0)
			elf_find_copies(
			    t, t->mapping[i].start, t->mapping[i].path);
	for (size_t i = 0; i < t->segments && t->copies == 0; i++)
		elf_find_copies(t, t->segment[i].start, "?");
	if (copies_choose(t))
		return true;
	return t->copies == 0 && fail_none(t);
}

static struct target *
target_open(long pid, const char *core)
{
	struct target *t = calloc(1, sizeof *t);

	if (t == NULL) {
		target_fail("no memory");
		return NULL;
	}
	t->fd = t->dir = -1;
	t->left = SPEND_MAX;
	if ((core != NULL ? core_open(t, core) : proc_open(t, pid)) &&
	    copies_find(t))
		return t;
	target_close(t);
	return NULL;
}

struct target *
target_pid(long pid)
{
	return target_open(pid, NULL);
}

struct target *
target_core(const char *path)
{
	return target_open(0, path);
}

/* ---- what it is ---- */

const char *
target_name(const struct target *t)
{
	return t->name;
}

long
target_process(const struct target *t)
{
	return t->pid;
}

size_t
target_copies(const struct target *t)
{
	return t->copies;
}

const char *
target_copy_path(const struct target *t, size_t n)
{
	return n < t->copies ? t->copy[n].path : NULL;
}

const char *
target_copy_version(const struct target *t, size_t n)
{
	return n < t->copies ? t->copy[n].version : NULL;
}

void
target_use(struct target *t, size_t n)
{
	if (n < t->copies)
		t->use = n;
}
