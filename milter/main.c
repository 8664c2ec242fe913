/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * milterd: start, signals, end.
 *
 * The order of the start: everything that may be refused comes before the
 * parent is told that all is well; sockets and the pid file before privileges
 * are dropped; threads after the fork. Every thread but this one blocks the
 * signals that end or reload. libmilter waits for HUP, TERM and INT in a thread
 * of its own and would stop on each of them; the kernel offers a signal of the
 * process to the main thread first, if that does not block it and has no other
 * signal pending. Hence USR1 is not for this thread: one of its own waits for
 * it, so that a HUP right behind a USR1 comes here too.
 *
 * The end: no new connections, no new mail on those there are, a while for
 * messages that have begun. Then the process ends under libmilter, which is
 * never told to stop: smfi_stop() waits up to five seconds for a listener that
 * destroys the very lock it waits for, and leaves open sessions unserved all
 * the same. Its workers may still run, so nothing that they use is torn down.
 */
#include "milter/callbacks.h"
#include "milter/control.h"
#include "base/deadline.h"
#include "milter/dynamic.h"
#include "milter/gate.h"
#include "milter/log.h"
#include "milter/policyd.h"
#include "milter/process.h"
#include "milter/reload.h"
#include "milter/replica.h"
#include "milter/server.h"
#include "milter/socketmap.h"
#include "milter/spool.h"
#include "milter/threads.h"
#include "milter/vacation_claim.h"
#include "milter/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include <libmilter/mfapi.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

enum { FILES_FLOOR = 256, DRAIN_MS = 15000, LOOK_MS = 20 };

struct options {
	const char *config;
	bool foreground;
	bool test_only;
	bool log_to_stderr;
};

/* What wakes the main thread. The write end is for handlers and threads; it
 * never blocks, and a byte that does not fit is one of many. */
static int wake_pipe[2] = {-1, -1};
static atomic_bool reload_wanted;

enum event {
	EVENT_NONE,
	EVENT_RELOAD,
	EVENT_DRAIN,  /* TERM */
	EVENT_STOP,   /* INT */
	EVENT_FAILED, /* libmilter has given up */
};

static void
wake_main(enum event event)
{
	char byte = (char)event;
	int saved = errno;
	ssize_t n;

	do
		n = write(wake_pipe[1], &byte, 1);
	while (n < 0 && errno == EINTR);
	errno = saved;
}

/* However often it is asked for before it begins, one reload serves all. */
static void
want_reload(void)
{
	if (!atomic_exchange(&reload_wanted, true))
		wake_main(EVENT_RELOAD);
}

static void
on_signal(int number)
{
	if (number == SIGHUP)
		want_reload();
	else
		wake_main(number == SIGTERM ? EVENT_DRAIN : EVENT_STOP);
}

static sigset_t
signals_of_main(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	return set;
}

/* A TERM that came to libmilter after all, behind the main thread's back, still
 * ends the process in good order, if not after its messages. */
static void *
run_libmilter(void *unused)
{
	sigset_t set = signals_of_main();

	(void)unused;
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	wake_main(callbacks_run() ? EVENT_STOP : EVENT_FAILED);
	return NULL;
}

static void *
run_usr1(void *unused)
{
	sigset_t set;
	int number;

	(void)unused;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	for (;;) {
		if (sigwait(&set, &number) == 0)
			want_reload();
	}
	return NULL;
}

static void
print_usage(FILE *to)
{
	(void)fputs(
	    "usage: milterd [-ef] [-c FILE]\n"
	    "       milterd -t [-c FILE]\n"
	    "       milterd -V | -h\n"
	    "  -c, --config FILE  the configuration, instead of " SYSCONFDIR
	    "/milterd/milterd.conf\n"
	    "  -e, --log-stderr   the maillog to standard error\n"
	    "  -f, --foreground   do not become a daemon\n"
	    "  -t, --test         test the configuration and its maps, "
	    "and exit\n"
	    "  -V, --version      version and build options\n"
	    "  -h, --help         this\n",
	    to);
}

static void
print_version(void)
{
	unsigned major;
	unsigned minor;
	unsigned patch;

	(void)smfi_version(&major, &minor, &patch);
	(void)printf("milterd %s\n", PACKAGE_VERSION);
	(void)printf("libmilter %u.%u.%u\n", major, minor, patch);
	(void)printf("configuration: %s\n", SYSCONFDIR "/milterd/milterd.conf");
}

static int
complain(const char *what, const struct error *error)
{
	char text[1024];

	(void)fprintf(stderr, "milterd: %s%s\n", what,
	    error_format(error, text, sizeof(text)));
	return error->exit_code == 0 ? EX_CONFIG : error->exit_code;
}

/* -1: go on; else the status to exit with. */
static int
read_options(int argc, char **argv, struct options *ret)
{
	static const struct option known[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"log-stderr", no_argument, NULL, 'e'},
	    {"foreground", no_argument, NULL, 'f'},
	    {"test", no_argument, NULL, 't'},
	    {"version", no_argument, NULL, 'V'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	*ret = (struct options){.config = SYSCONFDIR "/milterd/milterd.conf"};
	while ((c = getopt_long(argc, argv, "c:efhtV", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			ret->config = optarg;
			break;
		case 'e':
			ret->log_to_stderr = true;
			break;
		case 'f':
			ret->foreground = true;
			break;
		case 't':
			ret->test_only = true;
			break;
		case 'V':
			print_version();
			return EX_OK;
		case 'h':
			print_usage(stdout);
			return EX_OK;
		default:
			print_usage(stderr);
			return EX_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	(void)fprintf(stderr, "milterd: what is \"%s\"?\n", argv[optind]);
	print_usage(stderr);
	return EX_USAGE;
}

static void
print_warnings(const struct generation *generation)
{
	for (size_t i = 0; i < generation->warning_count; i++)
		(void)fprintf(stderr, "milterd: " SLICE_FMT "\n",
		    SLICE_ARG(generation->warnings[i]));
}

static bool
test_redis(const struct settings *settings, struct error *error)
{
	struct redis_state *state;

	if (!redis_is_configured(settings))
		return true;
	state = redis_state_new(settings, NULL, error);
	redis_state_free(state);
	return state != NULL;
}

/* In a fleet a node may have no files; then these are its settings alone. */
static struct generation *
load_settings(const char *path, bool is_test, struct error *error)
{
	struct arena *arena = arena_new(0);
	struct snapshot *nothing = snapshot_new();
	struct generation *generation = NULL;
	struct settings settings;

	if (settings_read(path, arena, &settings, error)) {
		if (!redis_is_configured(&settings) ||
		    (is_test && load_has_files(&settings)))
			generation = load_generation(path, 1, error);
		else
			generation =
			    load_generation_of(&settings, nothing, 1, error);
	}
	snapshot_release(nothing);
	arena_free(arena);
	return generation;
}

/* A socket, a user and the like are judged by -t as far as that goes without
 * touching them. */
static int
test_configuration(const char *path)
{
	struct error error = {.text = ""};
	struct generation *generation = load_settings(path, true, &error);
	struct identity identity;
	int status = EX_OK;

	if (generation == NULL)
		return complain("", &error);
	print_warnings(generation);
	if (generation->settings->socket.len == 0) {
		(void)error_at(&error, path, 0, "\"socket\" is not set");
		status = complain("", &error);
	} else if (!process_find_identity(
		       generation->settings, &identity, &error) &&
		   error.exit_code != EX_NOPERM) {
		status = complain("", &error);
	}
	if (status == EX_OK && !test_redis(generation->settings, &error))
		status = complain("", &error);
	generation_release(generation);
	return status;
}

static bool
start_log(const struct options *options, const struct settings *settings,
    struct error *error)
{
	struct log_options log = {.facility = settings->log_facility,
	    .level = settings->log_level,
	    .to_stderr =
		options->log_to_stderr ||
		(options->foreground && access("/dev/log", W_OK) != 0)};

	/* For the few lines libmilter writes by itself. */
	openlog("milterd", LOG_PID, LOG_MAIL);
	return log_start(&log, error);
}

/* Handlers for this thread, all of them blocked until it is ready; threads
 * inherit that and leave it so. While a handler runs nothing is blocked: a
 * second HUP would go to libmilter then, which would stop. */
static void
set_signals(void)
{
	static const int numbers[] = {SIGHUP, SIGTERM, SIGINT};
	struct sigaction action = {
	    .sa_handler = on_signal, .sa_flags = SA_NODEFER};
	sigset_t set = signals_of_main();

	(void)sigemptyset(&action.sa_mask);
	(void)sigaddset(&set, SIGUSR1);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		(void)sigaction(numbers[i], &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void
listen_to_signals(void)
{
	sigset_t set = signals_of_main();

	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static bool
open_doors(struct service *service, const struct settings *settings,
    unsigned long file_limit, struct error *error)
{
	struct socket_owner owner;
	struct error no_gate;
	int listening;

	if (settings->socket.len == 0)
		return error_at(
		    error, settings->path, 0, "\"socket\" is not set");
	if (!socket_owner_from_settings(settings, &owner, error))
		return false;
	listening = gate_next_descriptor();
	if (!callbacks_open(service, settings->socket, &owner, error))
		return false;
	if (!gate_start(listening, file_limit, &no_gate))
		log_line(LOG_WARNING, "no gate before the milter socket: %s",
		    no_gate.text);
	return policyd_start(service, settings, error) &&
	       socketmap_start(service, settings, error) &&
	       control_start(service, settings, error);
}

static bool
start_resolver(struct service *service, const struct settings *settings,
    struct error *error)
{
	struct resolver_options options = {.server = settings->resolver};

	service->resolver = resolver_new(&options, error);
	return service->resolver != NULL;
}

static bool
start_spool(struct service *service, const struct settings *settings,
    struct error *error)
{
	struct spool_options options = {.directory = settings->state_directory,
	    .sendmail = settings->sendmail_path,
	    .entries_max = (unsigned long)settings->limits.spool_entries,
	    .bytes_max = settings->limits.spool_bytes,
	    .claim = vacation_claim,
	    .claim_context = service->store};

	if (settings->state_directory.len == 0)
		return true;
	/* Their programs that take mail in are set-group-id. */
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		log_line(LOG_WARNING,
		    "no_new_privs is set: Postfix's and sendmail's "
		    "sendmail(8) will take no mail from this process");
	return spool_start(&options, error);
}

static bool
start_redis(struct service *service, const struct settings *settings,
    struct error *error)
{
	if (!redis_is_configured(settings))
		return true;
	service->redis = redis_state_new(settings, service->resolver, error);
	return service->redis != NULL &&
	       replica_begin(service, settings, error);
}

static bool
start_threads(struct service *service, struct error *error)
{
	if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
		(void)error_set(error, "pipe: %s", strerror(errno));
		error->exit_code = EX_OSERR;
		return false;
	}
	server_run_all();
	if (!watch_start(callbacks_address(), error) ||
	    (service->redis != NULL &&
		!redis_state_start(service->redis, error)) ||
	    !replica_start(service, error) ||
	    !threads_start(NULL, run_usr1, NULL, error))
		return false;
	/* libmilter last: a signal before this thread listens would be its. */
	listen_to_signals();
	return threads_start(NULL, run_libmilter, NULL, error);
}

static bool
start(struct service *service, const struct options *options,
    struct generation *generation, struct error *error)
{
	const struct settings *settings = generation->settings;
	char pid_path[PATH_MAX];
	struct identity identity;
	unsigned long file_limit;

	(void)snprintf(pid_path, sizeof(pid_path), SLICE_FMT,
	    SLICE_ARG(settings->pid_file));
	set_signals();
	return process_raise_file_limit(FILES_FLOOR, &file_limit, error) &&
	       process_find_identity(settings, &identity, error) &&
	       process_write_pid(pid_path, error) &&
	       start_log(options, settings, error) &&
	       start_resolver(service, settings, error) &&
	       start_redis(service, settings, error) &&
	       open_doors(service, settings, file_limit, error) &&
	       process_become(&identity, error) &&
	       dynamic_start(service, settings, error) &&
	       start_spool(service, settings, error) &&
	       start_threads(service, error);
}

static void
reload_now(struct service *service)
{
	struct arena *arena = arena_new(0);
	struct error error = {.text = ""};
	struct strbuf report;
	char text[1024];

	process_notify("RELOADING=1");
	strbuf_init(&report, arena);
	if (service->replica != NULL
		? replica_reload(service, false, &report, &error)
		: reload(service->config_path, &report, &error)) {
		slice rest = strbuf_slice(&report);
		slice line;

		log_line(LOG_NOTICE, "reloaded");
		while (slice_next(&rest, '\n', &line))
			log_line(LOG_INFO, SLICE_FMT, SLICE_ARG(line));
	} else {
		log_line(LOG_ERR,
		    "not reloaded, the policy stays as it was: %s",
		    error_format(&error, text, sizeof(text)));
	}
	process_notify("READY=1");
	arena_free(arena);
}

static enum event
next_event(int timeout_ms)
{
	struct pollfd poll_fd = {.fd = wake_pipe[0], .events = POLLIN};
	char byte;

	if (poll(&poll_fd, 1, timeout_ms) > 0 &&
	    read(wake_pipe[0], &byte, 1) == 1)
		return (enum event)byte;
	return EVENT_NONE;
}

/* Until libmilter or somebody else ends it; returns by what. */
static enum event
serve(struct service *service)
{
	for (;;) {
		enum event event = next_event(-1);

		if (event == EVENT_RELOAD) {
			atomic_store(&reload_wanted, false);
			reload_now(service);
		} else if (event != EVENT_NONE) {
			return event;
		}
	}
}

/* Waits for messages that have begun; a second TERM or INT ends that. */
static void
drain(struct service *service)
{
	atomic_ulong *open_messages = &service->counters.open_messages;
	deadline_ms deadline = deadline_in(DRAIN_MS);

	while (atomic_load(open_messages) > 0) {
		enum event event = next_event(LOOK_MS);

		if (event == EVENT_DRAIN || event == EVENT_STOP)
			return;
		if (!deadline_passed(deadline))
			continue;
		log_line(LOG_WARNING,
		    "%lu messages are cut off: they took too long",
		    atomic_load(open_messages));
		return;
	}
}

static void
stop(struct service *service, slice milter_socket, enum event why)
{
	process_notify("STOPPING=1");
	atomic_store(&service->stopping, true);
	gate_shut_for_good();
	if (why == EVENT_DRAIN)
		drain(service);
	socket_unlink(milter_socket);
	server_stop_all();
	replica_stop(service);
	spool_stop();
	gate_stop();
	watch_stop();
	process_remove_pid();
}

/* Not by exit(3): libmilter has left it a function that destroys the locks of
 * its own threads. */
static _Noreturn void
leave(int status)
{
	log_stop();
	(void)fflush(NULL);
#ifdef __SANITIZE_ADDRESS__
	__lsan_do_leak_check();
#endif
	_exit(status);
}

int
main(int argc, char **argv)
{
	static struct service service;
	struct error error = {.text = ""};
	struct detachment detached = {.report_fd = -1};
	struct generation *generation;
	struct options options;
	int status = read_options(argc, argv, &options);
	enum event why;

	if (status >= 0)
		return status;
	if (options.test_only)
		return test_configuration(options.config);
	service.config_path = realpath(options.config, NULL);
	if (service.config_path == NULL)
		service.config_path = options.config;
	generation = load_settings(service.config_path, false, &error);
	if (generation == NULL)
		return complain("", &error);
	print_warnings(generation);
	if (!options.foreground && !process_detach(&detached, &error))
		return complain("", &error);
	if (detached.is_parent)
		return detached.status;
	service.started_at = time(NULL);
	/* Held to the end, for the settings of the sockets. */
	if (!redis_is_configured(generation->settings))
		current_publish(generation_acquire(generation));
	if (!start(&service, &options, generation, &error)) {
		status = complain("", &error);
		process_remove_pid();
		process_report(detached.report_fd, status);
		leave(status);
	}
	if (chdir("/") != 0)
		log_line(
		    LOG_WARNING, "cannot change to /: %s", strerror(errno));
	log_line(LOG_INFO, "milterd %s serves " SLICE_FMT, PACKAGE_VERSION,
	    SLICE_ARG(callbacks_address()));
	process_report(detached.report_fd, EX_OK);
	if (!options.foreground)
		process_leave_terminal();
	process_notify("READY=1");
	why = serve(&service);
	log_line(LOG_INFO, "milterd ends%s",
	    why == EVENT_FAILED ? ": libmilter has failed" : "");
	stop(&service, generation->settings->socket, why);
	generation_release(generation);
	leave(why == EVENT_FAILED ? EX_OSERR : EX_OK);
}
