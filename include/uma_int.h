/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma_int.h - the private base of every folder: assertions, messages, locks.
 * Never installed.
 */
#ifndef UMA_INT_H
#define UMA_INT_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uma/debug.h>

#ifndef UMA_DEBUG
#define UMA_DEBUG 0
#endif

#define uma_likely(x)	 __builtin_expect(!!(x), 1)
#define uma_unlikely(x)	 __builtin_expect(!!(x), 0)
#define UMA_COLD	 __attribute__((cold, noinline))
#define UMA_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define UMA_CACHE_LINE	 64

#define uma_min(a, b) ((a) < (b) ? (a) : (b))
#define uma_max(a, b) ((a) > (b) ? (a) : (b))

/* n up to the next multiple of a power of two. */
static inline size_t
uma_roundup(size_t n, size_t pow2)
{
	return (n + pow2 - 1) & ~(pow2 - 1);
}

/*
 * Messages (pages/message.c).  None allocates, none takes a lock, errno is
 * kept.  uma_fatal prints "uma: " and the text to descriptor 2 and aborts;
 * uma_message sends the text, with a newline, to the sink, or to descriptor 2.
 * uma_escape copies src to dst, at most size bytes with the NUL, with control
 * bytes as \xNN and backslash doubled; it returns dst.
 */
_Noreturn void uma_fatal(const char *fmt, ...) UMA_PRINTF(1, 2);
void uma_message(const char *fmt, ...) UMA_PRINTF(1, 2);
void uma_message_sink(
    void (*sink)(void *arg, const char *line, size_t len), void *arg);
void uma_message_mute(bool mute); /* descriptor 2, not the sink */
char *uma_escape(char *dst, size_t size, const char *src);

/* The caller broke the contract: in every build. */
#define UMA_FATAL_IF(cond, ...)                 \
	do {                                    \
		if (uma_unlikely(cond))         \
			uma_fatal(__VA_ARGS__); \
	} while (0)

/* We broke an invariant: debug builds look, all builds type-check. */
#define UMA_ASSERT(cond, ...)                                           \
	do {                                                            \
		if (UMA_DEBUG > 0 && uma_unlikely(!(cond)))             \
			uma_fatal("assertion " #cond ": " __VA_ARGS__); \
	} while (0)

/*
 * Locks (pages/lock.c).  One word: 0 free, 1 held, 2 held and waited for, after
 * Drepper's "Futexes Are Tricky".  Zeroed memory with a rank is a free lock, so
 * static ones work before main.  Ranks rise: a thread that holds a lock takes
 * only locks of a higher rank; debug builds check it.  Fork takes all locks
 * of a rank together, through the _fork forms, which skip that check.
 */
enum uma_lock_rank {
	UMA_RANK_NONE,
	UMA_RANK_INIT, /* start of the library */
	UMA_RANK_SYSCTL, /* the program's nodes of the sysctl tree */
	UMA_RANK_ZLIST, /* the list of zones */
	UMA_RANK_LIMIT, /* a zone's sleepers */
	UMA_RANK_DEPOT, /* a zone's depot */
	UMA_RANK_TABLE, /* a zone's bases: drains, enabling */
	UMA_RANK_CACHE, /* one CPU's header of a zone */
	UMA_RANK_KEG, /* a keg's slabs */
	UMA_RANK_META, /* the metadata pool */
	UMA_RANK_PAGES, /* page runs */
	UMA_RANK_CNT
};

struct uma_lock {
	_Atomic uint32_t l_word;
	uint16_t l_rank;
	uint16_t l_pad;
};

#define UMA_LOCK_INITIALIZER(rank) \
	{                          \
		.l_rank = (rank)   \
	}

void uma_lock_wait(struct uma_lock *l);
void uma_lock_wake(struct uma_lock *l);
void uma_lock_debug_acquire(struct uma_lock *l, bool ranked);
void uma_lock_debug_release(struct uma_lock *l);
bool uma_lock_debug_held(struct uma_lock *l);

static inline void
uma_lock_init(struct uma_lock *l, enum uma_lock_rank rank)
{
	*l = (struct uma_lock)UMA_LOCK_INITIALIZER((uint16_t)rank);
}

static inline void
uma_lock_acquire(struct uma_lock *l)
{
	uint32_t free_word = 0;

	if (UMA_DEBUG)
		uma_lock_debug_acquire(l, true);
	if (uma_unlikely(!atomic_compare_exchange_strong_explicit(&l->l_word,
		&free_word, 1, memory_order_acquire, memory_order_relaxed)))
		uma_lock_wait(l);
}

/* False, at once, if somebody has it. */
static inline bool
uma_lock_try(struct uma_lock *l)
{
	uint32_t free_word = 0;

	if (!atomic_compare_exchange_strong_explicit(&l->l_word, &free_word, 1,
		memory_order_acquire, memory_order_relaxed))
		return false;
	if (UMA_DEBUG)
		uma_lock_debug_acquire(l, true);
	return true;
}

static inline void
uma_lock_release(struct uma_lock *l)
{
	if (UMA_DEBUG)
		uma_lock_debug_release(l);
	if (uma_unlikely(atomic_exchange_explicit(
			     &l->l_word, 0, memory_order_release) == 2))
		uma_lock_wake(l);
}

static inline void
uma_lock_assert_held(struct uma_lock *l)
{
	UMA_ASSERT(!UMA_DEBUG || uma_lock_debug_held(l), "lock of rank %d",
	    (int)l->l_rank);
}

/* Around fork: without the rank check, and re-made free in the child. */
void uma_lock_fork_acquire(struct uma_lock *l);
void uma_lock_fork_release(struct uma_lock *l);
void uma_lock_fork_child(struct uma_lock *l);

/*
 * Waiting on a word (pages/lock.c).  uma_wait returns when woken, when *word
 * is not val, after ns nanoseconds (< 0: never), or spuriously; it is no
 * cancellation point and keeps errno.
 */
void uma_wait(_Atomic uint32_t *word, uint32_t val, int64_t ns);
void uma_wake(_Atomic uint32_t *word, int waiters);
int64_t uma_now_ns(void); /* CLOCK_MONOTONIC */

/*
 * The layout descriptor (uma/debug.h): each file that has something to show
 * has a table of it, of which zone/debug.c makes the whole.
 */
#define DEBUG_STRUCT(prefix, type)          \
	{                                   \
		prefix ".", sizeof(type), 0 \
	}
#define DEBUG_MEMBER(prefix, type, member)                  \
	{                                                   \
		prefix "." #member, offsetof(type, member), \
		    sizeof(((type *)0)->member)             \
	}
#define DEBUG_ARRAY(prefix, type, member)                   \
	{                                                   \
		prefix "." #member, offsetof(type, member), \
		    sizeof(((type *)0)->member[0])          \
	}
#define DEBUG_CONST(name, value)        \
	{                               \
		"const." name, value, 0 \
	}
#define DEBUG_TABLE(entries, roots)                                            \
	{                                                                      \
		.entry = (entries), .root = (roots),                           \
		.entry_cnt = sizeof(entries) / sizeof(struct uma_debug_entry), \
		.root_cnt = sizeof(roots) / sizeof(struct uma_debug_root),     \
	}

#endif
