#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The very short form of the measurements, as `make check` runs it.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
skip() {
	echo "SKIP: $1"
	exit 77
}
[ -z "${SANITIZER:-}" ] || skip "a sanitizer's instructions are not milterd's"
for tool in dnsmasq strace valgrind callgrind_control; do
	command -v $tool >/dev/null || skip "$tool is not here"
done
exec "${PYTHON:-python3}" -B "$top_srcdir/tests/bench/smoke.py" \
	--build "$top_builddir"
