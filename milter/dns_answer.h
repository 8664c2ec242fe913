/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One answer of the DNS to one question, as milterd wants it: text, bounded,
 * CNAMEs followed. dns_answer_parse() reads a server's packet, of which
 * nothing is believed: lengths, compression pointers, chains and numbers of
 * records are all limited, and names that are no host names are left out.
 */
#ifndef MILTER_DNS_ANSWER_H
#define MILTER_DNS_ANSWER_H

#include "base/arena.h"

/* RFC 1035, 3.2.2; RFC 3596 */
enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_MX = 15, DNS_AAAA = 28 };

enum dns_status {
	DNS_FOUND,
	DNS_NO_DATA, /* the name exists, but has no record of this type */
	DNS_NO_NAME,
	DNS_BROKEN, /* SERVFAIL, REFUSED, or not to be understood */
	DNS_SILENT, /* no answer in time */
};

enum {
	DNS_CNAMES_MAX = 11, /* as many as sendmail follows */
	DNS_ADDRESSES_MAX = 128,
	DNS_EXCHANGERS_MAX = 32,
	DNS_TTL_MAX_S = 3600,
	DNS_TTL_NEGATIVE_S = 60, /* where no SOA says otherwise */
};

/*
 * Names are lower case, without trailing dot; addresses as in
 * policy/client.h; exchangers best first, a null MX (RFC 7505) is "". Of
 * several pointers the first one alone counts, as to sendmail; one to the root
 * is ".". A PTR or MX answer may be DNS_FOUND and hold no value, when what it
 * gave was no host name.
 */
struct dns_answer {
	enum dns_status status;
	unsigned ttl_s;
	slice canonical; /* the name asked for, behind its CNAMEs */
	slice *values;
	size_t count;
};

/* A packet that cannot be understood gives DNS_BROKEN. `name` is what was
 * asked; whether the packet answers that question c-ares has checked. */
void dns_answer_parse(struct arena *arena, enum dns_type type, slice name,
    slice packet, struct dns_answer *ret_answer);

/* A whole copy, in one block: bytes it needs, and the copying. */
size_t dns_answer_size(const struct dns_answer *answer);
struct dns_answer *dns_answer_copy(
    void *memory, const struct dns_answer *answer);

/* Letters, digits, '-' and '_' in labels of 1 to 63, not beginning with '-',
 * 253 in all; and no address. */
bool dns_is_host_name(slice name);

#endif
