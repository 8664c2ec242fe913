/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Actions: what becomes of the message where a recipe matches. A delivery is
 * written down for the caller; programs run at once, by the port.
 */
#include "policy/formail.h"
#include "policy/mail_text.h"
#include "policy/recipe_private.h"

#include <string.h>

#define SHELL_CHARACTERS "&|<>~;?*["
#define STATUS_MISSING 127

/*
 * Programs.
 */

static size_t
count_variables(const struct machine *m)
{
	size_t count = 0;

	for (const struct binding *b = m->variables; b != NULL; b = b->older)
		count++;
	return count;
}

static bool
is_shadowed(const struct machine *m, const struct binding *older)
{
	for (const struct binding *b = m->variables; b != older; b = b->older) {
		if (slice_eq(b->name, older->name))
			return true;
	}
	return false;
}

static void
add_environment(struct machine *m, struct recipe_command *command)
{
	size_t most = count_variables(m);
	struct recipe_variable *list =
	    ARENA_ARRAY(m->run->arena, struct recipe_variable, most + 1);

	for (const struct binding *b = m->variables; b != NULL; b = b->older) {
		if (b->is_unset || is_shadowed(m, b))
			continue;
		list[command->variable_count++] =
		    (struct recipe_variable){b->name, b->value};
	}
	command->variables = list;
}

static bool
needs_shell(const struct machine *m, slice raw)
{
	slice characters = SLICE(SHELL_CHARACTERS);

	(void)recipe_get(m, SLICE("SHELLMETAS"), &characters);
	for (size_t i = 0; i < raw.len; i++) {
		if (slice_index(characters, raw.ptr[i]) < characters.len)
			return true;
	}
	return false;
}

static void
ask_port(struct machine *m, const struct recipe_command *command,
    struct recipe_program_result *ret)
{
	const struct recipe_ports *ports = m->run->ports;

	*ret = (struct recipe_program_result){
	    .end = RECIPE_PROGRAM_MISSING, .status = STATUS_MISSING};
	if (ports->run_program != NULL)
		ports->run_program(
		    ports->context, m->run->arena, command, ret);
	if (ret->end == RECIPE_PROGRAM_MISSING)
		ret->status = STATUS_MISSING;
	if (ret->end == RECIPE_PROGRAM_FAILED && ret->status == 0)
		ret->status = 1;
	m->last_status = ret->status;
}

/* formail of any directory, with options that need no program; NULL: other
 * commands. */
static struct formail *
find_formail(struct machine *m, slice raw)
{
	struct recipe_words words;
	struct formail *formail;
	struct error error;
	slice name;

	/* To look at the words is to run what is in backticks. */
	if (slice_index(raw, '`') < raw.len &&
	    memmem(raw.ptr, raw.len, "formail", 7) == NULL)
		return NULL;
	if (needs_shell(m, raw) || !recipe_expand_command(m, raw, &words) ||
	    words.count == 0)
		return NULL;
	name = words.list[0];
	name = slice_from(name,
	    slice_last_index(name, '/') == name.len
		? 0
		: slice_last_index(name, '/') + 1);
	if (!slice_eq(name, SLICE("formail")) ||
	    formail_parse(m->run->arena, words.list + 1, words.count - 1,
		&formail, &error) != FORMAIL_READY)
		return NULL;
	recipe_note_add(
	    m, false, "formail, \"" SLICE_FMT "\"", SLICE_ARG(raw));
	return formail;
}

static void
run_formail(struct machine *m, const struct formail *formail, slice input,
    struct recipe_program_result *ret)
{
	slice from_line = recipe_take_from_line(&input);
	struct mail_text text = mail_text_split(input);
	struct formail_message message = {
	    .header = text.header, .body = text.body};

	message = formail_run(formail, m->run->arena, &message);
	if (message.body.len == 0)
		from_line = SLICE("");
	ret->output = arena_join(
	    m->run->arena, from_line, message.header, message.body);
	ret->has_read_all = true;
	m->last_status = 0;
}

static slice
join_words(struct machine *m, const struct recipe_words *words)
{
	struct strbuf text;

	strbuf_init(&text, m->run->arena);
	for (size_t i = 0; i < words->count; i++) {
		if (i > 0)
			strbuf_add_char(&text, ' ');
		strbuf_add(&text, words->list[i]);
	}
	return strbuf_slice(&text);
}

bool
recipe_run_command(struct machine *m, slice raw, slice input,
    bool wants_output, struct recipe_program_result *ret)
{
	struct recipe_command command = {
	    .line = raw, .input = input, .wants_output = wants_output};
	struct recipe_words words = {0};
	struct formail *formail;

	*ret = (struct recipe_program_result){0};
	if (m->run->programs++ >= m->run->limits.programs)
		return recipe_hit(m, "programs");
	m->program = raw;
	formail = find_formail(m, raw);
	if (formail != NULL) {
		run_formail(m, formail, input, ret);
		return recipe_spend_text(m, ret->output.len);
	}
	if (!needs_shell(m, raw)) {
		if (!recipe_expand_command(m, raw, &words))
			return false;
		command.words = words.list;
		command.word_count = words.count;
		m->program = join_words(m, &words);
		if (words.count == 0)
			return true;
	}
	recipe_note_add(
	    m, false, "Executing \"" SLICE_FMT "\"", SLICE_ARG(raw));
	add_environment(m, &command);
	ask_port(m, &command, ret);
	if (ret->end == RECIPE_PROGRAM_TOO_SLOW)
		return recipe_hit(m, "time");
	if (ret->end == RECIPE_PROGRAM_MISSING)
		recipe_note_add(m, true, "Failed to execute \"" SLICE_FMT "\"",
		    SLICE_ARG(raw));
	return recipe_spend_text(m, ret->output.len);
}

/*
 * Deliveries.
 */

static struct recipe_delivery *
deliver(struct machine *m, enum recipe_delivery_kind kind,
    const struct recipe_flags *flags)
{
	struct run *run = m->run;
	struct recipe_delivery *d;

	if (run->result->delivery_count >= run->limits.deliveries) {
		(void)recipe_hit(m, "deliveries");
		return NULL;
	}
	d = ARENA_NEW(run->arena, struct recipe_delivery);
	*d = (struct recipe_delivery){.kind = kind,
	    .header = m->mail->header,
	    .body = m->mail->body,
	    .file = m->file,
	    .line = m->line};
	if (flags != NULL && flags->has['h'] && !flags->has['b'])
		d->body = SLICE("");
	if (flags != NULL && flags->has['b'] && !flags->has['h'])
		d->header = SLICE("");
	*run->last_delivery = d;
	run->last_delivery = &d->next;
	run->result->delivery_count++;
	return d;
}

static void
set_last_folder(struct machine *m, slice name)
{
	recipe_assign(m, SLICE("LASTFOLDER"), name);
}

/* The command that procmail would have run. */
static void
set_last_forward(struct machine *m, const struct recipe_words *words)
{
	struct strbuf text;

	strbuf_init(&text, m->run->arena);
	strbuf_add(&text, recipe_value(m, SLICE("SENDMAIL")));
	if (recipe_value(m, SLICE("SENDMAILFLAGS")).len > 0)
		strbuf_printf(&text, " " SLICE_FMT,
		    SLICE_ARG(recipe_value(m, SLICE("SENDMAILFLAGS"))));
	for (size_t i = 0; i < words->count; i++)
		strbuf_printf(
		    &text, " " SLICE_FMT, SLICE_ARG(words->list[i]));
	set_last_folder(m, strbuf_slice(&text));
}

/* The lines of earlier deliveries, which stand behind the From_ line, are for
 * mailboxes and programs alone. */
static slice
without_quoted_lines(const struct machine *m, slice header)
{
	while (m->mail->from_line.len > 0 && header.len > 0 &&
	    header.ptr[0] == '>')
		header = slice_from(header, slice_index(header, '\n') + 1);
	return header;
}

static bool
act_forward(struct machine *m, const struct recipe_statement *recipe,
    const struct recipe_flags *flags)
{
	struct recipe_words words;
	struct recipe_delivery *d;
	size_t count = 0;

	if (!recipe_expand_command(m, recipe->text, &words))
		return false;
	for (size_t i = 0; i < words.count; i++) {
		if (words.list[i].len > 0)
			words.list[count++] = words.list[i];
	}
	words.count = count;
	if (count == 0) {
		recipe_note_add(m, true, "Forwarded to nobody");
		return false;
	}
	d = deliver(m, RECIPE_FORWARD, flags);
	if (d == NULL)
		return false;
	d->header = without_quoted_lines(m, d->header);
	if (recipe_waits(flags))
		m->last_status = 0;
	d->addresses = words.list;
	d->address_count = count;
	set_last_forward(m, &words);
	return true;
}

static bool
is_directory_name(slice name)
{
	return (name.len > 0 && name.ptr[name.len - 1] == '/') ||
	    (name.len > 1 && slice_has_suffix_nocase(name, SLICE("/.")));
}

static bool
deliver_to_folder(
    struct machine *m, slice name, const struct recipe_flags *flags)
{
	bool is_null = slice_eq(name, SLICE("/dev/null"));
	struct recipe_delivery *d =
	    deliver(m, is_null ? RECIPE_DROP : RECIPE_FOLDER, flags);

	if (d == NULL)
		return false;
	d->name = name;
	if (name.len > 0 && name.ptr[name.len - 1] == '/')
		d->header = without_quoted_lines(m, d->header);
	return true;
}

/* Of several names all count where the first is a directory. */
static bool
act_folder(struct machine *m, const struct recipe_statement *recipe,
    const struct recipe_flags *flags)
{
	struct recipe_words words;
	size_t count = 1;

	if (!recipe_expand_words(m, recipe->text, &words))
		return false;
	if (words.count == 0 || words.list[0].len == 0) {
		recipe_note_add(m, true, "Missing action");
		return false;
	}
	if (is_directory_name(words.list[0]))
		count = words.count;
	else if (words.count > 1)
		recipe_note_add(m, true, "Skipped \"" SLICE_FMT "\"",
		    SLICE_ARG(words.list[1]));
	for (size_t i = 0; i < count; i++) {
		if (!deliver_to_folder(m, words.list[i], flags))
			return false;
	}
	set_last_folder(m, words.list[0]);
	return true;
}

bool
recipe_waits(const struct recipe_flags *flags)
{
	return flags->has['w'] || flags->has['W'] || flags->is_locked;
}

/* What procmail calls a success of a program that it has written to. */
static bool
has_succeeded(const struct recipe_flags *flags,
    const struct recipe_program_result *result)
{
	if (result->end == RECIPE_PROGRAM_MISSING)
		return false;
	if (recipe_waits(flags) && result->status != 0)
		return false;
	return result->has_read_all || flags->has['i'];
}

void
recipe_tell_failure(struct machine *m, const struct recipe_flags *flags,
    int status, slice program)
{
	if (status != 0 && flags->has['w'] && !flags->has['W'])
		recipe_note_add(m, true,
		    "Program failure (%d) of \"" SLICE_FMT "\"", status,
		    SLICE_ARG(program));
}

/* An action's program; $? tells of it where it is waited for. */
static bool
run_program(struct machine *m, const struct recipe_statement *recipe,
    const struct recipe_flags *flags, struct recipe_program_result *ret)
{
	int before = m->last_status;
	bool wants_output =
	    recipe->action == ACTION_CAPTURE || flags->has['f'];
	bool has_run = recipe_run_command(m, recipe->text,
	    recipe_program_text(m, flags), wants_output, ret);

	if (!recipe_waits(flags))
		m->last_status = before;
	return has_run;
}

static bool
ends_header(slice header)
{
	return slice_eq(header, SLICE("\n")) ||
	    (header.len >= 2 && header.ptr[header.len - 1] == '\n' &&
		header.ptr[header.len - 2] == '\n');
}

/* formail changes the header alone: the body stays where and as it is. */
static bool
act_formail(struct machine *m, const struct recipe_statement *recipe,
    const struct recipe_flags *flags)
{
	const struct mail *old = m->mail;
	struct formail_message message = {
	    .header = old->header, .body = old->body};
	struct formail *formail;
	struct mail *mail;

	if (!recipe_wants_header(flags))
		return false;
	formail = find_formail(m, recipe->text);
	if (formail == NULL)
		return false;
	message = formail_run(formail, m->run->arena, &message);
	if (!ends_header(message.header) || message.body.len != old->body.len)
		return false;
	mail = ARENA_NEW(m->run->arena, struct mail);
	*mail = (struct mail){.from_line = old->from_line,
	    .header = message.header,
	    .body = old->body};
	m->mail = mail;
	if (recipe_waits(flags))
		m->last_status = 0;
	return true;
}

static bool
act_filter(struct machine *m, const struct recipe_statement *recipe,
    const struct recipe_flags *flags)
{
	struct recipe_program_result result;

	if (act_formail(m, recipe, flags))
		return true;
	if (!run_program(m, recipe, flags, &result))
		return false;
	if (!has_succeeded(flags, &result)) {
		recipe_tell_failure(m, flags, result.status, recipe->text);
		recipe_note_add(m, true, "Rescue of unfiltered data succeeded");
		return false;
	}
	recipe_mail_replace(
	    m, result.output, recipe_wants_header(flags),
	    recipe_wants_body(flags));
	return true;
}

static bool
act_pipe(struct machine *m, const struct recipe_statement *recipe,
    const struct recipe_flags *flags)
{
	struct recipe_program_result result;
	struct recipe_delivery *d;

	if (!run_program(m, recipe, flags, &result))
		return false;
	set_last_folder(m, m->program);
	if (!has_succeeded(flags, &result)) {
		recipe_tell_failure(m, flags, result.status, recipe->text);
		return false;
	}
	d = deliver(m, RECIPE_PROGRAM, flags);
	if (d != NULL)
		d->name = recipe->text;
	return d != NULL;
}

static slice
without_one_newline(slice s)
{
	if (s.len > 0 && s.ptr[s.len - 1] == '\n')
		s.len--;
	return s;
}

/* NAME=| command: delivers nothing; assigns nothing where it fails. */
static bool
act_capture(struct machine *m, const struct recipe_statement *recipe,
    const struct recipe_flags *flags)
{
	struct recipe_program_result result;

	if (!run_program(m, recipe, flags, &result))
		return false;
	if (!has_succeeded(flags, &result)) {
		recipe_tell_failure(m, flags, result.status, recipe->text);
		return false;
	}
	if (recipe->name.len > 0)
		recipe_assign(
		    m, recipe->name, without_one_newline(result.output));
	return true;
}

/* NAME=! address: sendmail says nothing that could be kept. */
static bool
act_capture_forward(struct machine *m, const struct recipe_statement *recipe,
    const struct recipe_flags *flags)
{
	if (!act_forward(m, recipe, flags))
		return false;
	if (recipe->name.len > 0)
		recipe_assign(m, recipe->name, SLICE(""));
	return true;
}

static bool
act(struct machine *m, const struct recipe_statement *recipe,
    const struct recipe_flags *flags, bool *ret_is_delivery)
{
	struct recipe_flags whole = *flags;

	*ret_is_delivery = true;
	switch (recipe->action) {
	case ACTION_FORWARD:
		return act_forward(m, recipe, flags);
	case ACTION_FOLDER:
		/* A filter is no folder: the flag and its h and b go. */
		if (flags->has['f'])
			whole.has['h'] = whole.has['b'] = false;
		return act_folder(m, recipe, &whole);
	case ACTION_PIPE:
		*ret_is_delivery = !flags->has['f'];
		return *ret_is_delivery ? act_pipe(m, recipe, flags)
					: act_filter(m, recipe, flags);
	case ACTION_CAPTURE:
		*ret_is_delivery = false;
		return act_capture(m, recipe, flags);
	case ACTION_CAPTURE_FORWARD:
		*ret_is_delivery = false;
		return act_capture_forward(m, recipe, flags);
	case ACTION_MISSING:
	case ACTION_BLOCK:
		break;
	}
	return false;
}

bool
recipe_act(struct machine *m, const struct recipe_statement *recipe,
    const struct recipe_flags *flags)
{
	bool is_delivery;
	bool done = act(m, recipe, flags, &is_delivery);

	if (done && is_delivery && !flags->has['c'])
		m->is_done = true;
	return done;
}
