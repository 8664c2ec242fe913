#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Seeded rc files, odd ones too, for the real procmail and for milterd's engine.

  tests/procmail/random_recipes.py --answers PROGRAM [--count N] [SEED...]

Compared is what recipes.py compares, what programs were given, and the values
of variables. Left out is what milterd does otherwise on purpose, or procmail
by mistake: `}` in an action's place, a blank in an unquoted ${A-b c}, which
procmail remembers in the next line, TRAP and DELIVERED, named lockfiles (it
waits for its own), negative sizes, conditions without a star, `f` with `!`, rc files that go round in
circles. Files that name folders elsewhere are not judged, nor those at which
procmail breaks down.
"""
import argparse
import concurrent.futures
import os
import random
import re
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "common"))

import recipes                                          # noqa: E402
from results import Results                             # noqa: E402

FIRST = 1                       # seed

NAMES = ("A", "B", "C", "LONGNAME", "_x1")
PIECES = (
    "x", "foo", "a b", " ", "  ", "$A", "$B", "${A}", "${B:-def}",
    "${A:+alt}", "${C+$B}", "$\\A", "'q $A'", '"d $B"', '"', "'", "\\", "\\\\",
    "\\\n", "\\ ", "#", " # c", "}", "{", "`./say $A b`", "`./say 'x  y'`", "$1",
    "$2", "$#", "$=", "$?", "$@", '"$@"', "${", "${A:=x}", "$", "$\\(", ";",
    "*", "=", "1", ",", "/", "\t", "${B:+`./say in`}", '"${A:-"q"}"', "$_", "!",
    "${A:-${B:-deep}}", "\\$A", "\\#", "${12}", "|", "\\'",
)
EXPRESSIONS = (
    "^Subject:", "^Subject:.*lunch", "^From", "nothing", "^TO_joe", "^TOjoe",
    "^FROM_DAEMON", "^Subject: \\/.*", "noon\\/.$", "joe|bob", "^Subject:.*$A",
    "\\<lunch\\>", "()\\<lunch", ".", "^^From", "Ann$^^", "[A-Z]+", "(a", "x$",
    "^X-Spam-Level: \\**$", "^To:.*Bob", "example\\.net", "^",
)
WEIGHTS = ("1^0", "1^1", "-1^1", "10^.5", "2^2", "-5^0", ".5^.5", "1e3^0",
           "0x10^0", "0^1", "1^-1", "+3^1", "3000000000^0", "1,5^0", "1 ^ 1")
FLAGS = ("", "", "", "c", "c", "B", "HB", "D", "A", "a", "E", "e", "h", "b",
         "w", "W", "i", "r", "Hc", "Bh", "Ac", "Ec", "z", "c:", ":")


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.depth = 0
        self.is_included = False

    def pick(self, items):
        return self.random.choice(items)

    def often(self, chance):
        return self.random.random() < chance

    def text(self, most=4):
        return "".join(self.pick(PIECES)
                       for _ in range(self.random.randint(0, most)))

    def assignment(self):
        name = self.pick(NAMES)
        if self.often(.15):
            return self.pick((name, name + " " + self.pick(NAMES),
                              name + "-1=x", "export %s=1" % name,
                              "LINEBUF=%d" % self.pick((900, 1500)),
                              "SHIFT=1", "=x", "%s=1}" % name))
        return "%s%s=%s%s" % (name, self.pick(("", "", "", " ")),
                              self.pick(("", "", "", " ")), self.text())

    def expression(self):
        if self.often(.2):
            return "$ " + self.pick(EXPRESSIONS) + self.text(2)
        return self.pick(EXPRESSIONS)

    def condition(self):
        what = self.random.random()
        if what < .6:
            text = self.expression()
        elif what < .75:
            text = "%s %s" % (self.pick("<>"), self.pick(
                ("100", "300", "1000", "1k", "foo", "$A", "2 3")))
        elif what < .85:
            text = "? " + self.pick(("./rec -x 1 q", "./rec q", "./rec -x 3 $A",
                                     "false", "true", "./rec $A \"$@\"",
                                     "./say x | grep -q y", "/usr/bin/test a = a"))
        else:
            text = "%s ?? %s" % (self.pick((*NAMES, "B", "H", "HB", "BH",
                                            "MATCH", "1")),
                                 self.pick((self.expression(), "< 5", "> 1",
                                            "? ./rec v", "! x", "^^^^")))
        if self.often(.25):
            text = self.pick(WEIGHTS) + self.pick((" ", " ", "")) + text
        if self.often(.2):
            text = self.pick(("!", "! ", "!!", "$ ")) + text
        if self.often(.1):
            text += self.pick((" ", "\t", "\\\n  (x)?", " # no"))
        return "* " + text

    def folder(self):
        name = self.pick(("in", "work", "sub.box", "md/", "mh/.", "$A", "$MATCH",
                          "\"q r\"", "two words", "/dev/null", "a=b", "X = y",
                          "{x}", "b$B/", "d.$=", "foo#bar", "box # c",
                          "md/ md2/", "A"))
        return name

    def action(self):
        what = self.random.random()
        if what < .5:
            return self.folder()
        if what < .65:
            return "! " + self.pick(("bob@x", "bob@x ann@y", "$A@x b@y",
                                     "\"$@\" b@y", "b@y # c"))
        if what < .8:
            return "| " + self.pick(("./rec p", "./rec -x 2 p", "./rec $A $B",
                                     "./rec 'q r' $=", "./rec \"$@\" z", "./rec p; :",
                                     "./rec \\\n p", "cat | ./rec p"))
        if what < .9:
            return "%s=| " % self.pick(NAMES) + self.pick(
                ("./say out $A", "./rec -o txt p", "./rec -x 1 -o txt p"))
        return "|" + self.pick((" cat", " sed s/lunch/dinner/"))

    def recipe(self):
        lines = [":0 " + self.pick(FLAGS) + self.pick(("", "", "", " c"))]
        if self.often(.05):
            lines[0] = self.pick((":0", ":0 # c", ":0c# x",
                                  ":0 $A", ":0 \"c\"", ": 0 c"))
        action = self.action()
        if action.startswith(("| cat", "| sed")) and self.often(.8):
            lines[0] = ":0 f" + self.pick(("", "h", "b", "hb")) + "w"
        for _ in range(self.random.randint(0, 3)):
            lines.append(self.pick(("", "", "  ")) + self.condition())
            if self.often(.1):
                lines.append(self.pick(("# comment", "", "  # c \\")))
        if self.depth < 3 and self.often(.3):
            self.depth += 1
            lines += ["{", *self.statements(3), "}"]
            self.depth -= 1
        else:
            lines.append(action)
        return "\n".join(lines)

    def statements(self, most):
        made = []
        for _ in range(self.random.randint(1, most)):
            what = self.random.random()
            if what < .6:
                made.append(self.recipe())
            elif what < .95:
                made.append(self.assignment())
            else:
                made.append(self.odd())
            if self.often(.3):
                made.append("")
        return made

    def odd(self):
        choices = ["# comment", "}", "EXITCODE=67", "EXITCODE=$A", "DEFAULT=$A",
                   "INCLUDERC=none", "junk-line x", "HOST=other", "SWITCHRC=",
                   "SWITCHRC=none"]
        if not self.is_included:
            choices += ["INCLUDERC=inc", "SWITCHRC=inc"]
        return self.pick(choices)

    def included(self):
        """A file that names no others: nothing goes round in circles."""
        self.is_included = True
        return self.rc()

    def rc(self):
        text = re.sub(r"\$\$+", "$", "\n".join(self.statements(8)))
        return text + "\n" + TELL


TELL = """
LOG="@A=<$A> B=<$B> C=<$C> L=<$LONGNAME> x=<$_x1> M=<$MATCH> ?=<$?> ==<$=> #=<$#> 1=<$1>
"
"""


RECORD = """#!/bin/sh
i=1
until mkdir "$SCRATCH/ran$i" 2>/dev/null; do i=$((i + 1)); done
status=0
text=
while :; do
    case $1 in
    -x) status=$2 ;;
    -o) text=$2 ;;
    *) break ;;
    esac
    shift 2
done
{ printf '%s\\0' "$@"; cat; } >"$SCRATCH/ran$i/what"
[ -z "$text" ] || printf '%s\\n' "$text"
exit $status
"""
SAY = """#!/bin/sh
printf '%s\\n' "$*"
"""

FROM_LINE = recipes.MESSAGE.split("\n", maxsplit=1)[0]


def tidy(result):
    """Clones write when they will: what comes in any order is sorted."""
    others = result.pop("others")
    result["ran"] = sorted(text for name, text in others.items()
                           if name.startswith("ran"))
    result["elsewhere"] = any(not name.startswith("ran") for name in others)
    result["log"].sort()
    result["sent"] = sorted([[word for word in words if word != "<>"], text]
                            for words, text in result["sent"])
    for name, texts in result["folders"].items():
        result["folders"][name] = sorted(
            line for line in "\n".join(texts).split("\n")
            if line not in ("", "--", FROM_LINE))
    return result


def is_elsewhere(result):
    """A folder in a directory that procmail would not find."""
    return result["elsewhere"] or any(
        "/" in re.sub("/[.]?$", "", name) for name in result["folders"])


def case_of(seed):
    maker = Maker(seed)
    case = recipes.Case("random", str(seed), [
        ("rc", maker.rc()), ("file inc", maker.included()),
        ("file rec", RECORD), ("file say", SAY)])
    case.arguments = maker.pick(([], ["x"], ["x y", "z"]))
    return case


def compare(seed, options):
    case = case_of(seed)
    for _ in range(recipes.TRIES):
        ours, _, theirs, log = recipes.ask_both(case, options)
        ours, theirs = tidy(ours), tidy(theirs)
        if ours == theirs or recipes.HAS_ENDED not in log:
            break
    if theirs["exit"] < 0 or is_elsewhere(ours):
        return
    wrong = [part for part in theirs if theirs[part] != ours.get(part)]
    assert not wrong, "\n".join(
        [case.rc, "--- inc", case.files["inc"], f"--- {case.arguments}"] +
        [f"{part}:\n  procmail {theirs[part]}\n  milterd  {ours.get(part)}"
         for part in wrong] + ["procmail's log:", log])


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", required=True, type=os.path.abspath)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--work", default="/var/cache")
    parser.add_argument("seeds", nargs="*", type=int, metavar="SEED")
    return parser.parse_args()


def main():
    options = arguments()
    results = Results()
    with concurrent.futures.ProcessPoolExecutor(
            recipes.AT_ONCE, initializer=recipes.adopt_orphans) as pool:
        judged = [(str(seed), pool.submit(compare, seed, options))
                  for seed in options.seeds or
                  range(FIRST, FIRST + options.count)]
        for name, comparison in judged:
            results.run(name, comparison.result)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
