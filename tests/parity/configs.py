# SPDX-License-Identifier: BSD-2-Clause
"""The configurations that are compared, made from the seed."""

import random

import maps
from model import Config

# name -> options; `None` as access stands for no access map.
OPTIONS = {
    "bare": {"access": None},
    "plain": {},
    "blocklist": {"blocklist_recipients": True},
    "delay": {"delay_checks": "yes", "blocklist_recipients": True},
    "delay-plain": {"delay_checks": "yes"},
    "friend": {"delay_checks": "friend", "blocklist_recipients": True},
    "hater": {"delay_checks": "hater", "blocklist_recipients": True},
    "hosts-only": {"relay_hosts_only": True},
    "hosts-delay": {"relay_hosts_only": True, "delay_checks": "friend",
                    "relay_mail_from": "domain"},
    "entire": {"relay_entire_domain": True, "blocklist_recipients": True},
    "local-from": {"relay_local_from": True},
    "mail-from": {"relay_mail_from": "address"},
    "mail-domain": {"relay_mail_from": "domain",
                    "blocklist_recipients": True},
    "mx": {"relay_based_on_MX": True, "blocklist_recipients": True},
    "promiscuous": {"promiscuous_relay": True, "blocklist_recipients": True},
    "loose": {"loose_relay_check": True, "blocklist_recipients": True},
    "unresolvable": {"accept_unresolvable_domains": True},
    "unqualified": {"accept_unqualified_senders": True},
    "open-senders": {"accept_unqualified_senders": True,
                     "accept_unresolvable_domains": True,
                     "delay_checks": "yes"},
    "dots": {"lookupdotdomain": True, "blocklist_recipients": True},
    "full": {"relaytofulladdress": True, "blocklist_recipients": True},
    "rdns": {"require_rdns": True},
    "rdns-delay": {"require_rdns": True, "delay_checks": "yes"},
    "helo": {"block_bad_helo": True},
    "helo-delay": {"block_bad_helo": True, "delay_checks": "yes"},
    "pointer": {"use_client_ptr": True},
    "lists": {"dnsbl": ["bl.test", "bl2.test 550 5.7.2 Listed"]},
    "lists-enhanced": {"enhdnsbl": ["bl.test", "bl2.test 450 Try later"],
                       "delay_checks": "yes"},
    "auth": {"trust_auth_mech": ["LOGIN", "PLAIN"],
             "blocklist_recipients": True},
    "auth-delay": {"trust_auth_mech": ["LOGIN"], "delay_checks": "yes"},
    "verbatim": {"nocanonify": True, "blocklist_recipients": True},
    "bare-mx": {"access": None, "relay_based_on_MX": True},
    "bare-delay": {"access": None, "delay_checks": "yes",
                   "relay_entire_domain": True},
    "everything": {"delay_checks": "hater", "blocklist_recipients": True,
                   "relay_entire_domain": True, "relay_local_from": True,
                   "relay_mail_from": "domain", "relay_based_on_MX": True,
                   "lookupdotdomain": True, "relaytofulladdress": True,
                   "trust_auth_mech": ["LOGIN"], "block_bad_helo": True,
                   "require_rdns": True, "dnsbl": ["bl.test"]},
}

# With few lines in the map, so that what comes after it gets its turn.
SPARSE = {"lists", "lists-enhanced", "rdns", "rdns-delay", "helo",
          "helo-delay", "mx", "local-from", "pointer", "auth", "everything"}


# Every option with the values it may have, for combinations by chance.
CHOICES = {
    "delay_checks": ("yes", "friend", "hater"),
    "relay_mail_from": ("address", "domain"),
    "trust_auth_mech": (["LOGIN"],),
    "dnsbl": (["bl.test"], ["bl2.test", "bl.test discard"]),
    "enhdnsbl": (["bl2.test 550 5.7.2 Listed"], ["bl2.test quarantine"]),
    **{word: (True,) for word in (
        "blocklist_recipients", "relay_hosts_only", "relay_entire_domain",
        "relay_local_from", "relay_based_on_MX", "promiscuous_relay",
        "loose_relay_check", "accept_unresolvable_domains",
        "accept_unqualified_senders", "lookupdotdomain", "relaytofulladdress",
        "require_rdns", "block_bad_helo", "use_client_ptr", "nocanonify")},
}
COMBINATIONS = 12


def all_configs(seed):
    """Every configuration; the last asks each form of value once."""
    made = [generate(seed, name, dict(options))
            for name, options in OPTIONS.items()]
    made += [generate(seed, f"combination-{number}",
                      combination(f"{seed}/combination-{number}"))
             for number in range(1, COMBINATIONS + 1)]
    return made + [value_forms()]


def combination(seed):
    """About a third of the options, each with one of its values."""
    rng = random.Random(seed)
    return {word: rng.choice(values) for word, values in CHOICES.items()
            if rng.random() < 0.35}


def generate(seed, name, options):
    rng = random.Random(f"{seed}/{name}")
    spam = options.get("delay_checks") in ("friend", "hater")
    count = rng.randrange(60, 120)
    if name in SPARSE:
        count //= 5
    lines = None if "access" in options else maps.access(rng, count, spam)
    options.pop("access", None)
    return Config(name, options, access=lines,
                  relay_domains=maps.relay_names(rng),
                  local_names=("local.test", *maps.names(rng, 1)))


def value_forms():
    lines = tuple(f"{key}\t{value}"
                  for number, value in enumerate(maps.VALUES)
                  for key in value_keys(number))
    return Config("values", {"blocklist_recipients": True}, access=lines)


def value_keys(number):
    """The keys that hold a form: of a client, a sender, a recipient."""
    return (f"Connect:172.16.{number // 200}.{number % 200}",
            f"From:v{number}@good.test", f"To:v{number}@good.test")
