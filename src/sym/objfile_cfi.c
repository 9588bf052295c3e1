/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether libdw may be asked for the frames of a section. Executing its instructions it keeps room
 * for every register up to the largest that is named, and once more for each state that is
 * remembered: a few bytes can ask for gigabytes (elfutils 0.188, libdw/cfi.c, enough_registers).
 * What the instructions are: DWARF 5, 6.4.2 and 7.24; what .eh_frame has besides: LSB 5.0 Core,
 * 10.6.
 */
#include <dwarf.h>
#include <string.h>

#include "sym/objfile_priv.h"

enum {
	REGS_MOST = 1024, /* no architecture has numbers beyond a few hundred */
	REMEMBERED_MOST = 64,
	PROGRAM_MOST = 1 << 20,     /* bytes of the instructions of one function */
	EXPRESSIONS_MOST = 1 << 12, /* bytes in them: libdw makes some 50 of each, and keeps them */
	LEB_MOST = 9,
	ENTRIES_MOST = 1 << 20, /* libdw keeps all that it has walked over */
};

struct program {
	const uint8_t *p, *end;
	unsigned address;    /* bytes */
	unsigned remembered; /* at once */
	uint64_t expressions;
	bool broken; /* an operand is cut off, or so long that libdw would read it otherwise */
};

static uint64_t leb(struct program *g)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < LEB_MOST && g->p < g->end; i++) {
		uint8_t byte = *g->p++;

		value |= (uint64_t)(byte & 127) << 7 * i;
		if (!(byte & 128))
			return value;
	}
	g->broken = true;
	return UINT64_MAX;
}

static void skip(struct program *g, uint64_t bytes)
{
	if (bytes <= (uint64_t)(g->end - g->p))
		g->p += bytes;
	else
		g->broken = true;
}

static void expression(struct program *g)
{
	uint64_t size = leb(g);

	skip(g, size);
	g->expressions += g->broken ? 0 : size;
}

/* The operands of an instruction, as letters: r a register, n a number, b a block, a an address. */
static const char *operands(uint8_t op)
{
	static const char *const table[] = {
		[DW_CFA_nop] = "",
		[DW_CFA_set_loc] = "a",
		[DW_CFA_advance_loc1] = "1",
		[DW_CFA_advance_loc2] = "2",
		[DW_CFA_advance_loc4] = "4",
		[DW_CFA_offset_extended] = "rn",
		[DW_CFA_restore_extended] = "r",
		[DW_CFA_undefined] = "r",
		[DW_CFA_same_value] = "r",
		[DW_CFA_register] = "rr",
		[DW_CFA_remember_state] = "",
		[DW_CFA_restore_state] = "",
		[DW_CFA_def_cfa] = "rn",
		[DW_CFA_def_cfa_register] = "r",
		[DW_CFA_def_cfa_offset] = "n",
		[DW_CFA_def_cfa_expression] = "b",
		[DW_CFA_expression] = "rb",
		[DW_CFA_offset_extended_sf] = "rn",
		[DW_CFA_def_cfa_sf] = "rn",
		[DW_CFA_def_cfa_offset_sf] = "n",
		[DW_CFA_val_offset] = "rn",
		[DW_CFA_val_offset_sf] = "rn",
		[DW_CFA_val_expression] = "rb",
		[DW_CFA_MIPS_advance_loc8] = "8",
		[DW_CFA_GNU_window_save] = "", /* of arm64: a signature */
		[DW_CFA_GNU_args_size] = "n",
		[DW_CFA_GNU_negative_offset_extended] = "rn",
	};

	if (op >= DW_CFA_advance_loc)
		return op >> 6 == DW_CFA_offset >> 6 ? "n" : "";
	return op < sizeof(table) / sizeof(table[0]) ? table[op] : NULL;
}

/* One that libdw does not know ends its work, and ours. */
static bool is_sane(struct program *g)
{
	if (g->broken || g->end - g->p > PROGRAM_MOST)
		return false;
	while (g->p < g->end) {
		uint8_t op = *g->p++;
		const char *what = operands(op);

		if (!what)
			return true;
		if (op == DW_CFA_remember_state && ++g->remembered > REMEMBERED_MOST)
			return false;
		if (op == DW_CFA_restore_state && g->remembered)
			g->remembered--;
		for (; *what; what++) {
			if (*what == 'r' && leb(g) >= REGS_MOST)
				return false;
			if (*what == 'n')
				leb(g);
			else if (*what == 'b')
				expression(g);
			else if (*what != 'r')
				skip(g, *what == 'a' ? g->address : (unsigned)(*what - '0'));
		}
		if (g->broken || g->expressions > EXPRESSIONS_MOST)
			return false;
	}
	return true;
}

/* Assemblers write none into .debug_frame but of signal frames and of how arm64 signs. */
static bool is_plain(const Dwarf_CIE *cie)
{
	return strspn(cie->augmentation, "SB") == strlen(cie->augmentation);
}

unsigned cul_objfile_eh_size(uint8_t encoding, unsigned word)
{
	switch (encoding & 15) {
	case DW_EH_PE_absptr:
		return word;
	case DW_EH_PE_udata2:
	case DW_EH_PE_sdata2:
		return 2;
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4:
		return 4;
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return 8;
	default:
		return 0;
	}
}

/*
 * "z", then a letter for each thing in the augmentation data; without "z" there is none. All of it
 * is held to the size that is told, which libdw does not always do.
 */
static bool read_augmentation(struct cul_cfi_section *s, const Dwarf_CIE *cie)
{
	const char *letter = cie->augmentation;
	struct program g = {.p = cie->augmentation_data,
		.end = cie->augmentation_data + cie->augmentation_data_size};

	s->sized = *letter == 'z';
	if (!s->sized)
		return !*letter;
	while (*++letter && !g.broken) {
		uint8_t encoding = g.p < g.end ? *g.p : (uint8_t)DW_EH_PE_omit;
		unsigned size = cul_objfile_eh_size(encoding, s->word);

		if (!strchr("RLPSBG", *letter))
			return false;
		if (strchr("RLP", *letter))
			skip(&g, 1);
		if (strchr("RP", *letter) && encoding != DW_EH_PE_omit &&
			(size == 0 || (encoding & 0x70) == DW_EH_PE_aligned))
			return false;
		if (*letter == 'P' && encoding != DW_EH_PE_omit)
			skip(&g, size);
		if (*letter == 'R')
			s->address = size;
	}
	return !g.broken && s->address;
}

static bool cie_is_sane(struct cul_cfi_section *s, Dwarf_Off offset)
{
	struct program g = {0};
	Dwarf_CFI_Entry entry;
	Dwarf_Off next;

	s->address = s->word;
	if (dwarf_next_cfi(s->ident, s->data, s->is_eh, offset, &next, &entry) != 0 ||
		!dwarf_cfi_cie_p(&entry))
		return !s->is_eh; /* of .debug_frame nothing is made of it then */
	if (s->is_eh ? !read_augmentation(s, &entry.cie) : !is_plain(&entry.cie))
		return false;
	g.p = entry.cie.initial_instructions;
	g.end = entry.cie.initial_instructions_end;
	g.address = s->address;
	return entry.cie.return_address_register < REGS_MOST && is_sane(&g);
}

static bool fde_is_sane(struct cul_cfi_section *s, const Dwarf_FDE *fde, uint64_t *expressions)
{
	struct program g = {.p = fde->start, .end = fde->end};

	if (!s->has_cie || fde->CIE_pointer != s->cie) {
		s->has_cie = cie_is_sane(s, fde->CIE_pointer);
		s->cie = fde->CIE_pointer;
	}
	if (!s->has_cie)
		return false;
	g.address = s->address;
	skip(&g, 2 * s->address); /* where its code begins, and how much it is */
	if (s->sized)
		skip(&g, leb(&g));
	*expressions = 0;
	if (!is_sane(&g))
		return false;
	*expressions = g.expressions;
	return true;
}

bool cul_objfile_cfi_is_sane(struct cul_cfi_section *s)
{
	Dwarf_Off offset = 0, next;
	uint64_t expressions;

	for (unsigned entries = 0; s->ident && s->data && s->data->d_buf; offset = next) {
		Dwarf_CFI_Entry entry;
		int ret;

		next = offset;
		ret = dwarf_next_cfi(s->ident, s->data, s->is_eh, offset, &next, &entry);
		if (ret > 0 || next <= offset) /* libdw goes no further either */
			return true;
		if (++entries > ENTRIES_MOST)
			return false;
		if (ret == 0 && !dwarf_cfi_cie_p(&entry) &&
			!fde_is_sane(s, &entry.fde, &expressions))
			return false;
	}
	return false;
}

bool cul_objfile_cfi_fde_is_sane(struct cul_cfi_section *s, uint64_t offset, uint64_t *expressions)
{
	Dwarf_CFI_Entry entry;
	Dwarf_Off next;

	return offset < s->data->d_size &&
	       dwarf_next_cfi(s->ident, s->data, s->is_eh, offset, &next, &entry) == 0 &&
	       !dwarf_cfi_cie_p(&entry) && fde_is_sane(s, &entry.fde, expressions);
}

bool cul_objfile_debug_frame_is_sane(Elf *elf)
{
	struct cul_cfi_section s = {.ident = (const unsigned char *)elf_getident(elf, NULL)};
	GElf_Shdr shdr;
	Elf_Scn *scn = cul_objfile_elf_section(elf, ".debug_frame", &shdr);

	s.data = scn ? elf_getdata(scn, NULL) : NULL;
	s.word = s.ident && s.ident[EI_CLASS] == ELFCLASS32 ? 4 : 8;
	return cul_objfile_cfi_is_sane(&s);
}
