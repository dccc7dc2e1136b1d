/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm.c - the one door to the system's memory calls.  They go through the C
 * library's symbols, so that a test can put itself in between and fail any of
 * them.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "vm_int.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA	     0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

enum { AS_SHARE = 16 }; /* of a limit on address space, one piece takes 1/16 */

static struct pages_config vm_config;

void
vm_init(const struct pages_config *config)
{
	vm_config = *config;
}

/* Bytes of address space that are ours, and of these, in no use. */
static _Atomic size_t vm_mapped, vm_unused;

static void *
map(size_t len, int prot)
{
	void *p = mmap(NULL, len, prot,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	UMA_ASSERT((len & UMA_PAGE_MASK) == 0, "%zu bytes to map", len);
	if (p == MAP_FAILED)
		return NULL;
	atomic_fetch_add_explicit(&vm_mapped, len, memory_order_relaxed);
	return p;
}

static bool
unmap(char *from, char *to)
{
	size_t len = to > from ? (size_t)(to - from) : 0;

	if (len > 0 && munmap(from, len) != 0)
		return false;
	atomic_fetch_sub_explicit(&vm_mapped, len, memory_order_relaxed);
	return true;
}

size_t
vm_mapped_bytes(void)
{
	return atomic_load_explicit(&vm_mapped, memory_order_relaxed);
}

size_t
vm_unused_bytes(void)
{
	return atomic_load_explicit(&vm_unused, memory_order_relaxed);
}

static void
unused_add(size_t len)
{
	atomic_fetch_add_explicit(&vm_unused, len, memory_order_relaxed);
}

/*
 * Address space that the system would not take back (to unmap may need another
 * mapping, and a process has no more than some 65,000), to be reserved again.
 * vm_reserve and vm_unreserve come under the lock of the runs.
 */
static struct {
	char *base;
	size_t len;
} vm_spare[8];

/* Without memory in it, and not to be touched, as it was when it was new. */
static void
spare_keep(char *base, size_t len)
{
	size_t least = 0;

	unused_add(len);
	(void)munlock(base, len);
	(void)madvise(base, len, MADV_DONTNEED);
	(void)madvise(base, len, MADV_DODUMP);
	(void)mprotect(base, len, PROT_NONE);
	for (size_t i = 1; i < sizeof vm_spare / sizeof vm_spare[0]; i++)
		if (vm_spare[i].len < vm_spare[least].len)
			least = i;
	/* A smaller one stays mapped for nobody, which costs no memory. */
	if (vm_spare[least].len < len) {
		vm_spare[least].base = base;
		vm_spare[least].len = len;
	}
}

/* The smallest that is enough; NULL for none. */
static char *
spare_take(size_t *len, size_t need)
{
	size_t best = SIZE_MAX, at = 0;

	for (size_t i = 0; i < sizeof vm_spare / sizeof vm_spare[0]; i++)
		if (vm_spare[i].len >= need && vm_spare[i].len < best)
			best = vm_spare[at = i].len;
	if (best == SIZE_MAX)
		return NULL;
	*len = best;
	vm_spare[at].len = 0;
	atomic_fetch_sub_explicit(&vm_unused, best, memory_order_relaxed);
	return vm_spare[at].base;
}

/* What surrounds a piece; what is left of it costs address space only. */
static void
trim(char *from, char *to)
{
	if (!unmap(from, to))
		unused_add((size_t)(to - from));
}

static void *
reserve_exactly(size_t len)
{
	char *p = map(len + VM_PIECE_ALIGN - UMA_PAGE_SIZE, PROT_NONE);

	if (p == NULL)
		return NULL;
	char *end = p + len + VM_PIECE_ALIGN - UMA_PAGE_SIZE;
	char *base = p + (-(uintptr_t)p & (VM_PIECE_ALIGN - 1));

	trim(p, base);
	trim(base + len, end);
	return base;
}

/* A limit on address space makes pieces smaller, so that others get theirs. */
static size_t
reserve_bound(size_t len, size_t need)
{
	struct rlimit as;

	if (getrlimit(RLIMIT_AS, &as) != 0 || as.rlim_cur == RLIM_INFINITY)
		return uma_max(len, need);
	size_t share = (size_t)as.rlim_cur / AS_SHARE & ~(VM_PIECE_ALIGN - 1);
	return uma_max(uma_min(len, share), need);
}

void *
vm_reserve(size_t *len, size_t need)
{
	int saved = errno;
	size_t want = reserve_bound(*len, need);
	void *base = spare_take(len, need);

	if (base != NULL)
		return base;
	while ((base = reserve_exactly(want)) == NULL && want > need)
		want = uma_max(uma_roundup(want / 2, VM_PIECE_ALIGN), need);
	*len = want;
	errno = saved;
	return base;
}

void
vm_unreserve(void *base, size_t len)
{
	int saved = errno;

	if (!unmap(base, (char *)base + len))
		spare_keep(base, len);
	errno = saved;
}

/* Locked a step at a time: neighbours that are both locked stay one mapping. */
static _Atomic int vm_lock_error; /* of the first refusal */

static void
lock(void *base, size_t len)
{
	int none = 0;

	if (mlock(base, len) != 0)
		atomic_compare_exchange_strong(&vm_lock_error, &none, errno);
}

void
vm_say(void)
{
	static _Atomic bool said;
	int error = atomic_load_explicit(&vm_lock_error, memory_order_relaxed);

	if (uma_unlikely(error != 0) && !atomic_exchange(&said, true))
		uma_message("uma: cannot lock memory (errno %d): going on "
			    "without",
		    error);
}

bool
vm_commit(void *base, size_t len)
{
	int saved = errno;
	bool ok = mprotect(base, len, PROT_READ | PROT_WRITE) == 0;

	if (ok && vm_config.pg_mlock)
		lock(base, len);
	errno = saved;
	return ok;
}

bool
vm_prefaults(void)
{
	return vm_config.pg_prefault || vm_config.pg_mlock;
}

/* A byte written back as it was makes a page of memory, too. */
static void
touch(volatile char *base, size_t len)
{
	for (size_t i = 0; i < len; i += UMA_PAGE_SIZE)
		base[i] = base[i];
}

bool
vm_populate(void *base, size_t len)
{
	int saved = errno;
	bool ok = madvise(base, len, MADV_POPULATE_WRITE) == 0;

	if (!ok && errno == EINVAL) { /* before Linux 5.14 */
		touch(base, len);
		ok = true;
	}
	errno = saved;
	return ok;
}

void *
vm_map(size_t len)
{
	int saved = errno;
	void *p = map(len, PROT_READ | PROT_WRITE);

	errno = saved;
	return p;
}

bool
vm_unmap(void *base, size_t len)
{
	int saved = errno;
	bool ok = unmap(base, (char *)base + len);

	errno = saved;
	return ok;
}

/*
 * Never MADV_FREE: a released page is taken for zero.  Locked memory has a call
 * of its own, since Linux 5.18.
 */
static int
release_advice(void)
{
	return vm_config.pg_mlock ? MADV_DONTNEED_LOCKED : MADV_DONTNEED;
}

bool
vm_release(void *base, size_t len)
{
	int saved = errno;
	bool ok = madvise(base, len, release_advice()) == 0;

	errno = saved;
	return ok;
}

/*
 * Many ranges in one call, which costs a third of as many calls: the C
 * library's wrapper since 2.36, this advice for the process itself, and a name
 * for that process that needs no descriptor, since Linux 6.14.
 */
extern ssize_t process_madvise(int pidfd, const struct iovec *range, size_t cnt,
    int advice, unsigned flags) __attribute__((weak));
#define PIDFD_OF_SELF (-10000)

static bool
release_at_once(struct pages_range *range, int n)
{
	static _Atomic bool refused;
	struct iovec v[PAGES_DROP_MAX];
	size_t len = 0;

	if (process_madvise == NULL || refused)
		return false;
	for (int i = 0; i < n; i++) {
		v[i] = (struct iovec){range[i].pr_start, range[i].pr_len};
		len += v[i].iov_len;
		range[i].pr_dropped = true;
	}
	ssize_t done =
	    process_madvise(PIDFD_OF_SELF, v, (size_t)n, release_advice(), 0);
	if (done < 0 && (errno == ENOSYS || errno == EBADF || errno == EPERM))
		refused = true;
	return done == (ssize_t)len;
}

void
vm_release_all(struct pages_range *range, int n)
{
	int saved = errno;

	UMA_ASSERT(n <= PAGES_DROP_MAX, "%d ranges", n);
	if (n < 2 || !release_at_once(range, n))
		for (int i = 0; i < n; i++)
			range[i].pr_dropped =
			    vm_release(range[i].pr_start, range[i].pr_len);
	errno = saved;
}

static void
advise(void *base, size_t len, int advice)
{
	int saved = errno;

	(void)madvise(base, len, advice);
	errno = saved;
}

void
vm_nodump(void *base, size_t len)
{
	advise(base, len, MADV_DONTDUMP);
}

void
vm_nohuge(void *base, size_t len)
{
	advise(base, len, MADV_NOHUGEPAGE);
}

/*
 * Never, unless asked for: the system would fill a huge page for the first item
 * in it, and fill pages again that were given back out of one.
 */
void
vm_huge(void *base, size_t len)
{
	if (vm_config.pg_thp != THP_SYSTEM)
		advise(base, len,
		    vm_config.pg_thp == THP_ALWAYS ? MADV_HUGEPAGE
						   : MADV_NOHUGEPAGE);
}

bool
vm_wants_huge(void)
{
	return vm_config.pg_thp == THP_ALWAYS;
}

void
vm_name(void *base, size_t len, const char *name)
{
	int saved = errno;

	(void)prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, base, len, name);
	errno = saved;
}

/* ---- for readers of our memory ---- */

static struct uma_debug_root roots[] = {
    {"vm_mapped", &vm_mapped}, {"vm_unused", &vm_unused}};
struct uma_debug_table vm_debug = {
    .root = roots, .root_cnt = sizeof roots / sizeof roots[0]};
