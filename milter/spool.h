/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mail that is to be sent later: private copies, bounces and vacation replies.
 *
 * libmilter never says that a message was finally accepted, so nothing is sent
 * from a callback. What is to be sent is written to state_directory/spool
 * (file, fsync, rename, fsync of the directory) before the verdict, and threads
 * of the spool's own hand it to sendmail(8) (milter/submit) afterwards. What a
 * killed process leaves behind is found at the next start. A copy may then be
 * sent twice, never not at all; a reply, which is claimed in the store before
 * it is sent, at most once.
 *
 * One process has one spool. Any thread may call these functions; those that
 * say so wait for the disk.
 */
#ifndef MILTER_SPOOL_H
#define MILTER_SPOOL_H

#include "base/arena.h"
#include "base/error.h"

#include <time.h>

enum spool_kind {
	SPOOL_COPY,   /* has a mark, so that it is not filtered again */
	SPOOL_BOUNCE, /* of ours, about mail that a recipe refuses */
	SPOOL_REPLY,  /* vacation's */
};

/* May this reply be sent? Called by a thread of the spool, may wait. */
enum spool_claim {
	SPOOL_CLAIM_FIRST,
	SPOOL_CLAIM_REPEATED, /* it was, not long ago */
	SPOOL_CLAIM_UNKNOWN,  /* the store cannot say now */
};
typedef enum spool_claim spool_claim_fn(
    void *context, slice key, unsigned long interval_s);

struct spool_options {
	slice directory; /* state_directory: must be there */
	slice sendmail;	 /* its path */
	unsigned long entries_max;
	unsigned long bytes_max;
	spool_claim_fn *claim; /* NULL: no reply is ever sent */
	void *claim_context;
};

/* Makes state_directory/spool and what is in it, takes up what is there, and
 * starts the threads. Another process that has it open is an error. */
bool spool_start(const struct spool_options *options, struct error *error);
/* What is under way is finished or, after a while, left for the next start. */
void spool_stop(void);
bool spool_is_open(void);

struct spool_message {
	enum spool_kind kind;
	slice sender;		 /* "a@b"; empty: the null sender */
	const slice *recipients; /* "a@b", each of them */
	size_t recipient_count;
	/* As it is to be handed over: lines end in "\n" or "\r\n"; the header
	 * ends in a line's end, the empty line behind it is added. */
	slice header;
	slice body;
	unsigned delay_s; /* from its release on */
	slice queue_id;	  /* of the mail it comes from, for the log */
	slice claim_key;  /* SPOOL_REPLY */
	unsigned long claim_interval_s;
};

/*
 * All that one message makes us send. Nothing of it is sent unless it was
 * released, but for a process that dies between commit and release: then all
 * of it is.
 *
 *	write (any number of times) -> commit -> release
 *	withdraw, instead of release or earlier, takes all of it back
 */
struct spool_batch;

/* Lives in the arena; without a spool every write fails. */
struct spool_batch *spool_batch_new(struct arena *arena);
/* Waits for the disk. False, with a line in the log: the spool is full, the
 * disk is, or an address cannot be one; the mail is to be deferred. A reply
 * may be left out instead. */
bool spool_write(
    struct spool_batch *batch, const struct spool_message *message);
/* Waits for the disk. True: it will be sent, whatever happens to us. False:
 * nothing of it is left. */
bool spool_commit(struct spool_batch *batch);
void spool_release(struct spool_batch *batch);
void spool_withdraw(struct spool_batch *batch);

struct spool_status {
	bool is_open;
	unsigned long entries;
	unsigned long bytes;
	time_t oldest;	       /* 0: none */
	unsigned long sent;    /* since the start, with the ones below */
	unsigned long dropped; /* replies that nobody is to have */
	unsigned long failed;  /* for good: they lie in spool/bad */
};
struct spool_status spool_get_status(void);

#endif
