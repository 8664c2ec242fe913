#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# sendmail with its maps at milterd's socketmap door, as `make check` asks it.
: "${top_srcdir:?is set by make check}"
parity_test=tables.py
export parity_test
exec sh "$top_srcdir/tests/parity/check.sh"
