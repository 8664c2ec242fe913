/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is asked of the MTA, and why:
 *
 * - macros, with smfi_setsymlist: the administrator edits nothing in the MTA,
 *   and Postfix tells {client_resolve}, which is in no default of its; and
 *   not those that nobody here reads, since each packet of them costs five
 *   system calls. The lists of EOH and EOM are the same, because libmilter
 *   before 8.17.2 mixed them up;
 * - HELO where it is judged, or a client is (stage.h); headers where something
 *   counts them (hops, size), bodies where their size counts, both without a
 *   reply; no DATA, no end of header, no unknown commands;
 * - of the actions, quarantine, and the edits the policy may come to.
 *
 * The generation in force when the connection begins decides, and stays the
 * connection's own to its end.
 *
 * on_close may come first or alone, on_abort after anything, and Postfix may
 * send either twice. After QUIT_NC another connection follows on the same
 * context without negotiation; a session is then made at its CONNECT, and
 * libmilter corrects replies that were negotiated away. Nobody tells what else
 * was: where a reload has made headers or bodies wanted that may have been, the
 * connection is told to come again later.
 *
 * The only mutable globals of this file are the service and the address, set
 * before the first callback, since libmilter has no place for them; and what
 * was ever negotiated.
 */
#include "milter/callbacks.h"

#include "milter/apply.h"
#include "milter/edits.h"
#include "milter/log.h"
#include "milter/stage.h"
#include "policy/decide.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>

/* Longer than an SMTP client may be silent in an MTA (an hour in sendmail),
 * so that the MTA is always the one to hang up. */
enum { IDLE_SECONDS = 7210, BACKLOG = 4096, ADDRESS_MAX = 512 };

#define LEFT_OUT (SMFIP_NOHELO | SMFIP_NOHDRS | SMFIP_NOBODY)

/* Enough for what most callbacks need; there is more where it is not. */
enum { SCRATCH = 4096 };

static struct service *the_service;
static char the_address[ADDRESS_MAX];

static struct {
	atomic_ulong left_out;	 /* steps, by any negotiation */
	atomic_bool keeps_space; /* by the last */
} negotiated;

static slice
get_macro(void *context, const char *name)
{
	char symbol[32];
	size_t len = strlen(name);

	if (len >= sizeof(symbol))
		return SLICE("");
	memcpy(symbol, name, len + 1);
	return slice_from_cstr(smfi_getsymval(context, symbol));
}

static struct macros
macros_of(SMFICTX *ctx)
{
	return (struct macros){.get = get_macro, .context = ctx};
}

/* A callback at work: its scratch memory is on the stack, so that sessions
 * that wait have none. */
struct turn {
	alignas(max_align_t) char room[SCRATCH];
	SMFICTX *ctx;
	struct arena *scratch;
	struct milter_session *session;
};

static struct milter_session *
begin_session(SMFICTX *ctx)
{
	struct milter_session *session = session_new(the_service);

	if (session == NULL)
		return NULL;
	if (smfi_setpriv(ctx, session) == MI_SUCCESS)
		return session;
	session_free(session);
	return NULL;
}

/* The session of this connection, ready for a new callback, or NULL. */
static struct milter_session *
begin_turn(struct turn *turn, SMFICTX *ctx)
{
	turn->ctx = ctx;
	turn->scratch = arena_in(turn->room, sizeof(turn->room));
	turn->session = smfi_getpriv(ctx);
	if (turn->session != NULL)
		session_begin_callback(turn->session, turn->scratch);
	return turn->session;
}

static sfsistat
end_turn(struct turn *turn, sfsistat status)
{
	if (turn->session != NULL)
		session_end_callback(turn->session);
	arena_reset(turn->scratch);
	return status;
}

/* What the callback returns, the reply told to libmilter. */
static sfsistat
give(const struct turn *turn, struct answer answer)
{
	answer.text_max =
	    turn->session->generation->settings->limits.reply_length;
	return apply_answer(turn->ctx, turn->scratch, &answer);
}

/*
 * An empty list: sendmail sends no packet of macros then, and Postfix what it
 * sends by itself, the queue id, which sendmail has told at MAIL. The list of
 * EOM counts with sendmail only where one of EOH is set.
 */
static void
ask_for_macros(SMFICTX *ctx)
{
	/* clang-format off */
	static const struct {
		int stage;
		const char *names;
	} wanted[] = {
	    {SMFIM_CONNECT, "v i _ {client_name} {client_ptr} {client_port} {client_resolve}"},
	    {SMFIM_HELO, ""},
	    {SMFIM_ENVFROM, "i {auth_type} {auth_authen}"},
	    {SMFIM_ENVRCPT, ""},
	    {SMFIM_EOH, ""},
	    {SMFIM_EOM, ""},
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		char names[128];

		strcpy(names, wanted[i].names);
		if (smfi_setsymlist(ctx, wanted[i].stage, names) != MI_SUCCESS)
			log_line(LOG_WARNING, "cannot ask the MTA for macros");
	}
}

static unsigned long
unwanted_steps(const struct generation *generation)
{
	const struct policy *policy = generation->policy;
	const struct intake_wishes *wishes = &generation->filters.wishes;
	unsigned long steps = SMFIP_NODATA | SMFIP_NOEOH | SMFIP_NOUNKNOWN;

	if (!policy->block_bad_helo && !policy_judges_clients(policy))
		steps |= SMFIP_NOHELO;
	if (policy->max_message_size == 0 && !wishes->body)
		steps |= SMFIP_NOBODY;
	if (policy->max_message_size == 0 && policy->max_hops == 0 &&
	    !policy_rewrites_headers(policy) && !wishes->header)
		steps |= SMFIP_NOHDRS;
	return steps;
}

static unsigned long
wanted_actions(const struct generation *generation)
{
	const struct policy *policy = generation->policy;
	const struct intake_wishes *wishes = &generation->filters.wishes;
	unsigned long actions = SMFIF_QUARANTINE | SMFIF_SETSYMLIST;

	if (wishes->header)
		actions |= SMFIF_CHGHDRS | SMFIF_ADDHDRS;
	if (wishes->body)
		actions |= SMFIF_CHGBODY;
	if (wishes->recipients)
		actions |= SMFIF_ADDRCPT | SMFIF_ADDRCPT_PAR | SMFIF_DELRCPT;

	if (policy_rewrites_headers(policy))
		actions |= SMFIF_CHGHDRS;
	if (policy_rewrites_sender(policy))
		actions |= SMFIF_CHGFROM;
	if (policy_rewrites_recipients(policy))
		actions |= SMFIF_ADDRCPT | SMFIF_ADDRCPT_PAR | SMFIF_DELRCPT;
	return actions;
}

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
    unsigned long unused2, unsigned long unused3, unsigned long *ret_actions,
    unsigned long *ret_steps, unsigned long *ret2, unsigned long *ret3)
{
	struct milter_session *session = begin_session(ctx);

	(void)unused2;
	(void)unused3;
	if (session == NULL)
		return SMFIS_REJECT;
	*ret_actions = actions & wanted_actions(session->generation);
	*ret_steps =
	    steps & (unwanted_steps(session->generation) | SMFIP_NR_HDR |
			SMFIP_NR_BODY | SMFIP_HDR_LEADSPC);
	*ret2 = *ret3 = 0;
	session->takes_no_reply =
	    (steps & SMFIP_NR_HDR) != 0 && (steps & SMFIP_NR_BODY) != 0;
	if (!session->takes_no_reply)
		*ret_steps &= ~(unsigned long)(SMFIP_NR_HDR | SMFIP_NR_BODY);
	session->keeps_space = (steps & SMFIP_HDR_LEADSPC) != 0;
	atomic_store(&negotiated.keeps_space, session->keeps_space);
	atomic_fetch_or(&negotiated.left_out, *ret_steps & LEFT_OUT);
	if ((actions & SMFIF_SETSYMLIST) != 0)
		ask_for_macros(ctx);
	return SMFIS_CONTINUE;
}

static sfsistat
without_session(struct turn *turn)
{
	struct answer answer = stage_out_of_order();

	return end_turn(turn, apply_answer(turn->ctx, turn->scratch, &answer));
}

/* False: the MTA may not send what this generation has to see. */
static bool
begin_without_negotiation(struct milter_session *session)
{
	unsigned long left_out = atomic_load(&negotiated.left_out);

	session->keeps_space = atomic_load(&negotiated.keeps_space);
	return (left_out & ~unwanted_steps(session->generation)) == 0;
}

static sfsistat
on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	struct turn turn;
	struct milter_session *session = begin_turn(&turn, ctx);
	struct macros macros = macros_of(ctx);
	struct answer answer;

	if (session == NULL && begin_session(ctx) != NULL) {
		session = begin_turn(&turn, ctx);
		if (!begin_without_negotiation(session))
			return without_session(&turn);
	}
	if (session == NULL)
		return without_session(&turn);
	session_connect(session, slice_from_cstr(host), address, &macros);
	answer = stage_connect(session);
	return end_turn(&turn, give(&turn, answer));
}

static sfsistat
on_helo(SMFICTX *ctx, char *helo)
{
	struct turn turn;
	struct milter_session *session = begin_turn(&turn, ctx);
	struct answer answer;

	if (session == NULL)
		return without_session(&turn);
	session_helo(session, slice_from_cstr(helo));
	answer = stage_helo(session);
	return end_turn(&turn, give(&turn, answer));
}

static sfsistat
on_envfrom(SMFICTX *ctx, char **arguments)
{
	struct turn turn;
	struct milter_session *session = begin_turn(&turn, ctx);
	struct macros macros = macros_of(ctx);
	struct answer answer;

	if (session == NULL)
		return without_session(&turn);
	session_mail(session, arguments, &macros);
	answer = stage_mail(session, &macros);
	return end_turn(&turn, give(&turn, answer));
}

static sfsistat
on_envrcpt(SMFICTX *ctx, char **arguments)
{
	struct turn turn;
	struct milter_session *session = begin_turn(&turn, ctx);
	struct macros macros = macros_of(ctx);
	struct answer answer;

	if (session == NULL)
		return without_session(&turn);
	answer = stage_recipient(session, arguments, &macros);
	return end_turn(&turn, give(&turn, answer));
}

/* Of header and body, which are many: they need no turn. */
static sfsistat
continue_silently(const struct milter_session *session)
{
	return session->takes_no_reply ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
	struct milter_session *session = smfi_getpriv(ctx);

	if (session == NULL)
		return SMFIS_TEMPFAIL;
	session_header(session, slice_from_cstr(name), slice_from_cstr(value));
	return continue_silently(session);
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *chunk, size_t len)
{
	struct milter_session *session = smfi_getpriv(ctx);

	if (session == NULL)
		return SMFIS_TEMPFAIL;
	session_body(session, (slice){(const char *)chunk, len});
	return continue_silently(session);
}

/* What was written down to be sent is sent where the MTA gets the answer that
 * belongs to it. */
static void
settle(struct spool_batch *batch, sfsistat status)
{
	if (batch == NULL)
		return;
	if (status == SMFIS_CONTINUE || status == SMFIS_DISCARD)
		spool_release(batch);
	else
		spool_withdraw(batch);
}

static sfsistat
on_eom(SMFICTX *ctx)
{
	struct turn turn;
	struct milter_session *session = begin_turn(&turn, ctx);
	struct macros macros = macros_of(ctx);
	struct answer answer;
	sfsistat status;

	if (session == NULL)
		return without_session(&turn);
	answer = stage_end_of_message(session, &macros);
	status = answer.edits == NULL ||
			 edits_apply(ctx, turn.scratch, session, answer.edits)
		     ? give(&turn, answer)
		     : SMFIS_TEMPFAIL;
	settle(answer.batch, status);
	session_end_message(session);
	return end_turn(&turn, status);
}

static sfsistat
on_abort(SMFICTX *ctx)
{
	struct milter_session *session = smfi_getpriv(ctx);

	if (session != NULL)
		session_end_message(session);
	return SMFIS_CONTINUE;
}

/* May run on libmilter's controller thread, which then holds the lock of the
 * whole pool: nothing here may wait. */
static sfsistat
on_close(SMFICTX *ctx)
{
	struct turn turn;
	struct milter_session *session = begin_turn(&turn, ctx);

	if (session == NULL)
		return SMFIS_CONTINUE;
	(void)smfi_setpriv(ctx, NULL);
	stage_close(session);
	(void)end_turn(&turn, SMFIS_CONTINUE);
	session_free(session);
	return SMFIS_CONTINUE;
}

/* "inet:host:port", "inet:port@host", "*" and bare IPv6 addresses in the one
 * form that libmilter reads. */
static slice
libmilter_address(struct arena *arena, slice address)
{
	slice rest = slice_from(address, slice_index(address, ':') + 1);
	size_t at = slice_index(rest, '@');
	size_t colon = slice_last_index(rest, ':');
	slice port = slice_first(rest, at);
	slice host = slice_from(rest, at + 1);
	bool is_ip6;

	if (socket_is_unix(address))
		return address;
	if (at == rest.len && colon < rest.len) {
		host = slice_first(rest, colon);
		port = slice_from(rest, colon + 1);
	}
	if (host.len > 1 && host.ptr[0] == '[')
		host = (slice){host.ptr + 1, host.len - 2};
	if (host.len == 0 || slice_eq(host, SLICE("*")))
		return arena_printf(arena, "inet:" SLICE_FMT, SLICE_ARG(port));
	is_ip6 = slice_index(host, ':') < host.len;
	if (is_ip6)
		return arena_printf(arena,
		    "inet6:" SLICE_FMT "@[" SLICE_FMT "]", SLICE_ARG(port),
		    SLICE_ARG(host));
	return arena_printf(arena, "inet:" SLICE_FMT "@" SLICE_FMT,
	    SLICE_ARG(port), SLICE_ARG(host));
}

static bool
register_callbacks(void)
{
	struct smfiDesc description = {
	    .xxfi_name = (char[]){"milterd"},
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_flags = SMFIF_QUARANTINE | SMFIF_CHGHDRS | SMFIF_ADDHDRS |
			  SMFIF_CHGBODY | SMFIF_CHGFROM | SMFIF_ADDRCPT |
			  SMFIF_ADDRCPT_PAR | SMFIF_DELRCPT,
	    .xxfi_negotiate = on_negotiate,
	    .xxfi_connect = on_connect,
	    .xxfi_helo = on_helo,
	    .xxfi_envfrom = on_envfrom,
	    .xxfi_envrcpt = on_envrcpt,
	    .xxfi_header = on_header,
	    .xxfi_body = on_body,
	    .xxfi_eom = on_eom,
	    .xxfi_abort = on_abort,
	    .xxfi_close = on_close,
	};

	return smfi_register(description) == MI_SUCCESS &&
	       smfi_settimeout(IDLE_SECONDS) == MI_SUCCESS &&
	       smfi_setbacklog(BACKLOG) == MI_SUCCESS;
}

bool
callbacks_open(struct service *service, slice address,
    const struct socket_owner *owner, struct error *error)
{
	struct arena *arena = arena_new(0);
	slice text = libmilter_address(arena, address);
	mode_t old_mask;
	int status;

	the_service = service;
	if (text.len < sizeof(the_address))
		memcpy(the_address, text.ptr, text.len);
	the_address[text.len < sizeof(the_address) ? text.len : 0] = '\0';
	arena_free(arena);
	if (!socket_remove_stale(address, error))
		return false;
	/* Nobody may connect before the socket has its owner and mode. */
	old_mask = umask(0777);
	errno = 0;
	status = register_callbacks() && smfi_setconn(the_address) == MI_SUCCESS
		     ? smfi_opensocket(false)
		     : MI_FAILURE;
	(void)umask(old_mask);
	if (status == MI_SUCCESS)
		return socket_set_owner(address, owner, error);
	(void)error_set(error, "socket: cannot listen at %s: %s", the_address,
	    errno == 0 ? "libmilter refuses it" : strerror(errno));
	if (error != NULL)
		error->exit_code = EX_CANTCREAT;
	return false;
}

slice
callbacks_address(void)
{
	return slice_from_cstr(the_address);
}

bool
callbacks_run(void)
{
	return smfi_main() == MI_SUCCESS;
}
