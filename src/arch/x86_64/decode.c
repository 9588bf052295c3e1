/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/x86_64/x86_64.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int cul_x86_decoder_open(struct cul_x86_decoder *dec)
{
	memset(dec, 0, sizeof(*dec));
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &dec->handle) != CS_ERR_OK)
		return -ENOMEM;
	cs_option(dec->handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
	/* With details on, so that cs_malloc makes room for them. */
	cs_option(dec->handle, CS_OPT_DETAIL, CS_OPT_ON);
	dec->insn = cs_malloc(dec->handle);
	if (!dec->insn) {
		cs_close(&dec->handle);
		return -ENOMEM;
	}
	return 0;
}

void cul_x86_decoder_close(struct cul_x86_decoder *dec)
{
	if (!dec->insn)
		return;
	cs_free(dec->insn, 1);
	cs_close(&dec->handle);
	memset(dec, 0, sizeof(*dec));
}

/* Bytes of code from `addr` on, at most as many as an instruction has. */
static unsigned bytes_at(const struct cul_code *code, uint64_t addr, const uint8_t **bytes)
{
	uint64_t at = addr - code->addr;

	if (at >= code->size)
		return 0;
	*bytes = code->bytes + at;
	return code->size - at < CUL_X86_INSN_MAX ? (unsigned)(code->size - at) : CUL_X86_INSN_MAX;
}

/* What capstone gets wrong the length of it has not understood. */
static bool disassemble(struct cul_x86_decoder *dec, const struct cul_code *code, uint64_t addr,
	cs_opt_value detail)
{
	const uint8_t *bytes, *first;
	unsigned n = bytes_at(code, addr, &bytes);
	struct cul_x86_vector v;
	size_t left = n;

	if (!n)
		return false;
	first = bytes;
	cs_option(dec->handle, CS_OPT_DETAIL, detail);
	if (!cs_disasm_iter(dec->handle, &bytes, &left, &addr, dec->insn))
		return false;
	return !cul_x86_vector(first, n, &v) || v.len == dec->insn->size;
}

unsigned cul_x86_length(struct cul_x86_decoder *dec, const struct cul_code *code, uint64_t addr)
{
	return disassemble(dec, code, addr, CS_OPT_OFF) ? dec->insn->size : 0;
}

unsigned cul_x86_step(struct cul_x86_decoder *dec, const struct cul_code *code, uint64_t addr,
	struct cul_x86_vector *unknown)
{
	const uint8_t *bytes;
	unsigned len = cul_x86_length(dec, code, addr), n;

	memset(unknown, 0, sizeof(*unknown));
	if (len)
		return len;
	n = bytes_at(code, addr, &bytes);
	return n && cul_x86_vector(bytes, n, unknown) ? unknown->len : 0;
}

bool cul_x86_insn(struct cul_x86_decoder *dec, const struct cul_code *code, uint64_t addr)
{
	return disassemble(dec, code, addr, CS_OPT_ON);
}

static const cs_x86_op *rip_operand(const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;

	for (unsigned i = 0; i < x86->op_count; i++) {
		const cs_x86_op *op = &x86->operands[i];

		if (op->type == X86_OP_MEM && op->mem.base == X86_REG_RIP)
			return op;
	}
	return NULL;
}

void cul_x86_text(const cs_insn *insn, char *text, size_t size)
{
	const cs_x86_op *rip = rip_operand(insn);
	int n = snprintf(
		text, size, "%s%s%s", insn->mnemonic, insn->op_str[0] ? " " : "", insn->op_str);

	for (char *c = text; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (rip && n > 0 && (size_t)n < size) {
		snprintf(text + n, size - (size_t)n, " # 0x%" PRIx64,
			insn->address + insn->size + (uint64_t)rip->mem.disp);
	}
}

static bool is_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64 ... 0x67:
	case 0xf0:
	case 0xf2:
	case 0xf3:
		return true;
	}
	return false;
}

static void take_prefix(struct cul_x86_shape *shape, uint8_t byte)
{
	switch (byte) {
	case 0x66:
		shape->operand16 = true;
		break;
	case 0x67:
		shape->addr32 = true;
		break;
	case 0xf2:
		shape->repne = true;
		break;
	case 0xf3:
		shape->rep = true;
		break;
	}
}

/* SDM volume 2, 2.1 and 2.3: prefixes, REX, escape bytes; C4, C5, 62 and XOP's 8F start a VEX-like
 * form. */
struct cul_x86_shape cul_x86_shape(const cs_insn *insn)
{
	struct cul_x86_shape shape = {0};
	const uint8_t *b = insn->bytes;
	unsigned n = insn->size, i = 0;

	for (; i + 1 < n && (is_prefix(b[i]) || (b[i] & 0xf0) == 0x40); i++) {
		take_prefix(&shape, b[i]);
		shape.rex_w = !is_prefix(b[i]) && b[i] & 8; /* it counts as the last one only */
	}
	shape.opcode = b[i];
	if (b[i] == 0xc4 || b[i] == 0xc5 || b[i] == 0x62 ||
		(b[i] == 0x8f && i + 1 < n && (b[i + 1] & 0x38))) {
		shape.map = CUL_X86_VEX;
	} else if (b[i] == 0x0f && i + 1 < n) {
		shape.map = CUL_X86_0F;
		shape.opcode = b[++i];
		if (i + 1 < n && (b[i] == 0x38 || b[i] == 0x3a)) {
			shape.map = b[i] == 0x38 ? CUL_X86_0F38 : CUL_X86_0F3A;
			shape.opcode = b[++i];
		}
	}
	return shape;
}

static bool is_in(const cs_insn *insn, uint8_t group)
{
	for (unsigned i = 0; i < insn->detail->groups_count; i++)
		if (insn->detail->groups[i] == group)
			return true;
	return false;
}

/* A system call comes back behind itself; syscall of user space has the group of interrupts. */
static enum cul_flow flow_of(const cs_insn *insn)
{
	switch (insn->id) {
	case X86_INS_SYSCALL:
		return CUL_FLOW_NEXT;
	case X86_INS_LOOP:
	case X86_INS_LOOPE:
	case X86_INS_LOOPNE:
		return CUL_FLOW_JUMP;
	case X86_INS_INT3:
	case X86_INS_UD2:
	case X86_INS_HLT:
		return CUL_FLOW_TRAP;
	case X86_INS_SYSRET:
	case X86_INS_SYSEXIT:
		return CUL_FLOW_RETURN;
	default:
		break;
	}
	if (is_in(insn, CS_GRP_RET) || is_in(insn, CS_GRP_IRET))
		return CUL_FLOW_RETURN;
	if (is_in(insn, CS_GRP_JUMP))
		return CUL_FLOW_JUMP;
	return is_in(insn, CS_GRP_INT) ? CUL_FLOW_TRAP : CUL_FLOW_NEXT;
}

int cul_x86_decode(const struct cul_code *code, uint64_t addr, struct cul_insn *out)
{
	struct cul_x86_decoder dec;
	int err = cul_x86_decoder_open(&dec);

	if (err)
		return err;
	if (cul_x86_insn(&dec, code, addr)) {
		memset(out, 0, sizeof(*out));
		out->addr = addr;
		out->len = dec.insn->size;
		out->flow = flow_of(dec.insn);
		cul_x86_text(dec.insn, out->text, sizeof(out->text));
	} else {
		err = -EILSEQ;
	}
	cul_x86_decoder_close(&dec);
	return err;
}
