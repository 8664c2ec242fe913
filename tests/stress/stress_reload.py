# SPDX-License-Identifier: BSD-2-Clause
"""Reloads without end under load, of good files and bad (row L9, and the
reload of the operator), and of files that change while they are read (F3)."""

import os
import random
import signal
import threading
import time

from cases_reload import Client, access
from kit import (SANITIZER, SLOWER, Probe, count, descriptors, figure, in_ms,
                 memory_kb, own_names, percentile)
from logged import logged
from node import Node
from results import within

LOADING = 16


def one_session(node):
    """Two questions in a session; how long it took."""
    started = time.monotonic()
    with node.talk() as talk:
        for word in ("one", "two"):
            assert talk.mail(f"{word}@x.example").verdict == "y"
            talk.abort()
        talk.quit()
    return time.monotonic() - started


class Load:
    """Clients that ask all the time, and must see one generation each."""

    def __init__(self, node):
        self._stop = threading.Event()
        self._clients = [Client(node, self._stop) for _ in range(LOADING)]
        self.sessions = []

    def __enter__(self):
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for client in self._clients:
            client.join()
        errors = [client.error for client in self._clients if client.error]
        assert not errors, errors[:3]
        self.sessions = [seen for client in self._clients
                         for seen in client.sessions]
        mixed = [seen for seen in self.sessions if len(seen) != 1]
        assert not mixed, mixed[:3]


def reload_once(node, number):
    """In turn by milterctl and by either signal; every other file is bad."""
    good = number % 2 == 0
    node.write_access(access(f"g{number}") +
                      ("" if good else "From:bad\0@x.example\tREJECT\n"))
    way = number // 2 % 3
    if way == 0:
        done = node.daemon.control("reload")
        assert (done.returncode == 0) == good, done
        return
    before = outcomes(node)
    node.daemon.signal((signal.SIGHUP, signal.SIGUSR1)[way - 1])
    end = time.monotonic() + 60
    while outcomes(node) == before:
        assert time.monotonic() < end, f"reload {number} does not happen"
        time.sleep(0.002)


def outcomes(node):
    log = os.stat(f"{os.path.dirname(node.daemon.config)}/maillog")
    return log.st_size


def growth(now, then):
    return f"{now - then} KB more than after the first tenth ({now} KB)"


def test_a_thousand_under_load(programs, directory):
    reloads = count(100, 1000)
    with own_names() as options, \
            logged(programs, directory, access("g"),
                   options + "blocklist_recipients = true\n") as node:
        with Load(node), Probe(node, ask=one_session) as quiet:
            time.sleep(count(2, 10))
        files, memory = 0, 0
        with Load(node) as load, Probe(node, ask=one_session) as busy:
            for number in range(reloads):
                reload_once(node, number)
                if number == reloads // 10:
                    memory = memory_kb(node.daemon.pid)
        time.sleep(0.5)                 # what was open is closed
        files = descriptors(node.daemon.pid)
        with Load(node):
            pass
        left = descriptors(node.daemon.pid)
        now = memory_kb(node.daemon.pid)
        figure("reload", f"{reloads}, half of bad files, beside "
               f"{len(load.sessions)} sessions: memory "
               f"{growth(now, memory)}, descriptors {files} and {left}")
        figure("reload", f"sessions beside it {in_ms(busy.times)}; without "
               f"{in_ms(quiet.times)}")
        assert abs(left - files) <= 2, (files, left)
        within(now - memory < 2048 * SLOWER, growth(now, memory))
        within(percentile(busy.times, .99) <
               3 * percentile(quiet.times, .99) + 0.1 * SLOWER,
               in_ms(busy.times))


def test_signals_in_the_midst_of_messages(programs, directory):
    """500 of each, while messages end: each is answered, none stops it."""
    each = count(100, 500)
    with own_names() as options, \
            logged(programs, directory, access("g"), options) as node:
        with Load(node) as load, Probe(node, pause=0, ask=whole) as probe:
            for number in range(2 * each):
                node.daemon.signal((signal.SIGHUP, signal.SIGUSR1)[number % 2])
                time.sleep(0.005)
        assert node.daemon.is_alive()
        figure("L9", f"{each} HUP and {each} USR1 beside "
               f"{len(load.sessions)} sessions and {len(probe.times)} "
               f"messages: 0 dropped; {in_ms(probe.times)}")


def whole(node):
    started = time.monotonic()
    with node.talk() as talk:
        answer = talk.message("a@x.example", ["u@abc.com"])
        assert answer.verdict == "c", answer
        talk.quit()
    return time.monotonic() - started


KEYS = 2000


def generation(number):
    """A map all of whose values tell its number."""
    return "".join(f"From:u{key}@x.example\t550 Of {number}\n"
                   for key in range(KEYS))


class Meddler(threading.Thread):
    """Replaces, overwrites, truncates and empties the map, as careless
    editors do, until told to stop."""

    def __init__(self, path):
        super().__init__()
        self._path, self.stop = path, threading.Event()
        self.changes = 0
        self.slow = set()       # numbers of files that were half there long

    def run(self):
        source = random.Random(1)
        while not self.stop.is_set():
            text = generation(self.changes)
            way = source.choice(["replace", "overwrite", "halves", "empty"])
            if way == "replace":
                with open(self._path + ".new", "w") as new:
                    new.write(text)
                os.rename(self._path + ".new", self._path)
            elif way == "empty":
                open(self._path, "w").close()
            else:
                self._overwrite(text, way == "halves")
            self.changes += 1
            time.sleep(source.uniform(0, 0.08))

    def _overwrite(self, text, slowly):
        """Not a moment without the file being half there."""
        half, started = len(text) // 2, time.monotonic()
        with open(self._path, "w") as file:
            for part in (text[:half], text[half:]):
                file.write(part)
                file.flush()
                if slowly:
                    time.sleep(0.005)
        if time.monotonic() - started > 0.015:
            self.slow.add(str(self.changes))


def ask_generation(node, source):
    """The answers of one session for keys from all over the map."""
    keys = [0, KEYS - 1, *source.sample(range(KEYS), 3)]
    with node.talk() as talk:
        answers = []
        for key in keys:
            answers.append(talk.mail(f"u{key}@x.example").text.strip()
                           .rpartition(" ")[2])
            talk.abort()
        talk.quit()
    return set(answers)


def test_map_changes_while_it_is_read(programs, directory):
    """A session sees a whole map: all of one number, or none (empty). A file
    that rests half written for longer than milterd lets a new one rest (20 ms)
    is taken for whole, so on a busy machine those do not count."""
    with own_names() as options, \
            logged(programs, directory, generation("start"),
                   options) as node:
        meddler = Meddler(node.access)
        meddler.start()
        source, asked, reloaded = random.Random(2), 0, 0
        mixed = []
        end = time.monotonic() + count(5, 60)
        try:
            while time.monotonic() < end:
                done = node.daemon.control("reload")
                reloaded += done.returncode == 0
                for _ in range(5):
                    seen = ask_generation(node, source)
                    asked += 1
                    if len(seen) != 1:
                        mixed.append(seen - {""})
        finally:
            meddler.stop.set()
            meddler.join()
        mixed = [seen for seen in mixed if not seen & meddler.slow]
        figure("F3", f"{meddler.changes} changes, {reloaded} reloads that "
               f"succeeded, {asked} sessions: {len(mixed)} saw parts")
        assert reloaded > 3 and not mixed, mixed[:5]
        node.write_access(generation("end"))
        assert node.daemon.control("reload").returncode == 0
        assert ask_generation(node, source) == {"end"}


def big_map(path, lines):
    with open(path, "w") as file:
        for number in range(lines):
            file.write(f"From:u{number}@d{number % 9973}.example\tREJECT\n")


def test_big_map(programs, directory):
    lines = count(200_000, 5_000_000) // (4 if SANITIZER else 1)
    with own_names() as options:
        node = Node(programs, directory)
        big_map(node.access, 1000)
        with logged(programs, directory, open(node.access).read(),
                    options) as node:
            big_map(node.access, lines)
            with Probe(node, ask=last_entry(999)) as probe:
                started = time.monotonic()
                done = node.daemon.control("reload")
                took = time.monotonic() - started
            assert done.returncode == 0, done
            within(last_entry(lines - 1)(node) < 5, "slow")
            memory = memory_kb(node.daemon.pid)
            figure("F3", f"{lines} lines: reload {took:.2f} s, {memory} KB "
                   f"resident, {memory * 1024 / lines:.0f} bytes a line; "
                   f"sessions meanwhile {in_ms(probe.times)}")
            if not SANITIZER:
                within(took < max(5, lines / 100_000), f"{took:.1f} s")
                within(memory * 1024 / lines < 300, f"{memory} KB")


def last_entry(number):
    def ask(node):
        started = time.monotonic()
        with node.talk() as talk:
            answer = talk.mail(f"u{number}@d{number % 9973}.example")
            assert answer.verdict == "y", answer
        return time.monotonic() - started
    return ask
