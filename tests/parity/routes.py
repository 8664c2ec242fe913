#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ask the real sendmail and milterd where recipients lead, and compare.

sendmail answers with `sendmail -bv`, and with the reply to RCPT over
`sendmail -bs` where it refuses; where there are no aliases with `/parse` of
`sendmail -bt`. milterd answers through `milterctl rewrite --as
envelope-recipient`. Both read the same generated virtusertable, domaintable,
aliases and include files. Seeded; passes only if enough questions were asked
and all agree but for those in `differences`.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import re
import subprocess
import sys

sys.dont_write_bytecode = True

import differences
import reading
import routemaps
import sendmail
import workspace
import world
import zones
from model import Config

MINIMUM = 2400
QUESTIONS = 3000
BASE = pathlib.Path("/opt")
VIRTUAL = {"virtusertable": True, "virtuser_domain": list(routemaps.VIRTUALS)}

# name -> options in milterd's words; "strangers" is who is no user.
OPTIONS = {
    "virtual": {**VIRTUAL},
    "virtual-local": {"virtusertable": True},
    "virtual-entire": {**VIRTUAL, "virtuser_entire_domain": True},
    "virtual-domaintable": {**VIRTUAL, "domaintable": True},
    "virtual-redirect": {**VIRTUAL, "redirect": True},
    "virtual-verbatim": {**VIRTUAL, "nocanonify": True},
    "aliases": {"aliases": True},
    "aliases-more": {"aliases": True},
    "aliases-virtual": {"aliases": True, **VIRTUAL},
    "aliases-redirect": {"aliases": True, **VIRTUAL, "redirect": True},
    "aliases-strangers": {"aliases": True},
    "luser": {"aliases": True, "luser_relay": "relay.test"},
    "luser-mailer": {**VIRTUAL, "luser_relay": "esmtp:[192.0.2.7]"},
    "luser-local": {"aliases": True, "luser_relay": "local:carol"},
    "luser-error": {"aliases": True, **VIRTUAL,
                    "luser_relay": "error:5.1.1:550 No such person here"},
    "everything": {"aliases": True, **VIRTUAL, "domaintable": True,
                   "redirect": True, "luser_relay": "relay.test",
                   "virtuser_entire_domain": True},
}
DELIVERABLE = re.compile(r"\.\.\. deliverable: mailer (\S+?)"
                         r"(?:, host (.*?))?, user (.*)$", re.S)
UNKNOWN = re.compile(r"\.\.\. User unknown$")


class RouteSendmail(sendmail.Sendmail):
    """The oracle with maps and aliases."""

    def prepare(self, config, directory):
        (directory / "sendmail.mc").write_text(
            mc_text(config, directory, self.cf))
        made = self.run(["m4", f"-D_CF_DIR_={self.cf}/",
                         str(self.cf / "m4/cf.m4"),
                         str(directory / "sendmail.mc")])
        (directory / "sendmail.cf").write_bytes(made.stdout)
        (directory / "mqueue").mkdir()
        for name in ("virtusertable", "domaintable"):
            if not config.has(name):
                continue
            with open(directory / name, "rb") as text:
                self.run([*self.command(directory, "makemap"), "hash",
                          str(directory / name)], good=(0, os.EX_DATAERR),
                         stdin=text)
        # Wrong entries are told, and are no failure.
        subprocess.run([*self.command(directory), "-bi"], env=self.env,
                       check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def command(self, directory, program="sendmail"):
        return [str(self.bin / program), "-C",
                str(directory / "sendmail.cf")]

    def routes(self, config, directory, asked):
        """A Route for each recipient."""
        if not config.has("aliases") and not config.has("luser_relay"):
            return [parsed(output) for output in self.converse(
                directory, ["/tryflags RE"]
                + [f"/parse <{recipient}>" for recipient in asked])[1:]]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return list(pool.map(
                lambda recipient: self.verify(config, directory, recipient),
                asked))

    def verify(self, config, directory, recipient):
        done = subprocess.run(
            [*self.command(directory), "-bv", f"<{recipient}>"],
            env=self.env, check=False, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="latin-1")
        route = Route(config.options.get("luser_relay", "")
                      .startswith("local:"))
        read_verified(done.stdout.splitlines(), route)
        if route.errors:
            route.reply = self.reply(directory, recipient)
        return route

    def reply(self, directory, recipient):
        """What RCPT says."""
        with subprocess.Popen(
                [*self.command(directory), "-ODeliveryMode=i", "-bs"],
                env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, encoding="latin-1") as server:
            answer = ""
            for line in ("", "EHLO client.test", "MAIL FROM:<>",
                         f"RCPT TO:<{recipient}>"):
                if line:
                    server.stdin.write(line + "\r\n")
                    server.stdin.flush()
                answer = server.stdout.readline()
                while answer[3:4] == "-":
                    answer = server.stdout.readline()
            server.communicate("QUIT\r\n")
        return answer.strip()


class Route:
    """Where a recipient leads: addresses, strangers, or a refusal."""

    def __init__(self, has_stand_in=False):
        self.has_stand_in = has_stand_in
        self.addresses = set()
        self.strangers = False
        self.errors = []
        self.reply = ""

    def __str__(self):
        if self.reply:
            return self.reply
        return " ".join(sorted(self.addresses)
                        + ["(strangers)"] * self.strangers)


def add_target(route, mailer, host, user):
    """One of sendmail's triples as an address."""
    if mailer == "local":
        # What luser_relay's "local:user" has as host is who was meant.
        is_detail = host and (not route.has_stand_in
                              or host in routemaps.HEARD)
        detail = "+" + host.replace("\\", "") if is_detail else ""
        route.addresses.add(settled(user) + detail)
    elif mailer in ("prog", "*file*"):
        route.addresses.add(f"({mailer})")
    else:
        local, _, domain = user.rpartition("@")
        route.addresses.add(f"{local}@{domain.lower()}" if local else user)


def settled(user):
    """A user as ruleset 5 leaves it, which /parse does not ask."""
    if user.startswith('"'):
        return user
    user = user.replace("\\", "")
    while user[1:].endswith("+*"):
        user = user[:-2]
    return user[:-1] if user[1:].find("+") == len(user) - 2 else user


def read_verified(lines, route):
    """The output of -bv."""
    for line in lines:
        found = DELIVERABLE.search(line)
        if found:
            add_target(route, *found.groups())
        elif UNKNOWN.search(line):
            route.strangers = True
        else:
            route.errors.append(line)


def parsed(output):
    """A Route from the output of /parse."""
    route = Route()
    deep = [line for line in output if line.startswith("rewrite: ")]
    refused = reading.parse_refusal(output)
    found = re.match(r"mailer (\S+?)(?:, host (.*?))?, user (.*)$",
                     output[-1])
    if deep:
        route.reply = "554 5.0.0 " + deep[0]
    elif refused:
        route.reply = f"{refused.code} {refused.enhanced} {refused.text}"
    elif found and found.group(1) == "prog":
        route.reply = "550 5.7.1 Cannot mail directly to programs"
    elif found:
        add_target(route, *found.groups())
    return route


def mc_text(config, directory, cf):
    """sendmail.mc for a configuration."""
    lines = [
        f"include(`{cf}/debian/autoconf.m4')dnl",
        "VERSIONID(`parity')", "OSTYPE(`debian')dnl",
        "define(`confTO_RESOLVER_RETRANS', `1s')dnl",
        "define(`confTO_RESOLVER_RETRY', `2')dnl",
        "undefine(`confHOST_STATUS_DIRECTORY')dnl",
        "define(`confPRIVACY_FLAGS', `')dnl",
        f"define(`QUEUE_DIR', `{directory}/mqueue')dnl",
        f"define(`STATUS_FILE', `{directory}/statistics')dnl",
        f"define(`confCW_FILE', `{directory}/local-host-names')dnl",
        f"define(`confCR_FILE', `{directory}/relay-domains')dnl",
        f"define(`ALIAS_FILE', `{directory}/aliases.sendmail')dnl",
        "FEATURE(`use_cw_file')dnl",
    ]
    if config.has("luser_relay"):
        lines.append(f"define(`LUSER_RELAY', "
                     f"`{config.options['luser_relay']}')dnl")
    for name in ("virtusertable", "domaintable"):
        if config.has(name):
            lines.append(f"FEATURE(`{name}', `hash {directory}/{name}')dnl")
    for name in ("virtuser_entire_domain", "redirect", "nocanonify"):
        if config.has(name):
            lines.append(f"FEATURE(`{name}')dnl")
    lines += [f"VIRTUSER_DOMAIN(`{name}')dnl"
              for name in config.options.get("virtuser_domain", ())]
    lines += ["MAILER(`local')dnl", "MAILER(`smtp')dnl"]
    return "".join(line + "\n" for line in lines)


def write_maps(config, directory, seed):
    """The maps of both; programs and files are for sendmail alone to know, so
    its aliases are without those that have them: what is left to the MTA is
    then a user like others."""
    rng = random.Random(f"{seed}/routes/{config.name}")
    includes = [str(directory / f"list{n}") for n in range(4)]
    for path in includes:
        workspace.write_lines(pathlib.Path(path),
                              routemaps.include_file(rng, includes[1:]))
    lines = routemaps.aliases(rng, 14, [*includes, str(directory / "none")])
    lines += routemaps.chain(13)
    if not config.has("aliases"):
        lines = []
    workspace.write_lines(directory / "aliases.sendmail", lines)
    workspace.write_lines(directory / "aliases", lines + [
        'archive: alice, "|/bin/archive a, b"', "box: /var/mail/box"])
    workspace.write_lines(directory / "virtusertable",
                          routemaps.virtusertable(
                              rng, 24, with_programs=not lines)
                          + routemaps.virtual_chain(18))
    workspace.write_lines(directory / "domaintable", routemaps.DOMAIN_LINES)
    workspace.write_lines(directory / "local-host-names", ("local.test",))
    workspace.write_lines(directory / "relay-domains", ())


def prepare(config, oracle, seed):
    """Both sides' files in a directory of the configuration's own."""
    directory = BASE / config.name
    directory.mkdir(mode=0o755)
    write_maps(config, directory, seed)
    words = {
        "socket": f"unix:{directory}/milterd.sock",
        "hostname": zones.HOSTNAME, "resolver": "127.0.0.1:53",
        "local_domain": [f"{directory}/local-host-names",
                         f"[{zones.ADDRESSES[zones.HOSTNAME]}]"],
    }
    words.update({name: f"{directory}/{name}" if name in (
        "virtusertable", "domaintable", "aliases") else value
                  for name, value in config.options.items()})
    (directory / "milterd.conf").write_text("".join(
        f"{word} = {workspace.conf_value(value)}\n"
        for word, value in words.items()))
    oracle.prepare(config, directory)
    return directory


def make_users(strangers):
    """/etc/passwd of the test."""
    names = set(routemaps.USERS + routemaps.LISTS)
    if not strangers:
        names |= set(routemaps.STRANGERS)
        names |= {f"step{n}" for n in range(20)}
        names |= {f"hop{n}" for n in range(20)} | {"archive", "box"}
    else:
        names -= {"team", "news", "ops", "owner-team", "deep", "sales"}
    lines = ["root:x:0:0:root:/root:/bin/sh", "mail:x:8:8::/:/bin/false"]
    lines += [f"{name}:x:{2000 + n}:2000::/:/bin/sh"
              for n, name in enumerate(sorted(names))]
    workspace.write_lines(BASE / "passwd", lines)
    return names


def ask_milterd(milterctl, directory, asked):
    command = [milterctl, "rewrite", "--as", "envelope-recipient",
               "--config", f"{directory}/milterd.conf", "--json"]
    done = subprocess.run(
        command, check=False, encoding="latin-1",
        input="".join(f"<{recipient}>\n" for recipient in asked),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = done.stdout.splitlines()
    if len(lines) != len(asked):
        sys.exit(f"parity: milterctl rewrite: exit {done.returncode}, "
                 f"{len(lines)} answers to {len(asked)}: {done.stderr}")
    return [json.loads(line) for line in lines]


def local_part(recipient):
    """The user where the recipient is local as it stands, else None."""
    local, at, host = recipient.rpartition("@")
    if not at:
        return recipient.lower()
    host = host.rstrip(".").lower()
    return local.lower() if host in (
        *routemaps.LOCALS, "localhost", "mx") else None


def told(recipient, answer, users):
    """milterd's answer as a Route; who is no user is a stranger."""
    route = Route()
    if answer["verdict"] != "continue":
        route.reply = answer["reply"]
        return route
    for address in answer["result"]:
        if not answer["changed"]:
            local = local_part(recipient)
            address = recipient if local is None else local
            if local is not None:
                address = settled(local.replace('"', ""))
        local, at, host = address.rpartition("@")
        name = address.split("+")[0]
        if at:
            route.addresses.add(f"{local}@{host.lower()}")
        elif name.strip('"') in users or address in users:
            route.addresses.add(address)
        else:
            route.strangers = True
    return route


def without_address(reply):
    """"550 5.1.1 text" of "550 5.1.1 <x@y>... text"."""
    return re.sub(r"^(\d+ [\d.]+ ).*?\.\.\. ", r"\1", reply)


def without_place(reply):
    """sendmail also says in which file and line, and why one cannot be
    opened; milterd leaves that to the log."""
    reply = re.sub(r"^(\d+ [\d.]+ )/\S+: line \d+: ", r"\1", reply)
    return re.sub(r"(Cannot open [^:]*): .*", r"\1", reply)


def agree(right, got):
    """Do sendmail and milterd say the same?"""
    if not got.reply:
        return not right.reply and right.addresses == got.addresses and \
            right.strangers == got.strangers
    if without_place(right.reply) == got.reply or not right.errors and \
            right.reply == without_address(got.reply):
        return True
    # A stranger among the members is found first, and is the MTA's to refuse.
    text = without_address(got.reply).split(" ", 2)[2]
    return "User unknown" in right.reply and any(
        without_place(line).endswith(text) for line in right.errors)


def options():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--milterctl", required=True)
    parser.add_argument("--sendmail-root", default="/", metavar="DIR")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    parser.add_argument("--config", metavar="NAME", action="append")
    parser.add_argument("--keep", metavar="DIR",
                        help="copy the generated files there")
    return parser.parse_args()


def questions(config, seed, count):
    rng = random.Random(f"{seed}/routes/{config.name}/questions")
    made = [routemaps.question(rng, has_strangers(config))
            for _ in range(count)]
    return made + (["archive", "box@local.test"]
                   if config.has("aliases") and not has_strangers(config)
                   else [])


def has_strangers(config):
    return config.has("luser_relay") or "strangers" in config.name


def compare(asked, chosen, oracle):
    """Returns how many agree and how many do not."""
    known = differences.load()
    passed = failed = 0
    for config in chosen:
        users = make_users(has_strangers(config))
        subprocess.run(["mount", "--bind", str(BASE / "passwd"),
                        "/etc/passwd"], check=True)
        directory = prepare(config, oracle, asked.seed)
        recipients = questions(config, asked.seed,
                               -(-asked.questions // len(OPTIONS)))
        expected = oracle.routes(config, directory, recipients)
        given = ask_milterd(asked.milterctl, directory, recipients)
        for recipient, right, answer in zip(recipients, expected, given):
            got = told(recipient, answer, users)
            question = f"routes {config.name} {recipient!r}"
            if agree(right, got) or known.cover(question, right, got):
                passed += 1
                continue
            failed += 1
            print(f"FAIL {question}\n  expected {right}\n  got      {got}")
        subprocess.run(["umount", "/etc/passwd"], check=True)
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
            asked, chosen, RouteSendmail(asked.sendmail_root, BASE))
    finally:
        place.close()
        if asked.keep:
            subprocess.run(["cp", "-r", f"{BASE}/.", asked.keep], check=True)
    if not asked.config and passed + failed < MINIMUM:
        failed += 1
        print(f"FAIL {passed + failed} questions, not {MINIMUM}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
