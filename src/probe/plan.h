/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is read at a call of a function, and how it is shown: from the types of
 * its parameters, or from the expressions of --args.
 */
#ifndef CUL_PROBE_PLAN_H
#define CUL_PROBE_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/arch.h"
#include "bpf/probe.h"
#include "expr/scope.h"
#include "probe/fetches.h"
#include "probe/syscall.h"
#include "report/model.h"
#include "sym/entry.h"
#include "sym/signature.h"

enum {
	CUL_PLAN_ARGS = CUL_SIGNATURE_MOST + 1, /* the returned value is planned like one */
	CUL_PLAN_INNER = CUL_PROBE_FETCHES,
};

enum cul_plan_form {
	CUL_FORM_VALUE,    /* the word or words, by type */
	CUL_FORM_STRING,   /* the characters it points to */
	CUL_FORM_OBJECT,   /* what it points to, by type */
	CUL_FORM_PATH,     /* names from a dentry or file up */
	CUL_FORM_REGS,     /* registers, at an instruction or a system call: no argument, but
			      expressions know it */
	CUL_FORM_FAMILIAR, /* a struct that is best told by a few of its members */
};

struct cul_plan_arg {
	const char *name;
	const struct cul_type *type;   /* of the value itself; NULL: not known */
	const struct cul_type *object; /* OBJECT: what it points to */
	enum cul_plan_form form;
	struct cul_arg_place place;
	int source; /* index of the first source: words, values, the returned one; -1: unseen */
	int fetch;  /* -1: none */
	const struct cul_familiar *familiar;
	struct cul_fetched_piece pieces[CUL_FAMILIAR_PIECES];
	/* INNER: the pointer lies in what another fetch brought */
	uint16_t inner_offset;
	uint8_t inner_through; /* 1 + that fetch; 0: an argument */
	uint8_t depth;         /* pointers are followed so often from here */
};

struct cul_plan {
	struct cul_signature signature; /* n_params 0, ret NULL: no type is known */
	bool typed;
	struct cul_plan_arg args[CUL_PLAN_ARGS];
	size_t n_args;
	struct cul_plan_arg ret;
	bool has_ret;
	struct cul_plan_arg inner[CUL_PLAN_INNER]; /* pointers in structs that are followed */
	size_t n_inner;
	struct cul_probe_recipe recipe;
	unsigned words;                      /* that have to be taken at the entry */
	const struct cul_inlined_copy *copy; /* how its words are found; NULL: as at an entry */
	const struct cul_syscall *syscall;   /* they are behind the one word that there is; NULL */
	bool inside;                         /* no entry: there is no caller */
	bool tracepoint;                     /* nor here */
	bool after;                          /* of an instruction: told once it has run */
	unsigned step;                       /* its length */
};

struct cul_plan_want {
	bool args; /* show them: fetch what they point to */
	bool ret;  /* show the returned value */
	unsigned depth;
	bool plain;      /* structs by their members, whatever their familiar form */
	bool user;       /* a process's function */
	bool tracepoint; /* arguments are words one after the other, after one that is not theirs */
	const struct cul_inlined_copy *copy;  /* arguments are where it has them; NULL */
	const struct cul_entry_places *entry; /* of a function: where they are found; NULL */
	const struct cul_syscall *syscall;    /* its type is `type`; NULL */
};

/* `type`: KIND_FUNC or NULL. Out of fetches or payload, the rest is shown as plain values. */
int cul_plan_make(const struct cul_type *type, const struct cul_plan_want *want,
	struct cul_plan *out, struct cul_error *err);

/*
 * Whether it is text, as `char *` and `char[16]` are, and of unsigned bytes what is `called` a name
 * (or is an expression that ends so): how many bytes its characters and their end take at most,
 * UINT64_MAX when the type does not tell; 0: it is none.
 */
uint64_t cul_plan_text(const struct cul_type *type, const char *called);

/* Appends text that was copied, as far as there was `room` for it. */
void cul_plan_show_text(struct cul_str *out, const uint8_t *bytes, size_t size, size_t room);

/* Argument words that a probe has to take when so many are asked for. */
unsigned cul_plan_taken(const struct cul_plan *plan, unsigned words);

/* Of an instruction there are registers. `pointer`: to a struct of them. */
void cul_plan_regs(struct cul_plan *plan, const struct cul_type *pointer, bool fetch);

/* Those that were fetched; NULL: none. */
const uint64_t *cul_plan_show_regs(const struct cul_plan *plan, const struct cul_probe_event *e);

/* Shows the values of --args in place of the parameters. */
struct cul_generated_value;
void cul_plan_values(struct cul_plan *plan, const struct cul_plan_want *want,
	const struct cul_generated_value *values, size_t n);

/* Shows one argument of a call that was told. `at_return`: as --diff found it. */
void cul_plan_show(const struct cul_plan *plan, const struct cul_plan_arg *arg,
	const struct cul_probe_event *e, bool at_return, struct cul_scope *scope,
	struct cul_str *out, struct cul_shown *shown, const char **why);

/* "ENOENT" when the returned value is an error; NULL. */
const char *cul_plan_error(const struct cul_plan *plan, const struct cul_probe_event *e);

#endif
