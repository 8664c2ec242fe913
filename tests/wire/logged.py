# SPDX-License-Identifier: BSD-2-Clause
"""A node whose maillog the test can read, and MTAs of either kind to talk to
it."""

import contextlib
import os
import subprocess
import time

import miltertalk
from daemon import Daemon
from node import NO_NAME_SERVER, Node

CLIENT = "192.0.2.7"
VERSIONS = {"sendmail": "8.17.1.9", "postfix": "Postfix 3.7.11"}


def environment():
    """AddressSanitizer keeps what was freed; here memory is measured."""
    options = [os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=1",
               "thread_local_quarantine_size_kb=16"]
    return {**os.environ, "ASAN_OPTIONS": ":".join(filter(None, options))}


class LoggedDaemon(Daemon):
    """Writes its maillog to standard error, which is a file."""

    def start(self):
        with open(f"{self._state}/maillog", "a") as log:
            self._process = subprocess.Popen(
                [self._programs.milterd, "-f", "-e", "-c", self.config],
                stdin=subprocess.DEVNULL, stderr=log, env=environment())
        end = time.monotonic() + 120
        while not self._listens():
            assert self.is_alive() and time.monotonic() < end, self.log()
            time.sleep(0.02)

    def log(self):
        with open(f"{self._state}/maillog") as log:
            return log.read()

    def logged(self, wanted, times=1, timeout=60):
        """Wait until a text stands so many times in the log, no more."""
        end = time.monotonic() + timeout
        while self.log().count(wanted) < times and time.monotonic() < end:
            time.sleep(0.02)
        found = self.log().count(wanted)
        assert found == times, f"{found} times {wanted!r}:\n{self.log()}"


@contextlib.contextmanager
def logged(programs, directory, access="", options=NO_NAME_SERVER, items=None):
    """As node.running(), with a maillog; `items`: of the access map, where it
    is more than its file."""
    node = Node(programs, directory)
    node.daemon = LoggedDaemon(programs, node.daemon.config, directory,
                               directory)
    node.write_access(access)
    if items is not None:
        node.options = node.options.replace(f'"{node.access}"', items)
    node.options += options
    node.daemon.configure(node.options)
    node.daemon.start()
    try:
        yield node
    finally:
        if node.daemon.is_alive():
            assert node.daemon.stop() == 0, node.daemon.log()
        log = node.daemon.log()
        assert "Sanitizer" not in log and "runtime error" not in log, log


def dial(node, timeout=30):
    return miltertalk.dial(node.daemon.sockets()["socket"], timeout)


def connect(node, mta, address=CLIENT, resolve="OK", name="host.example",
            ptr=None, **negotiation):
    """A session of such an MTA as far as CONNECT, and the answer to it."""
    talk = dial(node)
    talk.negotiate(**negotiation)
    shown = name if resolve == "OK" else f"[{address}]"
    nobody = "unknown" if mta == "postfix" else f"[{address}]"
    queue_id = {"i": "6AMB3kD1000720"} if mta == "sendmail" else {}
    talk.macros("C", j="mail.abc.com", v=VERSIONS[mta],
                client_name=shown if resolve == "OK" else nobody,
                client_ptr=ptr or (name if resolve == "OK" else nobody),
                client_addr=address, client_port="25000",
                client_resolve=resolve, **queue_id)
    return talk, talk.connect(shown, address)


def greeted(node, mta, **client):
    """A session of such an MTA as far as HELO, both accepted."""
    talk, answer = connect(node, mta, **client)
    assert answer.verdict == "c", answer
    answer = talk.helo("client.example")
    assert answer.verdict == "c", answer
    return talk


def expect(answer, verdict, text=""):
    """`text` is the whole reply that goes with "y"."""
    assert (answer.verdict, answer.text) == (verdict, text), answer
