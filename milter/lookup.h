/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `milterctl lookup MAP KEY`: one lookup in a map or class of a
 * generation, as the policy would make it. Shared by the daemon and by
 * milterctl, which asks a configuration that is not in force.
 */
#ifndef MILTER_LOOKUP_H
#define MILTER_LOOKUP_H

#include "base/error.h"
#include "base/strbuf.h"
#include "maps/snapshot.h"

/* Adds "value<TAB>file:line" and a line end, or nothing when the key is not
 * there; a class gives the word itself. False: no such map or class, or it
 * cannot answer now. */
bool lookup_write(const struct snapshot *snapshot, slice name, slice key,
    struct strbuf *out, struct error *error);

#endif
