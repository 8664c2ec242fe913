/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts that explain's answers are written with, in JSON and for people.
 */
#ifndef MILTER_EXPLAIN_TEXT_H
#define MILTER_EXPLAIN_TEXT_H

#include "base/strbuf.h"
#include "policy/verdict.h"

#include <jansson.h>

/* jansson takes UTF-8 alone, clients say what they like: what is none becomes
 * U+FFFD. */
json_t *explain_json_text(struct arena *arena, slice text);
json_t *explain_json_text_or_null(struct arena *arena, slice text);
/* The members verdict, code, enhanced, text, reply, rule and relay. */
void explain_json_verdict(
    json_t *object, struct arena *arena, const struct verdict *verdict);
/* One line; the object is given away. */
void explain_add_json(struct strbuf *out, json_t *object);
/* A terminal gets no controls from a client. */
void explain_add_plain(struct strbuf *out, slice text);
/* The first column: at least `width` and two blanks. */
void explain_add_title(struct strbuf *out, slice title, size_t width);

#endif
