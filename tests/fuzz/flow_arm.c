/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flow.h: A32 and T32 code. */
#include "flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flow_input in;
	struct cul_rules rules;

	if (!flow_input(data, size, &in))
		return 0;
	flow_analyse(&cul_arch_arm, &in, &rules);
	flow_calls(&cul_arch_arm, &in);
	return 0;
}
