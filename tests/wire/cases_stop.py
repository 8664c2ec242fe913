# SPDX-License-Identifier: BSD-2-Clause
"""SIGTERM: what is under way is answered, then the daemon ends."""

import contextlib
import os
import signal
import time

from node import running
from results import within

ACCESS = "From:spam@x.example\tREJECT\n"
MESSAGES = 100


def up_to_end(node):
    """A session in which a whole message is said but for its end."""
    talk = node.talk()
    for answer in (talk.mail("a@x.example"), talk.rcpt("u@abc.com"),
                   talk.data(), talk.header("Subject", "test"),
                   talk.end_of_headers(), talk.body(b"test\r\n")):
        assert answer.verdict in "cs", answer
    return talk


def test_messages_under_way_are_answered(programs, directory):
    with running(programs, directory, ACCESS) as node, \
            contextlib.ExitStack() as stack:
        talks = [stack.enter_context(up_to_end(node))
                 for _ in range(MESSAGES)]
        for talk in talks[::2]:
            talk.send("E")
        node.daemon.signal(signal.SIGTERM)
        for talk in talks[1::2]:
            talk.send("E")
        verdicts = {talk.answer().verdict for talk in talks}
        assert verdicts <= {"c", "a"}, verdicts
        for talk in talks:
            talk.quit()
        assert node.daemon.wait(20) == 0


def test_idle_sessions_do_not_hold_it(programs, directory):
    with running(programs, directory, ACCESS) as node, \
            contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(node.talk())
        started = time.monotonic()
        node.daemon.signal(signal.SIGTERM)
        assert node.daemon.wait(25) == 0
        within(time.monotonic() - started < 22, "slow to end")


def test_leaves_nothing_behind(programs, directory):
    with running(programs, directory, ACCESS) as node:
        paths = list(node.daemon.sockets().values())
        paths += [f"{directory}/control.sock", f"{directory}/milterd.pid"]
        assert node.daemon.stop() == 0
        assert not [path for path in paths if os.path.exists(path)]
        assert node.daemon.control("status").returncode == 3


def test_starts_over_what_a_crash_left(programs, directory):
    with running(programs, directory, ACCESS) as node:
        node.daemon.kill()
        node.daemon.start()
        with node.talk() as talk:
            assert talk.mail("spam@x.example").verdict == "y"
