/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between log.c, the queue of lines, and log_lines.c, which formats them.
 */
#ifndef MILTER_LOG_PRIVATE_H
#define MILTER_LOG_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

enum { LOG_TEXT_MAX = 1000 }; /* bytes of a line's text */

static inline bool
log_is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* "+0A"; its length. */
static inline size_t
log_add_hex(char *at, char c)
{
	static const char digits[] = "0123456789ABCDEF";

	at[0] = '+';
	at[1] = digits[(unsigned char)c >> 4];
	at[2] = digits[(unsigned char)c & 15];
	return 3;
}

#endif
