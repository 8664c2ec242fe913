# SPDX-License-Identifier: BSD-2-Clause
"""Who may relay where.

Expected answers: check_rcpt, Relay_ok and Rcpt_ok of sendmail's
cf/m4/proto.m4, and the bed of a sendmail without milterd, on which every row
is run as well.
"""

import policies
import sasl

POLICY = policies.PLAIN

STRANGER = "192.0.2.7"
DENIED = "550 5.7.1 <{}>... Relaying denied"
FORGED = DENIED + ". IP name possibly forged [{}]"
FAILED = DENIED + ". IP name lookup failed [{}]"
UNKNOWN = ("450 4.4.0 <{}>... Relaying temporarily denied. "
           "Cannot resolve PTR record for {}")


def granted(bed, client, recipient, sender="a@good.example"):
    with bed.message(client, sender) as talk:
        bed.expect(talk.rcpt(recipient),
                   f"250 2.1.5 <{recipient}>... Recipient ok", client)
        assert talk.data()[:3] == "250"
    if recipient.endswith("@abc.com"):
        bed.expect_delivered(local=[recipient], what=client)
    else:
        bed.expect_delivered(outside=[recipient], what=client)


def denied(bed, client, wanted, relay, recipient="u@victim.example"):
    answer = wanted.format(recipient, client)
    with bed.message(client, "a@good.example") as talk:
        bed.expect(talk.rcpt(recipient), answer, client)
        assert talk.data()[:1] == "5"
    bed.expect_delivered(what=client)
    bed.expect_judged("check_rcpt", f"<{recipient}>", relay,
                      "reject=" + answer)


def test_granted_by_address(bed):
    granted(bed, "192.0.2.20", "u@victim.example")


def test_granted_by_net(bed):
    granted(bed, "10.1.2.3", "u@victim.example")


def test_granted_by_ipv6_address(bed):
    granted(bed, "2001:db8::20", "u@victim.example")


def test_granted_by_address_in_relay_domains(bed):
    granted(bed, "192.0.2.23", "u@victim.example")


def test_granted_to_loopback(bed):
    granted(bed, "127.0.0.1", "u@victim.example")


def test_granted_by_verified_name(bed):
    granted(bed, "192.0.2.21", "u@victim.example")


def test_granted_by_name_below_a_relay_domain(bed):
    granted(bed, "192.0.2.22", "u@victim.example")


def test_granted_by_name_in_etc_hosts(bed):
    granted(bed, "192.0.2.30", "u@victim.example")


def test_granted_by_recipient_in_relay_domains(bed):
    granted(bed, STRANGER, "u@branch.example")
    granted(bed, STRANGER, "u@sub.branch.example")


def test_granted_by_recipient_in_access(bed):
    granted(bed, STRANGER, "u@relayed.example")


def test_granted_to_our_own_recipients(bed):
    granted(bed, STRANGER, "u@abc.com")
    granted(bed, STRANGER, "u@abc.com", sender="")


def test_denied_to_stranger(bed):
    denied(bed, STRANGER, DENIED, "host7.stranger.example [192.0.2.7]")


def test_denied_to_ipv6_stranger(bed):
    denied(bed, "2001:db8::7", DENIED,
           "v6.stranger.example [IPv6:2001:db8:0:0:0:0:0:7]")


def test_denied_to_null_sender(bed):
    with bed.message(STRANGER, "") as talk:
        bed.expect(talk.rcpt("u@victim.example"),
                   DENIED.format("u@victim.example"))
    bed.expect_delivered()


def test_denied_when_ptr_names_another_host(bed):
    denied(bed, "192.0.2.11", FORGED,
           "liar.partner.example [192.0.2.11] (may be forged)")


def test_denied_when_ptr_names_nobody(bed):
    denied(bed, "192.0.2.12", FORGED,
           "ghost.partner.example [192.0.2.12] (may be forged)")


def test_denied_when_forward_lookup_fails_for_now(bed):
    denied(bed, "192.0.2.15", FORGED,
           "later.servfail.example [192.0.2.15] (may be forged)")


def test_denied_without_ptr(bed):
    denied(bed, "192.0.2.13", FAILED, "[192.0.2.13]")


def test_deferred_when_ptr_lookup_fails_for_now(bed):
    denied(bed, "192.0.2.14", UNKNOWN, "[192.0.2.14]")


def test_forged_name_is_logged_when_mail_is_ours(bed):
    granted(bed, "192.0.2.11", "u@abc.com")
    bed.expect_logged(
        r".*liar\.partner\.example \[192\.0\.2\.11\] \(may be forged\).*")


def test_granted_by_authentication_only_if_trusted(bed):
    with bed.dial(STRANGER) as talk:
        assert talk.auth_plain(sasl.USER, sasl.PASSWORD)[:3] == "235"
        talk.mail("a@good.example")
        bed.expect(talk.rcpt("u@victim.example"),
                   DENIED.format("u@victim.example"))
    bed.expect_delivered()


def test_recipients_are_judged_one_by_one(bed):
    with bed.message(STRANGER, "a@good.example") as talk:
        bed.expect(talk.rcpt("u@abc.com"),
                   "250 2.1.5 <u@abc.com>... Recipient ok")
        bed.expect(talk.rcpt("u@victim.example"),
                   DENIED.format("u@victim.example"))
        bed.expect(talk.rcpt("nobody@abc.com"),
                   "550 5.2.1 <nobody@abc.com>... "
                   "Mailbox disabled for this recipient")
        bed.expect(talk.rcpt("later@abc.com"),
                   "450 4.2.1 <later@abc.com>... come back tomorrow")
        bed.expect(talk.rcpt("u@relayed.example"),
                   "250 2.1.5 <u@relayed.example>... Recipient ok")
        assert talk.data()[:3] == "250"
    bed.expect_delivered(local=["u@abc.com"], outside=["u@relayed.example"])


def test_address_cannot_write_the_log(bed):
    """Tools that ban by the maillog must not be led to somebody else."""
    innocent = "relay=[198.51.100.9]"
    with bed.message(STRANGER, "a@good.example") as talk:
        reply = talk.rcpt(f'"x>, {innocent}, reject=550 "@victim.example')
        assert reply[:1] == "5", reply
    bed.expect_delivered()
    bed.expect_logged(r"\w+: ruleset=check_rcpt, arg1=.*, "
                      r"relay=host7\.stranger\.example \[192\.0\.2\.7\], "
                      r"reject=550 .*")
    assert not [line for line in bed.logged("milterd") if innocent in line]


test_address_cannot_write_the_log.beds = ("milter", "postfix")
