/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syslog(3) blocks when the daemon stands still, so milterd speaks to
 * /dev/log itself: a caller formats its line, copies it into a ring of bytes
 * and goes; the thread below adds time and name and sends it, waiting as long
 * as it must.
 *
 * A line that does not fit is counted. The count is told at the place in the
 * log where the lines are missing: before the next line that fits, or when
 * the queue has run empty.
 *
 * The only mutable global of this file is `queue`: a process has one maillog.
 */
#include "milter/log.h"

#include "base/arena.h"
#include "milter/log_private.h"
#include "milter/threads.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum {
	LINES_MAX = 8192,
	RING_BYTES = 2 * 1024 * 1024,
	RETRY_MS = 50,
	DRAIN_MS = 1000,
};

struct record_head {
	time_t when;
	unsigned short len;
	unsigned short priority;
};

struct record {
	struct record_head head;
	char text[LOG_TEXT_MAX];
};

struct log_queue {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool running;
	bool idle; /* the thread waits for work */
	bool stopping;
	long long give_up_at; /* monotonic ms, once stopping */

	char *ring;
	size_t first;
	size_t used;
	unsigned lines;
	unsigned long dropped;
	unsigned long untold; /* dropped and not yet told */

	/* The thread's own, constant or used by nobody else. */
	pthread_t thread;
	struct sockaddr_un address;
	bool to_stderr;
	int facility;
	int fd;
	pid_t pid;
};

static struct log_queue queue = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .fd = -1,
};
static atomic_int level_now = 9;

static long long
now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The ring. Caller holds the lock. */

static void
ring_write(const void *data, size_t len)
{
	size_t at = (queue.first + queue.used) % RING_BYTES;
	size_t until_end = RING_BYTES - at;
	size_t part = len < until_end ? len : until_end;

	memcpy(queue.ring + at, data, part);
	memcpy(queue.ring, (const char *)data + part, len - part);
	queue.used += len;
}

static void
ring_read(void *data, size_t len)
{
	size_t until_end = RING_BYTES - queue.first;
	size_t part = len < until_end ? len : until_end;

	memcpy(data, queue.ring + queue.first, part);
	memcpy((char *)data + part, queue.ring, len - part);
	queue.first = (queue.first + len) % RING_BYTES;
	queue.used -= len;
}

static bool
fits(size_t lines, size_t text_bytes)
{
	return queue.lines + lines <= LINES_MAX &&
	       queue.used + lines * sizeof(struct record_head) + text_bytes <=
		   RING_BYTES;
}

static void
put(int priority, slice text)
{
	struct record_head head = {
	    .when = time(NULL),
	    .len = (unsigned short)text.len,
	    .priority = (unsigned short)priority,
	};

	ring_write(&head, sizeof(head));
	ring_write(text.ptr, text.len);
	queue.lines++;
}

static slice
dropped_text(char *buffer, size_t size)
{
	int len = snprintf(buffer, size, "%lu log lines dropped", queue.untold);

	return (slice){buffer, (size_t)len};
}

static void
put_or_drop(int priority, slice text)
{
	char buffer[64];
	slice missing = SLICE("");

	if (queue.untold > 0)
		missing = dropped_text(buffer, sizeof(buffer));
	if (!fits(missing.len > 0 ? 2 : 1, missing.len + text.len)) {
		queue.dropped++;
		queue.untold++;
		return;
	}
	if (missing.len > 0) {
		put(LOG_WARNING, missing);
		queue.untold = 0;
	}
	put(priority, text);
}

/* The thread. */

static void
wait_until_idle_ends(void)
{
	while (queue.lines == 0 && queue.untold == 0 && !queue.stopping) {
		queue.idle = true;
		(void)pthread_cond_wait(&queue.wake, &queue.lock);
	}
	queue.idle = false;
}

/* The next line; false when there will be none. */
static bool
take(struct record *ret_record)
{
	bool found = true;

	(void)pthread_mutex_lock(&queue.lock);
	wait_until_idle_ends();
	if (queue.lines == 0 && queue.untold > 0) {
		char buffer[64];

		put(LOG_WARNING, dropped_text(buffer, sizeof(buffer)));
		queue.untold = 0;
	}
	if (queue.lines > 0) {
		ring_read(&ret_record->head, sizeof(ret_record->head));
		ring_read(ret_record->text, ret_record->head.len);
		queue.lines--;
	} else
		found = false;
	(void)pthread_mutex_unlock(&queue.lock);
	return found;
}

/* False when log_stop() has waited long enough. */
static bool
may_go_on(void)
{
	bool go_on;

	(void)pthread_mutex_lock(&queue.lock);
	go_on = !queue.stopping || now_ms() < queue.give_up_at;
	(void)pthread_mutex_unlock(&queue.lock);
	return go_on;
}

static void
format_stamp(time_t when, char *buffer, size_t size)
{
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm;

	/* Not strftime(): syslog's months are English in every locale. */
	if (localtime_r(&when, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	(void)snprintf(buffer, size, "%s %2d %02d:%02d:%02d",
	    months[tm.tm_mon % 12], tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec);
}

static slice
format_line(const struct record *record, char *buffer, size_t size)
{
	char stamp[64];
	int len;

	format_stamp(record->head.when, stamp, sizeof(stamp));
	if (queue.to_stderr)
		len = snprintf(buffer, size, "%s milterd[%ld]: %.*s\n", stamp,
		    (long)queue.pid, (int)record->head.len, record->text);
	else
		len = snprintf(buffer, size, "<%d>%s milterd[%ld]: %.*s",
		    queue.facility | record->head.priority, stamp,
		    (long)queue.pid, (int)record->head.len, record->text);
	return (slice){buffer, (size_t)len};
}

static void
connect_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)&queue.address,
		sizeof(queue.address)) < 0) {
		(void)close(fd);
		return;
	}
	queue.fd = fd;
}

static bool
send_to_socket(slice line)
{
	if (queue.fd < 0)
		connect_socket();
	if (queue.fd < 0)
		return false;
	if (send(queue.fd, line.ptr, line.len, MSG_NOSIGNAL) >= 0)
		return true;
	if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
		/* The daemon has gone; perhaps a new one is there already. */
		(void)close(queue.fd);
		queue.fd = -1;
	}
	return false;
}

/* A pipe that poll() calls writable has room for PIPE_BUF bytes, so that a
 * line is written whole and at once. */
static bool
write_to_stderr(slice line)
{
	struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&ready, 1, RETRY_MS) <= 0)
		return false;
	return write(STDERR_FILENO, line.ptr, line.len) >= 0 ||
	       (errno != EAGAIN && errno != EINTR);
}

static void
wait_for_socket(void)
{
	struct pollfd ready = {.fd = queue.fd, .events = POLLOUT};

	if (poll(&ready, 1, RETRY_MS) > 0 && ready.revents != 0)
		/* Writable a moment after EAGAIN may still mean ENOBUFS. */
		(void)poll(NULL, 0, 1);
}

static bool
deliver(const struct record *record)
{
	char buffer[LOG_TEXT_MAX + 128];
	slice line = format_line(record, buffer, sizeof(buffer));

	for (;;) {
		if (queue.to_stderr ? write_to_stderr(line)
				    : send_to_socket(line))
			return true;
		if (!may_go_on())
			return false;
		if (!queue.to_stderr)
			wait_for_socket();
	}
}

static void *
run(void *unused)
{
	struct record record;

	(void)unused;
	while (take(&record)) {
		if (deliver(&record))
			continue;
		(void)pthread_mutex_lock(&queue.lock);
		queue.dropped++;
		queue.untold++;
		(void)pthread_mutex_unlock(&queue.lock);
		break;
	}
	return NULL;
}

/* Starting and stopping. */

static bool
facility_number(slice name, int *ret_facility)
{
	/* clang-format off */
	static const struct {
		const char *name;
		int number;
	} facilities[] = {
		{"mail", LOG_MAIL}, {"daemon", LOG_DAEMON}, {"user", LOG_USER},
		{"auth", LOG_AUTH}, {"authpriv", LOG_AUTHPRIV},
		{"syslog", LOG_SYSLOG}, {"news", LOG_NEWS},
		{"uucp", LOG_UUCP}, {"cron", LOG_CRON}, {"lpr", LOG_LPR},
		{"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},
		{"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},
		{"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},
		{"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(facilities) / sizeof(*facilities); i++) {
		if (!slice_eq_nocase(name, slice_from_cstr(facilities[i].name)))
			continue;
		*ret_facility = facilities[i].number;
		return true;
	}
	return false;
}

static bool
set_target(const struct log_options *options, struct error *error)
{
	const char *path = options->socket_path;

	if (path == NULL)
		path = "/dev/log";
	if (!facility_number(options->facility, &queue.facility))
		return error_set(error,
		    "unknown syslog facility \"" SLICE_FMT "\"",
		    SLICE_ARG(options->facility));
	if (strlen(path) >= sizeof(queue.address.sun_path))
		return error_set(error, "%s: path of a socket too long", path);
	memset(&queue.address, 0, sizeof(queue.address));
	queue.address.sun_family = AF_UNIX;
	memcpy(queue.address.sun_path, path, strlen(path) + 1);
	queue.to_stderr = options->to_stderr;
	queue.pid = getpid();
	return true;
}

bool
log_start(const struct log_options *options, struct error *error)
{
	if (!set_target(options, error))
		return false;
	log_set_level(options->level);
	queue.ring = xmalloc(RING_BYTES);
	queue.first = queue.used = 0;
	queue.lines = 0;
	queue.dropped = queue.untold = 0;
	queue.stopping = queue.idle = false;
	(void)pthread_cond_init(&queue.wake, NULL);
	if (!threads_start(&queue.thread, run, NULL, error)) {
		free(queue.ring);
		return false;
	}
	(void)pthread_mutex_lock(&queue.lock);
	queue.running = true;
	(void)pthread_mutex_unlock(&queue.lock);
	return true;
}

static void
close_target(void)
{
	if (queue.fd >= 0)
		(void)close(queue.fd);
	queue.fd = -1;
	(void)pthread_cond_destroy(&queue.wake);
	free(queue.ring);
	queue.ring = NULL;
}

void
log_stop(void)
{
	unsigned long untold;

	(void)pthread_mutex_lock(&queue.lock);
	if (!queue.running) {
		(void)pthread_mutex_unlock(&queue.lock);
		return;
	}
	queue.running = false;
	queue.stopping = true;
	queue.give_up_at = now_ms() + DRAIN_MS;
	(void)pthread_cond_signal(&queue.wake);
	(void)pthread_mutex_unlock(&queue.lock);
	(void)pthread_join(queue.thread, NULL);
	(void)pthread_mutex_lock(&queue.lock);
	queue.dropped += queue.lines;
	untold = queue.untold + queue.lines;
	close_target();
	(void)pthread_mutex_unlock(&queue.lock);
	if (untold > 0)
		(void)fprintf(
		    stderr, "milterd: %lu log lines dropped\n", untold);
}

void
log_set_level(int level)
{
	atomic_store_explicit(&level_now, level, memory_order_relaxed);
}

unsigned long
log_dropped(void)
{
	unsigned long dropped;

	(void)pthread_mutex_lock(&queue.lock);
	dropped = queue.dropped;
	(void)pthread_mutex_unlock(&queue.lock);
	return dropped;
}

/* Lines. */

/* The LogLevel from which on sendmail writes such a line. */
static int
level_of(int priority)
{
	if (priority <= LOG_ERR)
		return 1;
	if (priority == LOG_WARNING)
		return 2;
	if (priority == LOG_NOTICE)
		return 3;
	return priority == LOG_INFO ? 5 : 10;
}

static void
write_line(int priority, slice text)
{
	bool running;

	(void)pthread_mutex_lock(&queue.lock);
	running = queue.running;
	if (running) {
		put_or_drop(priority, text);
		if (queue.idle) {
			queue.idle = false;
			(void)pthread_cond_signal(&queue.wake);
		}
	}
	(void)pthread_mutex_unlock(&queue.lock);
	if (!running)
		(void)fprintf(
		    stderr, "milterd: " SLICE_FMT "\n", SLICE_ARG(text));
}

static slice
without_controls(slice text, char *buffer, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		bool control = log_is_control(text.ptr[i]);

		if (len + (control ? 3 : 1) > size)
			break;
		if (control)
			len += log_add_hex(buffer + len, text.ptr[i]);
		else
			buffer[len++] = text.ptr[i];
	}
	return (slice){buffer, len};
}

void
log_line(int priority, const char *format, ...)
{
	char raw[LOG_TEXT_MAX + 1];
	char clean[LOG_TEXT_MAX];
	va_list args;
	int len;

	if (level_of(priority) >
	    atomic_load_explicit(&level_now, memory_order_relaxed))
		return;
	va_start(args, format);
	len = vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	if (len < 0)
		return;
	write_line(priority,
	    without_controls(slice_first((slice){raw, (size_t)len}, LOG_TEXT_MAX),
		clean, sizeof(clean)));
}
