/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/checks.h"

struct outcome
outcome_final(struct verdict verdict)
{
	return (struct outcome){.is_final = true, .verdict = verdict};
}

struct outcome
outcome_open(void)
{
	return (struct outcome){.is_final = false};
}

struct outcome
outcome_relay(const struct decision *d, const char *why)
{
	trace_add(d->trace, "relaying allowed: %s", why);
	return (struct outcome){
	    .verdict = {.rule = "check_rcpt", .relay = true}};
}

struct outcome
outcome_refusal(const struct decision *d, const char *rule, int code,
    const char *enhanced, slice text)
{
	struct verdict verdict = {
	    .kind = code < 500 ? VERDICT_DEFER : VERDICT_REJECT,
	    .code = code,
	    .enhanced = slice_from_cstr(enhanced),
	    .text = text,
	    .rule = rule,
	};

	trace_add(d->trace, "%s: %d %s " SLICE_FMT, rule, code, enhanced,
	    SLICE_ARG(text));
	return outcome_final(verdict);
}

struct verdict
fault_verdict(const struct address_fault *fault, const char *rule)
{
	return (struct verdict){
	    .kind = fault->is_temporary ? VERDICT_DEFER : VERDICT_REJECT,
	    .code = fault->is_temporary ? 451 : 553,
	    .enhanced = slice_from_cstr(fault->enhanced),
	    .text = slice_from_cstr(fault->text),
	    .rule = rule,
	};
}

slice
text_of(const struct decision *d, slice user_text)
{
	return tokens_join_text(
	    d->arena, tokens_from(d->arena, user_text, NULL));
}
