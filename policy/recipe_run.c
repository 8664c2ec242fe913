/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From statement to statement. Where procmail forks (a block with the flag c)
 * the machine is copied and the copy runs to its own end first: it goes on
 * behind the block if nothing in it delivers, as the child process does.
 * Variables, frames and mails are lists and values that are never changed in
 * place, so that a copy costs nothing.
 *
 * Flags A, a, E and e look at two things of the block they stand in: whether
 * the last recipe without A and a matched, and whether the one just before
 * matched; and at whether the last action succeeded. A block begins with those
 * of its recipe; its end brings the first two back, the third stays.
 */
#include "policy/recipe_private.h"
#include "policy/verdict.h"

#include <string.h>

#define STEPS 100000
#define DEPTH 32
#define DELIVERIES 100
#define PROGRAMS 100
#define TEXT ((size_t)64 * 1024 * 1024)
#define LINE_MAX_BYTES 2048

/* A block is a success until an action in it is none. */
static void
enter_block(struct machine *m, const struct recipe_statement *s)
{
	struct frame *frame = ARENA_NEW(m->run->arena, struct frame);

	*frame = (struct frame){.file = m->frame->file,
	    .next = s->block,
	    .keeps_state = s->is_unclosed,
	    .prev_matched = m->prev_matched,
	    .last_matched = m->last_matched,
	    .depth = m->frame->depth,
	    .outer = m->frame};
	m->frame = frame;
	m->last_succeeded = true;
}

/* The statement behind `s` is where this frame goes on. */
static void
advance(struct machine *m, const struct recipe_statement *s)
{
	struct frame *frame = ARENA_NEW(m->run->arena, struct frame);

	*frame = *m->frame;
	frame->next = s->next;
	m->frame = frame;
}

/* A file, or a block that is left without its brace, leaves what matched. */
static void
pop(struct machine *m)
{
	if (!m->frame->is_file && !m->frame->keeps_state) {
		m->prev_matched = m->frame->prev_matched;
		m->last_matched = m->frame->last_matched;
	}
	m->frame = m->frame->outer;
}

/* Leaves everything up to the end of the rc file at work. */
static void
leave_file(struct machine *m)
{
	while (m->frame != NULL && !m->frame->is_file)
		m->frame = m->frame->outer;
	if (m->frame != NULL)
		pop(m);
}

/*
 * Other rc files.
 */

static void
enter_file(struct machine *m, const struct recipe_file *file)
{
	struct frame *frame = ARENA_NEW(m->run->arena, struct frame);

	*frame = (struct frame){.file = file,
	    .next = file->first,
	    .is_file = true,
	    .depth = (m->frame == NULL ? 0 : m->frame->depth) + 1,
	    .outer = m->frame};
	m->frame = frame;
	if (frame->depth > m->run->limits.depth)
		(void)recipe_hit(m, "depth of rc files");
}

static const struct recipe_file *
find_file(struct machine *m, slice path)
{
	const struct recipe_ports *ports = m->run->ports;
	const struct recipe_file *file = NULL;

	if (path.len > 0 && ports->read_file != NULL)
		file = ports->read_file(ports->context, path);
	if (file == NULL)
		recipe_note_add(m, true, "Couldn't read \"" SLICE_FMT "\"",
		    SLICE_ARG(path));
	return file;
}

static void
include(struct machine *m, slice path)
{
	const struct recipe_file *file;

	if (path.len == 0)
		return;
	file = find_file(m, path);
	if (file != NULL)
		enter_file(m, file);
}

/* An empty name ends the file; one that cannot be read lets it go on. */
static void
switch_to(struct machine *m, slice path)
{
	const struct recipe_file *file = NULL;
	unsigned depth = m->frame->depth;

	if (path.len > 0 && !slice_eq(path, SLICE("/dev/null"))) {
		file = find_file(m, path);
		if (file == NULL)
			return;
	}
	leave_file(m);
	if (file == NULL)
		return;
	enter_file(m, file);
	/* A file that switches to itself goes round in circles. */
	if (depth + 1 > m->frame->depth) {
		struct frame *frame = ARENA_NEW(m->run->arena, struct frame);

		*frame = *m->frame;
		frame->depth = depth;
		m->frame = frame;
	}
}

/*
 * Statements.
 */

/* Where the value of a variable just assigned leads to. */
static void
follow(struct machine *m, slice name)
{
	if (slice_eq(name, SLICE("INCLUDERC")))
		include(m, recipe_value(m, name));
	else if (slice_eq(name, SLICE("SWITCHRC")))
		switch_to(m, recipe_value(m, name));
}

static void
run_assignment(struct machine *m, const struct recipe_statement *s)
{
	slice value;

	if (s->kind == STATEMENT_UNSET) {
		recipe_unset(m, s->name);
	} else {
		if (!recipe_expand_value(m, s->value, &value))
			return;
		recipe_assign(m, s->name, value);
	}
	follow(m, s->name);
}

static bool
is_wanted(const struct machine *m, const struct recipe_flags *flags)
{
	if (flags->has['e'] && (!m->prev_matched || m->last_succeeded))
		return false;
	if (flags->has['E'] && m->prev_matched)
		return false;
	if (flags->has['A'] && !m->last_matched)
		return false;
	return !flags->has['a'] || (m->last_matched && m->last_succeeded);
}

static void
remember_outcome(
    struct machine *m, const struct recipe_flags *flags, bool has_matched)
{
	if (!flags->has['A'] && !flags->has['a'])
		m->last_matched = has_matched;
	if (!m->prev_matched || !flags->has['E'])
		m->prev_matched = has_matched;
}

static void run_to_end(struct machine *m);
static int exit_code_of(const struct machine *m);

/* The recipes in it have no score: $= tells that of the last. */
static void
skip_block(struct machine *m, const struct recipe_statement *s)
{
	for (s = s->block; s != NULL; s = s->next) {
		if (s->kind == STATEMENT_RECIPE)
			m->score = 0;
	}
}

/* Where it is waited for, it succeeds if its exit status is 0. */
static void
run_clone(struct machine *m, const struct recipe_statement *s,
    const struct recipe_flags *flags)
{
	struct machine clone = *m;

	recipe_note_add(m, false, "Cloned");
	enter_block(&clone, s);
	run_to_end(&clone);
	skip_block(m, s);
	m->last_succeeded = true;
	if (!recipe_waits(flags))
		return;
	m->last_status = exit_code_of(&clone);
	m->last_succeeded = m->last_status == 0;
	recipe_tell_failure(m, flags, m->last_status, SLICE("procmail"));
}

static void
run_capture(struct machine *m, const struct recipe_statement *s,
    const struct recipe_flags *flags)
{
	m->last_succeeded = recipe_act(m, s, flags);
	if (m->last_succeeded)
		follow(m, s->name);
}

static void
run_action(struct machine *m, const struct recipe_statement *s,
    const struct recipe_flags *flags)
{
	if (s->name.len > 0)
		run_capture(m, s, flags);
	else if (s->action != ACTION_BLOCK)
		m->last_succeeded = recipe_act(m, s, flags);
	else if (flags->has['c'])
		run_clone(m, s, flags);
	else
		enter_block(m, s);
}

/* The head of a recipe that needs expanding first. */
static bool
expand_head(struct machine *m, const struct recipe_statement *s,
    struct recipe_flags *ret)
{
	struct recipe_words words;
	struct strbuf text;
	slice skipped;

	if (!recipe_expand_words(m, s->head, &words))
		return false;
	strbuf_init(&text, m->run->arena);
	for (size_t i = 0; i < words.count; i++) {
		if (i > 0)
			strbuf_add_char(&text, ' ');
		strbuf_add(&text, words.list[i]);
	}
	recipe_read_flags(strbuf_slice(&text), ret, &skipped);
	if (skipped.len > 0)
		recipe_note_add(m, true, "Skipped \"" SLICE_FMT "\"",
		    SLICE_ARG(skipped));
	if (ret->taken_back != NULL)
		recipe_note_add(
		    m, true, "Conflicting %s suppressed", ret->taken_back);
	return true;
}

static void
run_recipe(struct machine *m, const struct recipe_statement *s)
{
	struct recipe_flags expanded;
	const struct recipe_flags *flags = s->flags;
	enum recipe_judgement judgement = RECIPE_FAILS;
	int before = m->score;

	if (s->head.len > m->line_max) {
		recipe_note_add(m, true, "Exceeded LINEBUF");
		leave_file(m);
		return;
	}
	if (flags == NULL) {
		if (!expand_head(m, s, &expanded)) {
			leave_file(m);
			return;
		}
		flags = &expanded;
	}
	m->score = 0;
	if (is_wanted(m, flags))
		judgement = recipe_judge(m, s, flags);
	if (judgement == RECIPE_STOPS)
		return;
	if (s->action == ACTION_MISSING) {
		recipe_note_add(m, true, "Missing action");
		judgement = RECIPE_FAILS;
		m->score = before;
	}
	remember_outcome(m, flags, judgement == RECIPE_HOLDS);
	if (judgement == RECIPE_HOLDS)
		run_action(m, s, flags);
	else
		skip_block(m, s);
}

static void
run_statement(struct machine *m, const struct recipe_statement *s)
{
	m->file = m->frame->file->path;
	m->line = s->line;
	advance(m, s);
	if (s->kind == STATEMENT_RECIPE)
		run_recipe(m, s);
	else
		run_assignment(m, s);
}

/*
 * The end.
 */

static bool
is_initial(const struct machine *m, slice name, slice value)
{
	const struct recipe_input *input = m->run->input;

	for (size_t i = 0; i < input->variable_count; i++) {
		if (slice_eq(input->variables[i].name, name))
			return slice_eq(input->variables[i].value, value);
	}
	return value.len == 0;
}

/* DEFAULT, where the recipes have changed it; else the recipient's own. */
static void
deliver_by_default(struct machine *m)
{
	static const struct recipe_flags none;
	slice name = recipe_value(m, SLICE("DEFAULT"));
	struct recipe_statement last = {.action = ACTION_FOLDER};
	struct recipe_delivery *d;

	m->file = NULL;
	m->line = 0;
	if (name.len > 0 && name.ptr[0] != '|' &&
	    !is_initial(m, SLICE("DEFAULT"), name)) {
		last.text = arena_join(m->run->arena, SLICE("\""), name,
		    SLICE("\""));
		if (recipe_act(m, &last, &none))
			return;
	}
	if (m->run->result->delivery_count >= m->run->limits.deliveries) {
		(void)recipe_hit(m, "deliveries");
		return;
	}
	d = ARENA_NEW(m->run->arena, struct recipe_delivery);
	*d = (struct recipe_delivery){.kind = RECIPE_KEEP,
	    .header = m->mail->header,
	    .body = m->mail->body};
	*m->run->last_delivery = d;
	m->run->last_delivery = &d->next;
	m->run->result->delivery_count++;
}

/* What is neither a number nor a word of yes or no counts for nothing. */
static int
exit_code_of(const struct machine *m)
{
	long code = recipe_number(recipe_value(m, SLICE("EXITCODE")), 0);

	return code < 0 ? 0 : (int)(code & 255);
}

static void
run_to_end(struct machine *m)
{
	while (m->frame != NULL && !m->is_done && !recipe_is_over(m)) {
		const struct recipe_statement *s = m->frame->next;

		if (s == NULL)
			pop(m);
		else if (recipe_spend_step(m))
			run_statement(m, s);
	}
	if (recipe_is_over(m))
		return;
	if (!m->is_done)
		deliver_by_default(m);
}

static struct recipe_limits
limits_or_defaults(
    const struct recipe_limits *given, const struct recipe_input *input)
{
	struct recipe_limits limits = *given;

	if (limits.steps == 0)
		limits.steps = STEPS;
	if (limits.depth == 0)
		limits.depth = DEPTH;
	if (limits.deliveries == 0)
		limits.deliveries = DELIVERIES;
	if (limits.programs == 0)
		limits.programs = PROGRAMS;
	if (limits.text == 0)
		limits.text = TEXT + 4 * (input->header.len + input->body.len);
	return limits;
}

static void
begin_machine(struct machine *m, const struct recipe_input *input)
{
	m->mail = ARENA_NEW(m->run->arena, struct mail);
	*m->mail = (struct mail){.from_line = input->from_line,
	    .header = input->header,
	    .body = input->body};
	m->arguments = input->arguments;
	m->argument_count = input->argument_count;
	m->line_max = LINE_MAX_BYTES;
	for (size_t i = 0; i < input->variable_count; i++)
		recipe_bind(m, input->variables[i].name,
		    input->variables[i].value);
}

struct recipe_result
recipe_run(struct arena *arena, const struct recipe_file *const *files,
    size_t file_count, const struct recipe_input *input,
    const struct recipe_ports *ports, const struct recipe_limits *limits)
{
	struct recipe_result result = {.limit = NULL};
	struct run run = {.arena = arena,
	    .input = input,
	    .ports = ports,
	    .limits = limits_or_defaults(limits, input),
	    .result = &result,
	    .last_delivery = &result.deliveries,
	    .last_edit = &result.header_edits,
	    .last_note = &result.notes};
	struct machine m = {.run = &run};

	strbuf_init(&run.log, arena);
	recipe_matcher_init(&run.matcher, arena,
	    input->header.len + input->body.len);
	recipe_matcher_keep_room(&run.matcher);
	begin_machine(&m, input);
	for (size_t i = file_count; i-- > 0;)
		enter_file(&m, files[i]);
	run_to_end(&m);
	recipe_matcher_done(&run.matcher);
	result.is_lost = m.is_foreign && result.delivery_count == 0;
	result.exit_code = exit_code_of(&m);
	result.log = strbuf_slice(&run.log);
	return result;
}

bool
recipe_exit_is_temporary(int exit_code)
{
	/* EX_OSERR, EX_IOERR, EX_TEMPFAIL of sysexits.h. */
	return exit_code == 71 || exit_code == 74 || exit_code == 75;
}
