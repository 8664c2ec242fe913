/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MTA's side of a milter connection, protocol 6, without waiting: one
 * connection, one message, then QUIT. It writes as one of the two MTAs does:
 *
 * - sendmail: every packet by itself; macros go with CONNECT, HELO, MAIL, RCPT
 *   and DATA, wanted or not, with end of header when that is wanted, and with
 *   end of message; an empty list is not sent. The list that a filter sets for
 *   end of message counts only if it sets one for end of header too.
 * - Postfix: what stands before an awaited answer in one write; macros go with
 *   everything, header fields and body chunks too, and also with what the
 *   filter does not want to hear; an empty list means the default.
 *
 * Steps that a filter does not want are skipped, answers that it does not
 * give are not waited for.
 */
#ifndef BENCH_MTA_H
#define BENCH_MTA_H

#include "tests/bench/letters.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum mta_manner { MTA_SENDMAIL, MTA_POSTFIX };

/* What all connections have in common. */
struct mta {
	enum mta_manner manner;
	uint32_t steps; /* offered: SMFIP_* */
	unsigned recipients;
	const char *body;
	size_t body_len;
	bool stop_after_helo;
	struct sockaddr_storage address;
	socklen_t address_len;
};

enum talk_state {
	TALK_READS,  /* call again when there is something to read */
	TALK_WRITES, /* call again when there is room to write */
	TALK_IDLE,   /* HELO is answered, and that was to be all */
	TALK_DONE,
	TALK_FAILED, /* the filter hung up or sent what is no answer */
};

enum { TALK_COMMANDS = 'Z' - 'A' + 1, TALK_ANSWERS = 128 };

struct talk_times {
	uint64_t mail_ns;
	uint64_t end_ns; /* of the answer to end of message; 0: never came */
};

struct talk;

/* `number` makes the queue id. Counts every answer by command and kind in
 * `tally`, which must outlive the talk. Blocks while the filter's backlog is
 * full. NULL: errno says why. */
struct talk *talk_begin(const struct mta *mta, const struct letter *letter,
    unsigned long number, unsigned long (*tally)[TALK_ANSWERS]);
enum talk_state talk_go(struct talk *talk);
int talk_descriptor(const struct talk *talk);
const struct letter *talk_letter(const struct talk *talk);
struct talk_times talk_times(const struct talk *talk);
/* Whether it ended as the letter says it ought to. */
bool talk_ended_well(const struct talk *talk);
/* "My550", as in the letters. */
const char *talk_outcome(const struct talk *talk);
void talk_free(struct talk *talk);

/* False when it is no address of a socket: "unix:/path", "inet:port@host". */
bool mta_set_address(struct mta *mta, const char *text);

#endif
