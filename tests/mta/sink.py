# SPDX-License-Identifier: BSD-2-Clause
"""Where mail ends: a small SMTP and LMTP server that keeps what it gets."""

import collections
import re
import socketserver
import threading
import time

# Parameters are what stood behind the addresses: of MAIL, then of each RCPT;
# host is the address that the mail was brought to.
Mail = collections.namedtuple("Mail",
                              "sender recipients content parameters host")


def _address(argument):
    found = re.search(r"<(.*)>", argument)
    return found[1] if found else argument


def _parameters(argument):
    return tuple(argument.rpartition(">")[2].split())


class _Talk(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("220 sink")
        self._forget()
        for line in self.rfile:
            verb, _, rest = line.decode("latin-1").rstrip().partition(" ")
            answer = getattr(self, "on_" + verb.lower(), self.on_other)
            if answer(rest) is False:
                return

    def _forget(self):
        self.sender, self.recipients, self.parameters = None, [], []

    def on_other(self, _):
        self.say("250 ok")

    def on_ehlo(self, _):
        self.say("250-sink")
        self.say("250 DSN")

    def on_lhlo(self, _):
        self.lmtp = True
        self.say("250 sink")

    lmtp = False

    def on_mail(self, rest):
        self._forget()
        self.sender = _address(rest)
        self.parameters.append(_parameters(rest))
        self.say("250 ok")

    def on_rcpt(self, rest):
        self.recipients.append(_address(rest))
        self.parameters.append(_parameters(rest))
        self.say("250 ok")

    def on_data(self, _):
        self.say("354 go on")
        lines = []
        for line in self.rfile:
            if line in (b".\r\n", b".\n"):
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        else:
            return False
        self.server.sink.keep(Mail(self.sender, tuple(self.recipients),
                                   b"".join(lines).decode("latin-1"),
                                   tuple(self.parameters),
                                   self.connection.getsockname()[0]))
        for _ in self.recipients if self.lmtp else "1":
            self.say("250 kept")
        self._forget()
        return True

    def on_quit(self, _):
        self.say("221 bye")
        return False


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


class Sink:
    """All mail that came to one address; made in the namespace it is for."""

    def __init__(self, address, port):
        self._kept = []
        self._changed = threading.Condition()
        server = _Server((address, port), _Talk)
        server.sink = self
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def keep(self, mail):
        with self._changed:
            self._kept.append(mail)
            self._changed.notify_all()

    def take(self):
        """All mail since the last take."""
        with self._changed:
            kept, self._kept = self._kept, []
        return kept

    def wait(self, count, timeout=10):
        """True as soon as so much mail is there, False if it never is."""
        end = time.monotonic() + timeout
        with self._changed:
            while len(self._kept) < count:
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True
