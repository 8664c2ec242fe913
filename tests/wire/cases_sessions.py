# SPDX-License-Identifier: BSD-2-Clause
"""Sessions that go wrong, and many at once: the others are served."""

import contextlib
import socket
import threading
import time

import miltertalk
from node import running
from results import within

ACCESS = """\
From:spam@x.example	REJECT
From:void@x.example	DISCARD
From:held@x.example	QUARANTINE:to be read
"""


def healthy(node):
    """A session right now gets the right answers, and soon."""
    started = time.monotonic()
    with node.talk() as talk:
        assert talk.mail("spam@x.example").verdict == "y"
        talk.abort()
        answer = talk.message("a@x.example", ["u@abc.com"])
        assert answer.verdict in "ca", answer
    return time.monotonic() - started


def test_answers_by_sender(programs, directory):
    with running(programs, directory, ACCESS) as node, node.talk() as talk:
        answer = talk.mail("spam@x.example")
        assert answer.text == \
            "550 5.7.1 <spam@x.example>... Access denied", answer
        talk.abort()
        assert talk.message("void@x.example", ["u@abc.com"]).verdict == "d"
        answer = talk.message("held@x.example", ["u@abc.com"])
        assert answer.verdict in "ca", answer
        assert [edit for edit, _ in answer.edits] == ["q"], answer
        # Nothing of these messages is left for the next.
        answer = talk.message("a@x.example", ["u@abc.com"])
        assert answer.verdict in "ca" and not answer.edits, answer


def test_prefix_is_left_to_sendmail(programs, directory):
    """sendmail puts the address before a milter's reply itself."""
    with running(programs, directory, ACCESS) as node:
        with miltertalk.dial(node.daemon.sockets()["socket"]) as talk:
            talk.negotiate()
            talk.macros("C", j="mail.abc.com", v="8.17.1.9", _="h [192.0.2.7]",
                        client_name="host.example", client_resolve="OK",
                        client_ptr="host.example", client_addr="192.0.2.7")
            talk.connect("host.example", "192.0.2.7")
            talk.helo("host.example")
            answer = talk.mail("spam@x.example")
            assert answer.text == "550 5.7.1 Access denied", answer


def test_relaying_is_denied_without_any_macro(programs, directory):
    with running(programs, directory, ACCESS) as node:
        with miltertalk.dial(node.daemon.sockets()["socket"]) as talk:
            talk.negotiate(version=6)
            talk.connect("[192.0.2.7]", "192.0.2.7")
            talk.helo("host.example")
            talk.mail("a@x.example")
            answer = talk.rcpt("u@victim.example")
            assert answer.verdict in "yrt", answer


def test_asks_for_the_macros_it_needs(programs, directory):
    with running(programs, directory, ACCESS) as node, node.talk() as talk:
        at_connect = talk.wanted[0]
        for name in ("{client_resolve}", "{client_name}", "{client_ptr}", "v"):
            assert name in at_connect, talk.wanted


def test_bare_connections_and_half_packets(programs, directory):
    with running(programs, directory, ACCESS) as node, \
            contextlib.ExitStack() as stack:
        path = node.daemon.sockets()["socket"]
        for number in range(200):
            sock = stack.enter_context(
                socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sock.connect(path)
            if number % 4 == 1:
                sock.sendall(b"\0\0")
            elif number % 4 == 2:
                sock.sendall(b"\xff\xff\xff\xffO")
            elif number % 4 == 3:
                sock.sendall(b"\0\0\0\1Q")
            if number % 2:
                sock.close()
        slowest = max(healthy(node) for _ in range(20))
        within(slowest < 2, f"{slowest:.1f} s")


TEMPORARY = ("451 4.1.8 Domain of sender address a@slow.example "
             "does not resolve")


class Blocked(threading.Thread):
    """A session whose sender domain no name server answers for."""

    def __init__(self, node):
        super().__init__()
        self.node = node
        self.took, self.answer = None, None

    def run(self):
        with self.node.talk(timeout=60) as talk:
            started = time.monotonic()
            self.answer = talk.mail("a@slow.example")
            self.took = time.monotonic() - started


def test_silent_resolver_delays_nobody_for_long(programs, directory):
    """50 sessions ask at once; sendmail waits 10 seconds for an answer."""
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    options = f'resolver = "127.0.0.1:{silent.getsockname()[1]}"\n'
    with silent, running(programs, directory, ACCESS, options) as node:
        blocked = [Blocked(node) for _ in range(50)]
        for session in blocked:
            session.start()
        time.sleep(0.2)
        with node.talk() as talk:
            started = time.monotonic()
            assert talk.mail("spam@x.example").verdict == "y"
            probe = time.monotonic() - started
        for session in blocked:
            session.join()
        answers = {session.answer.text for session in blocked}
        assert answers == {TEMPORARY}, answers
        slowest = max(session.took for session in blocked)
        within(slowest < 8 and probe < 2, (slowest, probe))
