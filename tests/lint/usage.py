# SPDX-License-Identifier: BSD-2-Clause
"""What the programs say of their use stands in their manual, and the reverse:
milterd's options, milterctl's commands, the attributes of a session."""
import re
from tree import BUILD, Report, read, run

# Postfix's policy protocol and `milterctl rewrite` use them among themselves.
NOT_FOR_USERS = {"request", "protocol_state", "queue_id",
                 "rewrite", "as", "local"}


def items(page, section):
    """The words of the .It lines in the list behind this text."""
    text = read(page).split(section, 1)[-1].split("\n.El", 1)[0]
    return re.findall(r"^\.It (.*)$", text, re.M)


def compare(report, page, kind, said, documented):
    report.check(said, "%s: no %ss were found" % (page, kind))
    for name in sorted(said | documented):
        report.check(name in documented, "%s does not have the %s %s"
                     % (page, kind, name))
        report.check(name in said, "%s: there is no %s %s"
                     % (page, kind, name))


def main():
    report = Report()
    usage = run([BUILD + "/milterd", "-h"]).stdout
    said = set(re.findall(r"^\s+-(\w), --[\w-]+", usage, re.M)) \
        | set(re.findall(r"^\s+-\w, --([\w-]+)", usage, re.M))
    documented = set()
    for item in items("man/milterd.8", "The options are:"):
        documented |= set(re.findall(r"(?:Fl |, )(?:Fl )?-?([\w-]+)", item))
    compare(report, "man/milterd.8", "option", said, documented)

    usage = run([BUILD + "/milterctl"]).stderr
    said = set(re.findall(r"^  (\w+)", usage, re.M))
    documented = {re.match(r"Cm (\w+)", item).group(1) for item in
                  items("man/milterctl.8", "The commands are:")
                  if item.startswith("Cm ")}
    compare(report, "man/milterctl.8", "command", said, documented)

    said = set(run([BUILD + "/tests/lint/attributes"]).stdout.split()) \
        - NOT_FOR_USERS
    documented = set()
    for item in items("man/milterctl.8", ".Ss Attributes of a session"):
        documented |= set(re.findall(r"\w+", item)) - {"Cm"}
    compare(report, "man/milterctl.8", "attribute", said, documented)
    report.end()


main()
