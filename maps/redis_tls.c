/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only file that knows OpenSSL.
 */
#include "maps/redis_tls.h"

#include <stdio.h>

#ifdef HAVE_OPENSSL

#include "base/arena.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct redis_tls_config {
	SSL_CTX *context;
};

struct redis_tls {
	SSL *ssl;
	int error; /* errno of the last step, 0: see `why` */
	unsigned long why;
};

static bool
fail_by_library(struct error *error, const char *what, slice file)
{
	char path[PATH_MAX];
	char why[200];

	(void)snprintf(path, sizeof(path), SLICE_FMT, SLICE_ARG(file));
	ERR_error_string_n(ERR_get_error(), why, sizeof(why));
	ERR_clear_error();
	return error_at(error, path, 0, "%s: %s", what, why);
}

static bool
load_authorities(SSL_CTX *context, slice file, struct error *error)
{
	char path[PATH_MAX];

	if (file.len == 0)
		return SSL_CTX_set_default_verify_paths(context) == 1 ||
		       fail_by_library(error, "no authorities", file);
	(void)snprintf(path, sizeof(path), SLICE_FMT, SLICE_ARG(file));
	return SSL_CTX_load_verify_locations(context, path, NULL) == 1 ||
	       fail_by_library(error, "no authorities in it", file);
}

static bool
load_own(
    SSL_CTX *context, const struct redis_tls_files *files, struct error *error)
{
	char path[PATH_MAX];

	if (files->cert_file.len == 0)
		return true;
	(void)snprintf(
	    path, sizeof(path), SLICE_FMT, SLICE_ARG(files->cert_file));
	if (SSL_CTX_use_certificate_chain_file(context, path) != 1)
		return fail_by_library(
		    error, "no certificate in it", files->cert_file);
	(void)snprintf(
	    path, sizeof(path), SLICE_FMT, SLICE_ARG(files->key_file));
	if (SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) != 1)
		return fail_by_library(
		    error, "no key of the certificate in it", files->key_file);
	return true;
}

struct redis_tls_config *
redis_tls_config_new(const struct redis_tls_files *files, struct error *error)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	struct redis_tls_config *config;

	if (context == NULL) {
		(void)fail_by_library(error, "TLS", SLICE(""));
		return NULL;
	}
	(void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	(void)SSL_CTX_set_options(
	    context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	(void)SSL_CTX_set_mode(
	    context, SSL_MODE_ENABLE_PARTIAL_WRITE |
			 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (!load_authorities(context, files->ca_file, error) ||
	    !load_own(context, files, error)) {
		SSL_CTX_free(context);
		return NULL;
	}
	config = xmalloc(sizeof(*config));
	config->context = context;
	return config;
}

void
redis_tls_config_free(struct redis_tls_config *config)
{
	if (config == NULL)
		return;
	SSL_CTX_free(config->context);
	free(config);
}

static bool
is_address(const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, address) == 1 ||
	       inet_pton(AF_INET6, name, address) == 1;
}

static bool
set_name(SSL *ssl, const char *name)
{
	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(
			   SSL_get0_param(ssl), name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, name) == 1 &&
	       SSL_set_tlsext_host_name(ssl, name) == 1;
}

/* Without a name that could be checked nothing would be checked: then there is
 * no connection, and every step fails. */
struct redis_tls *
redis_tls_new(const struct redis_tls_config *config, int fd, slice name)
{
	struct redis_tls *tls = xmalloc(sizeof(*tls));
	char host[256];

	(void)snprintf(host, sizeof(host), SLICE_FMT, SLICE_ARG(name));
	*tls = (struct redis_tls){.ssl = SSL_new(config->context)};
	if (tls->ssl == NULL || host[0] == '\0' || !set_name(tls->ssl, host) ||
	    SSL_set_fd(tls->ssl, fd) != 1) {
		SSL_free(tls->ssl);
		tls->ssl = NULL;
		tls->why = ERR_get_error();
	}
	return tls;
}

void
redis_tls_free(struct redis_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	free(tls);
}

static enum redis_step
step(struct redis_tls *tls, int result)
{
	int error = errno;

	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_NONE:
		return REDIS_STEP_DONE;
	case SSL_ERROR_WANT_READ:
		return REDIS_STEP_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return REDIS_STEP_WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return REDIS_STEP_CLOSED;
	case SSL_ERROR_SYSCALL:
		tls->error = error;
		return error == 0 || error == EPIPE || error == ECONNRESET
			   ? REDIS_STEP_CLOSED
			   : REDIS_STEP_FAILED;
	}
	tls->error = 0;
	tls->why = ERR_get_error();
	return REDIS_STEP_FAILED;
}

enum redis_step
redis_tls_handshake(struct redis_tls *tls)
{
	if (tls->ssl == NULL)
		return REDIS_STEP_FAILED;
	ERR_clear_error();
	errno = 0;
	return step(tls, SSL_connect(tls->ssl));
}

enum redis_step
redis_tls_send(struct redis_tls *tls, slice bytes, size_t *ret_count)
{
	ERR_clear_error();
	errno = 0;
	return step(
	    tls, SSL_write_ex(tls->ssl, bytes.ptr, bytes.len, ret_count));
}

enum redis_step
redis_tls_receive(
    struct redis_tls *tls, char *buffer, size_t size, size_t *ret_count)
{
	ERR_clear_error();
	errno = 0;
	return step(tls, SSL_read_ex(tls->ssl, buffer, size, ret_count));
}

bool
redis_tls_is_stale(struct redis_tls *tls)
{
	char byte;
	size_t count;

	ERR_clear_error();
	errno = 0;
	return step(tls, SSL_peek_ex(tls->ssl, &byte, 1, &count)) !=
	       REDIS_STEP_WANTS_READ;
}

void
redis_tls_problem(const struct redis_tls *tls, char *buffer, size_t size)
{
	long verified =
	    tls->ssl == NULL ? X509_V_OK : SSL_get_verify_result(tls->ssl);
	const char *reason = ERR_reason_error_string(tls->why);

	if (verified != X509_V_OK)
		(void)snprintf(buffer, size, "the server's certificate: %s",
		    X509_verify_cert_error_string(verified));
	else if (tls->error != 0)
		(void)snprintf(buffer, size, "%s", strerror(tls->error));
	else
		(void)snprintf(buffer, size, "%s",
		    reason == NULL ? "the server closed the connection"
				   : reason);
}

#else

struct redis_tls_config *
redis_tls_config_new(const struct redis_tls_files *files, struct error *error)
{
	(void)files;
	(void)error_set(error, "this milterd was built without OpenSSL");
	return NULL;
}

void
redis_tls_config_free(struct redis_tls_config *config)
{
	(void)config;
}

/* No configuration, no connection: none of these is ever called. */

struct redis_tls *
redis_tls_new(const struct redis_tls_config *config, int fd, slice name)
{
	(void)config;
	(void)fd;
	(void)name;
	return NULL;
}

void
redis_tls_free(struct redis_tls *tls)
{
	(void)tls;
}

enum redis_step
redis_tls_handshake(struct redis_tls *tls)
{
	(void)tls;
	return REDIS_STEP_FAILED;
}

enum redis_step
redis_tls_send(struct redis_tls *tls, slice bytes, size_t *ret_count)
{
	(void)tls;
	(void)bytes;
	(void)ret_count;
	return REDIS_STEP_FAILED;
}

enum redis_step
redis_tls_receive(
    struct redis_tls *tls, char *buffer, size_t size, size_t *ret_count)
{
	(void)tls;
	(void)buffer;
	(void)size;
	(void)ret_count;
	return REDIS_STEP_FAILED;
}

bool
redis_tls_is_stale(struct redis_tls *tls)
{
	(void)tls;
	return true;
}

void
redis_tls_problem(const struct redis_tls *tls, char *buffer, size_t size)
{
	(void)tls;
	(void)snprintf(buffer, size, "built without OpenSSL");
}

#endif
