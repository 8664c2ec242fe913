#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Maps in Redis on two nodes, as `make check` tests them.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
exec "${PYTHON:-python3}" -B "$top_srcdir/tests/fleet/run.py"
