/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text made fit to be sent: header fields as RFC 5322 and RFC 2047 want them,
 * bodies as RFC 2045 (6.7).
 */
#ifndef POLICY_MIME_ENCODE_H
#define POLICY_MIME_ENCODE_H

#include "base/strbuf.h"

/* Is it valid UTF-8 (RFC 3629)? */
bool utf8_is_valid(slice text);
/* As UTF-8: as it is, or taken for ISO 8859-1 where it is not valid. */
slice utf8_from_any(struct arena *arena, slice text);
/* At most `limit` bytes of it, whole characters. */
slice utf8_first(slice text, size_t limit);
bool text_is_ascii(slice text);

/* One line without controls: line ends and other controls become blanks. */
slice header_text_clean(struct arena *arena, slice text);
/* "Name: value\n", folded. What is not ASCII becomes encoded words in UTF-8,
 * word by word, so that encoded words in it stay as they are. `value` is
 * clean UTF-8; a word longer than a line may be is cut into encoded words. */
void header_add_text(struct strbuf *out, slice name, slice value);
/* The same for a field of addresses: display names alone are encoded; what is
 * not ASCII anywhere else becomes "?". */
void header_add_addresses(struct strbuf *out, slice name, slice value);

/* Lines of at most 76 characters; lone dots and "From " at the start of a line
 * are encoded too. `text`: lines end in "\n". */
void quoted_printable_add(struct strbuf *out, slice text);

#endif
