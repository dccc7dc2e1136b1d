/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine.h - made-up machines for tests: a temporary folder with the kernel's
 * files about CPUs and NUMA nodes, for topology_read and topology_set_root.
 */
#ifndef UMA_TEST_MACHINE_H
#define UMA_TEST_MACHINE_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "test.h"

#define MACHINE_FILES "/sys/devices/system/"
#define MACHINE_NODES 256

/* A machine without any file; its folder, for machine_remove. */
static inline char *
machine_empty(void)
{
	char root[] = "/tmp/uma-machine-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(root));
	return strdup(root);
}

/* Make a file, name being "node/online"; the folders that it is in, too. */
static inline void
machine_put_bytes(
    const char *root, const char *name, const void *bytes, size_t len)
{
	char path[512];

	snprintf(path, sizeof path, "%s" MACHINE_FILES "%s", root, name);
	for (char *s = path + strlen(root) + 1; (s = strchr(s, '/')); s++) {
		*s = '\0';
		ck_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
		*s = '/';
	}
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static inline void
machine_put(const char *root, const char *name, const char *text)
{
	machine_put_bytes(root, name, text, strlen(text));
}

static inline void
machine_put_node(const char *root, int node, const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof path, "node/node%d/%s", node, name);
	machine_put(root, path, text);
}

static inline void
machine_delete(const char *root, const char *name)
{
	char path[512];

	snprintf(path, sizeof path, "%s" MACHINE_FILES "%s", root, name);
	ck_assert_int_eq(remove(path), 0);
}

/* A node; its CPUs as in "0-3,8", or "". */
struct machine_node {
	int number;
	const char *cpus;
	bool no_memory;
	const char *distance; /* NULL: 10 from itself and 20 from the others */
};

static inline void
machine_put_distance(
    const char *root, const struct machine_node *node, int i, int n)
{
	char text[MACHINE_NODES * 3 + 2] = "";

	for (int j = 0; j < n; j++) {
		strcat(text, j == 0 ? "" : " ");
		strcat(text, j == i ? "10" : "20");
	}
	strcat(text, "\n");
	machine_put_node(root, node[i].number, "distance",
	    node[i].distance != NULL ? node[i].distance : text);
}

/*
 * Nodes by rising number, all online.  Possible CPUs are 0 to 255 and all that
 * there really are, as a library on this machine meets the numbers of those.
 */
static inline char *
machine_of(const struct machine_node node[], int n)
{
	char *root = machine_empty(), text[32];
	char online[MACHINE_NODES * 5] = "", memory[MACHINE_NODES * 5] = "";
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	ck_assert_int_le(n, MACHINE_NODES);
	snprintf(text, sizeof text, "0-%ld\n", cpus > 256 ? cpus - 1 : 255);
	machine_put(root, "cpu/possible", text);
	for (int i = 0; i < n; i++) {
		snprintf(text, sizeof text, "%d", node[i].number);
		strcat(strcat(online, i == 0 ? "" : ","), text);
		if (!node[i].no_memory)
			strcat(strcat(memory, *memory ? "," : ""), text);
		machine_put_node(root, node[i].number, "cpulist", node[i].cpus);
		machine_put_distance(root, node, i, n);
	}
	machine_put(root, "node/online", strcat(online, "\n"));
	machine_put(root, "node/has_memory", strcat(memory, "\n"));
	return root;
}

/* Nodes 0 to nodes - 1, all with memory, and with these CPUs. */
static inline char *
machine_make(int nodes, const char *const cpulists[])
{
	struct machine_node node[MACHINE_NODES];

	ck_assert_int_le(nodes, MACHINE_NODES);
	for (int i = 0; i < nodes; i++)
		node[i] =
		    (struct machine_node){.number = i, .cpus = cpulists[i]};
	return machine_of(node, nodes);
}

/* Remove a folder and what is in it; path has room to name that. */
static inline void
machine_remove_folder(char *path, size_t room)
{
	size_t len = strlen(path);
	DIR *dir = opendir(path);
	struct dirent *in;

	ck_assert_ptr_nonnull(dir);
	while ((in = readdir(dir)) != NULL) {
		if (strcmp(in->d_name, ".") == 0 ||
		    strcmp(in->d_name, "..") == 0)
			continue;
		snprintf(path + len, room - len, "/%s", in->d_name);
		if (unlink(path) != 0)
			machine_remove_folder(path, room);
		path[len] = '\0';
	}
	closedir(dir);
	ck_assert_int_eq(rmdir(path), 0);
}

static inline void
machine_remove(char *root)
{
	char path[512];

	snprintf(path, sizeof path, "%s", root);
	machine_remove_folder(path, sizeof path);
	free(root);
}

#endif
