/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/spool_deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "milter/log.h"
#include "milter/log_lines.h"
#include "milter/spool_file.h"
#include "milter/submit.h"

enum {
	SUBMIT_MS = 120 * 1000,
	CLAIM_TRIES = 5,
	DAYS_KEPT = 5,
	ADDRESS_LIMIT = 200,
};

struct delivery {
	const struct spool_task *task;
	struct arena *arena;
	int fd;
	struct spool_file file;
	slice problem;
};

static const char CLAIMED[] = ".claimed";
static const char SENDING[] = ".sending";

static bool
has_suffix(const char *name, const char *suffix)
{
	return slice_has_suffix_nocase(
	    slice_from_cstr(name), slice_from_cstr(suffix));
}

/* "" for the bare name. */
static bool
set_suffix(const struct spool_task *task, const char *suffix)
{
	slice old = slice_from_cstr(task->name);
	slice bare = slice_first(old, slice_index(old, '.'));
	char name[SPOOL_NAME_MAX];

	(void)snprintf(
	    name, sizeof(name), SLICE_FMT "%s", SLICE_ARG(bare), suffix);
	if (renameat(task->queue_fd, task->name, task->queue_fd, name) != 0)
		return false;
	memcpy(task->name, name, sizeof(name));
	return fsync(task->queue_fd) == 0;
}

static void
tell(const struct delivery *delivery, int priority, const char *what)
{
	const struct spool_file *file = &delivery->file;
	slice id = file->queue_id;

	log_line(priority,
	    SLICE_FMT ": spool=%s, arg1=" SLICE_FMT
		      ", nrcpts=%zu, from=" SLICE_FMT ", stat=%s%s" SLICE_FMT,
	    SLICE_ARG(id.len == 0 ? SLICE("NOQUEUE") : id),
	    spool_kind_word(file->kind),
	    SLICE_ARG(log_escape(delivery->arena,
		file->recipient_count == 0 ? SLICE("") : file->recipients[0],
		ADDRESS_LIMIT)),
	    file->recipient_count,
	    SLICE_ARG(file->sender.len == 0 ? SLICE("<>")
					    : log_escape(delivery->arena,
						  file->sender, ADDRESS_LIMIT)),
	    what, delivery->problem.len == 0 ? "" : ": ",
	    SLICE_ARG(delivery->problem));
}

static enum spool_outcome
drop(const struct delivery *delivery, const char *why)
{
	(void)unlinkat(delivery->task->queue_fd, delivery->task->name, 0);
	tell(delivery, LOG_INFO, why);
	return SPOOL_DROPPED;
}

static enum spool_outcome
set_aside(const struct delivery *delivery)
{
	const struct spool_task *task = delivery->task;

	if (delivery->file.kind == SPOOL_REPLY)
		return drop(delivery, "Not sent");
	if (renameat(task->queue_fd, task->name, task->bad_fd, task->name) != 0)
		log_line(
		    LOG_ERR, "spool/queue/%s: %s", task->name, strerror(errno));
	tell(delivery, LOG_ERR, "Kept in spool/bad");
	return SPOOL_FAILED;
}

static enum spool_outcome
try_again(struct delivery *delivery)
{
	const struct spool_file *file = &delivery->file;

	if (file->created < time(NULL) - DAYS_KEPT * 24 * 3600L)
		return set_aside(delivery);
	if (file->kind == SPOOL_REPLY &&
	    has_suffix(delivery->task->name, SENDING) &&
	    !set_suffix(delivery->task, CLAIMED))
		return drop(delivery, "Not sent");
	tell(delivery, LOG_WARNING, "Deferred");
	return SPOOL_AGAIN;
}

static enum spool_outcome
ask_later(struct delivery *delivery)
{
	delivery->problem = SLICE("the store does not answer");
	if (delivery->task->tries + 1 >= CLAIM_TRIES ||
	    !set_suffix(delivery->task, ""))
		return drop(delivery, "Not sent");
	tell(delivery, LOG_WARNING, "Deferred");
	return SPOOL_AGAIN;
}

/* Once the name says "sending" it is not claimed a second time. False: it is
 * not to be sent now, and *ret says what becomes of it. */
static bool
claim(struct delivery *delivery, enum spool_outcome *ret)
{
	const struct spool_options *options = delivery->task->options;
	const struct spool_file *file = &delivery->file;
	bool is_claimed = has_suffix(delivery->task->name, CLAIMED);
	enum spool_claim answer = SPOOL_CLAIM_UNKNOWN;

	if (has_suffix(delivery->task->name, SENDING)) {
		*ret = drop(delivery, "Not sent: it may have been already");
		return false;
	}
	if (!set_suffix(delivery->task, SENDING)) {
		*ret = drop(delivery, "Not sent: the spool cannot be written");
		return false;
	}
	if (is_claimed)
		return true;
	if (options->claim != NULL)
		answer = options->claim(options->claim_context, file->claim_key,
		    file->claim_interval_s);
	if (answer == SPOOL_CLAIM_FIRST)
		return true;
	*ret = answer == SPOOL_CLAIM_UNKNOWN
		   ? ask_later(delivery)
		   : drop(delivery, "Not sent: answered not long ago");
	return false;
}

static enum spool_outcome
submit(struct delivery *delivery)
{
	const struct spool_file *file = &delivery->file;
	struct submission submission = {.sendmail = arena_cstr(delivery->arena,
					    delivery->task->options->sendmail),
	    .sender = file->sender,
	    .recipients = file->recipients,
	    .recipient_count = file->recipient_count,
	    .message_fd = delivery->fd,
	    .is_8bit = file->is_8bit,
	    .never_notify = file->kind == SPOOL_REPLY,
	    .deadline = deadline_in(SUBMIT_MS)};

	switch (
	    submit_message(&submission, delivery->arena, &delivery->problem)) {
	case SUBMIT_DONE:
		break;
	case SUBMIT_LATER:
		return try_again(delivery);
	case SUBMIT_NEVER:
		return set_aside(delivery);
	}
	(void)unlinkat(delivery->task->queue_fd, delivery->task->name, 0);
	tell(delivery, LOG_INFO, "Sent");
	return SPOOL_SENT;
}

static enum spool_outcome
deliver_open(struct delivery *delivery)
{
	enum spool_outcome outcome;

	if (!spool_file_read(delivery->fd, delivery->arena, &delivery->file)) {
		delivery->problem = SLICE("the file is broken");
		return set_aside(delivery);
	}
	if (delivery->file.kind == SPOOL_REPLY && !claim(delivery, &outcome))
		return outcome;
	return submit(delivery);
}

enum spool_outcome
spool_deliver(const struct spool_task *task)
{
	struct delivery delivery = {.task = task};
	enum spool_outcome outcome;

	delivery.fd = openat(
	    task->queue_fd, task->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (delivery.fd < 0) {
		outcome = errno == ENOENT ? SPOOL_DROPPED : SPOOL_AGAIN;
		log_line(
		    LOG_ERR, "spool/queue/%s: %s", task->name, strerror(errno));
		return outcome;
	}
	delivery.arena = arena_new(0);
	outcome = deliver_open(&delivery);
	arena_free(delivery.arena);
	(void)close(delivery.fd);
	return outcome;
}
