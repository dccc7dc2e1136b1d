/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf.c - headers and notes of ELF files, as they lie in the target's memory.
 */
#include <stdlib.h>
#include <string.h>

#include "target.h"

#define PHDRS_MAX 256
#define NOTES_MAX ((size_t)1 << 16) /* bytes */

const char *
elf_fault(const Elf64_Ehdr *e)
{
	if (memcmp(e->e_ident, ELFMAG, SELFMAG) != 0)
		return "is no ELF file";
	if (e->e_ident[EI_CLASS] != ELFCLASS64)
		return "is not of a 64-bit machine";
	if (e->e_ident[EI_DATA] != ELFDATA2LSB)
		return "is of a machine of the other byte order";
	return NULL;
}

static size_t
round_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

void
elf_notes(const char *buf, size_t len, size_t align, elf_note_fn fn, void *arg)
{
	size_t at = 0;
	Elf64_Nhdr n;

	align = align == 8 ? 8 : 4;
	while (at <= len && len - at >= sizeof n) {
		memcpy(&n, buf + at, sizeof n);
		at += sizeof n;
		if (n.n_namesz > len - at)
			return;
		size_t desc = round_up(at + n.n_namesz, align);
		if (desc > len || n.n_descsz > len - desc)
			return;
		if (!fn(arg, buf + at, n.n_namesz, n.n_type, buf + desc,
			n.n_descsz, desc))
			return;
		at = round_up(desc + n.n_descsz, align);
	}
}

/* ---- to the library's layout ---- */

struct search {
	struct target *t;
	const char *path;
	uint64_t notes; /* address */
};

static bool
copy_known(const struct target *t, uint64_t layout)
{
	for (size_t n = 0; n < t->copies; n++)
		if (t->copy[n].layout == layout)
			return true;
	return t->copies == COPIES_MAX;
}

static bool
note_found(void *arg, const char *owner, size_t owner_len, uint32_t type,
    const char *desc, size_t desc_len, size_t desc_at)
{
	struct search *s = arg;

	if (type != UMA_DEBUG_NOTE_TYPE || owner_len != sizeof UMA_DEBUG_NOTE ||
	    memcmp(owner, UMA_DEBUG_NOTE, owner_len) != 0 || desc_len != 8)
		return true;
	uint64_t layout =
	    s->notes + desc_at + number_at(desc, desc_len, 0, sizeof layout);
	if (copy_known(s->t, layout))
		return true;
	struct copy *c = &s->t->copy[s->t->copies];
	*c = (struct copy){.layout = layout};
	c->path = escape_text(s->path, strlen(s->path));
	(void)names_read(s->t, layout, c);
	s->t->copies++;
	return true;
}

static void
notes_search(
    struct target *t, uint64_t at, const Elf64_Phdr *ph, const char *path)
{
	struct search s = {t, path, at};

	if (ph->p_filesz > NOTES_MAX)
		return;
	char *buf = malloc(ph->p_filesz + 1);
	if (buf != NULL && target_read(t, at, buf, ph->p_filesz))
		elf_notes(buf, ph->p_filesz, ph->p_align, note_found, &s);
	free(buf);
}

/* What is added to the file's addresses; false: it does not say. */
static bool
bias_of(const Elf64_Phdr *ph, size_t n, uint64_t base, uint64_t *bias)
{
	for (size_t i = 0; i < n; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_offset < PAGE) {
			*bias = base - (ph[i].p_vaddr - ph[i].p_offset);
			return true;
		}
	return false;
}

void
elf_find_copies(struct target *t, uint64_t base, const char *path)
{
	Elf64_Phdr ph[PHDRS_MAX];
	Elf64_Ehdr e;
	uint64_t bias;

	if (!target_read(t, base, &e, sizeof e) || elf_fault(&e) != NULL ||
	    (e.e_type != ET_EXEC && e.e_type != ET_DYN) ||
	    e.e_phentsize != sizeof ph[0] || e.e_phnum > PHDRS_MAX ||
	    !target_read(t, base + e.e_phoff, ph, e.e_phnum * sizeof ph[0]) ||
	    !bias_of(ph, e.e_phnum, base, &bias))
		return;
	for (size_t i = 0; i < e.e_phnum; i++)
		if (ph[i].p_type == PT_NOTE)
			notes_search(t, bias + ph[i].p_vaddr, &ph[i], path);
}
