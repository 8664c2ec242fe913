/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The texts are the ones procmailrc(5) gives under "Miscellaneous"; the "\t"
 * in its classes is a tab.
 */
#include "policy/recipe_pattern.h"

#include "policy/recipe_regex.h"

#include <string.h>

struct macro {
	slice name;
	slice text;
	bool ignores_case;
};

#define FROM_REST                                                              \
	"(([^).!:a-z0-9][-_a-z0-9]*)?[%@>\t ][^<)]*(\\(.*\\).*)?)?$([^>]|$))"
#define FROM_SENDER                                                            \
	"(((Resent-)?(From|Sender)|X-Envelope-From):|>?From )"                 \
	"([^>]*[^(.%@a-z0-9])?"
#define DESTINATION                                                            \
	"(^((Original-)?(Resent-)?(To|Cc|Bcc)|"                                \
	"(X-Envelope|Apparently(-Resent)?)-To):"

/* In the order in which the program looks for them. */
static const struct macro macros[] = {
    {SLICE_INIT("^FROM_DAEMON"),
	SLICE_INIT("(^(Mailing-List:|Precedence:.*(junk|bulk|list)|"
		   "To: Multiple recipients of |" FROM_SENDER
		   "(Post(ma?(st(e?r)?|n)|office)|(send)?Mail(er)?|daemon|"
		   "m(mdf|ajordomo)|n?uucp|LIST(SERV|proc)|NETSERV|o(wner|ps)|"
		   "r(e(quest|sponse)|oot)|b(ounce|bs\\.smtp)|echo|mirror|"
		   "s(erv(ices?|er)|mtp(error)?|ystem)|"
		   "A(dmin(istrator)?|MMGR|utoanswer))" FROM_REST ")"),
	true},
    {SLICE_INIT("^TO_"), SLICE_INIT(DESTINATION "(.*[^-a-zA-Z0-9_.])?)"),
	false},
    {SLICE_INIT("^TO"), SLICE_INIT(DESTINATION "(.*[^a-zA-Z])?)"), false},
    {SLICE_INIT("^FROM_MAILER"),
	SLICE_INIT("(^" FROM_SENDER
		   "(Post(ma(st(er)?|n)|office)|(send)?Mail(er)?|daemon|mmdf|"
		   "n?uucp|ops|r(esponse|oot)|(bbs\\.)?smtp(error)?|"
		   "s(erv(ices?|er)|ystem)|"
		   "A(dmin(istrator)?|MMGR))" FROM_REST),
	false},
};

/* Only the first place where the name stands is looked at. */
static bool
find(slice text, slice name, size_t *ret_at)
{
	const char *found = memmem(text.ptr, text.len, name.ptr, name.len);

	if (found == NULL || (found > text.ptr && found[-1] == '\\'))
		return false;
	*ret_at = (size_t)(found - text.ptr);
	return true;
}

static slice
exchange(struct arena *arena, slice text, size_t at, const struct macro *macro)
{
	return arena_join(arena, slice_first(text, at), macro->text,
	    slice_from(text, at + macro->name.len));
}

bool
recipe_pattern_expand(struct arena *arena, slice text, slice *ret_text,
    bool *ret_ignore_case, struct error *error)
{
	size_t at;

	for (size_t i = 0; i < sizeof(macros) / sizeof(*macros);) {
		if (!find(text, macros[i].name, &at)) {
			i++;
			continue;
		}
		text = exchange(arena, text, at, &macros[i]);
		if (text.len > RECIPE_PATTERN_MAX)
			return error_set(error,
			    "regular expression longer than %d bytes",
			    RECIPE_PATTERN_MAX);
		if (macros[i].ignores_case)
			*ret_ignore_case = true;
		i = 0;
	}
	*ret_text = text;
	return true;
}
