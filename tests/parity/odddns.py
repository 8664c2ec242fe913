# SPDX-License-Identifier: BSD-2-Clause
"""A DNS responder for what dnsmasq cannot make up: SERVFAIL and odd CNAMEs.

Usage: odddns.py PORT
"""

import socket
import sys

import zones

CNAME = 5
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


def question_of(query):
    """The name asked for and the bytes of the whole question."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    return ".".join(labels).lower(), query[12:at + 5]


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in name.split(".")) + b"\0"


def answer_to(query):
    name, question = question_of(query)
    target = zones.ODD_CNAMES.get(name)
    if name.endswith(zones.FAILING):
        rcode = SERVFAIL
    else:
        rcode = NOERROR if target else NXDOMAIN
    flags = (0x8580 | rcode).to_bytes(2, "big")
    counts = bytes([0, 1, 0, 1 if target else 0, 0, 0, 0, 0])
    reply = query[:2] + flags + counts + question
    if target:
        data = wire_name(target)
        reply += (b"\xc0\x0c" + bytes([0, CNAME, 0, 1, 0, 0, 0, 60])
                  + len(data).to_bytes(2, "big") + data)
    return reply


def main():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as serving:
        serving.bind(("127.0.0.1", int(sys.argv[1])))
        while True:
            query, client = serving.recvfrom(4096)
            serving.sendto(answer_to(query), client)


if __name__ == "__main__":
    main()
