# SPDX-License-Identifier: BSD-2-Clause
"""The same messages and options to the real formail and to milterd's.

    formail.py --answers PROGRAM [--seed N] [--questions N]

The real one gets -f and -b besides, since milterd's makes neither "From "
lines nor ">" before those of a body, and -Y. Bodies end in an empty line here,
since the real one adds one, for mailboxes.
"""

import argparse
import pathlib
import random
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent
                       / "common"))

import results                                           # noqa: E402

NAMES = ["Subject", "To", "Received", "Re", "X-A", "X-Loop", "Message-ID",
         "From", "Cc", "Old-X-A", "Resent-Message-ID", "x-a", "SUBJECT", "R"]


class Generator:
    """Seeded messages and options."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def value(self):
        return self.pick("", " ", " a", "a b", " x  y ", "  z", "\t1", " :",
                         " a\n b", "\n b", " a\n\tb\n  c", " \xe9", "From x",
                         " <a@b>", ">x", " a\n >b")

    def name(self):
        return self.random.choice(NAMES)

    def field(self):
        return self.name() + self.pick("", "", "", "", " ", "\t ") + ":" + \
            self.value()

    def broken(self):
        return self.pick("no field", ":empty", "From b@c x", ">From c@d",
                         "a b: c", "\x01a: b", " folded", "name", "x\x7f: y",
                         "\xe9: z")

    def message(self):
        lines = [self.field() for _ in range(self.pick(0, 1, 2, 3, 4, 6))]
        if self.chance(40):
            lines.insert(0, "From a@b Thu Jan  1 00:00:00 1970")
            if self.chance(30):
                lines.insert(1, ">From b@c Fri")
        if self.chance(15):
            lines.insert(self.random.randrange(len(lines) + 1), self.broken())
        body = self.pick("", "\n", "a\n\n", "From x\n\n", "\nX-A: b\n c\n\n",
                         "Subject: no\nx\n\n", ">From y\n\n")
        start = "\n" * self.pick(0, 0, 0, 0, 1, 2)
        return start + "".join(line + "\n" for line in lines) + "\n" + body

    def names(self):
        """A name as an option has it: whole, a part, or not a good one."""
        if self.chance(60):
            return self.name() + ":"
        return self.pick(self.name() + ":", self.name(), self.name()[:2], self.name() + " :", "From ", "",
                         "a b", ":", "X\x01", "re", "Resent-")

    def option(self):
        letter = self.pick(*"aAiIIRxX")
        if letter == "R":
            if self.chance(20):
                return ["-R" + self.names() + self.pick(" ", "", "  ") +
                        self.names()]
            return ["-R", self.names(), self.names()]
        field = self.names()
        if field.endswith(":") and self.chance(65):
            field += self.value()
        if field and self.chance(15):
            return ["-" + letter + field]
        return ["-" + letter, field]

    def options(self):
        words = []
        for _ in range(self.pick(1, 1, 1, 2, 2, 3, 4)):
            words += self.option()
        for flag in "ckz":
            if self.chance(12):
                words.insert(0, "-" + flag)
        return words


def run(program, words, message):
    done = subprocess.run([program, *[word.encode("latin-1")
                                      for word in words]],
                          input=message.encode("latin-1"),
                          capture_output=True, check=False)
    return done.returncode, done.stdout


def real(words, message):
    """What formail says; its Message-ID, which is new each time, is taken for
    the one that milterd is given."""
    status, text = run("formail", ["-f", "-b", "-Y", *words], message)
    return status, re.sub(
        rb"(?i)^((?:Resent-)?Message-ID:) <[0-9a-zA-Z+/_-]+\.[0-9a-zA-Z+/_-]+"
        rb"\.[0-9a-zA-Z+/_-]+\.[0-9a-zA-Z+/_-]+@[^>\n]*>$",
        rb"\1 <new@id.test>", text, flags=re.M)


def ask(arguments):
    generator = Generator(arguments.seed)
    wrong = changed = 0
    for _ in range(arguments.questions):
        message, words = generator.message(), generator.options()
        expected, answer = real(words, message), run(
            arguments.answers, words, message)
        changed += expected[0] == 0
        if answer != expected:
            wrong += 1
            print(f"WRONG {words} {message!r}:\n  formail {expected}\n"
                  f"  milterd {answer}")
        if wrong > 10:
            break
    print(f"{arguments.questions} questions, {changed} not refused")
    assert not wrong, f"{wrong} answers differ"
    assert changed > arguments.questions * 0.3, "too many refusals"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--questions", type=int, default=400)
    arguments = parser.parse_args()
    tests = results.Results()
    tests.run(f"formail, seed {arguments.seed}", lambda: ask(arguments))
    return tests.finish()


if __name__ == "__main__":
    sys.exit(main())
