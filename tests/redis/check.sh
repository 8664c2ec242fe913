#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The client of Redis, as `make check` tests it.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
exec "${PYTHON:-python3}" -B "$top_srcdir/tests/redis/run.py"
