/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/filter.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include "base/cleanup.h"
#include "bpf/watch.h"
#include "expr/bpf.h"
#include "sys/bpf.h"

#define INPUT(field) offsetof(struct cul_watch_inputs, field)

static const struct {
	const char *name;
	struct cul_bpf_input at;
} inputs[CUL_IN_COUNT] = {
	[CUL_IN_OLD] = {"old", {.offset = INPUT(old), .size = 8}},
	[CUL_IN_NEW] = {"new", {.offset = INPUT(new), .size = 8}},
	[CUL_IN_CPU] = {"cpu", {.offset = INPUT(cpu), .size = 8}},
	[CUL_IN_PID] = {"pid", {.offset = INPUT(pid), .size = 8}},
	[CUL_IN_TID] = {"tid", {.offset = INPUT(tid), .size = 8}},
	[CUL_IN_COMM] = {"comm", {.offset = INPUT(comm), .bytes = CUL_WATCH_COMM}},
};

/* The scope's names, with the inputs before them. */
struct names {
	const struct cul_watch_filter *filter;
	const struct cul_expr_env *scope;
};

static const struct cul_type *input_type(const struct names *names, unsigned input)
{
	struct cul_ctypes *c = names->scope->ctypes;
	const struct cul_watch_target *t = names->filter->target;

	switch (input) {
	case CUL_IN_OLD:
	case CUL_IN_NEW:
		return t->type ? t->type : cul_ctypes_int(c, (unsigned)t->size, false);
	case CUL_IN_COMM:
		return cul_ctypes_array(c, cul_ctypes_find(c, "char"), CUL_WATCH_COMM);
	default:
		return cul_ctypes_int(c, 4, true);
	}
}

static int find_name(void *data, const char *text, struct cul_name *out, struct cul_error *err)
{
	struct names *names = data;
	struct cul_name name = {.kind = CUL_NAME_INPUT};
	struct cul_error missing = {0};
	int r;

	for (unsigned i = 0; i < CUL_IN_COUNT; i++) {
		if (strcmp(text, inputs[i].name))
			continue;
		if (i <= CUL_IN_NEW && names->filter->execute)
			return cul_fail(err, -EINVAL,
				"'%s': with --exec nothing is written and there are no values; use "
				"cpu, pid, tid, comm",
				text);
		if (i <= CUL_IN_NEW && !cul_watch_target_is_scalar(names->filter->target))
			return cul_fail(err, -EINVAL,
				"'%s' is not one number here: %s has %lu bytes; watch one member "
				"of it",
				text, names->filter->target->text,
				(unsigned long)names->filter->target->size);
		name.input = i;
		name.type = input_type(names, i);
		if (!name.type)
			return cul_fail(err, -ENOMEM, "out of memory");
		*out = name;
		return 0;
	}
	r = names->scope->name(names->scope->data, text, out, &missing);
	if (r == -ENOENT)
		return cul_fail(
			err, r, "%s; a hit has old, new, cpu, pid, tid, comm", missing.text);
	if (r && err)
		*err = missing;
	return r;
}

static const struct cul_type *find_type(void *data, enum cul_tag tag, const char *name)
{
	struct names *names = data;

	return names->scope->type(names->scope->data, tag, name);
}

static struct bpf_insn insn(uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	return (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

static void emit_map(struct cul_bpf_code *code, uint8_t reg, int fd)
{
	cul_bpf_emit(code, insn(BPF_LD | BPF_DW | BPF_IMM, reg, BPF_PSEUDO_MAP_FD, 0, fd));
	cul_bpf_emit(code, insn(0, 0, 0, 0, 0));
}

static void emit_exit(struct cul_bpf_code *code)
{
	cul_bpf_emit(code, insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0));
	cul_bpf_emit(code, insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

/* r7 = context, r6 = the hit in the making. */
static void emit_start(struct cul_bpf_code *code, int heres_fd)
{
	cul_bpf_emit(code, insn(BPF_ALU64 | BPF_MOV | BPF_X, 7, 1, 0, 0));
	cul_bpf_emit(code, insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_smp_processor_id));
	cul_bpf_emit(code, insn(BPF_STX | BPF_MEM | BPF_W, 10, 0, -4, 0));
	cul_bpf_emit(code, insn(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0));
	cul_bpf_emit(code, insn(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4));
	emit_map(code, 1, heres_fd);
	cul_bpf_emit(code, insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem));
	cul_bpf_emit(code, insn(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 2, 0));
	emit_exit(code);
	cul_bpf_emit(code, insn(BPF_ALU64 | BPF_MOV | BPF_X, 6, 0, 0, 0));
}

/* Ends the hit unless r0 is (not) zero. */
static void emit_check(struct cul_bpf_code *code, bool wanted)
{
	cul_bpf_emit(code, insn(BPF_JMP | (wanted ? BPF_JNE : BPF_JEQ) | BPF_K, 0, 0, 2, 0));
	emit_exit(code);
}

static void emit_go_on(struct cul_bpf_code *code, int programs_fd)
{
	cul_bpf_emit(code, insn(BPF_ALU64 | BPF_MOV | BPF_X, 1, 7, 0, 0));
	emit_map(code, 2, programs_fd);
	cul_bpf_emit(code, insn(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, CUL_WATCH_EMIT));
	cul_bpf_emit(code, insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_tail_call));
	emit_exit(code);
}

/* Whether it comes to `value` at every hit: it asks for nothing of the hit, and for no memory. */
static bool is_always(const struct cul_expr *e, bool value)
{
	struct cul_expr_run nothing = {0};
	struct cul_value v;

	for (unsigned i = 0; i < CUL_IN_COUNT; i++)
		if (cul_expr_uses_input(e, i))
			return false;
	return !cul_expr_eval(e, &nothing, &v, NULL) && !v.bits == !value;
}

/* Sets `none` when it lets no hit pass. */
static int emit_expression(struct cul_bpf_code *code, const struct names *names, const char *text,
	bool wanted, bool *uses_old, bool *none, struct cul_error *err)
{
	const struct cul_expr_env env = {.name = find_name,
		.type = find_type,
		.ctypes = names->scope->ctypes,
		.data = (void *)names};
	struct cul_bpf_input at[CUL_IN_COUNT];
	struct cul_bpf_layout layout = {
		.inputs = at, .n_inputs = CUL_IN_COUNT, .inputs_reg = 6, .stack_free = -8};
	struct cul_expr *e = NULL;
	int r;

	if (!text)
		return 0;
	for (unsigned i = 0; i < CUL_IN_COUNT; i++)
		at[i] = inputs[i].at;
	layout.memory = cul_scope_pid(names->filter->scope) ? CUL_BPF_USER : CUL_BPF_KERNEL;
	r = cul_expr_parse(text, &env, &e, err);
	if (!r)
		r = cul_expr_compile(e, &layout, code, err);
	*uses_old = !r && cul_expr_uses_input(e, CUL_IN_OLD);
	*none |= !r && is_always(e, !wanted);
	cul_expr_free(e);
	if (r) {
		cul_error_prefix(err, wanted ? "--if" : "--expect");
		return r;
	}
	emit_check(code, wanted);
	return 0;
}

int cul_watch_filter_load(
	const struct cul_watch_filter *f, bool *expect_uses_old, bool *none, struct cul_error *err)
{
	struct names names = {.filter = f, .scope = cul_scope_env(f->scope)};
	__attribute__((cleanup(cul_bpf_code_free))) struct cul_bpf_code code = {0};
	bool condition_uses_old;
	int fd, r;

	*none = false;
	emit_start(&code, f->heres_fd);
	r = emit_expression(&code, &names, f->condition, true, &condition_uses_old, none, err);
	if (!r)
		r = emit_expression(&code, &names, f->expect, false, expect_uses_old, none, err);
	if (r)
		return r;
	emit_go_on(&code, f->programs_fd);
	if (code.failed)
		return cul_fail(err, code.failed, "out of memory");
	fd = cul_sys_bpf_prog_load(BPF_PROG_TYPE_PERF_EVENT, "watch_filter", code.insns, code.len);
	if (fd < 0)
		return cul_fail(
			err, fd, "the kernel's verifier refuses the filter: %s", cul_strerror(fd));
	return fd;
}
