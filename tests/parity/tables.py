#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Let the real sendmail look its maps up at milterd's socketmap door.

Two sendmails have the same configuration but for where their domaintable,
virtusertable, genericstable and mailertable are: one reads them itself, as
makemap made them, the other asks milterd. Everything that `sendmail -bt` says
must be the same (`3,0 ADDRESS`, `/try esmtp ADDRESS`). Then milterd's table
`transport` for Postfix must lead where the first sendmail's mailertable leads.
Seeded; passes only if enough questions were asked and all agree.
"""

import argparse
import pathlib
import random
import re
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "common"))

import reading
import sendmail
import workspace
import world
import zones
from daemon import Daemon, Programs
from model import Config

MINIMUM = 2000
EACH = 120
BASE = pathlib.Path("/media")
MAPS = ("domaintable", "virtusertable", "genericstable", "mailertable")
LOCAL_NAMES = (zones.HOSTNAME, "local.test")
VIRTUALS = ("virt.test", "all.test")
DOMAINS = ("a.test", "b.test", "c.a.test", "deep.c.a.test", "good.test",
           "mxonly.test", "nx.test", "x-y.test", "old.test")
HOSTS = (*DOMAINS, *(f"{label}.{domain}" for domain in DOMAINS
                     for label in ("x", "y", "x.y")),
         "test", "[192.0.2.9]", "[192.0.2.10]", "[IPv6:2001:db8::1]",
         "local.test", "sub.local.test", zones.HOSTNAME)
USERS = ("joe", "ann+x", "bob", "sales", "info+")
MAILERS = ("smtp", "esmtp", "relay", "smtp8", "dsmtp")
TARGETS = ("[192.168.11.1]", "hub.test", "%1.hub.test", "a.hub.test:b.hub.test",
           "[IPv6:2001:db8::7]", "[192.0.2.1]:[IPv6:2001:db8::8]:c.hub.test",
           "x.%2.hub.test", "%0", "bob@hub.test")
OTHERS = ("local:", "local:joe", "local:joe@b.test", "discard:x",
          "error:5.1.2:550 No such place", "error:nouser:550 Nobody there",
          "error:tempfail:450 Come back later", "error:no code at all",
          "error:nouser 550 x", "error:5.7.1:450 4.4.1 Own code",
          "error:unavailable:551 5.1.6 Moved to x@b.test",
          "error:5.1.2:No code", "hub.test", "x.b.test", "faxer:machine")
GENERICS = ("joe\tjoe.doe@public.test", "bob@a.test\tbob.b@public.test",
            "ann+*@a.test\tann-%1@public.test", "@b.test\t%1@all.test")
SOCKET = "socket -T<TMPF> local:{}/socketmap.sock"
SMTP = {"smtp": "smtp", "esmtp": "smtp", "smtp8": "smtp", "dsmtp": "smtp",
        "relay": "relay"}


def mailertable(chance):
    lines = []
    for host in chance.sample(HOSTS, 14):
        lines.append(f"{host}\t{way(chance)}")
    for domain in chance.sample(DOMAINS, 4):
        lines.append(f".{domain}\t{way(chance)}")
    if chance.random() < 0.5:
        lines.append(f".\t{way(chance)}")
    return lines


def way(chance):
    if chance.random() < 0.5:
        return chance.choice(OTHERS)
    return f"{chance.choice(MAILERS)}:{chance.choice(TARGETS)}"


def virtusertable(chance):
    values = ("joe", "u@a.test", "%1@x.b.test", "%1-%2@good.test",
              "error:nouser 550 No such user", "error:5.7.1:550 Go away")
    keys = [f"{user}@{domain}" for user in (*USERS, "", "ann+*", "info++")
            for domain in VIRTUALS]
    return [f"{key}\t{chance.choice(values)}"
            for key in chance.sample(keys, 8)]


def write_maps(directory, chance):
    for name, lines in (
            ("domaintable", ("old.test\tb.test", "x.old.test\tvirt.test")),
            ("virtusertable", virtusertable(chance)),
            ("genericstable", GENERICS),
            ("mailertable", mailertable(chance))):
        workspace.write_lines(directory / name, lines)


class TwoSendmails(sendmail.Sendmail):
    """`own` reads the maps, `asking` asks for them."""

    def prepare(self, config, directory):
        workspace.write_lines(directory / "local-host-names", LOCAL_NAMES)
        for side in ("own", "asking"):
            place = directory / side
            place.mkdir()
            (place / "sendmail.mc").write_text(
                mc_text(config, directory, side, self.cf))
            made = self.run(["m4", f"-D_CF_DIR_={self.cf}/",
                             str(self.cf / "m4/cf.m4"),
                             str(place / "sendmail.mc")])
            (place / "sendmail.cf").write_bytes(made.stdout)
        for name in MAPS:
            with open(directory / name, "rb") as text:
                self.run([str(self.bin / "makemap"), "-C",
                          str(directory / "own/sendmail.cf"), "hash",
                          str(directory / name)], stdin=text)

    def told(self, directory, side, lines):
        return self.converse(directory / side, lines)


def mc_text(config, directory, side, cf):
    """sendmail.mc of one side."""
    lines = [
        f"include(`{cf}/debian/autoconf.m4')dnl",
        "VERSIONID(`parity')", "OSTYPE(`debian')dnl",
        "define(`confTO_RESOLVER_RETRANS', `1s')dnl",
        "define(`confTO_RESOLVER_RETRY', `2')dnl",
        "undefine(`confHOST_STATUS_DIRECTORY')dnl",
        f"define(`confCW_FILE', `{directory}/local-host-names')dnl",
        "FEATURE(`use_cw_file')dnl",
    ]
    for name in MAPS:
        where = f"hash {directory}/{name}" if side == "own" \
            else SOCKET.format(directory)
        lines.append(f"FEATURE(`{name}', `{where}')dnl")
    if config.has("nocanonify"):
        lines.append("FEATURE(`nocanonify')dnl")
    lines += [f"VIRTUSER_DOMAIN(`{domain}')dnl" for domain in VIRTUALS]
    lines += ["GENERICS_DOMAIN(`a.test')dnl", "GENERICS_DOMAIN(`b.test')dnl",
              "MAILER(`local')dnl", "MAILER(`smtp')dnl"]
    return "".join(line + "\n" for line in lines)


def conf_text(config, directory):
    """milterd.conf but for the sockets."""
    words = {
        "hostname": zones.HOSTNAME, "resolver": "127.0.0.1:53",
        "local_domain": [f"{directory}/local-host-names",
                         f"[{zones.ADDRESSES[zones.HOSTNAME]}]"],
        "virtuser_domain": list(VIRTUALS),
        "generics_domain": ["a.test", "b.test"],
        **{name: f"{directory}/{name}" for name in MAPS}, **config.options}
    return "".join(f"{word} = {workspace.conf_value(value)}\n"
                   for word, value in words.items())


class Door:
    """The socketmap door."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(30)
        self._socket.connect(path)

    def ask(self, table, key):
        """The value, "" where there is none."""
        text = f"{table} {key}".encode("latin-1")
        self._socket.sendall(b"%d:%s," % (len(text), text))
        size = b""
        while not size.endswith(b":"):
            size += self._socket.recv(1)
        data = b""
        while len(data) < int(size[:-1]) + 1:
            data += self._socket.recv(4096)
        answer = data[:-1].decode("latin-1")
        return answer[3:] if answer.startswith("OK ") else \
            answer.replace("NOTFOUND ", "")


def by_mailertable(lines):
    """Did an entry lead there, or is it where all mail goes?"""
    return any(reading.returned(ruleset, lines)[:1] == ["$#"]
               for ruleset in ("MailerToTriple", "CanonLocal"))


def transport(lines):
    """What Postfix has to be told for the triple that sendmail ends in."""
    final = reading.returned("parse", lines)
    if final[:2] == ["$#", "error"]:
        refused = reading.verdict(final)
        name = "error" if refused.code >= 500 else "retry"
        return f"{name}:{refused.enhanced} {refused.text}"
    if not by_mailertable(lines):
        return ""
    mailer, colon = final[1], final.index("$:")
    target = "".join(final[3:colon])
    user = "".join(final[colon + 1:]).partition("<")[0]
    if user != "zz":
        return "retry:4.3.5"
    if mailer == "local":
        return "local:"
    literals = re.sub(r"\[IPv6:([^]]*)\]", lambda found:
                      f"[{found[1].replace(':', '|')}]", target)
    hosts = literals.replace(":", ", ").replace("|", ":")
    return f"{SMTP.get(mailer, mailer)}:{hosts}"


def addresses(chance):
    """Generated addresses: hits, near misses, and what must not matter."""
    made = [f"zz@{host}" for host in HOSTS]
    while len(made) < EACH:
        user = chance.choice(USERS)
        host = chance.choice(HOSTS + VIRTUALS * 8)
        made.append(chance.choice((
            f"{user}@{host}", f"{user}@{host}", f"{user}@{host.upper()}",
            f"{user}@{host}.", f"<{user}@{host}>", user,
            f"{user}%{chance.choice(HOSTS)}@local.test")))
    return made


def compare_sides(config, directory, oracle, asked):
    """What differs between the sendmail that reads and the one that asks; and
    what the former says of each address."""
    lines = ["/tryflags HS"]
    for one in asked:
        lines += [f"3,0 {one}", f"/try esmtp {one}"]
    own, asking = (oracle.told(directory, side, lines)
                   for side in ("own", "asking"))
    wrong = [f"{config.name} {line!r}\n  its own  {right[-2:]}\n"
             f"  milterd  {got[-2:]}" for line, right, got
             in zip(lines, own, asking) if right != got]
    return wrong, len(lines) - 1, own[1::2]


def compare_transports(config, door, told):
    wrong = []
    for host, lines in zip(HOSTS, told):
        if host.endswith("old.test"):
            continue                    # Postfix's canonical_maps rename it
        right, got = transport(lines), door.ask("transport", host)
        if right == "retry:4.3.5":
            got = got[:len(right)]
        if right != got:
            wrong.append(f"{config.name} transport {host}\n"
                         f"  expected {right!r}\n  got      {got!r}")
    return wrong, len(HOSTS)


def compare(asked, config, oracle):
    """The failures and the number of questions of one configuration."""
    chance = random.Random(f"{asked.seed}/tables/{config.name}")
    directory = BASE / config.name
    directory.mkdir(mode=0o755)
    write_maps(directory, chance)
    oracle.prepare(config, directory)
    programs = Programs(str(pathlib.Path(asked.milterctl).with_name("milterd")),
                        asked.milterctl)
    daemon = Daemon(programs, f"{directory}/milterd.conf", directory,
                    directory)
    daemon.configure(conf_text(config, directory))
    daemon.start()
    try:
        wrong, count, told = compare_sides(config, directory, oracle,
                                           addresses(chance))
        more, others = compare_transports(
            config, Door(f"{directory}/socketmap.sock"), told)
    finally:
        daemon.stop()
    return wrong + more, count + others


def options():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--milterctl", required=True)
    parser.add_argument("--sendmail-root", default="/", metavar="DIR")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main():
    asked = options()
    world.enter()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "parity",
                    str(BASE)], check=True)
    place = world.World(BASE)
    passed = failed = 0
    try:
        place.open()
        oracle = TwoSendmails(asked.sendmail_root, BASE)
        for number in range(8):
            config = Config(f"tables{number}", {"nocanonify": number % 4 > 0})
            wrong, count = compare(asked, config, oracle)
            passed, failed = passed + count - len(wrong), failed + len(wrong)
            for line in wrong:
                print("FAIL " + line)
    finally:
        place.close()
    if passed + failed < MINIMUM:
        failed += 1
        print(f"FAIL {passed + failed} questions, not {MINIMUM}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
