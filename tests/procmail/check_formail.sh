#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# milterd's formail beside the real one, as `make check` asks; STRESS=long for
# many more questions.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
command -v formail >/dev/null || {
	echo "SKIP: formail is not here"
	exit 77
}
questions=400
[ "${STRESS:-short}" = long ] && questions=20000
exec "${PYTHON:-python3}" -B "$top_srcdir/tests/procmail/formail.py" \
	--answers "$top_builddir/tests/procmail/formail_answers" \
	--questions $questions
