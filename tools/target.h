/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target.h - what the files of the reader share; target.c opens with the essay.
 */
#ifndef UMA_TOOLS_TARGET_H
#define UMA_TOOLS_TARGET_H

#include <sys/types.h>

#include <uma/debug.h>

#include "reader.h"

#define PAGE	 ((uint64_t)4096)
#define ADDR_END ((uint64_t)1 << 48) /* of what programs can map */

/* No count or length that a target claims is believed beyond these. */
enum {
	COPIES_MAX = 64,
	MAPPINGS_MAX = 1 << 18,
	SEGMENTS_MAX = 1 << 20,
	ENTRIES_MAX = 4096, /* of a table */
	STRUCT_MAX = 1 << 13, /* bytes of a struct of the library's */
	CPUS_MAX = 1 << 13,
	DOMAINS_MAX = 64,
	ZONES_MAX = 1 << 17,
	NAME_LEN_MAX = 4096, /* bytes of a zone's name */
	BUCKET_MAX = 1 << 12, /* items */
};

/* A stretch of memory that is a file's. */
struct mapping {
	uint64_t start, end, offset;
	char *path; /* whole, as the system names it */
};

/* A stretch of memory that a core file has. */
struct segment {
	uint64_t start, end; /* of memory */
	uint64_t offset, len; /* in the file, which may have less */
};

/* What the library's own tables say: names.c has the names. */
struct field {
	bool known;
	uint32_t value, size;
};

struct copy {
	uint64_t layout; /* its address */
	char *path;
	char version[sizeof((struct uma_debug_layout *)0)->library + 1];
	char *wrong; /* why it cannot be used; or NULL */
	bool unread; /* since memory could not be read */
	struct field *field; /* by enum name_field */
	uint64_t *root; /* by enum name_root; 0: not known */
};

struct target {
	long pid;
	long tid; /* of a thread of a process, to read by */
	int fd; /* of the core file; -1: a process */
	int dir; /* /proc/PID, of this process for ever; -1: a core file */
	uint64_t size; /* of the core file */
	uint64_t want; /* what it says that its size is, at least */
	char *name;
	struct mapping *mapping;
	size_t mappings;
	struct segment *segment; /* by address */
	size_t segments;
	bool told; /* the core file has told whose it is */
	const char *file_path; /* of a mapping: the file last opened; or NULL */
	int file_fd; /* -1: not to be had */
	uint64_t
	    left; /* what this call may still read, as target_spend counts */
	struct copy copy[COPIES_MAX];
	size_t copies;
	size_t use;
	bool denied, gone; /* what the system last said, of a process */
};

/* ---- target.c ---- */

/* Keep a message for target_error(); false, so that callers can return it. */
bool target_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, with why memory cannot be read, if that is known. */
bool target_fail_read(struct target *t, const char *what);

/* Before each read: false, when what this call has read is enough. */
#define SPEND_MAX   ((uint64_t)1 << 33) /* bytes, of one call of reader.h's */
#define SPEND_LEAST ((uint64_t)1 << 10) /* a read of fewer costs as much */
#define SPEND_OPEN  ((uint64_t)1 << 14) /* as opening a file does */
bool target_spend(struct target *t, uint64_t bytes);

/* Many reads, in one call to the system where that is possible. */
struct span {
	uint64_t addr;
	void *buf;
	size_t len;
	bool ok; /* set */
};
void target_read_spans(struct target *t, struct span *span, size_t n);

/*
 * With what is no text (shown_len) as \xNN, and backslash doubled; malloc'ed,
 * NULL: none.
 */
char *escape_text(const char *src, size_t len);
/* A string of at most max bytes, malloc'ed and ended; NULL: not readable. */
char *target_string(struct target *t, uint64_t addr, size_t max);

static inline struct copy *
target_copy(struct target *t)
{
	return &t->copy[t->use];
}

/* An unsigned number of 1, 2, 4 or 8 bytes; 0 where there is none. */
static inline uint64_t
number_at(const void *raw, size_t len, uint64_t off, size_t size)
{
	uint64_t v = 0;

	if (off > len || size > len - off || size > sizeof v)
		return 0;
	__builtin_memcpy(&v, (const char *)raw + off, size);
	return v;
}

/* ---- proc.c, core.c: the two kinds ---- */

bool proc_open(struct target *t, long pid);
void proc_read_spans(struct target *t, struct span *span, size_t n);
bool proc_is_zombie(long pid);
/* Whether its number is still its own; if not, it has ended. */
bool proc_is_same(struct target *t);

bool core_open(struct target *t, const char *path);
bool core_read(struct target *t, uint64_t addr, void *buf, size_t len);
void core_close(struct target *t);

bool mapping_add(struct target *t, uint64_t start, uint64_t end,
    uint64_t offset, const char *path, size_t len);

/* ---- elf.c: from a loaded file to the library's note ---- */

#include <elf.h>

/* What is wrong with a file's beginning; NULL: nothing. */
const char *elf_fault(const Elf64_Ehdr *e);
/*
 * Call fn for each note in a buffer, which may hold anything; fn says whether
 * to go on.
 */
typedef bool (*elf_note_fn)(void *arg, const char *owner, size_t owner_len,
    uint32_t type, const char *desc, size_t desc_len, size_t desc_at);
void elf_notes(
    const char *buf, size_t len, size_t align, elf_note_fn fn, void *arg);
/* Enter the copies of the library of the file that is loaded at an address. */
void elf_find_copies(struct target *t, uint64_t base, const char *path);

/* ---- names.c ---- */

#include "names.h"

/* Read the layout at the address: a copy, or why it is none in copy->wrong. */
bool names_read(struct target *t, uint64_t layout, struct copy *copy);
/* Whether the layout is still there. */
bool names_still(struct target *t, const struct copy *copy);

/* ---- zones.c: the list of zones ---- */

/* All zones, newest first: copies of struct uma_zone and its depots. */
struct zone_list {
	size_t cnt, room;
	size_t len; /* bytes of each copy */
	uint64_t *addr; /* [cnt] */
	char *bytes; /* [cnt * len] */
	int cpus, domains;
};
bool zones_read(struct target *t, struct zone_list *zl);
void zones_free(struct zone_list *zl);
/* Wait a little before another try; false: enough, or of no use. */
bool try_again(struct target *t, int tries);

static inline char *
zone_bytes(const struct zone_list *zl, size_t z)
{
	return zl->bytes + z * zl->len;
}

/* A field of a copy of a struct; behind the dot, of a struct inside it. */
static inline uint64_t
field_get(const struct copy *c, const char *raw, size_t len, enum name_field f)
{
	return c->field[f].known
		   ? number_at(raw, len, c->field[f].value, c->field[f].size)
		   : 0;
}

static inline uint64_t
field_get2(const struct copy *c, const char *raw, size_t len,
    enum name_field outer, enum name_field f)
{
	uint64_t off = (uint64_t)c->field[outer].value + c->field[f].value;

	return c->field[outer].known && c->field[f].known
		   ? number_at(raw, len, off, c->field[f].size)
		   : 0;
}

/* A variable of the library's; 0 where there is none. */
uint64_t root_get(struct target *t, enum name_root r, size_t size);

#endif
