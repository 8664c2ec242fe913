# SPDX-License-Identifier: BSD-2-Clause
"""A second node on the mail host: a milterd that has no map files, behind a
port of its own of the same Postfix."""

import contextlib
import copy
import socket
import threading

import policies
import world
from daemon import Daemon
from rediskit import until

PORT = 2626
CONFIG, STATE = "/etc/milterd/second.conf", "/run/milterd-second"
DOORS = "/var/spool/postfix/second"
MASTER = f"""
{PORT} inet n - y - - smtpd
  -o smtpd_milters=unix:second/milterd.sock
  -o smtpd_helo_restrictions=
  -o {{ smtpd_relay_restrictions = permit_mynetworks,
       check_policy_service unix:second/policy.sock,
       reject_unauth_destination }}
"""


def bed_beside(bed, programs, identity):
    """Before Postfix is started."""
    with open("/etc/postfix/master.cf", "a") as master:
        master.write(MASTER)
    world.make_directory(STATE, world.DAEMON_USER, world.DAEMON_USER)
    world.make_directory(DOORS, world.DAEMON_USER, "postfix", 0o2750)
    second = copy.copy(bed)
    second.mta = copy.copy(bed.mta)
    second.mta.port = PORT
    second.daemon = Daemon(programs, CONFIG, DOORS, STATE, identity)
    return second


def words(policy):
    """Its configuration: all files are elsewhere."""
    text = policies.options(policy)
    for theirs, ours in ((f'hostname = "{world.HOST}"',
                          'hostname = "second.abc.com"'),
                         ('"/etc/mail/', '"/etc/mail/nowhere/')):
        assert theirs in text, text
        text = text.replace(theirs, ours)
    return text


@contextlib.contextmanager
def running(second, server, section):
    """As long as the block lasts; the first node has been started."""
    until(lambda: server.tell("EXISTS", "mlt:current") == "1", 30)
    second.daemon.configure(words(second.policy)
                            + "redis {\n" + section + "\n}\n")
    second.daemon.start()
    try:
        yield
    finally:
        second.daemon.stop()


class KilledWhilePublishing(threading.Thread):
    """Ends the daemon as soon as Redis has some part of a generation. The
    server tells of keys that are set (notify-keyspace-events K$)."""

    def __init__(self, server, daemon):
        super().__init__()
        self._daemon = daemon
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(server.socket)
        self._socket.sendall(b"PSUBSCRIBE __keyspace@0__:mlt:part:*\r\n")
        self._socket.recv(4096)

    def run(self):
        with self._socket:
            self._socket.recv(4096)
        self._daemon.kill()
