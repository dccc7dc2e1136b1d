/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ten million operations of torture.h.  UMA_TORTURE_SHORT=1 makes it a few, for
 * instruments that slow a program down a hundredfold.
 */
#define _GNU_SOURCE 1

#include "torture.h"

static struct torture to = {.signal_ns = 200000};

START_TEST(tortured_threads_lose_double_and_miscount_nothing)
{
	to.seed = test_seed(__func__);
	if (getenv("UMA_TORTURE_SHORT") != NULL) {
		to.signal_ns = 20000000;
		torture_run(&to, 500, 20000, 0, 600);
	} else if (TEST_TSAN || TEST_ASAN || UMA_DEBUG > 0) {
		to.signal_ns *= 5;
		torture_run(&to, 1000, LOAD(10000000), 5, 250);
	} else {
		torture_run(&to, 1000, 10000000, 8, 30);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("torture");
	TCase *tc = tcase_create("short");

	tcase_set_timeout(tc, 0); /* it has its own */
	tcase_add_test(tc, tortured_threads_lose_double_and_miscount_nothing);
	suite_add_tcase(s, tc);
	return test_run(s);
}
