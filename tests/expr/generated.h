/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The expressions of a probe, as probe/generate.h makes code of them for a function: random ones
 * over random arguments, which lie in words as a call has them, with anything in what is not
 * theirs.
 */
#ifndef TEST_EXPR_GENERATED_H
#define TEST_EXPR_GENERATED_H

#include <stdbool.h>
#include <stdint.h>

#include "../unit/expr/random_text.h"

/* 0, or a negative errno. */
int generated_new(void);
void generated_free(void);

/*
 * One condition or list of values, on `sets` random calls: what the programs make of it is what the
 * evaluator says. False when not, which has been printed.
 */
bool generated_try(uint64_t seed, unsigned sets, uint64_t *runs);

#endif
