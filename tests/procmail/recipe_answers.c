/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs an rc file as the engine does, with programs that really run, and says
 * what came of it as JSON:
 *
 *	recipe_answers RCFILE [NAME=VALUE ...] [ARGUMENT ...] < MESSAGE
 *
 * The message begins with its From_ line, as procmail gets it from an MTA.
 */
#include "policy/mail_text.h"
#include "policy/recipe.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct arena *arena;

static slice
read_all(int fd)
{
	struct strbuf text;
	char buffer[65536];
	ssize_t n;

	strbuf_init(&text, arena);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		strbuf_add(&text, (slice){buffer, (size_t)n});
	return strbuf_slice(&text);
}

static slice
absolute(slice path)
{
	char here[4096];

	if (path.ptr[0] == '/' || getcwd(here, sizeof(here)) == NULL)
		return path;
	return arena_printf(arena, "%s/" SLICE_FMT, here, SLICE_ARG(path));
}

static const struct recipe_file *
read_rcfile(void *context, slice path)
{
	int fd = open(arena_cstr(arena, path), O_RDONLY | O_CLOEXEC);
	struct error error;
	slice text;

	(void)context;
	if (fd < 0)
		return NULL;
	text = read_all(fd);
	(void)close(fd);
	return recipe_file_read(
	    arena, arena_cstr(arena, absolute(path)), text, NULL, NULL, &error);
}

static _Noreturn void
become(const struct recipe_command *command, const int *in, const int *out)
{
	char **words =
	    calloc(command->word_count + 4, sizeof(*words));
	char **names =
	    calloc(command->variable_count + 2, sizeof(*names));
	size_t used = 0;

	for (size_t i = 0; i < command->variable_count; i++) {
		const struct recipe_variable *v = &command->variables[i];

		names[used++] = arena_cstr(arena,
		    arena_printf(arena, SLICE_FMT "=" SLICE_FMT,
			SLICE_ARG(v->name), SLICE_ARG(v->value)));
	}
	for (size_t i = 0; i < command->word_count; i++)
		words[i] = arena_cstr(arena, command->words[i]);
	if (command->word_count == 0) {
		words[0] = arena_cstr(arena, SLICE("/bin/sh"));
		words[1] = arena_cstr(arena, SLICE("-c"));
		words[2] = arena_cstr(arena, command->line);
	}
	(void)dup2(in[0], 0);
	(void)dup2(
	    command->wants_output ? out[1] : open("/dev/null", O_WRONLY), 1);
	(void)signal(SIGPIPE, SIG_DFL);
	execvpe(words[0], words, names);
	_exit(127);
}

/* What fits into a pipe is in it before there is anybody to read it. */
static slice
send_first(int to, slice input)
{
	ssize_t n;

	(void)fcntl(to, F_SETFL, O_NONBLOCK);
	n = write(to, input.ptr, input.len);
	return n > 0 ? slice_from(input, (size_t)n) : input;
}

/* Input and output at once, so that neither waits for the other. */
static void
exchange(int to, int from, slice input, struct recipe_program_result *ret)
{
	struct strbuf output;
	char buffer[65536];

	strbuf_init(&output, arena);
	while (from >= 0 || to >= 0) {
		struct pollfd fds[2] = {
		    {.fd = to, .events = POLLOUT}, {.fd = from, .events = POLLIN}};
		ssize_t n;

		(void)poll(fds, 2, -1);
		if (fds[0].revents != 0) {
			n = input.len == 0 ? 0 : write(to, input.ptr, input.len);
			if (n > 0)
				input = slice_from(input, (size_t)n);
			if (input.len == 0 || (n < 0 && errno != EAGAIN)) {
				(void)close(to);
				to = -1;
			}
		}
		if (fds[1].revents != 0) {
			n = read(from, buffer, sizeof(buffer));
			if (n > 0)
				strbuf_add(&output, (slice){buffer, (size_t)n});
			if (n <= 0) {
				(void)close(from);
				from = -1;
			}
		}
	}
	ret->has_read_all = input.len == 0;
	ret->output = strbuf_slice(&output);
}

static void
run_program(void *context, struct arena *unused,
    const struct recipe_command *command, struct recipe_program_result *ret)
{
	int in[2];
	int out[2];
	int status;
	slice unsent;
	pid_t pid;

	(void)context;
	(void)unused;
	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		abort();
	unsent = send_first(in[1], command->input);
	pid = fork();
	if (pid == 0)
		become(command, in, out);
	(void)close(in[0]);
	(void)close(out[1]);
	exchange(in[1], out[0], unsent, ret);
	(void)waitpid(pid, &status, 0);
	ret->end = RECIPE_PROGRAM_EXITED;
	ret->status = WIFEXITED(status) ? WEXITSTATUS(status)
					: 128 + WTERMSIG(status);
	if (ret->status == 127)
		ret->end = RECIPE_PROGRAM_MISSING;
}

static json_t *
text_of(slice s)
{
	json_t *text = json_array();

	/* Bytes, as they are. */
	for (size_t i = 0; i < s.len; i++)
		(void)json_array_append_new(
		    text, json_integer((unsigned char)s.ptr[i]));
	return text;
}

static json_t *
delivery_of(const struct recipe_delivery *d)
{
	static const char *const kinds[] = {
	    "keep", "forward", "folder", "drop", "program"};
	json_t *addresses = json_array();

	for (size_t i = 0; i < d->address_count; i++)
		(void)json_array_append_new(
		    addresses, text_of(d->addresses[i]));
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "kind", kinds[d->kind],
	    "name", text_of(d->name), "addresses", addresses, "header",
	    text_of(d->header), "body", text_of(d->body));
}

static void
print_result(const struct recipe_result *result)
{
	json_t *deliveries = json_array();
	json_t *notes = json_array();
	json_t *edits = json_array();
	json_t *all;

	for (const struct recipe_delivery *d = result->deliveries; d != NULL;
	     d = d->next)
		(void)json_array_append_new(deliveries, delivery_of(d));
	for (const struct recipe_note *n = result->notes; n != NULL;
	     n = n->next)
		(void)json_array_append_new(notes, text_of(n->text));
	for (const struct recipe_header_edit *e = result->header_edits;
	     e != NULL; e = e->next)
		(void)json_array_append_new(edits,
		    json_pack("[i, o, o]", (int)e->kind, text_of(e->name),
			text_of(e->value)));
	all = json_pack("{s:o, s:b, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:s?}",
	    "deliveries", deliveries, "lost", result->is_lost, "exit_code",
	    result->exit_code, "log", text_of(result->log), "reject",
	    text_of(result->reject), "defer", text_of(result->defer),
	    "quarantine", text_of(result->quarantine), "edits", edits, "notes",
	    notes, "limit", result->limit);
	(void)json_dumpf(all, stdout, 0);
	(void)putchar('\n');
	json_decref(all);
}

/* Where the message has none, it is given one, as procmail does. */
static slice
take_from_line(slice *message)
{
	slice line =
	    slice_first(*message, slice_index(*message, '\n') + 1);

	if (!slice_has_prefix_nocase(line, SLICE("From ")))
		return SLICE("From joe Sat Nov 28 20:00:00 2026\n");
	*message = slice_from(*message, line.len);
	return line;
}

int
main(int argc, char **argv)
{
	static const struct recipe_ports ports = {
	    .run_program = run_program, .read_file = read_rcfile};
	static const struct recipe_limits limits = {0};
	struct recipe_variable variables[64];
	struct recipe_input input = {.variables = variables};
	slice arguments[16];
	struct recipe_result result;
	const struct recipe_file *file;
	struct mail_text split;
	slice message;

	(void)signal(SIGPIPE, SIG_IGN);
	arena = arena_new(0);
	input.arguments = arguments;
	for (int i = 2; i < argc; i++) {
		slice word = slice_from_cstr(argv[i]);
		size_t equals = slice_index(word, '=');

		if (equals == word.len)
			arguments[input.argument_count++] = word;
		else
			variables[input.variable_count++] =
			    (struct recipe_variable){slice_first(word, equals),
				slice_from(word, equals + 1)};
	}
	file = argc < 2 ? NULL : read_rcfile(NULL, slice_from_cstr(argv[1]));
	if (file == NULL)
		return 66;
	message = read_all(0);
	input.from_line = take_from_line(&message);
	split = mail_text_split(message);
	input.header = split.header;
	input.body = split.body;
	result = recipe_run(arena, &file, 1, &input, &ports, &limits);
	print_result(&result);
	arena_free(arena);
	return 0;
}
