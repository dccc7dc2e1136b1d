/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * topology.c - how many CPUs and NUMA domains the machine can have.
 *
 * Runs before main and in any thread: no allocation, and system calls by
 * number, since open, read and close are cancellation points.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vm_int.h"

enum { LIST_LEN_MAX = 4096, NUMBER_MAX = 1 << 20 };

static _Atomic int cpu_cnt = 1;

/* Read a small file whole, NUL-terminated; false when it cannot be had. */
static bool
file_read(const char *path, char *text, size_t size)
{
	size_t len = 0;
	long n;
	int fd =
	    (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return false;
	do {
		n = syscall(SYS_read, fd, text + len, size - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && len < size - 1) || (n < 0 && errno == EINTR));
	syscall(SYS_close, fd);
	text[len] = '\0';
	return n == 0;
}

/* The decimal number at *s, which moves behind it; -1 when there is none. */
static int
number_parse(const char **s)
{
	int n = -1;

	for (; **s >= '0' && **s <= '9' && n < NUMBER_MAX; ++*s)
		n = (n < 0 ? 0 : n * 10) + (**s - '0');
	return n;
}

/* "0-3,8" and a newline: the highest number; -1 when it is no such list. */
static int
list_highest(const char *s)
{
	int highest = -1;

	for (;; s++) {
		int low = number_parse(&s), high = low;

		if (*s == '-') {
			s++;
			high = number_parse(&s);
		}
		if (low < 0 || high < low || high >= NUMBER_MAX)
			return -1;
		highest = uma_max(highest, high);
		if (*s != ',')
			break;
	}
	return strcmp(s, "\n") == 0 || *s == '\0' ? highest : -1;
}

/* The highest number in the list file root/name, or -1. */
static int
list_read(const char *root, const char *name)
{
	char path[PATH_MAX], text[LIST_LEN_MAX];
	int n = snprintf(path, sizeof path, "%s/%s", root, name);

	if (n < 0 || (size_t)n >= sizeof path ||
	    !file_read(path, text, sizeof text))
		return -1;
	return list_highest(text);
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
topology_read(const char *root, struct topology *tp)
{
	int saved = errno;
	int cpu = list_read(root, "sys/devices/system/cpu/possible");
	int node = list_read(root, "sys/devices/system/node/possible");

	tp->tp_cpus = cpu + 1;
	if (cpu < 0)
		tp->tp_cpus = cpus_from_mask();
	tp->tp_domains = uma_max(node, 0) + 1;
	errno = saved;
}

int
pages_init(void)
{
	struct topology tp;

	pagemap_init();
	topology_read("", &tp);
	atomic_store_explicit(&cpu_cnt, tp.tp_cpus, memory_order_relaxed);
	return 0;
}

int
pages_cpu_cnt(void)
{
	return atomic_load_explicit(&cpu_cnt, memory_order_relaxed);
}
