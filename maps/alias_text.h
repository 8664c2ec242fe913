/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sendmail's alias files, aliases(5), as newaliases reads them.
 *
 * Measured on sendmail 8.17.1. An entry is "name: value". It goes on with the
 * next line where that begins with a space or tab, and where a line ends with
 * a backslash, which then vanishes with the line's end. That holds for
 * comments too: what continues a comment is comment. A '#' in the first column
 * makes one; further right it belongs to the value. Empty lines are skipped,
 * and end an entry. A line without colon, a name without value and a line that
 * continues nothing are skipped with a warning.
 *
 * Here a name is what stands before the colon, quotes, comments and blanks
 * included; a colon in quotes or in a comment is part of it (newaliases finds
 * the name's end so, but begins the value behind the first colon of all).
 * Other than there an entry may have more than 8190 bytes; a NUL byte makes
 * the file unusable.
 */
#ifndef MAPS_ALIAS_TEXT_H
#define MAPS_ALIAS_TEXT_H

#include "base/arena.h"
#include "maps/text.h"

#define ALIAS_ENTRY_MAX (4 * 1024 * 1024)

/* Pull parser; as struct text_reader. Continued entries are copied into the
 * arena. */
struct alias_reader {
	struct arena *arena;
	slice rest;
	unsigned line;	     /* where what was returned last begins */
	unsigned lines;	     /* taken so far */
	bool is_skipping;    /* lines that continue nothing */
	const char *problem; /* NULL when there is none */
};

void alias_reader_init(
    struct alias_reader *reader, struct arena *arena, slice content);
enum text_next alias_reader_next(
    struct alias_reader *reader, struct text_entry *ret_entry);

#endif
