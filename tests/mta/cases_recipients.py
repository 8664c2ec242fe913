# SPDX-License-Identifier: BSD-2-Clause
"""Recipients through domaintable, virtusertable and aliases: where mail goes
is where a sendmail with these tables sends it, and what is refused is refused
with its words.
"""

import policies
from bed import WITH_MILTERD
from cases_rewriting import bare

POLICY = policies.VIRTUAL
BEDS = WITH_MILTERD[1:]

CLIENT = "192.0.2.20"
STRANGER = "192.0.2.7"
SENDER = "lee@foreign.example"
BESIDE = "beside@foreign.example"


def deliver(bed, recipients, sender=SENDER, client=CLIENT):
    """Replies to RCPT, the reply to DATA, and who got what from whom."""
    with bed.dial(client) as talk:
        assert talk.mail(sender)[:3] == "250"
        replies = [talk.rcpt(recipient) for recipient in recipients]
        done = talk.data() if any(reply[:1] == "2" for reply in replies) \
            else None
    bed.mta.settle()
    return replies, done, arrived(bed)


def arrived(bed):
    return sorted((place, mail.sender, bare(recipient))
                  for place, sink in (("here", bed.world.local),
                                      ("far", bed.world.outside))
                  for mail in sink.take() for recipient in mail.recipients)


def agree(bed, recipients, client=CLIENT, sender=SENDER):
    """Replies and deliveries are sendmail's; what they are is given back."""
    replies, done, got = deliver(bed, recipients, sender, client)
    wanted_replies, wanted_done, wanted = deliver(
        bed.world.oracle, recipients, sender, client)
    for recipient, reply, wanted_reply in zip(recipients, replies,
                                              wanted_replies):
        if wanted_reply[:3] != "250" or reply[:3] != "250":
            bed.expect(reply, wanted_reply, recipient)
    assert (done or "")[:3] == (wanted_done or "")[:3], done
    assert got == wanted, f"{recipients}\n  wanted: {wanted}\n  got:    {got}"
    return [(place, recipient) for place, _, recipient in got]


def expect(bed, recipient, *places, **how):
    """As sendmail has it, and the reader of the tables too."""
    got = agree(bed, [recipient], **how)
    assert got == sorted(places), \
        f"{recipient}\n  wanted: {sorted(places)}\n  got:    {got}"


def here(user):
    return "here", user


def far(address):
    return "far", address


def test_virtual_users(bed):
    for recipient, place in (
            ("info@virtual.example", here("lee")),
            ("INFO@Virtual.Example", here("lee")),
            ("exact@virtual.example", far("far@foreign.example")),
            ("exact+detail@virtual.example", far("far@foreign.example")),
            ("plus@virtual.example", far("bare@foreign.example")),
            ("plus+@virtual.example", far("bare@foreign.example")),
            ("plus+one@virtual.example", far("first@foreign.example")),
            ("plus+two@virtual.example", far("more+two@foreign.example")),
            ("anybody@other.example", far("anybody@plain.example")),
            ("hop1@virtual.example", far("end@foreign.example"))):
        expect(bed, recipient, place)


def test_virtual_domains_are_relayed_to_for_strangers(bed):
    expect(bed, "info@virtual.example", here("lee"), client=STRANGER)
    expect(bed, "anybody@other.example", far("anybody@plain.example"),
           client=STRANGER)
    expect(bed, "missing@virtual.example", far("missing@virtual.example"),
           client=STRANGER)
    replies, _, got = deliver(bed, ["a@foreign.example"], client=STRANGER)
    assert replies[0][:3] == "550" and not got, (replies, got)


test_virtual_domains_are_relayed_to_for_strangers.beds = ("postfix",)


def refused(bed, recipient, answer):
    """Refused alone; the recipient beside it gets the message."""
    expect_replies = [answer, f"250 2.1.5 <{BESIDE}>... Recipient ok"]
    replies, _, got = deliver(bed, [recipient, BESIDE])
    for reply, wanted in zip(replies, expect_replies):
        bed.expect(reply, wanted, recipient)
    assert got == [("far", SENDER, BESIDE)], got
    assert agree(bed, [recipient]) == []


def test_errors_are_answered_at_rcpt(bed):
    refused(bed, "gone@virtual.example",
            "553 5.3.0 <gone@virtual.example>... No such user here")
    refused(bed, "gone+detail@virtual.example",
            "553 5.3.0 <gone+detail@virtual.example>... No such user here")
    refused(bed, "policy@virtual.example",
            "550 5.7.0 <policy@virtual.example>... Not for you")


def test_loops_are_answered_at_rcpt(bed):
    for recipient in ("round@virtual.example", "about@other.example"):
        assert agree_on_loop(bed, recipient) == []


def agree_on_loop(bed, recipient):
    """sendmail words this without the address."""
    replies, _, got = deliver(bed, [recipient])
    assert replies[0][:3] == "554" and \
        "excessive recursion (max 50), ruleset canonify" in replies[0], replies
    wanted, _, _ = deliver(bed.world.oracle, [recipient])
    assert bed.is_postfix or replies == wanted, (replies, wanted)
    return got


def test_aliases(bed):
    for recipient, *places in (
            ("team@abc.com", here("ann"), far("joe@foreign.example")),
            ("TEAM@abc.com", here("ann"), far("joe@foreign.example")),
            ("team", here("ann"), far("joe@foreign.example")),
            ("team@mail.abc.com", here("ann"), far("joe@foreign.example")),
            ("team@localhost", here("ann"), far("joe@foreign.example")),
            ("team+detail@abc.com", here("ann"), far("joe@foreign.example")),
            ("nested@abc.com", here("ann"), far("joe@foreign.example"),
             far("third@plain.example")),
            ("everyone@abc.com", here("member1"),
             far("member2@foreign.example")),
            ("alone@abc.com", far("only@foreign.example")),
            ('"big boss"@abc.com', here("boss")),
            ("postmaster@abc.com", here("root")),
            ("\\team@abc.com", here("team")),
            ("team@foreign.example", far("team@foreign.example")),
            ("unlisted@abc.com", here("unlisted"))):
        expect(bed, recipient, *places)


def test_who_is_on_his_own_list_gets_it(bed):
    for recipient in ("self@abc.com", "Self@abc.com", "self",
                      "self@mail.abc.com"):
        expect(bed, recipient, here("self"), far("copy@foreign.example"))


def test_lists_have_their_owner_as_sender(bed):
    _, _, got = deliver(bed, ["list@abc.com"])
    assert got == [("far", "keeper@foreign.example", "ann@foreign.example"),
                   ("far", "keeper@foreign.example", "joe@foreign.example")]
    agree(bed, ["list@abc.com"])
    agree(bed, ["list@abc.com"], sender="")


def test_programs_are_left_to_the_mta(bed):
    """It has an alias of the same name; Postfix, here, has none."""
    _, done, got = deliver(bed, ["program@abc.com", BESIDE])
    assert done[:3] == "250", done
    left = [("here", SENDER, "program")] if bed.is_postfix else []
    assert got == [("far", SENDER, BESIDE)] + left, got


def test_several_recipients_meet(bed):
    for recipients in (
            ("team@abc.com", "ann@abc.com", "joe@foreign.example"),
            ("team@abc.com", "nested@abc.com", "exact@virtual.example"),
            ("info@virtual.example", "lee@abc.com"),
            ("exact@virtual.example", "exact@old.example"),
            ("self@abc.com", "copy@foreign.example", "alone@abc.com"),
            ("swap1@abc.com", "swap2@abc.com"),
            ("quoted@abc.com", "alone@abc.com")):
        got = agree(bed, recipients)
        assert len(set(got)) == len(got), f"twice: {got}"


# The order: domaintable, virtusertable, local_domain, aliases.

def test_domaintable_comes_before_virtusertable(bed):
    expect(bed, "info@old.example", here("lee"))
    expect(bed, "exact@old.example", far("far@foreign.example"))
    refused(bed, "gone@old.example",
            "553 5.3.0 <gone@old.example>... No such user here")


def test_virtusertable_comes_before_local_domain(bed):
    expect(bed, "listed@abc.com", far("seen@foreign.example"))
    expect(bed, "listed+detail@abc.com", far("seen@foreign.example"))
    expect(bed, "exact@abc.com", here("exact"))


def test_virtusertable_comes_before_aliases(bed):
    # seen is an alias too, but the virtual user is not here.
    expect(bed, "listed@abc.com", far("seen@foreign.example"))
    expect(bed, "seen@abc.com", far("nobody@plain.example"))
    expect(bed, "both@abc.com", far("virtual@foreign.example"))
    expect(bed, "team@virtual.example", here("ann"),
           far("joe@foreign.example"))


def test_alias_into_a_virtual_domain_is_looked_up_there(bed):
    expect(bed, "virtually@abc.com", here("lee"), far("far@foreign.example"))
    expect(bed, "lost@abc.com", far("missing@virtual.example"))
    # An unqualified member is a user of this host, whatever domain has one.
    expect(bed, "nowhere@abc.com", here("exact"))


# The route, which no milter sets: the MTA asks for the mailertable.

def routes(bed, recipients):
    """Where each recipient's mail was brought to."""
    with bed.dial(CLIENT) as talk:
        assert talk.mail(SENDER)[:3] == "250"
        for recipient in recipients:
            reply = talk.rcpt(recipient)
            assert reply[:3] == "250", reply
        assert talk.data()[:3] == "250"
    bed.mta.settle()
    mails = bed.world.local.take() + bed.world.outside.take()
    return {bare(recipient): mail.host
            for mail in mails for recipient in mail.recipients}


def test_mailertable_routes_what_is_not_local(bed):
    wanted = {"a@routed.example": "198.51.100.81",
              "a@sub.routed.example": "198.51.100.82",
              "a@deep.sub.routed.example": "198.51.100.82",
              "a@by-name.example": "203.0.113.25",
              "a@foreign.example": "203.0.113.25"}
    for who in (bed.world.oracle, bed):
        got = routes(who, wanted)
        assert got == wanted, f"{who.name}: {got}"


def test_mailertable_comes_after_virtusertable_and_local_domain(bed):
    recipients = ("missing@virtual.example", "exact@virtual.example",
                  "lost@abc.com", "user@abc.com")
    wanted = {"missing@virtual.example": "198.51.100.80",
              "far@foreign.example": "203.0.113.25", "user": "127.0.0.1"}
    for who in (bed.world.oracle, bed):
        got = routes(who, recipients)
        assert got == wanted, f"{who.name}: {got}"


def test_mailertable_errors_are_answered_at_rcpt(bed):
    refused(bed, "a@closed.example",
            "550 5.1.1 <a@closed.example>... Closed for good")


# ESMTP parameters.

def parameters(bed, recipients, sender, mail_arguments):
    """Of the mail at the far sink: MAIL's parameters and {recipient: its}."""
    with bed.dial(CLIENT) as talk:
        assert talk.mail(sender, *mail_arguments)[:3] == "250"
        for recipient, *arguments in recipients:
            reply = talk.rcpt(recipient, *arguments)
            assert reply[:3] == "250", reply
        assert talk.data()[:3] == "250"
    bed.mta.settle()
    bed.world.local.take()
    mails = bed.world.outside.take()
    given = {recipient: set(words) for mail in mails
             for recipient, words in zip(mail.recipients, mail.parameters[1:])}
    return {frozenset(_dsn(mail.parameters[0])) for mail in mails}, given


def _dsn(words):
    return [word for word in words if word.startswith(("RET=", "ENVID="))]


def test_parameters_go_over_to_new_recipients(bed):
    sent = (("exact@virtual.example", "NOTIFY=NEVER",
             "ORCPT=rfc822;first@virtual.example"),
            ("alone@abc.com", "NOTIFY=FAILURE,DELAY",
             "ORCPT=rfc822;second+3Dodd@abc.com"),
            ("r@plain.example", "NOTIFY=SUCCESS"))
    _, got = parameters(bed, sent, SENDER, ())
    for recipient, given in (("far@foreign.example", sent[0][1:]),
                             ("only@foreign.example", sent[1][1:]),
                             ("r@plain.example", sent[2][1:])):
        assert set(given) <= got[recipient], f"{recipient}: {got[recipient]}"


def test_parameters_go_over_to_the_new_sender(bed):
    for words in (("RET=HDRS", "ENVID=abc+2Bdef"), ("RET=FULL",),
                  ("ENVID=x", "BODY=8BITMIME", "SIZE=100"), ()):
        mails, _ = parameters(bed, [("r@plain.example",)], "ann@old.example",
                              words)
        assert mails == {frozenset(_dsn(words))}, f"{words}: {mails}"
