/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An rc file up to a line "%%", a message behind it. What must hold: it ends
 * within its limits, something becomes of the message unless a limit or HOST
 * says otherwise, and all that is said of it can be read.
 */
#include "policy/mail_text.h"
#include "policy/recipe.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DELIVERIES = 20, TEXT_MAX = 1024 * 1024 };

static volatile unsigned char sink;

static void
touch(slice text)
{
	for (size_t i = 0; i < text.len; i++)
		sink ^= (unsigned char)text.ptr[i];
}

/* Every program is cat(1), save those whose line begins with "no" or "slow".
 */
static void
run_program(void *context, struct arena *arena,
    const struct recipe_command *command, struct recipe_program_result *ret)
{
	(void)context;
	(void)arena;
	touch(command->line);
	touch(command->input);
	for (size_t i = 0; i < command->word_count; i++)
		touch(command->words[i]);
	for (size_t i = 0; i < command->variable_count; i++)
		touch(command->variables[i].value);
	*ret = (struct recipe_program_result){.end = RECIPE_PROGRAM_EXITED,
	    .has_read_all = true,
	    .output = command->wants_output ? command->input : SLICE("")};
	if (slice_has_prefix_nocase(command->line, SLICE("no")))
		ret->end = RECIPE_PROGRAM_MISSING;
	else if (slice_has_prefix_nocase(command->line, SLICE("slow")))
		ret->end = RECIPE_PROGRAM_TOO_SLOW;
}

/* It includes itself. */
static const struct recipe_file *
read_file(void *context, slice path)
{
	touch(path);
	return path.len % 2 == 0 ? context : NULL;
}

static void
check_result(const struct recipe_result *result)
{
	size_t count = 0;

	for (const struct recipe_delivery *d = result->deliveries; d != NULL;
	     d = d->next) {
		touch(d->name);
		touch(d->header);
		touch(d->body);
		for (size_t i = 0; i < d->address_count; i++)
			touch(d->addresses[i]);
		count++;
	}
	if (count != result->delivery_count || count > DELIVERIES)
		abort();
	if (count == 0 && !result->is_lost && result->limit == NULL)
		abort();
	for (const struct recipe_note *n = result->notes; n != NULL;
	     n = n->next)
		touch(n->text);
	for (const struct recipe_header_edit *e = result->header_edits;
	     e != NULL; e = e->next) {
		touch(e->name);
		touch(e->value);
	}
	touch(result->reject);
	touch(result->defer);
	touch(result->quarantine);
	touch(result->log);
}

static void
run(struct arena *arena, const struct recipe_file *file, slice message)
{
	static const struct recipe_variable variables[] = {
	    {SLICE_INIT("LOGNAME"), SLICE_INIT("joe")},
	    {SLICE_INIT("DEFAULT"), SLICE_INIT("/var/mail/joe")},
	    {SLICE_INIT("HOST"), SLICE_INIT("mail.example")},
	};
	struct mail_text mail = mail_text_split(message);
	struct recipe_input input = {
	    .from_line = SLICE("From a@b.example Sat Nov 28 20:00:00 2026\n"),
	    .header = mail.header,
	    .body = mail.body,
	    .variables = variables,
	    .variable_count = sizeof(variables) / sizeof(*variables),
	    .is_verbose = true};
	struct recipe_ports ports = {.context = (void *)(uintptr_t)file,
	    .run_program = run_program,
	    .read_file = read_file};
	struct recipe_limits limits = {.steps = 2000,
	    .depth = 8,
	    .deliveries = DELIVERIES,
	    .programs = 20,
	    .text = TEXT_MAX};
	struct recipe_result result =
	    recipe_run(arena, &file, 1, &input, &ports, &limits);

	check_result(&result);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice rest = {(const char *)data, size};
	struct arena *arena = arena_new(0);
	const char *begin = rest.ptr;
	slice text = rest;
	slice line;
	struct recipe_file *file;
	struct error error;

	while (slice_next(&rest, '\n', &line)) {
		if (slice_eq(line, SLICE("%%"))) {
			text = (slice){begin, (size_t)(line.ptr - begin)};
			break;
		}
	}
	file = recipe_file_read(arena, "rc", text, NULL, NULL, &error);
	if (file != NULL) {
		run(arena, file, rest);
		recipe_file_free(file);
	}
	arena_free(arena);
	return 0;
}
