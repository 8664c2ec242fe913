#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whole rc files and messages, to the real procmail and to milterd's engine.

  tests/procmail/recipes.py --answers PROGRAM [--show] [CASE...]

Cases stand in tests/procmail/cases/*.txt:

  == name
  What it is about.
  -- rc
  the rc file
  -- message         (the default message where it is missing)
  -- file NAME       (another file, in the directory where it runs)
  -- arguments a b

Both run in a directory of their own with the same recorders. Compared are the
folders and what is in them, who it was forwarded to and what was sent, what
programs wrote into files, the exit status, and the lines that LOG= wrote. A
case may say why milterd differs ("-- differs reason"): then it must.
"""

import argparse
import concurrent.futures
import contextlib
import ctypes
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "common"))

from results import Results, chosen                      # noqa: E402

MESSAGE = """\
From ann@far.example Sat Nov 28 20:00:00 2026
Received: from far.example by mail.abc.com; Sat, 28 Nov 2026 20:00:00 +0000
From: Ann Other <ann@far.example>
To: joe@abc.com, Team <team@abc.com>
Cc: <eve@abc.com>
Subject: A word about numbers
Message-ID: <1@far.example>
X-Folded: one
\ttwo
  three

First line of the body.
Second line, with a word.

Last line.
"""

HOST = os.uname().nodename      # procmail's idea of it
AT_ONCE = 8                     # procmail sleeps now and then

# Who it is forwarded to, and what is sent.
SENDMAIL = """\
#!/bin/sh
{ for word; do echo "<$word>"; done; echo --; cat; } >"$SCRATCH/sent$$"
"""


class Case:
    def __init__(self, source, name, parts):
        self.name = f"{source}/{name}"
        self.rc, self.message = "", MESSAGE
        self.files, self.arguments, self.differs = {}, [], None
        for heading, text in parts:
            word, _, rest = heading.partition(" ")
            if word == "rc":
                self.rc = text
            elif word == "message":
                self.message = text
            elif word == "file":
                self.files[rest] = text
            elif word == "arguments":
                self.arguments = rest.split()
            elif word == "differs":
                self.differs = rest
            else:
                raise ValueError(f"{self.name}: -- {heading}")


def read_cases(path):
    source = os.path.basename(path).removesuffix(".txt")
    with open(path) as file:
        text = file.read()
    for block in re.split(r"^== ", text, flags=re.M)[1:]:
        name, _, rest = block.partition("\n")
        parts = re.split(r"^-- (.*)\n", rest, flags=re.M)[1:]
        yield Case(source, name.strip(),
                   list(zip(parts[::2], parts[1::2])))


class Place:
    """Where one of the two runs a case."""

    def __init__(self, case, directory):
        self.directory = directory
        self.mail = f"{directory}/mail"
        os.makedirs(self.mail)
        self.write("rc", case.rc.replace("@DIR@", directory).replace(
            "@HOST@", HOST))
        self.write("sendmail", SENDMAIL, 0o755)
        for name, text in case.files.items():
            os.makedirs(os.path.dirname(f"{self.mail}/{name}"),
                        exist_ok=True)
            self.write(f"mail/{name}", text.replace("@DIR@", directory), 0o755)
        self.variables = {
            "MAILDIR": self.mail, "DEFAULT": f"{self.mail}/default",
            "ORGMAIL": f"{self.mail}/default", "HOME": directory,
            "SENDMAIL": f"{directory}/sendmail", "LOGNAME": "joe",
            "SCRATCH": directory, "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin", "LOGABSTRACT": "no",
            "SENDMAILFLAGS": "-oi"}

    def write(self, name, text, mode=0o644):
        path = f"{self.directory}/{name}"
        with open(path, "w", encoding="latin-1", newline="") as file:
            file.write(text)
        os.chmod(path, mode)

    def prepare(self, folders):
        """Empty files of long ago, and which: procmail sleeps a second for
        one that is new. One that stays empty is as good as none."""
        made = {}
        for name in folders:
            path = f"{self.mail}/{name}"
            if name.endswith(("/", "/.")) or os.path.exists(path):
                continue
            with contextlib.suppress(OSError):
                self.write(f"mail/{name}", "")
                os.utime(path, (1, 1))
                made[f"mail/{name}"] = ""
        return made

    def written(self):
        """Name to content of what has appeared."""
        found = {}
        for top, _, names in os.walk(self.directory):
            for name in names:
                path = os.path.join(top, name)
                with open(path, encoding="latin-1", newline="") as file:
                    found[os.path.relpath(path, self.directory)] = file.read()
        return found


def outcome(files, before, exit_code, log):
    """What is compared, as a dictionary of plain things."""
    folders, sent, others = {}, [], {}
    for name, text in files.items():
        if before.get(name) == text or name == "log":
            continue
        if name.startswith("sent"):
            head, _, body = text.partition("--\n")
            people = [word for word in head.split("\n")
                      if word not in ("", "<-oi>")]
            sent.append((people, body.rstrip("\n")))
        elif name.startswith("mail/"):
            folder, content = folder_of(name[5:], text)
            folders.setdefault(folder, []).append(content)
        else:
            others[name] = text
    return {"folders": {k: sorted(v) for k, v in folders.items()},
            "sent": sorted(sent), "others": others, "exit": exit_code,
            "log": [line for line in log.split("\n") if line[:1] == "@"]}


def folder_of(name, text):
    """Maildir, MH and mbox; an mbox may hold several messages."""
    found = re.fullmatch(r"(.*/)(new|cur)/[^/]*", name)
    if found:
        return found.group(1), text.rstrip("\n")
    found = re.fullmatch(r"(.*/)\d+", name)
    if found:
        return found.group(1) + ".", without_from(text)
    return name, without_from(text)


def without_from(text):
    text = re.sub(r"\AFrom .*\n", "", text)
    return re.sub(r"\n+From .* \d{4}\n", "\n--\n", text).rstrip("\n")


PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_for_orphans():
    """procmail does not wait for what it has written to, unless told."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def by_procmail(case, directory, folders=()):
    place = Place(case, directory)
    place.write("log", "")
    before = place.written()
    before.update(place.prepare(folders))
    variables = [f"{k}={v}" for k, v in place.variables.items()]
    done = subprocess.run(
        ["procmail", "-m", *variables, f"LOGFILE={directory}/log",
         f"{directory}/rc", *case.arguments],
        input=case.message.encode("latin-1"), capture_output=True,
        env={"PATH": "/usr/bin:/bin"}, timeout=120, cwd=directory)
    wait_for_orphans()
    files = place.written()
    return outcome(files, before, done.returncode, files.get("log", "")), \
        files.get("log", "") + done.stderr.decode("latin-1")


def text_of(numbers):
    return bytes(numbers).decode("latin-1")


def put(place, name, delivery):
    """As procmail would have put it there."""
    path = os.path.normpath(os.path.join(place.mail, name))
    is_maildir = name.endswith("/")
    if is_maildir or name.endswith("/."):
        directory = path + "/new" if is_maildir else path
        os.makedirs(directory, exist_ok=True)
        path = f"{directory}/{len(os.listdir(directory)) + 1}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a", encoding="latin-1", newline="") as file:
        if file.tell() > 0:
            file.write("\nFrom joe 2026\n")
        file.write(text_of(delivery["header"]) + text_of(delivery["body"]))


def by_milterd(case, directory, program):
    place = Place(case, directory)
    before = place.written()
    variables = [f"{k}={v}" for k, v in place.variables.items()]
    variables.append(f"HOST={HOST}")
    done = subprocess.run(
        [program, f"{directory}/rc", *variables, *case.arguments],
        input=case.message.encode("latin-1"), capture_output=True,
        env={"PATH": "/usr/bin:/bin"}, timeout=120, cwd=place.mail)
    assert done.returncode == 0, done.stderr.decode()
    answer = json.loads(done.stdout)
    sent = []
    for each in answer["deliveries"]:
        if each["kind"] == "folder":
            put(place, text_of(each["name"]), each)
        elif each["kind"] == "keep":
            put(place, "default", each)
        elif each["kind"] == "forward":
            people = [f"<{text_of(word)}>" for word in each["addresses"]]
            sent.append((people, (text_of(each["header"]) + text_of(
                each["body"])).rstrip("\n")))
    files = place.written()
    result = outcome(files, before, answer["exit_code"],
                     text_of(answer["log"]))
    result["sent"] = sorted(result["sent"] + sent)
    if answer["limit"]:
        result["limit"] = answer["limit"]
    return result, "".join(text_of(note) + "\n" for note in answer["notes"])


# What procmail says of a program that ended before all was written to it. If
# one reads nothing that is a matter of luck, on a busy machine of bad luck.
HAS_ENDED = "procmail: Error while writing to"
TRIES = 20


def neutral(result, directory):
    return json.loads(json.dumps(result).replace(directory, "@DIR@"))


def ask_both(case, options):
    with tempfile.TemporaryDirectory(prefix="procmail-",
                                     dir=options.work) as top:
        ours, notes = by_milterd(case, f"{top}/b", options.answers)
        ours = neutral(ours, f"{top}/b")
        theirs, log = by_procmail(case, f"{top}/a", ours["folders"])
        theirs = neutral(theirs, f"{top}/a")
    return ours, notes, theirs, log


def compare(case, options):
    for _ in range(TRIES):
        ours, notes, theirs, log = ask_both(case, options)
        if ours == theirs or HAS_ENDED not in log:
            break
    if options.show:
        print(f"{case.name}\n{json.dumps(theirs, indent=1)}\n{log}")
    if case.differs is None:
        assert ours == theirs, f"procmail {theirs}\n  milterd  {ours}\n" \
            f"  procmail's log: {log}  notes: {notes}"
    else:
        assert ours != theirs, f"no difference any more: {case.differs}"


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", required=True, type=os.path.abspath)
    parser.add_argument("--show", action="store_true")
    # procmail reads no rc file below a directory that others may write.
    parser.add_argument("--work", default="/var/cache")
    parser.add_argument("cases", nargs="*", metavar="CASE")
    return parser.parse_args()


def main():
    options = arguments()
    results = Results()
    with concurrent.futures.ProcessPoolExecutor(
            AT_ONCE, initializer=adopt_orphans) as pool:
        judged = [(case.name, pool.submit(compare, case, options))
                  for path in sorted(glob.glob(f"{HERE}/cases/*.txt"))
                  for case in read_cases(path)
                  if chosen(case.name, options.cases)]
        for name, comparison in judged:
            results.run(name, comparison.result)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
