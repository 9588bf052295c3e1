/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "generated.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/error.h"
#include "probe/generate.h"
#include "program.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

enum { PARAMS = 13, RET = CUL_SIGNATURE_MOST, DUR, CPU, PID, TID, CALLER, COMM, INPUTS };
enum { TEXT = 900, MOST_BYTES = 16 };

struct eight {
	int x;
	char tag[4];
};

struct twelve {
	int first;
	short second;
	char tag[5];
	uint8_t last;
};

/* The map's value. */
struct area {
	struct cul_probe_inputs in;
	uint64_t result;
};

static struct world {
	struct fake fake;
	struct cul_scope *scope;
	struct cul_expr_env env;
	int fd;
	struct area *area;
	struct cul_type function, eight, twelve, tag4, tag5;
	struct cul_member params[PARAMS], eight_members[2], twelve_members[4];
	struct cul_type pointer;
	uint8_t bytes[PARAMS][MOST_BYTES];
	uint64_t inputs[INPUTS];
} w;

static const struct cul_type *find_type(const char *name)
{
	return cul_ctypes_find(w.fake.ctypes, name);
}

static struct cul_type make(enum cul_kind kind, uint64_t size)
{
	return (struct cul_type){
		.kind = kind, .size = size, .filled_to = true, .filled_members = true};
}

static void make_structs(void)
{
	w.tag4 = *cul_ctypes_array(w.fake.ctypes, find_type("char"), 4);
	w.tag5 = *cul_ctypes_array(w.fake.ctypes, find_type("char"), 5);
	w.eight = make(CUL_KIND_STRUCT, sizeof(struct eight));
	w.eight.members = w.eight_members;
	w.eight.n_members = 2;
	w.eight_members[0] = (struct cul_member){"x", find_type("int"), 0, 0};
	w.eight_members[1] = (struct cul_member){"tag", &w.tag4, 32, 0};
	w.twelve = make(CUL_KIND_STRUCT, sizeof(struct twelve));
	w.twelve.members = w.twelve_members;
	w.twelve.n_members = 4;
	w.twelve_members[0] = (struct cul_member){"first", find_type("int"), 0, 0};
	w.twelve_members[1] = (struct cul_member){"second", find_type("short"), 32, 0};
	w.twelve_members[2] = (struct cul_member){"tag", &w.tag5, 48, 0};
	w.twelve_members[3] = (struct cul_member){"last", find_type("u8"), 88, 0};
	w.pointer = make(CUL_KIND_PTR, 8);
	w.pointer.to = w.fake.env.type(&w.fake, CUL_TAG_STRUCT, "account");
}

/* The parameters, in any order: each is in a register at one time and on the stack at another. */
static void make_function(uint64_t *seed)
{
	const struct cul_member all[PARAMS] = {
		{"i", find_type("int"), 0, 0},
		{"uc", find_type("unsigned char"), 0, 0},
		{"c8", find_type("signed char"), 0, 0},
		{"us", find_type("unsigned short"), 0, 0},
		{"l", find_type("long"), 0, 0},
		{"ul", find_type("unsigned long"), 0, 0},
		{"flag", find_type("bool"), 0, 0},
		{"q", &w.pointer, 0, 0},
		{"filename", cul_ctypes_pointer(w.fake.ctypes, find_type("char")), 0, 0},
		{"sh", w.fake.env.type(&w.fake, CUL_TAG_ENUM, "shade"), 0, 0},
		{"em", w.fake.env.type(&w.fake, CUL_TAG_ENUM, "mask"), 0, 0},
		{"eight", &w.eight, 0, 0},
		{"twelve", &w.twelve, 0, 0},
	};
	static const char *const results[] = {"int", "long", "unsigned int", "bool", "short"};

	memcpy(w.params, all, sizeof(all));
	for (size_t i = PARAMS - 1; i > 0; i--) {
		size_t j = random_next(seed) % (i + 1);
		struct cul_member m = w.params[i];

		w.params[i] = w.params[j];
		w.params[j] = m;
	}
	w.function = make(CUL_KIND_FUNC, 0);
	w.function.members = w.params;
	w.function.n_members = PARAMS;
	w.function.to = random_next(seed) % 4
				? find_type(results[random_next(seed) % LENGTH(results)])
				: &w.eight;
}

static const struct cul_type *type_of(unsigned input)
{
	switch (input) {
	case RET:
		return w.function.to;
	case DUR:
	case CALLER:
		return find_type("unsigned long");
	case COMM:
		return cul_ctypes_array(w.fake.ctypes, find_type("char"), CUL_PROBE_COMM);
	default:
		return input < PARAMS ? w.params[input].type : find_type("int");
	}
}

static int find_name(void *data, const char *name, struct cul_name *out, struct cul_error *err)
{
	static const char *const fixed[INPUTS] = {[RET] = "ret",
		[DUR] = "dur",
		[CPU] = "cpu",
		[PID] = "pid",
		[TID] = "tid",
		[CALLER] = "caller",
		[COMM] = "comm"};

	for (unsigned i = 0; i < INPUTS; i++) {
		const char *called = i < PARAMS ? w.params[i].name : fixed[i];

		if (!called || strcmp(called, name))
			continue;
		*out = (struct cul_name){.kind = CUL_NAME_INPUT, .type = type_of(i), .input = i};
		return 0;
	}
	return cul_fail(err, -ENOENT, "no %s", name);
}

int generated_new(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	struct cul_error err = {0};
	int r = fake_new(&w.fake);

	if (!r && mlock(w.fake.pages, w.fake.size))
		r = -errno;
	if (!r)
		r = cul_scope_process(getpid(), NULL, &w.scope, &err);
	if (r)
		return r;
	w.fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "call", 4, sizeof(*w.area), 1, &opts);
	if (w.fd < 0)
		return -errno;
	w.area = mmap(NULL, sizeof(*w.area), PROT_READ | PROT_WRITE, MAP_SHARED, w.fd, 0);
	if (w.area == MAP_FAILED)
		return -errno;
	w.env = w.fake.env;
	w.env.name = find_name;
	make_structs();
	return 0;
}

void generated_free(void)
{
	cul_scope_free(w.scope);
	fake_free(&w.fake);
	close(w.fd);
}

/* No bracket stands before a name, which might be a type's: that is looked for in all debug files.
 */
static void text(struct cul_str *out, uint64_t *seed, int depth)
{
	static const char *const leaves[] = {"i", "uc", "c8", "us", "l", "ul", "flag", "sh", "em",
		"eight.x", "eight.tag[1]", "twelve.first", "twelve.second", "twelve.tag[4]",
		"twelve.last", "q->refs", "q->b", "q->next->c", "q->few", "ret", "ret", "ret.x",
		"ret.tag[3]", "dur", "cpu", "pid", "tid", "caller", "comm[2]", "*filename", "0",
		"1", "-1", "200", "0x80000000", "!(\"/etc/passwd\" == filename)",
		"!(\"kworker/1:2\" != comm)", "!(\"ab\" == eight.tag)",
		"!(\"savings\" == q->name)"};
	static const char *const ops[] = {"+", "-", "*", "/", "%", "<", "<=", "==", "!=", ">", "&",
		"|", "^", "<<", ">>", "&&", "||", "&&", "&&"};
	static const char *const before[] = {
		"", "(int)(", "(unsigned char)(", "(short)(", "-(", "!(", "~("};
	const char *prefix = before[random_next(seed) % LENGTH(before)];

	if (depth <= 0 || !(random_next(seed) % 5)) {
		cul_str_add(out, leaves[random_next(seed) % LENGTH(leaves)]);
		return;
	}
	cul_str_addf(out, "%s(+", prefix);
	text(out, seed, depth - 1);
	cul_str_addf(out, " %s +", ops[random_next(seed) % LENGTH(ops)]);
	text(out, seed, depth - 1);
	cul_str_addf(out, ")%s", *prefix ? ")" : "");
}

/* Values in words as a call has them: anything may be in the rest of a word. */
static void shake(const struct cul_plan *plan, uint64_t *seed)
{
	struct cul_probe_inputs *in = &w.area->in;
	struct twelve t = {.tag = "abc"};

	random_world(&w.fake, seed);
	for (size_t i = 0; i < sizeof(*in) / 8; i++)
		((uint64_t *)in)[i] = random_next(seed);
	in->fault = in->faults = 0;
	for (unsigned i = 0; i < PARAMS; i++) {
		const struct cul_plan_arg *a = &plan->args[i];
		uint64_t v = random_next(seed) >> random_next(seed) % 64, size = a->type->size;

		v = random_next(seed) & 1 ? -v : v;
		if (a->type->kind == CUL_KIND_BOOL)
			v &= 1;
		if (a->type == &w.pointer)
			v = (uintptr_t)(random_next(seed) & 3 ? &w.fake.image->acct : w.fake.in.q);
		else if (a->type->kind == CUL_KIND_PTR)
			v = (uintptr_t)w.fake.in.filename;
		t.first = (int)v;
		t.second = (short)random_next(seed);
		t.last = (uint8_t)(v >> 8);
		memcpy(w.bytes[i], a->type == &w.twelve ? (void *)&t : (void *)&v,
			size < 8               ? size
			: a->type == &w.twelve ? sizeof(t)
					       : 8);
		if (a->type == &w.eight && random_next(seed) & 1)
			memcpy(w.bytes[i] + 4, "ab\0\0", 4);
		if (a->source >= 0)
			memcpy(&in->words[a->source], w.bytes[i], size);
		memcpy(&v, w.bytes[i], 8);
		w.inputs[i] =
			a->type->kind == CUL_KIND_STRUCT ? (uintptr_t)w.bytes[i]
			: a->type->is_signed && size < 8
				? (uint64_t)((int64_t)(v << (64 - size * 8)) >> (64 - size * 8))
			: size < 8 ? v & ((1ull << size * 8) - 1)
				   : v;
	}
	in->ret = w.function.to->size == 1 ? (int64_t)(in->ret & 1) | (in->ret & ~0xffll) : in->ret;
	memcpy(in->comm, w.fake.in.comm, sizeof(in->comm));
	memcpy(w.inputs + RET,
		(uint64_t[]){(uint64_t)in->ret, in->dur, in->cpu, in->pid, in->tid, in->caller,
			(uintptr_t)in->comm},
		7 * sizeof(uint64_t));
	w.inputs[RET] = w.function.to == &w.eight  ? (uintptr_t)&in->ret
			: w.function.to->size == 8 ? (uint64_t)in->ret
			: w.function.to->size == 1 ? (uint64_t)in->ret & 1
			: w.function.to->size == 2 ? (uint64_t)(int64_t)(int16_t)in->ret
			: w.function.to->is_signed ? (uint64_t)(int64_t)(int32_t)in->ret
						   : (uint32_t)in->ret;
	for (unsigned i = CPU; i <= TID; i++)
		w.inputs[i] = (uint64_t)(int64_t)(int32_t)w.inputs[i];
}

static bool wrong(uint64_t seed, const char *text, const char *what)
{
	printf("generated, --only 0x%" PRIx64 ": %s: %s\n", seed, what, text);
	return false;
}

/* What one value of a list has become. */
static bool check_value(const struct cul_generated_value *v, struct cul_expr *e)
{
	const struct cul_probe_inputs *in = &w.area->in;
	const struct cul_expr_run run = {&w.fake.mem, w.inputs, INPUTS, 0};
	bool fault = in->faults >> v->at & 1;
	uint8_t clean[CUL_PROBE_VALUES * 8] = {0};
	struct cul_value value;
	uint64_t offset;
	unsigned input;

	if (!cul_type_is_scalar(cul_expr_type(e)) && cul_expr_is_input_bytes(e, &input, &offset)) {
		memcpy(clean, (void *)(uintptr_t)(w.inputs[input] + offset),
			cul_expr_type(e)->size);
		return !fault && !memcmp(&in->values[v->at], clean, v->n * 8);
	}
	if (cul_expr_eval(e, &run, &value, NULL))
		return fault && v->n == 1;
	return !fault && in->values[v->at] == value.bits && v->n == 1;
}

static bool check(uint64_t seed, const char *said, bool condition, const struct cul_generated *g)
{
	const struct cul_expr_run run = {&w.fake.mem, w.inputs, INPUTS, 0};
	struct cul_expr *e = NULL;
	struct cul_value v = {0};
	size_t at = 0, n = 0;
	bool same = true;

	while (cul_expr_parse_next(said, &at, &w.env, &e, NULL) > 0) {
		if (condition)
			same = (!cul_expr_eval(e, &run, &v, NULL) && v.bits) == w.area->result;
		else
			same &= n < g->n_values && check_value(&g->values[n], e);
		n++;
		cul_expr_free(e);
	}
	return same && (condition || n == g->n_values) ? true : wrong(seed, said, "differs");
}

/* Without the last instruction, which ends it: program_load() adds that. */
static struct cul_bpf_code body_of(const struct cul_bpf_code *code)
{
	static struct bpf_insn go_on = {.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1};

	return (struct cul_bpf_code){
		.insns = code->len ? code->insns : &go_on, .len = code->len ? code->len - 1 : 1};
}

/* The functions run one after the other, as a call and its return do. */
static bool run_all(uint64_t seed, const char *said, bool condition, const struct cul_plan *plan,
	const struct cul_generated *g, unsigned sets, uint64_t *runs)
{
	const struct cul_bpf_code entry = body_of(&g->entry), back = body_of(&g->back);
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int fd = program_load(w.fd, &entry, &back, offsetof(struct area, result), NULL, 0);
	bool good = fd >= 0;

	if (!good)
		return wrong(seed, said, "the verifier refuses");
	for (unsigned i = 0; good && i < sets; i++, (*runs)++) {
		uint64_t calls = seed + i;

		shake(plan, &calls);
		good = !bpf_prog_test_run_opts(fd, &opts) && check(seed, said, condition, g);
	}
	close(fd);
	return good;
}

bool generated_try(uint64_t seed, unsigned sets, uint64_t *runs)
{
	static const char *const objects[] = {
		", eight", ", twelve", ", comm", ", twelve.first", ", ret", ""};
	uint64_t own = seed;
	bool condition = random_next(&own) & 1, good;
	const struct cul_plan_want want = {.depth = 1, .user = true};
	struct cul_probe_options options = {.stop_fd = -1};
	struct cul_generated g = {0};
	struct cul_error err = {0};
	struct cul_str said = {0};
	struct cul_plan plan;
	int r;

	make_function(&own);
	text(&said, &own, (int)(random_next(&own) % 5));
	if (!condition) {
		cul_str_add(&said, ", ");
		text(&said, &own, (int)(random_next(&own) % 3));
		cul_str_add(&said, objects[random_next(&own) % LENGTH(objects)]);
	}
	*(condition ? &options.condition : &options.args) = cul_str_text(&said);
	r = cul_plan_make(&w.function, &want, &plan, &err);
	if (!r)
		r = cul_generate(&options, &plan, true, w.scope, &g, &err);
	/* A struct is no number, a number has no members, and some are too large. */
	if (strstr(err.text, "another shape"))
		r = -EBADMSG;
	good = r == -EINVAL || r == -ENOTDIR || r == -E2BIG ? *err.text != '\0'
	       : r ? wrong(seed, cul_str_text(&said), err.text)
		   : run_all(seed, cul_str_text(&said), condition, &plan, &g, sets, runs);
	cul_generated_free(&g);
	cul_str_free(&said);
	return good;
}
