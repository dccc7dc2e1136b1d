/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl_find.c - where processes offer their sockets unless they were told
 * another path: under their numbers, in their user's runtime folder or in a
 * folder of his in /tmp.  A socket that is not served by the process of that
 * number is none.
 */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"

/* Of a user's folders; NULL behind the last. */
static const char *
folder_of(uid_t uid, int k)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	static char path[256];

	if (k == 0 && run != NULL && run[0] == '/')
		snprintf(path, sizeof path, "%s/libuma", run);
	else if (k <= 1)
		snprintf(
		    path, sizeof path, "/run/user/%u/libuma", (unsigned)uid);
	else
		snprintf(path, sizeof path, "/tmp/libuma-%u", (unsigned)uid);
	return k <= 2 ? path : NULL;
}

/* Where the socket of a process would be; the k-th place, or NULL. */
static const char *
place(long pid, uid_t uid, int k)
{
	const char *folder = folder_of(uid, k);
	static char path[300];

	if (folder == NULL)
		return NULL;
	snprintf(path, sizeof path, "%s/%ld", folder, pid);
	return path;
}

struct ctl *
ctl_process(long pid)
{
	char proc[64];
	struct stat st;
	const char *path;

	snprintf(proc, sizeof proc, "/proc/%ld", pid);
	if (stat(proc, &st) != 0) {
		ctl_set_error("there is no process %ld", pid);
		return NULL;
	}
	for (int k = 0; (path = place(pid, st.st_uid, k)) != NULL; k++) {
		if (access(path, F_OK) != 0)
			continue;
		struct ctl *c = ctl_socket(path, pid);
		if (c != NULL)
			return c;
	}
	return ctl_memory(pid);
}

/* ---- all processes ---- */

static const char *
command_of(long pid)
{
	char path[64];
	static char name[64];

	snprintf(path, sizeof path, "/proc/%ld/comm", pid);
	FILE *f = fopen(path, "r");
	size_t n = f != NULL ? fread(name, 1, sizeof name - 1, f) : 0;
	if (f != NULL)
		fclose(f);
	while (n > 0 && name[n - 1] == '\n')
		n--;
	return ctl_printable(name, n);
}

/* The number that a file is called by; 0: none. */
static long
number_of(const char *name)
{
	char *end;
	long n = strtol(name, &end, 10);

	return *name >= '1' && *name <= '9' && *end == '\0' ? n : 0;
}

static bool
list_folder(const char *folder, bool names)
{
	struct dirent *d;
	struct stat st;
	bool any = false;

	if (lstat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
		return false;
	DIR *dir = opendir(folder);
	while (dir != NULL && (d = readdir(dir)) != NULL) {
		char path[600];
		long pid = number_of(d->d_name);

		snprintf(path, sizeof path, "%s/%s", folder, d->d_name);
		struct ctl *c = pid > 0 ? ctl_socket(path, pid) : NULL;
		if (c == NULL)
			continue;
		if (names)
			printf("%7ld  %-16s %s\n", pid, command_of(pid),
			    ctl_printable(path, strlen(path)));
		else
			printf("%ld\n", pid);
		c->close(c);
		any = true;
	}
	if (dir != NULL)
		closedir(dir);
	return any;
}

bool
ctl_list_processes(bool names)
{
	const char *first = folder_of(geteuid(), 0);
	char own[256];
	glob_t g;
	bool any = false;

	snprintf(own, sizeof own, "%s", first);
	if (glob("/run/user/*/libuma", 0, NULL, &g) != 0)
		g.gl_pathc = 0;
	if (glob("/tmp/libuma-*", g.gl_pathc > 0 ? GLOB_APPEND : 0, NULL, &g) !=
		0 &&
	    g.gl_pathc == 0)
		return list_folder(own, names);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		any |= list_folder(g.gl_pathv[i], names);
		if (strcmp(own, g.gl_pathv[i]) == 0)
			own[0] = '\0';
	}
	globfree(&g);
	if (own[0] != '\0')
		any |= list_folder(own, names);
	return any;
}
