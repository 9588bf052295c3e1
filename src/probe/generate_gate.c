/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "probe/generate_priv.h"

enum { /* from R10 */
	CONTEXT = -8,
	GATE_WORDS = CONTEXT - CUL_PROBE_REG_WORDS * 8, /* the arguments */
};

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

/* btf_ctx_access() of kernel/bpf/btf.c, v6.1: pointers to a known struct, a number, or void. */
static bool is_direct(const struct cul_type *t)
{
	const struct cul_type *to;

	if (is_plain(t))
		return true;
	if (!t || t->kind != CUL_KIND_PTR || cul_type_to(t, &to, NULL))
		return false;
	if (to->kind == CUL_KIND_STRUCT || to->kind == CUL_KIND_UNION)
		return to->size > 0;
	return to->kind == CUL_KIND_VOID || (is_plain(to) && to->kind != CUL_KIND_ENUM);
}

uint32_t cul_generate_direct_words(const struct cul_plan *plan)
{
	uint32_t set = 0;

	if (plan->syscall)
		return 1; /* its registers */
	for (size_t i = 0; plan->typed && i < plan->n_args; i++)
		if (fits_gate(&plan->args[i]) && is_direct(plan->args[i].type))
			set |= 1u << plan->args[i].source;
	return set;
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
	emit(code, BPF_LDX | BPF_MEM | BPF_DW, 1, 10, CONTEXT, 0);
}

static bool asks(const struct cul_expr *e, uint64_t parts, size_t input)
{
	for (unsigned part = 0; part < cul_expr_parts(e); part++)
		if ((parts >> part & 1) && cul_expr_part_uses_input(e, part, (unsigned)input))
			return true;
	return false;
}

/* Whether the context will do for the inputs: it has them as words. */
static bool is_all_plain(const struct generating *g, const struct cul_expr *e, uint64_t parts)
{
	for (size_t i = 0; i < g->plan->n_args; i++)
		if (asks(e, parts, i) && !is_plain(g->plan->args[i].type))
			return false;
	return true;
}

/* Whether the instructions from `from` on leave the register alone. */
static bool keeps(const struct cul_bpf_code *code, size_t from, uint8_t reg)
{
	for (size_t i = from; i < code->len; i++) {
		const struct bpf_insn *insn = &code->insns[i];
		uint8_t class = BPF_CLASS(insn->code);

		if (insn->code == (BPF_JMP | BPF_CALL))
			return false;
		if (insn->dst_reg == reg && class != BPF_ST && class != BPF_STX &&
			class != BPF_JMP && class != BPF_JMP32)
			return false;
	}
	return true;
}

/* Asks the context itself, in the first register that will do. 1: none does. */
static int ask_context(
	struct generating *g, const struct cul_expr *e, uint64_t parts, struct cul_error *err)
{
	static const uint8_t candidates[] = {BPF_REG_1, BPF_REG_5};
	struct cul_bpf_code *code = &g->out->gate;
	struct cul_bpf_layout layout = g->layout;
	struct cul_bpf_input at[INPUTS];
	int r;

	memcpy(at, g->at, sizeof(at));
	for (size_t i = 0; i < g->plan->n_args; i++)
		at[i].offset = (int16_t)(g->plan->args[i].source * 8);
	layout.inputs = at;
	layout.fault_offset = 0;
	for (size_t i = 0; i < sizeof(candidates); i++) {
		uint8_t reg = layout.inputs_reg = candidates[i];

		if (reg != BPF_REG_1)
			emit(code, BPF_ALU64 | BPF_MOV | BPF_X, reg, 1, 0, 0);
		r = cul_expr_compile_branch(
			e, parts, &layout, CUL_GATE_REFUSED, &g->out->gate_refused, code, err);
		if (r)
			return r;
		if (keeps(code, reg != BPF_REG_1, reg)) {
			if (reg != BPF_REG_1)
				emit(code, BPF_ALU64 | BPF_MOV | BPF_X, 1, reg, 0, 0);
			return 0;
		}
		code->len = 0;
		code->stack = 0;
	}
	return 1;
}

/* The arguments come on the stack first. */
static int ask_words(
	struct generating *g, const struct cul_expr *e, uint64_t parts, struct cul_error *err)
{
	struct cul_bpf_code *code = &g->out->gate;
	struct cul_bpf_layout layout = g->layout;
	struct cul_bpf_input at[INPUTS];
	int r;

	memcpy(at, g->at, sizeof(at));
	emit(code, BPF_STX | BPF_MEM | BPF_DW, 10, 1, CONTEXT, 0);
	for (size_t i = 0; i < g->plan->n_args; i++) {
		if (asks(e, parts, i))
			take_word(code, &g->plan->args[i]);
		at[i].offset = (int16_t)(GATE_WORDS + g->plan->args[i].source * 8);
	}
	layout.inputs = at;
	layout.inputs_reg = BPF_REG_10;
	layout.stack_free = GATE_WORDS;
	layout.fault_offset = 0;
	code->stack = -GATE_WORDS;
	r = cul_expr_compile_branch(
		e, parts, &layout, CUL_GATE_REFUSED, &g->out->gate_refused, code, err);
	emit(code, BPF_LDX | BPF_MEM | BPF_DW, 1, 10, CONTEXT, 0);
	return r;
}

int cul_generate_gate(
	struct generating *g, const struct cul_expr *e, uint64_t parts, struct cul_error *err)
{
	int r = is_all_plain(g, e, parts) ? ask_context(g, e, parts, err) : 1;

	g->out->gate_returns = !r;
	return r == 1 ? ask_words(g, e, parts, err) : r;
}
