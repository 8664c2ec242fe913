#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The stress tests without an MTA, as `make check` runs them; with STRESS=long
# those of `make stress`.
exec sh "${top_srcdir:?is set by make check}/tests/wire/check.sh" \
	../stress/run.py
