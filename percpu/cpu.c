/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu.c - which CPU am I; the only place that knows how that is found out.
 *
 * The kernel keeps the number in the thread's rseq area, which the C library
 * registered, and does so twice: cpu_id is the processor's, mm_cid one that is
 * dense among the running threads of the process, so that few threads on a
 * large machine use few headers.  mm_cid is there when the kernel's feature
 * size reaches behind it, and is of no use for telling NUMA domains.
 *
 * Without an area (old kernels, valgrind, a tunable) sched_getcpu asks, and
 * hits are made under locks; the same where membarrier cannot restart
 * sequences.
 */
#define _GNU_SOURCE /* sched_getcpu */
#include <errno.h>
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
#define RSEQ_CPU_ID	4 /* offsets in struct rseq */
#define RSEQ_FLAGS	16
#define RSEQ_MM_CID	24 /* since Linux 6.3 */
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

	/* The kernel may want memory for it. */
	while (error != 0 && errno == ENOMEM) {
		static _Atomic uint32_t never;

		uma_wait(&never, 0, 1000000);
		error = cpu_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ);
	}
	UMA_FATAL_IF(error != 0, "membarrier refused after it was granted");
}

/*
 * What hits under locks have for an rseq area: inlined sequences run all the
 * same, and must find CPU 0 of the dummy table and a place for their
 * descriptor.  The real area will not do: later kernels keep flags in it that
 * are not 0.
 */
#define AREA_ALIGN 32
static __thread struct {
	_Alignas(AREA_ALIGN) uint64_t words[AREA_ALIGN / sizeof(uint64_t)];
} cpu_no_area __attribute__((tls_model("initial-exec")));

static void
cpu_use_no_area(void)
{
	cpu.cpu_rs = (char *)&cpu_no_area - (char *)__builtin_thread_pointer();
	cpu.cpu_id = cpu.cpu_rs + RSEQ_FLAGS;
}

#if CPU_HAS_RSEQ && UMA_HAVE_SEQ
static const char *
cpu_choose(int ndomains, bool lock)
{
	cpu_use_no_area();
	if (lock)
		return "lock: asked for";
	if (__rseq_size == 0)
		return "lock: the C library has not registered rseq";
	if (__rseq_offset % AREA_ALIGN != 0)
		return "lock: the C library's rseq area is not aligned";
	if (cpu_membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ) != 0)
		return "lock: membarrier cannot restart sequences";
	cpu.cpu_seq = true;
	cpu.cpu_rs = __rseq_offset;
	if (getauxval(AT_RSEQ_FEATURE_SIZE) >= RSEQ_MM_CID_END &&
	    ndomains == 1) {
		cpu.cpu_id = cpu.cpu_rs + RSEQ_MM_CID;
		return "rseq: mm_cid";
	}
	cpu.cpu_id = cpu.cpu_rs + RSEQ_CPU_ID;
	return "rseq: cpu_id";
}
#else
static const char *
cpu_choose(int ndomains, bool lock)
{
	(void)ndomains;
	(void)lock;
	cpu_use_no_area();
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
