# SPDX-License-Identifier: BSD-2-Clause
"""Local users with mailboxes, and what brings mail there on real hosts:
procmail, or Dovecot behind LMTP. Both have +detail for a folder's name.

A mailbox is a Maildir, folders are Maildirs below it; what lies there is named
as an address names it: "user" or "user+folder".
"""

import os
import pathlib
import shutil
import subprocess
import time

from world import make_directory, write

HOMES = pathlib.Path("/var/spool/homes")
SYSTEM_MAILBOXES = pathlib.Path("/var/mail")
USERS = ("u", "ann", "tom", "joe", "eve")
FIRST_UID = 2001

# What sendmail is told, in its .mc file.
PROCMAIL = """\
FEATURE(`local_procmail', `/usr/bin/procmail', `procmail -Y -a $h -d $u')dnl
"""
_PROCMAILRC = """\
SHELL=/bin/sh
DROPPRIVS=yes
DEFAULT=$HOME/Maildir/
FOLDER=$1

:0
* FOLDER ?? .
* ? mkdir -p "$DEFAULT$FOLDER"
$DEFAULT$FOLDER/
"""

LMTP_SOCKET = "private/dovecot-lmtp"        # below Postfix's queue directory
_DOVECOT = f"""\
base_dir = /run/dovecot
state_dir = /run/dovecot-state
protocols = lmtp
ssl = no
default_internal_user = dovecot
default_login_user = dovenull
first_valid_uid = 1
auth_username_format = %Ln
mail_location = maildir:~/Maildir:LAYOUT=fs
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
lda_mailbox_autocreate = yes
postmaster_address = postmaster@abc.com
namespace inbox {{
  inbox = yes
  separator = /
}}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd
}}
service lmtp {{
  unix_listener /var/spool/postfix/{LMTP_SOCKET} {{
    user = postfix
    group = postfix
    mode = 0600
  }}
}}
service stats {{
  chroot =
}}
"""


def set_up():
    """The users, with nothing in their mailboxes, and procmail's rules."""
    passwd = pathlib.Path("/etc/passwd")
    have = {line.partition(":")[0] for line in passwd.read_text().split("\n")}
    with passwd.open("a") as file:
        for uid, name in enumerate(USERS, FIRST_UID):
            if name not in have:
                file.write(f"{name}:x:{uid}:{uid}::{HOMES / name}:"
                           "/usr/sbin/nologin\n")
    shutil.rmtree(HOMES, ignore_errors=True)
    for uid, name in enumerate(USERS, FIRST_UID):
        make_directory(HOMES / name, uid, uid, 0o700)
    write("/etc/procmailrc", _PROCMAILRC)


def _name_of(path):
    """The mailbox of a message HOME/USER/Maildir[/FOLDER]/new/FILE."""
    user, _, *folder = path.relative_to(HOMES).parts[:-2]
    return "+".join(filter(None, (user, "/".join(folder))))


def take():
    """All mail since the last take: mailbox and content, sorted."""
    found = []
    for path in HOMES.rglob("*"):
        if path.parent.name in ("new", "cur") and path.is_file():
            found.append((_name_of(path), path.read_text("latin-1")))
            path.unlink()
    # procmail makes them, empty.
    strays = [path for path in SYSTEM_MAILBOXES.iterdir()
              if path.stat().st_size > 0]
    assert not strays, strays
    return sorted(found)


class Dovecot:
    """Only its LMTP server, where Postfix may reach it."""

    def __init__(self):
        write("/etc/dovecot-tests.conf", _DOVECOT)
        self._socket = pathlib.Path("/var/spool/postfix", LMTP_SOCKET)
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            ["dovecot", "-F", "-c", "/etc/dovecot-tests.conf"],
            stdin=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not self._socket.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("Dovecot does not start")
            time.sleep(0.02)

    def stop(self):
        self._process.terminate()
        self._process.wait(20)
