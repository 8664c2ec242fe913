# SPDX-License-Identifier: BSD-2-Clause
"""What the administrator wrote: each policy as /etc/mail, as words of
milterd.conf and as the FEATUREs that say the same to sendmail."""

import collections

from world import HOST, write

ACCESS = "/etc/mail/access"

Policy = collections.namedtuple("Policy", "access options features")

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


def install(policy):
    """Write the files of the policy to /etc/mail."""
    write(ACCESS, policy.access)
    write("/etc/mail/local-host-names", "# ours\nabc.com\n")
    write("/etc/mail/relay-domains", "branch.example\n192.0.2.23\n")
    write("/etc/mail/service.switch", "hosts files dns\naliases files\n")
    write("/etc/mail/aliases", "postmaster: root\n")


def options(policy):
    """The words of milterd.conf for the policy."""
    return _COMMON_OPTIONS + policy.options
