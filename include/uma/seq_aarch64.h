/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma/seq_aarch64.h - the restartable sequences of a zone's per-CPU cache.
 *
 * Not for programs; uma/seq.h includes it when UMA_SEQ_AARCH64 is defined,
 * which it is not by default: the sequences are compiled and their disassembly
 * is checked, but they have not been run or measured on such a processor.
 *
 * They are those of uma/seq_x86_64.h, which explains them.  What is different:
 *
 * The count.  No flag says here whether the count was raised, but a register
 * does: the count is stored by an instruction that moves its own address, x15,
 * from the header's second word to the first, all or nothing.  x15 is 8 before
 * the sequence, then 8 above a multiple of 64, and a multiple of 64 once the
 * count is stored, so that bit 3 tells the abort stub.
 *
 * Order.  The commit is a release, the load of the cursor an acquire: whoever
 * uses the header next, on whatever processor, sees what was done before, even
 * where the number that chose the header has moved to another processor.
 *
 * Branches to the miss are unconditional, since conditional ones reach 1 MiB,
 * and a compiler may place the miss in another section.
 */
#ifndef UMA_SEQ_AARCH64_H
#define UMA_SEQ_AARCH64_H

#include <uma/seq.h>

#ifdef __aarch64__

/* What a test has every abort do first; it may use x9, x13 and w12. */
#ifndef UMA_SEQ_ON_ABORT
#define UMA_SEQ_ON_ABORT ""
#endif

/*
 * 33: descriptor, 31-32: the sequence, 34: abort stub, 30: where it begins.
 * The word in front of the stub is the signature, an instruction that traps.
 */
#define UMA_SEQ_BEGIN(stub)                                                 \
	".pushsection __rseq_cs, \"aw?\"\n\t.balign 32\n"                   \
	"33:\n\t.long 0, 0\n\t.quad 31f, 32f - 31f, 34f\n\t.popsection\n\t" \
	".pushsection .text.rs_abort, \"ax?\"\n\t.balign 4\n\t"             \
	".inst 0xd428bc00\n34:\n\t" UMA_SEQ_ON_ABORT stub                   \
	"b 30f\n\t.popsection\n"                                            \
	"30:\n\tadrp x9, 33b\n\tadd x9, x9, :lo12:33b\n\t"                  \
	"mrs x10, tpidr_el0\n\tadd x11, x10, %[rs]\n\tmov x15, #8\n\t"      \
	"str x9, [x11, #8]\n"                                               \
	"31:\n\tldr w12, [x10, %[id]]\n\t"
/* x12 = the header in the table whose address is at base, x13 = cursor. */
#define UMA_SEQ_CURSOR(base)             \
	"ldr x9, [%[uc], #" base "]\n\t" \
	"add x12, x9, x12, lsl #6\n\t"   \
	"ldar x13, [x12]\n\t"
/* Word 1 of the header += n, then commit the cursor. */
#define UMA_SEQ_COUNT(n)          \
	"ldr x14, [x12, #8]\n\t"  \
	"add x14, x14, " n "\n\t" \
	"add x15, x12, #8\n\t"    \
	"str x14, [x15], #-8\n\t" \
	"stlr x13, [x15]"
#define UMA_SEQ_END "\n32:\n\t"

/* As on x86-64: where the module may be unloaded. */
#if defined(UMA_SEQ_MODULE_STAYS) || !defined(__PIC__) || defined(__PIE__)
#define UMA_SEQ_LEAVE	      ""
#define UMA_SEQ_MISS_LEAVE(c) ((void)(c))
#else
#define UMA_SEQ_LEAVE "str xzr, [x11, #8]\n\t"
#define UMA_SEQ_MISS_LEAVE(c)                                      \
	__asm__ volatile("mrs x9, tpidr_el0\n\tadd x9, x9, %0\n\t" \
			 "str xzr, [x9, #8]"                       \
			 :                                         \
			 : "r"((c)->rs)                            \
			 : "x9", "memory")
#endif

/* The stub of a sequence that counts n. */
#define UMA_SEQ_UNCOUNT(n)                           \
	"tbnz x15, #3, 35f\n\tadd x9, %[uc], #32\n"  \
	"38:\n\tldxr x13, [x9]\n\tadd x13, x13, " n  \
	"\n\tstxr w12, x13, [x9]\n\tcbnz w12, 38b\n" \
	"35:\n\t"

#define UMA_SEQ_INLINE static inline __attribute__((always_inline))

#define UMA_SEQ_IN(c) [uc] "r"(c), [rs] "r"((c)->rs), [id] "r"((c)->id)
#define UMA_SEQ_CLOBBERS \
	"x9", "x10", "x11", "x12", "x13", "x14", "x15", "memory", "cc"

#define UMA_SEQ_MISSED __asm__ volatile("")

/* item = the item under the cursor, which goes down; or to the label miss. */
#define UMA_SEQ_POP(c, item, miss)                                        \
	__asm__ goto(UMA_SEQ_BEGIN(UMA_SEQ_UNCOUNT("#1")) UMA_SEQ_CURSOR( \
	    "0") "ldr %[it], [x13]\n\t"                                   \
		 "cbnz %[it], 36f\n\t"                                    \
		 "b %l[" #miss "]\n"                                      \
		 "36:\n\t"                                                \
		 "sub x13, x13, #8\n\t" UMA_SEQ_COUNT("#1")               \
			 UMA_SEQ_END UMA_SEQ_LEAVE                        \
		     : [it] "=&r"(item)                                   \
		     : UMA_SEQ_IN(c)                                      \
		     : UMA_SEQ_CLOBBERS                                   \
		     : miss)

/* The item goes above the cursor, which goes up; or to the label miss. */
#define UMA_SEQ_PUSH(c, item, miss)                          \
	__asm__ goto(UMA_SEQ_BEGIN("") UMA_SEQ_CURSOR(       \
	    "8") "ldr x14, [x13, #8]\n\t"                    \
		 "ldr x9, [x13]\n\t"                         \
		 "cmp x14, #1\n\t"                           \
		 "ccmp x9, %[it], #4, ne\n\t"                \
		 "b.ne 36f\n\t"                              \
		 "b %l[" #miss "]\n"                         \
		 "36:\n\t"                                   \
		 "str %[it], [x13, #8]!\n\t"                 \
		 "stlr x13, [x12]" UMA_SEQ_END UMA_SEQ_LEAVE \
		     :                                       \
		     : UMA_SEQ_IN(c), [it] "r"(item)         \
		     : UMA_SEQ_CLOBBERS                      \
		     : miss)

/* Up to n > 0 items, newest first, with one commit; how many. */
UMA_SEQ_INLINE long
uma_seq_pop_bulk(struct uma_seq_cache *c, void **items, long n)
{
	long left;
	void **to;

	__asm__ volatile(UMA_SEQ_BEGIN(UMA_SEQ_UNCOUNT("x10")) UMA_SEQ_CURSOR(
	    "0") "mov %[left], %[n]\n\t"
		 "mov %[to], %[items]\n"
		 "36:\n\t"
		 "ldr x14, [x13]\n\t"
		 "cbz x14, 37f\n\t"
		 "str x14, [%[to]], #8\n\t"
		 "sub x13, x13, #8\n\t"
		 "subs %[left], %[left], #1\n\t"
		 "b.ne 36b\n"
		 "37:\n\t"
		 "sub x10, %[n], %[left]\n\t" UMA_SEQ_COUNT("x10")
			     UMA_SEQ_END UMA_SEQ_LEAVE
			 : [left] "=&r"(left), [to] "=&r"(to)
			 : UMA_SEQ_IN(c), [items] "r"(items), [n] "r"(n)
			 : UMA_SEQ_CLOBBERS);
	return n - left;
}

/* Up to n > 0 items in the order given, with one commit; how many. */
UMA_SEQ_INLINE long
uma_seq_push_bulk(struct uma_seq_cache *c, void *const *items, long n)
{
	long left;
	void *const *from;

	__asm__ volatile(UMA_SEQ_BEGIN("") UMA_SEQ_CURSOR(
	    "8") "mov %[left], %[n]\n\t"
		 "mov %[from], %[items]\n"
		 "36:\n\t"
		 "ldr x14, [x13, #8]\n\t"
		 "cmp x14, #1\n\t"
		 "b.eq 37f\n\t"
		 "ldr x14, [%[from]], #8\n\t"
		 "cbz x14, 37f\n\t" /* NULL would be a bottom */
		 "str x14, [x13, #8]!\n\t"
		 "subs %[left], %[left], #1\n\t"
		 "b.ne 36b\n"
		 "37:\n\t"
		 "stlr x13, [x12]" UMA_SEQ_END UMA_SEQ_LEAVE
			 : [left] "=&r"(left), [from] "=&r"(from)
			 : UMA_SEQ_IN(c), [items] "r"(items), [n] "r"(n)
			 : UMA_SEQ_CLOBBERS);
	return n - left;
}

/*
 * If this CPU's header is of table and its bucket is empty, or full, its cursor
 * becomes to.  The former cursor; NULL if it is not so.
 */
#define UMA_SEQ_SWAP(name, base, cmp)                                          \
	static inline void **name(                                             \
	    struct uma_seq_cache *c, const void *table, void **to)             \
	{                                                                      \
		void **old;                                                    \
                                                                               \
		__asm__ goto(UMA_SEQ_BEGIN("") UMA_SEQ_CURSOR(                 \
		    base) "cmp x9, %[table]\n\t"                               \
			  "b.ne 35f\n\t"                                       \
			  "mov %[old], x13\n\t" cmp "\n\t"                     \
			  "b.eq 36f\n"                                         \
			  "35:\n\t"                                            \
			  "b %l[miss]\n"                                       \
			  "36:\n\t"                                            \
			  "stlr %[to], [x12]" UMA_SEQ_END UMA_SEQ_LEAVE        \
			     : [old] "=&r"(old)                                \
			     : UMA_SEQ_IN(c), [table] "r"(table), [to] "r"(to) \
			     : UMA_SEQ_CLOBBERS                                \
			     : miss);                                          \
		return old;                                                    \
	miss:                                                                  \
		UMA_SEQ_MISSED;                                                \
		return NULL;                                                   \
	}

UMA_SEQ_SWAP(uma_seq_swap_empty, "0", "ldr x14, [x13]\n\tcmp x14, #0")
UMA_SEQ_SWAP(uma_seq_swap_full, "8", "ldr x14, [x13, #8]\n\tcmp x14, #1")

#endif

#endif
