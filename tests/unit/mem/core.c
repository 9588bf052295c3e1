/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cores made by hand, most of them wrong on purpose. Where things are in a note of x86_64: <elf.h>,
 * <sys/procfs.h>. Real ones: tests/unit/stack/core.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <unistd.h>

#include "arch/core.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "mem/core.h"

enum { CODE = 0x400000, STACK = 0x500000 };

/* A core to be: what it has of each part. */
struct image {
	struct cul_str notes, memory;
	Elf64_Phdr ph[16];
	unsigned n_ph;
	unsigned phnum;   /* written; 0: n_ph */
	unsigned machine; /* 0: x86_64 */
	uint64_t sh_info;
};

static char path[64];

static int setup(void **state)
{
	snprintf(path, sizeof(path), "/tmp/culprit-unit-memcore.%d", (int)getpid());
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return 0;
}

static void add_bytes(struct cul_str *to, const void *bytes, size_t size)
{
	cul_str_addn(to, bytes, size);
}

static void add_note(struct image *im, const char *owner, uint32_t type, const void *desc,
	uint32_t size, uint32_t told)
{
	const Elf64_Nhdr head = {(uint32_t)strlen(owner) + 1, told, type};
	const char zeros[8] = "";

	add_bytes(&im->notes, &head, sizeof(head));
	add_bytes(&im->notes, owner, head.n_namesz);
	add_bytes(&im->notes, zeros, -head.n_namesz & 3);
	add_bytes(&im->notes, desc, size);
	add_bytes(&im->notes, zeros, -size & 3);
}

static void add_thread(struct image *im, int tid)
{
	struct elf_prstatus status;

	memset(&status, 0, sizeof(status));
	status.pr_cursig = 11;
	status.pr_pid = tid;
	for (size_t i = 0; i < ELF_NGREG; i++)
		status.pr_reg[i] = 0x1000 + i;
	add_note(im, "CORE", NT_PRSTATUS, &status, sizeof(status), sizeof(status));
}

static Elf64_Phdr *add_segment(struct image *im, uint64_t addr, const char *bytes, uint64_t memsz)
{
	Elf64_Phdr *ph = &im->ph[im->n_ph++];

	*ph = (Elf64_Phdr){.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W,
		.p_offset = im->memory.len,
		.p_vaddr = addr,
		.p_filesz = strlen(bytes),
		.p_memsz = memsz};
	cul_str_add(&im->memory, bytes);
	return ph;
}

static void write_image(struct image *im)
{
	cul_autofclose FILE *out = fopen(path, "w");
	uint64_t table = (im->n_ph + 1) * sizeof(Elf64_Phdr);
	uint64_t notes = sizeof(Elf64_Ehdr) + table + sizeof(Elf64_Shdr);
	Elf64_Shdr section = {.sh_info = (uint32_t)im->sh_info};
	Elf64_Phdr note = {
		.p_type = PT_NOTE, .p_offset = notes, .p_filesz = im->notes.len, .p_align = 4};
	Elf64_Ehdr eh = {.e_type = ET_CORE,
		.e_machine = (uint16_t)(im->machine ? im->machine : EM_X86_64),
		.e_phoff = sizeof(eh),
		.e_shoff = sizeof(eh) + table,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (uint16_t)(im->phnum ? im->phnum : im->n_ph + 1)};

	memcpy(eh.e_ident, ELFMAG, SELFMAG);
	eh.e_ident[EI_CLASS] = ELFCLASS64;
	eh.e_ident[EI_DATA] = ELFDATA2LSB;
	assert_non_null(out);
	fwrite(&eh, sizeof(eh), 1, out);
	fwrite(&note, sizeof(note), 1, out);
	for (unsigned i = 0; i < im->n_ph; i++) {
		if (im->ph[i].p_offset < im->memory.len || !im->ph[i].p_filesz)
			im->ph[i].p_offset += notes + im->notes.len;
		fwrite(&im->ph[i], sizeof(im->ph[i]), 1, out);
	}
	fwrite(&section, sizeof(section), 1, out);
	fwrite(cul_str_text(&im->notes), 1, im->notes.len, out);
	fwrite(cul_str_text(&im->memory), 1, im->memory.len, out);
}

static int open_image(struct image *im, struct cul_core **core)
{
	struct cul_error err = {0};
	int ret;

	write_image(im);
	cul_str_free(&im->notes);
	cul_str_free(&im->memory);
	ret = cul_core_open(path, core, &err);
	if (ret != 0)
		assert_int_equal(err.code, ret);
	return ret;
}

static void test_memory(void **state)
{
	struct image im = {0};
	struct cul_core *core;
	struct cul_mem *mem;
	char buf[16] = "";

	add_thread(&im, 7);
	add_segment(&im, STACK, "0123456789", 10);
	add_segment(&im, STACK + 10, "abcdef", 100); /* the rest was not dumped */
	add_segment(&im, CODE, "", 4096)->p_flags = PF_R | PF_X;
	assert_int_equal(open_image(&im, &core), 0);
	mem = cul_core_mem(core);
	assert_int_equal(core->threads.data[0].tid, 7);
	assert_int_equal(core->threads.data[0].regs.r[core->arch->reg_ip], 0x1000 + 16);
	assert_int_equal(core->signal.number, 11);
	assert_false(core->signal.has_details);
	assert_int_equal(core->size, core->promised);
	assert_int_equal(cul_mem_read(mem, STACK + 8, buf, 4), 0);
	assert_string_equal(buf, "89ab");
	assert_int_equal(cul_mem_read(mem, STACK + 14, buf, 4), -EFAULT);
	assert_int_equal(cul_mem_read(mem, STACK - 1, buf, 2), -EFAULT);
	assert_int_equal(cul_mem_read(mem, UINT64_MAX - 1, buf, 4), -EFAULT);
	assert_int_equal(cul_mem_read(mem, CODE, buf, 4), -EFAULT);
	assert_int_equal(cul_core_held(core, STACK + 12, buf, 16), 4);
	assert_int_equal(cul_core_held(core, CODE, buf, 16), 0);
	cul_core_free(core);
}

static int fill(void *data, uint64_t addr, void *buf, size_t size)
{
	memset(buf, *(char *)data, size);
	return 0;
}

/* What the process may have written is not taken from a file. */
static void test_from_files(void **state)
{
	struct image im = {0};
	struct cul_core *core;
	char buf[5] = "", from = 'f';

	add_thread(&im, 7);
	add_segment(&im, CODE, "head", 4096)->p_flags = PF_R | PF_X;
	add_segment(&im, STACK, "", 4096);
	assert_int_equal(open_image(&im, &core), 0);
	cul_core_fill(core, fill, &from);
	assert_int_equal(cul_mem_read(cul_core_mem(core), CODE + 2, buf, 4), 0);
	assert_string_equal(buf, "adff");
	assert_int_equal(cul_mem_read(cul_core_mem(core), STACK, buf, 4), -EFAULT);
	cul_core_free(core);
}

static void test_overlap(void **state)
{
	struct image im = {0};
	struct cul_core *core;
	char buf[5] = "";

	add_thread(&im, 7);
	add_segment(&im, STACK + 4, "BBBBBBBB", 8);
	add_segment(&im, STACK, "AAAAAAAA", 8);
	add_segment(&im, UINT64_MAX - 2, "CCCCCCCC", 8);
	add_segment(&im, STACK + 100, "", 0);
	add_segment(&im, STACK + 200, "DDDD", 4)->p_offset = UINT64_MAX - 1;
	assert_int_equal(open_image(&im, &core), 0);
	assert_int_equal(core->segments.len, 1);
	assert_int_equal(cul_mem_read(cul_core_mem(core), STACK + 4, buf, 4), 0);
	assert_string_equal(buf, "AAAA");
	assert_int_equal(cul_mem_read(cul_core_mem(core), STACK + 200, buf, 4), -EFAULT);
	cul_core_free(core);
}

static void test_lying_notes(void **state)
{
	const char short_status[64] = "";
	struct image im = {0};
	struct cul_core *core;

	add_note(&im, "CORE", NT_PRSTATUS, short_status, 64, 64);
	add_note(&im, "LINUX", NT_PRSTATUS, short_status, 64, 64);
	add_thread(&im, 1);
	add_note(&im, "CORE", NT_PRPSINFO, short_status, 64, 64);
	add_note(&im, "CORE", NT_SIGINFO, short_status, 16, 16);
	add_thread(&im, 2);
	add_note(&im, "CORE", NT_PRSTATUS, short_status, 64, 0xfffffff0);
	assert_int_equal(open_image(&im, &core), 0);
	assert_int_equal(core->threads.len, 2);
	assert_int_equal(core->pid, 0);
	assert_string_equal(core->name, "");
	assert_false(core->signal.has_details);
	assert_true(core->notes_cut);
	cul_core_free(core);

	im = (struct image){0};
	add_note(&im, "CORE", NT_PRSTATUS, short_status, 64, 64);
	assert_int_equal(open_image(&im, &core), -EBADMSG);
}

struct file_note {
	uint64_t count, page, ranges[9];
	char names[16];
};

static void test_files(void **state)
{
	/* The third name does not end. */
	const struct file_note good = {3, 4096,
		{0x9000, 0xa000, 2, 0x1000, 0x3000, 0, 0x4000, 0x5000, 1}, "/lib/a\0/bin/b\0/c"};
	struct file_note bad = good;
	struct image im = {0};
	struct cul_core *core;

	add_thread(&im, 1);
	add_note(&im, "CORE", NT_FILE, &good, sizeof(good), sizeof(good));
	assert_int_equal(open_image(&im, &core), 0);
	assert_int_equal(core->files.len, 2);
	assert_int_equal(core->files.data[0].start, 0x1000);
	assert_string_equal(core->files.data[0].path, "/bin/b");
	assert_int_equal(core->files.data[1].offset, 0x2000);
	assert_string_equal(core->files.data[1].path, "/lib/a");
	assert_true(core->notes_cut);
	cul_core_free(core);

	for (uint64_t count = 1ull << 20; count; count <<= 4) {
		im = (struct image){0};
		bad.count = count;
		add_thread(&im, 1);
		add_note(&im, "CORE", NT_FILE, &bad, sizeof(bad), sizeof(bad));
		assert_int_equal(open_image(&im, &core), 0);
		assert_int_equal(core->files.len, 0);
		assert_true(core->notes_cut);
		cul_core_free(core);
	}
}

/* More than 65,534 mappings: the count stands in the first section header. */
static void test_many_headers(void **state)
{
	struct image im = {0};
	struct cul_core *core;

	add_thread(&im, 1);
	add_segment(&im, STACK, "0123", 4);
	im.phnum = PN_XNUM;
	im.sh_info = 2;
	assert_int_equal(open_image(&im, &core), 0);
	assert_int_equal(core->segments.len, 1);
	cul_core_free(core);

	im = (struct image){0};
	add_thread(&im, 1);
	im.phnum = PN_XNUM;
	im.sh_info = UINT32_MAX;
	assert_int_equal(open_image(&im, &core), 0);
	assert_true(core->too_many);
	assert_true(core->size < core->promised);
	cul_core_free(core);
}

/* Many headers of the same notes: threads are bounded. */
static void test_many_threads(void **state)
{
	struct image im = {0};
	struct cul_core *core;

	for (int i = 0; i < 6000; i++)
		add_thread(&im, i);
	for (unsigned i = 0; i < 12; i++)
		im.ph[im.n_ph++] = (Elf64_Phdr){.p_type = PT_NOTE,
			.p_offset =
				sizeof(Elf64_Ehdr) + 13 * sizeof(Elf64_Phdr) + sizeof(Elf64_Shdr),
			.p_filesz = im.notes.len};
	assert_int_equal(open_image(&im, &core), 0);
	assert_int_equal(core->threads.len, CUL_CORE_MAX_THREADS);
	assert_true(core->too_many);
	cul_core_free(core);
}

/* asm/ptrace.h of arm64: struct user_pac_mask. */
static void test_signature(void **state)
{
	const uint64_t masks[] = {0x7fff8000000001, 0x7fff8000000000};
	uint8_t status[392] = {0};

	for (unsigned i = 0; i < 3; i++) {
		struct image im = {.machine = i == 1 ? EM_X86_64 : EM_AARCH64};
		struct cul_core *core;

		add_note(&im, "CORE", NT_PRSTATUS, status, sizeof(status), sizeof(status));
		add_note(&im, i == 2 ? "CORE" : "LINUX", NT_ARM_PAC_MASK, masks, sizeof(masks),
			sizeof(masks));
		assert_int_equal(open_image(&im, &core), 0);
		assert_int_equal(core->signature, i == 0 ? masks[1] : 0);
		cul_core_free(core);
	}
}

static void test_signals(void **state)
{
	bool has_addr;

	assert_string_equal(cul_signal_name(&cul_arch_aarch64, 7), "SIGBUS");
	assert_string_equal(cul_signal_name(&cul_arch_mips, 10), "SIGBUS");
	assert_null(cul_signal_name(&cul_arch_x86_64, 0));
	assert_null(cul_signal_name(&cul_arch_x86_64, 32));
	assert_null(cul_signal_name(&cul_arch_x86_64, -1));
	assert_string_equal(cul_signal_code_name(&cul_arch_mips, 10, 1, &has_addr), "BUS_ADRALN");
	assert_true(has_addr);
	assert_string_equal(cul_signal_code_name(&cul_arch_x86_64, 6, -6, &has_addr), "SI_TKILL");
	assert_false(has_addr);
	assert_null(cul_signal_code_name(&cul_arch_x86_64, 11, 77, &has_addr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_from_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overlap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lying_notes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signature, setup, teardown),
		cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
