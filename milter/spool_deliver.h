/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One try to send one file of the spool. For milter/spool.c alone, whose
 * threads call it; it waits for the store and for sendmail(8).
 *
 * Where a reply stands is written in its file's name, behind a dot:
 *
 *	NAME		nobody has claimed it
 *	NAME.claimed	it may be sent, and was not
 *	NAME.sending	it was being claimed or sent when we died: it is
 *			dropped then, since it must not be sent twice
 */
#ifndef MILTER_SPOOL_DELIVER_H
#define MILTER_SPOOL_DELIVER_H

#include "milter/spool.h"

enum { SPOOL_NAME_MAX = 48 };

struct spool_task {
	const struct spool_options *options;
	int queue_fd; /* the directory */
	int bad_fd;
	char *name;	/* SPOOL_NAME_MAX; changes as the file's does */
	unsigned tries; /* before this one */
};

enum spool_outcome {
	SPOOL_SENT,
	SPOOL_AGAIN,
	SPOOL_DROPPED,
	SPOOL_FAILED, /* it lies in spool/bad now */
};

/* The file is gone afterwards but for SPOOL_AGAIN. A line in the log says what
 * was done. */
enum spool_outcome spool_deliver(const struct spool_task *task);

#endif
