/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/unwind.h"
#include "probe/generate_priv.h"

enum {
	REGS_AT = -CUL_PROBE_REGS * 8, /* on the stack: the registers, and a word */
	WORD_AT = REGS_AT - 8,
};

/* r1 = the sum that a place is. */
static void add_up(struct cul_bpf_code *code, const struct cul_dwarf_place *at)
{
	const uint8_t *regs = cul_arch_host()->unwind->dwarf_regs;

	if (at->has_reg)
		emit(code, BPF_LDX | BPF_MEM | BPF_DW, 1, 10,
			(int16_t)(REGS_AT + regs[at->reg] * 8), 0);
	else
		emit(code, BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, 0);
	emit(code, BPF_LD | BPF_DW | BPF_IMM, 2, 0, 0, (int32_t)(uint64_t)at->number);
	emit(code, 0, 0, 0, 0, (int32_t)((uint64_t)at->number >> 32));
	emit(code, BPF_ALU64 | BPF_ADD | BPF_X, 1, 2, 0, 0);
}

/* r1 = what lies there, 0 where it cannot be read. */
static void read_word(struct generating *g, struct cul_bpf_code *code, uint64_t size)
{
	emit(code, BPF_ST | BPF_MEM | BPF_DW, 10, 0, WORD_AT, 0);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, 3, 1, 0, 0);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, (int32_t)size);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, 1, 10, 0, 0);
	emit(code, BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, WORD_AT);
	emit(code, BPF_JMP | BPF_CALL, 0, 0, 0,
		g->user ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel);
	emit(code, BPF_LDX | BPF_MEM | BPF_DW, 1, 10, WORD_AT, 0);
}

/* The words of an inlined copy: so far the first one is the address of the registers. */
void cul_generate_copy_words(struct generating *g, struct cul_bpf_code *code)
{
	const struct cul_plan *plan = g->plan;

	emit(code, BPF_LDX | BPF_MEM | BPF_DW, 3, 6, INPUT(words), 0);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, 1, 10, 0, 0);
	emit(code, BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, REGS_AT);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, CUL_PROBE_REGS * 8);
	emit(code, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel);
	for (size_t i = 0; i < plan->signature.n_params; i++) {
		const struct cul_parameter *p = &plan->signature.params[i];

		if (p->place.where != CUL_ARG_WORDS)
			continue;
		add_up(code, &plan->copy->places[i]);
		if (plan->copy->places[i].where == CUL_DWARF_MEMORY)
			read_word(g, code, p->type->size);
		emit(code, BPF_STX | BPF_MEM | BPF_DW, 6, 1,
			(int16_t)(INPUT(words) + p->place.word * 8), 0);
	}
}

/* Of what is behind one address: as many registers of the caller's as the arguments lie among. */
void cul_generate_syscall_words(struct generating *g, struct cul_bpf_code *code)
{
	const struct cul_plan *plan = g->plan;
	const struct cul_arch_syscall *how = plan->syscall->how;
	size_t n = plan->signature.n_params;
	unsigned first = CUL_MAX_REGS, last = 0;

	g->out->words = 1;
	emit(code, BPF_LDX | BPF_MEM | BPF_DW, 3, 6, INPUT(words), 0);
	emit(code, BPF_STX | BPF_MEM | BPF_DW, 6, 3,
		(int16_t)(INPUT(words) + CUL_PROBE_REG_WORDS * 8), 0);
	for (size_t i = 0; i < n; i++) {
		first = how->regs[i] < first ? how->regs[i] : first;
		last = how->regs[i] > last ? how->regs[i] : last;
	}
	if (!n)
		return;
	emit(code, BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, (int32_t)first * 8);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, 1, 10, 0, 0);
	emit(code, BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, REGS_AT);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, (int32_t)(last - first + 1) * 8);
	emit(code, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel);
	for (size_t i = 0; i < n; i++) {
		emit(code, BPF_LDX | BPF_MEM | (how->narrow ? BPF_W : BPF_DW), 1, 10,
			(int16_t)(REGS_AT + (int)(how->regs[i] - first) * 8), 0);
		emit(code, BPF_STX | BPF_MEM | BPF_DW, 6, 1, (int16_t)(INPUT(words) + i * 8), 0);
	}
}
