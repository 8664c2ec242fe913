/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/spool_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strbuf.h"

/* "milterd 1 LINES MESSAGE\n", the numbers with leading zeros. */
#define HEAD_FORMAT "milterd 1 %012zu %012zu\n"
enum { HEAD_SIZE = 36, BUFFER_SIZE = 32 * 1024 };

const char *
spool_kind_word(enum spool_kind kind)
{
	switch (kind) {
	case SPOOL_COPY:
		return "copy";
	case SPOOL_BOUNCE:
		return "bounce";
	case SPOOL_REPLY:
		return "reply";
	}
	return "";
}

/*
 * Writing.
 */

struct writer {
	int fd;
	size_t used;
	size_t written; /* with what is in the buffer */
	bool has_failed;
	char last;
	char buffer[BUFFER_SIZE];
};

static void
flush(struct writer *writer)
{
	size_t done = 0;

	while (done < writer->used && !writer->has_failed) {
		ssize_t n = write(
		    writer->fd, writer->buffer + done, writer->used - done);

		if (n < 0)
			writer->has_failed = true;
		else
			done += (size_t)n;
	}
	writer->used = 0;
}

static void
add(struct writer *writer, slice text)
{
	writer->written += text.len;
	while (text.len > 0) {
		size_t room = sizeof(writer->buffer) - writer->used;
		size_t part = text.len < room ? text.len : room;

		memcpy(writer->buffer + writer->used, text.ptr, part);
		writer->used += part;
		writer->last = text.ptr[part - 1];
		text = slice_from(text, part);
		if (writer->used == sizeof(writer->buffer))
			flush(writer);
	}
}

/* Without the CR before each LF. */
static void
add_lines(struct writer *writer, slice text)
{
	while (text.len > 0) {
		size_t end = slice_index(text, '\n');
		slice line = slice_first(text, end);
		bool has_end = end < text.len;

		if (has_end && line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		add(writer, line);
		if (has_end)
			add(writer, SLICE("\n"));
		text = slice_from(text, end + 1);
	}
}

static bool
is_8bit(slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] >= 0x80)
			return true;
	}
	return false;
}

static slice
describe(struct arena *arena, const struct spool_message *message,
    const char *mark, time_t not_before)
{
	struct strbuf lines;

	strbuf_init(&lines, arena);
	strbuf_printf(&lines, "kind %s\ncreated %lld\nnot-before %lld\n",
	    spool_kind_word(message->kind), (long long)time(NULL),
	    (long long)not_before);
	strbuf_printf(
	    &lines, "sender " SLICE_FMT "\n", SLICE_ARG(message->sender));
	for (size_t i = 0; i < message->recipient_count; i++)
		strbuf_printf(&lines, "recipient " SLICE_FMT "\n",
		    SLICE_ARG(message->recipients[i]));
	if (message->queue_id.len > 0)
		strbuf_printf(&lines, "queue-id " SLICE_FMT "\n",
		    SLICE_ARG(message->queue_id));
	if (message->kind == SPOOL_REPLY)
		strbuf_printf(&lines, "interval %lu\nclaim " SLICE_FMT "\n",
		    message->claim_interval_s, SLICE_ARG(message->claim_key));
	if (*mark != '\0')
		strbuf_printf(&lines, "mark %s\n", mark);
	if (is_8bit(message->header) || is_8bit(message->body))
		strbuf_add(&lines, SLICE("8bit yes\n"));
	return strbuf_slice(&lines);
}

static void
add_message(struct writer *writer, const struct spool_message *message,
    const char *mark)
{
	if (*mark != '\0') {
		add(writer, SLICE(COPY_MARK_FIELD ": "));
		add(writer, slice_from_cstr(mark));
		add(writer, SLICE("\n"));
	}
	add_lines(writer, message->header);
	if (message->header.len > 0 && writer->last != '\n')
		add(writer, SLICE("\n"));
	add(writer, SLICE("\n"));
	add_lines(writer, message->body);
}

static bool
write_head(int fd, size_t lines, size_t message)
{
	char head[64];
	int len = snprintf(head, sizeof(head), HEAD_FORMAT, lines, message);

	return len == HEAD_SIZE && pwrite(fd, head, HEAD_SIZE, 0) == HEAD_SIZE;
}

bool
spool_file_write(int fd, const struct spool_message *message, const char *mark,
    time_t not_before, off_t *ret_size)
{
	struct writer *writer = xmalloc(sizeof(*writer));
	struct arena *arena = arena_new(0);
	slice lines = describe(arena, message, mark, not_before);
	size_t size;
	bool is_written;

	writer->fd = fd;
	writer->used = writer->written = 0;
	writer->has_failed = lseek(fd, HEAD_SIZE, SEEK_SET) != HEAD_SIZE;
	add(writer, lines);
	add_message(writer, message, mark);
	flush(writer);
	size = writer->written - lines.len;
	*ret_size = (off_t)(HEAD_SIZE + writer->written);
	is_written = !writer->has_failed && write_head(fd, lines.len, size) &&
		     fsync(fd) == 0;
	arena_free(arena);
	free(writer);
	return is_written;
}

/*
 * Reading.
 */

static bool
read_head(int fd, size_t *ret_lines)
{
	char head[HEAD_SIZE + 1] = "";
	unsigned long lines;
	unsigned long message;
	struct stat st;

	if (fstat(fd, &st) != 0 || read(fd, head, HEAD_SIZE) != HEAD_SIZE ||
	    sscanf(head, "milterd 1 %12lu %12lu\n", &lines, &message) != 2)
		return false;
	*ret_lines = lines;
	return (unsigned long)st.st_size == HEAD_SIZE + lines + message;
}

static bool
read_kind(slice value, enum spool_kind *ret_kind)
{
	static const enum spool_kind kinds[] = {
	    SPOOL_COPY, SPOOL_BOUNCE, SPOOL_REPLY};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!slice_eq(
			value, slice_from_cstr(spool_kind_word(kinds[i]))))
			continue;
		*ret_kind = kinds[i];
		return true;
	}
	return false;
}

static unsigned long
number_of(struct arena *arena, slice value)
{
	return strtoul(arena_cstr(arena, value), NULL, 10);
}

/* False for a word that is none. */
static bool
read_line(
    struct spool_file *file, struct arena *arena, slice line, slice *recipients)
{
	slice word = slice_first(line, slice_index(line, ' '));
	slice value = slice_from(line, word.len + 1);

	if (slice_eq(word, SLICE("kind")))
		return read_kind(value, &file->kind);
	if (slice_eq(word, SLICE("recipient")))
		recipients[file->recipient_count++] = value;
	else if (slice_eq(word, SLICE("created")))
		file->created = (time_t)number_of(arena, value);
	else if (slice_eq(word, SLICE("not-before")))
		file->not_before = (time_t)number_of(arena, value);
	else if (slice_eq(word, SLICE("sender")))
		file->sender = value;
	else if (slice_eq(word, SLICE("queue-id")))
		file->queue_id = value;
	else if (slice_eq(word, SLICE("interval")))
		file->claim_interval_s = number_of(arena, value);
	else if (slice_eq(word, SLICE("claim")))
		file->claim_key = value;
	else if (slice_eq(word, SLICE("mark")))
		file->mark = value;
	else if (slice_eq(word, SLICE("8bit")))
		file->is_8bit = true;
	else
		return false;
	return true;
}

static size_t
count_lines(slice text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '\n';
	return count;
}

bool
spool_file_read(int fd, struct arena *arena, struct spool_file *ret)
{
	slice *recipients;
	size_t size;
	slice rest;
	slice line;
	char *text;

	*ret = (struct spool_file){.kind = SPOOL_COPY};
	if (!read_head(fd, &size))
		return false;
	text = arena_alloc(arena, size + 1);
	if (read(fd, text, size) != (ssize_t)size)
		return false;
	rest = (slice){text, size};
	recipients = ARENA_ARRAY(arena, slice, count_lines(rest) + 1);
	ret->recipients = recipients;
	while (slice_next(&rest, '\n', &line)) {
		if (line.len > 0 && !read_line(ret, arena, line, recipients))
			return false;
	}
	return ret->recipient_count > 0;
}
