#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Files of patterns beside the real Postfix, as `make check` runs it.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
skip() {
	echo "SKIP: $1"
	exit 77
}
command -v postmap >/dev/null || skip "postmap is not here"
postconf -m 2>/dev/null | grep -qx pcre || skip "postfix-pcre is not here"
exec "${PYTHON:-python3}" -B "$top_srcdir/tests/parity/patterns.py" \
	--helper "$top_builddir/tests/parity/patterns"
