/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu.c - which CPU am I; the only place that knows how that is found out.
 *
 * The kernel keeps the number in the thread's rseq area, which the C library
 * registered, and does so twice: cpu_id is the processor's, mm_cid one that is
 * dense among the running threads of the process, so that few threads on a large
 * machine use few headers.  mm_cid is there when the kernel's feature size
 * reaches behind it, and is of no use for telling NUMA domains.
 *
 * Without an area (old kernels, valgrind, a tunable) sched_getcpu asks, and hits
 * are made under locks; the same where membarrier cannot restart sequences.
 */
#define _GNU_SOURCE /* sched_getcpu */
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define CPU_HAS_RSEQ 1
#else
#define CPU_HAS_RSEQ 0
#endif

#include "cache.h"

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif
#define RSEQ_MM_CID	24 /* offset in struct rseq, since Linux 6.3 */
#define RSEQ_MM_CID_END 28

struct cpu cpu = {.cpu_cnt = 1};

const char *
percpu_mode(void)
{
	return cpu.cpu_mode;
}

static int
cpu_membarrier(int command)
{
	return (int)syscall(SYS_membarrier, command, 0, 0);
}

void
cpu_barrier(void)
{
	int error = cpu_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ);

	UMA_FATAL_IF(error != 0, "membarrier refused after it was granted");
}

#if CPU_HAS_RSEQ && UMA_HAVE_SEQ
static const char *
cpu_choose(int ndomains, bool lock)
{
	/* Reads as 0 in an area that was never registered: the dummy's. */
	cpu.cpu_rs = __rseq_offset;
	cpu.cpu_id = cpu.cpu_rs + (ptrdiff_t)offsetof(struct rseq, flags);
	if (lock)
		return "lock: asked for";
	if (__rseq_size == 0)
		return "lock: the C library has not registered rseq";
	if (cpu_membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ) != 0)
		return "lock: membarrier cannot restart sequences";
	cpu.cpu_seq = true;
	if (getauxval(AT_RSEQ_FEATURE_SIZE) >= RSEQ_MM_CID_END &&
	    ndomains == 1) {
		cpu.cpu_id = cpu.cpu_rs + RSEQ_MM_CID;
		return "rseq: mm_cid";
	}
	cpu.cpu_id = cpu.cpu_rs + (ptrdiff_t)offsetof(struct rseq, cpu_id);
	return "rseq: cpu_id";
}
#else
static const char *
cpu_choose(int ndomains, bool lock)
{
	(void)ndomains;
	(void)lock;
	return "lock: built without sequences";
}
#endif

bool
percpu_init(int ncpu, int ndomains, bool lock)
{
	cpu.cpu_cnt = ncpu;
	if (cpu.cpu_mode == NULL)
		cpu.cpu_mode = cpu_choose(ndomains, lock);
	return cache_start();
}

static int
cpu_from_rseq(void)
{
#if CPU_HAS_RSEQ
	if (uma_likely(__rseq_size != 0)) {
		const volatile struct rseq *rs =
		    (const void *)((const char *)__builtin_thread_pointer() +
				   __rseq_offset);
		return (int)rs->cpu_id;
	}
#endif
	return -1;
}

int
percpu_cpu(void)
{
	int n = cpu_from_rseq();

	if (uma_unlikely(n < 0))
		n = sched_getcpu();
	/* Any header will do, if the system counts in a way of its own. */
	if (uma_unlikely(n < 0 || n >= cpu.cpu_cnt))
		n = n < 0 ? 0 : n % cpu.cpu_cnt;
	return n;
}
