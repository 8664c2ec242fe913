# SPDX-License-Identifier: BSD-2-Clause
"""Replies of users who are away, through real MTAs.

Expected is what RFC 3834 (2, 4) asks for: one reply a sender and interval, and
none to a reply.
"""

import os
import re

import filters
import policies
import rediskit
import sasl
from cases_filtering import SENDER, arrived, await_spool, header, names
from daemon import Daemon
from world import DAEMON_USER, make_directory

POLICY = policies.FILTERING
BEDS = ("milter", "postfix")
CLIENT, CLIENT_OF_SECOND = "192.0.2.20", policies.CLIENT_OF_SECOND


def set_away(bed, *users):
    """They are away and nobody else, and have answered nobody yet."""
    filters.set_users()
    filters.set_away(*users)
    for user in users:
        done = bed.daemon.control("vacation", "forget", user)
        assert done.returncode in (0, 1), done.stderr


def send(bed, sender, user, client=CLIENT, number=1, is_submitted=False):
    with bed.dial(client) as talk:
        if is_submitted:
            assert talk.auth_plain(sasl.USER, sasl.PASSWORD)[:3] == "235"
        reply = talk.mail(sender)
        assert reply[:3] == "250", reply
        talk.rcpt(f"{user}@abc.com")
        reply = talk.data(f"From: {sender}\nTo: {user}@abc.com\n"
                          f"Message-ID: <{number}.{user}@other.example>\n"
                          f"Subject: number {number}\n\nbody\n")
        assert reply[:3] == "250", reply


def replies(mails):
    return [name for name, content in mails
            if "\nAuto-Submitted: auto-replied" in header(content)]


def test_two_who_are_away(bed):
    """Each writes to the other, one of them authenticated: one reply each,
    then silence; and none to oneself."""
    set_away(bed, "u", "ann")
    for number in (1, 2):
        send(bed, "u@abc.com", "ann", number=number, is_submitted=True)
        send(bed, "ann@abc.com", "u", number=number)
        await_spool(bed)
    send(bed, "ann+lists@abc.com", "ann", is_submitted=True)
    here, far = arrived(bed)
    assert far == [] and replies(here) == ["ann", "u"], (here, far)
    assert len(here) == 7, names(here)
    lines = bed.await_matching("ruleset=vacation", 7)
    reasons = sorted(re.sub(".*reply=", "", line) for line in lines)
    assert reasons == ["no, reason=null-sender"] * 2 \
        + ["no, reason=repeated"] * 2 + ["no, reason=self"] \
        + ["queued"] * 2, lines


class Second:
    """A second node behind Postfix, that shares one Redis with the first."""

    def __init__(self, bed, redis):
        self._bed = bed
        spool = policies.SPOOL + "2"
        door, state = "/var/spool/postfix/milterd2", "/run/milterd2"
        make_directory(door, DAEMON_USER, "postfix", 0o2750)
        for place in (state, spool):
            make_directory(place, DAEMON_USER, DAEMON_USER, 0o700)
        words = policies.options(policies.FILTERING)
        shared = f'redis {{ server = "inet:{redis.port}@127.0.0.1" }}\n'
        self.daemon = Daemon(bed.world.programs, "/etc/milterd/second.conf",
                             door, state, bed.world.identity)
        self.daemon.configure(words.replace(policies.SPOOL, spool) + shared)
        self._change_first(words + shared)
        self.daemon.start()

    def _change_first(self, words):
        first = self._bed.daemon
        first.stop()
        first.configure(words)
        first.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.daemon.stop()
        self._change_first(policies.options(policies.FILTERING))


def test_one_of_two_nodes_answers(bed):
    """Whichever gets the mail: who was answered by one is not answered by the
    other."""
    set_away(bed, "u")
    with rediskit.Server("/run") as redis, Second(bed, redis) as second:
        for number, client in enumerate((CLIENT, CLIENT_OF_SECOND) * 2):
            send(bed, SENDER, "u", client, number)
        for spool in (policies.SPOOL, policies.SPOOL + "2"):
            rediskit.until(lambda: not os.listdir(f"{spool}/spool/queue"))
        here, far = arrived(bed)
        assert names(here) == ["u"] * 4 and replies(far) == [SENDER], far
        lines = bed.await_matching("ruleset=vacation", 4)
        assert len(lines) == 4, lines
        # User and sender; the seconds that are left follow.
        told = [[line.split()[:2] for line in node.control(
            "vacation", "list").stdout.splitlines()]
                for node in (bed.daemon, second.daemon)]
        assert told[0] == told[1] == [["u", SENDER]], told


test_one_of_two_nodes_answers.beds = ("postfix",)
