/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs of the shape that a probe has: the code of an expression is a
 * function of its own, called with a pointer to a map's value by one that takes
 * some of the stack that both share.
 */
#ifndef TEST_EXPR_PROGRAM_H
#define TEST_EXPR_PROGRAM_H

#include "expr/bpf.h"

enum { CALLER_STACK = 160, EXPRESSION_STACK = 512 - CALLER_STACK };

/*
 * Looks up the value of map `fd`, calls with it the first function and, if that gives other than 0
 * and there is one, the second, and stores what came back at `result_at` in it. A descriptor; or
 * a negative errno with what the verifier says in `log`.
 */
int program_load(int fd, const struct cul_bpf_code *first, const struct cul_bpf_code *second,
	int result_at, char *log, size_t size);

/* Stores in the value of map `into` where that of map `of` lies, once: for the address of memory.
 */
int program_load_address_of(int of, int into);

#endif
