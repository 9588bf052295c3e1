/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where arguments are at a function's first instruction: System V ABI, AMD64
 * supplement 1.0, section 3.2.3. The kernel follows it too, without vectors.
 */
#include "arch/x86_64/x86_64.h"

enum {
	EIGHTBYTE = 8,
	IN_REGISTERS = 16, /* bytes an argument has at most that goes in registers */
	VECTOR_REGS = 8,
	EMPTY = 1, /* an object of C++ without members, which takes no register */
};

const unsigned cul_x86_arg_regs[CUL_X86_N_ARG_REGS] = {
	CUL_X86_RDI, CUL_X86_RSI, CUL_X86_RDX, CUL_X86_RCX, CUL_X86_R8, CUL_X86_R9};

enum class { NO_CLASS, INTEGER, SSE };

/* Registers that are taken, and words of the stack. */
struct taken {
	unsigned integer, vector;
	uint64_t stack;
};

/* Aligned to its size, as the ABI asks of what goes in registers. */
static bool is_aligned(const struct cul_arg *arg)
{
	for (size_t i = 0; i < arg->n_leaves; i++)
		if (arg->leaves[i].size && arg->leaves[i].offset % arg->leaves[i].size)
			return false;
	return true;
}

static bool is_x87(const struct cul_arg_leaf *leaf)
{
	return leaf->is_float && leaf->size > EIGHTBYTE;
}

/* False: MEMORY. An eightbyte with an integer in it is INTEGER, whatever else it has. */
static bool classify(const struct cul_arg *arg, enum class class[2])
{
	class[0] = class[1] = NO_CLASS;
	if (arg->size > IN_REGISTERS || !is_aligned(arg))
		return false;
	for (size_t i = 0; i < arg->n_leaves; i++) {
		const struct cul_arg_leaf *leaf = &arg->leaves[i];
		uint64_t end = leaf->offset + leaf->size;

		if (is_x87(leaf) || leaf->offset > IN_REGISTERS || end > IN_REGISTERS)
			return false;
		for (uint64_t word = leaf->offset / EIGHTBYTE; word * EIGHTBYTE < end; word++) {
			if (!leaf->is_float)
				class[word] = INTEGER;
			else if (class[word] == NO_CLASS)
				class[word] = SSE;
		}
	}
	return true;
}

static struct cul_arg_place on_stack(const struct cul_arg *arg, struct taken *taken)
{
	uint64_t words = (arg->size + EIGHTBYTE - 1) / EIGHTBYTE;
	uint64_t align = arg->align / EIGHTBYTE;
	struct cul_arg_place place = {.where = CUL_ARG_WORDS};

	if (align > 1)
		taken->stack = (taken->stack + align - 1) / align * align;
	if (taken->stack > UINT32_MAX / 2 || words > UINT32_MAX / 2)
		return (struct cul_arg_place){.where = CUL_ARG_UNKNOWN};
	place.word = CUL_X86_N_ARG_REGS + (unsigned)taken->stack;
	place.n_words = (unsigned)words;
	taken->stack += words;
	return place;
}

static struct cul_arg_place place_one(const struct cul_arg *arg, struct taken *taken)
{
	struct cul_arg_place place = {.where = CUL_ARG_WORDS, .word = taken->integer};
	unsigned integer, vector;
	enum class class[2];

	if (!classify(arg, class))
		return on_stack(arg, taken);
	integer = (class[0] == INTEGER) + (class[1] == INTEGER);
	vector = (class[0] == SSE) + (class[1] == SSE);
	/* All of it in registers, or none. */
	if (taken->integer + integer > CUL_X86_N_ARG_REGS || taken->vector + vector > VECTOR_REGS)
		return on_stack(arg, taken);
	taken->integer += integer;
	taken->vector += vector;
	place.n_words = integer;
	if (vector)
		place = (struct cul_arg_place){.where = CUL_ARG_FLOAT};
	else if (class[0] == NO_CLASS && integer) /* its first half is padding, in no register */
		place = (struct cul_arg_place){.where = CUL_ARG_UNKNOWN};
	return place;
}

void cul_x86_place_args(
	const struct cul_arg *args, size_t n, bool hidden, struct cul_arg_place *out)
{
	struct taken taken = {.integer = hidden};
	bool known = true;

	for (size_t i = 0; i < n; i++) {
		known = known && args[i].size &&
			(args[i].n_leaves || args[i].size == EMPTY || args[i].size > IN_REGISTERS);
		out[i] = known ? place_one(&args[i], &taken)
			       : (struct cul_arg_place){.where = CUL_ARG_UNKNOWN};
	}
}

/* A lone long double comes back in st(0). */
bool cul_x86_returns_in_memory(const struct cul_arg *result)
{
	enum class class[2];

	if (result->n_leaves == 1 && is_x87(&result->leaves[0]) && !result->leaves[0].offset &&
		result->size <= IN_REGISTERS)
		return false;
	return result->size && !classify(result, class);
}
