/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The socketmap protocol, which both MTAs speak: netstrings "NAME KEY" in,
 * "OK data", "NOTFOUND ", "TEMP reason" or "PERM reason" out. NAME is that of a
 * map of the snapshot ("access"), whose values are given as the file has them,
 * or that of a table that milter/tables.h makes of them.
 */
#ifndef MILTER_SOCKETMAP_H
#define MILTER_SOCKETMAP_H

#include "milter/service.h"
#include "milter/settings.h"

/* Opens the door that `socketmap_socket` names; an empty one is no error. To
 * be called before privileges are dropped; server_run_all() starts it. */
bool socketmap_start(struct service *service, const struct settings *settings,
    struct error *error);

#endif
