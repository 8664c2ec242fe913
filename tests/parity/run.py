#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ask the real sendmail and milterd the same questions and compare.

Both get the same generated maps and classes and the same seeded questions
over check_relay, check_mail and check_rcpt: sendmail through `sendmail -bt`,
milterd through `milterctl explain --config`. A sample is also put to the real
sendmail over SMTP, which shows that the oracle reads -bt rightly. Passes only
if enough questions were asked and every answer agrees, or is covered by the
file `differences`.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True

import configs
import differences
import explain
import questions
import sendmail
import wire
import workspace
import world

MINIMUM = 6000
QUESTIONS = 15000
BASE = pathlib.Path("/media")


def options():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--milterctl", help="the milterctl to ask")
    parser.add_argument("--sendmail-root", default="/", metavar="DIR",
                        help="where Debian's sendmail packages are unpacked")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--questions", type=int, default=QUESTIONS,
                        help="ask about so many")
    parser.add_argument("--config", metavar="NAME", action="append",
                        help="only this configuration (may repeat)")
    parser.add_argument("--only", type=int, metavar="N",
                        help="only the question of that number")
    parser.add_argument("--list", action="store_true",
                        help="list the configurations and end")
    parser.add_argument("--show", action="store_true",
                        help="print every question and its answers")
    parser.add_argument("--keep", metavar="DIR",
                        help="copy the generated files there")
    return parser.parse_args()


def main():
    asked = options()
    if not (asked.milterctl or asked.show or asked.list):
        sys.exit("parity: --milterctl is needed")
    chosen = [config for config in configs.all_configs(asked.seed)
              if not asked.config or config.name in asked.config]
    if asked.list:
        print("\n".join(config.name for config in chosen))
        return 0
    world.enter()
    # sendmail and milterd trust no map below a directory others can write.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "parity",
                    str(BASE)], check=True)
    place = world.World(BASE)
    try:
        place.open()
        comparison = Comparison(asked, chosen)
        comparison.run()
    finally:
        place.close()
        if asked.keep:
            shutil.copytree(BASE, asked.keep, dirs_exist_ok=True)
    return comparison.finish()


class Comparison:
    """One run over the chosen configurations."""

    def __init__(self, asked, chosen):
        self.asked = asked
        self.chosen = chosen
        self.each = -(-asked.questions // (len(configs.OPTIONS)
                                           + configs.COMBINATIONS))
        self.oracle = sendmail.Sendmail(asked.sendmail_root, BASE)
        self.known = differences.load()
        self.passed = self.failed = self.questions = 0

    def run(self):
        wire.open_routes()
        for config in self.chosen:
            directory = workspace.prepare(config, BASE, self.oracle)
            self.ask_both(config, directory)
            if config.name in wire.CONFIGS and self.asked.only is None:
                self.ask_server(config, directory)
        if not self.asked.config and self.asked.only is None:
            self.check_whole()

    def finish(self):
        """The last line and the exit status."""
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0

    def ask_both(self, config, directory):
        """The rulesets against milterd."""
        numbered = list(enumerate(questions.generate(
            config, self.asked.seed, self.each)))
        if self.asked.only is not None:
            numbered = [numbered[self.asked.only]]
        asked = [question for _, question in numbered]
        self.questions += len(asked)
        expected = self.oracle.ask(directory, asked)
        given = (explain.ask(self.asked.milterctl, directory, asked)
                 if self.asked.milterctl else expected)
        for (number, question), right, got in zip(numbered, expected, given):
            if self.asked.show:
                print(f"{config.name} {number} {question}\n  {right}\n  {got}")
            self.judge(f"{config.name} {question}", right, got,
                       f"--config {config.name} --only {number}")

    def ask_server(self, config, directory):
        """The rulesets against the server that has them."""
        sessions = wire.make_sessions(config, self.asked.seed)
        for session, right, got in wire.hold(self.oracle, directory, sessions):
            self.judge(f"{config.name} over SMTP {session}", right, got,
                       f"--config {config.name}")

    def judge(self, question, right, got, again):
        if right == got or self.known.cover(question, right, got):
            self.passed += 1
            return
        self.failed += 1
        print(f"FAIL {question}\n  expected {right}\n  got      {got}\n"
              f"  again: {sys.argv[0]} --milterctl {self.asked.milterctl} "
              f"--sendmail-root {self.asked.sendmail_root} "
              f"--seed {self.asked.seed} --questions {self.asked.questions} "
              f"{again}")

    def check_whole(self):
        """What only a run over everything can tell."""
        for pattern in self.known.unused():
            print(f"note: in differences, but met nowhere: {pattern}")
        if self.questions < MINIMUM:
            self.failed += 1
            print(f"FAIL {self.questions} questions, not {MINIMUM}")


if __name__ == "__main__":
    sys.exit(main())
