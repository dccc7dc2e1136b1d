/* SPDX-License-Identifier: BSD-2-Clause */
/* placeholder of the branch, replaced before main */
int
main(void)
{
	return 0;
}
