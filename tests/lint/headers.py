# SPDX-License-Identifier: BSD-2-Clause
"""Each header compiles alone, is guarded by its own name, and every source
file begins with its licence."""
import re
from tree import CC, FLAGS, LAYERS, SRC, Report, read, run, sources

SPDX = "/* SPDX-License-Identifier: BSD-2-Clause */\n"


def main():
    report = Report()
    for layer in LAYERS:
        for path in sources(layer):
            report.check(read(path).startswith(SPDX),
                         path + ": the first line is not the licence")
        for path in sources(layer, (".h",)):
            result = run(CC + FLAGS + ["-Wall", "-Wextra", "-Werror",
                                       "-fsyntax-only", "-x", "c",
                                       SRC + "/" + path])
            report.check(result.returncode == 0, "%s does not compile alone: %s"
                         % (path, result.stderr.strip()))
            guard = re.sub(r"[/.]", "_", path).upper()
            report.check("#ifndef %s\n#define %s\n" % (guard, guard)
                         in read(path), "%s: guard is not %s" % (path, guard))
    report.end()


main()
