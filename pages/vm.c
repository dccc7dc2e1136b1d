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

#include "vm_int.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA	     0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

enum { AS_SHARE = 16 }; /* of a limit on address space, one piece takes 1/16 */

static void *
map(size_t len, int prot)
{
	void *p = mmap(NULL, len, prot,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* What cannot be unmapped stays as address space that nobody uses. */
static void
unmap(char *from, char *to)
{
	if (to > from)
		(void)munmap(from, (size_t)(to - from));
}

static void *
reserve_exactly(size_t len)
{
	char *p = map(len + VM_PIECE_ALIGN - UMA_PAGE_SIZE, PROT_NONE);

	if (p == NULL)
		return NULL;
	char *end = p + len + VM_PIECE_ALIGN - UMA_PAGE_SIZE;
	char *base = p + (-(uintptr_t)p & (VM_PIECE_ALIGN - 1));

	unmap(p, base);
	unmap(base + len, end);
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
	void *base;

	while ((base = reserve_exactly(want)) == NULL && want > need)
		want = uma_max(uma_roundup(want / 2, VM_PIECE_ALIGN), need);
	if (base != NULL)
		(void)prctl(
		    PR_SET_VMA, PR_SET_VMA_ANON_NAME, base, want, "libuma");
	*len = want;
	errno = saved;
	return base;
}

void
vm_unreserve(void *base, size_t len)
{
	int saved = errno;

	unmap(base, (char *)base + len);
	errno = saved;
}

bool
vm_commit(void *base, size_t len)
{
	int saved = errno;
	bool ok = mprotect(base, len, PROT_READ | PROT_WRITE) == 0;

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

/* Never MADV_FREE: a released page is taken for zero. */
bool
vm_release(void *base, size_t len)
{
	int saved = errno;
	bool ok = madvise(base, len, MADV_DONTNEED) == 0;

	errno = saved;
	return ok;
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
