/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The maps as tables of the MTAs, for the socketmap door.
 *
 * sendmail does the lookups itself, key by key, so it gets the maps as they
 * are, by the names that it calls them ("virtuser", "generics") or those of
 * the configuration. Postfix asks for whole addresses and domains and wants
 * the outcome, in the syntax of its own tables:
 *
 *	transport		mailertable, as transport(5)
 *	virtual_alias		domaintable, virtusertable, aliases and the
 *				users named in mailertable, as virtual(5)
 *	canonical		domaintable, as canonical(5)
 *	sender_canonical	what becomes of header senders
 *	recipient_canonical	what becomes of header recipients
 *	client_access		Connect: entries of access, as access(5)
 *	sender_access		From: entries
 *	recipient_access	To: entries and refusals by virtusertable and
 *				aliases
 */
#ifndef MILTER_TABLES_H
#define MILTER_TABLES_H

#include "maps/snapshot.h"
#include "policy/decide.h"

enum table_result { TABLE_FOUND, TABLE_MISSING, TABLE_TEMPFAIL, TABLE_UNKNOWN };

/* *ret_value is set with TABLE_FOUND; it lives in the decision's arena or as
 * long as the snapshot. TABLE_UNKNOWN: there is no such table. */
enum table_result tables_find(const struct decision *d,
    const struct snapshot *snapshot, slice name, slice key, slice *ret_value);

#endif
