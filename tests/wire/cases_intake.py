# SPDX-License-Identifier: BSD-2-Clause
"""What milterd asks an MTA for, and what it makes of what it is told."""

from logged import CLIENT, dial, expect, greeted, logged
from miltertalk import NO_EVENT, NO_REPLY
from nameserver import NameServer
from node import NO_NAME_SERVER

AT_CONNECT, AT_EOH, AT_EOM = 0, 6, 5
QUARANTINE, SETSYMLIST = 0x20, 0x100
DENIED = "550 5.7.1 <u@victim.example>... Relaying denied"
FORGED = DENIED + f". IP name possibly forged [{CLIENT}]"
FAILED = DENIED + f". IP name lookup failed [{CLIENT}]"
TEMPORARY = ("450 4.4.0 <u@victim.example>... Relaying temporarily denied. "
             f"Cannot resolve PTR record for {CLIENT}")
LIMITLESS = "max_message_size = 0\nmax_hops = 0\n"


def negotiated(programs, directory, options):
    with logged(programs, directory, options=options) as node, \
            dial(node) as talk:
        talk.negotiate()
        return talk


def declined(talk, commands):
    """The commands that the filter does not want to be told."""
    return {c for c in commands if talk.steps & NO_EVENT[c]}


def test_asks_for_no_more_than_it_needs(programs, directory):
    talk = negotiated(programs, directory, LIMITLESS)
    assert declined(talk, "CHMRLNBTU") == set("LNBTU"), hex(talk.steps)
    assert talk.actions == QUARANTINE | SETSYMLIST, hex(talk.actions)


def test_asks_for_headers_to_count_hops(programs, directory):
    talk = negotiated(programs, directory,
                      "max_message_size = 0\nmax_hops = 25\n")
    assert declined(talk, "CHMRLNBTU") == set("NBTU"), hex(talk.steps)
    assert talk.steps & NO_REPLY["L"], hex(talk.steps)


def test_asks_for_helo_where_it_is_judged(programs, directory):
    """And where a client is, for sendmail hears of it at HELO."""
    for words, declines in (("delay_checks = yes\n", True),
                            ("delay_checks = no\n", False),
                            ("delay_checks = yes\nblock_bad_helo = yes\n",
                             False)):
        talk = negotiated(programs, directory, words)
        assert bool(declined(talk, "H")) == declines, (words, hex(talk.steps))


def test_asks_for_bodies_to_measure_them(programs, directory):
    talk = negotiated(programs, directory,
                      "max_message_size = 1000\nmax_hops = 0\n")
    assert declined(talk, "CHMRLNBTU") == set("NTU"), hex(talk.steps)
    assert talk.steps & NO_REPLY["L"] and talk.steps & NO_REPLY["B"]


def test_always_wants_answers_to_be_heard(programs, directory):
    talk = negotiated(programs, directory, "max_message_size = 1000\n")
    for command in "CHMR":
        assert not talk.steps & NO_REPLY[command], command


def test_lists_of_macros(programs, directory):
    wanted = negotiated(programs, directory, "").wanted
    assert wanted[AT_EOH] == wanted[AT_EOM] == [], wanted
    assert all(len(names) <= 50 for names in wanted.values())
    for stage in (0, 2):
        assert "i" in wanted[stage], wanted
    for name in ("{auth_type}", "{auth_authen}"):
        assert name in wanted[2], wanted


def test_mta_of_protocol_2(programs, directory):
    """No lists of macros, no silence, no bits that it does not know."""
    with logged(programs, directory,
                options="max_message_size = 40\n") as node, \
            dial(node) as talk:
        talk.negotiate(version=2, actions=0x3f, steps=0x7f)
        assert talk.wanted == {} and talk.steps & ~0x7f == 0, hex(talk.steps)
        assert talk.actions & ~0x3f == 0, hex(talk.actions)
        expect(talk.connect("host.example", CLIENT), "c")
        expect(talk.helo("client.example"), "c")
        expect(talk.mail("", "SIZE=40"), "c")
        expect(talk.rcpt("u@abc.com"), "c")
        expect(talk.header("Subject", "test"), "c")
        expect(talk.body(b"x" * 41), "c")
        expect(talk.end_of_message(), "y",
               "552 5.2.3 Message exceeds maximum fixed size (40)")


def asked_about(talk):
    """The reply to a question whose text tells how the client resolves."""
    expect(talk.mail(""), "c")
    answer = talk.rcpt("u@victim.example")
    talk.abort()
    return answer.text


def resolved(node, **client):
    with greeted(node, "postfix", **client) as talk:
        return asked_about(talk)


def test_macro_says_how_the_client_resolves(programs, directory):
    """With no name server at all."""
    with logged(programs, directory) as node:
        assert resolved(node) == DENIED
        assert resolved(node, resolve="FORGED",
                        ptr="liar.example") == FORGED
        assert resolved(node, resolve="FAIL") == FAILED
        assert resolved(node, resolve="TEMP") == TEMPORARY


def old_mta(node, host, **macros):
    """The reply to an MTA that cannot be asked for {client_resolve}."""
    with dial(node) as talk:
        talk.negotiate()
        talk.macros("C", j="mail.abc.com", v="Postfix 3.4.1", **macros)
        expect(talk.connect(host, CLIENT), "c")
        expect(talk.helo("client.example"), "c")
        return asked_about(talk)


def test_older_signs_of_how_the_client_resolves(programs, directory):
    with NameServer(failing=["7.2.0.192.in-addr.arpa"]) as names, \
            logged(programs, directory, options=names.option) as node:
        literal = f"[{CLIENT}]"
        assert old_mta(node, "host.example") == DENIED
        assert old_mta(node, literal, _="liar.example [192.0.2.7] "
                                        "(may be forged)") == FORGED
        assert old_mta(node, literal, client_ptr="liar.example") == FORGED
        # Without a name only milterd's own question tells FAIL from TEMP.
        assert old_mta(node, literal, client_ptr="unknown") == TEMPORARY


def by_own_resolver(programs, directory, names):
    with names, logged(programs, directory, options=names.option
                       + 'client_resolve = "dns"\n') as node:
        return resolved(node, name="told.example")


def test_own_resolver(programs, directory):
    known = {CLIENT: "host.example"}
    reverse = "7.2.0.192.in-addr.arpa"
    for names, wanted in (
            (NameServer(known, {"host.example": CLIENT}), DENIED),
            (NameServer(known, {"host.example": "192.0.2.8"}), FORGED),
            (NameServer(known), FORGED),
            (NameServer(), FAILED),
            (NameServer(failing=[reverse]), TEMPORARY),
            (NameServer(silent=[reverse]), TEMPORARY)):
        got = by_own_resolver(programs, directory, names)
        assert got == wanted, (names.pointers, names.addresses, got)


def test_address_as_in_the_access_map(programs, directory):
    access = ("Connect:IPv6:2001:db8:0:0:0:0:0:7\tREJECT\n"
              "Connect:192.0.2.66\tREJECT\n")
    for address in ("2001:db8::7", "::ffff:192.0.2.66", "192.0.2.66"):
        with logged(programs, directory, access) as node, \
                greeted(node, "postfix", address=address) as talk:
            expect(talk.mail("a@x.example"), "y", "550 5.7.1 Access denied")


def submitted(node, port="0"):
    """Mail from Postfix's sendmail(1), as non_smtpd_milters see it."""
    talk = dial(node)
    talk.negotiate()
    talk.macros("C", j="mail.abc.com", v="Postfix 3.7.11", i="A207A9C2",
                client_port=port)
    expect(talk.connect("localhost", "127.0.0.1", port=0), "c")
    expect(talk.helo("localhost"), "c")
    return talk


def bare(talk, command, address):
    """MAIL or RCPT without angle brackets."""
    talk.send(command, address.encode() + b"\0")
    return talk.answer()


def test_submission_without_smtp(programs, directory):
    access = "From:spam@x.example\tREJECT\nTo:no@victim.example\tREJECT\n"
    with logged(programs, directory, access, "blocklist_recipients = true\n"
                "accept_unresolvable_domains = true\n") as node, \
            submitted(node) as talk:
        # From this host, so it may relay; the null sender is empty.
        expect(bare(talk, "M", ""), "c")
        expect(bare(talk, "R", "u@victim.example"), "c")
        expect(talk.end_of_message(), "c")
        # A recipient cannot be refused: the message is, at its end.
        expect(bare(talk, "M", "a@abc.com"), "c")
        expect(bare(talk, "R", "no@victim.example"), "c")
        expect(bare(talk, "R", "u@victim.example"), "c")
        expect(talk.end_of_message(), "y", "550 5.2.1 <no@victim.example>... "
               "Mailbox disabled for this recipient")
        # Nothing of that is left.
        expect(bare(talk, "M", "a@abc.com"), "c")
        expect(bare(talk, "R", "u@victim.example"), "c")
        expect(talk.end_of_message(), "c")
        expect(bare(talk, "M", "spam@x.example"), "y",
               "550 5.7.1 <spam@x.example>... Access denied")
        node.daemon.logged("A207A9C2: ruleset=check_rcpt, "
                           "arg1=<no@victim.example>")


def message_of(talk, headers, chunks):
    expect(talk.mail("a@x.example"), "c")
    expect(talk.rcpt("u@abc.com"), "c")
    for name, value in headers:
        expect(talk.header(name, value), "c")
    for chunk in chunks:
        expect(talk.body(chunk), "c")
    return talk.end_of_message()


# "A: b\n" and "Folded: c\n\td\n" in the queue: 5 and 13 bytes.
HEADERS = [("A", " b"), ("Folded", " c\n\td")]
TOO_BIG = "552 5.2.3 Message exceeds maximum fixed size (30)"


def test_size_counts_as_in_the_queue(programs, directory):
    """A line's end is one byte there and two on the wire, wherever a chunk
    of the body ends."""
    with logged(programs, directory, options=NO_NAME_SERVER
                + "max_message_size = 30\n") as node, \
            greeted(node, "postfix") as talk:
        for chunks, size in (
                ([b"12345\r\n67890\r\n"], 12),
                ([b"12345\r", b"\n67890\r", b"\n"], 12),
                ([b"12345\r\r\n6789\r\n"], 12),
                ([b"12345\r", b"67890\r"], 12),
                ([b"12345\n67890\n"], 12)):
            answer = message_of(talk, HEADERS, chunks)
            assert (answer.verdict, size) == ("c", 12), (chunks, answer)
            expect(message_of(talk, HEADERS, chunks + [b"x"]), "y", TOO_BIG)
        # The headers alone; the last message has left nothing behind.
        expect(message_of(talk, HEADERS, []), "c")
        expect(message_of(talk, HEADERS + [("B", " " + "x" * 30)], []), "y",
               TOO_BIG)


def test_header_without_its_leading_blank(programs, directory):
    """An MTA that cannot keep it: one blank is taken to have been there."""
    with logged(programs, directory, options=NO_NAME_SERVER
                + "max_message_size = 10\n") as node, \
            greeted(node, "postfix", steps=0x0fffff) as talk:
        expect(message_of(talk, [("A", "b" * 6)], []), "c")
        answer = message_of(talk, [("A", "b" * 7)], [])
        assert answer.text.startswith("552 5.2.3 "), answer


def test_hops(programs, directory):
    with logged(programs, directory, options=NO_NAME_SERVER
                + "max_hops = 3\n") as node, \
            greeted(node, "sendmail") as talk:
        hop = ("RECEIVED", " from a by b")
        other = ("X-Received", " from a by b")
        expect(message_of(talk, [hop, other, hop, other, hop], []), "c")
        expect(message_of(talk, [hop] * 4, []), "y",
               "554 5.4.6 Too many hops")
        expect(message_of(talk, [hop], []), "c")


def test_authentication_is_the_messages_own(programs, directory):
    with logged(programs, directory, options='trust_auth_mech = { "PLAIN" }\n'
                "accept_unresolvable_domains = true\n") as node, \
            greeted(node, "postfix") as talk:
        talk.macros("M", auth_type="PLAIN", auth_authen="lee")
        expect(talk.mail("a@x.example"), "c")
        expect(talk.rcpt("u@victim.example"), "c")
        expect(talk.end_of_message(), "c")
        talk.macros("M", mail_addr="a@x.example")
        expect(talk.mail("a@x.example"), "c")
        answer = talk.rcpt("u@victim.example")
        assert answer.text.startswith(DENIED), answer
