# SPDX-License-Identifier: BSD-2-Clause
"""Whole messages: what milterd makes of them is what sendmail would.

The same messages go through a sendmail that rewrites by its own FEATUREs and
through MTAs that leave it to milterd.  What arrives is compared: envelopes,
the addresses in each header field, and every byte that is no address.
"""

import collections
import re

import messages
import policies
from bed import WITH_MILTERD

POLICIES = (policies.MASQUERADING, policies.GENERICS, policies.EVERYBODY)
BEDS = WITH_MILTERD[1:]

CLIENT = "192.0.2.20"
COUNT = 32

Arrived = collections.namedtuple("Arrived", "here far envelope")


def the_messages():
    maker = messages.Maker(4)
    return [maker.message(number) for number in range(COUNT)]


def send(bed, message):
    with bed.dial(CLIENT) as talk:
        reply = talk.mail(message.sender)
        assert reply[:3] == "250", f"{message.sender}: {reply}"
        for recipient in message.recipients:
            reply = talk.rcpt(recipient)
            assert reply[:3] == "250", f"{recipient}: {reply}"
        reply = talk.data(messages.text_of(message))
        assert reply[:3] == "250", f"{message.number}: {reply}"


def number_of(mail):
    return int(re.search(r"^X-Number: (\d+)", mail.content, re.M)[1])


def bare(recipient):
    """Local users are delivered to with their domain or without, and to
    Postfix's other half in any case."""
    user = re.sub(r"@(mail\.)?abc\.com$", "", recipient)
    return user if "@" in user else user.lower()


def arrivals(bed):
    """For each message, once for each bed and policy: what arrived."""
    if "arrivals" not in bed.memo:
        bed.begin()
        for message in the_messages():
            send(bed, message)
        bed.mta.settle(60)
        bed.memo["arrivals"] = sort_out(bed)
        bed.memo["log"] = bed.logged("milterd")
    return bed.memo["arrivals"]


def sort_out(bed):
    found = {number: Arrived([], [], set()) for number in range(COUNT)}
    for place, sink in (("here", bed.world.local), ("far", bed.world.outside)):
        for mail in sink.take():
            one = found[number_of(mail)]
            getattr(one, place).append(mail)
            one.envelope.update(
                (place, messages.lower_domain(mail.sender), bare(recipient))
                for recipient in mail.recipients)
    return found


def pairs(bed):
    """Each message with what arrived of it by sendmail and by this bed."""
    wanted, got = arrivals(bed.world.oracle), arrivals(bed)
    for message in the_messages():
        yield message, wanted[message.number], got[message.number]


def of_same_mail(wanted, got):
    """The copies to compare: where some recipients are far, a milter's one
    message is the one for them."""
    place = "far" if wanted.far else "here"
    return getattr(wanted, place)[0], getattr(got, place)[0]


class Differences(list):
    """What was found, all of it told at the end."""

    def compare(self, message, what, wanted, got):
        if wanted != got:
            self.append(f"  message {message.number}, {what}\n"
                        f"    wanted: {wanted!r}\n    got:    {got!r}")

    def finish(self):
        assert not self, f"{len(self)} differences\n" + "\n".join(self)


def test_envelopes(bed):
    found = Differences()
    for message, wanted, got in pairs(bed):
        found.compare(message, f"envelope from {message.sender!r}",
                      sorted(wanted.envelope), sorted(got.envelope))
    found.finish()


def readable_fields(message):
    """The names of address fields all of whose instances can be read."""
    names = {field.name for field in message.fields}
    broken = {field.name for field in message.fields if field.is_broken}
    return sorted(names - broken - set(messages.OTHERS))


def test_header_addresses(bed):
    found = Differences()
    for message, wanted, got in pairs(bed):
        rows = [messages.parse(mail.content)[0]
                for mail in of_same_mail(wanted, got)]
        for name in readable_fields(message):
            values = [messages.values_of(row, name) for row in rows]
            asked, have = map(messages.mailboxes, values)
            found.compare(message, f"{name}: {values}",
                          [address for _, address in asked],
                          [address for _, address in have])
    found.finish()


def check_rest(found, message, rows, body):
    """What no MTA has a reason to touch."""
    sent, sent_body = messages.parse(messages.text_of(message))
    found.compare(message, "body", sent_body, body)
    for name in ("Subject", "Date", "Message-Id", "X-Number",
                 *messages.OTHERS):
        found.compare(message, name, messages.values_of(sent, name),
                      messages.values_of(rows, name))


def check_names(found, message, rows):
    """Display names and comments stay, however sendmail writes them."""
    sent, _ = messages.parse(messages.text_of(message))
    for name in readable_fields(message):
        wanted, got = ([text for text, _ in messages.mailboxes(
            messages.values_of(where, name))] for where in (sent, rows))
        found.compare(message, "names in " + name, wanted, got)


def check_order(found, message, rows):
    """Names and order of the fields that were sent."""
    sent, _ = messages.parse(messages.text_of(message))
    wanted = [name for name, _ in sent]
    found.compare(message, "fields", wanted,
                  [name for name, _ in rows if name in wanted])


def check_fields(found, message, rows):
    for name in dict.fromkeys(field.name for field in message.fields):
        fields = [field for field in message.fields if field.name == name]
        values = messages.values_of(rows, name)
        found.compare(message, "instances of " + name, len(fields),
                      len(values))
        for field, value in zip(fields, values):
            check_field(found, message, field, value)


def check_field(found, message, field, value):
    """Only addresses changed, and of them none into the same."""
    match = re.fullmatch(messages.wanted_bytes(field), value)
    if not match:
        found.compare(message, field.name, messages.value_of(field), value)
        return
    addresses = [piece for piece in field.pieces
                 if isinstance(piece, messages.Address)]
    for old, new in zip(addresses, match.groups()):
        if old.lower() == new.lower():
            found.compare(message, f"address in {field.name}", old, new)


def test_nothing_else_changes(bed):
    found = Differences()
    for message, _, got in pairs(bed):
        for mail in got.here + got.far:
            rows, body = messages.parse(mail.content)
            check_rest(found, message, rows, body)
            check_names(found, message, rows)
            if bed.is_postfix:      # sendmail writes the others anew
                check_order(found, message, rows)
                check_fields(found, message, rows)
    found.finish()


def test_broken_fields_are_logged(bed):
    arrivals(bed)
    broken = sorted(field.name for message in the_messages()
                    for field in message.fields if field.is_broken)
    told = sorted(match[1] for match in map(
        re.compile(r"\w+: header (\S+) left as it is: .+").fullmatch,
        bed.memo["log"]) if match)
    assert broken == told, f"\n  broken: {broken}\n  logged: {told}"
