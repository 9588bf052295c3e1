/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "probe/generate_priv.h"

/* Of the arguments, from R10. */
enum { GATE_WORDS = CUL_GATE_CONTEXT - CUL_PROBE_REG_WORDS * 8 };

/* One word, and the verifier takes it for a number. */
static bool is_plain(const struct cul_type *t)
{
	return t && (t->kind == CUL_KIND_INT || t->kind == CUL_KIND_CHAR ||
			    t->kind == CUL_KIND_BOOL || t->kind == CUL_KIND_ENUM);
}

static bool fits_gate(const struct cul_plan_arg *a)
{
	return a->source >= 0 && a->source < CUL_PROBE_REG_WORDS && a->place.n_words == 1 &&
	       (is_plain(a->type) || (a->type && a->type->kind == CUL_KIND_PTR));
}

uint64_t cul_generate_gate_inputs(const struct cul_plan *plan)
{
	uint64_t set = 0;

	for (size_t i = 0; i < plan->n_args; i++)
		if (fits_gate(&plan->args[i]))
			set |= 1ull << i;
	return plan->typed ? set : 0;
}

/* From R1. A pointer taken by the helper is a number: with one it knows, the verifier lets nobody
 * reckon. */
static void take_word(struct cul_bpf_code *code, const struct cul_plan_arg *a)
{
	int16_t to = (int16_t)(GATE_WORDS + a->source * 8);

	if (is_plain(a->type)) {
		emit(code, BPF_LDX | BPF_MEM | BPF_DW, 2, 1, (int16_t)(a->source * 8), 0);
		emit(code, BPF_STX | BPF_MEM | BPF_DW, 10, 2, to, 0);
		return;
	}
	emit(code, BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, a->source);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, 3, 10, 0, 0);
	emit(code, BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, to);
	emit(code, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_func_arg);
	emit(code, BPF_LDX | BPF_MEM | BPF_DW, 1, 10, CUL_GATE_CONTEXT, 0);
}

int cul_generate_gate(
	struct generating *g, const struct cul_expr *e, uint64_t parts, struct cul_error *err)
{
	struct cul_bpf_code *code = &g->out->gate;
	struct cul_bpf_layout layout = g->layout;
	struct cul_bpf_input at[INPUTS];

	memcpy(at, g->at, sizeof(at));
	emit(code, BPF_STX | BPF_MEM | BPF_DW, 10, 1, CUL_GATE_CONTEXT, 0);
	for (size_t i = 0; i < g->plan->n_args; i++) {
		bool used = false;

		for (unsigned part = 0; part < cul_expr_parts(e); part++)
			used |= (parts >> part & 1) &&
				cul_expr_part_uses_input(e, part, (unsigned)i);
		if (used)
			take_word(code, &g->plan->args[i]);
		at[i].offset = (int16_t)(GATE_WORDS + g->plan->args[i].source * 8);
	}
	layout.inputs = at;
	layout.inputs_reg = 10;
	layout.stack_free = GATE_WORDS;
	layout.fault_offset = 0;
	code->stack = -GATE_WORDS;
	return cul_expr_compile_parts(e, parts, &layout, code, err);
}
