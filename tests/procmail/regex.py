# SPDX-License-Identifier: BSD-2-Clause
"""The same questions about regular expressions to the real procmail and to
milterd: whether a pattern matches a text, what MATCH becomes, how often it
matches.

    regex.py --answers PROGRAM [--seed N] [--questions N] [--show]

Many patterns are asked of one text at once: an rc file with a recipe for each,
which writes what it found into the log. Patterns that repeat what can be
empty are put to milterd and to dialect.py only: on those the real program may
run for ever. Where the two disagree about MATCH, dialect.py says who keeps
what the manual promises; these are counted, listed with --show and must be
few.
"""

import argparse
import collections
import pathlib
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent
                       / "common"))

import dialect                                           # noqa: E402
import results                                           # noqa: E402

Question = collections.namedtuple("Question", "kind fold pattern")
Batch = collections.namedtuple("Batch", "area text questions")

MACROS = [b"^TO_", b"^TO", b"^FROM_DAEMON", b"^FROM_MAILER"]
ENDLESS = 2147483647
# Where the real program can be wrong about MATCH: a choice before or around
# the \\/, or two of them.
CHOICE_BY_SPLIT = re.compile(rb"[+*?|].*\\/|\\/.*\||\\/.*\\/")
# Where it is even wrong about matching: behind a \\/ that is the last thing of
# an alternative it goes on with the next one.
LAST_IS_SPLIT = re.compile(rb"\\/\)*[|*?]")
PER_TEXT = 40
TIMEOUT = 20
# How many of the answers about MATCH may be the real program's fault.
FAULTS = 0.08


class Generator:
    """Seeded patterns and texts that have something to do with each other."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.text = b""                         # of the batch

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def letter(self):
        return self.random.choice([b"a"] * 6 + [b"b"] * 5 + [
            b"A", b"B", b"c", b"x", b"1", b" ", b" ", b"-", b"_", b"@", b":",
            b"\t", b"]", b"}", b"{", b"/", b"<", b">", b"!", b"\xe9", b"\xc9",
            b"\x7f", b"\x01", b"z", b"Z", b",", b"=", b"#", b'"', b"'", b"%"])

    def escape(self):
        return b"\\" + self.random.choice([
            b".", b"*", b"+", b"?", b"(", b")", b"[", b"]", b"^", b"$", b"|",
            b"\\", b"n", b"d", b"w", b"s", b"b", b"a", b"B", b"t", b"{"])

    def member(self):
        kind = self.random.randrange(10)
        if kind < 5:
            return self.letter().replace(b"]", b"")
        if kind < 8:
            low, high = self.pick(b"ab", b"AB", b"az", b"AZ", b"09", b" ~",
                                  b"ba", b"Za", b"\t\r", b"\x80\xff", b"+-",
                                  b"\\^")[:2]
            return bytes([low]) + b"-" + bytes([high])
        return self.pick(b"^", b"-", b"\\", b"$", b".", b"[", b"*", b"[:alpha:")

    def char_class(self):
        inside = b"".join(self.member()
                          for _ in range(self.random.randrange(1, 4)))
        start = self.pick(b"", b"", b"", b"^", b"^", b"]", b"-", b"^]", b"^-")
        return b"[" + start + inside + (b"]" if not self.chance(2) else b"")

    def group(self, depth):
        parts = [self.sequence(depth - 1)
                 for _ in range(self.pick(1, 1, 2, 2, 3))]
        if self.chance(12):
            parts[self.random.randrange(len(parts))] = b""
        return b"(" + b"|".join(parts) + b")"

    def atom(self, depth):
        kind = self.random.randrange(100)
        if kind < 45 or depth == 0 and kind > 88:
            return self.letter()
        if kind < 55:
            return b"."
        if kind < 65:
            return self.char_class()
        if kind < 71:
            return self.escape()
        if kind < 76:
            return self.pick(b"^", b"$", b"$")
        if kind < 79:
            return self.pick(b"^^", b"\\<", b"\\>")
        if kind < 80:
            return self.pick(b"()", b"(|a)", b"(a|)")
        if kind < 81:
            return self.pick(b"*", b"+", b"?")
        return self.group(depth) if depth else self.letter()

    def piece(self):
        """Some bytes of the text, quoted."""
        lines = [line for line in self.text.split(b"\n") if line] or [b"a"]
        line = self.random.choice(lines)
        start = self.random.randrange(len(line))
        piece = line[start:start + self.pick(1, 1, 2, 3, 5)]
        return re.sub(rb"([][.*+?(){}^$|\\])", rb"\\\1", piece)

    def part(self, depth):
        atom = self.piece() if self.chance(12) else self.atom(depth)
        if self.chance(28):
            atom += self.pick(b"*", b"+", b"?")
            if self.chance(4):
                atom += self.pick(b"*", b"+", b"?")
        return atom

    def sequence(self, depth):
        return b"".join(self.part(depth)
                        for _ in range(self.pick(1, 1, 2, 2, 3, 4)))

    def plain(self):
        pattern = self.sequence(3)
        if self.chance(15):
            pattern += b"|" + self.sequence(2)
        if self.chance(12):
            pattern = self.pick(b"^^", b"^", b"\\<", b"()\\<") + pattern
        if self.chance(12):
            pattern += self.pick(b"^^", b"$", b"\\>", b"$^^")
        if self.chance(2):
            pattern += self.pick(b")", b"(", b")a", b"(a", b"[", b"[a")
        return pattern

    def split(self):
        left = self.pick(self.piece(), self.piece(), self.sequence(0),
                         self.sequence(1), self.piece() + self.sequence(0))
        if self.chance(30):
            left = self.pick(b"^", b"^a *", b"a: *", b"()", b"", b"b.*") + left
        right = self.pick(self.sequence(2), b".*", b".*$", b"[^ ]+", b"")
        if self.chance(15):
            right += self.pick(b"^^", b"$")
        pattern = left + b"\\/" + right
        if self.chance(6):
            pattern = self.pick(b"(" + pattern + b")", b"(%b|b)" % pattern,
                                b"(b|%b)a?" % pattern, pattern + b"\\/a",
                                pattern + b"|" + self.sequence(1))
        return pattern

    def macro(self):
        pattern = self.random.choice(MACROS) + self.pick(
            b"", b"a", b"bob@a", b"\\/.*", b".*b", b"_a")
        if self.chance(25):
            pattern = self.pick(b"a|", b"(", b"()", b"\\", b"b*") + pattern
        return pattern

    def pattern(self):
        kind = self.random.randrange(100)
        if kind < 52:
            pattern = self.plain()
        elif kind < 94:
            pattern = self.split()
        else:
            pattern = self.macro()
        return self.safe(pattern)

    def safe(self, pattern):
        """So that a condition line holds it: what would be taken for a
        weight, another kind of condition or a continuation is kept away."""
        pattern = pattern.rstrip(b" \t\\") or b"a"
        first = pattern[:1]
        if not first.isalpha() and first not in b"(^.[" or \
                re.match(rb"\w+[ \t]*\?\?", pattern):
            return b"\\" + pattern
        return pattern

    def line(self):
        return b"".join(
            self.letter() if self.chance(85) else self.pick(
                b"aab", b"a b", b"ab", b"aaa", b"a: b", b"((", b"\\", b".")
            for _ in range(self.pick(0, 1, 2, 3, 4, 6, 9)))

    def body(self):
        text = b"\n".join(self.line()
                          for _ in range(self.pick(1, 1, 1, 2, 2, 3)))
        return text + self.pick(b"", b"\n", b"\n", b"\n\n")

    def field(self):
        name = self.pick(b"To", b"Cc", b"From", b"Subject", b"a", b"X-b",
                         b"Resent-To", b"Apparently-To", b"Sender", b"B",
                         b"Precedence", b"X-Envelope-To", b"Mailing-List")
        value = self.pick(self.line(), self.line(), b"a@b", b"bob@a.b, a b",
                          b"bulk", b"a <root@a>", b"MAILER-DAEMON@b",
                          b"postmaster\t(x)", b"Admin")
        fold = b"\n" + self.pick(b" ", b"\t") + (self.line() or b"b")
        return name + self.pick(b":", b": ", b": ") + value + (
            fold if self.chance(20) else b"")

    def header(self):
        fields = [self.field() for _ in range(self.pick(1, 2, 3, 4))]
        return b"From a@b Thu Jan  1 00:00:00 1970\n" + b"\n".join(
            fields) + b"\n\n"

    def question(self):
        pattern = self.pattern()
        kind = "count" if self.chance(20) else "match"
        if CHOICE_BY_SPLIT.search(pattern):
            kind = "match"
        return Question(kind, self.chance(80), pattern)

    def batch(self):
        area = "H" if self.chance(25) else "B"
        self.text = self.header() if area == "H" else self.body()
        return Batch(area, self.text, [self.question() for _ in range(PER_TEXT)])


def is_endless(question):
    """Might the real program run for ever?"""
    tree = dialect.read(question.pattern.removeprefix(b"\\"), question.fold)
    return dialect.repeats_nothing(tree)


def recipe(number, question, area):
    flags = (area + ("" if question.fold else "D")).encode()
    if question.kind == "count":
        return b':0 %s\n* 1^1 %s\n{ X=1 }\nLOG="@@%d $=@@end\n"\n' % (
            flags, question.pattern, number)
    return (b'MATCH=@@none\nX=no\n:0 %s\n* %s\n{ X=yes }\n'
            b'LOG="@@%d $X $MATCH@@end\n"\n' % (
                flags, question.pattern, number))


def ask_procmail(batch, directory):
    """Question number -> what the log says."""
    log = directory / "log"
    log.unlink(missing_ok=True)
    (directory / "rc").write_bytes(
        b"LOGABSTRACT=no\nLOGFILE=%s\nDEFAULT=/dev/null\nLINEBUF=32768\n"
        % bytes(log) + b"".join(
            recipe(number, question, batch.area)
            for number, question in enumerate(batch.questions)
            if not is_endless(question)))
    mail = batch.text if batch.area == "H" else \
        b"From a@b Thu Jan  1 00:00:00 1970\na: b\n\n" + batch.text
    subprocess.run(["procmail", str(directory / "rc")], input=mail,
                   cwd=directory, timeout=TIMEOUT, check=True)
    return {int(number): said for number, said in re.findall(
        rb"^@@(\d+) (.*?)@@end\n", log.read_bytes(), re.M | re.S)}


def real_answer(question, said):
    if said is None:
        return None
    if question.kind == "count":
        return int(said)
    matched, match = said.split(b" ", 1)
    return matched == b"yes", None if match == b"@@none" else match


def ask_milterd(batches, program):
    """For each batch, for each question."""
    lines = []
    for batch in batches:
        word = "header" if batch.area == "H" else "text"
        lines.append(f"{word} {batch.text.hex() or '-'}")
        for question in batch.questions:
            kind = question.kind if question.fold else question.kind.upper()
            lines.append(f"{kind} {question.pattern.hex() or '-'}")
    said = subprocess.run([program], input="\n".join(lines) + "\n", text=True,
                          capture_output=True, check=True).stdout.split("\n")
    answers = iter(said)
    return [[our_answer(question, next(answers))
             for question in batch.questions] for batch in batches]


def our_answer(question, said):
    words = said.split()
    if "but" in words:
        return said
    if words[0] not in ("yes", "no") and question.kind == "match":
        return said
    if question.kind == "count":
        return ENDLESS if "endless" in said else int(words[0])
    match = None
    if len(words) > 1:
        match = b"" if words[1] == "-" else bytes.fromhex(words[1])
    return words[0] == "yes", match


def area_text(batch):
    if batch.area == "H":
        return re.sub(rb"\n(?=[ \t])", b" ", batch.text)
    return batch.text


def promised(batch, question):
    """What the manual says, where it can be told without the macros."""
    pattern = question.pattern.removeprefix(b"\\")
    if question.kind == "count" or any(name in pattern for name in MACROS):
        return None
    return dialect.answer(pattern, area_text(batch), question.fold)


class Score:
    """What agreed, what did not, and whose fault that was."""

    def __init__(self):
        self.asked = self.agreed = self.matches = self.only_promised = 0
        self.faults, self.wrong = [], []

    def add(self, batch, question, ours, real):
        promise = promised(batch, question)
        if real is None:
            self.only_promised += 1
            if promise is not None and ours != promise:
                self.wrong.append((batch, question, ours, real, promise))
            return
        self.asked += 1
        self.matches += question.kind == "match" and real[1] is not None
        if ours == real:
            self.agreed += 1
        elif self.is_fault(question, ours, real, promise):
            self.faults.append((batch, question, ours, real, promise))
        else:
            self.wrong.append((batch, question, ours, real, promise))

    @staticmethod
    def is_fault(question, ours, real, promise):
        """milterd's must be what was promised, and the pattern one of those
        that the real program does not understand."""
        if question.kind != "match" or ours != promise:
            return False
        return bool(LAST_IS_SPLIT.search(question.pattern) or
                    ours[0] == real[0] and
                    CHOICE_BY_SPLIT.search(question.pattern))

    def report(self, show):
        for entry in self.wrong[:20]:
            print("WRONG", describe(*entry))
        for entry in self.faults if show else []:
            print("fault", describe(*entry))
        print(f"{self.asked} questions to the real procmail, "
              f"{self.agreed} answers equal, {self.matches} with MATCH, "
              f"{len(self.faults)} its known faults; "
              f"{self.only_promised} questions that might not end there")


def describe(batch, question, ours, real, promise):
    return (f"{question.kind} {'' if question.fold else 'D '}"
            f"{question.pattern!r} in {batch.area} {batch.text!r}: "
            f"milterd {ours}, procmail {real}, promised {promise}")


def ask(arguments):
    generator = Generator(arguments.seed)
    batches = [generator.batch()
               for _ in range(-(-arguments.questions // PER_TEXT))]
    ours = ask_milterd(batches, arguments.answers)
    score = Score()
    with tempfile.TemporaryDirectory(prefix="milterd-regex-") as name:
        for batch, answers in zip(batches, ours):
            real = ask_procmail(batch, pathlib.Path(name))
            for number, question in enumerate(batch.questions):
                score.add(batch, question, answers[number],
                          real_answer(question, real.get(number)))
    score.report(arguments.show)
    assert not score.wrong, f"{len(score.wrong)} answers differ"
    assert score.asked >= arguments.questions * 0.8, "too few questions"
    assert score.matches >= score.asked * 0.1, "too few with MATCH"
    assert len(score.faults) <= score.matches * FAULTS, "too many faults"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--questions", type=int, default=4000)
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    tests = results.Results()
    tests.run(f"regex, seed {arguments.seed}", lambda: ask(arguments))
    return tests.finish()


if __name__ == "__main__":
    sys.exit(main())
