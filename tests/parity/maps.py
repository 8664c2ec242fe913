# SPDX-License-Identifier: BSD-2-Clause
"""The world the questions are about, and the maps made from it.

Keys and questions draw on the same few users, domains and nets, so that most
questions come near a key; `questions` makes the misses.
"""

import ipaddress

USERS = ("alice", "bob", "carol", "postmaster", "root", "a.b", "x_y", "abuse")
DETAILS = ("+tag", "+other", "+", "+tag+more")
DOMAINS = (
    "good.test", "sub.good.test", "deep.sub.good.test", "relay.test",
    "host.relay.test", "other.test", "a.other.test", "spam.test",
    "mail.spam.test", "local.test", "sub.local.test", "home.test",
    "mx.home.test", "near.home.test", "alias-target.test", "backed.test",
    "x-y.test", "under_score.test", "mxonly.test", "nx.test", "sub.nx.test",
    "servfail.test", "six.test", "under.six.test", "client.good.test",
    "client.spam.test", "client.relay.test", "client.other.test",
)
OTHER_DOMAINS = (
    "alias.test", "www.relay.test", "tolocal.test", "tospam.test",
    "torelay.test", "mxalias.test", "sub.backed.test", "mxdead.test",
    "nullmx.test", "nullmx-a.test", "onlytext.test", "x.servfail.test",
    "dangling.odd.test", "loop-a.odd.test", "tofail.odd.test",
    "chain.odd.test", "localhost", "mx", "localhost.home.test", "alias",
    "foo.UUCP", "tolocalmx.test", "test", "1.2.3.4",
)
HOSTS4 = (
    "10.1.2.3", "10.1.2.4", "10.1.20.3", "10.2.0.1", "10.10.2.3", "11.1.2.3",
    "192.0.2.7", "192.0.2.66", "192.0.2.67", "192.0.20.7", "198.51.100.5",
    "198.51.100.6", "198.51.100.66", "198.51.10.5", "203.0.9.1",
    "203.0.113.9", "172.16.5.4",
)
HOSTS6 = (
    "2001:db8::6", "2001:db8::7", "2001:db8:1:2::7", "2001:db8:1:20::7",
    "2001:db8:12::1", "2001:db9::1", "fd00:0:0:1::2",
)

KEYWORDS = ("OK", "RELAY", "RELAY", "REJECT", "REJECT", "DISCARD", "SKIP")
TEXTS = (
    "QUARANTINE:held for review", "ERROR:5.7.1:550 text with code",
    "ERROR:4.7.1:450 later please", "ERROR:550 text only",
    "550 We don't like a spammer!", "450 later", "421 closing now",
    "550 5.7.1 own status", "bare text without a code",
    "550 see http://www.good.test/", "\"550 5.7.1 quoted, all of it\"",
    "554 go (away) now", "REJECT now", "ERROR:5.1.1:no code",
)
SPAM = ("FRIEND", "HATER", "FRIEND", "HATER", "OK", "SKIP", "REJECT")
TAGS = ("", "", "Connect:", "From:", "To:")

# Every form of value, for the configuration that asks them all.
VALUES = (
    "OK", "RELAY", "REJECT", "DISCARD", "SKIP", "FRIEND", "HATER",
    "ok", "Relay", "rejecT", "discard", "skip", "friend", "hater",
    "SUBJECT", "LOCAL", "REJECT now", "RELAY // trusted", "OK.", "\"REJECT\"",
    "DISCARD quietly", "discard:x", "OKAY", "RELAY,OK", "ok ok", "REJECT(x)",
    "REJECT (x)", "(x) REJECT", "R\\EJECT",
    "QUARANTINE:held for review", "quarantine:lower case", "QUARANTINE:",
    "QUARANTINE", "QUARANTINE:\"quoted why\"", "QUARANTINE: after a blank",
    "QUARANTINE:550 why", "Quarantine:a,b (c) d: e", "QUARANTINE :x",
    "ERROR:5.7.1:550 text with code", "ERROR:4.7.1:450 later please",
    "ERROR:550 text only", "ERROR:5.1.1:text without code",
    "ERROR:text alone", "error:5.7.1:550 lower tag", "Error:450 mixed tag",
    "ERROR:5.7.1:550 5.7.2 two codes", "ERROR:5.7.1:\"550 quoted text\"",
    "ERROR:\"550 quoted text\"", "ERROR:550", "ERROR:", "ERROR",
    "ERROR:5.7:550 short status", "ERROR:5.7.1.2:550 long status",
    "ERROR:5.7.1 550 no colon", "ERROR: 5.7.1 : 550 blanks",
    "ERROR:4.7.1:550 mixed classes", "ERROR:5.7.1:450 mixed classes",
    "ERROR:D.S.N:550 letters", "ERROR:nouser:550 by name",
    "ERROR:9.9.9:550 odd status", "ERROR:5.7.1:421 closing",
    "ERROR:5.7.1:", "ERROR:5.7.1", "ERROR:x:y:z",
    "550 We don't like a spammer!", "550 plain text", "551 moved",
    "552 full", "553 no", "554 go", "501 syntax", "521 never",
    "450 later", "451 local trouble", "452 full now", "421 closing now",
    "550 5.7.1 own status", "450 4.7.1 own status", "550 5.7.1",
    "550", "550 ", "250 fine", "354 go on", "220 hello", "650 odd", "55 x",
    "5500 x", "550-5.7.1 dash", "550\ttab", "550 5.7.1\ttab",
    "550 5.7.999 wide", "550 5.7.1000 wider", "550 5.x.1 letters",
    "550 4.7.1 other class", "550 2.7.1 good class",
    "bare text without a code", "Go away", "x",
    "550 (comment) kept?", "550 a (b) c", "550 un(balanced", "550 un)balanced",
    "550 un<balanced", "550 un>balanced", "550 <x@y.test> angle",
    "550 a \"quoted part\" here", "\"550 all quoted\"",
    "550 \"all quoted text\"", "550 un\"balanced", "550 it's",
    "\"550 5.7.1 all quoted\"", "550 \"5.7.1 quoted status\"",
    "550 a,b, c ,d", "550 a;b; c ;d", "550 a:b: c :d", "550 a.b. c .d",
    "550 a@b @ c", "550 a!b! c", "550 a/b / c", "550 a+b + c", "550 a=b = c",
    "550 a%b % c", "550 a^b ^ c", "550 [a] [ b ]", "550 a-b - c",
    "550 a_b _ c", "550 a*b * c", "550 a&b & c", "550 a~b ~ c",
    "550 a|b | c", "550 {a} { b }", "550 a?b ? c", "550 a#b # c",
    "550 see http://www.good.test/why?x=1&y=2",
    "550 mail to postmaster@good.test, please.", "550   many   blanks",
    "550 back\\slash", "550 back\\\\slash", "550 \\\"escaped\\\"",
    "550 tab\tinside", "550 tail  ", "550 a . b", "550 ...", "550 !",
    "550 ,", "550 \"\"", "550 \" \"", "550 a \"\" b", "550 a\"b\"c",
    "550 'single quotes'", "550 `back quotes`", "550 100% sure",
    "550 UPPER lower", "550 e.g. this", "550 a.  b.", "550 (only)",
    "550 ((nested) x) y", "550 a ( b ) c", "550 1.2.3.4 is listed",
    "<OK>", "<550 x>", "550:text", "RELAY:x", "OK:x", "REJECT:x", "SKIP:x",
    "\"OK\"", "\"550\" text", "550 \"text\" and (more)", ":x", "5.7.1",
    "5.7.1 550 turned", "5.7.1:550 no tag",
)


def any_case(rng, text):
    """Now and then in another case."""
    return rng.choice((text, text, text, text.upper(), text.title(),
                       text.swapcase()))


def groups(address):
    """An IPv6 address as the rulesets have it: whole, no leading zeros."""
    packed = ipaddress.IPv6Address(address).packed
    return [f"{packed[at] << 8 | packed[at + 1]:x}" for at in range(0, 16, 2)]


def net_key(rng):
    """A key for an address or a net, or a near miss of the syntax."""
    if rng.random() < 0.3:
        whole = groups(rng.choice(HOSTS6))
        count = rng.choice((8, 8, 8, 8, 4, 4, 3, 3, 2, 1))
        key = "IPv6:" + ":".join(whole[:count])
        return rng.choice((key, key, key.lower(), key.upper(), key + ":",
                           f"IPv6:{rng.choice(HOSTS6)}", f"[{key}]"))
    address = rng.choice(HOSTS4)
    count = rng.choice((4, 4, 4, 4, 4, 3, 3, 3, 2, 1))
    key = ".".join(address.split(".")[:count])
    return rng.choice((key, key, key, key, key + ".", key + "/24",
                       f"[{key}]"))


def domain_key(rng):
    domain = rng.choice(DOMAINS + DOMAINS + OTHER_DOMAINS)
    return rng.choice(("", "", "", "", "", ".")) + domain


def address_key(rng):
    user = rng.choice(USERS) + rng.choice(("", "", "", "+*") + DETAILS)
    domain = rng.choice(("", rng.choice(DOMAINS), rng.choice(DOMAINS)))
    return f"{user}@{domain}"


def access_line(rng, spam):
    """One line of an access map."""
    if spam and rng.random() < 0.25:
        key = rng.choice((domain_key, address_key, address_key))(rng)
        return f"{any_case(rng, 'Spam:')}{key}\t{rng.choice(SPAM)}"
    make = rng.choice((net_key, domain_key, domain_key, address_key))
    tag = rng.choice(TAGS)
    if make is net_key and tag:
        tag = rng.choice(("Connect:", "Connect:", tag))
    value = rng.choice(KEYWORDS if rng.random() < 0.8 else TEXTS)
    if value in KEYWORDS:
        value = any_case(rng, value)
    key = any_case(rng, tag + make(rng))
    return key + rng.choice(("\t", " ", "\t\t", "  \t")) + value


def access(rng, count, spam):
    """An access map of so many lines, and a few more that do not count."""
    lines = [access_line(rng, spam) for _ in range(count)]
    for odd in ("# a comment", "", " leading.test\tREJECT", "novalue.test",
                "#good.test REJECT", "Connect:\tREJECT"):
        lines.insert(rng.randrange(len(lines)), odd)
    return tuple(lines)


def names(rng, count):
    """Some domains for a class."""
    return tuple(any_case(rng, name) for name in rng.sample(DOMAINS, count))


def relay_names(rng):
    """Some domains, hosts and nets for class R."""
    nets = (".".join(rng.choice(HOSTS4).split(".")[:rng.choice((4, 3))]),
            "IPv6:" + ":".join(groups(rng.choice(HOSTS6))[:4]))
    # Of a line only the first word counts.
    return (*names(rng, 2), *nets, "# a comment", "",
            "six.relay.test other.test")
