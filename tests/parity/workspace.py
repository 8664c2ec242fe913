# SPDX-License-Identifier: BSD-2-Clause
"""The files of one configuration: milterd.conf, maps and classes.

sendmail reads the very files that milterd reads; only its configuration and
its compiled map are its own.
"""

import zones


def prepare(config, base, sendmail):
    """Write everything into a directory of the configuration's own."""
    directory = base / config.name
    directory.mkdir(mode=0o755)
    write_lines(directory / "relay-domains", config.relay_domains)
    write_lines(directory / "local-host-names", config.local_names)
    if config.access is not None:
        write_lines(directory / "access", config.access)
    (directory / "milterd.conf").write_text(conf_text(config, directory))
    sendmail.prepare(config, directory)
    return directory


def write_lines(path, lines):
    path.write_text("".join(line + "\n" for line in lines), "latin-1")


def conf_text(config, directory):
    """milterd.conf for a configuration."""
    # sendmail puts the addresses of its own name into class w by itself.
    own = f"[{zones.ADDRESSES[zones.HOSTNAME]}]"
    words = {
        "socket": f"unix:{directory}/milterd.sock",
        "hostname": zones.HOSTNAME,
        "resolver": "127.0.0.1:53",
        "local_domain": [f"{directory}/local-host-names", own],
        "relay_domain": [f"{directory}/relay-domains"],
    }
    if config.access is not None:
        words["access"] = f"{directory}/access"
    words.update(config.options)
    return "".join(f"{word} = {conf_value(value)}\n"
                   for word, value in words.items())


def conf_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "{" + ", ".join(conf_value(item) for item in value) + "}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
