/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host names as the policy asks the world for them.
 */
#ifndef POLICY_HOST_H
#define POLICY_HOST_H

#include "policy/decide.h"

/* ports->find_host without the name's quotes; a name found without a dot
 * (in /etc/hosts) gets the domain of this host, as sendmail's $[name$] gives
 * it, unless it was looked for by its address. */
enum world_answer host_find(
    const struct decision *d, slice name, slice *ret_canonical);

/* The text as a key of a map or a name for the DNS: without quotes, each
 * backslash for the byte behind it, and a blank between atoms as a dot. The
 * text itself where there are none. */
slice host_unquoted(struct arena *arena, slice text);

#endif
