# SPDX-License-Identifier: BSD-2-Clause
"""A test bed: one MTA, with milterd behind it or alone, and what a test asks.

Expected replies are written as sendmail words them.  An MTA's own words for
"yes" are its own affair; for "no" Postfix may wrap milterd's text when its
policy service gave it, and says so in the reply.
"""

import contextlib
import re
import time

import mailboxes
import smtp
from world import SERVER4, SERVER6

WITH_MILTERD = ("sendmail", "milter", "postfix")


class Bed:
    """What the tests see of one MTA; judges are the programs in whose log
    lines the decisions stand, agent a delivery agent that is a server."""

    def __init__(self, name, world, mta, daemon, judges, agent=None):
        self.name = name
        self.world, self.mta, self.daemon = world, mta, daemon
        self.agent = agent
        self._judges = judges
        self.log_mark = 0
        self.policy = None
        self.memo = {}      # what one test leaves to the next

    @property
    def is_postfix(self):
        return self.mta.name == "postfix"

    def begin(self):
        """Forget what earlier tests left."""
        self.world.local.take()
        self.world.outside.take()
        mailboxes.take()
        self.log_mark = self.world.log.mark()

    def await_banner(self):
        """Wait until the MTA answers."""
        end = time.monotonic() + 20
        while True:
            try:
                with self.dial("127.0.0.1"):
                    return
            except (OSError, smtp.Hangup):
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def recover(self):
        """After a failure: let the next test find everything in order."""
        if self.daemon and not self.daemon.is_alive():
            self.daemon.start()
        self.mta.empty()

    def dial(self, client, helo="client.example", timeout=60):
        """An SMTP conversation from a client address, EHLO said."""
        sock = smtp.dial(self.world.network, client, _server_for(client),
                         self.mta.port, timeout)
        return smtp.Smtp(sock, helo)

    @contextlib.contextmanager
    def message(self, client, sender):
        """A conversation in which MAIL was just accepted."""
        with self.dial(client) as talk:
            self.expect(talk.mail(sender),
                        f"250 2.1.0 <{sender}>... Sender ok")
            yield talk

    # What was answered.

    def agrees(self, reply, wanted):
        if reply == wanted:
            return True
        if wanted.startswith("2"):
            return self.is_postfix and reply[:1] == "2"
        return self.is_postfix and reply == _as_policy_answer(wanted)

    def expect(self, reply, wanted, what=""):
        assert self.agrees(reply, wanted), \
            f"{what}\n  wanted: {wanted}\n  got:    {reply}"

    # What was delivered.

    def delivered(self):
        """Recipients that mail was delivered to since the last call: of our
        own, and outside."""
        self.mta.settle()
        return (_recipients(self.world.local.take(), "abc.com"),
                _recipients(self.world.outside.take(), ""))

    def expect_delivered(self, local=(), outside=(), what=""):
        got = self.delivered()
        assert got == (sorted(local), sorted(outside)), \
            f"{what}\n  wanted: {sorted(local)}, {sorted(outside)}\n" \
            f"  got:    {got[0]}, {got[1]}"

    # What was logged.

    def expect_logged(self, pattern):
        """A judge's line that matches the whole pattern."""
        wanted = re.compile(pattern)
        line = self.world.log.wait(
            self.log_mark, lambda line: line.program in self._judges
            and wanted.fullmatch(line.text))
        assert line, f"not logged: {pattern}"
        again = [line for line in self.logged("milterd")
                 if wanted.fullmatch(line)]
        assert len(again) <= 1, f"logged more than once: {again}"

    def logged(self, program):
        """The lines of one program since the test began."""
        return [line.text for line in self.world.log.since(self.log_mark)
                if line.program == program]

    def logged_matching(self, text):
        """milterd's lines that have the text in them."""
        return [line for line in self.logged("milterd") if text in line]

    def await_matching(self, text, count):
        """The same, as soon as there are so many; all when there never are."""
        end = time.monotonic() + 60
        while True:
            lines = self.logged_matching(text)
            if len(lines) >= count or time.monotonic() > end:
                return lines
            time.sleep(0.02)

    def log_text(self):
        return "\n".join(f"    {line.program}: {line.text}"
                         for line in self.world.log.since(self.log_mark))

    def expect_judged(self, ruleset, argument, relay, outcome):
        """The line of one decision, in sendmail's shape."""
        fields = ", ".join((f"ruleset={ruleset}", f"arg1={argument}",
                            f"relay={relay}", outcome))
        self.expect_logged(r"\w+: " + re.escape(fields))


def _server_for(client):
    if client == "127.0.0.1":
        return client
    return SERVER6 if ":" in client else SERVER4


def _as_policy_answer(wanted):
    """How Postfix words what its policy service answered for a recipient."""
    found = re.fullmatch(r"(\d{3} \d\.\d\.\d) (<.*>)\.\.\. (.*)", wanted)
    if not found:
        return None
    return f"{found[1]} {found[2]}: Recipient address rejected: {found[3]}"


def _recipients(mails, domain):
    names = [recipient for mail in mails for recipient in mail.recipients]
    return sorted(name if "@" in name or not domain else f"{name}@{domain}"
                  for name in names)
