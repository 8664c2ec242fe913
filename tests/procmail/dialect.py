# SPDX-License-Identifier: BSD-2-Clause
"""What procmail's manual promises of its regular expressions, by trying
everything: for the few questions to which the real program has a wrong answer
or none.

Slow and plain. A pattern is read into nested tuples; matching gives all ways
from a place, each as where it ends and where its last \\/ was. Places are
counted in the text, -1 is the newline in front of it.
"""

WORD = set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
ANY = set(range(256)) - {10}


def both_cases(byte):
    text = bytes([byte])
    return {text.lower()[0], text.upper()[0]}


class Reader:
    """A pattern becomes a tuple whose first item says what it is."""

    def __init__(self, pattern, fold):
        self.pattern, self.at, self.fold = pattern, 0, fold

    def here(self):
        return self.pattern[self.at:self.at + 1]

    def take(self):
        self.at += 1
        return self.pattern[self.at - 1:self.at]

    def at_stop(self):
        return self.here() in (b"", b"|", b")")

    def members(self, byte):
        return both_cases(byte) if self.fold and byte < 128 else {byte}

    def choice(self):
        parts = [self.sequence()]
        while self.here() == b"|":
            self.take()
            parts.append(self.sequence())
        return ("choice", *parts)

    def sequence(self):
        parts = []
        if self.at_stop():
            return ("sequence", ("sequence",))
        while not self.at_stop():
            parts.append(self.part())
        return ("sequence", *parts)

    def part(self):
        atom = self.atom()
        if self.here() in (b"*", b"+", b"?") and self.here():
            return (self.take().decode(), atom)
        return atom

    def atom(self):
        byte = self.take()
        if byte == b"(":
            inside = self.choice()
            self.take()
            return inside
        if byte == b"[":
            return ("set", self.members_of_class())
        if byte == b".":
            return ("set", ANY)
        if byte == b"$" or (byte == b"^" and self.here() != b"^"):
            return ("set", {10})
        if byte == b"^":
            self.take()
            return ("begin",)
        if byte == b"\\" and self.here():
            return self.escaped(self.take())
        return ("set", self.members(byte[0]))

    def escaped(self, byte):
        if byte == b"/":
            return ("split",)
        if byte in (b"<", b">"):
            return ("set", set(range(256)) - WORD)
        return ("set", self.members(byte[0]))

    def members_of_class(self):
        negated = self.here() == b"^"
        self.at += negated
        found, last = set(), 0
        if self.here() in (b"]", b"-") and self.here():
            last = self.take()[0]
            found = {last}
        while self.here() not in (b"", b"]"):
            byte = self.take()
            if byte != b"-":
                last = byte[0]
                found |= self.members(last)
            elif self.here() in (b"", b"]"):
                found |= {ord("-")}
            else:
                high = self.take()[0]
                for member in (*range(last + 1, high), high):
                    found |= self.members(member)
                last = high
        self.take()
        return ANY - found if negated else found


def with_end(node):
    """^^ with nothing behind it is the end of the text, too."""
    kind = node[0]
    if kind == "begin":
        return ("choice", ("end",), ("begin",))
    if kind == "sequence" and len(node) > 1:
        return (*node[:-1], with_end(node[-1]))
    if kind in ("choice", "?"):
        return (kind, *map(with_end, node[1:]))
    return node


def read(pattern, fold=True):
    return with_end(Reader(pattern, fold).choice())


def can_be_empty(node):
    kind = node[0]
    if kind in ("set", "begin"):
        return False
    if kind == "sequence":
        return all(map(can_be_empty, node[1:]))
    if kind == "choice":
        return any(map(can_be_empty, node[1:]))
    return kind != "+" or can_be_empty(node[1])


def has(node, test):
    return test(node) or any(has(part, test) for part in node[1:]
                             if isinstance(part, tuple))


def repeats_nothing(node):
    """Is something repeated that can be empty? The real program may not
    come to an end."""
    return has(node, lambda n: n[0] in "*+" and can_be_empty(n[1]))


def splits(node):
    return (node[0] == "split") + sum(splits(part) for part in node[1:]
                                      if isinstance(part, tuple))


class Matcher:
    """All ways of a tree through one text."""

    def __init__(self, tree, text):
        self.tree, self.text, self.known = tree, text, {}

    def byte(self, at):
        return self.text[at] if 0 <= at < len(self.text) else 10

    def ways(self, node, at):
        """All (end, place of the last \\/ or None) from `at`."""
        key = (id(node), at)
        if key not in self.known:
            self.known[key] = getattr(
                self, self.NAMES.get(node[0], node[0]))(node, at)
        return self.known[key]

    NAMES = {"set": "one", "?": "maybe", "*": "often", "+": "often"}

    def one(self, node, at):
        fits = at <= len(self.text) and self.byte(at) in node[1]
        return {(at + 1, None)} if fits else set()

    def begin(self, _node, at):
        return {(0, None)} if at == -1 else set()

    def end(self, _node, at):
        return {(at, None)} if at == len(self.text) else set()

    def split(self, _node, at):
        return {(at, at)}

    def choice(self, node, at):
        return set().union(*(self.ways(part, at) for part in node[1:]))

    def then(self, ways, node):
        return {(end, old if new is None else new)
                for at, old in ways for end, new in self.ways(node, at)}

    def sequence(self, node, at):
        ways = {(at, None)}
        for part in node[1:]:
            ways = self.then(ways, part)
        return ways

    def maybe(self, node, at):
        return self.ways(node[1], at) | {(at, None)}

    def often(self, node, at):
        found, new = set(), {(at, None)}
        while new:
            found |= new
            new = self.then(new, node[1]) - found
        if node[0] == "+":
            return self.then(found, node[1])
        return found

    def all(self):
        """Of all places where a match may begin."""
        found = set()
        for at in range(-1, max(len(self.text), 0)):
            found |= self.ways(self.tree, at)
        return found


def answer(pattern, text, fold=True):
    """As regex_answers gives it: whether it matched, and MATCH or None."""
    ways = Matcher(read(pattern, fold), text).all()
    plain = [end for end, at in ways if at is None or at > len(text)]
    split = [(at, end) for end, at in ways if at is not None
             and at <= len(text)]
    if not ways:
        return False, None
    if not split or plain and min(plain) < min(end for _, end in split):
        return True, None
    first = min(at for at, _ in split)
    last = max(end for at, end in split if at == first)
    return True, text[max(first, 0):max(last, 0)]
