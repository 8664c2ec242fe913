#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Row L8: milterd is killed, restarted and stopped under a load that comes
through a real MTA. Rows L11 and S2 through the MTAs as well.

  tests/stress/stress_mta.py --milterd PATH --milterctl PATH
                             [--sendmail-root DIR] [TEST...]

Runs as root in namespaces of its own, as tests/mta/run.py does, and needs
what that needs. STRESS=long takes the long counts.
"""

import argparse
import collections
import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
for neighbour in ("common", "wire", "mta"):     # of three run.py, mta's
    sys.path.insert(0, os.path.join(HERE, "..", neighbour))

import policies
import run as mta
import smtp
import world
from kit import IS_LONG, count, figure
from results import Results, chosen, tests_of
from stress_content import odd_text

BEDS = ("postfix", "milter", "sendmail")
STRANGER = "192.0.2.7"
SENDERS = 8
REFUSED = "nobody@abc.com"

# Where sendmail's own rules ask the access map through milterd's socketmap and
# that breaks in the midst of a lookup, sendmail 8.17 may refuse the message at
# its end with this text, instead of deferring it. The client is told.
GIVEN_UP = "554 5.5.0 SMTP protocol error"


class Sender(threading.Thread):
    """Numbered messages; whatever is deferred is sent again, as a mail server
    would. Some have a second recipient, who is refused, some a sender who is.
    Nobody may ever get those."""

    def __init__(self, bed, number, messages):
        super().__init__()
        self.bed, self.number, self.messages = bed, number, messages
        self.random = random.Random(number)
        self.sent, self.wrong, self.again = [], [], 0
        self.given_up = 0

    def run(self):
        for message in range(self.messages):
            name = f"s{self.number}n{message}@abc.com"
            while not self.is_settled(name):
                self.again += 1
                time.sleep(self.random.uniform(0.05, 0.3))

    def is_settled(self, name):
        """Accepted for good or refused by the policy."""
        kind = self.random.randrange(4)
        if kind == 0:
            self.say("a@qq.com", f"discarded.{name}")
            self.say("spammer@good.example", f"unfiltered.{name}")
        try:
            replies = self.say("a@good.example",
                               *([REFUSED] if kind == 1 else []), name)
        except Ambiguous:
            self.wrong.append(f"{name}: no answer to the final dot")
            return True
        if replies and replies[-1][:1] == "2":
            self.sent.append(name)
            return True
        if replies and replies[-1] == GIVEN_UP and self.bed.name == "sendmail":
            self.given_up += 1
            return True
        if replies and replies[-1][:1] == "5":
            self.wrong.append(f"{name}: {replies}")
            return True
        return False

    def say(self, sender, *recipients):
        """The replies to one message, none where the connection broke."""
        try:
            with self.bed.dial(STRANGER, timeout=90) as talk:
                replies = [talk.mail(sender)]
                if replies[0][:1] != "2":
                    return replies
                for name in recipients:
                    replies.append(talk.rcpt(name))
                    if name == REFUSED and replies[-1][:1] == "2":
                        self.wrong.append(f"{name} was accepted")
                if replies[-1][:1] != "2":
                    return replies
                return replies + [self.content(talk)]
        except (smtp.Hangup, OSError):
            return []

    @staticmethod
    def content(talk):
        reply = talk.say("DATA")
        if reply[:3] != "354":
            return reply
        try:
            return talk.say("Subject: test\r\n\r\ntest\r\n.")
        except (smtp.Hangup, OSError) as error:
            raise Ambiguous() from error


class Ambiguous(Exception):
    """Nobody can know whether the message was taken."""


class Misfortune(threading.Thread):
    """Now and then milterd is killed, restarted, or made to stand still; then
    it goes on. `pause`: seconds between, at least and at most."""

    def __init__(self, bed, pause):
        super().__init__()
        self.bed, self.pause = bed, pause
        self.stop, self.blows = threading.Event(), collections.Counter()
        self.error = None

    def run(self):
        source = random.Random(1)
        try:
            while not self.stop.wait(source.uniform(*self.pause)):
                blow = source.choice(["killed", "killed", "restarted",
                                      "stopped"])
                self.blows[blow] += 1
                getattr(self, blow)()
        except Exception as error:              # told by the test
            self.error = error

    def killed(self):
        self.bed.daemon.kill()
        time.sleep(0.1)
        self.bed.daemon.start()

    def restarted(self):
        assert self.bed.daemon.stop() == 0
        self.bed.daemon.start()

    def stopped(self):
        self.bed.daemon.signal(signal.SIGSTOP)
        time.sleep(1)
        self.bed.daemon.signal(signal.SIGCONT)


def delivered(bed):
    """How often each recipient got a message."""
    bed.mta.flush()
    bed.mta.settle(timeout=600)
    return collections.Counter(
        name if "@" in name else f"{name}@abc.com"
        for mail in bed.world.local.take() for name in mail.recipients)


def test_no_message_is_lost(bed):
    lose_none(bed, count(30, 250), (0.3, 1.2))


def lose_none(bed, messages, pause):
    """So many messages of each sender."""
    senders = [Sender(bed, number, messages) for number in range(SENDERS)]
    misfortune = Misfortune(bed, pause)
    for thread in [*senders, misfortune]:
        thread.start()
    for sender in senders:
        sender.join()
    misfortune.stop.set()
    misfortune.join()
    assert misfortune.error is None, misfortune.error
    got = delivered(bed)
    given_up = sum(sender.given_up for sender in senders)
    wrong = [text for sender in senders for text in sender.wrong]
    sent = [name for sender in senders for name in sender.sent]
    lost = [name for name in sent if not got[name]]
    twice = [name for name in got if got[name] > 1]
    stray = [name for name in got if name not in set(sent)]
    figure("L8", f"{bed.name}: {len(sent)} messages, "
           f"{sum(each.again for each in senders)} times deferred, milterd "
           f"{dict(misfortune.blows)}: {len(lost)} lost, {len(stray)} passed "
           f"unfiltered, {len(twice)} twice, {given_up} refused by sendmail "
           "because of its socketmap")
    assert not wrong, wrong[:5]
    assert not (lost or twice or stray), (lost[:5], twice[:5], stray[:5])
    assert len(sent) + given_up == messages * SENDERS
    assert given_up <= max(5, len(sent) / 100), given_up
    assert misfortune.blows.total() >= 1


if IS_LONG:
    def test_a_hundred_thousand_messages(bed):
        """In the three beds together; a blow every ten seconds."""
        lose_none(bed, 4200, (5, 15))


def test_second_message_of_a_connection(bed):
    """What let the first pass says nothing about the next."""
    for _ in range(count(5, 50)):
        with bed.dial(STRANGER) as talk:
            assert talk.mail("a@good.example")[:3] == "250"
            assert talk.rcpt("first@abc.com")[:3] == "250"
            assert talk.data()[:3] == "250"
            assert talk.mail("a@good.example")[:3] == "250"
            assert talk.rcpt(REFUSED)[:3] == "550"
            assert talk.rcpt("u@victim.example")[:3] == "550"
            assert talk.reset()[:3] == "250"
            refused = talk.mail("spammer@good.example")
            if refused[:1] == "2":
                refused = talk.rcpt("second@abc.com")
            assert refused[:3] == "550", refused
    assert set(delivered(bed)) == {"first@abc.com"}


ODD_TEXTS = count(25, 400)


def odd_rows():
    source = random.Random(4)
    return [odd_text(source).replace(b"\r", b"\x0b").decode("latin-1")
            for _ in range(ODD_TEXTS)]


def odd_access():
    return policies.PLAIN.access + "".join(
        f"From:odd{row}@good.example\t550 {text}\n"
        for row, text in enumerate(odd_rows()))


def test_odd_texts_are_one_reply(bed):
    """Whatever the administrator's text holds, the client reads one line, and
    the next reply is that to the next command."""
    write_latin1(policies.ACCESS, odd_access())
    try:
        assert bed.daemon.control("reload").returncode == 0
        for row in range(ODD_TEXTS):
            with bed.dial(STRANGER) as talk:
                reply = talk.mail(f"odd{row}@good.example")
                if reply[:1] == "2":
                    reply = talk.rcpt("u@abc.com")
                assert reply[:1] in "45" and "\n" not in reply, reply
                assert talk.say("NOOP")[:3] == "250", (row, reply)
                assert talk.reset()[:3] == "250", (row, reply)
    finally:
        world.write(policies.ACCESS, policies.PLAIN.access)
        assert bed.daemon.control("reload").returncode == 0
    figure("S2", f"{bed.name}: {ODD_TEXTS} texts, each one line to the client")


# In the other bed sendmail's own rules give the texts, and 0x8a as a line end.
test_odd_texts_are_one_reply.beds = ("postfix", "milter")


def write_latin1(path, text):
    with open(path + ".new", "w", encoding="latin-1") as file:
        file.write(text)
    os.rename(path + ".new", path)


REWRITING = """\
genericstable = "/etc/mail/generics"
generics_domain = { "good.example" }
virtusertable = "/etc/mail/virtusers"
"""


def test_odd_addresses_make_no_header(bed):
    """What tables make of addresses, at the receiving end: as many header
    fields as were sent, by their names, and the body where it was."""
    rows = odd_rows()
    write_latin1("/etc/mail/generics", "".join(
        f"odd{row}@good.example\t{text}\n" for row, text in enumerate(rows)))
    write_latin1("/etc/mail/virtusers", "".join(
        f"odd{row}@abc.com\t{text}\n" for row, text in enumerate(rows)))
    bed.daemon.configure(policies.options(policies.PLAIN) + REWRITING)
    try:
        assert bed.daemon.control("reload").returncode == 0
        arrived = sum(sent_odd(bed, row) for row in range(ODD_TEXTS))
    finally:
        bed.daemon.configure(policies.options(policies.PLAIN))
        assert bed.daemon.control("reload").returncode == 0
        bed.mta.empty()
    figure("S2", f"{bed.name}: {arrived} of {ODD_TEXTS} messages arrived, "
           "each with the header fields it had")
    assert arrived > ODD_TEXTS / 4, arrived


OURS = ("from", "to", "subject", "x-last")


def sent_odd(bed, row):
    """Whether a message came out as it went in."""
    bed.begin()
    content = (f"From: odd{row}@good.example\n"
               f"To: <odd{row}@abc.com>, plain@abc.com\n"
               f"Subject: {row}\nX-Last: yes\n\nbody\n")
    with bed.dial(STRANGER) as talk:
        talk.mail(f"odd{row}@good.example")
        for name in (f"odd{row}", "plain"):
            talk.rcpt(f"{name}@abc.com")
        if talk.data(content)[:1] != "2":
            return False
    if not bed.world.local.wait(1, timeout=5):
        return False
    time.sleep(0.05)
    for mail in bed.world.local.take():
        head, _, body = mail.content.partition("\r\n\r\n")
        fields = [line.partition(":")[0].lower()
                  for line in head.split("\r\n") if line[:1] not in " \t"]
        ours = [name for name in fields if name in OURS]
        others = set(fields) - set(OURS) - {
            "received", "message-id", "date", "return-path", "delivered-to",
            "x-original-to", "full-name", "sender"}
        assert ours == list(OURS) and not others, mail.content
        assert "\n" not in mail.content.replace("\r\n", ""), mail.content
        assert body.strip() == "body", mail.content
    return True


def run_bed(bed, tests, results):
    with contextlib.ExitStack() as stack:
        if not results.run(f"{bed.name}/start",
                           lambda: stack.enter_context(mta.running(bed))):
            return
        for name, test in tests:
            bed.begin()
            if not results.run(f"{bed.name}/{name}", lambda: test(bed)):
                print(bed.log_text()[-3000:], flush=True)
                bed.recover()


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
    root = tempfile.mkdtemp(prefix="milterd-mta-")
    try:
        stage = mta.Stage(root, options)
        policies.install(policies.PLAIN)
        for name in BEDS:
            tests = [row for row in tests_of(sys.modules[__name__])
                     if chosen(f"{name}/{row[0]}", options.tests)
                     and name in getattr(row[1], "beds", BEDS)]
            if tests:
                run_bed(stage.bed(name, policies.PLAIN), tests, results)
    finally:
        world.leave(root)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
