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

/* Numbers of size bytes.  Others may read one while it is set. */
static uint64_t
number_load(const void *at, size_t size)
{
	switch (size) {
	case sizeof(uint8_t):
		return __atomic_load_n((const uint8_t *)at, __ATOMIC_RELAXED);
	case sizeof(uint16_t):
		return __atomic_load_n((const uint16_t *)at, __ATOMIC_RELAXED);
	case sizeof(uint32_t):
		return __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED);
	default:
		return __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED);
	}
}

static void
number_store(void *at, uint64_t v, size_t size)
{
	switch (size) {
	case sizeof(uint8_t):
		__atomic_store_n((uint8_t *)at, (uint8_t)v, __ATOMIC_RELAXED);
		break;
	case sizeof(uint16_t):
		__atomic_store_n((uint16_t *)at, (uint16_t)v, __ATOMIC_RELAXED);
		break;
	case sizeof(uint32_t):
		__atomic_store_n((uint32_t *)at, (uint32_t)v, __ATOMIC_RELAXED);
		break;
	default:
		__atomic_store_n((uint64_t *)at, v, __ATOMIC_RELAXED);
	}
}

static int
handle_number(void *at, intmax_t value, size_t size, struct sysctl_req *req)
{
	uint64_t v = at != NULL ? number_load(at, size) : (uint64_t)value;
	int error = uma_sysctl_out(req, &v, size);

	if (error != 0 || req->newptr == NULL)
		return error;
	if (at == NULL)
		return EPERM;
	if (req->newlen != size)
		return EINVAL;
	(void)uma_sysctl_in(req, &v, size);
	number_store(at, v, size);
	return 0;
}

int
uma_sysctl_handle_bool(SYSCTL_HANDLER_ARGS)
{
	uint8_t v = arg1 != NULL ? (uint8_t)number_load(arg1, 1) : arg2 != 0;
	int error = handle_number(&v, 0, 1, req);

	(void)oidp;
	if (error != 0 || req->newptr == NULL)
		return error;
	if (arg1 == NULL)
		return EPERM;
	number_store(arg1, v != 0, 1);
	return 0;
}

int
uma_sysctl_handle_8(SYSCTL_HANDLER_ARGS)
{
	(void)oidp;
	return handle_number(arg1, arg2, sizeof(uint8_t), req);
}

int
uma_sysctl_handle_16(SYSCTL_HANDLER_ARGS)
{
	(void)oidp;
	return handle_number(arg1, arg2, sizeof(uint16_t), req);
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

static int
handle_string(char *text, size_t size, struct sysctl_req *req)
{
	size_t len = size > 0 ? strnlen(text, size - 1) : strlen(text);
	int error = uma_sysctl_out(req, text, len);

	if (error == 0)
		error = uma_sysctl_out(req, "", 1);
	if (error != 0 || req->newptr == NULL)
		return error;
	if (size == 0)
		return EPERM;
	if (req->newlen >= size)
		return EINVAL;
	len = req->newlen;
	error = uma_sysctl_in(req, text, len);
	text[len] = '\0';
	return error;
}

/* What is longer than a word is read and set under the lock: it is whole. */
int
uma_sysctl_handle_string(SYSCTL_HANDLER_ARGS)
{
	static char none[] = "";
	size_t size = arg1 != NULL && arg2 > 0 ? (size_t)arg2 : 0;

	(void)oidp;
	uma_lock_acquire(&oid_lock);
	int error = handle_string(arg1 != NULL ? arg1 : none, size, req);
	uma_lock_release(&oid_lock);
	return error;
}

int
uma_sysctl_handle_opaque(SYSCTL_HANDLER_ARGS)
{
	(void)oidp;
	uma_lock_acquire(&oid_lock);
	int error = uma_sysctl_out(req, arg1, (size_t)arg2);
	if (error == 0 && req->newptr != NULL)
		error = req->newlen != (size_t)arg2
			    ? EINVAL
			    : uma_sysctl_in(req, arg1, (size_t)arg2);
	uma_lock_release(&oid_lock);
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
