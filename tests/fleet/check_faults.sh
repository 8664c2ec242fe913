#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Redis in trouble under a load of mail, where the tests of tests/mta can run.
for tool in redis-server redis-sentinel redis-cli faketime; do
	command -v $tool >/dev/null || {
		echo "SKIP: $tool is not here"
		exit 77
	}
done
exec sh "${top_srcdir:?is set by make check}/tests/mta/check.sh" \
	../fleet/faults.py
