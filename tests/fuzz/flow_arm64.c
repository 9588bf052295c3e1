/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flow.h: A64 code. */
#include "flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flow_input in;
	struct cul_rules rules;

	if (!flow_input(data, size, &in))
		return 0;
	flow_analyse(&cul_arch_aarch64, &in, &rules);
	flow_calls(&cul_arch_aarch64, &in);
	return 0;
}
