/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an inlined copy keeps its parameters at its first instruction: the
 * forms of DWARF 5, section 2.6, that a probe can read there, which are a
 * register, memory near one, and a number.
 */
#include "sym/dwarf_places.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include <elfutils/libdw.h>

#include "arch/unwind.h"
#include "base/cleanup.h"

enum { MAX_OPS = 8, MAX_PARAMETERS = 256, MAX_RANGES = 4096 };

/* A sum on its way: a register or none, and a number. */
struct sum {
	bool begun, has_reg;
	unsigned reg;
	int64_t number;
};

static void add_number(struct sum *s, int64_t n)
{
	s->begun = true;
	s->number = (int64_t)((uint64_t)s->number + (uint64_t)n);
}

/* False: a register is there already. */
static bool add_reg(struct sum *s, unsigned reg, int64_t n)
{
	if (s->has_reg)
		return false;
	s->has_reg = true;
	s->reg = reg;
	add_number(s, n);
	return true;
}

/* The canonical frame address at `pc`, as a register and a number. */
static bool add_cfa(struct cul_objfile *o, uint64_t pc, struct sum *s)
{
	cul_autofree Dwarf_Frame *frame = NULL;
	Dwarf_Op *ops;
	size_t n;

	if (cul_objfile_frame(o, cul_objfile_runtime(o, pc), &frame) ||
		dwarf_frame_cfa(frame, &ops, &n) != 0 || n != 1)
		return false;
	if (ops[0].atom == DW_OP_bregx)
		return add_reg(s, (unsigned)ops[0].number, (int64_t)ops[0].number2);
	return ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg31 &&
	       add_reg(s, ops[0].atom - DW_OP_breg0, (int64_t)ops[0].number);
}

static bool add_frame_base(struct cul_objfile *o, Dwarf_Die *function, uint64_t pc, struct sum *s)
{
	Dwarf_Attribute mem;
	Dwarf_Op *ops;
	size_t n;

	if (!dwarf_attr(function, DW_AT_frame_base, &mem) ||
		dwarf_getlocation_addr(&mem, pc, &ops, &n, 1) != 1 || n != 1)
		return false;
	if (ops[0].atom == DW_OP_call_frame_cfa)
		return add_cfa(o, pc, s);
	if (ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31)
		return add_reg(s, ops[0].atom - DW_OP_reg0, 0);
	return ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg31 &&
	       add_reg(s, ops[0].atom - DW_OP_breg0, (int64_t)ops[0].number);
}

/* One operation of a sum. False: of something else. */
static bool add_op(
	struct cul_objfile *o, Dwarf_Die *function, uint64_t pc, const Dwarf_Op *op, struct sum *s)
{
	if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31 && !s->begun)
		return add_reg(s, op->atom - DW_OP_breg0, (int64_t)op->number);
	if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31 && !s->begun) {
		add_number(s, op->atom - DW_OP_lit0);
		return true;
	}
	switch (op->atom) {
	case DW_OP_fbreg:
		add_number(s, (int64_t)op->number);
		return s->number == (int64_t)op->number && add_frame_base(o, function, pc, s);
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_const4u:
	case DW_OP_const4s:
	case DW_OP_const8u:
	case DW_OP_const8s:
	case DW_OP_constu:
	case DW_OP_consts:
		if (s->begun)
			return false;
		add_number(s, (int64_t)op->number);
		return true;
	case DW_OP_plus_uconst:
		add_number(s, (int64_t)op->number);
		return true;
	default:
		return false;
	}
}

static struct cul_dwarf_place read_ops(
	struct cul_objfile *o, Dwarf_Die *function, uint64_t pc, const Dwarf_Op *ops, size_t n)
{
	struct cul_dwarf_place place = {.where = CUL_DWARF_ELSEWHERE};
	bool is_value = n && ops[n - 1].atom == DW_OP_stack_value;
	struct sum s = {0};

	if (!n || n > MAX_OPS)
		return (struct cul_dwarf_place){.where = n ? CUL_DWARF_ELSEWHERE : CUL_DWARF_GONE};
	if (n == 1 && ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31)
		return (struct cul_dwarf_place){
			.where = CUL_DWARF_SUM, .has_reg = true, .reg = ops[0].atom - DW_OP_reg0};
	for (size_t i = 0; i < n - is_value; i++)
		if (!add_op(o, function, pc, &ops[i], &s))
			return place;
	place = (struct cul_dwarf_place){.where = is_value ? CUL_DWARF_SUM : CUL_DWARF_MEMORY,
		.has_reg = s.has_reg,
		.reg = s.reg,
		.number = s.number};
	/* Memory at a fixed address is a variable's, and moves with the file. */
	if (!is_value && !s.has_reg)
		place.where = CUL_DWARF_ELSEWHERE;
	return place;
}

/*
 * The expression that holds at `pc`. Several views of one address share its registers (DW_AT_GNU_
 * locviews, of gcc): a range that begins there and is empty holds there too.
 */
static bool find_ops(Dwarf_Attribute *location, uint64_t pc, Dwarf_Op **ops, size_t *n)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;

	for (unsigned i = 0; i < MAX_RANGES; i++) {
		at = dwarf_getlocations(location, at, &base, &start, &end, ops, n);
		if (at <= 0)
			return false;
		if (start <= pc && (pc < end || (start == pc && end == pc)))
			return true;
	}
	return false;
}

static struct cul_dwarf_place place_of(
	struct cul_objfile *o, Dwarf_Die *function, Dwarf_Die *param, uint64_t pc)
{
	struct cul_dwarf_place gone = {.where = CUL_DWARF_GONE};
	Dwarf_Attribute mem;
	Dwarf_Sword number;
	Dwarf_Op *ops;
	size_t n;

	if (dwarf_attr(param, DW_AT_const_value, &mem))
		return dwarf_formsdata(&mem, &number) == 0
			       ? (struct cul_dwarf_place){.where = CUL_DWARF_SUM, .number = number}
			       : (struct cul_dwarf_place){.where = CUL_DWARF_ELSEWHERE};
	if (!dwarf_attr(param, DW_AT_location, &mem) || !find_ops(&mem, pc, &ops, &n))
		return gone;
	return read_ops(o, function, pc, ops, n);
}

/* The copy's own entry for a parameter of the function that was inlined. False: it has none. */
static bool find_copy(Dwarf_Die *copy, Dwarf_Off origin, Dwarf_Die *out)
{
	unsigned seen = 0;

	if (dwarf_child(copy, out) != 0)
		return false;
	do {
		Dwarf_Attribute mem;
		Dwarf_Die from;

		if (dwarf_tag(out) == DW_TAG_formal_parameter &&
			dwarf_attr(out, DW_AT_abstract_origin, &mem) &&
			dwarf_formref_die(&mem, &from) && dwarf_dieoffset(&from) == origin)
			return true;
	} while (dwarf_next(out) && ++seen < MAX_PARAMETERS);
	return false;
}

void cul_dwarf_places(struct cul_objfile *o, Dwarf_Die *function, Dwarf_Die *copy, uint64_t pc,
	struct cul_inlined_copy *out)
{
	Dwarf_Attribute mem;
	Dwarf_Die origin, param, own;
	unsigned seen = 0;

	out->n = 0;
	if (!dwarf_attr(copy, DW_AT_abstract_origin, &mem) || !dwarf_formref_die(&mem, &origin) ||
		dwarf_child(&origin, &param) != 0)
		return;
	do {
		if (dwarf_tag(&param) != DW_TAG_formal_parameter)
			continue;
		out->places[out->n++] = find_copy(copy, dwarf_dieoffset(&param), &own)
						? place_of(o, function, &own, pc)
						: (struct cul_dwarf_place){.where = CUL_DWARF_GONE};
	} while (dwarf_next(&param) && out->n < CUL_INLINED_MOST && ++seen < MAX_PARAMETERS);
}

/* Functions at their first instruction */

/* The word that a probe at an entry finds a register in. False: in none. */
static bool word_of(const struct cul_arch *arch, unsigned reg, unsigned *word)
{
	const struct cul_arch_unwind *u = arch->unwind;

	if (reg >= u->n_dwarf_regs || u->dwarf_regs[reg] == CUL_NO_REG)
		return false;
	for (*word = 0; *word < arch->n_arg_regs; (*word)++)
		if (arch->arg_regs[*word] == u->dwarf_regs[reg])
			return true;
	return false;
}

static bool is_reg(const Dwarf_Op *op)
{
	return op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31;
}

/* Registers one after the other, each with a whole word of it: "reg5 piece 8 reg4 piece 8". */
static bool in_pieces(const struct cul_arch *arch, const Dwarf_Op *ops, size_t n, unsigned *first)
{
	unsigned word;

	for (size_t i = 0; i < n; i += 2) {
		if (i + 1 >= n || !is_reg(&ops[i]) || ops[i + 1].atom != DW_OP_piece ||
			ops[i + 1].number != arch->word ||
			!word_of(arch, ops[i].atom - DW_OP_reg0, &word))
			return false;
		if (!i)
			*first = word;
		else if (word != *first + i / 2)
			return false;
	}
	return true;
}

/*
 * The caller's part of the stack: above the return address, which the stack pointer points to. What
 * lies below is written later, whatever the debug information says of the function as a whole, and
 * a frame base other than the CFA is not set up yet.
 */
static bool on_stack(const struct cul_arch *arch, Dwarf_Die *function,
	const struct cul_dwarf_place *at, unsigned *word)
{
	Dwarf_Attribute mem;
	Dwarf_Op *ops;
	size_t n;

	if (!dwarf_attr(function, DW_AT_frame_base, &mem) ||
		dwarf_getlocation(&mem, &ops, &n) != 0 || n != 1 ||
		ops[0].atom != DW_OP_call_frame_cfa)
		return false;
	if (!at->has_reg || at->reg >= arch->unwind->n_dwarf_regs ||
		arch->unwind->dwarf_regs[at->reg] != arch->reg_sp || at->number < arch->word ||
		at->number % arch->word || at->number > INT16_MAX)
		return false;
	*word = arch->n_arg_regs + (unsigned)at->number / arch->word - 1;
	return true;
}

/* `by_address`: what is passed is the address of what DWARF describes. */
static struct cul_arg_place entry_place(struct cul_objfile *o, Dwarf_Die *function,
	Dwarf_Die *param, uint64_t pc, const struct cul_type *t, bool by_address)
{
	const struct cul_arch *arch = cul_arch_host();
	struct cul_arg_place place = {.where = CUL_ARG_UNKNOWN};
	struct cul_dwarf_place at = place_of(o, function, param, pc);
	bool is_float = t->kind == CUL_KIND_FLOAT;
	Dwarf_Attribute mem;
	Dwarf_Op *ops;
	unsigned word;
	size_t n;

	if (at.where == CUL_DWARF_GONE)
		place.where = CUL_ARG_GONE;
	else if (by_address && at.where == CUL_DWARF_MEMORY && at.has_reg && !at.number &&
		 word_of(arch, at.reg, &word))
		place = (struct cul_arg_place){CUL_ARG_WORDS, word, 1, 0};
	else if (by_address || is_float)
		return place;
	else if (at.where == CUL_DWARF_SUM && !at.has_reg && cul_type_is_scalar(t))
		place = (struct cul_arg_place){.where = CUL_ARG_CONST, .number = at.number};
	else if (at.where == CUL_DWARF_SUM && at.has_reg && !at.number && t->size <= arch->word &&
		 word_of(arch, at.reg, &word))
		place = (struct cul_arg_place){CUL_ARG_WORDS, word, 1, 0};
	else if (at.where == CUL_DWARF_MEMORY && on_stack(arch, function, &at, &word))
		place = (struct cul_arg_place){CUL_ARG_WORDS, word,
			(unsigned)((t->size + arch->word - 1) / arch->word), 0};
	else if (dwarf_attr(param, DW_AT_location, &mem) && find_ops(&mem, pc, &ops, &n) &&
		 n <= MAX_OPS && n / 2 == (t->size + arch->word - 1) / arch->word &&
		 in_pieces(arch, ops, n, &word))
		place = (struct cul_arg_place){CUL_ARG_WORDS, word, (unsigned)n / 2, 0};
	return place;
}

bool cul_dwarf_entry_places(struct cul_objfile *o, Dwarf_Die *function, uint64_t pc,
	const struct cul_type *type, struct cul_entry_places *out)
{
	Dwarf_Die from = *function, param, own;
	bool has_origin, known = false;
	Dwarf_Attribute mem;

	out->n = 0;
	has_origin =
		dwarf_attr(function, DW_AT_abstract_origin, &mem) && dwarf_formref_die(&mem, &from);
	if (!cul_arch_host() || dwarf_child(&from, &param) != 0)
		return false;
	do {
		const struct cul_type *t, *passed;

		if (dwarf_tag(&param) == DW_TAG_GNU_formal_parameter_pack)
			return false;
		if (dwarf_tag(&param) != DW_TAG_formal_parameter ||
			dwarf_flag(&param, DW_AT_variable_parameter))
			continue;
		if (out->n >= CUL_ENTRY_MOST || out->n >= type->n_members)
			break;
		own = param;
		t = cul_dwarf_type_of(o, &param);
		passed = type->members[out->n].type;
		out->places[out->n] = (struct cul_arg_place){.where = CUL_ARG_UNKNOWN};
		if (has_origin && !find_copy(function, dwarf_dieoffset(&param), &own))
			out->places[out->n].where = CUL_ARG_GONE;
		else if (t && t->size)
			out->places[out->n] = entry_place(o, function, &own, pc, t, passed != t);
		known |= out->places[out->n++].where != CUL_ARG_UNKNOWN;
	} while (dwarf_next(&param));
	return known && out->n == type->n_members;
}
