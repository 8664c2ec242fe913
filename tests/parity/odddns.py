# SPDX-License-Identifier: BSD-2-Clause
"""A DNS responder for what dnsmasq cannot make up.

Names under zones.FAILING get SERVFAIL; those in zones.ODD_CNAMES get what a
recursive server answers for such a CNAME. Usage: odddns.py PORT
"""

import ipaddress
import socket
import sys

import zones

ADDRESS, CNAME = 1, 5
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


def question_of(query):
    """The name and the type asked for, and the bytes of the question."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    kind = int.from_bytes(query[at + 1:at + 3], "big")
    return ".".join(labels).lower(), kind, query[12:at + 5]


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in name.split(".")) + b"\0"


def record(owner, kind, data):
    return (wire_name(owner) + kind.to_bytes(2, "big") + b"\0\1"
            + (60).to_bytes(4, "big") + len(data).to_bytes(2, "big") + data)


def records_for(name, kind):
    """The response code and the records for a question."""
    target = zones.ODD_CNAMES.get(name)
    if name.endswith(zones.FAILING) or (
            target and target.endswith(zones.FAILING)):
        return SERVFAIL, []
    if not target:
        return NXDOMAIN, []
    records = [record(name, CNAME, wire_name(target))]
    address = zones.ADDRESSES.get(target)
    if address and kind == ADDRESS:
        records.append(record(target, ADDRESS,
                              ipaddress.IPv4Address(address).packed))
    known = address or target in zones.ODD_CNAMES
    return NOERROR if known else NXDOMAIN, records


def answer_to(query):
    name, kind, question = question_of(query)
    rcode, records = records_for(name, kind)
    flags = (0x8180 | rcode).to_bytes(2, "big")
    counts = bytes([0, 1, 0, len(records), 0, 0, 0, 0])
    return query[:2] + flags + counts + question + b"".join(records)


def main():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as serving:
        serving.bind(("127.0.0.1", int(sys.argv[1])))
        while True:
            query, client = serving.recvfrom(4096)
            serving.sendto(answer_to(query), client)


if __name__ == "__main__":
    main()
