/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_seq.h - compiled in front of the library's files for the torture
 * programs: every aborted sequence counts itself, without touching the flags,
 * which the abort stub has yet to read.  Two that do so at once count as one: a
 * lower bound.
 */
#ifndef UMA_TEST_TORTURE_SEQ_H
#define UMA_TEST_TORTURE_SEQ_H

#define UMA_SEQ_ON_ABORT                        \
	"movq uma_seq_aborts(%%rip), %%rdx\n\t" \
	"leaq 1(%%rdx), %%rdx\n\t"              \
	"movq %%rdx, uma_seq_aborts(%%rip)\n\t"

#endif
