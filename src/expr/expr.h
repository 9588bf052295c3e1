/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The expression language: a subset of C, one tree for two uses.
 *
 *	names, numbers, characters, strings, enum constants
 *	. -> [] * & + - ! ~ / % << >> < <= == != > >= & ^ | && || ?: and casts
 *
 * A text is parsed and typed against an environment (which names exist, which
 * types); the tree is then evaluated here against memory, or compiled to BPF
 * instructions. C's rules hold: integer promotion, usual conversions, pointer
 * arithmetic in elements, arrays decay. What C leaves undefined is defined,
 * alike in both uses: arithmetic wraps, a shift count counts modulo the width.
 * Additions: `module:symbol` and `file.c:variable` are names, strings compare
 * by their characters with == and !=, `~` matches a pattern (docs/expressions.md).
 * `lvalue:SIZE` is not part of the language (the watch command strips it).
 *
 * The text may be hostile: its length, the nesting and the size of the tree
 * are bounded (-E2BIG).
 *
 * An expression owns its tree; types and names in it are borrowed from the
 * environment, which must outlive it.
 */
#ifndef CUL_EXPR_EXPR_H
#define CUL_EXPR_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "mem/mem.h"
#include "sym/type.h"

/* What a name stands for. */
enum cul_name_kind {
	CUL_NAME_OBJECT,   /* an object in target memory at `addr`; `type` NULL: not known */
	CUL_NAME_FUNCTION, /* code at `addr`; `type` of KIND_FUNC or NULL */
	CUL_NAME_PERCPU,   /* a per-CPU object; `addr` is what a CPU's offset is added to */
	CUL_NAME_CONSTANT, /* an enumerator: `value` of `type` */
	CUL_NAME_INPUT,    /* handed over at run time: number `input` */
};

struct cul_name {
	enum cul_name_kind kind;
	const struct cul_type *type;
	uint64_t addr;
	int64_t value;
	/* A scalar, a char array, or a struct or union, which lies among the inputs as bytes. */
	unsigned input;
	/* INPUT: a return address. With == and != a function's name means any place in it. */
	bool is_code_address;
	uint64_t size; /* FUNCTION: bytes of its code; 0: not known */
};

enum cul_tag { CUL_TAG_NONE, CUL_TAG_STRUCT, CUL_TAG_UNION, CUL_TAG_ENUM };

struct cul_nearest;

struct cul_expr_env {
	/*
	 * Resolves a name (as written, with its `module:` or `file.c:` prefix). -ENOENT with the
	 * nearest names in `err`, which is NULL when it is only asked whether the name exists.
	 */
	int (*name)(void *data, const char *name, struct cul_name *out, struct cul_error *err);
	/* Resolves `struct tag`, `enum tag`, or a typedef or base type name; NULL when unknown. */
	const struct cul_type *(*type)(void *data, enum cul_tag tag, const char *name);
	/* Offers names of such types, for "did you mean"; they outlive the call. May be NULL. */
	void (*nearest_type)(void *data, enum cul_tag tag, struct cul_nearest *near);
	struct cul_ctypes *ctypes; /* also says how wide a pointer is */
	void *data;
};

struct cul_expr;

/*
 * Parses and types `text`. On failure `err` says what, and draws a caret under the place:
 *
 *	unknown member 'refz' of struct account; nearest: refs
 *	  victim_account.refz > 0
 *	                 ^~~~
 */
int cul_expr_parse(const char *text, const struct cul_expr_env *env, struct cul_expr **out,
	struct cul_error *err);
/*
 * The next of a list of expressions by commas: the one that starts at `*at`, which is 0 at first
 * and moves on. 1 and `*out`; 0: there are no more. A caret is drawn under the whole list.
 */
int cul_expr_parse_next(const char *text, size_t *at, const struct cul_expr_env *env,
	struct cul_expr **out, struct cul_error *err);
void cul_expr_free(struct cul_expr *e);

const char *cul_expr_text(const struct cul_expr *e); /* as it was written, of a list this one */
/* Of the object for an lvalue (an array has not decayed). Never NULL; VOID when untyped. */
const struct cul_type *cul_expr_type(const struct cul_expr *e);
bool cul_expr_is_lvalue(const struct cul_expr *e); /* has an address */
bool cul_expr_uses_input(const struct cul_expr *e, unsigned input);
/* Nothing but the bytes of a char array or struct among the inputs, or a part of them. */
bool cul_expr_is_input_bytes(const struct cul_expr *e, unsigned *input, uint64_t *offset);

/*
 * A condition is true when all its parts are: the operands of its outermost &&, from left to right,
 * at most 64 (the rest is in one of them). Since a fault makes it false, the parts may be looked at
 * in any order. Without && it is one part.
 */
enum { CUL_EXPR_MAX_PARTS = 64 };
unsigned cul_expr_parts(const struct cul_expr *e);
bool cul_expr_part_uses_input(const struct cul_expr *e, unsigned part, unsigned input);
/*
 * Bit i: part i can be decided when only the inputs of the set `inputs` are known (number n is bit
 * n, n < 64). Behind a part that cannot, one that reads memory waits with it: the memory may be
 * written meanwhile, as in `ret == 0 && *out > 5`.
 */
uint64_t cul_expr_parts_within(const struct cul_expr *e, uint64_t inputs);

/* The per-CPU object at the root of an lvalue, as in `runqueues.nr_running`. */
bool cul_expr_is_percpu(const struct cul_expr *e);

/* A scalar, sign- or zero-extended to 64 bits by its type; of a float its bits. */
struct cul_value {
	const struct cul_type *type;
	uint64_t bits;
};

/* What an evaluation stands on. */
struct cul_expr_run {
	struct cul_mem *mem; /* NULL: a dereference fails with -EFAULT */
	/* By number, extended by its type; of a char array or struct a pointer to our own bytes. */
	const uint64_t *inputs;
	size_t n_inputs;
	uint64_t percpu_offset; /* added to the address of a per-CPU name (its chosen copy) */
};

/*
 * The scalar value; of an array or a function its address, as a pointer. -EFAULT (unreadable
 * memory, named in `err`; whatever else the reader fails with), -EDOM (division by zero), -EINVAL
 * (a struct, or an object without a type: it has a place but no value).
 */
int cul_expr_eval(const struct cul_expr *e, const struct cul_expr_run *run, struct cul_value *out,
	struct cul_error *err);

/* Where an lvalue lies: pointers on the way are followed now. */
struct cul_place {
	const struct cul_type *type; /* VOID when untyped */
	uint64_t addr;       /* of the object, or of the storage unit that holds a bit field */
	uint64_t size;       /* bytes at addr; for a bit field its storage unit's */
	uint32_t bit_offset; /* within the unit, from the least significant bit */
	uint32_t bit_size;   /* 0: not a bit field */
};

int cul_expr_place(const struct cul_expr *e, const struct cul_expr_run *run, struct cul_place *out,
	struct cul_error *err);

#endif
