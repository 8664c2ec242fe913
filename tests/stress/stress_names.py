# SPDX-License-Identifier: BSD-2-Clause
"""Row D1 through the daemon: a name server that is dead, slow, failing, or
sends names that nobody should have. tests/unit/test_resolver.c has CNAME
loops, 200 pointers and truncated answers."""

import re
import time

from cases_intake import FAILED, FORGED, TEMPORARY, asked_about
from kit import SLOWER, figure
from logged import CLIENT, greeted, logged
from nameserver import NOERROR, PTR, NameServer, reverse
from results import within

OWN = 'client_resolve = "dns"\naccept_unresolvable_domains = true\n'


class Slow(NameServer):
    """Answers, but after ten seconds."""

    def reply(self, query):
        time.sleep(10)
        return super().reply(query)


def judged(programs, directory, names):
    """What relaying is refused with, and how long the session took."""
    with logged(programs, directory, "", names.option + OWN) as node:
        started = time.monotonic()
        with greeted(node, "postfix", name="told.example") as talk:
            text = asked_about(talk)
        return text, time.monotonic() - started


def test_no_temporary_failure_is_a_forgery(programs, directory):
    dead = NameServer()
    option = dead.option
    dead.socket.close()

    class Dead:
        option = None

    Dead.option = option
    slow, broken = Slow({CLIENT: "host.example"}), NameServer(
        failing=[reverse(CLIENT)])
    silent = NameServer(silent=[reverse(CLIENT)])
    forward = NameServer({CLIENT: "host.example"}, silent=["host.example"])
    worst = 0
    for names in (slow, broken, silent, forward):
        names.start()
    for what, names in (("dead", Dead), ("slow", slow), ("SERVFAIL", broken),
                        ("silent", silent), ("silent for the name", forward)):
        text, took = judged(programs, directory, names)
        assert text == TEMPORARY, (what, text)
        within(took < 2.5 * SLOWER, (what, took))
        worst = max(worst, took)
    for names in (broken, silent, forward):
        names.socket.close()
    figure("D1", f"a session without an answer waited {worst:.2f} s at most")


ODD_NAMES = (b"ev\nil", b'"quo"ted', b"a,b", b"x>, relay=[198.51.100.9]",
             b"\xff\xfe", b"\x00\x01", b"per%cent%s", b"sp ace", b"x" * 63,
             b"[192.0.2.1]", b"-dash", b"und_er", b"a\rb", b"\x1b[2J", b"*")


class Odd(NameServer):
    """The pointer is a label of any bytes; that name has no address, or the
    client's."""

    def __init__(self, label, is_confirmed):
        super().__init__()
        self.label, self.is_confirmed = label, is_confirmed

    def answer(self, name, kind):
        if kind == PTR:
            return NOERROR, (bytes([len(self.label)]) + self.label
                             + b"\7example\0")
        if kind == 1 and self.is_confirmed:
            return NOERROR, bytes(map(int, CLIENT.split(".")))
        return super().answer(name, kind)


LINE = re.compile(r"\w{3} [ \d]\d [\d:]{8} milterd\[\d+\]: [ -~]*")


def test_pointers_of_any_bytes(programs, directory):
    """The log has the same lines as ever, and no other relay in them."""
    for label in ODD_NAMES:
        for is_confirmed in (False, True):
            with Odd(label, is_confirmed) as names, \
                    logged(programs, directory, "",
                           names.option + OWN) as node:
                with greeted(node, "postfix", name="told.example") as talk:
                    text = asked_about(talk)
                assert text in (FORGED, FAILED) or is_confirmed, (label, text)
                assert text.startswith("550 5.7.1 <u@victim.example>..."), \
                    (label, text)
            lines = node.daemon.log().splitlines()
            for line in lines:
                assert LINE.fullmatch(line), (label, line)
                assert "relay=[198.51.100.9]" not in line, line
            assert any(f"[{CLIENT}]" in line for line in lines), label
            open(f"{directory}/maillog", "w").close()
