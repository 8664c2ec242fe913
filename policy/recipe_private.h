/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the rooms of the recipe engine: recipe_parse.c makes statements of
 * a text, recipe_read.c reads flags and conditions, recipe_expand.c words and values, recipe_condition.c judges
 * conditions, recipe_action.c carries actions out and recipe_run.c goes from
 * statement to statement.
 */
#ifndef POLICY_RECIPE_PRIVATE_H
#define POLICY_RECIPE_PRIVATE_H

#include "base/strbuf.h"
#include "policy/recipe.h"
#include "policy/recipe_regex.h"

/*
 * What is parsed. Text that may hold `$` or quotes stays raw until it is run;
 * what it can be at the latest is made ready at once.
 */

enum condition_kind {
	CONDITION_REGEX,
	CONDITION_SMALLER, /* < */
	CONDITION_LARGER,  /* > */
	CONDITION_PROGRAM, /* ? */
	CONDITION_EXPAND,  /* $: to be expanded, then read again */
};

struct recipe_condition {
	unsigned line;
	slice raw; /* for notes, without the star */
	enum condition_kind kind;
	bool is_negated;
	bool is_weighted;
	double weight;
	double factor;
	slice variable; /* in front of "??", or empty */
	slice text;	/* expression, number or command */
	/* CONDITION_REGEX: without and with flag D; NULL: not for that. */
	struct recipe_regex *regex[2];
	struct recipe_condition *next;
};

/* A flag's place is its letter's. */
struct recipe_flags {
	bool has[128];
	bool is_locked; /* a second colon */
	const char *taken_back; /* by e: which flag; NULL: none */
};

enum action_kind {
	ACTION_FOLDER,
	ACTION_FORWARD,
	ACTION_PIPE,
	ACTION_CAPTURE, /* NAME=| command */
	ACTION_CAPTURE_FORWARD, /* NAME=! address */
	ACTION_BLOCK,
	ACTION_MISSING,
};

enum statement_kind { STATEMENT_ASSIGN, STATEMENT_UNSET, STATEMENT_RECIPE };

struct recipe_statement {
	enum statement_kind kind;
	unsigned line;
	slice name;  /* assigned, unset, captured */
	slice value; /* raw */

	slice head;		     /* raw: what stands behind ":0" */
	const struct recipe_flags *flags; /* NULL: head is to be expanded */
	struct recipe_condition *conditions;
	enum action_kind action;
	slice text; /* of the action, raw */
	struct recipe_statement *block;
	bool is_unclosed; /* the block ends with the file */

	struct recipe_statement *next;
};

struct recipe_file {
	const char *path;
	struct recipe_statement *first;
	struct recipe_regex **regexes;
	size_t regex_count;
	size_t regex_size;
	size_t recipes;
	bool needs_body;
};

/* Flags of an expanded head; *ret_skipped is the part that is none. */
void recipe_read_flags(
    slice head, struct recipe_flags *ret, slice *ret_skipped);

/* One condition's text without its star; expressions are not compiled. */
void recipe_read_condition(
    slice text, unsigned line, struct recipe_condition *ret);

bool recipe_is_name(char c, bool is_first);

/*
 * What is run.
 */

struct binding {
	slice name;
	slice value;
	bool is_unset;
	const struct binding *older;
};

/* A place in the program, and where to go on behind it. */
struct frame {
	const struct recipe_file *file;
	const struct recipe_statement *next;
	bool prev_matched; /* of the block around */
	bool last_matched;
	bool is_file; /* an rc file ends with it */
	bool keeps_state; /* a block that ends without a brace */
	unsigned depth;
	const struct frame *outer;
};

/* The message as it is now. Areas are made when they are first matched, with
 * the newlines around them that recipe_regex wants; NULL before that. */
struct mail {
	slice from_line;
	slice header;
	slice body;
	slice header_area; /* From_ line and header, folds joined */
	slice body_area;
	slice whole_area;
	slice decoded_header_area;
	slice decoded_body_area;
};

/* What a clone has of its own. Copied as it is. */
struct machine {
	struct run *run;
	const struct binding *variables;
	const struct frame *frame;
	struct mail *mail;
	const slice *arguments;
	size_t argument_count;
	bool prev_matched;
	bool last_matched;
	bool last_succeeded;
	int score;	   /* $= */
	int last_status;   /* $? */
	slice program;	   /* run last, as it was */
	size_t line_max;   /* LINEBUF */
	bool is_done;	   /* delivered, or ended for good */
	bool is_foreign;   /* done, as HOST is another */
	const char *file; /* of the statement at work */
	unsigned line;
};

/* What all clones share. */
struct run {
	struct arena *arena;
	const struct recipe_input *input;
	const struct recipe_ports *ports;
	struct recipe_limits limits;
	struct recipe_result *result;
	struct recipe_delivery **last_delivery;
	struct recipe_header_edit **last_edit;
	struct recipe_note **last_note;
	struct recipe_matcher matcher;
	struct strbuf log;
	unsigned steps;
	unsigned programs;
	size_t text;
};

/* Ends the run: its result names the limit. Always false. */
bool recipe_hit(struct machine *m, const char *limit);
bool recipe_is_over(const struct machine *m);
/* Counts `bytes` of new text; false when there are too many. */
/* Is the exit status of what it runs looked at? */
bool recipe_waits(const struct recipe_flags *flags);
bool recipe_wants_header(const struct recipe_flags *flags);
bool recipe_wants_body(const struct recipe_flags *flags);
bool recipe_spend_text(struct machine *m, size_t bytes);
bool recipe_spend_step(struct machine *m);
__attribute__((format(printf, 3, 4))) void recipe_note_add(
    struct machine *m, bool is_warning, const char *format, ...);

/* Variables. */
bool recipe_get(const struct machine *m, slice name, slice *ret_value);
slice recipe_value(const struct machine *m, slice name);
/* As strtol(3) reads it, or a word of yes, no or all; else the fallback. */
long recipe_number(slice text, long fallback);
/* As an assignment does, with all that follows from the name. */
void recipe_assign(struct machine *m, slice name, slice value);
void recipe_unset(struct machine *m, slice name);
void recipe_bind(struct machine *m, slice name, slice value);
/* What a program without success says of itself, where that is wanted. */
void recipe_tell_failure(struct machine *m, const struct recipe_flags *flags,
    int status, slice program);

/* Expansion. False when the result is longer than LINEBUF allows. */
bool recipe_expand_value(struct machine *m, slice raw, slice *ret_value);
struct recipe_words {
	slice *list;
	size_t count;
};
bool recipe_expand_words(
    struct machine *m, slice raw, struct recipe_words *ret_words);
/* Those of a program, whose arguments "$@" may be. */
bool recipe_expand_command(
    struct machine *m, slice raw, struct recipe_words *ret_words);
/* As behind a double quote: a condition behind `$`. */
bool recipe_expand_condition(struct machine *m, slice raw, slice *ret_text);

/* How long a text is that will be expanded, in what is left of an rc file. */
enum recipe_purpose { RECIPE_FOR_VALUE, RECIPE_FOR_WORDS, RECIPE_FOR_CONDITION };
struct recipe_extent {
	size_t end;  /* of what counts */
	size_t next; /* behind the blank, the comment or the line end */
	bool is_unclosed; /* a quote */
};
struct recipe_extent recipe_find_end(slice text, enum recipe_purpose purpose);

/* Conditions. */
enum recipe_judgement { RECIPE_FAILS, RECIPE_HOLDS, RECIPE_STOPS };
enum recipe_judgement recipe_judge(struct machine *m,
    const struct recipe_statement *recipe, const struct recipe_flags *flags);

/* Mail. The area is one of H, B, HB, BH, HEADER_DECODED and BODY_DECODED;
 * false for other names. */
bool recipe_mail_area(struct machine *m, slice name, slice *ret_area);
size_t recipe_mail_size(const struct mail *mail);
/* What a program is given: header, body or both, the From_ line with the
 * header. */
slice recipe_mail_text(
    struct machine *m, bool with_header, bool with_body);
/* What a program is given of it that takes it as mail: by the flags h and b,
 * and with one more line end where it has no empty line at its end and no flag
 * r. NULL: no flags. */
slice recipe_program_text(
    struct machine *m, const struct recipe_flags *flags);
/* The text with that line end, where it is wanted. */
slice recipe_with_line_end(
    struct machine *m, slice text, const struct recipe_flags *flags);
/* "From ..." at the front of a text, or nothing. */
slice recipe_take_from_line(slice *text);
/* What a filter made of it. */
void recipe_mail_replace(
    struct machine *m, slice text, bool with_header, bool with_body);

/* Programs. `raw` is the command line; the status is 127 when there is none.
 * False: a limit was hit. */
bool recipe_run_command(struct machine *m, slice raw, slice input,
    bool wants_output, struct recipe_program_result *ret);

/* Actions: true when it succeeded; the mail may be done then. */
bool recipe_act(struct machine *m, const struct recipe_statement *recipe,
    const struct recipe_flags *flags);

#endif
