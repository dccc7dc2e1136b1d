#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# total.sh FILE... - add up files of one line, "N passed, N failed".  A file
# that is not there stands for something that broke down: one failure.

passed=0
failed=0
for f in "$@"; do
	if read -r p _ q _ <"$f"; then
		passed=$((passed + p))
		failed=$((failed + q))
	else
		failed=$((failed + 1))
	fi
done 2>/dev/null
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
