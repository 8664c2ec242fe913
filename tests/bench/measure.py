# SPDX-License-Identifier: BSD-2-Clause
"""Measuring: the load, pairs of filters in turn, exact counts, idle memory."""

import contextlib
import glob
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import time

# Offered by today's MTAs; and none of the steps a filter may turn off, so
# that every filter is told and asked the same.
ALL_STEPS, SAME_STEPS = "1fffff", "400"
STACK_KB = str(resource.getrlimit(resource.RLIMIT_STACK)[0] // 1024)


class LoadFailed(Exception):
    """The load generator could not do its work."""


class Load:
    """How to load: the load generator and its options."""

    def __init__(self, place, **options):
        self._place = place
        self.options = {"letters": place.passing, "manner": "sendmail",
                        "steps": ALL_STEPS, "connections": 1, "body": 2048,
                        "recipients": 1, "threads": 1, **options}

    def but(self, **options):
        return Load(self._place, **{**self.options, **options})

    def _argv(self, target, *more):
        it = self.options
        return [f"{self._place.build}/tests/bench/load", "-l", it["letters"],
                "-m", it["manner"], "-s", it["steps"],
                "-c", str(it["connections"]), "-b", str(it["body"]),
                "-r", str(it["recipients"]),
                "-j", str(it["threads"]), *more, target.socket]

    def run(self, target, *more):
        """Load it; what the load generator found."""
        done = subprocess.run(
            self._argv(target, "-p", target.pids(), *more), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise LoadFailed(done.stderr)
        return json.loads(done.stdout)

    def for_time(self, target, seconds):
        return self.run(target, "-t", str(seconds), "-w", "0.25")

    def for_messages(self, target, number):
        return self.run(target, "-n", str(number))

    @contextlib.contextmanager
    def idle(self, target, connections):
        """So many connections that have said HELO and say no more."""
        argv = self.but(connections=connections)._argv(target, "-i")
        with subprocess.Popen(argv, stdin=subprocess.PIPE, text=True,
                              stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == "idle\n", "load has failed"
            yield
            process.stdin.close()


class Pairs:
    """Two filters under the same load in turn, several times: A B A B ..."""

    def __init__(self, load, first, second, pairs, seconds):
        self.first, self.second = [], []
        for _ in range(pairs):
            self.first.append(load.for_time(first, seconds))
            self.second.append(load.for_time(second, seconds))

    def median(self, what):
        """Of the first and of the second."""
        return tuple(statistics.median(run[what] for run in runs)
                     for runs in (self.first, self.second))

    def refused(self):
        """Which part of the second's messages did not end well."""
        total = sum(run["messages"] for run in self.second)
        return sum(run["refused"] for run in self.second) / max(total, 1)

    def ratios(self, what):
        """Second by first, pair by pair: median, least, greatest."""
        each = [second[what] / first[what] for first, second
                in zip(self.first, self.second) if first[what]]
        return (statistics.median(each), min(each), max(each)) \
            if each else (0, 0, 0)


def system_calls(load, target, messages, batches):
    """System calls a message by name, in the batch with the fewest: what
    others do on the machine can only add to them."""
    counts = [_strace(load, target, messages) for _ in range(batches)]
    return min(counts, key=lambda count: sum(count.values()))


def _strace(load, target, messages):
    report = f"{target.socket.removeprefix('unix:')}.strace"
    tracer = subprocess.Popen(
        ["strace", "-qq", "-f", "-c", "-o", report, "-p", str(target.pid)],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await_tracer(target.pid)
        load.for_messages(target, messages)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
    with open(report) as lines:
        rows = [line.split() for line in lines]
    # Columns: % time, seconds, usecs/call, calls, perhaps errors, name.
    return {row[-1]: int(row[3]) / messages for row in rows
            if len(row) in (5, 6) and row[3].isdigit() and row[-1] != "total"
            and row[-1] != "restart_syscall"}


def _await_tracer(pid):
    """Until every thread is traced."""
    for _ in range(200):
        tasks = os.listdir(f"/proc/{pid}/task")
        if all(_tracer_of(pid, task) for task in tasks):
            return
        time.sleep(0.02)
    raise RuntimeError("strace does not attach")


def _tracer_of(pid, task):
    with open(f"/proc/{pid}/task/{task}/status") as status:
        return int(re.search(r"^TracerPid:\s*(\d+)", status.read(),
                             re.M).group(1))


def callgrind(out):
    """The command to run a filter by whose instructions are to be counted."""
    return ("valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no",
            f"--callgrind-out-file={out}")


def instructions(load, target, out, messages, batches):
    """User instructions a message of a filter run by callgrind(out), in the
    batch with the fewest."""
    _control("-i", "on", target.pid)
    load.for_messages(target, 20)
    _control("-z", target.pid)
    totals = []
    for _ in range(batches):
        load.for_messages(target, messages)
        _control("-d", target.pid)
        newest = max(glob.glob(f"{out}.*"), key=os.path.getmtime)
        totals.append(_total(newest) / messages)
        os.unlink(newest)
    _control("-i", "off", target.pid)
    return min(totals)


def _control(*words):
    subprocess.run(["callgrind_control", *map(str, words)], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def _total(path):
    with open(path) as dump:
        found = re.search(r"^(?:totals|summary): (\d+)", dump.read(), re.M)
    return int(found.group(1))


def anonymous_kb(pid):
    """Memory that is no file's: the heap, and the threads' stacks, which are
    told by the size of their mapping."""
    heap, stacks, is_stack = 0, 0, False
    with open(f"/proc/{pid}/smaps") as maps:
        for line in maps:
            if line.startswith("Size:"):
                is_stack = line.split()[1] == STACK_KB
            elif line.startswith("Anonymous:"):
                kb = int(line.split()[1])
                heap, stacks = (heap, stacks + kb) if is_stack \
                    else (heap + kb, stacks)
    return heap, stacks


def idle_memory(load, target, connections):
    """KB of heap and of stacks a connection, of a fresh process, and its
    threads meanwhile."""
    before = anonymous_kb(target.pid)
    with load.idle(target, connections):
        time.sleep(1)
        after = anonymous_kb(target.pid)
        threads = len(os.listdir(f"/proc/{target.pid}/task"))
    return (*((now - then) / connections
              for now, then in zip(after, before)), threads)
