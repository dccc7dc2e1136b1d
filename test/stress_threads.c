/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The traffic of test_threads.c for as long as UMA_STRESS_SECONDS says (30),
 * with all kinds of noise at once, CPU changes and short-lived threads.
 */
#define _GNU_SOURCE 1

#include "traffic.h"

static int
stress_seconds(void)
{
	const char *s = getenv("UMA_STRESS_SECONDS");
	int n = s != NULL ? atoi(s) : 0;

	return n > 0 ? n : 30;
}

static struct traffic tr;

static void *
short_life(void *arg)
{
	uint64_t rnd = tr.seed + (uintptr_t)arg;
	uma_zone_t zone = arg;
	void *item[50];

	for (int i = 0; i < 50; i++)
		item[i] = uma_zalloc(zone, M_WAITOK);
	for (int i = 49; i >= 0; i--) {
		int other = (int)(test_rand(&rnd) % (unsigned)(i + 1));
		void *victim = item[other];

		item[other] = item[i];
		uma_zfree(zone, victim);
	}
	return NULL;
}

/* A limited zone under threads that each live for one burst. */
static void *
noise_short_lives(void *arg)
{
	uma_zone_t zone = uma_zcreate(
	    "short lives", 700, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	(void)arg;
	MUST(zone != NULL, "no zone: errno %d", errno);
	/* Room for all bursts at once, or they could wait for each other. */
	uma_zone_set_max(zone, 4 * 50);
	while (traffic_running(&tr)) {
		pthread_t t[4];

		for (int i = 0; i < 4; i++)
			t[i] = thread_start(short_life, zone);
		for (int i = 0; i < 4; i++)
			thread_join(t[i]);
		/* Approximate while uma_reclaim() visits the zone. */
		MUST(WAIT_FOR(uma_zone_get_cur(zone) == 0), "items lost");
	}
	uma_zdestroy(zone);
	return NULL;
}

START_TEST(long_traffic_conserves_every_item)
{
	void *(*noise[])(void *) = {noise_reclaim, noise_storm, noise_storm,
	    noise_stats, noise_short_lives};
	enum { NOISES = sizeof noise / sizeof noise[0] };
	pthread_t t[NOISES];
	unsigned workers = (unsigned)uma_ncpus() * 4;

	tr.workers = workers < TRAFFIC_WORKERS ? workers : TRAFFIC_WORKERS;
	tr.seed = test_seed(__func__);
	tr.hop = true;
	tr.end = test_now() + stress_seconds();

	traffic_start(&tr);
	for (int i = 0; i < NOISES; i++)
		t[i] = thread_start(noise[i], &tr);
	traffic_join(&tr);
	for (int i = 0; i < NOISES; i++)
		thread_join(t[i]);

	uint64_t allocs = 0;
	for (unsigned i = 0; i < tr.workers; i++)
		allocs += tr.worker[i].allocs;
	printf("%s: %llu items, each handed out once and freed once\n",
	    __func__, (unsigned long long)allocs);
	traffic_finish(&tr);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("stress of threads");
	TCase *tc = tcase_create("long");

	tcase_set_timeout(tc, stress_seconds() * 4 + 60);
	tcase_add_test(tc, long_traffic_conserves_every_item);
	suite_add_tcase(s, tc);
	return test_run(s);
}
