/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stall.h - a gibibyte goes back to the system at once: how long that takes,
 * how many system calls, and how long another thread may have to wait.
 *
 * The other thread, on another CPU, does three things in turn: it reads the
 * clock, it allocates and frees what the gibibyte was made of, and it does so
 * with items of another size, which is another zone's.  What the first of these
 * has to wait is the machine's doing, not the allocator's; so is what the rest
 * wait while the kernel gives their CPU to another program, which it counts.
 */
#ifndef UMA_BENCH_STALL_H
#define UMA_BENCH_STALL_H

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "resident.h"

#define STALL_BATCH 256
#define STALL_LONG  20e3 /* ns: worth asking who did it */
#define STALL_QUIET 300 /* ms */

/* ---- system calls, where the linker lets us see them ---- */

enum stall_phase { PHASE_WARM, PHASE_QUIET, PHASE_RECLAIM, PHASE_END, PHASES };
static _Atomic int stall_phase;

#ifdef PEER_WRAPPED

static _Atomic long stall_advised, stall_mapped, stall_other;

static inline void
stall_count(_Atomic long *count)
{
	if (stall_phase == PHASE_RECLAIM)
		(*count)++;
}

/* ld --wrap leads the calls of what is linked in here first. */
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
int __real_munmap(void *at, size_t len);
int __wrap_munmap(void *at, size_t len);
int __real_madvise(void *at, size_t len, int advice);
int __wrap_madvise(void *at, size_t len, int advice);
ssize_t __real_process_madvise(int pidfd, const struct iovec *ranges, size_t n,
    int advice, unsigned flags) __attribute__((weak));
ssize_t __wrap_process_madvise(int pidfd, const struct iovec *ranges, size_t n,
    int advice, unsigned flags);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

void *
__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	stall_count(&stall_mapped);
	return __real_mmap(at, len, prot, flags, fd, off);
}

int
__wrap_munmap(void *at, size_t len)
{
	stall_count(&stall_mapped);
	return __real_munmap(at, len);
}

int
__wrap_madvise(void *at, size_t len, int advice)
{
	stall_count(&stall_advised);
	return __real_madvise(at, len, advice);
}

/* Older C libraries have none. */
ssize_t
__wrap_process_madvise(
    int pidfd, const struct iovec *ranges, size_t n, int advice, unsigned flags)
{
	if (__real_process_madvise == NULL) {
		errno = ENOSYS;
		return -1;
	}
	stall_count(&stall_advised);
	return __real_process_madvise(pidfd, ranges, n, advice, flags);
}

/* Six, whatever the call wants: the rest is not looked at. */
long
__wrap_syscall(long number, ...)
{
	long arg[6];
	va_list ap;

	stall_count(&stall_other);
	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	return __real_syscall(
	    number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

#endif

/* ---- the other thread ---- */

enum stall_kind { STALL_CLOCK, STALL_SAME, STALL_OTHER, STALL_KINDS };

struct stall {
	struct peer peer, other;
	_Atomic bool ready;
	/* Times in ns; apart, the calls in which the thread lost its CPU. */
	double longest[PHASES][STALL_KINDS], lost[PHASES][STALL_KINDS];
	long calls[PHASES][STALL_KINDS];
	long losses;
	double before; /* when the last call returned */
};

/* Not in line: a wait that is worth a system call. */
static __attribute__((noinline)) void
stall_long(struct stall *st, int phase, int kind, double took)
{
	struct rusage use;
	double *longest = &st->longest[phase][kind];

	getrusage(RUSAGE_THREAD, &use);
	if (use.ru_nivcsw != st->losses)
		longest = &st->lost[phase][kind];
	st->losses = use.ru_nivcsw;
	if (took > *longest)
		*longest = took;
	st->before = clock_ns(CLOCK_MONOTONIC);
}

static inline void
stall_timed(struct stall *st, int phase, int kind)
{
	double now = clock_ns(CLOCK_MONOTONIC), took = now - st->before;

	st->before = now;
	st->calls[phase][kind]++;
	if (took > STALL_LONG)
		stall_long(st, phase, kind, took);
	else if (took > st->longest[phase][kind])
		st->longest[phase][kind] = took;
}

/* So many that buckets are filled and emptied, not only the first. */
static void
stall_batch(struct stall *st, const struct peer *p, int phase, int kind)
{
	void *items[STALL_BATCH];

	st->before = clock_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < STALL_BATCH; i++) {
		items[i] = peer_alloc(p);
		stall_timed(st, phase, kind);
	}
	for (int i = 0; i < STALL_BATCH; i++) {
		peer_free(p, items[i]);
		stall_timed(st, phase, kind);
	}
}

static void *
stall_thread(void *arg)
{
	struct stall *st = arg;
	int phase;

	stay_on_cpu(1);
	/* A call belongs to the phase in which it began, more or less. */
	while ((phase = stall_phase) != PHASE_END) {
		st->before = clock_ns(CLOCK_MONOTONIC);
		for (int i = 0; i < 2 * STALL_BATCH; i++)
			stall_timed(st, phase, STALL_CLOCK);
		stall_batch(st, &st->peer, phase, STALL_SAME);
		stall_batch(st, &st->other, phase, STALL_OTHER);
		st->ready = true;
	}
	return NULL;
}

/* ---- the gibibyte ---- */

static void
stall_result(const struct stall *st, int phase, double ms)
{
	static const char *const kind[] = {"clock", "same", "other"};

	for (int k = 0; k < STALL_KINDS; k++)
		printf("stall\t%s\t%s\t%.3f\t%ld\t%.1f\t%.1f\n",
		    phase == PHASE_QUIET ? "quiet" : "reclaim", kind[k], ms,
		    st->calls[phase][k], st->longest[phase][k] / 1e3,
		    st->lost[phase][k] / 1e3);
}

static void
stall_wait_ms(int ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

/*
 * Prints "gibibyte": bytes live, resident when all was freed, after the
 * reclaim, ns that it took, and system calls, -1 where they are not seen; and
 * "stall" for the time before it and during it, and what the thread did: ms,
 * calls, the longest in us, and the longest of those in which it lost its CPU.
 */
static void
run_stall(long size, long n)
{
	static struct stall st;
	struct live l = live_open(n);
	pthread_t thread;

	stay_on_cpu(0);
	double base = resident_bytes();
	l.peer = st.peer = peer_open((size_t)size, NULL);
	st.other = peer_open((size_t)size / 4, NULL);
	live_fill(&l);
	double live = resident_bytes() - base;
	for (uint32_t i = 0; i < l.n; i++)
		peer_free(&l.peer, l.items[l.order[i]]);
	double held = resident_bytes() - base;
	if (pthread_create(&thread, NULL, stall_thread, &st) != 0)
		exit(1);
	while (!st.ready)
		stall_wait_ms(1);
	stall_phase = PHASE_QUIET;
	stall_wait_ms(STALL_QUIET);
	stall_phase = PHASE_RECLAIM;
	double ns = clock_ns(CLOCK_MONOTONIC);
	peer_reclaim();
	ns = clock_ns(CLOCK_MONOTONIC) - ns;
	stall_phase = PHASE_END;
	pthread_join(thread, NULL);
	printf("gibibyte\t%.0f\t%.0f\t%.0f\t%.0f", live, held,
	    resident_bytes() - base, ns);
#ifdef PEER_WRAPPED
	printf("\t%ld\t%ld\t%ld\n", stall_advised, stall_mapped, stall_other);
#else
	printf("\t-1\t-1\t-1\n");
#endif
	stall_result(&st, PHASE_QUIET, STALL_QUIET);
	stall_result(&st, PHASE_RECLAIM, ns / 1e6);
}

#endif
