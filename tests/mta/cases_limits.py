# SPDX-License-Identifier: BSD-2-Clause
"""Size and hops.

Expected answers: srvrsmtp.c and collect.c of sendmail (MaxMessageSize), and
the bed of a sendmail without milterd; it counts hops (MaxHopCount) with the
same words, but not before it has accepted the message, and its own hop as
well.
"""

import policies
from bed import WITH_MILTERD

POLICY = policies.PLAIN

STRANGER = "192.0.2.7"
LIMIT = 200000
TOO_BIG = ("552 5.2.3 Message size exceeds fixed maximum message size "
           f"({LIMIT})")


def body(size):
    return "Subject: size\n\n" + ("x" * 69 + "\n") * (size // 71)


def hops(count):
    return "Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\n" * count \
        + "Subject: hops\n\nhops\n"


def test_declared_size_over_the_limit(bed):
    with bed.dial(STRANGER) as talk:
        bed.expect(talk.mail("a@good.example", f"SIZE={LIMIT + 1}"), TOO_BIG)
    bed.expect_delivered()


def test_declared_size_at_the_limit(bed):
    with bed.dial(STRANGER) as talk:
        assert talk.mail("a@good.example", f"SIZE={LIMIT}")[:3] == "250"


def test_undeclared_size_over_the_limit(bed):
    with bed.message(STRANGER, "a@good.example") as talk:
        talk.rcpt("u@abc.com")
        reply = talk.data(body(LIMIT + 10000))
        assert reply.startswith("552 5.2.3 "), reply
        # The connection goes on, and so does the next message.
        talk.mail("a@good.example")
        talk.rcpt("next@abc.com")
        assert talk.data(body(LIMIT - 10000))[:3] == "250"
    bed.expect_delivered(local=["next@abc.com"])


def test_too_many_hops(bed):
    with bed.message(STRANGER, "a@good.example") as talk:
        talk.rcpt("u@abc.com")
        reply = talk.data(hops(31))
        assert reply.startswith("554 5.4.6 Too many hops"), reply
    bed.expect_delivered()


test_too_many_hops.beds = WITH_MILTERD


def test_hops_at_the_limit(bed):
    with bed.message(STRANGER, "a@good.example") as talk:
        talk.rcpt("u@abc.com")
        reply = talk.data(hops(29))
        assert reply[:3] == "250", reply
    bed.expect_delivered(local=["u@abc.com"])
