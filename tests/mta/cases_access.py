# SPDX-License-Identifier: BSD-2-Clause
"""What the access map says about clients, senders and recipients.

Expected answers: check_relay, check_mail, check_rcpt and D/A/F/U lookups of
sendmail's cf/m4/proto.m4, and the bed of a sendmail without milterd.
"""

import policies

POLICY = policies.PLAIN

STRANGER = "192.0.2.7"
RELAY = "host7.stranger.example [192.0.2.7]"


def sender_refused(bed, sender, answer):
    with bed.dial(STRANGER) as talk:
        bed.expect(talk.mail(sender), answer)
        assert talk.rcpt("u@abc.com")[:1] in "45"
    bed.expect_delivered()
    bed.expect_judged("check_mail", f"<{sender}>", RELAY, "reject=" + answer)


def recipient_refused(bed, recipient, answer):
    with bed.message(STRANGER, "a@good.example") as talk:
        bed.expect(talk.rcpt(recipient), answer)
    bed.expect_delivered()
    bed.expect_judged("check_rcpt", f"<{recipient}>", RELAY,
                      "reject=" + answer)


def test_sender_gets_our_own_text(bed):
    sender_refused(bed, "spammer@good.example",
                   "550 5.0.0 <spammer@good.example>... "
                   "We don't like a spammer!")


def test_sender_domain_rejected_with_its_subdomains(bed):
    for sender in ("a@reject.example", "A@Sub.Reject.EXAMPLE"):
        sender_refused(bed, sender, f"550 5.7.1 <{sender}>... Access denied")


def test_sender_domain_that_does_not_exist(bed):
    sender_refused(bed, "a@nosuch.example",
                   "553 5.1.8 <a@nosuch.example>... Domain of sender address "
                   "a@nosuch.example does not exist")


def test_sender_domain_that_does_not_resolve_now(bed):
    sender_refused(bed, "a@servfail.example",
                   "451 4.1.8 Domain of sender address "
                   "a@servfail.example does not resolve")


def test_sender_without_domain(bed):
    with bed.dial(STRANGER) as talk:
        bed.expect(talk.mail("spam"),
                   "553 5.5.4 <spam>... Domain name required for sender "
                   "address spam")
        assert talk.rcpt("u@abc.com")[:1] == "5"
    bed.expect_delivered()


def test_null_sender_is_welcome(bed):
    with bed.message(STRANGER, "") as talk:
        bed.expect(talk.rcpt("u@abc.com"),
                   "250 2.1.5 <u@abc.com>... Recipient ok")
        assert talk.data()[:3] == "250"
    bed.expect_delivered(local=["u@abc.com"])


def test_sender_discarded(bed):
    with bed.message(STRANGER, "a@qq.com") as talk:
        bed.expect(talk.rcpt("u@abc.com"),
                   "250 2.1.5 <u@abc.com>... Recipient ok")
        assert talk.data()[:3] == "250"
        # The next message on the same connection is an ordinary one.
        talk.mail("a@good.example")
        talk.rcpt("next@abc.com")
        assert talk.data()[:3] == "250"
    bed.expect_delivered(local=["next@abc.com"])
    bed.expect_judged("check_mail", "<a@qq.com>", RELAY, "discard")


def held_since(bed, before):
    bed.mta.settle()
    now = bed.mta.held()
    return {queue_id: reason for queue_id, reason in now.items()
            if queue_id not in before}


def quarantined(bed, sender, recipient, reason, ruleset, argument):
    before = bed.mta.held()
    with bed.message(STRANGER, sender) as talk:
        bed.expect(talk.rcpt(recipient),
                   f"250 2.1.5 <{recipient}>... Recipient ok")
        assert talk.data()[:3] == "250"
        talk.mail("a@good.example")
        talk.rcpt("next@abc.com")
        assert talk.data()[:3] == "250"
    held = held_since(bed, before)
    bed.expect_delivered(local=["next@abc.com"])
    assert len(held) == 1, held
    assert bed.is_postfix or list(held.values()) == [reason], held
    bed.expect_judged(ruleset, argument, RELAY, "quarantine=" + reason)


def test_sender_quarantined(bed):
    quarantined(bed, "a@hold.example", "u@abc.com", "held for reading",
                "check_mail", "<a@hold.example>")


def test_recipient_quarantined(bed):
    quarantined(bed, "a@good.example", "aside@abc.com", "to be looked at",
                "check_rcpt", "<aside@abc.com>")


def test_recipient_rejected(bed):
    recipient_refused(bed, "nobody@abc.com",
                      "550 5.2.1 <nobody@abc.com>... "
                      "Mailbox disabled for this recipient")


def test_recipient_gets_our_own_code_and_text(bed):
    recipient_refused(bed, "gone@abc.com",
                      "550 5.1.6 <gone@abc.com>... gone for good")


def test_recipient_deferred(bed):
    recipient_refused(bed, "later@abc.com",
                      "450 4.2.1 <later@abc.com>... come back tomorrow")


def test_recipient_discarded_with_the_whole_message(bed):
    with bed.message(STRANGER, "a@good.example") as talk:
        for recipient in ("u@abc.com", "void@abc.com"):
            bed.expect(talk.rcpt(recipient),
                       f"250 2.1.5 <{recipient}>... Recipient ok")
        assert talk.data()[:3] == "250"
    bed.expect_delivered()
    bed.expect_judged("check_rcpt", "<void@abc.com>", RELAY, "discard")


def client_refused(bed, client, name, answer):
    with bed.dial(client) as talk:
        assert bed.is_postfix or talk.banner[:3] == "220", talk.banner
        assert talk.hello[:3] == "250", talk.hello
        bed.expect(talk.mail("a@good.example"), answer)
        assert talk.rcpt("u@abc.com")[:1] == "5"
    bed.expect_delivered()
    bed.expect_logged(
        rf"(\w+: )?ruleset=check_relay, arg1={name}, arg2={client}, "
        rf"relay={name} \[{client}\], reject={answer}")


def test_client_rejected(bed):
    client_refused(bed, "192.0.2.66", "bad66.stranger.example",
                   "550 5.7.1 Access denied")


def test_client_gets_our_own_text(bed):
    client_refused(bed, "192.0.2.67", "bad67.stranger.example",
                   "550 5.7.1 We know you")


def test_client_discarded(bed):
    with bed.message("192.0.2.68", "a@good.example") as talk:
        bed.expect(talk.rcpt("u@abc.com"),
                   "250 2.1.5 <u@abc.com>... Recipient ok")
        assert talk.data()[:3] == "250"
        talk.mail("b@good.example")
        bed.expect(talk.rcpt("u@victim.example"),
                   "550 5.7.1 <u@victim.example>... Relaying denied")
        talk.rcpt("v@abc.com")
        assert talk.data()[:3] == "250"
    bed.expect_delivered()
