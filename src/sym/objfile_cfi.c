/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether libdw may be asked for the frames of a .debug_frame section. Executing its instructions
 * it keeps room for every register up to the largest that is named, and once more for each state
 * that is remembered: a few bytes can ask for gigabytes (elfutils 0.188, libdw/cfi.c,
 * enough_registers). What the instructions are: DWARF 5, 6.4.2 and 7.24.
 */
#include <dwarf.h>
#include <string.h>

#include "sym/objfile_priv.h"

enum {
	REGS_MOST = 1024, /* no architecture has numbers beyond a few hundred */
	REMEMBERED_MOST = 64,
};

struct program {
	const uint8_t *p, *end;
	unsigned address; /* bytes */
	unsigned remembered; /* at once */
};

static uint64_t leb(struct program *g)
{
	uint64_t value = 0;

	for (unsigned shift = 0; g->p < g->end; shift += 7) {
		uint8_t byte = *g->p++;

		value |= shift < 63 ? (uint64_t)(byte & 127) << shift : byte & 127 ? UINT64_MAX : 0;
		if (!(byte & 128))
			break;
	}
	return value;
}

static void skip(struct program *g, uint64_t bytes)
{
	g->p = bytes < (uint64_t)(g->end - g->p) ? g->p + bytes : g->end;
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
static bool is_sane(struct program g)
{
	while (g.p < g.end) {
		uint8_t op = *g.p++;
		const char *what = operands(op);

		if (!what)
			return true;
		if (op == DW_CFA_remember_state && ++g.remembered > REMEMBERED_MOST)
			return false;
		if (op == DW_CFA_restore_state && g.remembered)
			g.remembered--;
		for (; *what; what++) {
			if (*what == 'r' && leb(&g) >= REGS_MOST)
				return false;
			if (*what == 'n')
				leb(&g);
			else if (*what == 'b')
				skip(&g, leb(&g));
			else if (*what != 'r')
				skip(&g, *what == 'a' ? g.address : (unsigned)(*what - '0'));
		}
	}
	return true;
}

/* Assemblers write none here but of signal frames and of how arm64 signs. */
static bool is_plain(const Dwarf_CIE *cie)
{
	return strspn(cie->augmentation, "SB") == strlen(cie->augmentation);
}

static bool cie_is_sane(const unsigned char *ident, Elf_Data *data, Dwarf_Off offset)
{
	Dwarf_CFI_Entry entry;
	Dwarf_Off next;

	if (dwarf_next_cfi(ident, data, false, offset, &next, &entry) != 0 ||
		!dwarf_cfi_cie_p(&entry))
		return true; /* then nothing is made of it */
	return is_plain(&entry.cie) && entry.cie.return_address_register < REGS_MOST &&
	       is_sane((struct program){.p = entry.cie.initial_instructions,
		       .end = entry.cie.initial_instructions_end,
		       .address = ident[EI_CLASS] == ELFCLASS32 ? 4 : 8});
}

static bool fde_is_sane(const unsigned char *ident, const Dwarf_FDE *fde)
{
	struct program g = {
		.p = fde->start, .end = fde->end, .address = ident[EI_CLASS] == ELFCLASS32 ? 4 : 8};

	skip(&g, 2 * g.address); /* where its code begins, and how much it is */
	return is_sane(g);
}

bool cul_objfile_debug_frame_is_sane(Elf *elf)
{
	const unsigned char *ident = (const unsigned char *)elf_getident(elf, NULL);
	Dwarf_Off offset = 0, next, last_cie = DW_CIE_ID_64;
	GElf_Shdr shdr;
	Elf_Scn *scn = cul_objfile_elf_section(elf, ".debug_frame", &shdr);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;

	for (; ident && data && data->d_buf; offset = next) {
		Dwarf_CFI_Entry entry;
		int ret;

		next = offset;
		ret = dwarf_next_cfi(ident, data, false, offset, &next, &entry);
		if (ret > 0 || next <= offset) /* libdw goes no further either */
			return true;
		if (ret < 0 || dwarf_cfi_cie_p(&entry))
			continue;
		if (entry.fde.CIE_pointer != last_cie &&
			!cie_is_sane(ident, data, entry.fde.CIE_pointer))
			return false;
		last_cie = entry.fde.CIE_pointer;
		if (!fde_is_sane(ident, &entry.fde))
			return false;
	}
	return false;
}
