/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this machine is called, found as sendmail finds it when it starts, but
 * without asking the DNS: from its node name, /etc/hosts and its network
 * interfaces.
 */
#ifndef MILTER_OWN_NAMES_H
#define MILTER_OWN_NAMES_H

#include "milter/settings.h"

struct own_names {
	/* The node name; where it has no dot, the first name with a dot on its
	 * first line in /etc/hosts. Lower case. */
	slice hostname;
	/* The node name, the names beside it in /etc/hosts, and in brackets
	 * its addresses there (the IPv6 ones, or if there are none the IPv4
	 * ones) and the IPv4 addresses of all interfaces that are up. */
	struct string_list names;
};

/* `hosts_path` and `node_name` may be NULL: the system's. */
void own_names_find(struct arena *arena, const char *hosts_path,
    const char *node_name, struct own_names *ret_own);

#endif
