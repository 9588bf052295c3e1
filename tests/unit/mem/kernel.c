/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The running kernel's memory by BPF, held against what is known of it in other ways: the kernel's
 * own pages that are mapped here too, and /proc/kcore where there is one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "mem/mem.h"
#include "sym/kallsyms.h"
#include "sys/fault.h"

enum { PATTERN = 20000 };

static int reset(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	return 0;
}

/* NULL where we may not: not root, or locked down. */
static struct cul_mem *open_bpf(void)
{
	struct cul_mem *mem = NULL;
	struct cul_error err = {0};

	if (cul_mem_kernel_bpf(&mem, &err) == 0)
		return mem;
	if (geteuid() == 0)
		print_message("no kernel memory by BPF: %s\n", err.text);
	return NULL;
}

static uint64_t symbol(const char *name)
{
	struct cul_kallsyms *k = NULL;
	struct cul_ksym sym = {0};

	if (cul_kallsyms_open(NULL, NULL, &k, NULL) == 0)
		cul_kallsyms_find(k, "vmlinux", name, &sym, NULL, NULL);
	cul_kallsyms_free(k);
	return sym.addr;
}

/* An array map with one value of a known pattern; `*addr` is where the kernel has it. */
static int make_pattern(uint8_t *pattern, uint64_t *addr)
{
	static const uint32_t zero;
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pattern", 4, PATTERN, 1, NULL);
	const struct bpf_insn tell[] = {
		/* the value holds its own address */
		{.code = BPF_LD | BPF_DW | BPF_IMM,
			.dst_reg = 1,
			.src_reg = BPF_PSEUDO_MAP_VALUE,
			.imm = map},
		{0},
		{.code = BPF_LD | BPF_DW | BPF_IMM,
			.dst_reg = 2,
			.src_reg = BPF_PSEUDO_MAP_VALUE,
			.imm = map},
		{0},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 1, .src_reg = 2},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	cul_autoclose int prog = -1;
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	uint8_t first[PATTERN] = {0};

	assert_true(map >= 0);
	prog = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "tell", "GPL", tell,
		sizeof(tell) / sizeof(tell[0]), NULL);
	assert_true(prog >= 0);
	assert_int_equal(bpf_prog_test_run_opts(prog, &opts), 0);
	assert_int_equal(bpf_map_lookup_elem(map, &zero, first), 0);
	memcpy(addr, first, sizeof(*addr));
	for (int i = 0; i < PATTERN; i++)
		pattern[i] = (uint8_t)(i * 7 + i / 251);
	assert_int_equal(bpf_map_update_elem(map, &zero, pattern, BPF_ANY), 0);
	return map;
}

static void bytes_of_our_own_are_read(void **state)
{
	static const size_t sizes[] = {1, 8, 4095, 4096, 4097, 8192, PATTERN - 3};
	uint8_t pattern[PATTERN], got[PATTERN];
	struct cul_mem *mem = open_bpf();
	uint64_t addr = 0;
	int map;

	if (!mem)
		skip();
	map = make_pattern(pattern, &addr);
	assert_true(addr > INT64_MAX); /* the kernel's half */
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(got, 0, sizeof(got));
		assert_int_equal(cul_mem_read(mem, addr + 3, got, sizes[i]), 0);
		assert_memory_equal(got, pattern + 3, sizes[i]);
	}
	assert_int_equal(cul_mem_read(mem, addr, got, 0), 0);
	assert_string_equal(cul_mem_name(mem), "BPF");
	close(map);
	cul_mem_free(mem);
}

static void what_is_not_there_faults(void **state)
{
	struct cul_mem *mem = open_bpf();
	uint64_t own = 1;
	char buf[8192];

	if (!mem)
		skip();
	assert_int_equal(cul_mem_read(mem, 0, buf, 1), -EFAULT);
	assert_int_equal(cul_mem_read(mem, 0x8000000000000000, buf, 8), -EFAULT);
	assert_int_equal(cul_mem_read(mem, (uint64_t)(uintptr_t)&own, buf, 8), -EFAULT);
	assert_int_equal(cul_mem_read(mem, UINT64_MAX - 4, buf, 5), -EFAULT);
	assert_int_equal(cul_mem_read(mem, UINT64_MAX - 4, buf, sizeof(buf)), -EFAULT);
	cul_mem_free(mem);
}

/* Code and constants of the kernel by two ways, byte by byte. */
static void kcore_says_the_same(void **state)
{
	static const char *const names[] = {
		"_text", "vfs_read", "schedule", "linux_banner", "sys_call_table", "init_task"};
	struct cul_mem *mem = open_bpf(), *kcore = NULL;
	static uint8_t a[64 << 10], b[sizeof(a)];
	unsigned compared = 0;

	if (!mem)
		skip();
	if (cul_mem_kcore("/proc/kcore", &kcore, NULL)) {
		cul_mem_free(mem);
		skip();
	}
	assert_string_equal(cul_mem_name(kcore), "/proc/kcore");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint64_t addr = symbol(names[i]);
		size_t size = i < 3 ? sizeof(a) : 64;

		if (!addr)
			continue;
		assert_int_equal(cul_mem_read(mem, addr, a, size), 0);
		assert_int_equal(cul_mem_read(kcore, addr, b, size), 0);
		if (strcmp(names[i], "init_task") != 0) /* which changes */
			assert_memory_equal(a, b, size);
		compared++;
	}
	assert_true(compared >= 4);
	cul_mem_free(kcore);
	cul_mem_free(mem);
}

/* A name that we give ourselves is in our task; by each reader that there is. */
static void our_own_task_is_found(void **state)
{
	struct cul_mem *readers[2] = {open_bpf(), NULL};
	char task[4096], name[16], before[16];

	if (!readers[0])
		skip();
	cul_mem_kcore("/proc/kcore", &readers[1], NULL);
	prctl(PR_GET_NAME, before);
	for (int i = 0; i < 2; i++) {
		if (!readers[i])
			continue;
		snprintf(name, sizeof(name), "own-%d-%d", i, getpid());
		prctl(PR_SET_NAME, name);
		assert_int_equal(cul_mem_kernel_own_task(readers[i], task, sizeof(task)), 0);
		assert_non_null(memmem(task, sizeof(task), name, strlen(name) + 1));
		cul_mem_free(readers[i]);
	}
	prctl(PR_SET_NAME, before);
	assert_int_equal(cul_mem_process(getpid(), &readers[0], NULL), 0);
	assert_int_equal(cul_mem_kernel_own_task(readers[0], task, 8), -ENOTSUP);
	cul_mem_free(readers[0]);
}

static void both_reasons_are_told(void **state)
{
	struct cul_mem *mem = NULL;
	struct cul_error err = {0};

	cul_sys_fail(CUL_SYS_OPEN, 0, ENOENT);
	cul_sys_fail(CUL_SYS_BPF, 0, EPERM);
	assert_int_equal(cul_mem_kernel(&mem, &err), -EPERM);
	assert_string_equal(err.text,
		"kernel memory: there is no /proc/kcore: this kernel is built without "
		"CONFIG_PROC_KCORE; nor by BPF: a program cannot be loaded: it takes root, or "
		"CAP_BPF with CAP_PERFMON");
	cul_sys_fail(CUL_SYS_OPEN, 0, EACCES);
	cul_sys_fail(CUL_SYS_BPF, 0, EINVAL);
	assert_int_equal(cul_mem_kernel(&mem, &err), -EINVAL);
	assert_non_null(strstr(err.text, "CAP_SYS_RAWIO"));
	assert_non_null(strstr(err.text, "cannot be loaded: Invalid argument"));
	cul_sys_fail(CUL_SYS_BPF, 0, ENOMEM);
	assert_int_equal(cul_mem_kernel(&mem, &err), -ENOMEM);
	assert_int_equal(cul_mem_kernel(&mem, NULL), -ENOMEM);
	assert_null(mem);
}

static void failing_runs_are_passed_on(void **state)
{
	struct cul_mem *mem = open_bpf(), *none = NULL;
	struct cul_error err = {0};
	char c;

	if (!mem)
		skip();
	cul_sys_fail(CUL_SYS_BPF, 0, EINTR);
	assert_int_equal(cul_mem_read(mem, symbol("_text"), &c, 1), -EINTR);
	cul_mem_free(mem);
	/* It loads, and cannot be run. */
	cul_sys_fail(CUL_SYS_BPF, 1, EINVAL);
	assert_int_equal(cul_mem_kernel_bpf(&none, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "5.10"));
	cul_sys_fail(CUL_SYS_BPF, 1, EINVAL);
	assert_int_equal(cul_mem_kernel_bpf(&none, NULL), -ENOTSUP);
	cul_sys_fail_none();
	cul_alloc_fail_after(0);
	assert_int_equal(cul_mem_kernel_bpf(&none, &err), -ENOMEM);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(bytes_of_our_own_are_read, reset),
		cmocka_unit_test_teardown(what_is_not_there_faults, reset),
		cmocka_unit_test_teardown(kcore_says_the_same, reset),
		cmocka_unit_test_teardown(our_own_task_is_found, reset),
		cmocka_unit_test_teardown(both_reasons_are_told, reset),
		cmocka_unit_test_teardown(failing_runs_are_passed_on, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
