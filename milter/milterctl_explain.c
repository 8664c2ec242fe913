/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `milterctl explain`: attributes from options or standard input, in blocks,
 * answered by the daemon or in this process. A long input is cut into pieces
 * between two blocks, so that neither side holds much of it at a time.
 */
#include "milter/milterctl.h"

#include "base/strbuf.h"
#include "milter/attributes.h"
#include "milter/control_client.h"
#include "milter/explain.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#define PIECE_BYTES (64 * 1024)
#define PIECE_BLOCKS 200
#define BLOCK_MAX (256 * 1024) /* one session; the daemon takes no more */
#define OPTIONS_MAX 64
#define OPTION_ATTRIBUTE 1000

struct explain_job {
	struct milterctl *ctl;
	struct explain explain;
	const char *config; /* --config: answered here */
	struct generation *generation;
	struct resolver *resolver;
	bool has_tried_resolver;
	struct arena *arena; /* of one piece */
	struct strbuf text;
	unsigned first_line; /* of the piece */
	unsigned next_line;
	unsigned blocks;
	struct error error;
};

static struct resolver *
find_resolver(void *context)
{
	struct explain_job *job = context;
	struct resolver_options options = {
	    .server = job->generation->settings->resolver,
	};

	if (!job->has_tried_resolver) {
		job->has_tried_resolver = true;
		job->resolver = resolver_new(&options, &job->error);
		if (job->resolver == NULL)
			(void)milterctl_fail(&job->error);
	}
	return job->resolver;
}

static bool
emit(void *context, slice answer)
{
	(void)context;
	return milterctl_print(answer);
}

static bool
open_job(struct explain_job *job)
{
	if (job->config == NULL)
		return milterctl_find_socket(job->ctl, &job->error);
	job->generation = load_generation(job->config, 1, &job->error);
	if (job->generation == NULL)
		return false;
	job->explain.generation = job->generation;
	job->explain.find_resolver = find_resolver;
	job->explain.emit = emit;
	job->explain.context = job;
	return true;
}

static void
close_job(struct explain_job *job)
{
	if (job->generation != NULL)
		generation_release(job->generation);
	if (job->resolver != NULL)
		resolver_free(job->resolver);
	arena_free(job->arena);
}

static bool
ask_here(struct explain_job *job)
{
	if (explain_blocks(&job->explain, strbuf_slice(&job->text),
		job->first_line, &job->error))
		return true;
	job->error.exit_code = EX_USAGE;
	return false;
}

static bool
ask_daemon(struct explain_job *job)
{
	struct arena *arena = arena_new(PIECE_BYTES);
	slice body;
	bool is_good;

	is_good = control_ask(job->ctl->socket,
	    arena_printf(arena, "explain %s %s %u\n" SLICE_FMT,
		job->explain.as_json ? "json" : "text",
		job->explain.with_trace ? "trace" : "plain", job->first_line,
		SLICE_ARG(strbuf_slice(&job->text))),
	    arena, &body, &job->error);
	(void)milterctl_print(body);
	arena_free(arena);
	return is_good;
}

static bool
send_piece(struct explain_job *job)
{
	bool is_good = job->text.len == 0 ||
		       (job->config == NULL ? ask_daemon(job) : ask_here(job));

	arena_reset(job->arena);
	strbuf_init(&job->text, job->arena);
	job->first_line = job->next_line;
	job->blocks = 0;
	return is_good;
}

/* A header line that MTAs count as a hop. */
static bool
is_received(const char *line)
{
	return strncasecmp(line, "Received:", 9) == 0;
}

/* Size as the milter counts it, a line's end being one byte and the empty
 * line behind the header none, and the hops. */
static bool
measure_message(FILE *file, unsigned long *ret_size, unsigned long *ret_hops)
{
	bool is_header = true;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	*ret_size = 0;
	*ret_hops = 0;
	while ((len = getline(&line, &room, file)) > 0) {
		bool is_crlf =
		    len >= 2 && memcmp(line + len - 2, "\r\n", 2) == 0;

		if (is_header && (line[0] == '\n' || (is_crlf && len == 2))) {
			is_header = false;
			continue;
		}
		*ret_size += (unsigned long)len - (is_crlf ? 1 : 0);
		if (is_header && is_received(line))
			*ret_hops += 1;
	}
	free(line);
	return ferror(file) == 0;
}

static bool
add_message(struct explain_job *job, const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long size;
	unsigned long hops;
	bool is_good;

	is_good = file != NULL && measure_message(file, &size, &hops);
	if (!is_good) {
		(void)error_at(&job->error, path, 0, "%s", strerror(errno));
		job->error.exit_code = EX_NOINPUT;
	} else {
		/* One line, so that the numbers of the others stay. */
		strbuf_printf(&job->text, "message=%lu %lu\n", size, hops);
	}
	if (file != NULL)
		(void)fclose(file);
	return is_good;
}

static bool
add_line(struct explain_job *job, slice line)
{
	slice message = SLICE("message=");

	job->next_line++;
	if (line.len >= message.len &&
	    slice_eq(slice_first(line, message.len), message))
		return add_message(
		    job, arena_cstr(job->arena,
			     slice_trim(slice_from(line, message.len))));
	strbuf_add(&job->text, line);
	strbuf_add_char(&job->text, '\n');
	if (job->text.len > BLOCK_MAX) {
		(void)error_set(&job->error, "line %u: the session is too long",
		    job->next_line - 1);
		job->error.exit_code = EX_USAGE;
		return false;
	}
	if (line.len > 0 && !slice_eq(line, SLICE("\r")))
		return true;
	job->blocks++;
	if (job->blocks < PIECE_BLOCKS && job->text.len < PIECE_BYTES)
		return true;
	return send_piece(job);
}

static bool
run_input(struct explain_job *job)
{
	bool is_good = true;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	while (is_good && (len = getline(&line, &room, stdin)) > 0) {
		if (line[len - 1] == '\n')
			len--;
		is_good = add_line(job, (slice){line, (size_t)len});
	}
	if (is_good && ferror(stdin) != 0) {
		is_good = error_set(
		    &job->error, "standard input: %s", strerror(errno));
		job->error.exit_code = EX_IOERR;
	}
	free(line);
	return is_good && send_piece(job);
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
add_attribute(struct explain_job *job, const char *name, const char *value)
{
	if (strchr(value, '\n') != NULL) {
		(void)error_set(
		    &job->error, "a value of %s has a line end in it", name);
		job->error.exit_code = EX_USAGE;
		return false;
	}
	return add_line(
	    job, arena_printf(job->ctl->arena, "%s=%s", name, value));
}

/* Exit status, or -1 to go on. */
static int
read_options(
    struct explain_job *job, int argc, char **argv, bool *ret_has_attributes)
{
	struct option_table table = {.count = 0};
	int row = 0;
	int c;

	fill_options(&table, job->ctl->arena);
	*ret_has_attributes = false;
	while ((c = getopt_long(argc, argv, "", table.rows, &row)) != -1) {
		if (c == 'C') {
			job->config = optarg;
		} else if (c == 'j') {
			job->explain.as_json = true;
		} else if (c == 't') {
			job->explain.with_trace = true;
		} else if (c == OPTION_ATTRIBUTE) {
			*ret_has_attributes = true;
			if (!add_attribute(job, table.names[row], optarg))
				return milterctl_fail(&job->error);
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
	struct explain_job job = {
	    .ctl = ctl,
	    .arena = arena_new(PIECE_BYTES),
	    .first_line = 1,
	    .next_line = 1,
	};
	bool has_attributes;
	int status;

	strbuf_init(&job.text, job.arena);
	status = read_options(&job, argc, argv, &has_attributes);
	if (status == -1) {
		bool is_good =
		    open_job(&job) &&
		    (has_attributes ? send_piece(&job) : run_input(&job));

		status = is_good ? EX_OK : milterctl_fail(&job.error);
	}
	close_job(&job);
	return status;
}
