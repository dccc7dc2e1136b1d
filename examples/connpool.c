/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connpool - a pool of connections with a limit, a warning and a sleeper.
 *
 * The zone's limit is the number of connections served at a time.  There, who
 * may not wait (M_NOWAIT) is refused, who may (M_WAITOK) sleeps until a free.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <uma.h>
#include <uma/stat.h>
#include <unistd.h>

#define CLIENTS 64

struct conn {
	int fd;
	char buffer[1020]; /* 1 KiB in all: four connections a page */
};

static uma_zone_t pool;
static pthread_t server[CLIENTS];
static int client[CLIENTS];

/* A connection owns its socket for as long as it is allocated. */
static int
conn_ctor(void *mem, int size, void *arg, int flags)
{
	(void)size, (void)flags;
	((struct conn *)mem)->fd = *(int *)arg;
	return 0;
}

static void
conn_dtor(void *mem, int size, void *arg)
{
	(void)size, (void)arg;
	close(((struct conn *)mem)->fd);
}

/* Send back what comes until the client hangs up. */
static void *
serve(void *arg)
{
	struct conn *c = arg;
	ssize_t len;

	do
		len = read(c->fd, c->buffer, sizeof c->buffer);
	while (len > 0 && write(c->fd, c->buffer, (size_t)len) == len);
	uma_zfree(pool, c);
	return NULL;
}

/* Connect client number n.  0: refused, and only with M_NOWAIT. */
static int
admit(int n, int flags)
{
	int pair[2];
	struct conn *c;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return 0;
	client[n] = pair[0];
	if ((c = uma_zalloc_arg(pool, &pair[1], flags)) != NULL)
		return pthread_create(&server[n], NULL, serve, c) == 0;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

/* Hang up on connection 0, once somebody is seen asleep at the limit. */
static void *
hang_up(void *arg)
{
	struct uma_zone_stat st = {.size = sizeof st};

	while (uma_zone_stat(pool, &st) == 0 && st.sleeps == 0)
		usleep(1000);
	close(client[0]);
	return arg;
}

int
main(void)
{
	struct uma_zone_stat st = {.size = sizeof st};
	pthread_t helper;
	int n = 0, answers = 0;
	char byte = '?';

	pool = uma_zcreate("conn", sizeof(struct conn), conn_ctor, conn_dtor,
	    NULL, NULL, UMA_ALIGN_INT, 0);
	uma_zone_set_warning(pool, "too many connections");
	printf("asked for 6, limit is %d\n", uma_zone_set_max(pool, 6));
	while (n + 1 < CLIENTS && admit(n, M_NOWAIT))
		n++;
	printf("%d connections, the next was refused\n", n);

	pthread_create(&helper, NULL, hang_up, NULL);
	admit(n, M_WAITOK);
	pthread_join(helper, NULL);
	printf("one hung up, the next is in\n");

	for (int i = 1; i <= n; i++) {
		if (write(client[i], "!", 1) == 1 &&
		    read(client[i], &byte, 1) == 1 && byte == '!')
			answers++;
		close(client[i]);
	}
	for (int i = 0; i <= n; i++)
		pthread_join(server[i], NULL);
	uma_zone_stat(pool, &st);
	printf("%d answers; refused %d, slept %d, open %d\n", answers,
	    (int)st.fails, (int)st.sleeps, (int)st.used);
	uma_zdestroy(pool);
	return 0;
}
