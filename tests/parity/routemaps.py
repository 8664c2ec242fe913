# SPDX-License-Identifier: BSD-2-Clause
"""Virtusertables, aliases and include files for routes.py, from a seed.

Words are drawn from small pools, so that what one line names is often the key
of another, and keys and addresses nearly miss each other.
"""

import zones

USERS = ("alice", "bob", "carol", "dave")
LISTS = ("staff", "team", "dl", "all", "news", "ops", "info", "sales",
         "owner-team", "deep")
# Names of nobody, not even in the aliases.
STRANGERS = ("nobody1", "nobody2", "alic", "alice1")
LOCALS = (zones.HOSTNAME, "local.test")
VIRTUALS = ("virt.test", "all.test")
REMOTES = ("good.test", "other.test", "nx.test", "sub.good.test",
           "[192.0.2.9]")
HOSTS = (*LOCALS, *VIRTUALS, *REMOTES, "local.test", "virt.test", "virt.test",
         "localhost", "sub.virt.test", "xvirt.test", "tolocal.test",
         "alias.test", "old.test", "older.test", "VIRT.Test", "Local.Test",
         "virt.test.", "sub.local.test")
DETAILS = ("", "", "", "+x", "+y", "+a+b", "+", "+*", "+X", "++")
# What stands behind the first "+" of a user, as sendmail says it.
HEARD = ("x", "y", "a+b", "+", "*")
DOMAIN_LINES = ("old.test\tvirt.test", "older.test\tgood.test",
                "a.old.test\tlocal.test")


def word(rng, strangers=False):
    pools = [USERS, LISTS] + ([STRANGERS] if strangers else [])
    return rng.choice(rng.choice(pools))


def plain_local(rng, strangers=False):
    return word(rng, strangers) + rng.choice(DETAILS)


def address(rng, strangers=False):
    return f"{plain_local(rng, strangers)}@{rng.choice(HOSTS)}"


def virtual_key(rng):
    domain = rng.choice(VIRTUALS + LOCALS + ("sub.virt.test",))
    kind = rng.randrange(10)
    if kind < 4:
        return f"{word(rng)}@{domain}"
    if kind < 6:
        return f"{word(rng)}{rng.choice(DETAILS)}@{domain}"
    if kind == 6:
        return f"{word(rng)}+*@{domain}"
    if kind == 7:
        return f"{word(rng)}++@{domain}"
    if kind == 8:
        return rng.choice(("++", "+*")) + f"@{domain}"
    return f"@{domain}"


def virtual_value(rng):
    return rng.choice((
        word(rng), word(rng), plain_local(rng), plain_local(rng),
        address(rng), address(rng), address(rng),
        "%1@good.test", "%1", "%1%3", "%1%3@other.test", "%1-%2@good.test",
        f"{word(rng)}%3", f"{word(rng)}+%1", f"{word(rng)}+%2",
        "%0@other.test", "%1@virt.test", "%1@all.test",
        f'"{word(rng)}"@good.test', f"{word(rng).upper()}@GOOD.test",
        f"{word(rng)}%good.test@local.test", "a b@good.test",
        "error:nouser No such user", "error:nouser 550 No such user here",
        "error:5.7.1:550 Go away", "error:5.1.1:551 Moved to x@good.test",
        "error:450 Try later", "error:No such user", "|prog",
        f"{word(rng)},{word(rng)}@virt.test"))


def virtusertable(rng, count, with_programs):
    lines = [f"{virtual_key(rng)}\t{virtual_value(rng)}"
             for _ in range(count)]
    return [line for line in lines if with_programs or "|" not in line]


def member(rng, includes):
    kind = rng.randrange(14)
    if kind < 5:
        return word(rng)
    if kind == 5:
        return plain_local(rng)
    if kind < 8:
        return address(rng)
    if kind == 8:
        return "\\" + word(rng)
    if kind == 9:
        return f'"{word(rng)}"'
    if kind == 10:
        return rng.choice((f"Some One <{address(rng)}>",
                           f"{address(rng)} (a, comment)",
                           f'"Doe, J" <{word(rng)}@good.test>',
                           f"<@other.test:{word(rng)}@good.test>",
                           f"{word(rng)}%good.test@local.test"))
    if kind == 11 and includes:
        return f":include:{rng.choice(includes)}"
    if kind == 12:
        return word(rng).upper()
    return rng.choice((word(rng), address(rng), f"{word(rng)}.REDIRECT",
                       f"{word(rng)}@good.test.REDIRECT"))


def members(rng, includes, most=4):
    blank = rng.choice(("", " ", "  ", "\n\t", "\\\n", " \\\n "))
    return ("," + blank).join(member(rng, includes)
                              for _ in range(rng.randrange(1, most)))


def alias_name(rng, name):
    kind = rng.randrange(12)
    if kind == 0:
        return name + rng.choice(("+x", "+*", "+", "+a+b"))
    if kind == 1:
        return name.capitalize()
    if kind == 2:
        return f'"{name}"'
    if kind == 3:
        # While milterd loads it does not ask DNS whose name tolocal.test is.
        host = rng.choice(HOSTS)
        return name if host == "tolocal.test" else f"{name}@{host}"
    if kind == 4:
        return f"{name} (a comment)"
    return name


def aliases(rng, count, includes):
    """Entries; some are continued, some are wrong, some names come twice."""
    lines = ["# generated", ""]
    for _ in range(count):
        name = alias_name(rng, word(rng))
        gap = rng.choice((": ", ":", " : ", ":\t"))
        lines.append(name + gap + members(rng, includes))
        if rng.random() < 0.1:
            lines.append(rng.choice(("# comment", "", "nocolon", "empty:",
                                     "# more\n\tof it: x")))
    return lines


def chain(length):
    """Aliases one behind the other, around the greatest depth."""
    lines = [f"step{i}: step{i + 1}" for i in range(length)]
    return lines + [f"step{length}: alice+x"]


def virtual_chain(length):
    """The same in the virtusertable."""
    lines = [f"hop{i}@virt.test\thop{i + 1}@virt.test"
             for i in range(length)]
    return lines + [f"hop{length}@virt.test\tbob"]


def include_file(rng, includes):
    lines = []
    for _ in range(rng.randrange(0, 4)):
        lines.append(members(rng, includes, 3).replace("\\\n", " ")
                     .replace("\n", " "))
        lines.append(rng.choice(("", "# a comment", "bob #@# the last",
                                 "carol\r", " , ,")))
    return lines


def question(rng, strangers):
    """A recipient as a client may write it."""
    local = plain_local(rng, strangers)
    host = rng.choice(HOSTS)
    return rng.choice((
        f"{local}@{host}", f"{local}@{host}", f"{local}@{host}",
        f"{local}@{host}", f"{local}@local.test", f"{local}@virt.test",
        local, local, f"{local.upper()}@{host}", f'"{local}"@{host}',
        f"\\{local}@{host}", f"{local}%{host}@local.test",
        f"@{host}:{local}@local.test", f"{local}@{host}.REDIRECT",
        f"step{rng.randrange(14)}", f"hop{rng.randrange(20)}@virt.test"))
