# SPDX-License-Identifier: BSD-2-Clause
"""A day's lines of milterd's own log code, summarised by the real logwatch
with contrib/logwatch's configuration: its figures against the day's."""
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from maillog import (SRC, Count, decision, lines_of_a_day, need, refused_rcpt,
                     stamped, written)

LOGWATCH = "/usr/sbin/logwatch"
QUEUE_IDS = ("", "5AMAkGrN017289")  # sendmail's form; none yet
CLIENTS = (("203.0.113.7", "bad.example", "OK"),
           ("203.0.113.8", "forged.example", "FORGED"),
           ("203.0.113.9", "", "FAIL"))


def day():
    """(section of logwatch's report, decision), in a fixed mixture."""
    for number in range(240):
        client = CLIENTS[number % 3]
        more = {"queue_id": QUEUE_IDS[number % 2]}
        rcpt = "<u%d@victim.example>" % (number % 5)
        sender = "<a%d@spam.example>" % (number % 7)
        kind = number % 8
        if kind in (0, 1, 2):
            yield "Relaying denied", refused_rcpt(
                *client, rcpt, "550 5.7.1 Relaying denied", **more)
        elif kind == 3:
            # No refusal: the line that says "(may be forged)" alone. logwatch
            # knows it and says nothing.
            yield None, decision(*CLIENTS[1], "", "", kind="continue", **more)
        elif kind == 4:
            yield "Unresolveable or non-existent domains", decision(
                *client, "check_mail", sender,
                "553 5.1.8 Domain of sender address %s does not exist"
                % sender.strip("<>"), about=sender, **more)
        elif kind == 5:
            yield "Rejected incoming mail", decision(
                *client, "check_mail", sender,
                "550 5.7.1 Access denied", about=sender, **more)
        elif kind == 6:
            yield "Mail attempts from known spammers", decision(
                *client, "check_mail", sender, kind="discard", **more)
        else:
            name = client[1] if client[2] == "OK" else "[%s]" % client[0]
            yield "Mail attempts from known spammers", decision(
                *client, "check_relay", name, "550 5.7.1 Access denied",
                arg2=client[0], **more)


def report(lines, folder):
    """The real program, with its configuration directory in `folder`."""
    program = os.path.join(folder, "logwatch")
    services = os.path.join(folder, "etc", "conf", "services")
    logs = os.path.join(folder, "log")
    for path in (services, logs, folder + "/etc/conf/logfiles",
                 folder + "/etc/scripts/services"):
        os.makedirs(path)
    with open(LOGWATCH, encoding="latin-1") as file:
        text = file.read()
    with open(program, "w", encoding="latin-1") as file:
        file.write(text.replace('"/etc/logwatch"',
                                '"%s/etc"' % folder))
    shutil.copy(SRC + "/contrib/logwatch/sendmail.conf", services)
    with open(os.path.join(logs, "mail.log"), "w", encoding="utf-8") as file:
        file.writelines(lines)
    result = subprocess.run(
        ["perl", program, "--service", "sendmail", "--range", "all",
         "--logdir", logs, "--output", "stdout", "--format", "text",
         "--detail", "10", "--numeric"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        check=False)
    if result.returncode != 0 or result.stderr.strip():
        print(result.stdout + result.stderr)
        sys.exit(1)
    return result.stdout


def totals(text):
    """Section -> its "Total:"."""
    found = {}
    title = None
    for line in text.splitlines():
        begun = re.match(r" (\w[^:]*):(?: \[Occurrences >= 1\])?$", line)
        if begun:
            title = begun.group(1)
        ended = re.match(r"\s+Total:\s+(\d+)$", line)
        if ended and not title.startswith("Summary"):
            found[title] = int(ended.group(1))
    return found


def check_relays(count, style, made, text):
    """Who was denied relaying, how often: name, address, forged or not."""
    got = collections.Counter()
    section = text.partition("Relaying denied:")[2].partition("Total:")[0]
    who = None
    for line in section.splitlines():
        begun = re.match(r"\s+From (.*)$", line)
        if begun:
            who = " ".join(begun.group(1).split())
        hits = re.match(r"\s+to <\S+>\s+(\d+) Times?$", line)
        if hits:
            got[who] += int(hits.group(1))
    wanted = collections.Counter()
    for part, one in made:
        if part == "Relaying denied":
            forged = one["resolve"] == "FORGED" and " (may be forged)" or ""
            wanted[(one["ptr"] + forged + " [%s]" % one["address"])
                   .strip()] += 1
    count.same(style + ": relays", got, wanted)


def main():
    need("perl")
    if not os.path.exists(LOGWATCH):
        print("SKIP: logwatch is not here")
        sys.exit(77)
    made = list(day())
    lines = written([one for _, one in made])
    wanted = collections.Counter(section for section, _ in made)
    del wanted[None]
    own = lines_of_a_day()
    folder = tempfile.mkdtemp(prefix="milterd-lw.")
    count = Count()
    try:
        count.same("lines written", len(lines), len(made))
        for style in ("rfc3164", "rfc3339"):
            text = report(stamped(lines + own, style),
                          os.path.join(folder, style))
            count.same(style + ": totals", totals(text), dict(wanted))
            # Of what milterd says of itself only the refused reload is shown.
            shown = text.partition("**Unmatched Entries**")[2]
            count.same(style + ": unmatched",
                       re.findall(r"^ +(\w+ \w+), .* 1 Time$", shown, re.M),
                       ["not reloaded"])
            check_relays(count, style, made, text)
    finally:
        shutil.rmtree(folder)
    count.end()


main()
