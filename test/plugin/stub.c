/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stub.c - a library of the same name, in which there is what the modules need
 * to be loaded, apart from the symbol of this UMA_INLINE_ABI.
 */
#define STUB(name)                                              \
	__attribute__((visibility("default"))) void name(void); \
	void name(void)                                         \
	{                                                       \
	}

STUB(uma_percpu_mode)
STUB(uma_zdestroy)
STUB(uma_zone_stat)
