# SPDX-License-Identifier: BSD-2-Clause
"""Real servers of Redis, servers that only pretend, and the client under
test."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                             "common"))

from results import Missed, within

SANITIZER = os.environ.get("SANITIZER", "")
IS_LONG = os.environ.get("STRESS") == "long"
SLOWER = {"": 1, "address": 3, "thread": 6}[SANITIZER]
TIMEOUT_MS = 250
# What a request may take that is bounded by 250 ms, on a busy machine.
BOUND_MS = 250 + 100 * SLOWER


def free_port():
    """A node of a Redis Cluster takes the port 10,000 above its own as well."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            if probe.getsockname()[1] <= 65535 - 10000:
                return probe.getsockname()[1]


def until(what, seconds=30, pause=0.02):
    """Wait for something to be true; how long that took."""
    started = time.monotonic()
    while not what():
        within(time.monotonic() - started < seconds, "not in time")
        time.sleep(pause)
    return time.monotonic() - started


class Server:
    """A redis-server on loopback and on a unix socket."""

    def __init__(self, directory, *words, port=None, program="redis-server",
                 config=None, name="redis", address="127.0.0.1", before=()):
        self.port = port or free_port()
        self.directory = os.path.join(directory, f"{name}-{self.port}")
        os.makedirs(self.directory, exist_ok=True)
        self.socket = os.path.join(self.directory, "s")
        self.log = os.path.join(self.directory, "log")
        self.address = address
        self._command = [*before, program] + ([config] if config else []) + [
            "--port", str(self.port), "--bind", address, "--dir",
            self.directory, "--logfile", self.log, *words]
        if address != "127.0.0.1":
            self._command += ["--protected-mode", "no"]
        self._is_sentinel = program == "redis-sentinel"
        if not self._is_sentinel:
            self._command += ["--unixsocket", self.socket,
                              "--repl-diskless-sync-delay", "0"]
            self._command += [] if "--save" in words else ["--save", ""]
        self._process = None
        self.start()

    def start(self, wait=True):
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if wait:
            until(self.answers, 60)

    def answers(self):
        assert self._process.poll() is None, open(self.log).read()[-800:]
        try:
            with socket.create_connection((self.address, self.port), 1):
                pass
            with socket.socket(socket.AF_UNIX) as door:
                return self._is_sentinel or not door.connect_ex(self.socket)
        except OSError:
            return False

    def tell(self, *words, user=()):
        """redis-cli, the independent client; what it prints."""
        result = subprocess.run(
            ["redis-cli", "-s", self.socket, *user, *words], text=True,
            capture_output=True, stdin=subprocess.DEVNULL, timeout=120,
            check=False)
        return (result.stdout + result.stderr).strip()

    def signal(self, number):
        self._process.send_signal(number)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def stop(self):
        if self._process.poll() is None:
            self.kill()

    @property
    def unix(self):
        return "server=unix:" + self.socket

    @property
    def inet(self):
        return f"server=inet:{self.port}@{self.address}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Fake:
    """Whoever connects gets what `serve` does with the connection."""

    def __init__(self, serve, address=("127.0.0.1", 0)):
        self._serve = serve
        self._listener = socket.create_server(address, backlog=16)
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._one, args=(connection,),
                                 daemon=True).start()

    def _one(self, connection):
        with connection, contextlib.suppress(OSError):
            self._serve(connection)

    @property
    def inet(self):
        return f"server=inet:{self.port}@127.0.0.1"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()


HELLO = b"*14\r\n" + b"".join(
    b"$%d\r\n%s\r\n" % (len(word), word) if isinstance(word, bytes)
    else b":%d\r\n" % word for word in (
        b"server", b"redis", b"version", b"7.0.15", b"proto", 2, b"id", 3,
        b"mode", b"standalone", b"role", b"master", b"modules")) + b"*0\r\n"


def answering(reply):
    """A fake that logs anybody in, and answers everything else so: bytes, or
    a function of the connection."""
    def serve(connection):
        while True:
            request = connection.recv(65536)
            if not request:
                return
            if request.startswith(b"*") and b"HELLO" in request:
                connection.sendall(HELLO)
            elif callable(reply):
                reply(connection)
            else:
                connection.sendall(reply)
    return serve


class Answer:
    def __init__(self, line):
        self.reply, self.trouble, took, self.problem = \
            line.rstrip("\n").split("\t")
        self.ms = int(took)

    def __repr__(self):
        return f"{self.trouble} in {self.ms} ms: {self.reply} {self.problem}"


def in_time(answer, trouble):
    """It ends so, and no later than it may; where the machine is busy, another
    server than one that stands still may be late."""
    within(trouble == "timed out" or answer.trouble != "timed out", answer)
    assert answer.trouble == trouble, answer
    within(answer.ms <= BOUND_MS, answer)


class Client:
    """The client under test: tests/redis/probe with these options."""

    def __init__(self, *options):
        self._process = subprocess.Popen(
            [PROBE, *options], stdin=subprocess.PIPE, text=True,
            stdout=subprocess.PIPE)
        self.loaded = self._process.stdout.readline().rstrip("\n")

    def ask(self, *words):
        self._process.stdin.write("\t".join(words) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the client is gone: {self._process.wait()}"
        return Answer(line)

    def call(self, *words):
        return self.ask("call", *words)

    def expect(self, trouble, *words):
        """One command; it ends so, and in time."""
        answer = self.call(*words)
        in_time(answer, trouble)
        return answer

    def eventually(self, trouble, *words, seconds=15):
        """Until a command ends so; how long that took."""
        last = [None]

        def ask():
            last[0] = self.call(*words)
            return last[0].trouble == trouble
        try:
            return until(ask, seconds)
        except AssertionError:
            raise Missed(f"never {trouble}: {last[0]}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        status = self._process.wait(120)
        assert status == (0 if self.loaded == "loaded" else 1), status


def refused(*options):
    """Why the client does not even load."""
    with Client(*options) as client:
        return client.loaded


def acl():
    """The user milterd as the manual gives it, for an aclfile; and a default
    user who may do everything, to look on."""
    with open(MANUAL) as manual:
        lines = manual.read().split("user milterd on >PASSWORD ")[1]
    rules = " ".join(lines.split(".Ed")[0].split())
    return (f"user milterd on >secret {rules}\n"
            "user default on nopass ~* &* +@all\n")


def secret(directory, text, mode=0o600, name="password"):
    path = os.path.join(directory, name)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def build():
    return os.environ.get("top_builddir") or "."


MANUAL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                      "man", "milterd.conf.5")
PROBE = os.path.join(build(), "tests", "redis", "probe")
HAVE_SERVER = shutil.which("redis-server") and shutil.which("redis-cli")
