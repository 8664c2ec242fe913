#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Mails answered by the real vacation programs and by milterd, as `make check`
# asks for it.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
skip() {
	echo "SKIP: $1"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "only root can put a recorder in sendmail's place"
unshare -m true 2>/dev/null || skip "there are no mount namespaces here"
[ -x /usr/bin/vacation ] || skip "vacation is not here"
command -v sieve-test >/dev/null || skip "dovecot-sieve is not here"
[ -e /usr/sbin/sendmail ] || skip "there is no sendmail to stand in for"
theirs=
for file in ${SENDMAIL_ROOT:-}/usr/libexec/sendmail/vacation.sendmail \
	${SENDMAIL_ROOT:-}/usr/lib/sm.bin/vacation; do
	[ -x "$file" ] && theirs="--sendmail $file"
done
# shellcheck disable=SC2086
exec "${PYTHON:-python3}" -B "$top_srcdir/tests/vacation/run.py" \
	--answers "$top_builddir/tests/vacation/answers" $theirs
