/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oid_handle.c - the handlers that nodes of the program's may have, and what
 * handlers are written with.
 */
#include <errno.h>
#include <string.h>

#include "sysctl_int.h"

int
uma_sysctl_out(struct sysctl_req *req, const void *p, size_t size)
{
	size_t room = req->oldidx < req->oldlen ? req->oldlen - req->oldidx : 0;

	req->oldidx += size;
	if (req->oldptr == NULL)
		return 0;
	memcpy(
	    (char *)req->oldptr + (req->oldidx - size), p, uma_min(size, room));
	return room < size ? ENOMEM : 0;
}

int
uma_sysctl_in(struct sysctl_req *req, void *p, size_t size)
{
	if (req->newptr == NULL)
		return 0;
	if (req->newlen - req->newidx < size)
		return EINVAL;
	memcpy(p, (const char *)req->newptr + req->newidx, size);
	req->newidx += size;
	return 0;
}

/* A number of size bytes.  Others may read it while it is set. */
static int
handle_number(void *at, intmax_t value, size_t size, struct sysctl_req *req)
{
	uint64_t v = (uint64_t)value;

	if (at != NULL && size == sizeof(uint32_t))
		v = __atomic_load_n((uint32_t *)at, __ATOMIC_RELAXED);
	else if (at != NULL)
		v = __atomic_load_n((uint64_t *)at, __ATOMIC_RELAXED);
	int error = uma_sysctl_out(req, &v, size);
	if (error != 0 || req->newptr == NULL)
		return error;
	if (at == NULL)
		return EPERM;
	if (req->newlen != size)
		return EINVAL;
	(void)uma_sysctl_in(req, &v, size);
	if (size == sizeof(uint32_t))
		__atomic_store_n((uint32_t *)at, (uint32_t)v, __ATOMIC_RELAXED);
	else
		__atomic_store_n((uint64_t *)at, v, __ATOMIC_RELAXED);
	return 0;
}

int
uma_sysctl_handle_int(SYSCTL_HANDLER_ARGS)
{
	(void)oidp;
	return handle_number(arg1, arg2, sizeof(int), req);
}

int
uma_sysctl_handle_64(SYSCTL_HANDLER_ARGS)
{
	(void)oidp;
	return handle_number(arg1, arg2, sizeof(uint64_t), req);
}

int
uma_sysctl_handle_string(SYSCTL_HANDLER_ARGS)
{
	const char *text = arg1 != NULL ? arg1 : "";
	size_t size = arg2 > 0 ? (size_t)arg2 : 0; /* 0: it is constant */
	size_t len = size > 0 ? strnlen(text, size - 1) : strlen(text);
	int error = uma_sysctl_out(req, text, len);

	(void)oidp;
	if (error == 0)
		error = uma_sysctl_out(req, "", 1);
	if (error != 0 || req->newptr == NULL)
		return error;
	if (arg1 == NULL || size == 0)
		return EPERM;
	if (req->newlen >= size)
		return EINVAL;
	len = req->newlen;
	error = uma_sysctl_in(req, arg1, len);
	((char *)arg1)[len] = '\0';
	return error;
}

int
uma_sysctl_handle_zone_max(SYSCTL_HANDLER_ARGS)
{
	uma_zone_t zone = __atomic_load_n((uma_zone_t *)arg1, __ATOMIC_ACQUIRE);
	int max = zone != NULL ? uma_zone_get_max(zone) : 0;
	int error = uma_sysctl_out(req, &max, sizeof max);

	(void)oidp, (void)arg2;
	if (error != 0 || req->newptr == NULL)
		return error;
	if (zone == NULL)
		return ENXIO;
	if (req->newlen != sizeof max)
		return EINVAL;
	(void)uma_sysctl_in(req, &max, sizeof max);
	if (max < 0)
		return EINVAL;
	(void)uma_zone_set_max(zone, max);
	return 0;
}

int
uma_sysctl_handle_zone_cur(SYSCTL_HANDLER_ARGS)
{
	uma_zone_t zone = __atomic_load_n((uma_zone_t *)arg1, __ATOMIC_ACQUIRE);
	int cur = zone != NULL ? uma_zone_get_cur(zone) : 0;

	(void)oidp, (void)arg2;
	if (req->newptr != NULL)
		return EPERM;
	return uma_sysctl_out(req, &cur, sizeof cur);
}
