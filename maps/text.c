/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/text.h"

#include "maps/safe_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define TRIES 3
#define FILE_MAX_SIZE ((off_t)2 * 1024 * 1024 * 1024)
/* Longer than a tick of the clock that stamps files: what is written to a
 * file that has rested so long changes its time. */
#define REST_NS 20000000L

static bool
refuse(struct error *error, const char *path, int exit_code, const char *why)
{
	(void)error_at(error, path, 0, "%s", why);
	if (error != NULL)
		error->exit_code = exit_code;
	return false;
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
same_state(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && same_time(a->st_mtim, b->st_mtim) &&
	       same_time(a->st_ctim, b->st_ctim);
}

static bool
has_rested(const struct stat *st)
{
	struct timespec now;
	long long age;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	age = (long long)(now.tv_sec - st->st_mtim.tv_sec) * 1000000000 +
	      (now.tv_nsec - st->st_mtim.tv_nsec);
	return age < 0 || age > REST_NS;
}

static void
rest(void)
{
	struct timespec pause = {.tv_nsec = REST_NS};

	(void)nanosleep(&pause, NULL);
}

/* Less than st_size bytes: the file was cut short, which its time tells. */
static bool
read_bytes(int fd, char *to, size_t size, size_t *ret_len)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = pread(fd, to + len, size - len, (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return true;
}

static bool
check_file(const char *path, const struct stat *st, bool allow_unsafe,
    struct error *error)
{
	if (!S_ISREG(st->st_mode))
		return refuse(error, path, EX_NOINPUT, "is not a regular file");
	if (st->st_size > FILE_MAX_SIZE)
		return refuse(error, path, EX_DATAERR, "is larger than 2 GB");
	return allow_unsafe || safe_file_check(path, st, error);
}

enum attempt { ATTEMPT_DONE, ATTEMPT_CHANGED, ATTEMPT_FAILED };

static enum attempt
read_once(int fd, bool allow_unsafe, struct arena *arena,
    struct text_file *file, struct error *error)
{
	struct stat after;
	char *to;

	if (fstat(fd, &file->stat) != 0)
		goto unreadable;
	if (S_ISREG(file->stat.st_mode) && !has_rested(&file->stat)) {
		rest();
		if (fstat(fd, &after) != 0)
			goto unreadable;
		if (!same_state(&file->stat, &after))
			return ATTEMPT_CHANGED;
	}
	if (!check_file(file->path, &file->stat, allow_unsafe, error))
		return ATTEMPT_FAILED;
	to = arena_alloc(arena, (size_t)file->stat.st_size + 1);
	if (!read_bytes(
		fd, to, (size_t)file->stat.st_size, &file->content.len) ||
	    fstat(fd, &after) != 0)
		goto unreadable;
	file->content.ptr = to;
	return same_state(&file->stat, &after) ? ATTEMPT_DONE : ATTEMPT_CHANGED;
unreadable:
	(void)error_at(
	    error, file->path, 0, "cannot read: %s", strerror(errno));
	if (error != NULL)
		error->exit_code = EX_IOERR;
	return ATTEMPT_FAILED;
}

/* The file is opened anew each time: it may have been replaced. */
static enum attempt
open_and_read(bool allow_unsafe, struct arena *arena, struct text_file *file,
    struct error *error)
{
	/* O_NONBLOCK: a FIFO must not hold us up. */
	int fd = open(file->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	enum attempt attempt;

	if (fd < 0) {
		(void)error_at(
		    error, file->path, 0, "cannot open: %s", strerror(errno));
		if (error != NULL)
			error->exit_code = EX_NOINPUT;
		return ATTEMPT_FAILED;
	}
	attempt = read_once(fd, allow_unsafe, arena, file, error);
	(void)close(fd);
	return attempt;
}

bool
text_file_read(const char *path, bool allow_unsafe, struct arena *arena,
    struct text_file *ret_file, struct error *error)
{
	struct text_file file = {
	    .path = arena_cstr(arena, slice_from_cstr(path))};

	for (int i = 0; i < TRIES; i++) {
		switch (open_and_read(allow_unsafe, arena, &file, error)) {
		case ATTEMPT_DONE:
			*ret_file = file;
			return true;
		case ATTEMPT_FAILED:
			return false;
		case ATTEMPT_CHANGED:
			break;
		}
	}
	return refuse(error, path, EX_TEMPFAIL,
	    "changed each time it was read; somebody is writing it");
}

void
text_reader_init(struct text_reader *reader, slice content)
{
	*reader = (struct text_reader){.rest = content};
}

/* isspace() of the C locale. */
static bool
is_blank(char c)
{
	return ascii_is_space(c) || c == '\v' || c == '\f';
}

static slice
skip_blanks(slice s)
{
	while (s.len > 0 && is_blank(s.ptr[0]))
		s = slice_from(s, 1);
	return s;
}

static slice
take_word(slice *line)
{
	size_t len = 0;
	slice word;

	while (len < line->len && !is_blank(line->ptr[len]))
		len++;
	word = slice_first(*line, len);
	*line = skip_blanks(slice_from(*line, len));
	return word;
}

/* The next line that is neither empty nor a comment. TEXT_ENTRY: here it
 * is. */
static enum text_next
next_line(struct text_reader *reader, slice *ret_line)
{
	reader->problem = NULL;
	while (slice_next(&reader->rest, '\n', ret_line)) {
		reader->line++;
		if (ret_line->len > TEXT_LINE_MAX) {
			reader->problem = "line is longer than 65536 bytes";
			return TEXT_BAD;
		}
		if (slice_index(*ret_line, '\0') < ret_line->len) {
			reader->problem = "line contains a NUL byte";
			return TEXT_BAD;
		}
		if (ret_line->len > 0 && ret_line->ptr[0] != '#')
			return TEXT_ENTRY;
	}
	return TEXT_END;
}

static enum text_next
skip_line(struct text_reader *reader, const char *problem)
{
	reader->problem = problem;
	return TEXT_WARNING;
}

enum text_next
text_reader_next(struct text_reader *reader, struct text_entry *ret_entry)
{
	slice line;
	slice key;
	enum text_next next = next_line(reader, &line);

	if (next != TEXT_ENTRY)
		return next;
	if (is_blank(line.ptr[0]))
		return skip_line(reader, "skipped: line begins with a blank");
	key = take_word(&line);
	if (line.len == 0)
		return skip_line(reader, "skipped: key has no value");
	*ret_entry = (struct text_entry){
	    .key = key, .value = line, .line = reader->line};
	return TEXT_ENTRY;
}

enum text_next
text_reader_next_word(struct text_reader *reader, struct text_entry *ret_entry)
{
	slice line;
	slice word;
	enum text_next next;

	do {
		next = next_line(reader, &line);
		if (next != TEXT_ENTRY)
			return next;
		line = skip_blanks(line);
		word = take_word(&line);
	} while (word.len == 0 || word.ptr[0] == '#');
	if (line.len > 0 && line.ptr[0] != '#')
		reader->problem = "words after the first are ignored";
	*ret_entry = (struct text_entry){.key = word, .line = reader->line};
	return TEXT_ENTRY;
}
