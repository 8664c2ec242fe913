# SPDX-License-Identifier: BSD-2-Clause
"""The filters: processes that listen at a socket and can be measured."""

import contextlib
import os
import signal
import subprocess
import time

import material
import world

READY_S = 120                   # a million entries under valgrind take a while


class Filter:
    """A running filter. `under` is a command to run it by: valgrind, say."""

    def __init__(self, name, argv, socket, directory, under=()):
        self.name, self.socket = name, socket
        with open(f"{directory}/{name}.log", "a") as log:
            self.process = subprocess.Popen(
                [*under, *argv], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=directory, start_new_session=True)
        end = time.monotonic() + READY_S
        while not is_listening(socket):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{name} does not start, see "
                                   f"{directory}/{name}.log")
            time.sleep(0.02)

    @property
    def pid(self):
        return self.process.pid

    def pids(self):
        """Its process and those that it started, with commas between."""
        return ",".join(str(pid) for pid in processes_of(self.pid))

    def stop(self):
        """End it; what libmilter needs five seconds for is cut short."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(2)
        for pid in list(processes_of(self.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def processes_of(session):
    """The processes of a session, as it is now."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), \
                    open(f"/proc/{name}/stat") as stat:
                if int(stat.read().rpartition(")")[2].split()[3]) == session:
                    yield int(name)


def is_listening(socket):
    """Whether a unix or inet socket is in the kernel's list of listeners."""
    kind, _, where = socket.partition(":")
    if kind == "unix":
        with open("/proc/net/unix") as table:
            return any(line.endswith(f" {where}\n")
                       and line.split()[3] == "00010000" for line in table)
    port = f":{int(where.split('@')[0]):04X} "
    with open("/proc/net/tcp") as table:
        return any(port in line.split(" 0000", 1)[0] + " "
                   and " 0A " in line for line in table)


class Place:
    """A directory for maps, letters and sockets, and the programs to run."""

    def __init__(self, directory, build, entries, resolver):
        self.directory, self.build = directory, build
        self.resolver = resolver
        self.access = f"{directory}/access"
        material.write_map(self.access, entries)
        self.passing, self.all = f"{directory}/passing", f"{directory}/all"
        material.write_letters(self.passing, False)
        material.write_letters(self.all, True)

    @contextlib.contextmanager
    def running(self, name, argv, socket=None, under=()):
        """Start a filter with its socket filled in for SOCKET."""
        socket = socket or f"unix:{self.directory}/{name}.sock"
        argv = [word.replace("SOCKET", socket) for word in argv]
        started = Filter(name, argv, socket, self.directory, under)
        try:
            yield started
        finally:
            started.stop()

    def null(self, *options, under=()):
        """The filter that does nothing; with "-n" and without replies."""
        name = "null" + "".join(options)
        return self.running(
            name, [f"{self.build}/tests/bench/null", *options, "SOCKET"],
            under=under)

    def milterd(self, name="milterd", words=None, socket=None, under=()):
        """milterd with every check on, or with other words instead."""
        socket = socket or f"unix:{self.directory}/{name}.sock"
        config = f"{self.directory}/{name}.conf"
        if words is None:
            words = (material.CONFIG + f'access = "{self.access}"\n'
                     + self.resolver)
        with open(config, "w") as file:
            file.write(f'socket = "{socket}"\n' + words)
        argv = [f"{self.build}/milterd", "-f", "-c", config]
        if not world.is_inside():
            argv.append("-e")           # the log is somebody else's
        return self.running(name, argv, socket, under)

    def rewriting(self, under=()):
        """milterd with every check on, and with addresses to rewrite."""
        table = f"{self.directory}/virtusertable"
        with open(table, "w") as file:
            file.write(material.VIRTUAL)
        words = (material.REWRITING + f'access = "{self.access}"\n'
                 f'virtusertable = "{table}"\n' + self.resolver)
        return self.milterd("rewriting", words, under=under)

    def nothing(self, under=()):
        """milterd with a policy that decides nothing."""
        return self.milterd("nothing", material.NOTHING, under=under)
