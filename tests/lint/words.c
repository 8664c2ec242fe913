/* SPDX-License-Identifier: BSD-2-Clause */
/* The words' table as lines of name, type, default and what a reload does, for
 * words.py. */
#include "milter/settings.h"

#include <stdio.h>

int
main(void)
{
	const struct settings_word *word;

	for (word = settings_words(); word->name != NULL; word++)
		printf("%s\t%s\t%s\t%s\n", word->name, word->type,
		    word->initial == NULL ? "" : word->initial,
		    word->is_fixed ? "fixed" : "");
	return 0;
}
