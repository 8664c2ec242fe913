# SPDX-License-Identifier: BSD-2-Clause
"""A running milterd: its configuration, its process, and milterctl."""

import os
import signal
import subprocess
import time

DOORS = {"socket": "milterd.sock", "policy_socket": "policy.sock",
         "socketmap_socket": "socketmap.sock"}


class Programs:
    """The two programs under test."""

    def __init__(self, milterd, milterctl):
        self.milterd, self.milterctl = milterd, milterctl


class Daemon:
    """milterd with a configuration file of its own; doors is the directory
    of its sockets, state that of its control socket and pid file."""

    def __init__(self, programs, config, doors, state, common=""):
        self._programs = programs
        self.config = config
        self._doors, self._state, self._common = doors, state, common
        self._process = None

    def sockets(self):
        """Configuration word to path, of the doors that MTAs use."""
        return {word: f"{self._doors}/{name}" for word, name in DOORS.items()}

    def configure(self, options):
        """Write the configuration file."""
        sockets = {**self.sockets(),
                   "control_socket": f"{self._state}/control.sock"}
        words = "".join(f'{word} = "unix:{path}"\n'
                        for word, path in sockets.items())
        words += f'pid_file = "{self._state}/milterd.pid"\n'
        os.makedirs(os.path.dirname(self.config), exist_ok=True)
        with open(self.config, "w") as config:
            config.write(words + self._common + options)

    def start(self):
        self._process = subprocess.Popen(
            [self._programs.milterd, "-f", "-c", self.config],
            stdin=subprocess.DEVNULL, stderr=self._standard_error())
        end = time.monotonic() + 120
        while not self._listens():
            if not self.is_alive() or time.monotonic() > end:
                raise RuntimeError("milterd does not start: exit "
                                   f"{self._process.poll()}")
            time.sleep(0.02)

    def _standard_error(self):
        return open(f"{self._state}/stderr", "a")

    def _listens(self):
        """Sockets are looked for first: a milterctl costs more, much more
        where a sanitizer is in it."""
        return all(map(os.path.exists, self.sockets().values())) \
            and self.control("status").returncode == 0

    @property
    def pid(self):
        return self._process.pid

    def is_alive(self):
        return self._process.poll() is None

    def control(self, *words):
        """Run milterctl; its exit status and what it printed."""
        return subprocess.run(
            [self._programs.milterctl, "-c", self.config, *words], text=True,
            capture_output=True, stdin=subprocess.DEVNULL)

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, timeout):
        """The exit status, None if it still runs when the time is up."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        """End it as a crash would."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def stop(self):
        """End it as an init system would; the exit status."""
        self._process.terminate()
        status = self.wait(60)
        if status is None:
            self.kill()
            raise RuntimeError("milterd does not stop on SIGTERM")
        return status
