# SPDX-License-Identifier: BSD-2-Clause
"""Each lint can fail: a copy of the tree is broken in one place, and the lint
has to say so, naming the place."""
import os
import shutil
import tempfile
from tree import BUILD, CC, FLAGS, LAYERS, SRC, Report, run

# They compile every file, here those that are broken.
SLOW = ("layers", "headers")

# (lint, file, text that is added or (old, new), what has to be said)
BREAKS = (
    ("layers", "base/slice.h", '#include "maps/map.h"\n',
     "base/slice.h includes maps/map.h"),
    ("layers", "maps/text.c", '#include "policy/verdict.h"\n',
     "maps/text.c includes policy/verdict.h"),
    ("layers", "policy/relay.c", '#include "milter/log.h"\n',
     "policy/relay.c includes milter/log.h"),
    ("layers", "policy/relay.c", '#include "maps/table.h"\n',
     "policy/relay.c includes maps/table.h"),
    ("layers", "policy/relay.c", "#include <time.h>\n",
     "policy/relay.c includes <time.h>"),
    ("layers", "milter/log.c", "#include <libmilter/mfapi.h>\n",
     "milter/log.c includes libmilter/mfapi.h"),
    ("layers", "milter/log.c", "#include <ares.h>\n",
     "milter/log.c includes ares.h"),
    ("layers", "maps/text.c", "extern int smtp_reply;\n",
     "smtp_reply: maps/ knows nothing of mail"),
    ("headers", "policy/verdict.h", ("#include", "//include"),
     "policy/verdict.h does not compile alone"),
    ("headers", "base/slice.h", ("BASE_SLICE_H", "SLICE_H"),
     "base/slice.h: guard is not BASE_SLICE_H"),
    ("headers", "base/slice.c", ("SPDX-License-Identifier", "Licence"),
     "base/slice.c: the first line is not the licence"),
    ("words", "man/milterd.conf.5", (".It Ic max_hops", ".It Ic max_hop"),
     "max_hops is not in milterd.conf(5)"),
    ("words", "man/milterd.conf.5", (".It Ic max_hops", ".It Ic max_hop"),
     "milterd.conf(5): there is no max_hop"),
    ("words", "man/milterd.conf.5", ("Default: 25.", "Default: 30."),
     "max_hops: the default is 25, milterd.conf(5) says 30"),
    ("words", "man/milterd.conf.5", (".Em Fixed .\nDefault: mail", "Default: mail"),
     "log_facility: milterd.conf(5) does not say that it is fixed"),
    ("words", "contrib/milterd.conf", ("\naccess = ", "\nacces = "),
     "contrib/milterd.conf: there is no acces"),
    ("words", "contrib/milterd.conf.sample", ("#max_hops = 25\n", ""),
     "contrib/milterd.conf.sample: max_hops has the default 25, not []"),
    ("words", "contrib/milterd.conf.sample", ("log_level = 9", "log_level = 8"),
     "contrib/milterd.conf.sample: log_level has the default 9, not ['8']"),
    ("usage", "man/milterd.8", (".It Fl t , -test", ".It Fl u , -unknown"),
     "man/milterd.8 does not have the option test"),
    ("usage", "man/milterctl.8", (".It Cm reload", ".It Cm relode"),
     "man/milterctl.8: there is no command relode"),
    ("usage", "man/milterctl.8", (".It Cm helo_name", ".It Cm helo"),
     "man/milterctl.8 does not have the attribute helo_name"),
    ("manual", "man/milterd.8", ".Nonsense\n", "man/milterd.8"),
    ("manual", "man/milterd.8", ".Xr milterd-nothing 5\n",
     "man/milterd.8 refers to man/milterd-nothing.5"),
    ("scripts", "contrib/test.sh", "echo $unquoted\n", "contrib/test.sh"),
    ("scripts", "tests/lint/tree.py", "def (:\n", "tests/lint/tree.py"),
    ("scripts", "milter/log.c", "/* FIX" "ME */\n", "milter/log.c"),
    ("dist", "tests/forgotten.py", "\n", "tests/forgotten.py is not in"),
)
# Code put into policy/, and what purity has to say of it.
IMPURE = (
    ("#include <time.h>\nlong f(void);\nlong f(void) { return time(0); }",
     "calls time"),
    ("#include <stdlib.h>\nchar *f(void);\n"
     'char *f(void) { return getenv("X"); }', "calls getenv"),
    ("#include <pthread.h>\nint f(pthread_mutex_t *m);\n"
     "int f(pthread_mutex_t *m) { return pthread_mutex_trylock(m); }",
     "calls pthread_mutex_trylock"),
    ("#include <fcntl.h>\nint f(void);\n"
     'int f(void) { return open("/etc/hosts", 0); }', "calls open"),
    ("int count;\nint f(void);\nint f(void) { return ++count; }",
     "has the writable variable count"),
)


def broken(text, change):
    if isinstance(change, tuple):
        assert change[0] in text, change
        return text.replace(change[0], change[1])
    if change.startswith("#include"):
        return text.replace("#include", change + "#include", 1)
    return text + change


def ask(lint, source, build, paths=()):
    return run([os.environ.get("PYTHON") or "python3", "-B",
                os.path.join(SRC, "tests/lint", lint + ".py"), *paths],
               env={**os.environ, "top_srcdir": source,
                    "top_builddir": build})


def judge(report, what, result, wanted):
    if result.returncode == 77:
        return
    report.check(result.returncode == 1 and wanted in result.stdout,
                 "%s: %s does not say \"%s\" but: %s%s"
                 % (what, what.split()[0], wanted, result.stdout[-500:],
                    result.stderr[-500:]))


def together():
    """The breaks of a slow lint at once, those of the others one by one."""
    for lint in SLOW:
        yield lint, [each[1:] for each in BREAKS if each[0] == lint]
    for lint, *rest in BREAKS:
        if lint not in SLOW:
            yield lint, [rest]


def break_file(folder, path, change):
    """What it was before: None where there was none."""
    full = os.path.join(folder, path)
    sound = None
    if os.path.exists(full):
        with open(full, encoding="utf-8") as file:
            sound = file.read()
    with open(full, "w", encoding="utf-8") as file:
        file.write(broken(sound or "", change))
    return sound


def mend(folder, path, sound):
    full = os.path.join(folder, path)
    if sound is None:
        os.remove(full)
        return
    with open(full, "w", encoding="utf-8") as file:
        file.write(sound)


def check_source(report, folder):
    for lint, breaks in together():
        sounds = [(path, break_file(folder, path, change))
                  for path, change, _ in breaks]
        answer = ask(lint, folder, BUILD,
                     [path for path, *_ in breaks] if lint in SLOW else ())
        for path, _, wanted in breaks:
            judge(report, "%s (%s)" % (lint, path), answer, wanted)
        for path, sound in reversed(sounds):
            mend(folder, path, sound)


def check_purity(report, folder):
    for text, wanted in IMPURE:
        for layer in ("base", "maps", "policy"):
            shutil.copy("%s/lib%s.a" % (BUILD, layer), folder)
        source = os.path.join(folder, "impure.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        made = run(CC + FLAGS + ["-c", "-o", folder + "/impure.o", source])
        report.check(made.returncode == 0, made.stderr)
        run(["ar", "r", folder + "/libpolicy.a", folder + "/impure.o"])
        judge(report, "purity (%s)" % wanted,
              ask("purity", SRC, folder), wanted)


def main():
    report = Report()
    folder = tempfile.mkdtemp(prefix="milterd-lint.")
    try:
        tree = os.path.join(folder, "tree")
        os.mkdir(tree)
        for name in LAYERS + ("man", "contrib", "tests", ".ci"):
            shutil.copytree(os.path.join(SRC, name),
                            os.path.join(tree, name),
                            ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(os.path.join(SRC, "Makefile.am"), tree)
        run(["chmod", "-R", "u+w", tree])
        check_source(report, tree)
        check_purity(report, folder)
    finally:
        shutil.rmtree(folder)
    report.end()


main()
