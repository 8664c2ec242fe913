# SPDX-License-Identifier: BSD-2-Clause
"""An SMTP client that says what it is told and keeps each reply whole."""

import base64
import socket


class Hangup(Exception):
    """The server closed the connection instead of answering."""


def _base64(text):
    return base64.b64encode(text.encode()).decode()


class Smtp:
    """One connection; replies are lines joined by a newline."""

    def __init__(self, sock, helo="client.example"):
        self._socket = sock
        self._file = sock.makefile("rb")
        self.banner = self._reply()
        self.hello = self.say("EHLO " + helo) if helo else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _reply(self):
        lines = []
        while True:
            line = self._file.readline()
            if not line:
                raise Hangup()
            lines.append(line.decode("utf-8", "backslashreplace").rstrip())
            if lines[-1][3:4] != "-":
                return "\n".join(lines)

    def say(self, line):
        self._socket.sendall(line.encode("latin-1") + b"\r\n")
        return self._reply()

    def mail(self, sender, *arguments):
        return self.say(" ".join([f"MAIL FROM:<{sender}>", *arguments]))

    def rcpt(self, recipient, *arguments):
        return self.say(" ".join([f"RCPT TO:<{recipient}>", *arguments]))

    def data(self, content="Subject: test\n\ntest\n"):
        """Send the message; the reply to the final dot, or to DATA."""
        reply = self.say("DATA")
        if reply[:3] != "354":
            return reply
        lines = content.encode("latin-1").split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        stuffed = [b"." + line if line.startswith(b".") else line
                   for line in lines]
        self._socket.sendall(b"\r\n".join(stuffed + [b".", b""]))
        return self._reply()

    def auth_plain(self, user, password):
        return self.say("AUTH PLAIN " + _base64(f"\0{user}\0{password}"))

    def auth_login(self, user, password):
        self.say("AUTH LOGIN")
        self.say(_base64(user))
        return self.say(_base64(password))

    def reset(self):
        return self.say("RSET")

    def close(self):
        """Say QUIT if somebody still listens, and hang up."""
        try:
            self.say("QUIT")
        except (Hangup, OSError):
            pass
        self._file.close()
        self._socket.close()


def dial(outside, client, server, port=25, timeout=60):
    """Connect from an address of the outside, or from the mail host's own."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    if client.startswith("127.") or client == "::1":
        sock = socket.socket(family, socket.SOCK_STREAM)
    else:
        with outside.entered():
            sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.bind((client, 0))
    sock.connect((server, port))
    return sock
