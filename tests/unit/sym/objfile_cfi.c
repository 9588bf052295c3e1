/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions of .debug_frame sections made here, which no compiler would write; and those that
 * compilers have written (tests/fuzz/corpus/debug_frame, behind four bytes of the fuzzer's).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dwarf.h>
#include <stdio.h>
#include <string.h>

#include "sym/objfile_priv.h"

enum { SECTION_MOST = 8192 };

static const char names[] = "\0.debug_frame";

/* A file that has the section. */
static struct {
	Elf64_Ehdr eh;
	Elf64_Shdr sh[2];
	char names[16];
	uint8_t section[SECTION_MOST];
} file;

static bool is_sane(size_t size)
{
	Elf *elf;
	bool sane;

	elf_version(EV_CURRENT);
	memcpy(file.eh.e_ident, ELFMAG, SELFMAG);
	file.eh.e_ident[EI_CLASS] = ELFCLASS64;
	file.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	file.eh.e_ident[EI_VERSION] = EV_CURRENT;
	file.eh.e_type = ET_EXEC;
	file.eh.e_machine = EM_X86_64;
	file.eh.e_version = EV_CURRENT;
	file.eh.e_shoff = sizeof(file.eh);
	file.eh.e_ehsize = sizeof(file.eh);
	file.eh.e_shentsize = sizeof(file.sh[0]);
	file.eh.e_shnum = 2;
	file.eh.e_shstrndx = 0;
	memcpy(file.names, names, sizeof(names));
	file.sh[0] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
		.sh_offset = offsetof(__typeof__(file), names),
		.sh_size = sizeof(names)};
	file.sh[1] = (Elf64_Shdr){.sh_name = 1,
		.sh_type = SHT_PROGBITS,
		.sh_offset = offsetof(__typeof__(file), section),
		.sh_size = size};
	elf = elf_memory((char *)&file, sizeof(file));
	assert_non_null(elf);
	sane = cul_objfile_debug_frame_is_sane(elf);
	elf_end(elf);
	return sane;
}

static size_t entry(size_t at, const void *head, size_t head_size, const void *code, size_t size)
{
	uint32_t length = (uint32_t)(head_size + size);

	assert_true(at + 4 + length <= SECTION_MOST);
	memcpy(file.section + at, &length, 4);
	memcpy(file.section + at + 4, head, head_size);
	memcpy(file.section + at + 4 + head_size, code, size);
	return at + 4 + length;
}

/* The instructions in a CIE, or in an FDE of one that has none. */
static bool sane(bool in_cie, const void *code, size_t size)
{
	/* CIE_id, version, augmentation, alignment of code and data, return address */
	static const uint8_t cie[] = {0xff, 0xff, 0xff, 0xff, 1, 0, 1, 0x78, 16};
	static const uint8_t fde[4 + 16] = {0, 0, 0, 0, 0, 0x10};
	size_t at = entry(0, cie, sizeof(cie), code, in_cie ? size : 0);

	return is_sane(entry(at, fde, sizeof(fde), code, in_cie ? 0 : size));
}

static void each_instruction_that_names_a_register(void **state)
{
	static const uint8_t ops[] = {DW_CFA_offset_extended, DW_CFA_restore_extended,
		DW_CFA_undefined, DW_CFA_same_value, DW_CFA_register, DW_CFA_def_cfa,
		DW_CFA_def_cfa_register, DW_CFA_expression, DW_CFA_offset_extended_sf,
		DW_CFA_def_cfa_sf, DW_CFA_val_offset, DW_CFA_val_offset_sf, DW_CFA_val_expression,
		DW_CFA_GNU_negative_offset_extended};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		const uint8_t small[] = {ops[i], 0xff, 0x07, 0}; /* 1023 */
		const uint8_t large[] = {ops[i], 0x80, 0x08, 0};
		const uint8_t huge[] = {ops[i], 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0x7f, 0};

		for (int in_cie = 0; in_cie < 2; in_cie++) {
			assert_true(sane(in_cie, small, sizeof(small)));
			assert_false(sane(in_cie, large, sizeof(large)));
			assert_false(sane(in_cie, huge, sizeof(huge)));
		}
	}
}

/* Operands that look like such an instruction are none; what is behind them is looked at. */
static void operands_are_skipped(void **state)
{
	static const uint8_t r[] = {DW_CFA_undefined, 0xff, 0xff, 0x7f};
	static const struct {
		uint8_t n, bytes[9];
	} before[] = {{1, {DW_CFA_nop}}, {9, {DW_CFA_set_loc, 7, 0xff, 0xff, 0x7f}},
		{2, {DW_CFA_advance_loc1, 7}}, {3, {DW_CFA_advance_loc2, 7, 0xff}},
		{5, {DW_CFA_advance_loc4, 7, 0xff, 0xff, 0x7f}},
		{9, {DW_CFA_MIPS_advance_loc8, 7, 0xff, 0xff, 0x7f}},
		{4, {DW_CFA_def_cfa_offset, 0xff, 0xff, 0x7f}},
		{4, {DW_CFA_def_cfa_offset_sf, 0xff, 0xff, 0x7f}},
		{4, {DW_CFA_GNU_args_size, 0xff, 0xff, 0x7f}},
		{6, {DW_CFA_def_cfa_expression, 4, 7, 0xff, 0xff, 0x7f}},
		{7, {DW_CFA_expression, 3, 4, 7, 0xff, 0xff, 0x7f}},
		{7, {DW_CFA_val_expression, 3, 4, 7, 0xff, 0xff, 0x7f}},
		{5, {DW_CFA_def_cfa, 3, 0xff, 0xff, 0x7f}}, {1, {DW_CFA_advance_loc | 7}},
		{4, {DW_CFA_offset | 7, 0xff, 0xff, 0x7f}}, {1, {DW_CFA_restore | 7}},
		{1, {DW_CFA_GNU_window_save}}, {3, {DW_CFA_register, 3, 4}}};

	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		uint8_t code[16];

		memcpy(code, before[i].bytes, before[i].n);
		assert_true(sane(false, code, before[i].n));
		memcpy(code + before[i].n, r, sizeof(r));
		assert_false(sane(false, code, before[i].n + sizeof(r)));
	}
	/* Behind what nobody knows nothing is executed. */
	assert_true(sane(false, "\x3c\x07\xff\xff\x7f", 5));
	/* A block that is longer than all there is. */
	assert_false(sane(false, "\x0f\xff\xff\xff\xff\x0f\x07\xff\xff\x7f", 10));
}

/* libdw reads ten bytes of a number at most, and would take the others for instructions. */
static void numbers_are_short(void **state)
{
	static const uint8_t nine[] = {
		DW_CFA_def_cfa_offset, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0};
	static const uint8_t longer[] = {DW_CFA_def_cfa_offset, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
		0x80, 0x80, 0x80, 0x80, 0xc0, DW_CFA_undefined, 0xff, 0xff, 0x7f};

	assert_true(sane(false, nine, sizeof(nine)));
	assert_false(sane(false, longer, sizeof(longer)));
}

static void no_operand_is_cut_off(void **state)
{
	static const uint8_t ops[] = {DW_CFA_set_loc, DW_CFA_advance_loc1, DW_CFA_advance_loc2,
		DW_CFA_advance_loc4, DW_CFA_def_cfa_offset, DW_CFA_undefined,
		DW_CFA_def_cfa_expression, DW_CFA_offset | 7};

	for (size_t i = 0; i < sizeof(ops); i++)
		assert_false(sane(false, &ops[i], 1));
	assert_false(sane(false, "\x0f\x02\x50", 3));
}

static void so_many_bytes_are_expressions(void **state)
{
	static uint8_t code[5000] = {DW_CFA_def_cfa_expression};

	code[1] = 0x80;
	code[2] = 4096 >> 7;
	assert_true(sane(false, code, 3 + 4096));
	code[1] = 0x81;
	assert_false(sane(false, code, 3 + 4097));
}

static void so_many_states_are_remembered(void **state)
{
	uint8_t code[1000];

	memset(code, DW_CFA_remember_state, sizeof(code));
	assert_true(sane(false, code, 64));
	assert_false(sane(false, code, 65));
	assert_false(sane(true, code, sizeof(code)));
	/* One after the other, as a function with many ends has them. */
	for (size_t i = 1; i < sizeof(code); i += 2)
		code[i] = DW_CFA_restore_state;
	assert_true(sane(false, code, sizeof(code)));
}

static void what_compilers_write_is_sane(void **state)
{
	static const char *const files[] = {"x86_64", "aarch64", "mips64el"}; /* of 64 bits */

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		uint8_t bytes[4096];
		char path[256];
		size_t n;
		FILE *in;

		snprintf(path, sizeof(path), SOURCE_ROOT "/tests/fuzz/corpus/debug_frame/%s",
			files[i]);
		in = fopen(path, "rb");
		assert_non_null(in);
		n = fread(bytes, 1, sizeof(bytes), in);
		fclose(in);
		assert_true(n > 100);
		memcpy(file.section, bytes + 4, n - 4);
		assert_true(is_sane(n - 4));
	}
}

static void without_a_section_there_is_none(void **state)
{
	assert_false(is_sane(0));
	memset(file.section, 0xff, 16);
	assert_true(is_sane(16)); /* libdw finds nothing in it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_instruction_that_names_a_register),
		cmocka_unit_test(operands_are_skipped),
		cmocka_unit_test(numbers_are_short),
		cmocka_unit_test(no_operand_is_cut_off),
		cmocka_unit_test(so_many_bytes_are_expressions),
		cmocka_unit_test(so_many_states_are_remembered),
		cmocka_unit_test(what_compilers_write_is_sane),
		cmocka_unit_test(without_a_section_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
