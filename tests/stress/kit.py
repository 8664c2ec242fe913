# SPDX-License-Identifier: BSD-2-Clause
"""What the stress tests share: counts, figures, and probes."""

import contextlib
import multiprocessing
import os
import time

from logged import expect, greeted
from miltertalk import Closed
from nameserver import NameServer
from node import NO_NAME_SERVER

IS_LONG = os.environ.get("STRESS") == "long"
SANITIZER = os.environ.get("SANITIZER", "")
SLOWER = {"": 1, "address": 3, "thread": 8}[SANITIZER]

SPAM = "From:spam@x.example\tREJECT\n"
DENIED = "550 5.7.1 <spam@x.example>... Access denied"


def count(short, long):
    """How often: in `make check`, in `make stress`."""
    return long if IS_LONG else short


def figure(row, text):
    print(f"figure {row}: {text}", flush=True)


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def in_ms(times):
    """The middle and the tail, for people."""
    return (f"p50 {percentile(times, .5) * 1000:.2f} ms, "
            f"p99 {percentile(times, .99) * 1000:.2f} ms, "
            f"max {max(times) * 1000:.2f} ms of {len(times)}")


def memory_kb(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status
                    if line.startswith(field + ":"))


def forget_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as refs:
        refs.write("5")


@contextlib.contextmanager
def peak(node):
    """A list that gets, at the end, the KB taken at worst meanwhile."""
    told = []
    before = memory_kb(node.daemon.pid)
    forget_peak(node.daemon.pid)
    yield told
    told.append(memory_kb(node.daemon.pid, "VmHWM") - before)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def own_names():
    """Options that keep a test off the machine's own name server."""
    with NameServer() as names:
        yield names.option + NO_NAME_SERVER


def session(node):
    """A whole session that is judged rightly; how long it took."""
    started = time.monotonic()
    with greeted(node, "postfix") as talk:
        expect(talk.mail("spam@x.example"), "y", DENIED)
        answer = talk.message("a@x.example", ["u@abc.com"])
        assert answer.verdict == "c", answer
        talk.quit()
    return time.monotonic() - started


class Probe:
    """Sessions one after the other beside what a test does, in a process of
    their own; afterwards `times` has how long each took."""

    def __init__(self, node, pause=0.02, ask=session):
        context = multiprocessing.get_context("fork")
        self._node, self._pause, self._ask = node, pause, ask
        self._stop = context.Event()
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=self._run, args=(theirs,))
        self.times = []

    def _run(self, pipe):
        times = []
        try:
            while not self._stop.is_set() or not times:
                times.append(self._ask(self._node))
                time.sleep(self._pause)
            pipe.send(times)
        except (Exception, Closed) as error:    # told by the test
            pipe.send(f"{type(error).__name__}: {error}")

    def __enter__(self):
        self._process.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        told = self._ours.recv() if self._ours.poll(60) else "probe hangs"
        if told == "probe hangs":
            self._process.kill()
        self._process.join()
        assert not isinstance(told, str), told
        self.times = told
