# SPDX-License-Identifier: BSD-2-Clause
"""Row S9: what a client can make grow has a bound, each of them a word of the
configuration."""

import contextlib
import socket

from doorkit import netstring, policy_request
from kit import SANITIZER, SPAM, count, figure, own_names, peak
from logged import expect, greeted, logged
from results import within

REWRITING = """\
masquerade_as = "corp.example"
allmasquerade = true
aliases = "{aliases}"
"""
TOO_LARGE = "552 5.0.0 Headers too large"
TOO_MANY = "552 5.0.0 Too many header lines"


@contextlib.contextmanager
def bounded(programs, directory, words, access=SPAM):
    """A node that rewrites headers and recipients, and has these bounds."""
    aliases = f"{directory}/aliases"
    with open(aliases, "w") as file:
        file.write("somebody: else\n")
    with own_names() as options, \
            logged(programs, directory, access, options + words
                   + REWRITING.format(aliases=aliases)) as node:
        yield node


def begun(talk, recipients=1):
    expect(talk.mail("a@abc.com"), "c")
    for number in range(recipients):
        expect(talk.rcpt(f"u{number}@abc.com"), "c")


def test_max_recipients(programs, directory):
    with bounded(programs, directory, "max_recipients = 100\n") as node, \
            greeted(node, "postfix") as talk:
        for _ in range(2):
            begun(talk, 100)
            for _ in range(3):
                answer = talk.rcpt("one.more@abc.com")
                assert answer.text.startswith("452 4.5.3 ") and \
                    answer.text.endswith("Too many recipients"), answer
            assert talk.end_of_message().verdict == "c"


def end_with(talk, headers):
    begun(talk)
    for name, value in headers:
        expect(talk.header(name, value), "c")
    answer = talk.end_of_message()
    return answer.verdict, answer.text.partition(" (")[0]


def test_max_header_lines(programs, directory):
    """Of those that hold addresses; others are not kept."""
    with bounded(programs, directory, "max_header_lines = 10\n") as node, \
            greeted(node, "postfix") as talk:
        field, other = ("To", " u@abc.com"), ("X-Other", " u@abc.com")
        assert end_with(talk, [field] * 10 + [other] * 50)[0] == "c"
        assert end_with(talk, [field] * 11) == ("y", TOO_MANY)
        assert end_with(talk, [field] * 10)[0] == "c"


def test_max_header_bytes(programs, directory):
    with bounded(programs, directory, "max_header_bytes = 4000\n") as node, \
            greeted(node, "postfix") as talk:
        half = ("To", " " + "u@abc.com, " * 170 + "u@abc.com")
        assert end_with(talk, [half] * 2)[0] == "c"
        assert end_with(talk, [half] * 3) == ("y", TOO_LARGE)
        assert end_with(talk, [half])[0] == "c"


def test_max_reply_length(programs, directory):
    access = "From:long@x.example\t550 " + "word " * 300 + "\n"
    for bound in (64, 200, 960):
        with own_names() as options, \
                logged(programs, directory, access,
                       options + f"max_reply_length = {bound}\n") as node, \
                greeted(node, "sendmail") as talk:
            text = talk.mail("long@x.example").text
            assert bound - 80 < len(text) <= bound + len("550 5.0.0 "), \
                (bound, len(text))


def door(node, word):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(10)
    sock.connect(node.daemon.sockets()[word])
    return sock


def answered(node, word, request):
    """What the door says to one request."""
    with door(node, word) as sock:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(request)
            return sock.recv(65536)
    return b""


def test_max_request_size(programs, directory):
    """A longer one ends its connection, no other."""
    with bounded(programs, directory, "max_request_size = 2000\n") as node:
        for size, works in ((1000, True), (3000, False), (300_000, False)):
            request = policy_request(client_address="192.0.2.7",
                                     helo_name="x" * size)
            said = answered(node, "policy_socket", request)
            assert (said[:7] == b"action=") == works, (size, said)
            said = answered(node, "socketmap_socket",
                            netstring(b"access " + b"x" * size))
            assert (b"NOTFOUND" in said) == works, (size, said)


def open_clients(sockets):
    """How many of them the daemon has not closed."""
    still = 0
    for sock in sockets:
        sock.settimeout(0.3)
        try:
            still += sock.recv(1) != b""
        except TimeoutError:
            still += 1
        except OSError:
            pass
    return still


def test_max_clients(programs, directory):
    """Of each door; those silent longest make way."""
    with bounded(programs, directory, "max_clients = 5\n") as node:
        for word in ("policy_socket", "socketmap_socket"):
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(door(node, word))
                           for _ in range(12)]
                assert answered(node, word, netstring(b"access x")
                                if "map" in word else policy_request(
                                    client_address="192.0.2.7"))
                assert open_clients(clients) <= 5, word


def test_max_control_clients(programs, directory):
    with bounded(programs, directory, "max_control_clients = 3\n") as node, \
            contextlib.ExitStack() as stack:
        clients = []
        for _ in range(10):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.connect(f"{directory}/control.sock")
            clients.append(sock)
        assert node.daemon.control("status").returncode == 0
        assert open_clients(clients) <= 3


def measured(node, what, bound_mb, act):
    """Let one session act; the daemon's peak over what it had before."""
    with peak(node) as told, greeted(node, "postfix") as talk:
        act(talk)
        talk.quit()
    figure("S9", f"{what}: {told[0]} KB at worst")
    within(SANITIZER or told[0] < bound_mb * 1024, (what, told))


def many_recipients(talk):
    begun(talk)
    refused = 0
    for number in range(count(30_000, 100_000)):
        answer = talk.rcpt(f"user.with.a.name.{number}@abc.com")
        refused += answer.verdict != "c"
    assert refused == count(20_001, 90_001), refused
    assert talk.end_of_message().verdict == "c"


def long_headers(talk):
    """Longer than libmilter's largest packet no field can be."""
    value = " " + "u@abc.com, " * 5900 + "u@abc.com"
    assert end_with(talk, [("To", value)] * 1000) == ("y", TOO_LARGE)


def many_headers(talk):
    assert end_with(talk, [("Cc", " x" * 450 + " <u@abc.com>")] * 1000)[0] \
        == "c"


def large_body(talk):
    begun(talk)
    for _ in range(50 * 1024 * 1024 // 65535):
        expect(talk.body(b"x" * 65533 + b"\r\n"), "c")
    assert talk.end_of_message().verdict == "c"


def test_peaks(programs, directory):
    """One session at its worst, with the bounds' defaults."""
    with bounded(programs, directory,
                 "max_message_size = 200M\n") as node:
        measured(node, "1,000 headers of 900 bytes", 8, many_headers)
        measured(node, "1,000 headers of 65 KB", 8, long_headers)
        measured(node, f"{count(30_000, 100_000)} recipients", 16,
                 many_recipients)
        measured(node, "50 MB of body", 2, large_body)
