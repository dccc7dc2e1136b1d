/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sleepers.h - zones at their limit: a zone of pages, where every limit is
 * exact, items taken and given by the dozen, and threads that sleep for one.
 */
#ifndef UMA_TEST_SLEEPERS_H
#define UMA_TEST_SLEEPERS_H

#include "threads.h"

static inline uma_zone_t
page_zone(const char *name, int max)
{
	uma_zone_t z =
	    uma_zcreate(name, 4096, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	ck_assert_ptr_nonnull(z);
	ck_assert_int_eq(uma_zone_set_max(z, max), max);
	return z;
}

static inline void
take(uma_zone_t zone, void **item, int n)
{
	for (int i = 0; i < n; i++) {
		item[i] = uma_zalloc(zone, M_NOWAIT);
		ck_assert_msg(item[i] != NULL, "item %d of %d", i, n);
	}
}

static inline void
give(uma_zone_t zone, void **item, int n)
{
	for (int i = 0; i < n; i++)
		uma_zfree(zone, item[i]);
}

static inline void
refused(uma_zone_t zone)
{
	errno = 0;
	ck_assert_ptr_null(uma_zalloc(zone, M_NOWAIT));
	ck_assert_int_eq(errno, ENOMEM);
}

/* A thread that wants an item of a full zone. */
struct sleeper {
	uma_zone_t zone;
	void *arg; /* for the ctor */
	pthread_t thread;
	_Atomic int tid;
	_Atomic int place; /* 1 for the first to come back; 0: asleep */
	void *item;
	int err;
	double woke;
};

static _Atomic int places;

static inline void *
sleeper_main(void *arg)
{
	struct sleeper *s = arg;

	atomic_store(&s->tid, (int)syscall(SYS_gettid));
	s->item = uma_zalloc_arg(s->zone, s->arg, M_WAITOK);
	s->err = errno;
	s->woke = test_now();
	atomic_store(&s->place, atomic_fetch_add(&places, 1) + 1);
	return NULL;
}

/* Start a thread that finds the zone full; returns when it sleeps. */
static inline void
sleeper_start(struct sleeper *s, uma_zone_t zone, void *arg)
{
	uint64_t before = stat_of(zone).sleeps;

	*s = (struct sleeper){.zone = zone, .arg = arg};
	s->thread = thread_start(sleeper_main, s);
	ck_assert(WAIT_FOR(stat_of(zone).sleeps > before));
	ck_assert(WAIT_FOR(thread_sleeps(atomic_load(&s->tid))));
	ck_assert_int_eq(atomic_load(&s->place), 0);
}

static inline bool
sleeper_back(struct sleeper *s)
{
	return WAIT_FOR(atomic_load(&s->place) != 0);
}

static inline void
sleeper_end(struct sleeper *s)
{
	thread_join(s->thread);
	uma_zfree(s->zone, s->item);
}

#endif
