/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What milterd.conf says, one field per word, in the words' own shapes and
 * nothing opened or looked up yet. Strings live in the arena given to
 * settings_read(). The words' table in settings.c is the only list of them:
 * name, type, default, bounds and one line of help.
 */
#ifndef MILTER_SETTINGS_H
#define MILTER_SETTINGS_H

#include "base/arena.h"
#include "base/error.h"
#include "policy/policy.h"

#include <sys/types.h>

struct string_list {
	slice *items;
	size_t count;
};

enum client_source { CLIENT_FROM_MTA, CLIENT_FROM_DNS };

struct settings {
	const char *path; /* the file that was read */

	/* Fixed at start; a reload does not change them. "unix:/path" or
	 * "inet:port@host"; empty: that door stays shut. */
	slice socket;
	slice policy_socket;
	slice socketmap_socket;
	slice control_socket;
	slice user;
	slice group;
	mode_t socket_mode;
	slice pid_file;
	slice log_facility;

	/* Of each generation. */
	slice hostname;
	struct string_list local_domain;
	struct string_list relay_domain;
	struct string_list trust_auth_mech;
	struct string_list access; /* paths; empty: no access map */
	struct string_list dnsbl;
	struct string_list enhdnsbl;
	enum client_source client_resolve;
	slice resolver; /* "address:port", empty: /etc/resolv.conf */
	bool allow_unsafe_files;
	int log_level;
	/* Options that policy/ reads as they are: delay_checks to
	 * max_hops are set here, pointers and lists are not. */
	struct policy options;
};

/* Reads and checks the file: unknown words, duplicates, wrong types and values
 * out of bounds are errors with file and line. */
bool settings_read(const char *path, struct arena *arena,
    struct settings *ret_settings, struct error *error);

/* One row of the words' table, for the manual's check and `milterctl`. */
struct settings_word {
	const char *name;
	const char *type;
	const char *initial;
	const char *help;
};
/* NULL-named row at the end. */
const struct settings_word *settings_words(void);

#endif
