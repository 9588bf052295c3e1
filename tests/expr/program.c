/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "program.h"

#include <errno.h>

#include <bpf/bpf.h>

#include "expr/fold.h"

static void emit(struct cul_bpf_code *code, uint8_t op, uint8_t dst, uint8_t src, int off, int imm)
{
	cul_bpf_emit(code, (struct bpf_insn){.code = op,
				   .dst_reg = dst & 15,
				   .src_reg = src & 15,
				   .off = (int16_t)off,
				   .imm = imm});
}

/* R0 becomes the map's only value; ends when there is none. */
static void emit_lookup(struct cul_bpf_code *code, int fd)
{
	emit(code, BPF_ST | BPF_MEM | BPF_W, 10, 0, -CALLER_STACK, 0);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0);
	emit(code, BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -CALLER_STACK);
	emit(code, BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, fd);
	emit(code, 0, 0, 0, 0, 0);
	emit(code, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
	emit(code, BPF_JMP | BPF_JNE | BPF_K, 0, 0, 1, 0);
	emit(code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void emit_end(struct cul_bpf_code *code)
{
	emit(code, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	emit(code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Calls with R6; returns where the call is, whose target is not known yet. */
static size_t emit_call(struct cul_bpf_code *code)
{
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, 1, 6, 0, 0);
	emit(code, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 0);
	return code->len - 1;
}

static void emit_function(struct cul_bpf_code *code, size_t call, const struct cul_bpf_code *body)
{
	if (!code->failed)
		code->insns[call].imm = (int)(code->len - call - 1);
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0);
	for (size_t i = 0; i < body->len; i++)
		cul_bpf_emit(code, body->insns[i]);
	emit(code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int load(struct cul_bpf_code *code, char *log, size_t size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_buf = log, .log_size = (uint32_t)size,
		.log_level = log ? 1 : 0);
	int fd = code->failed;

	if (!fd) {
		fd = bpf_prog_load(
			BPF_PROG_TYPE_RAW_TRACEPOINT, "expr", "GPL", code->insns, code->len, &opts);
		fd = fd < 0 ? -errno : fd;
	}
	cul_bpf_code_free(code);
	return fd;
}

int program_load(int fd, const struct cul_bpf_code *first, const struct cul_bpf_code *second,
	int result_at, char *log, size_t size)
{
	static const struct cul_bpf_constants none = {.fd = -1};
	struct cul_bpf_code code = {0};
	size_t call_first, call_second = 0;

	emit_lookup(&code, fd);
	emit(&code, BPF_ALU64 | BPF_MOV | BPF_X, 6, 0, 0, 0);
	call_first = emit_call(&code);
	if (second) {
		emit(&code, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2, 0);
		call_second = emit_call(&code);
	}
	emit(&code, BPF_STX | BPF_MEM | BPF_DW, 6, 0, result_at, 0);
	emit_end(&code);
	emit_function(&code, call_first, first);
	if (second)
		emit_function(&code, call_second, second);
	if (!code.failed)
		code.failed = cul_bpf_fold(&code, &none);
	return load(&code, log, size);
}

int program_load_address_of(int of, int into)
{
	struct cul_bpf_code code = {0};

	emit_lookup(&code, into);
	emit(&code, BPF_ALU64 | BPF_MOV | BPF_X, 6, 0, 0, 0);
	emit_lookup(&code, of);
	emit(&code, BPF_STX | BPF_MEM | BPF_DW, 6, 0, 0, 0);
	emit_end(&code);
	return load(&code, NULL, 0);
}
