/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/milterctl_batch.h"

#include "milter/control_client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define PIECE_BYTES ((size_t)64 * 1024)
#define PIECE_BLOCKS 200
#define BLOCK_MAX ((size_t)256 * 1024) /* the daemon takes no more */

static struct resolver *
find_resolver(void *context)
{
	struct batch *batch = context;
	struct resolver_options options = {
	    .server = batch->generation->settings->resolver,
	};

	if (!batch->has_tried_resolver) {
		batch->has_tried_resolver = true;
		batch->resolver = resolver_new(&options, &batch->error);
		if (batch->resolver == NULL)
			(void)milterctl_fail(&batch->error);
	}
	return batch->resolver;
}

static bool
emit(void *context, slice answer)
{
	(void)context;
	return milterctl_print(answer);
}

void
batch_init(struct batch *batch, struct milterctl *ctl)
{
	*batch = (struct batch){
	    .ctl = ctl,
	    .arena = arena_new(PIECE_BYTES),
	    .first_line = 1,
	    .next_line = 1,
	};
	strbuf_init(&batch->text, batch->arena);
}

bool
batch_open(struct batch *batch)
{
	if (batch->config == NULL)
		return milterctl_find_socket(batch->ctl, &batch->error);
	batch->generation = load_generation(batch->config, 1, &batch->error);
	if (batch->generation == NULL)
		return false;
	batch->explain.generation = batch->generation;
	batch->explain.find_resolver = find_resolver;
	batch->explain.emit = emit;
	batch->explain.context = batch;
	return true;
}

int
batch_close(struct batch *batch, bool is_good)
{
	int status = is_good ? EX_OK : milterctl_fail(&batch->error);

	if (batch->generation != NULL)
		generation_release(batch->generation);
	if (batch->resolver != NULL)
		resolver_free(batch->resolver);
	arena_free(batch->arena);
	return status;
}

bool
batch_fail(struct batch *batch, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)error_set(&batch->error, "%s", text);
	batch->error.exit_code = EX_USAGE;
	return false;
}

static bool
ask_here(struct batch *batch)
{
	if (explain_blocks(&batch->explain, strbuf_slice(&batch->text),
		batch->first_line, &batch->error))
		return true;
	batch->error.exit_code = EX_USAGE;
	return false;
}

static bool
ask_daemon(struct batch *batch)
{
	struct arena *arena = arena_new(PIECE_BYTES);
	struct strbuf request;
	slice body;
	bool is_good;

	strbuf_init(&request, arena);
	strbuf_printf(&request, "explain %s %s %u\n",
	    batch->explain.as_json ? "json" : "text",
	    batch->explain.with_trace ? "trace" : "plain", batch->first_line);
	strbuf_add(&request, strbuf_slice(&batch->text));
	is_good = control_ask(batch->ctl->socket, strbuf_slice(&request), arena,
	    &body, &batch->error);
	(void)milterctl_print(body);
	arena_free(arena);
	return is_good;
}

bool
batch_send(struct batch *batch)
{
	bool is_good =
	    batch->text.len == 0 ||
	    (batch->config == NULL ? ask_daemon(batch) : ask_here(batch));

	arena_reset(batch->arena);
	strbuf_init(&batch->text, batch->arena);
	batch->first_line = batch->next_line;
	batch->blocks = 0;
	return is_good;
}

bool
batch_add_line(struct batch *batch, slice line)
{
	batch->next_line++;
	strbuf_add(&batch->text, line);
	strbuf_add_char(&batch->text, '\n');
	if (batch->text.len > BLOCK_MAX)
		return batch_fail(batch, "line %u: the session is too long",
		    batch->next_line - 1);
	if (line.len > 0 && !slice_eq(line, SLICE("\r")))
		return true;
	batch->blocks++;
	if (batch->blocks < PIECE_BLOCKS && batch->text.len < PIECE_BYTES)
		return true;
	return batch_send(batch);
}

bool
batch_read_input(struct batch *batch,
    bool (*take_line)(struct batch *batch, void *context, slice line),
    void *context)
{
	bool is_good = true;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	while (is_good && (len = getline(&line, &room, stdin)) > 0) {
		if (line[len - 1] == '\n')
			len--;
		is_good = take_line(batch, context, (slice){line, (size_t)len});
	}
	if (is_good && ferror(stdin) != 0) {
		is_good = error_set(
		    &batch->error, "standard input: %s", strerror(errno));
		batch->error.exit_code = EX_IOERR;
	}
	free(line);
	return is_good;
}
