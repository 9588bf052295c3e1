/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as a list of expressions: parse, print its type, place, evaluate,
 * compile and run the code, whole and in parts. What both halves compute must
 * agree.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit/expr/bpf_interp.c"
#include "../unit/expr/fake.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cul_bpf_layout fuzz_layout = {
	.inputs = fake_layout,
	.n_inputs = N_INPUTS,
	.inputs_reg = BPF_REG_6,
	.fault_offset = offsetof(struct inputs, tail),
	.memory = CUL_BPF_EITHER,
};

static void compile_and_compare(struct fake *f, const struct cul_expr *e)
{
	struct bpf_interp vm = {.mem = &f->mem,
		.inputs = &f->in,
		.inputs_size = sizeof(f->in),
		.inputs_reg = BPF_REG_6,
		.fault_offset = fuzz_layout.fault_offset};
	struct cul_bpf_code code = {0}, parts[2] = {0};
	struct cul_error err = {0};
	struct cul_value v = {0};
	uint64_t some = cul_expr_parts_within(e, 0x155), got;
	int r = cul_expr_eval(e, &f->run, &v, &err);

	if (!cul_expr_compile(e, &fuzz_layout, &code, &err)) {
		got = bpf_interp_run(&vm, &code);
		if (vm.broken || got != (r ? 0 : v.bits) || !vm.fault != !r)
			abort();
		if (cul_expr_compile_parts(e, some, &fuzz_layout, &parts[0], &err) ||
			cul_expr_compile_parts(e, ~some, &fuzz_layout, &parts[1], &err))
			abort();
		got = bpf_interp_run(&vm, &parts[0]);
		if (!vm.broken)
			got &= bpf_interp_run(&vm, &parts[1]);
		if (vm.broken || got != (!r && v.bits))
			abort();
	}
	cul_bpf_code_free(&code);
	cul_bpf_code_free(&parts[0]);
	cul_bpf_code_free(&parts[1]);
}

static void use(struct fake *f, const struct cul_expr *e)
{
	struct cul_error err = {0};
	struct cul_str type = {0};
	struct cul_place place;
	unsigned input;
	uint64_t offset;

	cul_type_print(&type, cul_expr_type(e));
	cul_expr_place(e, &f->run, &place, &err);
	if (cul_expr_is_input_bytes(e, &input, &offset) &&
		offset + cul_expr_type(e)->size > fake_layout[input].bytes)
		abort();
	compile_and_compare(f, e);
	cul_str_free(&type);
}

/* One is parsed as a list is, and a list by its first. */
static void parse_list(struct fake *f, const char *text, bool alone)
{
	struct cul_expr *e = NULL;
	struct cul_error err = {0};
	size_t at = 0, before;
	bool first = true;
	int r;

	while (before = at, (r = cul_expr_parse_next(text, &at, &f->env, &e, &err)) > 0) {
		if (at <= before || at > strlen(text) || (text[at] && text[at] != ','))
			abort();
		if (!text[at] && first && !alone)
			abort();
		first = false;
		use(f, e);
		cul_expr_free(e);
	}
	if ((r && !err.code) || strlen(err.text) >= sizeof(err.text) || (r && first && alone))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake fake;
	struct cul_expr *e = NULL;
	struct cul_error err = {0};
	char *text = malloc(size + 1);

	if (!text || (!fake.pages && fake_new(&fake)))
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (cul_expr_parse(text, &fake.env, &e, &err) &&
		(!err.code || strlen(err.text) >= sizeof(err.text)))
		abort();
	parse_list(&fake, text, e != NULL);
	cul_expr_free(e);
	free(text);
	return 0;
}
