# SPDX-License-Identifier: BSD-2-Clause
"""The names that the test's own DNS servers know.

dnsmasq answers for `.test` and the reverse zones; a responder of ours
(odddns) for the zones that dnsmasq cannot make up: those that fail with
SERVFAIL, and CNAMEs that lead nowhere, in a circle or into a failing zone.
"""

HOSTNAME = "mx.home.test"

# name -> address; dnsmasq makes the pointer from the address as well
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
    "spam.test": "192.0.2.90",
    "mail.spam.test": "192.0.2.97",
    "backup.test": "192.0.2.91",
    "local.test": "192.0.2.92",
    "sub.local.test": "192.0.2.98",
    "x-y.test": "192.0.2.93",
    "under_score.test": "192.0.2.94",
    "mail.elsewhere.test": "192.0.2.95",
    "nullmx-a.test": "192.0.2.96",
    "near.home.test": "192.0.2.99",
    "client.good.test": "198.51.100.5",
    "client.spam.test": "198.51.100.6",
    "client.relay.test": "198.51.100.7",
    "client.other.test": "10.1.2.3",
    "client.home.test": "10.1.2.4",
    "listed.other.test": "198.51.100.66",
    "six.test": "2001:db8::6",
    "six.relay.test": "2001:db8:1:2::7",
}

# name -> exchangers, best first
EXCHANGERS = {
    "mxonly.test": ["mail.elsewhere.test"],
    "good.test": ["www.good.test", "mail.elsewhere.test"],
    "backed.test": ["mail.elsewhere.test", HOSTNAME],
    "sub.backed.test": ["mail.elsewhere.test"],
    "tolocalmx.test": ["local.test"],
    "mxdead.test": ["nowhere.dead.test"],
}

CNAMES = {
    "alias.test": "alias-target.test",
    "www.relay.test": "relay.test",
    "mxalias.test": "backed.test",
    "tolocal.test": "local.test",
    "tospam.test": "spam.test",
    "torelay.test": "host.relay.test",
}

# Raw records: name, type, data in hexadecimal (a null MX, a text).
RAW = [
    ("nullmx.test", 15, "000000"),
    ("nullmx-a.test", 15, "000000"),
    ("onlytext.test", 16, "0474657874"),
]

# The responder's zones: FAILING always fails, ODD has the CNAMES only.
FAILING = ("servfail.test", "9.0.203.in-addr.arpa")
ODD = ("odd.test",)
ODD_CNAMES = {
    "dangling.odd.test": "nothing.dead.test",
    "loop-a.odd.test": "loop-b.odd.test",
    "loop-b.odd.test": "loop-a.odd.test",
    "tofail.odd.test": "x.servfail.test",
    "chain.odd.test": "alias-target.test",
}

# Pointers whose names have another address, none, or cannot be looked up.
POINTERS = {
    "198.51.100.50": "client.good.test",
    "198.51.100.51": "nowhere.dead.test",
    "198.51.100.52": "www.servfail.test",
    "198.51.100.53": "client.relay.test",
    "10.1.2.50": "local.test",
    "192.0.2.66": "client.spam.test",
}

# DNS lists: the clients listed, and the answer of each.
LISTED = {
    "bl.test": {"192.0.2.66": "127.0.0.2", "198.51.100.66": "127.0.0.3"},
    "bl2.test": {"192.0.2.67": "127.0.0.4", "10.1.2.3": "127.0.0.2"},
}
