/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma/seq_x86_64.h - the restartable sequences of a zone's per-CPU cache.
 *
 * Not for programs; uma/seq.h includes it.
 *
 * Each sequence announces itself in the thread's rseq area, finds its CPU's
 * header, looks whether it can do its work and commits with one store.  If the
 * thread is preempted, moved or interrupted in between, the kernel continues at
 * the abort stub, which begins again (rseq(2); Desnoyers, "Restartable
 * Sequences", 2015-2018).  The stubs live in a section of their own: a compiler
 * may place code that contains a sequence in .text.unlikely, and the signature
 * bytes in front of a stub are no instructions to be run into.
 */
#ifndef UMA_SEQ_X86_64_H
#define UMA_SEQ_X86_64_H

#include <uma/seq.h>

/* What a test has every abort do first; it may use rcx, and changes no flag. */
#ifndef UMA_SEQ_ON_ABORT
#define UMA_SEQ_ON_ABORT ""
#endif

/*
 * 33: descriptor, 31-32: the sequence, 34: abort stub, 30: where it begins.  With
 * the ? they are kept or dropped with the function, of which C++ may make several
 * and link one.
 */
#define UMA_SEQ_BEGIN(stub)                                                  \
	".pushsection __rseq_cs, \"aw?\"\n\t.balign 32\n"                    \
	"33:\n\t.long 0, 0\n\t.quad 31f, 32f-31f, 34f\n\t.popsection\n\t"    \
	".pushsection .text.rs_abort, \"ax?\"\n\t.byte 0x0f, 0xb9, 0x3d\n\t" \
	".long 0x53053053\n34:\n\t" UMA_SEQ_ON_ABORT stub                    \
	"jmp 30f\n\t.popsection\n"                                           \
	"30:\n\tleaq 33b(%%rip), %%rcx\n\tmovq %%rcx, %%fs:8(%[rs])\n"       \
	"31:\n\tmovl %%fs:(%[id]), %%edx\n\tshlq $6, %%rdx\n\t"
#define UMA_SEQ_END "\n32:\n"

/*
 * A module that may be unloaded must not leave the address of its descriptor
 * behind; elsewhere the store is saved.  A sequence that was left for its miss
 * has not cleared it: UMA_SEQ_MISS_LEAVE does, before anything is called.
 */
#if defined(UMA_SEQ_MODULE_STAYS) || !defined(__PIC__) || defined(__PIE__)
#define UMA_SEQ_LEAVE	      ""
#define UMA_SEQ_MISS_LEAVE(c) ((void)(c))
#else
#define UMA_SEQ_LEAVE "movq $0, %%fs:8(%[rs])\n\t"
#define UMA_SEQ_MISS_LEAVE(c) \
	__asm__ volatile("movq $0, %%fs:8(%0)" : : "r"((c)->rs) : "memory")
#endif

/*
 * The stub of a sequence that counts.  An abort changes nothing but the
 * instruction pointer, so the flags say whether the count was raised: it is
 * negative as a signed number and leaves SF set, and nothing before it in the
 * sequence does.  While rcx is still the descriptor's address, the flags may be
 * older than the sequence.
 */
#define UMA_SEQ_UNCOUNT(n)                                          \
	"jns 35f\n\t"                                               \
	"leaq 33b(%%rip), %%rdx\n\tcmpq %%rdx, %%rcx\n\tje 35f\n\t" \
	"lock addq " n ", 32(%[uc])\n35:\n\t"

#define UMA_SEQ_INLINE static inline __attribute__((always_inline))

/*
 * The rseq area is aligned to its 32 bytes (percpu/cpu.c makes sure of it), so that
 * its offset is computed from that of the word in it: a second load costs more.
 */
#define UMA_SEQ_IN(c) [uc] "r"(c), [rs] "r"((c)->id & -32), [id] "r"((c)->id)

/*
 * Stands behind every label that a sequence with an output may go to: gcc before
 * 12.4 and 13.3 otherwise loses what the path behind it makes of the output
 * (its bug 113921).
 */
#define UMA_SEQ_MISSED __asm__ volatile("")

/*
 * item = the item under the cursor, which goes down; to the label miss when the
 * bucket is empty.  As a macro, so that the miss is a branch out of the sequence
 * and the result is not tested again.
 */
#define UMA_SEQ_POP(c, item, miss)                                 \
	__asm__ goto(UMA_SEQ_BEGIN(UMA_SEQ_UNCOUNT(                \
	    "$1")) "addq (%[uc]), %%rdx\n\t"                       \
		   "movq (%%rdx), %%rcx\n\t"                       \
		   "movq (%%rcx), %[it]\n\t"                       \
		   "testq %[it], %[it]\n\t"                        \
		   "jz %l[" #miss "]\n\t"                          \
		   "subq $8, %%rcx\n\t"                            \
		   "incq 8(%%rdx)\n\t"                             \
		   "movq %%rcx, (%%rdx)" UMA_SEQ_END UMA_SEQ_LEAVE \
		     : [it] "=&a"(item)                            \
		     : UMA_SEQ_IN(c)                               \
		     : "rdx", "rcx", "memory", "cc"                \
		     : miss)

/*
 * The item goes above the cursor, which goes up; to the label miss when the
 * bucket is full, or the item is the one under the cursor.
 */
#define UMA_SEQ_PUSH(c, item, miss)                                           \
	__asm__ goto(                                                         \
	    UMA_SEQ_BEGIN("") "addq 8(%[uc]), %%rdx\n\t"                      \
			      "movq (%%rdx), %%rcx\n\t"                       \
			      "cmpq $1, 8(%%rcx)\n\t"                         \
			      "je %l[" #miss "]\n\t"                          \
			      "cmpq %[it], (%%rcx)\n\t"                       \
			      "je %l[" #miss "]\n\t"                          \
			      "movq %[it], 8(%%rcx)\n\t"                      \
			      "addq $8, %%rcx\n\t"                            \
			      "movq %%rcx, (%%rdx)" UMA_SEQ_END UMA_SEQ_LEAVE \
	    :                                                                 \
	    : UMA_SEQ_IN(c), [it] "r"(item)                                   \
	    : "rdx", "rcx", "memory", "cc"                                    \
	    : miss)

/*
 * The loops below take four items a turn, after the odd ones.  They count down: a
 * count that runs up from -n would leave SF set in front of the real one.
 */

/* clang-format off */

/* The item in the slot at below goes to at; to the label out at the bottom. */
#define UMA_SEQ_POP_ONE(below, at, out)      \
	"movq " below "(%%rcx), %%r10\n\t"   \
	"testq %%r10, %%r10\n\t"             \
	"jz " out "\n\t"                     \
	"movq %%r10, " at "(%[to])\n\t"

/* One item fewer to take; twice or thrice, when a turn ends early. */
#define UMA_SEQ_POP_LESS                     \
	"subq $8, %%rcx\n\t"                 \
	"decq %[left]\n"

/* Up to n > 0 items, newest first, with one commit; how many. */
UMA_SEQ_INLINE long
uma_seq_pop_bulk(struct uma_seq_cache *c, void **items, long n)
{
	long left;
	void **to;

	__asm__ volatile(UMA_SEQ_BEGIN(UMA_SEQ_UNCOUNT("%%r10"))
		"addq (%[uc]), %%rdx\n\t"
		"movq (%%rdx), %%rcx\n\t"
		"movq %[n], %[left]\n\t"
		"movq %[items], %[to]\n"
		"36:\n\t"
		"testb $3, %b[left]\n\t"
		"jz 38f\n\t"
		UMA_SEQ_POP_ONE("0", "0", "37f")
		"addq $8, %[to]\n\t"
		"subq $8, %%rcx\n\t"
		"decq %[left]\n\t"
		"jnz 36b\n\t"
		"jmp 37f\n\t"
		".p2align 5\n"
		"38:\n\t"
		UMA_SEQ_POP_ONE("0", "0", "37f")
		UMA_SEQ_POP_ONE("-8", "8", "39f")
		UMA_SEQ_POP_ONE("-16", "16", "40f")
		UMA_SEQ_POP_ONE("-24", "24", "41f")
		"addq $32, %[to]\n\t"
		"subq $32, %%rcx\n\t"
		"subq $4, %[left]\n\t"
		"jnz 38b\n\t"
		"jmp 37f\n"
		"41:\n\t" UMA_SEQ_POP_LESS
		"40:\n\t" UMA_SEQ_POP_LESS
		"39:\n\t" UMA_SEQ_POP_LESS
		"37:\n\t"
		"movq %[n], %%r10\n\t"
		"subq %[left], %%r10\n\t" /* >= 0 */
		"addq %%r10, 8(%%rdx)\n\t"
		"movq %%rcx, (%%rdx)" UMA_SEQ_END UMA_SEQ_LEAVE
	    : [left] "=&r"(left), [to] "=&r"(to)
	    : UMA_SEQ_IN(c), [items] "r"(items), [n] "r"(n)
	    : "rdx", "rcx", "r10", "memory", "cc");
	return n - left;
}

/* The item at goes into the slot above; to the label out if it cannot. */
#define UMA_SEQ_PUSH_ONE(at, above, out)     \
	"cmpq %[top], " above "(%%rcx)\n\t"  \
	"je " out "\n\t"                     \
	"movq " at "(%[from]), %%r10\n\t"    \
	"testq %%r10, %%r10\n\t"             \
	"jz " out "\n\t"                     \
	"movq %%r10, " above "(%%rcx)\n\t"

#define UMA_SEQ_PUSH_LESS                    \
	"addq $8, %%rcx\n\t"                 \
	"decq %[left]\n"

/*
 * Up to n > 0 items in the order given, with one commit; how many.  Ends before
 * one that is NULL, which would be a bottom.
 */
UMA_SEQ_INLINE long
uma_seq_push_bulk(struct uma_seq_cache *c, void *const *items, long n)
{
	long left;
	void *const *from;

	__asm__ volatile(UMA_SEQ_BEGIN("")
		"addq 8(%[uc]), %%rdx\n\t"
		"movq (%%rdx), %%rcx\n\t"
		"movq %[n], %[left]\n\t"
		"movq %[items], %[from]\n"
		"36:\n\t"
		"testb $3, %b[left]\n\t"
		"jz 38f\n\t"
		UMA_SEQ_PUSH_ONE("0", "8", "37f")
		"addq $8, %[from]\n\t"
		"addq $8, %%rcx\n\t"
		"decq %[left]\n\t"
		"jnz 36b\n\t"
		"jmp 37f\n\t"
		".p2align 5\n"
		"38:\n\t"
		UMA_SEQ_PUSH_ONE("0", "8", "37f")
		UMA_SEQ_PUSH_ONE("8", "16", "39f")
		UMA_SEQ_PUSH_ONE("16", "24", "40f")
		UMA_SEQ_PUSH_ONE("24", "32", "41f")
		"addq $32, %[from]\n\t"
		"addq $32, %%rcx\n\t"
		"subq $4, %[left]\n\t"
		"jnz 38b\n\t"
		"jmp 37f\n"
		"41:\n\t" UMA_SEQ_PUSH_LESS
		"40:\n\t" UMA_SEQ_PUSH_LESS
		"39:\n\t" UMA_SEQ_PUSH_LESS
		"37:\n\t"
		"movq %%rcx, (%%rdx)" UMA_SEQ_END UMA_SEQ_LEAVE
	    : [left] "=&r"(left), [from] "=&r"(from)
	    : UMA_SEQ_IN(c), [items] "r"(items), [n] "r"(n), [top] "r"(1L)
	    : "rdx", "rcx", "r10", "memory", "cc");
	return n - left;
}

/* clang-format on */

#endif
