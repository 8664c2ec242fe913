# SPDX-License-Identifier: BSD-2-Clause
"""Clients of the milter socket that are broken, slow, many, or mad: they get
no sense, and the others are served."""

import contextlib
import os
import random
import signal
import socket
import struct
import threading
import time

from logged import CLIENT, connect, dial, expect, greeted, logged
from miltertalk import Closed
from nameserver import NameServer
from node import NO_NAME_SERVER, resident
from results import within

ACCESS = "From:spam@x.example\tREJECT\nFrom:void@x.example\tDISCARD\n"
DENIED = "550 5.7.1 <spam@x.example>... Access denied"
DEFERRED = "451 4.3.0 Please try again later"


def healthy(node):
    """A session right now gets the right answers; how long it took."""
    started = time.monotonic()
    with greeted(node, "postfix") as talk:
        expect(talk.mail("spam@x.example"), "y", DENIED)
        expect(talk.message("a@x.example", ["u@abc.com"]), "c")
        talk.quit()
    return time.monotonic() - started


def test_commands_out_of_turn(programs, directory):
    """What libmilter lets through without MAIL is deferred, not accepted."""
    with logged(programs, directory, ACCESS) as node:
        with greeted(node, "postfix") as talk:
            # libmilter lets RCPT follow an unknown command.
            talk.send("U", b"XYZZY\0")
            expect(talk.answer(), "c")
            expect(talk.rcpt("u@abc.com"), "y", DEFERRED)
            expect(talk.end_of_message(), "y", DEFERRED)
            expect(talk.message("a@x.example", ["u@abc.com"]), "c")
        with greeted(node, "postfix") as talk:
            for _ in range(3):
                talk.abort()
                expect(talk.helo("again.example"), "c")
                expect(talk.mail("a@x.example"), "c")
        healthy(node)


def test_refused_recipients_of_a_refused_client(programs, directory):
    access = ACCESS + f"Connect:{CLIENT}\tREJECT\n"
    with logged(programs, directory, access) as node:
        talk, _ = connect(node, "postfix")
        with talk:
            talk.helo("client.example")
            talk.send("U", b"XYZZY\0")
            talk.answer()
            assert talk.rcpt("u@abc.com").verdict == "y"
            assert talk.end_of_message().verdict == "y"


def test_macros_of_any_shape(programs, directory):
    with logged(programs, directory, ACCESS) as node, \
            dial(node) as talk:
        talk.negotiate()
        for data in (b"C", b"C\0", b"C\0\0\0", b"Z{x}\0y\0", b"C{x}\0",
                     b"Cno-nul", b"C" + b"{long}\0" + b"x" * 60000 + b"\0",
                     b"Cv\0Postfix 3.7.11\0{client_resolve}\0WHAT\0"):
            talk.send("D", data)
        expect(talk.connect("host.example", CLIENT), "c")
        talk.send("D", b"M{auth_type}\0\0i\0\0")
        expect(talk.helo("client.example"), "c")
        expect(talk.mail("spam@x.example"), "y", DENIED)


def test_helo_again_and_again(programs, directory):
    """However often and long, it costs no memory."""
    with logged(programs, directory, ACCESS) as node, \
            greeted(node, "postfix") as talk:
        before = 0
        for number in range(20000):
            expect(talk.helo("x" * (number % 1000)), "c")
            if number == 1000:
                before = resident(node)
        expect(talk.helo("x" * 60000), "c")
        within(resident(node) - before < 5000, "kB more")


def test_many_recipients_cost_no_memory(programs, directory):
    with logged(programs, directory, ACCESS) as node, \
            greeted(node, "postfix") as talk:
        expect(talk.mail("a@x.example"), "c")
        before = 0
        for number in range(20000):
            expect(talk.rcpt(f"{'u' * 1000}{number}@abc.com"), "c")
            if number == 1000:
                before = resident(node)
        within(resident(node) - before < 8000, "kB more")
        expect(talk.end_of_message(), "c")


def packet(command, data):
    return struct.pack(">I", len(data) + 1) + command + data


def mad_packet(source):
    """One packet: mostly of the right form, with some of its bytes changed,
    its length wrong, or its order."""
    command = source.choice(b"ABCDEHLMNOQRTUK" * 3 + bytes(range(256)))
    data = source.choice([
        b"", b"\0", b"<a@x.example>\0", b"<u@abc.com>\0SIZE=9\0",
        b"host\0004\x30\x39192.0.2.7\0", b"host\0006\0\0IPv6:2001:db8::7\0",
        b"host\0L\0\0/path\0", b"host\0U", struct.pack(">III", 6, 511, 2**21-1),
        b"Subject\0 test\0", b"Ci\0A1\0v\08.17\0", b"x" * 300,
        b"<" + b"(" * 2000 + b">\0", b'<"' + b"\\" * 999 + b'>\0'])
    if source.random() < 0.3:
        data = bytearray(data)
        for _ in range(source.randint(1, 4)):
            if data:
                data[source.randrange(len(data))] = source.randrange(256)
    whole = packet(bytes([command]), bytes(data))
    if source.random() < 0.03:
        whole = whole[:source.randrange(len(whole))]
    if source.random() < 0.03:
        whole = source.randbytes(4) + whole[4:]
    return whole


def mad_session(node, seed):
    source = random.Random(seed)
    with dial(node, timeout=10) as talk:
        with contextlib.suppress(OSError, Closed):
            depth = source.random()
            if depth < 0.9:
                talk.negotiate(version=source.choice([2, 3, 6, 99]))
            if depth < 0.7:
                talk.connect("host.example", CLIENT)
                talk.helo("client.example")
            talk._socket.sendall(b"".join(
                mad_packet(source) for _ in range(source.randint(1, 60))))
            talk._socket.shutdown(socket.SHUT_WR)
            while talk._socket.recv(65536):
                pass


def test_mad_packets(programs, directory):
    with logged(programs, directory, ACCESS,
                NO_NAME_SERVER + "max_message_size = 100\n") as node:
        for seed in range(600):
            mad_session(node, seed)
            assert node.daemon.is_alive(), f"seed {seed}"
        healthy(node)
        status = node.daemon.control("status", "--json").stdout
        assert '"open_sessions": 0' in status or \
            '"open_sessions":0' in status, status


def test_stalled_half_packets(programs, directory):
    """300 connections that stop within a packet."""
    with logged(programs, directory, ACCESS) as node, \
            contextlib.ExitStack() as stack:
        for number in range(300):
            talk = stack.enter_context(dial(node))
            talk._socket.sendall(packet(b"O", b"\0" * 12)[:number % 16 + 1])
        # The first stands in line behind them.
        first, *times = [healthy(node) for _ in range(20)]
        within(first < 10 and max(times) < 2, (first, times))


class Blocked(threading.Thread):
    """A session whose sender domain no name server answers for."""

    def __init__(self, node, number, talk):
        super().__init__()
        self.node, self.number, self.talk = node, number, talk
        self.took, self.answer = None, None

    def run(self):
        started = time.monotonic()
        self.answer = self.talk.mail(f"a@silent{self.number}.example")
        self.took = time.monotonic() - started


def test_waiting_for_dns_in_one_batch(programs, directory):
    """50 sessions become ready at once, while the daemon stands still, and
    wait for a silent name server; libmilter's pool would serve them one
    after the other."""
    silent = [f"silent{number}.example" for number in range(50)]
    with NameServer(silent=silent) as names, \
            logged(programs, directory, ACCESS, names.option) as node, \
            contextlib.ExitStack() as stack:
        sessions = [Blocked(node, number,
                            stack.enter_context(greeted(node, "postfix")))
                    for number in range(50)]
        fast = stack.enter_context(greeted(node, "postfix"))
        time.sleep(0.1)
        node.daemon.signal(signal.SIGSTOP)
        for session in sessions:
            session.start()
        time.sleep(0.2)
        node.daemon.signal(signal.SIGCONT)
        # Not before all should be waiting: this would be a kick by itself.
        time.sleep(1.5)
        started = time.monotonic()
        expect(fast.mail("spam@x.example"), "y", DENIED)
        probe = time.monotonic() - started
        for session in sessions:
            session.join()
        assert {s.answer.text[:9] for s in sessions} == {"451 4.1.8"}
        slowest = max(session.took for session in sessions)
        within(slowest < 6 and probe < 0.5, (slowest, probe))


def test_callback_is_bounded(programs, directory):
    """Many questions in one callback have one deadline together."""
    zones = [f"list{number}.example" for number in range(12)]
    silent = [f"7.2.0.192.{zone}" for zone in zones]
    lists = ", ".join(f'"{zone}"' for zone in zones)
    with NameServer(silent=silent) as names, \
            logged(programs, directory, ACCESS,
                   names.option + f"dnsbl = {{ {lists} }}\n") as node:
        started = time.monotonic()
        talk, _ = connect(node, "postfix")
        with talk:
            within(time.monotonic() - started < 6, "waits on")


def processor_seconds(node):
    with open(f"/proc/{node.daemon.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def test_out_of_descriptors(programs, directory):
    """It says so, does not spin, and takes up what has waited."""
    with logged(programs, directory, ACCESS) as node, \
            contextlib.ExitStack() as stack:
        assert node.daemon.stop() == 0
        start_with_few_files(node, programs)
        held = [stack.enter_context(dial(node)) for _ in range(400)]
        node.daemon.logged("descriptors are left")
        before = processor_seconds(node)
        time.sleep(3)
        within(processor_seconds(node) - before < 0.6, "spins")
        node.daemon.logged("descriptors are left")
        for talk in held[:300]:
            talk._socket.close()
        for talk in held[300:]:
            talk.negotiate()
            expect(talk.connect("host.example", CLIENT), "c")
        node.daemon.logged("new connections are taken")
        within(healthy(node) < 5, "slow")


def start_with_few_files(node, programs):
    """The limit is the hard one, which milterd cannot raise."""
    limited_program = os.path.join(os.path.dirname(node.daemon.config), "few")
    with open(limited_program, "w") as script:
        script.write(f'#!/bin/sh\nulimit -n 256\nexec {programs.milterd} '
                     '"$@"\n')
    os.chmod(limited_program, 0o755)
    programs.milterd, kept = limited_program, programs.milterd
    try:
        node.daemon.start()
    finally:
        programs.milterd = kept
