# SPDX-License-Identifier: BSD-2-Clause
"""Messages made to hurt, under recipes: the verdict comes in time, memory is
bounded, and the log says which limit it was.  A body of 100 MB; with
STRESS=long a million header lines, which cost libmilter eight seconds."""

import contextlib
import os
import time

from cases_filter import HEADERS, edits_of, expect_logged, filtering, send
from node import bounded_memory
from results import within

IS_LONG = os.environ.get("STRESS") == "long"
LINES = 1000000 if IS_LONG else 100000
BODY_MB = 100
SANITIZER = os.environ.get("SANITIZER")
# sendmail waits 10 s, Postfix 30 s.
VERDICT_S = 8 if SANITIZER else 2
# The message as it is kept, a copy of it to match, and what grows. ASan keeps
# 256 MB of what was freed.
MEMORY_KB = (512 if SANITIZER else 64) * 1024


@contextlib.contextmanager
def begun(node):
    """A message whose header or body is to come."""
    with node.talk() as talk:
        talk.mail("a@far.example")
        talk.rcpt("bob@abc.com")
        yield talk


def end(node, talk):
    """Its verdict, in time, and the memory it has taken."""
    started = time.monotonic()
    answer = talk.end_of_message()
    took = time.monotonic() - started
    within(took < VERDICT_S, f"{took:.2f} s")
    assert send(node, ["ann@abc.com"]).verdict == "c"
    return answer


@contextlib.contextmanager
def bounded(node):
    """Memory, of one that has had a message."""
    send(node, ["ann@abc.com"])
    with bounded_memory(node, MEMORY_KB):
        yield


def test_header_lines(programs, directory):
    """All of them fit, and an expression goes over them again and again."""
    recipes = ":0\n* ^X: 1$(.*$)*X-Last: (y|e|s)+$\n/dev/null\n"
    with filtering(programs, directory, recipes) as node, \
            bounded(node), begun(node) as talk:
        talk.flood("L", b"X\0 1\0", LINES)
        talk.header("X-Last", " yes")
        answer = end(node, talk)
        assert answer.text.startswith("451 4.3.0 "), answer
        expect_logged(directory, "NOQUEUE: recipes: limit=regular expressions")


def test_header_larger_than_is_kept(programs, directory):
    recipes = ":0\n* ^X: 1\n/dev/null\n"
    with filtering(programs, directory, recipes,
                   "max_message_kept = 65536\n") as node, \
            bounded(node), begun(node) as talk:
        talk.flood("L", b"X\0 1\0", LINES)
        answer = end(node, talk)
        assert (answer.verdict, answer.edits) == ("c", []), answer
        expect_logged(directory, "larger than max_message_kept: passed")


def test_header_that_is_rewritten(programs, directory):
    """Fields of addresses are counted, and their bytes."""
    with open(f"{directory}/domains", "w") as file:
        file.write("old.example\tnew.example\n")
    options = f'domaintable = {{ "{directory}/domains" }}\n'
    with filtering(programs, directory, ":0\n* ^X: 1\n/dev/null\n",
                   options) as node, bounded(node):
        for value, text in (
                (b" a@old.example", "Too many header lines (1000 max)"),
                (b" a@old.example," * 100, "Headers too large (1048576 max)")):
            with begun(node) as talk:
                talk.flood("L", b"To\0" + value + b"\0", LINES // 20)
                answer = end(node, talk)
            assert (answer.verdict, answer.text) == (
                "y", f"552 5.0.0 {text}"), answer
            expect_logged(directory, f"reject=552 5.0.0 {text}\n")


def test_body(programs, directory):
    for word, verdict, text, logged in (
            ("pass", "c", "", "larger than max_message_kept: passed"),
            ("reject", "y", "552 5.3.4 ", "reject=552 5.3.4 ")):
        with filtering(programs, directory, ":0B\n* (x+)+y\n/dev/null\n",
                       f'large_messages = "{word}"\n') as node, \
                bounded(node), begun(node) as talk:
            for name, value in HEADERS:
                talk.header(name, " " + value)
            talk.flood("B", b"x" * 65535, BODY_MB * 16)
            answer = end(node, talk)
            assert answer.verdict == verdict and not edits_of(answer) \
                and answer.text.startswith(text), answer
            expect_logged(directory, logged)
