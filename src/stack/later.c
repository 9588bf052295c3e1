/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources that are made elsewhere. */
#include "stack/source.h"

#include <errno.h>

int cul_stack_from_kernel(const struct cul_stack_options *options, struct cul_stack_source *out,
	struct cul_error *err)
{
	return cul_fail(
		err, -ENOTSUP, "kernel stacks: this build does not read them from kernel memory");
}
