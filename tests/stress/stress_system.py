# SPDX-License-Identifier: BSD-2-Clause
"""Rows O1 and S8, and the restrictions of the systemd unit made by hand."""

import contextlib
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import stat
import tempfile
import threading
import time

from kit import (SANITIZER, SLOWER, SPAM, Probe, count, figure, in_ms,
                 own_names, percentile, session)
from logged import expect, greeted, logged
from node import Node
from results import within

# Namespaces of mounts need root; a directory of its own, a place that is
# not hidden by a private /tmp.
IS_ROOT = os.getuid() == 0

OWN_DEVICES = """\
mkdir "{place}/dev"
mount -t tmpfs -o mode=755 tmpfs "{place}/dev"
for name in null zero full random urandom; do
	: > "{place}/dev/$name"
	mount --bind "/dev/$name" "{place}/dev/$name"
done
ln -s "{place}/log" "{place}/dev/log"
mount --rbind "{place}/dev" /dev
"""


@contextlib.contextmanager
def own_place():
    place = tempfile.mkdtemp(prefix="milterd-stress-", dir="/var/cache")
    os.chmod(place, 0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def wrapped(programs, place, script, program="exec \"$milterd\" \"$@\""):
    """A program that becomes milterd within mounts of its own."""
    path = f"{place}/wrapped"
    shutil.copy(programs.milterd, f"{place}/milterd")
    with open(f"{place}/inside", "w") as file:
        file.write(f"set -e\nmilterd={place}/milterd\n{script}{program}\n")
    with open(path, "w") as file:
        file.write("#!/bin/sh\nexec unshare --mount --propagation private "
                   f'sh {place}/inside "$@"\n')
    os.chmod(path, 0o755)
    return type(programs)(path, programs.milterctl)


class Collector(threading.Thread):
    """/dev/log: reads nothing until it is told to."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.reads, self.lines = threading.Event(), []

    def run(self):
        while True:
            self.reads.wait()
            self.socket.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                self.lines.append(self.socket.recv(8192).decode("latin-1"))


def refusals(node, number):
    """So many lines for the log; how long each reply took."""
    times = []
    with greeted(node, "postfix") as talk:
        for _ in range(number):
            started = time.monotonic()
            assert talk.mail("spam@x.example").verdict == "y"
            times.append(time.monotonic() - started)
            talk.abort()
    return times


def dropped(node):
    status = node.daemon.control("status").stdout
    return int(re.search(r"^log_lines_dropped: (\d+)$", status, re.M)[1])


def test_log_daemon_stands_still(programs, directory):
    """Mail flows on; what was dropped is counted to the line, and told."""
    if not IS_ROOT:
        print("      (not root: no /dev/log of its own)")
        return
    number = count(10_000, 100_000)
    with own_place() as place, own_names() as options:
        collector = Collector(f"{place}/log")
        collector.start()
        collector.reads.set()
        node = Node(wrapped(programs, place, OWN_DEVICES.format(place=place)),
                    place)
        node.write_access(SPAM)
        node.daemon.configure(node.options + options)
        node.daemon.start()
        try:
            refusals(node, 200)
            flowing = refusals(node, 2000)
            collector.reads.clear()
            time.sleep(0.3)
            stalled = refusals(node, number)
            lost = dropped(node)
            collector.reads.set()
            end = time.monotonic() + 20
            while time.monotonic() < end and \
                    not any("log lines dropped" in line
                            for line in collector.lines):
                time.sleep(0.05)
            time.sleep(0.5)
        finally:
            assert node.daemon.stop() == 0
        got = sum("Access denied" in line for line in collector.lines)
        told = sum(int(re.search(r"(\d+) log lines dropped", line)[1])
                   for line in collector.lines if "log lines dropped" in line)
        figure("O1", f"stalled: {in_ms(stalled)}; flowing: {in_ms(flowing)}; "
               f"{got} lines came, {lost} counted as dropped, {told} told, "
               f"of {number + 2200}")
        assert got + lost == number + 2200 and told == lost > 0
        assert percentile(stalled, .99) < \
            percentile(flowing, .99) + 0.005 * SLOWER


RESTRICTIONS = OWN_DEVICES + """\
mount --bind "{place}" "{place}"
mount -t tmpfs -o mode=1777 tmpfs /tmp
for home in /root /home; do
	[ ! -d $home ] || mount -t tmpfs -o mode=000,ro tmpfs $home
done
mount -t proc -o hidepid=invisible,subset=pid proc /proc
awk '{{ print $5 }}' /proc/self/mountinfo | while read -r at; do
	case $at in
	"{place}"*|/tmp|/proc|/dev*) ;;
	*) mount -o remount,bind,ro "$at" 2>/dev/null || true ;;
	esac
done
! touch /usr/milterd-may-write-here 2>/dev/null
umask 0077
"""

# MemoryDenyWriteExecute=, which util-linux has no word for.
DENY_EXECUTE = """\
import ctypes, os, sys
ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""

BECOME = """\
exec setpriv --reuid nobody --regid nogroup --clear-groups --no-new-privs \\
	--inh-caps=-all --bounding-set=-all \\
	{python} -S -E {place}/deny.py "$milterd" "$@"
"""


def test_restrictions_of_the_unit(programs, directory):
    """Nobody's rights, no capabilities, nothing to write but its directory:
    it starts, judges, reloads and ends."""
    if not IS_ROOT or SANITIZER:
        print("      (needs root, and no sanitizer)")
        return
    with own_place() as place, own_names() as options:
        nobody = pwd.getpwnam("nobody")
        os.chown(place, nobody.pw_uid, nobody.pw_gid)
        with open(f"{place}/deny.py", "w") as file:
            file.write(DENY_EXECUTE)
        python = shutil.which("python3", path="/usr/bin:/bin") or "python3"
        restricted = wrapped(programs, place,
                             RESTRICTIONS.format(place=place),
                             BECOME.format(place=place, python=python))
        with logged(restricted, place, SPAM,
                    options + "blocklist_recipients = true\n") as node:
            judge_restricted(node, place, nobody)


def judge_restricted(node, place, nobody):
    for _ in range(20):
        session(node)
    node.write_access(SPAM + "From:new@x.example\tREJECT\n")
    assert node.daemon.control("reload").returncode == 0
    node.daemon.signal(signal.SIGHUP)
    node.daemon.logged("reloaded", times=2)
    with greeted(node, "postfix") as talk:
        assert talk.mail("new@x.example").verdict == "y"
    fields = dict(re.findall(r"^(\w+):[ \t]*(.*)$", pathlib.Path(
        f"/proc/{node.daemon.pid}/status").read_text(), re.M))
    assert set(fields["Uid"].split()) == {str(nobody.pw_uid)}, fields["Uid"]
    assert fields["NoNewPrivs"] == "1" and not fields["Groups"].strip()
    for word in ("CapEff", "CapPrm", "CapBnd", "CapInh"):
        assert int(fields[word], 16) == 0, (word, fields[word])
    mode = os.stat(f"{place}/milterd.sock").st_mode
    assert stat.S_ISSOCK(mode) and mode & 0o007 == 0, oct(mode)
    with open(f"/proc/{node.daemon.pid}/mountinfo") as mounts:
        root = next(line.split() for line in mounts
                    if line.split()[4] == "/")
    assert "ro" in root[5].split(","), root
    figure("unit", "runs as nobody without capabilities, new privileges, "
           "writable files but its directory, or writable code")


def until_answered(node):
    """Half requests hold their places for ten seconds."""
    started = time.monotonic()
    while node.daemon.control("status").returncode != 0:
        within(time.monotonic() - started < 15, "no operator is let in")
        time.sleep(0.1)
    return time.monotonic() - started


def test_control_socket_under_fire(programs, directory):
    """Idle clients, half requests, garbage, and readers that do not read; the
    mail path does not notice."""
    number = count(1000, 10_000)
    with own_names() as options, \
            logged(programs, directory, SPAM, options) as node:
        with Probe(node) as alone:
            time.sleep(2)
    with own_names() as options, \
            logged(programs, directory, SPAM, options) as node, \
            contextlib.ExitStack() as stack:
        with Probe(node) as beside:
            for turn in range(number):
                sock = stack.enter_context(socket.socket(socket.AF_UNIX))
                sock.settimeout(10)
                sock.connect(f"{directory}/control.sock")
                with contextlib.suppress(OSError):
                    sock.sendall((b"", b"status", b"\xff\0" * 3000,
                                  b"explain json plain 100000\n",
                                  b"lookup access " + b"x" * 400_000,
                                  b"status json\n")[turn % 6])
            waited = until_answered(node)
        figure("S8", f"{number} clients of the control socket: an operator "
               f"is heard after {waited:.1f} s; sessions beside them "
               f"{in_ms(beside.times)}, without {in_ms(alone.times)}")
        within(percentile(beside.times, .99) <
               3 * percentile(alone.times, .99) + 0.1 * SLOWER,
               in_ms(beside.times))
        with greeted(node, "postfix") as talk:
            expect(talk.mail("a@x.example"), "c")
