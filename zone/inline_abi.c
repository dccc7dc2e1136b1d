/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inline_abi.c - what objects that inline hits are linked to.  With the next
 * UMA_INLINE_ABI the function gets another name, and the old one goes.
 */
#define UMA_SEQ_MODULE_STAYS
#include <uma/inline.h>

int
uma_inline_abi_1(void)
{
	return UMA_INLINE_ABI;
}
