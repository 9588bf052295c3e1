/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as .debug_frame, or as .eh_frame_hdr and .eh_frame, and nothing else, of a file of any
 * architecture: its rules at a few places, and a stack walked by them. The input: one byte for the
 * architecture and how libdw will find the section, one for how far the places are apart, two for
 * the first; then the section, or two bytes for the size of the header, the header, and the
 * section.
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

static const char names[] = "\0.debug_frame\0.shstrtab\0.eh_frame_hdr\0.eh_frame";
enum { NAME_DEBUG = 1, NAME_NAMES = 14, NAME_HDR = 24, NAME_EH = 38 };

/* EH_SEGMENT: by the program header that the loader uses; EH_SECTION: by the sections' names. */
enum kind { DEBUG, EH_SEGMENT, EH_SECTION, EH_WALK, KINDS };

enum { TABLES = 0x2000 }; /* where they are in memory */

struct thread {
	struct cul_mem mem;
	struct cul_objfile *file;
	uint64_t stack[STACK_SIZE / 8];
};

/* A file: its headers, the sections, the names of sections. `hdr` is how much of `size` is one. */
#define MAKE(bits)                                                                                 \
	static size_t make_##bits(unsigned machine, enum kind kind, const uint8_t *data,           \
		uint32_t size, uint32_t hdr, uint8_t *out)                                         \
	{                                                                                          \
		struct {                                                                           \
			Elf##bits##_Ehdr eh;                                                       \
			Elf##bits##_Phdr ph[3];                                                    \
			Elf##bits##_Shdr sh[4];                                                    \
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
		h.eh.e_phentsize = sizeof(h.ph[0]);                                                \
		h.eh.e_phnum = kind == EH_SEGMENT ? 3 : 2;                                         \
		h.eh.e_shentsize = sizeof(h.sh[0]);                                                \
		h.eh.e_shnum = 4;                                                                  \
		h.eh.e_shstrndx = 3;                                                               \
		h.ph[0].p_type = h.ph[1].p_type = PT_LOAD;                                         \
		h.ph[0].p_flags = PF_R | PF_X;                                                     \
		h.ph[0].p_filesz = sizeof(h);                                                      \
		h.ph[0].p_memsz = TABLES;                                                          \
		h.ph[1].p_flags = PF_R;                                                            \
		h.ph[1].p_vaddr = h.ph[2].p_vaddr = TABLES;                                        \
		h.ph[1].p_offset = h.ph[2].p_offset = at;                                          \
		h.ph[1].p_filesz = h.ph[1].p_memsz = size;                                         \
		h.ph[2].p_type = PT_GNU_EH_FRAME;                                                  \
		h.ph[2].p_filesz = h.ph[2].p_memsz = hdr;                                          \
		h.sh[1].sh_name = kind == EH_SECTION ? NAME_HDR : 0;                               \
		h.sh[1].sh_type = h.sh[2].sh_type = SHT_PROGBITS;                                  \
		h.sh[1].sh_addr = TABLES;                                                          \
		h.sh[1].sh_offset = at;                                                            \
		h.sh[1].sh_size = hdr;                                                             \
		h.sh[2].sh_name = kind == DEBUG ? NAME_DEBUG : NAME_EH;                            \
		h.sh[2].sh_addr = kind == DEBUG ? 0 : TABLES + hdr;                                \
		h.sh[2].sh_offset = at + hdr;                                                      \
		h.sh[2].sh_size = size - hdr;                                                      \
		h.sh[3].sh_name = NAME_NAMES;                                                      \
		h.sh[3].sh_type = SHT_STRTAB;                                                      \
		h.sh[3].sh_offset = at + size;                                                     \
		h.sh[3].sh_size = sizeof(names);                                                   \
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
	enum kind kind;
	uint32_t hdr = 0;
	uint64_t pc, apart;
	size_t n;

	if (size < HEAD || size - HEAD > SECTION_MOST)
		return 0;
	arch = arches[data[0] % (sizeof(arches) / sizeof(arches[0]))];
	kind = data[0] / (sizeof(arches) / sizeof(arches[0])) % KINDS;
	pc = data[2] | data[3] << 8;
	apart = data[1];
	data += HEAD;
	size -= HEAD;
	if (kind != DEBUG) {
		if (size < 2 || (hdr = data[0] | data[1] << 8) > size - 2)
			return 0;
		data += 2;
		size -= 2;
	}
	n = (arch->word == 4 ? make_32 : make_64)(
		arch->elf_machine, kind, data, (uint32_t)size, hdr, bytes);
	for (size_t i = 0; i < STACK_SIZE / 8; i++)
		t.stack[i] = i % 2 ? STACK + i * 8 % STACK_SIZE : pc + i % PLACES * apart;
	if (cul_objfile_open_image(bytes, n, "fuzz", 0, &t.file) != 0)
		abort();
	if (cul_unwinder_new(arch, &t.mem, &space, &u) == 0) {
		for (unsigned i = 0; i < PLACES; i++)
			walk(u, arch, &t, (pc + i * apart) % CODE_SIZE);
	}
	cul_unwinder_free(u);
	cul_objfile_free(t.file);
	return 0;
}
