#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Files of patterns, read by the real Postfix and by milterd.

`postmap -q - pcre:FILE` is asked thousands of keys, and so is milterd's map of
the same file; every answer must be the same. Then files with one rule that is
wrong: Postfix warns of its line, milterd must refuse the file at that line.
Seeded; passes only if enough was asked and enough was found.

Left out, since they differ on purpose: values that come out empty, patterns
that come to a limit, and what Postfix ignores with a warning.
"""

import argparse
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

SEED = 20261128
FILES = 60
RULES = 14
KEYS = 120
MINIMUM = 5000
HELPER = "tests/parity/patterns"

WORDS = ("a", "b", "ab", "info", "sales", "joe", "x1", "42", "dyn", "isp",
         "example", "test", "Foo", "BAR")
ATOMS = ("a", "b", "o", "[a-f]", "[^@]", "\\d", "\\w", ".", "[[:alnum:]]",
         "x", "-", "\\.", "@", "\\+", "e", "i", "(?:fo|ba)", "S", "B",
         "[0-9]", "\\s", "\\x61", "\\Qa.b\\E", "(?i)x", "\\b", "(?=a)",
         "(?!b)", "(?<=@)", " ", "#")
REPEATS = ("", "", "", "", "*", "+", "?", "{1,2}", "*?", "+?", "{2}", "++")
FLAGS = "imsxAEU"
DELIMITERS = "////////|\"%,;:~=@"
TAGS = ("", "", "", "From:", "To:", "Connect:")
BROKEN = ("/a(b/ x", "/[a/ x", "/a/q x", "/a x", "/(a)/ $2", "/a/ $1",
          "/(a)/ $0", "/(a)/ x$1y", "/(a)/ x$", "/(a)/ ${1", "/(a)/ $(x)",
          "!/(a)/ $1", "!", "if", "if /(/\nendif", "endif", "word", "a/a/ x",
          "/a\\/ x", "/*/ x", "/a{2,1}/ x", "/(?<n/ x", "/\\/ x",
          "/(a)\\2/ x", "/a/ $$$", "/(a)/ $1$2")


class Maker:
    """Files and keys of one seed."""

    def __init__(self, seed):
        self.chance = random.Random(seed)

    def pick(self, things):
        return things[self.chance.randrange(len(things))]

    def pattern(self):
        """The expression, and how many groups it has for sure."""
        groups, text = 0, self.pick(("", "^", "^", "^"))
        for _ in range(self.chance.randint(1, 5)):
            kind = self.chance.random()
            if kind < 0.5:
                text += self.pick(WORDS)
            elif kind < 0.7:
                text += "(" + self.piece() + self.pick(("", "|" + self.piece()))
                text += ")" + self.pick(("", "", "?", "+"))
                groups += 1
            else:
                text += self.piece()
        return text + self.pick(("", "", "$")), groups

    def piece(self):
        return "".join(self.pick(ATOMS) + self.pick(REPEATS)
                       for _ in range(self.chance.randint(1, 3)))

    def written(self):
        """A pattern as it stands in a file, with its groups."""
        text, groups = self.pattern()
        delimiter = self.pick(DELIMITERS)
        if delimiter in text:
            delimiter = "/"
        flags = "".join(self.pick(FLAGS)
                        for _ in range(self.pick((0, 0, 0, 1, 1, 2, 3))))
        return f"{delimiter}{text}{delimiter}{flags}", groups

    def value(self, groups, number):
        text = self.pick((f"v{number}", f"550 rule {number}",
                          f"v{number} $$", f"v{number}\n   more"))
        for _ in range(self.pick((0, 1, 2)) if groups else 0):
            group = self.chance.randint(1, groups)
            text += self.pick(("-${%d}", "-$(%d).", " $%d", "$$${%d}")) % group
        return text

    def block(self, count, depth=0):
        lines = []
        for number in range(count):
            written, groups = self.written()
            kind = self.chance.random()
            if kind < 0.12 and depth < 3:
                lines.append(self.pick(("if ", "IF  ", "if!", "if ! ")) +
                             written)
                lines += self.block(self.chance.randint(1, 4), depth + 1)
                lines.append(self.pick(("endif", "ENDIF")))
            elif kind < 0.14:
                lines.append("!" + self.pick(("", " ", "!!")) + written + " " +
                             self.value(0, number))
            else:
                lines.append(written + self.pick((" ", "\t", "  ", "\n ")) +
                             self.value(groups, number))
            lines.append(self.pick(("", "# a comment", "   # another", "  ")))
        return lines

    def key(self):
        kind = self.chance.random()
        if kind < 0.1:
            return ".".join(str(self.chance.randint(0, 255)) for _ in range(4))
        local = self.pick(("", "+", "-", ".")).join(
            self.pick(WORDS) for _ in range(self.chance.randint(1, 3)))
        domain = ".".join(self.pick(WORDS)
                          for _ in range(self.chance.randint(1, 3)))
        if kind < 0.5:
            return self.pick(TAGS) + local + "@" + domain
        if kind < 0.7:
            return self.pick(TAGS) + domain
        return "".join(self.pick("ab@.-+x1 AFo") for _ in range(
            self.chance.randint(1, 20))).strip() or "a"


def postmap(path, keys):
    return subprocess.run(["postmap", "-q", "-", f"pcre:{path}"],
                          input=keys, capture_output=True, text=True,
                          errors="surrogateescape", check=False)


def milterd(helper, path, keys):
    return subprocess.run([helper, f"pcre:{path}"], input=keys,
                          capture_output=True, text=True,
                          errors="surrogateescape", check=False)


def answers(done):
    """Key to value; without those that are empty."""
    return {key: value for key, _, value in (
        line.partition("\t") for line in done.stdout.splitlines()) if value}


def complaints(done):
    """The lines whose rules Postfix does not take as they are."""
    return {int(number) for number in
            re.findall(r"line (\d+): ", done.stderr)}


def mended(rules, numbers):
    """The rules, with harmless ones for those that begin at such a line. What
    ends a block is right once its beginning is."""
    line, kept = 1, []
    for rule in rules:
        word = rule.lower()
        bad = line in numbers and word != "endif"
        kept.append(rule if not bad else
                    "if /./" if word.startswith("if") else "# bad")
        line += rule.count("\n") + 1
    return kept


class Comparison:
    def __init__(self, helper, directory):
        self.helper, self.path = helper, directory / "patterns"
        self.asked = self.found = self.refused = 0
        self.wrong = []

    def whole(self, seed):
        """A file that both accept, and keys for it."""
        maker = Maker(seed)
        rules = maker.block(RULES)
        keys = sorted({maker.key() for _ in range(KEYS)})
        text = "".join(key + "\n" for key in keys)
        self.write(rules)
        theirs, ours = self.ask(text)
        if complaints(theirs):
            self.broken(f"seed {seed}", theirs, ours)
            self.write(mended(rules, complaints(theirs)))
            theirs, ours = self.ask(text)
        limited = {key for key, value in answers(ours).items()
                   if value.startswith("* ")}
        if ours.returncode or ours.stderr:
            return self.wrong.append(f"seed {seed}: {ours.stderr}")
        theirs, ours = answers(theirs), answers(ours)
        for key in set(keys) - limited:
            self.asked += 1
            self.found += key in theirs
            if theirs.get(key) != ours.get(key):
                self.wrong.append(
                    f"seed {seed}, {key!r}: Postfix {theirs.get(key)!r}, "
                    f"milterd {ours.get(key)!r}")

    def ask(self, keys):
        return postmap(self.path, keys), milterd(self.helper, self.path, keys)

    def write(self, rules):
        self.path.write_text("\n".join(rules) + "\n")

    def broken(self, name, theirs, ours):
        """Both complain, of the same line."""
        lines = complaints(theirs)
        told = re.match(rf"\S+: {re.escape(str(self.path))}:(\d+): ",
                        ours.stderr)
        if ours.returncode != 1 or not told or int(told[1]) not in lines:
            self.wrong.append(f"{name}: Postfix {theirs.stderr!r}, milterd "
                              f"{ours.returncode} {ours.stderr!r}")
        self.refused += 1

    def one_bad_rule(self, rule):
        self.path.write_text(f"# a comment\n/x/ 1\n\n{rule}\n/y/ 2\n")
        self.broken(rule, *self.ask("a\n"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--helper", default=HELPER, type=os.path.abspath)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--files", type=int, default=FILES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="milterd-patterns-") as directory:
        comparison = Comparison(options.helper, pathlib.Path(directory))
        for number in range(options.files):
            comparison.whole(options.seed * 1000 + number)
        for rule in BROKEN:
            comparison.one_bad_rule(rule)
    for line in comparison.wrong[:20]:
        print(line)
    print(f"{comparison.asked} keys, {comparison.found} of them found, "
          f"{comparison.refused} files refused")
    enough = comparison.asked * FILES >= MINIMUM * options.files and \
        comparison.found * 5 > comparison.asked
    failed = len(comparison.wrong) + (not enough)
    print(f"{comparison.asked + comparison.refused - failed} passed, "
          f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
