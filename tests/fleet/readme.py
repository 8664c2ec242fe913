# SPDX-License-Identifier: BSD-2-Clause
"""What README.md tells the administrator to write and to type."""

import os
import re
import shlex
import subprocess
import textwrap

from kit import PROGRAMS

HEADING = "From one server to many"
README = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "..", "..", "README.md")


def blocks():
    """The indented texts below the heading: configuration, then commands."""
    with open(README) as file:
        text = file.read()
    section = re.search(rf"^## {HEADING}\n(.*?)^## ", text, re.M | re.S)[1]
    return [textwrap.dedent(block) for block in
            re.findall(r"(?:^ {4}.*\n)+", section, re.M)]


def in_place(config, node, redis):
    """The configuration, with our directory and our Redis for theirs."""
    for theirs, ours in (('"/var/lib/milterd"', f'"{node.state}"'),
                         ('"inet:6379@redis.abc.com"',
                          f'"inet:{redis.port}@127.0.0.1"')):
        assert config.count(theirs) == 1, (theirs, config)
        config = config.replace(theirs, ours)
    return config


def type_on(node, commands):
    """As the administrator does, in a shell; what it prints."""
    milterctl = shlex.join([PROGRAMS.milterctl, "-c", node.config])
    done = subprocess.run(
        ["sh", "-eu", "-c",
         f'milterctl() {{ {milterctl} "$@"; }}\n' + commands],
        text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False, timeout=120)
    assert done.returncode == 0, done
    return done.stdout
