# SPDX-License-Identifier: BSD-2-Clause
"""The names that the test's own DNS server knows.

Two servers: dnsmasq answers for `.test` and `in-addr.arpa`; a responder of
ours answers for the zones that dnsmasq cannot make up: one that fails with
SERVFAIL, and CNAMEs that lead nowhere or in a circle.
"""

HOSTNAME = "mx.home.test"

ADDRESSES = {
    HOSTNAME: "192.0.2.25",
    "home.test": "192.0.2.80",
    "alias-target.test": "192.0.2.81",
    "www.good.test": "192.0.2.82",
    "good.test": "192.0.2.83",
    "sub.good.test": "192.0.2.84",
    "deep.sub.good.test": "192.0.2.85",
    "relay.test": "192.0.2.86",
    "host.relay.test": "192.0.2.87",
    "other.test": "192.0.2.88",
    "a.other.test": "192.0.2.89",
    "client.good.test": "198.51.100.5",
    "spam.test": "192.0.2.90",
    "backup.test": "192.0.2.91",
    "local.test": "192.0.2.92",
    "x-y.test": "192.0.2.93",
    "under_score.test": "192.0.2.94",
    "mail.elsewhere.test": "192.0.2.95",
}

SIX = {"six.test": "2001:db8::6"}

# name -> exchangers
EXCHANGERS = {
    "mxonly.test": ["mail.elsewhere.test"],
    "good.test": ["www.good.test", "mail.elsewhere.test"],
    "backed.test": ["mail.elsewhere.test", HOSTNAME],
    "sub.backed.test": ["mail.elsewhere.test"],
    "relay.test": ["local.test"],
    "mxdead.test": ["nowhere.dead.test"],
}

CNAMES = {
    "alias.test": "alias-target.test",
    "www.relay.test": "relay.test",
    "mxalias.test": "backed.test",
    "tolocal.test": "local.test",
    "tospam.test": "spam.test",
}

# Answered by dnsmasq as raw records: name, type, data in hexadecimal.
RAW = [
    ("nullmx.test", 15, "000000"),
    ("onlytext.test", 16, "0474657874"),
]

# Zones of the responder.
FAILING = ("servfail.test",)
ODD = ("odd.test",)
ODD_CNAMES = {
    "dangling.odd.test": "nothing.dead.test",
    "loop-a.odd.test": "loop-b.odd.test",
    "loop-b.odd.test": "loop-a.odd.test",
    "tofail.odd.test": "x.servfail.test",
}

# DNS lists: the clients listed, and the answer of each.
LISTED = {
    "bl.test": {"192.0.2.66": "127.0.0.2", "198.51.100.66": "127.0.0.3"},
    "bl2.test": {"192.0.2.67": "127.0.0.4"},
}
