#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Redis in every kind of trouble, while mail flows through a real Postfix.

  tests/fleet/faults.py --milterd PATH --milterctl PATH [TEST...]

Runs as root in namespaces of its own, as tests/mta/run.py does, and needs
redis-server, redis-sentinel and faketime beside what that needs. Redis is on
another host (a network namespace) at the end of a cable of its own. Every test
is one trouble: numbered messages are sent before, in and after it; each must
be delivered once or refused by the policy, and nothing that the policy refuses
may pass. STRESS=long takes the long counts, as `make stress` does.
"""

import argparse
import calendar
import contextlib
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
for neighbour in ("common", "wire", "redis", "stress", "mta"):
    sys.path.insert(0, os.path.join(HERE, "..", neighbour))

import policies
import run as mta
import second
import smtp
import world
from kit import IS_LONG, count, figure, percentile
from rediskit import Fake, Server, until
from daemon import Programs
from results import Results, chosen, tests_of
from stress_mta import SENDERS, STRANGER, Sender, delivered

NEAR, FAR = "10.99.0.1", "10.99.0.2"
PORT = 6379
DYNAMIC = "dynamic@good.example"
PASSWORD = "/etc/milterd/redis.password"
TROUBLE_S = count(2, 30)
REST_S = count(1, 5)
MOST_LINES = 4      # of the maillog about one trouble


def lay_second_cable(network):
    """Between the mail host and the host of Redis, to be cut."""
    world.run("ip", "link", "add", "back", "type", "veth", "peer", "name",
              "store")
    world.run("ip", "link", "set", "store", "netns", network.path)
    world.run("ip", "addr", "add", f"{NEAR}/24", "dev", "back")
    world.run("ip", "link", "set", "back", "up")
    with network.entered():
        world.run("ip", "link", "set", "store", "up")
        world.run("ip", "route", "add", f"{NEAR}/32", "dev", "store")


class Fleet:
    """The mail host with one milterd behind Postfix, or two, and a place for
    Redis."""

    def __init__(self, bed, other, directory):
        self.bed, self._other, self.directory = bed, other, directory
        self.beds = [bed]

    def server(self, *words, port=PORT, **options):
        """A redis-server on the other host."""
        with self.bed.world.network.entered():
            return Server(self.directory, *words, port=port,
                          address="0.0.0.0", **options)

    def start_again(self, server):
        with self.bed.world.network.entered():
            server.start()

    def configure(self, section):
        """Start milterd with this Redis."""
        if self.bed.daemon.is_alive():
            self.bed.daemon.stop()
        self.bed.daemon.configure(policies.options(policies.PLAIN)
                                  + "redis {\n" + section + "\n}\n")
        self.bed.daemon.start()

    @contextlib.contextmanager
    def two_nodes(self, *words, **options):
        """A redis-server, a node that publishes its files, and one without
        any; the server."""
        with self.server(*words, **options) as server:
            self.configure(at())
            with second.running(self._other, server, at()):
                self.beds = [self.bed, self._other]
                try:
                    yield server
                finally:
                    self.beds = [self.bed]

    def status(self, bed=None, what="redis"):
        """How milterd thinks that Redis is."""
        done = (bed or self.bed).daemon.control("status", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)[what]

    def await_state(self, *states, seconds=10):
        """Until status says so, on every node."""
        seen = []

        def is_there():
            seen[:] = [self.status(bed) for bed in self.beds]
            return all(one["state"] in states for one in seen)
        try:
            until(is_there, seconds, 0.1)
        except AssertionError:
            raise AssertionError(f"{seen} is not {states}") from None

    def lines(self):
        return [line for line in self.bed.logged("milterd")
                if line.startswith("redis: ")]


class Clock(threading.Thread):
    """One message after the other whose sender is refused, by the access map
    or by a dynamic entry; how long each session took, from connect to the
    refusal."""

    def __init__(self, bed, may_defer):
        super().__init__()
        self.bed, self.times, self.wrong = bed, [], []
        self.may_defer = may_defer
        self.stop = threading.Event()
        self.senders = ["spammer@good.example"]

    def run(self):
        while not self.stop.is_set():
            started = time.monotonic()
            try:
                with self.bed.dial(STRANGER) as talk:
                    sender = self.senders[len(self.times)
                                          % len(self.senders)]
                    reply = talk.mail(sender)
                    if reply[:1] == "2":
                        reply = talk.rcpt("u@abc.com")
                if reply[:3] != "550" and not (self.may_defer
                                               and reply[:1] == "4"):
                    self.wrong.append(f"{sender}: {reply}")
            except (smtp.Hangup, OSError) as error:
                if not self.may_defer:
                    self.wrong.append(str(error))
            self.times.append((started, time.monotonic() - started))
            self.stop.wait(0.01)


class Load:
    """Mail that flows as long as the block lasts, and is counted."""

    def __init__(self, fleet, row, may_defer=False):
        self.fleet, self.row, self.bed = fleet, row, fleet.bed
        self.may_defer = may_defer
        self.marks = []

    def __enter__(self):
        self.bed.begin()
        self.stop = threading.Event()
        beds = self.fleet.beds
        self.senders = [Endless(beds[number % len(beds)], number, self.stop)
                        for number in range(SENDERS // 2)]
        self.clocks = [Clock(bed, self.may_defer) for bed in beds]
        for thread in [*self.senders, *self.clocks]:
            thread.start()
        time.sleep(REST_S)
        return self

    def refuse_dynamically(self):
        """From now on DYNAMIC is refused as well, by every node."""
        done = self.bed.daemon.control("access", "add", "From:" + DYNAMIC,
                                       "REJECT", "15m")
        assert done.returncode == 0, done.stderr
        for bed in self.fleet.beds:
            until(lambda bed=bed: bed.daemon.control(
                "lookup", "access", "From:" + DYNAMIC).returncode == 0, 30)
        for clock in self.clocks:
            clock.senders = ["spammer@good.example", DYNAMIC]

    @contextlib.contextmanager
    def trouble(self):
        """The time in which Redis is not well."""
        self.marks.append(time.monotonic())
        yield
        self.marks.append(time.monotonic())

    def __exit__(self, failed, *_):
        if not failed:
            time.sleep(REST_S)
        self.stop.set()
        for clock in self.clocks:
            clock.stop.set()
        for thread in [*self.senders, *self.clocks]:
            thread.join()
        if not failed:
            self.judge()

    def judge(self):
        got = delivered(self.bed)
        sent = [name for sender in self.senders for name in sender.sent]
        wrong = [text for thread in [*self.senders, *self.clocks]
                 for text in thread.wrong]
        again = sum(sender.again for sender in self.senders)
        lost = [name for name in sent if not got[name]]
        twice = [name for name in got if got[name] > 1]
        stray = [name for name in got if name not in set(sent)]
        lines = self.fleet.lines()
        nodes = len(self.fleet.beds)
        through = [sum(len(sender.sent) for sender in self.senders
                       if sender.bed is bed) for bed in self.fleet.beds]
        figure(self.row, f"{' and '.join(map(str, through))} messages, {again} deferred first: "
               f"{len(lost)} lost, {len(stray)} wrongly accepted, "
               f"{len(twice)} twice; {self.times()}; "
               f"{len(lines)} lines in the log")
        assert not wrong, wrong[:5]
        assert not (lost or twice or stray), (lost[:5], twice[:5], stray[:5])
        assert len(sent) > 10 and all(through), through
        assert self.may_defer or again == 0, again
        assert len(lines) <= MOST_LINES * nodes, lines
        assert all(bed.daemon.is_alive() for bed in self.fleet.beds), \
            "milterd died"

    def times(self):
        begin, end = self.marks or (0, 0)
        times = [one for clock in self.clocks for one in clock.times]
        well = [took for at, took in times if not begin <= at <= end]
        ill = [took for at, took in times if begin <= at <= end]
        if not ill:
            return f"p99 {percentile(well, .99) * 1000:.0f} ms"
        return (f"p99 {percentile(ill, .99) * 1000:.0f} ms in trouble, "
                f"{percentile(well, .99) * 1000:.0f} ms around it")


class Endless(Sender):
    """Until it is told to stop; always whole messages."""

    def __init__(self, bed, number, stop):
        super().__init__(bed, number, 0)
        self.stop = stop

    def run(self):
        while not self.stop.is_set():
            self.messages += 1
            name = f"s{self.number}n{self.messages}@abc.com"
            while not self.is_settled(name):
                self.again += 1
                time.sleep(0.1)


def at(address=FAR, port=PORT):
    return f'\tserver = "inet:{port}@{address}"'


def through(fleet, row, spoil, mend, *states, again=("connected",)):
    """Redis is well, spoiled, and mended, while mail flows."""
    with Load(fleet, row) as load:
        fleet.await_state("connected")
        load.refuse_dynamically()
        with load.trouble():
            spoil()
            fleet.await_state(*states)
            time.sleep(TROUBLE_S)
        mend()
        # What Redis refuses counts as over after 10 s; see milterd(8).
        if IS_LONG or not {"READONLY", "denied"} & set(states):
            fleet.await_state(*again, seconds=30)


def test_never_there(fleet):
    fleet.configure(at())
    with Load(fleet, "R1 never there") as load, load.trouble():
        fleet.await_state("unreachable", "timed out")
        time.sleep(TROUBLE_S)


def test_killed(fleet):
    """What it knew is on its disk."""
    with fleet.two_nodes("--appendonly", "yes", "--appendfsync", "always") \
            as server:
        through(fleet, "R1 killed", server.kill,
                lambda: fleet.start_again(server),
                "unreachable", "connection closed")


def test_stopped(fleet):
    with fleet.two_nodes() as server:
        through(fleet, "R2 stopped", lambda: server.signal(signal.SIGSTOP),
                lambda: server.signal(signal.SIGCONT), "timed out")


def test_restarted_empty(fleet):
    with fleet.two_nodes() as server:
        def empty():
            server.tell("FLUSHALL")
            server.kill()
            fleet.start_again(server)
        through(fleet, "R12 restarted empty", empty, lambda: None,
                "connected", "unreachable", "connection closed")
        assert server.tell("GET", "mlt:s:access:from:" + DYNAMIC) == "REJECT"
        until(lambda: server.tell("EXISTS", "mlt:current") == "1", 30)


def many_more(word):
    """An access map whose image has several pieces."""
    return policies.PLAIN.access + "".join(
        f"host{number}.listed.example\tREJECT\n"
        for number in range(150000)) + f"From:new.example\t550 {word}\n"


def has_new_value(bed):
    return bed.daemon.control("lookup", "access",
                              "From:new.example").returncode == 0


def test_publisher_killed_half_way(fleet):
    """The other goes on with what it has, or has all of the new; the same
    generation is the first's when it comes back."""
    with fleet.two_nodes("--notify-keyspace-events", "K$") as server, \
            Load(fleet, "generation half published", True) as load, \
            load.trouble():
        before = server.tell("GET", "mlt:current")
        world.write(policies.ACCESS, many_more("new"))
        killer = second.KilledWhilePublishing(server, fleet.bed.daemon)
        killer.start()
        try:
            done = fleet.bed.daemon.control("reload")
            killer.join()
        finally:
            world.write(policies.ACCESS, policies.PLAIN.access)
        is_whole = server.tell("GET", "mlt:current") != before
        fleet.bed.daemon.start()
        figure("generation half published", f"reload {done.returncode}, "
               + ("all of it was there" if is_whole else "no generation"))
        until(lambda: all(fleet.status(bed, "fleet")["in_step"]
                          and has_new_value(bed) == is_whole
                          for bed in fleet.beds), 60)


def test_out_of_memory(fleet):
    with fleet.server() as server:
        fleet.configure(at())
        through(fleet, "R5 out of memory",
                lambda: server.tell("CONFIG", "SET", "maxmemory", "1"),
                lambda: server.tell("CONFIG", "SET", "maxmemory", "0"),
                "OOM", "connected")


def test_read_only_replica(fleet):
    with fleet.server() as server, fleet.server(port=PORT + 1) as other:
        fleet.configure(at())
        through(fleet, "R6 read-only replica",
                lambda: server.tell("REPLICAOF", "127.0.0.1",
                                    str(other.port)),
                lambda: server.tell("REPLICAOF", "NO", "ONE"),
                "READONLY")


def test_wrong_password(fleet):
    world.write(PASSWORD, "secret\n", 0o600)
    with fleet.server("--requirepass", "secret") as server:
        fleet.configure(at() + f'\n\tpassword_file = "{PASSWORD}"')

        def change():
            server.tell("CONFIG", "SET", "requirepass", "other",
                        user=("-a", "secret", "--no-auth-warning"))
            server.tell("CLIENT", "KILL", "TYPE", "normal",
                        user=("-a", "other", "--no-auth-warning"))
            server.tell("CLIENT", "KILL", "TYPE", "pubsub",
                        user=("-a", "other", "--no-auth-warning"))

        def restore():
            server.tell("CONFIG", "SET", "requirepass", "secret",
                        user=("-a", "other", "--no-auth-warning"))
        through(fleet, "R8 wrong password", change, restore, "denied")


def test_garbage_on_the_port(fleet):
    def speak_http(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with fleet.bed.world.network.entered():
        fake = Fake(speak_http, ("0.0.0.0", PORT))
    fleet.configure(at())
    with fake, Load(fleet, "R11 garbage on the port") as load, load.trouble():
        fleet.await_state("not Redis")
        time.sleep(TROUBLE_S)


def test_network_cut(fleet):
    with fleet.server():
        fleet.configure(at())
        through(fleet, "R1 network cut",
                lambda: world.run("ip", "link", "set", "back", "down"),
                lambda: world.run("ip", "link", "set", "back", "up"),
                "unreachable", "timed out", "connection closed")


if IS_LONG:
    def test_silent_network(fleet):
        """Packets go, none come back: nothing says that the line is dead."""
        with fleet.server():
            fleet.configure(at())

            def block():
                with fleet.bed.world.network.entered():
                    world.run("ip", "link", "set", "store", "down")
            through(fleet, "R1 silent network", block, lambda: unblock(fleet),
                    "timed out", "unreachable", "connection closed")


def unblock(fleet):
    with fleet.bed.world.network.entered():
        world.run("ip", "link", "set", "store", "up")
        world.run("ip", "route", "replace", f"{NEAR}/32", "dev", "store")


def test_clock_off_by_an_hour(fleet):
    """Our clock, not that of Redis: ahead, and behind. libfaketime disturbs
    libmilter's waits; a message may be deferred."""
    programs = fleet.bed.daemon._programs
    with fleet.server():
        for offset in ("+3600s", "-3600s") if IS_LONG else ("+3600s",):
            wrapper = os.path.join(fleet.directory, "milterd" + offset)
            world.write(wrapper, f"""#!/bin/sh
LD_PRELOAD={libfaketime()} FAKETIME={offset} DONT_FAKE_MONOTONIC=1
export LD_PRELOAD FAKETIME DONT_FAKE_MONOTONIC
exec {programs.milterd} "$@"
""", 0o755)
            fleet.bed.daemon._programs = Programs(wrapper, programs.milterctl)
            try:
                fleet.configure(at())
                with Load(fleet, f"O4 clock {offset}", True) as load, \
                        load.trouble():
                    fleet.await_state("connected")
                    off = until_off(fleet)
                    assert abs(abs(off) - 3600) < 60, off
                    time.sleep(TROUBLE_S)
            finally:
                fleet.bed.daemon._programs = programs


def libfaketime():
    """Not by faketime(1), which would stand between us and the daemon."""
    return glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")[0]


def until_off(fleet):
    """Seconds between milterd's clock and ours."""
    since = fleet.status()["since"]
    return calendar.timegm(time.strptime(since, "%Y-%m-%dT%H:%M:%SZ")) \
        - time.time()


def test_failover(fleet):
    with contextlib.ExitStack() as stack:
        master = stack.enter_context(fleet.server(
            "--replica-announce-ip", FAR))
        replica = stack.enter_context(fleet.server(
            "--replicaof", FAR, str(PORT), "--replica-announce-ip", FAR,
            port=PORT + 1))
        until(lambda: "connected_slaves:1"
              in master.tell("INFO", "replication"), 20)
        sentinels = [stack.enter_context(sentinel(fleet, number))
                     for number in range(3)]
        until(lambda: all("slaves=1,sentinels=3" in told(fleet, port)
                          for port in sentinels_of(sentinels)), 30)
        fleet.configure("\tsentinels = { " + ", ".join(
            f'"inet:{port}@{FAR}"' for port in sentinels_of(sentinels))
            + ' }\n\tmaster = "mail"')
        with Load(fleet, "R6 Sentinel failover") as load, load.trouble():
            master.kill()
            until(lambda: "role:master"
                  in replica.tell("INFO", "replication"), 30)
            fleet.await_state("connected", seconds=20)
            time.sleep(TROUBLE_S)


def sentinel(fleet, number):
    config = os.path.join(fleet.directory, f"sentinel-{number}.conf")
    with open(config, "w") as file:
        file.write(f"sentinel monitor mail {FAR} {PORT} 2\n"
                   "sentinel down-after-milliseconds mail 700\n"
                   f"sentinel announce-ip {FAR}\n"
                   "sentinel failover-timeout mail 3000\n")
    return fleet.server(program="redis-sentinel", config=config,
                        name="sentinel", port=26379 + number)


def sentinels_of(servers):
    return [server.port for server in servers]


def told(fleet, port):
    with fleet.bed.world.network.entered():
        return subprocess.run(
            ["redis-cli", "-p", str(port), "INFO", "sentinel"], text=True,
            capture_output=True, check=False).stdout


def run_all(bed, other, wanted, results):
    directory = tempfile.mkdtemp(prefix="redis-", dir="/run")
    fleet = Fleet(bed, other, directory)
    try:
        for name, test in tests_of(sys.modules[__name__]):
            if not chosen(f"faults/{name}", wanted):
                continue
            if not results.run(f"faults/{name}", lambda test=test:
                               test(fleet)):
                print("\n".join(fleet.lines()), flush=True)
                bed.recover()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--milterd", required=True, type=os.path.abspath)
    parser.add_argument("--milterctl", required=True, type=os.path.abspath)
    parser.add_argument("--sendmail-root", default="/", type=os.path.abspath)
    parser.add_argument("tests", nargs="*", metavar="TEST")
    return parser.parse_args()


def main():
    options = arguments()
    world.enter()
    results = Results()
    root = tempfile.mkdtemp(prefix="milterd-fleet-")
    try:
        stage = mta.Stage(root, options)
        lay_second_cable(stage.network)
        policies.install(policies.PLAIN)
        bed = stage.bed("postfix", policies.PLAIN)
        other = second.bed_beside(bed, stage.programs, stage.identity)
        with mta.running(bed):
            run_all(bed, other, options.tests, results)
    finally:
        world.leave(root)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
