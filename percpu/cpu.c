/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu.c - which CPU am I; the only place that knows how that is found out.
 *
 * The kernel keeps the number in the thread's rseq area, which the C library
 * registered; without one (old kernels, valgrind, a tunable) sched_getcpu asks.
 * A thread that the C library could not register shows a negative number there.
 */
#define _GNU_SOURCE /* sched_getcpu */
#include <sched.h>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define CPU_HAS_RSEQ 1
#else
#define CPU_HAS_RSEQ 0
#endif

#include "cpu.h"

static int cpu_cnt = 1;

void
percpu_init(int ncpu, enum percpu_mode mode)
{
	(void)mode; /* a lock a header is all there is */
	cpu_cnt = ncpu;
}

int
cpu_count(void)
{
	return cpu_cnt;
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
	int cpu = cpu_from_rseq();

	if (uma_unlikely(cpu < 0))
		cpu = sched_getcpu();
	/* Any header will do, if the system counts in a way of its own. */
	if (uma_unlikely(cpu < 0 || cpu >= cpu_cnt))
		cpu = cpu < 0 ? 0 : cpu % cpu_cnt;
	return cpu;
}
