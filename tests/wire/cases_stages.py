# SPDX-License-Identifier: BSD-2-Clause
"""When and how each verdict is given to each kind of MTA, and logged."""

from logged import CLIENT, connect, expect, greeted, logged
from node import NO_NAME_SERVER

ACCESS = """\
Connect:192.0.2.66	REJECT
Connect:192.0.2.67	450 come back later
Connect:192.0.2.68	DISCARD
Connect:192.0.2.69	QUARANTINE:seen before
Connect:192.0.2.70	421 not now
From:spam@x.example	REJECT
From:void@x.example	DISCARD
From:held@x.example	QUARANTINE:to be read
From:own@x.example	550 All of it is 100%spam, 50%more
From:long@x.example	550 so {long}
To:no@abc.com	REJECT
To:void@abc.com	DISCARD
To:held@abc.com	QUARANTINE:by recipient
To:later@abc.com	450 full
""".format(long="%" * 40 + "long " * 400)
OPTIONS = NO_NAME_SERVER + "blocklist_recipients = true\n"
DENIED = "550 5.7.1 Access denied"
DISABLED = "Mailbox disabled for this recipient"


def served(programs, directory, options=OPTIONS):
    return logged(programs, directory, ACCESS, options)


def test_sendmail_hears_a_refusal_of_the_client_at_helo(programs, directory):
    """At CONNECT it would lose the text; from HELO on it gives it to MAIL
    and all the rest by itself."""
    with served(programs, directory) as node:
        for address, reply in (("192.0.2.66", DENIED),
                               ("192.0.2.67", "450 4.0.0 come back later")):
            talk, answer = connect(node, "sendmail", address=address)
            with talk:
                expect(answer, "c")
                expect(talk.helo("client.example"), "y", reply)
                # A client that says no HELO, or MAIL all the same.
                expect(talk.mail("a@x.example"), "y", reply)
                talk.quit()
            node.daemon.logged("NOQUEUE: ruleset=check_relay, "
                               f"arg1=host.example, arg2={address}, "
                               f"relay=host.example [{address}], "
                               f"reject={reply}\n")


def test_postfix_hears_a_refusal_of_the_client_at_mail(programs, directory):
    with served(programs, directory) as node, \
            greeted(node, "postfix", address="192.0.2.66") as talk:
        for _ in range(3):
            expect(talk.mail("a@x.example"), "y", DENIED)
        node.daemon.logged("reject=" + DENIED)


def test_only_421_is_given_at_connect(programs, directory):
    with served(programs, directory) as node:
        for mta in ("sendmail", "postfix"):
            talk, answer = connect(node, mta, address="192.0.2.70")
            with talk:
                assert answer.verdict == "y", answer
                assert answer.text.startswith("421 "), answer


def test_refused_sender(programs, directory):
    with served(programs, directory) as node:
        # sendmail writes the address before what a milter says.
        with greeted(node, "sendmail") as talk:
            talk.macros("M", i="6AMB3kD1000720")
            expect(talk.mail("spam@x.example"), "y", DENIED)
            expect(talk.mail("a@x.example"), "c")
        with greeted(node, "postfix") as talk:
            expect(talk.mail("spam@x.example"), "y",
                   "550 5.7.1 <spam@x.example>... Access denied")
            expect(talk.mail("a@x.example"), "c")
        line = ("ruleset=check_mail, arg1=<spam@x.example>, relay=host.example"
                f" [{CLIENT}], reject=550 5.7.1 <spam@x.example>... Access "
                "denied\n")
        node.daemon.logged("6AMB3kD1000720: " + line)
        node.daemon.logged("NOQUEUE: " + line)


def test_refused_recipient_leaves_the_others(programs, directory):
    with served(programs, directory) as node:
        for mta, prefix in (("sendmail", ""), ("postfix", "<no@abc.com>... ")):
            with greeted(node, mta) as talk:
                expect(talk.mail("a@x.example"), "c")
                expect(talk.rcpt("u@abc.com"), "c")
                talk.macros("R", i="A207A9C2")
                expect(talk.rcpt("no@abc.com"), "y",
                       "550 5.2.1 " + prefix + DISABLED)
                expect(talk.rcpt("v@abc.com"), "c")
                expect(talk.end_of_message(), "c")
        node.daemon.logged("A207A9C2: ruleset=check_rcpt, arg1=<no@abc.com>, ",
                           times=2)


def test_queue_id_of_the_last_message_is_forgotten(programs, directory):
    with served(programs, directory) as node, \
            greeted(node, "postfix") as talk:
        expect(talk.mail("a@x.example"), "c")
        expect(talk.rcpt("u@abc.com"), "c")
        talk.macros("R", i="A207A9C2")
        expect(talk.rcpt("v@abc.com"), "c")
        talk.macros("E", i="A207A9C2")
        expect(talk.end_of_message(), "c")
        talk.macros("M", mail_addr="a@x.example")
        expect(talk.mail("a@x.example"), "c")
        assert talk.rcpt("no@abc.com").verdict == "y"
        node.daemon.logged("NOQUEUE: ruleset=check_rcpt, arg1=<no@abc.com>, ")


def discarded(talk, sender, recipients):
    """All but the recipients that are refused are accepted, then the message
    is dropped."""
    expect(talk.mail(sender), "c")
    for recipient in recipients:
        answer = talk.rcpt(recipient)
        assert answer.verdict == ("y" if "no@" in recipient else "c"), answer
    expect(talk.end_of_message(), "d")


def test_discard_waits_for_the_end(programs, directory):
    """The MTAs would ask about no further recipient, and accept it."""
    with served(programs, directory) as node:
        for mta in ("sendmail", "postfix"):
            with greeted(node, mta) as talk:
                discarded(talk, "void@x.example", ["u@abc.com", "no@abc.com"])
                discarded(talk, "a@x.example",
                          ["u@abc.com", "void@abc.com", "no@abc.com"])
                answer = talk.message("a@x.example", ["u@abc.com"])
                expect(answer, "c")
        node.daemon.logged("ruleset=check_mail, arg1=<void@x.example>, "
                           f"relay=host.example [{CLIENT}], discard\n", 2)
        node.daemon.logged("ruleset=check_rcpt, arg1=<void@abc.com>, "
                           f"relay=host.example [{CLIENT}], discard\n", 2)


def test_discard_of_a_client_covers_every_message(programs, directory):
    with served(programs, directory) as node:
        for mta in ("sendmail", "postfix"):
            with greeted(node, mta, address="192.0.2.68") as talk:
                for _ in range(3):
                    discarded(talk, "a@x.example", ["u@abc.com", "no@abc.com"])
                assert talk.mail("spam@x.example").verdict == "y"
                discarded(talk, "a@x.example", ["u@abc.com"])


def test_discard_does_not_hide_a_refusal_of_the_message(programs, directory):
    with served(programs, directory,
                OPTIONS + "max_message_size = 10\n") as node, \
            greeted(node, "postfix") as talk:
        answer = talk.message("void@x.example", ["u@abc.com"], body=b"x" * 11)
        assert answer.text.startswith("552 5.2.3 "), answer


def quarantined(talk, sender, recipients):
    answer = talk.message(sender, recipients)
    assert answer.verdict == "c", answer
    return [data.rstrip(b"\0").decode()
            for edit, data in answer.edits if edit == "q"]


def test_quarantine_at_the_end(programs, directory):
    with served(programs, directory) as node, \
            greeted(node, "postfix") as talk:
        assert quarantined(talk, "held@x.example",
                           ["u@abc.com"]) == ["to be read"]
        assert quarantined(talk, "a@x.example", ["u@abc.com"]) == []
        # As in sendmail the last one counts.
        assert quarantined(talk, "held@x.example",
                           ["held@abc.com"]) == ["by recipient"]
        node.daemon.logged("arg1=<held@abc.com>, relay=host.example "
                           f"[{CLIENT}], quarantine=by recipient\n")


def test_quarantine_of_a_client_is_only_logged(programs, directory):
    with served(programs, directory) as node, \
            greeted(node, "sendmail", address="192.0.2.69") as talk:
        assert quarantined(talk, "a@x.example", ["u@abc.com"]) == []
        node.daemon.logged("quarantine=seen before\n")


def test_mta_that_cannot_quarantine_defers(programs, directory):
    with served(programs, directory) as node, \
            greeted(node, "postfix", actions=0x1f) as talk:
        answer = talk.message("held@x.example", ["u@abc.com"])
        assert answer.verdict in "yt" and answer.text[:1] in ("4", ""), answer
        assert not answer.edits, answer


def test_per_cent_signs_are_doubled(programs, directory):
    """Both MTAs take a single one for a format."""
    with served(programs, directory) as node, \
            greeted(node, "postfix") as talk:
        expect(talk.mail("own@x.example"), "y",
               "550 5.0.0 <own@x.example>... All of it is 100%%spam,50%%more")


def test_long_texts_are_cut(programs, directory):
    """libmilter takes 980 bytes; no doubled sign is cut in two."""
    with served(programs, directory) as node, \
            greeted(node, "postfix") as talk:
        answer = talk.mail("long@x.example")
        assert answer.verdict == "y", answer
        assert 900 < len(answer.text) <= 990, len(answer.text)
        assert answer.text.startswith(
            "550 5.0.0 <long@x.example>... so" + "%" * 80 + "long long"), answer
        assert "cannot be given" not in node.daemon.log()


def test_bytes_that_no_reply_may_hold(programs, directory):
    with served(programs, directory) as node, \
            greeted(node, "postfix") as talk:
        expect(talk.mail("a@x.example"), "c")
        for address in ("u\x7f\x01@victim.example", "u\xe9@victim.example",
                        "u\r\n250 ok@victim.example"):
            answer = talk.rcpt(address)
            assert answer.verdict == "y" and answer.text[0] == "5", answer
            assert answer.text.isascii() and answer.text.isprintable(), answer


def test_forged_client_is_logged_once(programs, directory):
    """Whether its mail is accepted, refused, or never comes."""
    told = f"relay=liar.example [{CLIENT}] (may be forged)"
    seen = f"connect from liar.example [{CLIENT}] (may be forged)"
    client = {"resolve": "FORGED", "ptr": "liar.example"}
    with served(programs, directory) as node:
        with greeted(node, "sendmail", **client) as talk:
            for _ in range(2):
                talk.macros("E", i="6AMB3kD1000720")
                expect(talk.message("a@x.example", ["u@abc.com"]), "c")
        node.daemon.logged("6AMB3kD1000720: " + seen)
        with greeted(node, "postfix", **client) as talk:
            assert talk.mail("spam@x.example").verdict == "y"
            expect(talk.message("a@x.example", ["u@abc.com"]), "c")
        node.daemon.logged(told)
        node.daemon.logged(seen)
        with greeted(node, "postfix", **client) as talk:
            talk.quit()
        node.daemon.logged("NOQUEUE: " + seen)


def test_delayed_checks_answer_at_rcpt(programs, directory):
    with served(programs, directory,
                OPTIONS + "delay_checks = yes\n") as node:
        for mta, prefix in (("sendmail", ""), ("postfix", "<u@abc.com>... ")):
            with greeted(node, mta) as talk:
                expect(talk.mail("spam@x.example"), "c")
                expect(talk.rcpt("u@abc.com"), "y",
                       "550 5.7.1 " + prefix + "Access denied")
            with greeted(node, mta, address="192.0.2.66") as talk:
                expect(talk.mail("a@x.example"), "c")
                answer = talk.rcpt("u@abc.com")
                assert answer.verdict == "y", answer
                assert answer.text.endswith("Access denied"), answer


def test_nothing_of_an_aborted_message_is_left(programs, directory):
    with served(programs, directory,
                OPTIONS + "max_message_size = 100\n") as node, \
            greeted(node, "postfix") as talk:
        for sender in ("void@x.example", "held@x.example", "a@x.example"):
            expect(talk.mail(sender), "c")
            expect(talk.rcpt("void@abc.com"), "c")
            expect(talk.rcpt("held@abc.com"), "c")
            talk.header("Subject", " " + "x" * 80)
            talk.body(b"x" * 15)
            talk.abort()
            talk.abort()
            assert quarantined(talk, "a@x.example", ["u@abc.com"]) == []
