# SPDX-License-Identifier: BSD-2-Clause
"""The order of dependency base <- maps <- policy <- milter, as the compiler
sees it, and the libraries' headers each in its own room."""
import re
from tree import CC, FLAGS, LAYERS, SRC, Report, code, run, sources

# What policy/ may see of maps/: the port, not how maps are made; and the door
# to PCRE2, since recipes are regular expressions and those live there.
MAPS_FOR_POLICY = {
    "maps/class.h", "maps/map.h", "maps/net.h", "maps/regex.h"}
# Header -> the files that may include it, directly or through others.
ROOMS = {
    "libmilter/mfapi.h": r"milter/(callbacks|apply|edits|main)\.[ch]",
    "ares.h": r"milter/dns\.c",
    "cdb.h": r"maps/shard\.c",
    "confuse.h": r"milter/settings\.c",
    "gmime/gmime.h": r"milter/decode\.c",
    "hiredis.h": r"maps/redis_resp\.c",
    "jansson.h": r"milter/.*",
    "lmdb.h": r"maps/store_lmdb\.c",
    "pcre2.h": r"maps/regex\.c",
    "openssl/ssl.h": r"maps/redis_tls\.c",
    "pthread.h": r"milter/.*|maps/live\.c",
}
POLICY_SYSTEM_HEADERS = {
    "assert.h", "arpa/inet.h", "ctype.h", "inttypes.h", "limits.h",
    "math.h", "netinet/in.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h",
    "stdio.h", "stdlib.h", "string.h", "strings.h"}
# maps/ knows keys and values, not what they are for.
MAIL_WORDS = re.compile(
    r"\b(?!milterd\b)\w*(smtp|smfi|milter|rcpt|recipient|sender|verdict|relaying|session)"
    r"\w*\b", re.I)


def included(path):
    """Files that the compiler reads for `path`: those of the tree by their
    path in it, the system's by their full path."""
    result = run(CC + FLAGS + ["-M", "-x", "c", SRC + "/" + path])
    if result.returncode != 0:
        return None, result.stderr
    names = result.stdout.replace("\\\n", " ").split(":", 1)[1].split()
    return [n[len(SRC) + 1:] if n.startswith(SRC + "/") else n
            for n in names], ""


def check_order(report, path, names):
    layer = path.split("/")[0]
    allowed = LAYERS[:LAYERS.index(layer) + 1]
    for name in names:
        folder = name.split("/")[0]
        if folder in LAYERS and folder not in allowed:
            report.check(False, "%s includes %s" % (path, name))
        if layer == "policy" and folder == "maps" and \
                name not in MAPS_FOR_POLICY:
            report.check(False, "%s includes %s" % (path, name))


def check_rooms(report, path, names, text):
    for header, room in ROOMS.items():
        if any(name.endswith("/" + header) for name in names) and \
                not re.fullmatch(room, path):
            report.check(False, "%s includes %s" % (path, header))
    if path.startswith("policy/"):
        for header in re.findall(r"^\s*#\s*include\s*<([^>]+)>", text, re.M):
            report.check(header in POLICY_SYSTEM_HEADERS,
                         "%s includes <%s>" % (path, header))


def check_words(report, path, text):
    for number, line in enumerate(text.split("\n"), 1):
        match = MAIL_WORDS.search(line)
        if match:
            report.check(False, "%s:%d: %s: maps/ knows nothing of mail"
                         % (path, number, match.group(0)))


def main():
    report = Report()
    for layer in LAYERS:
        for path in sources(layer):
            names, problem = included(path)
            report.check(names is not None, "%s: %s" % (path, problem))
            check_order(report, path, names or [])
            check_rooms(report, path, names or [], code(path))
            if layer == "maps":
                check_words(report, path, code(path))
    report.end()


main()
