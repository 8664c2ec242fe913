# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2034
# Debian packages for test.sh and demo.sh, which read this file. Nothing that
# is installed starts: policy-rc.d forbids it while packages are installed.

BUILD_PACKAGES='autoconf automake gcc libc6-dev make pkg-config
	libmilter-dev libc-ares-dev libcdb-dev libconfuse-dev
	libgmime-3.0-dev libhiredis-dev libjansson-dev
	liblmdb-dev libpcre2-dev libssl-dev'

POLICY=/usr/sbin/policy-rc.d

# package_missing NAME...: those of them that are not installed
package_missing() {
	for package; do
		dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null |
			grep -q ' installed$' || echo "$package"
	done
}

# package_install NAME...
package_install() {
	# shellcheck disable=SC2046
	set -- $(package_missing "$@")
	[ $# = 0 ] && return 0
	echo "installing $*"
	if [ ! -e $POLICY ]; then
		printf '#!/bin/sh\nexit 101\n' >$POLICY
		chmod 755 $POLICY
		policy_is_ours=yes
	fi
	echo 'postfix postfix/main_mailer_type select No configuration' |
		debconf-set-selections
	apt-get -qq update &&
		DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
			--no-install-recommends \
			-o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
			install "$@" </dev/null
	set -- $?
	package_tidy
	return "$1"
}

# What package_install leaves behind when it is interrupted.
package_tidy() {
	[ "${policy_is_ours:-}" = yes ] && rm -f $POLICY
	policy_is_ours=
	return 0
}
