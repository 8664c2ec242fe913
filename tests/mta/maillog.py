# SPDX-License-Identifier: BSD-2-Clause
"""The mail host's log: a collector at /dev/log that tests can read."""

import collections
import os
import re
import socket
import threading
import time

Line = collections.namedtuple("Line", "program text")

_SHAPE = re.compile(r"<\d+>(?:\w{3} [ \d]\d \d\d:\d\d:\d\d )?"
                    r"(?:\S+ (?=\S+\[\d+\]: ))?"
                    r"(?P<program>[^\s\[:]+)(?:\[\d+\])?: (?P<text>.*)", re.S)


def parse(datagram):
    """One syslog datagram as a Line."""
    text = datagram.decode("utf-8", "backslashreplace").rstrip("\n\0")
    found = _SHAPE.match(text)
    if not found:
        return Line("?", text)
    return Line(found["program"], found["text"])


class Maillog:
    """Every line logged on the mail host, in order."""

    def __init__(self, path="/dev/log"):
        self._lines = []
        self._changed = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        os.chmod(path, 0o666)
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self):
        while True:
            line = parse(self._socket.recv(65536))
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()

    def mark(self):
        """A place in the log: what is there now lies before it."""
        with self._changed:
            return len(self._lines)

    def since(self, mark):
        with self._changed:
            return self._lines[mark:]

    def wait(self, mark, wanted, timeout=5):
        """The first line after the mark for which wanted(line) is true."""
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                for line in self._lines[mark:]:
                    if wanted(line):
                        return line
                mark = len(self._lines)
                if not self._changed.wait(max(0, end - time.monotonic())) \
                        and time.monotonic() >= end:
                    return None
