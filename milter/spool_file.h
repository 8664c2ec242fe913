/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file of the spool: one line with two lengths, so many bytes of lines that
 * say what is to be done, so many bytes of the message as sendmail(8) is to
 * read it. For milter/spool.c and milter/spool_deliver.c alone.
 */
#ifndef MILTER_SPOOL_FILE_H
#define MILTER_SPOOL_FILE_H

#include "milter/copy_mark.h"
#include "milter/spool.h"

#include <sys/types.h>

/* Written and synced, but for its directory's sake. `mark` is empty where
 * there is none. */
bool spool_file_write(int fd, const struct spool_message *message,
    const char *mark, time_t not_before, off_t *ret_size);

/* What such a file says. Slices live in the arena. */
struct spool_file {
	enum spool_kind kind;
	slice sender;
	const slice *recipients;
	size_t recipient_count;
	slice queue_id;
	slice claim_key;
	unsigned long claim_interval_s;
	time_t created;
	time_t not_before;
	slice mark;
	bool is_8bit;
};

/* Leaves the descriptor where the message begins. False: it is broken. */
bool spool_file_read(int fd, struct arena *arena, struct spool_file *ret);

const char *spool_kind_word(enum spool_kind kind);

#endif
