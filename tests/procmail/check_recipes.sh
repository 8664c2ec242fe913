#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Whole rc files beside the real procmail, as `make check` asks for them.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
command -v procmail >/dev/null || {
	echo "SKIP: procmail is not here"
	exit 77
}
exec "${PYTHON:-python3}" -B "$top_srcdir/tests/procmail/recipes.py" \
	--answers "$top_builddir/tests/procmail/recipe_answers"
