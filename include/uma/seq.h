/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma/seq.h - the hot part of a zone's per-CPU cache, and the restartable
 * sequences that work on it where there are any: UMA_HAVE_SEQ says.
 *
 * Not for programs: uma/inline.h includes it, and the library itself.  The
 * layout is ABI, counted by UMA_INLINE_ABI there.
 */
#ifndef UMA_SEQ_H
#define UMA_SEQ_H

#include <uma.h>

/*
 * alloc_base and free_base point to a table of 64-byte headers, one a CPU; word
 * 0 of a header is the cursor, word 1 counts allocations from 2^63 upwards.
 * rs and id are offsets from the thread pointer: of the rseq area, and of the
 * word in it that numbers the CPU.  over counts the increments of word 1 whose
 * allocation was aborted.
 */
struct uma_seq_cache {
	void *alloc_base;
	void *free_base;
	ptrdiff_t rs;
	ptrdiff_t id;
	uint64_t over;
};

/*
 * The first line of a zone: all that a hit touches of it.  One comparison tells
 * an allocation that is no hit: flags is M_ZERO or more, or the zone has a ctor
 * (then flags_below is 0); and one a free: item is NULL, or the zone has a dtor
 * (then item_least is the largest number).  A profiler makes all zones look as
 * if they had both.
 */
struct uma_zone_hot {
	struct uma_seq_cache cache;
	uintptr_t item_least;
	uint32_t flags_below;
	uint32_t size; /* bytes an item */
	uint32_t flags; /* UMA_ZONE_* */
	uint32_t watch; /* hooks only: what else is to be done with items */
};

/*
 * Sequences are for x86-64, and for aarch64 with UMA_SEQ_AARCH64 defined, for
 * compilers whose asm goto has outputs, and for a C library that registers
 * rseq.  Sanitizers see no assembly: no sequences with them.
 */
#ifndef __has_feature
#define __has_feature(x) 0
#define UMA_SEQ_UNDEF_HAS_FEATURE
#endif
#ifndef __has_include
#define UMA_HAVE_SEQ 0
#elif defined(__ILP32__) || defined(UMA_NO_SEQ) ||                   \
    defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || \
    __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define UMA_HAVE_SEQ 0
#elif !defined(__x86_64__) && \
    !(defined(__aarch64__) && defined(UMA_SEQ_AARCH64))
#define UMA_HAVE_SEQ 0
#elif !__has_include(<sys/rseq.h>)
#define UMA_HAVE_SEQ 0
#elif defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11
#define UMA_HAVE_SEQ 1
#else
#define UMA_HAVE_SEQ 0
#endif
#ifdef UMA_SEQ_UNDEF_HAS_FEATURE
#undef __has_feature
#undef UMA_SEQ_UNDEF_HAS_FEATURE
#endif

#if UMA_HAVE_SEQ && defined(__x86_64__)
#include <uma/seq_x86_64.h>
#elif UMA_HAVE_SEQ
#include <uma/seq_aarch64.h>
#endif

#endif
