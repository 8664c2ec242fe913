/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bench/mta.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PROTOCOL 6
#define ACTIONS 0x1ffU
#define CHUNK 65535
#define ROOM 16384	/* of what is still to be written */
#define ANSWER_MAX 4096 /* no answer is longer */
#define HEAD 5		/* length and command of a packet */

enum stage {
	STAGE_NEGOTIATE,
	STAGE_CONNECT,
	STAGE_HELO,
	STAGE_MAIL,
	STAGE_RCPT,
	STAGE_DATA,
	STAGE_HEADER,
	STAGE_EOH,
	STAGE_BODY,
	STAGE_EOM,
	STAGE_ABORT,
	STAGE_QUIT,
	STAGE_END,
};

enum { NO_MACROS = -1, MACRO_STAGES = SMFIM_LAST + 1 };

/* clang-format off */
/* Of each stage: its command, the bits of the negotiation that skip it and
 * leave it unanswered, and whose macros go with it. */
static const struct {
	char command;
	uint32_t skip;
	uint32_t no_reply;
	int macros;
} stages[] = {
	[STAGE_NEGOTIATE] = {SMFIC_OPTNEG, 0, 0, NO_MACROS},
	[STAGE_CONNECT] = {SMFIC_CONNECT, SMFIP_NOCONNECT, SMFIP_NR_CONN, SMFIM_CONNECT},
	[STAGE_HELO] = {SMFIC_HELO, SMFIP_NOHELO, SMFIP_NR_HELO, SMFIM_HELO},
	[STAGE_MAIL] = {SMFIC_MAIL, SMFIP_NOMAIL, SMFIP_NR_MAIL, SMFIM_ENVFROM},
	[STAGE_RCPT] = {SMFIC_RCPT, SMFIP_NORCPT, SMFIP_NR_RCPT, SMFIM_ENVRCPT},
	[STAGE_DATA] = {SMFIC_DATA, SMFIP_NODATA, SMFIP_NR_DATA, SMFIM_DATA},
	[STAGE_HEADER] = {SMFIC_HEADER, SMFIP_NOHDRS, SMFIP_NR_HDR, SMFIM_EOH},
	[STAGE_EOH] = {SMFIC_EOH, SMFIP_NOEOH, SMFIP_NR_EOH, SMFIM_EOH},
	[STAGE_BODY] = {SMFIC_BODY, SMFIP_NOBODY, SMFIP_NR_BODY, SMFIM_EOM},
	[STAGE_EOM] = {SMFIC_BODYEOB, 0, 0, SMFIM_EOM},
	[STAGE_ABORT] = {SMFIC_ABORT, 0, 0, NO_MACROS},
	[STAGE_QUIT] = {SMFIC_QUIT, 0, 0, NO_MACROS},
};

static const char *const headers[][2] = {
	{"Received", "from mta.example (mta.example [192.0.2.99])\n\tby relay.example with "
	    "ESMTPS id 4XyZ12abc\n\tfor <someone@example.com>; Sun, 22 Nov 2026 10:00:00 +0000"},
	{"Received", "from [10.1.2.3] (unknown [10.1.2.3])\n\tby mta.example with ESMTPSA id "
	    "4XyZ09xyz; Sun, 22 Nov 2026 09:59:58 +0000"},
	{"Message-ID", "<20261122095958.12345@mta.example>"},
	{"Date", "Sun, 22 Nov 2026 09:59:58 +0000"},
	{"From", "\"A. Sender\" <a.sender@example.com>"},
	{"To", "Someone <someone@example.com>, \"Someone, Else\" <else@example.com>"},
	{"Subject", "Minutes of the meeting and what else there is to say about it"},
	{"Sender", "a.sender@example.com"},
	{"Content-Type", "text/plain; charset=utf-8"},
	{"Reply-To", "\"A. Sender\" <a.sender@example.com>"},
};
/* clang-format on */

enum { HEADERS = sizeof(headers) / sizeof(headers[0]) };

/* The macros there are; a set of them is a word of bits. */
enum macro {
	MACRO_J,
	MACRO_UNDERSCORE,
	MACRO_V,
	MACRO_I,
	MACRO_DAEMON_NAME,
	MACRO_IF_ADDR,
	MACRO_CLIENT_ADDR,
	MACRO_CLIENT_NAME,
	MACRO_CLIENT_PTR,
	MACRO_CLIENT_PORT,
	MACRO_CLIENT_RESOLVE,
	MACRO_MAIL_ADDR,
	MACRO_MAIL_HOST,
	MACRO_MAIL_MAILER,
	MACRO_RCPT_ADDR,
	MACRO_RCPT_HOST,
	MACRO_RCPT_MAILER,
	MACRO_MSG_ID,
	MACRO_TLS_VERSION, /* never has a value here */
	MACROS,
};

/* clang-format off */
static const char *const macro_names[] = {
	[MACRO_J] = "j",
	[MACRO_UNDERSCORE] = "_",
	[MACRO_V] = "v",
	[MACRO_I] = "i",
	[MACRO_DAEMON_NAME] = "{daemon_name}",
	[MACRO_IF_ADDR] = "{if_addr}",
	[MACRO_CLIENT_ADDR] = "{client_addr}",
	[MACRO_CLIENT_NAME] = "{client_name}",
	[MACRO_CLIENT_PTR] = "{client_ptr}",
	[MACRO_CLIENT_PORT] = "{client_port}",
	[MACRO_CLIENT_RESOLVE] = "{client_resolve}",
	[MACRO_MAIL_ADDR] = "{mail_addr}",
	[MACRO_MAIL_HOST] = "{mail_host}",
	[MACRO_MAIL_MAILER] = "{mail_mailer}",
	[MACRO_RCPT_ADDR] = "{rcpt_addr}",
	[MACRO_RCPT_HOST] = "{rcpt_host}",
	[MACRO_RCPT_MAILER] = "{rcpt_mailer}",
	[MACRO_MSG_ID] = "{msg_id}",
	[MACRO_TLS_VERSION] = "{tls_version}",
};

/* What is sent when the filter asks for nothing. */
static const char *const default_macros[][MACRO_STAGES] = {
	[MTA_SENDMAIL] = {
		[SMFIM_CONNECT] = "j _ {daemon_name} {if_addr}",
		[SMFIM_HELO] = "{tls_version}",
		[SMFIM_ENVFROM] = "i {mail_mailer} {mail_host} {mail_addr}",
		[SMFIM_ENVRCPT] = "{rcpt_mailer} {rcpt_host} {rcpt_addr}",
		[SMFIM_DATA] = "",
		[SMFIM_EOM] = "{msg_id}",
		[SMFIM_EOH] = "",
	},
	[MTA_POSTFIX] = {
		[SMFIM_CONNECT] = "j {daemon_name} v _",
		[SMFIM_HELO] = "{tls_version}",
		[SMFIM_ENVFROM] = "i {mail_addr} {mail_host} {mail_mailer}",
		[SMFIM_ENVRCPT] = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
		[SMFIM_DATA] = "i",
		[SMFIM_EOM] = "i",
		[SMFIM_EOH] = "i",
	},
};
/* clang-format on */

struct talk {
	const struct mta *mta;
	const struct letter *letter;
	unsigned long number;
	unsigned long (*tally)[TALK_ANSWERS];
	int fd;

	enum stage stage;
	size_t index; /* of the header, recipient or body byte that is next */
	bool macros_sent;
	bool awaiting;
	bool in_message;
	unsigned accepted; /* recipients */
	char outcome[8];
	struct talk_times times;

	/* As negotiated. */
	uint32_t steps;
	bool is_set[MACRO_STAGES];
	uint32_t macros[MACRO_STAGES];

	/* Still to be written: `out`, then `tail`. */
	char out[ROOM];
	size_t out_len;
	size_t out_sent;
	const char *tail;
	size_t tail_len;

	char in[ANSWER_MAX + 1];
	size_t in_len;
};

static uint64_t
now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* Addresses. */

static bool
set_inet(struct mta *mta, const char *text)
{
	struct addrinfo hints = {
	    .ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	const char *at = strchr(text, '@');
	char port[16];

	(void)snprintf(port, sizeof(port), "%.*s",
	    at == NULL ? 15 : (int)(at - text), text);
	if (getaddrinfo(
		at == NULL ? "127.0.0.1" : at + 1, port, &hints, &found) != 0)
		return false;
	memcpy(&mta->address, found->ai_addr, found->ai_addrlen);
	mta->address_len = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

bool
mta_set_address(struct mta *mta, const char *text)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	if (strncmp(text, "inet:", 5) == 0)
		return set_inet(mta, text + 5);
	if (strncmp(text, "unix:", 5) == 0)
		text += 5;
	if (strlen(text) >= sizeof(un.sun_path))
		return false;
	strcpy(un.sun_path, text);
	memcpy(&mta->address, &un, sizeof(un));
	mta->address_len = sizeof(un);
	return true;
}

static int
dial(const struct mta *mta)
{
	int fd = socket(mta->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int yes = 1;

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&mta->address,
		mta->address_len) != 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
		(void)close(fd);
		return -1;
	}
	if (mta->address.ss_family == AF_INET)
		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	return fd;
}

/* Macros. */

static uint32_t
macro_set(const char *names)
{
	uint32_t set = 0;

	while (*names != '\0') {
		size_t len = strcspn(names, " ,");

		for (int i = 0; i < MACROS; i++) {
			if (strlen(macro_names[i]) == len &&
			    memcmp(macro_names[i], names, len) == 0)
				set |= 1U << i;
		}
		names += len;
		names += strspn(names, " ,");
	}
	return set;
}

static const char *
host_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at == NULL ? "" : at + 1;
}

static bool
has_name(const struct letter *letter)
{
	return strcmp(letter->resolve, "OK") == 0;
}

/* As both MTAs write it: "name [address] (may be forged)". */
static const char *
underscore(const struct letter *letter, char *buffer, size_t size)
{
	bool is_forged = strcmp(letter->resolve, "FORGED") == 0;

	if (!has_name(letter) && !is_forged)
		(void)snprintf(buffer, size, "[%s]", letter->address);
	else
		(void)snprintf(buffer, size, "%s [%s]%s", letter->name,
		    letter->address, is_forged ? " (may be forged)" : "");
	return buffer;
}

static const char *
bracketed(const struct letter *letter, char *buffer, size_t size)
{
	(void)snprintf(buffer, size, "[%s]", letter->address);
	return buffer;
}

/* {client_name} and {client_ptr} of a client whose name is not known. */
static const char *
nameless(const struct talk *talk, char *buffer, size_t size)
{
	if (talk->mta->manner == MTA_POSTFIX)
		return "unknown";
	return bracketed(talk->letter, buffer, size);
}

/* NULL: it has no value now. */
static const char *
macro_value(
    const struct talk *talk, enum macro macro, char *buffer, size_t size)
{
	const struct letter *letter = talk->letter;
	bool is_postfix = talk->mta->manner == MTA_POSTFIX;

	switch (macro) {
	case MACRO_J:
		return "mail.abc.com";
	case MACRO_UNDERSCORE:
		return underscore(letter, buffer, size);
	case MACRO_V:
		return is_postfix ? "Postfix 3.7.11" : "8.17.1.9";
	case MACRO_I:
		if (is_postfix && talk->accepted == 0)
			return NULL;
		(void)snprintf(
		    buffer, size, is_postfix ? "4X%lx" : "6A%lu", talk->number);
		return buffer;
	case MACRO_DAEMON_NAME:
		return is_postfix ? "mail.abc.com" : "MTA-v4";
	case MACRO_IF_ADDR:
		return is_postfix ? NULL : "192.0.2.1";
	case MACRO_CLIENT_ADDR:
		return letter->address;
	case MACRO_CLIENT_NAME:
		return has_name(letter) ? letter->name
					: nameless(talk, buffer, size);
	case MACRO_CLIENT_PTR:
		return has_name(letter) ||
			       strcmp(letter->resolve, "FORGED") == 0
			   ? letter->name
			   : nameless(talk, buffer, size);
	case MACRO_CLIENT_PORT:
		return "25000";
	case MACRO_CLIENT_RESOLVE:
		return letter->resolve;
	case MACRO_MAIL_ADDR:
		return letter->sender;
	case MACRO_MAIL_HOST:
		return host_of(letter->sender);
	case MACRO_MAIL_MAILER:
		return is_postfix ? "smtp" : "esmtp";
	case MACRO_RCPT_ADDR:
		return letter->recipient;
	case MACRO_RCPT_HOST:
		return host_of(letter->recipient);
	case MACRO_RCPT_MAILER:
		return is_postfix ? "smtp" : "esmtp";
	case MACRO_MSG_ID:
		return is_postfix ? NULL : "<20261122095958.12345@mta.example>";
	case MACRO_TLS_VERSION:
	case MACROS:
		break;
	}
	return NULL;
}

/* The list for a stage, as this MTA understands what the filter has set. */
static uint32_t
macros_for(const struct talk *talk, int stage)
{
	bool is_sendmail = talk->mta->manner == MTA_SENDMAIL;
	bool is_set = talk->is_set[stage];

	if (is_sendmail && stage == SMFIM_EOM)
		is_set = is_set && talk->is_set[SMFIM_EOH];
	if (!is_sendmail && talk->macros[stage] == 0)
		is_set = false;
	return is_set ? talk->macros[stage]
		      : macro_set(default_macros[talk->mta->manner][stage]);
}

static bool
is_skipped(const struct talk *talk)
{
	return (talk->steps & stages[talk->stage].skip) != 0;
}

/* Whether macros go with this stage at all. */
static bool
takes_macros(const struct talk *talk)
{
	if (stages[talk->stage].macros == NO_MACROS)
		return false;
	if (talk->mta->manner == MTA_POSTFIX)
		return true;
	if (talk->stage == STAGE_HEADER || talk->stage == STAGE_BODY)
		return false;
	return talk->stage != STAGE_EOH || !is_skipped(talk);
}

/* Packets. */

static void
put(struct talk *talk, const void *bytes, size_t len)
{
	memcpy(talk->out + talk->out_len, bytes, len);
	talk->out_len += len;
}

static void
put_string(struct talk *talk, const char *text)
{
	put(talk, text, strlen(text) + 1);
}

static void
put_number(struct talk *talk, uint32_t number)
{
	number = htonl(number);
	put(talk, &number, sizeof(number));
}

/* The packet's beginning; seal() fills its length in. */
static size_t
open_packet(struct talk *talk, char command)
{
	size_t at = talk->out_len;

	put_number(talk, 0);
	put(talk, &command, 1);
	return at;
}

static void
seal(struct talk *talk, size_t at, size_t more)
{
	uint32_t len = htonl((uint32_t)(talk->out_len - at - 4 + more));

	memcpy(talk->out + at, &len, sizeof(len));
}

/* False when there is no list to send. */
static bool
put_macros(struct talk *talk)
{
	uint32_t set = macros_for(talk, stages[talk->stage].macros);
	size_t at;

	if (set == 0)
		return false;
	at = open_packet(talk, SMFIC_MACRO);
	put(talk, &stages[talk->stage].command, 1);
	for (int i = 0; i < MACROS; i++) {
		char buffer[512];
		const char *value = (set & 1U << i) == 0
					? NULL
					: macro_value(talk, (enum macro)i,
					      buffer, sizeof(buffer));

		if (value == NULL)
			continue;
		put_string(talk, macro_names[i]);
		put_string(talk, value);
	}
	seal(talk, at, 0);
	return true;
}

static void
put_client(struct talk *talk)
{
	const struct letter *letter = talk->letter;
	bool is_ip6 = strchr(letter->address, ':') != NULL;
	char buffer[512];
	uint16_t port = htons(25000);

	put_string(talk, has_name(letter)
			     ? letter->name
			     : bracketed(letter, buffer, sizeof(buffer)));
	put(talk, is_ip6 ? "6" : "4", 1);
	put(talk, &port, sizeof(port));
	if (is_ip6)
		put(talk, "IPv6:", 5);
	put_string(talk, letter->address);
}

static void
put_address(struct talk *talk, const char *address)
{
	put(talk, "<", 1);
	put(talk, address, strlen(address));
	put_string(talk, ">");
}

static void
put_header(struct talk *talk)
{
	put_string(talk, headers[talk->index][0]);
	if ((talk->steps & SMFIP_HDR_LEADSPC) != 0)
		put(talk, " ", 1);
	put_string(talk, headers[talk->index][1]);
}

/* A big chunk is written from where it stands; its length is returned. */
static size_t
put_body(struct talk *talk)
{
	const char *chunk = talk->mta->body + talk->index;
	size_t len = talk->mta->body_len - talk->index;

	if (len > CHUNK)
		len = CHUNK;
	talk->index += len;
	if (len <= ROOM / 4) {
		put(talk, chunk, len);
		return 0;
	}
	talk->tail = chunk;
	talk->tail_len = len;
	return len;
}

static void
put_command(struct talk *talk)
{
	size_t at = open_packet(talk, stages[talk->stage].command);
	size_t more = 0;

	switch (talk->stage) {
	case STAGE_NEGOTIATE:
		put_number(talk, PROTOCOL);
		put_number(talk, ACTIONS);
		put_number(talk, talk->mta->steps);
		break;
	case STAGE_CONNECT:
		put_client(talk);
		break;
	case STAGE_HELO:
		put_string(talk, talk->letter->helo);
		break;
	case STAGE_MAIL:
		put_address(talk, talk->letter->sender);
		break;
	case STAGE_RCPT:
		put_address(talk, talk->letter->recipient);
		break;
	case STAGE_HEADER:
		put_header(talk);
		break;
	case STAGE_BODY:
		more = put_body(talk);
		break;
	case STAGE_DATA:
	case STAGE_EOH:
	case STAGE_EOM:
	case STAGE_ABORT:
	case STAGE_QUIT:
	case STAGE_END:
		break;
	}
	seal(talk, at, more);
}

/* From stage to stage. */

static void
go_to(struct talk *talk, enum stage stage)
{
	talk->stage = stage;
	talk->index = 0;
	talk->macros_sent = false;
}

static bool
is_stage_over(const struct talk *talk)
{
	if (talk->stage == STAGE_RCPT)
		return talk->index >= talk->mta->recipients;
	if (talk->stage == STAGE_HEADER)
		return talk->index >= HEADERS;
	if (talk->stage == STAGE_BODY)
		return talk->index >= talk->mta->body_len;
	return true;
}

static void
end_message(struct talk *talk)
{
	go_to(talk, talk->in_message ? STAGE_ABORT : STAGE_QUIT);
}

/* The stage's command is sent and, if it is answered, goes on. */
static void
go_on(struct talk *talk)
{
	talk->macros_sent = false;
	if (!is_stage_over(talk))
		return;
	if (talk->stage == STAGE_RCPT && talk->accepted == 0)
		end_message(talk);
	else if (talk->stage == STAGE_EOM)
		go_to(talk, STAGE_QUIT);
	else
		go_to(talk, talk->stage + 1);
}

static bool
is_answered(const struct talk *talk)
{
	switch (talk->stage) {
	case STAGE_ABORT:
	case STAGE_QUIT:
	case STAGE_END:
		return false;
	case STAGE_NEGOTIATE:
	case STAGE_CONNECT:
	case STAGE_HELO:
	case STAGE_MAIL:
	case STAGE_RCPT:
	case STAGE_DATA:
	case STAGE_HEADER:
	case STAGE_EOH:
	case STAGE_BODY:
	case STAGE_EOM:
		break;
	}
	return (talk->steps & stages[talk->stage].no_reply) == 0;
}

static void
count_item(struct talk *talk)
{
	if (talk->stage == STAGE_RCPT || talk->stage == STAGE_HEADER)
		talk->index++;
}

static void
skip_stage(struct talk *talk)
{
	if (talk->stage == STAGE_RCPT)
		talk->accepted++;
	if (talk->stage == STAGE_BODY)
		talk->index = talk->mta->body_len;
	else
		count_item(talk);
	go_on(talk);
}

/* The next packet, if this stage has one. */
static void
put_next(struct talk *talk)
{
	if (!talk->macros_sent && takes_macros(talk)) {
		talk->macros_sent = true;
		if (put_macros(talk))
			return;
	}
	if (is_skipped(talk)) {
		skip_stage(talk);
		return;
	}
	if (talk->stage == STAGE_MAIL) {
		talk->times.mail_ns = now_ns();
		talk->in_message = true;
	}
	put_command(talk);
	talk->awaiting = is_answered(talk);
	count_item(talk);
	if (!talk->awaiting) {
		talk->accepted += talk->stage == STAGE_RCPT;
		go_on(talk);
	}
}

/* Answers. */

static void
take_lists(struct talk *talk, const char *at, const char *end)
{
	while (end - at > 4) {
		uint32_t stage;
		size_t len;

		memcpy(&stage, at, sizeof(stage));
		stage = ntohl(stage);
		at += 4;
		len = strnlen(at, (size_t)(end - at));
		if (stage >= MACRO_STAGES || at + len == end)
			return;
		talk->is_set[stage] = true;
		talk->macros[stage] = macro_set(at);
		at += len + 1;
	}
}

static bool
take_negotiation(struct talk *talk, const char *data, size_t len)
{
	uint32_t steps;

	if (len < 12)
		return false;
	memcpy(&steps, data + 8, sizeof(steps));
	talk->steps = ntohl(steps);
	take_lists(talk, data + 12, data + len);
	return (talk->steps & ~talk->mta->steps) == 0;
}

/* An edit or a sign of life before the answer. */
static bool
is_preliminary(char kind)
{
	return memchr("+-2behilmpq", kind, 11) != NULL;
}

static bool
is_refusal(char kind)
{
	return kind == SMFIR_REJECT || kind == SMFIR_TEMPFAIL ||
	       kind == SMFIR_REPLYCODE;
}

static void
note_outcome(struct talk *talk, char kind, const char *text, size_t len)
{
	(void)snprintf(talk->outcome, sizeof(talk->outcome), "%c%c%.*s",
	    stages[talk->stage].command, kind, len < 3 ? (int)len : 3,
	    kind == SMFIR_REPLYCODE ? text : "");
}

/* One packet of the filter's; false when it has no business here. */
static bool
take_answer(struct talk *talk, char kind, const char *data, size_t len)
{
	char command = stages[talk->stage].command;

	if (kind < 0)
		return false;
	talk->tally[command - 'A'][(unsigned char)kind]++;
	if (talk->stage == STAGE_EOM && is_preliminary(kind))
		return true;
	talk->awaiting = false;
	if (talk->stage == STAGE_NEGOTIATE) {
		go_to(talk, STAGE_CONNECT);
		return kind == SMFIC_OPTNEG &&
		       take_negotiation(talk, data, len);
	}
	note_outcome(talk, kind, data, len);
	if (talk->stage == STAGE_EOM)
		talk->times.end_ns = now_ns();
	talk->accepted += talk->stage == STAGE_RCPT && kind == SMFIR_CONTINUE;
	if (kind == SMFIR_SKIP && talk->stage == STAGE_BODY)
		skip_stage(talk);
	else if (kind == SMFIR_CONTINUE || talk->stage == STAGE_EOM ||
		 (is_refusal(kind) && talk->stage == STAGE_RCPT))
		go_on(talk);
	else
		end_message(talk);
	return is_refusal(kind) || kind == SMFIR_CONTINUE ||
	       kind == SMFIR_ACCEPT || kind == SMFIR_DISCARD ||
	       kind == SMFIR_SKIP || kind == SMFIR_SHUTDOWN;
}

/* Input and output. */

static bool
has_output(const struct talk *talk)
{
	return talk->out_len + talk->tail_len > talk->out_sent;
}

/* sendmail writes each packet, Postfix when it has to wait or its buffer is
 * full. */
static bool
must_write(const struct talk *talk)
{
	if (!has_output(talk))
		return false;
	return talk->mta->manner == MTA_SENDMAIL || talk->awaiting ||
	       talk->stage == STAGE_END || talk->tail_len > 0 ||
	       talk->out_len > ROOM / 2;
}

/* TALK_DONE: all is written. */
static enum talk_state
write_out(struct talk *talk)
{
	while (has_output(talk)) {
		size_t sent = talk->out_sent;
		size_t in_tail =
		    sent > talk->out_len ? sent - talk->out_len : 0;
		struct iovec parts[] = {
		    {talk->out + (sent - in_tail),
			talk->out_len - (sent - in_tail)},
		    {(char *)(uintptr_t)talk->tail + in_tail,
			talk->tail_len - in_tail},
		};
		struct msghdr message = {
		    .msg_iov = parts, .msg_iovlen = talk->tail_len > 0 ? 2 : 1};
		ssize_t n = sendmsg(talk->fd, &message, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return TALK_WRITES;
		if (n < 0)
			return TALK_FAILED;
		talk->out_sent += (size_t)n;
	}
	talk->out_len = talk->out_sent = talk->tail_len = 0;
	return TALK_DONE;
}

/* TALK_DONE: the stage's answer is taken. */
static enum talk_state
read_answer(struct talk *talk)
{
	while (talk->awaiting) {
		uint32_t len = 0;
		ssize_t n;

		if (talk->in_len >= HEAD) {
			memcpy(&len, talk->in, sizeof(len));
			len = ntohl(len);
			if (len == 0 || len > ANSWER_MAX - 4)
				return TALK_FAILED;
		}
		if (talk->in_len >= HEAD && talk->in_len >= 4 + len) {
			talk->in[talk->in_len] = '\0';
			if (!take_answer(
				talk, talk->in[4], talk->in + HEAD, len - 1))
				return TALK_FAILED;
			talk->in_len -= 4 + len;
			memmove(talk->in, talk->in + 4 + len, talk->in_len);
			continue;
		}
		n = recv(talk->fd, talk->in + talk->in_len,
		    ANSWER_MAX - talk->in_len, 0);
		if (n < 0 && errno == EAGAIN)
			return TALK_READS;
		if (n <= 0)
			return TALK_FAILED;
		talk->in_len += (size_t)n;
	}
	return TALK_DONE;
}

enum talk_state
talk_go(struct talk *talk)
{
	for (;;) {
		enum talk_state state = TALK_DONE;

		if (must_write(talk))
			state = write_out(talk);
		if (state == TALK_DONE && talk->awaiting)
			state = read_answer(talk);
		if (state != TALK_DONE)
			return state;
		if (talk->stage == STAGE_MAIL && talk->mta->stop_after_helo)
			return TALK_IDLE;
		if (talk->stage == STAGE_END)
			return TALK_DONE;
		put_next(talk);
	}
}

struct talk *
talk_begin(const struct mta *mta, const struct letter *letter,
    unsigned long number, unsigned long (*tally)[TALK_ANSWERS])
{
	struct talk *talk;
	int fd = dial(mta);

	if (fd < 0)
		return NULL;
	talk = malloc(sizeof(*talk));
	if (talk == NULL) {
		(void)close(fd);
		return NULL;
	}
	*talk = (struct talk){.mta = mta,
	    .letter = letter,
	    .number = number,
	    .tally = tally,
	    .fd = fd};
	return talk;
}

void
talk_free(struct talk *talk)
{
	if (talk == NULL)
		return;
	(void)close(talk->fd);
	free(talk);
}

int
talk_descriptor(const struct talk *talk)
{
	return talk->fd;
}

const struct letter *
talk_letter(const struct talk *talk)
{
	return talk->letter;
}

struct talk_times
talk_times(const struct talk *talk)
{
	return talk->times;
}

const char *
talk_outcome(const struct talk *talk)
{
	return talk->outcome;
}

bool
talk_ended_well(const struct talk *talk)
{
	const char *wanted = talk->letter->outcome[talk->mta->manner];

	return talk->stage == STAGE_END && strcmp(talk->outcome, wanted) == 0;
}
