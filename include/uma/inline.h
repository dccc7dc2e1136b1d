/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma/inline.h - allocation and free without a call, for those who ask for it.
 *
 * A program that includes this header has uma_zalloc, uma_zalloc_arg, uma_zfree
 * and uma_zfree_arg as macros for inline functions.  What this CPU's cache can
 * serve is done in place; all else, zones with hooks and M_ZERO among it, goes
 * to the function of the same name, whose address may still be taken.  Both
 * kinds may be mixed in one zone, and every promise of uma.h holds.
 *
 * It costs the freedom to change: a zone's first line is ABI here.  An object
 * that includes this header wants a library of the same UMA_INLINE_ABI, and
 * neither links nor loads with another.
 *
 * Where there are no sequences (UMA_HAVE_SEQ in uma/seq.h) it changes nothing.
 */
#ifndef UMA_INLINE_H
#define UMA_INLINE_H

#include <uma/seq.h>

/*
 * Counts the changes of struct uma_zone_hot, and of what a sequence takes the
 * memory behind it to be.
 */
#define UMA_INLINE_ABI 1

#ifdef __cplusplus
extern "C" {
#endif

/*
 * uma_inline_abi_1: is there to be linked to; the library of another
 * UMA_INLINE_ABI has another name.
 *
 * Returns  the library's UMA_INLINE_ABI.
 */
UMA_API int uma_inline_abi_1(void);

#ifdef __cplusplus
}
#endif

#if UMA_HAVE_SEQ

/* Once an object; retain keeps it from ld --gc-sections. */
#ifdef __has_attribute
#if __has_attribute(retain)
#define uma_inline_kept __attribute__((used, retain))
#endif
#endif
#ifndef uma_inline_kept
#define uma_inline_kept __attribute__((used))
#endif
static int (*uma_inline_abi_wanted)(void) uma_inline_kept = uma_inline_abi_1;
#undef uma_inline_kept

#ifdef __cplusplus
#define uma_inline_assert static_assert
#else
#define uma_inline_assert _Static_assert
#endif
uma_inline_assert(sizeof(void *) == 8 && sizeof(struct uma_seq_cache) == 40 &&
		      offsetof(struct uma_seq_cache, alloc_base) == 0 &&
		      offsetof(struct uma_seq_cache, free_base) == 8 &&
		      offsetof(struct uma_seq_cache, rs) == 16 &&
		      offsetof(struct uma_seq_cache, id) == 24 &&
		      offsetof(struct uma_seq_cache, over) == 32,
    "the cache of UMA_INLINE_ABI 1");
uma_inline_assert(sizeof(struct uma_zone_hot) == 64 &&
		      offsetof(struct uma_zone_hot, cache) == 0 &&
		      offsetof(struct uma_zone_hot, item_least) == 40 &&
		      offsetof(struct uma_zone_hot, flags_below) == 48,
    "the zone's first line of UMA_INLINE_ABI 1");
#undef uma_inline_assert

static inline struct uma_zone_hot *
uma_inline_hot(uma_zone_t zone)
{
	return (struct uma_zone_hot *)(void *)zone;
}

/*
 * What needs more than an item is known before one is taken: the function
 * called would take another.
 */
UMA_SEQ_INLINE void *
uma_inline_zalloc(uma_zone_t zone, int flags)
{
	struct uma_zone_hot *hot = uma_inline_hot(zone);
	void *item;

	if (__builtin_expect((uint32_t)flags >= hot->flags_below, 0))
		return uma_zalloc(zone, flags);
	UMA_SEQ_POP(&hot->cache, item, miss);
	return item;
miss:
	UMA_SEQ_MISSED;
	UMA_SEQ_MISS_LEAVE(&hot->cache);
	return uma_zalloc(zone, flags);
}

UMA_SEQ_INLINE void *
uma_inline_zalloc_arg(uma_zone_t zone, void *arg, int flags)
{
	struct uma_zone_hot *hot = uma_inline_hot(zone);
	void *item;

	if (__builtin_expect((uint32_t)flags >= hot->flags_below, 0))
		return uma_zalloc_arg(zone, arg, flags);
	UMA_SEQ_POP(&hot->cache, item, miss);
	return item;
miss:
	UMA_SEQ_MISSED;
	UMA_SEQ_MISS_LEAVE(&hot->cache);
	return uma_zalloc_arg(zone, arg, flags);
}

UMA_SEQ_INLINE void
uma_inline_zfree(uma_zone_t zone, void *item)
{
	struct uma_zone_hot *hot = uma_inline_hot(zone);

	if (__builtin_expect((uintptr_t)item < hot->item_least, 0)) {
		uma_zfree(zone, item);
		return;
	}
	UMA_SEQ_PUSH(&hot->cache, item, miss);
	return;
miss:
	UMA_SEQ_MISSED;
	UMA_SEQ_MISS_LEAVE(&hot->cache);
	uma_zfree(zone, item);
}

UMA_SEQ_INLINE void
uma_inline_zfree_arg(uma_zone_t zone, void *item, void *arg)
{
	struct uma_zone_hot *hot = uma_inline_hot(zone);

	if (__builtin_expect((uintptr_t)item < hot->item_least, 0)) {
		uma_zfree_arg(zone, item, arg);
		return;
	}
	UMA_SEQ_PUSH(&hot->cache, item, miss);
	return;
miss:
	UMA_SEQ_MISSED;
	UMA_SEQ_MISS_LEAVE(&hot->cache);
	uma_zfree_arg(zone, item, arg);
}

/* With arguments, so that a name alone is the function's. */
#define uma_zalloc(...)	    uma_inline_zalloc(__VA_ARGS__)
#define uma_zalloc_arg(...) uma_inline_zalloc_arg(__VA_ARGS__)
#define uma_zfree(...)	    uma_inline_zfree(__VA_ARGS__)
#define uma_zfree_arg(...)  uma_inline_zfree_arg(__VA_ARGS__)

#endif

#endif
