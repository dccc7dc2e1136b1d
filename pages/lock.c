/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock.c - locks and waiting on a word, over futex(2).
 */
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "uma_int.h"

/* Spins before the first sleep: critical sections here are short. */
enum { LOCK_SPINS = 100 };

static inline void
cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield" ::: "memory");
#endif
}

/* syscall() is no cancellation point. */
void
uma_wait(_Atomic uint32_t *word, uint32_t val, int64_t ns)
{
	struct timespec ts, *timeout = NULL;
	int saved = errno;

	if (ns >= 0) {
		ts.tv_sec = ns / 1000000000;
		ts.tv_nsec = ns % 1000000000;
		timeout = &ts;
	}
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, val, timeout, NULL, 0);
	errno = saved;
}

void
uma_wake(_Atomic uint32_t *word, int waiters)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, waiters, NULL, NULL, 0);
	errno = saved;
}

int64_t
uma_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

UMA_COLD void
uma_lock_wait(struct uma_lock *l)
{
	for (int i = 0; i < LOCK_SPINS; i++) {
		uint32_t word =
		    atomic_load_explicit(&l->l_word, memory_order_relaxed);

		if (word == 0 &&
		    atomic_compare_exchange_weak_explicit(&l->l_word, &word, 1,
			memory_order_acquire, memory_order_relaxed))
			return;
		cpu_relax();
	}
	/* Whoever slept holds it as 2, since others may sleep still. */
	while (
	    atomic_exchange_explicit(&l->l_word, 2, memory_order_acquire) != 0)
		uma_wait(&l->l_word, 2, -1);
}

UMA_COLD void
uma_lock_wake(struct uma_lock *l)
{
	uma_wake(&l->l_word, 1);
}

#if UMA_DEBUG
/*
 * What this thread holds of each rank: how many, and the one taken last.  Only
 * fork holds several of one rank.
 */
static __thread struct {
	uint32_t cnt;
	struct uma_lock *last;
} held[UMA_RANK_CNT] __attribute__((tls_model("initial-exec")));

static void
held_drop(struct uma_lock *l)
{
	if (--held[l->l_rank].cnt == 0)
		held[l->l_rank].last = NULL;
}

/* Before the lock is taken, so that a deadlock is told instead of met. */
void
uma_lock_debug_acquire(struct uma_lock *l, bool ranked)
{
	UMA_FATAL_IF(l->l_rank >= UMA_RANK_CNT, "lock %p: rank %u", (void *)l,
	    l->l_rank);
	for (int r = l->l_rank; ranked && r > 0 && r < UMA_RANK_CNT; r++)
		UMA_FATAL_IF(held[r].cnt > 0,
		    "lock order: rank %u wanted while %d is held", l->l_rank,
		    r);
	held[l->l_rank].cnt++;
	held[l->l_rank].last = l;
}

void
uma_lock_debug_release(struct uma_lock *l)
{
	UMA_FATAL_IF(!uma_lock_debug_held(l),
	    "lock of rank %u released by a thread that does not hold it",
	    l->l_rank);
	held_drop(l);
}

bool
uma_lock_debug_held(struct uma_lock *l)
{
	uint32_t cnt = held[l->l_rank].cnt;

	if (atomic_load_explicit(&l->l_word, memory_order_relaxed) == 0)
		return false;
	/* Of several, only the last is known; unranked ones nest freely. */
	return cnt > 1 || (cnt == 1 && held[l->l_rank].last == l);
}

static void
debug_fork_child(struct uma_lock *l)
{
	if (held[l->l_rank].cnt > 0)
		held_drop(l);
}
#else
void
uma_lock_debug_acquire(struct uma_lock *l, bool ranked)
{
	(void)l;
	(void)ranked;
}

void
uma_lock_debug_release(struct uma_lock *l)
{
	(void)l;
}

bool
uma_lock_debug_held(struct uma_lock *l)
{
	return atomic_load_explicit(&l->l_word, memory_order_relaxed) != 0;
}

static void
debug_fork_child(struct uma_lock *l)
{
	(void)l;
}
#endif

void
uma_lock_fork_acquire(struct uma_lock *l)
{
	uint32_t free_word = 0;

	uma_lock_debug_acquire(l, false);
	if (!atomic_compare_exchange_strong_explicit(&l->l_word, &free_word, 1,
		memory_order_acquire, memory_order_relaxed))
		uma_lock_wait(l);
}

void
uma_lock_fork_release(struct uma_lock *l)
{
	uma_lock_release(l);
}

/* Sleepers were the parent's threads: nobody is there to be woken. */
void
uma_lock_fork_child(struct uma_lock *l)
{
	debug_fork_child(l);
	atomic_store_explicit(&l->l_word, 0, memory_order_release);
}
