# SPDX-License-Identifier: BSD-2-Clause
"""Messages to be rewritten, made by chance from a seed, and what came of them.

A field is a list of pieces: literal text that must arrive byte for byte, and
addresses.
"""

import collections
import email.utils
import random
import re

Message = collections.namedtuple("Message", "number sender recipients fields")
Field = collections.namedtuple("Field", "name written blank pieces is_broken")


class Address(str):
    """A piece of a field that is an address."""


SENDERS = ("From", "Sender", "Reply-To", "Errors-To", "Resent-From",
           "Resent-Sender", "Resent-Reply-To",
           "Disposition-Notification-To")
RECIPIENTS = ("To", "Cc", "Apparently-To", "Resent-To", "Resent-Cc")
OTHERS = ("Return-Receipt-To", "List-Post", "Mail-Reply-To", "X-From")

_USERS = ("lee", "ann", "joe", "root", "bob", "Lee", "ROOT", "lee+list",
          "ann+x", "ann+", "bob+list", "a.b", "x_y=z", "root+cron",
          '"lee"', '"two words"', '"a@b"')
_HOSTS = ("", "", "mail.abc.com", "abc.com", "Mail.ABC.com", "localhost",
          "lan.example", "LAN.Example", "host.lan.example",
          "keep.lan.example", "deep.keep.lan.example", "sub.lan.example",
          "old.example", "sub.old.example", "new.example", "other.example",
          "corp.example", "foreign.example", "www.foreign.example",
          "plain.example", "nowhere.invalid", "[192.0.2.99]")
_FAR = ("foreign.example", "plain.example", "other.example")
_BLANKS = (" ",) * 8 + ("", "  ", "\t", "\n ", " \n\t")
_COMMAS = (", ", ", ", ",", ",\n ", ",\n\t", " , ", ",  \n        ")

# What may stand around one address.
_SHAPES = (
    ("", ""),
    ("<", ">"),
    ("Lee Ell <", ">"),
    ("Lee Ell<", ">"),
    ("Lee  Ell\n\t<", ">"),
    ("Lee\n Ell <", ">"),
    ('"Ell, Lee" <', ">"),
    ('"Lee \\"The\\" Ell" <', ">"),
    ('"lee@lan.example" <', ">"),
    ('"<lee@lan.example>" <', ">"),
    ("Lee (lee@lan.example) Ell <", ">"),
    ("Lee J. Ell <", ">"),
    ("=?utf-8?Q?L=C3=A9e_Ell=2C?= <", ">"),
    ("=?utf-8?B?TMOpZQ==?=\n =?utf-8?B?RWxs?= <", ">"),
    ("L\xc3\xa9e Ell <", ">"),          # UTF-8, and no UTF-8, as they are
    ("L\xe9e Ell <", ">"),
    ("", " (Lee Ell)"),
    ("", " (Lee (the \\) man) Ell)"),
    ("Lee Ell <", "> (at home)"),
    ("(before) <", ">"),
)

# What nobody can parse.
_BROKEN = (
    '"Lee Ell <lee@lan.example>',
    "Lee Ell <lee@lan.example",
    "lee@lan.example (at home",
    "Lee Ell <lee@lan.example>>, <",
)
_EMPTY = ("", " ", ",", " , ,", "undisclosed-recipients:;")


class Maker:
    """Makes the same messages from the same seed."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def address(self):
        user, host = self._pick(_USERS), self._pick(_HOSTS)
        return Address(f"{user}@{host}" if host else user)

    def _pick(self, rows):
        return self._random.choice(rows)

    def _chance(self, share):
        return self._random.random() < share

    def _list(self, least, most):
        pieces = []
        for _ in range(self._random.randint(least, most)):
            if pieces:
                pieces.append(self._pick(_COMMAS))
            before, after = self._pick(_SHAPES)
            pieces += [before, self.address(), after]
        if self._chance(0.06):
            return ["Team: ", *pieces, ";"]
        return pieces

    def field(self, name, most, least=1):
        return Field(name, self._written(name), self._pick(_BLANKS),
                     self._list(least, most), False)

    def _odd_field(self, name):
        if self._chance(0.5):
            return Field(name, name, " ", [self._pick(_EMPTY)], False)
        return Field(name, name, " ", [self._pick(_BROKEN)], True)

    def _written(self, name):
        return self._pick((name,) * 4 + (name.lower(), name.upper()))

    def _fields(self):
        yield self.field("From", 1)
        yield self.field("To", 4)
        for name in SENDERS[1:]:
            if self._chance(0.35):
                yield self.field(name, 3)
        for name in RECIPIENTS[1:]:
            if self._chance(0.35):
                yield self.field(name, 6)
        for name in ("To", "Cc", "Reply-To"):
            if self._chance(0.3):
                yield self.field(name, 2)
        for name in OTHERS:
            if self._chance(0.3):
                yield self.field(name, 1)
        if self._chance(0.1):
            yield self.field("Cc", 150, 50)
        for name in ("Reply-To", "Cc", "Resent-Cc", "Errors-To"):
            if self._chance(0.12):
                yield self._odd_field(name)

    def message(self, number):
        fields = list(self._fields())
        self._random.shuffle(fields)
        return Message(number, self._envelope_sender(),
                       self._envelope_recipients(), fields)

    def _envelope_sender(self):
        if self._chance(0.1):
            return ""
        user = self._pick(_USERS[:13])
        host = self._pick(_HOSTS[:-2])
        return f"{user}@{host}" if host else user

    def _envelope_recipients(self):
        count = self._random.choice((1, 1, 2, 3, 5))
        if self._chance(0.15):
            return [f"here{at}@abc.com" for at in range(count)]
        return [f"r{at}@{self._pick(_FAR)}" for at in range(count)]


def value_of(field):
    """Everything behind the colon."""
    return field.blank + "".join(field.pieces)


def text_of(message):
    """The message as it is sent."""
    fields = "".join(f"{field.written}:{value_of(field)}\n"
                     for field in message.fields)
    return (f"X-Number: {message.number}\n"
            "Message-Id: <original@lan.example>\n"
            "Date: Sun, 01 Nov 2026 10:00:00 +0000\n"
            "Resent-Message-Id: <again@lan.example>\n"
            "Resent-Date: Sun, 01 Nov 2026 11:00:00 +0000\n"
            f"{fields}"
            "Subject:  lee@lan.example  =?utf-8?Q?=C3=A9?=\n"
            "\nFrom: lee@lan.example\n\n.\n  the end\n")


def parse(content):
    """Fields, [(name, everything behind the colon)], and the body."""
    head, _, body = content.replace("\r\n", "\n").partition("\n\n")
    rows = re.findall(r"^([^\s:]+):(.*(?:\n[ \t].*)*)$", head, re.M)
    return rows, body


def values_of(rows, name):
    return [value for given, value in rows if given.lower() == name.lower()]


def mailboxes(values):
    """Names and addresses; how they are written, and the case of the domain,
    is put aside."""
    flat = [re.sub(r"\s+", " ", value) for value in values]
    return [(re.sub(r"\s+", " ", name).strip(), lower_domain(address))
            for name, address in email.utils.getaddresses(flat)
            if address]


def lower_domain(address):
    user, at, domain = address.rpartition("@")
    return user + at + domain.lower()


def wanted_bytes(field):
    """A pattern for the field with any addresses in place of its own."""
    pieces = [rf"([^\s,;<>()]+|\"[^\"]*\"(?:@[^\s,;<>()]+)?)"
              if isinstance(piece, Address) else re.escape(piece)
              for piece in field.pieces]
    return re.escape(field.blank) + "".join(pieces)
