#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of milterd with real MTAs.

  tests/mta/run.py --milterd PATH --milterctl PATH [--sendmail-root DIR]
                   [--mta postfix|sendmail] [TEST...]

Runs as root, in namespaces of its own (world.py); nothing outside them
changes.  Needs Debian's postfix, dnsmasq-base, dovecot-lmtpd, iproute2, m4,
opendkim, openssl, procmail, libsasl2-modules and libsasl2-modules-db; sendmail-bin, sendmail-cf
and libwrap0 may be unpacked below a directory instead of being installed.  A TEST
is a part of a test's name; each name is BED/CASES/TEST, where BED is

  alone     sendmail without milterd, the reference for what others answer
  sendmail  sendmail whose rules use the access map through milterd's
            socketmap, with milterd as filter
  milter    sendmail without rules, milterd decides everything
  postfix   Postfix with milterd as filter and policy service
"""

import argparse
import contextlib
import importlib
import os
import sys
import tempfile

sys.dont_write_bytecode = True
for neighbour in ("common", "redis"):
    sys.path.append(os.path.join(os.path.dirname(__file__), "..", neighbour))

import dkim
import filters
import mailboxes
import names
import policies
import postfix
import sasl
import sendmail
import sink
import world
from bed import Bed
from daemon import Daemon, Programs
from maillog import Maillog
from results import Results, chosen, tests_of

CASES = ("relay", "access", "limits", "doors", "battery", "failure",
         "local", "delayed", "auth", "rewriting", "recipients", "dkim",
         "routing", "tables", "filtering", "vacation")
BEDS = ("alone", "sendmail", "milter", "postfix")
BEDS_OF = {"postfix": ("alone", "postfix"),
           "sendmail": ("alone", "sendmail", "milter")}
CONFIG = "/etc/milterd/milterd.conf"
STATE = "/run/milterd"
IDENTITY = f'user = "{world.DAEMON_USER}"\nsocket_mode = 0660\n'


class Stage:
    """The world with everything in it that all beds share."""

    identity = IDENTITY

    def __init__(self, root, options):
        self.programs = Programs(options.milterd, options.milterctl)
        self.files = world.Files(root)
        self.network = world.lay_cable()
        self.log = Maillog()
        self.names = names.Names()
        with self.network.entered():
            self.outside = sink.Sink("0.0.0.0", 25)
        self.local = sink.Sink("127.0.0.1", sendmail.LOCAL_SINK_PORT)
        self.package = sendmail.Package(options.sendmail_root,
                                        self.files.root / "sendmail")
        sasl.set_up()
        self.oracle = None

    def _daemon(self, directory, group, policy):
        """milterd's files where its user may make sockets."""
        world.make_directory(STATE, world.DAEMON_USER, world.DAEMON_USER)
        if directory != STATE:
            world.make_directory(directory, world.DAEMON_USER, group, 0o2750)
        daemon = Daemon(self.programs, CONFIG, directory, STATE, IDENTITY)
        daemon.configure(policies.options(policy))
        return daemon

    def bed(self, name, policy):
        """A bed of this name, nothing in it started yet."""
        bed = getattr(self, "_bed_" + name)(policy)
        bed.policy = policy
        return bed

    def _bed_alone(self, policy):
        features = policies.ALONE + policy.features + policy.always \
            + policy.alone
        mta = sendmail.Sendmail(self.package, "alone", 2525, features)
        mta.makemap(policies.ACCESS, policies.ACCESS + ".db")
        for name in policy.maps:
            if name.endswith("table"):
                mta.makemap(f"/etc/mail/{name}", f"/etc/mail/{name}.db")
        return Bed("alone", self, mta, None, ("alone",))

    def _bed_postfix(self, policy):
        daemon = self._daemon("/var/spool/postfix/milterd", "postfix", policy)
        features = postfix.milter_lines(policy.samples) + policy.postfix
        if not policy.filters:
            return Bed("postfix", self, postfix.Postfix(features), daemon,
                       ("milterd",))
        filters.install(["/usr/sbin/sendmail"], {})
        mailboxes.set_up()
        mta = postfix.Postfix(features, "unix:" + mailboxes.LMTP_SOCKET)
        return Bed("postfix", self, mta, daemon, ("milterd",),
                   mailboxes.Dovecot())

    def _bed_sendmail(self, policy):
        features = sendmail.milter_lines(policy.samples) + policy.features
        mta, daemon = self._sendmail_and_milterd(policy, features)
        return Bed("sendmail", self, mta, daemon, ("milterd", mta.tag))

    def _bed_milter(self, policy):
        features = without_access_map(sendmail.milter_lines(policy.samples))
        mta, daemon = self._sendmail_and_milterd(
            policy, features + policies.NO_RULES)
        return Bed("milter", self, mta, daemon, ("milterd",))

    def _sendmail_and_milterd(self, policy, features):
        if policy.filters:
            filters.install(*self.package.submission())
            mailboxes.set_up()
            features += mailboxes.PROCMAIL
        daemon = self._daemon(STATE, world.DAEMON_USER, policy)
        mta = sendmail.Sendmail(self.package, "sm-mta", 25,
                                features + policies.NO_LIMITS
                                + policy.always)
        return mta, daemon


def without_access_map(lines):
    """The sample's lines but the one that gives sendmail's rules the map."""
    return "".join(line for line in lines.splitlines(keepends=True)
                   if not line.startswith("FEATURE(`access_db'"))


@contextlib.contextmanager
def running(bed):
    """A bed in which everything runs."""
    with contextlib.ExitStack() as stack:
        for part in filter(None, (bed.agent, bed.daemon, bed.mta)):
            part.start()
            stack.callback(part.stop)
        bed.await_banner()
        yield bed


def runs_on(bed, module, test):
    """Tests and modules may name the beds that they are for."""
    return bed in getattr(test, "beds", getattr(module, "BEDS", BEDS))


def is_under(policy, module, test):
    """Modules and tests name the policy or policies that they are for."""
    named = getattr(test, "policies", None) or \
        getattr(module, "POLICIES", None) or (module.POLICY,)
    return any(policy is one for one in named)


def plan(policy, beds, wanted):
    """For each bed of the policy, its tests: (bed, [(name, test)])."""
    for bed in beds:
        tests = []
        for cases in CASES:
            module = importlib.import_module("cases_" + cases)
            named = [(f"{bed}/{cases}/{name}", test)
                     for name, test in tests_of(module)
                     if runs_on(bed, module, test)
                     and is_under(policy, module, test)]
            tests += [row for row in named if chosen(row[0], wanted)]
        if tests:
            yield bed, tests


def run_policy(stage, policy, beds, wanted, results):
    policies.install(policy)
    stage.oracle = stage.bed("alone", policy)
    with contextlib.ExitStack() as stack:
        if policy.signs:
            stack.enter_context(dkim.signing())
        stack.enter_context(running(stage.oracle))
        for name, tests in plan(policy, beds, wanted):
            if name == "alone":
                run_tests(stage.oracle, tests, results)
            else:
                run_bed(stage.bed(name, policy), tests, results)


def run_bed(bed, tests, results):
    with contextlib.ExitStack() as stack:
        if results.run(f"{bed.name}/start",
                       lambda: stack.enter_context(running(bed))):
            run_tests(bed, tests, results)


def run_tests(bed, tests, results):
    for name, test in tests:
        bed.begin()
        if not results.run(name, lambda: judge(bed, test)):
            print(bed.log_text(), flush=True)
            bed.recover()


def judge(bed, test):
    test(bed)
    assert not bed.daemon or bed.daemon.is_alive(), "milterd died"


def part(text):
    """Of "2/3", each third from the second on."""
    first, step = map(int, text.split("/"))
    return slice(first - 1, None, step)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--milterd", required=True, type=os.path.abspath)
    parser.add_argument("--milterctl", required=True, type=os.path.abspath)
    parser.add_argument("--sendmail-root", default="/", type=os.path.abspath)
    parser.add_argument("--mta", choices=sorted(BEDS_OF))
    parser.add_argument("--part", default="1/1", metavar="N/M", type=part,
                        help="of the policies, each Mth from the Nth on")
    parser.add_argument("tests", nargs="*", metavar="TEST")
    return parser.parse_args()


def main():
    options = arguments()
    world.enter()
    beds = BEDS_OF[options.mta] if options.mta else BEDS
    results = Results()
    root = tempfile.mkdtemp(prefix="milterd-mta-")
    try:
        stage = Stage(root, options)
        for policy in policies.ALL[options.part]:
            run_policy(stage, policy, beds, options.tests, results)
    finally:
        world.leave(root)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
