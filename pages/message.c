/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message.c - lines of text for the user, from any state that the library may
 * be in: no allocation, no lock, no cancellation point, errno kept.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uma_int.h"

enum { LINE_MAX_LEN = 512, SINK_RING = 8, SINK_TRIES = 100 };

/*
 * The sink is a pair that must be read whole, also by a child whose parent was
 * forked in the middle of a change.  So a change takes the next place of a ring
 * and publishes it when it is filled; readers use the place published last,
 * and read again if the ring has come round meanwhile.
 */
typedef void (*sink_fn)(void *arg, const char *line, size_t len);
static struct {
	_Atomic sink_fn fn;
	void *_Atomic arg;
} sink_ring[SINK_RING];
static _Atomic uint64_t sink_taken; /* places handed to writers */
static _Atomic uint64_t sink_published; /* the place that counts */
static _Atomic bool muted;

void
uma_message_sink(
    void (*sink)(void *arg, const char *line, size_t len), void *arg)
{
	/* Before the stores below: sink_read() looks at it after its loads. */
	uint64_t mine = atomic_fetch_add(&sink_taken, 1) + 1;
	uint64_t last = atomic_load(&sink_published);

	atomic_store(&sink_ring[mine % SINK_RING].fn, sink);
	atomic_store(&sink_ring[mine % SINK_RING].arg, arg);
	/* A later change that was faster stands; ours came before it. */
	while (last < mine &&
	       !atomic_compare_exchange_weak(&sink_published, &last, mine))
		;
}

void
uma_message_mute(bool mute)
{
	atomic_store_explicit(&muted, mute, memory_order_relaxed);
}

static sink_fn
sink_read(void **arg)
{
	for (int i = 0; i < SINK_TRIES; i++) {
		uint64_t at = atomic_load(&sink_published);
		sink_fn fn = atomic_load(&sink_ring[at % SINK_RING].fn);

		*arg = atomic_load(&sink_ring[at % SINK_RING].arg);
		if (atomic_load(&sink_taken) - at < SINK_RING)
			return fn;
	}
	return NULL; /* a storm of changes: descriptor 2 is never wrong */
}

/* By syscall(), since write() is a cancellation point. */
static void
write_all(const char *line, size_t len)
{
	while (len > 0) {
		long n = syscall(SYS_write, 2, line, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		line += n;
		len -= (size_t)n;
	}
}

/*
 * Format into line, LINE_MAX_LEN bytes; the text is cut where it is too long
 * and always ends in one newline.  Returns the length.
 */
static size_t UMA_PRINTF(3, 0)
    line_format(char *line, const char *prefix, const char *fmt, va_list ap)
{
	size_t len = strlen(prefix);

	memcpy(line, prefix, len);
	int n = vsnprintf(line + len, LINE_MAX_LEN - len, fmt, ap);

	if (n > 0)
		len = uma_min(len + (size_t)n, (size_t)LINE_MAX_LEN - 1);
	while (len > 0 && line[len - 1] == '\n')
		len--;
	len = uma_min(len, (size_t)LINE_MAX_LEN - 2);
	line[len++] = '\n';
	line[len] = '\0';
	return len;
}

void
uma_fatal(const char *fmt, ...)
{
	char line[LINE_MAX_LEN];
	va_list ap;

	va_start(ap, fmt);
	write_all(line, line_format(line, "uma: ", fmt, ap));
	va_end(ap);
	abort();
}

void
uma_message(const char *fmt, ...)
{
	char line[LINE_MAX_LEN];
	int saved = errno;
	void *arg = NULL;
	va_list ap;

	va_start(ap, fmt);
	size_t len = line_format(line, "", fmt, ap);
	va_end(ap);

	sink_fn sink = sink_read(&arg);
	if (sink != NULL)
		sink(arg, line, len);
	else if (!atomic_load_explicit(&muted, memory_order_relaxed))
		write_all(line, len);
	errno = saved;
}

char *
uma_escape(char *dst, size_t size, const char *src)
{
	static const char hex[] = "0123456789abcdef";
	char *to = dst, *end = dst + size;

	if (size == 0)
		return dst;
	for (; *src != '\0'; src++) {
		unsigned char c = (unsigned char)*src;
		bool control = c < 0x20 || c == 0x7f;
		int need = control ? 4 : c == '\\' ? 2 : 1;

		if (end - to <= need)
			break; /* an escape is whole or not there */
		if (control) {
			*to++ = '\\';
			*to++ = 'x';
			*to++ = hex[c >> 4];
			*to++ = hex[c & 15];
			continue;
		}
		if (c == '\\')
			*to++ = '\\';
		*to++ = (char)c;
	}
	*to = '\0';
	return dst;
}
