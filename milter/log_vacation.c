/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/log_vacation.h"

#include "milter/log.h"
#include "milter/log_lines.h"

#include <syslog.h>

enum { ADDRESS_LIMIT = 250, USER_LIMIT = 100, DETAIL_LIMIT = 300 };

/* What a reason is about is shown as it is but for controls, which log_line()
 * takes care of; a name a stranger chose is not. */
static slice
about(struct arena *arena, const struct log_vacation *line)
{
	slice detail = slice_first(line->detail, DETAIL_LIMIT);

	if (detail.len == 0)
		return SLICE("");
	if (!line->is_trouble)
		detail = log_escape(arena, detail, DETAIL_LIMIT);
	return arena_printf(arena, " (" SLICE_FMT ")", SLICE_ARG(detail));
}

void
log_vacation(struct arena *arena, const struct log_vacation *line)
{
	slice id = line->queue_id.len == 0 ? SLICE("NOQUEUE") : line->queue_id;
	slice reason = line->reason == NULL
	    ? SLICE("queued")
	    : arena_printf(arena, "no, reason=%s" SLICE_FMT, line->reason,
		  SLICE_ARG(about(arena, line)));

	log_line(line->is_trouble ? LOG_WARNING : LOG_NOTICE,
	    SLICE_FMT ": ruleset=vacation, arg1=" SLICE_FMT
		      ", user=" SLICE_FMT ", reply=" SLICE_FMT,
	    SLICE_ARG(slice_first(id, 64)),
	    SLICE_ARG(log_escape(arena, line->sender, ADDRESS_LIMIT)),
	    SLICE_ARG(log_escape(arena, line->user, USER_LIMIT)),
	    SLICE_ARG(reason));
}
