# SPDX-License-Identifier: BSD-2-Clause
"""Reload: every session sees one generation, none is lost, and a broken file
changes nothing."""

import random
import os
import signal
import threading
import time

from node import running

SESSIONS = 64
RELOADS = 100
QUESTIONS = 20


def access(generation):
    """Two keys whose texts name the generation."""
    return (f"From:one@x.example\t550 One of {generation}\n"
            f"From:two@x.example\t550 Two of {generation}\n")


def ask(talk):
    """The generations that the session sees, by either key."""
    seen = set()
    for key, word in (("one@x.example", "One"), ("two@x.example", "Two")):
        answer = talk.mail(key)
        assert answer.verdict == "y", answer
        text, _, generation = answer.text.partition(f"{word} of ")
        assert text.startswith("550 ") and generation, answer
        seen.add(generation)
        talk.abort()
    return seen


class Client(threading.Thread):
    """Session after session, each with many questions, until told to stop."""

    def __init__(self, node, stop):
        super().__init__()
        self.node, self.stop = node, stop
        self.sessions = []
        self.error = None
        self.random = random.Random(self.name)

    def run(self):
        try:
            while not self.stop.is_set():
                self.sessions.append(self.session())
        except Exception as error:              # told by the test
            self.error = error

    def session(self):
        """The generations seen in one session."""
        seen = set()
        with self.node.talk() as talk:
            for _ in range(QUESTIONS):
                seen |= ask(talk)
                time.sleep(self.random.uniform(0, 0.1))
            talk.quit()
        return seen


def flip(node, count):
    """Reload so many times, the map's content alternating."""
    for number in range(count):
        node.write_access(access("even" if number % 2 else "odd"))
        done = node.daemon.control("reload")
        assert done.returncode == 0, done


def test_under_load(programs, directory):
    with running(programs, directory, access("even")) as node:
        stop = threading.Event()
        clients = [Client(node, stop) for _ in range(SESSIONS)]
        for client in clients:
            client.start()
        try:
            flip(node, RELOADS)
        finally:
            stop.set()
            for client in clients:
                client.join()
        errors = [client.error for client in clients if client.error]
        assert not errors, errors
        sessions = [seen for client in clients for seen in client.sessions]
        mixed = [seen for seen in sessions if len(seen) != 1]
        assert not mixed, f"{len(mixed)} of {len(sessions)}: {mixed[:5]}"
        assert set.union(*sessions) == {"odd", "even"}
        assert len(sessions) >= 2 * SESSIONS


def test_tells_what_changed(programs, directory):
    with running(programs, directory, access("old")) as node:
        node.write_access(access("old") + "From:three@x.example\tREJECT\n")
        done = node.daemon.control("reload")
        assert done.returncode == 0, done
        line = next(line for line in done.stdout.splitlines()
                    if "access" in line)
        for number in ("2", "3", "1"):          # before, after, added
            assert number in line, done.stdout


def old_policy_stays(node, place):
    done = node.daemon.control("reload")
    assert done.returncode != 0, done
    assert place in done.stderr + done.stdout, done
    with node.talk() as talk:
        assert ask(talk) == {"old"}


def test_broken_map_changes_nothing(programs, directory):
    with running(programs, directory, access("old")) as node:
        node.write_access(access("new") + "From:z@x.example\tREJ\0ECT\n")
        old_policy_stays(node, "access:3")
        node.write_access(access("new"))
        assert node.daemon.control("reload").returncode == 0
        with node.talk() as talk:
            assert ask(talk) == {"new"}


def test_broken_configuration_changes_nothing(programs, directory):
    with running(programs, directory, access("old")) as node:
        node.write_access(access("new"))
        node.daemon.configure(node.options + "no_such_word = 1\n")
        lines = open(node.daemon.config).read().count("\n")
        old_policy_stays(node, f"milterd.conf:{lines}")


def test_missing_map_changes_nothing(programs, directory):
    with running(programs, directory, access("old")) as node:
        node.options = node.options.replace("/access\"", "/absent\"")
        node.daemon.configure(node.options)
        old_policy_stays(node, "absent")


def sees(node, generation):
    with node.talk() as talk:
        return ask(talk) == {generation}


def reloads_on(number, programs, directory):
    with running(programs, directory, access("old")) as node:
        with node.talk() as talk:
            assert ask(talk) == {"old"}
            for generation in ("new", "newer", "newest"):
                node.write_access(access(generation))
                node.daemon.signal(number)
                end = time.monotonic() + 60
                while not sees(node, generation):
                    assert time.monotonic() < end, "no reload"
                    time.sleep(0.02)
            assert ask(talk) == {"old"}
        assert node.daemon.is_alive()
        assert node.daemon.stop() == 0


def test_on_sighup(programs, directory):
    reloads_on(signal.SIGHUP, programs, directory)


def test_on_sigusr1(programs, directory):
    reloads_on(signal.SIGUSR1, programs, directory)


def test_many_signals_do_not_stop_it(programs, directory):
    with running(programs, directory, access("old")) as node:
        # ThreadSanitizer runs handlers with all signals blocked, and then
        # libmilter gets those that come too fast.
        pause = 0.03 if os.environ.get("SANITIZER") == "thread" else 0.002
        for number in range(500):
            node.daemon.signal((signal.SIGHUP, signal.SIGUSR1)[number % 2])
            time.sleep(pause)
        assert node.daemon.is_alive()
        assert sees(node, "old")
