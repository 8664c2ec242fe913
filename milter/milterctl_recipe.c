/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `milterctl recipe check FILE` tells what is wrong with an rc file, and
 * `milterctl recipe run FILE < message` what it would do with a message, in
 * this process: nothing is sent and nothing delivered. Programs run only from
 * the directory that --programs names.
 */
#include "milter/decode.h"
#include "milter/milterctl.h"
#include "milter/program.h"

#include "maps/text.h"
#include "policy/mail_text.h"
#include "policy/recipe.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { VARIABLES_MAX = 64, PROGRAM_MS = 10000, OUTPUT_MAX = 64 * 1024 * 1024 };

struct trial {
	struct milterctl *ctl;
	slice sender;
	slice recipient;
	slice programs; /* directory; empty: none run */
	struct recipe_variable variables[VARIABLES_MAX];
	size_t variable_count;
	bool prints_text;
	slice came_header;
	slice came_body;
	struct arena *arena;
};

/*
 * Files.
 */

static void
print_warning(void *context, const char *text)
{
	size_t *count = context;

	(*count)++;
	(void)printf("%s\n", text);
}

static const struct recipe_file *
read_file(struct arena *arena, const char *path, recipe_warn *warn,
    void *context, struct error *error)
{
	struct text_file file;

	if (!text_file_read(path, true, arena, &file, error))
		return NULL;
	return recipe_file_read(
	    arena, path, file.content, warn, context, error);
}

/* 0: nothing is wrong with it; 1: it will not do all it seems to. */
static int
check(struct milterctl *ctl, int argc, char **argv)
{
	struct error error = {.text = ""};
	size_t warnings = 0;

	if (argc < 2)
		return milterctl_usage("recipe check takes files");
	for (int i = 1; i < argc; i++) {
		const struct recipe_file *file = read_file(
		    ctl->arena, argv[i], print_warning, &warnings, &error);

		if (file == NULL)
			return milterctl_fail(&error);
		(void)printf("%s: %zu recipes\n", argv[i],
		    recipe_file_recipes(file));
	}
	return warnings == 0 ? EX_OK : 1;
}

static const struct recipe_file *
include(void *context, slice path)
{
	struct trial *trial = context;
	struct error error;

	return read_file(trial->arena, arena_cstr(trial->arena, path), NULL,
	    NULL, &error);
}

/*
 * Programs.
 */

static void
run_program(void *context, struct arena *arena,
    const struct recipe_command *command, struct recipe_program_result *ret)
{
	const struct trial *trial = context;
	slice *variables =
	    ARENA_ARRAY(arena, slice, command->variable_count + 1);
	struct program_result result;
	struct program program = {.directory = trial->programs,
	    .words = command->words,
	    .word_count = command->word_count,
	    .variables = variables,
	    .variable_count = command->variable_count,
	    .input = command->input,
	    .output_max = OUTPUT_MAX,
	    .deadline = deadline_in(PROGRAM_MS)};

	if (trial->programs.len == 0 || command->word_count == 0)
		return;
	for (size_t i = 0; i < command->variable_count; i++)
		variables[i] = arena_join(arena, command->variables[i].name,
		    SLICE("="), command->variables[i].value);
	program_run(&program, arena, &result);
	ret->status = result.status;
	ret->output = result.output;
	ret->has_read_all = result.has_read_all;
	switch (result.end) {
	case PROGRAM_EXITED:
		ret->end = RECIPE_PROGRAM_EXITED;
		break;
	case PROGRAM_MISSING:
		ret->end = RECIPE_PROGRAM_MISSING;
		break;
	case PROGRAM_TOO_SLOW:
		ret->end = RECIPE_PROGRAM_TOO_SLOW;
		break;
	case PROGRAM_KILLED:
	case PROGRAM_TOO_MUCH:
		ret->end = RECIPE_PROGRAM_FAILED;
		break;
	}
}

/*
 * The answer.
 */

static void
print_notes(const struct recipe_result *result)
{
	for (const struct recipe_note *n = result->notes; n != NULL;
	     n = n->next)
		(void)printf("%s:%u: " SLICE_FMT "\n",
		    n->file == NULL ? "end" : n->file, n->line,
		    SLICE_ARG(n->text));
	if (result->log.len > 0)
		(void)printf("log: " SLICE_FMT "\n",
		    SLICE_ARG(slice_trim(result->log)));
}

static void
print_text(const struct trial *trial, const struct recipe_delivery *d)
{
	bool same_header = slice_eq(d->header, trial->came_header);
	bool same_body = slice_eq(d->body, trial->came_body);

	(void)printf("%s%s\n", same_header ? "" : ", other header",
	    same_body ? "" : ", other body");
	if (trial->prints_text) {
		(void)milterctl_print(d->header);
		(void)milterctl_print(d->body);
	}
}

static void
print_delivery(const struct trial *trial, const struct recipe_delivery *d)
{
	if (d->file != NULL)
		(void)printf("%s:%u: ", d->file, d->line);
	switch (d->kind) {
	case RECIPE_KEEP:
		(void)printf("to the recipient");
		break;
	case RECIPE_FORWARD:
		(void)printf("forwarded to");
		for (size_t i = 0; i < d->address_count; i++)
			(void)printf(" " SLICE_FMT, SLICE_ARG(d->addresses[i]));
		break;
	case RECIPE_FOLDER:
		(void)printf("to the folder " SLICE_FMT, SLICE_ARG(d->name));
		break;
	case RECIPE_DROP:
		(void)printf("dropped");
		break;
	case RECIPE_PROGRAM:
		(void)printf("taken by " SLICE_FMT, SLICE_ARG(d->name));
		break;
	}
	print_text(trial, d);
}

static void
print_word(const char *word, slice text)
{
	if (text.len > 0)
		(void)printf("%s: " SLICE_FMT "\n", word, SLICE_ARG(text));
}

static void
print_edits(const struct recipe_result *result)
{
	static const char *const words[] = {"add", "change", "remove"};

	for (const struct recipe_header_edit *e = result->header_edits;
	     e != NULL; e = e->next)
		(void)printf("%s header " SLICE_FMT ": " SLICE_FMT "\n",
		    words[e->kind], SLICE_ARG(e->name), SLICE_ARG(e->value));
}

static int
print_result(const struct trial *trial, const struct recipe_result *result)
{
	print_notes(result);
	for (const struct recipe_delivery *d = result->deliveries; d != NULL;
	     d = d->next)
		print_delivery(trial, d);
	if (result->is_lost)
		(void)printf("dropped: another host's\n");
	print_edits(result);
	print_word("reject", result->reject);
	print_word("defer", result->defer);
	print_word("quarantine", result->quarantine);
	if (result->exit_code != 0)
		(void)printf("exit code %d: %s\n", result->exit_code,
		    recipe_exit_is_temporary(result->exit_code) ? "deferred"
								: "refused");
	if (result->limit == NULL)
		return EX_OK;
	(void)printf("deferred: limit \"%s\" hit\n", result->limit);
	return EX_TEMPFAIL;
}

/*
 * The message.
 */

static bool
read_message(struct trial *trial, slice *ret_text, struct error *error)
{
	struct strbuf text;
	char buffer[65536];
	ssize_t n;

	strbuf_init(&text, trial->arena);
	while ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0 &&
	    text.len < OUTPUT_MAX)
		strbuf_add(&text, (slice){buffer, (size_t)n});
	*ret_text = strbuf_slice(&text);
	if (n == 0)
		return true;
	error->exit_code = n < 0 ? EX_NOINPUT : EX_DATAERR;
	return error_set(error, "standard input: %s",
	    n < 0 ? strerror(errno) : "longer than 64 MB");
}

static slice
from_line(struct trial *trial)
{
	char date[64] = "";
	struct tm now;
	time_t seconds = time(NULL);

	if (gmtime_r(&seconds, &now) != NULL)
		(void)strftime(
		    date, sizeof(date), "%a %b %e %H:%M:%S %Y", &now);
	return arena_printf(trial->arena, "From " SLICE_FMT " %s\n",
	    SLICE_ARG(trial->sender), date);
}

static void
add_variable(struct trial *trial, slice name, slice value)
{
	for (size_t i = 0; i < trial->variable_count; i++) {
		if (slice_eq(trial->variables[i].name, name))
			return;
	}
	if (trial->variable_count < VARIABLES_MAX)
		trial->variables[trial->variable_count++] =
		    (struct recipe_variable){name, value};
}

/* What procmail would have, where --var has not said otherwise. */
static void
add_usual_variables(struct trial *trial)
{
	char host[256] = "localhost";
	slice user = slice_first(
	    trial->recipient, slice_last_index(trial->recipient, '@'));

	user = slice_first(user, slice_index(user, '+'));
	(void)gethostname(host, sizeof(host) - 1);
	add_variable(trial, SLICE("LOGNAME"), user);
	add_variable(trial, SLICE("HOST"),
	    arena_copy(trial->arena, slice_from_cstr(host)));
	add_variable(trial, SLICE("HOME"), SLICE("."));
	add_variable(trial, SLICE("MAILDIR"), SLICE("."));
	add_variable(trial, SLICE("DEFAULT"), SLICE("default"));
	add_variable(trial, SLICE("ORGMAIL"), SLICE("default"));
	add_variable(trial, SLICE("SENDMAIL"), SLICE("/usr/sbin/sendmail"));
	add_variable(trial, SLICE("SHELL"), SLICE("/bin/sh"));
}

static slice
detail_of(slice recipient)
{
	slice user =
	    slice_first(recipient, slice_last_index(recipient, '@'));

	return slice_from(user, slice_index(user, '+') + 1);
}

static int
try(struct trial *trial, const char *path)
{
	struct recipe_ports ports = {.context = trial,
	    .run_program = run_program,
	    .read_file = include,
	    .decode = decode_area};
	static const struct recipe_limits limits = {0};
	struct error error = {.text = ""};
	const struct recipe_file *file =
	    read_file(trial->arena, path, NULL, NULL, &error);
	slice detail = detail_of(trial->recipient);
	struct recipe_input input = {.variables = trial->variables,
	    .arguments = &detail,
	    .argument_count = detail.len > 0,
	    .is_verbose = true};
	struct recipe_result result;
	struct mail_text split;
	slice text;

	if (file == NULL || !read_message(trial, &text, &error))
		return milterctl_fail(&error);
	add_usual_variables(trial);
	input.variable_count = trial->variable_count;
	split = mail_text_split(text);
	input.from_line = from_line(trial);
	trial->came_header = input.header = split.header;
	trial->came_body = input.body = split.body;
	result =
	    recipe_run(trial->arena, &file, 1, &input, &ports, &limits);
	return print_result(trial, &result);
}

/* Exit status, or -1 to go on. */
static int
read_options(struct trial *trial, int argc, char **argv)
{
	static const struct option options[] = {
	    {"sender", required_argument, NULL, 's'},
	    {"recipient", required_argument, NULL, 'r'},
	    {"var", required_argument, NULL, 'v'},
	    {"programs", required_argument, NULL, 'p'},
	    {"text", no_argument, NULL, 't'},
	    {NULL, 0, NULL, 0},
	};
	slice word;
	size_t equals;
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (c) {
		case 's':
			trial->sender = slice_from_cstr(optarg);
			break;
		case 'r':
			trial->recipient = slice_from_cstr(optarg);
			break;
		case 'v':
			word = slice_from_cstr(optarg);
			equals = slice_index(word, '=');
			add_variable(trial, slice_first(word, equals),
			    slice_from(word, equals + 1));
			break;
		case 'p':
			trial->programs = slice_from_cstr(optarg);
			break;
		case 't':
			trial->prints_text = true;
			break;
		default:
			return milterctl_usage(NULL);
		}
	}
	return -1;
}

static int
run(struct milterctl *ctl, int argc, char **argv)
{
	struct trial trial = {.ctl = ctl,
	    .arena = ctl->arena,
	    .sender = SLICE("MAILER-DAEMON"),
	    .recipient = SLICE("user@localhost")};
	int status;

	optind = 0;
	status = read_options(&trial, argc, argv);
	if (status != -1)
		return status;
	if (argc - optind != 1)
		return milterctl_usage("recipe run takes one file");
	return try(&trial, argv[optind]);
}

int
milterctl_recipe(struct milterctl *ctl, int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "check") == 0)
		return check(ctl, argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "run") == 0)
		return run(ctl, argc - 1, argv + 1);
	return milterctl_usage("recipe: check or run?");
}
