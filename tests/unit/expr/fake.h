/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small world for expressions: C structs of our own as the target's types,
 * their bytes as the target's memory, at their real addresses, so that a test
 * can compute the same expression in C.
 *
 * The memory lies amid a terabyte of addresses that are reserved and
 * unreadable: a wild pointer faults here as it does in the fake reader.
 */
#ifndef TEST_EXPR_FAKE_H
#define TEST_EXPR_FAKE_H

#include "expr/bpf.h"
#include "expr/expr.h"

enum color { BLUE = -1, RED, GREEN = 5 };
/* Stored unsigned, in four bytes and in eight. */
enum shade { DIM = 3, DAZZLING = 0x80000001 };
enum mask { LOW = 1, HIGH = 1ull << 40 };

struct list {
	struct list *next, *prev;
};

struct account {
	int refs;
	unsigned int flags;
	union {
		uint32_t id;
		uint16_t half[2];
		struct {
			uint8_t lo, hi;
		};
	};
	unsigned int a : 3;
	int b : 5;
	unsigned int c : 20;
	unsigned long long wide : 40;
	char name[16];
	struct account *next;
	uint64_t big;
	int64_t sbig;
	int16_t arr[4];
	int grid[2][3];
	bool on;
	enum color col;
	const char *str;
	void *ptr;
	float f;
	int8_t s8;
	uint8_t u8;
	uint16_t u16;
	int (*fn)(int);
	struct list links;
	enum shade shade;
	enum mask mask;
	bool bit : 1;
	enum color few : 4;
	long long swide : 37;
	char flex[0]; /* as long as one likes */
	unsigned char bytes[8];
	struct account **pp;
};

/* A packed bit field over a byte boundary at the end. */
struct packed {
	uint8_t head;
	unsigned int x : 6;
	unsigned int y : 10;
} __attribute__((packed));

/* Passed by value: nothing in it is where it likes to be. */
struct pair {
	uint8_t tag;
	int32_t odd;
	unsigned int x : 5;
	int y : 6;
	char end[1];
} __attribute__((packed));

struct image {
	struct account acct, other;
	struct account *p;
	struct packed tight;
	int counter;
	int table[8];
	char text[64];
	int pid_max;
};

/* As they lie in memory in the kernel. */
struct inputs {
	int32_t i;
	uint32_t u;
	int64_t l;
	uint64_t ul;
	int8_t c8;
	uint8_t uc;
	uint16_t us;
	uint8_t flag;
	struct account *q;
	char comm[16];
	const char *filename;
	uint64_t w; /* an unsigned int in 8 bytes */
	int32_t n;  /* a long in 4 bytes */
	uint32_t spare;
	struct pair pair;
	enum shade sh;
	enum mask em;
	uint64_t tail;
};

enum { N_INPUTS = 16 };

struct fake {
	struct cul_mem mem; /* reads `image` and the rest of its pages, faults elsewhere */
	struct cul_ctypes *ctypes;
	struct cul_expr_env env;
	struct image *image;
	uint8_t *pages;
	size_t size;
	uint64_t bias; /* of an address in the target, over where its byte lies here */
	void *reserved;
	uint64_t percpu_offset;
	struct inputs in;
	uint64_t values[N_INPUTS];
	struct cul_expr_run run;
};

/* Bytes of the last string in memory, which ends without a NUL where memory ends. */
#define FAKE_TAIL "tail"

int fake_new(struct fake *f);
void fake_free(struct fake *f);
/* The target's memory as it is at the start; `in` as well. */
void fake_reset(struct fake *f);
/* The address in the target of something in `pages`. */
void *fake_at(const struct fake *f, const void *here);
/* Makes `run` from `in`. */
void fake_inputs(struct fake *f);
uint64_t fake_tail(const struct fake *f); /* address of FAKE_TAIL */

extern const struct cul_bpf_input fake_layout[N_INPUTS];

#endif
