/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/fault.h"

#include <stdbool.h>
#include <string.h>

/* Set by tests alone. `left` counts from 1, so that all zero means that no call fails. */
static struct {
	int left;
	int error;
	bool once;
} faults[CUL_SYS_N_CALLS];

void cul_sys_fail(enum cul_sys_call call, int after, int error)
{
	faults[call].left = after < 0 ? 0 : after + 1;
	faults[call].error = error;
	faults[call].once = false;
}

void cul_sys_fail_once(enum cul_sys_call call, int after, int error)
{
	cul_sys_fail(call, after, error);
	faults[call].once = true;
}

void cul_sys_fail_none(void)
{
	memset(faults, 0, sizeof(faults));
}

int cul_sys_faulted(enum cul_sys_call call)
{
	if (faults[call].left == 0)
		return 0;
	if (faults[call].left > 1) {
		faults[call].left--;
		return 0;
	}
	if (faults[call].once)
		faults[call].left = 0;
	return -faults[call].error;
}
