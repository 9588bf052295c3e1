/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/ksym_iter.h"

#include <errno.h>
#include <string.h>

#include <linux/bpf.h>

#include "base/cleanup.h"
#include "sym/type.h"
#include "sys/bpf.h"
#include "sys/file.h"
#include "sys/insns.h"

enum {
	EACH = 7,   /* instructions of a test */
	FRAME = 52, /* and of what stands around them */
	MAX_TEXT = 64 << 20,
	/* The stack: two formats and what they print. */
	WITH_MODULE = -24,
	OWN = -40,
	DATA = -72,
};

static const char with_module[24] = "%016llx %c %s\t[%s]\n", own[16] = "%016llx %c %s\n";

/* Where the walk keeps the symbol it is at (struct kallsym_iter, kernel/kallsyms.c). */
struct places {
	uint32_t target; /* the BTF id of bpf_iter_ksym() */
	int16_t seq, value, type, name, module;
};

int cul_ksym_iter_prefix(struct cul_ksym_iter *it, const char *prefix, size_t len)
{
	struct cul_ksym_test *t = &it->tests[it->n];

	if (it->n == CUL_KSYM_ITER_MOST)
		return -E2BIG;
	*t = (struct cul_ksym_test){0};
	len = len < sizeof(t->value) ? len : sizeof(t->value);
	memcpy(&t->value, prefix, len);
	memset(&t->mask, 0xff, len);
	it->n++;
	return 0;
}

int cul_ksym_iter_addr(struct cul_ksym_iter *it, uint64_t addr)
{
	if (it->n == CUL_KSYM_ITER_MOST)
		return -E2BIG;
	it->tests[it->n++] = (struct cul_ksym_test){.is_addr = true, .value = addr};
	return 0;
}

static bool member(struct cul_btf *btf, const char *tag, const char *name, int16_t *out)
{
	const struct cul_type *t = cul_btf_find(btf, CUL_BTF_STRUCT, tag);
	struct cul_member m;

	if (!t || cul_type_member(t, name, &m, NULL) || m.bit_offset / 8 > INT16_MAX)
		return false;
	*out = (int16_t)(m.bit_offset / 8);
	return true;
}

static bool find_places(struct cul_btf *btf, struct places *p)
{
	p->target = cul_btf_func_id(btf, "bpf_iter_ksym");
	return p->target && member(btf, "bpf_iter_meta", "seq", &p->seq) &&
	       member(btf, "kallsym_iter", "value", &p->value) &&
	       member(btf, "kallsym_iter", "type", &p->type) &&
	       member(btf, "kallsym_iter", "name", &p->name) &&
	       member(btf, "kallsym_iter", "module_name", &p->module);
}

struct code {
	struct bpf_insn insns[CUL_KSYM_ITER_MOST * EACH + FRAME];
	size_t n;
};

#define LOAD(size, to, from, off) INSN(BPF_LDX | BPF_MEM | (size), to, from, off, 0)
#define STORE(size, off, from)    INSN(BPF_STX | BPF_MEM | (size), 10, from, off, 0)

static void add(struct code *c, const struct bpf_insn *insns, size_t n)
{
	memcpy(c->insns + c->n, insns, n * sizeof(*insns));
	c->n += n;
}

static void add_constant(struct code *c, unsigned reg, uint64_t value)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_LD | BPF_IMM | BPF_DW, reg & 0xf, 0, 0, (int32_t)value),
		INSN(0, 0, 0, 0, (int32_t)(value >> 32)),
	};

	add(c, insns, N_INSNS(insns));
}

static void add_text(struct code *c, int at, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i += 8) {
		const struct bpf_insn store = STORE(BPF_DW, (int16_t)(at + (int)i), 1);
		uint64_t word;

		memcpy(&word, text + i, sizeof(word));
		add_constant(c, 1, word);
		add(c, &store, 1);
	}
}

/* Returns which instruction jumps when the test is passed. */
static size_t add_test(struct code *c, const struct cul_ksym_test *t)
{
	const struct bpf_insn mask = INSN(BPF_ALU64 | BPF_AND | BPF_X, 1, 2, 0, 0);
	const struct bpf_insn take = MOV_REG(1, t->is_addr ? 9 : 8);
	const struct bpf_insn jump = INSN(BPF_JMP | BPF_JEQ | BPF_X, 1, 2, 0, 0);

	add(c, &take, 1);
	if (!t->is_addr) {
		add_constant(c, 2, t->mask);
		add(c, &mask, 1);
	}
	add_constant(c, 2, t->value);
	add(c, &jump, 1);
	return c->n - 1;
}

/* r6 the sequence, r7 the symbol, r8 its name's first bytes, r9 its address. */
static void build(struct code *c, const struct cul_ksym_iter *it, const struct places *p)
{
	const struct bpf_insn head[] = {
		LOAD(BPF_DW, 7, 1, 8), /* NULL behind the last one */
		INSN(BPF_JMP | BPF_JNE | BPF_K, 7, 0, 2, 0),
		MOV_IMM(0, 0),
		EXIT(),
		LOAD(BPF_DW, 6, 1, 0),
		LOAD(BPF_DW, 6, 6, p->seq),
		LOAD(BPF_DW, 8, 7, p->name),
		LOAD(BPF_DW, 9, 7, p->value),
	};
	const struct bpf_insn none[] = {MOV_IMM(0, 0), EXIT()};
	const struct bpf_insn data[] = {
		STORE(BPF_DW, DATA, 9),
		LOAD(BPF_B, 1, 7, p->type),
		STORE(BPF_DW, DATA + 8, 1),
		MOV_REG(1, 7),
		ADD_IMM(1, p->name),
		STORE(BPF_DW, DATA + 16, 1),
		MOV_REG(1, 7),
		ADD_IMM(1, p->module),
		STORE(BPF_DW, DATA + 24, 1),
		LOAD(BPF_B, 8, 7, p->module),
		MOV_REG(1, 6),
		MOV_REG(4, 10),
		ADD_IMM(4, DATA),
		MOV_REG(2, 10),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 8, 0, 4, 0),
		ADD_IMM(2, WITH_MODULE),
		MOV_IMM(3, (int)(strlen(with_module) + 1)),
		MOV_IMM(5, 32),
		INSN(BPF_JMP | BPF_JA, 0, 0, 3, 0),
		ADD_IMM(2, OWN),
		MOV_IMM(3, (int)(strlen(own) + 1)),
		MOV_IMM(5, 24),
		CALL(BPF_FUNC_seq_printf),
		MOV_IMM(0, 0),
		EXIT(),
	};
	size_t jumps[CUL_KSYM_ITER_MOST];

	add(c, head, N_INSNS(head));
	for (size_t i = 0; i < it->n; i++)
		jumps[i] = add_test(c, &it->tests[i]);
	add(c, none, N_INSNS(none));
	for (size_t i = 0; i < it->n; i++)
		c->insns[jumps[i]].off = (int16_t)(c->n - jumps[i] - 1);
	add_text(c, WITH_MODULE, with_module, sizeof(with_module));
	add_text(c, OWN, own, sizeof(own));
	add(c, data, N_INSNS(data));
}

/* The walk takes place while its descriptor is read. */
static int walk(int prog_fd, char **text, size_t *size)
{
	cul_autoclose int link_fd = cul_sys_bpf_link_iter(prog_fd), fd = -1;

	if (link_fd < 0)
		return link_fd;
	fd = cul_sys_bpf_iter_create(link_fd);
	return fd < 0 ? fd : cul_sys_read_all(fd, MAX_TEXT, text, size);
}

int cul_ksym_iter_run(
	const struct cul_ksym_iter *it, struct cul_btf *vmlinux, char **text, size_t *size)
{
	cul_autoclose int fd = -1;
	struct code code = {0};
	struct places places;

	if (!find_places(vmlinux, &places))
		return -ENOTSUP;
	build(&code, it, &places);
	fd = cul_sys_bpf_prog_load_attr(&(struct cul_bpf_prog){
		.type = BPF_PROG_TYPE_TRACING,
		.name = "cul_ksyms",
		.insns = code.insns,
		.n = code.n,
		.expected_attach_type = BPF_TRACE_ITER,
		.attach_btf_id = places.target,
	});
	return fd < 0 ? fd : walk(fd, text, size);
}
