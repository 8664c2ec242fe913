# SPDX-License-Identifier: BSD-2-Clause
"""A policy that requires SMTP AUTH of everybody.

Expected answer: srvrsmtp.c of sendmail, where DaemonPortOptions have M=a.
"""

import policies
import sasl
from bed import WITH_MILTERD

POLICY = policies.REQUIRING
BEDS = WITH_MILTERD

STRANGER = "192.0.2.7"


def test_mail_without_authentication_is_refused(bed):
    with bed.dial(STRANGER) as talk:
        reply = talk.mail("a@good.example")
        assert reply == "530 5.7.0 Authentication required", reply
        assert talk.rcpt("u@abc.com")[:1] == "5"
    bed.expect_delivered()


def test_mail_after_failed_authentication_is_refused(bed):
    with bed.dial(STRANGER) as talk:
        assert talk.auth_plain(sasl.USER, "wrong")[:3] == "535"
        reply = talk.mail("a@good.example")
        assert reply == "530 5.7.0 Authentication required", reply
    bed.expect_delivered()


def test_mail_after_authentication_is_delivered(bed):
    with bed.dial(STRANGER) as talk:
        assert talk.auth_plain(sasl.USER, sasl.PASSWORD)[:3] == "235"
        assert talk.mail("a@good.example")[:3] == "250"
        assert talk.rcpt("u@abc.com")[:3] == "250"
        assert talk.rcpt("u@victim.example")[:3] == "250"
        assert talk.data()[:3] == "250"
    bed.expect_delivered(local=["u@abc.com"], outside=["u@victim.example"])
