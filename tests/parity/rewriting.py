#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ask the real sendmail and milterd what addresses become, and compare.

sendmail answers through `sendmail -bt` (`/tryflags HS|HR|ES`, `/try esmtp` and
`/try local`), milterd through `milterctl rewrite --config`, over the same
generated domaintable, genericstable and classes. Seeded; passes only if enough
questions were asked and all agree but for those in `differences`.
"""

import argparse
import json
import pathlib
import random
import re
import subprocess
import sys

sys.dont_write_bytecode = True

import differences
import sendmail
import workspace
import world
import zones
from model import Config

MINIMUM = 4000
BASE = pathlib.Path("/media")
ROLES = {"HS": "header-sender", "HR": "header-recipient",
         "ES": "envelope-sender"}
MASQUERADE = {"masquerade_as": "masq.test"}
GENERICS = {"genericstable": True, "generics_domain": ["gen.test",
                                                       "good.test"]}

# name -> options in milterd's words
OPTIONS = {
    "nothing": {"domaintable": True},
    "masquerade": {**MASQUERADE},
    "domains": {**MASQUERADE, "masquerade_domain": ["abc.test", "good.test"]},
    "entire": {**MASQUERADE, "masquerade_domain": ["abc.test", "good.test"],
               "masquerade_entire_domain": True,
               "masquerade_exception": ["host.abc.test", "sub.good.test"]},
    "envelope": {**MASQUERADE, "masquerade_envelope": True,
                 "masquerade_domain": ["abc.test"],
                 "exposed_user": ["root", "ann"]},
    "all": {**MASQUERADE, "allmasquerade": True, "masquerade_envelope": True,
            "exposed_user": ["root"]},
    "limited": {**MASQUERADE, "limited_masquerade": True,
                "masquerade_domain": ["abc.test"], "exposed_user": ["root"]},
    "generics": {**GENERICS},
    "generics-masquerade": {**MASQUERADE, **GENERICS,
                            "masquerade_envelope": True,
                            "exposed_user": ["root"]},
    "generics-entire": {**MASQUERADE, **GENERICS,
                        "generics_entire_domain": True,
                        "allmasquerade": True,
                        "masquerade_exception": ["gen.test"]},
    "domaintable": {**MASQUERADE, "domaintable": True,
                    "masquerade_envelope": True, **GENERICS},
    "always": {**MASQUERADE, "always_add_domain": True,
               "domaintable": True},
    "verbatim": {**MASQUERADE, **GENERICS, "nocanonify": True,
                 "domaintable": True, "masquerade_envelope": True},
    "everything": {**MASQUERADE, **GENERICS, "domaintable": True,
                   "masquerade_domain": ["abc.test", "old.test"],
                   "masquerade_entire_domain": True,
                   "masquerade_envelope": True, "allmasquerade": True,
                   "always_add_domain": True,
                   "generics_entire_domain": True,
                   "exposed_user": ["root", "ann"],
                   "masquerade_exception": ["host.abc.test"]},
}
LOCAL_NAMES = (zones.HOSTNAME, "local.test", "home.test")
USERS = ("joe", "ann", "bob", "root", "carl", "Joe", "ROOT", "a.b", "x_y",
         "joe+home", "bob+x", "root+x", "bob+", "carl+a+b", '"joe"',
         '"a b"', '"x@y"', "joe\\x")
HOSTS = (zones.HOSTNAME, "mx", "localhost", "[127.0.0.1]", "[192.0.2.25]",
         "local.test", "sub.local.test", "home.test", "abc.test",
         "host.abc.test", "a.host.abc.test", "x.abc.test", "xabc.test",
         "good.test", "sub.good.test", "deep.sub.good.test", "gen.test",
         "a.gen.test", "old.test", "a.old.test", "older.test", "masq.test",
         "alias.test", "tolocal.test", "nx.test", "relay.test",
         "servfail.test", "[192.0.2.9]", "ABC.Test", "Good.TEST",
         "abc.test.", "gen.test.", "localhost.home.test", "foo.UUCP")
GENERIC_LINES = (
    "joe\tjoe.doe@public.test", "ann@gen.test\tann.x@public.test",
    "bob+*@gen.test\tbob-%1@public.test", "bob@gen.test\tbob.g@public.test",
    "carl\tcarl.unqualified", "carl+*\tcarl-%1",
    "@good.test\t%1@catchall.test", "root@good.test\troot.good@public.test",
    f"ann@{zones.HOSTNAME}\tann.here@public.test",
    "bob+x@good.test\tbob.detail@local.test", "x_y\tx.y@old.test",
    "a.b@a.gen.test\ta-b")
DOMAIN_LINES = ("old.test\tabc.test", "older.test\tgood.test",
                "a.old.test\tlocal.test", "nx.test\trelay.test")


class RewritingSendmail(sendmail.Sendmail):
    """The oracle with the tables of this test."""

    def prepare(self, config, directory):
        (directory / "sendmail.mc").write_text(
            mc_text(config, directory, self.cf))
        made = self.run(["m4", f"-D_CF_DIR_={self.cf}/",
                         str(self.cf / "m4/cf.m4"),
                         str(directory / "sendmail.mc")])
        (directory / "sendmail.cf").write_bytes(made.stdout)
        for name in ("domaintable", "genericstable"):
            if not config.has(name):
                continue
            with open(directory / name, "rb") as text:
                self.run([str(self.bin / "makemap"), "-C",
                          str(directory / "sendmail.cf"), "hash",
                          str(directory / name)], stdin=text)

    def rewrite(self, directory, role, mailer, addresses):
        """What each address becomes, None where sendmail does not say."""
        lines = [f"/tryflags {role}"]
        lines += [f"/try {mailer} {address}" for address in addresses]
        outputs = self.converse(directory, lines)[1:]
        return [result(output) for output in outputs]


def result(output):
    for line in reversed(output):
        found = re.match(r"Rcode = (\d+), addr = (.*)$", line)
        if found:
            # /try keeps what stands around the address.
            return found.group(2).removeprefix("<").removesuffix(">")
    return None


def mc_text(config, directory, cf):
    """sendmail.mc for a configuration."""
    options = config.options
    lines = [
        f"include(`{cf}/debian/autoconf.m4')dnl",
        "VERSIONID(`parity')", "OSTYPE(`debian')dnl",
        "define(`confTO_RESOLVER_RETRANS', `1s')dnl",
        "define(`confTO_RESOLVER_RETRY', `2')dnl",
        "undefine(`confHOST_STATUS_DIRECTORY')dnl",
        f"define(`confCW_FILE', `{directory}/local-host-names')dnl",
        "FEATURE(`use_cw_file')dnl",
    ]
    for name, table in (("domaintable", "domaintable"),
                        ("genericstable", "genericstable")):
        if config.has(name):
            lines.append(f"FEATURE(`{name}', `hash {directory}/{table}')dnl")
    for name in ("masquerade_entire_domain", "masquerade_envelope",
                 "allmasquerade", "limited_masquerade", "always_add_domain",
                 "generics_entire_domain", "nocanonify"):
        if config.has(name):
            lines.append(f"FEATURE(`{name}')dnl")
    if config.has("masquerade_as"):
        lines.append(f"MASQUERADE_AS(`{options['masquerade_as']}')dnl")
    for name, macro in (("masquerade_domain", "MASQUERADE_DOMAIN"),
                        ("masquerade_exception", "MASQUERADE_EXCEPTION"),
                        ("exposed_user", "EXPOSED_USER"),
                        ("generics_domain", "GENERICS_DOMAIN")):
        lines += [f"{macro}(`{word}')dnl" for word in options.get(name, ())]
    lines += ["MAILER(`local')dnl", "MAILER(`smtp')dnl"]
    return "".join(line + "\n" for line in lines)


def prepare(config, oracle):
    """Both sides' files in a directory of the configuration's own."""
    directory = BASE / config.name
    directory.mkdir(mode=0o755)
    workspace.write_lines(directory / "local-host-names", LOCAL_NAMES)
    workspace.write_lines(directory / "domaintable", DOMAIN_LINES)
    workspace.write_lines(directory / "genericstable", GENERIC_LINES)
    words = {
        "socket": f"unix:{directory}/milterd.sock",
        "hostname": zones.HOSTNAME, "resolver": "127.0.0.1:53",
        "local_domain": [f"{directory}/local-host-names",
                         f"[{zones.ADDRESSES[zones.HOSTNAME]}]"],
    }
    words.update({name: f"{directory}/{name}" if name in (
        "domaintable", "genericstable") else value
                  for name, value in config.options.items()})
    (directory / "milterd.conf").write_text("".join(
        f"{word} = {workspace.conf_value(value)}\n"
        for word, value in words.items()))
    oracle.prepare(config, directory)
    return directory


def addresses(config, seed, count):
    """Generated addresses: hits, near misses and odd forms."""
    chance = random.Random(f"{seed}/rewriting/{config.name}")
    made = []
    for _ in range(count):
        user, host = chance.choice(USERS), chance.choice(HOSTS)
        other = chance.choice(HOSTS)
        made.append(chance.choice((
            f"{user}@{host}", f"{user}@{host}", f"{user}@{host}",
            f"<{user}@{host}>", user, user, f"{user}%{other}@{host}",
            f"{other.rstrip('.')}!{user}", f"{other}!{user}@{host}",
            f"<@{other}:{user}@{host}>", f"x!{user}", f"{user}@{host}.")))
    return made


def ask_milterd(milterctl, directory, role, mailer, asked):
    command = [milterctl, "rewrite", "--as", ROLES[role], "--config",
               f"{directory}/milterd.conf", "--json"]
    if mailer == "local":
        command.append("--local")
    done = subprocess.run(command, check=False, text=True,
                          input="".join(line + "\n" for line in asked),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = done.stdout.splitlines()
    if len(lines) != len(asked):
        sys.exit(f"parity: milterctl rewrite: exit {done.returncode}, "
                 f"{len(lines)} answers to {len(asked)}: {done.stderr}")
    return [(json.loads(line)["result"] or [""])[0] for line in lines]


def options():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--milterctl", required=True)
    parser.add_argument("--sendmail-root", default="/", metavar="DIR")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--questions", type=int, default=5600)
    parser.add_argument("--config", metavar="NAME", action="append")
    return parser.parse_args()


def compare(asked, chosen, oracle):
    """Returns how many agree and how many do not."""
    known = differences.load()
    passed = failed = 0
    kinds = [(role, mailer) for role in ROLES for mailer in ("esmtp", "local")]
    each = -(-asked.questions // (len(OPTIONS) * len(kinds)))
    for config in chosen:
        directory = prepare(config, oracle)
        for role, mailer in kinds:
            questions = addresses(config, f"{asked.seed}/{role}/{mailer}",
                                  each)
            expected = oracle.rewrite(directory, role, mailer, questions)
            given = ask_milterd(asked.milterctl, directory, role, mailer,
                                questions)
            for question, right, got in zip(questions, expected, given):
                told = f"{config.name} {role} {mailer} {question!r}"
                if right == got or known.cover(told, right, got):
                    passed += 1
                    continue
                failed += 1
                print(f"FAIL {told}\n  expected {right}\n  got      {got}")
    return passed, failed


def main():
    asked = options()
    world.enter()
    chosen = [Config(name, values) for name, values in OPTIONS.items()
              if not asked.config or name in asked.config]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "parity",
                    str(BASE)], check=True)
    place = world.World(BASE)
    try:
        place.open()
        passed, failed = compare(
            asked, chosen, RewritingSendmail(asked.sendmail_root, BASE))
    finally:
        place.close()
    if not asked.config and passed + failed < MINIMUM:
        failed += 1
        print(f"FAIL {passed + failed} questions, not {MINIMUM}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
