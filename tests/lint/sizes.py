# SPDX-License-Identifier: BSD-2-Clause
"""Prints sizes; judges nothing. Alarms: a file of 600 lines, a function of 80
lines, a header of 100."""
import re
import statistics
from tree import LAYERS, read, sources

FUNCTION = re.compile(r"^(\w+)\([^;{]*?\)\n\{\n(.*?)^\}", re.M | re.S)


def main():
    lengths = []
    for layer in LAYERS:
        total = 0
        for path in sources(layer):
            text = read(path)
            lines = text.count("\n")
            total += lines
            if lines > (600 if path.endswith(".c") else 100):
                print("alarm: %s has %d lines" % (path, lines))
            for name, body in FUNCTION.findall(text):
                lengths.append(body.count("\n"))
                if lengths[-1] > 80:
                    print("alarm: %s: %s has %d lines"
                          % (path, name, lengths[-1]))
        print("%-7s %3d files %6d lines" % (layer, len(sources(layer)), total))
    if lengths:
        lengths.sort()
        print("%d functions: median %d lines, p90 %d, longest %d"
              % (len(lengths), statistics.median(lengths),
                 lengths[len(lengths) * 9 // 10], lengths[-1]))
    print("1 passed, 0 failed")


