# SPDX-License-Identifier: BSD-2-Clause
"""What the administrator wrote: each policy as /etc/mail, as words of
milterd.conf and as the FEATUREs that say the same to sendmail."""

import collections

from world import HOST, write

ACCESS = "/etc/mail/access"

# The same rules for sendmail stand in features.  What it is told only where it
# does without milterd stands in alone, what it is told in any case in always;
# maps are further files of /etc/mail; samples: how lines begin that the sample
# files have as comments, and that count here; signs: OpenDKIM runs; postfix:
# further lines of main.cf; filters: there are recipes.
Policy = collections.namedtuple(
    "Policy",
    "access options features alone always maps samples signs postfix filters",
    defaults=("", "", {}, (), False, "", False))

_COMMON_OPTIONS = f"""\
hostname = "{HOST}"
local_domain = {{ "/etc/mail/local-host-names" }}
relay_domain = {{ "/etc/mail/relay-domains" }}
access = "{ACCESS}"
resolver = "127.0.0.1:53"
"""

PLAIN = Policy(
    access="""\
# Clients: by address, by net, by verified name.
192.0.2.20			RELAY
10.1				RELAY
IPv6:2001:db8:0:0:0:0:0:20	RELAY
Connect:partner.example		RELAY
Connect:by-hosts.example	RELAY
192.0.2.66			REJECT
Connect:192.0.2.67		550 5.7.1 We know you
Connect:192.0.2.68		DISCARD
# Senders.
From:spammer@good.example	550 We don't like a spammer!
From:reject.example		REJECT
qq.com				DISCARD
From:hold.example		QUARANTINE:held for reading
# Recipients.
To:nobody@abc.com		REJECT
To:gone@abc.com			ERROR:5.1.6:550 gone for good
To:later@abc.com		450 4.2.1 come back tomorrow
To:void@abc.com			DISCARD
To:aside@abc.com		QUARANTINE:to be looked at
To:relayed.example		RELAY
# HELO names, for the door that answers single lookups.
bad.helo.example		REJECT
""",
    options="""\
blocklist_recipients = true
max_message_size = 200000
max_hops = 30
""",
    features="""\
FEATURE(`blocklist_recipients')dnl
""")

DELAYED = Policy(
    access="""\
Connect:192.0.2.66		REJECT
Connect:192.0.2.69		REJECT
From:reject.example		REJECT
From:good.example		OK
To:nobody@abc.com		REJECT
Spam:friend@abc.com		FRIEND
""",
    options="""\
blocklist_recipients = true
delay_checks = "friend"
trust_auth_mech = { "PLAIN" }
""",
    features="""\
FEATURE(`blocklist_recipients')dnl
FEATURE(`delay_checks', `friend')dnl
TRUST_AUTH_MECH(`PLAIN')dnl
""")

REQUIRING = Policy(
    access="",
    options="""\
require_auth = true
trust_auth_mech = { "PLAIN" }
""",
    features="""\
TRUST_AUTH_MECH(`PLAIN')dnl
""")

# What a sendmail alone needs to judge as milterd does.
ALONE = f"""\
FEATURE(`access_db', `hash -T<TMPF> {ACCESS}')dnl
FEATURE(`use_cw_file')dnl
define(`confMAX_MESSAGE_SIZE', `200000')dnl
define(`confMAX_HOP', `30')dnl
"""

# Where milterd counts, sendmail's own limits must not come first.
NO_LIMITS = "define(`confMAX_HOP', `100')dnl\n"

# A sendmail that leaves everything to the milter.
NO_RULES = """\
FEATURE(`promiscuous_relay')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
"""


# What addresses become. Whoever sends these messages may relay.
_RELAYING = "192.0.2.20\t\tRELAY\n"
_ANY_SENDER = """\
accept_unqualified_senders = true
accept_unresolvable_domains = true
"""
_ANY_SENDER_ALONE = """\
FEATURE(`accept_unqualified_senders')dnl
FEATURE(`accept_unresolvable_domains')dnl
"""

MASQUERADING = Policy(
    access=_RELAYING,
    options=_ANY_SENDER + """\
masquerade_as = "corp.example"
masquerade_domain = { "lan.example" }
masquerade_exception = { "keep.lan.example" }
masquerade_entire_domain = true
masquerade_envelope = true
exposed_user = { "root" }
domaintable = "/etc/mail/domaintable"
""",
    features="",
    alone=_ANY_SENDER_ALONE + """\
MASQUERADE_AS(`corp.example')dnl
MASQUERADE_DOMAIN(`lan.example')dnl
MASQUERADE_EXCEPTION(`keep.lan.example')dnl
FEATURE(`masquerade_entire_domain')dnl
FEATURE(`masquerade_envelope')dnl
EXPOSED_USER(`root')dnl
FEATURE(`domaintable', `hash -o /etc/mail/domaintable')dnl
""",
    maps={"domaintable": "old.example\tnew.example\n"})

_GENERICSTABLE = """\
lee			dl@foreign.example
lee+list		lists@foreign.example
ann			ann.other
ann@lan.example		Ann.Other@corp.example
ann+*@lan.example	%1@corp.example
joe@new.example		joe@keep.lan.example
@sub.lan.example	%1@plain.example
"""

GENERICS = Policy(
    access=_RELAYING,
    options=_ANY_SENDER + """\
genericstable = "/etc/mail/genericstable"
generics_domain = { "lan.example", "sub.lan.example", "new.example" }
domaintable = "/etc/mail/domaintable"
masquerade_as = "corp.example"
""",
    features="",
    alone=_ANY_SENDER_ALONE + """\
FEATURE(`genericstable', `hash -o /etc/mail/genericstable')dnl
GENERICS_DOMAIN(`lan.example')dnl
GENERICS_DOMAIN(`sub.lan.example')dnl
GENERICS_DOMAIN(`new.example')dnl
FEATURE(`domaintable', `hash -o /etc/mail/domaintable')dnl
MASQUERADE_AS(`corp.example')dnl
""",
    maps={"genericstable": _GENERICSTABLE,
          "domaintable": "old.example\tnew.example\n"})

EVERYBODY = Policy(
    access=_RELAYING,
    options=_ANY_SENDER + """\
genericstable = "/etc/mail/genericstable"
generics_domain = { "lan.example" }
generics_entire_domain = true
masquerade_as = "corp.example"
masquerade_domain = { "lan.example", "other.example" }
masquerade_envelope = true
allmasquerade = true
limited_masquerade = true
always_add_domain = true
exposed_user = { "root", "joe" }
""",
    features="",
    alone=_ANY_SENDER_ALONE + """\
FEATURE(`genericstable', `hash -o /etc/mail/genericstable')dnl
GENERICS_DOMAIN(`lan.example')dnl
FEATURE(`generics_entire_domain')dnl
MASQUERADE_AS(`corp.example')dnl
MASQUERADE_DOMAIN(`lan.example')dnl
MASQUERADE_DOMAIN(`other.example')dnl
FEATURE(`masquerade_envelope')dnl
FEATURE(`allmasquerade')dnl
FEATURE(`limited_masquerade')dnl
FEATURE(`always_add_domain')dnl
EXPOSED_USER(`root joe')dnl
""",
    maps={"genericstable": _GENERICSTABLE})

VIRTUAL = Policy(
    access=_RELAYING,
    options=_ANY_SENDER + """\
virtusertable = "/etc/mail/virtusertable"
virtuser_domain = { "virtual.example", "other.example" }
aliases = "/etc/mail/aliases.milterd"
mailertable = "/etc/mail/mailertable"
domaintable = "/etc/mail/domaintable"
""",
    features="",
    always="define(`ALIAS_FILE', `/etc/mail/aliases.mta')dnl\n",
    alone=_ANY_SENDER_ALONE + """\
define(`ALIAS_FILE', `/etc/mail/aliases.milterd')dnl
FEATURE(`virtusertable', `hash -o /etc/mail/virtusertable')dnl
VIRTUSER_DOMAIN(`virtual.example')dnl
VIRTUSER_DOMAIN(`other.example')dnl
FEATURE(`domaintable', `hash -o /etc/mail/domaintable')dnl
FEATURE(`mailertable', `hash -o /etc/mail/mailertable')dnl
""",
    samples=("transport_maps", "FEATURE(`mailertable'"),
    maps={
        "mailertable": """\
virtual.example		relay:[198.51.100.80]
routed.example		esmtp:[198.51.100.81]
.routed.example		smtp:[198.51.100.82]
by-name.example		relay:[mx.plain.example]
closed.example		error:5.1.1:550 Closed for good
abc.com			relay:[198.51.100.83]
""",
        "domaintable": "old.example\tvirtual.example\n",
        "virtusertable": """\
info@virtual.example		lee
exact@virtual.example		far@foreign.example
plus+one@virtual.example	first@foreign.example
plus++@virtual.example		more+%2@foreign.example
plus@virtual.example		bare@foreign.example
gone@virtual.example		error:nouser No such user here
policy@virtual.example		error:5.7.0:550 Not for you
hop1@virtual.example		hop2@other.example
hop2@other.example		hop3@virtual.example
hop3@virtual.example		end@foreign.example
round@virtual.example		about@other.example
about@other.example		round@virtual.example
@other.example			%1@plain.example
listed@abc.com			seen@foreign.example
both@abc.com			virtual@foreign.example
team@virtual.example		team
""",
        "members": "# of the list\nmember1\nmember2@foreign.example\n",
        "aliases.mta": "program: \"|/bin/true\"\n",
        "aliases.milterd": """\
postmaster: root
team: ann, joe@foreign.example
nested: team, third@plain.example
self: self, copy@foreign.example
everyone: :include:/etc/mail/members
list: ann@foreign.example, joe@foreign.example
owner-list: keeper@foreign.example
program: "|/bin/true"
virtually: info@virtual.example, exact@virtual.example
alone: only@foreign.example
both: aliased@foreign.example
lost: missing@virtual.example
nowhere: exact
swap1: \\swap2
swap2: \\swap1
quoted: \\alone
"Big Boss": boss
seen: nobody@plain.example
"""})

SIGNING = MASQUERADING._replace(
    options=MASQUERADING.options + """\
genericstable = "/etc/mail/genericstable"
generics_domain = { "lan.example" }
""",
    alone=MASQUERADING.alone + """\
INPUT_MAIL_FILTER(`opendkim', `S=inet:8891@127.0.0.1, F=T, T=R:2m')dnl
FEATURE(`genericstable', `hash -o /etc/mail/genericstable')dnl
GENERICS_DOMAIN(`lan.example')dnl
""",
    maps={**MASQUERADING.maps, "genericstable": _GENERICSTABLE},
    samples=("smtpd_milters", "INPUT_MAIL_FILTER(`opendkim'"),
    signs=True)

# Ways that Postfix can only go with its virtual aliases, and refusals.
ROUTING = Policy(
    access=_RELAYING,
    options=_ANY_SENDER + """\
mailertable = "/etc/mail/mailertable"
aliases = "/etc/mail/aliases.milterd"
""",
    features="",
    always="define(`ALIAS_FILE', `/etc/mail/aliases.mta')dnl\n",
    alone=_ANY_SENDER_ALONE + """\
define(`ALIAS_FILE', `/etc/mail/aliases.milterd')dnl
FEATURE(`mailertable', `hash -o /etc/mail/mailertable')dnl
""",
    samples=("transport_maps", "virtual_alias_maps", "FEATURE(`mailertable'"),
    maps={
        "mailertable": """\
.below.example		smtp:%1.lan.example
word.example		error:nouser:550 Nobody there
later.example		error:tempfail:450 4.4.1 Come back later
plain.example		error:5.1.2:550 No such place
one.example		local:joe
team.example		local:team
here.example		local:
else.example		smtp:bob@foreign.example
away.example		discard:away
abc.com			error:5.1.2:550 Never asked
""",
        "aliases.mta": "",
        "aliases.milterd": "team: ann, joe@foreign.example\n"})

# A Postfix without the milter, that looks everything up itself.
TABLES = Policy(
    access=_RELAYING + """\
10.1				REJECT
Connect:stranger.example	OK
From:spammer@good.example	550 We don't like a spammer!
From:good.example		OK
qq.com				DISCARD
From:hold.example		QUARANTINE:held for reading
To:nobody@abc.com		REJECT
""",
    options=_ANY_SENDER + """\
blocklist_recipients = true
domaintable = "/etc/mail/domaintable"
virtusertable = "/etc/mail/virtusertable"
virtuser_domain = { "virtual.example" }
genericstable = "/etc/mail/genericstable"
generics_domain = { "lan.example" }
masquerade_as = "corp.example"
masquerade_domain = { "lan.example" }
""",
    features="",
    samples=("virtual_alias_maps", "canonical_maps", "sender_canonical_",
             "recipient_canonical_", "local_header_rewrite_clients",
             "smtpd_client_restrictions", "smtpd_sender_restrictions",
             "smtpd_recipient_restrictions"),
    maps={"domaintable": "old.example\tnew.example\n",
          "virtusertable": "info@virtual.example\tlee\n"
                           "gone@virtual.example\terror:5.1.1:550 Gone\n"
                           "@virtual.example\t%1@foreign.example\n",
          "genericstable": "lee@lan.example\tlee.doe@corp.example\n"},
    postfix="smtpd_milters =\n")

# Recipes: for everybody, and users' own. What milterd sends itself it hands to
# the MTA's sendmail(8), which world and beds have put behind SUBMIT.
SPOOL = "/var/spool/milterd"
SUBMIT = "/etc/milterd/submit"
PROGRAMS = "/etc/milterd/programs"
RECIPES = "/etc/milterd/recipes"
USERS = "/etc/milterd/users"
VACATION = "/etc/milterd/vacation"
CLIENT_OF_SECOND = "192.0.2.21"     # whose mail a second node sees
FILTERING = Policy(
    access=_RELAYING,
    options=_ANY_SENDER + f"""\
recipes = {{ "{RECIPES}" }}
user_recipes = "{USERS}/%u.rc"
state_directory = "{SPOOL}"
sendmail_path = "{SUBMIT}"
program_directory = "{PROGRAMS}"
program_time = 5
vacation_message = "{VACATION}/%u.msg"
log_level = 10
""",
    features="",
    alone=_ANY_SENDER_ALONE,
    # As contrib/postfix/main.cf.sample has it.
    postfix="recipient_delimiter = +\nsmtputf8_autodetect_classes = verify\n"
            "smtpd_milter_maps = inline:{ { "
            f"{CLIENT_OF_SECOND} = unix:milterd2/milterd.sock }} }}\n",
    filters=True)

# Every other one takes about half of the time (run.py --part).
ALL = (PLAIN, VIRTUAL, REQUIRING, FILTERING, MASQUERADING, SIGNING, GENERICS,
       TABLES, EVERYBODY, DELAYED, ROUTING)


def install(policy):
    """Write the files of the policy to /etc/mail."""
    write(ACCESS, policy.access)
    for name, text in policy.maps.items():
        write(f"/etc/mail/{name}", text)
    write("/etc/mail/local-host-names", "# ours\nabc.com\n")
    write("/etc/mail/relay-domains", "branch.example\n192.0.2.23\n")
    write("/etc/mail/service.switch", "hosts files dns\naliases files\n")
    write("/etc/mail/aliases", "postmaster: root\n")


def options(policy):
    """The words of milterd.conf for the policy."""
    return _COMMON_OPTIONS + policy.options
