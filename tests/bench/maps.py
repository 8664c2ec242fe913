# SPDX-License-Identifier: BSD-2-Clause
"""Lookups per second: milterd's maps beside `postmap -q -` on Postfix's
tables, and beside a Redis that is asked HGET for every key over a unix socket.

All answer the same keys, half of which are there, one after the other. What
a program takes to start and to load is taken off: postmap is timed with all
the keys and with a few.
"""

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import time

SEED = 20261128
TYPES = {"hash": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}
FEW = 10


class Missing(Exception):
    """What this row needs is not here."""


class Material:
    """A map of so many entries, as a text file and as a file of patterns,
    and keys to ask it."""

    def __init__(self, directory, entries, keys, as_patterns=False):
        self.directory, self.entries = directory, entries
        self.text = f"{directory}/bench-{entries}"
        self.patterns = self.text + ".pcre"
        chance = random.Random(SEED)
        with open(self.text, "w") as text:
            for number in range(entries):
                text.write(f"{self.key(number)}\t550 entry {number}\n")
        if as_patterns:
            with open(self.patterns, "w") as patterns:
                for number in range(entries):
                    key = self.key(number).replace(".", "\\.")
                    patterns.write(f"/^{key}$/\t550 entry {number}\n")
        asked = [self.key(chance.randrange(entries)) if number % 2 else
                 "x" + self.key(chance.randrange(entries))
                 for number in range(keys)]
        self.keys, self.found = asked, keys // 2
        self.all, self.few = (self._write("all", asked),
                              self._write("few", asked[:FEW]))

    @staticmethod
    def key(number):
        return f"user{number}@host{number % 97}.example"

    def _write(self, name, keys):
        path = f"{self.text}.{name}"
        with open(path, "w") as file:
            file.write("".join(key + "\n" for key in keys))
        return path


def ask(build, *words):
    """What the program of that name finds, in lookups a second."""
    done = subprocess.run([f"{build}/tests/bench/ask", *words], check=True,
                          stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def rate(told, material):
    assert told["found"] == material.found, (told, material.found)
    return told["asked"] / told["seconds"]


def milterd(build, material):
    return rate(ask(build, "map", material.text, material.all), material)


def milterd_patterns(build, material):
    return rate(ask(build, "map", f"pcre:{material.patterns}", material.all),
                material)


def postmap_has(kind):
    if not shutil.which("postmap"):
        return False
    done = subprocess.run(["postconf", "-m"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False)
    return kind in done.stdout.split()


def postmap(kind, path, material):
    """Built first, where it is a table that is built."""
    if not postmap_has(kind):
        raise Missing()
    if kind in TYPES:
        subprocess.run(["postmap", f"{kind}:{path}"], check=True,
                       stderr=subprocess.DEVNULL)
    few, _ = _postmap(kind, path, material.few)
    took, found = _postmap(kind, path, material.all)
    assert found == material.found, (kind, found, material.found)
    if kind in TYPES:
        os.unlink(path + TYPES[kind])
    return (len(material.keys) - FEW) / max(took - few, 1e-6)


def _postmap(kind, path, keys):
    """The best of three, and how many lines it printed."""
    best, found = None, 0
    for _ in range(3):
        with open(keys) as questions:
            began = time.monotonic()
            done = subprocess.run(["postmap", "-q", "-", f"{kind}:{path}"],
                                  stdin=questions, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, check=False)
            took = time.monotonic() - began
        best = took if best is None else min(best, took)
        found = done.stdout.count(b"\n")
    return best, found


@contextlib.contextmanager
def redis(directory):
    """A Redis that keeps nothing, at a unix socket."""
    if not shutil.which("redis-server"):
        raise Missing()
    path = f"{directory}/redis.sock"
    server = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", path, "--save", "",
         "--appendonly", "no", "--dir", directory],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 20
        while not os.path.exists(path):
            if server.poll() is not None or time.monotonic() > end:
                raise Missing()
            time.sleep(0.05)
        yield path
    finally:
        server.terminate()
        server.wait()


def hget(build, material):
    with redis(material.directory) as path:
        _fill(path, material)
        return rate(ask(build, "redis", path, material.all), material)


def _fill(path, material):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        replies = sock.makefile("rb")
        for first in range(0, material.entries, 1000):
            last = min(first + 1000, material.entries)
            words = ["HSET", "bench"]
            for number in range(first, last):
                words += [material.key(number), f"550 entry {number}"]
            sock.sendall(b"*%d\r\n" % len(words) + b"".join(
                b"$%d\r\n%s\r\n" % (len(word), word.encode())
                for word in words))
            assert replies.readline().startswith(b":")


def rows(build, with_patterns):
    """Name and function of each row."""
    if with_patterns:
        return (("milterd, patterns", lambda m: milterd_patterns(build, m)),
                ("postmap pcre", lambda m: postmap("pcre", m.patterns, m)))
    return (("milterd", lambda m: milterd(build, m)),
            *((f"postmap {kind}",
               lambda m, kind=kind: postmap(kind, m.text, m))
              for kind in TYPES),
            ("Redis HGET", lambda m: hget(build, m)))


def measured(function, material):
    """Lookups a second, None where something is missing."""
    try:
        return function(material)
    except Missing:
        return None


def tell(paper, build, directory, sizes=(1000, 1000000), keys=200000,
         patterns=1000, pattern_keys=20000):
    """The table."""
    paper.heading(f"Lookups a second, one after the other, {keys} keys, half "
                  f"of them there;\nof patterns {pattern_keys}")
    columns = paper.columns(("", 24), *((f"{size} entries", 18)
                                        for size in sizes))
    material = [Material(directory, size, keys) for size in sizes]
    for name, function in rows(build, False):
        columns.row(name, *map(cell, (measured(function, one)
                                      for one in material)))
    one = Material(directory, patterns, pattern_keys, as_patterns=True)
    for name, function in rows(build, True):
        found = measured(function, one)
        columns.row(f"{name}, {patterns}", cell(found))
        if found and name.startswith("milterd"):
            paper.line(f"  that is {1e9 / found / patterns:.0f} ns a pattern: "
                       "a million would take "
                       f"{1e3 / found / patterns * 1e6:.0f} ms a key, and a "
                       "file may have 100000")


def cell(value):
    return "not here" if value is None else f"{value:.0f}"
