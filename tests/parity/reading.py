# SPDX-License-Identifier: BSD-2-Clause
"""From what `sendmail -bt` prints to what an SMTP client would be told.

The rulesets end in tokens, e.g. `$# error $@ 5 . 7 . 1 $: "550 Access denied"`;
the server makes a reply of them. The same is done here, and the wire
questions hold it against the real server.
"""

import re

from model import Answer

PROMPT = "> "
OPERATORS = set(".:%@!^/[]+<>(),;\"\r\n")
SCANNER = re.compile(r"\.\.\. (Unbalanced '.')$")
CODE = re.compile(r"\d\d\d ")
ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


def split_output(text, count):
    """The output after each prompt; sendmail prompts before each line."""
    pieces, current = [], None
    for line in text.splitlines():
        while line.startswith(PROMPT):
            if current is not None:
                pieces.append(current)
            current, line = [], line[len(PROMPT):]
        if line and current is not None:
            current.append(line)
    pieces.append(current)
    if len(pieces) == count + 1:
        pieces.pop()
    if len(pieces) != count:
        raise RuntimeError(f"sendmail -bt: {len(pieces)} answers to "
                           f"{count} lines")
    return pieces


def answer(question, outputs):
    """The answer to a question, from the outputs of its commands."""
    if question.ruleset != "check_relay":
        refused = parse_refusal(outputs[-2])
        if refused:
            return refused
    # check_rcpt refuses whatever may not be relayed.
    return verdict(returned(question.ruleset, outputs[-1]),
                   relay=question.ruleset == "check_rcpt")


def parse_refusal(lines):
    """The server's refusal to parse the address, or None."""
    for line in lines:
        scanned = SCANNER.search(line)
        if scanned:
            return Answer("reject", 553, "5.0.0", scanned.group(1))
    final = returned("parse", lines)
    if final[:2] == ["$#", "error"]:
        return verdict(final)
    return None


def returned(ruleset, lines):
    """The tokens that the ruleset returned last."""
    head = f"{ruleset:<16.16} returns: "
    for line in reversed(lines):
        if line.startswith(head):
            return tokens(line[len(head):])
    return []


def tokens(text):
    """The tokens as printed, separated by blanks; quoted ones hold blanks."""
    return re.findall(r'"(?:\\.|[^"\\])*"|\S+', text)


def verdict(final, relay=False):
    """What becomes of a ruleset's result."""
    if final[:2] == ["$#", "discard"]:
        return Answer("discard")
    if final[:2] != ["$#", "error"]:
        return Answer("continue", relay=relay)
    host, text = [], final[2:]
    if text[:1] == ["$@"]:
        end = text.index("$:")
        host, text = text[1:end], text[end:]
    host, text = "".join(host), without_quotes(joined(text[1:], " "))
    if host == "quarantine":
        return Answer("quarantine", text=text)
    return reply(host, text)


def address(ruleset, lines):
    """The address that a ruleset returned; blanks in it become dots."""
    return joined(returned(ruleset, lines), ".")


def joined(parts, between):
    """The tokens as one text, with a separator between two atoms only."""
    text, after_atom = "", False
    for part in parts:
        atom = part[0] not in OPERATORS
        text += (between if atom and after_atom else "") + part
        after_atom = atom
    return text


def without_quotes(text):
    """Without double quotes, and without backslashes that quote."""
    return re.sub(r'\\(.)|"', lambda found: found.group(1) or "", text)


def reply(host, text):
    """The reply to an error: its own codes first, then the ruleset's."""
    if not CODE.match(text):
        return refusal(553, "5.3.0", text)
    code, text = int(text[:3]), text[4:]
    own, _, rest = text.partition(" ")
    if ENHANCED.fullmatch(own) and rest:
        return refusal(code, own, rest)
    if ENHANCED.fullmatch(host):
        return refusal(code, host, text)
    return refusal(code, f"{code // 100}.0.0", text)


def refusal(code, enhanced, text):
    verdicts = {4: "defer", 5: "reject"}
    return Answer(verdicts.get(code // 100, "senseless"), code, enhanced, text)
