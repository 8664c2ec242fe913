# SPDX-License-Identifier: BSD-2-Clause
"""The oracle: the rulesets of the real sendmail, asked with `sendmail -bt`."""

import os
import pathlib
import shutil
import subprocess
import sys

import reading
from model import client_macro, client_name


class Sendmail:
    """The unpacked programs; `prepare` makes one configuration of them."""

    def __init__(self, root, directory):
        self.cf = pathlib.Path(root, "usr/share/sendmail/cf")
        self.bin = pathlib.Path(directory, "sendmail-bin")
        self.bin.mkdir()
        libraries = pathlib.Path(root).glob("usr/lib/*-linux-gnu")
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC",
                    "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
        for program in ("sendmail", "makemap"):
            # A copy is not setgid, so it may be told where its libraries are.
            copy = self.bin / program
            shutil.copyfile(
                pathlib.Path(root, "usr/libexec/sendmail", program), copy)
            copy.chmod(0o755)

    def prepare(self, config, directory):
        """Write sendmail.mc, sendmail.cf and the compiled map."""
        directory = pathlib.Path(directory)
        (directory / "sendmail.mc").write_text(
            mc_text(config, directory, self.cf))
        made = self.run(["m4", f"-D_CF_DIR_={self.cf}/",
                         str(self.cf / "m4/cf.m4"),
                         str(directory / "sendmail.mc")])
        (directory / "sendmail.cf").write_bytes(made.stdout)
        if config.access is not None:
            self.make_map(directory)

    def make_map(self, directory):
        """Compile the access map; lines that do not count are no failure."""
        with open(directory / "access", "rb") as text:
            self.run([str(self.bin / "makemap"), "-C",
                      str(directory / "sendmail.cf"), "hash",
                      str(directory / "access")],
                     good=(0, os.EX_DATAERR), stdin=text)

    def run(self, command, good=(0,), **options):
        done = subprocess.run(command, env=self.env, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              **options)
        if done.returncode not in good:
            sys.exit(f"parity: {' '.join(command)}: "
                     f"{done.stderr.decode(errors='replace')}")
        return done

    def ask(self, directory, questions):
        """The answers to all the questions, in order."""
        written = self.rewritten_senders(directory, questions)
        lines, spans = [], []
        for question in questions:
            own = commands(question, written[question.sender])
            spans.append(len(own))
            lines += own
        outputs = self.converse(directory, lines)
        answers, at = [], 0
        for question, span in zip(questions, spans):
            answers.append(reading.answer(question, outputs[at:at + span]))
            at += span
        return answers

    def rewritten_senders(self, directory, questions):
        """Each sender as the server keeps it in $f."""
        senders = sorted({question.sender for question in questions})
        outputs = self.converse(
            directory, [f"canonify,final {without_comments(sender)}"
                        for sender in senders])
        return {sender: reading.address("final", output) or "<>"
                for sender, output in zip(senders, outputs)}

    def converse(self, directory, lines):
        """What sendmail -bt prints after each of the lines."""
        # Its exit status is that of the last address: of no interest.
        done = subprocess.run(
            [str(self.bin / "sendmail"), "-bt", "-C",
             str(pathlib.Path(directory, "sendmail.cf"))], check=False,
            env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            input="".join(line + "\n" for line in lines).encode("latin-1"))
        return reading.split_output(done.stdout.decode("latin-1"), len(lines))


def commands(question, written):
    """The lines that put one question: first the macros, the address as the
    server parses it, last the ruleset; `written` is the sender rewritten."""
    macros = {
        "{client_addr}": client_macro(question.address),
        "{client_name}": client_name(question),
        "{client_ptr}": question.pointer or client_name(question),
        "{client_resolve}": question.resolve,
        "{auth_type}": question.mechanism,
        "{auth_authen}": question.user,
        "s": question.helo,
        "f": written,
        "{mail_from}": question.sender,
    }
    lines = [f".D{name}{value}" for name, value in macros.items()]
    if question.ruleset == "check_relay":
        return lines + ["Start,check_relay "
                        f"{macros['{client_name}']} $| "
                        f"{macros['{client_addr}']}"]
    if question.ruleset == "check_mail":
        address, flags = question.sender, "SE"
    else:
        address, flags = question.recipient, "RE"
    return lines + [f"/tryflags {flags}", f"/parse {address}",
                    f"{question.ruleset} {without_comments(address)}"]


def without_comments(address):
    """The address as the server's scanner leaves it: -bt keeps comments."""
    kept, depth, quoted, escaped = "", 0, False, False
    for letter in address:
        special = not escaped
        escaped = special and letter == "\\"
        if special and letter == '"' and not depth:
            quoted = not quoted
        if special and letter == "(" and not quoted:
            depth += 1
            kept += " "
        elif special and letter == ")" and not quoted and depth:
            depth -= 1
        elif not depth:
            kept += letter
    return kept


FEATURES = {
    "blocklist_recipients", "relay_hosts_only", "relay_entire_domain",
    "relay_local_from", "relay_based_on_MX", "promiscuous_relay",
    "loose_relay_check", "accept_unresolvable_domains",
    "accept_unqualified_senders", "lookupdotdomain", "require_rdns",
    "block_bad_helo", "use_client_ptr", "nocanonify",
}


def mc_text(config, directory, cf):
    """sendmail.mc for a configuration."""
    lines = [
        f"include(`{cf}/debian/autoconf.m4')dnl",
        "VERSIONID(`parity')",
        "OSTYPE(`debian')dnl",
        "define(`confTO_RESOLVER_RETRANS', `1s')dnl",
        "define(`confTO_RESOLVER_RETRY', `2')dnl",
        "undefine(`confHOST_STATUS_DIRECTORY')dnl",
        f"define(`confCW_FILE', `{directory}/local-host-names')dnl",
        f"define(`confCR_FILE', `{directory}/relay-domains')dnl",
        "FEATURE(`use_cw_file')dnl",
    ]
    if config.access is not None:
        extra = ", `relaytofulladdress'" if config.has(
            "relaytofulladdress") else ""
        lines.append(f"FEATURE(`access_db', `hash -T<TMPF> {directory}/access'"
                     f", `skip'{extra})dnl")
    lines += [feature(name, value) for name, value in config.options.items()]
    lines += ["MAILER(`local')dnl", "MAILER(`smtp')dnl", "LOCAL_RULESETS",
              "SStart", "R$* $$| $*\t\t$: $1 $| $2"]
    return "".join(line + "\n" for line in lines if line)


def feature(name, value):
    """The line of sendmail.mc for one of milterd's words."""
    if not value or value == "no" or name == "relaytofulladdress":
        return ""
    if name in FEATURES:
        return f"FEATURE(`{name}')dnl"
    if name == "delay_checks":
        argument = "" if value is True else f", `{value}', `n'"
        return f"FEATURE(`delay_checks'{argument})dnl"
    if name == "relay_mail_from":
        argument = ", `domain'" if value == "domain" else ""
        return f"FEATURE(`relay_mail_from'{argument})dnl"
    if name == "trust_auth_mech":
        return f"TRUST_AUTH_MECH(`{' '.join(value)}')dnl"
    if name in ("dnsbl", "enhdnsbl"):
        return "\n".join(list_line(name, item) for item in value)
    raise ValueError(f"no FEATURE for {name}")


def list_line(name, item):
    zone, _, text = item.partition(" ")
    if text in ("", "discard", "quarantine"):
        return f"FEATURE(`{name}', `{zone}', `{text}')dnl"
    return f"FEATURE(`{name}', `{zone}', `\"{text}\"')dnl"
