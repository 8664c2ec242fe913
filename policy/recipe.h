/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recipes in procmail's own language (procmailrc(5), procmailsc(5)), decided
 * at the end of a message for one recipient. What each thing means was
 * measured with procmail 3.22; milterd-recipes(5) lists what differs.
 *
 * A struct recipe_file is one parsed rc file: immutable, used by any number
 * of threads and messages. It lives in the arena it was read into, but
 * recipe_file_free() has to be called before that arena is freed.
 *
 * recipe_run() is pure: it asks the world through its ports alone, changes
 * nothing, and says what is to be done with the message. Nothing it does can
 * last or grow without bound: a limit that is hit ends the run, and the result
 * names it; the mail is then to be deferred.
 */
#ifndef POLICY_RECIPE_H
#define POLICY_RECIPE_H

#include "base/arena.h"
#include "base/error.h"

struct recipe_file;

/* What is wrong with a file, and what procmail would say when it ran it:
 * "Skipped ...", "Missing action". Told with file and line; none of it makes
 * the file useless. */
typedef void recipe_warn(void *context, const char *text);

/* NULL only when the file is beyond all bounds (a NUL byte, longer than
 * RECIPE_FILE_MAX, nested too deeply); then `error` says where. */
#define RECIPE_FILE_MAX (1024 * 1024)
struct recipe_file *recipe_file_read(struct arena *arena, const char *path,
    slice text, recipe_warn *warn, void *context, struct error *error);
void recipe_file_free(struct recipe_file *file);

const char *recipe_file_path(const struct recipe_file *file);
size_t recipe_file_recipes(const struct recipe_file *file);
/* May a recipe of it look at the body, or hand it on? (INCLUDERC and SWITCHRC
 * may name other files: then the answer is yes.) */
bool recipe_file_needs_body(const struct recipe_file *file);

struct recipe_variable {
	slice name;
	slice value;
};

/* A program to run. */
struct recipe_command {
	/* The words, expanded; count 0: the line is for a shell, which the
	 * port may refuse. */
	const slice *words;
	size_t word_count;
	slice line;
	slice input;
	bool wants_output;
	const struct recipe_variable *variables; /* its environment */
	size_t variable_count;
};

enum recipe_program_end {
	RECIPE_PROGRAM_EXITED,
	RECIPE_PROGRAM_MISSING, /* as a missing program would fail */
	RECIPE_PROGRAM_FAILED,	/* killed, too much output */
	RECIPE_PROGRAM_TOO_SLOW, /* the run ends with limit "time" */
};

struct recipe_program_result {
	enum recipe_program_end end;
	int status; /* exit status */
	slice output;
	bool has_read_all; /* of its input */
};

struct recipe_ports {
	void *context;
	/* NULL: no program can be found. Output in the arena. */
	void (*run_program)(void *context, struct arena *arena,
	    const struct recipe_command *command,
	    struct recipe_program_result *ret);
	/* An rc file named by INCLUDERC or SWITCHRC, which must last as long as
	 * the run; NULL when it cannot be read. The port may be NULL. */
	const struct recipe_file *(*read_file)(void *context, slice path);
	/* HEADER_DECODED and BODY_DECODED: the area in UTF-8. NULL: as the
	 * area itself. */
	slice (*decode)(void *context, struct arena *arena, slice header,
	    slice body, bool wants_body);
};

/* 0 stands for the default of each. */
struct recipe_limits {
	unsigned steps;	       /* statements and conditions, 100000 */
	unsigned depth;	       /* of rc files in rc files, 32 */
	unsigned deliveries;   /* 100 */
	unsigned programs;     /* 100 */
	size_t text;	       /* bytes of all expansions and outputs,
				  64 MB and four times the message */
};

struct recipe_input {
	/* "From a@b Sat Nov 28 20:00:00 2026\n", as procmail gets it from an
	 * MTA; it counts in sizes and can be matched. */
	slice from_line;
	slice header; /* lines end in LF, the empty line at its end included */
	slice body;
	/* LOGNAME, HOME, HOST, DEFAULT, ORGMAIL, MAILDIR, SENDMAIL, ... */
	const struct recipe_variable *variables;
	size_t variable_count;
	const slice *arguments; /* $1, $2 ... */
	size_t argument_count;
	/* How the message is known: what is said of it is kept (as VERBOSE=yes
	 * tells it). */
	bool is_verbose;
};

enum recipe_delivery_kind {
	RECIPE_KEEP,	/* to the recipient, as if there were no recipes */
	RECIPE_FORWARD, /* to `addresses` */
	RECIPE_FOLDER,	/* `name` as it stands in the recipe, expanded */
	RECIPE_DROP,	/* /dev/null */
	RECIPE_PROGRAM, /* a program has taken it: done */
};

struct recipe_delivery {
	enum recipe_delivery_kind kind;
	slice name; /* the folder, the program */
	const slice *addresses;
	size_t address_count;
	/* What is delivered, without the From_ line: the input's own slices
	 * where nothing was changed. */
	slice header;
	slice body;
	const char *file; /* the recipe that did it; NULL: the end */
	unsigned line;
	struct recipe_delivery *next;
};

enum recipe_header_kind {
	RECIPE_ADD_HEADER,
	RECIPE_CHANGE_HEADER, /* the first of the name, or added */
	RECIPE_REMOVE_HEADER, /* all of the name */
};

/* SMTP_ADD_HEADER and its like. */
struct recipe_header_edit {
	enum recipe_header_kind kind;
	slice name;
	slice value;
	struct recipe_header_edit *next;
};

struct recipe_note {
	const char *file;
	unsigned line;
	slice text;
	bool is_warning; /* procmail logs it without VERBOSE too */
	struct recipe_note *next;
};

struct recipe_result {
	/* In the order they happened; at least one, unless `is_lost`. */
	struct recipe_delivery *deliveries;
	size_t delivery_count;
	/* HOST was not ours: nothing is delivered, and nobody is told. */
	bool is_lost;
	/* procmail's exit status, which the MTA would act upon: 0 but for
	 * EXITCODE. */
	int exit_code;
	slice reject;	  /* SMTP_REJECT, or empty */
	slice defer;	  /* SMTP_DEFER */
	slice quarantine; /* SMTP_QUARANTINE */
	struct recipe_header_edit *header_edits;
	struct recipe_note *notes;
	slice log; /* what LOG= was given */
	const char *limit; /* "steps", "time" ...; NULL: none was hit */
};

/* Runs the files one after the other, as if each were switched to at the end
 * of the one before. All of the result lives in `arena` or as long as the
 * input and the files. */
struct recipe_result recipe_run(struct arena *arena,
    const struct recipe_file *const *files, size_t file_count,
    const struct recipe_input *input, const struct recipe_ports *ports,
    const struct recipe_limits *limits);

/* The verdict that a deliverer's exit status would make of a recipient:
 * 0 none, 75 and 71 to 74 a deferral, others a refusal (sysexits.h as
 * sendmail's mailers use it). */
bool recipe_exit_is_temporary(int exit_code);

#endif
