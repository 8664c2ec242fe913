# SPDX-License-Identifier: BSD-2-Clause
"""mandoc has nothing to say against the manual, and what one page refers to
in this manual exists."""
import os
import re
import shutil
import sys
from tree import SRC, Report, read, run, sources

# Pages of other packages need not be installed here.
ALLOWED = re.compile(r"STYLE: (referenced manual not found"
                     r"|no blank before trailing delimiter"
                     r"|legacy man\(7\) date format)"
                     r"|UNSUPP")


def main():
    if shutil.which("mandoc") is None:
        print("SKIP: mandoc is not here (Debian package mandoc)")
        sys.exit(77)
    report = Report()
    pages = sources("man", (".5", ".7", ".8"))
    for page in pages:
        result = run(["mandoc", "-Tlint", "-Wstyle", SRC + "/" + page])
        complaints = [line for line in result.stdout.splitlines()
                      if not ALLOWED.search(line)]
        report.check(not complaints, "\n      ".join([page] + complaints))
        for name, section in re.findall(
                r"^\.Xr (milter[\w.-]*) (\d)", read(page), re.M):
            path = "man/%s.%s" % (name, section)
            report.check(os.path.exists(os.path.join(SRC, path)),
                         "%s refers to %s" % (page, path))
    report.end()


main()
