/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the memory of zones is had from the system: huge pages, all of it at
 * once, locked.  Settings are read with the first zone, and Check runs each
 * test in a process of its own.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <uma.h>

#include "test.h"

enum { ITEMS = 20000, SIZE = 256 };
static void *item[ITEMS];

static int mlock_error; /* what mlock fails with, or 0 */

int
mlock(const void *addr, size_t len)
{
	if (mlock_error == 0)
		return (int)syscall(SYS_mlock, addr, len);
	errno = mlock_error;
	return -1;
}

static uma_zone_t
zone_with(const char *options)
{
	setenv("UMA_OPTIONS", options, 1);
	uma_zone_t z = uma_zcreate(
	    "options", SIZE, NULL, NULL, NULL, NULL, UMA_ALIGN_CACHE, 0);

	ck_assert_ptr_nonnull(z);
	return z;
}

static void
take_all(uma_zone_t z)
{
	for (int i = 0; i < ITEMS; i++)
		ck_assert_ptr_nonnull(item[i] = uma_zalloc(z, M_NOWAIT));
}

static void
free_all(uma_zone_t z)
{
	for (int i = 0; i < ITEMS; i++)
		uma_zfree(z, item[i]);
}

static long
faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_minflt;
}

/* The page faults that writing to newly allocated items makes. */
static long
faults_of_fresh_items(uma_zone_t z)
{
	take_all(z);
	long before = faults();
	for (int i = 0; i < ITEMS; i++)
		memset(item[i], i, SIZE);
	return faults() - before;
}

/* Sanitizers keep books of each access, and these books fault. */
static void
expect_no_faults(uma_zone_t z)
{
	long n = faults_of_fresh_items(z);

	if (!TEST_ASAN && !TEST_TSAN)
		ck_assert_int_le(n, 2);
}

/* What follows NAME in the part of /proc/self/smaps about an address. */
static void
smaps_field(const void *p, const char *name, char *value, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long from, to;
	bool here = false;
	char line[512];

	ck_assert_ptr_nonnull(f);
	value[0] = '\0';
	while (fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (here && strncmp(line, name, strlen(name)) == 0)
			snprintf(value, size, "%s", line + strlen(name));
	}
	fclose(f);
}

static bool
has_vm_flag(const void *p, const char *flag)
{
	char flags[512];

	smaps_field(p, "VmFlags:", flags, sizeof flags);
	return strstr(flags, flag) != NULL;
}

START_TEST(huge_pages_are_declined_unless_asked_for)
{
	uma_zone_t z = zone_with("");
	void *p = uma_zalloc(z, M_WAITOK);

	/* Without huge pages in the kernel there is no such flag. */
	if (access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK) == 0)
		ck_assert(has_vm_flag(p, " nh"));
	ck_assert(!has_vm_flag(p, " hg"));
}
END_TEST

START_TEST(huge_pages_are_asked_for_with_thp_always)
{
	uma_zone_t z = zone_with("vm.uma.thp=always");
	void *p = uma_zalloc(z, M_WAITOK);

	if (access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK) == 0)
		ck_assert(has_vm_flag(p, " hg"));
	take_all(z);
	free_all(z);
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	take_all(z);
}
END_TEST

START_TEST(huge_pages_are_left_to_the_system_with_thp_system)
{
	uma_zone_t z = zone_with("vm.uma.thp=system");
	void *p = uma_zalloc(z, M_WAITOK);

	ck_assert(!has_vm_flag(p, " hg") && !has_vm_flag(p, " nh"));
}
END_TEST

START_TEST(memory_faults_when_it_is_used_by_default)
{
	uma_zone_t z = zone_with("");

	ck_assert_int_ge(faults_of_fresh_items(z), ITEMS / (4096 / SIZE) / 2);
}
END_TEST

START_TEST(prefault_leaves_nothing_to_fault_for_the_user)
{
	uma_zone_t z = zone_with("vm.uma.prefault=1");

	expect_no_faults(z);
	free_all(z);
	/* And what went back is there again when it is handed out again. */
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	expect_no_faults(z);
}
END_TEST

START_TEST(locked_memory_is_locked_and_stays)
{
	struct rlimit lock;
	uma_zone_t z;

	getrlimit(RLIMIT_MEMLOCK, &lock);
	lock.rlim_cur = lock.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &lock);
	if (lock.rlim_cur < 32 << 20 && geteuid() != 0) {
		printf("skipped: no more than %lu bytes may be locked\n",
		    (unsigned long)lock.rlim_cur);
		return;
	}
	z = zone_with("vm.uma.mlock=1");
	expect_no_faults(z);
	ck_assert(has_vm_flag(item[0], " lo"));
	free_all(z);
	/* The system refuses to take it; items are as good as ever. */
	uma_reclaim(UMA_RECLAIM_DRAIN_CPU);
	expect_no_faults(z);
	free_all(z);
}
END_TEST

static void
use_locked(void *arg)
{
	(void)arg;
	mlock_error = ENOMEM;
	uma_zone_t z = zone_with("vm.uma.mlock=1");

	take_all(z);
	for (int i = 0; i < ITEMS; i++)
		memset(item[i], i, SIZE);
	free_all(z);
	uma_zdestroy(z);
}

START_TEST(memory_that_cannot_be_locked_is_reported_once_and_used)
{
	char text[TEST_TEXT];

	int status = child_says(use_locked, NULL, text, sizeof text);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert_str_eq(
	    text, "uma: cannot lock memory (errno 12): going on without\n");
}
END_TEST

START_TEST(mappings_have_a_name_where_the_kernel_keeps_names)
{
	uma_zone_t z = zone_with("");
	char *p = uma_zalloc(z, M_WAITOK), line[512], *probe;
	unsigned long from, to;
	bool named = false;

	probe = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (prctl(0x53564d41, 0, probe, 4096, "probe") != 0) {
		printf("skipped: this kernel keeps no names of mappings\n");
		return;
	}
	FILE *f = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2 &&
		    (uintptr_t)p >= from && (uintptr_t)p < to)
			named = strstr(line, "[anon:libuma]") != NULL;
	fclose(f);
	ck_assert(named);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("memory options");
	TCase *tc = tcase_create("options");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, huge_pages_are_declined_unless_asked_for);
	tcase_add_test(tc, huge_pages_are_asked_for_with_thp_always);
	tcase_add_test(tc, huge_pages_are_left_to_the_system_with_thp_system);
	tcase_add_test(tc, memory_faults_when_it_is_used_by_default);
	tcase_add_test(tc, prefault_leaves_nothing_to_fault_for_the_user);
	tcase_add_test(tc, locked_memory_is_locked_and_stays);
	tcase_add_test(
	    tc, memory_that_cannot_be_locked_is_reported_once_and_used);
	tcase_add_test(tc, mappings_have_a_name_where_the_kernel_keeps_names);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
