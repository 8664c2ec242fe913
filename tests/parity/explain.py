# SPDX-License-Identifier: BSD-2-Clause
"""The subject: milterd's own rules, asked with `milterctl explain`."""

import json
import subprocess
import sys

from model import Answer


def ask(milterctl, directory, questions):
    """The answers to all the questions, in order."""
    blocks = "".join(block(question) for question in questions)
    done = subprocess.run(
        [milterctl, "explain", "--config", f"{directory}/milterd.conf",
         "--json"], check=False, input=blocks.encode("latin-1"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = done.stdout.decode("utf-8").splitlines()
    if done.returncode != 0 or len(lines) != len(questions):
        sys.exit(f"parity: milterctl explain: exit {done.returncode}, "
                 f"{len(lines)} answers to {len(questions)} questions: "
                 f"{done.stderr.decode(errors='replace').strip()}")
    return [answer(question, json.loads(line))
            for question, line in zip(questions, lines)]


def block(question):
    """A question in milterctl's attributes, with a blank line after it."""
    attributes = {
        "ruleset": question.ruleset,
        "client_address": question.address,
        "client_name": question.name,
        "reverse_client_name": question.pointer,
        "client_resolve": question.resolve,
        "helo_name": question.helo,
        "sasl_method": question.mechanism,
        "sasl_username": question.user,
        "sender": question.sender,
        "recipient": question.recipient,
    }
    # An empty sender is the null sender; every other empty one is unknown.
    return "".join(f"{name}={value}\n" for name, value in attributes.items()
                   if value) + "\n"


def answer(question, told):
    """milterctl's answer in the words of the comparison."""
    verdict = told["verdict"]
    if verdict == "accept":
        verdict = "continue"
    if verdict == "continue":
        return Answer(verdict, relay=question.ruleset == "check_rcpt"
                      and bool(told.get("relay")))
    if verdict == "discard":
        return Answer(verdict)
    text = told.get("text") or ""
    if verdict == "quarantine":
        return Answer(verdict, text=text)
    return Answer(verdict, told["code"], told["enhanced"], text)
