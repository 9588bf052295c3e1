/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr/bpf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

void cul_bpf_emit(struct cul_bpf_code *code, struct bpf_insn insn)
{
	struct bpf_insn *slot;

	if (code->failed)
		return;
	slot = cul_vec_grow((void **)&code->insns, &code->len, &code->cap, sizeof(*slot));
	if (slot)
		*slot = insn;
	else
		code->failed = -ENOMEM;
}

void cul_bpf_code_free(struct cul_bpf_code *code)
{
	free(code->insns);
	memset(code, 0, sizeof(*code));
}
