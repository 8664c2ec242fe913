/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy for unit tests: classes and access map from literals, a world that
 * knows a handful of names.
 *
 * good.test and mx.good.test exist, alias.test is a CNAME of good.test,
 * servfail.test fails for now, served.test has this host as mail exchanger,
 * 2.2.0.192.bl.test is listed; nothing else exists.
 */
#ifndef TESTS_UNIT_POLICY_FIXTURE_H
#define TESTS_UNIT_POLICY_FIXTURE_H

#include "maps/snapshot.h"
#include "policy/decide.h"

struct fixture {
	struct snapshot *snapshot;
	struct arena *arena;
	struct policy policy;
	struct ports ports;
	struct session session;
	struct trace trace;
	struct decision decision;
	unsigned questions; /* asked of the world */
};

/* hostname mx.home.test, class w that, localhost and [127.0.0.1]; client
 * 192.0.2.99 without a name; no access map. */
void fixture_init(struct fixture *f);
void fixture_done(struct fixture *f);
/* NULL-ended lists. */
void fixture_local(struct fixture *f, const char *const *words);
void fixture_relay(struct fixture *f, const char *const *words);
const struct class *fixture_class(
    struct fixture *f, const char *name, const char *const *words);
/* The text of a map file. */
const struct map *fixture_map(
    struct fixture *f, const char *name, const char *text);
/* The text of a file of patterns. */
const struct map *fixture_patterns(
    struct fixture *f, const char *name, const char *text);
/* The text of a file of aliases; class w is complete. */
void fixture_aliases(struct fixture *f, const char *text);
void fixture_access(struct fixture *f, const char *text);
void fixture_client(struct fixture *f, const char *address, const char *name,
    enum client_resolve resolve);
/* A verdict on one line: "reject 550 5.7.1 text", "continue relay". */
const char *fixture_line(struct fixture *f, struct verdict verdict);

#endif
