/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h - the model's zones: what each must be, the hooks that watch it, and
 * the contents that an item may have.
 */
#ifndef UMA_TEST_MODEL_H
#define UMA_TEST_MODEL_H

#include <stdarg.h>

#include "books.h"
#include "shadow.h"

#define ZONES	   28 /* alive at once */
#define LIVE_MAX   3000 /* items out of a zone */
#define LIVE_BYTES (1 << 20)
#define INIT_BYTE  0xa6
#define CTOR_ERRNO EDOM
#define INIT_ERRNO E2BIG

struct mzone {
	uma_zone_t z;
	uint32_t serial;
	char name[24];
	size_t size;
	int align;
	uint32_t flags;
	bool has_ctor, has_dtor, has_init, has_fini;
	unsigned ctor_fails, init_fails; /* per mille */

	void *live[LIVE_MAX];
	size_t nlive, max_live;
	bool growing;

	uint64_t allocs, frees, fails; /* as the zone must count them */
	uint64_t inits, finis; /* that succeeded */
	uint64_t limit; /* 0: none */
	uint64_t ceiling; /* of allocated + cached, falling to the limit */
	uint32_t epoch; /* times that its slabs may have gone back */
	int page_items;

	/* What the hooks saw during the call under way. */
	int saw_ctor, saw_dtor, ctor_failed, init_failed, saw_flags;
	void *saw_mem, *saw_arg;
	bool busy; /* such a call is under way */
};

static struct mzone zones[ZONES];
static uint64_t seed, rng, op;
static uint32_t next_id, next_serial;

static uint64_t
rnd(uint64_t n)
{
	return test_rand(&rng) % n;
}

static bool
chance(unsigned per_mille)
{
	return rnd(1000) < per_mille;
}

/* ---- what went wrong, and when ---- */

_Noreturn static void wrong(const struct mzone *m, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

_Noreturn static void
wrong(const struct mzone *m, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	printf("UMA_TEST_SEED=%llu operation %llu: %s\n",
	    (unsigned long long)seed, (unsigned long long)op, text);
	fflush(stdout);
	ck_abort_msg("UMA_TEST_SEED=%llu operation %llu, zone '%s' size %zu "
		     "align %d flags %#x limit %llu: %s",
	    (unsigned long long)seed, (unsigned long long)op, m->name, m->size,
	    m->align, (unsigned)m->flags, (unsigned long long)m->limit, text);
	abort();
}

/* The library aborts or crashes: say where, then die as it wanted. */
static void
say_where(int sig)
{
	char text[160];
	int n = snprintf(text, sizeof text,
	    "signal %d at UMA_TEST_SEED=%llu operation %llu\n", sig,
	    (unsigned long long)seed, (unsigned long long)op);

	(void)!write(2, text, (size_t)n);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* Hooks use other zones now and then, where no call is under way. */
static void nested(void);

/* ---- hooks: one set a place in zones[], for init has no argument ---- */

static int
model_ctor(struct mzone *m, void *mem, int size, void *arg, int flags)
{
	m->saw_ctor++;
	m->saw_mem = mem;
	m->saw_arg = arg;
	m->saw_flags = flags;
	if (size != (int)m->size)
		wrong(m, "ctor was given size %d", size);
	if (record_of(mem, m->serial)->live)
		wrong(m, "ctor of %p, which is out", mem);
	nested();
	if (!chance(m->ctor_fails))
		return 0;
	m->ctor_failed++;
	return CTOR_ERRNO;
}

static void
model_dtor(struct mzone *m, void *mem, int size, void *arg)
{
	m->saw_dtor++;
	m->saw_mem = mem;
	m->saw_arg = arg;
	if (size != (int)m->size)
		wrong(m, "dtor was given size %d", size);
	if (!pattern_is(mem, m->size, record_of(mem, m->serial)->id))
		wrong(m, "dtor of %p: the item is not whole", mem);
	nested();
}

static int
model_init(struct mzone *m, void *mem, int size)
{
	struct record *r = record_of(mem, m->serial);

	if (size != (int)m->size)
		wrong(m, "init was given size %d", size);
	if (r->live || (r->ready && (m->has_fini || r->epoch == m->epoch)))
		wrong(m, "second init of %p without a fini", mem);
	if (!(m->flags & UMA_ZONE_MALLOC) && !bytes_are(mem, m->size, 0))
		wrong(m, "init of %p: memory is not zero", mem);
	if (chance(m->init_fails)) {
		m->init_failed++;
		return INIT_ERRNO;
	}
	memset(mem, INIT_BYTE, m->size);
	r->ready = true;
	r->id = 0;
	r->epoch = m->epoch;
	m->inits++;
	nested();
	return 0;
}

static bool item_is_left(
    const struct mzone *m, const void *mem, const struct record *r);

static void
model_fini(struct mzone *m, void *mem, int size)
{
	struct record *r = record_of(mem, m->serial);

	if (size != (int)m->size)
		wrong(m, "fini was given size %d", size);
	if (r->live)
		wrong(m, "fini of %p, which is out", mem);
	if (m->has_init && !r->ready)
		wrong(m, "fini of %p without an init", mem);
	if (!item_is_left(m, mem, r))
		wrong(m, "fini of %p: written to while it was free", mem);
	r->ready = false;
	r->id = 0;
	m->finis++;
	nested();
}

#define HOOKS(n)                                             \
	static int ctor_##n(void *p, int s, void *a, int f)  \
	{                                                    \
		return model_ctor(&zones[n], p, s, a, f);    \
	}                                                    \
	static void dtor_##n(void *p, int s, void *a)        \
	{                                                    \
		model_dtor(&zones[n], p, s, a);              \
	}                                                    \
	static int init_##n(void *p, int s, int f)           \
	{                                                    \
		return (void)f, model_init(&zones[n], p, s); \
	}                                                    \
	static void fini_##n(void *p, int s)                 \
	{                                                    \
		model_fini(&zones[n], p, s);                 \
	}
#define HOOKS_OF(n)                                    \
	{                                              \
		ctor_##n, dtor_##n, init_##n, fini_##n \
	}

HOOKS(0)
HOOKS(1)
HOOKS(2)
HOOKS(3)
HOOKS(4)
HOOKS(5)
HOOKS(6)
HOOKS(7)
HOOKS(8)
HOOKS(9)
HOOKS(10)
HOOKS(11)
HOOKS(12)
HOOKS(13)
HOOKS(14)
HOOKS(15)
HOOKS(16)
HOOKS(17)
HOOKS(18)
HOOKS(19)
HOOKS(20)
HOOKS(21)
HOOKS(22)
HOOKS(23)
HOOKS(24)
HOOKS(25)
HOOKS(26)
HOOKS(27)

static const struct {
	uma_ctor ctor;
	uma_dtor dtor;
	uma_init init;
	uma_fini fini;
} hooks_of[ZONES] = {
    HOOKS_OF(0),
    HOOKS_OF(1),
    HOOKS_OF(2),
    HOOKS_OF(3),
    HOOKS_OF(4),
    HOOKS_OF(5),
    HOOKS_OF(6),
    HOOKS_OF(7),
    HOOKS_OF(8),
    HOOKS_OF(9),
    HOOKS_OF(10),
    HOOKS_OF(11),
    HOOKS_OF(12),
    HOOKS_OF(13),
    HOOKS_OF(14),
    HOOKS_OF(15),
    HOOKS_OF(16),
    HOOKS_OF(17),
    HOOKS_OF(18),
    HOOKS_OF(19),
    HOOKS_OF(20),
    HOOKS_OF(21),
    HOOKS_OF(22),
    HOOKS_OF(23),
    HOOKS_OF(24),
    HOOKS_OF(25),
    HOOKS_OF(26),
    HOOKS_OF(27),
};

/* ---- contents ---- */

static int
copies_of(const struct mzone *m)
{
	return m->flags & UMA_ZONE_PCPU ? uma_ncpus() : 1;
}

static char *
copy_of(const void *p, int cpu)
{
	return (char *)p + (size_t)cpu * UMA_PCPU_STRIDE;
}

/* Does a copy look as at its first allocation? */
static bool
copy_is_first(const struct mzone *m, const char *copy, int cpu)
{
	if (m->has_init && cpu == 0)
		return bytes_are(copy, m->size, INIT_BYTE);
	if ((m->flags & UMA_ZONE_MALLOC) && !(m->flags & UMA_ZONE_ZINIT))
		return true;
	/* The zero fill is an init, and those get one copy. */
	if (m->flags & UMA_ZONE_MALLOC && cpu > 0)
		return true;
	return bytes_are(copy, m->size, 0);
}

static bool
item_is_first(const struct mzone *m, const void *p)
{
	for (int cpu = 0; cpu < copies_of(m); cpu++)
		if (!copy_is_first(m, copy_of(p, cpu), cpu))
			return false;
	return true;
}

static bool
item_has_pattern(const struct mzone *m, const void *p, uint32_t id)
{
	for (int cpu = 0; cpu < copies_of(m); cpu++)
		if (!pattern_is(copy_of(p, cpu), m->size, id + (uint32_t)cpu))
			return false;
	return true;
}

/*
 * Is an item that is not out as it must be?  Slabs that went back unnoticed,
 * where no hook tells, are allowed for after anything that may have done it.
 */
static bool
item_is_left(const struct mzone *m, const void *mem, const struct record *r)
{
	bool told = m->has_init || m->has_fini;

	if (r->id != 0 && item_has_pattern(m, mem, r->id))
		return true;
	if (r->id != 0 && (told || r->epoch == m->epoch))
		return false;
	return item_is_first(m, mem);
}

static void
count_check_and_set(struct mzone *m, void *p, struct record *r)
{
	bool told = m->has_init || m->has_fini;

	if (!(m->flags & UMA_ZONE_REFCNT))
		return;
	uint32_t *count = uma_find_refcnt(m->z, p);
	bool kept = r->id != 0 && *count == r->count;
	bool first = *count == 0 && (r->id == 0 || !told);
	if (!kept && !first)
		wrong(m, "counter of %p is %u, not %u", p, *count, r->count);
	*count = r->count = (uint32_t)rnd(1u << 31) + 1;
}

#endif
