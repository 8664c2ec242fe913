#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The tests of the other doors as `make check` runs them.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
exec "${PYTHON:-python3}" -B "$top_srcdir/tests/wire/doors.py" \
	--milterd "$top_builddir/milterd" --milterctl "$top_builddir/milterctl"
