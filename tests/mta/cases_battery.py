# SPDX-License-Identifier: BSD-2-Clause
"""The open relay battery: addresses that talked mail hosts into relaying.

Sources: nmap's smtp-open-relay, DSBL's relaytest, mail-abuse.org's relay test,
and forms of our own.  The expected answer of each is what a sendmail without
milterd gives to the same words in the same run; whatever is accepted must stay
on the mail host.

Postfix reads some forms differently before anybody is asked: where it finds a
syntax error of its own (501), and where it takes \\@ for an @, hands an
address on without its quotes, or goes by what stands in quotes where sendmail
does not, the code is the one in the third column.  A blank is written \\s.
"""

import policies

POLICY = policies.PLAIN

STRANGER = "192.0.2.7"

# One form a row: MAIL's argument, RCPT's argument, Postfix's own code.
FORMS = """
<spam@evil.example>      <u@victim.example>
<>                       <u@victim.example>
<spam>                   <u@victim.example>
<spam@abc.com>           <u@victim.example>
<spam@mail.abc.com>      <u@victim.example>
<spam@localhost>         <u@victim.example>
<spam@[192.0.2.1]>       <u@victim.example>
<spam@abc.com>           <u%victim.example@[192.0.2.1]>
<spam@abc.com>           <u%victim.example@abc.com>
<spam@abc.com>           <u%victim.example@mail.abc.com>
<spam@abc.com>           <u%victim.example>
<spam@abc.com>           <"u@victim.example">
<spam@abc.com>           <"u%victim.example">
<spam@abc.com>           <"u@victim.example"@abc.com>
<spam@abc.com>           <"u@victim.example"@[192.0.2.1]>
<spam@abc.com>           <u@victim.example@abc.com>        550
<spam@abc.com>           <u@victim.example@[192.0.2.1]>    550
<spam@abc.com>           <@abc.com:u@victim.example>
<spam@abc.com>           <@[192.0.2.1]:u@victim.example>
<spam@abc.com>           <@abc.com,@mail.abc.com:u@victim.example>
<spam@abc.com>           <victim.example!u>
<spam@abc.com>           <victim.example!u@abc.com>
<spam@abc.com>           <victim.example!u@[192.0.2.1]>
<evil.example!spam>      <u@victim.example>
<spam@abc.com>           u@victim.example
<spam@abc.com>           <abc.com!u@victim.example>
<spam@abc.com>           <abc.com!victim.example!u>
<spam@abc.com>           <u%victim.example%x@abc.com>
<spam@abc.com>           <u@abc.com.victim.example>
<spam@abc.com>           <u@victim.example.>
<spam@abc.com>           <u@[198.51.100.9]>
<spam@abc.com>           <u@victim.example%abc.com>        501
<spam@abc.com>           <u@ABC.COM>
<spam@abc.com>           <u@abc.com.>
<spam@abc.com>           <"u%victim.example"@abc.com>
<spam@abc.com>           <@abc.com:u%victim.example@abc.com>
<spam@abc.com>           <@victim.example:u@abc.com>
<spam@abc.com>           <u%victim.example%mail.abc.com@abc.com>
<spam@abc.com>           <victim.example!u%abc.com@abc.com>
<spam@abc.com>           <abc.com!victim.example!u@abc.com>
<spam@abc.com>           <"victim.example!u"@abc.com>
<spam@abc.com>           <u\\@victim.example>              550
<spam@abc.com>           <"u\\@victim.example"@abc.com>    550
<spam@abc.com>           <u%victim.example@localhost>
<spam@abc.com>           <u%victim.example@[127.0.0.1]>
<spam@abc.com>           <u%victim.example@ABC.COM.>
<spam@abc.com>           <u%[198.51.100.9]@abc.com>
<spam@abc.com>           <u@[IPv6:2001:db8::7]>
<spam@abc.com>           <u@victim.example.abc.com>
<spam@abc.com>           <u@xabc.com>
<spam@abc.com>           <u@victim.example,u@abc.com>      501
<spam@abc.com>           <u(abc.com)@victim.example>
<spam@abc.com>           <u@(abc.com)victim.example>
<spam@abc.com>           <u@3325256713>                    501
<spam@abc.com>           <%victim.example@abc.com>
<spam@abc.com>           <u+victim.example@abc.com>
<spam@abc.com>           <u=victim.example@abc.com>
<spam@abc.com>           <U@VICTIM.EXAMPLE>
<spam@evil.example>      <u@192.0.2.1>                     501
<spam@abc.com>           <"u%victim.example\\s"@abc.com>    550
<spam@abc.com>           <"u\\sx%victim.example"@abc.com>   550
<spam@abc.com>           <"u(%victim.example"@abc.com>     550
<spam@abc.com>           <"<x>%victim.example"@abc.com>    550
<spam@abc.com>           <"victim.example!u(x"@abc.com>    550
"""


def forms():
    """Sender, recipient and, if it differs, Postfix's own code."""
    for row in FORMS.strip().split("\n"):
        sender, recipient, *code = row.replace("\\\\", "\\").split()
        recipient = recipient.replace("\\s", " ")
        yield sender, recipient, code[0] if code else None


def attempt(bed, sender, recipient):
    """The reply that decides, MAIL's or RCPT's; mail is sent if it may be."""
    with bed.dial(STRANGER) as talk:
        reply = talk.say("MAIL FROM:" + sender)
        if reply[:1] == "2":
            reply = talk.say("RCPT TO:" + recipient)
        if reply[:1] == "2":
            talk.data()
    return reply


def test_same_answers_as_sendmail_and_none_relays(bed):
    oracle = bed.world.oracle
    differing = []
    for sender, recipient, postfix_code in forms():
        wanted = attempt(oracle, sender, recipient)
        got = attempt(bed, sender, recipient)
        code = postfix_code if bed.is_postfix and postfix_code else wanted[:3]
        if got[:3] != code:
            differing.append(f"  {sender} {recipient}\n    sendmail: {wanted}"
                             f"\n    {bed.name}: {got}")
    oracle.mta.settle()
    local, outside = bed.delivered()
    assert not outside, f"relayed: {outside}"
    assert local, "not even mail for our own domain arrived"
    assert not differing, "\n" + "\n".join(differing)
