#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Nets in the access map, beside Python's ipaddress.

Random maps of addresses, nets in sendmail's notation and nets with a slash,
with tags and without, and thousands of clients. The rule, from
milterd-maps(5): the longest net that a client is in counts, however it is
written, at one length the tagged entry before the untagged, of the same key
the first. Seeded; passes only if enough was asked and enough was found.
"""

import argparse
import ipaddress
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

SEED = 20261128
MAPS = 8
LINES = 120
CLIENTS = 500
TAGS = ("", "", "Connect:", "connect:", "From:")
BASES = ("192.0.2.0/24", "192.0.0.0/20", "10.0.0.0/8", "172.16.0.0/12",
         "2001:db8::/32", "2001:db8:1::/48", "fd00::/8", "0.0.0.0/0", "::/0")
CONFIG = """\
socket = "unix:{directory}/milterd.sock"
hostname = "mail.abc.com"
access = "{directory}/access"
allow_unsafe_files = true
nocanonify = true
"""


def inside(chance, base):
    """An address in a net, mostly near others."""
    base = ipaddress.ip_network(base)
    width = base.max_prefixlen - base.prefixlen
    offset = chance.getrandbits(width) if width else 0
    if width > 12 and chance.random() < 0.8:
        offset &= (0xfff << chance.choice((0, width - 12))) & (2 ** width - 1)
    return base.network_address + offset


def groups(net):
    """sendmail's notation, None where the net does not end with a group."""
    size = 8 if net.version == 4 else 16
    if net.prefixlen == 0 or net.prefixlen % size:
        return None
    whole = net.network_address.exploded
    parts = whole.split("." if net.version == 4 else ":")
    parts = parts[:net.prefixlen // size]
    if net.version == 4:
        return ".".join(parts)
    return "IPv6:" + ":".join(format(int(part, 16), "x") for part in parts)


def spelled(chance, net):
    plain = groups(net)
    if plain and chance.random() < 0.5:
        return plain
    address = chance.choice((net.network_address.exploded,
                             net.network_address.compressed,
                             net.network_address.compressed.upper()))
    word = "IPv6:" if net.version == 6 and chance.random() < 0.3 else ""
    return f"{word}{address}/{net.prefixlen}"


def make_map(chance):
    """Lines of text, and (tag, net) to the value of the first of them."""
    lines, entries = [], {}
    for number in range(LINES):
        address = inside(chance, chance.choice(BASES))
        length = chance.choice((address.max_prefixlen,
                                chance.randint(0, address.max_prefixlen),
                                chance.randint(16, address.max_prefixlen)))
        net = ipaddress.ip_network((address, length), strict=False)
        tag = chance.choice(TAGS)
        value = f"550 line {number}"
        lines.append(f"{tag}{spelled(chance, net)}\t{value}")
        entries.setdefault((tag.lower(), net), f"line {number}")
    return lines, entries


def expected(entries, address):
    for length in range(address.max_prefixlen, -1, -1):
        net = ipaddress.ip_network((address, length), strict=False)
        for tag in ("connect:", ""):
            if (tag, net) in entries:
                return entries[tag, net]
    return None


def clients(chance, entries):
    """Half of them in some net of the map, or just beside it."""
    nets = [net for _, net in entries]
    for _ in range(CLIENTS):
        if chance.random() < 0.5:
            yield inside(chance, chance.choice(BASES))
            continue
        net = chance.choice(nets)
        edge = chance.choice((int(net.network_address) - 1,
                              int(net.network_address),
                              int(net.broadcast_address),
                              int(net.broadcast_address) + 1))
        yield type(net.network_address)(edge % 2 ** net.max_prefixlen)


def ask(milterctl, directory, addresses):
    """The text of each refusal, None where there is none."""
    blocks = "".join(f"ruleset=check_relay\nclient_address={address}\n"
                     "client_resolve=FAIL\n\n" for address in addresses)
    done = subprocess.run([milterctl, "explain", "--json", "--config",
                           f"{directory}/milterd.conf"], input=blocks,
                          capture_output=True, text=True, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or len(answers) != len(addresses):
        sys.exit(f"nets: milterctl: exit {done.returncode}: {done.stderr}")
    return [answer.get("text") for answer in answers]


def one_map(options, seed, directory):
    """How many were asked, found, and what was wrong."""
    chance = random.Random(seed)
    lines, entries = make_map(chance)
    (directory / "access").write_text("\n".join(lines) + "\n")
    (directory / "milterd.conf").write_text(
        CONFIG.format(directory=directory))
    # A client of IPv4 in an IPv6 address is one of IPv4.
    asked = [address for address in clients(chance, entries)
             if address.version == 4 or address.ipv4_mapped is None]
    wanted = [expected(entries, address) for address in asked]
    got = ask(options.milterctl, directory, asked)
    return len(asked), len(asked) - wanted.count(None), [
        f"seed {seed}, {address}: {told!r}, not {value!r}"
        for address, value, told in zip(asked, wanted, got) if value != told]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--milterctl", type=os.path.abspath, required=True)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    asked, found, wrong = 0, 0, []
    for number in range(MAPS):
        with tempfile.TemporaryDirectory(prefix="milterd-nets-") as directory:
            part = one_map(options, options.seed * 100 + number,
                           pathlib.Path(directory))
        asked, found, wrong = asked + part[0], found + part[1], wrong + part[2]
    for line in wrong[:20]:
        print(line)
    print(f"{asked} clients, {found} of them found")
    failed = len(wrong) + (found < 1000 or asked - found < 100)
    print(f"{asked - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
