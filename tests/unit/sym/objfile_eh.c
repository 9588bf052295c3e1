/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * .eh_frame sections made here, with and without a table, that would cost libdw much; and this
 * program's own, where libdw is asked beside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dwarf.h>
#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "sym/objfile_priv.h"
#include "sys/file.h"

enum {
	TEXT = 0x100000,  /* where the functions are, */
	FUNCTION = 0x100, /* one after the other */
	FRAME_MOST = 2 << 20,
	TABLE_MOST = 16,
	GROWTH_MOST_KB = 64 << 10,
};

static const char names[] = "\0.eh_frame_hdr\0.eh_frame";
enum { NAME_HDR = 1, NAME_FRAME = 15 };

/* How libdw finds a function: by the table, which the program header tells of; by the table in a
 * section; walking over the section, for want of a table in the header or of a header. */
enum how { BY_SEGMENT, BY_SECTION, BY_WALK, BY_BARE_WALK };

/* A file; addresses in it are offsets. */
static struct {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	Elf64_Shdr sh[4];
	char names[32];
	struct {
		uint8_t version, ptr, count, table;
		int32_t frame;
		uint32_t n;
		int32_t entries[TABLE_MOST][2];
	} hdr;
	uint8_t frame[FRAME_MOST];
} file;

static size_t end; /* of what stands in file.frame */

static void begin(enum how how)
{
	memset(&file, 0, sizeof(file));
	end = 0;
	memcpy(file.eh.e_ident, ELFMAG, SELFMAG);
	file.eh.e_ident[EI_CLASS] = ELFCLASS64;
	file.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	file.eh.e_ident[EI_VERSION] = EV_CURRENT;
	file.eh.e_type = ET_DYN;
	file.eh.e_machine = EM_X86_64;
	file.eh.e_version = EV_CURRENT;
	file.eh.e_ehsize = sizeof(file.eh);
	file.eh.e_phoff = offsetof(__typeof__(file), ph);
	file.eh.e_phentsize = sizeof(file.ph[0]);
	file.eh.e_phnum = 2;
	file.ph[0] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = 4096, .p_memsz = 4096};
	file.ph[1] = (Elf64_Phdr){.p_type = PT_GNU_EH_FRAME,
		.p_offset = offsetof(__typeof__(file), hdr),
		.p_vaddr = offsetof(__typeof__(file), hdr),
		.p_filesz = sizeof(file.hdr)};
	if (how == BY_SECTION || how == BY_BARE_WALK)
		file.ph[1].p_type = PT_NULL;
	memcpy(file.names, names, sizeof(names));
	file.sh[1] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
		.sh_offset = offsetof(__typeof__(file), names),
		.sh_size = sizeof(names)};
	file.sh[2] = (Elf64_Shdr){.sh_name = how == BY_BARE_WALK ? 0 : NAME_HDR,
		.sh_type = SHT_PROGBITS,
		.sh_addr = offsetof(__typeof__(file), hdr),
		.sh_offset = offsetof(__typeof__(file), hdr),
		.sh_size = sizeof(file.hdr)};
	file.sh[3] = (Elf64_Shdr){.sh_name = NAME_FRAME,
		.sh_type = SHT_PROGBITS,
		.sh_addr = offsetof(__typeof__(file), frame),
		.sh_offset = offsetof(__typeof__(file), frame),
		.sh_size = sizeof(file.frame)};
	if (how != BY_SEGMENT) {
		file.eh.e_shoff = offsetof(__typeof__(file), sh);
		file.eh.e_shentsize = sizeof(file.sh[0]);
		file.eh.e_shnum = 4;
		file.eh.e_shstrndx = 1;
	}
	file.hdr.version = 1;
	file.hdr.ptr = DW_EH_PE_pcrel | DW_EH_PE_sdata4;
	file.hdr.count = how == BY_WALK ? DW_EH_PE_omit : DW_EH_PE_udata4;
	file.hdr.table = DW_EH_PE_datarel | DW_EH_PE_sdata4;
	file.hdr.frame = (int32_t)(offsetof(__typeof__(file), frame) -
				   offsetof(__typeof__(file), hdr.frame));
}

static size_t entry(const void *head, size_t head_size, const void *code, size_t size)
{
	uint32_t length = (uint32_t)(head_size + size);
	size_t at = end;

	assert_true(at + 4 + length <= FRAME_MOST);
	memcpy(file.frame + at, &length, 4);
	memcpy(file.frame + at + 4, head, head_size);
	memcpy(file.frame + at + 4 + head_size, code, size);
	end = at + 4 + length;
	return at;
}

static size_t cie(const void *code, size_t size)
{
	/* CIE_id, version, augmentation, alignment of code and data, return address; cfa: rsp+8 */
	static const uint8_t head[] = {0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1,
		DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1};

	return entry(head, sizeof(head), code, size);
}

/* Of the function that begins at TEXT + i * FUNCTION. */
static size_t fde(size_t cie, unsigned i, const void *code, size_t size)
{
	struct {
		uint32_t cie;
		int32_t start;
		uint32_t size;
		uint8_t augmentation;
	} __attribute__((packed)) head = {.cie = (uint32_t)(end + 4 - cie), .size = FUNCTION};

	head.start = (int32_t)(TEXT + i * FUNCTION - offsetof(__typeof__(file), frame) - end - 8);
	return entry(&head, sizeof(head), code, size);
}

static void in_table(unsigned i, size_t at)
{
	int32_t hdr = (int32_t)offsetof(__typeof__(file), hdr);

	file.hdr.entries[file.hdr.n][0] = (int32_t)(TEXT + i * FUNCTION) - hdr;
	file.hdr.entries[file.hdr.n++][1] = (int32_t)(offsetof(__typeof__(file), frame) + at) - hdr;
}

static struct cul_objfile *opened(void)
{
	struct cul_objfile *o = NULL;

	assert_int_equal(cul_objfile_open_image(&file, sizeof(file), "made", 0, &o), 0);
	return o;
}

static bool has_frame(struct cul_objfile *o, unsigned i)
{
	cul_autofree Dwarf_Frame *frame = NULL;
	int ret = cul_objfile_frame(o, TEXT + i * FUNCTION + 1, &frame);

	assert_true(ret == 0 || ret == -ENOENT);
	return ret == 0;
}

static long resident_kb(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

static const uint8_t nothing[8];

/* libdw would make room for 200 million registers: 1.6 GB. */
static const uint8_t huge[] = {DW_CFA_undefined, 0x80, 0x84, 0xaf, 0x5f};

static void wrong_functions_are_left_out(void **state)
{
	static const enum how hows[] = {BY_SEGMENT, BY_SECTION};

	for (size_t i = 0; i < 2; i++) {
		long before = resident_kb();
		struct cul_objfile *o;
		size_t good;

		begin(hows[i]);
		good = cie(nothing, 1);
		in_table(0, fde(good, 0, nothing, 4));
		in_table(1, fde(good, 1, huge, sizeof(huge)));
		in_table(2, fde(cie(huge, sizeof(huge)), 2, nothing, 4));
		in_table(3, fde(good, 3, nothing, 4));
		o = opened();
		assert_true(has_frame(o, 0));
		assert_false(has_frame(o, 1));
		assert_false(has_frame(o, 2));
		assert_true(has_frame(o, 3));
		assert_false(has_frame(o, 1));
		cul_objfile_free(o);
		assert_true(resident_kb() - before < GROWTH_MOST_KB);
	}
}

/* Without a table libdw reads one after the other, and may come to each. */
static void all_is_looked_at(enum how how)
{
	long before = resident_kb();
	struct cul_objfile *o;
	size_t good;

	begin(how);
	good = cie(nothing, 1);
	fde(good, 0, nothing, 4);
	fde(good, 1, nothing, 4);
	o = opened();
	assert_true(has_frame(o, 0));
	assert_true(has_frame(o, 1));
	assert_false(has_frame(o, 2));
	cul_objfile_free(o);
	fde(good, 2, huge, sizeof(huge));
	o = opened();
	assert_false(has_frame(o, 0));
	assert_false(has_frame(o, 2));
	cul_objfile_free(o);
	assert_true(resident_kb() - before < GROWTH_MOST_KB);
}

static void without_a_table_all_is_looked_at(void **state)
{
	all_is_looked_at(BY_WALK);
	all_is_looked_at(BY_BARE_WALK);
}

/* What a table points at need not be where a walk over the section comes by. */
static void tables_may_point_anywhere(void **state)
{
	long before = resident_kb();
	size_t good, outer, inner;
	struct cul_objfile *o;
	uint8_t block[64] = {DW_CFA_def_cfa_expression, sizeof(block) - 2};

	begin(BY_SEGMENT);
	good = cie(nothing, 1);
	outer = end;
	end += 4 + 13 + 2; /* behind which the function is that only the table knows */
	inner = fde(good, 1, huge, sizeof(huge));
	memcpy(block + 2, file.frame + inner, end - inner);
	end = outer;
	assert_int_equal(fde(good, 0, block, sizeof(block)), outer);
	in_table(0, outer);
	in_table(1, inner);
	in_table(2, end + 8);
	in_table(3, FRAME_MOST - 2);
	in_table(4, (size_t)-4);
	in_table(5, good);
	o = opened();
	assert_true(has_frame(o, 0));
	for (unsigned i = 1; i < 7; i++)
		assert_false(has_frame(o, i));
	cul_objfile_free(o);
	assert_true(resident_kb() - before < GROWTH_MOST_KB);
}

/* Augmentations of data that is not there would be read from behind it. */
static void augmentations_are_whole(void **state)
{
	static const struct {
		bool right;
		uint8_t n, bytes[20];
	} cies[] = {
		{true, 11, {0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16}},
		{true, 12, {0, 0, 0, 0, 1, 'z', 'R', 'S', 0, 1, 0x78, 16}},
		{false, 12, {0, 0, 0, 0, 1, 'z', 'R', 'R', 0, 1, 0x78, 16}},
		{false, 12, {0, 0, 0, 0, 1, 'z', 'X', 'R', 0, 1, 0x78, 16}},
		{false, 12, {0, 0, 0, 0, 1, 'z', 'R', 'P', 0, 1, 0x78, 16}},
		{false, 10, {0, 0, 0, 0, 1, 'R', 0, 1, 0x78, 16}},
	};
	static const uint8_t rest[] = {1, DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_CFA_def_cfa, 7, 8,
		DW_CFA_offset | 16, 1, 0};

	for (size_t i = 0; i < sizeof(cies) / sizeof(cies[0]); i++) {
		struct cul_objfile *o;
		size_t at;

		begin(BY_SEGMENT);
		at = entry(cies[i].bytes, cies[i].n, rest, sizeof(rest));
		in_table(0, fde(at, 0, nothing, 4));
		o = opened();
		assert_int_equal(has_frame(o, 0), cies[i].right);
		cul_objfile_free(o);
	}
}

/* Each is small; libdw would keep all. */
static void expressions_of_a_file_are_counted(void **state)
{
	static uint8_t code[3 + 4096 + 4] = {DW_CFA_def_cfa_expression, 0x80, 4096 >> 7};
	struct cul_objfile *o;
	unsigned n = 0;
	size_t good;

	memset(code + 3, DW_OP_nop, 4096);
	begin(BY_SEGMENT);
	good = cie(nothing, 1);
	for (unsigned i = 0; i < TABLE_MOST; i++)
		in_table(i, fde(good, i, code, sizeof(code)));
	o = opened();
	for (unsigned again = 0; again < 1000; again++)
		for (unsigned i = 0; i < TABLE_MOST; i++)
			n += has_frame(o, i);
	assert_int_equal(n, 1000 * TABLE_MOST); /* the same ones */
	o->eh.expended = 1 << 20;
	assert_true(has_frame(o, 0));
	memset(o->eh.counted, 0, sizeof(o->eh.counted));
	assert_false(has_frame(o, 0));
	cul_objfile_free(o);
}

/* How many functions of the file have frames; libdw itself says the same of each. */
static size_t compare(const char *bytes, size_t size)
{
	Elf *elf = elf_memory((char *)bytes, size);
	Dwarf_CFI *cfi = dwarf_getcfi_elf(elf);
	struct cul_elf_symbol symbol;
	struct cul_objfile *o = NULL;
	size_t cursor = 0, n = 0;

	assert_non_null(cfi);
	assert_int_equal(cul_objfile_open_image(bytes, size, "own", 0, &o), 0);
	o->debug_cfi_sought = true; /* .eh_frame alone */
	while (cul_objfile_next_symbol(o, &cursor, &symbol)) {
		cul_autofree Dwarf_Frame *ours = NULL, *theirs = NULL;
		bool found = cul_objfile_frame(o, symbol.addr, &ours) == 0;
		Dwarf_Addr start, stop;
		bool signal;

		bool has = dwarf_cfi_addrframe(cfi, symbol.addr, &theirs) == 0 &&
			   dwarf_frame_info(theirs, &start, &stop, &signal) >= 0 &&
			   start <= symbol.addr && symbol.addr < stop;

		if (has != found)
			fail_msg("%s: libdw %s a frame", symbol.name, has ? "has" : "has not");
		n += found;
	}
	cul_objfile_free(o);
	dwarf_cfi_end(cfi);
	elf_end(elf);
	return n;
}

static void what_linkers_write_is_read(void **state)
{
	cul_autofree char *bytes = NULL;
	Dl_info libc;
	size_t size;

	assert_true(dladdr((void *)gnu_get_libc_version, &libc));
	assert_int_equal(cul_sys_read_file(libc.dli_fname, 64 << 20, &bytes, &size), 0);
	elf_version(EV_CURRENT);
	assert_true(compare(bytes, size) > 1000);
	free(cul_take(bytes));
	assert_int_equal(cul_sys_read_file("/proc/self/exe", 256 << 20, &bytes, &size), 0);
	assert_true(compare(bytes, size) > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_functions_are_left_out),
		cmocka_unit_test(without_a_table_all_is_looked_at),
		cmocka_unit_test(tables_may_point_anywhere),
		cmocka_unit_test(augmentations_are_whole),
		cmocka_unit_test(expressions_of_a_file_are_counted),
		cmocka_unit_test(what_linkers_write_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
