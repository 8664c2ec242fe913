/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/apply.h"

#include "base/strbuf.h"
#include "milter/log.h"

#include <stdio.h>
#include <syslog.h>

enum { REPLY_MAX = 960 }; /* libmilter refuses more than 980 bytes */

slice
apply_clean_text(struct arena *arena, slice text, size_t most)
{
	struct strbuf clean;

	strbuf_init(&clean, arena);
	for (size_t i = 0; i < text.len && clean.len < most; i++) {
		char c = text.ptr[i];

		strbuf_add_char(&clean, c < ' ' || c > '~' ? '?' : c);
		if (c == '%')
			strbuf_add_char(&clean, c);
	}
	return strbuf_slice(&clean);
}

/* A reason is no format; but it may not have line ends. */
static char *
clean_reason(struct arena *arena, slice reason)
{
	char *text = arena_cstr(arena, slice_first(reason, REPLY_MAX));

	for (char *p = text; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
	return text;
}

static sfsistat
status_of(const struct verdict *verdict)
{
	if (verdict->code >= 500)
		return SMFIS_REJECT;
	if (verdict->code >= 400)
		return SMFIS_TEMPFAIL;
	return verdict->kind == VERDICT_REJECT ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

static sfsistat
refuse(SMFICTX *ctx, struct arena *scratch, const struct answer *answer)
{
	const struct verdict *verdict = &answer->verdict;
	slice text = apply_clean_text(
	    scratch, verdict_reply_text(scratch, verdict, answer->with_about),
	    answer->text_max > 0 ? (size_t)answer->text_max : REPLY_MAX);
	char *enhanced = arena_cstr(scratch, verdict->enhanced);
	char code[16];

	if (verdict->code == 0)
		return status_of(verdict);
	(void)snprintf(code, sizeof(code), "%d", verdict->code);
	if (smfi_setreply(ctx, code, *enhanced == '\0' ? NULL : enhanced,
		text.len == 0 ? NULL : arena_cstr(scratch, text)) != MI_SUCCESS)
		log_line(LOG_ERR,
		    "reply %s %s \"" SLICE_FMT "\" cannot be "
		    "given, the MTA's own is",
		    code, enhanced, SLICE_ARG(text));
	return status_of(verdict);
}

static sfsistat
quarantine(SMFICTX *ctx, struct arena *scratch, slice reason)
{
	if (smfi_quarantine(ctx, clean_reason(scratch, reason)) == MI_SUCCESS)
		return SMFIS_CONTINUE;
	log_line(
	    LOG_ERR, "the MTA does not quarantine: message deferred instead");
	return SMFIS_TEMPFAIL;
}

sfsistat
apply_answer(SMFICTX *ctx, struct arena *scratch, const struct answer *answer)
{
	switch (answer->verdict.kind) {
	case VERDICT_CONTINUE:
	case VERDICT_ACCEPT:
		return SMFIS_CONTINUE;
	case VERDICT_REJECT:
	case VERDICT_DEFER:
		return refuse(ctx, scratch, answer);
	case VERDICT_DISCARD:
		return SMFIS_DISCARD;
	case VERDICT_QUARANTINE:
		return quarantine(ctx, scratch, answer->verdict.text);
	}
	return SMFIS_TEMPFAIL;
}
