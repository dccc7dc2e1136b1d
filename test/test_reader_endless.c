/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_reader_endless.c - core files that would keep a reader busy for hours,
 * though they are small: it gives up, and says so in a line.
 */
#define _GNU_SOURCE
#include "fillers.h"

#include <elf.h>

enum { NT_FILE_TYPE = 0x46494c45, BASE = 0x10000, FILES = 250000 };

static FILE *core;

static void
put(const void *bytes, size_t len)
{
	ck_assert_uint_eq(fwrite(bytes, 1, len, core), len);
}

static void
put_header(uint16_t type, uint16_t phnum)
{
	Elf64_Ehdr e = {.e_ident = ELFMAG,
	    .e_type = type,
	    .e_phoff = sizeof e,
	    .e_phentsize = sizeof(Elf64_Phdr),
	    .e_phnum = phnum};

	e.e_ident[EI_CLASS] = ELFCLASS64;
	e.e_ident[EI_DATA] = ELFDATA2LSB;
	put(&e, sizeof e);
}

static void
put_segment(uint32_t type, uint64_t offset, uint64_t addr, uint64_t len)
{
	Elf64_Phdr ph = {.p_type = type,
	    .p_offset = offset,
	    .p_vaddr = addr,
	    .p_filesz = len,
	    .p_memsz = len,
	    .p_align = 4};

	put(&ph, sizeof ph);
}

static void
put_note(uint32_t type, size_t len)
{
	Elf64_Nhdr n = {.n_namesz = 5, .n_descsz = len, .n_type = type};

	put(&n, sizeof n);
	put("CORE\0\0\0", 8);
}

/* Each says anew that it was process 0. */
static void
write_many_processes(void)
{
	static const char info[56];
	enum { NOTES = 600000, LEN = 12 + 8 + 56 };

	put_header(ET_CORE, 1);
	put_segment(PT_NOTE, 120, 0, (uint64_t)NOTES * LEN);
	for (int i = 0; i < NOTES; i++) {
		put_note(NT_PRPSINFO, sizeof info);
		put(info, sizeof info);
	}
}

/* All of one stretch of nothing. */
static void
write_many_notes(void)
{
	enum { NOTES = 60000 };

	put_header(ET_CORE, NOTES);
	for (int i = 0; i < NOTES; i++)
		put_segment(PT_NOTE, 8 << 20, 0, 64 << 20);
	ck_assert_int_eq(fflush(core), 0);
	ck_assert_int_eq(ftruncate(fileno(core), 80 << 20), 0);
}

/* The files' notes, and in one address space a library of many notes. */
static void
write_many_libraries(void)
{
	char path[24];
	uint64_t head[2] = {FILES, 4096}, at[3] = {BASE, BASE + 4096, 0};
	size_t len = sizeof head + FILES * (sizeof at + sizeof path);
	uint64_t segment = (176 + 20 + len + 4095) & ~(uint64_t)4095;

	put_header(ET_CORE, 2);
	put_segment(PT_NOTE, 176, 0, 20 + len);
	put_segment(PT_LOAD, segment, BASE, 1 << 24);
	put_note(NT_FILE_TYPE, len);
	put(head, sizeof head);
	for (int i = 0; i < FILES; i++)
		put(at, sizeof at);
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof path, "/none/%0*d", 17, i);
		put(path, sizeof path);
	}
	ck_assert_int_eq(fseek(core, (long)segment, SEEK_SET), 0);
	put_header(ET_DYN, 256);
	put_segment(PT_LOAD, 0, 0, 1 << 24);
	for (int i = 1; i < 256; i++)
		put_segment(PT_NOTE, 1 << 16, 1 << 16, 1 << 16);
	ck_assert_int_eq(fflush(core), 0);
	ck_assert_int_eq(
	    ftruncate(fileno(core), (off_t)segment + (1 << 24)), 0);
}

/* None of which is there, nor anything of them in the core file. */
static void
write_many_files(void)
{
	char path[24];
	uint64_t head[2] = {FILES, 4096};
	size_t len = sizeof head + FILES * (24 + sizeof path);

	put_header(ET_CORE, 1);
	put_segment(PT_NOTE, 120, 0, 20 + len);
	put_note(NT_FILE_TYPE, len);
	put(head, sizeof head);
	for (uint64_t i = 1; i <= FILES; i++)
		put((uint64_t[]){i * BASE, i * BASE + 4096, 0}, 24);
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof path, "/none/%0*d", 17, i);
		put(path, sizeof path);
	}
}

static const struct {
	void (*write)(void);
	const char *says;
} cores[] = {
    {write_many_processes, "does not use libuma"},
    {write_many_notes, "would take too long"},
    {write_many_libraries, "would take too long"},
    {write_many_files, "no libuma is found"},
};
#define CORES ((int)(sizeof cores / sizeof cores[0]))

START_TEST(a_small_core_file_does_not_keep_a_reader_for_hours)
{
	struct timespec start, end;

	fillers_enter();
	core = fopen("core", "w");
	ck_assert_ptr_nonnull(core);
	cores[_i].write();
	ck_assert_int_eq(fclose(core), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	ck_assert_ptr_null(target_core("core"));
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%s: %ld s\n", cores[_i].says, end.tv_sec - start.tv_sec);
	ck_assert_msg(strstr(target_error(), cores[_i].says) != NULL, "%s",
	    target_error());
	ck_assert_ptr_null(strchr(target_error(), '\n'));
	fillers_leave();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("the reader, and core files without an end");
	TCase *tc = tcase_create("endless");

	tcase_set_timeout(tc, 100);
	tcase_add_loop_test(
	    tc, a_small_core_file_does_not_keep_a_reader_for_hours, 0, CORES);
	suite_add_tcase(s, tc);
	return test_run(s);
}
