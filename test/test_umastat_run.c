/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_umastat_run.c - umastat(8) as people run it: on a process that sits
 * still, works, ends, and on what is none.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "umastat_run.h"

#define LINE 256

static struct patient patient;

static void
start(void)
{
	patient = patient_start(0);
}

static void
end(void)
{
	patient_end(&patient);
}

/* The line that begins with a word and a blank or colon, or fails. */
static void
line_of(const struct run *r, const char *word, char line[LINE])
{
	size_t len = strlen(word);
	const char *s = r->out;

	for (; s != NULL && *s != '\0'; s = strchr(s, '\n'), s += s != NULL) {
		if (strncmp(s, word, len) == 0 &&
		    (s[len] == ' ' || s[len] == ':')) {
			snprintf(line, LINE, "%.*s", (int)strcspn(s, "\n"), s);
			return;
		}
	}
	ck_abort_msg("no line of %s in:\n%s", word, r->out);
}

/* Number n, from 1, of a line: of what comes behind the name. */
static double
column(const struct run *r, const char *word, int n)
{
	char line[LINE], *s = line + strlen(word);
	double value = 0;

	line_of(r, word, line);
	while (n-- > 0) {
		s += strspn(s, ":, ");
		value = strtod(s, &s);
		s += strcspn(s, ", ");
	}
	return value;
}

static int
lines_with(const struct run *r, const char *text)
{
	int n = 0;

	for (const char *s = r->out; (s = strstr(s, text)) != NULL; s++)
		n++;
	return n;
}

/* It went well and said nothing else. */
static struct run
good(const char *arguments)
{
	struct run r = umastat(arguments, patient.pid);

	ck_assert_msg(r.status == 0 && r.err[0] == '\0',
	    "%s: status %d, it said: %s", arguments, r.status, r.err);
	return r;
}

/* It failed with that status, one line about why, and no output. */
static void
bad(const char *arguments, int status, const char *says)
{
	struct run r = umastat(arguments, patient.pid);
	char *end = strchr(r.err, '\n');

	ck_assert_msg(r.status == status, "'%s': status %d, it said: %s",
	    arguments, r.status, r.err);
	ck_assert_msg(strncmp(r.err, "umastat: ", 9) == 0 && end != NULL &&
			  end[1] == '\0' && strstr(r.err, says) != NULL,
	    "'%s': it said: %s", arguments, r.err);
	ck_assert_str_eq(r.out, "");
	run_free(&r);
}

START_TEST(the_table_of_a_process_has_the_columns_of_vmstat)
{
	struct run r = good("%p");
	char line[LINE];

	line_of(&r, "ITEM", line);
	ck_assert_str_eq(line + 20,
	    "    SIZE    LIMIT     USED     FREE        REQ   FAIL  SLEEP "
	    "XDOMAIN");
	ck_assert(column(&r, "bees", 1) == 64);
	ck_assert(column(&r, "bees", 3) == 4);
	ck_assert(column(&r, "ants", 3) == 2);
	ck_assert(column(&r, "people", 3) == PEOPLE);
	ck_assert(column(&r, "people", 5) == PEOPLE);
	ck_assert(column(&r, "none", 3) == 0);
	run_free(&r);
}
END_TEST

START_TEST(zones_are_matched_sorted_and_reversed)
{
	struct run r = good("-m [abp]* -k used %p");
	const char *people = strstr(r.out, "\npeople");
	const char *bees = strstr(r.out, "\nbees"),
		   *ants = strstr(r.out, "\nants");

	ck_assert(people != NULL && people < bees && bees < ants);
	ck_assert_int_eq(lines_with(&r, "\n"), 6); /* HOSTILE too */
	run_free(&r);
	r = good("--match=[ab]* --sort=byname --reverse %p");
	ck_assert(strstr(r.out, "\nbees") < strstr(r.out, "\nants"));
	run_free(&r);
	r = good("-m no*such* %p");
	ck_assert_int_eq(lines_with(&r, "\n"), 2);
	run_free(&r);
}
END_TEST

/* In UTF-8, no control characters but line feeds, of either kind. */
static void
is_harmless(const struct run *r, const char *arguments)
{
	const unsigned char *s = (const unsigned char *)r->out;

	ck_assert_uint_gt(r->out_len, 0);
	for (size_t i = 0; i < r->out_len; i++) {
		bool ascii = s[i] == '\n' || (s[i] >= 0x20 && s[i] < 0x7f);
		/* U+FFFD is how JSON and others say that there is none */
		bool instead = s[i] == 0xef || s[i] == 0xbf || s[i] == 0xbd;

		ck_assert_msg(ascii || instead, "%s: byte %#x in: %s",
		    arguments, s[i], r->out);
	}
}

START_TEST(no_form_of_output_has_what_a_terminal_obeys)
{
	static const char *const all[] = {"-z %p", "-s %p", "-P %p", "-D %p",
	    "-j %p", "--openmetrics %p", "-w 0.01 -n 1 %p", "-t -n 1 %p"};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct run r = good(all[i]);

		is_harmless(&r, all[i]);
		ck_assert_ptr_nonnull(strstr(r.out, "bad"));
		run_free(&r);
	}
}
END_TEST

START_TEST(json_and_openmetrics_are_the_librarys)
{
	struct run r = good("--json --match people %p");

	ck_assert_ptr_eq(strstr(r.out, "{\"memory-zone-statistics\""), r.out);
	ck_assert_ptr_nonnull(strstr(r.out, "\"name\":\"people\""));
	ck_assert_ptr_null(strstr(r.out, "\"name\":\"bees\""));
	run_free(&r);
	r = good("--openmetrics %p");
	ck_assert_str_eq(r.out + r.out_len - 6, "# EOF\n");
	run_free(&r);
	r = good("--openmetrics --label job=web %p");
	ck_assert_ptr_nonnull(strstr(r.out, "{job=\"web\",zone=\"bees\"} "));
	run_free(&r);
}
END_TEST

START_TEST(every_mapped_byte_is_somewhere)
{
	struct run r = good("-s %p");

	ck_assert_ptr_nonnull(strstr(r.out, "mapped"));
	run_free(&r);
}
END_TEST

START_TEST(cpus_and_domains_hold_bytes)
{
	struct run r = good("-P -m people %p");
	struct run z = good("-m people %p");

	/* What no CPU has is in a slab: at most what is free, in bytes. */
	ck_assert(column(&r, "people", 1) <= column(&z, "people", 4) * 4096);
	ck_assert_ptr_nonnull(strstr(r.out, "all zones"));
	run_free(&r);
	run_free(&z);
	r = good("--domains -m people %p");
	ck_assert(column(&r, "people", 2) > 0); /* slabs of domain 0 */
	run_free(&r);
}
END_TEST

static char *
file_text(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t len;

	return f == NULL ? NULL : run_text(f, &len);
}

START_TEST(a_map_shows_the_items_of_a_zone)
{
	struct run r = good("--map people %p");
	char items[64];
	int out = 0;

	snprintf(items, sizeof items, "\nitems: %d out, ", PEOPLE);
	ck_assert_ptr_nonnull(strstr(r.out, items));
	ck_assert_ptr_eq(strstr(r.out, "people: "), r.out);
	for (const char *s = strstr(r.out, " |"); s != NULL && *s != '_'; s++)
		out += *s == '#';
	ck_assert_int_eq(out, PEOPLE);
	run_free(&r);
	r = good("--map none %p");
	ck_assert_ptr_eq(strstr(r.out, "none: 0 slabs"), r.out);
	run_free(&r);
	bad("--map nobody %p", 1, "nobody");
}
END_TEST

START_TEST(a_picture_is_xml_whatever_the_name)
{
	char folder[] = "/tmp/umastat-XXXXXX", command[128], path[64];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/a.svg", folder);
	snprintf(
	    command, sizeof command, "--map %s --svg -o %s %%p", HOSTILE, path);
	struct run r = good(command);
	run_free(&r);
	r = (struct run){.out = file_text(path)};
	r.out_len = strlen(r.out);
	is_harmless(&r, command);
	ck_assert_ptr_eq(strstr(r.out, "<svg "), r.out);
	ck_assert_ptr_nonnull(strstr(r.out, "&lt;&amp;&gt;&quot;&#39;"));
	snprintf(command, sizeof command,
	    "! command -v xmllint >/dev/null || xmllint --noout %s", path);
	ck_assert_int_eq(system(command), 0);
	unlink(path);
	rmdir(folder);
	run_free(&r);
}
END_TEST

/* ---- a core file ---- */

START_TEST(a_core_file_shows_what_the_process_did)
{
	char folder[] = "/tmp/umastat-XXXXXX", command[256], arguments[128];
	struct run live = good("%p");

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(command, sizeof command,
	    "ulimit -f 2000000; gcore -o %s/core %d >/dev/null 2>&1", folder,
	    (int)patient.pid);
	/* The shadow memory of sanitizers would fill any disk. */
	if (!TEST_ASAN && !TEST_TSAN && system(command) == 0) {
		static const char *const options[] = {"", "-c"};

		for (int i = 0; i < 2; i++) {
			snprintf(arguments, sizeof arguments, "%s %s/core.%d",
			    options[i], folder, (int)patient.pid);
			struct run core = good(arguments);

			ck_assert_str_eq(core.out, live.out);
			run_free(&core);
		}
	} else {
		printf("no gcore here, or none that may\n");
	}
	snprintf(command, sizeof command, "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
	run_free(&live);
}
END_TEST

/* ---- again and again ---- */

START_TEST(changes_are_those_between_two_looks)
{
	struct run r = umastat_begin("-w 0.5 -n 1 -k requests %p", patient.pid);

	for (int i = 0; i < 20; i++) {
		test_sleep_ms(20);
		patient_command(&patient, 'a');
	}
	umastat_end(&r);
	ck_assert_int_eq(r.status, 0);
	ck_assert(column(&r, "ants", 5) > 0); /* REQ/s */
	ck_assert(column(&r, "ants", 5) <= 60000);
	ck_assert(column(&r, "bees", 5) == 0);
	ck_assert(column(&r, "people", 5) == 0);
	ck_assert(strstr(r.out, "\nants") < strstr(r.out, "\nUMA"));
	run_free(&r);
}
END_TEST

START_TEST(a_count_ends_it_in_its_time)
{
	double begin = test_now();
	struct run r = good("-w 0.05 -n 4 %p");

	ck_assert_int_eq(lines_with(&r, "ITEM"), 4);
	ck_assert(test_now() - begin >= 0.2);
	run_free(&r);
	r = good("-w 0.05 -n 3 --json %p"); /* the first at once */
	ck_assert_int_eq(lines_with(&r, "\"memory-zone-statistics\""), 3);
	run_free(&r);
}
END_TEST

START_TEST(zones_that_come_and_go_are_shown)
{
	struct run r = umastat_begin("-w 0.4 -n 2 %p", patient.pid);

	test_sleep_ms(150);
	patient_command(&patient, '+');
	patient_command(&patient, '-');
	umastat_end(&r);
	ck_assert_int_eq(r.status, 0);
	ck_assert_ptr_nonnull(strstr(r.out, "(+1 -1)"));
	ck_assert(column(&r, "more", 2) == 1);
	run_free(&r);
}
END_TEST

START_TEST(the_end_of_the_process_ends_it_with_3)
{
	static const char *const all[] = {"-w 0.05 %p", "-t -w 0.05 %p",
	    "-w 0.05 -s %p", "-w 0.05 -n 100000 %p"};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct patient p = patient_start(0);
		struct run r = umastat_begin(all[i], p.pid);

		test_sleep_ms(300);
		kill(p.pid, SIGKILL); /* and is a zombie for a while */
		umastat_end(&r);
		ck_assert_msg(
		    r.status == 3, "%s: %d: %s", all[i], r.status, r.err);
		ck_assert_ptr_nonnull(strstr(r.err, "has ended\n"));
		patient_end(&p);
		run_free(&r);
	}
}
END_TEST

START_TEST(a_stopped_process_is_read)
{
	kill(patient.pid, SIGSTOP);
	struct run r = good("%p");

	ck_assert(column(&r, "people", 3) == PEOPLE);
	run_free(&r);
}
END_TEST

static double
least(double a, double b)
{
	return a < b ? a : b;
}

/* Of all children that ended: seconds of CPU time. */
static double
children_cpu(void)
{
	struct rusage ru;

	getrusage(RUSAGE_CHILDREN, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

/* It waits for nothing, so its CPU time is what a quiet machine would take. */
START_TEST(it_reads_a_thousand_zones_in_50_ms)
{
	double wall = 1e9, cpu = 1e9;
	struct patient p = patient_start(1000);

	for (int i = 0; i < 10; i++) {
		double begin = test_now(), used = children_cpu();
		struct run r = umastat("%p", p.pid);

		wall = least(wall, test_now() - begin);
		cpu = least(cpu, children_cpu() - used);
		ck_assert_int_eq(r.status, 0);
		ck_assert_int_eq(lines_with(&r, "number "), 1000);
		run_free(&r);
	}
	printf("umastat of 1000 zones: %.1f ms, %.1f of CPU time\n", wall * 1e3,
	    cpu * 1e3);
	ck_assert(TEST_ASAN || TEST_TSAN || cpu < 0.05);
	patient_end(&p);
}
END_TEST

/* ---- where it goes ---- */

START_TEST(a_file_is_replaced_whole_and_keeps_its_mode)
{
	char folder[] = "/tmp/umastat-XXXXXX", arguments[128], path[64];
	struct stat before, after;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/uma.prom", folder);
	snprintf(arguments, sizeof arguments, "--openmetrics -o %s %%p", path);
	struct run r = good(arguments);
	ck_assert_str_eq(r.out, "");
	run_free(&r);
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(stat(path, &before), 0);
	r = good(arguments);
	run_free(&r);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_eq(after.st_mode & 0777, 0640);
	ck_assert(before.st_ino != after.st_ino);
	char *text = file_text(path);
	ck_assert_str_eq(text + strlen(text) - 6, "# EOF\n");
	free(text);
	unlink(path);
	ck_assert_int_eq(rmdir(folder), 0); /* nothing else was left */
}
END_TEST

START_TEST(what_is_no_regular_file_is_written_to_and_stays)
{
	char folder[] = "/tmp/umastat-XXXXXX", arguments[128], path[64];
	char text[5] = "";
	struct stat st;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/pipe", folder);
	snprintf(arguments, sizeof arguments, "-m none -o %s %%p", path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	int fd = open(path, O_RDWR);
	struct run r = good(arguments);
	run_free(&r);
	ck_assert_int_eq(read(fd, text, 4), 4);
	ck_assert_str_eq(text, "ITEM");
	close(fd);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
	unlink(path);
	rmdir(folder);
}
END_TEST

START_TEST(what_cannot_be_written_is_an_error)
{
	char command[PATH_MAX + 64];

	bad("-o /no/such/folder %p", 1, "No such file");
	snprintf(command, sizeof command, "! %s %d 2>/dev/null >/dev/full",
	    umastat_path(), (int)patient.pid);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

/* ---- what cannot be read, and what is no usage ---- */

START_TEST(what_is_no_process_with_the_library_is_an_error)
{
	pid_t sleeper = fork();

	if (sleeper == 0) {
		execlp("sleep", "sleep", "60", (char *)NULL);
		_exit(1);
	}
	test_sleep_ms(100);
	struct run r = umastat("%p", sleeper);
	ck_assert_int_eq(r.status, 1);
	ck_assert_ptr_nonnull(strstr(r.err, "does not use libuma"));
	run_free(&r);
	kill(sleeper, SIGKILL);
	waitpid(sleeper, NULL, 0);
	bad("4194999", 1, "process"); /* above the largest there is */
	bad("/etc/passwd", 1, "/etc/passwd");
	bad("/no/such\033file", 1, "such\\x1bfile");
	bad("-c /etc/passwd", 1, "/etc/passwd");
	bad("--copy=7 %p", 1, "copies of the library");
}
END_TEST

START_TEST(wrong_usage_is_one_line_and_2)
{
	static const char *const all[][2] = {
	    {"", "PID"},
	    {"-x %p", "-x"},
	    {"--bogus %p", "--bogus"},
	    {"%p %p", "too many"},
	    {"-c a %p", "too many"},
	    {"-l %p", "too many"},
	    {"-k colour %p", "colour"},
	    {"-w 0 %p", "seconds"},
	    {"-w -1 %p", "seconds"},
	    {"-w nan %p", "seconds"},
	    {"-w 1x %p", "seconds"},
	    {"-w 1 -n 0 %p", "count"},
	    {"-w 1 -n 1e3 %p", "count"},
	    {"-n 3 %p", "--wait"},
	    {"-m", "-m"},
	    {"--map", "--map"},
	    {"--svg %p", "--map"},
	    {"--label a=b %p", "--openmetrics"},
	    {"--openmetrics --label zone=b %p", "zone=b"},
	    {"-w 1 -c core", "does not change"},
	    {"-t core", "does not change"},
	    {"-t -o file %p", "--top"},
	    {"0", "process"},
	    {"99999999999999999999", "process"},
	    {"-k \033[31m %p", "\\x1b"},
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		bad(all[i][0], 2, all[i][1]);
}
END_TEST

START_TEST(help_and_version_go_to_standard_output)
{
	struct run r = good("--help");

	ck_assert_ptr_eq(strstr(r.out, "usage: umastat"), r.out);
	for (const char *s = r.out; s != NULL; s = strchr(s + 1, '\n'))
		ck_assert_uint_le(strcspn(s + 1, "\n"), 80);
	run_free(&r);
	r = good("-V");
	ck_assert_str_eq(r.out, "umastat " UMA_VERSION_STRING "\n");
	run_free(&r);
}
END_TEST

START_TEST(the_list_has_the_process)
{
	struct run r = umastat("--list", 0);
	char number[16];

	ck_assert_int_eq(r.status, 0);
	snprintf(number, sizeof number, "%7d ", (int)patient.pid);
	ck_assert_ptr_nonnull(strstr(r.out, number));
	run_free(&r);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("umastat_run");
	TCase *once = tcase_create("once"), *again = tcase_create("again");
	TCase *wrong = tcase_create("wrong");

	tcase_add_checked_fixture(once, start, end);
	tcase_add_checked_fixture(again, start, end);
	tcase_add_checked_fixture(wrong, start, end);
	tcase_set_timeout(once, 60);
	tcase_set_timeout(again, 60);
	tcase_set_timeout(wrong, 60);
	tcase_add_test(once, the_table_of_a_process_has_the_columns_of_vmstat);
	tcase_add_test(once, zones_are_matched_sorted_and_reversed);
	tcase_add_test(once, no_form_of_output_has_what_a_terminal_obeys);
	tcase_add_test(once, json_and_openmetrics_are_the_librarys);
	tcase_add_test(once, every_mapped_byte_is_somewhere);
	tcase_add_test(once, cpus_and_domains_hold_bytes);
	tcase_add_test(once, a_map_shows_the_items_of_a_zone);
	tcase_add_test(once, a_picture_is_xml_whatever_the_name);
	tcase_add_test(again, a_core_file_shows_what_the_process_did);
	tcase_add_test(once, a_stopped_process_is_read);
	tcase_add_test(once, it_reads_a_thousand_zones_in_50_ms);
	tcase_add_test(once, a_file_is_replaced_whole_and_keeps_its_mode);
	tcase_add_test(once, what_is_no_regular_file_is_written_to_and_stays);
	tcase_add_test(once, what_cannot_be_written_is_an_error);
	tcase_add_test(once, the_list_has_the_process);
	tcase_add_test(again, changes_are_those_between_two_looks);
	tcase_add_test(again, a_count_ends_it_in_its_time);
	tcase_add_test(again, zones_that_come_and_go_are_shown);
	tcase_add_test(again, the_end_of_the_process_ends_it_with_3);
	tcase_add_test(wrong, what_is_no_process_with_the_library_is_an_error);
	tcase_add_test(wrong, wrong_usage_is_one_line_and_2);
	tcase_add_test(wrong, help_and_version_go_to_standard_output);
	suite_add_tcase(s, once);
	suite_add_tcase(s, again);
	suite_add_tcase(s, wrong);
	return test_run(s);
}
