# SPDX-License-Identifier: BSD-2-Clause
"""Servers that are slow, late, or no Redis at all: no answer is believed that
is not one, and none is waited for longer than asked."""

import time

from rediskit import BOUND_MS, HELLO, Client, Fake, answering
from results import within


def drip(reply):
    def serve(connection):
        for byte in reply:
            connection.sendall(bytes([byte]))
            time.sleep(0.2)
    return serve


def test_drip():
    """Each byte comes in time, the reply never does."""
    with Fake(answering(drip(b"$10\r\n0123456789\r\n"))) as fake, \
            Client(fake.inet) as client:
        client.expect("timed out", "GET", "mlt:a")
    with Fake(drip(HELLO)) as fake, Client(fake.inet) as client:
        client.expect("timed out", "GET", "mlt:a")


def test_flood():
    """Bytes that never end, and never are a reply."""
    def pour(connection):
        connection.sendall(b"$900000\r\n")
        while True:
            connection.sendall(b"x" * 1000)
            time.sleep(0.001)
    with Fake(answering(pour)) as fake, Client(fake.inet) as client:
        client.expect("timed out", "GET", "mlt:a")


def test_flood_without_a_pause():
    """There is always something to read."""
    piece = b"x" * 4096

    def pour(connection):
        connection.sendall(b"$1900000000\r\n")
        while True:
            connection.sendall(piece)
    with Fake(answering(pour)) as fake, \
            Client(fake.inet, "limit=2000000000") as client:
        answer = client.ask("pipeline", "GET", "mlt:a")
        assert answer.trouble == "timed out", answer
        within(answer.ms <= BOUND_MS, answer)


def test_late_reply_is_nobodys():
    def late(connection):
        time.sleep(0.4)
        connection.sendall(b"$4\r\nlate\r\n")
    with Fake(answering(late)) as fake, Client(fake.inet) as client:
        client.expect("timed out", "GET", "mlt:a")
        end = time.monotonic() + 3
        while time.monotonic() < end:
            answer = client.call("GET", "mlt:b")
            assert answer.trouble == "timed out", answer
            assert answer.reply == "", answer


def test_reply_too_many():
    """One more than was asked for, at once or later, would be the next
    question's answer."""
    with Fake(answering(b"+one\r\n+two\r\n")) as fake, \
            Client(fake.inet) as client:
        client.expect("not Redis", "GET", "mlt:a")

    def another(connection):
        connection.sendall(b"+one\r\n")
        time.sleep(0.1)
        connection.sendall(b"+two\r\n")
    with Fake(answering(another)) as fake, Client(fake.inet) as client:
        for _ in range(5):
            assert client.expect("none", "GET", "mlt:a").reply == '"one"'
            time.sleep(0.2)
        within(fake.connections == 5, fake.connections)


JUNK = {
    "http": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "smtp": b"220 mx.example ESMTP\r\n",
    "huge array": b"*100000000\r\n",
    "hugest array": b"*9223372036854775807\r\n",
    "negative array": b"*-5\r\n",
    "negative string": b"$-5\r\n",
    "huge string": b"$999999999999999999999\r\n",
    "deep": b"*1\r\n" * 30,
    "wide": b"*200000\r\n*200000\r\n",
    "push": b">2\r\n+message\r\n+x\r\n",
    "map": b"%1\r\n+a\r\n+b\r\n",
    "no number": b":12x\r\n",
    "zeros": b"\0" * 64,
    "string without end": b"$3\r\nabcdef\r\n",
}


def test_junk():
    for name, junk in JUNK.items():
        with Fake(answering(junk)) as fake, Client(fake.inet) as client:
            answer = client.call("GET", "mlt:a")
            assert answer.trouble in ("not Redis", "timed out"), (name, answer)
            within(answer.ms <= BOUND_MS, (name, answer))
            assert answer.reply == "", (name, answer)
            within(answer.trouble == "not Redis" or name in (
                "deep", "string without end"), (name, answer))


def test_junk_instead_of_hello():
    for name, junk in JUNK.items():
        def serve(connection, junk=junk):
            connection.recv(65536)
            connection.sendall(junk)
            time.sleep(1)
        with Fake(serve) as fake, Client(fake.inet) as client:
            answer = client.call("GET", "mlt:a")
            assert answer.trouble in ("not Redis", "timed out"), (name, answer)
            within(answer.ms <= BOUND_MS, (name, answer))


def test_hello_of_others():
    for hello, trouble in ((b"*0\r\n", "not Redis"), (b"+OK\r\n", "not Redis"),
                           (b"-ERR unknown command 'HELLO'\r\n", "error"),
                           (HELLO.replace(b"$10\r\nstandalone",
                                          b"$7\r\ncluster"), "Redis Cluster"),
                           (HELLO.replace(b"$10\r\nstandalone",
                                          b"$8\r\nsentinel"), "no master")):
        with Fake(lambda c, hello=hello: (c.recv(999), c.sendall(hello),
                                          time.sleep(1))) as fake, \
                Client(fake.inet) as client:
            client.expect(trouble, "GET", "mlt:a")


def test_errors_are_logged_safely():
    text = b"-ERR \x1b[31m\x07\xff" + b"x" * 5000 + b"\r\n"
    with Fake(answering(text)) as fake, Client(fake.inet) as client:
        problem = client.expect("error", "GET", "mlt:a").problem
        assert len(problem) < 256 and problem.isascii(), problem
        assert problem.isprintable(), problem


def test_closed_in_the_middle():
    def half(connection):
        connection.sendall(b"$10\r\n0123")
        raise OSError
    with Fake(answering(half)) as fake, Client(fake.inet) as client:
        client.expect("connection closed", "GET", "mlt:a")


def test_nobody_answers_at_all():
    with Fake(lambda connection: time.sleep(5)) as fake, \
            Client(fake.inet) as client:
        client.expect("timed out", "GET", "mlt:a")
        answer = client.call("GET", "mlt:a")
        within(answer.ms < 50, answer)          # nobody waits twice


def test_names():
    with Fake(answering(b"+x\r\n")) as fake:
        by_name = f"server=inet:{fake.port}@redis.example"
        with Client(by_name, "name=redis.example") as client:
            assert client.expect("none", "GET", "mlt:a").reply == '"x"'
        with Client(by_name) as client:     # the name server never answers
            answer = client.expect("unreachable", "GET", "mlt:a")
            assert "cannot find the address" in answer.problem, answer
