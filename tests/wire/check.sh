#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The wire tests as `make check` runs them: check.sh [PROGRAM], run.py unless
# told. Built with ThreadSanitizer, its reports are judged by races.py.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
python=${PYTHON:-python3}
if [ "${SANITIZER:-}" = thread ]; then
	reports=$(mktemp -d) || exit 1
	export TSAN_OPTIONS="${TSAN_OPTIONS:-} exitcode=0 \
		report_thread_leaks=0 log_path=$reports/tsan"
fi
"$python" -B "$top_srcdir/tests/wire/${1:-run.py}" \
	--milterd "$top_builddir/milterd" --milterctl "$top_builddir/milterctl"
status=$?
if [ "${SANITIZER:-}" = thread ]; then
	"$python" -B "$top_srcdir/tests/wire/races.py" "$reports" || status=1
	rm -r "$reports"
fi
exit $status
