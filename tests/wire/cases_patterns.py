# SPDX-License-Identifier: BSD-2-Clause
"""Files of patterns and nets in the maps of a running milterd."""

import os
import time

from logged import connect, expect, greeted, logged
from node import NO_NAME_SERVER

ACCESS = """\
friend-7@x.example	OK
192.0.2.128/25	REJECT
192.0.2.200	OK
Connect:2001:db8::/29	REJECT
"""
PATTERNS = """\
/^From:(friend)-(\\d+)@x\\.example$/ 550 No ${1} number $2
if /^From:/
/^From:(a+)+@slow\\.example$/ OK
endif
/^Connect:dyn-.*\\.isp\\.example$/ REJECT
"""
SLOW = "a" * 60 + "b@slow.example"
DENIED = "550 5.7.1 Access denied"


def served(programs, directory, first="pcre:{p}", second="{access}"):
    """A node whose access map has these two items."""
    patterns = write(directory, PATTERNS)
    items = [item.format(p=patterns, access=f"{directory}/access")
             for item in (first, second)]
    return logged(programs, directory, ACCESS, NO_NAME_SERVER,
                  items='{{ "{}", "{}" }}'.format(*items))


def write(directory, text):
    path = os.path.join(directory, "patterns")
    with open(path, "w") as file:
        file.write(text)
    return path


def lookup(node, *words):
    done = node.daemon.control("lookup", *words)
    return done.stdout if done.returncode == 0 else done.stderr


def test_first_item_counts(programs, directory):
    with served(programs, directory) as node:
        with greeted(node, "postfix") as talk:
            expect(talk.mail("friend-7@x.example"), "y",
                   "550 5.0.0 <friend-7@x.example>... No friend number 7")
            expect(talk.mail("friend-x@x.example"), "c")
        assert lookup(node, "access", "from:friend-12@X.example") == \
            f"550 No friend number 12\t{directory}/patterns:1\n"


def test_the_other_order(programs, directory):
    """The table has the untagged key alone: the tagged one is asked first."""
    with served(programs, directory, "{access}", "pcre:{p}") as node, \
            greeted(node, "postfix") as talk:
        expect(talk.mail("friend-7@x.example"), "y",
               "550 5.0.0 <friend-7@x.example>... No friend number 7")
        node.write_access(ACCESS + "From:friend-7@x.example\tOK\n")
        assert node.daemon.control("reload").returncode == 0
        with greeted(node, "postfix") as later:
            expect(later.mail("friend-7@x.example"), "c")


def test_a_pattern_at_its_limit_defers(programs, directory):
    with served(programs, directory) as node:
        with greeted(node, "sendmail") as talk:
            talk.macros("M", i="6AMB3kD1000720")
            began = time.monotonic()
            answer = talk.mail(SLOW)
            assert time.monotonic() - began < 2
            assert answer.verdict == "y" and \
                answer.text.startswith("451 4.3.0 "), answer
            expect(talk.mail("b@slow.example"), "c")
        node.daemon.logged("6AMB3kD1000720: no answer from access: match "
                           f"limit ({directory}/patterns:3)\n")
        told = lookup(node, "access", "From:" + SLOW)
        assert f"match limit ({directory}/patterns:3)" in told, told


def test_explain_names_the_line(programs, directory):
    with served(programs, directory) as node:
        done = node.daemon.control(
            "explain", "--trace", "--client-address", "192.0.2.7",
            "--sender", SLOW, "--recipient", "u@abc.com")
        assert f"cannot answer now: match limit ({directory}/patterns:3)" in \
            done.stdout, done
        done = node.daemon.control(
            "explain", "--trace", "--client-address", "192.0.2.7",
            "--sender", "friend-7@x.example", "--recipient", "u@abc.com")
        assert "access From:friend-7@x.example: 550 No friend number 7 " \
            f"({directory}/patterns:1)" in done.stdout, done


def test_a_broken_file_changes_nothing(programs, directory):
    with served(programs, directory) as node:
        write(directory, "/^a/ REJECT\n/^From:(friend/ OK\n")
        done = node.daemon.control("reload")
        assert done.returncode != 0, done
        assert f"{directory}/patterns:2: at offset 13 of the pattern: " \
            "missing closing parenthesis" in done.stderr, done
        with greeted(node, "postfix") as talk:
            assert talk.mail("friend-7@x.example").verdict == "y"
        write(directory, "/^From:friend/ 550 New\n")
        done = node.daemon.control("reload")
        assert done.returncode == 0 and "access" in done.stdout, done
        with greeted(node, "postfix") as talk:
            expect(talk.mail("friend-7@x.example"), "y",
                   "550 5.0.0 <friend-7@x.example>... New")


def test_nets(programs, directory):
    with served(programs, directory) as node:
        for address, denied in (("192.0.2.129", True), ("192.0.2.127", False),
                                ("192.0.2.200", False),
                                ("2001:db8:1::1", True),
                                ("2001:dc0:1::1", False)):
            talk, answer = connect(node, "sendmail", address=address)
            with talk:
                expect(answer, "c")
                answer = talk.helo("client.example")
                expect(answer, *(("y", DENIED) if denied else ("c",)))
        assert lookup(node, "access", "192.0.2.128/25") == \
            f"REJECT\t{directory}/access:2\n"
        assert lookup(node, "access", "Connect:2001:DB8:0::/29") == \
            f"REJECT\t{directory}/access:4\n"
