# SPDX-License-Identifier: BSD-2-Clause
"""A machine of the test's own: namespaces, host name, files and DNS.

`enter` starts the program again inside new mount, host name, network and
process namespaces, so that nothing here can reach or change the outside;
`World` then gives that inside its name, its /etc files and its DNS servers.
Everything ends with the process, since the process namespace does.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import zones

INSIDE = "MILTERD_PARITY_INSIDE"
ODD_PORT = 5300
HERE = pathlib.Path(__file__).resolve().parent


def enter():
    """Return inside the namespaces; outside, run there and exit as it does."""
    if os.environ.get(INSIDE):
        return
    if os.geteuid() != 0:
        sys.exit("parity: root is needed for the namespaces")
    command = ["unshare", "--mount", "--uts", "--net", "--pid", "--fork",
               "--kill-child", "--propagation", "private", "--mount-proc",
               sys.executable, "-B", *sys.argv]
    done = subprocess.run(command, env={**os.environ, INSIDE: "1"},
                          check=False)
    sys.exit(done.returncode)


class World:
    """Start what `enter` left out; `close` stops it again."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.children = []

    def open(self):
        socket.sethostname(zones.HOSTNAME)
        run("ip", "link", "set", "lo", "up")
        self._bind("/etc/hosts", hosts_file())
        self._bind("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        self._bind("/etc/nsswitch.conf", "passwd: files\ngroup: files\n"
                   "hosts: files dns\n")
        self._start([sys.executable, "-B", str(HERE / "odddns.py"),
                     str(ODD_PORT)])
        conf = self.directory / "dnsmasq.conf"
        conf.write_text(dnsmasq_conf())
        self._start([find_dnsmasq(), "--keep-in-foreground",
                     f"--conf-file={conf}"])
        wait_for_dns()

    def close(self):
        for child in self.children:
            child.terminate()
        for child in self.children:
            child.wait()

    def _bind(self, target, text):
        source = self.directory / os.path.basename(target)
        source.write_text(text)
        run("mount", "--bind", str(source), target)

    def _start(self, command):
        log = open(self.directory / "servers.log", "ab")
        self.children.append(subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))


def hosts_file():
    short = zones.HOSTNAME.split(".", maxsplit=1)[0]
    return (f"127.0.0.1 localhost\n"
            f"{zones.ADDRESSES[zones.HOSTNAME]} {zones.HOSTNAME} {short}\n")


def dnsmasq_conf():
    """dnsmasq's configuration for the zones."""
    lines = ["no-resolv", "no-hosts", "no-poll", "bind-interfaces",
             "listen-address=127.0.0.1", "port=53", "user=root",
             "cache-size=10000", "pid-file=", "local=/#/", "local=//"]
    for name, address in zones.ADDRESSES.items():
        lines.append(f"host-record={name},{address}")
    for name, exchangers in zones.EXCHANGERS.items():
        for rank, exchanger in enumerate(exchangers):
            lines.append(f"mx-host={name},{exchanger},{10 * (rank + 1)}")
    for name, target in zones.CNAMES.items():
        lines.append(f"cname={name},{target}")
    for name, number, data in zones.RAW:
        lines.append(f"dns-rr={name},{number},{data}")
        # Else dnsmasq says that the name does not exist at all.
        lines.append(f"txt-record={name},present")
    for zone in zones.FAILING + zones.ODD:
        lines.append(f"server=/{zone}/127.0.0.1#{ODD_PORT}")
    for address, name in zones.POINTERS.items():
        lines.append(f"ptr-record={turned(address)}.in-addr.arpa,{name}")
    for zone, listed in zones.LISTED.items():
        for address, answer in listed.items():
            lines.append(f"address=/{turned(address)}.{zone}/{answer}")
    return "\n".join(lines) + "\n"


def turned(address):
    return ".".join(reversed(address.split(".")))


def find_dnsmasq():
    found = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not found:
        sys.exit("parity: dnsmasq is missing (Debian package dnsmasq-base)")
    return found


def wait_for_dns():
    """Wait until both servers answer."""
    deadline = time.monotonic() + 10
    for name in (zones.HOSTNAME, "dangling.odd.test"):
        while not dns_answers(name):
            if time.monotonic() > deadline:
                sys.exit("parity: the DNS servers do not start")
            time.sleep(0.05)


def dns_answers(name):
    query = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0"
    for label in name.split("."):
        query += bytes([len(label)]) + label.encode()
    query += b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.5)
        try:
            asking.sendto(query, ("127.0.0.1", 53))
            reply = asking.recv(512)
        except OSError:
            return False
    return len(reply) > 12 and int.from_bytes(reply[6:8], "big") > 0


def run(*command):
    subprocess.run(command, check=True)
