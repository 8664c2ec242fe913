# SPDX-License-Identifier: BSD-2-Clause
"""delay_checks with friends, and SMTP AUTH.

Expected answers: checkrcpt of sendmail's cf/m4/proto.m4 (the ruleset that
delay_checks puts in front), feature/delay_checks.m4, and the bed of a sendmail
without milterd.
"""

import policies
import sasl

POLICY = policies.DELAYED

STRANGER = "192.0.2.7"
OK = "250 2.1.5 <{}>... Recipient ok"
DENIED = ("550 5.7.1 <u@victim.example>... Relaying denied. "
          "Proper authentication required.")


def test_sender_is_refused_at_rcpt(bed):
    answer = "550 5.7.1 <u@abc.com>... Access denied"
    with bed.message(STRANGER, "a@reject.example") as talk:
        bed.expect(talk.rcpt("u@abc.com"), answer)
    bed.expect_delivered()
    bed.expect_judged("check_rcpt", "<u@abc.com>",
                      "host7.stranger.example [192.0.2.7]",
                      "reject=" + answer)


def test_friend_skips_sender_check(bed):
    with bed.message(STRANGER, "a@reject.example") as talk:
        bed.expect(talk.rcpt("friend@abc.com"), OK.format("friend@abc.com"))
        bed.expect(talk.rcpt("u@abc.com"),
                   "550 5.7.1 <u@abc.com>... Access denied")
        assert talk.data()[:3] == "250"
    bed.expect_delivered(local=["friend@abc.com"])


def test_client_is_refused_at_rcpt(bed):
    with bed.message("192.0.2.66", "a@hater.example") as talk:
        bed.expect(talk.rcpt("u@abc.com"),
                   "550 5.7.1 <u@abc.com>... Access denied")
        bed.expect(talk.rcpt("friend@abc.com"), OK.format("friend@abc.com"))
        assert talk.data()[:3] == "250"
    bed.expect_delivered(local=["friend@abc.com"])


def test_welcome_sender_skips_client_check(bed):
    with bed.message("192.0.2.66", "a@good.example") as talk:
        bed.expect(talk.rcpt("u@abc.com"), OK.format("u@abc.com"))
        assert talk.data()[:3] == "250"
    bed.expect_delivered(local=["u@abc.com"])


def test_friend_is_not_skipped_by_recipient_rules(bed):
    with bed.message(STRANGER, "a@hater.example") as talk:
        bed.expect(talk.rcpt("nobody@abc.com"),
                   "550 5.2.1 <nobody@abc.com>... "
                   "Mailbox disabled for this recipient")
        bed.expect(talk.rcpt("u@victim.example"), DENIED)
    bed.expect_delivered()


def test_trusted_authentication_relays(bed):
    with bed.dial("192.0.2.66") as talk:
        assert talk.auth_plain(sasl.USER, sasl.PASSWORD)[:3] == "235"
        talk.mail("a@hater.example")
        bed.expect(talk.rcpt("u@victim.example"),
                   OK.format("u@victim.example"))
        assert talk.data()[:3] == "250"
    bed.expect_delivered(outside=["u@victim.example"])


def test_trusted_authentication_is_not_above_recipient_rules(bed):
    with bed.dial(STRANGER) as talk:
        assert talk.auth_plain(sasl.USER, sasl.PASSWORD)[:3] == "235"
        talk.mail("a@hater.example")
        bed.expect(talk.rcpt("nobody@abc.com"),
                   "550 5.2.1 <nobody@abc.com>... "
                   "Mailbox disabled for this recipient")
    bed.expect_delivered()


def test_untrusted_authentication_does_not_relay(bed):
    with bed.dial(STRANGER) as talk:
        assert talk.auth_login(sasl.USER, sasl.PASSWORD)[:3] == "235"
        talk.mail("a@hater.example")
        bed.expect(talk.rcpt("u@victim.example"), DENIED)
    bed.expect_delivered()


def test_failed_authentication_does_not_relay(bed):
    with bed.dial(STRANGER) as talk:
        assert talk.auth_plain(sasl.USER, "wrong")[:3] == "535"
        talk.mail("a@hater.example")
        bed.expect(talk.rcpt("u@victim.example"), DENIED)
    bed.expect_delivered()
