#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The wire tests as `make check` runs them.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
exec "${PYTHON:-python3}" -B "$top_srcdir/tests/wire/run.py" \
	--milterd "$top_builddir/milterd" --milterctl "$top_builddir/milterctl"
