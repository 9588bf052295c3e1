/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files behind sym/kallsyms.h share; nobody else includes this.
 */
#ifndef CUL_SYM_KALLSYMS_PRIV_H
#define CUL_SYM_KALLSYMS_PRIV_H

#include <pthread.h>

#include "base/vec.h"
#include "sym/kallsyms.h"
#include "sym/kallsyms_index.h"
#include "sym/kallsyms_text.h"

struct cul_kallsyms {
	struct cul_kallsyms_text text; /* once cul_kallsyms_want() was called */
	bool pending, reading;         /* it has yet to be read; `reader` does */
	pthread_t reader;
	atomic_bool stop;     /* nobody wants it any more */
	struct cul_error why; /* it could not be read */
	struct cul_kallsyms_index index;
	bool indexed;
	char *modules_text; /* names point into it */
	CUL_VEC(struct cul_kmodule) modules;
	/* kallsyms_some.c: what begins with one of the prefixes. */
	struct cul_kallsyms_text some;
	CUL_VEC(char *) prefixes;
};

/* Makes `text` valid; it stays empty when it cannot be read. */
void cul_kallsyms_want(struct cul_kallsyms *k);

void cul_kallsyms_fill(const struct cul_kallsyms_text *text, const struct cul_kallsyms_line *line,
	struct cul_ksym *out);

void cul_kallsyms_some_free(struct cul_kallsyms *k);

#endif
