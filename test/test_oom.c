/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Out of memory: every mapping call of the library fails once, and from each
 * on for good, in every kind of public call; and limits on address space.
 *
 * The program defines the C library's mapping calls, which the library linked
 * into it then uses.  They fail by plan only while armed, which they are only
 * around the call under test.  Each attempt is a child, so that it starts with
 * a library that has not yet mapped anything.
 */
#define _GNU_SOURCE 1

#include "children.h"
#include "process_madvise.h"

#include <sys/mman.h>

enum { SLACK = 8 << 20 };
enum phase { CREATE, PREALLOC, ALLOC, FREE, RECLAIM, DESTROY, NEVER };

enum { MMAP = 1, MUNMAP = 2, MPROTECT = 4, MADVISE = 8, MBIND = 16, ALL = 31 };

static struct {
	_Atomic bool armed;
	_Atomic int calls; /* which of them may fail; 0: all */
	_Atomic bool no_munmap; /* whether armed or not */
	_Atomic long seen, failed; /* calls while armed */
	_Atomic long at; /* the call that fails, from 1 */
	_Atomic bool for_good; /* and all later ones */
	_Atomic bool munmap_failed;
	_Atomic long bytes; /* mapped and not unmapped */
} plan;

static bool
fails_now(int call)
{
	int calls = atomic_load(&plan.calls);

	if (!atomic_load(&plan.armed) || (calls != 0 && !(calls & call)))
		return false;
	long n = atomic_fetch_add(&plan.seen, 1) + 1;
	long at = atomic_load(&plan.at);
	if (atomic_load(&plan.for_good) ? n < at : n != at)
		return false;
	atomic_fetch_add(&plan.failed, 1);
	errno = ENOMEM;
	return true;
}

/* ThreadSanitizer has to see what is mapped; it wraps these calls itself. */
#define SANITIZERS __attribute__((weak, visibility("default")))
extern SANITIZERS void *__interceptor_mmap(
    void *addr, size_t len, int prot, int flags, int fd, off_t off);
extern SANITIZERS int __interceptor_munmap(void *addr, size_t len);

void *
mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	void *p;

	if (fails_now(MMAP))
		return MAP_FAILED;
	if (TEST_TSAN && __interceptor_mmap != NULL)
		p = __interceptor_mmap(addr, len, prot, flags, fd, off);
	else
		p = (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
	if (p != MAP_FAILED && (flags & MAP_FIXED) == 0)
		atomic_fetch_add(&plan.bytes, (long)len);
	return p;
}

int
munmap(void *addr, size_t len)
{
	int rc;

	if (fails_now(MUNMAP) || atomic_load(&plan.no_munmap)) {
		atomic_store(&plan.munmap_failed, true);
		errno = ENOMEM;
		return -1;
	}
	if (TEST_TSAN && __interceptor_munmap != NULL)
		rc = __interceptor_munmap(addr, len);
	else
		rc = (int)syscall(SYS_munmap, addr, len);
	if (rc == 0)
		atomic_fetch_sub(&plan.bytes, (long)len);
	return rc;
}

int
mprotect(void *addr, size_t len, int prot)
{
	return fails_now(MPROTECT)
		   ? -1
		   : (int)syscall(SYS_mprotect, addr, len, prot);
}

int
madvise(void *addr, size_t len, int advice)
{
	return fails_now(MADVISE)
		   ? -1
		   : (int)syscall(SYS_madvise, addr, len, advice);
}

/* Declared nowhere, since its header is not the C library's. */
long mbind(void *addr, unsigned long len, int mode, const unsigned long *mask,
    unsigned long maxnode, unsigned flags);
long
mbind(void *addr, unsigned long len, int mode, const unsigned long *mask,
    unsigned long maxnode, unsigned flags)
{
	return fails_now(MBIND)
		   ? -1
		   : syscall(SYS_mbind, addr, len, mode, mask, maxnode, flags);
}

/* ---- one life of a few zones, with failures in one phase ---- */

enum { SHAPES = 4, ITEMS = 64 };

static const struct {
	size_t size;
	int items;
	uint32_t flags;
} shape[SHAPES] = {
    {64, 64, 0},
    {8192, 48, 0},
    {3000, 32, UMA_ZONE_OFFPAGE | UMA_ZONE_HASH},
    {1000000, 6, UMA_ZONE_NODUMP | UMA_ZONE_NOBUCKET},
};

struct life {
	enum phase phase; /* where calls fail */
	uma_zone_t zone[SHAPES];
	void *item[SHAPES][ITEMS];
	uint64_t fails[SHAPES];
	/* Results, in memory that the parent shares. */
	struct result {
		bool reached;
		bool munmap_failed;
		long bytes;
		int zones;
	} * result;
};

static void
arm(struct life *l, enum phase phase)
{
	atomic_store(&plan.armed, l->phase == phase);
}

static void
disarm(void)
{
	atomic_store(&plan.armed, false);
}

/*
 * Whatever failed, the library knows what it has mapped and what for.  It had
 * nothing when there were before bytes.
 */
static void
memory_is_known(long before)
{
	uma_zone_t held =
	    uma_zcreate("held", 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	void *item = uma_zalloc(held, M_WAITOK);
	struct uma_stats *s = uma_stats_take();
	uint64_t slabs = 0;

	CHILD_MUST(s != NULL);
	const struct uma_memory_stat *m = s->memory;
	for (size_t z = 0; z < s->nzones; z++)
		slabs += uma_stats_zone(s, z)->memory;
	CHILD_MUST(m->mapped == (uint64_t)(atomic_load(&plan.bytes) - before));
	CHILD_MUST(m->other == 0);
	CHILD_MUST(m->used + m->cached_cpu + m->cached_depot + m->free_slab +
		       m->slack + m->own ==
		   slabs);
	CHILD_MUST(m->used >= 4096);
	uma_stats_free(s);
	uma_zfree(held, item);
	uma_zdestroy(held);
}

static uma_zone_t
life_zone(int s)
{
	return uma_zcreate("oom", shape[s].size, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, shape[s].flags);
}

static void
life_create(struct life *l)
{
	for (int s = 0; s < SHAPES; s++) {
		errno = 0;
		arm(l, CREATE);
		l->zone[s] = life_zone(s);
		disarm();
		if (l->zone[s] != NULL)
			continue;
		CHILD_MUST(errno == ENOMEM);
		CHILD_MUST(atomic_load(&plan.failed) > 0);
		l->zone[s] = life_zone(s); /* nothing fails now */
		CHILD_MUST(l->zone[s] != NULL);
	}
}

static void
life_prealloc(struct life *l)
{
	for (int s = 0; s < SHAPES; s++) {
		arm(l, PREALLOC);
		uma_prealloc(l->zone[s], shape[s].items / 2);
		disarm();
		struct uma_zone_stat st = stat_of(l->zone[s]);
		CHILD_MUST(st.used == 0);
		CHILD_MUST(
		    st.slabs * st.slab_items >= (uint64_t)shape[s].items / 2);
	}
}

/* The books of one zone while the caller holds n of its items. */
static void
life_books(struct life *l, int s, uint64_t n)
{
	struct uma_zone_stat st = stat_of(l->zone[s]);

	CHILD_MUST(st.used == n);
	CHILD_MUST(st.allocs - st.frees == n);
	CHILD_MUST(st.fails == l->fails[s]);
	CHILD_MUST(st.sleeps == 0);
	CHILD_MUST(st.used + st.free_cached + st.free_slab ==
		   st.slabs * st.slab_items);
}

static bool
is_zero(const unsigned char *p, size_t size)
{
	return p[0] == 0 && memcmp(p, p + 1, size - 1) == 0;
}

/* Fresh memory is zero, also where the system refused to drop the old. */
static void
life_alloc(struct life *l, int s)
{
	for (int i = 0; i < shape[s].items; i++) {
		errno = 0;
		arm(l, ALLOC);
		void *item = uma_zalloc(l->zone[s], M_NOWAIT);
		disarm();
		if (item == NULL) {
			CHILD_MUST(errno == ENOMEM);
			CHILD_MUST(atomic_load(&plan.failed) > 0);
			l->fails[s]++;
			life_books(l, s, (uint64_t)i);
			item = uma_zalloc(l->zone[s], M_NOWAIT);
			CHILD_MUST(item != NULL);
		}
		life_books(l, s, (uint64_t)i + 1);
		CHILD_MUST(is_zero(item, shape[s].size));
		memset(item, 0xff, shape[s].size);
		l->item[s][i] = item;
	}
}

static void
life_free(struct life *l, int s)
{
	for (int i = shape[s].items - 1; i >= 0; i--) {
		arm(l, FREE);
		uma_zfree(l->zone[s], l->item[s][i]);
		disarm();
		life_books(l, s, (uint64_t)i);
	}
}

static void
life_reclaim(struct life *l)
{
	for (int s = 0; s < SHAPES; s++) {
		arm(l, RECLAIM);
		uma_zone_reclaim(l->zone[s], UMA_RECLAIM_DRAIN_CPU);
		disarm();
		CHILD_MUST(stat_of(l->zone[s]).slabs == 0);
		life_books(l, s, 0);
	}
	arm(l, RECLAIM);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	disarm();
}

static void
count_zones(void *arg, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		*(int *)arg += text[i] == '\n';
}

/* Two rounds: the second one meets memory that the first one gave back. */
static void
life_main(void *arg)
{
	long before = atomic_load(&plan.bytes);
	struct life *l = arg;

	life_create(l);
	if (l->phase != ALLOC) /* or there would be nothing to ask for */
		life_prealloc(l);
	for (int round = 0; round < 2; round++) {
		for (int s = 0; s < SHAPES; s++)
			life_alloc(l, s);
		for (int s = 0; s < SHAPES; s++)
			life_free(l, s);
		life_reclaim(l);
	}
	for (int s = 0; s < SHAPES; s++) {
		arm(l, DESTROY);
		uma_zdestroy(l->zone[s]);
		disarm();
	}
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	l->result->zones = 0;
	uma_stats_print(count_zones, &l->result->zones, "z");
	memory_is_known(before);
	l->result->bytes = atomic_load(&plan.bytes);
	l->result->reached = atomic_load(&plan.failed) > 0;
	l->result->munmap_failed = atomic_load(&plan.munmap_failed);
}

static struct result
live(enum phase phase, long at, bool for_good)
{
	static struct life l;

	if (l.result == NULL)
		l.result = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(l.result, MAP_FAILED);
	l.phase = phase;
	atomic_store(&plan.at, at);
	atomic_store(&plan.for_good, for_good);
	in_child(life_main, &l);
	return *l.result;
}

/*
 * Fail call 1, 2, 3 ... of a phase until a life ends without reaching it.
 * Whatever failed, the same zones are left at the end, and no more memory is
 * mapped, but for a little that depends on where the system put things.  What
 * could not be unmapped stays, of course.
 */
static void
sweep(enum phase phase, bool for_good, bool must_fail)
{
	struct result plain = live(NEVER, 1, false);
	long at = 1;

	for (;; at++) {
		struct result r = live(phase, at, for_good);

		ck_assert_msg(r.zones == plain.zones,
		    "call %ld: %d lines of zones, not %d", at, r.zones,
		    plain.zones);
		ck_assert_msg(r.munmap_failed || r.bytes <= plain.bytes + SLACK,
		    "call %ld: %ld bytes stay mapped, not %ld", at, r.bytes,
		    plain.bytes);
		if (!r.reached)
			break;
	}
	printf("phase %d%s: %ld calls failed\n", (int)phase,
	    for_good ? ", for good" : "", at - 1);
	ck_assert(!must_fail || at > 1);
}

START_TEST(zcreate_survives_each_failing_call)
{
	sweep(CREATE, false, true);
	sweep(CREATE, true, true);
}
END_TEST

START_TEST(zalloc_survives_each_failing_call)
{
	sweep(ALLOC, false, true);
	sweep(ALLOC, true, true);
}
END_TEST

/* It waits as M_WAITOK does: it would stay for ever where all calls fail. */
START_TEST(prealloc_survives_each_failing_call)
{
	sweep(PREALLOC, false, true);
}
END_TEST

START_TEST(zfree_never_fails)
{
	sweep(FREE, false, false);
	sweep(FREE, true, false);
}
END_TEST

START_TEST(reclaim_never_fails)
{
	sweep(RECLAIM, false, true);
	sweep(RECLAIM, true, true);
}
END_TEST

START_TEST(zdestroy_never_fails)
{
	sweep(DESTROY, false, false);
	sweep(DESTROY, true, false);
}
END_TEST

/* ---- zones in use, while calls fail through all that happens to them ---- */

enum { BUSY_ZONES = 6, BUSY_ITEMS = 40, BUSY_TURNS = 3 };

static const struct {
	size_t size;
	uint32_t flags;
} busy_shape[BUSY_ZONES] = {
    {72, 0},
    {3000, UMA_ZONE_REFCNT},
    {8192, UMA_ZONE_OFFPAGE | UMA_ZONE_HASH},
    {1000, UMA_ZONE_NODUMP},
    {20000, 0},
    {200, UMA_ZONE_NOBUCKET},
};

struct busy {
	int calls;
	uma_zone_t zone[BUSY_ZONES];
	void *item[BUSY_ZONES][BUSY_ITEMS];
	uint64_t used[BUSY_ZONES], fails[BUSY_ZONES];
	uint64_t seed;
	struct result *result;
};

static int
busy_key(const void *item)
{
	return 1 + (int)((((uintptr_t)item * 0x9e3779b97f4a7c15u) >> 32) % 255);
}

static bool
busy_is(const void *item, int s, int byte)
{
	const unsigned char *p = item;

	return p[0] == byte && memcmp(p, p + 1, busy_shape[s].size - 1) == 0;
}

static void
busy_books(struct busy *b, int s)
{
	struct uma_zone_stat st = stat_of(b->zone[s]);

	CHILD_MUST(st.used == b->used[s]);
	CHILD_MUST(st.allocs - st.frees == b->used[s]);
	CHILD_MUST(st.fails == b->fails[s]);
	CHILD_MUST(st.used + st.free_cached + st.free_slab ==
		   st.slabs * st.slab_items);
}

/* New as a whole or as the last free left it. */
static bool
busy_take(struct busy *b, int s, int i)
{
	void *item = uma_zalloc(b->zone[s], M_NOWAIT);

	if (item == NULL) {
		CHILD_MUST(errno == ENOMEM);
		CHILD_MUST(atomic_load(&plan.failed) > 0);
		b->fails[s]++;
		return false;
	}
	CHILD_MUST(busy_is(item, s, 0) || busy_is(item, s, busy_key(item)));
	memset(item, busy_key(item), busy_shape[s].size);
	b->item[s][i] = item;
	b->used[s]++;
	return true;
}

static void
busy_put(struct busy *b, int s, int i)
{
	void *item = b->item[s][i];

	if (item == NULL)
		return;
	CHILD_MUST(busy_is(item, s, busy_key(item)));
	uma_zfree(b->zone[s], item);
	b->item[s][i] = NULL;
	b->used[s]--;
}

static void
busy_create(struct busy *b, int s)
{
	if (b->zone[s] != NULL)
		return;
	errno = 0;
	b->zone[s] = uma_zcreate("busy", busy_shape[s].size, NULL, NULL, NULL,
	    NULL, UMA_ALIGN_PTR, busy_shape[s].flags);
	CHILD_MUST(b->zone[s] != NULL || errno == ENOMEM);
	b->fails[s] = 0;
}

static void
busy_destroy(struct busy *b, int s)
{
	for (int i = 0; i < BUSY_ITEMS; i++)
		busy_put(b, s, i);
	busy_books(b, s);
	uma_zdestroy(b->zone[s]);
	b->zone[s] = NULL;
}

/* Fill, free most, reclaim: then slabs have pages without an item in use. */
static void
busy_turn(struct busy *b, int s, int turn)
{
	busy_create(b, s);
	if (b->zone[s] == NULL)
		return;
	for (int i = 0; i < BUSY_ITEMS; i++)
		if (b->item[s][i] == NULL)
			busy_take(b, s, i);
	for (int i = 0; i < BUSY_ITEMS; i++)
		if (test_rand(&b->seed) % 8 != 0)
			busy_put(b, s, i);
	busy_books(b, s);
	uma_zone_reclaim(b->zone[s],
	    turn % 3 == 2 ? UMA_RECLAIM_TRIM : UMA_RECLAIM_DRAIN_CPU);
	busy_books(b, s);
	if (turn % 3 == 2 && s % 2 == 0)
		busy_destroy(b, s);
}

/* All is well again: whatever is asked for is there. */
static void
busy_heal(struct busy *b)
{
	for (int s = 0; s < BUSY_ZONES; s++) {
		busy_create(b, s);
		CHILD_MUST(b->zone[s] != NULL);
		for (int i = 0; i < BUSY_ITEMS; i++)
			if (b->item[s][i] == NULL)
				CHILD_MUST(busy_take(b, s, i));
		busy_books(b, s);
	}
	for (int s = 0; s < BUSY_ZONES; s++) {
		for (int i = 0; i < BUSY_ITEMS; i++)
			busy_put(b, s, i);
		uma_zone_reclaim(b->zone[s], UMA_RECLAIM_DRAIN_CPU);
		busy_books(b, s);
		CHILD_MUST(stat_of(b->zone[s]).slabs == 0);
		busy_destroy(b, s);
	}
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
}

static void
busy_main(void *arg)
{
	long before = atomic_load(&plan.bytes);
	struct busy *b = arg;

	atomic_store(&plan.armed, b->calls != 0);
	for (int turn = 0; turn < BUSY_TURNS; turn++) {
		for (int s = 0; s < BUSY_ZONES; s++)
			busy_turn(b, s, turn);
		uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	}
	disarm();
	busy_heal(b);
	b->result->zones = 0;
	uma_stats_print(count_zones, &b->result->zones, "z");
	memory_is_known(before);
	b->result->bytes = atomic_load(&plan.bytes);
	b->result->reached = atomic_load(&plan.failed) > 0;
	b->result->munmap_failed = atomic_load(&plan.munmap_failed);
}

static struct result
busy_live(int calls, long at, bool for_good)
{
	static struct busy b;

	if (b.result == NULL)
		b.result = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(b.result, MAP_FAILED);
	b.calls = calls;
	b.seed = 17;
	atomic_store(&plan.calls, calls);
	atomic_store(&plan.at, at);
	atomic_store(&plan.for_good, for_good);
	in_child(busy_main, &b);
	return *b.result;
}

/* Each of the first calls; later ones, which are alike, in growing steps. */
static void
busy_sweep(int calls, bool for_good)
{
	struct result plain = busy_live(0, 1, false), r;
	long at = 1, lives = 0;

	do {
		r = busy_live(calls, at, for_good);
		ck_assert_msg(r.zones == plain.zones,
		    "call %ld: %d lines of zones, not %d", at, r.zones,
		    plain.zones);
		ck_assert_msg(r.munmap_failed || r.bytes <= plain.bytes + SLACK,
		    "call %ld: %ld bytes stay mapped, not %ld", at, r.bytes,
		    plain.bytes);
		lives++;
		at += 1 + at / (TEST_TSAN || TEST_ASAN ? 3 : 12);
	} while (r.reached);
	printf("calls %#x%s: %ld lives, to call %ld\n", calls,
	    for_good ? ", for good" : "", lives, at);
}

static const int busy_calls[] = {MMAP, MUNMAP, MPROTECT, MADVISE, MBIND, ALL};

START_TEST(zones_in_use_survive_each_failing_call)
{
	busy_sweep(busy_calls[_i], false);
	busy_sweep(busy_calls[_i], true);
}
END_TEST

/* ---- a snapshot, in the middle of which there is no more memory ---- */

enum { MANY = TEST_SCALE(3000) };

static struct snapshots {
	long at;
	struct result *result;
} snapshots;

/* Their names do not fit into what is there for the numbers. */
static void
child_snapshot(void *arg)
{
	static uma_zone_t zone[MANY];
	const struct snapshots *sn = arg;
	char name[241];

	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	for (int z = 0; z < MANY; z++) {
		zone[z] = uma_zcreate(
		    name, 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
		CHILD_MUST(zone[z] != NULL);
	}
	atomic_store(&plan.at, sn->at);
	atomic_store(&plan.for_good, true);
	atomic_store(&plan.armed, true);
	errno = 0;
	struct uma_stats *s = uma_stats_take();
	bool reached = atomic_load(&plan.failed) > 0;
	disarm();
	CHILD_MUST((s == NULL) == reached);
	CHILD_MUST(s != NULL || errno == ENOMEM);
	CHILD_MUST(s == NULL || s->nzones == MANY + 2);
	uma_stats_free(s);
	/* No walker is left at any of them. */
	for (int z = 0; z < MANY; z++)
		uma_zdestroy(zone[z]);
	memory_is_known(0);
	sn->result->reached = reached;
}

START_TEST(a_snapshot_that_fails_half_way_leaves_nothing)
{
	snapshots.result = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(snapshots.result, MAP_FAILED);
	atomic_store(&plan.calls, MMAP | MPROTECT);
	atomic_store(&plan.bytes, 0);
	do {
		snapshots.at++;
		in_child(child_snapshot, &snapshots);
	} while (snapshots.result->reached);
	printf("a snapshot: %ld calls failed\n", snapshots.at - 1);
	ck_assert(TEST_ASAN || TEST_TSAN || snapshots.at > 2);
}
END_TEST

/* ---- what the system does not take back ---- */

static size_t
child_as_now(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	CHILD_MUST(f != NULL);
	CHILD_MUST(fscanf(f, "%zu", &pages) == 1);
	fclose(f);
	return pages * 4096;
}

/*
 * Large items need new address space, which is had but cannot be made usable,
 * so it is to be unmapped, which is refused as well.
 */
enum { LARGE_MIB = 300, LARGE_ITEMS = 3 };

static int
large_round(bool fails, int items)
{
	uma_zone_t z = uma_zcreate("large", (size_t)LARGE_MIB << 20, NULL, NULL,
	    NULL, NULL, UMA_ALIGN_PTR, UMA_ZONE_NOBUCKET);
	char *item[LARGE_ITEMS];
	int got = 0;

	CHILD_MUST(z != NULL);
	atomic_store(&plan.armed, fails);
	for (int i = 0; i < items; i++) {
		item[i] = uma_zalloc(z, M_NOWAIT);
		if (item[i] != NULL) {
			item[i][0] = item[i][((size_t)LARGE_MIB << 20) - 1] = 1;
			got++;
		}
	}
	disarm();
	for (int i = 0; i < items; i++)
		uma_zfree(z, item[i]);
	uma_zdestroy(z);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	return got;
}

static void
child_never_unmaps(void *arg)
{
	long before = atomic_load(&plan.bytes);
	size_t warm = 0, end;

	(void)arg;
	atomic_store(&plan.no_munmap, true);
	atomic_store(&plan.calls, MPROTECT);
	atomic_store(&plan.at, 1);
	atomic_store(&plan.for_good, true);
	for (int round = 0; round < 50; round++) {
		CHILD_MUST(large_round(true, LARGE_ITEMS) == 0);
		warm = round == 1 ? child_as_now() : warm;
	}
	end = child_as_now();
	memory_is_known(before);
	CHILD_MUST(atomic_load(&plan.munmap_failed));
	CHILD_MUST(atomic_load(&plan.failed) >= 50);
	printf("never unmapped: %zu MiB after 2 rounds, %zu after 50",
	    warm >> 20, end >> 20);
	CHILD_MUST(end <= warm + SLACK);
	/* When all is well again, that is what is taken first. */
	for (int round = 0; round < 3; round++)
		CHILD_MUST(large_round(false, 1) == 1);
	end = child_as_now();
	memory_is_known(before);
	printf(", %zu when used\n", end >> 20);
	fflush(stdout);
	CHILD_MUST(end <= warm + SLACK);
}

START_TEST(what_cannot_be_unmapped_is_used_again)
{
	in_child(child_never_unmaps, NULL);
}
END_TEST

/* ---- waiting for memory ---- */

static struct said said = SAID_INITIALIZER;

static void *
heal(void *ms)
{
	test_sleep_ms(*(long *)ms);
	disarm();
	return NULL;
}

static void
fail_from(long at)
{
	atomic_store(&plan.seen, 0);
	atomic_store(&plan.failed, 0);
	atomic_store(&plan.at, at);
	atomic_store(&plan.for_good, true);
	atomic_store(&plan.armed, true);
}

/* Allocate until a call had to wait for memory; calls fail from at on. */
static void
wait_for_memory(long ms, long at, int *lines, double *waited)
{
	struct list {
		struct list *next;
	} *list = NULL;
	uma_zone_t z = uma_zcreate(
	    "waits", 1 << 20, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	uint64_t n = 0;

	uma_set_warning_sink(said_sink, &said);
	fail_from(at);
	double start = test_now();
	pthread_t t = thread_start(heal, &ms);
	while (atomic_load(&plan.failed) == 0) {
		struct list *item = uma_zalloc(z, M_WAITOK);

		ck_assert_ptr_nonnull(item);
		item->next = list;
		list = item;
		MUST(n++ < 10000, "10 GB without a mapping call");
	}
	*waited = test_now() - start;
	*lines = said_lines(&said);
	thread_join(t);
	ck_assert_uint_eq(stat_of(z).used, n);
	ck_assert_uint_eq(stat_of(z).fails, 0);
	while (list != NULL) {
		struct list *next = list->next;

		uma_zfree(z, list);
		list = next;
	}
	ck_assert_int_eq(uma_zone_get_cur(z), 0);
	uma_zdestroy(z);
	uma_set_warning_sink(NULL, NULL);
}

START_TEST(waitok_waits_for_memory_and_never_gives_null)
{
	int lines;
	double waited;

	wait_for_memory(300, 1, &lines, &waited);
	ck_assert_double_ge(waited, 0.25);
	ck_assert_int_le(lines, (int)waited + 1);
}
END_TEST

START_TEST(waitok_may_find_any_call_failing_from_then_on)
{
	int lines;
	double waited;

	for (long at = 2; at <= 9; at++)
		wait_for_memory(60, at, &lines, &waited);
}
END_TEST

START_TEST(prealloc_waits_for_memory)
{
	long ms = 200;
	uma_zone_t z = uma_zcreate(
	    "prealloc", 1 << 20, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	uma_set_warning_sink(mute_sink, NULL);
	fail_from(1);
	pthread_t t = thread_start(heal, &ms);
	uma_prealloc(z, 200);
	thread_join(t);
	struct uma_zone_stat st = stat_of(z);
	ck_assert_int_gt(atomic_load(&plan.failed), 0);
	ck_assert_uint_ge(st.slabs * st.slab_items, 200);
	ck_assert_uint_eq(st.used, 0);
	uma_zdestroy(z);
}
END_TEST

START_TEST(waiting_for_memory_says_so_once_a_second)
{
	int lines;
	double waited;

	wait_for_memory(2300, 1, &lines, &waited);
	ck_assert_int_ge(lines, 1);
	ck_assert_int_le(lines, (int)waited + 1);
}
END_TEST

/* ---- limits on address space ---- */

/* Everything the zone can get: items kept in a list through themselves. */
static long
take_all(uma_zone_t z)
{
	void **list = NULL, **item;
	long n = 0;

	errno = 0;
	while ((item = uma_zalloc(z, M_NOWAIT)) != NULL) {
		*item = list;
		list = item;
		n++;
	}
	CHILD_MUST(errno == ENOMEM);
	CHILD_MUST(uma_zone_get_cur(z) == n);
	while (list != NULL) {
		item = *list;
		uma_zfree(z, list);
		list = item;
	}
	CHILD_MUST(uma_zone_get_cur(z) == 0);
	return n;
}

static void
child_as_limit(size_t bytes)
{
	struct rlimit as = {bytes, bytes};

	CHILD_MUST(setrlimit(RLIMIT_AS, &as) == 0);
}

static void
child_cycles(void *arg)
{
	size_t size = *(size_t *)arg;

	child_as_limit((size_t)256 << 20);
	uma_zone_t z = uma_zcreate(
	    "cycles", size, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	CHILD_MUST(z != NULL);
	long first = take_all(z);
	/* Half of what the limit allows, or something is badly wasted. */
	CHILD_MUST((size_t)first * size >= (size_t)128 << 20);
	for (int i = 0; i < 9; i++) {
		uma_zone_reclaim(z, UMA_RECLAIM_DRAIN_CPU);
		uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
		CHILD_MUST(take_all(z) * 10 >= first * 9);
	}
	uma_zdestroy(z);
}

START_TEST(all_memory_can_be_had_again_and_again)
{
	size_t size[] = {100000, 1500};
	int sizes = UMA_DEBUG > 1 ? 1 : 2; /* small items take long there */

	for (int i = 0; i < sizes; i++)
		in_child(child_cycles, &size[i]);
}
END_TEST

/* ---- zones of several sizes share what there is ---- */

enum { SHARERS = 5 };

static struct {
	uma_zone_t zone[SHARERS];
	void **list[SHARERS]; /* items in use, linked through themselves */
	size_t bytes;
} share;
static const size_t share_size[SHARERS] = {64, 700, 3000, 8192, 100000};

/* Some items of each zone in turn until there is nothing for any. */
static void
share_take(int first)
{
	bool any = true;

	for (int s = first; any || s % SHARERS != first; s++) {
		int z = s % SHARERS;

		if (z == first)
			any = false;
		for (size_t got = 0; share.zone[z] != NULL && got < 100000;
		     got += share_size[z]) {
			void **item = uma_zalloc(share.zone[z], M_NOWAIT);

			if (item == NULL)
				break;
			any = true;
			*item = share.list[z];
			share.list[z] = item;
			share.bytes += share_size[z];
		}
	}
}

/* Of each zone's items, keep about one in so many; 0: none. */
static void
share_free(uint64_t keep_one_in, uint64_t *seed)
{
	for (int z = 0; z < SHARERS; z++) {
		void **list = share.list[z], **next;

		share.list[z] = NULL;
		for (; list != NULL; list = next) {
			next = *list;
			if (keep_one_in > 0 &&
			    test_rand(seed) % keep_one_in == 0) {
				*list = share.list[z];
				share.list[z] = list;
				continue;
			}
			uma_zfree(share.zone[z], list);
			share.bytes -= share_size[z];
		}
	}
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
}

static void
child_shares(void *arg)
{
	uint64_t seed = 23;
	size_t first = 0;

	(void)arg;
	child_as_limit((size_t)256 << 20);
	/* Small items take long where each step is checked. */
	for (int z = UMA_DEBUG > 1 ? 2 : 0; z < SHARERS; z++) {
		share.zone[z] = uma_zcreate("share", share_size[z], NULL, NULL,
		    NULL, NULL, UMA_ALIGN_PTR, 0);
		CHILD_MUST(share.zone[z] != NULL);
	}
	for (int round = 0; round < 10; round++) {
		share_take(round % SHARERS);
		size_t all = share.bytes;
		first = first == 0 ? all : first;
		share_free(10, &seed);
		size_t left = share.bytes;
		share_take((round + 1) % SHARERS);
		printf("round %d: %zu KiB, down to %zu, again %zu\n", round,
		    all >> 10, left >> 10, share.bytes >> 10);
		fflush(stdout);
		CHILD_MUST(all >= (size_t)128 << 20);
		CHILD_MUST(all >= first / 10 * 9);
		CHILD_MUST(share.bytes >= first / 10 * 9);
		share_free(0, &seed);
		CHILD_MUST(share.bytes == 0);
	}
	for (int z = 0; z < SHARERS; z++)
		uma_zdestroy(share.zone[z]);
}

START_TEST(zones_of_all_sizes_get_all_memory_again_and_again)
{
	in_child(child_shares, NULL);
}
END_TEST

static void
child_starts(void *arg)
{
	void *item[1000];

	child_as_limit(*(size_t *)arg);
	uma_zone_t z =
	    uma_zcreate("small", 512, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	CHILD_MUST(z != NULL);
	for (int i = 0; i < 1000; i++)
		CHILD_MUST((item[i] = uma_zalloc(z, M_NOWAIT)) != NULL);
	for (int i = 0; i < 1000; i++)
		uma_zfree(z, item[i]);
	uma_zdestroy(z);
}

/* The address space of this process now, in bytes. */
static size_t
as_now(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%zu", &pages), 1);
	fclose(f);
	return pages * 4096;
}

START_TEST(a_small_address_space_is_enough_to_start)
{
	size_t room[] = {1024, 128, 32, 16};

	for (int i = 0; i < 4; i++) {
		size_t limit = as_now() + (room[i] << 20);

		in_child(child_starts, &limit);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("oom");
	TCase *tc = tcase_create("failing calls");

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, zcreate_survives_each_failing_call);
	tcase_add_test(tc, zalloc_survives_each_failing_call);
	tcase_add_test(tc, prealloc_survives_each_failing_call);
	tcase_add_test(tc, zfree_never_fails);
	tcase_add_test(tc, reclaim_never_fails);
	tcase_add_test(tc, zdestroy_never_fails);
	tcase_add_loop_test(tc, zones_in_use_survive_each_failing_call, 0,
	    sizeof busy_calls / sizeof busy_calls[0]);
	tcase_add_test(tc, waitok_waits_for_memory_and_never_gives_null);
	tcase_add_test(tc, waitok_may_find_any_call_failing_from_then_on);
	tcase_add_test(tc, waiting_for_memory_says_so_once_a_second);
	tcase_add_test(tc, prealloc_waits_for_memory);
	suite_add_tcase(s, tc);

	/* The sanitizers' own address space is beyond any limit. */
	if (TEST_TSAN || TEST_ASAN)
		return s;
	tc = tcase_create("address space");
	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_test(tc, all_memory_can_be_had_again_and_again);
	tcase_add_test(tc, zones_of_all_sizes_get_all_memory_again_and_again);
	tcase_add_test(tc, what_cannot_be_unmapped_is_used_again);
	tcase_add_test(tc, a_snapshot_that_fails_half_way_leaves_nothing);
	tcase_add_test(tc, a_small_address_space_is_enough_to_start);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
