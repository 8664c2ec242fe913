#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Decoded headers and bodies, beside Python's codecs and its email package.

Texts of many languages are put into messages by Python: encoded words and
bodies in base64, quoted-printable and as they are, in many charsets, single
and in multiparts. What milterd decodes must be the text that went in.
Seeded; passes only if enough was asked.
"""

import argparse
import base64
import os
import pathlib
import quopri
import random
import subprocess
import sys
import tempfile
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

SEED = 20261128
MESSAGES = 400
TEXTS = {
    "latin": ("Grüße aus Köln", "déjà vu, naïve", "Ærøskøbing", "mañana",
              "plain text", "100 % = all"),
    "euro": ("5 € für „alles“", "it’s — done…"),
    "greek": ("Καλημέρα κόσμε",), "russian": ("Привет, мир", "Срочно купите"),
    "chinese": ("你好，世界", "免费发票"), "traditional": ("免費發票",),
    "japanese": ("こんにちは世界", "日本語のテスト"), "korean": ("안녕하세요",),
    "emoji": ("price 💰 now", "ok 👍"),
}
CHARSETS = {
    "latin": ("iso-8859-1", "iso-8859-15", "windows-1252", "utf-8"),
    "euro": ("windows-1252", "utf-8"),
    "greek": ("iso-8859-7", "windows-1253", "utf-8"),
    "russian": ("koi8-r", "windows-1251", "iso-8859-5", "utf-8"),
    "chinese": ("gb2312", "gbk", "gb18030", "utf-8"),
    "traditional": ("big5", "utf-8"),
    "japanese": ("iso-2022-jp", "shift_jis", "euc-jp", "utf-8"),
    "korean": ("euc-kr", "utf-8"), "emoji": ("utf-8",),
}
# Python's email package writes them by names that nobody else knows.
ODD_NAMES = ("big5", "gb2312")


def word(chance, text, charset):
    """An encoded word of a text, as RFC 2047 has it."""
    raw = text.encode(charset)
    if chance.random() < 0.5:
        return f"=?{charset}?B?{base64.b64encode(raw).decode()}?="
    quoted = "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else
                     "_" if byte == 32 else f"={byte:02X}" for byte in raw)
    return f"=?{charset.upper()}?q?{quoted}?="


class Message:
    """A message and what it reads as."""

    def __init__(self, chance):
        self.chance = chance
        self.subject, self.lines = [], []
        self.wanted_header, self.wanted_body = "", ""

    def pick(self):
        kind = self.chance.choice(sorted(TEXTS))
        return self.chance.choice(TEXTS[kind]), self.chance.choice(
            CHARSETS[kind])

    def make_header(self):
        """Encoded words here, and a field made by Python."""
        text, charset = self.pick()
        words = [word(self.chance, text, charset)]
        self.wanted_header = "Subject: " + text
        if self.chance.random() < 0.5:
            more, charset = self.pick()
            words.append(word(self.chance, more, charset))
            self.wanted_header += more
        gap = self.chance.choice((" ", "\n ", "\n\t"))
        field = "Subject: " + gap.join(words)
        text, charset = self.pick()
        if charset in ODD_NAMES:
            charset = "utf-8"
        field += "\nX-Long: " + Header(text + " " + text, charset,
                                       maxlinelen=60).encode()
        self.wanted_header += f"\nX-Long: {text} {text}\n"
        return field

    def body(self):
        text, charset = self.pick()
        text = "".join(text + self.chance.choice(("\n", " - "))
                       for _ in range(self.chance.randint(1, 30))) + "\n"
        raw = text.encode(charset)
        how = self.chance.choice(("base64", "quoted-printable", "8bit"))
        if how == "base64":
            ends = self.chance.choice((b"\n", b"\r\n"))
            raw = base64.encodebytes(raw.replace(b"\n", ends))
        elif how == "quoted-printable":
            raw = quopri.encodestring(raw)
        return (f"Content-Type: text/{self.chance.choice(('plain', 'html'))};"
                f' charset="{charset}"\nContent-Transfer-Encoding: {how}\n',
                raw, text)

    def single(self):
        head, raw, self.wanted_body = self.body()
        return (self.make_header() + "\nMIME-Version: 1.0\n" + head +
                "\n").encode() + raw

    def parts(self, depth=0):
        """A multipart put together by hand."""
        mark = f"=_{self.chance.getrandbits(40):x}"
        text = f'Content-Type: multipart/mixed; boundary="{mark}"\n\n'.encode()
        for _ in range(self.chance.randint(1, 3)):
            text += f"--{mark}\n".encode()
            kind = self.chance.random()
            if kind < 0.2 and depth < 3:
                text += self.parts(depth + 1)
            elif kind < 0.4:
                text += (b"Content-Type: image/png\nContent-Transfer-Encoding:"
                         b" base64\n\n" + base64.encodebytes(os.urandom(99)))
            else:
                head, raw, wanted = self.body()
                text += head.encode() + b"\n" + raw + b"\n"
                self.wanted_body += wanted
        return text + f"--{mark}--\n".encode()

    def multipart(self):
        return (self.make_header() + "\nMIME-Version: 1.0\n").encode() + \
            self.parts()

    def python(self):
        """A multipart of Python's own making."""
        whole = MIMEMultipart(self.chance.choice(("mixed", "alternative")))
        for _ in range(self.chance.randint(1, 4)):
            text, charset = self.pick()
            charset = "utf-8" if charset in ODD_NAMES else charset
            whole.attach(MIMEText(text + "\n", "plain", charset))
            self.wanted_body += text + "\n"
        return (self.make_header() + "\n").encode() + whole.as_bytes()


def same(got, wanted):
    """Line by line; empty lines where parts meet are nobody's."""
    return [line for line in got.split("\n") if line.strip()] == \
        [line for line in wanted.split("\n") if line.strip()]


def ask(helper, paths):
    done = subprocess.run([helper, *paths], stdout=subprocess.PIPE,
                          check=True)
    return [part.split(b"\1") for part in done.stdout.split(b"\2")[:-1]]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--helper", required=True, type=os.path.abspath)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    passed, failed = 0, 0
    with tempfile.TemporaryDirectory(prefix="milterd-decode-") as directory:
        messages, paths = [], []
        for number in range(MESSAGES):
            message = Message(chance)
            text = chance.choice((message.single, message.multipart,
                                  message.python))()
            path = pathlib.Path(directory) / str(number)
            path.write_bytes(text)
            messages.append(message)
            paths.append(str(path))
        answers = ask(options.helper, paths)
        assert len(answers) == len(messages), (len(answers), len(messages))
        for message, path, (header, body) in zip(messages, paths, answers):
            for got, wanted, is_same in (
                    (header, message.wanted_header, str.startswith),
                    (body, message.wanted_body, same)):
                got = got.decode("utf-8", "backslashreplace")
                if is_same(got, wanted):
                    passed += 1
                    continue
                failed += 1
                if failed <= 5:
                    print(pathlib.Path(path).read_bytes()[:900])
                    print(f"got    {got[:300]!r}\nwanted {wanted[:300]!r}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
