#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# milterd at work: sh contrib/demo.sh, as root on Debian 12. Builds milterd,
# starts it with a Postfix of its own on port 2525 of the loopback interface,
# sends mail as various clients, and shows the answers. Neither /etc/postfix
# nor a running Postfix is touched; everything but the packages it needs is
# gone afterwards. The exit status is 0 if all answers were as expected.

set -u
umask 022
export LC_ALL=C
unset MAKEFLAGS MAKELEVEL CFLAGS CPPFLAGS LDFLAGS CDPATH

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=contrib/packages.sh
. "$top/contrib/packages.sh"
port=${PORT:-2525}

if [ "$(id -u)" != 0 ]; then
	echo 'demo.sh: installs packages and starts a Postfix: run as root' >&2
	exit 1
fi

# Not below /tmp: milterd reads no maps below a directory that everybody may
# write to.
demo=$(mktemp -d /var/cache/milterd-demo.XXXXXX) || exit 1
chmod 755 "$demo"
milterd_pid=
wrong=0

clean_up() {
	package_tidy
	stop_milterd
	[ -e "$demo/spool/pid/master.pid" ] &&
		postfix -c "$demo/postfix" stop >/dev/null 2>&1
	cd /
	rm -rf "$demo"
}

stop_milterd() {
	[ -n "$milterd_pid" ] && kill "$milterd_pid" 2>/dev/null &&
		wait "$milterd_pid"
	milterd_pid=
}

fail() {
	echo "demo.sh: $*" >&2
	exit 1
}

trap clean_up EXIT
trap 'exit 1' HUP INT TERM

title() {
	printf '\n== %s ==\n\n' "$*"
}

# quietly COMMAND...: its output only if it fails
quietly() {
	"$@" >"$demo/output" 2>&1 </dev/null && return
	cat "$demo/output"
	fail "$1 failed"
}

build() {
	mkdir "$demo/src" "$demo/build" || return 1
	tar -C "$top" --exclude=./.git --exclude=__pycache__ -cf - . |
		tar -C "$demo/src" -xf - &&
		cd "$demo/src" && autoreconf -fi &&
		cd "$demo/build" && "$demo/src/configure" -q &&
		make -j"$(nproc)" all
}

# What an administrator has in /etc/mail.
write_maps() {
	mkdir "$demo/mail"
	echo 'abc.com' >"$demo/mail/local-host-names"
	echo 'jephe.example' >"$demo/mail/relay-domains"
	cat >"$demo/mail/access" <<-'END'
		# our own net
		192.168.0		RELAY
		# we are a backup MX for them
		To:partner.example	RELAY
		qq.com			DISCARD
		spam@163.com		550 We don't like a spammer!
		To:old@abc.com		ERROR:5.1.6:551 Try new@abc.com
	END
	echo 'info@shop.example	staff' >"$demo/mail/virtusertable"
	echo 'staff:	ann, joe@far.example' >"$demo/mail/aliases"
	echo 'lee@host.abc.com	lee.wong@abc.com' >"$demo/mail/genericstable"
	# Recipes of all, and of one who is away too.
	mkdir "$demo/users" "$demo/vacation"
	cat >"$demo/recipes" <<-'END'
		:0
		* ^Subject:.*cheap pills
		/dev/null
	END
	cat >"$demo/users/ann.rc" <<-'END'
		:0 c
		* ^Subject:.*Report
		! boss@far.example

		:0
		* ^TO_sales@
		sales
	END
	# shellcheck disable=SC2016
	printf 'Subject: Away: $SUBJECT\n\nBack on Monday.\n' \
		>"$demo/vacation/ann.msg"
	install -d -o nobody -m 700 "$demo/state"
	# In place of /usr/sbin/sendmail: it shows what it is given.
	cat >"$demo/sendmail" <<-END
		#!/bin/sh
		{ echo "sendmail \$*"; cat; } >$demo/box/sent.new
		mv $demo/box/sent.new $demo/box/sent
	END
	chmod 755 "$demo/sendmail"
	cat >"$demo/milterd.conf" <<-END
		socket         = "unix:$demo/spool/milterd/milterd.sock"
		policy_socket  = "unix:$demo/spool/milterd/policy.sock"
		socketmap_socket = "unix:$demo/spool/milterd/socketmap.sock"
		control_socket = "unix:$demo/control.sock"
		user           = "nobody"
		hostname       = "mx.abc.com"
		local_domain   = { "$demo/mail/local-host-names" }
		relay_domain   = { "$demo/mail/relay-domains" }
		access         = "$demo/mail/access"
		blocklist_recipients = yes
		# What addresses become.
		virtusertable  = "$demo/mail/virtusertable"
		virtuser_domain = { "shop.example" }
		aliases        = { "$demo/mail/aliases" }
		genericstable  = "$demo/mail/genericstable"
		generics_domain = { "host.abc.com" }
		masquerade_as  = "abc.com"
		masquerade_domain = { "host.abc.com" }
		masquerade_envelope = yes
		# Recipes and vacation.
		recipes        = { "$demo/recipes" }
		user_recipes   = "$demo/users/%u.rc"
		vacation_message = "$demo/vacation/%u.msg"
		state_directory = "$demo/state"
		sendmail_path  = "$demo/sendmail"
		# The demo needs no DNS.
		accept_unresolvable_domains = yes
		nocanonify     = yes
	END
}

# Of a message from inside, with a name and a comment that must stay.
write_message() {
	cat >"$demo/message" <<-'END'
		From: "Wong, Lee" <lee@host.abc.com>
		Reply-To: office@host.abc.com (we are there
		 from nine to five), lee@home.example
		To: Shop <info@shop.example>
		Subject: Prices

		Hello
	END
}

write_report() {
	cat >"$demo/report.msg" <<-'END'
		From: you@far.example
		To: ann@abc.com, sales@abc.com
		Subject: Report
		Message-Id: <1@far.example>

		All is well.
	END
}

# Deliveries become lines of a file, and the newest message another file.
write_postfix() {
	mkdir "$demo/postfix" "$demo/spool" "$demo/data"
	chown postfix "$demo/data"
	install -d -o nobody -g postfix -m 2750 "$demo/spool/milterd"
	install -o nobody -m 644 /dev/null "$demo/delivered"
	install -d -o nobody "$demo/box"
	cat >"$demo/deliver" <<-END
		#!/bin/sh
		cat >$demo/box/\$\$ && mv $demo/box/\$\$ $demo/box/newest
		echo "from <\$1> to <\$2>" >>$demo/delivered
	END
	chmod 755 "$demo/deliver"
	cat >"$demo/postfix/main.cf" <<-END
		compatibility_level = 3.6
		queue_directory = $demo/spool
		data_directory = $demo/data
		maillog_file = $demo/maillog
		maillog_file_prefixes = $demo
		myhostname = mx.abc.com
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		alias_maps =
		local_recipient_maps =
		local_transport = demo
		relay_transport = demo
		default_transport = demo
		smtpd_client_connection_rate_limit = 0
		# swaks says whom it plays.
		smtpd_authorized_xclient_hosts = 127.0.0.1
	END
	sed "s|/etc/mail/|$demo/mail/|" "$top/contrib/postfix/main.cf.sample" \
		>>"$demo/postfix/main.cf"
	sed "s/^smtp  *inet  *n  *-  *y/127.0.0.1:$port inet n - n/
		s/^\([a-z]*  *unix  *[^ ]*  *[^ ]*  *\)y/\1n/" \
		/usr/share/postfix/master.cf.dist >"$demo/postfix/master.cf"
	cat >>"$demo/postfix/master.cf" <<-END
		demo unix - n n - - pipe
		  flags=q user=nobody argv=$demo/deliver \${sender} \${recipient}
	END
}

start_milterd() {
	"$demo/build/milterd" -f -e -c "$demo/milterd.conf" \
		2>>"$demo/milterd.log" &
	milterd_pid=$!
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		milterctl status >/dev/null 2>&1 && return
		sleep 0.3
	done
	cat "$demo/milterd.log"
	fail 'milterd does not start'
}

milterctl() {
	"$demo/build/milterctl" -c "$demo/milterd.conf" "$@"
}

# Shown without the demo's directory, for reading.
show() {
	sed "s|$demo/mail/|/etc/mail/|g; s|$demo/||g; s/^/    /"
}

# expect TEXT PATTERN
expect() {
	if printf '%s\n' "$1" | grep -q -e "$2"; then
		return
	fi
	printf '    WRONG: expected %s\n' "$2"
	wrong=$((wrong + 1))
}

# mail WHAT ADDRESS NAME SENDER RECIPIENT EXPECTED [MESSAGE]: says the SMTP
# reply that decided; NAME is what the client's verified name shall be, or
# [UNAVAILABLE].
mail() {
	swaks --server 127.0.0.1 --port "$port" --helo client.example \
		--xclient "ADDR=$2 NAME=$3 REVERSE_NAME=$3" \
		--from "$4" --to "$5" ${7:+--data "@$7"} --body 'Hello' \
		>"$demo/output" 2>&1 </dev/null
	reply=$(awk '/^ -> QUIT/ { exit }
		/^<\*\*/ && !bad { bad = $0 }
		/^<-/ { good = $0 }
		END { print bad ? bad : good }' "$demo/output" | cut -c5-)
	printf '  %s\n    client %s %s\n    from <%s> to <%s>\n    %s\n' \
		"$1" "$2" "$3" "$4" "$5" "$reply"
	expect "$reply" "$6"
}

await_deliveries() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		postqueue -c "$demo/postfix" -p | grep -q 'queue is empty' &&
			return
		sleep 0.5
	done
	fail 'mail is not delivered'
}

# The fields with addresses of a message.
address_fields() {
	awk '/^$/ { exit }
		/^[^ \t]/ { wanted = /^(From|Reply-To|To):/ }
		wanted' "$1"
}

# becomes ADDRESS PLACE EXPECTED
becomes() {
	result=$(milterctl rewrite --as "$2" "$1")
	printf '    %-20s %-19s %s\n' "$1" "$2" "$result"
	expect "$result" "$3"
}

echo 'milterd, demonstrated'
title 'Installing what is needed, building'
# shellcheck disable=SC2086
quietly package_install $BUILD_PACKAGES postfix swaks tar
quietly build
write_maps
write_message
write_report
write_postfix
"$demo/build/milterd" -V | sed 's/^/    /'

title 'The files'
for file in local-host-names relay-domains access; do
	echo "  /etc/mail/$file"
	sed 's/^/    /' "$demo/mail/$file"
done
echo '  milterd.conf'
show <"$demo/milterd.conf"
echo '  main.cf, from contrib/postfix/main.cf.sample'
grep -v '^#' "$top/contrib/postfix/main.cf.sample" | grep . | sed 's/^/    /'

start_milterd
quietly postfix -c "$demo/postfix" start

title 'Mail, and the replies'
mail 'From our own net to anywhere' \
	192.168.0.7 '[UNAVAILABLE]' me@abc.com you@far.example '^250 2'
mail 'From a host of a relay domain, name verified, to anywhere' \
	198.51.100.4 pc.jephe.example me@jephe.example you@far.example '^250 2'
mail 'From anywhere to us' \
	203.0.113.7 host.far.example you@far.example me@abc.com '^250 2'
mail 'From anywhere to those whose backup MX we are' \
	203.0.113.7 host.far.example you@far.example me@partner.example '^250 2'
mail 'From anywhere to anywhere' \
	203.0.113.7 host.far.example you@far.example it@other.example \
	'^550 5.7.1 .*Relaying denied$'
mail 'The same from a client without a name' \
	203.0.113.9 '[UNAVAILABLE]' you@far.example it@other.example \
	'^550 5.7.1 .*Relaying denied. IP name lookup failed \[203.0.113.9\]$'
mail 'A trick that opens bad relays' \
	203.0.113.7 host.far.example you@far.example it%other.example@abc.com \
	'^550 5.7.1 .*Relaying denied$'
mail 'A sender with a text of his own' \
	203.0.113.7 host.far.example spam@163.com me@abc.com \
	"^550 5.0.0 <spam@163.com>... We don't like a spammer!\$"
mail 'A recipient who has moved' \
	203.0.113.7 host.far.example you@far.example old@abc.com \
	'^551 5.1.6 .*Try new@abc.com$'
mail 'A sender to discard: 250, and nothing will be delivered' \
	203.0.113.7 host.far.example you@qq.com me@abc.com '^250 2'

title 'What was delivered'
await_deliveries
show <"$demo/delivered"
expect "$(grep -c . "$demo/delivered")" '^4$'
expect "$(grep -c qq.com "$demo/delivered")" '^0$'

title "milterd's lines in the maillog"
grep ruleset= "$demo/milterd.log" | show
expect "$(grep -c 'ruleset=check_' "$demo/milterd.log")" '^[6-9]$'

title 'milterctl status'
milterctl status | show

title 'milterctl explain --trace: why?'
milterctl explain --trace --client-address 203.0.113.7 \
	--client-name host.far.example --client-resolve FORGED \
	--reverse-client-name mail.abc.com \
	--sender you@far.example --recipient it@other.example \
	>"$demo/explained"
show <"$demo/explained"
expect "$(cat "$demo/explained")" \
	'Relaying denied. IP name possibly forged \[203.0.113.7\]'

title 'A message from inside, with the addresses of inside'
for file in virtusertable aliases genericstable; do
	echo "  /etc/mail/$file"
	sed 's/^/    /' "$demo/mail/$file"
done
: >"$demo/delivered"
mail 'From our own net to a virtual user' \
	192.168.0.7 '[UNAVAILABLE]' lee@host.abc.com info@shop.example \
	'^250 2' "$demo/message"
await_deliveries
echo '  its header before'
address_fields "$demo/message" >"$demo/before"
show <"$demo/before"
echo '  the envelopes after'
sort "$demo/delivered" >"$demo/envelopes"
show <"$demo/envelopes"
for recipient in ann@mx.abc.com joe@far.example; do
	expect "$(cat "$demo/envelopes")" \
		"^from <lee.wong@abc.com> to <$recipient>\$"
done
expect "$(grep -c . "$demo/envelopes")" '^2$'
echo '  its header after: addresses are exchanged, every other byte stays'
address_fields "$demo/box/newest" >"$demo/after"
show <"$demo/after"
sed 's/lee@host.abc.com/lee.wong@abc.com/
	s/office@host.abc.com/office@abc.com/' "$demo/before" |
	cmp -s - "$demo/after" || expect '' 'these two addresses exchanged'
echo '  in the maillog'
line=$(grep ruleset=rewrite "$demo/milterd.log")
printf '%s\n' "$line" | show
expect "$line" 'arg1=<lee@host.abc.com>, .*sender=<lee.wong@abc.com>'
echo '  milterctl rewrite: what would become of others?'
becomes office@host.abc.com header-sender '^office@abc.com$'
becomes lee@host.abc.com envelope-sender '^lee.wong@abc.com$'
becomes lee@host.abc.com header-recipient '^lee@host.abc.com$'
becomes info@shop.example envelope-recipient '^ann.*, joe@far.example$'

title 'Recipes, and a reply for who is away'
for file in recipes users/ann.rc vacation/ann.msg; do
	echo "  /etc/milterd/$file"
	sed 's/^/    /' "$demo/$file"
done
: >"$demo/delivered"
mail 'To Ann: a folder by its address, a copy to her boss' \
	203.0.113.7 host.far.example you@far.example ann@abc.com \
	'^250 2' "$demo/report.msg"
await_deliveries
sort "$demo/delivered" | show
expect "$(cat "$demo/delivered")" 'to <ann+sales@abc.com>$'
expect "$(cat "$demo/delivered")" 'to <boss@far.example>$'
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
	[ -e "$demo/box/sent" ] && break
	sleep 0.5
done
echo '  her reply, as sendmail(8) gets it'
show <"$demo/box/sent"
expect "$(cat "$demo/box/sent")" '^Subject: Away: Report$'
expect "$(cat "$demo/box/sent")" '^sendmail .*-f <> -- <you@far.example>$'
echo '  in the maillog'
grep -e ruleset=recipes -e vacation -e spool= "$demo/milterd.log" | show

title 'A change, and milterctl reload'
echo '+ Connect:203.0.113.7    RELAY' | show
echo 'Connect:203.0.113.7 RELAY' >>"$demo/mail/access"
milterctl reload >"$demo/report" 2>&1 || wrong=$((wrong + 1))
show <"$demo/report"
expect "$(cat "$demo/report")" 'access: .*1 added'
mail 'From anywhere to anywhere, again' \
	203.0.113.7 host.far.example you@far.example it@other.example '^250 2'

title 'A broken file: the reload is refused, the policy stays'
cp "$demo/mail/access" "$demo/sound"
printf '203.0.113.7\000 REJECT\n' >>"$demo/mail/access"
milterctl reload >"$demo/report" 2>&1 && wrong=$((wrong + 1))
show <"$demo/report"
expect "$(cat "$demo/report")" '/mail/access:9: '
cp "$demo/sound" "$demo/mail/access"
chmod 666 "$demo/mail/access"
milterctl reload >"$demo/report" 2>&1 && wrong=$((wrong + 1))
show <"$demo/report"
expect "$(cat "$demo/report")" 'writable by everybody'
mail 'From anywhere to anywhere, still' \
	203.0.113.7 host.far.example you@far.example it@other.example '^250 2'

title 'Without milterd mail waits, and nobody relays'
kill -9 "$milterd_pid"
wait "$milterd_pid" 2>/dev/null
milterd_pid=
mail 'From our own net to anywhere' \
	192.168.0.7 '[UNAVAILABLE]' me@abc.com you@far.example '^4'

echo
if [ $wrong != 0 ]; then
	echo "$wrong answers were not as expected."
	exit 1
fi
echo 'All answers were as expected.'
