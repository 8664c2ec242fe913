# SPDX-License-Identifier: BSD-2-Clause
"""What recipes need beside the configuration: users' files, programs, a place
for the spool, and the MTA's command that takes mail in."""

import os
import shlex

import policies
from world import DAEMON_USER, make_directory, write

# A filter, and programs that are no good.
PROGRAMS = {
    # Behind the line "From ", where there is one.
    "mark": "exec sed -e '1{/^From /{n;s/^/X-Marked: yes\\n/;b'"
            " -e '}' -e 's/^/X-Marked: yes\\n/' -e '}'",
    "blank": "exec sed -e 's/^X-A: one/X-A:/' -e 's/^X-A: two/X-A: TWO/'",
    "hang": "sleep 600 & sleep 600",
    "flood": "exec cat /dev/zero",
    "die": "kill -9 $$",
    "fail": "exit 3",
    "take": "cat >> /var/spool/milterd-taken/$1",
}
TAKEN = "/var/spool/milterd-taken"


def install(command, environment):
    """Everything but the recipes; `command` is the MTA's sendmail(8)."""
    make_directory(policies.SPOOL, DAEMON_USER, DAEMON_USER, 0o700)
    make_directory(TAKEN, DAEMON_USER, DAEMON_USER, 0o700)
    for place in ("/etc/milterd", policies.PROGRAMS, policies.USERS):
        make_directory(place)
    script(policies.SUBMIT, "".join(
        f"export {name}={shlex.quote(value)}\n"
        for name, value in environment.items())
        + "exec " + " ".join(map(shlex.quote, command)) + ' "$@"')
    for name, text in PROGRAMS.items():
        script(f"{policies.PROGRAMS}/{name}", text)
    write(policies.RECIPES, "")
    set_away()


def script(path, text):
    write(path, f"#!/bin/sh\n{text}\n")
    os.chmod(path, 0o755)


def set_away(*users):
    """They are on vacation, and nobody else."""
    make_directory(policies.VACATION)
    for name in os.listdir(policies.VACATION):
        os.unlink(f"{policies.VACATION}/{name}")
    for user in users:
        write(f"{policies.VACATION}/{user}.msg",
              f"Subject: {user} is away\n\nI read your $SUBJECT later.\n")


def set_users(**recipes):
    """Users' own recipes, those of earlier tests forgotten."""
    for name in os.listdir(policies.USERS):
        os.unlink(f"{policies.USERS}/{name}")
    for name, text in recipes.items():
        write(f"{policies.USERS}/{name}.rc", text)
