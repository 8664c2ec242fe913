# SPDX-License-Identifier: BSD-2-Clause
"""The differences that are meant: the file `differences`.

Each line is a regular expression, tabs, and the reason; the expression must
match somewhere in `CONFIG RULESET ... => SENDMAIL'S ANSWER => MILTERD'S`. A
line that covered nothing in a whole run is out of date and fails the run.
"""

import pathlib
import re

FILE = pathlib.Path(__file__).with_name("differences")


class Differences:
    """The patterns of the file."""

    def __init__(self, patterns):
        self.patterns = patterns
        self.used = set()

    def cover(self, config, question, right, got):
        line = f"{config.name} {question} => {right} => {got}"
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
