/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A question is a job of its own memory, in a queue for the thread. Who asked
 * waits until it is done, or leaves it: then the thread frees it.
 */
#include "milter/user_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "maps/safe_file.h"
#include "milter/threads.h"

enum {
	NAME_MOST = 255,
	PATH_MOST = 1024,
	JOBS_MOST = 1000,
	MOST_KEPT = 64,
	KEPT_BYTES = 64 * 1024,
	BUFFER_SIZE = 16 * 1024,
	MOST_BUFFER = 1024 * 1024,
};

struct job {
	struct arena *arena; /* its own, the job in it */
	struct user_file_question question;
	struct user_file_answer answer;
	struct job *next;
	bool is_done;
	bool is_left;
};

struct kept {
	char *path; /* NULL: nothing is kept here */
	char *text;
	size_t len;
	struct stat stat;
	unsigned long used;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_started;
	bool is_stuck; /* somebody has waited in vain for what is under way */
	struct job *first;
	struct job **end;
	unsigned waiting;
	struct kept kept[MOST_KEPT];
	unsigned long uses;
} files = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Who the user is to the system. */
struct account {
	bool is_known;
	uid_t uid;
	gid_t gid;
	slice home;
};

static void
refuse(struct job *job, enum user_file_result result, const char *why)
{
	job->answer.result = result;
	job->answer.why = arena_printf(job->arena, "%s", why);
}

/* False when nobody can say. */
static bool
find_account(struct job *job, struct account *ret_account)
{
	const char *name = arena_cstr(job->arena, job->question.user);
	struct passwd entry;
	struct passwd *found = NULL;
	size_t size = BUFFER_SIZE;
	char *buffer = arena_alloc(job->arena, size);
	int problem;

	*ret_account = (struct account){.is_known = false};
	while ((problem = getpwnam_r(name, &entry, buffer, size, &found)) ==
		ERANGE &&
	    size < MOST_BUFFER) {
		size *= 2;
		buffer = arena_alloc(job->arena, size);
	}
	if (found != NULL) {
		ret_account->is_known = true;
		ret_account->uid = found->pw_uid;
		ret_account->gid = found->pw_gid;
		ret_account->home = slice_from_cstr(found->pw_dir);
		return true;
	}
	/* getpwnam(3) lists what systems return for "not found". */
	return problem == 0 || problem == ENOENT || problem == ESRCH ||
	    problem == EBADF || problem == EPERM;
}

/* Fit to be a part of a path, whoever chose it. */
static bool
is_plain_name(slice name)
{
	if (name.len == 0 || name.len > NAME_MOST || name.ptr[0] == '.')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		if (c <= ' ' || c == 0x7f || c == '/')
			return false;
	}
	return true;
}

static slice
part_for(const struct job *job, const struct account *account, char letter)
{
	switch (letter) {
	case 'u':
		return job->question.user;
	case 'd':
		return job->question.domain;
	case 'h':
		return account->home;
	}
	return SLICE("%");
}

/* Empty where there can be no such file. */
static slice
make_path(const struct job *job, const struct account *account)
{
	slice pattern = job->question.pattern;
	struct strbuf path;

	strbuf_init(&path, job->arena);
	for (size_t i = 0; i < pattern.len; i++) {
		slice part = slice_first(slice_from(pattern, i), 1);

		if (part.ptr[0] == '%' && i + 1 < pattern.len) {
			char letter = pattern.ptr[++i];

			part = part_for(job, account, letter);
			if ((letter == 'u' || letter == 'd') &&
			    !is_plain_name(part))
				return SLICE("");
		}
		strbuf_add(&path, part);
	}
	if (path.len > PATH_MOST || path.data[0] != '/')
		return SLICE("");
	return strbuf_slice(&path);
}

static bool
is_in_home(const struct job *job)
{
	return slice_has_prefix_nocase(job->question.pattern, SLICE("%h"));
}

/* May group or others write it, but for a group of his own? */
static bool
others_may_write(const struct stat *st, const struct account *account)
{
	return (st->st_mode & S_IWOTH) != 0 ||
	    ((st->st_mode & S_IWGRP) != 0 && st->st_gid != account->gid);
}

/* In a directory with the sticky bit nobody can take away another's file. */
static bool
is_directory_his(struct job *job, const struct account *account)
{
	slice path = job->answer.path;
	const char *directory = arena_cstr(
	    job->arena, slice_first(path, slice_last_index(path, '/') + 1));
	struct stat st;

	return stat(directory, &st) == 0 &&
	    ((st.st_mode & S_ISVTX) != 0 || !others_may_write(&st, account));
}

static bool
is_trusted(
    struct job *job, const struct account *account, const struct stat *st)
{
	struct error error;
	bool is_his = account->is_known && st->st_uid == account->uid;

	if (job->question.allow_unsafe)
		return true;
	if (is_his && others_may_write(st, account)) {
		refuse(job, USER_FILE_REFUSED, "others may write it");
		return false;
	}
	if (is_his && !is_directory_his(job, account)) {
		refuse(job, USER_FILE_REFUSED, "others may write its directory");
		return false;
	}
	if (is_his)
		return true;
	if (is_in_home(job)) {
		refuse(job, USER_FILE_REFUSED, "it is not the user's own");
		return false;
	}
	if (safe_file_check(job->answer.path.ptr, st, &error))
		return true;
	refuse(job, USER_FILE_REFUSED, error.text);
	return false;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static struct kept *
place_of(const char *path)
{
	struct kept *oldest = &files.kept[0];

	for (size_t i = 0; i < MOST_KEPT; i++) {
		struct kept *k = &files.kept[i];

		if (k->path != NULL && strcmp(k->path, path) == 0)
			return k;
		if (k->used < oldest->used)
			oldest = k;
	}
	return oldest;
}

static bool
recall(struct job *job, const struct stat *st)
{
	const char *path = job->answer.path.ptr;
	struct kept *k;
	bool found;

	(void)pthread_mutex_lock(&files.lock);
	k = place_of(path);
	found = k->path != NULL && strcmp(k->path, path) == 0 &&
	    same_file(&k->stat, st);
	if (found) {
		k->used = ++files.uses;
		job->answer.text =
		    arena_copy(job->arena, (slice){k->text, k->len});
	}
	(void)pthread_mutex_unlock(&files.lock);
	return found;
}

static void
drop(struct kept *k)
{
	free(k->path);
	free(k->text);
	*k = (struct kept){.path = NULL};
}

static void
keep(const struct job *job, const struct stat *st)
{
	slice text = job->answer.text;
	struct kept *k;

	if (text.len > KEPT_BYTES)
		return;
	(void)pthread_mutex_lock(&files.lock);
	k = place_of(job->answer.path.ptr);
	drop(k);
	k->path = xstrdup(job->answer.path.ptr);
	k->text = xmalloc(text.len + 1);
	if (text.len > 0)
		memcpy(k->text, text.ptr, text.len);
	k->len = text.len;
	k->stat = *st;
	k->used = ++files.uses;
	(void)pthread_mutex_unlock(&files.lock);
}

/* To its end, which is where its size was said to be. */
static bool
read_whole(struct job *job, int fd, size_t size)
{
	char *text = arena_alloc(job->arena, size + 1);
	size_t len = 0;
	ssize_t got;

	while (len <= size) {
		got = read(fd, text + len, size + 1 - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			refuse(job, USER_FILE_TEMPFAIL, strerror(errno));
			return false;
		}
		if (got == 0)
			break;
		len += (size_t)got;
	}
	if (len != size) {
		refuse(job, USER_FILE_TEMPFAIL, "it is being written");
		return false;
	}
	job->answer.text = (slice){text, len};
	return true;
}

static void
read_open(struct job *job, const struct account *account, int fd)
{
	struct stat st;
	struct stat after;

	if (fstat(fd, &st) != 0) {
		refuse(job, USER_FILE_TEMPFAIL, strerror(errno));
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		refuse(job, USER_FILE_REFUSED, "it is no regular file");
		return;
	}
	if ((size_t)st.st_size > job->question.bytes_max) {
		refuse(job, USER_FILE_REFUSED, "it is too large");
		return;
	}
	if (!is_trusted(job, account, &st))
		return;
	if (!recall(job, &st)) {
		if (!read_whole(job, fd, (size_t)st.st_size))
			return;
		if (fstat(fd, &after) != 0 || !same_file(&st, &after)) {
			refuse(job, USER_FILE_TEMPFAIL, "it is being written");
			return;
		}
		keep(job, &st);
	}
	job->answer.result = USER_FILE_FOUND;
}

/* In a home that is closed to us nobody knows whether there is one. */
static void
tell_failed_open(struct job *job, int problem)
{
	struct stat st;

	if (problem == ELOOP) {
		refuse(job, USER_FILE_REFUSED, "it is a symbolic link");
		return;
	}
	if (problem == ENOENT || problem == ENOTDIR) {
		refuse(job, USER_FILE_NONE, strerror(problem));
		return;
	}
	if (problem == EACCES || problem == EPERM)
		refuse(job,
		    lstat(job->answer.path.ptr, &st) == 0 ? USER_FILE_REFUSED
							  : USER_FILE_NONE,
		    strerror(problem));
	else
		refuse(job, USER_FILE_TEMPFAIL, strerror(problem));
}

static void
work_at(struct job *job)
{
	struct account account;
	int fd;

	if (!is_plain_name(job->question.user)) {
		refuse(job, USER_FILE_NONE, "that is no name of a user");
		return;
	}
	if (!find_account(job, &account)) {
		refuse(job, USER_FILE_TEMPFAIL, "the user cannot be looked up");
		return;
	}
	if (is_in_home(job) && !account.is_known) {
		refuse(job, USER_FILE_NONE, "there is no such user");
		return;
	}
	job->answer.path = make_path(job, &account);
	if (job->answer.path.len == 0) {
		refuse(job, USER_FILE_NONE, "that makes no path");
		return;
	}
	/* O_NONBLOCK: not to wait where it is a FIFO. */
	fd = open(job->answer.path.ptr,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		tell_failed_open(job, errno);
		return;
	}
	read_open(job, &account, fd);
	(void)close(fd);
}

/* With the lock held, here and below. */
static struct job *
take_job(void)
{
	struct job *job;

	while (files.first == NULL)
		(void)pthread_cond_wait(&files.changed, &files.lock);
	job = files.first;
	files.first = job->next;
	if (files.first == NULL)
		files.end = &files.first;
	files.waiting--;
	return job;
}

static void
finish(struct job *job)
{
	files.is_stuck = false;
	if (job->is_left) {
		arena_free(job->arena);
		return;
	}
	job->is_done = true;
	(void)pthread_cond_broadcast(&files.changed);
}

static void *
run(void *unused)
{
	(void)unused;
	(void)pthread_mutex_lock(&files.lock);
	for (;;) {
		struct job *job = take_job();

		if (!job->is_left) {
			(void)pthread_mutex_unlock(&files.lock);
			work_at(job);
			(void)pthread_mutex_lock(&files.lock);
		}
		finish(job);
	}
	return NULL;
}

static bool
start(void)
{
	if (files.is_started)
		return true;
	files.end = &files.first;
	threads_init_condition(&files.changed);
	files.is_started = threads_start(NULL, run, NULL, NULL);
	if (!files.is_started)
		(void)pthread_cond_destroy(&files.changed);
	return files.is_started;
}

/* False when it is left to the thread. */
static bool
wait_for(struct job *job, deadline_ms deadline)
{
	struct timespec until = deadline_timespec(deadline);

	*files.end = job;
	files.end = &job->next;
	files.waiting++;
	(void)pthread_cond_broadcast(&files.changed);
	while (!job->is_done) {
		if (pthread_cond_timedwait(
			&files.changed, &files.lock, &until) != 0 &&
		    !job->is_done) {
			files.is_stuck = true;
			job->is_left = true;
			return false;
		}
	}
	return true;
}

static struct job *
job_new(const struct user_file_question *question)
{
	struct arena *arena = arena_new(0);
	struct job *job = ARENA_NEW(arena, struct job);

	job->arena = arena;
	job->question = *question;
	job->question.pattern = arena_copy(arena, question->pattern);
	job->question.user = arena_copy_lower(arena, question->user);
	job->question.domain = arena_copy_lower(arena, question->domain);
	return job;
}

static struct user_file_answer
copy_of(struct arena *arena, const struct user_file_answer *answer)
{
	return (struct user_file_answer){.result = answer->result,
	    .path = arena_copy(arena, answer->path),
	    .text = arena_copy(arena, answer->text),
	    .why = arena_copy(arena, answer->why)};
}

struct user_file_answer
user_file_read(struct arena *arena, const struct user_file_question *question,
    deadline_ms deadline)
{
	struct user_file_answer answer = {.result = USER_FILE_TEMPFAIL,
	    .path = SLICE_INIT(""),
	    .text = SLICE_INIT(""),
	    .why = SLICE_INIT("the file system is too slow")};
	struct job *job;
	bool is_done = false;

	if (question->user.len > NAME_MOST || question->domain.len > NAME_MOST)
		return (struct user_file_answer){.result = USER_FILE_NONE,
		    .path = SLICE(""),
		    .text = SLICE(""),
		    .why = SLICE("that is no name of a user")};
	job = job_new(question);
	(void)pthread_mutex_lock(&files.lock);
	if (start() && !files.is_stuck && files.waiting < JOBS_MOST) {
		is_done = wait_for(job, deadline);
		if (!is_done)
			job = NULL;
	}
	(void)pthread_mutex_unlock(&files.lock);
	if (is_done)
		answer = copy_of(arena, &job->answer);
	if (job != NULL)
		arena_free(job->arena);
	return answer;
}

const char *
user_file_check_pattern(slice pattern)
{
	bool names_user = false;

	if (pattern.len > 512)
		return "it is too long";
	if (pattern.len == 0 ||
	    (pattern.ptr[0] != '/' &&
		!slice_has_prefix_nocase(pattern, SLICE("%h/"))))
		return "it does not begin with / or %h/";
	for (size_t i = 0; i < pattern.len; i++) {
		char letter = i + 1 < pattern.len ? pattern.ptr[i + 1] : '\0';

		if (pattern.ptr[i] != '%')
			continue;
		if (letter == '\0' || memchr("udh%", letter, 4) == NULL)
			return "only %u, %d, %h and %% stand for something";
		if (letter == 'h' && i > 0)
			return "%h stands at its beginning";
		names_user = names_user || letter == 'u' || letter == 'h';
		i++;
	}
	return names_user ? NULL : "neither %u nor %h is in it";
}

void
user_file_forget(void)
{
	(void)pthread_mutex_lock(&files.lock);
	for (size_t i = 0; i < MOST_KEPT; i++)
		drop(&files.kept[i]);
	(void)pthread_mutex_unlock(&files.lock);
}
