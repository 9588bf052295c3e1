/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/instruction.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/*
 * Whether the code, decoded from its beginning, has an instruction at `addr`; else `*at` is where
 * that begins whose inside it is. Beyond what is no instruction, and beyond a breakpoint, which
 * another probe may have put there, nothing is certain, and it is true.
 */
static bool begins_there(
	const struct cul_arch *arch, const struct cul_code *code, uint64_t addr, uint64_t *at)
{
	struct cul_insn insn;

	for (*at = code->addr; *at < addr; *at += insn.len)
		if (arch->decode(code, *at, &insn) || insn.flow == CUL_FLOW_TRAP)
			return true;
		else if (insn.len > addr - *at)
			return false;
	return true;
}

int cul_instruction_at(struct cul_scope *scope, const struct cul_arch *arch,
	const struct cul_site *site, bool user, struct cul_insn *out, struct cul_error *err)
{
	enum { LONGEST = 16, ROOM = 32768 };
	uint8_t bytes[ROOM];
	uint64_t start, before;
	bool from_entry;
	struct cul_code code = {.bytes = bytes};
	int r;

	code.size = cul_scope_code(
		scope, site->addr, LONGEST, user, bytes, sizeof(bytes), &start, &from_entry);
	if (!code.size || !arch->decode)
		return cul_fail(err, -ENODATA,
			"the instruction at %s+0x%" PRIx64 " cannot be read; run as root",
			site->symbol, site->offset);
	code.addr = start;
	if (from_entry && !begins_there(arch, &code, site->addr, &before))
		return cul_fail(err, -EILSEQ,
			"no instruction begins at %s+0x%" PRIx64
			": it is inside the one at %s+0x%" PRIx64,
			site->symbol, site->offset, site->symbol,
			site->offset - (site->addr - before));
	r = arch->decode(&code, site->addr, out);
	if (r == -EILSEQ)
		return cul_fail(err, r, "no instruction begins at %s+0x%" PRIx64, site->symbol,
			site->offset);
	return r ? cul_fail(err, r, "out of memory") : 0;
}

int cul_instruction_next(const struct cul_site *site, const struct cul_insn *insn, unsigned *len,
	struct cul_error *err)
{
	static const char *const why[] = {
		[CUL_FLOW_JUMP] = "it jumps",
		[CUL_FLOW_RETURN] = "it returns",
		[CUL_FLOW_TRAP] = "it traps",
	};

	if (insn->flow != CUL_FLOW_NEXT)
		return cul_fail(err, -ENOTSUP,
			"--after: '%s' at %s+0x%" PRIx64
			" does not go on to the next instruction for certain: %s; without --after "
			"the registers before it are shown",
			insn->text, site->symbol, site->offset, why[insn->flow]);
	*len = insn->len;
	return 0;
}

void cul_instruction_regs_init(
	struct cul_instruction_regs *regs, const struct cul_arch *arch, struct cul_ctypes *ctypes)
{
	const struct cul_type *word = cul_ctypes_int(ctypes, arch->word, false);

	memset(regs, 0, sizeof(*regs));
	regs->type = (struct cul_type){.kind = CUL_KIND_STRUCT,
		.name = "registers",
		.size = (uint64_t)arch->n_regs * arch->word,
		.filled_members = true,
		.members = regs->members,
		.n_members = arch->n_regs};
	for (unsigned i = 0; i < arch->n_regs; i++)
		regs->members[i] = (struct cul_member){.name = arch->reg_names[i],
			.type = word,
			.bit_offset = (uint64_t)i * arch->word * 8};
	regs->pointer = word ? cul_ctypes_pointer(ctypes, &regs->type) : NULL;
}
