/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/vacation.h"

#include "milter/log_vacation.h"
#include "milter/spool.h"
#include "milter/user_file.h"
#include "milter/vacation_claim.h"
#include "policy/path.h"
#include "policy/rewrite.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { OWN_MOST = 5 };

struct work {
	const struct vacation_job *job;
	struct vacation_plan *first;
	struct vacation_plan **end;
};

bool
vacation_is_on(const struct generation *generation)
{
	return generation->settings->vacation.message.len > 0;
}

/* Without angle brackets. */
static slice
final_address(const struct vacation_recipient *recipient)
{
	return path_address(
	    recipient->becomes.len > 0 ? recipient->becomes : recipient->given);
}

static slice
domain_of(slice address)
{
	return slice_from(address, slice_last_index(address, '@') + 1);
}

static slice
local_of(slice address)
{
	return slice_first(address, slice_last_index(address, '@'));
}

static slice
without_detail(slice local)
{
	size_t plus = slice_index(local, '+');

	return plus == 0 ? local : slice_first(local, plus);
}

/* The login of a recipient who is a user here. */
static bool
find_user(const struct vacation_job *job,
    const struct vacation_recipient *recipient, slice *ret_user)
{
	const struct policy *policy = job->generation->policy;
	slice address = final_address(recipient);
	slice domain = domain_of(address);

	if (domain.len > 0 && !class_has(policy->local, domain) &&
	    !slice_eq_nocase(domain, policy->hostname))
		return false;
	*ret_user =
	    arena_copy_lower(job->arena, without_detail(local_of(address)));
	return ret_user->len > 0;
}

static bool
is_planned(const struct work *work, slice user)
{
	for (const struct vacation_plan *p = work->first; p != NULL;
	     p = p->next) {
		if (slice_eq(p->user, user))
			return true;
	}
	return false;
}

static slice
at_this_host(const struct vacation_job *job, slice user)
{
	return arena_join(
	    job->arena, user, SLICE("@"), job->generation->policy->hostname);
}

/* As the user's own mail would show him: genericstable and masquerading. */
static slice
shown_address(const struct vacation_job *job, slice user)
{
	struct policy policy = *job->generation->policy;
	struct decision decision = {.policy = &policy,
	    .ports = job->ports,
	    .session = job->session,
	    .arena = job->arena};
	struct rewrite how = {.role = REWRITE_HEADER_SENDER};
	slice address = at_this_host(job, user);
	bool failed = false;
	slice shown;

	/* The name of this host is what it is: no question to the DNS. */
	policy.nocanonify = true;
	shown = rewrite_address(&decision, &how, address, &failed);
	return failed || shown.len == 0 ? address : shown;
}

static void
find_owner(const struct vacation_job *job,
    const struct vacation_recipient *recipient, slice user,
    struct vacation_owner *owner)
{
	slice given = path_address(recipient->given);
	slice becomes = final_address(recipient);
	slice shown = shown_address(job, user);
	slice *own = ARENA_ARRAY(job->arena, slice, OWN_MOST);
	size_t count = 0;

	own[count++] = shown;
	own[count++] = at_this_host(job, user);
	if (domain_of(becomes).len > 0)
		own[count++] = becomes;
	if (!recipient->is_shared && domain_of(given).len > 0) {
		own[count++] = given;
		own[count++] =
		    arena_join(job->arena, without_detail(local_of(given)),
			SLICE("@"), domain_of(given));
	}
	*owner = (struct vacation_owner){.user = user,
	    .address = recipient->is_shared || domain_of(given).len == 0
			   ? shown
			   : given,
	    .addresses = own,
	    .address_count = count,
	    .local = job->generation->policy->local};
}

/* What no other reply of the fleet has. */
static slice
unique_name(struct arena *arena)
{
	unsigned char bytes[12];
	char text[2 * sizeof(bytes) + 1];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		memset(bytes, 0, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	return arena_copy(arena, (slice){text, 2 * sizeof(bytes)});
}

static void
set_options(
    const struct generation *generation, struct vacation_options *options)
{
	const struct vacation_settings *settings =
	    &generation->settings->vacation;

	*options = (struct vacation_options){
	    .hostname = generation->policy->hostname,
	    .interval_s = settings->interval_ms / 1000,
	    .interval_min_s = settings->interval_min_ms / 1000,
	    .excluded = settings->exclude.items,
	    .excluded_count = settings->exclude.count,
	    .answers_submitted = settings->answers_submitted,
	};
}

static struct vacation_mail
mail_of(const struct vacation_job *job)
{
	return (struct vacation_mail){
	    .sender = job->session->sender,
	    .fields = job->fields,
	    .field_count = job->field_count,
	    .subject = job->subject,
	    .is_authenticated = job->session->auth_type.len > 0,
	    .is_submitted = job->is_submitted,
	    .is_spam = job->is_spam,
	    .verdict = job->verdict,
	};
}

static void
decide(const struct vacation_job *job,
    const struct vacation_recipient *recipient,
    const struct vacation_template *template, struct vacation_plan *plan)
{
	struct vacation_options options;
	struct vacation_question question = {
	    .options = &options,
	    .template = template,
	    .mail = mail_of(job),
	    .unique = unique_name(job->arena),
	};
	time_t now = time(NULL);
	struct tm local = {.tm_gmtoff = 0};

	set_options(job->generation, &options);
	find_owner(job, recipient, plan->user, &question.owner);
	question.now = now;
	if (localtime_r(&now, &local) != NULL)
		question.utc_offset = (int)local.tm_gmtoff;
	plan->answer = vacation_decide(job->arena, &question);
	plan->is_answered = plan->answer.reason == VACATION_ANSWER;
	plan->word = vacation_reason_word(plan->answer.reason);
	plan->detail = plan->answer.detail;
}

static void
judge(const struct vacation_job *job,
    const struct vacation_recipient *recipient, slice text,
    struct vacation_plan *plan)
{
	struct vacation_template template;
	struct error error = {.line = 0};

	if (vacation_template_parse(job->arena, text, &template, &error)) {
		decide(job, recipient, &template, plan);
		return;
	}
	plan->is_trouble = true;
	plan->word = "template";
	plan->detail = arena_printf(job->arena, SLICE_FMT ":%u: %s",
	    SLICE_ARG(plan->path), error.line, error.text);
}

static struct user_file_answer
read_template(const struct vacation_job *job,
    const struct vacation_recipient *recipient, slice user)
{
	slice domain = domain_of(final_address(recipient));
	struct user_file_question question = {
	    .pattern = job->generation->settings->vacation.message,
	    .user = user,
	    .domain = domain,
	    .bytes_max = VACATION_TEMPLATE_MAX,
	    .allow_unsafe = job->generation->settings->allow_unsafe_files,
	};

	if (domain.len == 0)
		domain = domain_of(path_address(recipient->given));
	question.domain =
	    domain.len > 0 ? domain : job->generation->policy->hostname;
	return user_file_read(job->arena, &question, job->deadline);
}

static void
blame_file(const struct vacation_job *job, const struct user_file_answer *file,
    struct vacation_plan *plan)
{
	plan->is_trouble = true;
	plan->word =
	    file->result == USER_FILE_TEMPFAIL ? "unavailable" : "unsafe";
	plan->detail = arena_printf(job->arena, SLICE_FMT "%s" SLICE_FMT,
	    SLICE_ARG(file->path), file->path.len > 0 ? ": " : "",
	    SLICE_ARG(file->why));
}

static void
plan_recipient(struct work *work, const struct vacation_recipient *recipient)
{
	const struct vacation_job *job = work->job;
	struct user_file_answer file;
	struct vacation_plan *plan;
	slice user;

	if (!find_user(job, recipient, &user) || is_planned(work, user))
		return;
	file = read_template(job, recipient, user);
	if (file.result == USER_FILE_NONE)
		return;
	plan = ARENA_NEW(job->arena, struct vacation_plan);
	plan->user = user;
	plan->path = file.path;
	if (file.result == USER_FILE_FOUND)
		judge(job, recipient, file.text, plan);
	else
		blame_file(job, &file, plan);
	*work->end = plan;
	work->end = &plan->next;
}

struct vacation_plan *
vacation_plan(const struct vacation_job *job,
    const struct vacation_recipient *recipients, size_t count)
{
	struct work work = {.job = job, .first = NULL};

	work.end = &work.first;
	for (size_t i = 0; i < count && vacation_is_on(job->generation); i++)
		plan_recipient(&work, &recipients[i]);
	return work.first;
}

static bool
write_reply(const struct vacation_job *job, const struct vacation_plan *plan,
    struct spool_batch *batch)
{
	struct spool_message message = {
	    .kind = SPOOL_REPLY,
	    .sender = SLICE(""),
	    .recipients = &plan->answer.to,
	    .recipient_count = 1,
	    .header = plan->answer.header,
	    .body = plan->answer.body,
	    .queue_id = job->queue_id,
	    .claim_key = plan->answer.key,
	    .claim_interval_s = plan->answer.interval_s,
	};

	return spool_write(batch, &message);
}

/* NULL when the reply is in the batch. */
static const char *
spool_reply(const struct vacation_job *job, const struct vacation_plan *plan,
    struct spool_batch *batch)
{
	if (vacation_is_recent(plan->answer.key))
		return "repeated";
	if (!vacation_take_turn(job->generation->settings->vacation.rate))
		return "rate";
	return write_reply(job, plan, batch) ? NULL : "spool";
}

struct vacation_plan *
vacation_answer(const struct vacation_job *job,
    const struct vacation_recipient *recipients, size_t count,
    struct spool_batch *batch)
{
	struct vacation_plan *plans = vacation_plan(job, recipients, count);

	for (struct vacation_plan *p = plans; p != NULL; p = p->next) {
		if (p->is_answered)
			p->word = spool_reply(job, p, batch);
	}
	return plans;
}

void
vacation_tell(const struct vacation_job *job, const struct vacation_plan *plans)
{
	for (; plans != NULL; plans = plans->next) {
		struct log_vacation line = {.queue_id = job->queue_id,
		    .sender = job->session->sender,
		    .user = plans->user,
		    .reason = plans->word,
		    .detail = plans->detail,
		    .is_trouble = plans->is_trouble};

		log_vacation(job->arena, &line);
	}
}
