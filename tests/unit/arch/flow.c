/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The analysis of code against what the compiler itself says of its frames: fixtures/frames.txt has
 * functions of cross compilers with their CFI.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/unwind.h"

enum { MAX_SIZE = 4096, MAX_ROWS = 64 };

struct row {
	unsigned pc;
	char reg[8];
	int off, ra;
};

struct made {
	const struct cul_arch *arch;
	char name[64], kind[16]; /* kind: the architecture, or thumb */
	uint8_t code[MAX_SIZE];
	size_t size, end; /* end: of the instructions */
	uint64_t flags;
	struct row rows[MAX_ROWS];
	unsigned n_rows;
};

struct tally {
	unsigned right, silent, wrong;
};

/* "r29", "sp", "x30": both name DWARF's register numbers here. */
static unsigned reg_number(const struct cul_arch *arch, const char *name)
{
	return strcmp(name, "sp") == 0 ? arch->reg_sp : (unsigned)atoi(name + 1);
}

static const struct row *row_at(const struct made *m, unsigned pc)
{
	const struct row *row = NULL;

	for (unsigned i = 0; i < m->n_rows && m->rows[i].pc <= pc; i++)
		row = &m->rows[i];
	return row;
}

static bool ra_is_right(const struct made *m, const struct row *row, const struct cul_rule *ip)
{
	if (ip->kind == CUL_RULE_REG)
		return ip->reg == m->arch->unwind->reg_lr; /* told from stale by the flow alone */
	if (ip->kind != CUL_RULE_AT)
		return false;
	if (row->ra)
		return ip->off == row->ra;
	/* Rows lag behind a store, and CFI forgets the slot once the register is loaded again. */
	for (unsigned i = 0; i < m->n_rows; i++)
		if (m->rows[i].ra == ip->off)
			return true;
	return false;
}

static bool is_right(const struct made *m, unsigned pc, const struct cul_rules *rules, bool entry)
{
	const struct row *row = row_at(m, pc);

	if (!row || !ra_is_right(m, row, &rules->reg[m->arch->reg_ip]))
		return false;
	if (rules->cfa.reg != reg_number(m->arch, row->reg))
		return true; /* the other of stack and frame pointer */
	return rules->cfa.off == row->off;
}

/* Thumb's first half says how many there are. */
static unsigned length(const struct made *m, unsigned pc)
{
	return m->flags && m->code[pc + 1] < 0xe8 ? 2 : 4;
}

/* Without the entry the function stands between two others: the same once more. */
static void check(const struct made *m, bool from_entry, struct tally *tally)
{
	const uint64_t base = 0x400000;
	static uint8_t bytes[3 * MAX_SIZE];

	for (unsigned i = 0; i < 3; i++)
		memcpy(bytes + i * m->size, m->code, m->size);
	for (unsigned pc = 0; pc < m->end; pc += length(m, pc)) {
		struct cul_code code =
			from_entry ? (struct cul_code){m->code, m->size, base, true}
				   : (struct cul_code){bytes, 3 * m->size, base - m->size, false};
		const struct cul_code_place at = {base + pc, m->flags, true, 0};
		struct cul_rules rules;

		if (m->arch->unwind->analyse(&code, &at, &rules) != 0) {
			tally->silent++;
		} else if (is_right(m, pc, &rules, from_entry)) {
			tally->right++;
		} else {
			tally->wrong++;
			if (getenv("SHOW"))
				print_message("%s %s +0x%x: cfa r%u%+lld, pc kind %u %lld; CFI "
					      "%s%+d %d\n",
					m->kind, m->name, pc, rules.cfa.reg,
					(long long)rules.cfa.off, rules.reg[m->arch->reg_ip].kind,
					(long long)rules.reg[m->arch->reg_ip].off,
					row_at(m, pc)->reg, row_at(m, pc)->off, row_at(m, pc)->ra);
		}
	}
}

static void read_code(struct made *m, const char *hex)
{
	unsigned byte;

	for (m->size = 0; m->size < MAX_SIZE && sscanf(hex, "%2x", &byte) == 1; hex += 2)
		m->code[m->size++] = (uint8_t)byte;
	m->end = m->size;
}

static void read_line(struct made *m, const char *line)
{
	struct row *row = &m->rows[m->n_rows];
	char arch[16], flags[48], name[16];

	if (sscanf(line, "function %15s %15s %47s", arch, name, flags) == 3) {
		bool thumb = !strcmp(arch, "thumb");

		*m = (struct made){.arch = cul_arch_find(thumb ? "arm" : arch)};
		assert_non_null(m->arch);
		m->flags = thumb ? m->arch->unwind->flags_mode : 0;
		snprintf(m->kind, sizeof(m->kind), "%s", arch);
		snprintf(m->name, sizeof(m->name), "%s %.40s", name, flags);
	} else if (!strncmp(line, "code ", 5)) {
		read_code(m, line + 5);
	} else if (!strncmp(line, "end ", 4)) {
		m->end = (size_t)atoi(line + 4);
	} else if (m->n_rows < MAX_ROWS &&
		   sscanf(line, "row %u %7s %d %d", &row->pc, row->reg, &row->off, &row->ra) == 4) {
		m->n_rows++;
	}
}

static void run(const char *arch, bool from_entry, struct tally *tally)
{
	static struct made m;
	FILE *file = fopen(SOURCE_ROOT "/tests/unit/arch/fixtures/frames.txt", "r");
	char *line = NULL;
	size_t cap = 0;

	assert_non_null(file);
	m = (struct made){0};
	*tally = (struct tally){0};
	for (;;) {
		bool more = getline(&line, &cap, file) > 0;

		if ((!more || !strncmp(line, "function", 8)) && m.arch && !strcmp(m.kind, arch))
			check(&m, from_entry, tally);
		if (!more)
			break;
		read_line(&m, line);
	}
	free(line);
	fclose(file);
	print_message("%s %s: %u right, %u silent, %u wrong\n", arch,
		from_entry ? "from the entry" : "without it", tally->right, tally->silent,
		tally->wrong);
}

/* Of an ARM frame too big for one addition gcc's CFI does not tell the two that end it apart. */
static const struct {
	const char *name;
	unsigned cfi_lags;
} kinds[] = {{"mips", 0}, {"mipsel", 0}, {"mips64el", 0}, {"aarch64", 0}, {"arm", 2}, {"thumb", 5}};

static void from_the_entry_it_is_what_the_compiler_says(void **state)
{
	struct tally t;

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		run(kinds[i].name, true, &t);
		assert_true(t.wrong <= kinds[i].cfi_lags);
		assert_true(t.right > 500 && t.silent * 100 < t.right);
	}
}

static void without_the_entry_it_is_so_too(void **state)
{
	struct tally t;

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		run(kinds[i].name, false, &t);
		assert_true(t.right > 500 && t.wrong + t.silent <= kinds[i].cfi_lags);
	}
}

/*
 * Instructions of arm64 that compilers seldom write, between `mov x1, #16; sub sp, sp, #16;
 * str x30, [sp]` and `sub sp, sp, x1`, as aarch64-linux-gnu-as has them. `off` is what they add to
 * the stack pointer; LOST: nobody can tell.
 */
static void rare_ones_are_known(void **state)
{
	enum { LOST = INT32_MIN };
	static const struct {
		uint32_t word;
		int32_t off;
	} insns[] = {
		{0x043f57ff, LOST}, /* addvl sp, sp, #-1 */
		{0x047f57bf, LOST}, /* addpl sp, sp, #-3 */
		{0x0420e3e1, LOST}, /* cntb x1 */
		{0x04f0e3e1, LOST}, /* incd x1 */
		{0x04b0fbe1, LOST}, /* sqdecw x1 */
		{0x04bf5021, LOST}, /* rdvl x1, #1 */
		{0x25208021, LOST}, /* cntp x1, p0, p1.b */
		{0x252c8801, LOST}, /* incp x1, p0.b */
		{0xcb2143ff, LOST}, /* sub sp, sp, w1, uxtw */
		{0xcb216fff, LOST}, /* sub sp, sp, x1, lsl #3 */
		{0xcb21c3ff, LOST}, /* sub sp, sp, w1, sxtw */
		{0xcb2163ff, -16},  /* sub sp, sp, x1 */
		{0x58000001, LOST}, /* ldr x1, . */
		{0xc8dffc01, LOST}, /* ldar x1, [x0] */
		{0xc85f7c01, LOST}, /* ldxr x1, [x0] */
		{0xc87f0402, LOST}, /* ldxp x2, x1, [x0] */
		{0xc801fc02, LOST}, /* stlxr w1, x2, [x0] */
		{0xc8e1fc02, LOST}, /* casal x1, x2, [x0] */
		{0xc89ffc01, 0},    /* stlr x1, [x0] */
		{0xd9400001, LOST}, /* ldapur x1, [x0] */
		{0xd53bd041, LOST}, /* mrs x1, tpidr_el0 */
		{0x69bf07e0, -32},  /* stgp x0, x1, [sp, #-32]! */
		{0xd92017ff, 16},   /* stg sp, [sp], #16 */
		{0xd9200bff, 0},    /* stg sp, [sp] */
		{0xd1810bff, LOST}, /* subg sp, sp, #16, #2 */
	};

	for (size_t i = 0; i < sizeof(insns) / sizeof(insns[0]); i++) {
		const uint32_t words[] = {
			0xd2800201, 0xd10043ff, 0xf90003fe, insns[i].word, 0xcb2163ff, 0xd503201f};
		const struct cul_code code = {
			(const uint8_t *)words, sizeof(words), 0x400000, true};
		const struct cul_code_place at = {0x400014, 0, true, 0};
		struct cul_rules rules;
		int ret = cul_arch_aarch64.unwind->analyse(&code, &at, &rules);

		if ((ret != 0) != (insns[i].off == LOST))
			fail_msg("%08x: %d", insns[i].word, ret);
		if (ret == 0)
			assert_int_equal(rules.cfa.off, 32 - insns[i].off);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_the_entry_it_is_what_the_compiler_says),
		cmocka_unit_test(without_the_entry_it_is_so_too),
		cmocka_unit_test(rare_ones_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
