/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu.h - how this process finds its CPU, for the files of percpu/.
 */
#ifndef UMA_PERCPU_CPU_H
#define UMA_PERCPU_CPU_H

#include "percpu_int.h"

struct cpu {
	int cpu_cnt; /* CPUs that percpu_init was told of */
	bool cpu_seq; /* hits are restartable sequences */
	ptrdiff_t cpu_rs; /* uma_seq_cache's rs and id */
	ptrdiff_t cpu_id;
	const char *cpu_mode;
};
extern struct cpu cpu;

/*
 * Every sequence that was under way in any thread has committed or will begin
 * again when this returns.
 */
void cpu_barrier(void);

#endif
