/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UMA_PERCPU_CPU_H
#define UMA_PERCPU_CPU_H

#include "percpu_int.h"

/* CPUs that percpu_init was told of. */
int cpu_count(void);

#endif
