/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree of an expression after typing: what parse.c and typing.c make and
 * eval.c and compile.c read. Internal to src/expr.
 *
 * Typing has made everything explicit: reads of memory are LOAD, decay of an
 * array is ADDR, conversions are CAST, `p->m` is MEMBER of DEREF, `a[i]` is
 * DEREF of PTRADD. Both operands of an arithmetic operator have its type, both
 * operands of a comparison have the same size and sign.
 *
 * A value is kept in 64 bits, extended by its type: sign-extended when the type
 * is signed, zero-extended else. Every node leaves it so.
 */
#ifndef CUL_EXPR_TREE_H
#define CUL_EXPR_TREE_H

#include "base/arena.h"
#include "expr/expr.h"

enum {
	CUL_EXPR_MAX_TEXT = 4096,
	CUL_EXPR_MAX_NESTING = 64, /* parentheses, unary operators and ?: inside one another */
	CUL_EXPR_MAX_HEIGHT = 256, /* of the tree, which eval.c and compile.c descend */
	CUL_EXPR_MAX_NODES = 4096,
	CUL_EXPR_MAX_STRING = 4096, /* bytes of a target string that are looked at */
};

enum cul_op {
	/* Lvalues: */
	CUL_OP_OBJECT, /* at `value` (plus the per-CPU offset) */
	CUL_OP_DEREF,  /* what the pointer `a` points to */
	CUL_OP_MEMBER, /* `value` bytes into the lvalue `a` */
	/* Leaves: */
	CUL_OP_CONST,
	CUL_OP_INPUT,  /* input number `value`, a scalar */
	CUL_OP_PART,   /* `index` bytes into input number `value`: a scalar, struct or array */
	CUL_OP_STRING, /* a literal, `text`; only as an operand of the three below */
	/* Strings: `a` is a char array PART or lvalue, or a pointer; `text` the literal. */
	CUL_OP_STREQ,
	CUL_OP_STRNE,
	CUL_OP_MATCH,
	/* One operand: */
	CUL_OP_LOAD, /* the scalar in the lvalue `a` */
	CUL_OP_ADDR, /* the address of the lvalue `a` */
	CUL_OP_CAST,
	CUL_OP_NEG,
	CUL_OP_NOT,
	CUL_OP_LNOT,
	/* Two: */
	CUL_OP_MUL,
	CUL_OP_DIV,
	CUL_OP_MOD,
	CUL_OP_ADD,
	CUL_OP_SUB,
	CUL_OP_SHL,
	CUL_OP_SHR,
	CUL_OP_AND,
	CUL_OP_XOR,
	CUL_OP_OR,
	CUL_OP_LT,
	CUL_OP_LE,
	CUL_OP_GT,
	CUL_OP_GE,
	CUL_OP_EQ,
	CUL_OP_NE,
	CUL_OP_PTRADD,  /* `a` plus `b` times `value` bytes */
	CUL_OP_PTRDIFF, /* (`a` - `b`) / `value` */
	CUL_OP_LAND,
	CUL_OP_LOR,
	CUL_OP_COND, /* a ? b : c */
};

struct cul_node {
	enum cul_op op;
	bool untyped;      /* lvalue of an object whose type is not known; `type` is void */
	bool percpu;       /* OBJECT */
	bool code;         /* OBJECT: a function of `index` bytes; INPUT: a return address */
	uint8_t bit_size;  /* MEMBER, PART: 0 when it is no bit field */
	uint8_t bit_shift; /* of the bit field within its storage unit, from the least bit */
	uint8_t unit;      /* bytes of the storage unit: 1, 2, 4, 8; of a PART 1 to 8 */
	uint16_t height;
	uint32_t at, len; /* place in the text */
	const struct cul_type *type;
	struct cul_node *a, *b, *c;
	uint64_t value;
	uint64_t index;
	const char *text;
	uint32_t text_len;
};

struct cul_expr {
	struct cul_arena arena;
	const char *text; /* with the rest of the list, where it is of one */
	const char *own;
	unsigned word; /* bytes of a pointer */
	unsigned n_nodes;
	const struct cul_node *root;  /* as written: an lvalue, a value or a string input */
	const struct cul_node *value; /* its scalar value; NULL when it has none */
};

static inline bool cul_node_is_lvalue(const struct cul_node *n)
{
	return n->op <= CUL_OP_MEMBER;
}

/* An array among the inputs. */
static inline bool cul_node_is_array_input(const struct cul_node *n)
{
	return n->op == CUL_OP_PART && n->type->kind == CUL_KIND_ARRAY;
}

/* Bytes that reading the scalar `n` touches; `n` is a PART or the place of a LOAD. */
static inline unsigned cul_node_width(const struct cul_node *n)
{
	return n->bit_size ? n->unit : (unsigned)n->type->size;
}

/* The parts of a condition (cul_expr_parts); returns how many. */
unsigned cul_expr_split(const struct cul_node *n, const struct cul_node *parts[CUL_EXPR_MAX_PARTS]);

/* caret.c: adds the text and a caret under [at, at+len) to `err`, which has a message. */
int cul_caret_add(const char *text, uint32_t at, uint32_t len, struct cul_error *err);
/* The same with the message; returns `code`. Does no work when `err` is NULL. */
int cul_caret_fail(const struct cul_expr *e, const struct cul_node *n, struct cul_error *err,
	int code, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Why a root without a scalar value has none. */
int cul_caret_no_value(const struct cul_expr *e, struct cul_error *err);

/* arith.c: the one definition of arithmetic; compile.c emits the same. */
uint64_t cul_arith_extend(uint64_t bits, unsigned n_bits, bool is_signed);
/* `bits` as a value of `t`, without conversion: what a load does. */
uint64_t cul_arith_fit(const struct cul_type *t, uint64_t bits);
/* C's conversion to `t`: as fit, but bool is "not zero". */
uint64_t cul_arith_cast(const struct cul_type *t, uint64_t bits);
/* -EDOM: division by zero. `n` is NEG..NE, PTRADD or PTRDIFF; `b` unused for one operand. */
int cul_arith_apply(const struct cul_node *n, uint64_t a, uint64_t b, uint64_t *out);
/* Bytes of target memory as a number: little endian, as all targets are. */
uint64_t cul_arith_from_bytes(const void *bytes, unsigned size);

/* match.c: '*' any characters, '?' one character, no quoting. */
bool cul_match_glob(const char *pattern, size_t pattern_len, const char *s, size_t len);

enum cul_match_kind { CUL_MATCH_EXACT, CUL_MATCH_PREFIX, CUL_MATCH_SUFFIX, CUL_MATCH_GLOB };
/* What STREQ, STRNE or MATCH compares: the literal part is [*start, *start + *len). */
enum cul_match_kind cul_match_classify(const struct cul_node *n, const char **start, size_t *len);
/*
 * How many bytes of the operand of string node `n` have to be read. The rule is shared, so that
 * evaluator and BPF code fault alike: an array as far as it decides, a pointer as far as the
 * kernel's probe_read_str goes with that size.
 */
size_t cul_match_room(const struct cul_node *n);

#endif
