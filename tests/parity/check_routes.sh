#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Where recipients lead, as `make check` asks it.
: "${top_srcdir:?is set by make check}"
parity_test=routes.py
export parity_test
exec sh "$top_srcdir/tests/parity/check.sh"
