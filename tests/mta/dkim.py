# SPDX-License-Identifier: BSD-2-Clause
"""A real OpenDKIM: one that signs behind milterd, and one that verifies.

Its key is in the tests' DNS for two domains, so that mail is signed whether
its sender was masqueraded before the signer saw it or not.
"""

import contextlib
import functools
import re
import socket
import subprocess
import time

from world import run, write

SELECTOR = "test"
DOMAINS = ("corp.example", "lan.example")
PORT = 8891
TRUSTED = "192.0.2.20"

_DIRECTORY = "/etc/opendkim-test"
_KEY = f"{_DIRECTORY}/key"
_SIGNER = f"""\
Mode			s
Domain			{",".join(DOMAINS)}
SubDomains		yes
Selector		{SELECTOR}
KeyFile			{_KEY}
Canonicalization	relaxed/simple
InternalHosts		{TRUSTED}
Socket			inet:{PORT}@127.0.0.1
"""
_VERIFIER = """\
Mode			v
Nameservers		127.0.0.1
"""


@functools.cache
def record():
    """Make the key; its TXT record in strings that are short enough."""
    write(_KEY, run("openssl", "genrsa", "2048"), 0o600)
    public = run("openssl", "rsa", "-in", _KEY, "-pubout")
    text = "v=DKIM1; k=rsa; p=" + "".join(public.split("\n")[1:-2])
    return re.findall(".{1,250}", text)


@contextlib.contextmanager
def signing():
    """The daemon that signs, as long as the block runs."""
    config = f"{_DIRECTORY}/signer.conf"
    write(config, _SIGNER)
    with subprocess.Popen(["opendkim", "-f", "-x", config],
                          stdin=subprocess.DEVNULL) as process:
        try:
            _await(process)
            yield
        finally:
            process.terminate()


def _await(process):
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", PORT)).close()
            return
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.02)


def verdict(content):
    """What OpenDKIM, as a filter that verifies, says of a message."""
    config = f"{_DIRECTORY}/verifier.conf"
    message = f"{_DIRECTORY}/message"
    write(config, _VERIFIER)
    with open(message, "w", encoding="latin-1", newline="") as out:
        out.write(content)
    return run("opendkim", "-x", config, "-t", message, "-vv")
