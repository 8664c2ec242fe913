# SPDX-License-Identifier: BSD-2-Clause
"""A real OpenDKIM signs behind milterd: what was rewritten before verifies at
the receiver; where sendmail rewrites by itself, after all filters, it does
not.  Another OpenDKIM, as a verifying filter, judges what arrived.
"""

import dkim
import messages
import policies
from bed import WITH_MILTERD

POLICY = policies.SIGNING

# Senders, and what becomes of them.
MASQUERADED = "ell@host.lan.example", "ell@corp.example"
GENERIC = "ann@lan.example", "Ann.Other@corp.example"
UNTOUCHED = "ell@corp.example", "ell@corp.example"

_TEXT = """\
From: Lee Ell <{}>
To: you@foreign.example
Cc: Ann <ann@lan.example>
Reply-To: "Ell, Lee" <{}>
Subject: signed
Date: Sun, 01 Nov 2026 10:00:00 +0000
Message-Id: <signed@lan.example>

signed
"""


def receive(bed, sender):
    """The message as the receiver gets it, and what OpenDKIM says of it."""
    with bed.dial(dkim.TRUSTED) as talk:
        reply = talk.mail(sender)
        assert reply[:3] == "250", reply
        assert talk.rcpt("you@foreign.example")[:3] == "250"
        reply = talk.data(_TEXT.format(sender, sender))
        assert reply[:3] == "250", reply
    bed.mta.settle()
    mail, = bed.world.outside.take()
    return messages.parse(mail.content)[0], dkim.verdict(mail.content)


def expect_rewritten(rows, new):
    """Header senders have their new address, so it is this that was signed or
    broken."""
    for name in ("From", "Reply-To"):
        (_, got), = messages.mailboxes(messages.values_of(rows, name))
        assert got == new, f"{name}: {got}"
    signatures = messages.values_of(rows, "DKIM-Signature")
    assert len(signatures) == 1, signatures


def expect_good(bed, sender, new):
    rows, told = receive(bed, sender)
    expect_rewritten(rows, new)
    assert "dkim=pass" in told and "d=corp.example" in told, told
    assert "dkim=fail" not in told, told


def expect_broken(bed, sender, new):
    rows, told = receive(bed, sender)
    expect_rewritten(rows, new)
    assert 'dkim=fail reason="signature verification failed"' in told, told
    assert "dkim=pass" not in told, told


def test_masqueraded_mail_verifies(bed):
    expect_good(bed, *MASQUERADED)


def test_mail_by_the_genericstable_verifies(bed):
    expect_good(bed, *GENERIC)


def test_mail_that_nothing_is_changed_of_verifies(bed):
    expect_good(bed, *UNTOUCHED)


def test_masqueraded_by_sendmail_itself_it_does_not(bed):
    expect_broken(bed, *MASQUERADED)


def test_by_the_genericstable_of_sendmail_itself_it_does_not(bed):
    expect_broken(bed, *GENERIC)


for _test in (test_masqueraded_mail_verifies,
              test_mail_by_the_genericstable_verifies):
    _test.beds = WITH_MILTERD
for _test in (test_masqueraded_by_sendmail_itself_it_does_not,
              test_by_the_genericstable_of_sendmail_itself_it_does_not):
    _test.beds = ("alone",)
