/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where instructions begin: code whose bytes could be read in two ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "probe/instruction.h"

/* clang-format off */
__asm__(".text\n"
	".globl two_ways, after_int3\n"
	".type two_ways, @function\n"
	"two_ways:\n"
	"	.byte 0xb8, 0x90, 0x90, 0x90, 0x90\n" /* mov $0x90909090, %eax; or nop, four times */
	"	.byte 0xc3\n"
	".size two_ways, . - two_ways\n"
	".type after_int3, @function\n"
	"after_int3:\n"
	"	.byte 0xcc, 0x90, 0x90, 0x90, 0x90\n" /* what a probe on such a mov makes of it */
	"	.byte 0xc3\n"
	".size after_int3, . - after_int3\n");
/* clang-format on */
extern const uint8_t two_ways[], after_int3[];

static void free_scope(struct cul_scope **scope)
{
	cul_scope_free(*scope);
}

static int at(const char *symbol, const uint8_t *code, uint64_t offset, struct cul_insn *insn,
	struct cul_error *err)
{
	const struct cul_site site = {
		.symbol = symbol, .addr = (uint64_t)(uintptr_t)code + offset, .offset = offset};
	cul_cleanup(free_scope) struct cul_scope *scope = NULL;

	assert_int_equal(cul_scope_process(getpid(), NULL, &scope, err), 0);
	return cul_instruction_at(scope, cul_arch_host(), &site, true, insn, err);
}

static void none_begins_inside_another(void **state)
{
	struct cul_error err = {0};
	struct cul_insn insn;

	if (strcmp(cul_arch_host()->name, "x86_64") != 0)
		skip();
	assert_int_equal(at("two_ways", two_ways, 0, &insn, &err), 0);
	assert_int_equal(insn.len, 5);
	for (uint64_t offset = 1; offset < 5; offset++)
		assert_int_equal(at("two_ways", two_ways, offset, &insn, &err), -EILSEQ);
	assert_string_equal(err.text,
		"no instruction begins at two_ways+0x4: it is inside the one at two_ways+0x0");
	assert_int_equal(at("two_ways", two_ways, 5, &insn, &err), 0);
	assert_int_equal(insn.flow, CUL_FLOW_RETURN);
}

static void a_breakpoint_may_hide_the_beginning(void **state)
{
	struct cul_error err = {0};
	struct cul_insn insn;

	if (strcmp(cul_arch_host()->name, "x86_64") != 0)
		skip();
	for (uint64_t offset = 0; offset < 6; offset++)
		assert_int_equal(at("after_int3", after_int3, offset, &insn, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_begins_inside_another),
		cmocka_unit_test(a_breakpoint_may_hide_the_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
