/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * expr-differential [--seconds N] [--seed S] [--only I] [--text EXPR]
 *
 * Random expressions, each on many random values: what the evaluator says, and
 * what the compiled program gives that the kernel runs, must be the same; and
 * the kernel's verifier must take each program. Only programs that are run by
 * hand: nothing is attached.
 *
 * Prints one line of numbers at the end; a difference with what makes it again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "generated.h"
#include "program.h"
#include "worlds.h"

enum { SETS = 24, MOST_TOLD = 10, LOG_TAIL = 1500 };

struct tally {
	uint64_t expressions, refused, runs, faults, unknown, parts, addresses, gates, generated,
		bad;
};

/* One expression in one shape. */
struct trial {
	struct worlds *w;
	struct tally *tally;
	const char *text;
	uint64_t seed;
	struct cul_expr *e;
	struct cul_bpf_layout layout;
	bool address; /* its place is asked for, not its value */
	bool parts;   /* it is compiled in two parts of a condition */
	bool gate;    /* as a gate: the inputs are where a call would lose them */
};

static const char *const memories[] = {"kernel", "user", "either"};

static void tell(struct trial *t, const char *what)
{
	if (t->tally->bad++ < MOST_TOLD)
		printf("%s memory, --only 0x%" PRIx64 "%s: %s: %s\n", memories[t->layout.memory],
			t->seed,
			t->address ? ", its address"
			: t->parts ? ", in parts"
			: t->gate  ? ", as a gate"
				   : "",
			what, t->text);
}

static int load(struct trial *t, struct cul_bpf_code code[2])
{
	static char log[16 << 20];
	const struct cul_bpf_code *second = t->parts ? &code[1] : NULL;
	int at = offsetof(struct scratch, result);
	int fd = program_load(t->w->scratch_fd, &code[0], second, at, NULL, 0);
	size_t len;

	if (fd >= 0)
		return fd;
	*log = '\0';
	program_load(t->w->scratch_fd, &code[0], second, at, log, sizeof(log));
	len = strlen(log);
	tell(t, "the verifier refuses");
	printf("%s (%zu instructions)\n%s\n", strerror(-fd), code[0].len,
		log + (len > LOG_TAIL ? len - LOG_TAIL : 0));
	return fd;
}

/* These parts as a branch: R0 becomes 1 or 0. */
static int compile_branch(
	struct trial *t, uint64_t parts, struct cul_bpf_code *code, struct cul_error *err)
{
	static const struct bpf_insn refuse[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
	size_t no = 0;
	int r = cul_expr_compile_branch(
		t->e, parts, &t->layout, sizeof(refuse) / sizeof(*refuse), &no, code, err);

	if (r)
		return r;
	memcpy(code->insns + no, refuse, sizeof(refuse));
	cul_bpf_emit(code, (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1});
	return code->failed;
}

/* Whether what stands there leaves the register of the inputs alone, as a gate has to know. */
static bool keeps_inputs(const struct trial *t, const struct cul_bpf_code *code)
{
	for (size_t i = 1; i < code->len; i++) {
		const struct bpf_insn *insn = &code->insns[i];
		uint8_t class = BPF_CLASS(insn->code);

		if (insn->code == (BPF_JMP | BPF_CALL))
			return false;
		if (insn->dst_reg == t->layout.inputs_reg && class != BPF_JMP &&
			class != BPF_JMP32 && class != BPF_ST && class != BPF_STX)
			return false;
	}
	return true;
}

/* -ECANCELED: it takes calls, or more registers, than such a gate has. */
static int compile_gate(struct trial *t, struct cul_bpf_code *code, struct cul_error *err)
{
	int r;

	t->layout.inputs_reg = random_next(&t->seed) & 1 ? BPF_REG_1 : BPF_REG_5;
	t->layout.fault_offset = 0;
	cul_bpf_emit(code, (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X,
				   .dst_reg = t->layout.inputs_reg & 15,
				   .src_reg = BPF_REG_6});
	r = compile_branch(t, UINT64_MAX, code, err);
	return r ? r : keeps_inputs(t, code) ? 0 : -ECANCELED;
}

static int compile(struct trial *t, struct cul_bpf_code code[2], struct cul_error *err)
{
	uint64_t some = random_next(&t->seed);
	int r;

	if (t->gate)
		return compile_gate(t, &code[0], err);
	if (t->address)
		return cul_expr_compile_address(t->e, &t->layout, &code[0], err);
	if (!t->parts)
		return cul_expr_compile(t->e, &t->layout, &code[0], err);
	r = cul_expr_compile_parts(t->e, some, &t->layout, &code[0], err);
	if (r)
		return r;
	if (!(~some & UINT64_MAX >> (64 - cul_expr_parts(t->e))))
		return cul_expr_compile_parts(t->e, ~some, &t->layout, &code[1], err);
	return compile_branch(t, ~some, &code[1], err);
}

/* What the evaluator says: a negative errno or 0 with `bits`. */
static int expect(struct trial *t, uint64_t *bits)
{
	struct cul_value v = {0};
	struct cul_place place = {0};
	int r;

	if (t->address) {
		r = cul_expr_place(t->e, &t->w->run, &place, NULL);
		*bits = place.addr;
		return r;
	}
	r = cul_expr_eval(t->e, &t->w->run, &v, NULL);
	*bits = t->parts || t->gate ? v.bits != 0 : v.bits;
	return r;
}

static void compare(struct trial *t, int fd)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct scratch *s = t->w->scratch;
	uint64_t want = 0, fault;
	char text[200];
	int r;

	worlds_shake(t->w, &t->seed);
	r = expect(t, &want);
	if (t->w->unknown) {
		t->tally->unknown++;
		return;
	}
	want = r ? 0 : want;
	fault = r == -EFAULT ? CUL_BPF_FAULT_MEMORY : r == -EDOM ? CUL_BPF_FAULT_DIVISION : 0;
	if (r && !fault) {
		tell(t, "the evaluator fails in another way");
		return;
	}
	if (bpf_prog_test_run_opts(fd, &opts)) {
		tell(t, strerror(errno));
		return;
	}
	t->tally->runs++;
	t->tally->faults += r != 0;
	/* In parts another operand may be the one that fails; a gate does not tell. */
	if (s->result == want && (t->parts || t->gate || s->fault == fault))
		return;
	snprintf(text, sizeof(text),
		"the evaluator says 0x%" PRIx64 " (%d), the program 0x%" PRIx64 " (fault %" PRIu64
		")",
		want, r, s->result, s->fault);
	tell(t, text);
}

static void try_shape(struct trial *t, unsigned sets)
{
	struct cul_bpf_code code[2] = {0};
	struct cul_error err = {0};
	int fd = -1, r = compile(t, code, &err);

	if (r == -ECANCELED) {
		t->tally->gates--;
	} else if (r == -E2BIG || r == -EOPNOTSUPP) {
		t->tally->refused++;
		if (!strchr(err.text, '^'))
			tell(t, "refused without its place");
	} else if (r) {
		tell(t, err.text);
	} else {
		fd = load(t, code);
	}
	cul_bpf_code_free(&code[0]);
	cul_bpf_code_free(&code[1]);
	if (fd < 0)
		return;
	for (unsigned i = 0; i < sets; i++)
		compare(t, fd);
	close(fd);
}

/* Of the accounts with a name, one of `every` becomes the one that is handed over as bytes. */
static void hand_over(struct cul_str *text, uint64_t *seed, unsigned every)
{
	struct cul_str out = {0};
	const char *from = cul_str_text(text), *at;

	for (; (at = strstr(from, "acct.")); from = at + 5)
		cul_str_addf(&out, "%.*s%s", (int)(at - from), from,
			random_next(seed) % every || (at > from && at[-1] == '&') ? "acct."
										  : "whole.");
	cul_str_add(&out, from);
	cul_str_free(text);
	*text = out;
}

/*
 * An object in memory and the same one handed over: their members are found in different ways, and
 * have the same values.
 */
static void compare_handed_over(
	struct worlds *w, struct tally *tally, const char *text, uint64_t seed)
{
	struct trial t = {.w = w, .tally = tally, .text = text, .seed = seed};
	struct cul_str other = {0};
	struct cul_error err = {0};
	struct cul_expr *whole = NULL;
	struct cul_value a = {0}, b = {0};
	char what[80];

	cul_str_add(&other, text);
	hand_over(&other, &seed, 1);
	if (cul_expr_parse(text, &w->env, &t.e, &err) ||
		cul_expr_parse(cul_str_text(&other), &w->env, &whole, &err)) {
		tell(&t, err.text);
	} else {
		worlds_shake(w, &seed);
		memcpy(w->scratch->account, &w->home->image->acct, sizeof(struct account));
		if (!cul_expr_eval(t.e, &w->run, &a, NULL) &&
			(cul_expr_eval(whole, &w->run, &b, NULL) || a.bits != b.bits)) {
			snprintf(what, sizeof(what), "0x%" PRIx64 ", handed over 0x%" PRIx64,
				a.bits, b.bits);
			tell(&t, what);
		}
	}
	cul_expr_free(t.e);
	cul_expr_free(whole);
	cul_str_free(&other);
}

/* `given`: the expression; NULL: one that the seed makes. */
static void try_one(struct worlds *w, struct tally *tally, uint64_t seed, const char *given)
{
	static const enum cul_bpf_memory order[] = {
		CUL_BPF_EITHER, CUL_BPF_KERNEL, CUL_BPF_USER, CUL_BPF_EITHER};
	struct trial t = {.w = w, .tally = tally, .seed = seed};
	uint64_t own = seed, shape = random_next(&own);
	struct cul_str text = {0};
	struct cul_error err = {0};

	/* In kernel memory alone, what lies in ours is out of reach. */
	worlds_choose(w, order[shape & 3], (order[shape & 3] != CUL_BPF_USER) ^ !(shape >> 2 & 3));
	t.layout = (struct cul_bpf_layout){.inputs = w->layout,
		.n_inputs = WORLD_INPUTS,
		.inputs_reg = BPF_REG_6,
		.stack_limit = EXPRESSION_STACK,
		.fault_offset = offsetof(struct scratch, fault),
		.memory = w->memory};
	if (given)
		cul_str_add(&text, given);
	else
		random_text(&text, &own, 1 + (int)((shape >> 8) % 6));
	if (!given && text.len < 3000) {
		compare_handed_over(w, tally, cul_str_text(&text), seed);
		hand_over(&text, &own, 3);
	}
	t.text = cul_str_text(&text);
	if (text.len >= 4000 || cul_expr_parse(t.text, &w->env, &t.e, &err)) {
		if (text.len < 4000)
			tell(&t, err.text);
		cul_str_free(&text);
		return;
	}
	tally->expressions++;
	try_shape(&t, SETS);
	t.seed = seed;
	t.parts = cul_expr_parts(t.e) > 1 || !(shape >> 16 & 15);
	if (t.parts) {
		tally->parts++;
		try_shape(&t, SETS / 2);
	}
	t.seed = seed;
	t.parts = false;
	t.address = cul_expr_is_lvalue(t.e) && !(shape >> 20 & 3);
	if (t.address && cul_expr_place(t.e, &w->run, &(struct cul_place){0}, &err) != -EINVAL) {
		struct cul_place place = {0};

		worlds_shake(w, &own);
		if (!cul_expr_place(t.e, &w->run, &place, NULL) && !place.bit_size) {
			tally->addresses++;
			try_shape(&t, SETS / 4);
		}
	}
	t.seed = seed;
	t.address = false;
	t.gate = true;
	if (!cul_expr_is_lvalue(t.e)) {
		tally->gates++;
		try_shape(&t, SETS / 4);
	}
	cul_expr_free(t.e);
	cul_str_free(&text);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	static struct worlds w;
	struct tally n = {0};
	uint64_t seconds = 10, seed = 0, only = 0, end, start = now_ms();
	const char *text = NULL;
	int r;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return 2;
	for (int i = 1; i + 1 < argc; i += 2) {
		uint64_t value = strtoull(argv[i + 1], NULL, 0);

		if (!strcmp(argv[i], "--seconds"))
			seconds = value;
		else if (!strcmp(argv[i], "--seed"))
			seed = value;
		else if (!strcmp(argv[i], "--only"))
			only = value;
		else if (!strcmp(argv[i], "--text"))
			text = argv[i + 1];
		else
			return 2;
	}
	r = worlds_new(&w);
	if (!r)
		r = generated_new();
	if (r) {
		fprintf(stderr, "expr-differential: no BPF here: %s\n", strerror(-r));
		return 2;
	}
	printf("seed 0x%" PRIx64 "\n", seed);
	fflush(stdout);
	if (only)
		try_one(&w, &n, only, text);
	if (only && !text)
		n.bad += !generated_try(only, SETS, &n.generated);
	for (end = start + seconds * 1000; !only && now_ms() < end;) {
		try_one(&w, &n, random_next(&seed), text);
		if (!text && n.bad < MOST_TOLD)
			n.bad += !generated_try(random_next(&seed), SETS / 2, &n.generated);
	}
	printf("%" PRIu64 " expressions (%" PRIu64 " shapes refused by the compiler, %" PRIu64
	       " in parts, %" PRIu64 " addresses, %" PRIu64 " gates), %" PRIu64 " runs (%" PRIu64
	       " fail, %" PRIu64 " left out), %" PRIu64 " of probes' code, %" PRIu64 " wrong\n",
		n.expressions, n.refused, n.parts, n.addresses, n.gates, n.runs, n.faults,
		n.unknown, n.generated, n.bad);
	generated_free();
	worlds_free(&w);
	return n.bad || !n.runs ? 1 : 0;
}
