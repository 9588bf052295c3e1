/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * expr-evaluate FILE: writes the inputs and the memory of tests/unit/expr/fake.h to FILE, then
 * evaluates each line of standard input there: "VALUE SIZE SIGNED", "fails", or why it does not
 * parse.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../unit/expr/fake.h"

static void answer(struct fake *f, const char *text)
{
	struct cul_expr *e = NULL;
	struct cul_error err = {0};
	struct cul_value v = {0};

	if (cul_expr_parse(text, &f->env, &e, &err))
		printf("%.*s\n", (int)strcspn(err.text, "\n"), err.text);
	else if (cul_expr_eval(e, &f->run, &v, &err))
		puts("fails");
	else
		printf("0x%" PRIx64 " %" PRIu64 " %d\n", v.bits, v.type->size, v.type->is_signed);
	cul_expr_free(e);
}

int main(int argc, char **argv)
{
	static struct fake f;
	static char line[8192];
	FILE *world = argc == 2 ? fopen(argv[1], "wb") : NULL;

	if (!world || fake_new(&f) || fwrite(&f.in, sizeof(f.in), 1, world) != 1 ||
		fwrite(f.image, sizeof(*f.image), 1, world) != 1 || fclose(world))
		return 2;
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		answer(&f, line);
	}
	fake_free(&f);
	return 0;
}
