/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two copies of the small world of tests/unit/expr/fake.h: one in our memory,
 * which is user memory to a BPF program that we run, one in the value of a BPF
 * map, which is kernel memory to it. Pointers lead from each into the other.
 */
#ifndef TEST_EXPR_WORLDS_H
#define TEST_EXPR_WORLDS_H

#include "../unit/expr/random_text.h"

/* What lies before the programs: the start of the first map's value. */
struct scratch {
	struct inputs in;
	uint64_t fault;
	uint64_t result;
	char odd[3];                             /* so that what follows is not aligned */
	uint8_t account[sizeof(struct account)]; /* an input too: a struct passed by value */
};

enum { INPUT_WHOLE = N_INPUTS, WORLD_INPUTS };

struct worlds {
	struct cul_mem mem; /* as the program's helpers read: by `memory` */
	struct fake user, kernel;
	struct fake *home; /* whose objects have names */
	struct cul_expr_env env;
	enum cul_bpf_memory memory;
	bool unknown; /* a read was asked for of which nobody can say what it gives */
	int scratch_fd, image_fd;
	struct scratch *scratch; /* the map's value */
	uint8_t *view;           /* the other map's, all of it */
	uint64_t view_at;        /* where it is for the kernel */
	uint64_t inputs[WORLD_INPUTS];
	struct cul_expr_run run;
	struct cul_bpf_input layout[WORLD_INPUTS];
};

enum { VIEW_SIZE = 4 << 20 };

/* 0, or a negative errno when BPF is not allowed here. */
int worlds_new(struct worlds *w);
void worlds_free(struct worlds *w);

/* Which memory is read, and whose objects have names. */
void worlds_choose(struct worlds *w, enum cul_bpf_memory memory, bool kernel_is_home);
/* New values everywhere. */
void worlds_shake(struct worlds *w, uint64_t *seed);

#endif
