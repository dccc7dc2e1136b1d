/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * topology.c - what the kernel's files say of a machine: its CPUs, its NUMA
 * domains, and which CPU belongs to which domain.
 *
 * Runs before main and on any thread's stack: no allocation, files are parsed
 * as they come, of whatever length, and system calls go by number, since open,
 * read and close are cancellation points.  A file is well formed to its last
 * byte, or it counts as missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vm_int.h"

enum { NUMBER_MAX = 1 << 20 };

/* ---- a file, character by character ---- */

enum { READ_END = -1, READ_ERROR = -2 };

struct reader {
	int rd_fd;
	long rd_at, rd_len; /* the character at hand, of so many */
	char rd_text[256];
};

static bool
reader_open(struct reader *rd, const char *root, const char *name)
{
	char path[512];
	int n =
	    snprintf(path, sizeof path, "%s/sys/devices/system/%s", root, name);

	if (n < 0 || (size_t)n >= sizeof path)
		return false;
	rd->rd_at = rd->rd_len = 0;
	rd->rd_fd =
	    (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	return rd->rd_fd >= 0;
}

static bool
reader_open_node(struct reader *rd, const char *root, int node, const char *of)
{
	char name[64];

	snprintf(name, sizeof name, "node/node%d/%s", node, of);
	return reader_open(rd, root, name);
}

static void
reader_close(struct reader *rd)
{
	syscall(SYS_close, rd->rd_fd);
}

static int
reader_peek(struct reader *rd)
{
	if (rd->rd_at == rd->rd_len) {
		rd->rd_at = 0;
		do
			rd->rd_len = syscall(SYS_read, rd->rd_fd, rd->rd_text,
			    sizeof rd->rd_text);
		while (rd->rd_len < 0 && errno == EINTR);
		if (rd->rd_len <= 0) {
			int why = rd->rd_len == 0 ? READ_END : READ_ERROR;

			rd->rd_len = 0;
			return why;
		}
	}
	return (unsigned char)rd->rd_text[rd->rd_at];
}

static bool
reader_skip(struct reader *rd, char c)
{
	bool is = reader_peek(rd) == c;

	rd->rd_at += is;
	return is;
}

/* All has been read, but for a newline. */
static bool
reader_ended(struct reader *rd)
{
	(void)reader_skip(rd, '\n');
	return reader_peek(rd) == READ_END;
}

/* The decimal number at hand; -1 when there is none, or one too large. */
static int
number_parse(struct reader *rd)
{
	int n = -1, c;

	for (; (c = reader_peek(rd)) >= '0' && c <= '9' && n < NUMBER_MAX;
	     rd->rd_at++)
		n = (n < 0 ? 0 : n * 10) + (c - '0');
	return n < NUMBER_MAX ? n : -1;
}

/*
 * "0-3,8": those numbers that are below room into the set, which begins empty.
 * The highest of all; or -1, the set being empty, when it is no such list.
 */
static int
list_parse(struct reader *rd, bits_word *set, size_t room)
{
	int highest = -1;

	do {
		int low = number_parse(rd), high = low;

		if (reader_skip(rd, '-'))
			high = number_parse(rd);
		if (low < 0 || high < low) {
			highest = -1;
			break;
		}
		highest = uma_max(highest, high);
		if ((size_t)low < room)
			bits_put(set, (size_t)low,
			    uma_min((size_t)high + 1, room), true);
	} while (reader_skip(rd, ','));
	if (highest >= 0 && reader_ended(rd))
		return highest;
	bits_put(set, 0, room, false);
	return -1;
}

static int
list_read(const char *root, const char *name, bits_word *set, size_t room)
{
	struct reader rd;

	if (!reader_open(&rd, root, name))
		return -1;
	int highest = list_parse(&rd, set, room);
	reader_close(&rd);
	return highest;
}

/* ---- domains ---- */

static int
nodes_next(const bits_word *nodes, int node)
{
	return (int)bits_next(nodes, (size_t)node, TOPOLOGY_NODES, true);
}

static bool
nodes_read(const char *root, const char *name, bits_word *nodes)
{
	return list_read(root, name, nodes, TOPOLOGY_NODES) < TOPOLOGY_NODES &&
	       nodes_next(nodes, 0) < TOPOLOGY_NODES;
}

/* The domain of a node's memory, or -1. */
static int
node_domain(const struct topology *tp, int node)
{
	for (int d = 0; d < tp->tp_domains; d++)
		if (tp->tp_node[d] == node)
			return d;
	return -1;
}

/* Nodes that are online, have memory, and that we may have memory from. */
static void
domains_read(const char *root, const bits_word *online,
    topology_usable_fn *usable, struct topology *tp)
{
	bits_word memory[TOPOLOGY_NODES / 64] = {0};
	bits_word nodes[TOPOLOGY_NODES / 64] = {0};
	bool known = nodes_read(root, "node/has_memory", memory);
	int node = 0;

	for (; (node = nodes_next(online, node)) < TOPOLOGY_NODES; node++)
		if (!known || nodes_next(memory, node) == node)
			bits_put(nodes, (size_t)node, (size_t)node + 1, true);
	if (usable != NULL && bits_cnt(nodes, 0, TOPOLOGY_NODES) > 1 &&
	    !usable(nodes))
		return;
	for (node = 0; (node = nodes_next(nodes, node)) < TOPOLOGY_NODES &&
		       tp->tp_domains < TOPOLOGY_DOMAINS;
	     node++)
		tp->tp_node[tp->tp_domains++] = node;
}

/*
 * The domain nearest to a node without one.  A node's file has its distance
 * from each node that is online, in order, whatever their numbers.
 */
static int
domain_nearest(const char *root, const bits_word *online,
    const struct topology *tp, int node)
{
	struct reader rd;
	int nearest = 0, least = NUMBER_MAX, to = 0;

	if (!reader_open_node(&rd, root, node, "distance"))
		return 0;
	for (; (to = nodes_next(online, to)) < TOPOLOGY_NODES; to++) {
		int far = number_parse(&rd), d = node_domain(tp, to);

		if (far < 0)
			break;
		if (d >= 0 && far < least) {
			nearest = d;
			least = far;
		}
		(void)reader_skip(&rd, ' ');
	}
	bool whole = to == TOPOLOGY_NODES && reader_ended(&rd);
	reader_close(&rd);
	return whole ? nearest : 0;
}

static void
cpus_read(
    const char *root, const bits_word *online, int node, struct topology *tp)
{
	bits_word cpus[TOPOLOGY_CPUS / 64] = {0};
	struct reader rd;

	if (!reader_open_node(&rd, root, node, "cpulist"))
		return;
	(void)list_parse(&rd, cpus, TOPOLOGY_CPUS);
	reader_close(&rd);
	size_t cpu = bits_next(cpus, 0, TOPOLOGY_CPUS, true);
	if (cpu == TOPOLOGY_CPUS)
		return;
	int d = node_domain(tp, node);
	if (d < 0)
		d = domain_nearest(root, online, tp, node);
	for (; cpu < TOPOLOGY_CPUS;
	     cpu = bits_next(cpus, cpu + 1, TOPOLOGY_CPUS, true))
		tp->tp_cpu_domain[cpu] = (uint8_t)d;
}

static void
nodes_enter(const char *root, topology_usable_fn *usable, struct topology *tp)
{
	bits_word online[TOPOLOGY_NODES / 64] = {0};

	tp->tp_domains = 0;
	tp->tp_node[0] = 0;
	if (nodes_read(root, "node/online", online)) {
		tp->tp_node[0] = nodes_next(online, 0);
		if (nodes_next(online, tp->tp_node[0] + 1) < TOPOLOGY_NODES)
			domains_read(root, online, usable, tp);
	}
	if (tp->tp_domains <= 1) {
		tp->tp_domains = 1;
		return;
	}
	memset(tp->tp_cpu_domain, 0, sizeof tp->tp_cpu_domain);
	for (int node = 0; (node = nodes_next(online, node)) < TOPOLOGY_NODES;
	     node++)
		cpus_read(root, online, node, tp);
}

/*
 * Without the file: the kernel's CPU masks have a bit for every CPU that there
 * can be, and it says how long they are.  Too many is harmless; too few is not,
 * since headers are found by the kernel's numbers.
 */
static int
cpus_from_mask(void)
{
	static const int enough = 8192 * CHAR_BIT;
	uint64_t mask[8192 / sizeof(uint64_t)];
	long len = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);

	return len > 0 ? (int)len * CHAR_BIT : enough;
}

void
topology_read_usable(
    const char *root, topology_usable_fn *usable, struct topology *tp)
{
	int saved = errno;

	tp->tp_cpus = list_read(root, "cpu/possible", NULL, 0) + 1;
	if (tp->tp_cpus == 0)
		tp->tp_cpus = cpus_from_mask();
	nodes_enter(root, usable, tp);
	errno = saved;
}

void
topology_read(const char *root, struct topology *tp)
{
	topology_read_usable(root, NULL, tp);
}

int
topology_domain(const struct topology *tp, int cpu)
{
	if (tp->tp_domains == 1 || cpu < 0 ||
	    cpu >= uma_min(tp->tp_cpus, TOPOLOGY_CPUS))
		return 0;
	return tp->tp_cpu_domain[cpu];
}
