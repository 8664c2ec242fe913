#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs a program that needs real MTAs, where they are: check.sh [PROGRAM
# [ARGUMENT...]], run.py unless told. SENDMAIL_ROOT names the directory that
# sendmail's packages were unpacked in, if they are not installed.
: "${top_srcdir:?is set by make check}" "${top_builddir:?}"
root=${SENDMAIL_ROOT:-/}
skip() {
	echo "SKIP: $1"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root"
[ -x "$root/usr/libexec/sendmail/sendmail" ] || skip "sendmail-bin is not here"
[ -d "$root/usr/share/sendmail/cf" ] || skip "sendmail-cf is not here"
[ -x /usr/lib/postfix/sbin/master ] || skip "postfix is not here"
[ -x /usr/lib/dovecot/lmtp ] || skip "dovecot-lmtpd is not here"
for tool in m4 unshare ip dnsmasq opendkim openssl procmail redis-server; do
	command -v $tool >/dev/null || skip "$tool is not here"
done
program=${1:-run.py}
[ $# = 0 ] || shift
exec "${PYTHON:-python3}" -B "$top_srcdir/tests/mta/$program" \
	--milterd "$top_builddir/milterd" \
	--milterctl "$top_builddir/milterctl" --sendmail-root "$root" "$@"
