# SPDX-License-Identifier: BSD-2-Clause
"""Rows L2 to L6: many connections, and what milterd needs running out. Also
how much memory a connection and a message take."""

import contextlib
import os
import subprocess
import threading
import time

from cases_hostile import Blocked, packet
from kit import (SANITIZER, SLOWER, SPAM, Probe, count, figure, in_ms,
                 memory_kb, own_names, percentile)
from logged import CLIENT, dial, expect, greeted, logged
from miltertalk import Closed
from nameserver import NameServer
from results import within


def test_stalled_half_packets(programs, directory):
    """300 that stop within a packet, and 200 that hang up at once."""
    with own_names() as options, \
            logged(programs, directory, SPAM, options) as node, \
            contextlib.ExitStack() as stack:
        stalled = packet(b"O", b"\0" * 12)
        for number in range(300):
            talk = stack.enter_context(dial(node))
            talk._socket.sendall(stalled[:number % 16 + 1])
        with Probe(node) as probe:
            for _ in range(200):
                dial(node)._socket.close()
            time.sleep(count(2, 10))
        figure("L2", "300 stalled: " + in_ms(probe.times))
        within(percentile(probe.times, .99) < 2 * SLOWER,
               in_ms(probe.times))


def test_fifty_wait_for_dns_at_once(programs, directory):
    """Sessions, each with a question that nobody answers; a stage waits for
    names 4 seconds at most."""
    silent = [f"silent{number}.example" for number in range(50)]
    with NameServer(silent=silent) as names, \
            logged(programs, directory, SPAM, names.option) as node, \
            contextlib.ExitStack() as stack:
        sessions = [Blocked(node, number, stack.enter_context(
            greeted(node, "postfix"))) for number in range(50)]
        for session in sessions:
            session.start()
        for session in sessions:
            session.join()
        slowest = max(session.took for session in sessions)
        figure("L3", f"50 sessions, the slowest after {slowest:.2f} s")
        assert {s.answer.text[:9] for s in sessions} == {"451 4.1.8"}
        within(slowest <= 4 + 0.5 * SLOWER, f"{slowest:.2f} s")


SHIM = r"""
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
int
pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
    void *(*start)(void *), void *argument)
{
	int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
	    void *) = (int (*)(pthread_t *, const pthread_attr_t *,
	    void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");

	if (access(getenv("NO_THREADS"), F_OK) == 0)
		return EAGAIN;
	return real(thread, attributes, start, argument);
}
"""


def shim(directory):
    """A library with which no thread starts while a file is there."""
    with open(f"{directory}/shim.c", "w") as source:
        source.write(SHIM)
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run([*compiler, "-D_GNU_SOURCE", "-shared", "-fPIC", "-o",
                    f"{directory}/shim.so", f"{directory}/shim.c", "-ldl"],
                   check=True)
    return f"{directory}/shim.so"


def start_with(node, programs, directory, library):
    program = f"{directory}/without-threads"
    with open(program, "w") as script:
        script.write(f"#!/bin/sh\nexport LD_PRELOAD={library} "
                     f"NO_THREADS={directory}/no-threads\n"
                     f'exec {programs.milterd} "$@"\n')
    os.chmod(program, 0o755)
    programs.milterd, kept = program, programs.milterd
    try:
        node.daemon.start()
    finally:
        programs.milterd = kept


class Try(threading.Thread):
    """A session; whether it was served, closed, or has hung."""

    def __init__(self, node):
        super().__init__()
        self.node, self.outcome = node, None

    def run(self):
        try:
            with dial(self.node, timeout=30) as talk:
                talk.negotiate()
                talk.connect("host.example", CLIENT)
                assert talk.mail("spam@x.example").verdict == "y"
            self.outcome = "served"
        except TimeoutError:
            self.outcome = "hung"
        except (Closed, OSError):
            self.outcome = "closed"


def ended(tries):
    for each in tries:
        each.start()
    for each in tries:
        each.join()
    outcomes = [each.outcome for each in tries]
    return {word: outcomes.count(word) for word in set(outcomes)}


def test_no_threads_start(programs, directory):
    """Nobody's session is lost in libmilter: who comes while no thread can
    be had waits, who is there is served."""
    if SANITIZER:
        return                  # its library has to be the first one
    library = shim(directory)
    with own_names() as options, \
            logged(programs, directory, SPAM, options) as node:
        assert node.daemon.stop() == 0
        start_with(node, programs, directory, library)
        assert ended([Try(node) for _ in range(8)]) == {"served": 8}
        no_threads = f"{directory}/no-threads"
        with greeted(node, "postfix") as there:
            open(no_threads, "w").close()
            threading.Timer(4, os.unlink, [no_threads]).start()
            tries = threading.Thread(target=lambda: told.update(
                ended([Try(node) for _ in range(100)])))
            told = {}
            tries.start()
            slowest = slowest_answer(there, seconds=3)
            tries.join()
        figure("L5", f"of 100 sessions while no thread starts for 4 s: {told};"
               f" meanwhile one that was there waited {slowest:.3f} s at most")
        assert told == {"served": 100}, told
        within(slowest < 1, slowest)
        assert ended([Try(node) for _ in range(50)]) == {"served": 50}


def slowest_answer(talk, seconds):
    slowest, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.monotonic()
        assert talk.mail("spam@x.example").verdict == "y"
        slowest = max(slowest, time.monotonic() - started)
        talk.abort()
        time.sleep(0.01)
    return slowest


def idle_sessions(node, stack, number):
    """So many that have come as far as HELO; KB taken for each."""
    before = memory_kb(node.daemon.pid)
    talks = [stack.enter_context(greeted(node, "postfix"))
             for _ in range(number)]
    return talks, (memory_kb(node.daemon.pid) - before) / number


def commands(node):
    """MAIL and RSET on one session, again and again."""
    with greeted(node, "postfix") as talk:
        times = []
        for _ in range(count(1000, 5000)):
            started = time.monotonic()
            talk.mail("spam@x.example")
            times.append(time.monotonic() - started)
            talk.abort()
    return times


def test_idle_connections(programs, directory):
    """However many stand by, the one that speaks is answered soon."""
    number = count(1000, 10_000)
    with own_names() as options, \
            logged(programs, directory, SPAM, options) as node, \
            contextlib.ExitStack() as stack:
        commands(node)
        alone = commands(node)
        _, each = idle_sessions(node, stack, number)
        beside = commands(node)
        memory = memory_kb(node.daemon.pid)
        figure("L6", f"{number} idle: {memory} KB resident, {each:.2f} KB "
               f"each; an active one {in_ms(beside)}, alone {in_ms(alone)}")
        if not SANITIZER:
            within(memory < 256 * 1024, f"{memory} KB")
            within(each < 8, f"{each:.1f} KB")
        within(percentile(beside, .5) < 0.005 * SLOWER, in_ms(beside))
        within(percentile(beside, .99) <
               max(0.05, 5 * percentile(alone, .99)) * SLOWER, in_ms(beside))


HELD = """\
masquerade_as = "corp.example"
"""


def test_memory_of_messages(programs, directory):
    """What a message in transfer takes where headers are rewritten: its
    recipients and address headers are kept, its body never is."""
    number = count(200, 1000)
    headers = [("From", " a@abc.com"), ("To", " u@abc.com")] + \
        [(f"X-{line}", " x" * 30) for line in range(20)]
    with own_names() as options, \
            logged(programs, directory, SPAM, options + HELD) as node, \
            contextlib.ExitStack() as stack:
        talks, idle = idle_sessions(node, stack, number)
        before = memory_kb(node.daemon.pid)
        for talk in talks:
            expect(talk.mail("a@abc.com"), "c")
            for recipient in range(5):
                expect(talk.rcpt(f"u{recipient}@abc.com"), "c")
            for name, value in headers:
                expect(talk.header(name, value), "c")
            talk.body(b"x" * 60000)
        each = (memory_kb(node.daemon.pid) - before) / number
        figure("memory", f"an idle session {idle:.2f} KB, a message of 5 "
               f"recipients and 22 headers {each:.2f} KB more, whatever its "
               f"body ({number} at once)")
        if not SANITIZER:
            within(idle < 8 and each < 64, (idle, each))
