#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Nets in the access map beside Python's ipaddress, as `make check` runs it.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
exec "${PYTHON:-python3}" -B "$top_srcdir/tests/parity/nets.py" \
	--milterctl "$top_builddir/milterctl"
