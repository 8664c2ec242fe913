#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The tests with a real Dovecot as `make check` runs them.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
skip() {
	echo "SKIP: $1"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root"
for program in /usr/sbin/dovecot /usr/lib/dovecot/pop3 /usr/lib/dovecot/imap; do
	[ -x $program ] || skip "$program is not here"
done
exec "${PYTHON:-python3}" -B "$top_srcdir/tests/dovecot/run.py" \
	--milterd "$top_builddir/milterd" --milterctl "$top_builddir/milterctl"
