/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proc.c - memory of a process that runs: process_vm_readv and /proc/PID/maps.
 */
#define _GNU_SOURCE /* process_vm_readv */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "target.h"

#define SPANS_AT_ONCE 512 /* at most IOV_MAX */

/* A file below /proc/PID, as text of at most size bytes; false: errno. */
static bool
proc_text(long pid, const char *what, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%ld/%s", pid, what);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return false;
	size_t n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	return true;
}

/* The letter in stat, behind the name, which may hold anything. */
static char
proc_state(long pid)
{
	char text[512];
	const char *end;

	if (!proc_text(pid, "stat", text, sizeof text) ||
	    (end = strrchr(text, ')')) == NULL || end[1] != ' ')
		return '\0';
	return end[2];
}

static bool
has_ended(char state)
{
	return state == 'Z' || state == 'X';
}

/*
 * A thread that still has the memory of the process, or 0: the first one, whose
 * number is the process's, may end before the others.
 */
static long
live_thread(long pid)
{
	char path[64];
	const struct dirent *entry;
	long found = 0;

	if (!has_ended(proc_state(pid)))
		return pid;
	snprintf(path, sizeof path, "/proc/%ld/task", pid);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return 0;
	while (found == 0 && (entry = readdir(dir)) != NULL) {
		long tid = strtol(entry->d_name, NULL, 10);
		char state = tid > 0 ? proc_state(tid) : '\0';

		if (state != '\0' && !has_ended(state))
			found = tid;
	}
	(void)closedir(dir);
	return found;
}

bool
proc_is_zombie(long pid)
{
	return live_thread(pid) == 0;
}

/* A folder of a process that has ended stays empty, whoever has its number. */
bool
proc_is_same(struct target *t)
{
	if (t->dir >= 0 && faccessat(t->dir, "stat", F_OK, 0) != 0)
		t->gone = true;
	return !t->gone;
}

/* ---- reading ---- */

/* How many of the spans have been read; the one behind them cannot be. */
static size_t
read_some(struct target *t, struct span *span, size_t n)
{
	struct iovec local[SPANS_AT_ONCE], remote[SPANS_AT_ONCE];
	size_t i = 0;

	for (; i < n; i++) {
		local[i] = (struct iovec){span[i].buf, span[i].len};
		remote[i] = (struct iovec){
		    (void *)(uintptr_t)span[i].addr, span[i].len};
	}
	ssize_t got = process_vm_readv((pid_t)t->tid, local, n, remote, n, 0);
	if (got < 0 && errno == ESRCH && (t->tid = live_thread(t->pid)) != 0)
		got = process_vm_readv((pid_t)t->tid, local, n, remote, n, 0);
	if (got < 0) {
		t->denied = errno == EPERM;
		t->gone = errno == ESRCH;
		return 0;
	}
	for (i = 0; i < n && (size_t)got >= span[i].len; i++) {
		got -= (ssize_t)span[i].len;
		span[i].ok = true;
	}
	return i;
}

void
proc_read_spans(struct target *t, struct span *span, size_t n)
{
	while (n > 0 && !t->denied && !t->gone) {
		size_t some = n < SPANS_AT_ONCE ? n : SPANS_AT_ONCE;
		size_t done = read_some(t, span, some);

		/* What cannot be read is passed over. */
		done += done < some;
		span += done;
		n -= done;
	}
}

/* ---- opening ---- */

/* start-end perms offset dev inode path */
static bool
maps_line(struct target *t, char *line)
{
	uint64_t start, end, offset;
	char perms[5];
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n",
		&start, &end, perms, &offset, &at) < 4 ||
	    at == 0 || perms[0] != 'r' || line[at] != '/')
		return true;
	size_t len = strcspn(line + at, "\n");
	return mapping_add(t, start, end, offset, line + at, len);
}

static bool
maps_read(struct target *t, FILE *f)
{
	char *line = NULL;
	size_t size = 0;
	bool ok = true;

	while (ok && getline(&line, &size, f) > 0)
		ok = maps_line(t, line);
	free(line);
	return ok;
}

static bool
fail_open(long pid)
{
	switch (errno) {
	case ENOENT:
	case ESRCH:
		return target_fail("there is no process %ld", pid);
	case EACCES:
	case EPERM:
		return target_fail(
		    "the kernel does not permit to look at process %ld: it "
		    "has to be of the same user, or CAP_SYS_PTRACE is needed",
		    pid);
	default:
		return target_fail("process %ld: %s", pid, strerror(errno));
	}
}

static bool
proc_set_name(struct target *t)
{
	char comm[64] = "", text[128];

	(void)proc_text(t->pid, "comm", comm, sizeof comm);
	comm[strcspn(comm, "\n")] = '\0';
	char *name = escape_text(comm, strlen(comm));
	if (name == NULL)
		return target_fail("no memory");
	snprintf(text, sizeof text, "process %ld (%.64s)", t->pid, name);
	free(name);
	t->name = strdup(text);
	return t->name != NULL || target_fail("no memory");
}

bool
proc_open(struct target *t, long pid)
{
	char path[64];

	t->pid = pid;
	if (pid <= 0 || pid > INT_MAX)
		return target_fail("%ld is no process's number", pid);
	snprintf(path, sizeof path, "/proc/%ld", pid);
	t->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!proc_set_name(t))
		return false;
	t->tid = live_thread(pid);
	if (t->tid == 0)
		return target_fail("process %ld has ended", pid);
	snprintf(path, sizeof path, "/proc/%ld/maps", t->tid);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return fail_open(pid);
	bool ok = maps_read(t, f);
	(void)fclose(f);
	if (!ok || t->mappings > 0)
		return ok;
	if (proc_is_zombie(pid))
		return target_fail("process %ld has ended", pid);
	return target_fail(
	    "process %ld has no memory: it is the kernel's, or it is ending",
	    pid);
}
