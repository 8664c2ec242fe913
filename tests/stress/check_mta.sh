#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The stress tests with real MTAs, where those of tests/mta can run.
exec sh "${top_srcdir:?is set by make check}/tests/mta/check.sh" \
	../stress/stress_mta.py
