# SPDX-License-Identifier: BSD-2-Clause
"""Row S2: whatever bytes the maps hold, a reply is one line, a header field
one field, and a recipient one address."""

import random
import re

from kit import count, figure, own_names
from logged import greeted, logged

ODD = (b"\r", b"%", b"%%", b"%s%n", b"\x01", b"\x7f", b"\x80", b"\xff",
       "é€".encode(), b"\r\nX-Evil: 1".replace(b"\n", b"\x0b"), b"\x0c", b"<",
       b">", b'"', b"\\", b"(", b",", b";", b":", b"@", b"\x1b[31m", b" ",
       b"x" * 2000, b".", b"=")


def odd_text(source):
    """Bytes that may stand in a line of a map, for none of which it was
    meant; no blank at either end, which the map's reader takes off."""
    parts = [source.choice(ODD) if source.random() < 0.5
             else source.choice((b"word", b"a@b.example", b"550", b"x"))
             for _ in range(source.randint(1, 8))]
    if source.random() < 0.2:
        parts.append(bytes(byte for byte in source.randbytes(30)
                           if byte not in b"\0\n"))
    return b"".join(parts)


def write_map(path, rows):
    with open(path, "wb") as file:
        for key, value in rows:
            file.write(key.encode() + b"\t" + value + b"\n")


REPLY = re.compile(r"[45]\d\d [45]\.\d{1,3}\.\d{1,3}( [^\r\n\0]*)?")


def is_one_reply(text):
    """One line, no control bytes, per cent signs in pairs."""
    return (REPLY.fullmatch(text) and len(text) <= 990
            and not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text)
            and "%" not in text.replace("%%", ""))


KINDS = ("550 ", "ERROR:5.7.1:550 ", "ERROR:4.7.1:450 ", "QUARANTINE:",
         "421 ", "")


def test_replies(programs, directory):
    number = count(3000, 100_000)
    source = random.Random(2)
    rows = [(f"From:u{row}@x.example",
             KINDS[row % len(KINDS)].encode() + odd_text(source))
            for row in range(number)]
    refused = held = 0
    with own_names() as options, \
            logged(programs, directory, "", options) as node:
        write_map(node.access, rows)
        done = node.daemon.control("reload")
        assert done.returncode == 0, done
        with greeted(node, "sendmail") as talk:
            for row in range(number):
                answer = talk.mail(f"u{row}@x.example")
                if answer.verdict == "c":
                    answer = talk.end_of_message() \
                        if talk.rcpt("u@abc.com").verdict == "c" else answer
                    for edit, data in answer.edits:
                        assert edit == "q", (rows[row], answer)
                        assert not re.search(rb"[\x00-\x1f\x7f]",
                                             data.rstrip(b"\0")), rows[row]
                        held += 1
                else:
                    refused += 1
                    assert answer.verdict == "y" and \
                        is_one_reply(answer.text), (rows[row], answer)
                    talk.abort()
    figure("S2", f"{number} texts: {refused} refusals and {held} "
           "quarantines, each one line")
    assert refused > number / 3 and held > number / 50


def is_whole(edit, data):
    """An edit as an MTA may act upon it: its strings end where they should,
    and a line goes on only where it is folded."""
    if edit in "+-e":
        strings = data.split(b"\0")
        return not re.search(rb"[\r\n]", data) and strings[-1] == b""
    if edit in "mhi":
        field = data[4:] if edit in "mi" else data
        return (field.count(b"\0") == 2 and b"\r" not in field
                and not re.search(rb"\n(?![ \t])", field))
    return edit == "q"


MAPS = """\
genericstable = "{directory}/generics"
generics_domain = {{ "abc.com" }}
virtusertable = "{directory}/virtusers"
domaintable = "{directory}/domains"
aliases = "{directory}/aliases"
masquerade_as = "corp.example"
"""


def test_edits(programs, directory):
    """What addresses become: senders, recipients, headers."""
    number = count(1000, 30_000)
    source = random.Random(3)
    write_map(f"{directory}/generics",
              [(f"u{row}", odd_text(source)) for row in range(number)])
    write_map(f"{directory}/virtusers",
              [(f"v{row}@abc.com", odd_text(source))
               for row in range(number)])
    write_map(f"{directory}/domains",
              [(f"d{row}.example", odd_text(source))
               for row in range(number)])
    write_map(f"{directory}/aliases",
              [(f"a{row}:", odd_text(source).replace(b":include:", b""))
               for row in range(number)])
    edits = messages = deferred = 0
    with own_names() as options, \
            logged(programs, directory, "", options
                   + MAPS.format(directory=directory)) as node, \
            greeted(node, "sendmail") as talk:
        for row in range(number):
            if talk.mail(f"u{row}@abc.com").verdict != "c":
                talk.abort()
                continue
            for name in (f"v{row}", f"a{row}", "plain"):
                answer = talk.rcpt(name + "@abc.com")
                assert answer.verdict == "c" or \
                    is_one_reply(answer.text), (row, name, answer)
            for name, value in (("From", f" u{row}@abc.com"),
                                ("To", f' "x" <v{row}@d{row}.example>,\n'
                                       f"\ta{row}"),
                                ("Subject", f" u{row}")):
                talk.header(name, value)
            talk.end_of_headers()
            answer = talk.end_of_message()
            messages += 1
            if answer.verdict == "t":
                deferred += 1           # a line end within an address
                continue
            assert answer.verdict == "c" or is_one_reply(answer.text), answer
            for edit, data in answer.edits:
                edits += 1
                assert is_whole(edit, data), (row, edit, data)
    figure("S2", f"{messages} messages, {edits} edits, each of one field or "
           f"address; {deferred} deferred because of a line end in the map")
    assert node.daemon.log().count("does not take an edit") == deferred
    assert messages > number / 2 and edits > number / 4, (messages, edits)
