/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pressure.c - low memory, as the system tells of it: one descriptor to wait
 * for, and one call that gives memory back.
 *
 * How it works
 *
 * The descriptor is an epoll set with one source in it, the first that can be
 * had.  Nearest first, since the pressure of a service's own control group is
 * what the service can relieve, while the machine's may be none of its doing:
 *
 *   manager  MEMORY_PRESSURE_WATCH and _WRITE, systemd's protocol: a pressure
 *            file, a FIFO or a socket, and what to write into it first
 *   group    memory.pressure of our control group (version 2)
 *   system   /proc/pressure/memory
 *   events   memory.events of our control group, seen changing by inotify:
 *            kernels without pressure files, or which keep them for root
 *
 * A source that cannot be opened, written or polled is passed over.  Only when
 * descriptors or memory run out does the search end, for the next source would
 * be chosen for a reason that goes away.
 *
 * Words.  Stall: time in which a task waited for memory, which pressure files
 * count in microseconds.  Trigger: the text that asks a pressure file to tell
 * when stalls in a window of time reach a threshold.  Count: the stall, or the
 * number of events in memory.events, as it is now.
 *
 * The trigger.  200 ms in 2 s is the tenth that a manager asks for unless told
 * otherwise.  The window is 2 s since a process without CAP_SYS_RESOURCE may
 * have multiples of that only (Linux 6.4; before, it may have none).
 *
 * Why handle looks at a count.  A pressure file forgets its event when it is
 * polled, and polling an epoll set polls what is in it: the caller's poll(2)
 * takes the event away that our epoll_wait(2) would have found.  The count
 * stays and tells the same: at half the threshold since the last report there
 * was pressure (half, for a part of the window may lie before that report).
 *
 * Edge-triggered.  A source may end in a lasting state: the writer of a FIFO or
 * a peer is gone, a control group is removed.  That wakes the caller once and
 * not for ever; every drain reads to the end, so that no edge is lost.  A FIFO
 * is opened for writing too, whereby it never is without a writer.
 *
 * What handle does.  Under sd-event's memory pressure source and GLib's memory
 * monitor the default is to give the heap's free memory back, and with
 * jemalloc one would purge all arenas: all at once and at each event.  Events
 * come while allocations are slow already, so taking the caches of all CPUs
 * away at every one makes the program pay twice.  We do that at most once a
 * second, as FreeBSD does, and trim to the working set in between.  Levels of
 * pressure, as GLib has, would need several triggers; the protocol has one.
 *
 * Locks and fork.  watch_lock is held while the source is sought; handle takes
 * none.  Both words name a process: what a parent left behind is free or void
 * in its child, whose first call closes the inherited descriptors and makes its
 * own, hence no fork handler is needed.  The epoll set is the parent's, too,
 * and stays as it was.  Descriptors are closed only if they can be told to be
 * ours, since a daemon may have closed all and the numbers may be somebody's;
 * those that a thread of the parent was just making stay open.
 *
 * Nothing here allocates or, with cancellation off while it calls the system,
 * is a cancellation point.  Not for allocation paths: opening files is slow.
 */
#define _GNU_SOURCE /* secure_getenv */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <uma/reclaim.h>

#include "pages_int.h"
#include "zone_int.h"

#define SEVERE_NS INT64_C(1000000000)
#define NEVER	  UINT64_MAX /* a count does not rise by that */

enum {
	TEXT_MAX = 4096, /* a FIFO takes as much at once */
	GROUP_MAX = 8192, /* of /proc/self/cgroup */
	COUNT_MAX = 1024, /* of a pressure or events file */
	DRAIN_ROUNDS = 1024, /* a writer without end does not hold us */
};

struct text {
	const char *t_bytes;
	size_t t_len;
};

static struct watch {
	int w_fd; /* the epoll set */
	int w_source; /* what is in it */
	int w_file; /* with a count, or -1; may be w_source */
	bool w_drain; /* the source has data to be read and discarded */
	bool w_data_tells; /* which is pressure by itself */
	uint64_t w_least; /* the rise of the count that is pressure */
	_Atomic uint64_t w_count; /* at the last report */
	dev_t w_dev; /* of the source, for the child of a fork */
	ino_t w_ino;
} watch;

static _Atomic uint32_t watch_owner; /* the process whose watch it is, or 0 */
static _Atomic uint32_t watch_lock; /* 0, or the process that holds it */
#define WATCH_WAITED ((uint32_t)1 << 31) /* and somebody waits for it */

static const char *watch_root = "";

void
pressure_set_root(const char *root)
{
	watch_root = root;
}

/* ---- the lock ---- */

static uint32_t
this_process(void)
{
	return (uint32_t)getpid();
}

static void
watch_acquire(uint32_t self)
{
	uint32_t word = atomic_load_explicit(&watch_lock, memory_order_relaxed);

	for (;;) {
		if ((word & ~WATCH_WAITED) != self) {
			if (atomic_compare_exchange_weak_explicit(&watch_lock,
				&word, self, memory_order_acquire,
				memory_order_relaxed))
				return;
		} else if ((word & WATCH_WAITED) ||
			   atomic_compare_exchange_weak_explicit(&watch_lock,
			       &word, word | WATCH_WAITED, memory_order_relaxed,
			       memory_order_relaxed)) {
			uma_wait(&watch_lock, self | WATCH_WAITED, -1);
			word = atomic_load_explicit(
			    &watch_lock, memory_order_relaxed);
		}
	}
}

static void
watch_release(void)
{
	if (atomic_exchange_explicit(&watch_lock, 0, memory_order_release) &
	    WATCH_WAITED)
		uma_wake(&watch_lock, INT_MAX);
}

/* ---- descriptors ---- */

int
fd_above_stdio(int fd)
{
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	int above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int error = errno;

	close(fd);
	errno = error;
	return above;
}

static int
file_open(const char *path, int flags)
{
	return fd_above_stdio(
	    open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

/* A whole small file, NUL-terminated; false: longer, or it cannot be read. */
static bool
file_text(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = pread(fd, text + len, size - 1 - len, (off_t)len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 && len < size - 1);
	text[len] = '\0';
	return n == 0;
}

/* Write all of a text, or none: 0 or an errno.  No SIGPIPE. */
static int
text_write(int fd, const struct text *text, bool is_socket)
{
	if (text->t_len == 0)
		return 0;
	ssize_t n = is_socket
			? send(fd, text->t_bytes, text->t_len, MSG_NOSIGNAL)
			: write(fd, text->t_bytes, text->t_len);
	if (n < 0)
		return errno;
	return (size_t)n == text->t_len ? 0 : EIO;
}

/* Make fd, which becomes the watch's, its source: 0, or an errno, fd closed. */
static int
source_add(struct watch *w, int fd, uint32_t events)
{
	struct epoll_event ev = {.events = events | EPOLLET};
	struct stat st;

	if (fstat(fd, &st) != 0 ||
	    epoll_ctl(w->w_fd, EPOLL_CTL_ADD, fd, &ev) != 0) {
		int error = errno;

		close(fd);
		return error;
	}
	w->w_source = fd;
	w->w_dev = st.st_dev;
	w->w_ino = st.st_ino;
	return 0;
}

/* ---- counts ---- */

static bool
digits(const char *s, uint64_t *number)
{
	const char *p = s;

	for (*number = 0; *p >= '0' && *p <= '9'; p++)
		*number = *number * 10 + (uint64_t)(*p - '0');
	return p != s;
}

/* The number after "name " at the start of a line; 0 without it. */
static uint64_t
line_number(const char *text, const char *name)
{
	size_t len = strlen(name);
	uint64_t number;

	for (const char *p = text; p != NULL; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, name, len) == 0 && p[len] == ' ' &&
		    digits(p + len + 1, &number))
			return number;
	}
	return 0;
}

/* What the watch's file counts: the stall of some tasks, or events. */
static bool
count_read(const struct watch *w, uint64_t *count)
{
	char text[COUNT_MAX];

	if (w->w_file < 0 || !file_text(w->w_file, text, sizeof text))
		return false;
	if (w->w_file == w->w_source) {
		const char *total = strstr(text, "total=");

		return total != NULL && digits(total + 6, count);
	}
	*count = line_number(text, "high") + line_number(text, "max") +
		 line_number(text, "oom");
	return true;
}

/*
 * True for one caller, when the count is above that of the last report by least
 * or more.  It may be lower for a moment, while a file is being rewritten.
 */
static bool
count_rose(struct watch *w, uint64_t least)
{
	uint64_t count;
	uint64_t seen = atomic_load_explicit(&w->w_count, memory_order_relaxed);

	if (!count_read(w, &count))
		return false;
	while (count > seen && count - seen >= least)
		if (atomic_compare_exchange_weak_explicit(&w->w_count, &seen,
			count, memory_order_relaxed, memory_order_relaxed))
			return true;
	return false;
}

/* ---- kinds of sources: 0, or an errno and nothing left open ---- */

/* The threshold in a trigger: "some" or "full", microseconds, the window. */
static uint64_t
trigger_threshold(const struct text *text)
{
	char copy[32] = "";
	uint64_t threshold;

	memcpy(copy, text->t_bytes, uma_min(text->t_len, sizeof copy - 1));
	return digits(copy + strcspn(copy, "0123456789"), &threshold)
		   ? threshold
		   : NEVER;
}

static bool
is_kernel_file(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (fs.f_type == PROC_SUPER_MAGIC ||
					    fs.f_type == CGROUP2_SUPER_MAGIC);
}

/*
 * A pressure file.  It has to have a trigger before it is polled.  What is no
 * file of the kernel's is not written to.
 */
static int
psi_watch(struct watch *w, const char *path, const struct text *asked)
{
	/* The kernel cuts the last byte off. */
	static const char tenth[] = "some 200000 2000000";
	static const struct text by_us = {tenth, sizeof tenth};
	const struct text *trigger = asked->t_len > 0 ? asked : &by_us;
	int fd = file_open(path, O_RDWR);

	if (fd < 0)
		return errno;
	int error = is_kernel_file(fd) ? text_write(fd, trigger, false) : EPERM;
	if (error != 0) {
		close(fd);
		return error;
	}
	error = source_add(w, fd, EPOLLPRI);
	if (error != 0)
		return error;
	uint64_t count = 0;

	w->w_file = fd;
	w->w_least = trigger_threshold(trigger) / 2;
	if (!count_read(w, &count))
		w->w_file = -1;
	atomic_store_explicit(&w->w_count, count, memory_order_relaxed);
	return 0;
}

/*
 * A FIFO.  Where we may not write and need not, reading will do.  What we write
 * comes back to us if nobody else reads it, and costs one reclaim.
 */
static int
fifo_watch(struct watch *w, const char *path, const struct text *asked)
{
	int fd = file_open(path, O_RDWR);

	if (fd < 0 && errno == EACCES && asked->t_len == 0)
		fd = file_open(path, O_RDONLY);
	if (fd < 0)
		return errno;
	int error = text_write(fd, asked, false);
	if (error != 0) {
		close(fd);
		return error;
	}
	w->w_drain = w->w_data_tells = true;
	return source_add(w, fd, EPOLLIN);
}

static int
socket_watch(struct watch *w, const char *path, const struct text *asked)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int error = 0;

	if (strlen(path) >= sizeof sun.sun_path)
		return ENAMETOOLONG;
	strcpy(sun.sun_path, path);
	int fd = fd_above_stdio(
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (fd < 0)
		return errno;
	if (connect(fd, (struct sockaddr *)&sun, sizeof sun) != 0)
		error = errno;
	if (error == 0)
		error = text_write(fd, asked, true);
	if (error != 0) {
		close(fd);
		return error;
	}
	w->w_drain = w->w_data_tells = true;
	return source_add(w, fd, EPOLLIN | EPOLLRDHUP);
}

/* Looked at before it is opened, which with some devices has effects. */
static int
path_watch(struct watch *w, const char *path, const struct text *asked)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno;
	if (S_ISREG(st.st_mode))
		return psi_watch(w, path, asked);
	if (S_ISFIFO(st.st_mode))
		return fifo_watch(w, path, asked);
	if (S_ISSOCK(st.st_mode))
		return socket_watch(w, path, asked);
	return EINVAL;
}

/* ---- the sources, in order: the same ---- */

static int
base64_value(char c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789+/";
	const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

	return at != NULL ? (int)(at - alphabet) : -1;
}

/*
 * Of RFC 4648, section 4, with its padding: the length of the bytes, or -1 if
 * it is not, or there is no room.
 */
static ssize_t
base64_decode(const char *s, char bytes[TEXT_MAX])
{
	size_t len = strlen(s), pad = 0;
	ssize_t n = 0;

	if (len % 4 != 0 || len / 4 * 3 > TEXT_MAX)
		return -1;
	while (pad < 2 && pad < len && s[len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t bits = 0;

		for (size_t j = i; j < i + 4; j++) {
			int v = j < len - pad ? base64_value(s[j]) : 0;

			if (v < 0)
				return -1;
			bits = bits << 6 | (uint32_t)v;
		}
		for (int shift = 16; shift >= 0; shift -= 8)
			bytes[n++] = (char)(bits >> shift);
	}
	return n - (ssize_t)pad;
}

/* The bytes are static, for threads with small stacks; watch_lock is held. */
static int
manager_watch(struct watch *w)
{
	static char bytes[TEXT_MAX];
	const char *path = secure_getenv("MEMORY_PRESSURE_WATCH");
	const char *coded = secure_getenv("MEMORY_PRESSURE_WRITE");

	if (path == NULL)
		return ENOENT;
	ssize_t len = coded != NULL ? base64_decode(coded, bytes) : 0;
	if (path[0] != '/' || len < 0)
		return EINVAL;
	return path_watch(w, path, &(struct text){bytes, (size_t)len});
}

/* No path that leads out of the tree of groups, as those of others' may. */
static bool
climbs(const char *path)
{
	for (const char *p = path; (p = strstr(p, "/..")) != NULL; p += 3)
		if (p[3] == '/' || p[3] == '\0')
			return true;
	return false;
}

/*
 * The path of a file of our control group: 0, or an errno, ENOENT where we are
 * in no group of version 2.  watch_lock is held.
 */
static int
group_path(const char *file, char *path, size_t size)
{
	static char text[GROUP_MAX];

	snprintf(path, size, "%s/proc/self/cgroup", watch_root);
	int fd = file_open(path, O_RDONLY);
	if (fd < 0)
		return errno;
	bool whole = file_text(fd, text, sizeof text);
	close(fd);
	char *group =
	    strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (group != NULL)
		group = strstr(group, "0::") + 3;
	if (!whole || group == NULL || group[0] != '/')
		return ENOENT;
	group[strcspn(group, "\n")] = '\0';
	int n = snprintf(
	    path, size, "%s/sys/fs/cgroup%s/%s", watch_root, group, file);
	if (n < 0 || (size_t)n >= size)
		return ENAMETOOLONG;
	return climbs(group) ? ENOENT : 0;
}

static const struct text nothing_asked = {"", 0};

static int
group_watch(struct watch *w)
{
	char path[PATH_MAX];

	int error = group_path("memory.pressure", path, sizeof path);
	return error != 0 ? error : path_watch(w, path, &nothing_asked);
}

static int
system_watch(struct watch *w)
{
	char path[PATH_MAX];
	int n =
	    snprintf(path, sizeof path, "%s/proc/pressure/memory", watch_root);

	if (n < 0 || (size_t)n >= sizeof path)
		return ENAMETOOLONG;
	return path_watch(w, path, &nothing_asked);
}

static int
events_open(struct watch *w, const char *path)
{
	uint64_t count;

	w->w_file = file_open(path, O_RDONLY);
	if (w->w_file < 0)
		return errno;
	int fd = fd_above_stdio(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	if (fd < 0)
		return errno;
	if (inotify_add_watch(fd, path, IN_MODIFY) < 0) {
		int error = errno;

		close(fd);
		return error;
	}
	w->w_drain = true;
	w->w_least = 1;
	int error = source_add(w, fd, EPOLLIN);
	/* After the watch was set, so that no change is missed. */
	if (error == 0 && count_read(w, &count))
		atomic_store_explicit(&w->w_count, count, memory_order_relaxed);
	return error;
}

static int
events_watch(struct watch *w)
{
	char path[PATH_MAX];

	int error = group_path("memory.events", path, sizeof path);
	if (error == 0)
		error = events_open(w, path);
	if (error != 0 && w->w_file >= 0)
		close(w->w_file);
	return error;
}

static void
watch_clear(struct watch *w)
{
	w->w_source = w->w_file = -1;
	w->w_drain = w->w_data_tells = false;
	w->w_least = NEVER;
	atomic_store_explicit(&w->w_count, 0, memory_order_relaxed);
}

static int
source_find(struct watch *w)
{
	static int (*const source[])(struct watch * w) = {
	    manager_watch, group_watch, system_watch, events_watch};
	const char *path = secure_getenv("MEMORY_PRESSURE_WATCH");

	if (path != NULL && strcmp(path, "/dev/null") == 0)
		return ENOTSUP;
	for (size_t i = 0; i < sizeof source / sizeof source[0]; i++) {
		watch_clear(w);
		int error = source[i](w);
		if (error == 0 || error == EMFILE || error == ENFILE ||
		    error == ENOMEM)
			return error;
	}
	return ENOTSUP;
}

/* ---- the descriptor ---- */

/*
 * Close what the parent left us.  Numbers that are somebody else's by now are
 * not touched: the source has to be the same file, and in that epoll set.
 */
static void
inherited_close(const struct watch *w)
{
	struct epoll_event ev = {0};
	struct stat st;

	if (fstat(w->w_source, &st) != 0 || st.st_dev != w->w_dev ||
	    st.st_ino != w->w_ino)
		return;
	if (epoll_ctl(w->w_fd, EPOLL_CTL_ADD, w->w_source, &ev) == 0) {
		epoll_ctl(w->w_fd, EPOLL_CTL_DEL, w->w_source, &ev);
		return;
	}
	if (errno != EEXIST)
		return;
	close(w->w_fd);
	close(w->w_source);
	if (w->w_file >= 0 && w->w_file != w->w_source)
		close(w->w_file);
}

/* 0, or an errno.  watch_lock is held. */
static int
watch_make(struct watch *w)
{
	if (atomic_load_explicit(&watch_owner, memory_order_relaxed) != 0) {
		inherited_close(w);
		atomic_store_explicit(&watch_owner, 0, memory_order_relaxed);
	}
	w->w_fd = fd_above_stdio(epoll_create1(EPOLL_CLOEXEC));
	if (w->w_fd < 0)
		return errno;
	int error = source_find(w);
	if (error != 0)
		close(w->w_fd);
	return error;
}

static bool
watch_is_ours(uint32_t self)
{
	return atomic_load_explicit(&watch_owner, memory_order_acquire) == self;
}

int
uma_pressure_fd(void)
{
	uint32_t self = this_process();
	int saved = errno, error = 0, cancel;

	if (watch_is_ours(self))
		return watch.w_fd;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	watch_acquire(self);
	if (!watch_is_ours(self)) {
		error = watch_make(&watch);
		if (error == 0)
			atomic_store_explicit(
			    &watch_owner, self, memory_order_release);
	}
	watch_release();
	pthread_setcancelstate(cancel, NULL);
	errno = error != 0 ? error : saved;
	return error != 0 ? -1 : watch.w_fd;
}

/* ---- handling ---- */

/* Read what there is and discard it; true if there was anything. */
static bool
source_drain(int fd)
{
	char data[COUNT_MAX];
	bool any = false;

	for (int i = 0; i < DRAIN_ROUNDS && read(fd, data, sizeof data) > 0;
	     i++)
		any = true;
	return any;
}

/*
 * The set first: an edge that comes after it is for the next call, which then
 * may find nothing.
 */
static bool
watch_tells(struct watch *w)
{
	struct epoll_event ev;
	int n = epoll_wait(w->w_fd, &ev, 1, 0);

	/* No set of ours any more: neither is what its source was. */
	if (n < 0)
		return false;
	bool tells = n == 1 && (ev.events & (EPOLLPRI | EPOLLERR)) == EPOLLPRI;

	if (w->w_drain && source_drain(w->w_source))
		tells |= w->w_data_tells;
	/* The stall of an event is not to be reported twice. */
	if (count_rose(w, tells ? 1 : w->w_least))
		tells = true;
	return tells;
}

int
uma_pressure_handle(void)
{
	static _Atomic int64_t severe_at;
	int saved = errno, cancel;

	if (!watch_is_ours(this_process()))
		return 0;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	bool tells = watch_tells(&watch);
	pthread_setcancelstate(cancel, NULL);
	if (tells)
		uma_reclaim(warn_due(&severe_at, SEVERE_NS)
				? UMA_RECLAIM_DRAIN_CPU
				: UMA_RECLAIM_TRIM);
	errno = saved;
	return tells;
}
