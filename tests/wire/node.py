# SPDX-License-Identifier: BSD-2-Clause
"""A milterd with a small policy, and a client that speaks to it as an MTA."""

import contextlib
import os
import resource

import miltertalk
from daemon import Daemon
from results import within

OPTIONS = """\
hostname = "mail.abc.com"
local_domain = {{ "abc.com" }}
access = "{access}"
nocanonify = true
allow_unsafe_files = true
"""
NO_NAME_SERVER = "accept_unresolvable_domains = true\n"


class Node:
    """The daemon, its access map and its configuration, in one directory."""

    def __init__(self, programs, directory):
        self.access = os.path.join(directory, "access")
        self.daemon = Daemon(programs, os.path.join(directory, "milterd.conf"),
                             directory, directory)
        self.options = OPTIONS.format(access=self.access)

    def write_access(self, text):
        """Replace the map as an editor does, in one step."""
        new = self.access + ".new"
        with open(new, "w") as access:
            access.write(text)
        os.rename(new, self.access)

    def talk(self, timeout=30):
        """A session that has come as far as HELO."""
        talk = miltertalk.dial(self.daemon.sockets()["socket"], timeout)
        talk.negotiate()
        self.introduce(talk)
        talk.helo("host.example")
        return talk

    @staticmethod
    def introduce(talk):
        """The client, as the MTA sees it; milterd's answer."""
        talk.macros("C", j="mail.abc.com", v="Postfix 3.7.11",
                    client_name="host.example", client_ptr="host.example",
                    client_addr="192.0.2.7", client_resolve="OK")
        return talk.connect("host.example", "192.0.2.7")


@contextlib.contextmanager
def running(programs, directory, access, options=NO_NAME_SERVER):
    """A node that runs, and is stopped if the test has not done so."""
    node = Node(programs, directory)
    node.write_access(access)
    node.options += options
    node.daemon.configure(node.options)
    node.daemon.start()
    try:
        yield node
    finally:
        if node.daemon.is_alive():
            node.daemon.stop()


def resident(node):
    """KB of memory that it has."""
    with open(f"/proc/{node.daemon.pid}/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // 1024


@contextlib.contextmanager
def bounded_memory(node, kb):
    """No more than that is taken meanwhile."""
    before = resident(node)
    yield
    more = resident(node) - before
    within(more < kb, f"{more} KB more")
