#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Regular expressions beside the real procmail's, as `make check` asks for
# them; STRESS=long for many more, of other seeds too.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
command -v procmail >/dev/null || {
	echo "SKIP: procmail is not here"
	exit 77
}
ask() {
	"${PYTHON:-python3}" -B "$top_srcdir/tests/procmail/regex.py" \
		--answers "$top_builddir/tests/procmail/regex_answers" \
		--seed "$1" --questions "$2"
}
if [ "${STRESS:-short}" != long ]; then
	ask 1 4000
	exit
fi
seed=1
while [ $seed -le 10 ]; do
	ask $seed 12000 || exit 1
	seed=$((seed + 1))
done
