/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/verdict.h"

#include <assert.h>

const char *
verdict_word(enum verdict_kind kind)
{
	switch (kind) {
	case VERDICT_CONTINUE:
		return "continue";
	case VERDICT_ACCEPT:
		return "accept";
	case VERDICT_REJECT:
		return "reject";
	case VERDICT_DEFER:
		return "defer";
	case VERDICT_DISCARD:
		return "discard";
	case VERDICT_QUARANTINE:
		return "quarantine";
	}
	assert(false);
	return "defer";
}

bool
verdict_is_refusal(const struct verdict *verdict)
{
	return verdict->kind == VERDICT_REJECT ||
	    verdict->kind == VERDICT_DEFER;
}

slice
verdict_reply_text(
    struct arena *arena, const struct verdict *verdict, bool with_about)
{
	if (!with_about || verdict->about.len == 0)
		return verdict->text;
	return arena_printf(arena, SLICE_FMT "... " SLICE_FMT,
	    SLICE_ARG(verdict->about), SLICE_ARG(verdict->text));
}

slice
verdict_reply(struct arena *arena, const struct verdict *verdict)
{
	slice text;

	if (!verdict_is_refusal(verdict))
		return SLICE("");
	text = verdict_reply_text(arena, verdict, true);
	return arena_printf(arena, "%d " SLICE_FMT " " SLICE_FMT,
	    verdict->code, SLICE_ARG(verdict->enhanced), SLICE_ARG(text));
}
