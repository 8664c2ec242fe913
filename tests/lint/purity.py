# SPDX-License-Identifier: BSD-2-Clause
"""policy/ is a pure function: what its objects call from outside base/ and
maps/ is on a short list. No threads, clock, files, sockets, environment,
random numbers; no allocation but the arena's."""
import re
from tree import BUILD, Report, run

PURE = set("""
    memchr memcmp memcpy memmem memmove memset memrchr
    strchr strcmp strlen strncmp strnlen strrchr pow strtod strtol strtoul strtoull
    strcasecmp strncasecmp strspn strcspn strpbrk strstr
    snprintf vsnprintf __ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc
    tolower toupper isdigit isxdigit isalpha isalnum isspace
    inet_ntop inet_pton htonl htons ntohl ntohs qsort bsearch
    __assert_fail __stack_chk_fail _GLOBAL_OFFSET_TABLE_
""".split())
# Compilers' own: sanitizers, fortified and C23 forms of the functions above.
COMPILER = re.compile(r"__(asan|ubsan|tsan|sanitizer)_\w+"
                      r"|_Unwind_\w+|__isoc23_strto\w+|__\w+_chk")
# Of maps/ only lookups, and the door to PCRE2, for recipes.
LOOKUP = re.compile(r"map_find(_net)?|map_nets?|map_name|map_hit_\w+|net_\w+"
                    r"|class_(has|name|count)|regex_(compile|free|match|room_new|room_free)")


def symbols(archive, kinds):
    result = run(["nm", "-A", archive])
    if result.returncode != 0:
        return None
    found = set()
    for line in result.stdout.splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[-2] in kinds:
            found.add((fields[0].split(":")[1], fields[-1]))
    return found


def variables(archive):
    """(section, name) of each object that is data."""
    result = run(["objdump", "-t", archive])
    return re.findall(r" O (\.\S+)\s+[0-9a-f]+ (?:\.hidden )?(\S+)$",
                      result.stdout, re.M)


def main():
    report = Report()
    defined = {}
    for layer in ("base", "maps", "policy"):
        names = symbols("%s/lib%s.a" % (BUILD, layer), set("TDBRVWCGSdbr"))
        report.check(names is not None, "lib%s.a is not there" % layer)
        defined[layer] = {name for _, name in names or ()}
    for where, name in sorted(
            symbols(BUILD + "/libpolicy.a", {"U"}) or ()):
        if name in defined["policy"] or name in defined["base"]:
            continue
        report.check(name in PURE or COMPILER.fullmatch(name)
                     or (name in defined["maps"] and LOOKUP.fullmatch(name)),
                     "policy/%s calls %s" % (where, name))
    for section, name in variables(BUILD + "/libpolicy.a"):
        report.check(not re.match(r"\.(data|bss)(?!\.rel\.ro)", section)
                     or name.startswith("__"),
                     "policy/ has the writable variable " + name)
    report.end()


main()
