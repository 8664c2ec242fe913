#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Decoded mail beside Python's email package, as `make check` runs it.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
exec "${PYTHON:-python3}" -B "$top_srcdir/tests/parity/decoding.py" \
	--helper "$top_builddir/tests/parity/decode"
