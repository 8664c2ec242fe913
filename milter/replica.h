/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The replica keeps this node's generation in step with its fleet's, by Redis.
 *
 * A node with map files publishes them: the images and shards of its parts under
 * their digests, where they are not there yet, and then, in one step, the manifest as
 * `current`, if that is still what it was when the files were read. Of two who
 * publish at once one so wins whole and the other is told. Half a publication
 * is a few of these that nobody names, and which go away by themselves.
 *
 * Every node hears of a publication on a channel, and looks at `current` every
 * few seconds besides. It fetches the parts that it does not have in force,
 * checks them, makes a generation of them with its own settings, and puts that
 * in force. What cannot be fetched, or is damaged, or of a newer schema changes
 * nothing. Of two generations the one with the higher number is the fleet's:
 * where Redis has none or an older one, after a restart, say, nodes keep theirs
 * and put it back, its publisher at once and the others a while later.
 *
 * Keys, behind the prefix:
 *
 *	current			the manifest, maps/manifest.h
 *	part:DIGEST:N		the Nth piece of an image or a shard
 *	nodes			a set of names
 *	node:NAME		what a node serves; the time it has left tells
 *				when it was last seen, by Redis's clock
 *	generations		the channel
 *
 * One thread does this on two connections. A publication runs on the thread
 * that reloads, on a connection of its own. No callback comes here.
 */
#ifndef MILTER_REPLICA_H
#define MILTER_REPLICA_H

#include "milter/load.h"
#include "milter/service.h"

struct replica;

/* Puts the first generation in force: the fleet's; where Redis does not answer
 * the last good copy in state_directory; where there is none this node's files.
 * Redis without a generation is given that of the last good copy, or of the
 * files. With none of them the node cannot start: EX_TEMPFAIL. `settings` are
 * copied. Before the process gives up its privileges; starts no thread. */
bool replica_begin(struct service *service, const struct settings *settings,
    struct error *error);
bool replica_start(struct service *service, struct error *error);
/* Says good-bye to the fleet. */
void replica_stop(struct service *service);

/* Reads the configuration anew, and publishes this node's files, or on a node
 * without them fetches what is published. `force`: also where an entry in two
 * is gone. */
bool replica_reload(struct service *service, bool force, struct strbuf *report,
    struct error *error);
/* The nodes of the fleet, one a line: name, generation, seconds it has been
 * served, seconds since the node was seen, its version. */
bool replica_list_nodes(struct service *service, bool as_json,
    struct strbuf *out, struct error *error);

/* For status. */
struct replica_report {
	bool is_current;	 /* what Redis has is in force */
	long long confirmed_ago; /* seconds since Redis said so; -1: never */
};
struct replica_report replica_report(const struct replica *replica);

#endif
