/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sendmail's text files: map sources as makemap(8) reads them and class files
 * as an F line of sendmail.cf reads them.
 *
 * Map line: key, blanks, value to the end of the line. A line whose first
 * byte is '#' is a comment; empty lines are skipped. A line that begins with
 * a blank and one that has no value are skipped with a warning, as makemap
 * skips them.
 *
 * A file is read whole under one stat: when its size or time changes while it
 * is read, it is read again, and after a few tries refused.
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

/* Who may write: with `allow_unsafe` false a file that group or others may
 * write, or that lies in a directory they may write (sticky or not), at any
 * level, is refused, as sendmail's safefile() refuses it; so is one that is
 * not a regular file. */
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
	unsigned line;
	const char *problem;
};

#define TEXT_LINE_MAX (64 * 1024)

void text_reader_init(struct text_reader *reader, slice content);
enum text_next text_reader_next(
    struct text_reader *reader, struct text_entry *ret_entry);
/* The same for a class file: the first word of each line; '#' in column 1
 * and empty lines are skipped. Only `key` and `line` are set. */
enum text_next text_reader_next_word(
    struct text_reader *reader, struct text_entry *ret_entry);

#endif
