# SPDX-License-Identifier: BSD-2-Clause
"""A million entries: loading them, beside makemap, and looking them up."""

import json
import os
import resource
import shutil
import subprocess
import time


def lookups(build, access):
    """What the program of that name finds."""
    done = subprocess.run([f"{build}/tests/bench/lookups", access], check=True,
                          stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def find_makemap():
    """makemap, installed or unpacked below SENDMAIL_ROOT; None."""
    root = os.environ.get("SENDMAIL_ROOT", "")
    for path in (shutil.which("makemap"), f"{root}/usr/sbin/makemap",
                 f"{root}/usr/libexec/sendmail/makemap"):
        if path and os.path.exists(path):
            return path
    return None


def makemap(program, access, directory):
    """Seconds by the clock and of processor time, and bytes of the result."""
    database = f"{directory}/makemap.db"
    before, began = _children_cpu(), time.monotonic()
    with open(access) as text:
        subprocess.run([program, "-C", "/dev/null", "hash", database],
                       stdin=text, check=True, stderr=subprocess.PIPE)
    took, cpu = time.monotonic() - began, _children_cpu() - before
    size = os.path.getsize(database)
    os.unlink(database)
    return took, cpu, size


def _children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
