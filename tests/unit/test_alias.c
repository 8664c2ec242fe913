/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What recipients stand for. The answers of the first five tables are those of
 * sendmail 8.17.1.9 with these very aliases: of `sendmail -bv`, of RCPT where
 * it refuses, and, for the owners, what stands in the queue.
 */
#include "policy/alias.h"
#include "policy/alias_list.h"

#include "base/strbuf.h"
#include "tests/unit/policy_fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct fixture f;
static enum world_answer user_answer; /* for who is neither of both */
static slice long_list;

/* alice, bob, carol and dl are users. */
static enum world_answer
find_user(void *context, struct arena *arena, slice name)
{
	static const char *const users[] = {"alice", "bob", "carol", "dl"};

	(void)context;
	(void)arena;
	for (int i = 0; i < COUNT(users); i++) {
		if (slice_eq(name, slice_from_cstr(users[i])))
			return WORLD_FOUND;
	}
	return user_answer;
}

static const struct {
	const char *path;
	const char *text;
} includes[] = {
	/* clang-format off */
	{"/list", "alice\n# c\nbob, carol@good.test\n:include:/list2\n"},
	{"/list2", "dl\nx@good.test #@# comment\n"},
	{"/empty", "# nothing\n\n"},
	{"/one", "carol\n"},
	{"/o ne", "bob\n"},
	{"/selfinc", "selfinc\ncarol\n"},
	{"/incloop", ":include:/incloop\n"},
	{"/incprog", "carol\n|/bin/prog x\n"},
	{"/crlf", "alice\r\nbob\r\n\r\n"},
	{"/badline", "alice\n<bob\ncarol\n"},
	/* clang-format on */
};

static enum world_answer
read_include(void *context, struct arena *arena, slice path,
    const struct policy *policy, slice *ret_text)
{
	(void)context;
	(void)arena;
	ck_assert_ptr_eq(policy, &f.policy);
	if (slice_eq(path, SLICE("/later")))
		return WORLD_TEMPFAIL;
	if (slice_eq(path, SLICE("/long"))) {
		*ret_text = long_list;
		return WORLD_FOUND;
	}
	for (int i = 0; i < COUNT(includes); i++) {
		if (slice_eq(path, slice_from_cstr(includes[i].path))) {
			*ret_text = slice_from_cstr(includes[i].text);
			return WORLD_FOUND;
		}
	}
	return WORLD_NONE;
}

static const char *
shown(struct expansion e)
{
	struct strbuf text;

	strbuf_init(&text, f.arena);
	strbuf_add(&text, SLICE(""));
	switch (e.kind) {
	case EXPANSION_SAME:
		return "=";
	case EXPANSION_MTA:
		return "mta";
	case EXPANSION_ERROR:
	case EXPANSION_TEMPFAIL:
		ck_assert(e.kind == (e.error.kind == VERDICT_DEFER
					    ? EXPANSION_TEMPFAIL
					    : EXPANSION_ERROR));
		return arena_cstr(f.arena, verdict_reply(f.arena, &e.error));
	case EXPANSION_SET:
		break;
	}
	for (size_t i = 0; i < e.count; i++)
		strbuf_printf(&text, "%s" SLICE_FMT, i == 0 ? "" : " ",
		    SLICE_ARG(e.addresses[i]));
	return arena_cstr(f.arena, strbuf_slice(&text));
}

static struct expansion
expand(const char *recipient)
{
	return expand_recipient(&f.decision, slice_from_cstr(recipient));
}

static void
check_expansion(const char *recipient, const char *expected)
{
	const char *got = shown(expand(recipient));

	ck_assert_msg(strcmp(got, expected) == 0, "%s: %s, not %s", recipient,
	    got, expected);
}

static void
setup(void)
{
	static const char *const local[] = {"mx.home.test", "mx", "localhost",
	    "[127.0.0.1]", "local.test", NULL};

	fixture_init(&f);
	fixture_local(&f, local);
	f.ports.read_include = read_include;
	f.ports.find_user = find_user;
	user_answer = WORLD_NONE;
}

static void
teardown(void)
{
	fixture_done(&f);
}

/*
 * Aliases alone.
 */

static const char plain_aliases[] =
	/* clang-format off */
	"# comment\n"
	"dl: dl, dl@qq.com\n"
	"friend: alice, bob@good.test\n"
	"nest: friend, carol\n"
	"up: \\alice, \"|/bin/prog a,b\", /var/mail/file\n"
	"inc: :include:/list\n"
	"owner-inc: carol\n"
	"loop1: loop2\n"
	"loop2: loop1\n"
	"self: self\n"
	"ghost: nobodyhere\n"
	"MiXed: alice\n"
	"\"quoted name\": bob\n"
	"\"Quo.Ted\": bob\n"
	"a b: carol\n"
	"deep0: deep1\ndeep1: deep2\ndeep2: deep3\ndeep3: deep4\n"
	"deep4: deep5\ndeep5: deep6\ndeep6: deep7\ndeep7: deep8\n"
	"deep8: deep9\ndeep9: deep10\ndeep10: deep11\ndeep11: deep12\n"
	"deep12: alice\n"
	"dp3: dp4\ndp4: dp5\ndp5: dp6\ndp6: dp7\ndp7: dp8\ndp8: dp9\n"
	"dp9: dp10\ndp10: alice+x\n"
	"\\esc: bob\n"
	"esc1: \\+, \\@x\n"
	"e1: bob, (comment only)\ne2: <>, bob\ne3: \"\", bob\ne4: group:;, bob\n"
	"e5: (only)\ne6: bob, <@good.test:>\n"
	"dup: alice\n"
	"dup: bob\n"
	"plus+*: alice\n"
	"plus+x: bob\n"
	"plus: carol\n"
	"host@local.test: bob\n"
	"rem@good.test: bob\n"
	"cont: alice,\n\tbob\n"
	"bs: alice, \\\nbob\n"
	"bad: alice, <bob, carol\n"
	"bad2: a@@b, alice\n"
	"quo: \"alice\", \"a b\"@good.test\n"
	"postMaster: root\n"
	"missinc: :include:/nofile\n"
	"emptyinc: :include:/empty\n"
	"one: :include:/one\n"
	"selfinc: :include:/selfinc\n"
	"inclq: \":include:/one\"\n"
	"inclqb: \":include:/o ne\"\n"
	"incloop: :include:/incloop\n"
	"incprog: :include:/incprog\n"
	"quoted: \"nobody\", \\nobody, \"a\\\"b\"@good.test\n"
	"route: <@good.test,@other.test:u@other.test>,"
	    " User <carol@GOOD.test> (comment, with comma)\n"
	"spc: alice bob\n"
	"ff: alice bob@good.test\n"
	"chain1: chain2, chain3\nchain2: carol\nchain3: chain2\n"
	"cap: bob@good.test, ALICE\n";
	/* clang-format on */

static const struct {
	const char *recipient;
	const char *expected;
} plain[] = {
	/* clang-format off */
	{"<dl@local.test>", "dl dl@qq.com"},
	{"<dl>", "dl dl@qq.com"},
	{"<dl@mx.home.test>", "dl dl@qq.com"},
	{"<friend@local.test>", "alice bob@good.test"},
	{"<nest@local.test>", "carol alice bob@good.test"},
	{"<up@local.test>", "mta"},
	{"<inc@local.test>", "alice bob carol@good.test dl dl@qq.com x@good.test"},
	{"<loop1@local.test>", "554 5.4.6 aliasing/forwarding loop broken"},
	{"<loop2@local.test>", "554 5.4.6 aliasing/forwarding loop broken"},
	{"<e1@local.test>", "bob"},
	{"<e2@local.test>", "550 5.1.1 <>... User unknown"},
	{"<e3@local.test>", "553 5.1.3 \"\"... User address required"},
	{"<e4@local.test>",
	    "553 5.1.3 group:;... List:; syntax illegal for recipient addresses"},
	{"<e5@local.test>", "554 5.4.6 aliasing/forwarding loop broken"},
	{"<e6@local.test>", "553 5.1.3 <@good.test:>... User address required"},
	{"<ghost@local.test>", "nobodyhere"},
	{"<mixed>", "alice"},
	{"<MIXED@LOCAL.Test>", "alice"},
	{"<\"quoted name\"@local.test>", "bob"},
	{"<quo.ted@local.test>", "bob"},
	{"<\"Quo.Ted\"@local.test>", "bob"},
	{"<a.b@local.test>", "carol"},
	{"<\"a b\"@local.test>", "="},
	{"<deep0@local.test>",
	    "554 5.4.6 aliasing/forwarding loop broken (11 aliases deep; 10 max)"},
	{"<deep2@local.test>",
	    "554 5.4.6 aliasing/forwarding loop broken (11 aliases deep; 10 max)"},
	{"<deep3@local.test>", "alice"},
	{"<dp3@local.test>",
	    "554 5.4.6 aliasing/forwarding loop broken (11 aliases deep; 10 max)"},
	{"<dp4@local.test>", "alice+x"},
	{"<\\esc@local.test>", "="},
	{"<dup@local.test>", "bob"},
	{"<plus+x@local.test>", "bob"},
	{"<plus+y@local.test>", "alice"},
	{"<plus+@local.test>", "alice"},
	{"<plus@local.test>", "carol"},
	{"<PLUS+X@local.test>", "bob"},
	{"<host@local.test>", "bob"},
	{"<host>", "bob"},
	{"<rem@good.test>", "="},
	{"<rem>", "="},
	{"<cont@local.test>", "alice bob"},
	{"<bs@local.test>", "alice bob"},
	{"<bad@local.test>", "553 5.0.0 <bob, carol... Unbalanced '<'"},
	{"<bad2@local.test>", "553 5.1.3 a@@b... Invalid route address"},
	{"<quo@local.test>", "alice \"a b\"@good.test"},
	{"<POSTMASTER@local.test>", "root"},
	{"<missinc@local.test>", "550 5.2.4 :include:/nofile... Cannot open /nofile"},
	{"<emptyinc@local.test>", "554 5.4.6 aliasing/forwarding loop broken"},
	{"<one@local.test>", "carol"},
	{"<inclq@local.test>", "carol"},
	{"<inclqb@local.test>", "bob"},
	{"<incloop@local.test>", "554 5.4.6 aliasing/forwarding loop broken"},
	{"<incprog@local.test>", "mta"},
	{"<quoted@local.test>", "nobody \"a\\\"b\"@good.test"},
	{"<route@local.test>", "u@other.test carol@GOOD.test"},
	{"<spc@local.test>", "alice.bob"},
	{"<ff@local.test>", "alice.bob@good.test"},
	{"<chain1@local.test>", "carol"},
	{"<cap@local.test>", "bob@good.test alice"},
	{"<alice+det@local.test>", "="},
	{"<alice@local.test>", "="},
	{"<Alice@Localhost>", "="},
	{"<\\dl@local.test>", "="},
	{"<\"|prog\"@local.test>",
	    "550 5.7.1 <\"|prog\"@local.test>... Cannot mail directly to programs"},
	{"<\"/tmp/x\"@local.test>",
	    "550 5.7.1 <\"/tmp/x\"@local.test>... Cannot mail directly to files"},
	{"<\":include:/one\"@local.test>",
	    "550 5.7.1 <\":include:/one\"@local.test>... Cannot mail directly to :include:s"},
	{"<dl%local.test@mx.home.test>", "dl dl@qq.com"},
	{"<@good.test:dl@local.test>", "dl dl@qq.com"},
	{"<u%good.test@local.test>", "u@good.test"},
	{"<x@good.test.REDIRECT>", "="},
	{"<\\@local.test>", "="},
	{"<esc1@local.test>", "\\+ \\@x"},
	/* clang-format on */
};

START_TEST(plain_alias)
{
	fixture_aliases(&f, plain_aliases);
	check_expansion(plain[_i].recipient, plain[_i].expected);
}
END_TEST

/* Who is a user decides where loops end. */
static const struct {
	const char *aliases;
	const char *recipient;
	const char *expected;
} loops[] = {
	/* clang-format off */
	{"alice: bob@local.test\nbob: alice\n", "<alice@local.test>", "="},
	{"alice: bob@local.test\nbob: alice\n", "<bob@local.test>", "="},
	{"nobody: alice\nalice: nobody\n", "<nobody@local.test>", "alice"},
	{"selfinc: :include:/selfinc\n", "<selfinc@local.test>", "carol"},
	{"dl: :include:/list2\n", "<dl@local.test>", "dl x@good.test"},
	{"plus: plus, bob\n", "<plus+x@local.test>", "plus bob"},
	{"self: self\n", "<self@local.test>", "="},
	{"all: staff, alice\nstaff: all, bob\n", "<all@local.test>", "alice bob"},
	/* clang-format on */
};

START_TEST(loop)
{
	fixture_aliases(&f, loops[_i].aliases);
	check_expansion(loops[_i].recipient, loops[_i].expected);
}
END_TEST

/*
 * With the virtusertable and redirect.
 */

static const struct {
	const char *recipient;
	const char *expected;
} virtual[] = {
	/* clang-format off */
	{"<info@virt.test>", "alice info2@virt.test bob@good.test"},
	{"<a@virt.test>", "551 5.1.1 User has moved; please try <new@good.test>"},
	{"<moved@local.test>", "551 5.1.1 User has moved; please try <new@good.test>"},
	{"<moved2@local.test>", "551 5.1.1 User has moved; please try <new@good.test>"},
	{"<x@good.test.REDIRECT>", "551 5.1.1 User has moved; please try <x@good.test>"},
	{"<x@good.test.redirect>", "551 5.1.1 User has moved; please try <x@good.test>"},
	{"<x@REDIRECT>", "="},
	{"<p@virt.test>", "550 5.7.1 <p@virt.test>... Cannot mail directly to programs"},
	{"<f@virt.test>", "550 5.7.1 <f@virt.test>... Cannot mail directly to files"},
	{"<i@virt.test>", "550 5.7.1 <i@virt.test>... Cannot mail directly to :include:s"},
	{"<virtin@local.test>", "zz alice"},
	{"<err@local.test>", "553 5.3.0 e@virt.test... No such user here"},
	{"<err5@local.test>", "551 5.1.1 moved away"},
	{"<e@virt.test>", "553 5.3.0 <e@virt.test>... No such user here"},
	{"<u@all.test>", "u"},
	{"<c1@virt.test>", "alice+c2@virt.test"},
	{"<zz@virt.test>", "="},
	{"<box@virt.test>", "box"},
	/* clang-format on */
};

START_TEST(virtual_alias)
{
	static const char *const domains[] = {"virt.test", "all.test", NULL};

	f.policy.redirect = true;
	f.policy.virtuser_domain = fixture_class(&f, "virtuser", domains);
	f.policy.virtusertable = fixture_map(&f, "virtusertable",
	    "info@virt.test	friend\n"
	    "x@virt.test	bob@good.test\n"
	    "a@virt.test	moved\n"
	    "p@virt.test	|prog\n"
	    "f@virt.test	/tmp/x\n"
	    "i@virt.test	:include:/one\n"
	    "@all.test	%1\n"
	    "c1@virt.test	c2@virt.test\n"
	    "c2@virt.test	alice+%0\n"
	    "e@virt.test	error:nouser No such user here\n"
	    "e5@virt.test	error:5.1.1:551 moved away\n"
	    "box@virt.test	box\n");
	fixture_aliases(&f,
	    "friend: alice, info2@virt.test, x@virt.test\n"
	    "moved: new@good.test.REDIRECT\n"
	    "moved2: alice, new@good.test.REDIRECT\n"
	    "virtin: zz@all.test, alice@all.test\n"
	    "err: e@virt.test\n"
	    "err5: alice, e5@virt.test\n"
	    "box: /var/mail/box\n");
	check_expansion(virtual[_i].recipient, virtual[_i].expected);
}
END_TEST

/*
 * luser_relay.
 */

static const struct {
	const char *luser_relay;
	const char *recipient;
	const char *expected;
} lusers[] = {
	/* clang-format off */
	{"relay.test", "<nobodyhere@local.test>", "nobodyhere@relay.test"},
	{"relay.test", "<nobodyhere+x@local.test>", "nobodyhere+x@relay.test"},
	{"relay.test", "<unk2@local.test>", "alice nobodyhere+det@relay.test"},
	{"relay.test", "<spc@local.test>", "alice.bob@relay.test"},
	{"relay.test", "<alice@local.test>", "="},
	{"relay.test", "<alice+x@local.test>", "="},
	{"relay.test", "<\\alice@local.test>", "="},
	{"relay.test", "<\"no body\"@local.test>", "\"no body\"@relay.test"},
	{"esmtp:[1.2.3.4]", "<nobodyhere@local.test>", "nobodyhere@[1.2.3.4]"},
	{"esmtp:[1.2.3.4]", "<both@local.test>", "alice nobodyhere@[1.2.3.4]"},
	{"[1.2.3.4]", "<nobodyhere@local.test>", "nobodyhere@[1.2.3.4]"},
	{"local:carol", "<nobody-here@local.test>", "carol"},
	{"local:carol", "<nobody-here+x@local.test>", "carol"},
	{"LOCAL:nobodyhere2", "<nobodyhere@local.test>", "bob"},
	{"local:nobodyhere2", "<both@local.test>", "alice bob"},
	{"error:nouser No such person", "<nobodyhere@local.test>",
	    "553 5.3.0 <nobodyhere@local.test>... nouser No such person"},
	{"error:nouser No such person", "<both@local.test>",
	    "553 5.3.0 nobodyhere... nouser No such person"},
	{"error:5.1.1:550 No such person", "<nobodyhere@local.test>",
	    "550 5.1.1 <nobodyhere@local.test>... No such person"},
	/* clang-format on */
};

START_TEST(luser)
{
	f.policy.luser_relay = slice_from_cstr(lusers[_i].luser_relay);
	fixture_aliases(&f,
	    "unk2: alice, nobodyhere+det\nspc: alice bob\n"
	    "both: alice, nobodyhere\nnobodyhere2: bob\n");
	check_expansion(lusers[_i].recipient, lusers[_i].expected);
}
END_TEST

/*
 * Owners. sendmail sends one message for each owner; there is but one here.
 */

static const struct {
	const char *recipient;
	const char *sender;
	const char *owner;
} owners[] = {
	/* clang-format off */
	{"<ls@local.test>", "<a@good.test>", "owner-ls@mx.home.test"},
	{"<one@local.test>", "<a@good.test>", "carol@mx.home.test"},
	{"<one@local.test>", "<>", "carol@mx.home.test"},
	{"<own2@local.test>", "<a@good.test>", "owner-own2@mx.home.test"},
	{"<own3@local.test>", "<a@good.test>", "carol@Other.test"},
	{"<owner-foo@local.test>", "<a@good.test>", "bob@mx.home.test"},
	{"<plus+x@local.test>", "<a@good.test>", "carol@mx.home.test"},
	{"<me@local.test>", "<a@good.test>", ""},
	{"<me@local.test>", "<A@Good.Test>", ""},
	{"<dl@local.test>", "<a@good.test>", "carol@mx.home.test"},
	{"<alice@local.test>", "<a@good.test>", ""},
	/* Two owners: that of the list that was written to. */
	{"<ls2@local.test>", "<a@good.test>", "bob@other.test"},
	/* Somebody has none: the sender stays. */
	{"<plain@local.test>", "<a@good.test>", ""},
	{"<same@local.test>", "<a@good.test>", "owner-ls@mx.home.test"},
	/* The MTA knows whose it is. */
	{"<prog@local.test>", "<a@good.test>", ""},
	/* clang-format on */
};

START_TEST(owner)
{
	struct expansion e;

	fixture_aliases(&f,
	    "ls: x@good.test, y@good.test\nowner-ls: alice, carol\n"
	    "ls2: x2@good.test, ls\nowner-ls2: bob@other.test\n"
	    "plain: z@good.test, ls\n"
	    "same: ls\n"
	    "one: q@good.test\nowner-one: carol\n"
	    "own2: v@good.test\nowner-own2: \"carol\"\n"
	    "own3: w@good.test\nowner-own3: Carol Smith <carol@Other.test> "
	    "(c)\n"
	    "owner-foo: k@good.test\nowner-owner: bob\n"
	    "plus: m@good.test\nowner-plus: carol\n"
	    "me: a@good.test, b@good.test\nowner-me: a@good.test\n"
	    "dl: dl, dl@good.test\nowner-dl: carol\n"
	    "prog: |/bin/true\nowner-prog: carol\n");
	f.session.sender = slice_from_cstr(owners[_i].sender);
	e = expand(owners[_i].recipient);
	ck_assert_msg(slice_eq(e.owner, slice_from_cstr(owners[_i].owner)),
	    "%s: %s", owners[_i].recipient, arena_cstr(f.arena, e.owner));
}
END_TEST

/* As the sender of any other mail. */
START_TEST(owner_is_masqueraded)
{
	f.policy.masquerade_as = SLICE("masq.test");
	f.policy.masquerade_envelope = true;
	fixture_aliases(&f, "one: q@good.test\nowner-one: carol\n");
	ck_assert(
	    slice_eq(expand("<one@local.test>").owner, SLICE("carol@masq.test")));
}
END_TEST

/*
 * What is left to the MTA.
 */

static const struct {
	const char *aliases;
	const char *recipient;
	const char *expected;
} left[] = {
	/* clang-format off */
	{"p: |/bin/x\n", "<p@local.test>", "mta"},
	{"p: |/bin/x\n", "<P+x@local.test>", "mta"},
	{"p: alice, |/bin/x\n", "<p@local.test>", "mta"},
	{"p: \"|/bin/x a\"\nl: bob@good.test, p\n", "<l@local.test>", "bob@good.test p"},
	{"p: /var/x\nl: p\n", "<l@local.test>", "p"},
	{"p: :include:/incprog\nl: alice, p, bob\n", "<l@local.test>", "alice p bob"},
	{"p: carol, :include:/incprog\nl: carol, p\n", "<l@local.test>", "p"},
	{"p: q, :include:/incprog\nq: |/bin/y\n", "<p@local.test>", "mta"},
	/* clang-format on */
};

START_TEST(left_to_mta)
{
	fixture_aliases(&f, left[_i].aliases);
	check_expansion(left[_i].recipient, left[_i].expected);
}
END_TEST

/*
 * What was typed is not changed without need.
 */

static const struct {
	const char *recipient;
	const char *expected;
} typed[] = {
	/* clang-format off */
	{"<bob@good.test>", "="},
	{"<Bob@Good.Test>", "="},
	{"bob@good.test", "="},
	{"<bob@good.test.>", "bob@good.test"},
	{"<bob@alias.test>", "bob@good.test"},
	{"<bob@old.test>", "bob@good.test"},
	{"<bob@mine.test>", "bob"},
	{"<bob@local.test.>", "="},
	{"<bob>", "="},
	{"<BOB@LOCAL.TEST>", "="},
	{"<bob@[127.0.0.1]>", "="},
	{"<good.test!bob@local.test>", "bob@good.test"},
	/* clang-format on */
};

START_TEST(as_typed)
{
	f.policy.domaintable = fixture_map(&f, "domaintable",
	    "old.test	good.test\nmine.test	local.test\n");
	fixture_aliases(&f, "x: y\n");
	check_expansion(typed[_i].recipient, typed[_i].expected);
}
END_TEST

/*
 * Failures and bounds.
 */

START_TEST(include_later)
{
	fixture_aliases(&f, "l: alice, :include:/later\n");
	check_expansion("<l@local.test>", "451 4.2.4 Cannot open /later");
}
END_TEST

START_TEST(include_broken_line)
{
	fixture_aliases(&f, "l: :include:/badline\nc: :include:/crlf\n");
	check_expansion(
	    "<l@local.test>", "553 5.0.0 <bob... Unbalanced '<'");
	check_expansion("<c@local.test>", "alice bob");
}
END_TEST

START_TEST(no_ports)
{
	f.ports.read_include = NULL;
	f.ports.find_user = NULL;
	fixture_aliases(&f, "l: :include:/one\na: b\nb: a\n");
	check_expansion("<l@local.test>",
	    "550 5.2.4 :include:/one... Cannot open /one");
	check_expansion("<a@local.test>", "=");
}
END_TEST

START_TEST(users_later)
{
	user_answer = WORLD_TEMPFAIL;
	f.policy.luser_relay = SLICE("relay.test");
	fixture_aliases(&f, "a: b\nb: a\n");
	check_expansion("<a@local.test>",
	    "451 4.3.0 Temporary system failure. Please try again later.");
	check_expansion("<nobodyhere@local.test>",
	    "451 4.3.0 Temporary system failure. Please try again later.");
	check_expansion("<alice@local.test>", "=");
}
END_TEST

static void
make_long_list(unsigned count)
{
	struct strbuf text;

	strbuf_init(&text, f.arena);
	for (unsigned i = 0; i < count; i++)
		strbuf_printf(&text, "u%u@good.test\n", i);
	long_list = strbuf_slice(&text);
}

START_TEST(most_members)
{
	struct expansion e;

	f.policy.nocanonify = true;
	f.decision.trace = NULL;
	fixture_aliases(&f, "l: :include:/long\n");
	make_long_list(EXPANSION_MAX - 1);
	e = expand("<l@local.test>");
	ck_assert_int_eq(e.kind, EXPANSION_SET);
	ck_assert_uint_eq(e.count, EXPANSION_MAX - 1);
	ck_assert(slice_eq(e.addresses[9000], SLICE("u9000@good.test")));
	make_long_list(EXPANSION_MAX);
	check_expansion(
	    "<l@local.test>", "451 4.3.0 Too many addresses in aliases");
}
END_TEST

/* Names that double at each step are walked once. */
START_TEST(doubling_is_cheap)
{
	struct strbuf text;

	strbuf_init(&text, f.arena);
	for (unsigned i = 0; i < 8; i++)
		strbuf_printf(&text, "a%u: a%u, b%u\nb%u: a%u, b%u\n", i, i + 1,
		    i + 1, i, i + 1, i + 1);
	strbuf_printf(&text, "a8: alice\nb8: bob\n");
	fixture_aliases(&f, arena_cstr(f.arena, strbuf_slice(&text)));
	check_expansion("<a0@local.test>", "bob alice");
}
END_TEST

/* The message's arena keeps what is answered, not what was looked at. */
START_TEST(little_is_kept)
{
	struct arena *arena = arena_new(0);

	f.policy.nocanonify = true;
	f.decision.trace = NULL;
	fixture_aliases(&f, "l: :include:/long\n");
	make_long_list(5000);
	f.decision.arena = arena;
	ck_assert_int_eq(expand("<l@local.test>").kind, EXPANSION_SET);
	ck_assert_uint_lt(arena_size(arena), 5000 * 100);
	f.decision.arena = f.arena;
	arena_free(arena);
}
END_TEST

START_TEST(trace_tells)
{
	const struct trace_line *line;
	bool found = false;

	fixture_aliases(&f, "l: alice\n");
	(void)expand("<l@local.test>");
	for (line = f.trace.first; line != NULL; line = line->next)
		found = found ||
		    slice_has_prefix_nocase(
			line->text, SLICE("aliases l: alice (/"));
	ck_assert(found);
}
END_TEST

/*
 * Keys.
 */

static const struct {
	const char *name;
	const char *key; /* "!" and what is wrong */
} keys[] = {
	/* clang-format off */
	{"MiXed", "mixed"},
	{"\"quoted name\"", "\"quoted name\""},
	{"\"Quo.Ted\"", "quo.ted"},
	{"a b", "a.b"},
	{"tab\tname", "tab.name"},
	{"(comment) named", "named"},
	{"x(y)z", "x.z"},
	{"User <angle>", "angle"},
	{"l@localhost", "l"},
	{"l2@mx.home.test", "l2"},
	{"l3@LOCAL.test", "l3"},
	{"u%local.test", "u"},
	{"\\esc", "\\esc"},
	{"plus+*", "plus+*"},
	{"+x", "+x"},
	{"rem@good.test", "!cannot alias non-local names"},
	{"u2!x", "!cannot alias non-local names"},
	{"u%good.test@local.test", "!cannot alias non-local names"},
	{"|prog", "!cannot alias non-local names"},
	{"/file", "!cannot alias non-local names"},
	{":include:/x", "!cannot alias non-local names"},
	{"a,b", "!Invalid route address"},
	{"@local.test", "!User address required"},
	{"badname@", "!Hostname required"},
	{"<x", "!Unbalanced '<'"},
	/* clang-format on */
};

START_TEST(key)
{
	slice got = SLICE("");
	const char *problem =
	    alias_key(&f.decision, slice_from_cstr(keys[_i].name), &got);
	const char *text = problem == NULL
	    ? arena_cstr(f.arena, got)
	    : arena_printf(f.arena, "!%s", problem).ptr;

	ck_assert_msg(strcmp(text, keys[_i].key) == 0, "%s: %s, not %s",
	    keys[_i].name, text, keys[_i].key);
}
END_TEST

/*
 * Lists.
 */

static const struct {
	const char *list;
	const char *members; /* with "|" between them */
} lists[] = {
	/* clang-format off */
	{"", ""}, {" , ,, ", ""}, {"a", "a"}, {" a , b,c ", "a|b|c"},
	{"\"a,b\", c", "\"a,b\"|c"}, {"a (b, c), d", "a (b, c)|d"},
	{"<@a,@b:c@d>, e", "<@a,@b:c@d>|e"}, {"a\\,b, c", "a\\,b|c"},
	{"\"a\\\",b\", c", "\"a\\\",b\"|c"}, {"a ((b), c), d", "a ((b), c)|d"},
	{"a \"(b, c", "a \"(b, c"}, {"<a, b", "<a, b"}, {"a>, b", "a>|b"},
	{"(\", a), b", "(\", a)|b"}, {"a), b", "a)|b"}, {"a\\", "a\\"},
	/* clang-format on */
};

START_TEST(list)
{
	slice rest = slice_from_cstr(lists[_i].list);
	slice member;
	struct strbuf text;

	strbuf_init(&text, f.arena);
	strbuf_add(&text, SLICE(""));
	while (alias_list_next(&rest, &member))
		strbuf_printf(&text, "%s" SLICE_FMT, text.len == 0 ? "" : "|",
		    SLICE_ARG(member));
	ck_assert_str_eq(text.data, lists[_i].members);
}
END_TEST

START_TEST(include_lines)
{
	slice rest = SLICE("a\n#b\n c \r\n\n  \nd #@# e\nf#@# g\n#@# h\n"
			   "i #@#j\nk #@#");
	static const char *const expected[] = {
	    "a", "c", "d", "f#@# g", "i #@#j", "k"};
	slice line;

	for (int i = 0; i < COUNT(expected); i++) {
		ck_assert(include_next_line(&rest, &line));
		ck_assert(slice_eq(line, slice_from_cstr(expected[i])));
	}
	ck_assert(!include_next_line(&rest, &line));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("alias");
	TCase *tcase = tcase_create("alias");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, plain_alias, 0, COUNT(plain));
	tcase_add_loop_test(tcase, loop, 0, COUNT(loops));
	tcase_add_loop_test(tcase, virtual_alias, 0, COUNT(virtual));
	tcase_add_loop_test(tcase, luser, 0, COUNT(lusers));
	tcase_add_loop_test(tcase, owner, 0, COUNT(owners));
	tcase_add_test(tcase, owner_is_masqueraded);
	tcase_add_loop_test(tcase, left_to_mta, 0, COUNT(left));
	tcase_add_loop_test(tcase, as_typed, 0, COUNT(typed));
	tcase_add_test(tcase, include_later);
	tcase_add_test(tcase, include_broken_line);
	tcase_add_test(tcase, no_ports);
	tcase_add_test(tcase, users_later);
	tcase_add_test(tcase, most_members);
	tcase_add_test(tcase, doubling_is_cheap);
	tcase_add_test(tcase, little_is_kept);
	tcase_add_test(tcase, trace_tells);
	tcase_add_loop_test(tcase, key, 0, COUNT(keys));
	tcase_add_loop_test(tcase, list, 0, COUNT(lists));
	tcase_add_test(tcase, include_lines);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
