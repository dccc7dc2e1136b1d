/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * umastat_run.h - the program umastat, and a process for it to look at.
 *
 * The patient is a forked child with zones of known contents.  It does what one
 * letter from its parent says, answers with the letter, and waits for the next;
 * without a letter it sits still.  It ends with its parent.
 */
#ifndef UMA_TEST_UMASTAT_RUN_H
#define UMA_TEST_UMASTAT_RUN_H

#include "test.h"

#include <limits.h>
#include <sys/prctl.h>
#include <uma.h>

#define HOSTILE "bad\033[31m%s\x9b\xc2\x9b\n<&>\"'\\\x7f"
#define PEOPLE	300 /* items of "people" that are out */

struct patient {
	pid_t pid;
	int to, from; /* pipes */
};

/* With items out: 4 bees, 2 ants, people, 1 of HOSTILE, none of none. */
struct patient_zones {
	uma_zone_t bees, ants, people, hostile, none, more;
};

static void
patient_take(uma_zone_t zone, int n)
{
	while (n-- > 0)
		if (uma_zalloc(zone, M_NOWAIT) == NULL)
			_exit(1);
}

static uma_zone_t
patient_zone(const char *name, size_t size)
{
	return uma_zcreate(
	    name, size, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
}

static void
patient_do(struct patient_zones *z, char letter)
{
	void *item;

	switch (letter) {
	case 'a': /* allocations and frees, in one zone */
		for (int i = 0; i < 1000; i++) {
			item = uma_zalloc(z->ants, M_WAITOK);
			uma_zfree(z->ants, item);
		}
		break;
	case '+':
		z->more = patient_zone("more", 40);
		patient_take(z->more, 1);
		break;
	case '-':
		uma_zdestroy(z->none);
		break;
	}
}

static _Noreturn void
patient_live(int commands, int answers, int zones)
{
	struct patient_zones z = {patient_zone("bees", 64),
	    patient_zone("ants", 32), patient_zone("people", 4000),
	    patient_zone(HOSTILE, 48), patient_zone("none", 16), NULL};
	char name[32], letter = 'r';

	patient_take(z.bees, 4);
	patient_take(z.ants, 2);
	patient_take(z.people, PEOPLE);
	patient_take(z.hostile, 1);
	for (int i = 0; i < zones; i++) {
		snprintf(name, sizeof name, "number %d", i);
		patient_take(patient_zone(name, 64), 1);
	}
	do {
		patient_do(&z, letter);
		if (write(answers, &letter, 1) != 1)
			_exit(1);
	} while (read(commands, &letter, 1) == 1);
	_exit(0);
}

static inline void
patient_command(struct patient *p, char letter)
{
	char answer = 0;

	ck_assert_int_eq(write(p->to, &letter, 1), 1);
	ck_assert_int_eq(read(p->from, &answer, 1), 1);
	ck_assert_int_eq(answer, letter);
}

/* zones: so many more than those above. */
static inline struct patient
patient_start(int zones)
{
	int to[2], from[2];
	char ready;

	ck_assert_int_eq(pipe(to), 0);
	ck_assert_int_eq(pipe(from), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(to[1]);
		close(from[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
		patient_live(to[0], from[1], zones);
	}
	close(to[0]);
	close(from[1]);
	ck_assert_int_eq(read(from[0], &ready, 1), 1);
	return (struct patient){pid, to[1], from[0]};
}

static inline void
patient_end(struct patient *p)
{
	kill(p->pid, SIGKILL);
	ck_assert_int_eq(waitpid(p->pid, NULL, 0), p->pid);
	close(p->to);
	close(p->from);
}

/* ---- the program ---- */

static inline const char *
umastat_path(void)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);

	ck_assert_int_gt(n, 0);
	path[n] = '\0';
	*strrchr(path, '/') = '\0'; /* its folder, test */
	strcpy(strrchr(path, '/'), "/tools/umastat");
	return path;
}

/* In the child that becomes it: words are split at blanks, %p is the pid. */
static inline _Noreturn void
umastat_exec(const char *arguments, pid_t pid)
{
	char text[512], number[16], *argv[32] = {"umastat"}, *save;
	int n = 1;

	snprintf(text, sizeof text, "%s", arguments);
	snprintf(number, sizeof number, "%d", (int)pid);
	for (char *word = strtok_r(text, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save))
		argv[n++] = strcmp(word, "%p") == 0 ? number : word;
	execv(umastat_path(), argv);
	_exit(127);
}

struct run {
	int status; /* of exit; or -signal */
	char *out, *err;
	size_t out_len;
	pid_t pid;
	FILE *file[2];
};

static inline struct run
umastat_begin(const char *arguments, pid_t pid)
{
	struct run r = {.file = {tmpfile(), tmpfile()}};

	r.pid = fork();
	ck_assert_int_ge(r.pid, 0);
	if (r.pid == 0) {
		dup2(fileno(r.file[0]), 1);
		dup2(fileno(r.file[1]), 2);
		umastat_exec(arguments, pid);
	}
	return r;
}

static inline char *
run_text(FILE *f, size_t *len)
{
	long n = (fseek(f, 0, SEEK_END), ftell(f));
	char *text = calloc(1, (size_t)n + 1);

	rewind(f);
	*len = fread(text, 1, (size_t)n, f);
	fclose(f);
	return text;
}

static inline void
umastat_end(struct run *r)
{
	int status;
	size_t err_len;

	ck_assert_int_eq(waitpid(r->pid, &status, 0), r->pid);
	r->status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	r->out = run_text(r->file[0], &r->out_len);
	r->err = run_text(r->file[1], &err_len);
}

static inline void
run_free(struct run *r)
{
	free(r->out);
	free(r->err);
}

static inline struct run
umastat(const char *arguments, pid_t pid)
{
	struct run r = umastat_begin(arguments, pid);

	umastat_end(&r);
	return r;
}

#endif
