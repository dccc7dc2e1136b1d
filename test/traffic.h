/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * traffic.h - threads that allocate, hand items to one another and free what
 * they were handed, and the proof that no item was lost or handed out twice.
 *
 * Every item has an owner word, 0 while it is free.  Who gets an item from the
 * zone exchanges the word for its own number and must find 0; who frees one
 * puts 0 back.  An init hook writes the first 0, so the word is right from the
 * item's first moment to its fini.  The other words are plain memory: with
 * ThreadSanitizer they show that a free happens before the next allocation.
 */
#ifndef UMA_TEST_TRAFFIC_H
#define UMA_TEST_TRAFFIC_H

#include "threads.h"

enum {
	TRAFFIC_ZONES = 4,
	TRAFFIC_HELD = 96, /* items a worker keeps at most */
	TRAFFIC_MAIL = 64, /* items a mailbox takes */
	TRAFFIC_WORKERS = 64
};

struct traffic_item {
	_Atomic uint32_t owner;
	uint32_t zone;
	uint64_t tag; /* also the item's last word */
};

struct traffic_mail {
	pthread_mutex_t lock;
	unsigned cnt;
	struct traffic_item *item[TRAFFIC_MAIL];
};

struct traffic_worker {
	struct traffic *tr;
	pthread_t thread;
	uint32_t id; /* from 1 */
	uint64_t rnd;
	uint64_t allocs, frees; /* in all zones */
	uint64_t ctors, dtors;
	unsigned cnt;
	struct traffic_item *held[TRAFFIC_HELD];
	struct traffic_mail mail;
};

struct traffic {
	unsigned workers;
	uint64_t ops; /* a worker; or, when 0, until end */
	double end; /* by test_now() */
	bool hop; /* workers change their CPU as they go */
	uint64_t seed;
	uma_zone_t zone[TRAFFIC_ZONES];
	_Atomic int busy; /* workers still running */
	struct traffic_worker worker[TRAFFIC_WORKERS];
};

static const struct {
	size_t size;
	int align;
	uint32_t flags;
} traffic_shape[TRAFFIC_ZONES] = {
    {32, UMA_ALIGN_PTR, 0},
    {256, UMA_ALIGN_CACHE, 0},
    {1500, UMA_ALIGN_PTR, UMA_ZONE_OFFPAGE},
    {9000, UMA_ALIGN_PTR, 0},
};

static _Atomic uint64_t traffic_inits, traffic_finis;

static inline int
traffic_init(void *mem, int size, int flags)
{
	struct traffic_item *it = mem;

	(void)size;
	(void)flags;
	atomic_store_explicit(&it->owner, 0, memory_order_relaxed);
	atomic_fetch_add_explicit(&traffic_inits, 1, memory_order_relaxed);
	return 0;
}

static inline void
traffic_fini(void *mem, int size)
{
	struct traffic_item *it = mem;

	(void)size;
	MUST(atomic_load_explicit(&it->owner, memory_order_relaxed) == 0,
	    "fini of an item that somebody holds");
	atomic_fetch_add_explicit(&traffic_finis, 1, memory_order_relaxed);
}

static inline int
traffic_ctor(void *mem, int size, void *arg, int flags)
{
	(void)mem;
	(void)size;
	(void)flags;
	((struct traffic_worker *)arg)->ctors++;
	return 0;
}

static inline void
traffic_dtor(void *mem, int size, void *arg)
{
	(void)mem;
	(void)size;
	((struct traffic_worker *)arg)->dtors++;
}

static inline uint64_t *
traffic_last_word(struct traffic_item *it)
{
	size_t size = traffic_shape[it->zone].size;

	return (uint64_t *)((char *)it + size / 8 * 8 - 8);
}

static inline void
traffic_alloc(struct traffic_worker *w)
{
	uint32_t z = test_rand(&w->rnd) % TRAFFIC_ZONES;
	int flags = test_rand(&w->rnd) % 2 != 0 ? M_WAITOK : M_NOWAIT;
	struct traffic_item *it = uma_zalloc_arg(w->tr->zone[z], w, flags);

	MUST(it != NULL, "no item: errno %d", errno);
	uint32_t was =
	    atomic_exchange_explicit(&it->owner, w->id, memory_order_relaxed);
	MUST(was == 0, "item %p of %u handed out again", (void *)it, was);
	it->zone = z;
	it->tag = test_rand(&w->rnd);
	*traffic_last_word(it) = it->tag;
	w->held[w->cnt++] = it;
	w->allocs++;
}

static inline void
traffic_free(struct traffic_worker *w, struct traffic_item *it)
{
	MUST(*traffic_last_word(it) == it->tag, "item %p overwritten",
	    (void *)it);
	uint32_t was =
	    atomic_exchange_explicit(&it->owner, 0, memory_order_relaxed);
	MUST(was != 0, "item %p is free already", (void *)it);
	uma_zfree_arg(w->tr->zone[it->zone], it, w);
	w->frees++;
}

static inline void
traffic_send(struct traffic_worker *w)
{
	struct traffic_item *it = w->held[--w->cnt];
	unsigned to = test_rand(&w->rnd) % w->tr->workers;
	struct traffic_mail *mail = &w->tr->worker[to].mail;

	pthread_mutex_lock(&mail->lock);
	bool sent = mail->cnt < TRAFFIC_MAIL;
	if (sent)
		mail->item[mail->cnt++] = it;
	pthread_mutex_unlock(&mail->lock);
	if (!sent)
		traffic_free(w, it);
}

static inline void
traffic_receive(struct traffic_worker *w)
{
	struct traffic_item *got[TRAFFIC_MAIL];

	pthread_mutex_lock(&w->mail.lock);
	unsigned n = w->mail.cnt;
	memcpy(got, w->mail.item, n * sizeof got[0]);
	w->mail.cnt = 0;
	pthread_mutex_unlock(&w->mail.lock);
	while (n > 0)
		traffic_free(w, got[--n]);
}

static inline void
traffic_step(struct traffic_worker *w)
{
	uint64_t r = test_rand(&w->rnd);

	if (w->tr->hop && r % 512 == 0)
		pin_to((unsigned)(r >> 32));
	if (r % 64 == 0)
		traffic_receive(w);
	else if (w->cnt == 0 || (w->cnt < TRAFFIC_HELD && r % 64 < 33))
		traffic_alloc(w);
	else if (r % 2 == 0)
		traffic_send(w);
	else
		traffic_free(w, w->held[--w->cnt]);
}

static inline void *
traffic_main(void *arg)
{
	struct traffic_worker *w = arg;
	struct traffic *tr = w->tr;

	for (uint64_t i = 0;
	     tr->ops != 0 ? i < tr->ops : i % 1024 != 0 || test_now() < tr->end;
	     i++)
		traffic_step(w);
	while (w->cnt > 0)
		traffic_free(w, w->held[--w->cnt]);
	atomic_fetch_sub(&tr->busy, 1);
	return NULL;
}

static inline bool
traffic_running(struct traffic *tr)
{
	return atomic_load(&tr->busy) > 0;
}

/* Start the workers; workers, ops or end, hop and seed are set. */
static inline void
traffic_start(struct traffic *tr)
{
	for (int z = 0; z < TRAFFIC_ZONES; z++) {
		tr->zone[z] = uma_zcreate("traffic", traffic_shape[z].size,
		    traffic_ctor, traffic_dtor, traffic_init, traffic_fini,
		    traffic_shape[z].align, traffic_shape[z].flags);
		MUST(tr->zone[z] != NULL, "no zone: errno %d", errno);
	}
	atomic_store(&tr->busy, (int)tr->workers);
	for (unsigned i = 0; i < tr->workers; i++) {
		struct traffic_worker *w = &tr->worker[i];

		w->tr = tr;
		w->id = i + 1;
		w->rnd = tr->seed + i;
		pthread_mutex_init(&w->mail.lock, NULL);
	}
	for (unsigned i = 0; i < tr->workers; i++)
		tr->worker[i].thread =
		    thread_start(traffic_main, &tr->worker[i]);
}

/* Wait for the workers and free what is left in the mailboxes. */
static inline void
traffic_join(struct traffic *tr)
{
	for (unsigned i = 0; i < tr->workers; i++)
		thread_join(tr->worker[i].thread);
	for (unsigned i = 0; i < tr->workers; i++)
		traffic_receive(&tr->worker[i]);
}

/* Nothing lost, nothing twice: the zones' books, the workers' and the hooks'. */
static inline void
traffic_finish(struct traffic *tr)
{
	uint64_t allocs = 0, frees = 0, zone_allocs = 0, zone_frees = 0;

	for (unsigned i = 0; i < tr->workers; i++) {
		struct traffic_worker *w = &tr->worker[i];

		allocs += w->allocs;
		frees += w->frees;
		ck_assert_uint_eq(w->ctors, w->allocs);
		ck_assert_uint_eq(w->dtors, w->frees);
	}
	for (int z = 0; z < TRAFFIC_ZONES; z++) {
		struct uma_zone_stat st = stat_of(tr->zone[z]);

		ck_assert_int_eq(uma_zone_get_cur(tr->zone[z]), 0);
		ck_assert_uint_eq(st.used, 0);
		ck_assert_uint_eq(st.allocs, st.frees);
		ck_assert_uint_eq(st.fails, 0);
		ck_assert_uint_eq(
		    st.free_cached + st.free_slab, st.slabs * st.slab_items);
		zone_allocs += st.allocs;
		zone_frees += st.frees;
		uma_zdestroy(tr->zone[z]);
	}
	ck_assert_uint_gt(allocs, 0);
	ck_assert_uint_eq(allocs, frees);
	ck_assert_uint_eq(zone_allocs, allocs);
	ck_assert_uint_eq(zone_frees, frees);
	ck_assert_uint_gt(atomic_load(&traffic_inits), 0);
	ck_assert_uint_eq(
	    atomic_load(&traffic_inits), atomic_load(&traffic_finis));
}

/*
 * Noise beside the workers, each a thread's main function with the traffic as
 * its argument, running until the workers are done.
 */
static inline void *
noise_reclaim(void *arg)
{
	struct traffic *tr = arg;
	uint64_t rnd = tr->seed ^ 0x5eed;

	while (traffic_running(tr)) {
		int request = (int)(test_rand(&rnd) % 3) + UMA_RECLAIM_DRAIN;

		if (test_rand(&rnd) % 4 == 0)
			uma_reclaim(request);
		else
			uma_zone_reclaim(
			    tr->zone[test_rand(&rnd) % TRAFFIC_ZONES], request);
		usleep(200);
	}
	return NULL;
}

static inline void *
noise_storm(void *arg)
{
	struct traffic *tr = arg;
	static _Atomic uint32_t nth;
	uint64_t rnd = tr->seed + ((uint64_t)++nth << 32);
	void *item[40];

	while (traffic_running(tr)) {
		size_t size = 1 + test_rand(&rnd) % 5000;
		uma_zone_t z = uma_zcreate(
		    "storm", size, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
		MUST(z != NULL, "no zone: errno %d", errno);
		for (int i = 0; i < 40; i++) {
			item[i] = uma_zalloc(z, M_WAITOK);
			MUST(item[i] != NULL, "no item: errno %d", errno);
			memset(item[i], 0xa5, size);
		}
		for (int i = 0; i < 40; i++)
			uma_zfree(z, item[i]);
		uma_zdestroy(z);
	}
	return NULL;
}

static inline void
noise_text(void *arg, const char *text, size_t len)
{
	(void)text;
	*(size_t *)arg += len;
}

static inline void *
noise_stats(void *arg)
{
	struct traffic *tr = arg;

	while (traffic_running(tr)) {
		size_t len = 0;

		MUST(uma_stats_print(noise_text, &len, "z") == 0, "stats");
		MUST(len > 0, "stats without text");
		for (int z = 0; z < TRAFFIC_ZONES; z++)
			stat_of(tr->zone[z]);
		usleep(500);
	}
	return NULL;
}

#endif
