/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random expressions in the names of fake.h, the same ones for the same seed. */
#ifndef TEST_EXPR_RANDOM_TEXT_H
#define TEST_EXPR_RANDOM_TEXT_H

#include <stdint.h>

#include "base/str.h"
#include "fake.h"

/* Appends an expression of about `depth` levels. Most of them parse. */
void random_text(struct cul_str *out, uint64_t *seed, int depth);

/* Sets the inputs, and some memory, to values of which many are at the edge of a type. */
void random_world(struct fake *f, uint64_t *seed);

uint64_t random_next(uint64_t *seed);

#endif
