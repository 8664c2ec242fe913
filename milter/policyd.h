/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Postfix's policy delegation protocol: the door that grants relaying.
 * Requests are lines of name=value with an empty line behind them; the answer
 * is an action for smtpd_relay_restrictions, where the service stands before
 * reject_unauth_destination:
 *
 *	OK			the policy grants relaying to a host that is
 *				not this one
 *	CODE ENHANCED TEXT	it refuses
 *	DISCARD			it discards the mail
 *	HOLD REASON		it quarantines it, without granting relaying
 *	DEFER_IF_PERMIT TEXT	it could not be asked
 *	DUNNO			anything else
 *
 * Of mail that ends on this host a refusal is left to the milter, which gives
 * it in sendmail's very words; Postfix decorates what it hears here. Where the
 * recipient is foreign, reject_unauth_destination stands behind a DUNNO.
 *
 * Only the state RCPT is judged. A refusal or discard given here is logged
 * here, since the milter will not see that recipient; all else the milter
 * logs.
 */
#ifndef MILTER_POLICYD_H
#define MILTER_POLICYD_H

#include "milter/service.h"
#include "milter/settings.h"

/* Opens the door that `policy_socket` names; an empty one is no error. To be
 * called before privileges are dropped; server_run_all() starts it. */
bool policyd_start(struct service *service, const struct settings *settings,
    struct error *error);

#endif
