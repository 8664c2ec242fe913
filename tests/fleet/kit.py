# SPDX-License-Identifier: BSD-2-Clause
"""Two nodes of milterd that share one Redis."""

import json
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
for neighbour in ("common", "redis", "wire"):
    sys.path.insert(0, os.path.join(HERE, "..", neighbour))

from daemon import Daemon, Programs
from rediskit import Server, until

BUILD = os.environ.get("top_builddir", ".")
PROGRAMS = Programs(os.path.join(BUILD, "milterd"),
                    os.path.join(BUILD, "milterctl"))


class Node(Daemon):
    """One node: its own directory, the files it may have, its own state."""

    def __init__(self, fleet, name):
        self.name = name
        self.directory = os.path.join(fleet.directory, name)
        self.maps = os.path.join(self.directory, "mail")
        self.state = os.path.join(self.directory, "state")
        for directory in (self.maps, self.state):
            os.makedirs(directory, mode=0o700)
        super().__init__(
            fleet.programs, os.path.join(self.directory, "milterd.conf"),
            self.directory, self.directory)
        self._words = ""
        self.be_alone()
        self.add(f"""
state_directory = "{self.state}"
redis {{ server = "unix:{fleet.redis.socket}" timeout = 1s }}
""")

    def be_alone(self):
        """The configuration of a server by itself."""
        self._words = f"""
hostname = "{self.name}.example.com"
allow_unsafe_files = yes
access = "{self.maps}/access"
virtusertable = "{self.maps}/virtusertable"
local_domain = "{self.maps}/local-host-names"
"""
        self.configure(self._words)

    def add(self, words):
        """More of the configuration."""
        self._words += words
        self.configure(self._words)

    def write(self, **files):
        """File name, with _ for -, to content."""
        for name, content in files.items():
            path = os.path.join(self.maps, name.replace("_", "-"))
            with open(path + ".new", "w") as file:
                file.write(content)
            os.rename(path + ".new", path)

    def write_all(self, word, entries=3):
        """Maps that all say the same word."""
        rows = "".join(f"k{i}.example\t{word}\n" for i in range(entries))
        self.write(access=f"a.example\t{word}\n" + rows,
                   virtusertable=f"b@example.org\t{word}\n",
                   local_host_names="example.org\nexample.net\n")

    def look(self, name="access", key="a.example"):
        """The value of a key; None: it is not there."""
        answer = self.control("lookup", name, key)
        assert answer.returncode in (0, 1), answer.stderr
        return answer.stdout.split("\t")[0].strip() or None

    def status(self):
        return json.loads(self.control("status", "--json").stdout)

    def reload(self, *words):
        answer = self.control("reload", *words)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    def log(self):
        with open(os.path.join(self.directory, "stderr")) as file:
            return file.read()

    def stop(self):
        if self._process is not None and self.is_alive():
            self.signal(15)
            self._process.wait(20)


class Fleet:
    def __init__(self, directory=None, programs=PROGRAMS):
        self.programs = programs
        self.directory = tempfile.mkdtemp(prefix="milterd-fleet-",
                                          dir=directory)
        self.redis = Server(self.directory)
        self.nodes = [Node(self, "mx1"), Node(self, "mx2")]

    def close(self):
        for node in self.nodes:
            node.stop()
        self.redis.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def has_generation(self):
        """Whether one is published."""
        return self.redis.tell("EXISTS", "mlt:current") == "1"

    def start(self, word="one", write=Node.write_all):
        """The first with files, the second without."""
        first, second = self.nodes
        write(first, word)
        first.start()
        until(self.has_generation)
        second.start()
        return first, second
