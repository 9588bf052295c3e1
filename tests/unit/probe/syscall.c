/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arguments of system calls from what tracefs says of them, also from what it never would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "expr/scope.h"
#include "probe/syscall.h"
#include "sym/signature.h"

#define HEAD                                                                                       \
	"name: sys_enter_x\nID: 659\nformat:\n"                                                    \
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"                     \
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
#define NUMBER    "\tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;\n"
#define ARG(text) "\tfield:" text ";\toffset:16;\tsize:8;\tsigned:0;\n"

static struct cul_scope *scope;
static struct cul_arena arena;

static int set_up(void **state)
{
	return cul_scope_process(getpid(), NULL, &scope, NULL);
}

static int tear_down(void **state)
{
	cul_alloc_fail_after(-1);
	cul_arena_free(&arena);
	cul_scope_free(scope);
	return 0;
}

static void expect(const char *format, const char *wanted)
{
	const struct cul_type *type = cul_syscall_type(format, cul_scope_env(scope), &arena);
	cul_autostr struct cul_str shown = {0};
	struct cul_signature signature;

	assert_non_null(type);
	assert_int_equal(cul_signature_of(type, cul_arch_find("x86_64"), &signature, NULL), 0);
	for (size_t i = 0; i < signature.n_params; i++)
		assert_int_equal(signature.params[i].place.word, i);
	cul_signature_print(&shown, "x", &signature);
	assert_string_equal(cul_str_text(&shown), wanted);
}

static void declarations_as_the_kernel_writes_them(void **state)
{
	expect(HEAD NUMBER ARG("int dfd") ARG("const char * filename") ARG("size_t flags"),
		"long x(int dfd, char *filename, size_t flags)");
	expect(HEAD NUMBER ARG("const char *const * argv") ARG("char *const name"),
		"long x(char **argv, char *name)");
	expect(HEAD NUMBER "\nprint fmt: \"\"\n", "long x(void)");
	expect(HEAD NUMBER ARG("struct no_such_thing * p") ARG("no_such_t n"),
		"long x(void *p, unsigned long n)");
	/* By value it would not be one word. */
	expect(HEAD NUMBER ARG("struct cul_arena s"), "long x(unsigned long s)");
}

static void what_is_no_argument_ends_them(void **state)
{
	expect(HEAD NUMBER ARG("int a") "\tfield:__data_loc char[] "
					"__filename_val;\toffset:48;\tsize:4;\tsigned:0;\n" ARG(
						"int b"),
		"long x(int a)");
	expect(HEAD NUMBER ARG("int a") ARG("int b") ARG("int c") ARG("int d") ARG("int e")
			ARG("int f") ARG("int g"),
		"long x(int a, int b, int c, int d, int e, int f)");
	expect(HEAD ARG("int a"), "long x(void)");
	expect("", "long x(void)");
}

static void broken_texts(void **state)
{
	static const char *const texts[] = {"field:", "field:;", "field:int a", "field:int a;",
		"field:int a;offset:", "field:int a; offset:x; size:8;",
		"field:a;\toffset:1;\tsize:8;", "field:int ;\toffset:1;\tsize:8;",
		"field:int *;\toffset:1;\tsize:8;", "field:\n;\toffset:1;\tsize:8;"};
	char text[512], many[300];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(text, sizeof(text), "%s\t%s", HEAD NUMBER, texts[i]);
		expect(text, "long x(void)");
	}
	memset(many, '(', sizeof(many));
	snprintf(text, sizeof(text), HEAD NUMBER "field:%.*s a;\toffset:16;\tsize:8;", 100, many);
	expect(text, "long x(unsigned long a)");
	snprintf(text, sizeof(text), HEAD NUMBER "field:%.*s a;", 200, many);
	expect(text, "long x(void)");
}

static void out_of_memory(void **state)
{
	const char *format = HEAD NUMBER ARG("const char *const * argv") ARG("no_such_t n");
	const struct cul_type *type = NULL;
	long n;

	for (n = 0; !type && n < 1000; n++) {
		cul_alloc_fail_after(n);
		type = cul_syscall_type(format, cul_scope_env(scope), &arena);
		cul_alloc_fail_after(-1);
	}
	assert_non_null(type);
}

/* tracefs need not be there, nor readable: without it the function is as any other. */
static void others_are_none(void **state)
{
	static const struct cul_site sites[] = {
		{.kind = CUL_SITE_FUNCTION, .symbol = "do_sys_openat2", .module = "vmlinux"},
		{.kind = CUL_SITE_INSIDE, .symbol = "__x64_sys_openat", .module = "vmlinux"},
		{.kind = CUL_SITE_FUNCTION, .symbol = "__x64_sys_openat", .module = "mine"},
		{.kind = CUL_SITE_FUNCTION, .symbol = "__x64_sys_no_such", .module = "vmlinux"},
		{.kind = CUL_SITE_FUNCTION, .symbol = "__x64_sys_", .module = "vmlinux"},
		{.kind = CUL_SITE_FUNCTION, .symbol = "__arm64_sys_read", .module = "vmlinux"}};

	for (size_t i = 0; i < sizeof(sites) / sizeof(sites[0]); i++) {
		const struct cul_syscall *found;

		assert_int_equal(cul_syscall_find(&sites[i], cul_arch_find("x86_64"),
					 cul_scope_env(scope), &arena, &found),
			0);
		assert_null(found);
	}
}

/* The psABIs and syscall(2) say which registers; their places are those of reg_names. */
static void registers(void **state)
{
	static const struct {
		const char *arch, *prefix, *regs;
		bool narrow;
	} all[] = {{"x86_64", "__x64_sys_", "rdi rsi rdx r10 r8 r9 ", false},
		{"x86_64", "__ia32_sys_", "rbx rcx rdx rsi rdi rbp ", true},
		{"aarch64", "__arm64_sys_", "x0 x1 x2 x3 x4 x5 ", false}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const struct cul_arch *arch = cul_arch_find(all[i].arch);
		const struct cul_arch_syscall *s = arch->syscalls;
		cul_autostr struct cul_str regs = {0};

		while (s->prefix && strcmp(s->prefix, all[i].prefix) != 0)
			s++;
		assert_non_null(s->prefix);
		assert_int_equal(s->narrow, all[i].narrow);
		for (unsigned r = 0; r < 6; r++)
			cul_str_addf(&regs, "%s ", arch->reg_names[s->regs[r]]);
		assert_string_equal(cul_str_text(&regs), all[i].regs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			declarations_as_the_kernel_writes_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_argument_ends_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(broken_texts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(out_of_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(others_are_none, set_up, tear_down),
		cmocka_unit_test(registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
