/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client of Redis that bounds every request by one absolute deadline:
 * connecting, TLS, logging in, sending and all of the reply. hiredis only
 * spells and reads the protocol (maps/redis_resp.c); its own timeouts are for
 * each read, so that a reply that drips holds a caller for ever.
 *
 * A struct redis_client is what a process knows of its Redis: any thread may
 * use it, and it outlives its connections. A struct redis is one connection,
 * for one thread at a time. It connects by itself at a request, and after any
 * trouble on the wire it is closed and never used again: the next request
 * begins with a new one, so that no late reply meets another question. What
 * was sent when the trouble came may have been done or not; nothing is sent
 * twice.
 *
 * After a failure no connection of the client tries again for a while, which
 * doubles from 0.1 s to 5 s, with jitter; requests fail at once meanwhile, and
 * then one of them is let through to try. After a refused password or
 * a missing right at login this while is 10 s.
 *
 * With Sentinel the master is asked for at every connection, and what does not
 * call itself the master is not used. Redis 6 or later is wanted (HELLO);
 * Redis Cluster is refused.
 */
#ifndef MAPS_REDIS_H
#define MAPS_REDIS_H

#include "base/arena.h"
#include "base/deadline.h"
#include "base/error.h"

#include <sys/socket.h>

enum redis_trouble {
	REDIS_NO_TROUBLE,
	/* On the wire. The connection is closed. */
	REDIS_UNREACHABLE, /* no connection, or tried again only later */
	REDIS_TIMED_OUT,
	REDIS_CLOSED,	 /* by the server, in the middle of a request */
	REDIS_GARBAGE,	 /* not what Redis says, or more of it than allowed */
	REDIS_BAD_TLS,	 /* certificate, name, no TLS there */
	REDIS_NO_MASTER, /* no sentinel knows one, or it is none any more */
	REDIS_CLUSTER,	 /* CLUSTERDOWN, MOVED, ASK, mode of the server */
	REDIS_FULL,	 /* max number of clients reached */
	REDIS_DENIED,	 /* NOAUTH, WRONGPASS, NOPERM */
	/* Answers of a server that cannot now, or not this. */
	REDIS_LOADING,
	REDIS_READONLY,
	REDIS_MASTERDOWN,
	REDIS_NOREPLICAS,
	REDIS_OOM,
	REDIS_MISCONF,
	REDIS_BUSY,
	REDIS_WRONGTYPE,
	REDIS_OTHER, /* any other error reply: see redis_problem() */
	REDIS_TROUBLES,
};

/* "LOADING", "unreachable": for logs and status. */
const char *redis_trouble_name(enum redis_trouble trouble);

/* NULL when the text is a server, "unix:/path" or "inet:port@host", else what
 * is wrong with it. */
const char *redis_judge_server(slice server);

struct redis_options {
	slice server;		/* "unix:/path" or "inet:port@host"; or: */
	const slice *sentinels; /* "inet:port@host" */
	size_t sentinel_count;
	slice master;	     /* its name among the sentinels */
	slice user;	     /* empty: "default" */
	slice password_file; /* first line; empty: no password */
	slice sentinel_password_file;
	int database;
	slice prefix; /* of every key and channel: users of this put it there */
	unsigned timeout_ms; /* what redis_client_deadline() gives */
	bool tls;
	slice tls_ca_file; /* empty: those of the system */
	slice tls_cert_file;
	slice tls_key_file;
	slice tls_server_name;	 /* empty: the host that is connected to */
	bool allow_unsafe_files; /* directories of the files that are read */
};

struct redis_address {
	struct sockaddr_storage at;
	socklen_t size;
};

/* What a client asks of the process and tells it, on the thread that uses the
 * connection. Each function may be NULL. */
struct redis_ports {
	void *context;
	/* Up to `most` addresses of a host by the deadline (the port is set by
	 * the caller); 0: none, or no answer. NULL: addresses only, no names.
	 */
	size_t (*find_addresses)(void *context, slice host,
	    deadline_ms deadline, struct redis_address *ret, size_t most);
	/* How every request ended; of a pipeline its first trouble. `problem`
	 * and `server`, what was being spoken to, are safe to log. Must not
	 * block nor use the client. */
	void (*on_outcome)(void *context, enum redis_trouble trouble,
	    const char *problem, const char *server);
};

struct redis_client;

/* Copies the options and reads the files that they name, so that privileges
 * can be dropped afterwards. A password file must belong to root or to this
 * user and be for its owner alone. Connects to nothing. */
struct redis_client *redis_client_new(const struct redis_options *options,
    const struct redis_ports *ports, struct error *error);
/* When all connections are closed. */
void redis_client_free(struct redis_client *client);
slice redis_client_prefix(const struct redis_client *client);
/* The configured timeout from now: for one ordinary request. */
deadline_ms redis_client_deadline(const struct redis_client *client);
/* Milliseconds until a connection may be tried; 0: now. */
unsigned redis_client_pause(const struct redis_client *client);

struct redis;

/* Cheap: connects at the first request. */
struct redis *redis_open(struct redis_client *client);
void redis_close(struct redis *redis);
struct redis_client *redis_client_of(const struct redis *redis);

enum redis_kind {
	REDIS_KIND_NIL,
	REDIS_KIND_TEXT, /* status or string */
	REDIS_KIND_NUMBER,
	REDIS_KIND_ARRAY,
	REDIS_KIND_ERROR,
};

struct redis_reply {
	enum redis_kind kind;
	enum redis_trouble trouble; /* of an error */
	slice text;		    /* NUL-terminated; of an error as well */
	long long number;
	struct redis_reply **items;
	size_t count;
};

/* A command's words: struct redis_command get = {REDIS_WORDS(SLICE("GET"),
 * key)}; they may hold any bytes. */
struct redis_command {
	const slice *words;
	size_t count;
};
#define REDIS_WORDS(...)                                                       \
	(const slice[]){__VA_ARGS__},                                          \
	    sizeof((const slice[]){__VA_ARGS__}) / sizeof(slice)

enum { REDIS_REPLY_BYTES = 1024 * 1024 };

/* Sends the commands at once and reads all replies, `most_bytes` at most. They
 * live until the next use of this connection. An error reply to one of several
 * commands stands in its place and does not count as trouble here, save one
 * that closes the connection. */
enum redis_trouble redis_pipeline(struct redis *redis, deadline_ms deadline,
    const struct redis_command *commands, size_t count, size_t most_bytes,
    struct redis_reply *const **ret_replies);
/* One command, REDIS_REPLY_BYTES at most; an error reply is the trouble. */
enum redis_trouble redis_call(struct redis *redis, deadline_ms deadline,
    const struct redis_command *command, const struct redis_reply **ret_reply);
/* What the last request's trouble was, as text that is safe to log; "" for
 * none. */
const char *redis_problem(const struct redis *redis);

/* While pinned, a request on a connection that was lost fails instead of
 * connecting anew: for what must be one conversation, as WATCH and EXEC. */
void redis_pin(struct redis *redis, bool pinned);

/* Is this still the server to use? Asks it, and the sentinels, whether it is
 * the master; if not, the connection is closed. For threads that keep one
 * open. */
enum redis_trouble redis_check(struct redis *redis, deadline_ms deadline);

/* From now on this connection only waits for messages; any trouble ends the
 * subscription with the connection. */
enum redis_trouble redis_subscribe(struct redis *redis, deadline_ms deadline,
    const slice *channels, size_t count);

struct redis_message {
	slice channel; /* empty: none has come */
	slice text;
};
/* Waits until a message, the deadline, or until `wake_fd` can be read (-1: no
 * such descriptor); the last two are no trouble. While nothing comes the
 * server is asked every 5 s whether it is there. */
enum redis_trouble redis_wait_message(struct redis *redis, deadline_ms deadline,
    int wake_fd, struct redis_message *ret_message);

#endif
