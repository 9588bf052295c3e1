/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The search on hand-assembled code: runs on every host, see x86_64_live.c for the processor. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"

enum { RSI = 13, RDI = 14, RAX = 10, RCX = 11, RIP = 16, FLAGS = 18, RSP = 19 };

#define VAR   0xffff888000001000ull
#define ENTRY 0xffffffff81000000ull

struct want {
	enum cul_certainty certainty;
	uint64_t offset; /* of the instruction in the code */
	enum cul_access_kind access;
	unsigned width;
	bool value_known;
	uint64_t value;
	const char *text;
};

/* rdi, rdx point to the variable, rsp 64 bytes above it; ip is after the code but for `back`. */
static struct cul_regs regs_for(size_t ip)
{
	struct cul_regs regs = {0};

	for (unsigned i = 0; i < 15; i++)
		regs.r[i] = 0x1010101010101010ull * (i + 1);
	regs.r[RDI] = VAR;
	regs.r[RSI] = VAR + 4096;
	regs.r[RSP] = VAR + 64;
	regs.r[RIP] = ENTRY + ip;
	return regs;
}

static struct cul_insn find(const uint8_t *bytes, size_t size, const struct cul_regs *regs,
	bool from_entry, enum cul_access_kind watch)
{
	/* on the heap, for the address sanitizer to see a read beyond it */
	uint8_t *copy = malloc(size);
	struct cul_code code = {copy, size, ENTRY, from_entry};
	struct cul_trap trap = {regs, VAR, 8, watch};
	struct cul_insn found;

	memcpy(copy, bytes, size);
	assert_int_equal(cul_arch_x86_64.find_access(&code, &trap, &found), 0);
	free(copy);
	return found;
}

static void check(const struct cul_insn *found, const struct want *want)
{
	assert_string_equal(found->text, want->text);
	assert_int_equal(found->certainty, want->certainty);
	assert_int_equal(found->access, want->access);
	assert_int_equal(found->width, want->width);
	assert_int_equal(found->value_known, want->value_known);
	assert_int_equal(found->value, want->value);
	if (found->addr)
		assert_int_equal(found->addr, ENTRY + want->offset);
}

#define FIND(regs, from_entry, watch, ...)                                                         \
	find((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), regs,         \
		from_entry, watch)

#define W  CUL_ACCESS_WRITE
#define RW CUL_ACCESS_READ_WRITE

static void test_table(void **state)
{
	assert_ptr_equal(cul_arch_find("x86_64"), &cul_arch_x86_64);
	assert_null(cul_arch_find("vax"));
	assert_int_equal(cul_arch_x86_64.n_regs, 21);
	assert_string_equal(cul_arch_x86_64.reg_names[cul_arch_x86_64.reg_ip], "rip");
	assert_string_equal(cul_arch_x86_64.reg_names[cul_arch_x86_64.reg_sp], "rsp");
	assert_string_equal(cul_arch_x86_64.reg_names[cul_arch_x86_64.reg_flags], "eflags");
	for (unsigned i = 0; i < cul_arch_x86_64.n_regs; i++)
		assert_non_null(cul_arch_x86_64.reg_names[i]);
}

static void test_stores(void **state)
{
	struct cul_regs regs = regs_for(11);
	struct cul_insn found;

	/* endbr64; movl $0xfffffff9, 4(%rdi) */
	found = FIND(&regs, true, W, 0xf3, 0x0f, 0x1e, 0xfa, 0xc7, 0x47, 4, 0xf9, 0xff, 0xff, 0xff);
	check(&found, &(struct want){
			      CUL_CERTAIN, 4, W, 4, true, 0xfffffff9, "movl $0xfffffff9, 4(%rdi)"});
	assert_int_equal(found.access_addr, VAR + 4);
	assert_int_equal(found.len, 7);

	/* movq $-7, (%rdi): the immediate is sign-extended */
	found = FIND(&regs, true, W, 0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0xc7, 7, 0xf9, 0xff, 0xff, 0xff);
	check(&found, &(struct want){CUL_CERTAIN, 4, W, 8, true, (uint64_t)-7, "movq $-7, (%rdi)"});

	/* nop x 7; lock decl 4(%rdi) */
	found = FIND(&regs, true, W, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xf0, 0xff, 0x4f, 4);
	check(&found, &(struct want){CUL_CERTAIN, 7, RW, 4, false, 0, "lock decl 4(%rdi)"});

	/* nop x 9; mov %ah, (%rdi) */
	regs.r[RAX] = 0xabcd;
	found = FIND(
		&regs, true, W, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x88, 0x27);
	check(&found, &(struct want){CUL_CERTAIN, 9, W, 1, true, 0xab, "movb %ah, (%rdi)"});
}

/* Zydis and objdump have the lengths and the names. */
static void test_what_capstone_does_not_know(void **state)
{
	struct cul_regs regs = regs_for(10);
	struct cul_insn found;

	/* vpaddusb %zmm1, %zmm2, %zmm3; movl %eax, 4(%rdi) */
	regs.r[RAX] = 7;
	regs.r[RIP] = ENTRY + 9;
	found = FIND(&regs, true, W, 0x62, 0xf1, 0x6d, 0x48, 0xdc, 0xd9, 0x89, 0x47, 4);
	check(&found, &(struct want){CUL_CERTAIN, 6, W, 4, true, 7, "movl %eax, 4(%rdi)"});

	/* vpmovdb %xmm1, (%rdi) */
	regs.r[RIP] = ENTRY + 6;
	found = FIND(&regs, true, W, 0x62, 0xf2, 0x7e, 0x08, 0x31, 0x0f);
	check(&found, &(struct want){CUL_LIKELY, 0, W, 0, false, 0,
			      "(a store of a kind not known here: 62 f2 7e 08 31 0f)"});

	/* vpaddusb (%rdi), %zmm2, %zmm3 stores nothing */
	found = FIND(&regs, true, W, 0x62, 0xf1, 0x6d, 0x48, 0xdc, 0x1f);
	assert_int_equal(found.certainty, CUL_UNKNOWN);
	found = FIND(&regs, true, RW, 0x62, 0xf1, 0x6d, 0x48, 0xdc, 0x1f);
	check(&found, &(struct want){CUL_LIKELY, 0, CUL_ACCESS_READ, 0, false, 0,
			      "(a load of a kind not known here: 62 f1 6d 48 dc 1f)"});

	/* fnstsw 2(%rdi) writes two bytes, which are not watched, and vpmovqb 8 of a vector */
	regs.r[RIP] = ENTRY + 3;
	regs.r[RDI] = VAR - 4;
	found = FIND(&regs, true, W, 0xdd, 0x7f, 2);
	assert_int_equal(found.certainty, CUL_UNKNOWN);
	regs.r[RIP] = ENTRY + 6;
	regs.r[RDI] = VAR - 8;
	found = FIND(&regs, true, W, 0x62, 0xf2, 0x7e, 0x48, 0x32, 0x0f);
	assert_int_equal(found.certainty, CUL_UNKNOWN);
}

static void test_rip_relative(void **state)
{
	/* movl $1, 0x10(%rip), and the variable is not there */
	static const uint8_t bytes[] = {0xc7, 0x05, 0x10, 0, 0, 0, 1, 0, 0, 0};
	struct cul_regs regs = regs_for(10);
	struct cul_code code = {bytes, sizeof(bytes), ENTRY, true};
	struct cul_trap trap = {&regs, VAR, 8, W};
	struct cul_insn found;

	assert_int_equal(cul_arch_x86_64.find_access(&code, &trap, &found), 0);
	assert_int_equal(found.certainty, CUL_UNKNOWN);
	assert_string_equal(found.text, "");

	trap.addr = ENTRY + 10 + 0x10;
	assert_int_equal(cul_arch_x86_64.find_access(&code, &trap, &found), 0);
	check(&found, &(struct want){CUL_CERTAIN, 0, W, 4, true, 1,
			      "movl $1, 0x10(%rip) # 0xffffffff8100001a"});
}

static void test_lost_base(void **state)
{
	struct cul_regs regs = regs_for(3);
	struct cul_insn found;

	found = FIND(&regs, true, RW, 0x48, 0x8b, 0x3f); /* mov (%rdi), %rdi */
	check(&found,
		&(struct want){CUL_LIKELY, 0, CUL_ACCESS_READ, 8, false, 0, "movq (%rdi), %rdi"});
	found = FIND(&regs, true, W, 0x48, 0x8b, 0x3f); /* a load never trips a write watch */
	check(&found, &(struct want){.text = ""});
}

static void test_per_cpu(void **state)
{
	/* incl %gs:0x1000 */
	static const uint8_t bytes[] = {0x65, 0xff, 0x04, 0x25, 0, 0x10, 0, 0};
	struct cul_regs regs = regs_for(sizeof(bytes));
	struct cul_code code = {bytes, sizeof(bytes), ENTRY, true};
	struct cul_trap trap = {&regs, VAR, 8, W};
	struct cul_insn found;

	assert_int_equal(cul_arch_x86_64.find_access(&code, &trap, &found), 0);
	check(&found, &(struct want){CUL_LIKELY, 0, RW, 4, false, 0, "incl %gs:0x1000"});
	trap.gs_known = true;
	trap.gs_base = VAR - 0x1000;
	assert_int_equal(cul_arch_x86_64.find_access(&code, &trap, &found), 0);
	assert_int_equal(found.certainty, CUL_CERTAIN);
	assert_int_equal(found.access_addr, VAR);
	trap.gs_base = VAR;
	assert_int_equal(cul_arch_x86_64.find_access(&code, &trap, &found), 0);
	assert_int_equal(found.certainty, CUL_UNKNOWN);
}

static void test_strings(void **state)
{
	struct cul_regs regs = regs_for(0);
	struct cul_insn found;

	regs.r[RDI] = VAR + 8; /* rep stosq with more to do: ip has not moved */
	regs.r[RCX] = 3;
	found = FIND(&regs, true, W, 0xf3, 0x48, 0xab);
	check(&found,
		&(struct want){CUL_CERTAIN, 0, W, 8, true, regs.r[RAX], "rep stosq %rax, (%rdi)"});

	regs.r[RDI] = VAR + 136; /* fast strings report late */
	found = FIND(&regs, true, W, 0xf3, 0x48, 0xab);
	check(&found, &(struct want){CUL_LIKELY, 0, W, 0, false, 0, "rep stosq %rax, (%rdi)"});

	regs.r[RDI] = VAR; /* the watched bytes are still ahead */
	found = FIND(&regs, true, W, 0xf3, 0x48, 0xab);
	check(&found, &(struct want){.text = ""});

	regs = regs_for(3);
	regs.r[RDI] = VAR + 8;
	found = FIND(&regs, true, W, 0xf3, 0x48, 0xab); /* past it, though rcx is not 0 */
	check(&found, &(struct want){.text = ""});
	regs.r[RCX] = 0;
	found = FIND(&regs, true, W, 0xf3, 0x48, 0xab);
	assert_int_equal(found.certainty, CUL_CERTAIN);

	regs = regs_for(2);
	regs.r[RDI] = VAR - 4;
	regs.r[FLAGS] = 1 << 10; /* std; movsl */
	found = FIND(&regs, true, W, 0xfd, 0xa5);
	check(&found, &(struct want){CUL_CERTAIN, 1, W, 4, false, 0, "movsl (%rsi), (%rdi)"});
}

static void test_transfers(void **state)
{
	struct cul_regs regs = regs_for(0);
	struct cul_insn found;

	regs.r[RSP] = VAR; /* at a function's entry */
	found = FIND(&regs, true, W, 0x90, 0xc3);
	check(&found,
		&(struct want){CUL_LIKELY, 0, W, 8, false, 0, "call (pushed the return address)"});
	assert_int_equal(found.addr, 0);
	found = FIND(&regs, false, W, 0x90, 0xc3);
	check(&found, &(struct want){.text = ""});

	regs = regs_for(5);
	regs.r[RSP] = VAR + 8; /* after a call */
	found = FIND(&regs, true, RW, 0xe8, 0, 1, 0, 0, 0x90);
	check(&found, &(struct want){CUL_LIKELY, 0, CUL_ACCESS_READ, 8, false, 0,
			      "ret (popped the return address)"});
	found = FIND(&regs, true, W, 0xe8, 0, 1, 0, 0, 0x90);
	check(&found, &(struct want){.text = ""});

	regs = regs_for(5); /* jumped over: a store that did not touch the variable, then a jump */
	found = FIND(&regs, true, W, 0x48, 0x89, 0x06, 0xeb, 0x00, 0x90);
	check(&found, &(struct want){.text = ""});
}

static void test_no_entry(void **state)
{
	struct cul_regs regs = regs_for(0);
	uint8_t bytes[128];
	struct cul_insn found;

	/* addl $1, 8(%rsp) all over, the window cuts one in two; then mov %rax, (%rdi) */
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (const uint8_t[]){0x83, 0x44, 0x24, 0x08, 0x01}[(i + 2) % 5];
	memcpy(bytes + 123, (const uint8_t[]){0x48, 0x89, 0x07}, 3);
	regs.r[RIP] = ENTRY + 126;
	found = find(bytes, sizeof(bytes), &regs, false, W);
	check(&found,
		&(struct want){CUL_CERTAIN, 123, W, 8, true, regs.r[RAX], "movq %rax, (%rdi)"});

	/* a start that is none: found all the same */
	found = find(
		bytes + 120, 6, &(struct cul_regs){.r = {[RDI] = VAR, [RIP] = ENTRY + 6}}, true, W);
	assert_int_equal(found.addr, ENTRY + 3);
}

static void test_execute(void **state)
{
	static const uint8_t bytes[] = {0x90, 0xf3, 0x0f, 0x1e, 0xfa, 0xc3};
	struct cul_regs regs = regs_for(1);
	struct cul_code code = {bytes, sizeof(bytes), ENTRY, true};
	struct cul_trap trap = {&regs, ENTRY + 1, 8, CUL_ACCESS_EXECUTE};
	struct cul_insn found;

	assert_int_equal(cul_arch_x86_64.find_access(&code, &trap, &found), 0);
	check(&found, &(struct want){CUL_CERTAIN, 1, CUL_ACCESS_EXECUTE, 4, false, 0, "endbr64"});
	trap.addr = ENTRY + 5;
	assert_int_equal(cul_arch_x86_64.find_access(&code, &trap, &found), 0);
	assert_int_equal(found.certainty, CUL_UNKNOWN);
}

static void test_outside(void **state)
{
	static const uint8_t bytes[] = {0x48, 0x89, 0x07};
	struct cul_code code = {bytes, sizeof(bytes), ENTRY, true}, none = {NULL, 0, ENTRY, true};
	const uint64_t ips[] = {0, ENTRY - 1, ENTRY, ENTRY + 4, UINT64_MAX};
	struct cul_insn found;

	for (size_t i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
		struct cul_regs regs = {.r = {[RIP] = ips[i]}};
		struct cul_trap trap = {&regs, VAR, 8, W};

		assert_int_equal(cul_arch_x86_64.find_access(&code, &trap, &found), 0);
		assert_int_equal(found.certainty, CUL_UNKNOWN);
		assert_int_equal(cul_arch_x86_64.find_access(&none, &trap, &found), 0);
		assert_int_equal(found.certainty, CUL_UNKNOWN);
	}
}

static void test_flow(void **state)
{
	static const struct {
		uint8_t bytes[8];
		enum cul_flow flow;
	} all[] = {
		{{0x48, 0x89, 0xfb}, CUL_FLOW_NEXT},                    /* mov */
		{{0xe8, 1, 0, 0, 0}, CUL_FLOW_NEXT},                    /* call */
		{{0xff, 0xd0}, CUL_FLOW_NEXT},                          /* call *%rax */
		{{0x0f, 0x05}, CUL_FLOW_NEXT},                          /* syscall */
		{{0xf3, 0xa4}, CUL_FLOW_NEXT},                          /* rep movsb */
		{{0xeb, 0x10}, CUL_FLOW_JUMP},                          /* jmp */
		{{0x0f, 0x84, 1, 0, 0, 0}, CUL_FLOW_JUMP},              /* je */
		{{0x3e, 0xff, 0xe0}, CUL_FLOW_JUMP},                    /* notrack jmp *%rax */
		{{0xe2, 0xfe}, CUL_FLOW_JUMP},                          /* loop */
		{{0xe3, 0x02}, CUL_FLOW_JUMP},                          /* jrcxz */
		{{0xc3}, CUL_FLOW_RETURN},                              /* ret */
		{{0xf3, 0xc3}, CUL_FLOW_RETURN},                        /* repz ret */
		{{0x48, 0xcf}, CUL_FLOW_RETURN},                        /* iretq */
		{{0x48, 0x0f, 0x07}, CUL_FLOW_RETURN},                  /* sysretq */
		{{0xcc}, CUL_FLOW_TRAP}, {{0x0f, 0x0b}, CUL_FLOW_TRAP}, /* int3, ud2 */
		{{0xcd, 0x80}, CUL_FLOW_TRAP},                          /* int $0x80 */
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct cul_code code = {all[i].bytes, 8, ENTRY, false};
		struct cul_insn insn;

		assert_int_equal(cul_arch_x86_64.decode(&code, ENTRY, &insn), 0);
		if (insn.flow != all[i].flow)
			fail_msg("%s: %d", insn.text, insn.flow);
	}
}

static void test_decode(void **state)
{
	static const uint8_t bytes[] = {0xe8, 0xfb, 0x0f, 0, 0, 0x06, 0xc3, 0x48};
	struct cul_code code = {bytes, sizeof(bytes), ENTRY, false};
	struct cul_insn insn;

	assert_int_equal(cul_arch_x86_64.decode(&code, ENTRY, &insn), 0);
	assert_string_equal(insn.text, "callq 0xffffffff81001000");
	assert_int_equal(insn.len, 5);
	assert_int_equal(cul_arch_x86_64.decode(&code, ENTRY + 6, &insn), 0);
	assert_string_equal(insn.text, "retq");
	assert_int_equal(cul_arch_x86_64.decode(&code, ENTRY + 5, &insn), -EILSEQ);
	assert_int_equal(cul_arch_x86_64.decode(&code, ENTRY + 7, &insn), -EILSEQ);
	assert_int_equal(cul_arch_x86_64.decode(&code, ENTRY + 8, &insn), -EILSEQ);
	assert_int_equal(cul_arch_x86_64.decode(&code, ENTRY - 1, &insn), -EILSEQ);
}

/* The kernel's own reading of the flag, where there is one. */
static void test_virtual(void **state)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[8192];
	bool told = false, flag = false;

	while (f && !told && fgets(line, sizeof(line), f)) {
		told = !strncmp(line, "flags", 5);
		flag = told && strstr(line, " hypervisor") != NULL;
	}
	if (f)
		fclose(f);
	if (!told)
		skip();
	assert_int_equal(cul_arch_x86_64.in_virtual_machine(), flag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_stores),
		cmocka_unit_test(test_what_capstone_does_not_know),
		cmocka_unit_test(test_rip_relative),
		cmocka_unit_test(test_lost_base),
		cmocka_unit_test(test_per_cpu),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_transfers),
		cmocka_unit_test(test_no_entry),
		cmocka_unit_test(test_execute),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_flow),
		cmocka_unit_test(test_virtual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
