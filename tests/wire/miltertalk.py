# SPDX-License-Identifier: BSD-2-Clause
"""The MTA's side of the milter protocol, version 6, spoken by a test.

Written from the description of the protocol in libmilter/mfdef.h: packets are
a 4-byte length, a command letter and data; strings end with NUL.
"""

import collections
import socket
import struct

ALL_ACTIONS = 0x1ff
ALL_STEPS = 0x1fffff

# A command letter and the step bits with which a filter says that it wants
# neither to be told (NO_EVENT) nor to answer (NO_REPLY).
NO_EVENT = {"C": 0x1, "H": 0x2, "M": 0x4, "R": 0x8, "B": 0x10, "L": 0x20,
            "N": 0x40, "U": 0x100, "T": 0x200}
NO_REPLY = {"L": 0x80, "C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000,
            "T": 0x10000, "U": 0x20000, "N": 0x40000, "B": 0x80000}

# What decides and ends the exchange; the others ask for an edit first.
_FINAL = "acdfrsty4"
_PROGRESS = "p"

Answer = collections.namedtuple("Answer", "verdict text edits")


class Closed(Exception):
    """The filter closed the connection."""


class Talk:
    """One milter session.  Commands return an Answer; where the filter chose
    not to be asked or not to answer, that is "c", continue."""

    def __init__(self, sock, timeout=30):
        sock.settimeout(timeout)
        self._socket = sock
        self.actions, self.steps = 0, 0
        self.wanted = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, command, data=b""):
        packet = command.encode() + data
        self._socket.sendall(struct.pack(">I", len(packet)) + packet)

    def flood(self, command, data, count):
        """The same packet again and again, where no answer is wanted."""
        assert self.steps & NO_REPLY[command], (command, self.steps)
        packet = command.encode() + data
        packet = struct.pack(">I", len(packet)) + packet
        at_once = max(1, 1000000 // len(packet))
        while count > 0:
            self._socket.sendall(packet * min(count, at_once))
            count -= at_once

    def _read(self, size):
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise Closed()
            data += part
        return data

    def receive(self):
        """One packet: command letter and data."""
        size, = struct.unpack(">I", self._read(4))
        packet = self._read(size)
        return packet[:1].decode("latin-1"), packet[1:]

    def _ask(self, command, data=b""):
        if self.steps & NO_EVENT.get(command, 0):
            return Answer("c", "", [])
        self.send(command, data)
        if self.steps & NO_REPLY.get(command, 0):
            return Answer("c", "", [])
        return self.answer()

    def answer(self):
        """Read up to the verdict."""
        edits = []
        while True:
            command, data = self.receive()
            if command == _PROGRESS:
                continue
            if command in _FINAL:
                text = data.rstrip(b"\0").decode("utf-8", "backslashreplace")
                return Answer(command, text, edits)
            edits.append((command, data))

    def negotiate(self, version=6, actions=ALL_ACTIONS, steps=ALL_STEPS):
        """Offer what an MTA of today offers; keep what the filter wants."""
        self.send("O", struct.pack(">III", version, actions, steps))
        command, data = self.receive()
        assert command == "O", command
        _, self.actions, self.steps = struct.unpack(">III", data[:12])
        self.wanted = _symbol_lists(data[12:])

    def macros(self, stage, **values):
        """Define macros for the next command; a name of several letters gets
        its braces here."""
        pairs = b"".join(_string(_braced(name)) + _string(value)
                         for name, value in values.items())
        self.send("D", stage.encode() + pairs)

    def connect(self, name, address, port=25000):
        if ":" in address:
            family, address = b"6", "IPv6:" + address
        else:
            family = b"4"
        return self._ask("C", _string(name) + family + struct.pack(">H", port)
                         + _string(address))

    def helo(self, name):
        return self._ask("H", _string(name))

    def mail(self, sender, *arguments):
        return self._ask("M", _strings(f"<{sender}>", *arguments))

    def rcpt(self, recipient, *arguments):
        return self._ask("R", _strings(f"<{recipient}>", *arguments))

    def data(self):
        return self._ask("T")

    def header(self, name, value):
        return self._ask("L", _strings(name, value))

    def end_of_headers(self):
        return self._ask("N")

    def body(self, chunk):
        return self._ask("B", chunk)

    def end_of_message(self):
        self.send("E")
        return self.answer()

    def message(self, sender, recipients, headers=(), body=b"test\r\n"):
        """A whole message; the first answer that is not "continue", or the
        last."""
        steps = [lambda: self.mail(sender)]
        steps += [lambda name=name: self.rcpt(name) for name in recipients]
        steps += [self.data]
        steps += [lambda pair=pair: self.header(*pair) for pair in headers]
        steps += [self.end_of_headers, lambda: self.body(body),
                  self.end_of_message]
        for step in steps:
            answer = step()
            if answer.verdict not in "cs":
                break
        return answer

    def abort(self):
        self.send("A")

    def quit(self):
        self.send("Q")

    def quit_for_another(self):
        """Another connection follows, without a negotiation."""
        self.send("K")


def _braced(name):
    return name if len(name) == 1 else "{" + name + "}"


def _string(text):
    return text.encode("latin-1") + b"\0"


def _strings(*texts):
    return b"".join(map(_string, texts))


def _symbol_lists(data):
    """The macros that the filter asks for: stage number to names."""
    lists = {}
    while len(data) >= 4:
        stage, = struct.unpack(">I", data[:4])
        text, _, data = data[4:].partition(b"\0")
        lists[stage] = text.decode().split()
    return lists


def dial(path, timeout=30):
    """A session over a unix socket, nothing said yet."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.connect(path)
    return Talk(sock, timeout)
