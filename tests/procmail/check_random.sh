#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Rc files made by chance beside the real procmail, the same ones each time;
# more of them with STRESS=long.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
command -v procmail >/dev/null || {
	echo "SKIP: procmail is not here"
	exit 77
}
count=200
[ "${STRESS:-}" = long ] && count=5000
exec "${PYTHON:-python3}" -B "$top_srcdir/tests/procmail/random_recipes.py" \
	--answers "$top_builddir/tests/procmail/recipe_answers" --count "$count"
