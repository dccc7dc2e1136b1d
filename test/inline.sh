#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# inline.sh STAGE_PREFIX BUILD_DIR: programs that include uma/inline.h, as it is
# installed below STAGE_PREFIX, are compiled, linked, run, and refused by
# libraries of another UMA_INLINE_ABI.  Scratch files go to BUILD_DIR/inline.
#
# Lists of flags are words on purpose.
# shellcheck disable=SC2046,SC2086,SC2317

set -u
[ $# -eq 2 ] || exit 2
stage=$(cd "$1" && pwd) || exit 2
rm -rf "$2/inline" && mkdir -p "$2/inline/stub" || exit 2
cd "$2/inline" || exit 2
cc=${CC:-cc}
lib=$(PKG_CONFIG_PATH=$stage/lib/pkgconfig \
	pkg-config --variable=libdir libuma) || exit 2
inc=-I$stage/include

checks=0
failures=0
# is SENTENCE COMMAND...: one check.
is() {
	sentence=$1
	shift
	checks=$((checks + 1))
	if "$@" >out 2>&1; then
		echo "ok: $sentence"
	else
		failures=$((failures + 1))
		echo "FAILED: $sentence: $*"
		cat out
	fi
}
has() {
	command -v "$1" >/dev/null 2>&1
}

# Inline functions of C++ are compiled in both files and linked once.
cat >user.h <<'EOF'
#include <uma/inline.h>
#include <uma/inline.h>
#include <uma/stat.h>

#ifdef __cplusplus
inline
#else
static
#endif
int
use(uma_zone_t zone)
{
	void *a = uma_zalloc(zone, M_NOWAIT);
	void *b = uma_zalloc_arg(zone, NULL, M_NOWAIT | M_ZERO);
	void *c = (uma_zalloc)(zone, M_WAITOK);

	if (a == NULL || b == NULL || c == NULL)
		return 1;
	(uma_zfree)(zone, a);
	uma_zfree(zone, b);
	uma_zfree_arg(zone, c, NULL);
	return 0;
}
EOF
cat >other.c <<'EOF'
#include "user.h"

int other(uma_zone_t zone);

int
other(uma_zone_t zone)
{
	return use(zone);
}
EOF
cat >user.c <<'EOF'
#include "user.h"

int other(uma_zone_t zone);

int
main(void)
{
	struct uma_zone_stat st;
	uma_zone_t zone = uma_zcreate("user", 64, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, 0);

	st.size = sizeof st;
	for (int i = 0; i < 1000; i++)
		if (use(zone) != 0 || other(zone) != 0)
			return 1;
	if (uma_zone_stat(zone, &st) != 0 || st.allocs != 6000 ||
	    st.used != 0)
		return 2;
	uma_zdestroy(zone);
	return 0;
}
EOF
# What includes the header and calls nothing wants the symbol all the same.
echo '#include <uma/inline.h>
int main(void) { return 0; }' >idle.c

# build COMPILER LANGUAGE FLAGS OUT LIBRARIES...
build() {
	compile="$1 -x $2 $3 -Wall -Wextra -Werror -pedantic $inc -c"
	link="$1 $3 -o $4"
	shift 4
	$compile -o user.o user.c && $compile -o other.o other.c &&
		$link user.o other.o "$@" -pthread
}
# with COMPILER LANGUAGE FLAGS: with the archive and the shared library; run.
with() {
	is "$*, archive" build "$@" user-a "$lib/libuma.a"
	is "it runs" ./user-a
	is "$*, shared" build "$@" user-s -L"$lib" -luma
	is "it runs" env LD_LIBRARY_PATH="$lib" ./user-s
}
for compiler in "$cc" clang; do
	has "$compiler" || continue
	with "$compiler" c "-std=c11 -O2"
	with "$compiler" c "-std=c17 -O0 -fno-inline"
	with "$compiler" c "-std=c11 -O2 -fPIC"
	with "$compiler" c "-std=c11 -Os -fPIE"
	with "$compiler" c++ "-std=c++17 -O2 -fno-inline"
done

# ---- other libraries ----

if ! echo '#include <uma/seq.h>
#if !UMA_HAVE_SEQ
#error
#endif' | $cc $inc -x c -fsyntax-only - 2>/dev/null; then
	echo "skipped: refusals: no restartable sequences here"
else
	sed 's/uma_inline_abi_1/uma_inline_abi_2/g' >stub.c <<'EOF'
#define STUB(name) int name(void); int name(void) { return 0; }
STUB(uma_inline_abi_1) STUB(uma_zcreate) STUB(uma_zdestroy) STUB(uma_zone_stat)
STUB(uma_zalloc) STUB(uma_zalloc_arg) STUB(uma_zfree) STUB(uma_zfree_arg)
EOF
	echo 'UMA_0.1 { global: uma_*; local: *; };' >stub.map
	is "a library of another version" $cc -shared -fPIC -o stub/libuma.so.0 \
		stub.c -Wl,-soname,libuma.so.0 -Wl,--version-script=stub.map
	ln -sf libuma.so.0 stub/libuma.so
	$cc -c -o stub.o stub.c && ar rcs stub/libuma.a stub.o
	# refused COMMAND...: fails, and says for want of which symbol.
	refused() {
		"$@" >refusal 2>&1 && return 1
		grep 'undefined.*uma_inline_abi_1' refusal
	}
	for o in "-O0" "-O2" "-O2 -fno-pie -no-pie" \
		"-O2 -ffunction-sections -fdata-sections -Wl,--gc-sections" \
		"-O2 -flto"; do
		for p in idle user; do
			[ $p = user ] && more=other.c || more=
			is "$o: $p is not linked to that" refused $cc $o $inc \
				-o no $p.c $more -Lstub -luma
			is "$o: nor to its archive" refused $cc $o $inc \
				-o no $p.c $more stub/libuma.a
			is "$o: $p is linked to this" $cc $o $inc -o $p \
				$p.c $more -L"$lib" -luma
			is "$o: it runs" env LD_LIBRARY_PATH="$lib" ./$p
			is "$o: it is not loaded with that" refused \
				env LD_LIBRARY_PATH=stub ./$p
		done
	done
fi

echo "$(((checks - failures) * 100 / checks))%: Checks: $checks," \
	"Failures: $failures, Errors: 0"
[ "$failures" -eq 0 ]
