/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.c - the control socket: other programs read and set by it what
 * uma_sysctlbyname() reads and sets here.
 *
 * How it works
 *
 * There is one descriptor to wait for, an epoll set, and one call that answers.
 * A program has them in its own loop, or asks for vm.uma.control, and the
 * helper thread has them in its own (reclaimer.c).  In the set are the socket
 * that listens, a timer, and the clients, at most CLIENTS of them.
 *
 * A client's life: accepted, its user looked at, a first line for it; then one
 * request at a time.  A request is read into the client's buffer, answered into
 * a reply (control_line.c, control_reply.c), and the next one is not looked at
 * before that has been sent.  Each call of handle does at most one request a
 * client, so that none keeps the others waiting, or the loop; with a request
 * left in its buffer the client's socket is waited for to be writable, which
 * it is, so that the loop comes back.  What epoll says of a client is a hint to
 * look at it, no more: that its place has gone to another does no harm.
 *
 * Who cannot be trusted.  Only the process's own user and root are let in, by
 * the file's mode and by what the kernel says of the peer.  All the same,
 * a client's buffer is of fixed size, and a line that does not fit ends it; so
 * do line_ns for the rest of a line and for the reading of a reply, and idle_ns
 * without a request.  When all places are taken, the one idle for longest
 * makes room, if it was for a second, else the new one is sent away.  Without
 * descriptors for new ones the listening socket is left alone for a second.
 *
 * Locks and fork.  Whoever has c_busy is alone with the clients.  It is no
 * uma_lock: the program's handlers and hooks run under it, which may come back
 * here (serving is for that), or fork.  Opening and closing are under
 * control_lock, which fork takes, so that a child knows of every descriptor but
 * that of a client just being accepted.  There the handler closes what the
 * parent had, so that nobody connects to a socket that only a child of its
 * owner has open, and counts c_forks, by which a request under way knows that
 * it is in the child and has nothing to go back to.  The clients' memory stays
 * there if anybody was in it.  Descriptors are closed only if they can be told
 * to be ours: a program may have closed them and the numbers be somebody's.
 * The set stays when the socket is closed, as some thread may be waiting for
 * it.
 *
 * Nothing here is a cancellation point or raises SIGPIPE.
 */
#define _GNU_SOURCE /* accept4, struct ucred */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "control_int.h"
#include "pages_int.h"

enum {
	CLIENTS = 8,
	ACCEPTS = 16, /* a call */
	EVENTS = CLIENTS + 2,
	OFFERS = 10, /* in a second, of what is the parent's */
	/* what epoll tells of; 0 is nothing, then the clients' places + 1 */
	EVENT_LISTEN = CLIENTS + 1,
	EVENT_TIMER,
};
#define SECOND_NS INT64_C(1000000000)

struct client {
	int cl_fd;
	uint32_t cl_events; /* waited for */
	bool cl_hasty; /* a line or a reply is under way: line_ns */
	bool cl_last; /* no more is read */
	int64_t cl_since; /* the start of that, or of idleness */
	struct reply cl_reply;
	size_t cl_len;
	char cl_line[CONTROL_LINE_MAX];
};

static struct control {
	_Atomic uint32_t c_owner; /* the process whose it is, or 0 */
	_Atomic uint32_t c_busy; /* 0, 1, or 2: somebody waits for it */
	_Atomic uint32_t c_forks;
	/* both locks; for reading one */
	_Atomic int c_set, c_listen, c_timer;
	_Atomic int c_fd[CLIENTS]; /* -1: no client */
	_Atomic uint64_t c_dev, c_ino; /* of c_listen */
	/* control_lock */
	struct control_file c_file;
	bool c_ended; /* the process exits: no more files */
	/* c_busy */
	struct client *c_client[CLIENTS];
	int64_t c_deaf; /* no descriptors: until then it does not listen; 0 */
	bool c_close; /* asked for from inside */
} control = {.c_set = -1, .c_listen = -1, .c_timer = -1};

struct uma_lock control_lock = UMA_LOCK_INITIALIZER(UMA_RANK_CONTROL);
static int64_t idle_ns = 300 * SECOND_NS, line_ns = 30 * SECOND_NS;

/* This thread has c_busy. */
static __thread bool serving __attribute__((tls_model("initial-exec")));

void
control_set_patience(int64_t idle, int64_t line)
{
	idle_ns = idle;
	line_ns = line;
}

static uint32_t
this_process(void)
{
	return (uint32_t)getpid();
}

static bool
is_ours(void)
{
	return atomic_load_explicit(&control.c_owner, memory_order_acquire) ==
	       this_process();
}

/* ---- being alone ---- */

static bool
enter_try(void)
{
	uint32_t none = 0;

	serving = atomic_compare_exchange_strong(&control.c_busy, &none, 1);
	return serving;
}

static void
enter(void)
{
	if (enter_try())
		return;
	while (atomic_exchange(&control.c_busy, 2) != 0)
		uma_wait(&control.c_busy, 2, -1);
	serving = true;
}

static void
leave(void)
{
	serving = false;
	if (atomic_exchange(&control.c_busy, 0) == 2)
		uma_wake(&control.c_busy, INT_MAX);
}

/* ---- the set ---- */

static bool
set_add(int fd, uint32_t events, uint32_t what)
{
	struct epoll_event ev = {.events = events, .data.u32 = what};

	return epoll_ctl(control.c_set, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static void
set_change(int fd, uint32_t events, uint32_t what)
{
	struct epoll_event ev = {.events = events, .data.u32 = what};

	(void)epoll_ctl(control.c_set, EPOLL_CTL_MOD, fd, &ev);
}

/* fd is what it was when it was put there. */
static bool
set_has(int fd)
{
	struct epoll_event ev = {0};

	if (epoll_ctl(control.c_set, EPOLL_CTL_ADD, fd, &ev) == 0) {
		(void)epoll_ctl(control.c_set, EPOLL_CTL_DEL, fd, &ev);
		return false;
	}
	return errno == EEXIST;
}

/* Its number is not somebody else's by now. */
static bool
listen_is_there(void)
{
	struct stat st;

	return fstat(control.c_listen, &st) == 0 &&
	       st.st_dev == control.c_dev && st.st_ino == control.c_ino;
}

/* ---- clients ---- */

/* Its peer sees it, also where a child has it open. */
static void
client_close(int place)
{
	struct client *cl = control.c_client[place];

	(void)shutdown(cl->cl_fd, SHUT_RDWR);
	(void)epoll_ctl(control.c_set, EPOLL_CTL_DEL, cl->cl_fd, NULL);
	atomic_store(&control.c_fd[place], -1);
	control.c_client[place] = NULL;
	close(cl->cl_fd);
	reply_free(&cl->cl_reply);
	meta_free(cl, sizeof *cl);
}

static bool
has_line(const struct client *cl)
{
	return memchr(cl->cl_line, '\n', cl->cl_len) != NULL;
}

static void
client_mark(struct client *cl, bool done)
{
	bool hasty = cl->cl_reply.rp_text != NULL || cl->cl_len > 0;

	if (done || hasty != cl->cl_hasty)
		cl->cl_since = uma_now_ns();
	cl->cl_hasty = hasty;
}

/* What to wait for. */
static void
client_wait(int place)
{
	struct client *cl = control.c_client[place];
	bool out = cl->cl_reply.rp_text != NULL || has_line(cl);
	uint32_t events = out ? EPOLLOUT : EPOLLIN;

	if (events != cl->cl_events)
		set_change(cl->cl_fd, events, (uint32_t)place + 1);
	cl->cl_events = events;
}

/* Send what there is; false: the peer is gone. */
static bool
client_send(struct client *cl)
{
	struct reply *rp = &cl->cl_reply;

	while (rp->rp_text != NULL && rp->rp_sent < rp->rp_len) {
		ssize_t n = send(cl->cl_fd, rp->rp_text + rp->rp_sent,
		    rp->rp_len - rp->rp_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		rp->rp_sent += (size_t)n;
	}
	reply_free(rp);
	return true;
}

/* Read what there is room for; false: the peer is gone. */
static bool
client_read(struct client *cl)
{
	size_t room = sizeof cl->cl_line - cl->cl_len;
	ssize_t n =
	    recv(cl->cl_fd, cl->cl_line + cl->cl_len, room, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	cl->cl_last = n == 0;
	cl->cl_len += (size_t)n;
	return true;
}

/*
 * Answer the first line, if there is one; 1, 0, or -1: we are in the child of a
 * fork that the request made, and nothing here is ours any more.
 */
static int
client_request(struct client *cl)
{
	uint32_t forks = atomic_load(&control.c_forks);
	char *end = memchr(cl->cl_line, '\n', cl->cl_len);

	if (end == NULL && cl->cl_len == sizeof cl->cl_line) {
		reply_end(&cl->cl_reply, E2BIG, "");
		cl->cl_last = true;
		cl->cl_len = 0;
	}
	if (end == NULL)
		return 0;
	*end = '\0';
	if (!control_line(
		cl->cl_line, (size_t)(end - cl->cl_line), &cl->cl_reply)) {
		cl->cl_last = true;
		end = cl->cl_line + cl->cl_len - 1;
	}
	if (atomic_load(&control.c_forks) != forks)
		return -1;
	cl->cl_len -= (size_t)(end + 1 - cl->cl_line);
	memmove(cl->cl_line, end + 1, cl->cl_len);
	return 1;
}

/* As client_request. */
static int
client_serve(int place)
{
	struct client *cl = control.c_client[place];
	int done = 0;
	bool there = client_send(cl);

	if (there && cl->cl_reply.rp_text == NULL) {
		if (!has_line(cl) && !cl->cl_last)
			there = client_read(cl);
		done = there ? client_request(cl) : 0;
		if (done < 0)
			return done;
		there = there && !cl->cl_reply.rp_lost && client_send(cl);
	}
	bool over =
	    cl->cl_last && cl->cl_reply.rp_text == NULL && !has_line(cl);
	if (!there || over) {
		client_close(place);
		return done;
	}
	client_mark(cl, done > 0);
	client_wait(place);
	return done;
}

/* ---- new ones ---- */

static bool
peer_is_allowed(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

/* A place that is free, or could be; -1: none. */
static int
place_find(void)
{
	int64_t now = uma_now_ns(), oldest = now - SECOND_NS;
	int place = -1;

	for (int i = 0; i < CLIENTS; i++) {
		struct client *cl = control.c_client[i];

		if (cl == NULL)
			return i;
		if (!cl->cl_hasty && cl->cl_since <= oldest) {
			oldest = cl->cl_since;
			place = i;
		}
	}
	if (place >= 0)
		client_close(place);
	return place;
}

static void
send_away(int fd, const char *why)
{
	(void)send(fd, why, strlen(why), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void
client_start(int place, int fd)
{
	struct client *cl = meta_alloc(sizeof *cl, 0);

	if (cl == NULL) {
		close(fd);
		return;
	}
	cl->cl_fd = fd;
	cl->cl_since = uma_now_ns();
	cl->cl_events = EPOLLOUT;
	reply_printf(&cl->cl_reply, "libuma %s control 1 pid %d\n",
	    UMA_VERSION_STRING, (int)getpid());
	control.c_client[place] = cl;
	atomic_store(&control.c_fd[place], fd);
	if (cl->cl_reply.rp_lost ||
	    !set_add(fd, cl->cl_events, (uint32_t)place + 1)) {
		client_close(place);
		return;
	}
	if (!client_send(cl)) {
		client_close(place);
		return;
	}
	client_mark(cl, false);
	client_wait(place);
}

static void
listen_stop(void)
{
	control.c_deaf = uma_now_ns() + SECOND_NS;
	set_change(control.c_listen, 0, EVENT_LISTEN);
}

static void
listen_again(void)
{
	control.c_deaf = 0;
	set_change(control.c_listen, EPOLLIN, EVENT_LISTEN);
}

/* False: no more now. */
static bool
accept_one(void)
{
	int fd = fd_above_stdio(accept4(
	    control.c_listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));

	if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
		return true;
	if (fd < 0) {
		if (errno != EAGAIN)
			listen_stop();
		return false;
	}
	if (!peer_is_allowed(fd)) {
		send_away(fd, "error 1 not for this user\n");
		return true;
	}
	int place = place_find();
	if (place < 0)
		send_away(fd, "error 11 too many clients, try again\n");
	else
		client_start(place, fd);
	return true;
}

/* ---- time ---- */

static int64_t
client_until(const struct client *cl)
{
	return cl->cl_since + (cl->cl_hasty ? line_ns : idle_ns);
}

static void
timer_set(int64_t at)
{
	struct itimerspec it = {{0}, {0}};

	if (at != INT64_MAX) {
		it.it_value.tv_sec = at / SECOND_NS;
		it.it_value.tv_nsec = at % SECOND_NS;
	}
	(void)timerfd_settime(control.c_timer, TFD_TIMER_ABSTIME, &it, NULL);
}

/* End those whose time is over, and set the timer for the next. */
static void
look_at_time(void)
{
	int64_t now = uma_now_ns(), next = INT64_MAX;

	for (int i = 0; i < CLIENTS; i++) {
		if (control.c_client[i] == NULL)
			continue;
		int64_t until = client_until(control.c_client[i]);
		if (until <= now)
			client_close(i);
		else
			next = uma_min(next, until);
	}
	if (control.c_deaf != 0 && control.c_deaf <= now)
		listen_again();
	if (control.c_deaf != 0)
		next = uma_min(next, control.c_deaf);
	timer_set(next); /* which also makes it silent again */
}

/* ---- all of it ---- */

static void
file_close(_Atomic int *fd)
{
	int old = atomic_exchange(fd, -1);

	if (old >= 0)
		close(old);
}

static void
clients_forget(void)
{
	for (int i = 0; i < CLIENTS; i++) {
		if (control.c_client[i] == NULL)
			continue;
		reply_free(&control.c_client[i]->cl_reply);
		meta_free(control.c_client[i], sizeof *control.c_client[i]);
		control.c_client[i] = NULL;
	}
}

/* Entered.  What the program has closed itself is only forgotten. */
static void
control_close(void)
{
	uma_lock_acquire(&control_lock);
	if (!listen_is_there()) {
		clients_forget();
		control.c_set = control.c_listen = control.c_timer = -1;
	}
	for (int i = 0; i < CLIENTS; i++)
		if (control.c_client[i] != NULL)
			client_close(i);
	control_file_remove(&control.c_file);
	atomic_store(&control.c_owner, 0);
	file_close(&control.c_listen);
	file_close(&control.c_timer);
	control.c_deaf = 0;
	control.c_close = false;
	uma_lock_release(&control_lock);
}

static void
control_undo(bool file)
{
	if (file)
		control_file_remove(&control.c_file);
	file_close(&control.c_listen);
	file_close(&control.c_timer);
}

static int
control_listen(void)
{
	struct stat st;
	int fd, error = control_file_listen(&control.c_file, &fd);

	if (error != 0)
		return error;
	control.c_listen = fd;
	if (fstat(fd, &st) != 0 || !set_add(fd, EPOLLIN, EVENT_LISTEN)) {
		error = errno;
		control_undo(true);
		return error;
	}
	control.c_dev = st.st_dev;
	control.c_ino = st.st_ino;
	return 0;
}

/* 0, or an errno. */
static int
control_open(const char *path)
{
	int error = control.c_ended ? ECANCELED
				    : control_file_name(&control.c_file, path);

	if (error != 0)
		return error;
	for (int i = 0; i < CLIENTS; i++)
		atomic_store(&control.c_fd[i], -1);
	if (control.c_set < 0)
		control.c_set = fd_above_stdio(epoll_create1(EPOLL_CLOEXEC));
	if (control.c_set < 0)
		return errno;
	control.c_timer = fd_above_stdio(
	    timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
	error = control.c_timer >= 0 &&
			set_add(control.c_timer, EPOLLIN, EVENT_TIMER)
		    ? control_listen()
		    : errno;
	if (error != 0) {
		control_undo(false);
		return error;
	}
	atomic_store_explicit(
	    &control.c_owner, this_process(), memory_order_release);
	return 0;
}

static int
control_fd(const char *path)
{
	if (!is_ours())
		return control_open(path);
	if (!listen_is_there())
		return EBADF;
	return path == NULL || strcmp(path, control.c_file.cf_path) == 0
		   ? 0
		   : EBUSY;
}

int
uma_control_fd(const char *path)
{
	int saved = errno, cancel, error;

	if (!uma_start()) {
		errno = ENOMEM;
		return -1;
	}
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	uma_lock_acquire(&control_lock);
	error = control_fd(path);
	int fd = control.c_set;
	uma_lock_release(&control_lock);
	pthread_setcancelstate(cancel, NULL);
	errno = error != 0 ? error : saved;
	return error != 0 ? -1 : fd;
}

void
uma_control_close(void)
{
	int saved = errno, cancel;

	if (serving) {
		control.c_close = true;
		return;
	}
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	enter();
	if (is_ours())
		control_close();
	leave();
	pthread_setcancelstate(cancel, NULL);
	errno = saved;
}

/* Entered; -1: in the child of a fork, and not entered any more. */
static int
event_handle(uint32_t what)
{
	if (what == EVENT_LISTEN)
		for (int i = 0; i < ACCEPTS && accept_one(); i++)
			;
	else if (what != 0 && what <= CLIENTS &&
		 control.c_client[what - 1] != NULL)
		return client_serve((int)what - 1);
	return 0;
}

static int
serve(void)
{
	struct epoll_event ev[EVENTS];
	int n = epoll_wait(control.c_set, ev, EVENTS, 0), requests = 0;

	for (int i = 0; i < n; i++) {
		int done = event_handle(ev[i].data.u32);

		if (done < 0)
			return done;
		requests += done;
	}
	look_at_time();
	if (control.c_close)
		control_close();
	return requests;
}

int
uma_control_handle(void)
{
	int saved = errno, cancel, requests = 0;

	if (serving || !is_ours())
		return 0;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	if (enter_try()) {
		if (is_ours() && listen_is_there())
			requests = serve();
		if (requests >= 0)
			leave();
	}
	pthread_setcancelstate(cancel, NULL);
	errno = saved;
	return uma_max(requests, 0);
}

int
control_descriptor(void)
{
	uma_lock_acquire(&control_lock);
	int fd = is_ours() && listen_is_there() ? control.c_set : -1;
	uma_lock_release(&control_lock);
	return fd;
}

void
control_path(char *path, size_t size)
{
	uma_lock_acquire(&control_lock);
	snprintf(path, size, "%s", is_ours() ? control.c_file.cf_path : "");
	uma_lock_release(&control_lock);
}

/*
 * A path of its own stays the parent's in a child, which has it only if that
 * exits, as that of a daemon does soon.
 */
void
control_offer(void)
{
	const char *path = uma_settings.set_control;
	bool child = path[0] == '/' && atomic_load(&control.c_forks) != 0;
	static _Atomic uint32_t never;
	int fd = -1;

	if (path[0] == '\0')
		return;
	for (int i = 0; i < (child ? OFFERS : 1); i++) {
		if (i > 0)
			uma_wait(&never, 0, SECOND_NS / OFFERS);
		fd = uma_control_fd(path[0] == '/' ? path : NULL);
		if (fd >= 0 || errno != EADDRINUSE)
			break;
	}
	if (fd < 0 && errno != ECANCELED && !(child && errno == EADDRINUSE))
		uma_message("uma: vm.uma.control: no socket, error %d", errno);
}

/* ---- forks, and the end ---- */

static void
inherited_close(void)
{
	if (!listen_is_there() || !set_has(control.c_listen))
		return;
	for (int i = 0; i < CLIENTS; i++)
		if (control.c_fd[i] >= 0 && set_has(control.c_fd[i]))
			close(control.c_fd[i]);
	if (set_has(control.c_timer))
		close(control.c_timer);
	close(control.c_listen);
	close(control.c_set);
}

void
control_fork_child(void)
{
	bool quiet = control.c_busy == 0;

	if (atomic_exchange(&control.c_owner, 0) != 0)
		inherited_close();
	control.c_set = control.c_listen = control.c_timer = -1;
	if (quiet)
		clients_forget();
	memset(control.c_client, 0, sizeof control.c_client);
	control.c_deaf = 0;
	control.c_close = false;
	atomic_fetch_add(&control.c_forks, 1);
	atomic_store(&control.c_busy, 0);
	serving = false;
}

static __attribute__((destructor)) void
control_end(void)
{
	uma_lock_acquire(&control_lock);
	control.c_ended = true;
	if (is_ours())
		control_file_remove(&control.c_file);
	uma_lock_release(&control_lock);
}
