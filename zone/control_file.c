/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_file.c - the control socket's file: made where nobody else can put
 * one in its place, with mode 0600 from its first instant, and removed by whom
 * it belongs to.
 *
 * The folder has to be ours or root's, and nobody else may write there unless
 * it is sticky: then what we have made stays ours.  The names by default are in
 * a folder of our own, which nobody else may even look into; whoever made one
 * of that name before us can keep us from it, and no more.
 *
 * Mode.  A socket's file gets the mode that the socket has, less the umask:
 * fchmod(2) before bind(2), so that there is no time with another one.
 *
 * A file that is there already is removed if it is a socket of ours that nobody
 * listens to any more, and nothing else is.  The folder is locked meanwhile, as
 * two processes may come upon the same file.
 */
#define _GNU_SOURCE /* secure_getenv */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_int.h"

_Static_assert(CONTROL_PATH_MAX <= sizeof((struct sockaddr_un *)0)->sun_path,
    "as long as a socket's name may be");

enum {
	BACKLOG = 16,
	LOCK_TRIES = 200,
};
#define LOCK_REST_NS INT64_C(1000000)

/* ---- folders ---- */

/* Open it if it is safe: its descriptor, or -1 with errno. */
static int
folder_open(const char *path, mode_t forbidden)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && (st.st_uid == geteuid() || st.st_uid == 0) &&
	    ((st.st_mode & forbidden) == 0 ||
		(forbidden == 022 && (st.st_mode & S_ISVTX))))
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

static bool
folder_is(const char *path, mode_t forbidden)
{
	int fd = folder_open(path, forbidden);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Make it if need be; false: there is none that is ours alone. */
static bool
folder_make(const char *path)
{
	struct stat st;

	/* The umask may have taken our own rights. */
	if (mkdir(path, 0700) == 0)
		(void)fchmodat(AT_FDCWD, path, 0700, AT_SYMLINK_NOFOLLOW);
	return folder_is(path, 077) && lstat(path, &st) == 0 &&
	       st.st_uid == geteuid();
}

/* ---- names ---- */

static bool
default_in(struct control_file *cf, const char *folder)
{
	int n = snprintf(
	    cf->cf_path, sizeof cf->cf_path, "%s/%d", folder, (int)getpid());

	return n > 0 && (size_t)n < sizeof cf->cf_path && folder_make(folder);
}

static int
default_name(struct control_file *cf)
{
	const char *run = secure_getenv("XDG_RUNTIME_DIR");
	char folder[CONTROL_PATH_MAX];
	int n;

	if (run != NULL && run[0] == '/' && folder_is(run, 022)) {
		n = snprintf(folder, sizeof folder, "%s/libuma", run);
		if (n > 0 && (size_t)n < sizeof folder &&
		    default_in(cf, folder))
			return 0;
	}
	snprintf(folder, sizeof folder, "/tmp/libuma-%u", (unsigned)geteuid());
	return default_in(cf, folder) ? 0 : EPERM;
}

int
control_file_name(struct control_file *cf, const char *path)
{
	if (path == NULL)
		return default_name(cf);
	if (path[0] != '/' || path[strlen(path) - 1] == '/')
		return EINVAL;
	if (strlen(path) >= sizeof cf->cf_path)
		return ENAMETOOLONG;
	strcpy(cf->cf_path, path);
	return 0;
}

/* ---- the file ---- */

static void
address(const struct control_file *cf, struct sockaddr_un *sun)
{
	*sun = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(sun->sun_path, cf->cf_path);
}

static const char *
base_name(const struct control_file *cf)
{
	return strrchr(cf->cf_path, '/') + 1;
}

static int
new_socket(void)
{
	return fd_above_stdio(
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

/* Nobody listens to the socket that has the name. */
static bool
is_stale(const struct control_file *cf)
{
	struct sockaddr_un sun;
	int fd = new_socket();

	if (fd < 0)
		return false;
	address(cf, &sun);
	bool stale = connect(fd, (struct sockaddr *)&sun, sizeof sun) != 0 &&
		     errno == ECONNREFUSED;
	close(fd);
	return stale;
}

/* 0: nothing is there any more.  Or an errno. */
static int
make_way(const struct control_file *cf, int folder)
{
	struct stat st;

	if (fstatat(folder, base_name(cf), &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : errno;
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return EEXIST;
	if (!is_stale(cf))
		return EADDRINUSE;
	return unlinkat(folder, base_name(cf), 0) == 0 ? 0 : errno;
}

/* 0, or an errno. */
static int
bind_there(struct control_file *cf, int folder, int fd)
{
	struct sockaddr_un sun;
	struct stat st;

	address(cf, &sun);
	if (fchmod(fd, 0600) != 0 ||
	    bind(fd, (struct sockaddr *)&sun, sizeof sun) != 0)
		return errno;
	if (fstatat(folder, base_name(cf), &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	cf->cf_dev = st.st_dev;
	cf->cf_ino = st.st_ino;
	/* The umask may have taken our own rights. */
	if ((st.st_mode & 07777) != 0600)
		(void)fchmodat(
		    folder, base_name(cf), 0600, AT_SYMLINK_NOFOLLOW);
	if (listen(fd, BACKLOG) == 0)
		return 0;
	int error = errno;
	(void)unlinkat(folder, base_name(cf), 0);
	return error;
}

static int
listen_there(struct control_file *cf, int folder, int *fd)
{
	int error = make_way(cf, folder);

	if (error != 0)
		return error;
	*fd = new_socket();
	if (*fd < 0)
		return errno;
	error = bind_there(cf, folder, *fd);
	if (error != 0)
		close(*fd);
	return error;
}

/* Its folder, locked; or -1 with errno. */
static int
folder_lock(const struct control_file *cf)
{
	char folder[CONTROL_PATH_MAX];
	static _Atomic uint32_t never;
	size_t len = (size_t)(base_name(cf) - cf->cf_path);

	memcpy(folder, cf->cf_path, len);
	folder[len > 1 ? len - 1 : len] = '\0';
	int fd = folder_open(folder, 022);
	for (int i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		if (i == LOCK_TRIES) {
			close(fd);
			errno = EADDRINUSE;
			return -1;
		}
		uma_wait(&never, 0, LOCK_REST_NS);
	}
	return fd;
}

int
control_file_listen(struct control_file *cf, int *fd)
{
	int folder = folder_lock(cf);

	if (folder < 0)
		return errno;
	int error = listen_there(cf, folder, fd);
	close(folder);
	return error;
}

void
control_file_remove(const struct control_file *cf)
{
	struct stat st;
	int folder = folder_lock(cf);

	if (folder < 0)
		return;
	if (fstatat(folder, base_name(cf), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev == cf->cf_dev && st.st_ino == cf->cf_ino)
		(void)unlinkat(folder, base_name(cf), 0);
	close(folder);
}
