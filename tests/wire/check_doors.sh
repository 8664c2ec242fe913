#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The tests of the other doors as `make check` runs them.
exec sh "${top_srcdir:?is set by make check}/tests/wire/check.sh" doors.py
