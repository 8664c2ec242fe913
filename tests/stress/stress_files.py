# SPDX-License-Identifier: BSD-2-Clause
"""Row S7: files and directories that others may write are refused, by name.
tests/unit/test_safe_file.c has owners and the directories above."""

import contextlib
import os
import shutil
import subprocess
import tempfile

from kit import figure

EX_DATAERR, EX_NOPERM, EX_CONFIG = 65, 77, 78

CONFIG = """\
socket = "unix:{place}/run/milterd.sock"
control_socket = "unix:{place}/run/control.sock"
access = "{place}/mail/access"
local_domain = "{place}/mail/local-host-names"
relay_domain = "{place}/mail/relay-domains"
aliases = "{place}/mail/aliases"
genericstable = "{place}/mail/genericstable"
virtusertable = "{place}/mail/virtusertable"
domaintable = "{place}/mail/domaintable"
mailertable = "{place}/mail/mailertable"
generics_domain = "{place}/mail/generics-domains"
resolver = "127.0.0.1:9"
hostname = "mail.abc.com"
"""
MAIL = ("access", "local-host-names", "relay-domains", "aliases",
        "genericstable", "virtusertable", "domaintable", "mailertable",
        "generics-domains")


@contextlib.contextmanager
def tree():
    """A directory that only root can have written to, files in it."""
    place = tempfile.mkdtemp(prefix="milterd-files-", dir="/var/cache")
    try:
        os.chmod(place, 0o755)
        for folder in ("mail", "run"):
            os.mkdir(f"{place}/{folder}", 0o755)
        for name in MAIL:
            with open(f"{place}/mail/{name}", "w") as file:
                file.write("")
            os.chmod(f"{place}/mail/{name}", 0o644)
        with open(f"{place}/milterd.conf", "w") as file:
            file.write(CONFIG.format(place=place))
        os.chmod(f"{place}/milterd.conf", 0o644)
        yield place
    finally:
        shutil.rmtree(place)


def judged(programs, place):
    done = subprocess.run(
        [programs.milterd, "-t", "-c", f"{place}/milterd.conf"], text=True,
        capture_output=True, stdin=subprocess.DEVNULL, timeout=30)
    return done.returncode, done.stderr


def linked_from(place, mode):
    """The map is a link that lies in a directory of that mode."""
    os.mkdir(f"{place}/elsewhere")
    os.rename(f"{place}/mail/access", f"{place}/elsewhere/access")
    os.symlink(f"{place}/elsewhere/access", f"{place}/mail/access")
    os.chmod(f"{place}/mail", mode)


def linked_to(place, mode):
    linked_from(place, 0o755)
    os.chmod(f"{place}/elsewhere", mode)


def cases():
    """What is wrong, how it is done, and the path at fault."""
    for name in MAIL:
        yield f"{name} 0666", \
            lambda place, name=name: os.chmod(f"{place}/mail/{name}", 0o666), \
            f"/mail/{name}"
    yield "access 0664", lambda place: os.chmod(f"{place}/mail/access",
                                                0o664), "/mail/access"
    yield "access 0646", lambda place: os.chmod(f"{place}/mail/access",
                                                0o646), "/mail/access"
    yield "access of another", lambda place: os.chown(f"{place}/mail/access",
                                                      65534, 65534), \
        "/mail/access"
    for mode in (0o777, 0o775, 0o1777):
        yield f"maps below {mode:o}", \
            lambda place, mode=mode: os.chmod(f"{place}/mail", mode), "/mail"
        yield f"configuration below {mode:o}", \
            lambda place, mode=mode: os.chmod(place, mode), ""
    yield "configuration 0666", lambda place: os.chmod(
        f"{place}/milterd.conf", 0o666), "/milterd.conf"
    yield "configuration 0664", lambda place: os.chmod(
        f"{place}/milterd.conf", 0o664), "/milterd.conf"
    yield "link in a directory of all", \
        lambda place: linked_from(place, 0o777), "/mail"
    yield "link into a directory of all", \
        lambda place: linked_to(place, 0o777), "/elsewhere"


def test_what_others_may_write(programs, directory):
    if os.getuid() != 0:
        print("      (not root: cannot make a safe directory)")
        return
    with tree() as place:
        assert judged(programs, place) == (0, ""), judged(programs, place)
    with tree() as place:
        linked_from(place, 0o755)
        assert judged(programs, place) == (0, ""), judged(programs, place)
    number = 0
    for what, spoil, at in cases():
        with tree() as place:
            spoil(place)
            status, said = judged(programs, place)
            assert status in (EX_NOPERM, EX_CONFIG), (what, status, said)
            assert place + at in said, (what, said)
            number += 1
    figure("S7", f"{number} of {number} refused, each with the path at fault")
