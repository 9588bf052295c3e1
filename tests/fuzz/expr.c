/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as an expression: parse, print its type, place, evaluate, compile
 * and run the code. What both halves compute must agree.
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
	.memory = CUL_BPF_USER,
};

static void compile_and_compare(struct fake *f, const struct cul_expr *e)
{
	struct bpf_interp vm = {.mem = &f->mem,
		.inputs = &f->in,
		.inputs_size = sizeof(f->in),
		.inputs_reg = BPF_REG_6};
	struct cul_bpf_code code = {0};
	struct cul_error err = {0};
	struct cul_value v = {0};
	int r = cul_expr_eval(e, &f->run, &v, &err);

	if (!cul_expr_compile(e, &fuzz_layout, &code, &err)) {
		uint64_t got = bpf_interp_run(&vm, &code);

		if (vm.broken || got != (r ? 0 : v.bits))
			abort();
	}
	cul_bpf_code_free(&code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake fake;
	struct cul_expr *e = NULL;
	struct cul_error err = {0};
	struct cul_str type = {0};
	struct cul_place place;
	char *text = malloc(size + 1);

	if (!text || (!fake.pages && fake_new(&fake)))
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (!cul_expr_parse(text, &fake.env, &e, &err)) {
		cul_type_print(&type, cul_expr_type(e));
		cul_expr_place(e, &fake.run, &place, &err);
		compile_and_compare(&fake, e);
	} else if (!err.code || strlen(err.text) >= sizeof(err.text)) {
		abort();
	}
	cul_expr_free(e);
	cul_str_free(&type);
	free(text);
	return 0;
}
