/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The maillog. Lines go into a bounded queue; one thread of its own sends
 * them to /dev/log (or standard error with -f), so that a log daemon that
 * stands still stops nobody. What does not fit is dropped and counted, and
 * the count is logged as soon as there is room. Before log_start() and after
 * log_stop() lines go to standard error. Any thread may log.
 */
#ifndef MILTER_LOG_H
#define MILTER_LOG_H

#include "base/error.h"

/* `facility`: "mail", "local0", ...; level: sendmail's LogLevel idea, lines
 * of a higher level are not written. */
struct log_options {
	slice facility;
	int level;
	bool to_stderr;
	const char *socket_path; /* NULL: /dev/log */
};

/* The thread does not outlive a fork(): only after the last one. That nobody
 * listens at /dev/log is no error; the lines wait for somebody. */
bool log_start(const struct log_options *options, struct error *error);
/* Sends what is queued, for at most a second, and ends the thread. */
void log_stop(void);
void log_set_level(int level);
unsigned long log_dropped(void);

/* Priorities are those of syslog(3). Newlines and controls are escaped; a
 * line is cut at 1000 bytes. Levels: LOG_ERR and worse from 1 on, LOG_WARNING
 * 2, LOG_NOTICE (decisions) 3, LOG_INFO 5, LOG_DEBUG 10. */
__attribute__((format(printf, 2, 3))) void log_line(
    int priority, const char *format, ...);

#endif
