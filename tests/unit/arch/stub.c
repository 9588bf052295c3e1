/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stubs of the procedure linkage table; bytes and targets as objdump shows them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"

static const struct {
	const struct cul_arch *arch;
	uint64_t addr;
	const char *bytes;
	uint64_t slot; /* 0: no stub */
	unsigned length;
} rows[] = {
	/* aarch64-linux-gnu-gcc 12: plain, -z pac-plt, -z force-bti (static) */
	{&cul_arch_aarch64, 0x7a0, "90000110 f9401a11 9100c210 d61f0220", 0x20030, 16},
	{&cul_arch_aarch64, 0x7d0, "90000110 f9401a11 9100c210 d503219f d61f0220 d503201f", 0x20030,
		20},
	{&cul_arch_aarch64, 0x4002c0, "d503245f d0000410 f9400211 91000210 d61f0220", 0x482000, 20},
	{&cul_arch_aarch64, 0x720, "a9bf7bf0 f00000f0 f947fe11 913fe210 d61f0220", 0, 0},
	{&cul_arch_aarch64, 0x7a0, "90000110 f9401a11 9100c210", 0, 0},
	/* arm-linux-gnueabihf-gcc 12: plain, --long-plt, the first entry; called by a Thumb branch
	 */
	{&cul_arch_arm, 0x4bc, "e28fc600 e28cca01 e5bcfb4c", 0x2010, 12},
	{&cul_arch_arm, 0x340, "e28fc200 e28cc600 e28cca01 e5bcfcc4", 0x200c, 16},
	{&cul_arch_arm, 0x49c, "e52de004 e59fe004 e08fe00e e5bef008", 0, 0},
	{&cul_arch_arm, 0x4bc, "e28fc600 e28cca01", 0, 0},
	{&cul_arch_arm, 0x4bc, "e28fc600 e28cca01 e28cca01 e28cca01 e5bcfb4c", 0, 0},
	{&cul_arch_arm, 0x308, "e7fd4778 e28fc600 e28cca01 e5bcfcfc", 0x2010, 16},
	/* lld 14, near and far */
	{&cul_arch_arm, 0x10300, "e28fc600 e28cca20 e5bcf0a8 d4d4d4d4", 0x303b0, 12},
	{&cul_arch_arm, 0x10300, "e59fc004 e08cc00f e59cf000 000200a4", 0x303b0, 16},
	{&cul_arch_aarch64, 0x90007a0, "90800010 f9401a11 9100c210 d61f0220", 0xffffffff09000030ull,
		16},
};

static void test_words(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *text = rows[i].bytes;
		uint8_t code[64];
		unsigned length = 0;
		uint64_t slot = 0;
		size_t n = 0;
		char *end;

		for (; *text; text = end) {
			uint32_t word = (uint32_t)strtoul(text, &end, 16);

			for (unsigned b = 0; b < 4; b++)
				code[n++] = (uint8_t)(word >> 8 * b);
		}
		assert_int_equal(rows[i].arch->stub(code, n, rows[i].addr, &slot, &length),
			rows[i].slot != 0);
		assert_int_equal(slot, rows[i].slot);
		assert_int_equal(length, rows[i].length);
	}
}

static void check_x86(const char *bytes, size_t size, uint64_t addr, uint64_t slot, unsigned length)
{
	const struct cul_arch *x86 = &cul_arch_x86_64;
	uint64_t got = 0;
	unsigned got_length = 0;

	assert_int_equal(
		x86->stub((const uint8_t *)bytes, size, addr, &got, &got_length), slot != 0);
	assert_int_equal(got, slot);
	assert_int_equal(got_length, length);
	/* Cut short it is none; bytes behind it are not looked at. */
	for (size_t n = 0; slot && n < 6; n++)
		assert_false(x86->stub((const uint8_t *)bytes, n, addr, &got, &got_length));
}

static void test_x86(void **state)
{
	/* ld 2.40: .plt, .plt.sec, .plt.sec before 2.41 with bnd, .plt.got, the first of .plt */
	check_x86("\xff\x25\xe2\x2f\x00\x00\x68\x00\x00\x00\x00\xe9\xe0\xff\xff\xff", 16, 0x1030,
		0x4018, 16);
	check_x86("\xf3\x0f\x1e\xfa\xff\x25\x76\x2f\x00\x00\x66\x0f\x1f\x44\x00\x00", 16, 0x1080,
		0x4000, 16);
	check_x86("\xf3\x0f\x1e\xfa\xf2\xff\x25\x75\x2f\x00\x00\x0f\x1f\x44\x00\x00", 16, 0x1080,
		0x4000, 16);
	check_x86("\xff\x25\x5a\x2f\x00\x00\x66\x90", 8, 0x1080, 0x3fe0, 8);
	check_x86("\xff\x25\xf6\xff\xff\xff", 6, 0x1004, 0x1000, 8);
	check_x86("\xff\x35\xe2\x2f\x00\x00\xff\x25\xe4\x2f\x00\x00", 12, 0x1020, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_x86),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
