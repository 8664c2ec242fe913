# SPDX-License-Identifier: BSD-2-Clause
"""make bench-peers: other filters under the same load, as far as they are
installed, each doing as little as it can be brought to."""

import contextlib
import os
import shutil
import time

import measure

CONNECTIONS = (1, 16, 256)

OPENDKIM = """\
Mode v
Syslog no
TemporaryDirectory {directory}
TestPublicKeys {directory}/keys
"""

RSPAMD = """\
options {{
	pidfile = "{directory}/rspamd.pid";
	filters = "";
	control_socket = "{directory}/rspamd.control mode=0600";
}}
logging {{ type = "console"; level = "error"; }}
worker "rspamd_proxy" {{
	bind_socket = "{directory}/rspamd.sock mode=0666";
	milter = yes;
	timeout = 60s;
	count = 1;
	upstream "local" {{ default = yes; self_scan = yes; }}
}}
"""

MIMEDEFANG = """\
sub filter { return action_accept(); }
1;
"""


def _write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return path


def opendkim(place):
    """Verifying, with keys from an empty file instead of the DNS."""
    _write(f"{place.directory}/keys", "")
    config = _write(f"{place.directory}/opendkim.conf",
                    OPENDKIM.format(directory=place.directory))
    return place.running("opendkim", ["opendkim", "-f", "-x", config, "-p",
                                      "SOCKET"])


def rspamd(place):
    """A proxy that scans itself, and no module to scan with."""
    config = _write(f"{place.directory}/rspamd.conf",
                    RSPAMD.format(directory=place.directory))
    return place.running("rspamd", ["rspamd", "-f", "-i", "-c", config],
                         f"unix:{place.directory}/rspamd.sock")


@contextlib.contextmanager
def mimedefang(place):
    """An empty filter and four workers."""
    script = _write(f"{place.directory}/mimedefang-filter", MIMEDEFANG)
    worker = _write(f"{place.directory}/mimedefang-worker",
                    f'#!/bin/sh\nexec mimedefang.pl -f {script} "$@"\n')
    os.chmod(worker, 0o755)
    spool = f"{place.directory}/spool"
    os.makedirs(spool, exist_ok=True)
    shutil.chown(spool, "defang", "defang")
    workers = f"{spool}/workers.sock"
    with place.running(
            "multiplexor", ["mimedefang-multiplexor", "-D", "-U", "defang",
                            "-m", "4", "-x", "4", "-q", "128",
                            "-r", "1000000", "-w", "0", "-f", worker,
                            "-z", spool, "-s", workers],
            f"unix:{workers}") as multiplexor, \
            place.running(
                "mimedefang", ["mimedefang", "-D", "-q", "-U", "defang", "-z",
                               spool, "-m", workers, "-p", "SOCKET"],
                f"unix:{spool}/mimedefang.sock") as filter_:
        both = filter_.pids
        filter_.pids = lambda: f"{both()},{multiplexor.pids()}"
        await_workers(multiplexor, 4)
        yield filter_


def await_workers(multiplexor, number):
    """They start one by one; without Perl's modules none ever does."""
    deadline = time.monotonic() + 60
    while multiplexor.pids().count(",") < number:
        if time.monotonic() > deadline:
            raise measure.LoadFailed(
                "mimedefang's workers do not start: is libnet-dns-perl there?")
        time.sleep(0.1)


PEERS = (("opendkim, verifying", "opendkim", opendkim),
         ("rspamd, self-scan, no modules", "rspamd", rspamd),
         ("mimedefang, empty filter", "mimedefang", mimedefang))


def tell(paper, place, options, columns, cells):
    """A row for each peer and number of connections; milterd's first."""
    load = measure.Load(place)
    with place.null() as null:
        for name, program, running in (("milterd", None, lambda place:
                                        place.milterd()), *PEERS):
            if program and shutil.which(program) is None:
                paper.line(f"{name}: not installed")
                continue
            with running(place) as target:
                load.for_messages(target, 100)
                for connections in CONNECTIONS:
                    pairs = measure.Pairs(
                        load.but(connections=connections), null, target,
                        options.pairs, options.seconds)
                    columns.row(f"{name}, {connections}", *cells(pairs))
