/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as .debug_frame, and nothing else, of a file of any architecture: its rules at a few
 * places, and a stack walked by them. The input: one byte for the architecture, one for how far
 * the places are apart, two for the first; then the section.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/priv.h"

enum {
	HEAD = 4,
	SECTION_MOST = 0x4000,
	CODE_SIZE = 0x10000,
	STACK = 0x200000,
	STACK_SIZE = 0x4000,
	PLACES = 8,
	FRAMES = 200
};

static const char names[] = "\0.debug_frame\0.shstrtab";
enum { NAME_FRAME = 1, NAME_NAMES = 14 };

struct thread {
	struct cul_mem mem;
	struct cul_objfile *file;
	uint64_t stack[STACK_SIZE / 8];
};

/* A file: its headers, the section, the names of sections. */
#define MAKE(bits)                                                                                 \
	static size_t make_##bits(                                                                 \
		unsigned machine, const uint8_t *data, uint32_t size, uint8_t *out)                \
	{                                                                                          \
		struct {                                                                           \
			Elf##bits##_Ehdr eh;                                                       \
			Elf##bits##_Phdr ph;                                                       \
			Elf##bits##_Shdr sh[3];                                                    \
		} h;                                                                               \
		uint32_t at = sizeof(h);                                                           \
                                                                                                   \
		memset(&h, 0, sizeof(h));                                                          \
		memcpy(h.eh.e_ident, ELFMAG, SELFMAG);                                             \
		h.eh.e_ident[EI_CLASS] = ELFCLASS##bits;                                           \
		h.eh.e_ident[EI_DATA] = ELFDATA2LSB;                                               \
		h.eh.e_ident[EI_VERSION] = EV_CURRENT;                                             \
		h.eh.e_type = ET_EXEC;                                                             \
		h.eh.e_machine = (uint16_t)machine;                                                \
		h.eh.e_version = EV_CURRENT;                                                       \
		h.eh.e_phoff = sizeof(h.eh);                                                       \
		h.eh.e_shoff = sizeof(h.eh) + sizeof(h.ph);                                        \
		h.eh.e_ehsize = sizeof(h.eh);                                                      \
		h.eh.e_phentsize = sizeof(h.ph);                                                   \
		h.eh.e_phnum = 1;                                                                  \
		h.eh.e_shentsize = sizeof(h.sh[0]);                                                \
		h.eh.e_shnum = 3;                                                                  \
		h.eh.e_shstrndx = 2;                                                               \
		h.ph.p_type = PT_LOAD;                                                             \
		h.ph.p_flags = PF_R | PF_X;                                                        \
		h.ph.p_filesz = sizeof(h);                                                         \
		h.ph.p_memsz = CODE_SIZE;                                                          \
		h.sh[1].sh_name = NAME_FRAME;                                                      \
		h.sh[1].sh_type = h.sh[2].sh_type = SHT_PROGBITS;                                  \
		h.sh[1].sh_offset = at;                                                            \
		h.sh[1].sh_size = size;                                                            \
		h.sh[2].sh_name = NAME_NAMES;                                                      \
		h.sh[2].sh_type = SHT_STRTAB;                                                      \
		h.sh[2].sh_offset = at + size;                                                     \
		h.sh[2].sh_size = sizeof(names);                                                   \
		memcpy(out, &h, sizeof(h));                                                        \
		memcpy(out + at, data, size);                                                      \
		memcpy(out + at + size, names, sizeof(names));                                     \
		return at + size + sizeof(names);                                                  \
	}

MAKE(32)
MAKE(64)

static int read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct thread *t = (struct thread *)mem;

	if (addr < STACK || addr - STACK > STACK_SIZE || size > STACK_SIZE - (addr - STACK))
		return -1;
	memcpy(buf, (const uint8_t *)t->stack + (addr - STACK), size);
	return 0;
}

static int at(void *data, uint64_t addr, struct cul_code_at *out)
{
	struct thread *t = data;

	*out = (struct cul_code_at){.executable = addr < CODE_SIZE};
	out->file = out->executable ? t->file : NULL;
	return 0;
}

static void check(const struct cul_arch *arch, const struct cul_rules *rules)
{
	const struct cul_rule *r = &rules->cfa;

	if (r->kind != CUL_RULE_VAL_EXPR && (r->kind != CUL_RULE_REG || r->reg >= arch->n_regs))
		abort();
	for (unsigned i = 0; i < CUL_MAX_REGS; i++) {
		r = &rules->reg[i];
		if (r->kind > CUL_RULE_VAL_EXPR ||
			(r->kind == CUL_RULE_REG && r->reg >= arch->n_regs) ||
			(r->kind >= CUL_RULE_AT_EXPR && (!r->ops || !r->n_ops)))
			abort();
	}
}

static void walk(struct cul_unwinder *u, const struct cul_arch *arch, struct thread *t, uint64_t pc)
{
	const struct cul_unwind_options options = {.max_frames = FRAMES,
		.methods = 1u << CUL_UNWIND_CFI | 1u << CUL_UNWIND_FP | 1u << CUL_UNWIND_LR};
	struct cul_thread_regs regs = {.known = ~0ull};
	struct cul_stack stack = {0};
	struct cul_rules rules;

	if (cul_unwind_cfi(u, t->file, pc, &rules) == 0)
		check(arch, &rules);
	for (unsigned i = 0; i < CUL_MAX_REGS; i++)
		regs.regs.r[i] = STACK + i * 8;
	regs.regs.r[arch->reg_ip] = pc;
	if (cul_stack_walk(u, &regs, &options, &stack) != 0 || stack.depth > FRAMES)
		abort();
	cul_stack_free(&stack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cul_arch *const arches[] = {&cul_arch_x86_64, &cul_arch_aarch64,
		&cul_arch_arm, &cul_arch_mipsel, &cul_arch_mips64el};
	static const struct cul_mem_ops ops = {.name = "fuzz", .read = read};
	static uint8_t bytes[SECTION_MOST + 1024];
	static struct thread t = {{&ops}};
	const struct cul_code_space space = {.data = &t, .at = at};
	const struct cul_arch *arch;
	struct cul_unwinder *u = NULL;
	uint64_t pc;
	size_t n;

	if (size < HEAD || size - HEAD > SECTION_MOST)
		return 0;
	arch = arches[data[0] % (sizeof(arches) / sizeof(arches[0]))];
	pc = data[2] | data[3] << 8;
	n = (arch->word == 4 ? make_32 : make_64)(
		arch->elf_machine, data + HEAD, (uint32_t)(size - HEAD), bytes);
	for (size_t i = 0; i < STACK_SIZE / 8; i++)
		t.stack[i] = i % 2 ? STACK + i * 8 % STACK_SIZE : pc + i % PLACES * data[1];
	if (cul_objfile_open_image(bytes, n, "fuzz", 0, &t.file) != 0)
		abort();
	if (cul_unwinder_new(arch, &t.mem, &space, &u) == 0) {
		for (unsigned i = 0; i < PLACES; i++)
			walk(u, arch, &t, (pc + i * data[1]) % CODE_SIZE);
	}
	cul_unwinder_free(u);
	cul_objfile_free(t.file);
	return 0;
}
