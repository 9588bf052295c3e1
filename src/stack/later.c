/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources that are made elsewhere. */
#include "stack/source.h"

#include <errno.h>

int cul_stack_from_core(const struct cul_stack_options *options, struct cul_stack_source *out,
	struct cul_error *err)
{
	return cul_fail(err, -ENOTSUP, "%s: this build reads no core files", options->core);
}
