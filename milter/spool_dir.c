/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/spool_dir.h"

#include "base/arena.h"
#include "milter/copy_mark.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static bool
cannot(struct error *error, const char *path, const char *why)
{
	(void)error_at(error, path, 0, "%s", why);
	error->exit_code = EX_CANTCREAT;
	return false;
}

/* What lies in it is people's mail. */
static bool
is_private(int fd, struct error *error, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return cannot(error, path, strerror(errno));
	if (st.st_uid != geteuid())
		return cannot(error, path, "belongs to somebody else");
	if ((st.st_mode & 077) != 0)
		return cannot(error, path, "others may look into it");
	return true;
}

static bool
open_directory(const char *path, int *ret_fd, struct error *error)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return cannot(error, path, strerror(errno));
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd < 0)
		return cannot(error, path, strerror(errno));
	return is_private(*ret_fd, error, path);
}

static bool
lock_directory(const char *path, int *ret_fd, struct error *error)
{
	*ret_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*ret_fd < 0)
		return cannot(error, path, strerror(errno));
	if (flock(*ret_fd, LOCK_EX | LOCK_NB) != 0)
		return cannot(error, path, "another milterd has this spool");
	return true;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

void
spool_dir_close(struct spool_dir *dir)
{
	close_fd(&dir->tmp);
	close_fd(&dir->queue);
	close_fd(&dir->bad);
	close_fd(&dir->lock);
	copy_mark_close();
}

bool
spool_dir_open(struct spool_dir *dir, slice directory, struct error *error)
{
	struct arena *arena = arena_new(0);
	slice top =
	    arena_printf(arena, SLICE_FMT "/spool", SLICE_ARG(directory));
	slice tmp = arena_join(arena, top, SLICE("/tmp"), SLICE(""));
	slice queue = arena_join(arena, top, SLICE("/queue"), SLICE(""));
	slice bad = arena_join(arena, top, SLICE("/bad"), SLICE(""));
	slice sent = arena_join(arena, top, SLICE("/sent"), SLICE(""));
	int top_fd = -1;
	int sent_fd = -1;
	bool done;

	*dir = (struct spool_dir){-1, -1, -1, -1};
	done =
	    open_directory(top.ptr, &top_fd, error) &&
	    lock_directory(
		arena_join(arena, top, SLICE("/lock"), SLICE("")).ptr,
		&dir->lock, error) &&
	    open_directory(tmp.ptr, &dir->tmp, error) &&
	    open_directory(queue.ptr, &dir->queue, error) &&
	    open_directory(bad.ptr, &dir->bad, error) &&
	    open_directory(sent.ptr, &sent_fd, error) &&
	    (copy_mark_open(sent) || cannot(error, sent.ptr, strerror(errno)));

	close_fd(&top_fd);
	close_fd(&sent_fd);
	if (!done)
		spool_dir_close(dir);
	arena_free(arena);
	return done;
}

/* Calls `found` for every name in the directory that is no dot file. */
void
spool_dir_visit(
    int directory_fd, void (*found)(int directory_fd, const char *name))
{
	int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			found(directory_fd, entry->d_name);
	}
	if (dir != NULL)
		(void)closedir(dir);
}
