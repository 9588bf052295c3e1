/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the compiler that builds this puts arguments: a function that takes
 * down all words is called through prototypes of many kinds, and what it found
 * is held against what is said of the prototype.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"

/* As a probe would find them at the entry. */
uint64_t arg_words[32];
void arg_capture(void);

asm(".pushsection .text\n"
    ".globl arg_capture\n"
    ".type arg_capture, @function\n"
    "arg_capture:\n"
    "	lea arg_words(%rip), %rax\n"
    "	mov %rdi, (%rax)\n"
    "	mov %rsi, 8(%rax)\n"
    "	mov %rdx, 16(%rax)\n"
    "	mov %rcx, 24(%rax)\n"
    "	mov %r8, 32(%rax)\n"
    "	mov %r9, 40(%rax)\n"
    "	xor %ecx, %ecx\n"
    "1:	mov 8(%rsp,%rcx,8), %rdx\n"
    "	mov %rdx, 48(%rax,%rcx,8)\n"
    "	inc %ecx\n"
    "	cmp $26, %ecx\n"
    "	jne 1b\n"
    "	mov (%rax), %rax\n" /* a result in memory: its address */
    "	ret\n"
    ".size arg_capture, . - arg_capture\n"
    ".popsection\n");

struct small {
	int x, y;
};
struct pair {
	uint64_t a, b;
};
struct mixed {
	double d;
	uint64_t a;
};
struct in_one {
	float f;
	int i;
};
struct big {
	uint64_t w[5];
};
struct __attribute__((packed)) packed {
	uint32_t a;
	uint64_t b;
};
struct __attribute__((aligned(16))) wide {
	int a;
};
struct odd {
	uint8_t b[11];
};

#define LEAVES(...)                                                                                \
	.leaves = (const struct cul_arg_leaf[]){__VA_ARGS__},                                      \
	.n_leaves =                                                                                \
		sizeof((const struct cul_arg_leaf[]){__VA_ARGS__}) / sizeof(struct cul_arg_leaf)
#define ARG(t, ...)                                                                                \
	(struct cul_arg)                                                                           \
	{                                                                                          \
		sizeof(t), _Alignof(t), LEAVES(__VA_ARGS__)                                        \
	}
#define INT    ARG(int, {0, 4, false})
#define LONG   ARG(uint64_t, {0, 8, false})
#define DOUBLE ARG(double, {0, 8, true})
#define SMALL  ARG(struct small, {0, 4, false}, {4, 4, false})
#define PAIR   ARG(struct pair, {0, 8, false}, {8, 8, false})
#define MIXED  ARG(struct mixed, {0, 8, true}, {8, 8, false})
#define IN_ONE ARG(struct in_one, {0, 4, true}, {4, 4, false})
#define BIG    ARG(struct big, {0, 8, false}, {8, 8, false})
#define PACKED ARG(struct packed, {0, 4, false}, {4, 8, false})
#define WIDE   ARG(struct wide, {0, 4, false})
#define ODD    ARG(struct odd, {0, 1, false}, {8, 1, false}, {10, 1, false})
#define INT128 ARG(__int128, {0, 16, false})
#define LREAL  ARG(long double, {0, 16, true})

static const char *name;
static struct cul_arg_place places[16];

static void place(const char *what, const struct cul_arg *args, size_t n, bool hidden)
{
	name = what;
	cul_arch_x86_64.place_args(args, n, hidden, places);
}

#define PLACE(what, hidden, ...)                                                                   \
	do {                                                                                       \
		const struct cul_arg args_[] = {__VA_ARGS__};                                      \
		place(what, args_, sizeof(args_) / sizeof(args_[0]), hidden);                      \
	} while (0)

static void found(size_t i, const void *value, size_t size)
{
	if (places[i].where == CUL_ARG_FLOAT)
		return;
	assert_int_equal(places[i].where, CUL_ARG_WORDS);
	if (memcmp(&arg_words[places[i].word], value, size) != 0)
		fail_msg("%s: argument %zu is not in word %u", name, i, places[i].word);
}

#define FOUND(i, v) found(i, &(v), sizeof(v))
/* The compilers know what it is otherwise, and complain. */
static void *volatile capture = (void *)arg_capture;
#define CALL(proto) ((proto)capture)

static const struct small s = {0x11, 0x22};
static const struct pair p = {0x3333, 0x4444};
static const struct mixed m = {1.5, 0x5555};
static const struct in_one o = {2.5f, 0x66};
static const struct big b = {{0xb1, 0xb2, 0xb3, 0xb4, 0xb5}};
static const struct packed k = {0x77, 0x8888};
static const struct wide w = {0x99};
static const struct odd d = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};
static const __int128 __attribute__((unused)) q = ((__int128)0xaaaa << 64) | 0xbbbb;
static const int i1 = 0x101, i2 = 0x202, i3 = 0x303;
static const uint64_t l1 = 0x1000000001, l2 = 0x2000000002;

static void structs(void **state)
{
	PLACE("structs", false, SMALL, PAIR, INT, PAIR, INT, LONG);
	CALL(void (*)(struct small, struct pair, int, struct pair, int, uint64_t))
	(s, p, i1, p, i2, l1);
	FOUND(0, s);
	FOUND(1, p);
	FOUND(2, i1);
	FOUND(3, p);
	FOUND(4, i2);
	FOUND(5, l1);
	PLACE("big", false, INT, BIG, ODD, PACKED, INT, PAIR, LONG, INT, BIG);
	CALL(void (*)(int, struct big, struct odd, struct packed, int, struct pair, uint64_t, int,
		struct big))
	(i1, b, d, k, i2, p, l1, i3, b);
	FOUND(0, i1);
	FOUND(1, b);
	FOUND(2, d);
	FOUND(3, k);
	FOUND(4, i2);
	FOUND(5, p);
	FOUND(6, l1);
	FOUND(7, i3);
	FOUND(8, b);
}

static void floats(void **state)
{
	PLACE("floats", false, DOUBLE, INT, MIXED, IN_ONE, LREAL, LONG, WIDE, INT);
	CALL(void (*)(
		double, int, struct mixed, struct in_one, long double, uint64_t, struct wide, int))
	(0.5, i1, m, o, 1.25L, l1, w, i2);
	FOUND(1, i1);
	assert_int_equal(places[2].where, CUL_ARG_FLOAT);
	FOUND(3, o);
	FOUND(5, l1);
	FOUND(6, w.a);
	FOUND(7, i2);
}

static void floats_beyond_the_registers(void **state)
{
	const double e = 9.75;

	PLACE("ninth", false, DOUBLE, DOUBLE, DOUBLE, DOUBLE, DOUBLE, DOUBLE, DOUBLE, DOUBLE,
		DOUBLE, MIXED, INT);
	CALL(void (*)(double, double, double, double, double, double, double, double, double,
		struct mixed, int))
	(1, 2, 3, 4, 5, 6, 7, 8, e, m, i1);
	assert_int_equal(places[8].where, CUL_ARG_WORDS);
	FOUND(8, e);
	assert_int_equal(places[9].where, CUL_ARG_WORDS);
	FOUND(9, m);
	FOUND(10, i1);
}

static void aligned_words(void **state)
{
	const long double x = 3.5L;

	PLACE("long double", false, INT, BIG, LREAL, BIG, LREAL);
	CALL(void (*)(int, struct big, long double, struct big, long double))(i1, b, x, b, x);
	FOUND(1, b);
	found(2, &x, 10);
	FOUND(3, b);
	found(4, &x, 10);
#ifndef __clang__ /* clang 14 parts a __int128 between r9 and the stack, against the ABI */
	PLACE("int128", false, INT, INT128, INT128, INT128, LONG, INT, INT128, INT, LREAL);
	CALL(void (*)(int, __int128, __int128, __int128, uint64_t, int, __int128, int, long double))
	(i1, q, q, q, l1, i2, q, i3, x);
	FOUND(0, i1);
	FOUND(1, q);
	FOUND(2, q);
	FOUND(3, q);
	FOUND(4, l1);
	FOUND(5, i2);
	FOUND(6, q);
	FOUND(7, i3);
	found(8, &x, 10);
#endif
}

static void a_result_in_memory(void **state)
{
	struct big result;

	PLACE("result", true, INT, LONG, PAIR, LONG, INT);
	result = CALL(struct big(*)(int, uint64_t, struct pair, uint64_t, int))(i1, l1, p, l2, i2);
	(void)result;
	FOUND(0, i1);
	FOUND(1, l1);
	FOUND(2, p);
	FOUND(3, l2);
	FOUND(4, i2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structs),
		cmocka_unit_test(floats),
		cmocka_unit_test(floats_beyond_the_registers),
		cmocka_unit_test(aligned_words),
		cmocka_unit_test(a_result_in_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
