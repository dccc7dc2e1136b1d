/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader.h - the zones of another process, or of one that left a core file.
 *
 * The process is not stopped and takes no part in it.  Whatever its memory
 * says, these calls neither crash nor run for ever.  Not for several threads.
 */
#ifndef UMA_TOOLS_READER_H
#define UMA_TOOLS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uma/stat.h>

struct target;

/*
 * target_pid, target_core: begin to read a process or a core file.
 * NULL: target_error() says why, in one line without a newline.
 */
struct target *target_pid(long pid);
struct target *target_core(const char *path);
void target_close(struct target *t); /* NULL does nothing */

/* Why the last call failed; its control bytes are escaped. */
const char *target_error(void);

/* "process 123 (name)", "core file PATH (name, process 123)"; escaped. */
const char *target_name(const struct target *t);
long target_process(const struct target *t); /* its pid; 0: not known */

/* All of the bytes, or false; says nothing. */
bool target_read(struct target *t, uint64_t addr, void *buf, size_t len);

/*
 * A process may have several copies of the library: in libuma.so, in the
 * program, in plugins.  There is one at least; their path is that of the file
 * that they are in, escaped.  What is below is about the one in use, at first
 * number 0.
 */
size_t target_copies(const struct target *t);
const char *target_copy_path(const struct target *t, size_t n);
const char *target_copy_version(const struct target *t, size_t n);
void target_use(struct target *t, size_t n);

/*
 * target_stats: all statistics, as uma_stats_take() would give them there; for
 * target_stats_free.  NULL: target_error() says why.
 */
struct uma_stats *target_stats(struct target *t);
void target_stats_free(struct uma_stats *s);

/*
 * target_slabs: call fn for each slab of a zone, in the order of addresses.  The
 * zone is the first of that name (as zones are listed, oldest first), or the
 * one at an address, "0x...", as uma_zone_stat.zone has it.  Slabs that come or
 * go meanwhile may be missing.  False: target_error() says why, and fn was not
 * called.
 */
enum item_state {
	ITEM_OUT, /* the program has it */
	ITEM_CACHED, /* free, in a bucket */
	ITEM_READY, /* free, in the slab, its init has run */
	ITEM_FRESH, /* free, and never used since its page came */
};
struct slab_view {
	uint64_t run; /* the first page */
	uint64_t size; /* bytes of the slab */
	uint64_t items, stride;
	uint64_t first; /* offset of item 0 */
	int domain;
	const uint8_t *state; /* of each item, an enum item_state */
};
typedef void (*target_slab_fn)(void *arg, const struct slab_view *v);
bool target_slabs(
    struct target *t, const char *zone, target_slab_fn fn, void *arg);

#endif
