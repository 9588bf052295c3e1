// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads kernel memory for user space, which runs this on demand: never attached to anything.
 *
 * A raw tracepoint, because these could be run by hand first (5.10) of all programs that may read
 * kernel memory.
 */
#include "bpf/helpers.h"

char LICENSE[] SEC("license") = "GPL";

__u64 addr;
__u32 size;
__u32 own_task; /* addr counts from the task_struct of who runs this */
char bytes[4096] __attribute__((aligned(8)));

SEC("raw_tp")
int kread(void *ctx)
{
	__u64 n = size;

	/* The verifier must see the very register that was compared. */
	__asm__ volatile("" : "+r"(n));
	if (!n || n > sizeof(bytes))
		return 0;
	return bpf_probe_read_kernel(
		bytes, n, (void *)(own_task ? addr + bpf_get_current_task() : addr));
}
