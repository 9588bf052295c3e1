/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "orc_layouts.h"

enum { PREV = CUL_ORC_REG_PREV_SP, SP = CUL_ORC_REG_SP, BP = CUL_ORC_REG_BP };

static const uint64_t stack_at = 0xffffc90000010000;

static void layouts_are_read_from_the_type(void **state)
{
	static const struct cul_type s16 = {.kind = CUL_KIND_INT, .size = 2, .is_signed = true};
	static const struct cul_type bits = {.kind = CUL_KIND_INT, .size = 4};
	struct cul_member members[] = {{"sp_offset", &s16, 0, 0}, {"bp_offset", &s16, 16, 0},
		{"sp_reg", &bits, 32, 4}, {"bp_reg", &bits, 36, 4}, {"type", &bits, 40, 2},
		{"end", &bits, 42, 1}};
	struct cul_type t = {.kind = CUL_KIND_STRUCT,
		.size = 6,
		.filled_members = true,
		.members = members,
		.n_members = 6};
	struct cul_orc_layout l;
	struct cul_error err = {0};

	assert_int_equal(cul_orc_layout(&t, &l, &err), 0);
	assert_memory_equal(&l, &orc_old, sizeof(l));
	members[4].bit_size = 3;
	members[5] = (struct cul_member){"signal", &bits, 43, 1};
	assert_int_equal(cul_orc_layout(&t, &l, &err), 0);
	assert_memory_equal(&l, &orc_new, sizeof(l));
	t.n_members = 5; /* neither: as new, without the bit */
	assert_int_equal(cul_orc_layout(&t, &l, &err), 0);
	assert_int_equal(l.signal.bits, 0);

	t.n_members = 4;
	assert_int_equal(cul_orc_layout(&t, &l, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "struct orc_entry"));
	t.n_members = 6;
	members[5].bit_offset = 48; /* behind the entry */
	assert_int_equal(cul_orc_layout(&t, &l, NULL), -EBADMSG);
	members[5].bit_offset = 43;
	members[0].bit_offset = UINT64_MAX - 3;
	assert_int_equal(cul_orc_layout(&t, &l, NULL), -EBADMSG);
	members[0].bit_offset = 0;
	t.size = 9;
	assert_int_equal(cul_orc_layout(&t, &l, NULL), -EBADMSG);
	t.size = 0;
	assert_int_equal(cul_orc_layout(&t, &l, NULL), -EBADMSG);
}

struct decoded {
	const char *bytes;
	struct cul_orc_entry entry;
};

static void check_decoded(const struct cul_orc_layout *layout, const struct decoded *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct cul_orc_entry e;

		memset(&e, 0, sizeof(e));
		cul_orc_decode(layout, (const uint8_t *)d[i].bytes, &e);
		assert_int_equal(e.type, d[i].entry.type);
		assert_int_equal(e.signal, d[i].entry.signal);
		assert_int_equal(e.sp_reg, d[i].entry.sp_reg);
		assert_int_equal(e.sp_offset, d[i].entry.sp_offset);
		assert_int_equal(e.bp_reg, d[i].entry.bp_reg);
		assert_int_equal(e.bp_offset, d[i].entry.bp_offset);
	}
}

/* Entries of a 6.12 kernel, and what its own `objtool --dump=orc` says of them. */
static void entries_mean_what_objtool_says(void **state)
{
	static const struct decoded all[] = {
		{"\x00\x00\x00\x00\x00\x00", {.type = CUL_ORC_UNDEFINED}},
		{"\x00\x00\x00\x00\x00\x01", {.type = CUL_ORC_END}},
		/* type:call sp:sp+8 bp:(und) signal:0 */
		{"\x08\x00\x00\x00\x05\x02", {8, 0, SP, 0, CUL_ORC_CALL, false}},
		/* type:call sp:bp+16 bp:prevsp-16 signal:0 */
		{"\x10\x00\xf0\xff\x14\x02", {16, -16, BP, PREV, CUL_ORC_CALL, false}},
		/* type:call sp:(bp-40) bp:bp+0 signal:0 */
		{"\xd8\xff\x00\x00\x48\x02",
			{-40, 0, CUL_ORC_REG_BP_INDIRECT, BP, CUL_ORC_CALL, false}},
		/* type:call sp:(sp)+32 bp:prevsp-24 signal:0 */
		{"\x20\x00\xe8\xff\x19\x02",
			{32, -24, CUL_ORC_REG_SP_INDIRECT, PREV, CUL_ORC_CALL, false}},
		/* type:call sp:r10+0 bp:bp+0 signal:0 */
		{"\x00\x00\x00\x00\x46\x02", {0, 0, CUL_ORC_REG_R10, BP, CUL_ORC_CALL, false}},
		/* type:call sp:r13+0 bp:(und) signal:0 */
		{"\x00\x00\x00\x00\x07\x02", {0, 0, CUL_ORC_REG_R13, 0, CUL_ORC_CALL, false}},
		/* type:regs sp:sp+0 bp:(und) signal:1 */
		{"\x00\x00\x00\x00\x05\x0b", {0, 0, SP, 0, CUL_ORC_REGS, true}},
		/* type:regs (partial) sp:sp+24 bp:(und) signal:1 */
		{"\x18\x00\x00\x00\x05\x0c", {24, 0, SP, 0, CUL_ORC_REGS_PARTIAL, true}},
		/* type:regs (partial) sp:sp+0 bp:(und) signal:0 */
		{"\x00\x00\x00\x00\x05\x04", {0, 0, SP, 0, CUL_ORC_REGS_PARTIAL, false}},
		/* type:regs (partial) sp:dx+8 bp:(und) signal:1 */
		{"\x08\x00\x00\x00\x02\x0c", {8, 0, CUL_ORC_REG_DX, 0, CUL_ORC_REGS_PARTIAL, true}},
		/* no such type */
		{"\x08\x00\x00\x00\x05\x07", {8, 0, SP, 0, CUL_ORC_UNDEFINED, false}},
	};

	check_decoded(&orc_new, all, sizeof(all) / sizeof(all[0]));
}

/* Before 6.4: call 0, regs 1, partial 2, and a bit for the end; registers mean an interrupt. */
static void older_entries_have_other_types(void **state)
{
	static const struct decoded all[] = {
		{"\x00\x00\x00\x00\x00\x00", {.type = CUL_ORC_UNDEFINED}},
		{"\x00\x00\x00\x00\x00\x04", {.type = CUL_ORC_END}},
		{"\x08\x00\x00\x00\x05\x00", {8, 0, SP, 0, CUL_ORC_CALL, false}},
		{"\x10\x00\xf0\xff\x14\x00", {16, -16, BP, PREV, CUL_ORC_CALL, false}},
		{"\x00\x00\x00\x00\x05\x01", {0, 0, SP, 0, CUL_ORC_REGS, true}},
		{"\x18\x00\x00\x00\x05\x02", {24, 0, SP, 0, CUL_ORC_REGS_PARTIAL, true}},
		{"\x18\x00\x00\x00\x05\x03", {24, 0, SP, 0, CUL_ORC_UNDEFINED, false}},
	};

	check_decoded(&orc_old, all, sizeof(all) / sizeof(all[0]));
}

/* A table in memory: ips at 0x1000, entries at 0x9000. */
enum { IPS = 0x1000, ENTRIES = 0x9000, N = 3000 };

struct table_mem {
	struct cul_mem mem;
	int32_t ips[N];
	uint8_t entries[N * 6];
	unsigned reads;
	bool fails;
};

static int read_table(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct table_mem *t = (struct table_mem *)mem;

	t->reads++;
	if (t->fails)
		return -EFAULT;
	if (addr >= ENTRIES && addr + size <= ENTRIES + sizeof(t->entries))
		memcpy(buf, t->entries + (addr - ENTRIES), size);
	else if (addr >= IPS && addr + size <= IPS + sizeof(t->ips))
		memcpy(buf, (uint8_t *)t->ips + (addr - IPS), size);
	else
		return -EFAULT;
	return 0;
}

/* Entry i is for [0x100000 + 16 i, + 16), and says sp + 8 i. */
static struct table_mem *make_table(void)
{
	static const struct cul_mem_ops ops = {.name = "table", .read = read_table};
	static struct table_mem t;

	memset(&t, 0, sizeof(t));
	t.mem.ops = &ops;
	for (int i = 0; i < N; i++) {
		uint8_t *e = t.entries + i * 6;

		t.ips[i] = 0x100000 + 16 * i - (IPS + 4 * i);
		e[0] = (uint8_t)(8 * i), e[1] = (uint8_t)(8 * i >> 8);
		e[4] = SP, e[5] = CUL_ORC_CALL;
	}
	return &t;
}

static void the_entry_at_or_before_an_address_is_found(void **state)
{
	struct table_mem *m = make_table();
	struct cul_orc_table t;
	struct cul_orc_entry e;
	unsigned reads;

	assert_int_equal(cul_orc_table_init(&t, IPS, ENTRIES, N), 0);
	for (int i = 0; i < N; i += 7) {
		for (int k = 0; k < 16; k += 15) {
			assert_int_equal(
				cul_orc_find(&t, &orc_new, &m->mem, 0x100000 + 16 * i + k, &e), 0);
			assert_int_equal(e.sp_offset, (int16_t)(8 * i));
		}
	}
	assert_int_equal(cul_orc_find(&t, &orc_new, &m->mem, 0xfffff, &e), -ENOENT);
	assert_int_equal(cul_orc_find(&t, &orc_new, &m->mem, UINT64_MAX, &e), 0);
	assert_int_equal(e.sp_offset, (int16_t)(8 * (N - 1)));
	reads = m->reads; /* addresses were kept: an entry is one read */
	assert_int_equal(cul_orc_find(&t, &orc_new, &m->mem, 0x100123, &e), 0);
	assert_int_equal(m->reads, reads + 1);
	cul_orc_table_free(&t);
}

static void bad_tables_do_no_harm(void **state)
{
	struct table_mem *m = make_table();
	struct cul_orc_table t;
	struct cul_orc_entry e;

	assert_int_equal(cul_orc_table_init(&t, IPS, ENTRIES, CUL_ORC_MAX_ENTRIES + 1ul), -EBADMSG);
	assert_int_equal(cul_orc_table_init(&t, IPS, ENTRIES, 0), 0);
	assert_int_equal(cul_orc_find(&t, &orc_new, &m->mem, 0x100000, &e), -ENOENT);
	for (int i = 0; i < N; i++) /* unsorted: some entry, or none */
		m->ips[i] = (int32_t)(i * 2654435761u);
	assert_int_equal(cul_orc_table_init(&t, IPS, ENTRIES, N), 0);
	for (uint64_t at = 0; at < 1 << 20; at += 0x1234) {
		int ret = cul_orc_find(&t, &orc_new, &m->mem, at, &e);

		assert_true(ret == 0 || ret == -ENOENT);
	}
	cul_orc_table_free(&t);
	assert_int_equal(cul_orc_table_init(&t, IPS, ENTRIES, N + 1), 0); /* its end is not there */
	assert_int_equal(cul_orc_find(&t, &orc_new, &m->mem, UINT64_MAX, &e), -EFAULT);
	cul_orc_table_free(&t);
	m->fails = true;
	assert_int_equal(cul_orc_table_init(&t, IPS, ENTRIES, N), 0);
	assert_int_equal(cul_orc_find(&t, &orc_new, &m->mem, 0x100000, &e), -EFAULT);
	m->fails = false;
	for (int i = 0; i < 2; i++) {
		cul_orc_table_free(&t);
		assert_int_equal(cul_orc_table_init(&t, IPS, ENTRIES, N), 0);
		cul_alloc_fail_after(i);
		assert_int_equal(cul_orc_find(&t, &orc_new, &m->mem, 0x100000, &e), -ENOMEM);
		cul_alloc_fail_after(-1);
	}
	cul_orc_table_free(&t);
}

static uint64_t words[64];

static struct cul_stack_bytes stack(void)
{
	memset(words, 0, sizeof(words));
	return (struct cul_stack_bytes){stack_at, sizeof(words), (const uint8_t *)words};
}

static struct cul_orc_frame start(void)
{
	return (struct cul_orc_frame){.pc = 0xffffffff81000100,
		.sp = stack_at + 0x10,
		.bp = stack_at + 0x40,
		.bp_known = true};
}

static uint64_t at(unsigned word)
{
	return stack_at + 8 * word;
}

static void a_call_leads_to_its_return_address(void **state)
{
	const struct cul_orc_entry by_sp = {.type = CUL_ORC_CALL, .sp_reg = SP, .sp_offset = 24};
	const struct cul_orc_entry by_bp = {.type = CUL_ORC_CALL,
		.sp_reg = BP,
		.sp_offset = 16,
		.bp_reg = PREV,
		.bp_offset = -16};
	struct cul_stack_bytes s = stack();
	struct cul_orc_frame f = start();
	uint64_t fail = 0;

	words[4] = 0xffffffff81000200; /* at 0x20: sp 0x10 + 24 - 8 */
	assert_int_equal(cul_orc_step(&by_sp, &s, &f, &fail), 0);
	assert_int_equal(f.pc, 0xffffffff81000200);
	assert_int_equal(f.sp, at(5));
	assert_int_equal(f.slot, at(4));
	assert_int_equal(f.bp, stack_at + 0x40); /* not saved: still in the register */
	assert_true(f.bp_known);
	words[8] = at(30), words[9] = 0xffffffff81000300; /* push %rbp; mov %rsp, %rbp */
	assert_int_equal(cul_orc_step(&by_bp, &s, &f, &fail), 0);
	assert_int_equal(f.pc, 0xffffffff81000300);
	assert_int_equal(f.sp, at(10));
	assert_int_equal(f.bp, at(30));
	f.bp_known = false;
	assert_int_equal(cul_orc_step(&by_bp, &s, &f, &fail), -EBADMSG);
	assert_int_equal(f.pc, 0xffffffff81000300);
}

static void indirect_places_are_read(void **state)
{
	struct cul_orc_entry e = {
		.type = CUL_ORC_CALL, .sp_reg = CUL_ORC_REG_SP_INDIRECT, .sp_offset = 16};
	struct cul_stack_bytes s = stack();
	struct cul_orc_frame f = start();
	uint64_t fail = 0;

	words[2] = at(20); /* what sp points at */
	words[21] = 0xffffffff81000200;
	assert_int_equal(cul_orc_step(&e, &s, &f, &fail), 0);
	assert_int_equal(f.pc, 0xffffffff81000200);
	assert_int_equal(f.sp, at(22));
	f = start();
	e = (struct cul_orc_entry){.type = CUL_ORC_CALL,
		.sp_reg = CUL_ORC_REG_BP_INDIRECT,
		.sp_offset = -8,
		.bp_reg = BP};
	words[7] = at(30), words[8] = at(50); /* -8(%rbp), (%rbp) */
	words[29] = 0xffffffff81000400;
	assert_int_equal(cul_orc_step(&e, &s, &f, &fail), 0);
	assert_int_equal(f.pc, 0xffffffff81000400);
	assert_int_equal(f.sp, at(30));
	assert_int_equal(f.bp, at(50));
}

/* struct pt_regs at word 10: r13 2, bp 4, r10 7, dx 12, di 14, ip 16, cs 17, sp 19. */
static void put_regs(unsigned base, uint64_t cs, uint64_t sp)
{
	words[base + 2] = at(40), words[base + 4] = at(55), words[base + 7] = at(42);
	words[base + 12] = at(44), words[base + 14] = at(46);
	words[base + 16] = 0xffffffff81000500, words[base + 17] = cs, words[base + 19] = sp;
}

static void an_interrupt_leads_to_where_it_was(void **state)
{
	const struct cul_orc_entry regs = {
		.type = CUL_ORC_REGS, .sp_reg = SP, .sp_offset = 64, .signal = true};
	struct cul_orc_entry next = {.type = CUL_ORC_CALL, .sp_reg = CUL_ORC_REG_R10};
	static const struct {
		uint8_t reg, slot;
	} saved[] = {{CUL_ORC_REG_R13, 40}, {CUL_ORC_REG_R10, 42}, {CUL_ORC_REG_DX, 44},
		{CUL_ORC_REG_DI, 46}};
	struct cul_stack_bytes s = stack();
	struct cul_orc_frame f = start(), after;
	uint64_t fail = 0;

	put_regs(10, 0x10, at(33));
	assert_int_equal(cul_orc_step(&regs, &s, &f, &fail), 0);
	assert_int_equal(f.pc, 0xffffffff81000500);
	assert_int_equal(f.sp, at(33));
	assert_int_equal(f.bp, at(55));
	assert_true(f.exact && !f.user && f.slot == 0);
	for (size_t i = 0; i < sizeof(saved) / sizeof(saved[0]); i++) {
		after = f;
		next.sp_reg = saved[i].reg;
		words[saved[i].slot] = 0xffffffff81000600 + i, words[saved[i].slot + 1] = 0;
		next.sp_offset = 8;
		assert_int_equal(cul_orc_step(&next, &s, &after, &fail), 0);
		assert_int_equal(after.pc, 0xffffffff81000600 + i);
		assert_false(after.exact);
		/* They hold for the interrupted function alone. */
		assert_int_equal(cul_orc_step(&next, &s, &after, &fail), -EBADMSG);
	}
	put_regs(10, 0x33, 0x7ffc0000);
	f = start();
	assert_int_equal(cul_orc_step(&regs, &s, &f, &fail), 0);
	assert_true(f.user);
}

/* An interrupt within the first instructions of another: its whole registers still hold. */
static void partial_registers_keep_those_before(void **state)
{
	const struct cul_orc_entry regs = {
		.type = CUL_ORC_REGS, .sp_reg = SP, .sp_offset = 64, .signal = true};
	const struct cul_orc_entry partial = {
		.type = CUL_ORC_REGS_PARTIAL, .sp_reg = SP, .sp_offset = 16, .signal = true};
	const struct cul_orc_entry by_r10 = {
		.type = CUL_ORC_CALL, .sp_reg = CUL_ORC_REG_R10, .sp_offset = 64};
	struct cul_stack_bytes s = stack();
	struct cul_orc_frame f = start();
	uint64_t fail = 0;

	put_regs(10, 0x10, at(33));
	assert_int_equal(cul_orc_step(&regs, &s, &f, &fail), 0);
	words[35] = 0xffffffff81000700, words[36] = 0x10, words[38] = at(41); /* ip cs flags sp */
	assert_int_equal(cul_orc_step(&partial, &s, &f, &fail), 0);
	assert_int_equal(f.pc, 0xffffffff81000700);
	assert_int_equal(f.sp, at(41));
	assert_int_equal(f.bp, at(55));
	words[49] = 0xffffffff81000800;
	assert_int_equal(cul_orc_step(&by_r10, &s, &f, &fail), 0);
	assert_int_equal(f.pc, 0xffffffff81000800);
}

static void bad_steps_end(void **state)
{
	struct cul_orc_entry e = {.type = CUL_ORC_CALL, .sp_reg = SP, .sp_offset = 0};
	struct cul_stack_bytes s = stack();
	struct cul_orc_frame f = start(), before = start();
	uint64_t fail = 0;

	assert_int_equal(cul_orc_step(&e, &s, &f, &fail), -ELOOP); /* no higher */
	assert_int_equal(fail, f.sp);
	e.sp_offset = -512;
	assert_int_equal(cul_orc_step(&e, &s, &f, &fail), -EFAULT);
	assert_int_equal(fail, stack_at + 0x10 - 512 - 8);
	e.sp_offset = 8 * 64; /* the word after the last */
	assert_int_equal(cul_orc_step(&e, &s, &f, &fail), -EFAULT);
	e.sp_offset = 8 * 62; /* the last word */
	assert_int_equal(cul_orc_step(&e, &s, &f, &fail), 0);
	f = before;
	e.type = CUL_ORC_REGS;
	assert_int_equal(cul_orc_step(&e, &s, &f, &fail), -EFAULT);
	for (int reg = CUL_ORC_REG_SP_INDIRECT + 1; reg < 16; reg++) {
		e.sp_reg = (uint8_t)reg;
		assert_int_equal(cul_orc_step(&e, &s, &f, &fail), -EBADMSG);
	}
	e = (struct cul_orc_entry){
		.type = CUL_ORC_CALL, .sp_reg = SP, .sp_offset = 16, .bp_reg = 9};
	assert_int_equal(cul_orc_step(&e, &s, &f, &fail), -EBADMSG);
	e.type = CUL_ORC_UNDEFINED;
	assert_int_equal(cul_orc_step(&e, &s, &f, &fail), -EBADMSG);
	e.type = CUL_ORC_END;
	assert_int_equal(cul_orc_step(&e, &s, &f, &fail), -ENOENT);
	assert_memory_equal(&f, &before, sizeof(f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layouts_are_read_from_the_type),
		cmocka_unit_test(entries_mean_what_objtool_says),
		cmocka_unit_test(older_entries_have_other_types),
		cmocka_unit_test(the_entry_at_or_before_an_address_is_found),
		cmocka_unit_test(bad_tables_do_no_harm),
		cmocka_unit_test(a_call_leads_to_its_return_address),
		cmocka_unit_test(indirect_places_are_read),
		cmocka_unit_test(an_interrupt_leads_to_where_it_was),
		cmocka_unit_test(partial_registers_keep_those_before),
		cmocka_unit_test(bad_steps_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
