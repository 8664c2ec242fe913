# SPDX-License-Identifier: BSD-2-Clause
"""contrib/logcheck's patterns, applied as logcheck does: they cover what
milterd writes on a good day, and leave the refused reload."""
import re
import subprocess
from maillog import (SRC, Count, decision, lines_of_a_day, refused_rcpt,
                     stamped, written)

HOST = ("203.0.113.7", "bad.example", "FORGED")


def left(lines):
    """The lines that no pattern covers, without what logcheck ignores."""
    result = subprocess.run(
        ["grep", "-E", "-v", "-f", SRC + "/contrib/logcheck/milterd"],
        input="".join(lines), stdout=subprocess.PIPE, text=True, check=False)
    return [re.sub(r".* milterd\[\d+\]: ", "", line)
            for line in result.stdout.splitlines()]


def main():
    count = Count()
    lines = written([
        refused_rcpt(*HOST, "<u@victim.example>", "550 5.7.1 Relaying denied",
                     queue_id="4XyZ1b2Kw3z9vQd"),
        decision(*HOST, "check_relay", "bad.example",
                 "550 5.7.1 Access denied", arg2=HOST[0]),
        decision(*HOST, "check_mail", "<a@b.example>", kind="discard"),
        decision(*HOST, "check_mail", "<>", kind="quarantine", text="why"),
        decision(*HOST, "", "", kind="continue"),
    ])
    count.same("lines written", len(lines), 5)
    own = lines_of_a_day()
    for style in ("rfc3164", "rfc3339"):
        rest = left(stamped(lines + own, style))
        count.same(style + ": " + "; ".join(rest),
                   [line.split(",")[0] for line in rest], ["not reloaded"])
    other = stamped(["sshd[1]: Accepted password for root"], "rfc3164")
    count.same("another program's line", len(left(other)), 1)
    count.end()


main()
