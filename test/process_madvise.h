/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * process_madvise.h - for programs that put a madvise of their own before the C
 * library's: the call for many ranges goes through it, too.
 */
#ifndef TEST_PROCESS_MADVISE_H
#define TEST_PROCESS_MADVISE_H

#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>

ssize_t process_madvise(int pidfd, const struct iovec *range, size_t cnt,
    int advice, unsigned flags);

ssize_t
process_madvise(int pidfd, const struct iovec *range, size_t cnt, int advice,
    unsigned flags)
{
	size_t len = 0;

	(void)pidfd;
	(void)flags;
	for (size_t i = 0; i < cnt; len += range[i++].iov_len)
		if (madvise(range[i].iov_base, range[i].iov_len, advice) != 0)
			return len > 0 ? (ssize_t)len : -1;
	return (ssize_t)len;
}

#endif
