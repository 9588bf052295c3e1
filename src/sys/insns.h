/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BPF instructions written by hand, for the few programs that are loaded so.
 */
#ifndef CUL_SYS_INSNS_H
#define CUL_SYS_INSNS_H

#include <linux/bpf.h>

#define INSN(c, d, s, o, i)                                                                        \
	{                                                                                          \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)                \
	}
#define MOV_IMM(r, i)  INSN(BPF_ALU64 | BPF_MOV | BPF_K, r, 0, 0, i)
#define MOV_REG(r, s)  INSN(BPF_ALU64 | BPF_MOV | BPF_X, r, s, 0, 0)
#define ADD_IMM(r, i)  INSN(BPF_ALU64 | BPF_ADD | BPF_K, r, 0, 0, i)
#define CALL(f)        INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT()         INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define N_INSNS(array) (sizeof(array) / sizeof((array)[0]))

#endif
