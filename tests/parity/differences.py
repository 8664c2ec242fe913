# SPDX-License-Identifier: BSD-2-Clause
"""The differences that are meant: the file `differences`.

Each line is a regular expression, a tab, and the reason; the expression must
match somewhere in `CONFIG QUESTION => EXPECTED => GOT`.
"""

import pathlib
import re

FILE = pathlib.Path(__file__).with_name("differences")


class Differences:
    """The patterns of the file."""

    def __init__(self, patterns):
        self.patterns = patterns
        self.used = set()

    def cover(self, question, right, got):
        line = f"{question} => {right} => {got}"
        for pattern in self.patterns:
            if pattern.search(line):
                self.used.add(pattern)
                return True
        return False

    def unused(self):
        return [pattern.pattern for pattern in self.patterns
                if pattern not in self.used]


def load():
    patterns = []
    for line in FILE.read_text().splitlines():
        if line and not line.startswith("#"):
            pattern, _, reason = line.partition("\t")
            if not reason.strip():
                raise ValueError(f"differences: no reason given: {line}")
            patterns.append(re.compile(pattern))
    return Differences(patterns)
