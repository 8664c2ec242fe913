/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /etc/hosts. Read at the first question and again when the file has changed
 * (looked at once a second at most). A file that is missing or cannot be read
 * is an empty one. Any thread may ask; results are copied into the arena.
 */
#ifndef MILTER_HOSTS_H
#define MILTER_HOSTS_H

#include "base/arena.h"

struct hosts;

/* `path` is copied. */
struct hosts *hosts_new(const char *path);
void hosts_free(struct hosts *hosts);

/* The name's line's canonical name, which is the first one on it with a dot,
 * else the first one: sendmail's idea. False when no line has the name. */
bool hosts_find_canonical(
    struct hosts *hosts, struct arena *arena, slice name, slice *ret_canonical);
/* The first name on the first line of the address, which is written as in
 * policy/client.h. */
bool hosts_find_pointer(
    struct hosts *hosts, struct arena *arena, slice address, slice *ret_name);

/* Calls `each` for every line that has the name, in the file's order. What it
 * is given is gone when it returns; it must not ask `hosts` anything. */
void hosts_walk(struct hosts *hosts, slice name,
    void (*each)(
	void *context, slice address, const slice *names, size_t count),
    void *context);

enum hosts_match {
	HOSTS_UNKNOWN, /* no line has the name with such an address */
	HOSTS_OTHER,   /* lines have the name, with other addresses */
	HOSTS_SAME,
};
/* Only addresses of the family of `address` count. */
enum hosts_match hosts_match(struct hosts *hosts, slice name, slice address);

#endif
