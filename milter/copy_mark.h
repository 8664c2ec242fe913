/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private copies come back to milterd through the MTA and must not be filtered
 * again. So each bears a header field with 128 bits of chance, and a file of
 * that name in state_directory/spool/sent says whom the copy is for. A mark
 * counts only while that file is there and names every recipient of the
 * message: one that leaked with a delivered copy helps nobody to get other mail
 * past his filters. Any thread.
 */
#ifndef MILTER_COPY_MARK_H
#define MILTER_COPY_MARK_H

#include "base/arena.h"

#define COPY_MARK_FIELD "X-Milterd-Copy"

enum { COPY_MARK_LEN = 32, COPY_MARK_DAYS = 7 };

/* Where the marks are; called by the spool. */
bool copy_mark_open(slice directory);
void copy_mark_close(void);
/* A new mark in `mark`, NUL-terminated, and its file, written and synced; the
 * directory is the caller's to sync. */
bool copy_mark_make(
    const slice *recipients, size_t count, char mark[static COPY_MARK_LEN + 1]);
void copy_mark_forget(const char *mark);
/* Is the value of such a field one of ours, for these recipients? Addresses
 * with angle brackets or without; case does not count, and neither does the
 * domain where one side has none. */
bool copy_mark_is_valid(
    struct arena *scratch, slice value, const slice *recipients, size_t count);
/* Removes those that are older than COPY_MARK_DAYS. */
void copy_mark_sweep(void);
/* Waits for the disk; false when it could not be done. */
bool copy_mark_sync(void);

#endif
