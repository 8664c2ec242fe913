/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bench/letters.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SENDER = 4, FIELDS = 8 };

/* False when a field is missing. The line is the letter's from now on. */
static int
parse(char *line, struct letter *ret_letter)
{
	char *fields[FIELDS];
	char *rest = line;

	for (size_t i = 0; i < FIELDS; i++) {
		fields[i] = strtok_r(rest, " \t\n", &rest);
		if (fields[i] == NULL)
			return 0;
	}
	if (strcmp(fields[SENDER], "<>") == 0)
		*fields[SENDER] = '\0';
	*ret_letter = (struct letter){.address = fields[0],
	    .name = fields[1],
	    .resolve = fields[2],
	    .helo = fields[3],
	    .sender = fields[SENDER],
	    .recipient = fields[5],
	    .outcome = {fields[6], fields[7]}};
	return 1;
}

static void
add(struct letters *letters, const struct letter *letter)
{
	struct letter *grown =
	    reallocarray(letters->list, letters->count + 1, sizeof(*grown));

	if (grown == NULL)
		err(71, NULL);
	grown[letters->count++] = *letter;
	letters->list = grown;
}

struct letters
letters_read(const char *path)
{
	struct letters letters = {0};
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	if (file == NULL)
		err(66, "%s", path);
	while (getline(&line, &size, file) > 0) {
		struct letter letter;

		if (!parse(line, &letter))
			errx(65, "%s: line %zu: a field is missing", path,
			    letters.count + 1);
		add(&letters, &letter);
		line = NULL;
	}
	free(line);
	(void)fclose(file);
	if (letters.count == 0)
		errx(65, "%s: is empty", path);
	return letters;
}
