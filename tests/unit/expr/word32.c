/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A target with 4-byte pointers, as a 32-bit process: long and addresses wrap at 32 bits. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bpf_interp.h"

enum { BASE = 0xfffff000u, SIZE = 64 };

static struct cul_ctypes *ctypes;
static uint32_t inputs[2];
static uint8_t bytes[SIZE] = {1, 2, 3, 4, 0xf0, 0xff, 0xff, 0xff, 8, 0xf0, 0xff, 0xff};

static int read_bytes(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	if (addr < BASE || addr - BASE > SIZE || size > SIZE - (addr - BASE))
		return -EFAULT;
	memcpy(buf, bytes + (addr - BASE), size);
	return 0;
}

static const struct cul_mem_ops ops = {.read = read_bytes};
static struct cul_mem mem = {&ops};

static int name(void *data, const char *text, struct cul_name *out, struct cul_error *err)
{
	const struct cul_type *i = cul_ctypes_find(ctypes, "int");

	if (!strcmp(text, "p") || !strcmp(text, "l")) {
		out->kind = CUL_NAME_INPUT;
		out->input = *text == 'l';
		out->type = *text == 'l' ? cul_ctypes_find(ctypes, "long")
					 : cul_ctypes_pointer(ctypes, i);
		return 0;
	}
	if (strcmp(text, "object"))
		return -ENOENT;
	out->kind = CUL_NAME_OBJECT;
	out->addr = BASE;
	out->type = cul_ctypes_array(ctypes, cul_ctypes_pointer(ctypes, i), 4);
	return 0;
}

static void assert_value(const char *text, uint64_t want, unsigned size)
{
	static const struct cul_bpf_input in[] = {{0, 4, 0}, {4, 4, 0}};
	const struct cul_bpf_layout layout = {in, 2, BPF_REG_7, -13, false};
	const uint64_t values[] = {inputs[0], (uint64_t)(int64_t)(int32_t)inputs[1]};
	const struct cul_expr_run run = {&mem, values, 2, 0};
	struct bpf_interp vm = {&mem, inputs, sizeof(inputs), BPF_REG_7, -13};
	struct cul_expr_env env = {.name = name, .ctypes = ctypes};
	struct cul_bpf_code code = {0};
	struct cul_error err = {0};
	struct cul_expr *e = NULL;
	struct cul_value v = {0};
	uint64_t got;

	if (cul_expr_parse(text, &env, &e, &err) || cul_expr_compile(e, &layout, &code, &err))
		fail_msg("%s: %s", text, err.text);
	assert_int_equal(cul_expr_eval(e, &run, &v, &err), 0);
	got = bpf_interp_run(&vm, &code);
	if (vm.broken)
		fail_msg("%s: instruction %zu %s", text, vm.at, vm.broken);
	if (v.bits != want || got != want || v.type->size != size)
		fail_msg("%s: 0x%" PRIx64 " (%u bytes), compiled 0x%" PRIx64, text, v.bits,
			(unsigned)v.type->size, got);
	cul_bpf_code_free(&code);
	cul_expr_free(e);
}

static void widths(void **state)
{
	inputs[0] = BASE;
	inputs[1] = (uint32_t)-2;
	assert_value("1L", 1, 4);
	assert_value("1LL", 1, 8);
	assert_value("2147483648", 2147483648, 8);
	assert_value("0x80000000", 0x80000000, 4);
	assert_value("l", (uint64_t)-2, 4);
	assert_value("l + 1u", 0xffffffff, 4);
	assert_value("(unsigned long)-1", 0xffffffff, 4);
	assert_value("(size_t)l == 0xfffffffe", 1, 4);
	assert_value("(long long)l", (uint64_t)-2, 8);
	assert_value("l << 33", (uint64_t)-4, 4);
}

static void addresses(void **state)
{
	assert_value("p", BASE, 4);
	assert_value("p + 1", BASE + 4u, 4);
	assert_value("p + 0x400", 0, 4);
	assert_value("p + 0x401", 4, 4);
	assert_value("p - 0x40000000", BASE, 4);
	assert_value("&p[l]", BASE - 8u, 4);
	assert_value("p - (int *)0", (uint64_t)-1024, 4);
	assert_value("(int *)0 - p", 1024, 4);
	assert_value("*p", 0x04030201, 4);
	assert_value("object", BASE, 4);
	assert_value("object[2]", BASE + 8u, 4);
	assert_value("*object[2]", (uint64_t)(int64_t)(int32_t)0xfffff008, 4);
	assert_value("&object[1] - &object[3]", (uint64_t)-2, 4);
	assert_value("p == -4096", 1, 4);
	assert_value("p > (int *)0x7fffffff", 1, 4);
	assert_value("(long)p", (uint64_t)-4096, 4);
	assert_value("(unsigned long long)p", BASE, 8);
}

static int setup(void **state)
{
	return cul_ctypes_new(4, &ctypes);
}

static int teardown(void **state)
{
	cul_ctypes_free(ctypes);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(widths),
		cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
