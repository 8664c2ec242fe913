/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/bounce.h"

#include "base/strbuf.h"

#include <string.h>

enum { HEADER_MAX = 32 * 1024, WORD_MAX = 255 };

slice
bounce_clean_word(struct arena *arena, slice word)
{
	char *clean = arena_cstr(arena, slice_first(word, WORD_MAX));

	for (char *p = clean; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~' || strchr("()<>;\\\"", *p) != NULL)
			*p = '?';
	}
	return slice_from_cstr(*clean == '\0' ? "unknown" : clean);
}

static slice
clean_line(struct arena *arena, slice text)
{
	char *clean = arena_cstr(arena, text);

	for (char *p = clean; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
	return slice_from_cstr(clean);
}

/* Whole lines of it, as many as there is room for. */
static slice
beginning(slice header)
{
	slice first = slice_first(header, HEADER_MAX);

	if (first.len < header.len)
		first.len = slice_last_index(first, '\n') == first.len
				? 0
				: slice_last_index(first, '\n') + 1;
	while (first.len > 0 && first.ptr[first.len - 1] == '\n' &&
	       (first.len == 1 || first.ptr[first.len - 2] == '\n'))
		first.len--;
	return first;
}

static slice
make_header(struct arena *arena, const struct bounce *b, slice boundary)
{
	char date[64];
	struct tm tm;

	if (localtime_r(&b->now, &tm) == NULL ||
	    strftime(date, sizeof(date), "%a, %d %b %Y %T %z", &tm) == 0)
		date[0] = '\0';
	return arena_printf(arena,
	    "From: Mail Delivery Subsystem <MAILER-DAEMON@" SLICE_FMT ">\n"
	    "To: <" SLICE_FMT ">\n"
	    "Date: %s\n"
	    "Subject: Returned mail: see transcript for details\n"
	    "Auto-Submitted: auto-replied (delivery failure)\n"
	    "MIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\n"
	    "\tboundary=\"" SLICE_FMT "\"\n",
	    SLICE_ARG(b->hostname), SLICE_ARG(clean_line(arena, b->to)), date,
	    SLICE_ARG(boundary));
}

void
bounce_write(struct arena *arena, const struct bounce *b, slice *ret_header,
    slice *ret_body)
{
	slice recipient = clean_line(arena, b->recipient);
	slice reply = clean_line(arena, verdict_reply(arena, b->verdict));
	slice status = b->verdict->enhanced.len > 0 ? b->verdict->enhanced
						    : SLICE("5.0.0");
	slice boundary =
	    arena_printf(arena, "milterd-%llx", (unsigned long long)b->now);
	struct strbuf body;

	strbuf_init(&body, arena);
	strbuf_printf(&body,
	    "--" SLICE_FMT "\nContent-Type: text/plain; charset=us-ascii\n\n"
	    "Your message was not delivered to\n\n"
	    "    <" SLICE_FMT ">\n\nwho refuses it:\n\n    " SLICE_FMT "\n\n",
	    SLICE_ARG(boundary), SLICE_ARG(recipient), SLICE_ARG(reply));
	strbuf_printf(&body,
	    "--" SLICE_FMT "\nContent-Type: message/delivery-status\n\n"
	    "Reporting-MTA: dns; " SLICE_FMT "\n\n"
	    "Final-Recipient: rfc822; " SLICE_FMT "\nAction: failed\n"
	    "Status: " SLICE_FMT "\nDiagnostic-Code: smtp; " SLICE_FMT "\n\n",
	    SLICE_ARG(boundary), SLICE_ARG(b->hostname), SLICE_ARG(recipient),
	    SLICE_ARG(status), SLICE_ARG(reply));
	strbuf_printf(&body,
	    "--" SLICE_FMT "\nContent-Type: text/rfc822-headers\n\n",
	    SLICE_ARG(boundary));
	strbuf_add(&body, beginning(b->header));
	strbuf_printf(&body, "\n--" SLICE_FMT "--\n", SLICE_ARG(boundary));
	*ret_header = make_header(arena, b, boundary);
	*ret_body = strbuf_slice(&body);
}
