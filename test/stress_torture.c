/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thousand million operations of torture.h, in half a minute at least; or as
 * many as there are in UMA_STRESS_SECONDS.
 */
#define _GNU_SOURCE 1

#include "torture.h"

static struct torture to = {.signal_ns = 200000};

START_TEST(long_torture_loses_doubles_and_miscounts_nothing)
{
	const char *text = getenv("UMA_STRESS_SECONDS");
	int seconds = text != NULL ? atoi(text) : 0;

	to.seed = test_seed(__func__);
	if (seconds > 0)
		torture_run(&to, 2000, 1, seconds, seconds + 60);
	else
		torture_run(&to, 2000, 1000000000, 30, 3600);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("stress of torture");
	TCase *tc = tcase_create("long");

	tcase_set_timeout(tc, 0); /* it has its own */
	tcase_add_test(tc, long_torture_loses_doubles_and_miscounts_nothing);
	suite_add_tcase(s, tc);
	return test_run(s);
}
