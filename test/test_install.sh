#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# test_install.sh - install into a stage, use the library as a stranger would,
# uninstall, find nothing left.  Called by suite.sh; CC, MAKE, O are set.
# shellcheck disable=SC2016,SC2046,SC2086

CC=${CC:-cc}
MAKE=${MAKE:-make}
top=$(cd "$O" && pwd)/install-test
rm -rf "$top"
mkdir -p "$top"

checks=0
failures=0
# is SENTENCE COMMAND...: one check.
is() {
	sentence=$1
	shift
	checks=$((checks + 1))
	if "$@" >"$top/out" 2>&1; then
		echo "ok: $sentence"
	else
		failures=$((failures + 1))
		echo "FAILED: $sentence: $*"
		cat "$top/out"
	fi
}

cat >"$top/user.c" <<'EOF'
#include <uma.h>
#include <uma/stat.h>
#include <string.h>

int
main(void)
{
	struct uma_zone_stat st = {.size = sizeof st};
	uma_zone_t zone = uma_zcreate("user", 100, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, 0);
	void *item = uma_zalloc(zone, M_WAITOK | M_ZERO);

	if (item == NULL || uma_version() != UMA_VERSION)
		return 1;
	if (uma_zone_stat(zone, &st) != 0 || st.used != 1)
		return 2;
	uma_zfree(zone, item);
	uma_zdestroy(zone);
	return strcmp(st.name, "user") == 0 ? 0 : 3;
}
EOF
echo '#include <stdlib.h>
int main(void) { return 0; }' >"$top/empty.c"

make_() {
	$MAKE --no-print-directory DEPS=no "$@"
}
# pc STAGE FLAG...: pkg-config for the library below STAGE/usr.
pc() {
	stage=$1
	shift
	PKG_CONFIG_PATH=$stage/usr/lib/pkgconfig pkg-config "$@" libuma
}
# compile STAGE OUT PC-FLAGS CC-FLAGS...: the user's program.
compile() {
	stage=$1 out=$2 pcflags=$3
	shift 3
	$CC -std=c11 -Wall -Wextra -Werror -pedantic "$@" -o "$out" \
		"$top/user.c" $(pc "$stage" $pcflags --cflags --libs)
}
needed() {
	readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}
only_libc_and_libnuma() {
	needed "$1"
	! needed "$1" | grep -vE '^(libc\.|libnuma\.|ld-)'
}
left_behind() {
	find "$1" ! -type d | grep . && return 1
	! find "$1" -depth -type d -name '*uma*' | grep .
}
so_name() {
	readelf -d "$1" | grep -q 'SONAME.*\[libuma\.so\.0\]'
}
stays_loaded() {
	readelf -d "$1" | grep -q NODELETE
}
executable_stack() {
	readelf -lW "$1" | grep GNU_STACK | grep -q RWE
}

# A prefix of its own: what a person with an own directory does.
p=$top/prefix
is "make install PREFIX=" make_ install PREFIX="$p/usr"
lib=$p/usr/lib
is "the library has its name" so_name "$lib/libuma.so"
is "the library stays loaded once it is" stays_loaded "$lib/libuma.so"
is "the library needs only libc and libnuma" \
	only_libc_and_libnuma "$lib/libuma.so"
is "no stack becomes executable" eval '! executable_stack "$lib/libuma.so"'
is "the version is the header's" test \
	"$(pc "$p" --modversion)" = "$(sed -n \
	's/.*UMA_VERSION_STRING "\(.*\)"/\1/p' include/uma.h)"
is "a program compiles" compile "$p" "$top/dynamic" ""
is "it is linked to the library" eval \
	'needed "$top/dynamic" | grep -qx libuma.so.0'
is "it runs" env LD_LIBRARY_PATH="$lib" "$top/dynamic"
is "a program links to the archive" $CC -o "$top/archive" "$top/user.c" \
	$(pc "$p" --cflags) "$lib/libuma.a" $(pc "$p" --static --libs-only-other)
is "it runs" "$top/archive"
if $CC -static -o "$top/empty" "$top/empty.c" -lnuma 2>/dev/null; then
	is "a static program compiles" compile "$p" "$top/static" \
		"--static" -static
	is "it runs" "$top/static"
else
	echo "skipped: no static libc and libnuma here"
fi
is "the tour is a page" test -f "$p/usr/share/man/man3/uma.3"
is "the licence is there" test -f "$p/usr/share/doc/libuma/LICENSE"
is "make uninstall PREFIX=" make_ uninstall PREFIX="$p/usr"
is "nothing is left" left_behind "$p"

# A root of its own: what a packager does.  The paths inside stay the real ones.
d=$top/dest
lib=/usr/lib/any-linux-gnu
where="DESTDIR=$d PREFIX=/usr LIBDIR=$lib MANDIR=/usr/man"
is "make install DESTDIR=" make_ install $where
is "LIBDIR is where the library is" test -f "$d$lib/libuma.so.0"
is "MANDIR is where the manual is" test -f "$d/usr/man/man3/uma.3"
is "libuma.pc knows nothing of DESTDIR" eval \
	'! grep -F "$d" "$d$lib/pkgconfig/libuma.pc"'
is "libuma.pc knows LIBDIR" grep -qx "libdir=\${prefix}/lib/any-linux-gnu" \
	"$d$lib/pkgconfig/libuma.pc"
is "installing again is harmless" make_ install $where
is "make uninstall DESTDIR=" make_ uninstall $where
is "nothing is left" left_behind "$d"

echo "$(((checks - failures) * 100 / checks))%: Checks: $checks," \
	"Failures: $failures, Errors: 0"
[ "$failures" -eq 0 ] && rm -rf "$top"
[ "$failures" -eq 0 ]
