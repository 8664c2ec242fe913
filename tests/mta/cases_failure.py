# SPDX-License-Identifier: BSD-2-Clause
"""milterd dies without warning: the MTA defers, nothing relays or is lost."""

import threading
import time

import policies
import smtp
from bed import WITH_MILTERD

POLICY = policies.PLAIN
BEDS = WITH_MILTERD

STRANGER = "192.0.2.7"
TRUSTED = "192.0.2.20"


def flows(bed):
    """Mail flows again, the allowed and only the allowed."""
    with bed.message(STRANGER, "a@good.example") as talk:
        bed.expect(talk.rcpt("u@victim.example"),
                   "550 5.7.1 <u@victim.example>... Relaying denied")
        assert talk.rcpt("back@abc.com")[:3] == "250"
        assert talk.data()[:3] == "250"
    bed.expect_delivered(local=["back@abc.com"])


def deferred(reply):
    return reply[:1] == "4"


def test_killed_after_mail(bed):
    with bed.message(TRUSTED, "a@good.example") as talk:
        bed.daemon.kill()
        try:
            replies = [talk.rcpt("u@abc.com"), talk.rcpt("u@victim.example")]
        finally:
            bed.daemon.start()
        assert all(map(deferred, replies)), replies
    bed.expect_delivered()
    flows(bed)


def test_killed_before_data(bed):
    with bed.message(TRUSTED, "a@good.example") as talk:
        assert talk.rcpt("u@victim.example")[:3] == "250"
        bed.daemon.kill()
        try:
            reply = talk.data()
        finally:
            bed.daemon.start()
        assert deferred(reply), reply
    bed.expect_delivered()
    flows(bed)


def refused_throughout(bed, client, sender, recipient):
    """No command of a whole conversation is refused for good or accepted to
    the end."""
    with bed.dial(client) as talk:
        replies = [talk.mail(sender), talk.rcpt(recipient), talk.data()]
    assert any(map(deferred, replies)), replies
    assert replies[-1][:1] in "45", replies


def test_away(bed):
    bed.daemon.kill()
    try:
        for client in (STRANGER, TRUSTED, "192.0.2.21", "192.0.2.11"):
            refused_throughout(bed, client, "a@good.example",
                               "u@victim.example")
            refused_throughout(bed, client, "a@qq.com", "u@abc.com")
        bed.expect_delivered()
    finally:
        bed.daemon.start()
    flows(bed)


class Sender(threading.Thread):
    """Sends numbered messages and tries again whatever was deferred; between
    them messages that no milterd would let through."""

    def __init__(self, bed, name, count):
        super().__init__(name=name)
        self.bed, self.count, self.refused = bed, count, []

    def run(self):
        for number in range(self.count):
            while not self.sent(f"{self.name}-{number}@abc.com"):
                self.talk("a@qq.com", "unfiltered@abc.com")
                time.sleep(0.05)

    def sent(self, recipient):
        replies = self.talk("a@good.example", "u@victim.example", recipient)
        if replies and replies[-1][:1] == "5" \
                and not any(map(deferred, replies)):
            self.refused.append(replies)
            return True
        return replies and replies[-1][:1] == "2"

    def talk(self, sender, *recipients):
        """The replies to a whole message, none if the connection broke."""
        try:
            with self.bed.dial(STRANGER) as talk:
                return [talk.mail(sender), *map(talk.rcpt, recipients),
                        talk.data()]
        except (smtp.Hangup, OSError):
            return []


def test_killed_again_and_again_under_load(bed):
    senders = [Sender(bed, f"s{number}", 25) for number in range(4)]
    for sender in senders:
        sender.start()
    for _ in range(4):
        time.sleep(0.3)
        bed.daemon.kill()
        time.sleep(0.1)
        bed.daemon.start()
    for sender in senders:
        sender.join()
    refused = [replies for sender in senders for replies in sender.refused]
    assert not refused, refused
    bed.mta.flush()         # sendmail's delivery asks the access map as well
    bed.expect_delivered(local=[f"s{sender}-{number}@abc.com"
                                for sender in range(4)
                                for number in range(25)])


def test_stopped_and_started(bed):
    assert bed.daemon.stop() == 0
    bed.daemon.start()
    flows(bed)
