# SPDX-License-Identifier: BSD-2-Clause
"""Every configuration word stands in milterd.conf(5) with its default, marked
as fixed where a reload does not change it, and every word there exists; the samples use no other words, and one of them has
all, each with its default; every command of
milterctl stands in milterctl(8)."""
import re
from tree import BUILD, Report, read, run

ITEM = re.compile(r"^\.It Ic ([\w.]+)", re.M)
COMPLETE = "contrib/milterd.conf.sample"
SAMPLES = ("contrib/milterd.conf", COMPLETE)


def documented():
    """word -> the text of its paragraph in the manual."""
    parts = ITEM.split(read("man/milterd.conf.5"))
    return dict(zip(parts[1::2], parts[2::2]))


def check_words(report):
    result = run([BUILD + "/tests/lint/words"])
    report.check(result.returncode == 0, "words: " + result.stderr)
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    words = {row[0]: row[2] for row in rows}
    fixed = {row[0] for row in rows if row[3] == "fixed"}
    manual = documented()
    for word, initial in sorted(words.items()):
        report.check(word in manual, word + " is not in milterd.conf(5)")
        report.check((".Em Fixed" in manual.get(word, "")) == (word in fixed),
                     word + (": milterd.conf(5) does not say that it is fixed"
                             if word in fixed else
                             ": milterd.conf(5) says that it is fixed"))
        match = re.search(r"^Default:\s*(.*?)\.?$", manual.get(word, ""),
                          re.M)
        said = re.sub(r"\.[A-Z]\w |[\"`']|\\&", "", match.group(1)) \
            if match else None
        report.check(said is not None,
                     word + ": milterd.conf(5) says no default")
        wanted = initial or "empty"
        report.check(said is None or said.split(",")[0].split(" (")[0]
                     == wanted, "%s: the default is %s, milterd.conf(5) says "
                     "%s" % (word, wanted, said))
    for word in sorted(manual):
        report.check(word in words, "milterd.conf(5): there is no " + word)
    return words


def settings_in(path):
    """(word, value, is it one of the list of all?) of each line of a sample
    that sets one; inside a section "section.word"."""
    section = ""
    for line in read(path).splitlines():
        opened = re.match(r"#?(\w+) \{$", line)
        if opened:
            section = opened.group(1) + "."
        elif re.match(r"#?\}", line):
            section = ""
        match = re.match(r"#?\s*(\w+) = (.*)$", line)
        if match:
            listed = re.match(r"#\t\w" if section else r"#\w", line)
            yield section + match.group(1), match.group(2), listed


def check_samples(report, words):
    for path in SAMPLES:
        for word, _, _ in settings_in(path):
            report.check(word in words, "%s: there is no %s" % (path, word))
    said = [row[:2] for row in settings_in(COMPLETE) if row[2]]
    for word, initial in sorted(words.items()):
        values = [value.strip("{}\"") for name, value in said if name == word]
        report.check(values == [initial], "%s: %s has the default %s, not %s"
                     % (COMPLETE, word, initial or "empty", values))


def main():
    report = Report()
    check_samples(report, check_words(report))
    report.end()


main()
