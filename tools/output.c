/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * output.c - text goes to standard output, or to a file that readers see whole.
 *
 * A file is written beside itself and renamed, so that who reads it meanwhile
 * (a collector of metrics) has the old or the new one.  What is no regular file
 * is written to.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "umastat.h"

static bool
write_all(int fd, const struct text *t)
{
	size_t done = 0;

	while (done < t->len) {
		ssize_t n = write(fd, t->at + done, t->len - done);

		if (n < 0 && errno != EINTR)
			return false;
		done += n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* Written, closed and in its place, or not there. */
static bool
replace(const struct text *t, const char *path, mode_t mode)
{
	char temp[4096];

	if ((size_t)snprintf(temp, sizeof temp, "%s.XXXXXX", path) >=
	    sizeof temp) {
		errno = ENAMETOOLONG;
		return false;
	}
	int fd = mkstemp(temp);

	if (fd < 0)
		return false;
	bool good = write_all(fd, t) && fchmod(fd, mode) == 0;

	good = close(fd) == 0 && good;
	if (good && rename(temp, path) == 0)
		return true;

	int error = errno;

	unlink(temp);
	errno = error;
	return false;
}

static mode_t
new_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

static bool
output_file(const struct text *t, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return replace(t, path, new_mode());
	if (S_ISREG(st.st_mode)) {
		char *real = realpath(path, NULL); /* a link stays one */
		bool good = real != NULL && replace(t, real, st.st_mode & 0777);
		int error = errno;

		free(real);
		errno = error;
		return good;
	}
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write_all(fd, t);

	return (fd < 0 || close(fd) == 0) && good;
}

void
output(const struct text *t, const char *path)
{
	if (path == NULL && !write_all(STDOUT_FILENO, t))
		die(EXIT_TARGET, "cannot write: %s", strerror(errno));
	if (path != NULL && !output_file(t, path)) {
		int error = errno;
		char shown[SHOWN_NAME];

		die(EXIT_TARGET, "%s: %s", show_name(shown, path),
		    strerror(error));
	}
}
