/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions against Zydis, another disassembler: how long each is, and what it does to how much
 * memory. All opcodes of all maps, with prefixes and forms of operands. Where the two differ it is
 * said here who is right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <Zydis/Zydis.h>

#include "arch/x86_64/x86_64.h"

enum { ADDRESS = 0x401000, ROOM = 24, CODE = CUL_X86_INSN_MAX };

struct compared {
	ZydisDecoder zydis;
	struct cul_x86_decoder ours;
	struct cul_regs regs;
	unsigned n, wrong;
};

struct insn {
	ZydisDecodedInstruction i;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	const uint8_t *bytes;
};

static struct compared c;

static void wrong(const struct insn *z, const char *what)
{
	if (c.wrong++ < 20) {
		print_error("%s: %s:", ZydisMnemonicGetString(z->i.mnemonic), what);
		for (unsigned i = 0; i < z->i.length; i++)
			print_error(" %02x", z->bytes[i]);
		print_error("\n");
	}
}

static bool is_memory(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.type != ZYDIS_MEMOP_TYPE_AGEN;
}

/* Whether it writes an operand, not below the stack pointer, and how many bytes. */
static bool is_written(const struct insn *z, unsigned *bytes)
{
	*bytes = 0;
	for (unsigned i = 0; i < z->i.operand_count; i++)
		if (is_memory(&z->op[i]) &&
			z->op[i].visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
			z->op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) {
			*bytes = z->op[i].size / 8;
			return true;
		}
	return false;
}

/* Knights Corner's jumps on masks, which no other processor has. */
static bool is_of_knights(const struct insn *z)
{
	return z->i.mnemonic == ZYDIS_MNEMONIC_JKZD || z->i.mnemonic == ZYDIS_MNEMONIC_JKNZD;
}

/* These have no operand in memory: it is where a register points. */
static bool is_implicit(const struct insn *z)
{
	return z->i.mnemonic == ZYDIS_MNEMONIC_VMASKMOVDQU ||
	       z->i.mnemonic == ZYDIS_MNEMONIC_MOVDIR64B;
}

static void compare_vector(const struct insn *z)
{
	struct cul_x86_vector v;
	unsigned bytes;
	bool known = cul_x86_vector(z->bytes, CODE, &v);
	bool later = z->i.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
		     z->i.opcode_map == ZYDIS_OPCODE_MAP_0F38 ||
		     z->i.opcode_map == ZYDIS_OPCODE_MAP_0F3A;

	if (is_of_knights(z))
		return;
	if (later && !known)
		wrong(z, "not known by its form");
	if (known && v.len != z->i.length)
		wrong(z, "another length by its form");
	if (later && known && !is_implicit(z) && cul_x86_vector_stores(&v) != is_written(z, &bytes))
		wrong(z, "another access by its form");
}

/* Both legacy prefixes at once; or 66 before a near branch, where Intel ignores it and AMD does
 * not. */
static bool is_doubtful(const struct insn *z)
{
	bool size = z->i.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE;
	bool repeated = false, near = false;

	for (unsigned i = 0; i < z->i.raw.prefix_count; i++) {
		uint8_t p = z->i.raw.prefixes[i].value;

		size |= p == 0x66;
		repeated |= p == 0xf2 || p == 0xf3;
	}
	for (unsigned i = 0; i < z->i.operand_count; i++)
		near |= z->i.operand_count && z->op[i].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
			z->op[i].imm.is_relative;
	near |= z->i.meta.category == ZYDIS_CATEGORY_RET;
	return size && (repeated || near);
}

/*
 * Whether the sizes may differ: xsave's has no end that is known; of enter Zydis sees the last
 * push; of scatter and compress one element; bndmov was of MPX, and nop elsewhere.
 */
static bool has_own_size(const struct insn *z)
{
	struct cul_x86_shape shape = cul_x86_shape(c.ours.insn);

	return z->i.meta.category == ZYDIS_CATEGORY_XSAVE ||
	       z->i.meta.category == ZYDIS_CATEGORY_XSAVEOPT ||
	       z->i.meta.category == ZYDIS_CATEGORY_SCATTER ||
	       z->i.mnemonic == ZYDIS_MNEMONIC_BNDMOV ||
	       (shape.map == CUL_X86_LEGACY && shape.opcode == 0xc8);
}

static void compare_touches(const struct insn *z)
{
	struct cul_trap trap = {.regs = &c.regs,
		.watch = CUL_ACCESS_READ_WRITE,
		.fs_known = true,
		.gs_known = true};
	struct cul_x86_touch touches[CUL_X86_TOUCHES];
	unsigned n = cul_x86_touches(c.ours.insn, &trap, touches), width;
	bool stores = is_written(z, &width), found = false, any = false;

	for (unsigned i = 0; i < n; i++) {
		any |= touches[i].kind != CUL_ACCESS_READ;
		found |= touches[i].kind != CUL_ACCESS_READ && touches[i].width == width;
	}
	if (stores && !any)
		wrong(z, "a store that is not seen");
	else if (stores && !found)
		wrong(z, "another size");
	for (unsigned i = 0; i < z->i.operand_count; i++)
		any &= !(
			is_memory(&z->op[i]) && z->op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE);
	if (any)
		wrong(z, "no store");
}

static void compare(const uint8_t *bytes)
{
	struct cul_code code = {bytes, CODE, ADDRESS, true};
	struct insn z = {.bytes = bytes};
	struct cul_x86_vector unknown;
	unsigned len;

	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&c.zydis, bytes, CODE, &z.i, z.op)))
		return;
	c.n++;
	compare_vector(&z);
	if (is_doubtful(&z) || is_of_knights(&z))
		return;
	len = cul_x86_step(&c.ours, &code, ADDRESS, &unknown);
	if (len != z.i.length)
		wrong(&z, len ? "another length" : "not known");
	else if (!unknown.len && cul_x86_insn(&c.ours, &code, ADDRESS) && !has_own_size(&z))
		compare_touches(&z);
}

/* What stands before an operand, then the operand in several forms and bytes for a displacement. */
static void each_operand(const uint8_t *head, unsigned n)
{
	static const uint8_t forms[][3] = {{0x03}, {0x05}, {0x44, 0x8e, 0x08}, {0x43, 0x11},
		{0x04, 0x0b}, {0xc1}, {0x04, 0x24}};

	for (unsigned reg = 0; reg < 8; reg++) {
		for (unsigned f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
			uint8_t bytes[ROOM];

			memset(bytes, 0x11, sizeof(bytes));
			memcpy(bytes, head, n);
			memcpy(bytes + n, forms[f],
				f == 2                       ? 3
				: f == 3 || f == 4 || f == 6 ? 2
							     : 1);
			bytes[n] |= (uint8_t)(reg << 3);
			compare(bytes);
		}
	}
}

static void legacy(void **state)
{
	static const char *const prefixes[] = {"", "\x66", "\xf3", "\xf2", "\x48", "\x66\x48",
		"\xf3\x48", "\xf2\x48", "\x67", "\xf0", "\x64", "\xf0\x48", "\x41", "\x48\x26"};
	static const char *const escapes[] = {"", "\x0f", "\x0f\x38", "\x0f\x3a"};
	uint8_t head[ROOM];

	for (size_t p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++) {
		for (size_t e = 0; e < 4; e++) {
			unsigned n = (unsigned)snprintf(
				(char *)head, sizeof(head), "%s%s", prefixes[p], escapes[e]);

			for (unsigned opcode = 0; opcode < 256; opcode++) {
				head[n] = (uint8_t)opcode;
				each_operand(head, n + 1);
			}
		}
	}
	assert_true(c.n > 100000);
	assert_int_equal(c.wrong, 0);
}

/* C4 (and 8F): R X B and the map; W, the second source, L and the prefix. */
static void vex_and_xop(void **state)
{
	for (unsigned map = 1; map <= 10; map++) {
		for (unsigned bits = 0; bits < 32; bits++) {
			uint8_t head[] = {map < 4 ? 0xc4 : 0x8f, (uint8_t)(0xe0 | map), 0, 0};

			if (map > 3 && map < 8)
				continue;
			head[2] = (uint8_t)((bits & 8) << 4 | (bits & 16 ? 0x0a : 0x0f) << 3 |
					    (bits & 7));
			for (unsigned opcode = 0; opcode < 256; opcode++) {
				head[3] = (uint8_t)opcode;
				each_operand(head, sizeof(head));
			}
		}
	}
	assert_true(c.n > 100000);
	assert_int_equal(c.wrong, 0);
}

/* 62: as with C4, then length, broadcast and mask. */
static void evex(void **state)
{
	for (unsigned map = 1; map <= 6; map++) {
		for (unsigned bits = 0; bits < 192; bits++) {
			uint8_t head[] = {0x62, (uint8_t)(0xf0 | map), 0, 0, 0};

			head[2] = (uint8_t)((bits & 4) << 5 | (bits & 8 ? 0x0a : 0x0f) << 3 | 4 |
					    (bits & 3));
			head[3] = (uint8_t)(bits / 64 << 5 | (bits & 16) | 8 | (bits & 32) >> 5);
			for (unsigned opcode = 0; opcode < 256; opcode++) {
				head[4] = (uint8_t)opcode;
				each_operand(head, sizeof(head));
			}
		}
	}
	assert_true(c.n > 100000);
	assert_int_equal(c.wrong, 0);
}

static int start(void **state)
{
	memset(&c, 0, sizeof(c));
	for (unsigned i = 0; i < CUL_X86_N_REGS; i++)
		c.regs.r[i] = 0x700000000000 + i * 0x10000;
	c.regs.r[CUL_X86_EFLAGS] = 0x246;
	ZydisDecoderInit(&c.zydis, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return cul_x86_decoder_open(&c.ours);
}

static int stop(void **state)
{
	print_message("%u compared\n", c.n);
	cul_x86_decoder_close(&c.ours);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(legacy, start, stop),
		cmocka_unit_test_setup_teardown(vex_and_xop, start, stop),
		cmocka_unit_test_setup_teardown(evex, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
