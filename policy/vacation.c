/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/vacation.h"

#include "policy/vacation_private.h"

const char *
vacation_reason_word(enum vacation_reason reason)
{
	switch (reason) {
	case VACATION_ANSWER:
		return "answer";
	case VACATION_NOT_YET:
		return "not-yet";
	case VACATION_OVER:
		return "over";
	case VACATION_NOT_DELIVERED:
		return "not-delivered";
	case VACATION_NULL_SENDER:
		return "null-sender";
	case VACATION_BAD_SENDER:
		return "bad-sender";
	case VACATION_SUBMITTED:
		return "submitted";
	case VACATION_SELF:
		return "self";
	case VACATION_EXCLUDED:
		return "excluded";
	case VACATION_SYSTEM_SENDER:
		return "system-sender";
	case VACATION_AUTO_SUBMITTED:
		return "auto-submitted";
	case VACATION_LIST:
		return "list";
	case VACATION_PRECEDENCE:
		return "precedence";
	case VACATION_SUPPRESSED:
		return "suppressed";
	case VACATION_SPAM:
		return "spam";
	case VACATION_REPORT:
		return "report";
	case VACATION_LOOP:
		return "loop";
	case VACATION_NOT_ADDRESSED:
		return "not-addressed";
	}
	return "unknown";
}

static enum vacation_reason
judge_time(const struct vacation_question *q)
{
	int64_t local = q->now + q->utc_offset;

	if (q->template->has_start && local < q->template->start)
		return VACATION_NOT_YET;
	if (q->template->has_end && local >= q->template->end)
		return VACATION_OVER;
	return VACATION_ANSWER;
}

static enum vacation_reason
judge_verdict(enum verdict_kind verdict)
{
	switch (verdict) {
	case VERDICT_CONTINUE:
	case VERDICT_ACCEPT:
		return VACATION_ANSWER;
	case VERDICT_REJECT:
	case VERDICT_DEFER:
	case VERDICT_DISCARD:
	case VERDICT_QUARANTINE:
		return VACATION_NOT_DELIVERED;
	}
	return VACATION_NOT_DELIVERED;
}

static enum vacation_reason
judge_sender(struct arena *arena, const struct vacation_question *q, slice *to)
{
	struct vacation_party party;
	slice address;

	if (!vacation_reply_address(q->mail.sender, &address))
		return address.len == 0 ? VACATION_NULL_SENDER
					: VACATION_BAD_SENDER;
	*to = address;
	party = vacation_party_of(arena, address);
	if (vacation_is_owner(q, party))
		return VACATION_SELF;
	if (vacation_is_excluded(q, party))
		return VACATION_EXCLUDED;
	if (vacation_is_program(party.local))
		return VACATION_SYSTEM_SENDER;
	return VACATION_ANSWER;
}

static bool
is_submitted(const struct vacation_question *q)
{
	return (q->mail.is_authenticated || q->mail.is_submitted) &&
	    !q->options->answers_submitted;
}

static enum vacation_reason
judge(struct arena *arena, const struct vacation_question *q,
    struct vacation_answer *answer)
{
	enum vacation_reason reason = judge_time(q);

	if (reason == VACATION_ANSWER)
		reason = judge_verdict(q->mail.verdict);
	if (reason == VACATION_ANSWER)
		reason = judge_sender(arena, q, &answer->to);
	if (reason == VACATION_ANSWER && is_submitted(q))
		reason = VACATION_SUBMITTED;
	if (reason == VACATION_ANSWER && q->mail.is_spam)
		reason = VACATION_SPAM;
	if (reason == VACATION_ANSWER)
		reason = vacation_judge_header(arena, q, &answer->detail);
	return reason;
}

static unsigned long
interval_of(const struct vacation_question *q)
{
	unsigned long interval_s = q->template->has_interval
	    ? q->template->interval_s
	    : q->options->interval_s;

	return interval_s < q->options->interval_min_s
	    ? q->options->interval_min_s
	    : interval_s;
}

struct vacation_answer
vacation_decide(struct arena *arena, const struct vacation_question *question)
{
	struct vacation_answer answer = {
	    .detail = SLICE_INIT(""), .to = SLICE_INIT("")};

	answer.reason = judge(arena, question, &answer);
	if (answer.reason != VACATION_ANSWER)
		return answer;
	answer.interval_s = interval_of(question);
	answer.key = vacation_key(
	    arena, question->owner.user, answer.to, question->template);
	vacation_compose(arena, question, &answer);
	return answer;
}
