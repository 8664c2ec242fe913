/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/include_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <sysexits.h>
#include <unistd.h>

#include "maps/safe_file.h"
#include "maps/text.h"
#include "milter/alias_includes.h"
#include "milter/log.h"
#include "policy/policy.h"

enum { MOST_KEPT = 32 };

struct kept {
	char *path; /* NULL: nothing is kept here */
	char *text;
	size_t len;
	struct stat stat;
	unsigned long used;
};

/* Guarded by `lock`. */
static struct kept kept[MOST_KEPT];
static unsigned long uses;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

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
find_kept(const char *path)
{
	for (size_t i = 0; i < MOST_KEPT; i++) {
		if (kept[i].path != NULL && strcmp(kept[i].path, path) == 0)
			return &kept[i];
	}
	return NULL;
}

static bool
recall(struct arena *arena, const char *path, const struct stat *st,
    slice *ret_text)
{
	struct kept *k;
	bool found;

	(void)pthread_mutex_lock(&lock);
	k = find_kept(path);
	found = k != NULL && same_file(&k->stat, st);
	if (found) {
		k->used = ++uses;
		*ret_text = arena_copy(arena, (slice){k->text, k->len});
	}
	(void)pthread_mutex_unlock(&lock);
	return found;
}

static void
drop(struct kept *k)
{
	free(k->path);
	free(k->text);
	*k = (struct kept){.path = NULL};
}

static struct kept *
longest_unused(void)
{
	struct kept *oldest = &kept[0];

	for (size_t i = 1; i < MOST_KEPT; i++) {
		if (kept[i].used < oldest->used)
			oldest = &kept[i];
	}
	return oldest;
}

static void
keep(const struct text_file *file)
{
	struct kept *k;

	(void)pthread_mutex_lock(&lock);
	k = find_kept(file->path);
	if (k == NULL)
		k = longest_unused();
	drop(k);
	k->path = xstrdup(file->path);
	k->text = xmalloc(file->content.len + 1);
	memcpy(k->text, file->content.ptr, file->content.len);
	k->len = file->content.len;
	k->stat = file->stat;
	k->used = ++uses;
	(void)pthread_mutex_unlock(&lock);
}

void
include_file_forget(void)
{
	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; i < MOST_KEPT; i++)
		drop(&kept[i]);
	(void)pthread_mutex_unlock(&lock);
}

/* Will it be the same when asked again? */
static bool
is_for_good(int problem)
{
	switch (problem) {
	case EACCES:
	case ELOOP:
	case ENAMETOOLONG:
	case ENOENT:
	case ENOTDIR:
	case EPERM:
		return true;
	}
	return false;
}

static enum world_answer
unreadable(const char *path, const char *why, bool for_good)
{
	log_line(LOG_WARNING, ":include:%s: %s", path, why);
	return for_good ? WORLD_NONE : WORLD_TEMPFAIL;
}

static enum world_answer
failed(const char *path, const struct error *error)
{
	switch (error->exit_code) {
	case EX_IOERR:
	case EX_TEMPFAIL:
		return unreadable(path, error->text, false);
	case EX_NOPERM:
	case EX_DATAERR:
		return unreadable(path, error->text, true);
	}
	/* It was there a moment ago. */
	return unreadable(path, error->text,
	    faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0 &&
		is_for_good(errno));
}

static enum world_answer
read_anew(
    struct arena *arena, const char *path, bool allow_unsafe, slice *ret_text)
{
	struct text_file file;
	struct error error = {.exit_code = 0};

	if (!text_file_read(path, allow_unsafe, arena, &file, &error))
		return failed(path, &error);
	if (slice_index(file.content, '\0') < file.content.len)
		return unreadable(path, "has a NUL byte in it", true);
	keep(&file);
	*ret_text = file.content;
	return WORLD_FOUND;
}

static enum world_answer
missing(
    const struct policy *policy, const char *path, int problem, slice *ret_text)
{
	if ((problem == ENOENT || problem == ENOTDIR) &&
	    alias_includes_find(
		policy->includes, slice_from_cstr(path), ret_text))
		return WORLD_FOUND;
	return unreadable(path, strerror(problem), is_for_good(problem));
}

enum world_answer
include_file_read(void *context, struct arena *arena, slice path,
    const struct policy *policy, slice *ret_text)
{
	const char *name = arena_cstr(arena, path);
	bool allow_unsafe = policy->allow_unsafe_files;
	struct error error = {.exit_code = 0};
	struct stat st;

	(void)context;
	if (name[0] != '/')
		return unreadable(name, "does not begin with /", true);
	if (stat(name, &st) != 0)
		return missing(policy, name, errno, ret_text);
	if (!S_ISREG(st.st_mode))
		return unreadable(name, "is not a regular file", true);
	if (st.st_size > INCLUDE_FILE_MAX)
		return unreadable(name, "is larger than 1 MB", true);
	if (!recall(arena, name, &st, ret_text))
		return read_anew(arena, name, allow_unsafe, ret_text);
	if (!allow_unsafe && !safe_file_check(name, &st, &error))
		return failed(name, &error);
	return WORLD_FOUND;
}
