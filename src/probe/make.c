/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs from templates: numbers and code in their places, and what the
 * verifier says of the result.
 */
#include "probe/program.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "expr/fold.h"
#include "probe.skel.h"
#include "probe/generate.h"
#include "sys/bpf.h"

enum {
	FRAMES = 512, /* bytes of stack, that a program and the functions it calls have together */
	FRAME = 192,  /* that a template takes of it, and */
	UNIT = 32, /* a function at least: check_max_stack_depth() of kernel/bpf/verifier.c, v6.1 */
};

/* In the order of enum cul_probe_template. */
const char *const cul_probe_template_names[CUL_TEMPLATES] = {
	"probe_entry",
	"probe_return",
	"probe_fentry",
	"probe_fexit",
	"probe_before",
	"probe_after",
	"probe_tracepoint",
	"probe_inject",
	"probe_fork",
	"probe_free",
	"probe_child",
	"probe_exec",
	"probe_exit",
};

static bool is_constant(const struct bpf_insn *insn, int32_t value)
{
	return BPF_CLASS(insn->code) == BPF_ALU64 && BPF_SRC(insn->code) == BPF_K &&
	       insn->imm == value;
}

static void patch(struct bpf_insn *insns, size_t n, int32_t from, int32_t to)
{
	for (size_t i = 0; i < n; i++)
		if (is_constant(&insns[i], from))
			insns[i].imm = to;
}

/* Additions that give the old value back (kernel 5.12), which -mcpu=v2 does not have. */
static void fetch_add(struct bpf_insn *insns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (insns[i].code == (BPF_STX | BPF_ATOMIC | BPF_DW) && insns[i].imm == BPF_ADD)
			insns[i].imm = BPF_ADD | BPF_FETCH;
}

/* Where the function to be replaced begins: the last one, `return CUL_PATCH_CODE`. */
static size_t find_code(const struct bpf_insn *insns, size_t n)
{
	return n >= 2 && is_constant(&insns[n - 2], CUL_PATCH_CODE) ? n - 2 : n;
}

/* The verifier's reason: the last line but for its statistics. */
static const char *last_words(char *log)
{
	size_t end = strlen(log), start;

	for (;;) {
		while (end && log[end - 1] == '\n')
			log[--end] = '\0';
		for (start = end; start && log[start - 1] != '\n'; start--)
			;
		if (!start || (strncmp(log + start, "processed ", 10) != 0 &&
				      strncmp(log + start, "verification time", 17) != 0))
			return log + start;
		log[end = start] = '\0';
	}
}

static int explain_refused(struct cul_bpf_prog *prog, int code, struct cul_error *err)
{
	enum { LOG = 4 << 20 };
	cul_autofree char *log = cul_calloc(1, LOG);
	int fd = cul_sys_bpf_explain("loading the BPF program", code, err);

	if (fd)
		return fd;
	if (!log)
		return cul_fail(err, -ENOMEM, "out of memory");
	prog->log = log;
	prog->log_size = LOG;
	prog->log_level = 1;
	fd = cul_sys_bpf_prog_load_attr(prog);
	if (fd >= 0)
		return fd;
	return cul_fail(err, code, "the kernel's verifier refuses the program: %s%s%.300s",
		cul_strerror(code), *log ? ": " : "", last_words(log));
}

static int load(const struct cul_probe_instance *instance, const struct bpf_insn *insns, size_t n,
	struct cul_error *err)
{
	bool tracing =
		instance->from == CUL_TEMPLATE_FENTRY || instance->from == CUL_TEMPLATE_FEXIT;
	bool tracepoint =
		instance->from >= CUL_TEMPLATE_TRACEPOINT && instance->from != CUL_TEMPLATE_INJECT;
	struct cul_bpf_prog prog = {
		.type = tracing      ? BPF_PROG_TYPE_TRACING
			: tracepoint ? BPF_PROG_TYPE_RAW_TRACEPOINT
				     : BPF_PROG_TYPE_KPROBE,
		.name = cul_probe_template_names[instance->from],
		.insns = insns,
		.n = n,
		.expected_attach_type = instance->attach,
		.attach_btf_id = instance->btf_id,
		.attach_btf_obj_fd = instance->btf_fd,
	};
	int fd = cul_sys_bpf_prog_load_attr(&prog);

	return fd >= 0 ? fd : explain_refused(&prog, fd, err);
}

static void add_insns(struct cul_bpf_code *to, const struct bpf_insn *insns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cul_bpf_emit(to, insns[i]);
}

/* The first `n` instructions of a template, with numbers in their places. */
static void add_template(struct cul_bpf_code *to, const struct bpf_insn *insns, size_t n,
	const struct cul_probe_instance *instance, bool coded)
{
	size_t from = to->len;

	add_insns(to, insns, n);
	if (to->failed)
		return;
	patch(to->insns + from, n, CUL_PATCH_SITE, instance->site);
	patch(to->insns + from, n, CUL_PATCH_ARGS, (int32_t)instance->args);
	patch(to->insns + from, n, CUL_PATCH_DIRECT, (int32_t)instance->direct);
	patch(to->insns + from, n, CUL_PATCH_SCRATCH, (int32_t)instance->scratch);
	patch(to->insns + from, n, CUL_PATCH_PAIRED, instance->paired);
	patch(to->insns + from, n, CUL_PATCH_CODED, coded);
	patch(to->insns + from, n, CUL_PATCH_CODE, 1);
	if (instance->from == CUL_TEMPLATE_INJECT)
		fetch_add(to->insns + from, n);
}

/*
 * All that is done for a call that the gate refused: it is counted, on its CPU, those of our own
 * apart. Of one program no two run on a CPU at once. `place`: of the site's counters in the map.
 */
static void put_refused(
	struct bpf_insn at[CUL_GATE_REFUSED], const struct cul_probe_program *p, size_t place)
{
	enum { SHIFT = 6 }; /* of a struct cul_probe_refusals */
	const struct bpf_insn refused[CUL_GATE_REFUSED] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_task_btf},
		/* R1 = its CPU, R0 = its tgid */
		{.code = BPF_LDX | BPF_MEM | BPF_W,
			.dst_reg = 1,
			.off = (int16_t)p->gate_offsets.cpu},
		{.code = BPF_LDX | BPF_MEM | BPF_W, .off = (int16_t)p->gate_offsets.tgid},
		{.code = BPF_ALU64 | BPF_AND | BPF_K,
			.dst_reg = 1,
			.imm = (int32_t)p->gate_cpus - 1},
		{.code = BPF_ALU64 | BPF_LSH | BPF_K, .dst_reg = 1, .imm = SHIFT},
		/* R2 = the CPU's counters */
		{.code = BPF_LD | BPF_IMM | BPF_DW,
			.dst_reg = 2,
			.src_reg = BPF_PSEUDO_MAP_VALUE,
			.imm = bpf_map__fd(p->skel->maps.refusals)},
		{.imm = (int32_t)place},
		{.code = BPF_ALU64 | BPF_ADD | BPF_X, .dst_reg = 2, .src_reg = 1},
		{.code = BPF_JMP | BPF_JNE | BPF_K, .off = 1, .imm = (int32_t)getpid()},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K,
			.dst_reg = 2,
			.imm = offsetof(struct cul_probe_refusals, own)},
		{.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 1, .src_reg = 2},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1, .imm = 1},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 2, .src_reg = 1},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};

	_Static_assert(sizeof(struct cul_probe_refusals) == 1 << SHIFT, "");
	memcpy(at, refused, sizeof(refused));
}

/* It was counted when it was entered. The kernel leaves out jumps to nowhere. */
static void put_nothing(struct bpf_insn at[CUL_GATE_REFUSED])
{
	for (size_t i = 0; i < CUL_GATE_REFUSED - 2; i++)
		at[i] = (struct bpf_insn){.code = BPF_JMP | BPF_JA};
	at[CUL_GATE_REFUSED - 2] = (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K};
	at[CUL_GATE_REFUSED - 1] = (struct bpf_insn){.code = BPF_JMP | BPF_EXIT};
}

/* The gate, what becomes of a call that it does not let in, and the way on to what comes behind. */
static void add_gate(struct cul_bpf_code *to, const struct cul_probe_program *p,
	const struct cul_probe_instance *instance)
{
	const struct bpf_insn way_in[] = {
		{.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};

	add_insns(to, instance->gate->insns, instance->gate->len);
	add_insns(to, way_in, 2);
	if (to->failed)
		return;
	if (instance->from == CUL_TEMPLATE_FEXIT)
		put_nothing(to->insns + instance->gate_refused);
	else
		put_refused(to->insns + instance->gate_refused, p,
			instance->gate_site * p->gate_cpus * sizeof(struct cul_probe_refusals));
}

/* What the expressions still have to do behind a gate: n, 0: nothing. */
static size_t rest_of(const struct cul_probe_instance *instance)
{
	enum { END = 2 };
	size_t n = instance->code->len - instance->gated;

	return n > END ? n : 0;
}

static size_t frame(int used)
{
	return used > UNIT ? ((size_t)used + UNIT - 1) / UNIT * UNIT : UNIT;
}

/* The stack is one for the gate, the program that it calls, and the expressions that this calls. */
static bool has_gate(const struct cul_probe_program *p, const struct cul_probe_instance *instance)
{
	if (!instance->gate || !instance->gate->len || instance->gate_site >= p->n_gates)
		return false;
	return frame(instance->gate->stack) + FRAME +
		       frame(rest_of(instance) ? instance->code->stack : 0) <=
	       FRAMES;
}

static int put_together(const struct cul_probe_program *p,
	const struct cul_probe_instance *instance, struct cul_bpf_code *out, struct cul_error *err)
{
	const struct cul_probe_insns *t = &p->templates[instance->from];
	const struct cul_bpf_code *code = instance->code;
	bool gate = has_gate(p, instance);
	size_t at = find_code(t->insns, t->n), n = gate ? rest_of(instance) : code ? code->len : 0;

	if (at == t->n && instance->from < CUL_TEMPLATE_FORK)
		return cul_fail(err, -EBADMSG, "the BPF template %s has no place for expressions",
			cul_probe_template_names[instance->from]);
	if (gate)
		add_gate(out, p, instance);
	add_template(out, t->insns, n ? at : t->n, instance, n);
	/* Behind what the gate has done; the very first sets up the register for all. */
	if (gate && n && n < code->len)
		add_insns(out, code->insns, 1);
	if (n)
		add_insns(out, code->insns + (code->len - n), n);
	return out->failed ? cul_fail(err, -ENOMEM, "out of memory") : 0;
}

static int make(struct cul_probe_program *p, const struct cul_probe_instance *instance,
	struct cul_error *err)
{
	__attribute__((cleanup(cul_bpf_code_free))) struct cul_bpf_code code = {0};
	const struct cul_bpf_constants constants = {
		bpf_map__fd(p->skel->maps.rodata), p->skel->rodata, sizeof(*p->skel->rodata)};
	int r = put_together(p, instance, &code, err), fd, *slot;

	if (!r && cul_bpf_fold(&code, &constants))
		r = cul_fail(err, -ENOMEM, "out of memory");
	if (r)
		return r;
	fd = load(instance, code.insns, code.len, err);
	if (fd < 0)
		return fd;
	slot = cul_vec_push(&p->fds);
	if (!slot) {
		close(fd);
		return cul_fail(err, -ENOMEM, "out of memory");
	}
	return *slot = fd;
}

int cul_probe_program_make(struct cul_probe_program *p, const struct cul_probe_instance *instance,
	struct cul_error *err)
{
	struct cul_probe_instance by_helper = *instance;
	int fd = make(p, instance, err);

	/* The kernel's BTF may know less of the arguments than we do. */
	by_helper.direct = 0;
	return fd < 0 && instance->direct ? make(p, &by_helper, err) : fd;
}
