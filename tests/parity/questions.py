# SPDX-License-Identifier: BSD-2-Clause
"""The questions: seeded, near the maps, with every odd form of address."""

import random

import configs
import maps
from model import Question

# u: a local part, d: a domain, e: another domain, o: one of our own names
FORMS = (
    "<u%d@o>", "<u%d@e>", "<d!u@o>", "<d!u>", "<u@d@o>", "<u@d@e>",
    "<@e:u@d>", "<@o:u@d>", "<@e,@o:u@d>", "<@[10.1.2.3]:u@d>", "<@e:u>",
    "<\"u@d\"@o>", "<\"u@d\"@e>", "<\"u%d\"@o>", "<\"u\"@d>", "<\"u u\"@d>",
    "<u\\@d>", "<u\\@d@o>", "<u%d%e@o>", "<e!d!u@o>", "<e!u%d@o>", "<u@d.>",
    "<u@d..>", "<u@.d>", "<u@d..e>", "<u@@d>", "<@d>", "<u@>", "<@>",
    "<u@[10.1.2.3]>", "<u@[192.0.2.25]>", "<u@[127.0.0.1]>", "<u@[d]>",
    "<u@[IPv6:2001:db8::6]>", "<u@[2001:db8::6]>",
    "<u@[IPv6:2001:db8:0:0:0:0:0:6]>",
    "<u@[IPv6:0:0:0:0:0:0:0:1]>", "<u@[]>", "<u@[10.1.2.3>", "<u@10.1.2.3]>",
    "<u@10.1.2.3>", "<u:u@d>", "<u@d:25>", "<u@[10.1.2.3]:25>",
    "<u,u@d>", "<u@d,u@e>", "<u@d", "u@d>", "<\"u@d>", "<(u@d>", "<u)@d>",
    "<u(c)@d>", "<u@(c)d>", "<u@d(c)>", "<<u@d>>", "<c <u@d>>", "<u<@d>",
    "<u;@d>", "<u@d;>", "<list:;>", "<list:u@d;>", "<:u@d>", "<u u@d>",
    "<u @d>", "<u@ d>", "<u@d e>", "<u@d@>", "<u%@o>", "<%d@o>", "<!u@d>",
    "<u!@d>", "<u..u@d>", "<.u@d>", "<u.@d>", "<\"\"@d>", "<\"\">", "<*@d>",
    "<u'u@d>", "<u=u@d>", "<u/u@d>", "<u^u@d>", "<u|u@d>",
    "<u+@d>", "<+u@d>", "<+@d>", "<u++@d>", "<\"u+tag\"@d>", "<u+\"tag\"@d>",
    "<u\\+tag@d>", "<d>", "<u@foo.UUCP>", "<foo!u>", "<u@*LOCAL*>", "<[d]>",
    "<u::d>", "<u@\"d\">", "<u%d@[127.0.0.1]>", "<u%d@[192.0.2.25]>",
    "<u%d@localhost>", "<u@localhost.home.test>", "<u@d/e>",
    "<u@-d>", "<u@d->", "<u@d_e>", "<\\u@d>", "<u\"u\"@d>", "<\"u\".u@d>",
)
# sendmail -bt would take the # in a macro's value for a comment.
RECIPIENT_FORMS = FORMS + ("<u#u@d>", "<u@d#e>", "<#u@d>")
# Without parse errors: who has none of these never gets as far as RCPT.
PLAIN_FORMS = (
    "<u%d@o>", "<\"u@d\"@o>", "<\"u\"@d>", "<d!u>", "<@e:u@d>", "<u@d.>",
    "<u@[10.1.2.3]>", "<u@[127.0.0.1]>", "<u(c)@d>", "<\"u u\"@d>", "u@d",
    "<u@localhost>",
)
HELOS = ("client.example.test", "mx.home.test", "MX.Home.test", "mx",
         "localhost", "local.test", "sub.local.test", "unqualified", ".lead",
         "tail.", "[10.1.2.3]", "[192.0.2.25]", "[127.0.0.1]", "10.1.2.3",
         "[IPv6:2001:db8::6]", "good.test", "x")
OWN = ("mx.home.test", "mx", "localhost", "local.test", "MX.HOME.TEST")
MECHANISMS = ("", "", "", "LOGIN", "CRAM-MD5")


def generate(config, seed, count):
    """`count` questions for a configuration, always the same ones."""
    if config.name == "values":
        return value_questions()
    maker = Maker(random.Random(f"{seed}/questions/{config.name}"), config)
    return [maker.question() for _ in range(count)]


def value_questions():
    """Each form of value, asked in each ruleset."""
    asked = []
    for number in range(len(maps.VALUES)):
        connect = configs.value_keys(number)[0].partition(":")[2]
        asked += [
            Question("check_relay", connect, resolve="FAIL"),
            Question("check_mail", "203.0.113.9", resolve="FAIL",
                     sender=f"<v{number}@good.test>"),
            Question("check_rcpt", "203.0.113.9", resolve="FAIL",
                     recipient=f"<v{number}@good.test>")]
    return asked


class Maker:
    """Draws questions from the world of `maps` and a configuration's names."""

    def __init__(self, rng, config):
        self.rng = rng
        self.delayed = bool(config.options.get("delay_checks"))
        self.authenticates = "trust_auth_mech" in config.options
        self.greets = config.has("block_bad_helo")
        self.local = OWN + config.local_names

    def question(self):
        ruleset = self.rng.choice(
            ("check_mail", "check_rcpt", "check_rcpt", "check_rcpt")
            if self.delayed else
            ("check_relay", "check_relay", "check_mail", "check_mail",
             "check_rcpt", "check_rcpt", "check_rcpt"))
        client = self.client()
        if self.authenticates or self.rng.random() < 0.05:
            client["mechanism"] = self.rng.choice(MECHANISMS)
            client["user"] = "alice" if client["mechanism"] else ""
        if self.greets or self.rng.random() < 0.05:
            client["helo"] = self.rng.choice(HELOS)
        if ruleset == "check_rcpt":
            sender = self.sender(PLAIN_FORMS)
            recipient = self.address(RECIPIENT_FORMS)
            if self.rng.random() < 0.02:
                recipient = "<>"
        else:
            sender, recipient = self.sender(FORMS), ""
        return Question(ruleset, sender=sender, recipient=recipient, **client)

    def client(self):
        """An address, its state and its names as the server has them."""
        rng = self.rng
        address = rng.choice(maps.HOSTS4 * 2 + maps.HOSTS6
                             + ("127.0.0.1", "192.0.2.25"))
        if rng.random() < 0.2 and "." in address:
            address = ".".join(address.split(".")[:3]
                               + [str(rng.randrange(1, 255))])
        resolve = rng.choice(("OK", "OK", "OK", "FORGED", "FAIL", "TEMP"))
        name = self.domain().lower() if resolve in ("OK", "FORGED") else ""
        if "@" in name or name.endswith("."):
            name = "client.good.test"
        return {"address": address, "resolve": resolve, "pointer": name,
                "name": name if resolve == "OK" else ""}

    def domain(self):
        """A domain that may be in a map, or one beside it."""
        rng = self.rng
        name = rng.choice(maps.DOMAINS * 2 + maps.OTHER_DOMAINS + self.local)
        if rng.random() < 0.35:
            name = self.beside(name)
        return maps.any_case(rng, name)

    def beside(self, name):
        return self.rng.choice((
            "x." + name, "a.b." + name, name.partition(".")[2] or name,
            "x" + name, name + "x", name + ".test",
            name[1:].strip(".") or name))

    def local_part(self):
        rng = self.rng
        user = maps.any_case(rng, rng.choice(maps.USERS))
        return user + rng.choice(("", "", "", *maps.DETAILS))

    def sender(self, forms):
        return "<>" if self.rng.random() < 0.08 else self.address(forms)

    def address(self, forms):
        rng = self.rng
        shape = rng.random()
        if shape < 0.6:
            return f"<{self.local_part()}@{self.domain()}>"
        if shape < 0.66:
            return f"<{self.local_part()}>"
        return self.filled(rng.choice(forms))

    def filled(self, form):
        """The form with its letters replaced by names."""
        fill = {"u": self.local_part, "d": self.domain, "e": self.domain,
                "o": lambda: self.rng.choice(self.local)}
        out, at = "", 0
        while at < len(form):
            word = at
            while word < len(form) and form[word].isalnum():
                word += 1
            token = form[at:word] or form[at]
            out += fill[token]() if token in fill else token
            at += len(token)
        return out
