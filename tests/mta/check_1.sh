#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The tests with real MTAs, the first half, as `make check` runs them.
exec sh "${top_srcdir:?is set by make check}/tests/mta/check.sh" \
	run.py --part 1/2
