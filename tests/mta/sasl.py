# SPDX-License-Identifier: BSD-2-Clause
"""One user with a password, for SMTP AUTH on both MTAs (Cyrus SASL)."""

import ctypes
import shutil

from world import HOST, write

USER, PASSWORD = "lee", "open sesame"
DATABASE = "/etc/sasldb2"
_CREATE = 1

_CONFIGURATION = f"""\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {DATABASE}
mech_list: PLAIN LOGIN
"""


def _check(result, what):
    if result != 0:
        raise RuntimeError(f"{what}: SASL error {result}")


def _add_user():
    library = ctypes.CDLL("libsasl2.so.2")
    connection = ctypes.c_void_p()
    _check(library.sasl_server_init(None, b"Sendmail"), "sasl_server_init")
    _check(library.sasl_server_new(b"smtp", HOST.encode(), None, None, None,
                                   None, 0, ctypes.byref(connection)),
           "sasl_server_new")
    _check(library.sasl_setpass(connection, USER.encode(), PASSWORD.encode(),
                                len(PASSWORD), None, 0, _CREATE),
           "sasl_setpass")
    library.sasl_dispose(ctypes.byref(connection))
    library.sasl_done()


def set_up():
    """Configure SASL for sendmail and Postfix, and enter the user."""
    write("/etc/sasl2/Sendmail.conf", _CONFIGURATION, mode=0o600)
    write("/etc/postfix/sasl/smtpd.conf", _CONFIGURATION)
    _add_user()


def copy_to_chroot(root):
    """The chrooted smtpd finds the database below its own root."""
    copy = str(root) + DATABASE
    shutil.copyfile(DATABASE, copy)
    shutil.chown(copy, "postfix", "postfix")
