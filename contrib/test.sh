#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Everything that can be tested, from nothing: sh contrib/test.sh, as root on
# Debian 12. Installs what is needed (starts none of it), builds in a directory
# of its own, leaves this tree as it is, removes the directory at the end. The
# last line is "N passed, M failed"; the exit status is 0 if nothing failed. Up to
# three programs of tests that fail beside others are run once more, alone; the
# line before the last says how many were.
#
#   KEEP=yes sh contrib/test.sh    keeps the directory, and says where it is

set -u
umask 022
export LC_ALL=C
unset MAKEFLAGS MAKELEVEL CFLAGS CPPFLAGS LDFLAGS CDPATH

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=contrib/packages.sh
. "$top/contrib/packages.sh"

TEST_PACKAGES='
	check
	clang
	dnsmasq-base
	dovecot-imapd
	dovecot-lmtpd
	dovecot-pop3d
	dovecot-sieve
	fail2ban
	faketime
	iproute2
	libclang-rt-14-dev
	libsasl2-modules
	libsasl2-modules-db
	logwatch
	m4
	mandoc
	opendkim
	openssl
	perl
	postfix
	postfix-cdb
	postfix-lmdb
	postfix-pcre
	procmail
	procps
	python3
	redis-sentinel
	redis-server
	redis-tools
	shellcheck
	strace
	tar
	util-linux
	vacation
	valgrind
	xz-utils
'
# Their files are unpacked: two MTAs cannot be installed at once.
SENDMAIL_PACKAGES='sendmail-base sendmail-bin sendmail-cf'

if [ "$(id -u)" != 0 ]; then
	echo 'test.sh: has to install packages and make namespaces: run as root' >&2
	exit 1
fi

# Not below /tmp: sendmail and milterd read no maps below a directory that
# everybody may write to.
work=$(mktemp -d /var/cache/milterd-test.XXXXXX) || exit 1
chmod 755 "$work"
mkdir "$work/log" "$work/tmp" "$work/sendmail"
export TMPDIR="$work/tmp"
# make check looks for it there.
export SENDMAIL_ROOT="$work/sendmail"

passed=0
failed=0
repeated=0
started=$(date +%s)

clean_up() {
	package_tidy
	if [ "${KEEP:-}" = yes ]; then
		echo "kept: $work"
	else
		chmod -R u+w "$work"
		rm -rf "$work"
	fi
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# Passed and failed of one file of output: the sum of its "N passed, M failed"
# and of libcheck's lines.
count_file() {
	awk '/^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3 }
	/^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+$/ {
		gsub(",", "")
		f += $5 + $7
		p += $3 - $5 - $7
	}
	END { printf "%d %d\n", p, f }' "$1"
}

# say NAME PASSED FAILED SECONDS
say() {
	printf '%-34s %6d passed %4d failed %5d s\n' "$1" "$2" "$3" "$4"
	passed=$((passed + $2))
	failed=$((failed + $3))
}

# step NAME COMMAND...: one check of its own, failed by the exit status
step() {
	step_name=$1
	shift
	step_log="$work/log/$(echo "$step_name" | tr -c 'a-z0-9\n' -)"
	step_began=$(date +%s)
	if "$@" >"$step_log" 2>&1 </dev/null; then
		say "$step_name" 1 0 $(($(date +%s) - step_began))
		return 0
	fi
	say "$step_name" 0 1 $(($(date +%s) - step_began))
	grep -v '^  [A-Z]* ' "$step_log" | tail -n 40 | sed 's/^/    /'
	return 1
}

# tell_log NAME LOG RESULT: one program of `make check`
tell_log() {
	# shellcheck disable=SC2046
	set -- "$1" "$2" "$3" $(count_file "$2")
	if [ "$3" != PASS ] && [ "$5" = 0 ]; then
		set -- "$1" "$2" "$3" "$4" 1
	elif [ "$4" = 0 ] && [ "$5" = 0 ]; then
		set -- "$1" "$2" "$3" 1 0
	fi
	sum_passed=$((sum_passed + $4))
	sum_failed=$((sum_failed + $5))
	[ "$5" = 0 ] && return
	echo "  $3: $1"
	tell_failures "$2" | sed 's/^/    /'
}

# The failures of a log, or its end where it names none.
tell_failures() {
	if grep '^FAIL' "$1" | grep -qv '(exit status: [0-9]*)$'; then
		grep -A 20 '^FAIL' "$1" | head -n 100
	else
		tail -n 40 "$1"
	fi
}

# Logs of what has failed in a directory.
failed_logs() {
	find "$1" -name '*.trs' -exec grep -lE '^:test-result: (FAIL|ERROR)' {} + |
		sed 's/\.trs$/.log/'
}

has_sanitizer_report() {
	xargs grep -Eq 'ERROR: [A-Za-z]+Sanitizer|WARNING: ThreadSanitizer|: runtime error: ' \
		<"$1"
}

# What failed beside other work is run once more, alone: much of it has to do
# with time, and a machine is not always ours. It is told that it was, and what
# had failed. What fails again has failed; and more than three programs, or a
# sanitizer's report, are no matter of chance.
repeat_failed() {
	repeat_dir=$1
	shift
	failed_logs "$repeat_dir" >"$work/log/again"
	repeat_count=$(wc -l <"$work/log/again")
	if [ "$repeat_count" = 0 ] || [ "$repeat_count" -gt 3 ] ||
		has_sanitizer_report "$work/log/again"; then
		return 1
	fi
	while read -r log; do
		echo "  run again, alone: ${log#"$repeat_dir"/}"
		tell_failures "$log" | sed 's/^/    /'
	done <"$work/log/again"
	repeated=$((repeated + repeat_count))
	make -C "$repeat_dir" -k recheck "$@" >>"$check_log" 2>&1 </dev/null
}

# check NAME DIRECTORY MAKE-ARGUMENT...: make check, counted test by test. What
# is skipped has failed: all that it needs was installed. Most of the tests wait
# more than they work: there are more of them at once than processors.
check() {
	check_name=$1
	check_dir=$2
	shift 2
	check_log="$work/log/$(echo "$check_name" | tr -c 'a-z0-9\n' -)"
	check_began=$(date +%s)
	sum_passed=0
	sum_failed=0
	find "$check_dir" -name '*.trs' -exec rm {} +
	make -C "$check_dir" -j$(($(nproc) + 1)) -k check "$@" >"$check_log" 2>&1 \
		</dev/null
	check_status=$?
	if [ $check_status != 0 ] && repeat_failed "$check_dir" "$@"; then
		check_status=0
	fi
	find "$check_dir" -name '*.trs' | sort >"$work/log/trs"
	while read -r trs; do
		tell_log "$(echo "${trs#"$check_dir"/}" | sed 's/\.trs$//')" \
			"${trs%.trs}.log" \
			"$(sed -n 's/^:test-result: //p' "$trs" | head -n 1)"
	done <"$work/log/trs"
	if [ $check_status != 0 ] && [ $sum_failed = 0 ]; then
		sum_failed=1
		grep -v '^  [A-Z]* ' "$check_log" | tail -n 40 |
			sed 's/^/    /'
	fi
	say "$check_name" $sum_passed $sum_failed \
		$(($(date +%s) - check_began))
}

unpack_sendmail() (
	cd "$work/tmp" || exit 1
	# shellcheck disable=SC2086
	apt-get -qq download $SENDMAIL_PACKAGES || {
		apt-get -qq update && apt-get -qq download $SENDMAIL_PACKAGES
	} || exit 1
	for package in *.deb; do
		dpkg -x "$package" "$SENDMAIL_ROOT" || exit 1
	done
	rm -f ./*.deb
)

install_packages() {
	# shellcheck disable=SC2086
	package_install $BUILD_PACKAGES $TEST_PACKAGES || return 1
	# What sendmail is linked with.
	# shellcheck disable=SC2046
	package_install $(apt-cache depends sendmail-bin |
		sed -n 's/^ *Depends: \(lib[^ ]*\)$/\1/p')
}

copy_tree() {
	mkdir "$work/src" &&
		tar -C "$top" --exclude=./.git --exclude=./autom4te.cache \
			--exclude=__pycache__ -cf - . | tar -C "$work/src" -xf - &&
		cd "$work/src" && autoreconf -fi
}

# build NAME CONFIGURE-ARGUMENT...
build() {
	build_name=$1
	shift
	mkdir "$work/$build_name" && cd "$work/$build_name" &&
		"$work/src/configure" -q "$@" && make -j"$(nproc)" all
}

# All of it with the other compiler, tests included, without running them: so
# it need not be made fast.
build_clang() {
	build clang --enable-werror CC=clang CFLAGS=-O0 &&
		make -j"$(nproc)" check TESTS=
}

# A tarball that builds, installs and uninstalls outside its read-only tree.
# Its tests are those of this tree, which run anyway.
distcheck() {
	make -C "$work/gcc" -j"$(nproc)" distcheck TESTS= \
		DISTCHECK_CONFIGURE_FLAGS='--enable-werror CFLAGS=-O0'
}

unit_score() {
	command -v systemd-analyze >/dev/null || return 0
	systemd-analyze security --offline=yes --threshold=15 --no-pager \
		"$top/contrib/milterd.service"
}

# The tests that run the C code under the sanitizers.
# shellcheck disable=SC2016
SANITIZED='TESTS=$(wire_tests) $(unit_tests)'

step 'packages' install_packages || exit 1
step 'sendmail unpacked' unpack_sendmail
step 'autoreconf' copy_tree || exit 1
step 'gcc: build, no warning' build gcc --enable-werror
check 'gcc: make check' "$work/gcc"
step 'clang: build, no warning' build_clang
step 'make distcheck' distcheck
step 'systemd unit: exposure' unit_score
step 'ASan, UBSan: build' build asan --enable-sanitizer=address
check 'ASan, UBSan: unit, wire' "$work/asan" "$SANITIZED"
step 'TSan: build' build tsan --enable-sanitizer=thread
check 'TSan: unit, wire' "$work/tsan" "$SANITIZED"

echo
make -s -C "$work/gcc" sizes
echo "took $(($(date +%s) - started)) s; run again: $repeated"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
