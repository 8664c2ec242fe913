# SPDX-License-Identifier: BSD-2-Clause
"""200 recipes: the engine beside procmail and sieve-test, which are started for
every message as an MTA does it, and milterd with them beside filters without.

No recipe but the last matches, so all of them are tried.
"""

import json
import os
import shutil
import statistics
import subprocess

import maps
import material
import measure

RECIPES, BODIES = 200, (4096, 204800)
SUBJECT = "Minutes of the meeting and what else there is to say about it"
WAYS = (("same steps", measure.SAME_STEPS), ("as it asks", measure.ALL_STEPS))
HEADER = f"""\
From a.sender@example.com Sun Nov 22 10:00:00 2026
Received: from mta.example (mta.example [192.0.2.99])
\tby relay.example with ESMTPS id 4XyZ12abc
\tfor <someone@example.com>; Sun, 22 Nov 2026 10:00:00 +0000
Received: from [10.1.2.3] (unknown [10.1.2.3])
\tby mta.example with ESMTPSA id 4XyZ09xyz; Sun, 22 Nov 2026 09:59:58 +0000
Message-ID: <20261122095958.12345@mta.example>
Date: Sun, 22 Nov 2026 09:59:58 +0000
From: "A. Sender" <a.sender@example.com>
To: Someone <someone@example.com>, "Someone, Else" <else@example.com>
Subject: {SUBJECT}
Sender: a.sender@example.com
Content-Type: text/plain; charset=utf-8
Reply-To: "A. Sender" <a.sender@example.com>

"""
LINE = "This line has some words in it, about as many as people write.\n"
# milterd's words where nobody else may have written the file.
STATE = 'state_directory = "{}"\nrecipes = {{ "{}" }}\n'


def kinds(number):
    """A recipe's conditions for procmail, and the test of Sieve that asks the
    same; scores are asked as what they come to."""
    n = number
    if n % 40 == 7:
        return (":0 B", [f"* (cheap|free) (pills|watches) no{n}"],
                f'body :raw :regex "(cheap|free) (pills|watches) no{n}"')
    if n % 40 == 17:
        return (":0", [f"* ^Subject:.*large{n}", "* > 500000"],
                f'allof(header :contains "subject" "large{n}", '
                'size :over 500000)')
    if n % 40 == 27:
        return (":0", ["* -5^0", f"* 3^0 ^Subject:.*(offer|sale){n}",
                       f"* 3^0 ^From:.*shop{n}"],
                f'allof(header :regex "subject" "(offer|sale){n}", '
                f'header :contains "from" "shop{n}")')
    if n % 40 == 37:
        return (":0", ["* < 1000", f"* ^Subject:.*ping{n}"],
                'allof(size :under 1000, '
                f'header :contains "subject" "ping{n}")')
    if n % 4 == 0:
        return (":0", [f"* ^TO_team{n}@lists\\.example"],
                'header :contains ["to", "cc", "apparently-to", "resent-to", '
                f'"resent-cc"] "team{n}@lists.example"')
    if n % 4 == 1:
        return (":0", [f"* ^(List-Id|X-Mailing-List|Sender):.*<?list{n}"
                       "(\\.|@)lists\\.example"],
                'header :regex ["list-id", "x-mailing-list", "sender"] '
                f'"list{n}[.@]lists\\\\.example"')
    if n % 4 == 2:
        return (":0", [f"* ^From:.*(news{n}|offers{n}|no-?reply{n})@"],
                f'header :regex "from" "(news{n}|offers{n}|no-?reply{n})@"')
    return (":0", [f"* ^Subject:.*\\[project-{n}\\]"],
            f'header :contains "subject" "[project-{n}]"')


def nested(number):
    return (f":0\n* ^From:.*@example\\.com\n{{\n:0\n"
            f"* ^Subject:.*report{number}\nf{number}\n\n"
            f":0\n* ^X-Loop: report{number}\nf{number}\n}}\n",
            'if header :contains "from" "@example.com" {\n'
            f'if header :contains "subject" "report{number}" '
            f'{{ fileinto "f{number}"; stop; }}\n'
            f'if header :contains "x-loop" "report{number}" '
            f'{{ fileinto "f{number}"; stop; }}\n}}\n')


def write_recipes(path, ending):
    """For procmail and milterd."""
    with open(path, "w") as file:
        for number in range(RECIPES - 4):
            flags, conditions, _ = kinds(number)
            file.write("\n".join((flags, *conditions, f"f{number}\n\n")))
        file.write(nested(RECIPES)[0] + f"\n:0\n* ^Subject:.*meeting\n"
                   f"{ending}\n")


def write_sieve(path):
    with open(path, "w") as file:
        file.write('require ["fileinto", "regex", "body"];\n')
        for number in range(RECIPES - 4):
            file.write(f'if {kinds(number)[2]} '
                       f'{{ fileinto "f{number}"; stop; }}\n')
        file.write(nested(RECIPES)[1]
                   + 'if header :contains "subject" "meeting" '
                   '{ discard; stop; }\n')


class Material:
    """The recipes in both languages, and messages."""

    def __init__(self, directory, build):
        self.build = build
        self.directory = f"{directory}/rules"
        scripts = f"{self.directory}/sieve"
        os.makedirs(scripts)
        os.chmod(f"{self.directory}/..", 0o755)
        os.chmod(scripts, 0o777)            # sieve-test keeps what it compiles
        self.rcfile = f"{self.directory}/rc"
        self.script = f"{scripts}/script.sieve"
        write_recipes(self.rcfile, "/dev/null")
        write_sieve(self.script)
        self.config = f"{self.directory}/dovecot.conf"
        with open(self.config, "w") as file:
            file.write("mail_uid = nobody\nmail_gid = nogroup\nssl = no\n"
                       f"mail_home = {scripts}\n"
                       f"mail_location = maildir:{scripts}/mail\n"
                       "log_path = /dev/null\n")
        self.messages = {body: self._message(body) for body in BODIES}

    def _message(self, size):
        path = f"{self.directory}/message.{size}"
        with open(path, "w") as file:
            file.write(HEADER)
            file.write((LINE * (size // len(LINE) + 1))[:size - len(HEADER)])
        return path

    def _tell(self, *words):
        done = subprocess.run(
            [f"{self.build}/tests/bench/recipes", *map(str, words)],
            check=True, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "HOME": self.directory})
        return json.loads(done.stdout)

    def engine(self, body, number):
        found = self._tell("run", self.rcfile, self.messages[body], number)
        assert found["folder"] == "/dev/null", found
        return found

    def procmail(self, body, number, *words):
        return self._tell("start", self.messages[body], number,
                          find("procmail"), "-m", *words,
                          f"MAILDIR={self.directory}", self.rcfile)

    def sieve(self, body, number):
        return self._tell("start", self.messages[body], number,
                          find("sieve-test"), "-c", self.config, self.script,
                          self.messages[body])

    def folder_of_procmail(self, body):
        """Where the real one puts it, as its log says."""
        log = f"{self.directory}/log"
        self.procmail(body, 1, f"LOGFILE={log}", "LOGABSTRACT=all")
        with open(log) as lines:
            return [line.split()[1] for line in lines if "Folder:" in line]

    def actions_of_sieve(self, body):
        done = subprocess.run(
            [find("sieve-test"), "-c", self.config, self.script,
             self.messages[body]], check=True, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        return [line.split()[1] for line in done.stdout.splitlines()
                if line.startswith(" * ")]


def find(program):
    path = shutil.which(program)
    if path is None:
        raise maps.Missing()
    return path


def programs(rules):
    """Name, function, and how many messages a round."""
    rows = [("milterd's engine", rules.engine, 500)]
    for name, function in (("procmail", rules.procmail),
                           ("sieve-test", rules.sieve)):
        if shutil.which(name):
            rows.append((f"{name}, started each time", function, 25))
    return rows


def tell_programs(paper, place, rounds):
    paper.heading(f"Recipes: {RECIPES} of them, the last matches; medians of "
                  f"{rounds} rounds in turn; CPU in microseconds")
    columns = paper.columns(("", 30), *(
        (f"{body // 1024} KB: {what}", width) for body in BODIES
        for what, width in (("msgs/s", 15), ("CPU", 12))))
    rules = Material(place.directory, place.build)
    found = {}
    for _ in range(rounds):
        for body in BODIES:
            for name, function, number in programs(rules):
                found.setdefault((name, body), []).append(
                    function(body, number))
    for name, _, _ in programs(rules):
        columns.row(name, *(
            f"{statistics.median(one[what] for one in found[name, body]):.0f}"
            for body in BODIES for what in ("rate", "cpu_us")))


def with_recipes(place):
    """milterd with recipes, the last of which keeps the message."""
    path, state = f"{place.directory}/recipes", f"{place.directory}/state"
    write_recipes(path, "$DEFAULT")
    return _with_state(place, "recipes", state, f'recipes = {{ "{path}" }}\n')


def with_redis(place, socket):
    return _with_state(place, "with-redis", f"{place.directory}/state-redis",
                       f'redis {{\nserver = "unix:{socket}"\n}}\n')


def _with_state(place, name, state, words):
    os.makedirs(state, 0o700, exist_ok=True)
    return place.milterd(
        name, material.CONFIG + f'access = "{place.access}"\n'
        + place.resolver + f'state_directory = "{state}"\n' + words)


def pair_columns(paper, options, title):
    paper.heading(f"{title}, 2 KB, 16 connections: medians of {options.pairs} "
                  f"pairs of {options.seconds:g} s in turn,\nand of their "
                  "ratios (least to greatest); the first named is the first")
    return paper.columns(
        ("", 40), ("first/s", 7), ("msgs/s", 7), ("CPU 1st", 8), ("CPU", 6),
        ("CPU ratio", 18), ("p50 1st", 9), ("p50", 8), ("p99 1st", 9),
        ("p99", 8), ("refused", 8))


def tell_pairs(paper, place, options, cells):
    """`cells` makes the row of a measure.Pairs."""
    columns = pair_columns(paper, options, f"milterd with {RECIPES} recipes")
    load = measure.Load(place, connections=16)

    def row(name, steps, *pair):
        columns.row(name, *cells(measure.Pairs(
            load.but(steps=steps), *pair, options.pairs, options.seconds)))

    with place.null() as null, place.milterd() as milterd, \
            with_recipes(place) as recipes:
        load.for_messages(milterd, 1000)
        load.for_messages(recipes, 1000)
        for way, steps in WAYS:
            row(f"null, with recipes, {way}", steps, null, recipes)
            row(f"without, with recipes, {way}", steps, milterd, recipes)
    if not shutil.which("redis-server"):
        return
    columns = pair_columns(paper, options, "milterd with Redis")
    with maps.redis(place.directory) as socket, place.milterd() as milterd, \
            with_redis(place, socket) as redis:
        load.for_messages(milterd, 1000)
        load.for_messages(redis, 1000)
        for way, steps in WAYS:
            row(f"without, with Redis, {way}", steps, milterd, redis)


def tell(paper, place, options, cells):
    tell_programs(paper, place, options.pairs)
    tell_pairs(paper, place, options, cells)
