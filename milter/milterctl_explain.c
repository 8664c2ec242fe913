/* SPDX-License-Identifier: BSD-2-Clause */
/* `milterctl explain`: attributes from options or standard input, in blocks. */
#include "milter/milterctl_batch.h"

#include "milter/attributes.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define OPTIONS_MAX 64
#define OPTION_ATTRIBUTE 1000
#define TEXT_MAX (256 * 1024)

/* What of a message the daemon is told. */
struct message {
	unsigned long size; /* a line's end being one byte, the empty line
			       behind the header none, as the milter counts */
	unsigned long hops;
	struct strbuf text; /* header and body, as far as they are told */
	bool is_cut;
	bool in_header;
};

/* As one line can have it. */
static void
add_escaped(struct message *message, slice line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (line.ptr[i] == '\\')
			strbuf_add_char(&message->text, '\\');
		strbuf_add_char(&message->text, line.ptr[i]);
	}
	strbuf_add(&message->text, SLICE("\\n"));
}

static void
read_message_line(struct message *message, slice line)
{
	bool has_end = line.ptr[line.len - 1] == '\n';

	if (has_end)
		line.len--;
	if (has_end && line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (message->text.len + 2 * line.len > TEXT_MAX)
		message->is_cut = true;
	if (!message->is_cut)
		add_escaped(message, line);
	if (message->in_header && line.len == 0) {
		message->in_header = false;
		return;
	}
	message->size += line.len + (has_end ? 1 : 0);
	if (message->in_header)
		message->hops +=
		    slice_has_prefix_nocase(line, SLICE("Received:"));
}

static bool
read_message(FILE *file, struct message *message)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	message->in_header = true;
	while ((len = getline(&line, &room, file)) > 0)
		read_message_line(message, (slice){line, (size_t)len});
	free(line);
	return ferror(file) == 0;
}

static bool
add_message(struct batch *batch, const char *path)
{
	FILE *file = fopen(path, "re");
	struct message message = {.size = 0};
	bool is_good;

	strbuf_init(&message.text, batch->arena);
	is_good = file != NULL && read_message(file, &message);
	if (!is_good) {
		(void)error_at(&batch->error, path, 0, "%s", strerror(errno));
		batch->error.exit_code = EX_NOINPUT;
	}
	if (file != NULL)
		(void)fclose(file);
	/* One line, so that the numbers of the others stay. */
	return is_good &&
	       batch_add_line(batch,
		   arena_printf(batch->arena, "message=%lu %lu " SLICE_FMT,
		       message.size, message.hops,
		       SLICE_ARG(strbuf_slice(&message.text))));
}

/* The daemon opens no files. */
static bool
take_line(struct batch *batch, void *context, slice line)
{
	slice message = SLICE("message=");

	(void)context;
	if (line.len >= message.len &&
	    slice_eq(slice_first(line, message.len), message))
		return add_message(
		    batch, arena_cstr(batch->arena,
			       slice_trim(slice_from(line, message.len))));
	return batch_add_line(batch, line);
}

struct option_table {
	struct option rows[OPTIONS_MAX];
	const char *names[OPTIONS_MAX]; /* attribute of a row */
	size_t count;
};

static void
add_option(struct option_table *table, const char *name, const char *attribute,
    int has_arg, int value)
{
	table->rows[table->count] = (struct option){name, has_arg, NULL, value};
	table->names[table->count++] = attribute;
}

/* --client-address for client_address, and so on. */
static void
fill_options(struct option_table *table, struct arena *arena)
{
	add_option(table, "config", NULL, required_argument, 'C');
	add_option(table, "json", NULL, no_argument, 'j');
	add_option(table, "trace", NULL, no_argument, 't');
	for (const struct attribute_word *w = attribute_words();
	     w->name != NULL && table->count + 1 < OPTIONS_MAX; w++) {
		char *name = arena_cstr(arena, slice_from_cstr(w->name));

		for (char *p = name; *p != '\0'; p++)
			*p = *p == '_' ? '-' : *p;
		add_option(
		    table, name, w->name, required_argument, OPTION_ATTRIBUTE);
	}
}

static bool
add_attribute(struct batch *batch, const char *name, const char *value)
{
	if (strchr(value, '\n') != NULL)
		return batch_fail(
		    batch, "a value of %s has a line end in it", name);
	return take_line(
	    batch, NULL, arena_printf(batch->ctl->arena, "%s=%s", name, value));
}

/* Exit status, or -1 to go on. */
static int
read_options(
    struct batch *batch, int argc, char **argv, bool *ret_has_attributes)
{
	struct option_table table = {.count = 0};
	int row = 0;
	int c;

	fill_options(&table, batch->ctl->arena);
	*ret_has_attributes = false;
	while ((c = getopt_long(argc, argv, "", table.rows, &row)) != -1) {
		if (c == 'C') {
			batch->config = optarg;
		} else if (c == 'j') {
			batch->explain.as_json = true;
		} else if (c == 't') {
			batch->explain.with_trace = true;
		} else if (c == OPTION_ATTRIBUTE) {
			*ret_has_attributes = true;
			if (!add_attribute(batch, table.names[row], optarg))
				return milterctl_fail(&batch->error);
		} else {
			return milterctl_usage(NULL);
		}
	}
	if (optind != argc)
		return milterctl_usage("explain takes options only");
	return -1;
}

int
milterctl_explain(struct milterctl *ctl, int argc, char **argv)
{
	struct batch batch;
	bool has_attributes;
	bool is_good;
	int status;

	batch_init(&batch, ctl);
	status = read_options(&batch, argc, argv, &has_attributes);
	if (status != -1) {
		(void)batch_close(&batch, true);
		return status;
	}
	is_good =
	    batch_open(&batch) &&
	    (has_attributes || batch_read_input(&batch, take_line, NULL)) &&
	    batch_send(&batch);
	return batch_close(&batch, is_good);
}
