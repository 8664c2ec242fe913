/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/filter_recipient.h"

#include "maps/text.h"
#include "milter/decode.h"
#include "milter/log.h"
#include "milter/log_lines.h"
#include "milter/program.h"
#include "milter/recipe_cache.h"
#include "milter/submit.h"
#include "milter/user_file.h"
#include "milter/user_recipes.h"
#include "policy/access.h"
#include "policy/folder.h"
#include "policy/host.h"
#include "policy/path.h"
#include "policy/recipe_header.h"
#include "policy/virtuser.h"

#include <string.h>
#include <syslog.h>
#include <sysexits.h>
#include <time.h>

static const char rule[] = "recipes";

enum { TOLD_MAX = 200 };

/* A file that this message's recipes were read from. */
struct filter_rc {
	struct cached_recipes *cached;
	struct filter_rc *next;
};

struct run {
	const struct filter_job *job;
	struct filter_result *result;
	struct filter_recipient *recipient;
	struct arena *arena;
	slice detail;
	slice home;	/* "/" where it is not known */
	slice own_file; /* the user's; empty: none */
	struct strbuf what;
	bool has_told_header;
	bool has_told_body;
};

__attribute__((format(printf, 2, 3))) static void
tell(struct run *run, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (run->what.len > 0)
		strbuf_add(&run->what, SLICE(", "));
	strbuf_add(&run->what, arena_vprintf(run->arena, format, args));
	va_end(args);
}

static slice
escaped(const struct run *run, slice text)
{
	return log_escape(run->arena, text, TOLD_MAX);
}

static const struct recipe_file *
remember(struct run *run, const char *path, slice text)
{
	struct cached_recipes *cached = recipe_cache_find(path, text);
	struct filter_rc *used;

	if (cached == NULL)
		return NULL;
	used = ARENA_NEW(run->arena, struct filter_rc);
	used->cached = cached;
	used->next = run->result->used;
	run->result->used = used;
	return recipe_cache_file(cached);
}

void
filter_recipient_release(struct filter_result *result)
{
	for (struct filter_rc *rc = result->used; rc != NULL; rc = rc->next)
		recipe_cache_release(rc->cached);
	result->used = NULL;
}

/*
 * Files.
 */

static bool
is_below(slice path, slice directory)
{
	return directory.len > 1 && path.len > directory.len &&
	       memcmp(path.ptr, directory.ptr, directory.len) == 0 &&
	       path.ptr[directory.len] == '/' &&
	       memchr(path.ptr, '\0', path.len) == NULL;
}

/* A way up leads out of the directories that may be read. */
static bool
leads_up(slice path)
{
	slice part;

	while (slice_next(&path, '/', &part)) {
		if (slice_eq(part, SLICE("..")))
			return true;
	}
	return false;
}

static slice
directory_of(slice path)
{
	return slice_first(path, slice_last_index(path, '/'));
}

/* The administrator's recipes lie where `path` lies. By its name it is one of
 * them, and no configuration or password that lies there too. */
static bool
is_beside_ours(const struct run *run, slice path)
{
	const struct string_list *ours =
	    &run->job->generation->settings->recipes;

	if (!slice_has_suffix_nocase(path, SLICE(".rc")))
		return false;
	for (size_t i = 0; i < ours->count; i++) {
		if (is_below(path, directory_of(ours->items[i])))
			return true;
	}
	return run->own_file.len > 0 && !is_below(run->own_file, run->home) &&
	       is_below(path, directory_of(run->own_file));
}

static struct user_file_answer
read_own(const struct run *run, slice pattern)
{
	struct user_file_question question = {.pattern = pattern,
	    .user = run->recipient->user,
	    .domain = run->recipient->domain,
	    .bytes_max = RECIPE_FILE_MAX,
	    .allow_unsafe = run->job->generation->settings->allow_unsafe_files};

	return user_file_read(run->arena, &question, run->job->deadline);
}

/* '%' means something in a pattern. */
static slice
pattern_below_home(const struct run *run, slice path)
{
	struct strbuf pattern;

	strbuf_init(&pattern, run->arena);
	strbuf_add(&pattern, SLICE("%h"));
	path = slice_from(path, run->home.len);
	for (size_t i = 0; i < path.len; i++) {
		if (path.ptr[i] == '%')
			strbuf_add_char(&pattern, '%');
		strbuf_add_char(&pattern, path.ptr[i]);
	}
	return strbuf_slice(&pattern);
}

/* INCLUDERC and SWITCHRC: a user's own files below his home, and what lies
 * with the recipes that name them; nothing else on this machine. */
static const struct recipe_file *
read_file(void *context, slice path)
{
	struct run *run = context;
	struct text_file file;
	struct error error = {.exit_code = 0};

	if (path.len > 0 && path.ptr[0] != '/')
		path = arena_join(run->arena, run->home, SLICE("/"), path);
	if (is_below(path, run->home)) {
		struct user_file_answer answer =
		    read_own(run, pattern_below_home(run, path));

		if (answer.result == USER_FILE_FOUND)
			return remember(run,
			    arena_cstr(run->arena, answer.path), answer.text);
		log_line(LOG_WARNING, "recipes: " SLICE_FMT ": " SLICE_FMT,
		    SLICE_ARG(path), SLICE_ARG(answer.why));
		return NULL;
	}
	if (leads_up(path) || !is_beside_ours(run, path)) {
		log_line(LOG_WARNING,
		    "recipes: " SLICE_FMT ": not below the home or the recipes",
		    SLICE_ARG(path));
		return NULL;
	}
	if (text_file_read(arena_cstr(run->arena, path),
		run->job->generation->settings->allow_unsafe_files, run->arena,
		&file, &error))
		return remember(run, file.path, file.content);
	if (error.exit_code == EX_NOINPUT &&
	    user_recipes_find(
		run->job->generation->snapshot, path, &file.content))
		return remember(
		    run, arena_cstr(run->arena, path), file.content);
	log_line(LOG_WARNING, "recipes: " SLICE_FMT ": %s", SLICE_ARG(path),
	    error.text);
	return NULL;
}

/*
 * Programs.
 */

static slice *
environment_of(struct arena *arena, const struct recipe_command *command)
{
	slice *list = ARENA_ARRAY(arena, slice, command->variable_count + 1);

	for (size_t i = 0; i < command->variable_count; i++)
		list[i] = arena_join(arena, command->variables[i].name,
		    SLICE("="), command->variables[i].value);
	return list;
}

static enum recipe_program_end
end_of(enum program_end end)
{
	switch (end) {
	case PROGRAM_EXITED:
		return RECIPE_PROGRAM_EXITED;
	case PROGRAM_MISSING:
		return RECIPE_PROGRAM_MISSING;
	case PROGRAM_TOO_SLOW:
		return RECIPE_PROGRAM_TOO_SLOW;
	case PROGRAM_KILLED:
	case PROGRAM_TOO_MUCH:
		break;
	}
	return RECIPE_PROGRAM_FAILED;
}

static void
run_program(void *context, struct arena *arena,
    const struct recipe_command *command, struct recipe_program_result *ret)
{
	struct run *run = context;
	const struct settings *settings = run->job->generation->settings;
	struct program program = {.directory = settings->program_directory,
	    .words = command->words,
	    .word_count = command->word_count,
	    .variables = environment_of(arena, command),
	    .variable_count = command->variable_count,
	    .input = command->input,
	    .output_max = settings->limits.body_kept,
	    .deadline = run->job->deadline};
	struct program_result result;

	program_run(&program, arena, &result);
	*ret = (struct recipe_program_result){.end = end_of(result.end),
	    .status = result.status,
	    .output = result.output,
	    .has_read_all = result.has_read_all};
	if (result.problem.len > 0)
		log_line(LOG_WARNING,
		    "recipes: program " SLICE_FMT ": " SLICE_FMT,
		    SLICE_ARG(
			slice_first(command->word_count > 0 ? command->words[0]
							    : command->line,
			    60)),
		    SLICE_ARG(result.problem));
}

/*
 * Who he is.
 */

static void
find_owner(struct run *run)
{
	struct filter_recipient *recipient = run->recipient;
	struct route route =
	    route_find(run->job->decision, recipient->recipient);
	slice user;
	slice address = path_address(recipient->recipient);
	size_t at = slice_last_index(address, '@');
	size_t plus;

	recipient->domain = at < address.len
				? slice_from(address, at + 1)
				: run->job->generation->policy->hostname;
	if (route.kind != ROUTE_LOCAL)
		return;
	recipient->is_local = true;
	/* As the MTA's delivery agent is given him. */
	user = host_unquoted(run->arena, route.user);
	plus = slice_index(user, '+');
	recipient->user = slice_first(user, plus);
	run->detail = slice_from(user, plus + 1);
}

/* What a pattern behind "%h" becomes. */
static size_t
expanded_length(const struct run *run, slice pattern)
{
	size_t len = 0;

	for (size_t i = 0; i < pattern.len; i++) {
		char next = i + 1 < pattern.len ? pattern.ptr[i + 1] : '\0';

		if (pattern.ptr[i] != '%') {
			len++;
			continue;
		}
		i++;
		len += next == 'u'   ? run->recipient->user.len
		       : next == 'd' ? run->recipient->domain.len
				     : 1;
	}
	return len;
}

/* The user's own recipes, or NULL. A broken one is passed over as procmail
 * does it with a suspicious file; one that cannot be had now defers. */
static const struct recipe_file *
read_recipes(struct run *run)
{
	slice pattern = run->job->generation->settings->user_recipes;
	struct user_file_answer answer;

	if (pattern.len == 0 || !run->recipient->is_local)
		return NULL;
	answer = read_own(run, pattern);
	if (answer.result == USER_FILE_NONE &&
	    user_recipes_find(
		run->job->generation->snapshot, answer.path, &answer.text))
		answer.result = USER_FILE_FOUND;
	if (answer.result == USER_FILE_TEMPFAIL)
		run->recipient->verdict = access_tempfail(rule);
	if (answer.result == USER_FILE_REFUSED ||
	    answer.result == USER_FILE_TEMPFAIL)
		log_line(LOG_WARNING, "recipes: " SLICE_FMT ": " SLICE_FMT,
		    SLICE_ARG(answer.path), SLICE_ARG(answer.why));
	if (answer.result != USER_FILE_FOUND)
		return NULL;
	run->own_file = answer.path;
	if (slice_has_prefix_nocase(pattern, SLICE("%h/")) &&
	    answer.path.len > expanded_length(run, slice_from(pattern, 2)))
		run->home = slice_first(answer.path,
		    answer.path.len -
			expanded_length(run, slice_from(pattern, 2)));
	return remember(run, arena_cstr(run->arena, answer.path), answer.text);
}

static slice
from_line(const struct run *run)
{
	slice sender = path_address(run->result->sender);
	time_t now = time(NULL);
	char date[64];
	struct tm tm;

	if (localtime_r(&now, &tm) == NULL || asctime_r(&tm, date) == NULL)
		return SLICE("");
	return arena_printf(run->arena, "From " SLICE_FMT " %s",
	    SLICE_ARG(sender.len == 0 ? SLICE("MAILER-DAEMON") : sender), date);
}

/*
 * What it means.
 */

static void
add_delivery(struct run *run, slice address, const struct mail_text *text)
{
	struct fate_delivery **end = &run->recipient->deliveries;

	while (*end != NULL)
		end = &(*end)->next;
	*end = ARENA_NEW(run->arena, struct fate_delivery);
	(*end)->is_own = address.len == 0;
	(*end)->address = address;
	(*end)->text = text;
}

static void
tell_once(struct run *run, bool *has_told, bool is_changed, const char *what)
{
	if (is_changed && !*has_told)
		tell(run, "%s", what);
	*has_told |= is_changed;
}

/* NULL: as it came. */
static const struct mail_text *
text_of(struct run *run, const struct recipe_result *result,
    const struct recipe_delivery *delivery)
{
	const struct mail_text *came = &run->result->text;
	struct mail_text *text;
	slice header = recipe_header_edit(
	    run->arena, delivery->header, result->header_edits);

	if (header.ptr == came->header.ptr && header.len == came->header.len &&
	    delivery->body.ptr == came->body.ptr &&
	    delivery->body.len == came->body.len)
		return NULL;
	text = ARENA_NEW(run->arena, struct mail_text);
	text->header = header;
	text->body = delivery->body;
	tell_once(run, &run->has_told_header,
	    !slice_eq(text->header, came->header), "header");
	tell_once(run, &run->has_told_body, !slice_eq(text->body, came->body),
	    "body");
	return text;
}

/* Forwarding to no address at all is procmail's way to say "nobody". */
static void
forward(struct run *run, const struct recipe_delivery *delivery,
    const struct mail_text *text)
{
	for (size_t i = 0; i < delivery->address_count; i++) {
		slice address = path_address(delivery->addresses[i]);

		if (submit_takes_address(address)) {
			tell(
			    run, "forward=<" SLICE_FMT ">", SLICE_ARG(address));
			add_delivery(run, address, text);
			continue;
		}
		tell(run, "bad address");
		add_delivery(run, SLICE(""), text);
	}
}

static slice
mailbox_of(const struct run *run)
{
	return arena_join(
	    run->arena, SLICE("/var/mail/"), run->recipient->user, SLICE(""));
}

/* What a recipe says as $DEFAULT or $ORGMAIL is where mail goes anyway. */
static void
put_in_folder(struct run *run, const struct recipe_delivery *delivery,
    const struct mail_text *text)
{
	struct folder_owner owner = {.user = run->recipient->user,
	    .domain = run->recipient->domain,
	    .maildir = run->home.len > 1 ? run->home : SLICE(""),
	    .home = SLICE("")};
	slice folder = folder_name(delivery->name, &owner);
	slice address;

	if (slice_eq(delivery->name, mailbox_of(run))) {
		run->recipient->is_kept = true;
		add_delivery(run, SLICE(""), text);
		return;
	}
	if (!run->recipient->is_local || folder.len == 0) {
		tell(run, "no folder=" SLICE_FMT,
		    SLICE_ARG(escaped(run, delivery->name)));
		add_delivery(run, SLICE(""), text);
		return;
	}
	address = folder_address(run->arena,
	    run->job->generation->settings->folder_address, &owner, folder);
	tell(run, "folder=" SLICE_FMT, SLICE_ARG(escaped(run, folder)));
	run->recipient->is_kept = true;
	add_delivery(run,
	    slice_eq_nocase(address, path_address(run->recipient->recipient))
		? SLICE("")
		: address,
	    text);
}

static slice
first_word(slice line)
{
	size_t end = 0;

	line = slice_trim(line);
	while (end < line.len && !ascii_is_space(line.ptr[end]))
		end++;
	return slice_first(line, end);
}

/* Told by itself too: it has run, whatever becomes of the message. */
static void
tell_program(struct run *run, slice name)
{
	slice *ran = &run->recipient->ran;
	slice text = arena_join(
	    run->arena, SLICE("program="), escaped(run, name), SLICE(""));

	tell(run, SLICE_FMT, SLICE_ARG(text));
	*ran = ran->len == 0 ? text
			     : arena_join(run->arena, *ran, SLICE(", "), text);
}

static void
take_delivery(struct run *run, const struct recipe_result *result,
    const struct recipe_delivery *delivery)
{
	switch (delivery->kind) {
	case RECIPE_KEEP:
		run->recipient->is_kept = true;
		add_delivery(run, SLICE(""), text_of(run, result, delivery));
		return;
	case RECIPE_FORWARD:
		forward(run, delivery, text_of(run, result, delivery));
		return;
	case RECIPE_FOLDER:
		put_in_folder(run, delivery, text_of(run, result, delivery));
		return;
	case RECIPE_DROP:
		tell(run, "drop");
		return;
	case RECIPE_PROGRAM:
		tell_program(run, first_word(delivery->name));
		return;
	}
}

static struct verdict
refusal(const struct run *run, bool is_temporary, slice text)
{
	const struct decision *d = run->job->decision;
	struct verdict verdict;

	if (text.len > 0 && !ascii_is_digit(text.ptr[0]))
		verdict = (struct verdict){
		    .enhanced = SLICE("5.7.1"), .text = text, .rule = rule};
	else if (text.len > 0)
		verdict = access_refusal(d,
		    is_temporary ? SLICE("4.7.1") : SLICE("5.7.1"), text, rule);
	else
		verdict = (struct verdict){
		    .enhanced = is_temporary ? SLICE("4.3.0") : SLICE("5.0.0"),
		    .text = is_temporary ? SLICE("Please try again later")
					 : SLICE("Service unavailable"),
		    .rule = rule};
	/* What the text says of its code counts only where it fits. */
	verdict.kind = is_temporary ? VERDICT_DEFER : VERDICT_REJECT;
	if (verdict.code / 100 != (is_temporary ? 4 : 5))
		verdict.code = is_temporary ? 451 : 550;
	if (verdict.enhanced.len > 0 &&
	    verdict.enhanced.ptr[0] != (is_temporary ? '4' : '5'))
		verdict.enhanced =
		    is_temporary ? SLICE("4.7.1") : SLICE("5.7.1");
	return verdict;
}

static slice
exit_text(int status)
{
	switch (status) {
	case EX_NOUSER:
		return SLICE("550 5.1.1 User unknown");
	case EX_NOHOST:
		return SLICE("550 5.1.2 Host unknown");
	case EX_UNAVAILABLE:
		return SLICE("550 5.7.0 Service unavailable");
	case EX_NOPERM:
		return SLICE("550 5.7.0 Permission denied");
	case EX_CANTCREAT:
		return SLICE("550 5.2.0 Cannot create output");
	}
	return SLICE("");
}

/* Of a message that is put off nothing else tells why. */
static void
tell_limit(const struct filter_job *job, const char *limit)
{
	if (!job->is_dry)
		log_line(LOG_WARNING, SLICE_FMT ": recipes: limit=%s",
		    SLICE_ARG(job->queue_id.len == 0 ? SLICE("NOQUEUE")
						     : job->queue_id),
		    limit);
}

void
filter_recipient_put_off(
    const struct filter_job *job, struct filter_recipient *recipient)
{
	tell_limit(job, "time");
	recipient->what = SLICE("limit=time");
	recipient->verdict = access_tempfail(rule);
}

/* A verdict outlives the rc files, which its text may lie in. */
static void
judge(struct run *run, const struct recipe_result *result)
{
	struct verdict *verdict = &run->recipient->verdict;

	if (result->is_lost)
		tell(run, "drop");
	if (result->limit != NULL) {
		tell(run, "limit=%s", result->limit);
		tell_limit(run->job, result->limit);
		*verdict = refusal(run, true, SLICE(""));
	} else if (result->defer.len > 0) {
		*verdict =
		    refusal(run, true, arena_copy(run->arena, result->defer));
	} else if (result->reject.len > 0) {
		*verdict =
		    refusal(run, false, arena_copy(run->arena, result->reject));
	} else if (result->exit_code != 0) {
		bool is_temporary = recipe_exit_is_temporary(result->exit_code);

		tell(run, "exit=%d", result->exit_code);
		*verdict = refusal(run, is_temporary,
		    is_temporary ? SLICE("") : exit_text(result->exit_code));
	} else if (result->quarantine.len > 0) {
		*verdict = (struct verdict){.kind = VERDICT_QUARANTINE,
		    .text = arena_copy(run->arena, result->quarantine),
		    .rule = rule};
	}
	if (verdict_is_refusal(verdict))
		run->recipient->is_kept = false;
}

/*
 * All of it.
 */

static struct recipe_result
run_files(struct run *run, const struct recipe_file *const *files, size_t count)
{
	const struct policy *policy = run->job->generation->policy;
	const struct settings *settings = run->job->generation->settings;
	struct arena *arena = run->arena;
	slice user = run->recipient->user;
	slice mailbox = mailbox_of(run);
	const struct recipe_variable variables[] = {
	    {SLICE("LOGNAME"), user},
	    {SLICE("HOME"), run->home},
	    {SLICE("MAILDIR"), run->home},
	    {SLICE("DEFAULT"), mailbox},
	    {SLICE("ORGMAIL"), mailbox},
	    {SLICE("HOST"), policy->hostname},
	    {SLICE("SENDMAIL"), settings->sendmail_path},
	    {SLICE("SHELL"), SLICE("/bin/sh")},
	    {SLICE("SENDER"), path_address(run->result->sender)},
	    {SLICE("RECIPIENT"), path_address(run->recipient->given)},
	    {SLICE("EXTENSION"), run->detail},
	};
	struct recipe_input input = {.from_line = from_line(run),
	    .header = run->result->text.header,
	    .body = run->result->text.body,
	    .variables = variables,
	    .variable_count = sizeof(variables) / sizeof(*variables),
	    .arguments = &run->detail,
	    .argument_count = run->detail.len > 0 ? 1 : 0,
	    .is_verbose = run->job->is_dry};
	const struct recipe_ports ports = {.context = run,
	    .run_program = run->job->is_dry ? NULL : run_program,
	    .read_file = read_file,
	    .decode = decode_area};
	const struct recipe_limits limits = {.steps = 0};

	return recipe_run(arena, files, count, &input, &ports, &limits);
}

void
filter_recipient_run(const struct filter_job *job, struct filter_result *result,
    struct filter_recipient *recipient)
{
	const struct filters *filters = &job->generation->filters;
	struct arena *arena = job->decision->arena;
	struct run run = {.job = job,
	    .result = result,
	    .recipient = recipient,
	    .arena = arena,
	    .home = SLICE("/")};
	const struct recipe_file **files = ARENA_ARRAY(
	    arena, const struct recipe_file *, filters->recipe_count + 1);
	size_t count = 0;
	struct recipe_result said;

	strbuf_init(&run.what, arena);
	find_owner(&run);
	while (count < filters->recipe_count) {
		files[count] = filters->recipes[count];
		count++;
	}
	files[count] = read_recipes(&run);
	count += files[count] != NULL;
	if (verdict_is_refusal(&recipient->verdict))
		return;
	if (count == 0) {
		recipient->is_kept = true;
		add_delivery(&run, SLICE(""), NULL);
		return;
	}
	said = run_files(&run, files, count);
	judge(&run, &said);
	for (const struct recipe_delivery *d = said.deliveries; d != NULL;
	     d = d->next)
		take_delivery(&run, &said, d);
	if (verdict_is_refusal(&recipient->verdict))
		recipient->is_kept = false;
	recipient->what = strbuf_slice(&run.what);
	recipient->notes = said.notes;
	recipient->log = said.log;
}
