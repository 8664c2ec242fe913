# SPDX-License-Identifier: BSD-2-Clause
"""Maps to rewrite and to route by, after the examples of cf/README."""

import os

MAPS = {
    "domaintable": "abd.com\tabc.com\nold.example\tnew.example\n",
    "virtusertable": """\
info@virt.example\tjoe
sales@virt.example\tsmith@far.example
joe+*@virt.example\t%1-%2@far.example
list@virt.example\tstaff
closed@virt.example\terror:5.7.1:550 Closed for good
busy@virt.example\terror:tempfail 450 Come back later
@virt.example\terror:nouser 550 No such user here
@all.example\t%1@far.example
""",
    "genericstable": "lee\tlee.doe@public.example\nroot\troot.abc\n",
    "mailertable": """\
sh.example\trelay:[192.168.11.1]
bj.example\tsmtp:mail.bj.example
.hq.example\tesmtp:%1.relay.example
deep.hq.example\tsmtp:[192.0.2.1]:[IPv6:2001:db8::1]:backup.example
closed.example\terror:5.1.2:550 No such place
gone.example\terror:nouser:550 Nobody there
later.example\terror:tempfail:451 4.4.1 Come back later
plain.example\terror:no code at all
one.example\tlocal:joe
here.example\tlocal:
other.example\tsmtp:bob@far.example
fax.example\tfax:machine
drop.example\tdiscard:
abc.com\tsmtp:never.example
""",
    "aliases": """\
staff: joe, ann@far.example, \\root
prog: |/bin/false
dl: dl, friend@far.example
owner-big: boss@far.example
big: x@far.example, y@far.example
""",
}
OPTIONS = """\
virtuser_domain = { "virt.example", "all.example" }
generics_domain = { "abc.com" }
masquerade_as = "masq.example"
exposed_user = { "root" }
"""


def words(directory, *names):
    """Write the maps; the words of milterd.conf for them."""
    lines = OPTIONS
    for name in names or MAPS:
        path = os.path.join(directory, name)
        with open(path, "w") as table:
            table.write(MAPS[name])
        value = f'{{ "{path}" }}' if name == "aliases" else f'"{path}"'
        lines += f"{name} = {value}\n"
    return lines
