/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS 1.2 and later, by OpenSSL, over a socket that does not block. The
 * server's certificate must be valid, of a known authority, and of the name
 * that is asked for. Built without OpenSSL every configuration is an error.
 *
 * The library writes by write(2): the process must ignore SIGPIPE.
 */
#ifndef MAPS_REDIS_TLS_H
#define MAPS_REDIS_TLS_H

#include "base/error.h"

/* How far something went that does not block. */
enum redis_step {
	REDIS_STEP_DONE,
	REDIS_STEP_WANTS_READ, /* wait until it can be read, then again */
	REDIS_STEP_WANTS_WRITE,
	REDIS_STEP_CLOSED, /* by the other side */
	REDIS_STEP_FAILED, /* errno, or redis_tls_problem() */
};

struct redis_tls_files {
	slice ca_file; /* empty: the authorities of the system */
	slice cert_file;
	slice key_file;
};

/* Immutable; any thread. */
struct redis_tls_config;
struct redis_tls_config *redis_tls_config_new(
    const struct redis_tls_files *files, struct error *error);
void redis_tls_config_free(struct redis_tls_config *config);

/* One connection's; one thread at a time. `name` is a host's name, or an
 * address, that the certificate must have. The socket stays the caller's. */
struct redis_tls;
struct redis_tls *redis_tls_new(
    const struct redis_tls_config *config, int fd, slice name);
void redis_tls_free(struct redis_tls *tls);
enum redis_step redis_tls_handshake(struct redis_tls *tls);
enum redis_step redis_tls_send(
    struct redis_tls *tls, slice bytes, size_t *ret_count);
enum redis_step redis_tls_receive(
    struct redis_tls *tls, char *buffer, size_t size, size_t *ret_count);
/* Has the idle connection ended, or something come that was not asked for? */
bool redis_tls_is_stale(struct redis_tls *tls);
/* Why the last step failed. */
void redis_tls_problem(const struct redis_tls *tls, char *buffer, size_t size);

#endif
