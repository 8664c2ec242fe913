# SPDX-License-Identifier: BSD-2-Clause
"""The mailertable at milterd's door: users that it names, refusals, and what
must not follow from it.  Mail goes where a sendmail with the table sends it.
"""

import policies
from bed import WITH_MILTERD
from cases_recipients import (CLIENT, SENDER, STRANGER, deliver, expect, far,
                              here)

POLICY = policies.ROUTING
BEDS = WITH_MILTERD


def test_hosts_named_by_what_was_looked_up(bed):
    expect(bed, "u@host.below.example", far("u@host.below.example"))


def test_users_named_in_the_table(bed):
    for recipient, *places in (
            ("anybody@one.example", here("joe")),
            ("u@here.example", here("u")),
            ("anybody@else.example", far("bob@foreign.example"))):
        expect(bed, recipient, *places)


def test_an_alias_named_in_the_table(bed):
    expect(bed, "anybody@team.example", here("ann"),
           far("joe@foreign.example"))


# sendmail asks its own aliases, which do not have it.
test_an_alias_named_in_the_table.beds = ("postfix",)


def test_a_transport_of_that_name(bed):
    """sendmail has no mailer "discard", Postfix has such a transport."""
    replies, done, got = deliver(bed, ["u@away.example"])
    assert replies[0][:3] == done[:3] == "250" and not got, (replies, got)


test_a_transport_of_that_name.beds = ("postfix",)


def test_our_own_domain_is_never_asked_for(bed):
    expect(bed, "u@abc.com", here("u"))
    expect(bed, "team@abc.com", here("ann"), far("joe@foreign.example"))


def test_a_refusal_beats_the_dns(bed):
    """plain.example has an MX."""
    for recipient, code, text in (
            ("u@plain.example", "550 5.1.2", "No such place"),
            ("u@word.example", "550 5.0.0", "Nobody there"),
            ("u@later.example", "450 4.4.1", "Come back later")):
        replies, _, got = deliver(bed, [recipient])
        assert not got, got
        wanted, _, _ = deliver(bed.world.oracle, [recipient])
        assert wanted == [f"{code} <{recipient}>... {text}"], wanted
        assert replies == wanted or bed.is_postfix and replies == [
            f"{code} <{recipient}>: Recipient address rejected: {text}"], \
            replies


def test_nobody_relays_by_the_table(bed):
    """A route is no right."""
    replies, _, got = deliver(bed, ["u@host.below.example"], client=STRANGER)
    assert replies[0][:3] == "550" and not got, (replies, got)


def test_mail_waits_while_milterd_is_away(bed):
    """What it would have said of the route nobody knows."""
    bed.daemon.stop()
    try:
        with bed.dial(CLIENT) as talk:
            replies = [talk.mail(SENDER)]
            if replies[0][:1] == "2":
                replies.append(talk.rcpt("u@host.below.example"))
        assert replies[-1][:1] == "4", replies
    finally:
        bed.daemon.start()
    expect(bed, "u@host.below.example", far("u@host.below.example"))
