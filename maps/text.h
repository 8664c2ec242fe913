/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sendmail's text files: map sources as makemap(8) reads them and class files
 * as an F line of sendmail.cf reads them.
 *
 * Measured on sendmail 8.17.1. Blanks are space, tab, VT, FF and CR; a byte
 * above 127 is none. The last line needs no newline.
 *
 * Map line: key, blanks, value. The key is everything up to the first blank,
 * quotes and backslashes included. The value is the rest of the line as it
 * stands: '#' in it starts no comment, and trailing blanks and the CR of a
 * DOS file belong to it, so that whoever reads it must take them for blanks.
 * There is no continuation. A '#' in column 1 makes a comment; empty lines
 * are skipped. A line that begins with a blank (also one of blanks alone, or
 * of a single CR) and a key without value are skipped with a warning, as
 * makemap skips them.
 *
 * Other than makemap: a line may have more than 1022 bytes (makemap
 * drops such a line and takes what follows its 1023rd byte for the next
 * one), and a NUL byte makes the file unusable (makemap drops its line).
 *
 * Class line: the first word; blanks before it do not matter. A '#' in column
 * 1 makes a comment, and so does a first word that begins with '#' (sendmail
 * takes that as a member, which no host name equals).
 *
 * A file is read whole under one stat: when its size or time changes while it
 * is read, it is read again, and after three tries refused.
 */
#ifndef MAPS_TEXT_H
#define MAPS_TEXT_H

#include "base/arena.h"
#include "base/error.h"

#include <sys/stat.h>

struct text_file {
	const char *path;
	slice content;
	struct stat stat;
};

/* Only a regular file is read. With `allow_unsafe` false one that others may
 * have written is refused, see maps/safe_file.h. Errors carry an exit code:
 * EX_NOINPUT, EX_NOPERM (unsafe), EX_IOERR, EX_TEMPFAIL (it kept changing). */
bool text_file_read(const char *path, bool allow_unsafe, struct arena *arena,
    struct text_file *ret_file, struct error *error);

struct text_entry {
	slice key;
	slice value;
	unsigned line;
};

enum text_next { TEXT_ENTRY, TEXT_WARNING, TEXT_BAD, TEXT_END };

/* Pull parser over the content of a map file. TEXT_WARNING: the line is
 * skipped as makemap skips it, `problem` says why. TEXT_BAD: the line makes
 * the file unusable (NUL byte, longer than TEXT_LINE_MAX). */
struct text_reader {
	slice rest;
	unsigned line;	     /* of what was returned last */
	const char *problem; /* NULL when there is none */
};

#define TEXT_LINE_MAX (64 * 1024)

void text_reader_init(struct text_reader *reader, slice content);
enum text_next text_reader_next(
    struct text_reader *reader, struct text_entry *ret_entry);
/* The same for a class file. Only `key` and `line` are set. TEXT_ENTRY comes
 * with a `problem` when there are more words on the line, since those are
 * ignored. */
enum text_next text_reader_next_word(
    struct text_reader *reader, struct text_entry *ret_entry);

#endif
