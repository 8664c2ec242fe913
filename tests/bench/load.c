/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load [option ...] SOCKET: plays the MTA to a milter, as fast as it goes, and
 * says how it went: one line, one JSON object.
 *
 *	-l FILE       letters (letters.h)
 *	-m MANNER     sendmail or postfix
 *	-c NUMBER     connections at a time
 *	-j NUMBER     threads of this program, 1 or 2
 *	-b BYTES      body
 *	-r NUMBER     recipients
 *	-s STEPS      what is offered in the negotiation, hexadecimal
 *	-t SECONDS    measure so long, after warming up (-w)
 *	-w SECONDS    warm up so long
 *	-n NUMBER     instead: so many messages, all measured
 *	-p PID,...    the processor time of these processes, per message
 *	-i            stop after HELO, say "idle", and wait for the end of input
 *
 * A message is what is told from CONNECT to QUIT; it counts when its end is
 * within the time measured. p50 and p99 are those from MAIL to the answer of
 * end of message, of messages that are wholly within it.
 *
 * Mutable globals: `phase`, `to_begin` and `measured_from`, all atomic; the
 * rest is constant when the threads start.
 */
#include "tests/bench/mta.h"

#include <err.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64, THREADS_MAX = 2, LINE = 76, LOOK_MS = 50 };

enum phase { PHASE_WARM_UP, PHASE_MEASURE, PHASE_OVER };

struct options {
	struct mta mta;
	struct letters letters;
	unsigned connections;
	unsigned threads;
	double seconds;
	double warm_up;
	long messages; /* 0: as many as there is time for */
	const char *pids;
};

/* One connection after the other. */
struct line {
	struct talk *talk;
	uint32_t events; /* that it waits for */
};

struct worker {
	pthread_t thread;
	const struct options *options;
	struct line *lines;
	size_t line_count;
	size_t next_letter;
	unsigned long first_id; /* of queue ids, new in each run */
	int epoll;

	unsigned long messages;
	unsigned long failed;
	unsigned long refused;	 /* ended neither with continue nor accept */
	unsigned long surprises; /* ended otherwise than the letter says */
	char surprise[256];	 /* the first */
	uint32_t *latencies;	 /* microseconds */
	size_t latency_count;
	unsigned long tally[TALK_COMMANDS][TALK_ANSWERS];
};

static atomic_int phase;
static atomic_long to_begin;
static atomic_ullong measured_from;

static uint64_t
now_ns(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* What a worker finds out. */

static void
note_latency(struct worker *worker, uint64_t ns)
{
	const size_t step = 65536;

	if (worker->latency_count % step == 0) {
		worker->latencies = reallocarray(worker->latencies,
		    worker->latency_count + step, sizeof(uint32_t));
		if (worker->latencies == NULL)
			err(71, NULL);
	}
	worker->latencies[worker->latency_count++] = (uint32_t)(ns / 1000);
}

static void
note_surprise(struct worker *worker, const struct talk *talk)
{
	const struct letter *letter = talk_letter(talk);

	if (worker->surprises++ > 0)
		return;
	(void)snprintf(worker->surprise, sizeof(worker->surprise),
	    "%.40s %.8s <%.80s> <%.80s>: %s", letter->address, letter->resolve,
	    letter->sender, letter->recipient, talk_outcome(talk));
	/* It becomes a string of JSON. */
	for (char *p = worker->surprise; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			*p = '\'';
	}
}

static void
note_end(struct worker *worker, const struct talk *talk, bool is_whole)
{
	struct talk_times times = talk_times(talk);

	if (atomic_load(&phase) != PHASE_MEASURE)
		return;
	worker->messages++;
	worker->failed += !is_whole;
	worker->refused += strpbrk(talk_outcome(talk), "ac") == NULL;
	if (!talk_ended_well(talk))
		note_surprise(worker, talk);
	if (times.end_ns != 0 && times.mail_ns >= atomic_load(&measured_from))
		note_latency(worker, times.end_ns - times.mail_ns);
}

/* Its connections. */

static void
wait_for(struct worker *worker, struct line *line, uint32_t events, int how)
{
	struct epoll_event event = {.events = events, .data.ptr = line};

	if (how == EPOLL_CTL_MOD && line->events == events)
		return;
	line->events = events;
	if (epoll_ctl(
		worker->epoll, how, talk_descriptor(line->talk), &event) != 0)
		err(71, "epoll_ctl");
}

/* False when there is nothing more to begin. */
static bool
begin(struct worker *worker, struct line *line)
{
	const struct options *options = worker->options;
	const struct letters *letters = &options->letters;
	size_t which = worker->next_letter;

	line->talk = NULL;
	if (atomic_fetch_sub(&to_begin, 1) <= 0)
		return false;
	worker->next_letter += options->threads;
	line->talk =
	    talk_begin(&options->mta, &letters->list[which % letters->count],
		worker->first_id + which, worker->tally);
	if (line->talk == NULL)
		err(69, "cannot connect");
	wait_for(worker, line, EPOLLIN, EPOLL_CTL_ADD);
	return true;
}

/* Goes on until it would have to wait; false when it is not to be served any
 * more. */
static bool
serve(struct worker *worker, struct line *line)
{
	while (line->talk != NULL) {
		enum talk_state state = talk_go(line->talk);

		switch (state) {
		case TALK_READS:
			wait_for(worker, line, EPOLLIN, EPOLL_CTL_MOD);
			return true;
		case TALK_WRITES:
			wait_for(worker, line, EPOLLOUT, EPOLL_CTL_MOD);
			return true;
		case TALK_IDLE:
			return false;
		case TALK_DONE:
		case TALK_FAILED:
			break;
		}
		note_end(worker, line->talk, state == TALK_DONE);
		talk_free(line->talk);
		if (!begin(worker, line))
			break;
	}
	return false;
}

static void *
run_worker(void *context)
{
	struct worker *worker = context;
	struct epoll_event events[EVENTS];
	size_t served = 0;

	for (size_t i = 0; i < worker->line_count; i++) {
		served += begin(worker, &worker->lines[i]) &&
			  serve(worker, &worker->lines[i]);
	}
	while (served > 0 && atomic_load(&phase) != PHASE_OVER) {
		int count = epoll_wait(worker->epoll, events, EVENTS, LOOK_MS);

		for (int i = 0; i < count; i++)
			served -= !serve(worker, events[i].data.ptr);
	}
	return NULL;
}

static void
start_workers(const struct options *options, struct worker *workers)
{
	unsigned long first_id = now_ns(CLOCK_REALTIME) / 1000;

	for (unsigned i = 0; i < options->threads; i++) {
		struct worker *worker = &workers[i];
		unsigned rest = options->connections % options->threads;

		*worker = (struct worker){.options = options,
		    .next_letter = i,
		    .first_id = first_id,
		    .line_count = options->connections / options->threads +
				  (i < rest ? 1 : 0),
		    .epoll = epoll_create1(EPOLL_CLOEXEC)};
		worker->lines =
		    calloc(worker->line_count + 1, sizeof(*worker->lines));
		if (worker->lines == NULL || worker->epoll < 0 ||
		    pthread_create(&worker->thread, NULL, run_worker, worker) !=
			0)
			err(71, "cannot start a thread");
	}
}

static void
join_workers(const struct options *options, struct worker *workers)
{
	for (unsigned i = 0; i < options->threads; i++)
		(void)pthread_join(workers[i].thread, NULL);
}

static void
hang_up(const struct options *options, struct worker *workers)
{
	for (unsigned i = 0; i < options->threads; i++) {
		for (size_t j = 0; j < workers[i].line_count; j++)
			talk_free(workers[i].lines[j].talk);
	}
}

/* The time in which they are measured. */

struct usage {
	double seconds;	   /* by the clock */
	double filter_cpu; /* seconds */
	double own_cpu;
};

static uint64_t
cpu_ns_of(const char *pids)
{
	uint64_t sum = 0;
	char *end;

	for (; *pids != '\0'; pids = *end == ',' ? end + 1 : end) {
		pid_t pid = (pid_t)strtol(pids, &end, 10);
		clockid_t clock;

		if (end == pids || (*end != '\0' && *end != ','))
			errx(64, "%s: not a process id", pids);
		if (clock_getcpuclockid(pid, &clock) == 0)
			sum += now_ns(clock);
	}
	return sum;
}

static struct usage
usage_now(const struct options *options)
{
	return (struct usage){
	    .seconds = (double)now_ns(CLOCK_MONOTONIC) / 1e9,
	    .filter_cpu = (double)cpu_ns_of(options->pids) / 1e9,
	    .own_cpu = (double)now_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9,
	};
}

static void
sleep_for(double seconds)
{
	struct timespec left = {.tv_sec = (time_t)seconds};

	left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
	while (nanosleep(&left, &left) != 0)
		;
}

static struct usage
measure(const struct options *options, struct worker *workers)
{
	bool counts_time = options->messages == 0;
	struct usage before;
	struct usage after;

	if (counts_time) {
		start_workers(options, workers);
		sleep_for(options->warm_up);
	}
	before = usage_now(options);
	atomic_store(&measured_from, now_ns(CLOCK_MONOTONIC));
	atomic_store(&phase, PHASE_MEASURE);
	if (counts_time) {
		sleep_for(options->seconds);
	} else {
		start_workers(options, workers);
		join_workers(options, workers);
	}
	after = usage_now(options);
	atomic_store(&phase, PHASE_OVER);
	if (counts_time)
		join_workers(options, workers);
	return (struct usage){.seconds = after.seconds - before.seconds,
	    .filter_cpu = after.filter_cpu - before.filter_cpu,
	    .own_cpu = after.own_cpu - before.own_cpu};
}

/* What is said of it. */

static void
add_up(struct worker *sum, const struct worker *worker)
{
	sum->messages += worker->messages;
	sum->failed += worker->failed;
	sum->refused += worker->refused;
	sum->surprises += worker->surprises;
	if (sum->surprise[0] == '\0')
		strcpy(sum->surprise, worker->surprise);
	for (size_t i = 0; i < worker->latency_count; i++)
		note_latency(sum, (uint64_t)worker->latencies[i] * 1000);
	for (int command = 0; command < TALK_COMMANDS; command++) {
		for (int kind = 0; kind < TALK_ANSWERS; kind++)
			sum->tally[command][kind] +=
			    worker->tally[command][kind];
	}
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double
percentile_ms(const struct worker *sum, unsigned percent)
{
	if (sum->latency_count == 0)
		return 0;
	return sum->latencies[(sum->latency_count - 1) * percent / 100] / 1e3;
}

static void
print_tally(const struct worker *sum)
{
	const char *comma = "";

	(void)printf("\"answers\": {");
	for (int command = 0; command < TALK_COMMANDS; command++) {
		for (int kind = 0; kind < TALK_ANSWERS; kind++) {
			if (sum->tally[command][kind] == 0)
				continue;
			(void)printf("%s\"%c%c\": %lu", comma, 'A' + command,
			    kind, sum->tally[command][kind]);
			comma = ", ";
		}
	}
	(void)printf("}");
}

static double
each(double total, unsigned long messages)
{
	return messages == 0 ? 0 : total / (double)messages;
}

static void
report(const struct options *options, const struct worker *workers,
    const struct usage *usage)
{
	struct worker sum = {0};

	for (unsigned i = 0; i < options->threads; i++)
		add_up(&sum, &workers[i]);
	qsort(sum.latencies, sum.latency_count, sizeof(uint32_t), compare);
	(void)printf("{\"messages\": %lu, \"failed\": %lu, "
		     "\"refused\": %lu, \"rate\": %.1f, "
		     "\"p50_ms\": %.3f, \"p99_ms\": %.3f, "
		     "\"cpu_us\": %.2f, \"own_cpu_us\": %.2f, "
		     "\"surprises\": %lu, \"surprise\": \"%s\", ",
	    sum.messages, sum.failed, sum.refused,
	    (double)sum.messages / usage->seconds, percentile_ms(&sum, 50),
	    percentile_ms(&sum, 99),
	    each(usage->filter_cpu * 1e6, sum.messages),
	    each(usage->own_cpu * 1e6, sum.messages), sum.surprises,
	    sum.surprise);
	print_tally(&sum);
	(void)printf("}\n");
}

static void
stay_idle(const struct options *options, struct worker *workers)
{
	start_workers(options, workers);
	join_workers(options, workers);
	(void)puts("idle");
	(void)fflush(stdout);
	while (getchar() != EOF)
		;
}

/* Options. */

static char *
make_body(size_t len)
{
	static const char alphabet[] =
	    "The quick brown fox jumps over the lazy dog, and then? ";
	char *body = malloc(len + 1);

	if (body == NULL)
		err(71, NULL);
	for (size_t i = 0; i < len; i++) {
		size_t column = i % LINE;

		body[i] =
		    alphabet[(i / LINE + column) % (sizeof(alphabet) - 1)];
		if (column == LINE - 2)
			body[i] = '\r';
		else if (column == LINE - 1)
			body[i] = '\n';
	}
	return body;
}

static void
usage_error(void)
{
	errx(64, "usage: load -l FILE [-i] [-b BYTES] [-c NUMBER] [-j 1|2] "
		 "[-m sendmail|postfix] [-n NUMBER] [-p PID,...] [-r NUMBER] "
		 "[-s STEPS] [-t SECONDS] [-w SECONDS] SOCKET");
}

static void
set_option(struct options *options, int letter)
{
	switch (letter) {
	case 'b':
		options->mta.body_len = strtoul(optarg, NULL, 10);
		break;
	case 'c':
		options->connections = (unsigned)strtoul(optarg, NULL, 10);
		break;
	case 'i':
		options->mta.stop_after_helo = true;
		break;
	case 'j':
		options->threads = (unsigned)strtoul(optarg, NULL, 10);
		break;
	case 'l':
		options->letters = letters_read(optarg);
		break;
	case 'm':
		options->mta.manner =
		    strcmp(optarg, "postfix") == 0 ? MTA_POSTFIX : MTA_SENDMAIL;
		break;
	case 'n':
		options->messages = strtol(optarg, NULL, 10);
		break;
	case 'p':
		options->pids = optarg;
		break;
	case 'r':
		options->mta.recipients = (unsigned)strtoul(optarg, NULL, 10);
		break;
	case 's':
		options->mta.steps = (uint32_t)strtoul(optarg, NULL, 16);
		break;
	case 't':
		options->seconds = strtod(optarg, NULL);
		break;
	case 'w':
		options->warm_up = strtod(optarg, NULL);
		break;
	default:
		usage_error();
	}
}

static struct options
read_options(int argc, char **argv)
{
	struct options options = {
	    .mta = {.steps = 0x1fffff, .recipients = 1, .body_len = 2048},
	    .connections = 1,
	    .threads = 1,
	    .seconds = 1,
	    .warm_up = 0.2,
	    .pids = ""};
	int letter;

	while ((letter = getopt(argc, argv, "b:c:ij:l:m:n:p:r:s:t:w:")) != -1)
		set_option(&options, letter);
	if (optind + 1 != argc || options.letters.count == 0 ||
	    options.threads < 1 || options.threads > THREADS_MAX ||
	    !mta_set_address(&options.mta, argv[optind]))
		usage_error();
	options.mta.body = make_body(options.mta.body_len);
	return options;
}

int
main(int argc, char **argv)
{
	struct options options = read_options(argc, argv);
	struct worker workers[THREADS_MAX];
	struct rlimit files;
	struct usage usage;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	atomic_store(
	    &to_begin, options.messages > 0 ? options.messages : LONG_MAX);
	if (options.mta.stop_after_helo) {
		atomic_store(&to_begin, (long)options.connections);
		stay_idle(&options, workers);
	} else {
		usage = measure(&options, workers);
		report(&options, workers, &usage);
	}
	hang_up(&options, workers);
	return 0;
}
