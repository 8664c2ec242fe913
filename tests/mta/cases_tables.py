# SPDX-License-Identifier: BSD-2-Clause
"""A real Postfix without the milter: its own tables are milterd's, asked at the
socketmap door with the lines of the sample.
"""

import re

import policies
from cases_recipients import CLIENT, SENDER, STRANGER

POLICY = policies.TABLES
BEDS = ("postfix",)

HEADER = """\
From: "Lee, at home" <lee@lan.example>
To: a@old.example,
\tb@foreign.example
Reply-To: joe@lan.example
Subject: tables
"""


def rcpt(bed, recipient, sender=SENDER, client=CLIENT):
    """The last reply."""
    with bed.dial(client) as talk:
        reply = talk.mail(sender)
        return talk.rcpt(recipient) if reply[:1] == "2" else reply


def send(bed, recipients, sender=SENDER, client=CLIENT, header=HEADER):
    """What arrives, once it has."""
    with bed.dial(client) as talk:
        talk.mail(sender)
        for recipient in recipients:
            reply = talk.rcpt(recipient)
            assert reply[:3] == "250", reply
        reply = talk.data(header + "\nbody\n")
        assert reply[:3] == "250", reply
    bed.mta.settle()
    return bed.world.local.take() + bed.world.outside.take()


def fields(mail):
    """Header fields, folding as one blank."""
    header = re.sub(r"\r?\n[ \t]+", " ", mail.content.replace("\r", ""))
    return dict(re.findall(r"^([\w-]+): (.*)$",
                           header.partition("\n\n")[0], re.M))


def test_access(bed):
    for answer, told in (
            ("550 5.7.1 <inside.elsewhere.example[10.1.2.3]>: Client host "
             "rejected: Access denied", {"client": "10.1.2.3"}),
            ("550 5.0.0 <spammer@good.example>: Sender address rejected: "
             "We don't like a spammer!", {"sender": "spammer@good.example"}),
            ("550 5.2.1 <nobody@abc.com>: Recipient address rejected: "
             "Mailbox disabled for this recipient",
             {"recipient": "nobody@abc.com"}),
            ("550 5.1.1 <gone@virtual.example>: Recipient address rejected: "
             "Gone", {"recipient": "gone@virtual.example"}),
            ("550 5.1.1 <gone+x@virtual.example>: Recipient address "
             "rejected: Gone", {"recipient": "gone+x@virtual.example"})):
        got = rcpt(bed, **{"recipient": "u@foreign.example", **told})
        assert got == answer, f"{told}: {got}"
    assert rcpt(bed, "u@foreign.example")[:3] == "250"


def test_discard_and_hold(bed):
    assert not send(bed, ["u@foreign.example"], sender="u@qq.com")
    held = set(bed.mta.held())
    assert not send(bed, ["u@foreign.example"], sender="u@hold.example")
    assert len(set(bed.mta.held()) - held) == 1


def test_no_table_grants_relaying(bed):
    """OK, for the client and the sender, is no RELAY."""
    assert rcpt(bed, "u@abc.com", "u@good.example", STRANGER)[:3] == "250"
    reply = rcpt(bed, "u@foreign.example", "u@good.example", STRANGER)
    assert reply == "550 5.7.1 <u@foreign.example>: Recipient address " \
        "rejected: Relaying denied", reply


def test_virtual_aliases(bed):
    for recipient, wanted in (
            ("info@virtual.example", "lee@mail.abc.com"),
            ("any@virtual.example", "any@foreign.example"),
            ("any+x@virtual.example", "any@foreign.example"),
            ("u@old.example", "u@new.example")):
        mail, = send(bed, [recipient])
        assert mail.recipients == (wanted,), f"{recipient}: {mail}"


def test_canonical_addresses(bed):
    """The envelope's sender stays, as without masquerade_envelope."""
    mail, = send(bed, ["u@foreign.example"], sender="lee@lan.example")
    assert mail.sender == "lee@lan.example", mail
    got = fields(mail)
    assert got["From"] == '"Lee, at home" <lee.doe@corp.example>', got
    assert got["To"] == "a@new.example, b@foreign.example", got
    assert got["Reply-To"] == "joe@corp.example", got
    mail, = send(bed, ["u@foreign.example"], sender="joe@old.example")
    assert mail.sender == "joe@new.example", mail
