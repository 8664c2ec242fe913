# SPDX-License-Identifier: BSD-2-Clause
"""Judges ThreadSanitizer's reports: races.py DIRECTORY, with TSAN_OPTIONS'
log_path in it. libmilter destroys at its end the locks that its threads, and
smfi_stop(), still take; a report is its own if it did every access itself.
Suppressions cannot say that: they look at whole stacks, and libmilter is at
the bottom of every callback's."""
import os
import re
import sys

FRAME = re.compile(r"^\s+#\d+ (\S+) (.*?)(?: \((\S+)\+0x[0-9a-f]+\))?$")
# Stacks that tell where something came from, not who touched it.
ORIGIN = re.compile(r"^\s+(Thread|Mutex|Location|As if|Hint)\b")


def acting_frames(report):
    """For each access its first frame that is not ThreadSanitizer's; a stack
    of nothing else (exit handlers) counts as None."""
    stack = None
    found = []
    for line in report.splitlines():
        frame = FRAME.match(line)
        if not frame:
            if line.strip():
                stack = [] if not ORIGIN.match(line) else None
                if stack is not None:
                    found.append(stack)
        elif stack is not None and "libtsan" not in (frame.group(3) or ""):
            stack.append(frame.group(3) or frame.group(2))
    return [stack[0] if stack else None for stack in found
            if stack is not None]


def is_libmilters(report):
    frames = [frame for frame in acting_frames(report) if frame]
    return bool(frames) and all("libmilter.so" in frame for frame in frames)


def main(folder):
    excused = blamed = 0
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8",
                  errors="replace") as file:
            reports = file.read().split("==================\n")
        for report in reports:
            if "WARNING: ThreadSanitizer" not in report:
                continue
            if is_libmilters(report):
                excused += 1
                continue
            blamed += 1
            print("FAIL: " + report)
    print("%d reports of libmilter's own end, %d of milterd's"
          % (excused, blamed))
    return 1 if blamed else 0


sys.exit(main(sys.argv[1]))
