/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_seq.c - exchanges of buckets where hits are restartable sequences.
 *
 * A sequence commits one store, so the loaded bucket and the spare cannot
 * change over at once.  The spare is taken by atomic exchange into our hands, a
 * sequence loads it if the loaded bucket is still at its end, and what was
 * loaded takes the spare's place by exchange.  We may be moved to another CPU
 * in between: any CPU whose loaded bucket is at its end is served as well, and
 * any vacant place of a spare will do.
 *
 * A spare that is put into a header after a drain took it would be missed.
 * cache_drain stores the dummy base, then exchanges; we exchange, then look at
 * the base; both with full fences: one of the two sees the other, and what we
 * put down in vain we take up again.
 */
#include "cache.h"

#if UMA_HAVE_SEQ

#ifdef __aarch64__
#define seq_swap_empty uma_seq_swap_empty
#define seq_swap_full  uma_seq_swap_full
#else
/*
 * If this CPU's header is of table and its bucket at the end that cmp tests
 * for, its cursor becomes to.  The former cursor; NULL if it is not so.
 */
#define SEQ_SWAP(name, base, cmp)                                              \
	static void **name(                                                    \
	    struct uma_seq_cache *c, struct pcpu_header *table, void **to)     \
	{                                                                      \
		void **old;                                                    \
                                                                               \
		__asm__ goto(UMA_SEQ_BEGIN(                                    \
		    "") "movq " base "(%[uc]), %%rcx\n\t"                      \
			"cmpq %%rcx, %[table]\n\t"                             \
			"jne %l[miss]\n\t"                                     \
			"addq %%rcx, %%rdx\n\t"                                \
			"movq (%%rdx), %[old]\n\t" cmp "\n\t"                  \
			"jne %l[miss]\n\t"                                     \
			"movq %[to], (%%rdx)" UMA_SEQ_END UMA_SEQ_LEAVE        \
			     : [old] "=&r"(old)                                \
			     : UMA_SEQ_IN(c), [table] "r"(table), [to] "r"(to) \
			     : "rdx", "rcx", "memory", "cc"                    \
			     : miss);                                          \
		return old;                                                    \
	miss:                                                                  \
		UMA_SEQ_MISSED;                                                \
		return NULL;                                                   \
	}

SEQ_SWAP(seq_swap_empty, "0", "cmpq $0, (%[old])")
SEQ_SWAP(seq_swap_full, "8", "cmpq $1, 8(%[old])")
#endif

static void **
seq_swap(struct cache *c, enum cache_want want, struct bucket *b)
{
	return want == CACHE_EMPTY
		   ? seq_swap_empty(c->c_hot, c->c_table, bucket_cursor(b))
		   : seq_swap_full(c->c_hot, c->c_table, bucket_cursor(b));
}

/* A header, this CPU's by the time we look; by the sequences' numbering. */
static struct pcpu_header *
seq_header(struct cache *c)
{
	const volatile uint32_t *id =
	    (const volatile void *)((const char *)__builtin_thread_pointer() +
				    cpu.cpu_id);

	return &c->c_table[*id];
}

static bool
seq_base_is_table(struct cache *c)
{
	return __atomic_load_n(&c->c_hot->alloc_base, __ATOMIC_SEQ_CST) ==
	       c->c_table;
}

/* b becomes a spare; one that has to give way, or b, goes to surplus. */
static void
seq_put_spare(struct cache *c, struct bucket *b, struct cds_list_head *surplus)
{
	struct pcpu_header *h = seq_header(c);

	surplus_add(surplus, atomic_exchange(&h->h_spare, b));
	if (uma_unlikely(!seq_base_is_table(c)))
		surplus_add(surplus, atomic_exchange(&h->h_spare, NULL));
}

bool
seq_top_is(struct cache *c, const void *item)
{
	void **cursor = atomic_load_explicit(
	    &seq_header(c)->h_cursor, memory_order_relaxed);

	return *(void *const volatile *)cursor == item;
}

bool
seq_turn(struct cache *c, enum cache_want want, struct cds_list_head *surplus)
{
	struct bucket *spare = atomic_exchange(&seq_header(c)->h_spare, NULL);

	if (spare == NULL)
		return false;
	if (!bucket_helps(spare, want)) {
		seq_put_spare(c, spare, surplus);
		return false;
	}
	void **old = seq_swap(c, want, spare);
	if (old == NULL) {
		seq_put_spare(c, spare, surplus);
		return true;
	}
	struct bucket *b = cache_cursor_bucket(old);
	if (b != NULL)
		seq_put_spare(c, b, surplus);
	return true;
}

void
seq_load(struct cache *c, enum cache_want want, struct bucket *b,
    struct cds_list_head *surplus)
{
	void **old = cache_enabled(c) ? seq_swap(c, want, b) : NULL;

	if (old == NULL) {
		surplus_add(surplus, b);
		return;
	}
	b = cache_cursor_bucket(old);
	if (b != NULL)
		seq_put_spare(c, b, surplus);
}

#else /* never called: cpu.cpu_seq is false */

bool
seq_top_is(struct cache *c, const void *item)
{
	(void)c;
	(void)item;
	return false;
}

bool
seq_turn(struct cache *c, enum cache_want want, struct cds_list_head *surplus)
{
	(void)c;
	(void)want;
	(void)surplus;
	return false;
}

void
seq_load(struct cache *c, enum cache_want want, struct bucket *b,
    struct cds_list_head *surplus)
{
	(void)c;
	(void)want;
	surplus_add(surplus, b);
}

#endif
