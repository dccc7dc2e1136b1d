/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mutexobj - objects that keep what is dear to make.
 *
 * A job has a mutex, a condition variable and a list.  Its init and fini hooks
 * make and destroy them once per piece of memory; ctor and dtor set what each
 * life of a job needs.  A freed job returns to its zone with the mutex
 * unlocked and the list empty, ready for the next.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <uma.h>

#define THREADS 4
#define ROUNDS	2000
#define HELD	16 /* jobs that a thread has at a time */

struct job {
	pthread_mutex_t lock; /* from init to fini */
	pthread_cond_t done;
	LIST_HEAD(, job) parts;
	LIST_ENTRY(job) link; /* from ctor to dtor */
	unsigned long number;
};

static atomic_ulong inits, finis, ctors, dtors, wrong;
static uma_zone_t zone;

static int
job_init(void *mem, int size, int flags)
{
	struct job *job = mem;

	(void)size, (void)flags;
	pthread_mutex_init(&job->lock, NULL);
	pthread_cond_init(&job->done, NULL);
	LIST_INIT(&job->parts);
	inits++;
	return 0;
}

static void
job_fini(void *mem, int size)
{
	struct job *job = mem;

	(void)size;
	pthread_cond_destroy(&job->done);
	pthread_mutex_destroy(&job->lock);
	finis++;
}

static int
job_ctor(void *mem, int size, void *arg, int flags)
{
	struct job *job = mem;

	(void)size, (void)arg, (void)flags;
	job->number = ++ctors;
	return 0;
}

static void
job_dtor(void *mem, int size, void *arg)
{
	struct job *job = mem;

	(void)size, (void)arg;
	if (!LIST_EMPTY(&job->parts)) /* the state that init left? */
		wrong++;
	dtors++;
}

static void *
worker(void *arg)
{
	struct job *whole, *part;

	for (int i = 0; i < ROUNDS; i++) {
		whole = uma_zalloc(zone, M_WAITOK);
		pthread_mutex_lock(&whole->lock);
		for (int k = 1; k < HELD; k++) {
			part = uma_zalloc(zone, M_WAITOK);
			LIST_INSERT_HEAD(&whole->parts, part, link);
		}
		while ((part = LIST_FIRST(&whole->parts)) != NULL) {
			LIST_REMOVE(part, link);
			uma_zfree(zone, part);
		}
		pthread_mutex_unlock(&whole->lock);
		uma_zfree(zone, whole);
	}
	return arg;
}

int
main(void)
{
	pthread_t threads[THREADS];

	zone = uma_zcreate("job", sizeof(struct job), job_ctor, job_dtor,
	    job_init, job_fini, UMA_ALIGNOF(struct job), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, worker, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	uma_zdestroy(zone);

	printf("ctor %lu times, dtor %lu times\n", ctors, dtors);
	printf("init %lu times, fini %lu times\n", inits, finis);
	if (wrong > 0 || ctors != dtors || inits != finis || inits * 50 > ctors)
		return EXIT_FAILURE;
	printf("each mutex served more than 50 jobs on average\n");
	return EXIT_SUCCESS;
}
