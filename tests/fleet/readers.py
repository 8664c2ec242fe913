# SPDX-License-Identifier: BSD-2-Clause
"""Milter sessions that tell by their answers which maps judged them."""

import re
import threading

import miltertalk

PROBE, RECIPIENT = "probe@sender.example", "b@example.org"
WORDS = """\
accept_unresolvable_domains = true
blocklist_recipients = true
"""


def write_pair(node, word):
    """Two maps, one answers MAIL and the other RCPT, that say one word; and
    the first once more, for RCPT."""
    node.write(access=f"From:{PROBE}\tERROR:5.7.1:550 mail {word}\n"
                      f"To:c@example.org\tERROR:5.7.1:550 to {word}\n",
               virtusertable=f"{RECIPIENT}\terror:5.7.1:550 rcpt {word}\n",
               local_host_names="example.org\n")


class Reader(threading.Thread):
    """Sessions on one node, one after the other. Between MAIL and RCPT of
    every second message the node comes to answer others otherwise."""

    def __init__(self, node):
        super().__init__()
        self._path = node.sockets()["socket"]
        self.stop = threading.Event()
        self.seen = {}          # word of a session -> sessions
        self.outlived = 0       # messages that saw the node change
        self.wrong = []

    def run(self):
        try:
            while not self.stop.is_set():
                with self._session() as talk:
                    word = self._ask(talk, lambda: None)
                    again = self._ask(talk, lambda: self._await_other(word))
                if again != word:
                    self.wrong.append(f"{again} in a session of {word}")
        except Exception as error:              # told by the test
            self.wrong.append(repr(error))

    def _await_other(self, word):
        while not self.stop.is_set():
            with self._session() as talk:
                if self._ask(talk, lambda: None) != word:
                    self.outlived += 1
                    return

    def _session(self):
        talk = miltertalk.dial(self._path)
        talk.negotiate()
        talk.connect("host.example", "192.0.2.7")
        talk.helo("host.example")
        return talk

    def _ask(self, talk, meanwhile):
        """Both maps in one message; the word that the answers have."""
        said = [_word(talk.mail(PROBE))]
        assert talk.mail("a@sender.example").verdict == "c"
        meanwhile()
        said += [_word(talk.rcpt(RECIPIENT)),
                 _word(talk.rcpt("c@example.org"))]
        talk.abort()
        if len(set(said)) != 1:
            self.wrong.append(f"one session said {said}")
        self.seen[said[0]] = self.seen.get(said[0], 0) + 1
        return said[0]


def _word(answer):
    found = re.fullmatch(r"550 5\.7\.1 (?:.*\.\.\. )?(?:mail|rcpt|to) (\w+)",
                         answer.text)
    assert found, answer
    return found[1]
