/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/generate_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

static const char *const input_names[INPUTS] = {
	[IN_RET] = "ret",
	[IN_DUR] = "dur",
	[IN_CPU] = "cpu",
	[IN_PID] = "pid",
	[IN_TID] = "tid",
	[IN_CALLER] = "caller",
	[IN_COMM] = "comm",
};

void cul_generated_free(struct cul_generated *g)
{
	cul_bpf_code_free(&g->entry);
	cul_bpf_code_free(&g->back);
	cul_bpf_code_free(&g->gate);
	for (size_t i = 0; i < g->n_values; i++)
		free(g->values[i].text);
	memset(g, 0, sizeof(*g));
}

/* What only the return knows. */
static uint64_t late_inputs(void)
{
	return 1ull << IN_RET | 1ull << IN_DUR;
}

static const struct cul_type *fixed_type(const struct generating *g, unsigned input)
{
	struct cul_ctypes *c = g->scope->ctypes;

	switch (input) {
	case IN_RET:
		return g->plan->typed ? g->plan->signature.ret : cul_ctypes_int(c, 8, true);
	case IN_DUR:
	case IN_CALLER:
		return cul_ctypes_int(c, 8, false);
	case IN_COMM:
		return cul_ctypes_array(c, cul_ctypes_find(c, "char"), CUL_PROBE_COMM);
	default:
		return cul_ctypes_int(c, 4, true);
	}
}

static int fixed_name(
	struct generating *g, unsigned input, struct cul_name *out, struct cul_error *err)
{
	struct cul_name name = {.kind = CUL_NAME_INPUT, .input = input};

	if ((input == IN_RET || input == IN_DUR) && !g->returns)
		return cul_fail(err, -ENOENT,
			"'%s' is known when the call returns: a tracepoint or an instruction does "
			"not, nor what --inject keeps from being called",
			input_names[input]);
	if (input == IN_CALLER && g->plan->inside)
		return cul_fail(err, -ENOENT,
			"'caller' is known where a function begins, not inside of one");
	if (input == IN_CALLER && g->plan->tracepoint)
		return cul_fail(err, -ENOENT,
			"a tracepoint has no 'caller'; --stack kernel shows who came to it");
	if (input == IN_RET && g->plan->typed && !g->plan->has_ret)
		return cul_fail(err, -ENOENT, "'ret': the function returns nothing");
	if (input == IN_RET && g->plan->signature.ret_unseen)
		return cul_fail(err, -ENOENT, "'ret' comes back where a probe does not see it");
	if (input == IN_RET && g->plan->signature.ret_in_memory)
		return cul_fail(err, -ENOENT, "'ret' is an object in memory, not a value");
	name.type = fixed_type(g, input);
	name.is_code_address = input == IN_CALLER;
	if (!name.type)
		return cul_fail(err, -ENOMEM, "out of memory");
	g->out->uses_caller |= input == IN_CALLER;
	g->out->uses_comm |= input == IN_COMM;
	g->out->uses_task |= input == IN_CPU || input == IN_PID || input == IN_TID;
	g->out->uses_late |= input == IN_RET || input == IN_DUR;
	*out = name;
	return 0;
}

/* Of a function whose type is not known: what is in the registers of the first arguments. */
static const struct cul_plan_arg untyped[CUL_PROBE_REG_WORDS] = {
	{.source = 0, .place = {.where = CUL_ARG_WORDS, .n_words = 1}},
	{.source = 1, .place = {.where = CUL_ARG_WORDS, .n_words = 1}},
	{.source = 2, .place = {.where = CUL_ARG_WORDS, .n_words = 1}},
	{.source = 3, .place = {.where = CUL_ARG_WORDS, .n_words = 1}},
	{.source = 4, .place = {.where = CUL_ARG_WORDS, .n_words = 1}},
	{.source = 5, .place = {.where = CUL_ARG_WORDS, .n_words = 1}},
};

static bool is_untyped(const struct cul_plan *plan)
{
	return !plan->typed && !plan->inside;
}

/* A parameter by its name, or argN by its number. */
static const struct cul_plan_arg *find_argument(
	const struct cul_plan *plan, const char *text, size_t *index)
{
	char number[32];

	for (size_t i = 0; is_untyped(plan) && i < CUL_PROBE_REG_WORDS; i++) {
		snprintf(number, sizeof(number), "arg%zu", i);
		*index = i;
		if (!strcmp(number, text))
			return &untyped[i];
	}

	for (size_t i = 0; i < plan->n_args; i++) {
		snprintf(number, sizeof(number), "arg%zu", i);
		if ((plan->args[i].name && !strcmp(plan->args[i].name, text)) ||
			!strcmp(number, text)) {
			*index = i;
			return &plan->args[i];
		}
	}
	return NULL;
}

static int argument_name(struct generating *g, const struct cul_plan_arg *a, size_t index,
	struct cul_name *out, struct cul_error *err)
{
	struct cul_name name = {.kind = CUL_NAME_INPUT, .input = (unsigned)index};

	name.type = a->type ? a->type : cul_ctypes_int(g->scope->ctypes, 8, false);
	if (!name.type)
		return cul_fail(err, -ENOMEM, "out of memory");
	if (a->source < 0)
		return cul_fail(err, -ENOENT, "'%s' is %s", a->name ? a->name : "the argument",
			a->place.where == CUL_ARG_FLOAT
				? "in a floating point register, which a probe does not see"
			: a->place.where == CUL_ARG_GONE  ? "optimized out here"
			: a->place.where == CUL_ARG_CONST ? "the same number in every call"
							  : "not where a probe can see it");
	if (!g->plan->syscall && g->out->words < (unsigned)a->source + a->place.n_words)
		g->out->words = (unsigned)a->source + a->place.n_words;
	*out = name;
	return 0;
}

static int find_name(void *data, const char *text, struct cul_name *out, struct cul_error *err)
{
	struct generating *g = data;
	const struct cul_plan_arg *a;
	cul_autostr struct cul_str shown = {0};
	size_t index;
	int r;

	a = find_argument(g->plan, text, &index);
	if (a)
		return argument_name(g, a, index, out, err);
	for (unsigned i = IN_RET; i < INPUTS; i++)
		if (!strcmp(text, input_names[i]))
			return fixed_name(g, i, out, err);
	/* What is near it in the kernel is no help: it is not looked for. */
	r = g->scope->name(g->scope->data, text, out, NULL);
	if (!r)
		return 0;
	if (r != -ENOENT)
		return g->scope->name(g->scope->data, text, out, err);
	if (g->plan->typed)
		cul_signature_print(&shown, "", &g->plan->signature);
	return cul_fail(err, r,
		"unknown name '%s'; a call has %s%s%sret, dur, pid, tid, comm, cpu, "
		"caller",
		text,
		shown.len             ? "the arguments of "
		: is_untyped(g->plan) ? "arg0 to arg5, since its type is not known"
				      : "",
		cul_str_text(&shown), shown.len || is_untyped(g->plan) ? ", and " : "");
}

static const struct cul_type *find_type(void *data, enum cul_tag tag, const char *name)
{
	struct generating *g = data;

	return g->scope->type(g->scope->data, tag, name);
}

static bool is_struct(const struct cul_type *t)
{
	return t && (t->kind == CUL_KIND_STRUCT || t->kind == CUL_KIND_UNION);
}

/* A struct comes back in this register when it fits, and no part of it is floating point. */
static void lay_out_ret(const struct cul_plan *plan, struct cul_bpf_input *at)
{
	const struct cul_type *t = plan->ret.type;

	if (!t || !t->size || t->size > 8)
		return;
	if (!is_struct(t))
		at->size = (uint8_t)t->size;
	else if (plan->ret.source == CUL_PROBE_FROM_RET)
		at->bytes = (uint16_t)t->size;
}

static void lay_out(struct generating *g)
{
	static const struct cul_bpf_input fixed[INPUTS] = {
		[IN_RET] = {.offset = INPUT(ret), .size = 8},
		[IN_DUR] = {.offset = INPUT(dur), .size = 8},
		[IN_CPU] = {.offset = INPUT(cpu), .size = 8},
		[IN_PID] = {.offset = INPUT(pid), .size = 8},
		[IN_TID] = {.offset = INPUT(tid), .size = 8},
		[IN_CALLER] = {.offset = INPUT(caller), .size = 8},
		[IN_COMM] = {.offset = INPUT(comm), .bytes = CUL_PROBE_COMM},
	};

	memcpy(g->at, fixed, sizeof(g->at));
	for (size_t i = 0; is_untyped(g->plan) && i < CUL_PROBE_REG_WORDS; i++)
		g->at[i] = (struct cul_bpf_input){
			.offset = (int16_t)(INPUT(words) + i * 8), .size = 8};
	for (size_t i = 0; i < g->plan->n_args; i++) {
		const struct cul_plan_arg *a = &g->plan->args[i];
		struct cul_bpf_input *at = &g->at[i];
		uint64_t size = a->type ? a->type->size : 8;

		if (a->source < 0)
			continue;
		at->offset = (int16_t)(INPUT(words) + a->source * 8);
		if (is_struct(a->type))
			at->bytes = (uint16_t)size;
		else
			at->size = (uint8_t)(size == 1 || size == 2 || size == 4 ? size : 8);
	}
	lay_out_ret(g->plan, &g->at[IN_RET]);
	g->layout = (struct cul_bpf_layout){.inputs = g->at,
		.n_inputs = INPUTS,
		.inputs_reg = 6,
		.stack_limit = STACK_LIMIT,
		.fault_offset = INPUT(fault),
		.memory = g->user ? CUL_BPF_USER : CUL_BPF_EITHER};
}

/* r6 = the inputs. */
static void begin(struct generating *g, struct cul_bpf_code *code)
{
	if (code->len)
		return;
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0);
	if (g->plan->copy)
		cul_generate_copy_words(g, code);
	if (g->plan->syscall && code == &g->out->entry)
		cul_generate_syscall_words(g, code);
}

/* Another function's --by may have more words. */
static void finish(const struct generating *g, struct cul_bpf_code *code)
{
	if (!code->len)
		return;
	for (unsigned i = g->out->by_words; g->out->n_by && i < CUL_PROBE_BY; i++)
		emit(code, BPF_ST | BPF_MEM | BPF_DW, 6, 0,
			(int16_t)(INPUT(values) + (CUL_PROBE_BY_AT + i) * 8), 0);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1);
	emit(code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static bool uses_arguments(const struct cul_expr *e)
{
	for (unsigned i = 0; i < IN_RET; i++)
		if (cul_expr_uses_input(e, i))
			return true;
	return false;
}

/* Those of the `parts` of the condition, behind which a call goes on. */
static int add_parts(struct generating *g, const struct cul_expr *e, uint64_t parts,
	struct cul_bpf_code *code, struct cul_error *err)
{
	int r;

	if (!parts)
		return 0;
	begin(g, code);
	r = cul_expr_compile_parts(e, parts, &g->layout, code, err);
	emit(code, BPF_JMP | BPF_JNE | BPF_K, 0, 0, 1, 0);
	emit(code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return r;
}

static int add_condition(struct generating *g, struct cul_error *err)
{
	const char *text = g->options->condition;
	struct cul_generated *out = g->out;
	struct cul_expr *e = NULL;
	uint64_t all, early, gate;
	int r;

	if (!text)
		return 0;
	r = cul_expr_parse(text, &g->env, &e, err);
	if (r) {
		cul_error_prefix(err, "--if");
		return r;
	}
	all = cul_expr_parts(e) == 64 ? UINT64_MAX : (1ull << cul_expr_parts(e)) - 1;
	early = g->plan->after ? 0
		: g->returns   ? cul_expr_parts_within(e, ~late_inputs()) & all
			       : all;
	gate = g->user || g->plan->copy || g->plan->syscall
		       ? 0
		       : cul_expr_parts_within(e, cul_generate_gate_inputs(g->plan)) & early;
	r = add_parts(g, e, gate, &out->entry, err);
	out->gated = out->entry.len;
	if (!r && gate)
		r = cul_generate_gate(g, e, gate, err);
	if (!r)
		r = add_parts(g, e, early & ~gate, &out->entry, err);
	out->keeps |= (all & ~early) && uses_arguments(e);
	if (!r)
		r = add_parts(g, e, all & ~early, &out->back, err);
	cul_expr_free(e);
	if (r)
		cul_error_prefix(err, "--if");
	return r;
}

/* Registers after an instruction are what expressions speak of then. */
static bool is_late(const struct generating *g, const struct cul_expr *e)
{
	return g->plan->after || cul_expr_uses_input(e, IN_RET) || cul_expr_uses_input(e, IN_DUR);
}

/* A place among the values. */
static int take_slots(
	struct generating *g, unsigned n, struct cul_generated_value *v, struct cul_error *err)
{
	v->at = g->next;
	v->n = n;
	g->next += n;
	if (g->next > CUL_PROBE_VALUES || g->out->n_values == CUL_GENERATED_VALUES)
		return cul_fail(err, -E2BIG,
			"%s is one expression too many: --args, --by and --hist have room for %d "
			"values together",
			v->text, CUL_PROBE_VALUES);
	return 0;
}

/* The value, and whether it met what could not be read. */
static int compute(struct generating *g, const struct cul_expr *e, struct cul_bpf_code *code,
	struct cul_generated_value *v, struct cul_error *err)
{
	int r;

	emit(code, BPF_ST | BPF_MEM | BPF_DW, 6, 0, INPUT(fault), 0);
	r = v->object ? cul_expr_compile_address(e, &g->layout, code, err)
		      : cul_expr_compile(e, &g->layout, code, err);
	emit(code, BPF_STX | BPF_MEM | BPF_DW, 6, 0, (int16_t)(INPUT(values) + v->at * 8), 0);
	emit(code, BPF_LDX | BPF_MEM | BPF_DW, 1, 6, INPUT(fault), 0);
	emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 3, 0);
	emit(code, BPF_LDX | BPF_MEM | BPF_DW, 1, 6, INPUT(faults), 0);
	emit(code, BPF_ALU64 | BPF_OR | BPF_K, 1, 0, 0, 1 << v->at);
	emit(code, BPF_STX | BPF_MEM | BPF_DW, 6, 1, INPUT(faults), 0);
	return r;
}

/* Bytes that are among the inputs already: a copy, without what lies behind them in the last word.
 */
static int copy_bytes(struct generating *g, unsigned input, uint64_t offset,
	struct cul_bpf_code *code, struct cul_generated_value *v, struct cul_error *err)
{
	int32_t behind = (int32_t)(v->n * 8 - v->type->size) * 8;

	if (offset % 8)
		return cul_fail(err, -ENOTSUP, "%s: a part of a struct by value that is no number",
			v->text);
	for (unsigned i = 0; i < v->n; i++) {
		emit(code, BPF_LDX | BPF_MEM | BPF_DW, 1, 6,
			(int16_t)(g->at[input].offset + offset + i * 8), 0);
		if (behind && i == v->n - 1) {
			emit(code, BPF_ALU64 | BPF_LSH | BPF_K, 1, 0, 0, behind);
			emit(code, BPF_ALU64 | BPF_RSH | BPF_K, 1, 0, 0, behind);
		}
		emit(code, BPF_STX | BPF_MEM | BPF_DW, 6, 1,
			(int16_t)(INPUT(values) + (v->at + i) * 8), 0);
	}
	return 0;
}

static int add_value(struct generating *g, const struct cul_expr *e, struct cul_error *err)
{
	struct cul_generated_value *v = &g->out->values[g->out->n_values];
	const struct cul_type *type = cul_expr_type(e);
	struct cul_bpf_code *code;
	uint64_t offset;
	unsigned input;
	bool bytes;
	int r;

	if (g->out->n_values == CUL_GENERATED_VALUES)
		return cul_fail(err, -E2BIG, "at most %d values", CUL_GENERATED_VALUES);
	memset(v, 0, sizeof(*v));
	v->text = cul_strdup(cul_expr_text(e));
	if (!v->text)
		return cul_fail(err, -ENOMEM, "out of memory");
	g->out->n_values++;
	v->at_return = (g->returns || g->plan->after) && is_late(g, e);
	v->type = type;
	bytes = !cul_type_is_scalar(type) && cul_expr_is_input_bytes(e, &input, &offset);
	if (!bytes && !cul_type_is_scalar(type) && cul_expr_is_lvalue(e)) {
		v->object = type;
		v->type = cul_ctypes_pointer(g->scope->ctypes, type);
	}
	g->out->n_values--;
	r = take_slots(g, bytes ? (unsigned)((type->size + 7) / 8) : 1, v, err);
	g->out->n_values++;
	if (r)
		return r;
	code = v->at_return ? &g->out->back : &g->out->entry;
	g->out->keeps |= g->returns && (!v->at_return || uses_arguments(e));
	begin(g, code);
	return bytes ? copy_bytes(g, input, offset, code, v, err) : compute(g, e, code, v, err);
}

/* The expressions of a list by commas. */
static int add_list(
	struct generating *g, const char *option, const char *text, struct cul_error *err)
{
	struct cul_expr *e = NULL;
	size_t at = 0;
	int r;

	if (!text)
		return 0;
	while ((r = cul_expr_parse_next(text, &at, &g->env, &e, err)) > 0) {
		r = add_value(g, e, err);
		cul_expr_free(e);
		e = NULL;
		if (r)
			break;
	}
	if (r < 0)
		cul_error_prefix(err, "%s", option);
	return r;
}

static int add_measure(struct generating *g, struct cul_error *err)
{
	const struct cul_generated_value *v = &g->out->values[g->out->n_values];
	int r = add_list(g, "--hist", g->options->hist, err);

	if (r || !g->options->hist)
		return r;
	if (v != &g->out->values[g->out->n_values - 1])
		return cul_fail(err, -EINVAL,
			"--hist takes one expression, and '%s' are several; --by EXPR makes one "
			"histogram for each value",
			g->options->hist);
	if (v->n != 1 || v->object || !cul_type_is_scalar(v->type))
		return cul_fail(err, -EINVAL, "--hist: '%s' is no number", v->text);
	return 0;
}

/* A string stands for itself among the groups, not for where it lies. */
static void tell_text(struct generating *g, struct cul_generated_value *v)
{
	const struct cul_type *type = v->object ? v->object : v->type;
	/* Not characters that are among the values themselves, as those of comm. */
	uint64_t room =
		v->n == 1 && v->type->kind == CUL_KIND_PTR ? cul_plan_text(type, v->text) : 0;

	if (!room)
		return;
	v->text_room = room < CUL_PROBE_TEXT ? (unsigned)room : CUL_PROBE_TEXT;
	g->out->has_texts = true;
	emit(v->at_return ? &g->out->back : &g->out->entry, BPF_ST | BPF_MEM | BPF_B, 6, 0,
		(int16_t)(INPUT(texts) + v->at), (int32_t)v->text_room);
}

static int add_by(struct generating *g, struct cul_error *err)
{
	size_t before = g->out->n_values;
	int r;

	g->next = CUL_PROBE_BY_AT;
	r = add_list(g, "--by", g->options->by, err);
	if (r)
		return r;
	for (size_t i = before; i < g->out->n_values; i++)
		tell_text(g, &g->out->values[i]);
	g->out->n_by = g->out->n_values - before;
	g->out->by_words = g->next - CUL_PROBE_BY_AT;
	if (g->out->by_words > CUL_PROBE_BY)
		return cul_fail(
			err, -E2BIG, "--by: at most %d numbers (comm counts as two)", CUL_PROBE_BY);
	return 0;
}

static int add_all(struct generating *g, struct cul_error *err)
{
	struct cul_generated *out = g->out;
	int r = add_condition(g, err);

	if (!r)
		r = add_list(g, "--args", g->options->args, err);
	out->n_args = out->n_values;
	if (!r)
		r = add_measure(g, err);
	if (!r)
		r = add_by(g, err);
	if (r)
		return r;
	/* The words are there then for all that is asked later. */
	if (g->plan->syscall || (g->plan->copy && g->options->view == CUL_VIEW_CALLS))
		begin(g, &out->entry);
	finish(g, &out->entry);
	finish(g, &out->back);
	return out->entry.failed || out->back.failed || out->gate.failed
		       ? cul_fail(err, -ENOMEM, "out of memory")
		       : 0;
}

static bool has_regs(const struct cul_plan *plan)
{
	return plan->n_args && plan->args[0].form == CUL_FORM_REGS;
}

int cul_generate(const struct cul_probe_options *options, const struct cul_plan *plan, bool returns,
	struct cul_scope *scope, struct cul_generated *out, struct cul_error *err)
{
	struct generating g = {.options = options,
		.plan = plan,
		.scope = cul_scope_env(scope),
		/* Registers lie in the kernel, whoever's they are. */
		.user = cul_scope_pid(scope) != 0 && !has_regs(plan),
		.returns = returns,
		.out = out};
	int r;

	memset(out, 0, sizeof(*out));
	g.env = (struct cul_expr_env){.name = find_name,
		.type = find_type,
		.nearest_type = g.scope->nearest_type,
		.ctypes = g.scope->ctypes,
		.data = &g};
	lay_out(&g);
	r = add_all(&g, err);
	if (r)
		cul_generated_free(out);
	return r;
}
