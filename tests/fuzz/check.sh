#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A few seconds of each fuzz target, as `make check` runs them.
: "${top_srcdir:?is set by make check}"
skip() {
	echo "SKIP: $1"
	exit 77
}
command -v "${CLANG:-clang}" >/dev/null || skip "no clang here"
echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' >fuzz-probe.c
"${CLANG:-clang}" -fsanitize=fuzzer,address fuzz-probe.c -o fuzz-probe \
	2>/dev/null || skip "clang has no libFuzzer here"
rm -f fuzz-probe.c fuzz-probe
exec sh "$top_srcdir/tests/fuzz/run.sh" -s "${FUZZ_SECONDS:-2}"
