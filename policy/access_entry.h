/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dynamic entries of the access map are judged when they are added: a mistake
 * in a file is found by who reads it, one of a program by nobody.
 */
#ifndef POLICY_ACCESS_ENTRY_H
#define POLICY_ACCESS_ENTRY_H

#include "base/arena.h"

/* The key as lookups ask for it: lower case; a tag stays; an address of any
 * form becomes sendmail's ("2001:db8::1" is "ipv6:2001:db8:0:0:0:0:0:1"). NULL,
 * or what is wrong with it. */
const char *access_entry_key(struct arena *arena, slice text, slice *ret_key);
/* NULL, or what is wrong with it: it must be a keyword, QUARANTINE:, ERROR: or
 * begin with a reply code. A bare text, which is a reply in a file, is more
 * likely a keyword misspelt. */
const char *access_entry_value(struct arena *arena, slice text);

#endif
