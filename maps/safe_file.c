/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/safe_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define MOST_LINKS 32
#define ALLOW "allow_unsafe_files lifts this"

/* A path on the way from the root to the file. */
struct walk {
	const char *path; /* as the caller named the file */
	struct error *error;
	char done[PATH_MAX]; /* checked, without links; "" is the root */
	char rest[PATH_MAX]; /* still to go */
	unsigned links;
};

static bool
refuse(struct error *error, const char *path, const char *at, const char *why)
{
	if (strcmp(path, at) == 0)
		(void)error_at(error, path, 0, "%s; " ALLOW, why);
	else
		(void)error_at(
		    error, path, 0, "unsafe, because %s %s; " ALLOW, at, why);
	if (error != NULL)
		error->exit_code = EX_NOPERM;
	return false;
}

static bool
is_trusted(uid_t owner)
{
	return owner == 0 || owner == geteuid();
}

static bool
fail(struct walk *walk, const char *at, int why)
{
	(void)error_at(walk->error, walk->path, 0, "cannot check %s: %s", at,
	    strerror(why));
	if (walk->error != NULL)
		walk->error->exit_code = EX_NOINPUT;
	return false;
}

static bool
check_directory(struct walk *walk, const struct stat *st)
{
	const char *at = walk->done[0] == '\0' ? "/" : walk->done;

	if ((st->st_mode & S_IWOTH) != 0)
		return refuse(
		    walk->error, walk->path, at, "is writable by everybody");
	if ((st->st_mode & S_IWGRP) != 0)
		return refuse(
		    walk->error, walk->path, at, "is writable by its group");
	return true;
}

/* Takes the next component off walk->rest. */
static bool
next_component(struct walk *walk, char *component, size_t size)
{
	size_t start = strspn(walk->rest, "/");
	size_t len = strcspn(walk->rest + start, "/");

	if (len == 0)
		return false;
	(void)snprintf(component, size, "%.*s", (int)len, walk->rest + start);
	memmove(walk->rest, walk->rest + start + len,
	    strlen(walk->rest + start + len) + 1);
	return true;
}

/* walk->done is a link: goes on at its target. */
static bool
follow_link(struct walk *walk)
{
	char target[PATH_MAX];
	char joined[PATH_MAX];
	ssize_t len = readlink(walk->done, target, sizeof(target) - 1);

	if (len < 0)
		return fail(walk, walk->done, errno);
	if (++walk->links > MOST_LINKS)
		return fail(walk, walk->done, ELOOP);
	target[len] = '\0';
	if ((size_t)snprintf(joined, sizeof(joined), "%s/%s", target,
		walk->rest) >= sizeof(joined))
		return fail(walk, walk->done, ENAMETOOLONG);
	memcpy(walk->rest, joined, sizeof(joined));
	if (target[0] == '/')
		walk->done[0] = '\0';
	else
		*strrchr(walk->done, '/') = '\0';
	return true;
}

static bool
enter(struct walk *walk, const char *component)
{
	size_t len = strlen(walk->done);
	struct stat st;

	if (strcmp(component, ".") == 0)
		return true;
	if (strcmp(component, "..") == 0) {
		if (len > 0)
			*strrchr(walk->done, '/') = '\0';
		return true;
	}
	if ((size_t)snprintf(walk->done + len, sizeof(walk->done) - len, "/%s",
		component) >= sizeof(walk->done) - len)
		return fail(walk, component, ENAMETOOLONG);
	if (lstat(walk->done, &st) != 0)
		return fail(walk, walk->done, errno);
	if (S_ISLNK(st.st_mode))
		return follow_link(walk);
	return !S_ISDIR(st.st_mode) || check_directory(walk, &st);
}

static bool
check_way(struct walk *walk)
{
	char component[PATH_MAX];
	struct stat st;

	if (stat("/", &st) != 0)
		return fail(walk, "/", errno);
	if (!check_directory(walk, &st))
		return false;
	while (next_component(walk, component, sizeof(component))) {
		if (!enter(walk, component))
			return false;
	}
	return true;
}

static bool
make_absolute(struct walk *walk)
{
	char here[PATH_MAX] = "";

	if (walk->path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return fail(walk, ".", errno);
	if ((size_t)snprintf(walk->rest, sizeof(walk->rest), "%s/%s", here,
		walk->path) >= sizeof(walk->rest))
		return fail(walk, walk->path, ENAMETOOLONG);
	return true;
}

bool
safe_file_check(const char *path, const struct stat *file, struct error *error)
{
	struct walk walk = {.path = path, .error = error};

	if (!is_trusted(file->st_uid))
		return refuse(error, path, path,
		    "belongs neither to root nor to the user who reads it");
	if ((file->st_mode & S_IWOTH) != 0)
		return refuse(error, path, path, "is writable by everybody");
	if ((file->st_mode & S_IWGRP) != 0)
		return refuse(error, path, path, "is writable by its group");
	return make_absolute(&walk) && check_way(&walk);
}
