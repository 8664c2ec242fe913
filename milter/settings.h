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

void string_list_add(struct arena *arena, struct string_list *list, slice item);

enum large_messages { LARGE_PASS, LARGE_DEFER, LARGE_REJECT };
enum client_source { CLIENT_FROM_MTA, CLIENT_FROM_DNS };

struct vacation_settings {
	slice message; /* where users' templates are; empty: no vacation */
	unsigned long interval_ms;
	unsigned long interval_min_ms;
	struct string_list exclude;
	bool answers_submitted;
	int rate; /* replies a minute, 0: no limit */
};

/* What a client can make grow, bounded. */
struct limits {
	int recipients;		    /* of a message, kept for rewriting */
	int header_lines;	    /* address fields kept for rewriting */
	unsigned long header_bytes; /* of their values */
	unsigned long body_kept;    /* bytes of a message kept for recipes */
	int program_seconds;	    /* for all programs of a message */
	int reply_length;	    /* bytes of a reply's text */
	unsigned long request_size; /* policy service and socketmap */
	int clients;		    /* of each of these two doors at once */
	int control_clients;	    /* of the control socket at once */
	int dynamic_entries;	    /* of the access map */
	int spool_entries;	    /* copies and replies that wait */
	unsigned long spool_bytes;
};

/* The section redis; see maps/redis.h. Fixed at start. */
struct redis_settings {
	slice server; /* with no sentinels either: no Redis */
	struct string_list sentinels;
	slice master;
	slice user;
	slice password_file;
	slice sentinel_password_file;
	int database;
	slice prefix;
	unsigned long timeout_ms;
	bool tls;
	slice tls_ca_file;
	slice tls_cert_file;
	slice tls_key_file;
	slice tls_server_name;
};

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
	slice state_directory;
	slice sendmail_path;
	slice log_facility;
	slice resolver; /* "address:port", empty: /etc/resolv.conf */
	struct redis_settings redis;

	/* Of each generation. */
	slice hostname; /* as written; empty: the machine's own, see load.h */
	struct string_list local_domain;
	struct string_list relay_domain;
	struct string_list trust_auth_mech;
	/* Maps: paths, without "text:" but with "pcre:"; empty: no map. */
	struct string_list access;
	struct string_list domaintable;
	struct string_list virtusertable;
	struct string_list aliases;
	struct string_list recipes; /* paths */
	slice user_recipes;	    /* a path with %u, %d or %h, or empty */
	slice folder_address;
	slice program_directory;
	enum large_messages large_messages;
	struct string_list genericstable;
	struct string_list mailertable;
	struct string_list virtuser_domain;
	struct string_list generics_domain;
	struct string_list masquerade_domain;
	struct string_list masquerade_exception;
	struct string_list exposed_user;
	struct string_list dnsbl;
	struct string_list enhdnsbl;
	struct vacation_settings vacation;
	enum client_source client_resolve;
	bool allow_unsafe_files;
	int log_level;
	struct limits limits;
	/* Options that policy/ reads as they are: booleans, choices, numbers
	 * and names are set here, pointers to maps, classes and lists are
	 * not. */
	struct policy options;
};

/* Reads and checks the file: unknown words, duplicates, wrong types and values
 * out of bounds are errors with file and line; error->exit_code is EX_NOINPUT
 * for a file that is missing, EX_NOPERM for one that may not be read or that
 * others may write, EX_CONFIG for bad content. A file that group or others may
 * write is always refused; its directories are judged as those of maps are,
 * and may be excused by allow_unsafe_files. Any thread may call it: the
 * library's scanner is global, so one file is read at a time. */
bool settings_read(const char *path, struct arena *arena,
    struct settings *ret_settings, struct error *error);

/* NULL when the text is "zone" or "zone message" as in dnsbl, else what is
 * wrong with it. */
const char *settings_check_dnsbl(slice item);

struct settings_field;

/* One row of the words' table, for the manual's check, `milterctl` and
 * reload's report. */
struct settings_word {
	const char *name; /* in a section: "section.word" */
	const char *type;
	const char *initial; /* as one would write it; "" for none */
	const char *help;
	bool is_fixed; /* takes effect only at the next start */
	const struct settings_field *field;
};
/* NULL-named row at the end. */
const struct settings_word *settings_words(void);
/* What the word says in these settings, bare: no quotes, ", " between the
 * items of a list. */
slice settings_value(const struct settings *settings,
    const struct settings_word *word, struct arena *arena);
/* A copy that lives as long as the arena. */
void settings_copy(const struct settings *settings, struct arena *arena,
    struct settings *ret_copy);
/* Gives `settings` the fixed words' values of those in force, which are
 * copied. */
void settings_keep_fixed(struct settings *settings,
    const struct settings *in_force, struct arena *arena);

#endif
