/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * books.h - what the tests of zones share: a zone's numbers and the equations
 * between them, hooks that count, messages caught, children with a text.
 */
#ifndef UMA_TEST_BOOKS_H
#define UMA_TEST_BOOKS_H

#include <fcntl.h>
#include <sched.h>
#include <uma.h>
#include <uma/stat.h>

#include "test.h"

/* Memory that comes and goes with what is not ours, sanitizers above all. */
#define RESIDENT_SLACK ((TEST_ASAN || TEST_TSAN ? 12 : 2) << 20)

static inline struct uma_zone_stat
stat_of(uma_zone_t z)
{
	struct uma_zone_stat st;

	memset(&st, 0, sizeof st);
	st.size = sizeof st;
	ck_assert_int_eq(uma_zone_stat(z, &st), 0);
	return st;
}

/*
 * The equations that hold whenever no call is under way; NULL, or the one that
 * does not.
 */
static inline const char *
books_problem(uma_zone_t z, uint64_t used, struct uma_zone_stat *st)
{
	memset(st, 0, sizeof *st);
	st->size = sizeof *st;
	if (uma_zone_stat(z, st) != 0)
		return "uma_zone_stat failed";
	if (st->used != used)
		return "used is not the number of items out";
	if ((uint64_t)uma_zone_get_cur(z) != used)
		return "uma_zone_get_cur is not the number of items out";
	if (st->allocs - st->frees != used)
		return "allocs - frees is not the number of items out";
	if (st->used + st->free_cached + st->free_slab !=
	    st->slabs * st->slab_items)
		return "used + free_cached + free_slab is not slabs * items";
	if (st->limit != (uint64_t)uma_zone_get_max(z))
		return "limit is not uma_zone_get_max";
	if (st->stride * st->slab_items > st->slab_size)
		return "a slab's items are larger than the slab";
	return NULL;
}

static inline void
books_assert(uma_zone_t z, uint64_t used)
{
	struct uma_zone_stat st;
	const char *problem = books_problem(z, used, &st);

	ck_assert_msg(problem == NULL,
	    "%s: %llu out; used %llu cached %llu slab %llu slabs %llu x %llu "
	    "allocs %llu frees %llu",
	    problem, (unsigned long long)used, (unsigned long long)st.used,
	    (unsigned long long)st.free_cached,
	    (unsigned long long)st.free_slab, (unsigned long long)st.slabs,
	    (unsigned long long)st.slab_items, (unsigned long long)st.allocs,
	    (unsigned long long)st.frees);
}

/* A zone without hooks. */
static inline uma_zone_t
plain_zone(const char *name, size_t size, int align, uint32_t flags)
{
	uma_zone_t z =
	    uma_zcreate(name, size, NULL, NULL, NULL, NULL, align, flags);

	ck_assert_msg(z != NULL, "zone %s: %s", name, strerror(errno));
	return z;
}

static inline void *
must_alloc(uma_zone_t z, int flags)
{
	void *p = uma_zalloc(z, flags);

	if (p == NULL)
		ck_abort_msg("uma_zalloc: %s", strerror(errno));
	return p;
}

/* Fill v with n items; free n items. */
static inline void
take_many(uma_zone_t z, void **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i] = must_alloc(z, M_WAITOK);
}

static inline void
free_many(uma_zone_t z, void **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		uma_zfree(z, v[i]);
}

/* The items of whole pages, to which set_max rounds up. */
static inline int
page_items(uma_zone_t z)
{
	uint64_t n = 4096 / stat_of(z).stride;

	return n == 0 ? 1 : (int)n;
}

static inline bool
is_filled(const void *p, int byte, size_t size)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < size; i++)
		if (b[i] != (unsigned char)byte)
			return false;
	return true;
}

/*
 * Hooks that count.  hooks.fail_ctor and fail_init: the errno to fail with,
 * from the call on that is the fail_at-th from now, fail_for times.
 */
static struct {
	long ctor, dtor, init, fini;
	int ctor_errno, init_errno;
	long ctor_skip, init_skip; /* successes before the failures */
	long ctor_fails, init_fails; /* failures to come, < 0: for ever */
	void *last_arg;
	int last_flags, last_size;
} hooks;

static inline bool
hook_fails(int err, long *skip, long *fails)
{
	if (err == 0 || *fails == 0 || (*skip)-- > 0)
		return false;
	*skip = 0;
	if (*fails > 0)
		(*fails)--;
	return true;
}

static inline int
count_ctor(void *mem, int size, void *arg, int flags)
{
	(void)mem;
	hooks.last_arg = arg;
	hooks.last_flags = flags;
	hooks.last_size = size;
	if (hook_fails(hooks.ctor_errno, &hooks.ctor_skip, &hooks.ctor_fails))
		return hooks.ctor_errno;
	hooks.ctor++;
	return 0;
}

static inline void
count_dtor(void *mem, int size, void *arg)
{
	(void)mem;
	hooks.last_arg = arg;
	hooks.last_size = size;
	hooks.dtor++;
}

static inline int
count_init(void *mem, int size, int flags)
{
	(void)mem;
	(void)size;
	(void)flags;
	if (hook_fails(hooks.init_errno, &hooks.init_skip, &hooks.init_fails))
		return hooks.init_errno;
	hooks.init++;
	return 0;
}

static inline void
count_fini(void *mem, int size)
{
	(void)mem;
	(void)size;
	hooks.fini++;
}

/* A sink that keeps what is said. */
static struct {
	char text[8192];
	size_t len;
	int lines;
} said;

static inline void
said_sink(void *arg, const char *line, size_t len)
{
	(void)arg;
	if (len > sizeof said.text - 1 - said.len)
		len = sizeof said.text - 1 - said.len;
	memcpy(said.text + said.len, line, len);
	said.len += len;
	said.text[said.len] = '\0';
	said.lines++;
}

static inline void
catch_messages(void)
{
	memset(&said, 0, sizeof said);
	uma_set_warning_sink(said_sink, NULL);
}

/* Add to UMA_OPTIONS what the caller of the program set already. */
static inline void
options_add(const char *more)
{
	char text[1024];
	const char *old = getenv("UMA_OPTIONS");

	snprintf(text, sizeof text, "%s%s%s", old != NULL ? old : "",
	    old != NULL && *old != '\0' ? "," : "", more);
	ck_assert_int_eq(setenv("UMA_OPTIONS", text, 1), 0);
}

/* Does the mapping that holds addr have this flag in /proc/self/smaps? */
static inline bool
has_vmflag(const void *addr, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[1024], want[8];
	unsigned long lo, hi;
	bool inside = false, has = false;

	ck_assert_ptr_nonnull(f);
	snprintf(want, sizeof want, " %s", flag);
	while (fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
			inside = lo <= (unsigned long)addr &&
				 (unsigned long)addr < hi;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			has = strstr(line, want) != NULL;
	}
	fclose(f);
	return has;
}

/* Bytes of memory that this process has in RAM. */
static inline long
resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long total, pages;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%ld %ld", &total, &pages), 2);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static inline bool
run_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof set, &set) == 0;
}

#endif
