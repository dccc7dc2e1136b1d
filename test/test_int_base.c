/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_int_base.c - what every folder stands on: messages, locks, waiting.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* _Fork */
#endif
#include <fcntl.h>
#include <pthread.h>

#include "pages_int.h"
#include "test.h"

/* ---- messages ---- */

START_TEST(escape_leaves_no_control_byte)
{
	static const struct {
		const char *from, *to;
	} row[] = {{"", ""}, {"plain", "plain"}, {"a\nb", "a\\x0ab"},
	    {"\x1b[31m", "\\x1b[31m"}, {"\x7f", "\\x7f"}, {"c:\\d", "c:\\\\d"},
	    {"\xc3\xa9", "\xc3\xa9"}};
	char buf[64];

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		ck_assert_ptr_eq(uma_escape(buf, sizeof buf, row[i].from), buf);
		ck_assert_str_eq(buf, row[i].to);
	}
}
END_TEST

START_TEST(escape_cuts_between_escapes)
{
	char buf[16];

	ck_assert_str_eq(uma_escape(buf, 4, "abcdef"), "abc");
	ck_assert_str_eq(uma_escape(buf, 5, "\n\n"), "\\x0a");
	ck_assert_str_eq(uma_escape(buf, 8, "\n\n"), "\\x0a");
	ck_assert_str_eq(uma_escape(buf, 4, "\n"), "");
	ck_assert_str_eq(uma_escape(buf, 3, "\\\\"), "\\\\");
	ck_assert_str_eq(uma_escape(buf, 1, "x"), "");
	buf[0] = 'k';
	uma_escape(buf, 0, "x");
	ck_assert_int_eq(buf[0], 'k');
}
END_TEST

static char seen[1024];
static size_t seen_len;

static void
sink_keep(void *arg, const char *line, size_t len)
{
	ck_assert_ptr_eq(arg, seen);
	memcpy(seen, line, len);
	seen[len] = '\0';
	seen_len = len;
	errno = EDOM;
}

START_TEST(the_sink_gets_whole_lines)
{
	char longer[2000];
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	uma_message_sink(sink_keep, seen);
	errno = ERANGE;

	uma_message("zone %d of %s", 3, "four");
	ck_assert_str_eq(seen, "zone 3 of four\n");
	ck_assert_int_eq(errno, ERANGE);
	uma_message("once\n");
	ck_assert_str_eq(seen, "once\n");
	uma_message("%s", longer);
	ck_assert_uint_ge(seen_len, 500);
	ck_assert_ptr_eq(strchr(seen, '\n'), seen + seen_len - 1);
}
END_TEST

static void
say_muted_then_die(void *arg)
{
	uma_message_mute(true);
	uma_message("%s", (const char *)arg);
	uma_message_mute(false);
	uma_message("said");
	uma_fatal("end");
}

START_TEST(a_muted_message_goes_to_a_sink_but_not_to_descriptor_2)
{
	uma_message_sink(sink_keep, seen);
	uma_message_mute(true);
	uma_message("kept");
	uma_message_mute(false);
	ck_assert_str_eq(seen, "kept\n");

	uma_message_sink(NULL, NULL);
	test_expect_abort_only(
	    say_muted_then_die, (void *)"not said", "said\numa: end\n");
}
END_TEST

static void
say_then_die(void *arg)
{
	uma_message("%s", (const char *)arg);
	uma_message_sink(sink_keep, seen);
	uma_message_mute(true);
	uma_fatal("zone '%s': %s", "z", "wrong");
}

START_TEST(descriptor_2_gets_messages_without_a_sink_and_every_fatal)
{
	test_expect_abort(
	    say_then_die, (void *)"plain", "plain\numa: zone 'z': wrong\n");
}
END_TEST

static _Atomic unsigned long torn, told;
static atomic_bool stop;
static int mark[2];

static void
sink_a(void *arg, const char *line, size_t len)
{
	(void)line;
	(void)len;
	torn += arg != &mark[0];
	told++;
}

static void
sink_b(void *arg, const char *line, size_t len)
{
	(void)line;
	(void)len;
	torn += arg != &mark[1];
	told++;
}

static void *
sink_changer(void *arg)
{
	(void)arg;
	while (!stop) {
		uma_message_sink(sink_a, &mark[0]);
		uma_message_sink(sink_b, &mark[1]);
	}
	return NULL;
}

START_TEST(a_sink_is_called_with_its_own_argument)
{
	pthread_t t[2];
	int quiet = open("/dev/null", O_WRONLY), err = dup(2);
	uma_message_sink(sink_a, &mark[0]);
	dup2(quiet, 2);
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, sink_changer, NULL);

	for (int i = 0; i < TEST_SCALE(50000); i++)
		uma_message("line");

	stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	dup2(err, 2);
	ck_assert_uint_eq(torn, 0);
	ck_assert_uint_gt(told, 0);
}
END_TEST

/* ---- locks and waiting ---- */

static struct uma_lock lock = UMA_LOCK_INITIALIZER(UMA_RANK_KEG);
static unsigned long counter;

static void *
count_thread(void *arg)
{
	for (int i = 0; i < TEST_SCALE(200000); i++) {
		uma_lock_acquire(&lock);
		counter++;
		uma_lock_release(&lock);
	}
	return arg;
}

START_TEST(a_lock_lets_one_thread_in)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, count_thread, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);

	ck_assert_uint_eq(counter, 4ul * TEST_SCALE(200000));
	ck_assert_uint_eq(lock.l_word, 0);
}
END_TEST

static void *
hold_long(void *arg)
{
	uma_lock_acquire(&lock);
	*(atomic_bool *)arg = true;
	test_sleep_ms(100);
	counter = 1;
	uma_lock_release(&lock);
	return NULL;
}

START_TEST(a_sleeper_is_woken_by_the_release)
{
	atomic_bool holds = false;
	pthread_t t;
	pthread_create(&t, NULL, hold_long, &holds);
	while (!holds)
		test_sleep_ms(1);
	errno = ERANGE;

	uma_lock_acquire(&lock);

	ck_assert_uint_eq(counter, 1);
	ck_assert_int_eq(errno, ERANGE);
	uma_lock_assert_held(&lock);
	uma_lock_release(&lock);
	pthread_join(t, NULL);
}
END_TEST

START_TEST(a_child_gets_free_locks_whoever_held_them)
{
	atomic_bool holds = false;
	struct uma_lock mine = UMA_LOCK_INITIALIZER(UMA_RANK_META);
	pthread_t t;
	pthread_create(&t, NULL, hold_long, &holds);
	while (!holds)
		test_sleep_ms(1);
	uma_lock_fork_acquire(&mine);

	/* Without the handlers of the zones, which take these ranks. */
	pid_t pid = _Fork();
	if (pid == 0) {
		alarm(10);
		uma_lock_fork_child(&mine);
		uma_lock_fork_child(&lock);
		uma_lock_acquire(&lock);
		uma_lock_acquire(&mine);
		uma_lock_release(&mine);
		uma_lock_release(&lock);
		_exit(0);
	}
	uma_lock_fork_release(&mine);

	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	pthread_join(t, NULL);
}
END_TEST

START_TEST(fork_takes_several_locks_of_one_rank)
{
	struct uma_lock a = UMA_LOCK_INITIALIZER(UMA_RANK_KEG), b = a;

	uma_lock_fork_acquire(&a);
	uma_lock_fork_acquire(&b);
	uma_lock_fork_release(&a);
	uma_lock_fork_release(&b);

	uma_lock_acquire(&b);
	uma_lock_release(&b);
}
END_TEST

START_TEST(a_wait_ends_with_its_time)
{
	_Atomic uint32_t word = 7;
	errno = ERANGE;

	int64_t t0 = uma_now_ns();
	uma_wait(&word, 7, 20000000);
	int64_t t1 = uma_now_ns();
	uma_wait(&word, 8, -1); /* is not 8: returns at once */

	ck_assert_int_ge(t1 - t0, 20000000);
	ck_assert_int_eq(errno, ERANGE);
}
END_TEST

static void *
set_and_wake(void *arg)
{
	_Atomic uint32_t *word = arg;

	test_sleep_ms(30);
	*word = 1;
	uma_wake(word, 1);
	return NULL;
}

START_TEST(a_waiter_is_woken)
{
	_Atomic uint32_t word = 0;
	pthread_t t;
	pthread_create(&t, NULL, set_and_wake, &word);

	while (word == 0)
		uma_wait(&word, 0, -1);

	ck_assert_uint_eq(word, 1);
	pthread_join(t, NULL);
}
END_TEST

static void *
wait_for_ever(void *arg)
{
	_Atomic uint32_t *word = arg;

	while (*word == 0)
		uma_wait(word, 0, -1);
	uma_message_mute(true);
	uma_message("nothing");
	*word = 2;
	pthread_testcancel();
	return NULL;
}

START_TEST(waiting_is_no_cancellation_point)
{
	_Atomic uint32_t word = 0;
	void *how;
	pthread_t t;
	pthread_create(&t, NULL, wait_for_ever, &word);
	test_sleep_ms(30);

	pthread_cancel(t);
	test_sleep_ms(30);
	word = 1;
	uma_wake(&word, 1);

	pthread_join(t, &how);
	ck_assert_ptr_eq(how, PTHREAD_CANCELED);
	ck_assert_uint_eq(word, 2);
}
END_TEST

#if UMA_DEBUG
static void
misuse_lock(void *arg)
{
	struct uma_lock pages = UMA_LOCK_INITIALIZER(UMA_RANK_PAGES);
	struct uma_lock keg = UMA_LOCK_INITIALIZER(UMA_RANK_KEG), keg2 = keg;

	switch (*(int *)arg) {
	case 0:
		uma_lock_acquire(&pages);
		uma_lock_acquire(&keg);
		break;
	case 1:
		uma_lock_acquire(&keg);
		uma_lock_acquire(&keg2);
		break;
	case 2:
		uma_lock_acquire(&keg);
		uma_lock_acquire(&keg);
		break;
	case 3:
		uma_lock_release(&keg);
		break;
	case 4:
		uma_lock_acquire(&keg);
		uma_lock_assert_held(&keg2);
		break;
	}
}

START_TEST(debug_builds_find_broken_lock_order)
{
	char order[64];
	const char *const say[] = {
	    order, order, order, "does not hold it", "uma: assertion"};

	snprintf(order, sizeof order, "uma: lock order: rank %d wanted",
	    UMA_RANK_KEG);
	for (int i = 0; i < 5; i++)
		test_expect_abort(misuse_lock, &i, say[i]);
}
END_TEST
#endif

static Suite *
suite(void)
{
	Suite *s = suite_create("base");
	TCase *msg = tcase_create("messages"), *lk = tcase_create("locks");

	tcase_add_test(msg, escape_leaves_no_control_byte);
	tcase_add_test(msg, escape_cuts_between_escapes);
	tcase_add_test(msg, the_sink_gets_whole_lines);
	tcase_add_test(
	    msg, a_muted_message_goes_to_a_sink_but_not_to_descriptor_2);
	tcase_add_test(
	    msg, descriptor_2_gets_messages_without_a_sink_and_every_fatal);
	tcase_add_test(msg, a_sink_is_called_with_its_own_argument);
	tcase_add_test(lk, a_lock_lets_one_thread_in);
	tcase_add_test(lk, a_sleeper_is_woken_by_the_release);
	tcase_add_test(lk, a_child_gets_free_locks_whoever_held_them);
	tcase_add_test(lk, fork_takes_several_locks_of_one_rank);
	tcase_add_test(lk, a_wait_ends_with_its_time);
	tcase_add_test(lk, a_waiter_is_woken);
	tcase_add_test(lk, waiting_is_no_cancellation_point);
#if UMA_DEBUG
	tcase_add_test(lk, debug_builds_find_broken_lock_order);
#endif
	TCase *tc[] = {msg, lk};
	for (int i = 0; i < 2; i++) {
		tcase_set_timeout(tc[i], 30);
		suite_add_tcase(s, tc[i]);
	}
	return s;
}

int
main(void)
{
	return test_run(suite());
}
