/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions of the later opcode maps by their form alone: VEX (C4, C5), EVEX (62), XOP (8F) and
 * the legacy maps 0F38 and 0F3A. How long they are follows from the map; which of them store is a
 * short list. capstone 4.0.2 does not know half of AVX-512, and gives others a wrong length.
 * Intel SDM volume 2, 2.3, 2.7 and appendix A; AMD64 manual volume 6 for XOP.
 */
#include "arch/x86_64/x86_64.h"

enum { PP_66 = 1, PP_F3 = 2, PP_F2 = 3 };

/* ModRM, SIB and displacement: SDM volume 2, table 2-2 and 2-3. 0: they leave `n` bytes. */
static unsigned address_bytes(const uint8_t *b, unsigned n)
{
	unsigned len = 1, mod, rm;

	if (n < 2)
		return n;
	mod = b[0] >> 6;
	rm = b[0] & 7;
	if (mod == 3)
		return 1;
	if (rm == 4) {
		len++;
		rm = b[1] & 7;
	}
	if (mod == 1)
		len += 1;
	else if (mod == 2 || rm == 5)
		len += 4;
	return len;
}

static unsigned immediate_bytes(const struct cul_x86_vector *v)
{
	if (v->map == 3 || v->map == 8)
		return 1;
	if (v->map == 10)
		return 4;
	return v->map == 1 && ((v->opcode >= 0x70 && v->opcode <= 0x73) || v->opcode == 0xc2 ||
				      (v->opcode >= 0xc4 && v->opcode <= 0xc6));
}

/* Behind prefixes: the bytes before the opcode, 0 for another form. */
static unsigned lead(const uint8_t *b, unsigned n, struct cul_x86_vector *v)
{
	if (n < 5)
		return 0;
	switch (b[0]) {
	case 0xc5:
		v->map = 1;
		v->pp = b[1] & 3;
		return 2;
	case 0xc4:
		v->map = b[1] & 31;
		v->pp = b[2] & 3;
		v->w = b[2] >> 7;
		return v->map >= 1 && v->map <= 3 ? 3 : 0;
	case 0x62:
		v->map = b[1] & 15;
		v->pp = b[2] & 3;
		v->w = b[2] >> 7;
		v->length = b[3] >> 5 & 3;
		return v->map >= 1 && v->map <= 6 && v->map != 4 && b[2] & 4 ? 4 : 0;
	case 0x8f:
		v->map = b[1] & 31;
		return v->map >= 8 && v->map <= 10 ? 3 : 0;
	}
	return 0;
}

/* Segments and the size of addresses may stand before all of them, the others before 0F alone. */
static unsigned prefixes(const uint8_t *b, unsigned n, struct cul_x86_vector *v)
{
	unsigned at = 0, legacy = 0;
	uint8_t rex = 0;

	for (; at < n; at++) {
		if (b[at] == 0x66 || (b[at] & 0xfe) == 0xf2)
			legacy = b[at];
		else if ((b[at] & 0xf0) != 0x40 && b[at] != 0x67 && (b[at] & 0xfe) != 0x64 &&
			 (b[at] & 0xe7) != 0x26)
			break;
		rex = (b[at] & 0xf0) == 0x40 ? b[at] : 0; /* it counts as the last one only */
	}
	v->w = rex & 8;
	v->pp = legacy == 0x66 ? PP_66 : legacy == 0xf3 ? PP_F3 : legacy == 0xf2 ? PP_F2 : 0;
	v->legacy = at < n && b[at] == 0x0f;
	return !v->legacy && (legacy || rex) ? n : at;
}

/* 0F38, 0F3A; what 0F has of hints, new system instructions and ud0, ud1, all with a ModRM. */
static unsigned lead_legacy(const uint8_t *b, unsigned n, struct cul_x86_vector *v)
{
	if (n < 3)
		return 0;
	switch (b[1]) {
	case 0x38:
	case 0x3a:
		v->map = b[1] == 0x38 ? 2 : 3;
		return 2;
	case 0x01:
	case 0x0d:
	case 0x18 ... 0x1f:
	case 0xae:
	case 0xb9:
	case 0xff:
		return 1;
	}
	return 0;
}

bool cul_x86_vector(const uint8_t *b, unsigned n, struct cul_x86_vector *out)
{
	struct cul_x86_vector v = {0};
	unsigned at = prefixes(b, n, &v), bytes;

	if (at >= n)
		return false;
	bytes = v.legacy ? lead_legacy(b + at, n - at, &v) : lead(b + at, n - at, &v);
	if (!bytes)
		return false;
	v.evex = b[at] == 0x62;
	at += bytes;
	v.opcode = b[at++];
	v.modrm = 0xc0;
	if (v.map == 1 && v.opcode == 0x77 && !v.legacy) { /* vzeroupper, vzeroall */
		v.len = at;
	} else {
		if (at >= n)
			return false;
		v.modrm = b[at];
		v.len = at + address_bytes(b + at, n - at) + immediate_bytes(&v);
	}
	if (v.len > n)
		return false;
	*out = v;
	return true;
}

static bool stores_in_0f38(const struct cul_x86_vector *v)
{
	switch (v->opcode) {
	case 0xf1: /* movbe; with F2 crc32 */
		return v->pp != PP_F2;
	case 0xf8: /* movdir64b: to where a register says */
		return v->pp == PP_66;
	case 0xf5: /* wruss */
		return v->pp == PP_66;
	case 0xf6: /* wrss; with 66 adcx, with F3 adox */
	case 0xf9: /* movdiri */
		return !v->pp;
	}
	return false;
}

static bool stores_in_map2(const struct cul_x86_vector *v)
{
	switch (v->opcode) {
	case 0x10 ... 0x15:
	case 0x20 ... 0x25:
	case 0x30 ... 0x35: /* vpmov to narrower elements; with 66 they load */
		return v->evex && v->pp == PP_F3;
	case 0x2e:
	case 0x2f: /* vmaskmov; vscalef has 2c, 2d */
	case 0x8e: /* vpmaskmov */
		return !v->evex;
	case 0x49: /* sttilecfg; ldtilecfg has no prefix */
		return !v->evex && v->pp == PP_66;
	case 0x4b: /* tilestored; tileloadd has other prefixes */
		return !v->evex && v->pp == PP_F3;
	case 0x63:
	case 0x8a:
	case 0x8b: /* vcompress, vpcompress */
	case 0xa0 ... 0xa3:
		return v->evex;
	}
	return false;
}

unsigned cul_x86_vector_narrowed(const struct cul_x86_vector *v)
{
	/* To a half of the vector, a quarter, an eighth: words, doublewords and quadwords. */
	static const uint8_t parts[] = {2, 4, 8, 2, 4, 2};

	if (!v->evex || v->map != 2 || v->pp != PP_F3 || v->opcode >= 0x36 || (v->opcode & 15) > 5)
		return 0;
	return (16u << v->length) / parts[v->opcode & 15];
}

bool cul_x86_vector_stores(const struct cul_x86_vector *v)
{
	unsigned reg = v->modrm >> 3 & 7;

	if (v->modrm >> 6 == 3)
		return false;
	if (v->legacy && v->map == 2)
		return stores_in_0f38(v);
	if (v->legacy)
		return v->map == 3 && v->opcode >= 0x14 && v->opcode <= 0x17;
	switch (v->map) {
	case 1:
		switch (v->opcode) {
		case 0x11:
		case 0x13:
		case 0x17:
		case 0x29:
		case 0x2b:
		case 0x7f:
		case 0x91: /* kmov */
		case 0xd6:
		case 0xe7:
			return true;
		case 0x7e:
			return v->pp == PP_66;
		case 0xae:
			return reg == 3; /* vstmxcsr */
		}
		return false;
	case 2:
		return stores_in_map2(v);
	case 3:
		return (v->opcode >= 0x14 && v->opcode <= 0x17) || v->opcode == 0x19 ||
		       v->opcode == 0x1b || v->opcode == 0x1d || v->opcode == 0x39 ||
		       v->opcode == 0x3b;
	case 5:
		return v->opcode == 0x11 || v->opcode == 0x7e;
	}
	return false;
}
