/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/edits.h"

#include "base/strbuf.h"
#include "milter/log.h"

#include <stdlib.h>
#include <syslog.h>

struct job {
	SMFICTX *ctx;
	struct arena *scratch;
	const struct milter_session *session;
};

/* libmilter passes line ends and NULs on as they are. An address that has one
 * comes out of no map that was read and from no SMTP client. */
static bool
is_clean(slice text, bool may_fold)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '\0' || c == '\r' || (c == '\n' && !may_fold))
			return false;
		if (c == '\n' &&
		    (i + 1 == text.len ||
			(text.ptr[i + 1] != ' ' && text.ptr[i + 1] != '\t')))
			return false;
	}
	return true;
}

static bool
is_one_of(slice word, const char *const *names)
{
	for (; *names != NULL; names++) {
		if (slice_has_prefix_nocase(word, slice_from_cstr(*names)))
			return true;
	}
	return false;
}

/* Those of the parameters that go over, or NULL for none. */
static char *
select_parameters(
    struct arena *arena, slice parameters, const char *const *names)
{
	struct strbuf kept;
	slice word;

	strbuf_init(&kept, arena);
	while (slice_next(&parameters, ' ', &word)) {
		if (!is_one_of(word, names))
			continue;
		if (kept.len > 0)
			strbuf_add_char(&kept, ' ');
		strbuf_add(&kept, word);
	}
	return kept.len == 0 ? NULL : kept.data;
}

static int
change_sender(const struct job *job, const struct edit *edit)
{
	static const char *const postfix[] = {"RET=", "ENVID=", NULL};
	static const char *const sendmail[] = {
	    "RET=", "ENVID=", "BODY=", "SMTPUTF8", NULL};
	const struct milter_session *session = job->session;

	return smfi_chgfrom(job->ctx, arena_cstr(job->scratch, edit->text),
	    select_parameters(job->scratch,
		session->message->intake.sender_parameters,
		session->mta == MTA_POSTFIX ? postfix : sendmail));
}

static int
add_recipient(const struct job *job, const struct edit *edit)
{
	static const char *const names[] = {"NOTIFY=", "ORCPT=", NULL};
	char *address = arena_cstr(job->scratch, edit->text);
	char *parameters = select_parameters(job->scratch,
	    intake_parameters_of(&job->session->message->intake, edit->before),
	    names);

	return parameters == NULL
		   ? smfi_addrcpt(job->ctx, address)
		   : smfi_addrcpt_par(job->ctx, address, parameters);
}

/* Postfix's smtpd takes the route off "<@a,@b:user@host>" and tells it to
 * filters nevertheless; it knows the recipient without it alone. */
static slice
without_route(struct arena *arena, slice path)
{
	size_t colon = slice_index(path, ':');

	if (!slice_has_prefix_nocase(path, SLICE("<@")) || colon == path.len)
		return path;
	return arena_printf(
	    arena, "<" SLICE_FMT, SLICE_ARG(slice_from(path, colon + 1)));
}

static int
drop_recipient(const struct job *job, const struct edit *edit)
{
	const struct milter_session *session = job->session;
	bool has_smtpd = session->mta == MTA_POSTFIX && !session->is_local;

	return smfi_delrcpt(
	    job->ctx, arena_cstr(job->scratch,
			  has_smtpd ? without_route(job->scratch, edit->text)
				    : edit->text));
}

static int
change_header(const struct job *job, const struct edit *edit)
{
	return smfi_chgheader(job->ctx, arena_cstr(job->scratch, edit->name),
	    (int)edit->index, arena_cstr(job->scratch, edit->text));
}

static int
remove_header(const struct job *job, const struct edit *edit)
{
	return smfi_chgheader(job->ctx, arena_cstr(job->scratch, edit->name),
	    (int)edit->index, NULL);
}

static int
add_header(const struct job *job, const struct edit *edit)
{
	char *name = arena_cstr(job->scratch, edit->name);
	char *value = arena_cstr(job->scratch, edit->text);

	return edit->kind == EDIT_INSERT_HEADER
		   ? smfi_insheader(job->ctx, 0, name, value)
		   : smfi_addheader(job->ctx, name, value);
}

/* MTAs want CRLF; Postfix wants all of it in one go. */
static int
replace_body(const struct job *job, const struct edit *edit)
{
	enum { PIECE = 60000 };
	unsigned char *piece = xmalloc(PIECE + 1);
	size_t at = 0;
	int status = MI_SUCCESS;

	do {
		int len = 0;

		for (; at < edit->text.len && len < PIECE; at++) {
			char c = edit->text.ptr[at];

			if (c == '\n')
				piece[len++] = '\r';
			piece[len++] = (unsigned char)c;
		}
		status = smfi_replacebody(job->ctx, piece, len);
	} while (status == MI_SUCCESS && at < edit->text.len);
	free(piece);
	return status;
}

static bool
may_fold(enum edit_kind kind)
{
	return kind == EDIT_CHANGE_HEADER || kind == EDIT_ADD_HEADER ||
	       kind == EDIT_INSERT_HEADER;
}

static bool
apply_one(const struct job *job, const struct edit *edit)
{
	int status = MI_FAILURE;

	if (edit->kind != EDIT_BODY &&
	    (!is_clean(edit->text, may_fold(edit->kind)) ||
		!is_clean(edit->name, false)))
		return false;
	switch (edit->kind) {
	case EDIT_SENDER:
		status = change_sender(job, edit);
		break;
	case EDIT_ADD_RECIPIENT:
		status = add_recipient(job, edit);
		break;
	case EDIT_DROP_RECIPIENT:
		status = drop_recipient(job, edit);
		break;
	case EDIT_CHANGE_HEADER:
		status = change_header(job, edit);
		break;
	case EDIT_REMOVE_HEADER:
		status = remove_header(job, edit);
		break;
	case EDIT_ADD_HEADER:
	case EDIT_INSERT_HEADER:
		status = add_header(job, edit);
		break;
	case EDIT_BODY:
		status = replace_body(job, edit);
		break;
	}
	return status == MI_SUCCESS;
}

bool
edits_apply(SMFICTX *ctx, struct arena *scratch,
    const struct milter_session *session, const struct edit_list *edits)
{
	static const enum edit_kind order[] = {EDIT_CHANGE_HEADER,
	    EDIT_REMOVE_HEADER, EDIT_ADD_HEADER, EDIT_INSERT_HEADER,
	    EDIT_SENDER, EDIT_ADD_RECIPIENT, EDIT_DROP_RECIPIENT, EDIT_BODY};
	struct job job = {ctx, scratch, session};

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		for (const struct edit *e = edits->first; e != NULL;
		     e = e->next) {
			if (e->kind != order[i] || e->is_there ||
			    apply_one(&job, e))
				continue;
			log_line(LOG_ERR, "the MTA does not take an edit: "
					  "message deferred");
			return false;
		}
	}
	return true;
}
