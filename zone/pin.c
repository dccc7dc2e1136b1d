/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pin.c - the module that contains the library stays loaded once it has zones.
 *
 * A thread's rseq area keeps the address of the last sequence's descriptor, and
 * the kernel reads it whenever it interrupts the thread: were it unmapped, the
 * thread would die.  libuma.so and programs are never unloaded; a plugin with
 * the archive inside is, unless it asks the dynamic loader not to be.
 *
 * That is the one place where the C library may call malloc on our behalf: the
 * loader has no other door.  It is passed at most once, before the first zone
 * and without any lock held, and never where we might be malloc ourselves,
 * which takes a program or a shared object linked with -z nodelete.
 */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>

#include "zone_int.h"

/*
 * Absent in static programs, and in those that do without libdl.  dlopen is
 * looked up, since static linkers warn of its mere name.
 */
#pragma weak _DYNAMIC
#pragma weak dladdr
#pragma weak dlsym

/* Does the dynamic section say so, or that this is a program? */
static bool
module_stays(void)
{
	const ElfW(Dyn) *d = _DYNAMIC;

	if (d == NULL)
		return true;
	for (; d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_DEBUG ||
		    (d->d_tag == DT_FLAGS_1 && (d->d_un.d_val & DF_1_NODELETE)))
			return true;
	return false;
}

static bool
module_reopen(void)
{
	static const char inside; /* an address of ours */
	void *(*open)(const char *, int);
	Dl_info self;

	if (dladdr == NULL || dlsym == NULL || dladdr(&inside, &self) == 0)
		return true;
	open = (void *(*)(const char *, int))dlsym(RTLD_DEFAULT, "dlopen");
	return open == NULL || open(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD |
							RTLD_NODELETE) != NULL;
}

bool
module_pin(void)
{
	static _Atomic bool pinned;
	int saved = errno;

	if (!atomic_exchange(&pinned, true) && !module_stays())
		atomic_store(&pinned, module_reopen());
	errno = saved;
	return atomic_load(&pinned);
}
