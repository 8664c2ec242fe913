# SPDX-License-Identifier: BSD-2-Clause
"""What is measured with: the access map, the letters that hit and miss it, the
zones of their domains, the configuration."""

import random

DOMAINS = 200                   # that senders come from, and DNS knows
VARIANTS = 48                   # of each kind of letter
HOST, OURS = "mail.abc.com", "abc.com"
TEXT = "550 5.7.1 No mail from here, see https://postmaster.example.com/why"

CONFIG = f"""\
hostname = "{HOST}"
local_domain = {{ "{OURS}" }}
blocklist_recipients = yes
delay_checks = no
block_bad_helo = yes
max_message_size = 52428800
max_hops = 25
allow_unsafe_files = yes
"""

# Sender, three header senders and every recipient of ours become others.
REWRITING = CONFIG + """\
masquerade_as = "masq.example"
masquerade_domain = { "example", "example.com" }
masquerade_entire_domain = yes
masquerade_envelope = yes
nocanonify = yes
"""
VIRTUAL = f"@{OURS}\t%1@far.example\n"

# A policy that decides nothing.
NOTHING = f"""\
hostname = "{HOST}"
accept_unresolvable_domains = yes
nocanonify = yes
promiscuous_relay = yes
allow_unsafe_files = yes
"""

# What the letters below meet; all else in the map is there to be missed.
ENTRIES = """\
Connect:192.0.2.20	RELAY
Connect:192.0.2	SKIP
Connect:good.example	OK
Connect:203.0.113	REJECT
From:friend@s1.example	OK
From:spam@s2.example	REJECT
From:text@s3.example	ERROR:4.7.0:450 Come back later
From:void@s4.example	DISCARD
From:odd@s5.example	QUARANTINE:to be looked at
From:s6.example	SKIP
To:relayed.example	RELAY
To:nobody@abc.com	REJECT
"""


def domain(number):
    return f"s{number % DOMAINS}.example"


def passing(number):
    """Letters that nobody objects to: client, how it resolves, HELO, sender,
    recipient."""
    name, sender = f"host{number}.client.example", f"a{number}"
    yield (f"198.51.100.{number}", name, "OK", name,
           f"{sender}@{domain(number + 10)}", f"user{number}@{OURS}")
    yield ("192.0.2.20", "relay.abc.example", "OK", "relay.abc.example",
           f"{sender}@{domain(number + 20)}", f"u{number}@far.s9.example")
    yield (f"192.0.2.{number + 30}", f"a.b{number}.good.example", "OK", name,
           "friend@s1.example", f"user{number}+detail@{OURS}")
    yield (f"198.51.100.{number}", name, "OK", name,
           f"{sender}@s6.example", f"someone{number}@sub.relayed.example")
    yield (f"2001:db8:0:{number:x}::25", name, "OK", name,
           f"\"quoted.{sender}\"@{domain(number + 30)}", f"postmaster@{OURS}")
    yield (f"198.51.100.{number}", name, "FORGED", "mail.example",
           f"{sender}@{domain(number + 40)}", f"user{number}@{OURS}")
    yield (f"198.51.100.{number}", "none", "FAIL", f"h{number}.example",
           f"{sender}=list-bounce@{domain(number + 50)}", f"list@{OURS}")
    yield (f"198.51.100.{number}", name, "OK", name, "", f"user@{OURS}")


def refused(number):
    """Letters that something is done about, and what, by manner."""
    client = (f"198.51.100.{number}", f"host{number}.client.example", "OK",
              "client.example")
    yield (*client, "spam@s2.example", f"u@{OURS}", "My550", "My550")
    yield (*client, "text@s3.example", f"u@{OURS}", "My450", "My450")
    yield (*client, "void@s4.example", f"u@{OURS}", "Ed", "Ed")
    yield (*client, "odd@s5.example", f"u@{OURS}", "Ec", "Ec")
    yield (*client, f"a{number}@none.invalid", f"u@{OURS}", "My553", "My553")
    yield (*client, f"a@{domain(number)}", f"nobody@{OURS}", "Ry550", "Ry550")
    yield (*client, f"a@{domain(number)}", "u@far.s9.example", "Ry550",
           "Ry550")
    yield (f"203.0.113.{number}", "x.bad.example", "OK", "x.bad.example",
           f"a@{domain(number)}", f"u@{OURS}", "Hy550", "My550")


def write_letters(path, with_refused):
    """One letter a line, in an order that mixes the kinds."""
    with open(path, "w") as letters:
        for number in range(VARIANTS):
            for letter in passing(number):
                letters.write(" ".join((*_shown(letter), "Ec", "Ec")) + "\n")
            if with_refused:
                for letter in refused(number):
                    letters.write(" ".join(letter) + "\n")


def _shown(letter):
    *rest, sender, recipient = letter
    return (*rest, sender or "<>", recipient)


def write_map(path, entries):
    """So many entries, 60 in 100 domains, 30 addresses, 10 mail addresses, in
    random order, the same every time."""
    chance = random.Random(20261122)
    numbers = list(range(entries - ENTRIES.count("\n")))
    chance.shuffle(numbers)
    values = ("REJECT", "RELAY", TEXT)
    with open(path, "w") as access:
        access.write(ENTRIES)
        for number in numbers:
            access.write(f"{_key(number)}\t{values[number % 3]}\n")


def _key(number):
    kind = number % 10
    if kind < 6:
        return f"host{number}.net{number % 977}.listed.example"
    if kind < 9:
        return (f"Connect:10.{number >> 16 & 255}.{number >> 8 & 255}."
                f"{number & 255}")
    return f"From:user{number}@net{number % 977}.listed.example"


def zones():
    """Lines for dnsmasq: every sender domain has an exchanger."""
    names = [f"s{number}.example" for number in range(DOMAINS)]
    names += ["far.s9.example", "sub.relayed.example", "abc.com"]
    for name in names:
        yield f"mx-host={name},mx.{name},10"
        yield f"host-record=mx.{name},192.0.2.99"
