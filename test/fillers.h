/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fillers.h - processes to look into, for the tests of the reader.
 */
#ifndef UMA_TEST_FILLERS_H
#define UMA_TEST_FILLERS_H

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "reader.h"
#include "test.h"

/* A folder of this test's own, to which it changes; see fillers_leave. */
static char fillers_dir[64];
static char fillers_bin[4096]; /* where the programs are */

static inline void
fillers_enter(void)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(fillers_bin, sizeof fillers_bin, "%.4000s/reader", self);
	strcpy(fillers_dir, "/tmp/uma-reader-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(fillers_dir));
	ck_assert_int_eq(chdir(fillers_dir), 0);
}

static inline void
fillers_leave(void)
{
	char command[128];

	ck_assert_int_eq(chdir("/"), 0);
	snprintf(command, sizeof command, "rm -rf %s", fillers_dir);
	ck_assert_int_eq(system(command), 0);
}

/* Start a filler that stops or dies, and wait until it has. */
static inline pid_t
filler_start(const char *kind, const char *mode, const char *plugin)
{
	char program[4200], module[4200];
	int status;

	snprintf(program, sizeof program, "%s/%s", fillers_bin, kind);
	if (plugin != NULL)
		snprintf(module, sizeof module, "%s/%s", fillers_bin, plugin);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setrlimit(RLIMIT_CORE, &all);
		if (TEST_ASAN)
			setenv("ASAN_OPTIONS", "disable_coredump=0", 1);
		if (TEST_TSAN)
			setenv("TSAN_OPTIONS", "disable_coredump=0", 1);
		execl(program, kind, mode, "stats",
		    plugin != NULL ? module : NULL, NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert_msg(strcmp(mode, "stop") == 0 ? WIFSTOPPED(status)
						: WIFSIGNALED(status),
	    "%s %s: status %#x", kind, mode, status);
	return pid;
}

static inline pid_t
child_that_waits(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static inline void
filler_kill(pid_t pid)
{
	ck_assert_int_gt(pid, 1);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* Whether the system writes core files where we are; says so if not. */
static inline bool
cores_are_written(void)
{
	char pattern[256] = "";
	struct rlimit rl;
	FILE *f = fopen("/proc/sys/kernel/core_pattern", "r");

	if (f != NULL) {
		if (fgets(pattern, sizeof pattern, f) == NULL)
			pattern[0] = '\0';
		fclose(f);
	}
	if (strncmp(pattern, "core", 4) == 0 &&
	    strpbrk(pattern, "%/|") == NULL &&
	    getrlimit(RLIMIT_CORE, &rl) == 0 && rl.rlim_max == RLIM_INFINITY)
		return true;
	printf("skipped: this system writes core files elsewhere\n");
	return false;
}

/* The name of the core file: core, or core.PID. */
static inline void
core_name(pid_t pid, char name[64])
{
	struct stat st;

	snprintf(name, 64, "core");
	if (stat(name, &st) != 0)
		snprintf(name, 64, "core.%d", (int)pid);
	ck_assert_int_eq(stat(name, &st), 0);
}

static inline char *
file_text(const char *name)
{
	FILE *f = fopen(name, "r");
	size_t size = 1 << 20;
	char *text = calloc(1, size);

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_lt(fread(text, 1, size - 1, f), size - 1);
	fclose(f);
	return text;
}

struct text {
	char *t_text;
	size_t t_len;
};

static inline void
text_put(void *arg, const char *text, size_t len)
{
	struct text *t = arg;

	t->t_text = realloc(t->t_text, t->t_len + len + 1);
	memcpy(t->t_text + t->t_len, text, len);
	t->t_len += len;
	t->t_text[t->t_len] = '\0';
}

/* The table and the JSON, as fillers write them; to be freed. */
static inline char *
stats_text(const struct uma_stats *s)
{
	struct text t = {0};

	ck_assert_int_eq(uma_stats_format(s, text_put, &t, "z"), 0);
	ck_assert_int_eq(uma_stats_format(s, text_put, &t, "j"), 0);
	return t.t_text;
}

/* The same text; a message shows where it begins to differ. */
static inline void
expect_text(const char *got, const char *want)
{
	size_t at = 0;

	while (got[at] != '\0' && got[at] == want[at])
		at++;
	size_t from = at > 200 ? at - 200 : 0;
	ck_assert_msg(got[at] == want[at], "got %.300s\nwanted %.300s",
	    got + from, want + from);
}

/* Times differ. */
static inline void
cut_time(char *text)
{
	char *at = strstr(text, "\"time\":");

	ck_assert_ptr_nonnull(at);
	*at = '\0';
}

#endif
