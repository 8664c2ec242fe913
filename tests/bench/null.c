/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * null [-n] SOCKET: a libmilter filter that answers "continue" to everything,
 * with every callback there is; what every filter on libmilter pays at least.
 * With -n it asks to give no reply wherever it need not, and gives none.
 *
 * The only mutable globals are the two options, set before the first callback.
 */
#include <libmilter/mfapi.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static sfsistat answer = SMFIS_CONTINUE;
static unsigned long wanted_steps;

static const unsigned long no_reply =
    SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT |
    SMFIP_NR_DATA | SMFIP_NR_UNKN | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY;

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
    unsigned long unused2, unsigned long unused3, unsigned long *ret_actions,
    unsigned long *ret_steps, unsigned long *ret2, unsigned long *ret3)
{
	(void)ctx;
	(void)actions;
	(void)unused2;
	(void)unused3;
	*ret_actions = 0;
	*ret_steps = steps & wanted_steps;
	*ret2 = *ret3 = 0;
	return SMFIS_CONTINUE;
}

static sfsistat
on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	(void)ctx;
	(void)host;
	(void)address;
	return answer;
}

static sfsistat
on_text(SMFICTX *ctx, char *text)
{
	(void)ctx;
	(void)text;
	return answer;
}

static sfsistat
on_unknown(SMFICTX *ctx, const char *text)
{
	(void)ctx;
	(void)text;
	return answer;
}

static sfsistat
on_arguments(SMFICTX *ctx, char **arguments)
{
	(void)ctx;
	(void)arguments;
	return answer;
}

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx;
	(void)name;
	(void)value;
	return answer;
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *chunk, size_t len)
{
	(void)ctx;
	(void)chunk;
	(void)len;
	return answer;
}

static sfsistat
on_step(SMFICTX *ctx)
{
	(void)ctx;
	return answer;
}

static sfsistat
on_end(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
	struct smfiDesc description = {
	    .xxfi_name = (char[]){"null"},
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_negotiate = on_negotiate,
	    .xxfi_connect = on_connect,
	    .xxfi_helo = on_text,
	    .xxfi_envfrom = on_arguments,
	    .xxfi_envrcpt = on_arguments,
	    .xxfi_data = on_step,
	    .xxfi_unknown = on_unknown,
	    .xxfi_header = on_header,
	    .xxfi_eoh = on_step,
	    .xxfi_body = on_body,
	    .xxfi_eom = on_end,
	    .xxfi_abort = on_end,
	    .xxfi_close = on_end,
	};

	if (argc == 3 && strcmp(argv[1], "-n") == 0) {
		answer = SMFIS_NOREPLY;
		wanted_steps = no_reply;
	} else if (argc != 2) {
		(void)fputs("usage: null [-n] SOCKET\n", stderr);
		return 64;
	}
	if (smfi_register(description) != MI_SUCCESS ||
	    smfi_setbacklog(BACKLOG) != MI_SUCCESS ||
	    smfi_setconn(argv[argc - 1]) != MI_SUCCESS ||
	    smfi_opensocket(true) != MI_SUCCESS)
		return 69;
	return smfi_main() == MI_SUCCESS ? 0 : 70;
}
