/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lives of a question: made by who asks first, in the table of open questions
 * and in the line to the thread; taken from the line and handed to c-ares;
 * answered in c-ares' callback, which takes it out of the table. Everybody who
 * waits for it holds it, and so does the thread until the answer; the last
 * one frees it. All of that under the one lock, which is never held while
 * c-ares runs.
 *
 * There are two channels. The first one goes on to the next server when one
 * answers SERVFAIL or REFUSED, but c-ares 1.18 reports at the end what it
 * reports of a dead port: ARES_ECONNREFUSED. Callers tell a server
 * that fails from one that is silent, so that question is put once more, over
 * a channel that hands out the answer as it comes.
 */
/* Later versions want ares_query_dnsrec(), which 1.18 has not. */
#define CARES_NO_DEPRECATED
#include "milter/dns.h"

#include "milter/dns_cache.h"
#include "milter/threads.h"

#include <ares.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	BUCKETS = 1024, /* a power of two */
	CLASS_IN = 1,
	EDNS_SIZE = 1232, /* no fragments: DNS flag day 2020 */
	EVENTS_MAX = 16,
	NAME_MAX_LEN = 253,
	LABEL_MAX = 63,
	SILENCES_MAX = 8,
	SHORT_WAIT_MS = 50,
};

struct question {
	struct question *next;	   /* in its bucket */
	struct question *next_new; /* in the line to the thread */
	struct dns *dns;
	pthread_cond_t answered;
	unsigned holders;
	bool asked_frankly;	   /* over the second channel */
	struct dns_answer *answer; /* NULL: none yet */
	enum dns_type type;
	size_t name_len;
	char name[NAME_MAX_LEN + 1];
};

struct dns {
	pthread_mutex_t lock;
	struct dns_cache *cache;
	struct question *open[BUCKETS];
	unsigned open_count;
	unsigned silences; /* waits in vain since a server last answered */
	struct question *first_new;
	struct question **end_new;
	struct dns_stats stats;
	bool stopping;

	/* The thread's own. */
	ares_channel channel;
	ares_channel frank;
	struct arena *scratch;
	int epoll;

	/* Constant. */
	int wake;
	unsigned timeout_ms;
	pthread_t thread;
};

static slice
name_of(const struct question *question)
{
	return (slice){question->name, question->name_len};
}

/* Questions. Caller holds the lock. */

static struct question **
open_slot(struct dns *dns, enum dns_type type, slice name)
{
	size_t bucket = dns_cache_hash(dns->cache, type, name) & (BUCKETS - 1);
	struct question **slot = &dns->open[bucket];

	while (*slot != NULL &&
	       !((*slot)->type == type && slice_eq(name_of(*slot), name)))
		slot = &(*slot)->next;
	return slot;
}

static struct question *
question_new(struct dns *dns, enum dns_type type, slice name)
{
	struct question *question = xmalloc(sizeof(*question));

	*question =
	    (struct question){.dns = dns, .type = type, .name_len = name.len};
	memcpy(question->name, name.ptr, name.len);
	threads_init_condition(&question->answered);
	return question;
}

static void
let_go(struct question *question)
{
	if (--question->holders > 0)
		return;
	(void)pthread_cond_destroy(&question->answered);
	free(question->answer);
	free(question);
}

static void
wake_thread(struct dns *dns)
{
	uint64_t one = 1;
	ssize_t written = write(dns->wake, &one, sizeof(one));

	(void)written; /* a full counter wakes as well */
}

/* Joins an open question, or opens one; NULL when too many are. */
static struct question *
hold_question(struct dns *dns, enum dns_type type, slice name)
{
	struct question **slot = open_slot(dns, type, name);
	struct question *question = *slot;

	if (question == NULL) {
		if (dns->open_count == DNS_QUESTIONS_MAX)
			return NULL;
		question = question_new(dns, type, name);
		question->holders = 1; /* the thread */
		*slot = question;
		dns->open_count++;
		*dns->end_new = question;
		dns->end_new = &question->next_new;
		dns->stats.questions++;
		wake_thread(dns);
	}
	question->holders++;
	return question;
}

/* Asking */

static const struct dns_answer *
copy_of(struct arena *arena, const struct dns_answer *answer)
{
	return dns_answer_copy(
	    arena_alloc(arena, dns_answer_size(answer)), answer);
}

static const struct dns_answer *
answer_without_records(struct arena *arena, enum dns_status status, slice name)
{
	struct dns_answer *answer = ARENA_NEW(arena, struct dns_answer);

	answer->status = status;
	answer->ttl_s = DNS_FAILURE_TTL_S;
	answer->canonical = name;
	return answer;
}

static bool
is_askable_label(slice label)
{
	if (label.len == 0 || label.len > LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.len; i++) {
		/* c-ares would take a backslash for an escape. */
		if (label.ptr[i] <= ' ' || label.ptr[i] >= 0x7f ||
		    label.ptr[i] == '\\')
			return false;
	}
	return true;
}

static bool
is_askable(slice name)
{
	slice rest = name;
	slice label;

	if (name.len == 0 || name.len > NAME_MAX_LEN ||
	    name.ptr[name.len - 1] == '.')
		return false;
	while (slice_next(&rest, '.', &label)) {
		if (!is_askable_label(label))
			return false;
	}
	return true;
}

/* Who waits the full time speaks for everybody: nobody else need wait for this
 * server in the next seconds. */
static void
note_silence(struct dns *dns, const struct question *question)
{
	struct dns_answer silence = {.status = DNS_SILENT,
	    .ttl_s = DNS_FAILURE_TTL_S,
	    .canonical = name_of(question)};

	dns_cache_add(dns->cache, question->type, name_of(question), &silence,
	    deadline_now());
}

/*
 * The fuse: where nothing at all has been heard for several waits, nobody is
 * held up for long until a server answers again. The questions are still sent,
 * so that it does as soon as it can.
 */
static unsigned
patience_ms(const struct dns *dns)
{
	if (dns->silences >= SILENCES_MAX && dns->timeout_ms > SHORT_WAIT_MS)
		return SHORT_WAIT_MS;
	return dns->timeout_ms;
}

static const struct dns_answer *
await(struct dns *dns, struct arena *arena, struct question *question,
    deadline_ms deadline)
{
	deadline_ms full_time = deadline_in(patience_ms(dns));
	deadline_ms until = deadline < full_time ? deadline : full_time;
	struct timespec at = deadline_timespec(until);

	while (question->answer == NULL &&
	       pthread_cond_timedwait(&question->answered, &dns->lock, &at) !=
		   ETIMEDOUT)
		;
	if (question->answer != NULL)
		return copy_of(arena, question->answer);
	dns->stats.timeouts++;
	dns->silences++;
	if (deadline_passed(full_time))
		note_silence(dns, question);
	return NULL;
}

static const struct dns_answer *
ask_locked(struct dns *dns, struct arena *arena, enum dns_type type, slice name,
    deadline_ms deadline)
{
	const struct dns_answer *known =
	    dns_cache_find(dns->cache, type, name, deadline_now());
	struct question *question;

	if (known != NULL) {
		dns->stats.cache_hits++;
		return copy_of(arena, known);
	}
	question = hold_question(dns, type, name);
	if (question == NULL) {
		dns->stats.timeouts++;
		return NULL;
	}
	known = await(dns, arena, question, deadline);
	let_go(question);
	return known;
}

const struct dns_answer *
dns_ask(struct dns *dns, struct arena *arena, enum dns_type type, slice name,
    deadline_ms deadline)
{
	const struct dns_answer *answer;

	name = arena_copy_lower(arena, name);
	if (!is_askable(name))
		return answer_without_records(arena, DNS_NO_NAME, name);
	(void)pthread_mutex_lock(&dns->lock);
	answer = ask_locked(dns, arena, type, name, deadline);
	(void)pthread_mutex_unlock(&dns->lock);
	if (answer == NULL)
		return answer_without_records(arena, DNS_SILENT, name);
	return answer;
}

/* Answering */

static void
set_answer(struct question *question, const struct dns_answer *answer)
{
	struct dns *dns = question->dns;

	(void)pthread_mutex_lock(&dns->lock);
	dns_cache_add(dns->cache, question->type, name_of(question), answer,
	    deadline_now());
	if (answer->status == DNS_BROKEN || answer->status == DNS_SILENT)
		dns->stats.failures++;
	if (answer->status != DNS_SILENT)
		dns->silences = 0;
	question->answer =
	    dns_answer_copy(xmalloc(dns_answer_size(answer)), answer);
	*open_slot(dns, question->type, name_of(question)) = question->next;
	dns->open_count--;
	(void)pthread_cond_broadcast(&question->answered);
	let_go(question);
	(void)pthread_mutex_unlock(&dns->lock);
}

static enum dns_status
failure_of(int status)
{
	switch (status) {
	case ARES_EBADNAME:
		return DNS_NO_NAME;
	case ARES_ETIMEOUT:
	case ARES_ECONNREFUSED:
	case ARES_ECANCELLED:
	case ARES_EDESTRUCTION:
		return DNS_SILENT;
	default:
		return DNS_BROKEN;
	}
}

static void on_answer(
    void *context, int status, int timeouts, unsigned char *packet, int len);

static void
send_over(ares_channel channel, struct question *question)
{
	ares_query(channel, question->name, CLASS_IN, (int)question->type,
	    on_answer, question);
}

static void
on_answer(
    void *context, int status, int timeouts, unsigned char *packet, int len)
{
	struct question *question = context;
	struct arena *scratch = question->dns->scratch;
	struct dns_answer answer = {.status = failure_of(status)};

	(void)timeouts;
	if (status == ARES_ECONNREFUSED && !question->asked_frankly) {
		question->asked_frankly = true;
		send_over(question->dns->frank, question);
		return;
	}
	if (packet != NULL && len > 0 &&
	    (status == ARES_SUCCESS || status == ARES_ENODATA ||
		status == ARES_ENOTFOUND))
		dns_answer_parse(scratch, question->type, name_of(question),
		    (slice){(const char *)packet, (size_t)len}, &answer);
	else
		answer.canonical = name_of(question);
	if (answer.status == DNS_BROKEN || answer.status == DNS_SILENT)
		answer.ttl_s = DNS_FAILURE_TTL_S;
	set_answer(question, &answer);
	arena_reset(scratch);
}

/* The thread */

static struct question *
take_new(struct dns *dns, bool *ret_stopping)
{
	struct question *first;

	(void)pthread_mutex_lock(&dns->lock);
	first = dns->first_new;
	dns->first_new = NULL;
	dns->end_new = &dns->first_new;
	*ret_stopping = dns->stopping;
	(void)pthread_mutex_unlock(&dns->lock);
	return first;
}

static void
send_questions(struct dns *dns, struct question *question)
{
	while (question != NULL) {
		struct question *next = question->next_new;

		send_over(dns->channel, question);
		question = next;
	}
}

static int
next_timeout_ms(struct dns *dns)
{
	struct timeval at_most = {.tv_sec = 60};
	struct timeval one;
	struct timeval both;
	struct timeval *wait = ares_timeout(dns->channel, &at_most, &one);

	wait = ares_timeout(dns->frank, wait, &both);
	return (int)(wait->tv_sec * 1000 + wait->tv_usec / 1000 + 1);
}

static void
process(struct dns *dns, ares_socket_t readable, ares_socket_t writable)
{
	ares_process_fd(dns->channel, readable, writable);
	ares_process_fd(dns->frank, readable, writable);
}

static void
handle(struct dns *dns, const struct epoll_event *event)
{
	const uint32_t bad = EPOLLERR | EPOLLHUP;
	ares_socket_t fd = event->data.fd;
	uint64_t counter;

	if (event->data.fd == dns->wake) {
		ssize_t got = read(dns->wake, &counter, sizeof(counter));

		(void)got;
		return;
	}
	/* To the channel that has no such socket it means nothing. */
	process(dns,
	    (event->events & (EPOLLIN | bad)) != 0 ? fd : ARES_SOCKET_BAD,
	    (event->events & (EPOLLOUT | bad)) != 0 ? fd : ARES_SOCKET_BAD);
}

static void *
run(void *context)
{
	struct dns *dns = context;
	bool stopping = false;

	while (!stopping) {
		struct epoll_event events[EVENTS_MAX];
		int count = epoll_wait(
		    dns->epoll, events, EVENTS_MAX, next_timeout_ms(dns));

		for (int i = 0; i < count; i++)
			handle(dns, &events[i]);
		process(dns, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
		send_questions(dns, take_new(dns, &stopping));
	}
	return NULL;
}

/* c-ares tells which of its sockets wait for what; neither: it closes it. */
static void
on_socket_state(void *context, ares_socket_t fd, int readable, int writable)
{
	struct dns *dns = context;
	struct epoll_event event = {
	    .events = (readable ? EPOLLIN : 0U) | (writable ? EPOLLOUT : 0U),
	    .data.fd = fd,
	};

	if (!readable && !writable)
		(void)epoll_ctl(dns->epoll, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(dns->epoll, EPOLL_CTL_MOD, fd, &event) < 0)
		(void)epoll_ctl(dns->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Beginning and end */

static int
init_channel(struct dns *dns, int more_flags, ares_channel *ret_channel)
{
	/* Two tries, the second twice as long: together the whole time. */
	struct ares_options options = {
	    .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS |
		     more_flags,
	    .timeout = (int)(dns->timeout_ms / 3 + 1),
	    .tries = 2,
	    .ednspsz = EDNS_SIZE,
	    .sock_state_cb = on_socket_state,
	    .sock_state_cb_data = dns,
	};

	return ares_init_options(ret_channel, &options,
	    ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
		ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB);
}

static bool
set_server(struct dns *dns, slice server, struct error *error)
{
	char text[128];

	if (server.len == 0)
		return true;
	if (server.len < sizeof(text)) {
		memcpy(text, server.ptr, server.len);
		text[server.len] = '\0';
		if (ares_set_servers_ports_csv(dns->channel, text) ==
			ARES_SUCCESS &&
		    ares_set_servers_ports_csv(dns->frank, text) ==
			ARES_SUCCESS)
			return true;
	}
	return error_set(error,
	    "\"" SLICE_FMT "\" is not the address:port of a DNS server",
	    SLICE_ARG(server));
}

static bool
open_channels(struct dns *dns, struct error *error)
{
	int status = ares_library_init(ARES_LIB_INIT_ALL);

	if (status == ARES_SUCCESS)
		status = init_channel(dns, 0, &dns->channel);
	if (status == ARES_SUCCESS)
		status = init_channel(dns, ARES_FLAG_NOCHECKRESP, &dns->frank);
	if (status != ARES_SUCCESS)
		return error_set(
		    error, "cannot set up DNS: %s", ares_strerror(status));
	return true;
}

static bool
open_descriptors(struct dns *dns, struct error *error)
{
	struct epoll_event event = {.events = EPOLLIN};

	dns->epoll = epoll_create1(EPOLL_CLOEXEC);
	dns->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event.data.fd = dns->wake;
	if (dns->epoll < 0 || dns->wake < 0 ||
	    epoll_ctl(dns->epoll, EPOLL_CTL_ADD, dns->wake, &event) < 0)
		return error_set(
		    error, "cannot set up DNS: %s", strerror(errno));
	return true;
}

static void
free_parts(struct dns *dns)
{
	/* Calls on_answer() for the questions still open. */
	if (dns->channel != NULL)
		ares_destroy(dns->channel);
	if (dns->frank != NULL)
		ares_destroy(dns->frank);
	if (dns->epoll >= 0)
		(void)close(dns->epoll);
	if (dns->wake >= 0)
		(void)close(dns->wake);
	dns_cache_free(dns->cache);
	arena_free(dns->scratch);
	(void)pthread_mutex_destroy(&dns->lock);
	free(dns);
}

static bool
start(struct dns *dns, slice server, struct error *error)
{
	return open_descriptors(dns, error) && open_channels(dns, error) &&
	       set_server(dns, server, error) &&
	       threads_start(&dns->thread, run, dns, error);
}

struct dns *
dns_new(const struct dns_options *options, struct error *error)
{
	struct dns *dns = xmalloc(sizeof(*dns));

	*dns = (struct dns){
	    .cache = dns_cache_new(options->cache_entries),
	    .scratch = arena_new(128 * 1024),
	    .timeout_ms = options->timeout_ms,
	    .epoll = -1,
	    .wake = -1,
	};
	dns->end_new = &dns->first_new;
	(void)pthread_mutex_init(&dns->lock, NULL);
	if (start(dns, options->server, error))
		return dns;
	free_parts(dns);
	return NULL;
}

void
dns_free(struct dns *dns)
{
	if (dns == NULL)
		return;
	(void)pthread_mutex_lock(&dns->lock);
	dns->stopping = true;
	(void)pthread_mutex_unlock(&dns->lock);
	wake_thread(dns);
	(void)pthread_join(dns->thread, NULL);
	free_parts(dns);
}

struct dns_stats
dns_get_stats(struct dns *dns)
{
	struct dns_stats stats;

	(void)pthread_mutex_lock(&dns->lock);
	stats = dns->stats;
	(void)pthread_mutex_unlock(&dns->lock);
	return stats;
}
