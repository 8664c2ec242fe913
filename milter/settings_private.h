/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between settings.c and the two rooms behind it: settings_scan.c, which looks
 * the text through before the library does, and settings_value.c, which turns
 * a value's text into a field of struct settings and back.
 */
#ifndef MILTER_SETTINGS_PRIVATE_H
#define MILTER_SETTINGS_PRIVATE_H

#include "milter/settings.h"

enum field_type {
	FIELD_STRING,
	FIELD_LIST,
	FIELD_BOOL,
	FIELD_CHOICE,
	FIELD_NUMBER,
	FIELD_SIZE,
	FIELD_MODE,
	FIELD_DURATION, /* unsigned long, milliseconds */
};

struct choice {
	const char *text;
	int value;
};

/* NULL when the value will do, else what is wrong with it. Empty strings are
 * not asked about, empty items of a list are. */
typedef const char *judge(slice value);

/* A word's place in struct settings and what may stand there. */
struct settings_field {
	enum field_type type;
	size_t at;
	long min;
	long max;
	judge *judge;
	const struct choice *choices; /* the first text of a value is told */
};

#define SETTINGS_MAX_WORDS 160

/* One reading of one file. */
struct reading {
	const char *path;
	struct arena *arena;
	struct settings *settings;
	struct error *error;
	unsigned set_at[SETTINGS_MAX_WORDS]; /* line, 0: not set */
	bool failed;			     /* error is filled */
};

/* Fills the reading's error; always false. */
__attribute__((format(printf, 3, 4))) bool settings_refuse(
    struct reading *reading, unsigned line, const char *format, ...);
/* NULL for a name that is no word there; `section` is empty for the words of
 * none. ASCII case does not count. */
const struct settings_word *settings_find_word_in(slice section, slice name);
slice settings_section_of(const struct settings_word *word);

/* Refuses what the library would misread, notes where words are set, and
 * overwrites comments with blanks. `text` is NUL-terminated behind `len`. */
bool settings_scan(struct reading *reading, char *text, size_t len);

/* `value` is NUL-terminated behind its end. */
bool settings_set(struct reading *reading, const struct settings_word *word,
    slice value, unsigned line);

judge settings_judge_socket;
judge settings_judge_path;
judge settings_judge_folder_address;
judge settings_judge_account;
judge settings_judge_hostname;
judge settings_judge_name;
judge settings_judge_map;
judge settings_judge_luser_relay;
judge settings_judge_sender;
judge settings_judge_user_file;
judge settings_judge_dnsbl; /* settings_check_dnsbl(), or a file */
judge settings_judge_resolver;
judge settings_judge_facility;
judge settings_judge_redis_server;
judge settings_judge_redis_sentinel;
judge settings_judge_redis_prefix;
judge settings_judge_redis_name;

#endif
