/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The entries of the spool that wait, the one that is due first before the
 * others. Not thread-safe: milter/spool.c locks around it.
 */
#ifndef MILTER_SPOOL_QUEUE_H
#define MILTER_SPOOL_QUEUE_H

#include "base/deadline.h"
#include "milter/copy_mark.h"
#include "milter/spool_deliver.h"

struct spool_entry {
	char name[SPOOL_NAME_MAX];
	char mark[COPY_MARK_LEN + 1];
	unsigned long bytes;
	time_t created;
	unsigned tries;
	unsigned delay_s; /* from its release on */
	deadline_ms due;
	bool is_reply;
	struct spool_entry *next; /* in its batch */
};

struct spool_queue {
	struct spool_entry **entries;
	size_t count;
	size_t size;
};

void spool_queue_add(struct spool_queue *queue, struct spool_entry *entry);
/* NULL: none. */
const struct spool_entry *spool_queue_first(const struct spool_queue *queue);
struct spool_entry *spool_queue_take(struct spool_queue *queue);

#endif
