# SPDX-License-Identifier: BSD-2-Clause
"""What the two sides are told and what they answer."""

import dataclasses
import ipaddress


@dataclasses.dataclass(frozen=True)
class Config:
    """One configuration, in milterd's words; both sides are written from it."""

    name: str
    options: dict = dataclasses.field(default_factory=dict)
    access: tuple | None = ()
    relay_domains: tuple = ()
    local_names: tuple = ()

    def has(self, option):
        return bool(self.options.get(option))


@dataclasses.dataclass(frozen=True)
class Question:
    """One ruleset asked about one session."""

    ruleset: str
    address: str
    name: str = ""
    pointer: str = ""
    resolve: str = "OK"
    helo: str = "client.example.test"
    mechanism: str = ""
    user: str = ""
    sender: str = "<>"
    recipient: str = ""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the client would be told, without the address before the text."""

    verdict: str
    code: int = 0
    enhanced: str = ""
    text: str = ""
    relay: bool = False

    def __str__(self):
        told = f"{self.verdict} {self.code} {self.enhanced} {self.text!r}"
        return told + (" RELAY" if self.relay else "")


def client_macro(address):
    """The address as sendmail writes it: IPv6 whole, with its tag."""
    if ":" not in address:
        return address
    groups = ipaddress.IPv6Address(address).exploded.split(":")
    return "IPv6:" + ":".join(f"{int(group, 16):x}" for group in groups)


def client_name(question):
    """The client's name as sendmail has it: only OK gives a name."""
    if question.resolve == "OK" and question.name:
        return question.name
    return f"[{client_macro(question.address)}]"
