/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as the record of a call, of functions with types of each kind. */
#include <stdlib.h>
#include <string.h>

#include "../unit/probe/own.c"
#include "../unit/probe/record.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cul_plan_want fuzz_wants[] = {
	{.args = true, .ret = true, .depth = 1},
	{.args = true, .ret = true, .depth = 8, .user = true},
};

static struct own fuzz_owns[2];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (unsigned i = 0; i < 2; i++) {
		struct own *own = &fuzz_owns[i];
		void *copy;

		if (!own->btf)
			own_start(own, &fuzz_wants[i]);
		copy = malloc(size ? size : 1); /* ends where the record does, and aligned */
		memcpy(copy, data, size);
		own->run.shown = 0;
		own->record.calls = 0;
		if (cul_probe_on_event(&own->run, copy, size))
			abort();
		if (own->record.calls && own->record.call[0].n_args > CUL_PLAN_ARGS)
			abort();
		free(copy);
	}
	return 0;
}
