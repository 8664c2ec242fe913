# SPDX-License-Identifier: BSD-2-Clause
"""The names of the tests' world: a dnsmasq on the mail host's loopback.

Each client address stands for one way a name can resolve.  What dnsmasq
cannot say, SERVFAIL, it asks of a small server here that says nothing else.
"""

import socket
import subprocess
import threading
import time

import dkim
from world import HOST, SERVER4, SERVER6, write

ELSEWHERE = "203.0.113.25"

# One row a client: address, the name its PTR gives, that name's own address.
CLIENTS = """
192.0.2.7    host7.stranger.example      192.0.2.7
192.0.2.8    host8.stranger.example      192.0.2.8
192.0.2.20   trusted.elsewhere.example   192.0.2.20
192.0.2.21   mx1.partner.example         192.0.2.21
192.0.2.22   jephe.branch.example        192.0.2.22
192.0.2.11   liar.partner.example        192.0.2.200
192.0.2.12   ghost.partner.example       -
192.0.2.15   later.servfail.example      -
192.0.2.66   bad66.stranger.example      192.0.2.66
192.0.2.67   bad67.stranger.example      192.0.2.67
192.0.2.68   bad68.stranger.example      192.0.2.68
192.0.2.69   friend69.stranger.example   192.0.2.69
10.1.2.3     inside.elsewhere.example    10.1.2.3
2001:db8::7  v6.stranger.example         2001:db8::7
2001:db8::20 v6.elsewhere.example        2001:db8::20
"""

# Domains that exist, with an address and, but for one, with an MX.
DOMAINS = ("good.example", "spam.example", "qq.com", "reject.example",
           "hold.example", "victim.example", "evil.example",
           "branch.example", "sub.branch.example", "relayed.example",
           "hater.example", "corp.example", "lan.example", "foreign.example",
           "other.example", "old.example", "new.example", "virtual.example",
           "plain.example", "host.lan.example")

# What a CNAME stands for.
ALIASES = {"www.foreign.example": "real.foreign.example"}

SILENT_CLIENTS = ("192.0.2.14",)          # PTR: SERVFAIL
SILENT_DOMAINS = ("servfail.example",)


def _reverse(address):
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


def _reverse6(address):
    packed = socket.inet_pton(socket.AF_INET6, address).hex()
    return ".".join(reversed(packed)) + ".ip6.arpa"


def _ptr(address, name):
    place = _reverse6(address) if ":" in address else _reverse(address)
    return f"ptr-record={place},{name}"


def configuration(silent_port):
    """dnsmasq's configuration for this world."""
    lines = ["no-resolv", "no-hosts", "user=root", "listen-address=127.0.0.1",
             "bind-interfaces", "port=53", "local=/#/", "cache-size=0",
             f"host-record=abc.com,{SERVER4}", f"mx-host=abc.com,{HOST},10",
             f"host-record={HOST},{SERVER4},{SERVER6}"]
    for row in CLIENTS.split("\n")[1:-1]:
        address, name, forward = row.split()
        lines.append(_ptr(address, name))
        if forward != "-":
            lines.append(f"host-record={name},{forward}")
    for domain in DOMAINS:
        lines += [f"address=/{domain}/{ELSEWHERE}",
                  f"mx-host={domain},mx.{domain},10"]
    for alias, name in ALIASES.items():
        lines += [f"host-record={name},{ELSEWHERE}", f"cname={alias},{name}"]
    lines += [f"txt-record={dkim.SELECTOR}._domainkey.{domain},"
              + ",".join(f'"{part}"' for part in dkim.record())
              for domain in dkim.DOMAINS]
    for name in [*map(_reverse, SILENT_CLIENTS), *SILENT_DOMAINS]:
        lines.append(f"server=/{name}/127.0.0.1#{silent_port}")
    return "\n".join(lines) + "\n"


class _Servfail(threading.Thread):
    """Answers every question with SERVFAIL."""

    def __init__(self):
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def run(self):
        while True:
            query, peer = self._socket.recvfrom(4096)
            flags = bytes([0x80 | query[2] & 0x79, 0x80 | 2])
            counts = query[4:6] + bytes(6)
            end = query.index(0, 12) + 5
            answer = query[:2] + flags + counts + query[12:end]
            self._socket.sendto(answer, peer)


class Names:
    """The running name server."""

    def __init__(self):
        silent = _Servfail()
        silent.start()
        write("/etc/dnsmasq-world.conf", configuration(silent.port))
        self._process = subprocess.Popen(
            ["dnsmasq", "--keep-in-foreground", "--pid-file=",
             "--conf-file=/etc/dnsmasq-world.conf"])
        self._await()

    def _await(self):
        query = b"\0\1\1\0\0\1\0\0\0\0\0\0\3abc\3com\0\0\1\0\1"
        for _ in range(100):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
                asker.settimeout(0.1)
                try:
                    asker.connect(("127.0.0.1", 53))
                    asker.send(query)
                    asker.recv(512)
                    return
                except OSError:
                    time.sleep(0.05)
        raise RuntimeError("dnsmasq does not answer")

    def stop(self):
        self._process.terminate()
        self._process.wait()
