/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "attach_own.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "sys/bpf.h"

int own_map(void)
{
	return cul_sys_bpf_map_create(
		BPF_MAP_TYPE_ARRAY, "own", sizeof(uint32_t), sizeof(struct own_count), 1);
}

struct own_count own_read(int map_fd)
{
	struct own_count count = {0};
	uint32_t key = 0;

	cul_sys_bpf_map_lookup(map_fd, &key, &count);
	return count;
}

static struct bpf_insn insn(uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	return (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

#define MOV(dst, src)         insn(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define SET(dst, imm)         insn(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define CALL(function)        insn(BPF_JMP | BPF_CALL, 0, 0, 0, function)
#define ADD_TO(dst, off, src) insn(BPF_STX | BPF_ATOMIC | BPF_DW, dst, src, off, BPF_ADD)

int own_program(enum own_kind kind, const char *function, int map_fd)
{
	static const struct {
		enum bpf_prog_type type;
		enum bpf_attach_type attach;
	} kinds[] = {[OWN_KPROBE] = {BPF_PROG_TYPE_KPROBE, 0},
		[OWN_KPROBE_MULTI] = {BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI},
		[OWN_FENTRY] = {BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY},
		[OWN_FEXIT] = {BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT},
		[OWN_RAW_TRACEPOINT] = {BPF_PROG_TYPE_RAW_TRACEPOINT, 0}};
	struct bpf_insn insns[32];
	struct cul_bpf_prog prog = {.type = kinds[kind].type,
		.name = "own",
		.insns = insns,
		.expected_attach_type = kinds[kind].attach};
	size_t n = 0, to_end[3], n_jumps = 0;
	struct btf *btf = NULL;
	int fd;

	insns[n++] = MOV(6, 1);
	insns[n++] = CALL(BPF_FUNC_get_current_pid_tgid);
	insns[n++] = insn(BPF_ALU64 | BPF_RSH | BPF_K, 0, 0, 0, 32);
	to_end[n_jumps++] = n;
	insns[n++] = insn(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 0, getpid());
	if (kind == OWN_RAW_TRACEPOINT) {
		insns[n++] = insn(BPF_LDX | BPF_MEM | BPF_DW, 1, 6, 8, 0);
		to_end[n_jumps++] = n;
		insns[n++] = insn(BPF_JMP | BPF_JNE | BPF_K, 1, 0, 0, SYS_getpgid);
	}
	insns[n++] = insn(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0);
	insns[n++] = insn(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map_fd);
	insns[n++] = insn(0, 0, 0, 0, 0);
	insns[n++] = MOV(2, 10);
	insns[n++] = insn(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4);
	insns[n++] = CALL(BPF_FUNC_map_lookup_elem);
	to_end[n_jumps++] = n;
	insns[n++] = insn(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0, 0);
	insns[n++] = MOV(7, 0);
	insns[n++] = SET(1, 1);
	insns[n++] = ADD_TO(7, 0, 1);
	if (kind != OWN_RAW_TRACEPOINT) {
		insns[n++] = MOV(1, 6);
		insns[n++] = CALL(BPF_FUNC_get_attach_cookie);
		insns[n++] = ADD_TO(7, 8, 0);
	}
	for (size_t i = 0; i < n_jumps; i++)
		insns[to_end[i]].off = (int16_t)(n - to_end[i] - 1);
	insns[n++] = SET(0, 0);
	insns[n++] = insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	prog.n = n;
	if (kind == OWN_FENTRY || kind == OWN_FEXIT) {
		btf = btf__load_vmlinux_btf();
		fd = btf ? btf__find_by_name_kind(btf, function, BTF_KIND_FUNC) : -1;
		btf__free(btf);
		if (fd < 0)
			return fd;
		prog.attach_btf_id = (uint32_t)fd;
	}
	return cul_sys_bpf_prog_load_attr(&prog);
}

uint64_t own_symbol(const char *name)
{
	cul_autofclose FILE *f = fopen("/proc/kallsyms", "re");
	char line[512], type, symbol[256];
	uint64_t addr;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNx64 " %c %255s", &addr, &type, symbol) == 3 &&
			!strcmp(symbol, name))
			return addr;
	return 0;
}

int own_open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

bool own_has_kprobes(void)
{
	if (geteuid()) {
		printf("skipped: not root\n");
		return false;
	}
	if (access("/sys/bus/event_source/devices/kprobe/type", R_OK)) {
		printf("skipped: this kernel has no kprobes\n");
		return false;
	}
	return true;
}
