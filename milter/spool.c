/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only mutable global of this file is `spool`. Its lock is a leaf: no file
 * is touched and nothing is called while it is held.
 */
#include "milter/spool.h"

#include "milter/log.h"
#include "milter/spool_dir.h"
#include "milter/spool_file.h"
#include "milter/spool_queue.h"
#include "milter/submit.h"
#include "milter/threads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

enum {
	WORKERS = 4,
	STOP_MS = 10 * 1000,
	FIRST_RETRY_S = 5,
	LAST_RETRY_S = 3600,
	SWEEP_MS = 6 * 3600 * 1000,
};

struct spool_batch {
	struct spool_entry *first;
	bool has_marks;
	bool is_committed;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_open;
	bool stopping;
	unsigned threads;
	struct spool_options options;
	struct spool_dir dir;
	deadline_ms next_sweep;
	struct spool_queue waiting;
	struct spool_status status; /* entries and bytes: with open batches */
	unsigned long replies;
	unsigned long long first_name; /* of chance, against those of old */
	unsigned long sequence;
} spool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
lock(void)
{
	(void)pthread_mutex_lock(&spool.lock);
}

static void
unlock(void)
{
	(void)pthread_mutex_unlock(&spool.lock);
}

bool
spool_is_open(void)
{
	bool is_open;

	lock();
	is_open = spool.is_open && !spool.stopping;
	unlock();
	return is_open;
}

struct spool_status
spool_get_status(void)
{
	struct spool_status status;

	lock();
	status = spool.status;
	status.is_open = spool.is_open;
	for (size_t i = 0; i < spool.waiting.count; i++) {
		time_t created = spool.waiting.entries[i]->created;

		if (status.oldest == 0 || created < status.oldest)
			status.oldest = created;
	}
	unlock();
	return status;
}

/*
 * The threads.
 */

static void
forget_entry(struct spool_entry *entry)
{
	lock();
	spool.status.entries--;
	spool.status.bytes -= entry->bytes;
	spool.replies -= entry->is_reply;
	unlock();
	free(entry);
}

static unsigned
retry_after_s(unsigned tries)
{
	unsigned s = FIRST_RETRY_S;

	while (tries-- > 1 && s < LAST_RETRY_S)
		s *= 2;
	return s < LAST_RETRY_S ? s : LAST_RETRY_S;
}

static void
put_back(struct spool_entry *entry)
{
	entry->tries++;
	entry->due = deadline_in(retry_after_s(entry->tries) * 1000);
	lock();
	spool_queue_add(&spool.waiting, entry);
	unlock();
}

static void
count(unsigned long *number)
{
	lock();
	(*number)++;
	unlock();
}

static void
deliver(struct spool_entry *entry)
{
	struct spool_task task = {.options = &spool.options,
	    .queue_fd = spool.dir.queue,
	    .bad_fd = spool.dir.bad,
	    .name = entry->name,
	    .tries = entry->tries};

	switch (spool_deliver(&task)) {
	case SPOOL_AGAIN:
		put_back(entry);
		return;
	case SPOOL_SENT:
		count(&spool.status.sent);
		break;
	case SPOOL_DROPPED:
		count(&spool.status.dropped);
		break;
	case SPOOL_FAILED:
		count(&spool.status.failed);
		break;
	}
	forget_entry(entry);
}

/* With the lock held. NULL: it is time to sweep, or to stop. */
static struct spool_entry *
wait_for_entry(void)
{
	while (!spool.stopping) {
		const struct spool_entry *first =
		    spool_queue_first(&spool.waiting);
		deadline_ms until = spool.next_sweep;
		struct timespec at;

		if (first != NULL && deadline_passed(first->due))
			return spool_queue_take(&spool.waiting);
		if (deadline_passed(until))
			return NULL;
		if (first != NULL && first->due < until)
			until = first->due;
		at = deadline_timespec(until);
		(void)pthread_cond_timedwait(&spool.changed, &spool.lock, &at);
	}
	return NULL;
}

static void *
run(void *unused)
{
	struct spool_entry *entry;
	bool stopping;

	(void)unused;
	do {
		lock();
		entry = wait_for_entry();
		stopping = spool.stopping;
		if (entry == NULL && !stopping)
			spool.next_sweep = deadline_in(SWEEP_MS);
		unlock();
		if (entry != NULL)
			deliver(entry);
		else if (!stopping)
			copy_mark_sweep();
	} while (!stopping);
	lock();
	spool.threads--;
	(void)pthread_cond_broadcast(&spool.changed);
	unlock();
	return NULL;
}

/*
 * Starting and stopping.
 */

static void
remove_file(int directory_fd, const char *name)
{
	(void)unlinkat(directory_fd, name, 0);
}

static deadline_ms
due_at(time_t when)
{
	time_t now = time(NULL);
	time_t left = when > now ? when - now : 0;

	if (left > LAST_RETRY_S)
		left = LAST_RETRY_S;
	return deadline_now() + (deadline_ms)left * 1000;
}

/* A broken file is taken up too: it is found to be so when it is sent. */
static void
take_up(int directory_fd, const char *name)
{
	struct spool_entry *entry;
	struct spool_file file;
	struct arena *arena;
	struct stat st;
	int fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || strlen(name) >= SPOOL_NAME_MAX) {
		log_line(LOG_ERR, "spool/queue/%s: cannot be read", name);
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	entry = xmalloc(sizeof(*entry));
	*entry = (struct spool_entry){.due = deadline_now()};
	memcpy(entry->name, name, strlen(name) + 1);
	if (fstat(fd, &st) == 0)
		entry->bytes = (unsigned long)st.st_size;
	arena = arena_new(0);
	if (spool_file_read(fd, arena, &file)) {
		entry->created = file.created;
		entry->due = due_at(file.not_before);
		entry->is_reply = file.kind == SPOOL_REPLY;
	}
	arena_free(arena);
	(void)close(fd);
	spool_queue_add(&spool.waiting, entry);
	spool.status.entries++;
	spool.status.bytes += entry->bytes;
	spool.replies += entry->is_reply;
}

bool
spool_start(const struct spool_options *options, struct error *error)
{
	if (!spool_dir_open(&spool.dir, options->directory, error))
		return false;
	threads_init_condition(&spool.changed);
	(void)getrandom(&spool.first_name, sizeof(spool.first_name), 0);
	spool.options = *options;
	spool.status = (struct spool_status){.is_open = true};
	spool.replies = 0;
	spool.stopping = false;
	spool.next_sweep = deadline_now();
	spool_dir_visit(spool.dir.tmp, remove_file);
	spool_dir_visit(spool.dir.queue, take_up);
	if (spool.waiting.count > 0)
		log_line(LOG_INFO, "spool: %zu to be sent are here already",
		    spool.waiting.count);
	lock();
	spool.is_open = true;
	for (int i = 0; i < WORKERS; i++) {
		if (threads_start(NULL, run, NULL, error)) {
			spool.threads++;
			continue;
		}
		unlock();
		spool_stop();
		return false;
	}
	unlock();
	return true;
}

/* A thread that does not come to its end keeps the files it works with. */
void
spool_stop(void)
{
	deadline_ms until = deadline_in(STOP_MS);
	struct timespec at = deadline_timespec(until);
	struct spool_entry *entry;
	bool is_over;

	lock();
	if (!spool.is_open) {
		unlock();
		return;
	}
	spool.stopping = true;
	(void)pthread_cond_broadcast(&spool.changed);
	while (spool.threads > 0 && !deadline_passed(until))
		(void)pthread_cond_timedwait(&spool.changed, &spool.lock, &at);
	is_over = spool.threads == 0;
	spool.is_open = false;
	while ((entry = spool_queue_take(&spool.waiting)) != NULL)
		free(entry);
	free(spool.waiting.entries);
	spool.waiting = (struct spool_queue){.entries = NULL};
	unlock();
	if (is_over)
		spool_dir_close(&spool.dir);
}

/*
 * Batches.
 */

struct spool_batch *
spool_batch_new(struct arena *arena)
{
	return ARENA_NEW(arena, struct spool_batch);
}

static bool
refuse(const struct spool_message *message, const char *why)
{
	log_line(LOG_ERR, SLICE_FMT ": spool: no %s can be kept: %s",
	    SLICE_ARG(message->queue_id.len == 0 ? SLICE("NOQUEUE")
						 : message->queue_id),
	    spool_kind_word(message->kind), why);
	return false;
}

static bool
is_one_line(slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] < ' ')
			return false;
	}
	return true;
}

/* A bounce goes to who has sent the mail. */
static bool
takes_recipient(const struct spool_message *message, slice recipient)
{
	return message->kind == SPOOL_BOUNCE ? submit_takes_sender(recipient)
					     : submit_takes_address(recipient);
}

static const char *
problem_of(const struct spool_message *message)
{
	if (message->sender.len > 0 && !submit_takes_sender(message->sender))
		return "its sender is no address";
	if (message->recipient_count == 0)
		return "it has no recipient";
	for (size_t i = 0; i < message->recipient_count; i++) {
		if (!takes_recipient(message, message->recipients[i]))
			return "a recipient is no address";
	}
	if (!is_one_line(message->queue_id) || !is_one_line(message->claim_key))
		return "its names have line ends";
	return NULL;
}

/* Replies may have half of the room, so that a flood of them leaves the other
 * half to mail that must not be lost. */
static const char *
reserve(const struct spool_message *message, struct spool_entry *entry)
{
	const struct spool_options *options = &spool.options;
	const char *problem = NULL;

	entry->bytes = message->header.len + message->body.len;
	entry->is_reply = message->kind == SPOOL_REPLY;
	lock();
	if (!spool.is_open || spool.stopping)
		problem = "there is no spool";
	else if (spool.status.entries >= options->entries_max ||
		 (entry->is_reply && spool.replies >= options->entries_max / 2))
		problem = "max_spool_entries are there";
	else if (spool.status.bytes + entry->bytes >
		 options->bytes_max / (entry->is_reply ? 2 : 1))
		problem = "max_spool_bytes are there";
	if (problem == NULL) {
		spool.status.entries++;
		spool.status.bytes += entry->bytes;
		spool.replies += entry->is_reply;
		(void)snprintf(entry->name, sizeof(entry->name), "%016llx-%lx",
		    spool.first_name, spool.sequence++);
	}
	unlock();
	return problem;
}

static bool
write_file(const struct spool_message *message, struct spool_entry *entry)
{
	int fd = openat(spool.dir.tmp, entry->name,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	off_t size;
	bool is_written;

	if (fd < 0)
		return false;
	is_written = spool_file_write(
	    fd, message, entry->mark, entry->created + message->delay_s, &size);
	(void)close(fd);
	return is_written;
}

bool
spool_write(struct spool_batch *batch, const struct spool_message *message)
{
	const char *problem = problem_of(message);
	struct spool_entry *entry;

	if (problem != NULL)
		return refuse(message, problem);
	entry = xmalloc(sizeof(*entry));
	*entry = (struct spool_entry){
	    .created = time(NULL), .delay_s = message->delay_s};
	problem = reserve(message, entry);
	if (problem != NULL) {
		free(entry);
		return refuse(message, problem);
	}
	if ((message->kind != SPOOL_COPY ||
		copy_mark_make(message->recipients, message->recipient_count,
		    entry->mark)) &&
	    write_file(message, entry)) {
		batch->has_marks |= entry->mark[0] != '\0';
		entry->next = batch->first;
		batch->first = entry;
		return true;
	}
	problem = strerror(errno);
	remove_file(spool.dir.tmp, entry->name);
	copy_mark_forget(entry->mark);
	forget_entry(entry);
	return refuse(message, problem);
}

bool
spool_commit(struct spool_batch *batch)
{
	bool done = !batch->has_marks || copy_mark_sync();

	if (batch->first == NULL)
		return true;
	batch->is_committed = true;
	for (struct spool_entry *e = batch->first; e != NULL && done;
	     e = e->next)
		done = renameat(spool.dir.tmp, e->name, spool.dir.queue,
			   e->name) == 0;
	if (done && fsync(spool.dir.queue) == 0)
		return true;
	log_line(LOG_ERR, "spool: %s", strerror(errno));
	spool_withdraw(batch);
	return false;
}

void
spool_release(struct spool_batch *batch)
{
	struct spool_entry *next;

	lock();
	for (struct spool_entry *e = batch->first; e != NULL; e = next) {
		next = e->next;
		if (!spool.is_open) {
			free(e);
			continue;
		}
		e->due = deadline_in(e->delay_s * 1000);
		spool_queue_add(&spool.waiting, e);
		(void)pthread_cond_signal(&spool.changed);
	}
	batch->first = NULL;
	unlock();
}

void
spool_withdraw(struct spool_batch *batch)
{
	struct spool_entry *next;

	for (struct spool_entry *e = batch->first; e != NULL; e = next) {
		next = e->next;
		remove_file(spool.dir.tmp, e->name);
		if (batch->is_committed)
			remove_file(spool.dir.queue, e->name);
		copy_mark_forget(e->mark);
		forget_entry(e);
	}
	batch->first = NULL;
}
