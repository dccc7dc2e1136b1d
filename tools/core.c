/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core.c - memory of a process as its core file has it.
 *
 * The file is read where something is wanted, and never as a whole.  What the
 * kernel left out, since nobody had written to it, is taken from the file that
 * was loaded there, if that is there and a regular file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target.h"

#define NOTES_MAX ((uint64_t)64 << 20) /* bytes */

/* ---- files ---- */

/* Nothing is opened that has effects, or waits. */
static int
open_regular(const char *path, struct stat *st)
{
	if (stat(path, st) != 0)
		return -1;
	if (!S_ISREG(st->st_mode)) {
		errno = S_ISDIR(st->st_mode) ? EISDIR : EINVAL;
		return -1;
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool
pread_all(int fd, void *buf, size_t len, uint64_t at)
{
	char *to = buf;

	while (len > 0) {
		if (at > INT64_MAX)
			return false;
		ssize_t n = pread(fd, to, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

static void
file_close(struct target *t)
{
	if (t->file_path != NULL && t->file_fd >= 0)
		close(t->file_fd);
	t->file_path = NULL;
}

/* The file of a mapping, which stays open until another is wanted. */
static int
mapped_file(struct target *t, const char *path)
{
	struct stat st;

	if (t->file_path != NULL && strcmp(t->file_path, path) == 0)
		return t->file_fd;
	file_close(t);
	if (!target_spend(t, SPEND_OPEN))
		return -1;
	t->file_path = path;
	t->file_fd = open_regular(path, &st);
	return t->file_fd;
}

/* ---- reading ---- */

/* The segment that holds the address, or NULL. */
static const struct segment *
segment_at(const struct target *t, uint64_t addr)
{
	size_t low = 0, high = t->segments;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (t->segment[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0 || addr >= t->segment[low - 1].end)
		return NULL;
	return &t->segment[low - 1];
}

static const struct mapping *
mapping_at(const struct target *t, uint64_t addr)
{
	size_t low = 0, high = t->mappings;

	/* The kernel lists them by address. */
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (t->mapping[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 && addr < t->mapping[low - 1].end ? &t->mapping[low - 1]
							 : NULL;
}

/* From the file that was loaded there; how much, 0 for nothing. */
static size_t
read_mapped(struct target *t, uint64_t addr, void *buf, size_t len)
{
	const struct mapping *m = mapping_at(t, addr);

	if (m == NULL)
		return 0;
	int fd = mapped_file(t, m->path);
	len = len < m->end - addr ? len : m->end - addr;
	if (fd < 0 || !pread_all(fd, buf, len, m->offset + (addr - m->start)))
		return 0;
	return len;
}

static size_t
read_part(struct target *t, uint64_t addr, void *buf, size_t len)
{
	const struct segment *s = segment_at(t, addr);

	if (s == NULL || addr - s->start >= s->len)
		return read_mapped(t, addr, buf, len);
	uint64_t at = addr - s->start;
	len = len < s->len - at ? len : s->len - at;
	return pread_all(t->fd, buf, len, s->offset + at) ? len : 0;
}

bool
core_read(struct target *t, uint64_t addr, void *buf, size_t len)
{
	char *to = buf;

	if (addr >= ADDR_END || len > ADDR_END - addr)
		return false;
	while (len > 0) {
		size_t n = read_part(t, addr, to, len);

		if (n == 0)
			return false;
		to += n;
		addr += n;
		len -= n;
	}
	return true;
}

/* ---- the notes of a core file ---- */

/* NT_FILE: count, page size, {start, end, page} of each, and their names. */
static bool
note_files(struct target *t, const char *desc, size_t len)
{
	uint64_t cnt = number_at(desc, len, 0, 8);
	uint64_t page = number_at(desc, len, 8, 8);

	if (len < 16 || cnt > (len - 16) / 24 || cnt > MAPPINGS_MAX)
		return false;
	const char *name = desc + 16 + cnt * 24, *end = desc + len;
	for (uint64_t i = 0; i < cnt && name < end; i++) {
		size_t at = 16 + i * 24;
		size_t n = strnlen(name, (size_t)(end - name));

		if (!mapping_add(t, number_at(desc, len, at, 8),
			number_at(desc, len, at + 8, 8),
			number_at(desc, len, at + 16, 8) * page, name, n))
			return false;
		name += n + 1;
	}
	return true;
}

/* NT_PRPSINFO, which is the same on all 64-bit machines. */
enum { PRPSINFO_PID = 24, PRPSINFO_NAME = 40, PRPSINFO_NAME_LEN = 16 };

static void
note_process(struct target *t, const char *desc, size_t len)
{
	if (len < PRPSINFO_NAME + PRPSINFO_NAME_LEN)
		return;
	t->told = true;
	t->pid = (int32_t)number_at(desc, len, PRPSINFO_PID, 4);
	char *comm = escape_text(desc + PRPSINFO_NAME, PRPSINFO_NAME_LEN);
	char *name;
	if (comm != NULL && asprintf(&name, "%s (%s, process %ld)", t->name,
				comm, t->pid) >= 0) {
		free(t->name);
		t->name = name;
	}
	free(comm);
}

static bool
core_note(void *arg, const char *owner, size_t owner_len, uint32_t type,
    const char *desc, size_t desc_len, size_t desc_at)
{
	struct target *t = arg;

	(void)desc_at;
	if (owner_len < 4 || memcmp(owner, "CORE", 4) != 0)
		return true;
	if (type == NT_FILE && t->mappings == 0)
		(void)note_files(t, desc, desc_len);
	if (type == NT_PRPSINFO && !t->told)
		note_process(t, desc, desc_len);
	return true;
}

static void
core_notes(struct target *t, const Elf64_Phdr *ph)
{
	if (ph->p_filesz > NOTES_MAX || ph->p_filesz > t->size ||
	    !target_spend(t, ph->p_filesz))
		return;
	char *buf = malloc(ph->p_filesz + 1);
	if (buf != NULL && pread_all(t->fd, buf, ph->p_filesz, ph->p_offset))
		elf_notes(buf, ph->p_filesz, ph->p_align, core_note, t);
	free(buf);
}

/* ---- its segments ---- */

static int
segment_compare(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static void
segment_add(struct target *t, const Elf64_Phdr *ph)
{
	struct segment s = {.start = ph->p_vaddr,
	    .end = ph->p_vaddr + ph->p_memsz,
	    .offset = ph->p_offset,
	    .len = ph->p_filesz < ph->p_memsz ? ph->p_filesz : ph->p_memsz};

	if (s.start >= ADDR_END || ph->p_memsz > ADDR_END - s.start ||
	    s.offset > INT64_MAX || s.len > INT64_MAX - s.offset)
		return;
	if (s.offset + s.len > t->want)
		t->want = s.offset + s.len;
	t->segment[t->segments++] = s;
}

static bool
phdrs_read(struct target *t, const Elf64_Ehdr *e, Elf64_Phdr *ph, size_t n)
{
	uint64_t len = n * sizeof *ph;

	if (e->e_phoff > t->size || len > t->size - e->e_phoff ||
	    !pread_all(t->fd, ph, len, e->e_phoff)) {
		t->want = t->size + 1;
		return target_fail(
		    "%s is cut off: its table of segments is not in it",
		    t->name);
	}
	for (size_t i = 0; i < n; i++)
		if (ph[i].p_type == PT_LOAD)
			segment_add(t, &ph[i]);
	qsort(t->segment, t->segments, sizeof t->segment[0], segment_compare);
	for (size_t i = 0; i < n; i++)
		if (ph[i].p_type == PT_NOTE)
			core_notes(t, &ph[i]);
	return true;
}

/* More segments than e_phnum can tell are counted elsewhere. */
static bool
phdrs_count(struct target *t, const Elf64_Ehdr *e, size_t *n)
{
	Elf64_Shdr sh;

	*n = e->e_phnum;
	if (*n == PN_XNUM) {
		if (!pread_all(t->fd, &sh, sizeof sh, e->e_shoff))
			return target_fail("%s is cut off", t->name);
		*n = sh.sh_info;
	}
	if (e->e_phentsize != sizeof(Elf64_Phdr) || *n == 0 ||
	    *n > SEGMENTS_MAX)
		return target_fail("%s: its header is damaged", t->name);
	return true;
}

static bool
core_segments(struct target *t, const Elf64_Ehdr *e)
{
	size_t n;

	if (!phdrs_count(t, e, &n))
		return false;
	Elf64_Phdr *ph = malloc(n * sizeof *ph);
	t->segment = malloc(n * sizeof t->segment[0]);
	bool ok = ph != NULL && t->segment != NULL;
	ok = ok ? phdrs_read(t, e, ph, n) : target_fail("no memory");
	free(ph);
	return ok;
}

static bool
core_header(struct target *t, Elf64_Ehdr *e)
{
	const char *fault;

	if (t->size == 0)
		return target_fail("%s is empty", t->name);
	if (t->size < sizeof *e || !pread_all(t->fd, e, sizeof *e, 0))
		return target_fail("%s is too short for a core file", t->name);
	if ((fault = elf_fault(e)) != NULL)
		return target_fail("%s %s", t->name, fault);
	if (e->e_type != ET_CORE)
		return target_fail(
		    "%s is an ELF file, but no core file", t->name);
	return true;
}

bool
core_open(struct target *t, const char *path)
{
	struct stat st;
	Elf64_Ehdr e;
	char *name = escape_text(path, strlen(path));

	if (name == NULL || asprintf(&t->name, "core file %s", name) < 0) {
		t->name = NULL;
		free(name);
		return target_fail("no memory");
	}
	free(name);
	t->fd = open_regular(path, &st);
	if (t->fd < 0)
		return target_fail("%s: %s", t->name,
		    errno == EINVAL ? "not a regular file" : strerror(errno));
	t->size = (uint64_t)st.st_size;
	return core_header(t, &e) && core_segments(t, &e);
}

void
core_close(struct target *t)
{
	file_close(t);
	free(t->segment);
	if (t->fd >= 0)
		close(t->fd);
}
