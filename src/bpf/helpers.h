/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few kernel types that BPF programs here touch, declared by hand: their
 * layout is ABI (uapi/linux/bpf_perf_event.h, asm/ptrace.h) and needs no
 * relocation.
 */
#ifndef CUL_BPF_HELPERS_H
#define CUL_BPF_HELPERS_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* x86_64, user-visible order (asm/ptrace.h): what bpf_perf_event_data starts with. */
struct cul_pt_regs {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax;
	__u64 ip, cs, flags, sp, ss;
};

struct cul_perf_event_ctx {
	struct cul_pt_regs regs;
	__u64 sample_period;
	__u64 addr;
};

#endif
