# SPDX-License-Identifier: BSD-2-Clause
"""A name server on loopback that knows what a test tells it."""

import ipaddress
import socket
import threading

A, PTR, MX, AAAA = 1, 12, 15, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


def reverse(address):
    return ipaddress.ip_address(address).reverse_pointer


class NameServer(threading.Thread):
    """`pointers`: address to name; `addresses`: name to address; `failing`:
    names that get SERVFAIL; `silent`: names that get nothing."""

    def __init__(self, pointers=None, addresses=None, failing=(), silent=()):
        super().__init__(daemon=True)
        self.pointers = {reverse(a): n for a, n in (pointers or {}).items()}
        self.addresses = addresses or {}
        self.failing, self.silent = set(failing), set(silent)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.socket.close()

    @property
    def option(self):
        return f'resolver = "127.0.0.1:{self.socket.getsockname()[1]}"\n'

    def run(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
                reply = self.reply(query)
                if reply:
                    self.socket.sendto(reply, peer)
            except OSError:
                return

    def reply(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
            at += 1 + query[at]
        name, kind = ".".join(labels).lower(), query[at + 2]
        if name in self.silent:
            return None
        rcode, data = self.answer(name, kind)
        record = (b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1"
                  + (60).to_bytes(4, "big") + len(data).to_bytes(2, "big")
                  + data) if data else b""
        return (query[:2] + (0x8180 | rcode).to_bytes(2, "big")
                + bytes([0, 1, 0, bool(data), 0, 0, 0, 0])
                + query[12:at + 5] + record)

    def answer(self, name, kind):
        if name in self.failing:
            return SERVFAIL, b""
        if kind == PTR and name in self.pointers:
            return NOERROR, wire_name(self.pointers[name])
        if name not in self.addresses:
            return NXDOMAIN, b""
        address = ipaddress.ip_address(self.addresses[name])
        fits = kind == {4: A, 6: AAAA}[address.version]
        return NOERROR, address.packed if fits else b""


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in name.split(".")) + b"\0"
