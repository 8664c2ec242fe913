# SPDX-License-Identifier: BSD-2-Clause
"""Where it is measured: namespaces of its own, in which /dev/log is a socket
that somebody reads, and a name server on loopback."""

import contextlib
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time

from material import zones

_INSIDE = "MILTERD_BENCH_WORLD"


def is_inside():
    return _INSIDE in os.environ


def enter():
    """Start this program again inside namespaces of its own, if it is not."""
    if is_inside():
        _furnish()
        return
    if os.geteuid() != 0:
        sys.exit(f"{sys.argv[0]}: must run as root (namespaces)")
    os.environ[_INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork",
                          "--kill-child", "--mount-proc", sys.executable,
                          "-B", *sys.argv])


def raise_limits():
    """As many open files as may be, for all that is started."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _furnish():
    raise_limits()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs",
                    "/mnt"], check=True)
    devices = "/mnt/dev"
    os.mkdir(devices)
    for name in ("null", "zero", "full", "random", "urandom"):
        open(f"{devices}/{name}", "w").close()
        subprocess.run(["mount", "--bind", f"/dev/{name}",
                        f"{devices}/{name}"], check=True)
    os.symlink("/proc/self/fd", f"{devices}/fd")
    os.mkdir(f"{devices}/shm", 0o1777)
    subprocess.run(["mount", "--rbind", devices, "/dev"], check=True)
    LogSink("/dev/log").start()


class LogSink(threading.Thread):
    """Reads datagrams and counts them."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        os.chmod(path, 0o666)
        self.lines = 0

    def run(self):
        while self._socket.recv(65536):
            self.lines += 1


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def name_server():
    """dnsmasq, which knows the letters' domains; the word for milterd.conf."""
    port = free_port()
    words = ("keep-in-foreground", "no-resolv", "no-hosts", "local=/#/",
             "local-ttl=3600", "neg-ttl=3600", "user=root", "pid-file",
             f"port={port}", "listen-address=127.0.0.1", "bind-interfaces",
             *zones())
    with tempfile.NamedTemporaryFile("w") as config:
        config.write("".join(f"{word}\n" for word in words))
        config.flush()
        server = subprocess.Popen(
            ["dnsmasq", "-C", config.name], stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        yield from _serve(server, port)


def _serve(server, port):
    try:
        _await_name_server(server, port)
        yield f'resolver = "127.0.0.1:{port}"\n'
    finally:
        server.terminate()
        server.wait()


def _await_name_server(server, port):
    query = (b"\0\1\1\0\0\1\0\0\0\0\0\0" + b"\2s1\7example\0" + b"\0\x0f\0\1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.1)
        client.connect(("127.0.0.1", port))
        for _ in range(100):
            try:
                client.send(query)
                if client.recv(512)[7]:
                    return
            except OSError:
                time.sleep(0.05)
            if server.poll() is not None:
                break
    raise RuntimeError("dnsmasq does not answer")
