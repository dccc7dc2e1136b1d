/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys/queue.h - the C library's, with FreeBSD's walks that allow the element at
 * hand to be removed.
 */
#ifndef UMA_OVERLAY_SYS_QUEUE_H
#define UMA_OVERLAY_SYS_QUEUE_H
#pragma GCC system_header /* #include_next */

#include_next <sys/queue.h>

/* The next one is read before the body runs, which may remove this one. */
#define uma_queue_walk(var, first, next, step)                       \
	for ((var) = (first); (var) != NULL && ((next) = (step), 1); \
	     (var) = (next))

#ifndef SLIST_FOREACH_SAFE
#define SLIST_FOREACH_SAFE(var, head, field, next) \
	uma_queue_walk(var, SLIST_FIRST(head), next, SLIST_NEXT(var, field))
#endif
#ifndef STAILQ_FOREACH_SAFE
#define STAILQ_FOREACH_SAFE(var, head, field, next) \
	uma_queue_walk(var, STAILQ_FIRST(head), next, STAILQ_NEXT(var, field))
#endif
#ifndef LIST_FOREACH_SAFE
#define LIST_FOREACH_SAFE(var, head, field, next) \
	uma_queue_walk(var, LIST_FIRST(head), next, LIST_NEXT(var, field))
#endif
#ifndef TAILQ_FOREACH_SAFE
#define TAILQ_FOREACH_SAFE(var, head, field, next) \
	uma_queue_walk(var, TAILQ_FIRST(head), next, TAILQ_NEXT(var, field))
#endif
#ifndef TAILQ_FOREACH_REVERSE_SAFE
#define TAILQ_FOREACH_REVERSE_SAFE(var, head, type, field, next) \
	uma_queue_walk(                                          \
	    var, TAILQ_LAST(head, type), next, TAILQ_PREV(var, type, field))
#endif

#endif
