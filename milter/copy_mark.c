/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mark's file holds the addresses that its copy is for, one a line, in lower
 * case. Mutable global: where the files are, set while one thread runs.
 */
#include "milter/copy_mark.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/write_all.h"
#include "policy/path.h"

enum { BYTES_OF_CHANCE = COPY_MARK_LEN / 2, LONGEST_FILE = 16 * 1024 * 1024 };

static int directory_fd = -1;

bool
copy_mark_open(slice directory)
{
	char *path = xmalloc(directory.len + 1);

	memcpy(path, directory.ptr, directory.len);
	path[directory.len] = '\0';
	directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	return directory_fd >= 0;
}

void
copy_mark_close(void)
{
	if (directory_fd >= 0)
		(void)close(directory_fd);
	directory_fd = -1;
}

bool
copy_mark_sync(void)
{
	return directory_fd >= 0 && fsync(directory_fd) == 0;
}

static bool
make_name(char mark[static COPY_MARK_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[BYTES_OF_CHANCE];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		mark[2 * i] = digits[bytes[i] >> 4];
		mark[2 * i + 1] = digits[bytes[i] & 15];
	}
	mark[COPY_MARK_LEN] = '\0';
	return true;
}

static slice
list_recipients(struct arena *arena, const slice *recipients, size_t count)
{
	struct strbuf list;

	strbuf_init(&list, arena);
	for (size_t i = 0; i < count; i++) {
		strbuf_add(&list,
		    arena_copy_lower(arena, path_address(recipients[i])));
		strbuf_add_char(&list, '\n');
	}
	return strbuf_slice(&list);
}

bool
copy_mark_make(
    const slice *recipients, size_t count, char mark[static COPY_MARK_LEN + 1])
{
	struct arena *arena;
	bool is_written;
	int fd;

	if (directory_fd < 0 || !make_name(mark))
		return false;
	fd = openat(
	    directory_fd, mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	arena = arena_new(0);
	is_written =
	    write_all(fd, list_recipients(arena, recipients, count)) &&
	    fsync(fd) == 0;
	arena_free(arena);
	(void)close(fd);
	if (!is_written)
		copy_mark_forget(mark);
	return is_written;
}

void
copy_mark_forget(const char *mark)
{
	if (directory_fd >= 0 && *mark != '\0')
		(void)unlinkat(directory_fd, mark, 0);
}

static bool
is_mark(slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
			return false;
	}
	return text.len == COPY_MARK_LEN;
}

/* What the file says, or "". */
static slice
read_file(struct arena *arena, const char *mark)
{
	int fd = openat(directory_fd, mark, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	ssize_t n = 0;
	char *text;

	if (fd < 0)
		return SLICE("");
	if (fstat(fd, &st) != 0 || st.st_size > LONGEST_FILE)
		st.st_size = 0;
	text = arena_alloc(arena, (size_t)st.st_size + 1);
	if (st.st_size > 0)
		n = read(fd, text, (size_t)st.st_size);
	(void)close(fd);
	return n > 0 ? (slice){text, (size_t)n} : SLICE("");
}

static bool
is_same_address(slice a, slice b)
{
	size_t at_a = slice_last_index(a, '@');
	size_t at_b = slice_last_index(b, '@');

	if (at_a < a.len && at_b < b.len)
		return slice_eq_nocase(a, b);
	return slice_eq_nocase(slice_first(a, at_a), slice_first(b, at_b));
}

static bool
names(slice list, slice recipient)
{
	slice line;

	recipient = path_address(recipient);
	while (slice_next(&list, '\n', &line)) {
		if (line.len > 0 && is_same_address(line, recipient))
			return true;
	}
	return false;
}

bool
copy_mark_is_valid(
    struct arena *scratch, slice value, const slice *recipients, size_t count)
{
	slice mark = slice_trim(value);
	slice list;

	if (directory_fd < 0 || !is_mark(mark) || count == 0)
		return false;
	list = read_file(scratch, arena_cstr(scratch, mark));
	for (size_t i = 0; i < count; i++) {
		if (!names(list, recipients[i]))
			return false;
	}
	return true;
}

void
copy_mark_sweep(void)
{
	int fd = directory_fd < 0 ? -1
				  : openat(directory_fd, ".",
					O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	time_t oldest = time(NULL) - COPY_MARK_DAYS * 24 * 3600L;
	const struct dirent *entry;
	struct stat st;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (is_mark(slice_from_cstr(entry->d_name)) &&
		    fstatat(directory_fd, entry->d_name, &st,
			AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtime < oldest)
			(void)unlinkat(directory_fd, entry->d_name, 0);
	}
	if (dir != NULL)
		(void)closedir(dir);
}
