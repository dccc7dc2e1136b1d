/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma/control.h - a socket by which other programs, umactl(8) among them, read
 * and set what uma/sysctl.h has.  There is none unless it is asked for.
 */
#ifndef UMA_CONTROL_H
#define UMA_CONTROL_H

#include <uma.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * uma_control_fd: offer the socket, and return a descriptor that poll(2),
 * select(2) and epoll(7) show as readable when somebody wants something.
 * Programs without a loop of their own set vm.uma.control=1 instead.
 *
 * path     where the socket is to be: absolute, at most 107 bytes, in a folder
 *          where none but this user and root can put files.  NULL: under
 *          this process's number, where umactl(8) looks.
 * Returns  the descriptor, the same at each call; it is the library's, and is
 *          not to be closed or read.  Execve closes it.
 * Errors   -1 with errno.  EADDRINUSE: another process serves that path.
 *          EEXIST: something else is there.  EPERM: others may put files into
 *          the folder.  EBUSY: it is offered at another path.  EINVAL: path is
 *          not absolute.  ENAMETOOLONG, ENOMEM, and those of socket(2),
 *          bind(2), open(2) and epoll_create1(2).
 *          ECANCELED: the process is exiting.  EBADF: the program has closed
 *          the library's descriptors; uma_control_close() forgets them.
 * Threads  any.  The child of a fork has none until it calls this.
 */
UMA_API int uma_control_fd(const char *path);

/*
 * uma_control_handle: answer what made uma_control_fd() readable, one request
 * a client at most.  Never waits for a client.
 *
 * Returns  the number of requests answered; 0 also without a socket, and where
 *          another thread is in this call.
 * Threads  any.  Runs what requests ask for: handlers of nodes, and fini hooks.
 */
UMA_API int uma_control_handle(void);

/*
 * uma_control_close: offer it no more, close all connections and remove the
 * file.  Waits for a request under way; from inside of one it is done when that
 * is answered.  The descriptor stays, silent until uma_control_fd() offers
 * another socket by it.  A process that exits removes the file by itself.
 */
UMA_API void uma_control_close(void);

#ifdef __cplusplus
}
#endif

#endif
