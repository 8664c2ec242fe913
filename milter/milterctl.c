/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * milterctl: asks the running daemon over its control socket, or a
 * configuration that is not in force (--config FILE) in its own process.
 *
 * Exit status: 0 done, 1 a negative answer (reload refused, key not found),
 * 3 milterd is not running, 64 bad usage or attributes, else sysexits(3).
 */
#include "milter/milterctl.h"

#include "milter/control_client.h"
#include "milter/load.h"
#include "milter/lookup.h"
#include "milter/settings.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif
#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#define DEFAULT_CONFIG SYSCONFDIR "/milterd/milterd.conf"

static const char usage_text[] =
    "usage: milterctl [-c FILE] [-s SOCKET] COMMAND\n"
    "  reload [--force] [--wait [SECONDS]]\n"
    "                                  read configuration and maps anew; in a\n"
    "                                  fleet publish them\n"
    "  nodes [--json]                  the fleet, and what each node serves\n"
    "  status [--json]                 what the daemon serves and has done\n"
    "  stats [--json]                  messages, bytes and verdicts so far\n"
    "  lookup [--config FILE] MAP KEY  one lookup, with file and line\n"
    "  access add KEY VALUE TTL        an entry of the access map for a while\n"
    "  access del KEY | list [--json]  (90s, 30m, 12h, 7d)\n"
    "  vacation list [USER]            whom vacation has answered\n"
    "  vacation forget USER [SENDER]   as if he had not been\n"
    "  explain [--config FILE] [--json] [--trace] [--ATTRIBUTE VALUE ...]\n"
    "                                  the policy's answer to a session;\n"
    "                                  without attributes: blocks of\n"
    "                                  name=value lines on standard input\n"
    "  recipe check FILE ...           what is wrong with files of recipes\n"
    "  recipe run [--sender A] [--recipient A] [--var NAME=VALUE]\n"
    "             [--programs DIRECTORY] [--text] FILE\n"
    "                                  what it would do with the message on\n"
    "                                  standard input, and why\n"
    "  rewrite [--as PLACE] [--local] [--config FILE] [--json] [--trace]\n"
    "          [ADDRESS ...]           what addresses become; without any:\n"
    "                                  one a line on standard input\n";

int
milterctl_usage(const char *problem)
{
	if (problem != NULL)
		(void)fprintf(stderr, "milterctl: %s\n", problem);
	(void)fputs(usage_text, stderr);
	return EX_USAGE;
}

int
milterctl_fail(const struct error *error)
{
	char text[1024];

	(void)fprintf(
	    stderr, "milterctl: %s\n", error_format(error, text, sizeof(text)));
	return error->exit_code == 0 ? EX_CONFIG : error->exit_code;
}

bool
milterctl_print(slice text)
{
	return fwrite(text.ptr, 1, text.len, stdout) == text.len;
}

/* -s, or the control_socket of the daemon's configuration. */
bool
milterctl_find_socket(struct milterctl *ctl, struct error *error)
{
	struct settings settings;

	if (ctl->socket.len > 0)
		return true;
	if (!settings_read(ctl->config, ctl->arena, &settings, error))
		return false;
	if (settings.control_socket.len == 0)
		return error_at(
		    error, ctl->config, 0, "control_socket is not set");
	ctl->socket = settings.control_socket;
	return true;
}

int
milterctl_ask_and_print(struct milterctl *ctl, slice request, slice *ret_body)
{
	struct error error = {0};
	bool is_good =
	    milterctl_find_socket(ctl, &error) &&
	    control_ask(ctl->socket, request, ctl->arena, ret_body, &error);

	if (!is_good)
		return milterctl_fail(&error);
	return milterctl_print(*ret_body) ? EX_OK : EX_IOERR;
}

/* "status" and "stats": one option, no arguments. */
static int
ask_for_report(struct milterctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
	    {"json", no_argument, NULL, 'j'},
	    {NULL, 0, NULL, 0},
	};
	const char *format = "text";
	slice body;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'j')
			return milterctl_usage(NULL);
		format = "json";
	}
	if (optind != argc)
		return milterctl_usage("this command takes no arguments");
	return milterctl_ask_and_print(
	    ctl, arena_printf(ctl->arena, "%s %s\n", argv[0], format), &body);
}

static int
lookup_in_file(struct milterctl *ctl, const char *config, char **argv)
{
	struct error error = {0};
	struct generation *generation = load_generation(config, 1, &error);
	struct strbuf out;
	bool is_good;

	if (generation == NULL)
		return milterctl_fail(&error);
	strbuf_init(&out, ctl->arena);
	is_good = lookup_write(generation->snapshot, slice_from_cstr(argv[0]),
	    slice_from_cstr(argv[1]), &out, &error);
	generation_release(generation);
	if (!is_good)
		return milterctl_fail(&error);
	(void)milterctl_print(strbuf_slice(&out));
	return out.len == 0 ? 1 : EX_OK;
}

static int
lookup_in_daemon(struct milterctl *ctl, char **argv)
{
	slice body = SLICE("");
	int status;

	if (strpbrk(argv[0], " \n") != NULL || strchr(argv[1], '\n') != NULL)
		return milterctl_usage("no such name or key can be");
	status = milterctl_ask_and_print(ctl,
	    arena_printf(ctl->arena, "lookup %s %s\n", argv[0], argv[1]),
	    &body);
	return status == EX_OK && body.len == 0 ? 1 : status;
}

static int
command_lookup(struct milterctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'C'},
	    {NULL, 0, NULL, 0},
	};
	const char *config = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c != 'C')
			return milterctl_usage(NULL);
		config = optarg;
	}
	if (argc - optind != 2)
		return milterctl_usage("lookup takes a map and a key");
	return config == NULL ? lookup_in_daemon(ctl, argv + optind)
			      : lookup_in_file(ctl, config, argv + optind);
}

static bool
has_line_end(const char *text)
{
	return strpbrk(text, "\r\n") != NULL;
}

static int
access_add(struct milterctl *ctl, char **argv)
{
	slice body;

	for (int i = 0; i < 3; i++) {
		if (argv[i][0] == '\0' || has_line_end(argv[i]) ||
		    (i != 1 && strchr(argv[i], ' ') != NULL))
			return milterctl_usage(
			    "no such key, value or time can be");
	}
	return milterctl_ask_and_print(ctl,
	    arena_printf(
		ctl->arena, "access add %s %s %s\n", argv[2], argv[0], argv[1]),
	    &body);
}

static int
access_list(struct milterctl *ctl, int argc, char **argv)
{
	bool as_json = argc == 1 && strcmp(argv[0], "--json") == 0;
	slice body;

	if (argc > 0 && !as_json)
		return milterctl_usage("access list takes --json alone");
	return milterctl_ask_and_print(ctl,
	    as_json ? SLICE("access list json\n") : SLICE("access list text\n"),
	    &body);
}

static int
command_access(struct milterctl *ctl, int argc, char **argv)
{
	slice body;

	if (argc == 5 && strcmp(argv[1], "add") == 0)
		return access_add(ctl, argv + 2);
	if (argc >= 2 && strcmp(argv[1], "list") == 0)
		return access_list(ctl, argc - 2, argv + 2);
	if (argc != 3 || strcmp(argv[1], "del") != 0)
		return milterctl_usage("access takes add KEY VALUE TTL, "
				       "del KEY or list [--json]");
	if (strpbrk(argv[2], " \r\n") != NULL)
		return milterctl_usage("no such key can be");
	return milterctl_ask_and_print(
	    ctl, arena_printf(ctl->arena, "access del %s\n", argv[2]), &body);
}

static int
command_vacation(struct milterctl *ctl, int argc, char **argv)
{
	bool is_list = argc >= 2 && strcmp(argv[1], "list") == 0;
	bool is_forget = argc >= 2 && strcmp(argv[1], "forget") == 0;
	slice body;

	if (!(is_list && argc <= 3) && !(is_forget && (argc == 3 || argc == 4)))
		return milterctl_usage("vacation takes list [USER] or forget "
				       "USER [SENDER]");
	for (int i = 2; i < argc; i++) {
		if (argv[i][0] == '\0' || strpbrk(argv[i], " \r\n") != NULL)
			return milterctl_usage("no such name can be");
	}
	return milterctl_ask_and_print(ctl,
	    arena_printf(ctl->arena, "vacation %s%s%s%s%s\n", argv[1],
		argc > 2 ? " " : "", argc > 2 ? argv[2] : "",
		argc > 3 ? " " : "", argc > 3 ? argv[3] : ""),
	    &body);
}

/* clang-format off */
static const struct command {
	const char *name;
	int (*run)(struct milterctl *ctl, int argc, char **argv);
} commands[] = {
	{"reload", milterctl_reload},
	{"nodes", ask_for_report},
	{"status", ask_for_report},
	{"stats", ask_for_report},
	{"lookup", command_lookup},
	{"access", command_access},
	{"vacation", command_vacation},
	{"explain", milterctl_explain},
	{"recipe", milterctl_recipe},
	{"rewrite", milterctl_rewrite},
};
/* clang-format on */

static int
run_command(struct milterctl *ctl, int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(argv[0], commands[i].name) == 0) {
			optind = 0;
			return commands[i].run(ctl, argc, argv);
		}
	}
	return milterctl_usage("no such command");
}

int
main(int argc, char **argv)
{
	struct milterctl ctl = {.config = DEFAULT_CONFIG};
	int status;
	int c;

	while ((c = getopt(argc, argv, "+c:s:V")) != -1) {
		switch (c) {
		case 'c':
			ctl.config = optarg;
			break;
		case 's':
			ctl.socket = slice_from_cstr(optarg);
			break;
		case 'V':
			(void)puts("milterctl " PACKAGE_VERSION);
			return EX_OK;
		default:
			return milterctl_usage(NULL);
		}
	}
	if (optind == argc)
		return milterctl_usage("a command is missing");
	ctl.arena = arena_new(0);
	status = run_command(&ctl, argc - optind, argv + optind);
	arena_free(ctl.arena);
	if (fflush(stdout) != 0 && status == EX_OK)
		status = EX_IOERR;
	return status;
}
