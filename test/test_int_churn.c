/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_int_churn.c - runs of pages under random operations, threads and fork.
 */
#include <pthread.h>

#include "pages_int.h"
#include "test.h"

#define PG UMA_PAGE_SIZE

static bool
is_zero(const void *p, size_t len)
{
	const char *c = p;

	return len == 0 || (c[0] == 0 && memcmp(c, c + 1, len - 1) == 0);
}

static struct pages_stat
stat_now(void)
{
	struct pages_stat st;

	pages_stat(&st);
	return st;
}

struct owned {
	char *run;
	size_t npages;
};

/* Each page begins with its owner: no other may have written there. */
static void
own(struct owned *o, uintptr_t tag)
{
	for (size_t i = 0; i < o->npages; i++)
		*(uintptr_t *)(o->run + i * PG) = tag;
}

static void
disown(struct owned *o, uintptr_t tag)
{
	for (size_t i = 0; i < o->npages; i++)
		ck_assert_uint_eq(*(uintptr_t *)(o->run + i * PG), tag);
	pages_free(o->run, o->npages, 0);
	o->run = NULL;
}

static void
runs_churn(size_t ops, uint64_t seed, uintptr_t tag0, struct owned *o, size_t n)
{
	for (size_t op = 0; op < ops; op++) {
		uint64_t r = test_rand(&seed);
		size_t i = (r >> 32) % n;

		if (o[i].run != NULL) {
			disown(&o[i], tag0 + i);
			continue;
		}
		size_t align = r % 16 == 0 ? PG << (r >> 4 & 15) : PG;
		int flags = r & 256 ? PAGES_ZERO : 0;

		o[i].npages =
		    r % 64 == 1 ? 1 + (r >> 10) % 1500 : 1 + (r >> 10) % 20;
		o[i].run = pages_alloc(o[i].npages, align, 0, flags);
		ck_assert_ptr_nonnull(o[i].run);
		ck_assert_uint_eq((uintptr_t)o[i].run % align, 0);
		if (flags & PAGES_ZERO)
			ck_assert(is_zero(o[i].run, o[i].npages * PG));
		own(&o[i], tag0 + i);
		if (r >> 16 & 1 && (r & 1023) == 7)
			pages_release();
	}
	for (size_t i = 0; i < n; i++)
		if (o[i].run != NULL)
			disown(&o[i], tag0 + i);
}

START_TEST(random_runs_never_overlap_and_all_come_back)
{
	static struct owned o[500];
	size_t ops = TEST_SCALE(100000) / (UMA_DEBUG >= 2 ? 10 : 1);

	runs_churn(ops, test_seed("random_runs"), 1, o, 500);

	ck_assert(pages_is_valid());
	ck_assert_uint_eq(stat_now().ps_used, 0);
	pages_release();
	ck_assert_uint_eq(stat_now().ps_dirty, 0);
}
END_TEST

static void *
churn_thread(void *arg)
{
	uintptr_t tag = (uintptr_t)arg << 32;
	struct owned o[100] = {{0}};

	runs_churn(
	    TEST_SCALE(5000) / (UMA_DEBUG >= 2 ? 10 : 1), tag, tag, o, 100);
	return NULL;
}

static atomic_bool stop;

static void *
release_loop(void *arg)
{
	(void)arg;
	while (!stop)
		pages_release();
	return NULL;
}

START_TEST(threads_share_the_runs_with_a_releaser)
{
	pthread_t t[4], r;
	pthread_create(&r, NULL, release_loop, NULL);
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, churn_thread, (void *)(i + 1));

	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);

	stop = true;
	pthread_join(r, NULL);
	ck_assert(pages_is_valid());
	ck_assert_uint_eq(stat_now().ps_used, 0);
}
END_TEST

static void *
meta_loop(void *arg)
{
	(void)arg;
	while (!stop) {
		void *a = meta_alloc(100, 0), *b = meta_alloc(5000, 0);

		meta_free(a, 100);
		meta_free(b, 5000);
	}
	return NULL;
}

START_TEST(a_child_of_a_busy_parent_can_do_everything)
{
	pthread_t t[2];
	pthread_create(&t[0], NULL, release_loop, NULL);
	pthread_create(&t[1], NULL, meta_loop, NULL);

	for (int i = 0; i < (TEST_TSAN ? 10 : 100); i++) {
		void *dirty = pages_alloc(3, PG, 0, 0);
		memset(dirty, 1, 3 * PG);
		pages_free(dirty, 3, 0);
		pid_t pid = fork();
		if (pid == 0) {
			alarm(20);
			void *p = pages_alloc(5, PG, 0, PAGES_ZERO);
			void *m = meta_alloc(100, 0);
			bool ok = p != NULL && m != NULL && is_zero(p, 5 * PG);
			meta_free(m, 100);
			pages_free(p, 5, 0);
			pages_release();
			_exit(ok && pages_is_valid() ? 0 : 1);
		}
		int status;
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}

	stop = true;
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	ck_assert(pages_is_valid());
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("churn");
	TCase *tc = tcase_create("runs");

	tcase_add_test(tc, random_runs_never_overlap_and_all_come_back);
	tcase_add_test(tc, threads_share_the_runs_with_a_releaser);
	tcase_add_test(tc, a_child_of_a_busy_parent_can_do_everything);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
