/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes are the name of a symbol. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sym/demangle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cul_autostr struct cul_str text = {0};
	char *name = malloc(size + 1);

	if (!name)
		return 0;
	memcpy(name, data, size);
	name[size] = '\0';
	cul_str_add(&text, "before");
	if (!cul_demangle(name, &text) && strcmp(cul_str_text(&text), "before") != 0)
		abort();
	free(name);
	return 0;
}
