#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Builds the fuzz targets with clang's libFuzzer, ASan and UBSan and runs each
# for so many seconds:
#
#	sh tests/fuzz/run.sh [-s SECONDS] [TARGET...]
#
# What a target finds stays in fuzz-TARGET/crash-*, what it learns in
# fuzz-TARGET/corpus, both below the current directory. Ends with
# "N passed, M failed".
set -u

source=$(cd "$(dirname "$0")/../.." && pwd)
seconds=600
targets='address header map_text mime pattern aliases config policyd socketmap control redis
	vacation_reply recipe recipe_regex formail image'
CLANG=${CLANG:-clang}

while getopts s: option; do
	case $option in
	s) seconds=$OPTARG ;;
	*) exit 64 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] && targets=$*

flags="-std=c17 -D_GNU_SOURCE -g -O1 -I$source -fno-omit-frame-pointer
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
	$(pkg-config --cflags gmime-3.0)"
# shellcheck disable=SC2046,SC2086
libraries="$(pkg-config --libs libcares libconfuse gmime-3.0 jansson hiredis \
	libpcre2-8 lmdb) -lcdb -lpthread"

# What uses libmilter is not needed, and the programs have a main of their own.
parts() {
	for file in "$source"/base/*.c "$source"/maps/*.c \
		"$source"/policy/*.c "$source"/milter/*.c; do
		case ${file##*/} in
		main.c | milterctl*.c | callbacks.c | apply.c | edits.c) ;;
		*) echo "$file" ;;
		esac
	done
}

# build_parts: every part once, as an object in ./fuzz-objects
build_parts() {
	mkdir -p fuzz-objects || return 1
	for file in $(parts) "$source/tests/fuzz/fuzz.c"; do
		object=fuzz-objects/$(basename "$(dirname "$file")")-$(basename "$file" .c).o
		# shellcheck disable=SC2086
		$CLANG $flags -c "$file" -o "$object" || return 1
	done
}

# build TARGET: a door's target includes the door's own source
build() {
	objects=
	for object in fuzz-objects/*.o; do
		[ "$object" = "fuzz-objects/milter-$1.o" ] ||
			objects="$objects $object"
	done
	# shellcheck disable=SC2086
	$CLANG $flags -fsanitize=fuzzer "$source/tests/fuzz/fuzz_$1.c" \
		$objects $libraries -o "fuzz-$1/fuzz_$1"
}

run() {
	FUZZ_DIRECTORY=$PWD/fuzz-$1/files
	export FUZZ_DIRECTORY
	mkdir -p "fuzz-$1/corpus" "$FUZZ_DIRECTORY" || return 1
	build "$1" || return 1
	"fuzz-$1/fuzz_$1" -max_total_time="$seconds" -timeout=10 \
		-rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 \
		-dict="$source/tests/fuzz/$1.dict" \
		-artifact_prefix="fuzz-$1/" "fuzz-$1/corpus" \
		"$source/tests/fuzz/corpus/$1" >"fuzz-$1/log" 2>&1
}

passed=0
failed=0
umask 022
build_parts || exit 1
for target in $targets; do
	if run "$target"; then
		passed=$((passed + 1))
		echo "ok   $target: $(sed -n \
			's/^stat::number_of_executed_units: *//p' \
			"fuzz-$target/log") inputs"
	else
		failed=$((failed + 1))
		echo "FAIL $target, see fuzz-$target/log"
		tail -25 "fuzz-$target/log"
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
