/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/print.h"

#include <ctype.h>
#include <float.h>
#include <inttypes.h>
#include <string.h>

/* MAX_TEXT: after so much nothing more is begun; types from hostile bytes nest without bytes. */
enum { MAX_DEPTH = 3, MAX_ELEMENTS = 16, MAX_BYTES = 64, MAX_TEXT = 2048 };

struct printer {
	struct cul_str *out;
	const struct cul_print_names *names;
	size_t start; /* length of `out` before the value */
};

static void print(const struct printer *p, const struct cul_print_value *v, unsigned depth);

static bool type_is_signed(const struct cul_type *t)
{
	return t && t->is_signed;
}

uint64_t cul_print_bits(const struct cul_print_value *v)
{
	size_t size = v->size < 8 ? v->size : 8;
	unsigned bits = v->bit_size ? v->bit_size : (unsigned)size * 8;
	uint64_t word = 0;

	memcpy(&word, v->bytes, size);
	if (!bits || bits > 64 || v->bit_offset > 64 - bits)
		return word;
	word <<= 64 - bits - v->bit_offset;
	return type_is_signed(v->type) ? (uint64_t)((int64_t)word >> (64 - bits))
				       : word >> (64 - bits);
}

/* `char` is text; signed and unsigned char (u8, int8_t, ...) are small numbers. */
static bool is_text(const struct cul_type *type)
{
	return type->kind == CUL_KIND_CHAR && type->name && !strcmp(type->name, "char");
}

bool cul_print_is_number(const struct cul_type *type, size_t size)
{
	if (!type || type->kind == CUL_KIND_VOID)
		return size == 1 || size == 2 || size == 4 || size == 8;
	return (type->kind == CUL_KIND_INT || type->kind == CUL_KIND_CHAR) && !is_text(type) &&
	       size <= 8;
}

/* The last word of a name, also of a member's. NULL: it is a sum, or the like. */
static const char *last_word(const char *called)
{
	const char *at = called + strlen(called);

	for (const char *c = called; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_.>*()[]:", *c) &&
			!(*c == '-' && c[1] == '>'))
			return NULL;
	while (at > called && isalnum((unsigned char)at[-1]))
		at--;
	return at;
}

static bool is_called_address(const char *called)
{
	static const char *const words[] = {
		"addr", "address", "uaddr", "vaddr", "start", "end", "ip", "pc", "sp", "brk"};
	const char *word = called ? last_word(called) : NULL;

	for (size_t i = 0; word && i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

bool cul_print_is_address(const struct cul_print_value *v)
{
	/* Documentation/arch/x86/x86_64/mm.rst, with five levels too; the last page is of errors */
	static const uint64_t kernel = 0xff00000000000000, errors = 0xfffffffffffff000;
	const struct cul_type *t = v->type;
	uint64_t bits;

	if (!t || t->kind != CUL_KIND_INT || t->size != 8 || v->size != 8 || t->is_signed ||
		t->alias || v->bit_size || !t->name || !strstr(t->name, "long") ||
		strstr(t->name, "long long"))
		return false;
	bits = cul_print_bits(v);
	return is_called_address(v->called) || (bits >= kernel && bits < errors);
}

static void print_bytes(struct cul_str *out, const struct cul_print_value *v)
{
	size_t n = v->size < MAX_BYTES ? v->size : MAX_BYTES;

	for (size_t i = 0; i < n; i++)
		cul_str_addf(out, "%s%02x", i ? " " : "", v->bytes[i]);
	if (n < v->size)
		cul_str_add(out, " ...");
}

static void print_integer(struct cul_str *out, const struct cul_print_value *v)
{
	uint64_t bits = cul_print_bits(v);

	if (type_is_signed(v->type))
		cul_str_addf(out, "%" PRId64, (int64_t)bits);
	else
		cul_str_addf(out, "%" PRIu64, bits);
}

static void print_char(struct cul_str *out, const struct cul_print_value *v)
{
	unsigned char c = (unsigned char)cul_print_bits(v);

	if (c == '\'' || c == '\\')
		cul_str_addf(out, "'\\%c'", c);
	else if (c >= ' ' && c < 0x7f)
		cul_str_addf(out, "'%c'", c);
	else
		cul_str_addf(out, "'\\x%02x'", c);
}

/*
 * Whether an enum's values are bits to be combined: all that are not above the highest single bit
 * are single bits themselves. Numbers that are counted have a 3 between.
 */
static bool is_flags(const struct cul_type *t, uint64_t *known)
{
	uint64_t highest = 0;

	*known = 0;
	for (size_t i = 0; i < t->n_members; i++) {
		uint64_t v = (uint64_t)t->enumerators[i].value;

		if (t->enumerators[i].value > 0 && !(v & (v - 1))) {
			*known |= v;
			highest = v > highest ? v : highest;
		}
	}
	for (size_t i = 0; i < t->n_members; i++) {
		uint64_t v = (uint64_t)t->enumerators[i].value;

		if (t->enumerators[i].value > 0 && v < highest && v & (v - 1))
			return false;
	}
	return highest > 2;
}

static bool print_flags(struct cul_str *out, const struct cul_type *t, uint64_t bits)
{
	const char *separator = "";
	uint64_t known;

	if (!bits || !is_flags(t, &known) || bits & ~known)
		return false;
	for (size_t i = 0; i < t->n_members && bits; i++) {
		uint64_t v = (uint64_t)t->enumerators[i].value;

		if (!v || v & (v - 1) || !(bits & v))
			continue;
		cul_str_addf(out, "%s%s", separator, t->enumerators[i].name);
		separator = "|";
		bits &= ~v;
	}
	return true;
}

static void print_enum(struct cul_str *out, const struct cul_print_value *v)
{
	int64_t bits = (int64_t)cul_print_bits(v);

	if (!cul_type_fill(v->type, NULL)) {
		for (size_t i = 0; i < v->type->n_members; i++) {
			if (v->type->enumerators[i].value != bits)
				continue;
			cul_str_add(out, v->type->enumerators[i].name);
			return;
		}
		if (print_flags(out, v->type, (uint64_t)bits))
			return;
	}
	print_integer(out, v);
}

static void print_pointer(
	struct cul_str *out, const struct cul_print_value *v, const struct cul_print_names *names)
{
	uint64_t addr = cul_print_bits(v);
	struct cul_where where;

	if (!addr) {
		cul_str_add(out, "NULL");
		return;
	}
	if (names && names->follow && names->follow(names->data, v, out))
		return;
	cul_str_addf(out, "0x%" PRIx64, addr);
	if (!names || !names->name || !names->name(names->data, addr, &where) || !where.function)
		return;
	cul_str_addf(out, " (%s", where.function);
	if (where.offset)
		cul_str_addf(out, "+0x%" PRIx64, where.offset);
	cul_str_add(out, ")");
}

static void print_float(struct cul_str *out, const struct cul_print_value *v)
{
	long double ld = 0;
	double d;
	float f;

	if (v->size == 4) {
		memcpy(&f, v->bytes, 4);
		cul_str_addf(out, "%.9g", (double)f);
	} else if (v->size == 8) {
		memcpy(&d, v->bytes, 8);
		cul_str_addf(out, "%.17g", d);
	} else if (v->size == sizeof(ld)) {
		/* The x87 format has 10 bytes, the rest is padding. */
		memcpy(&ld, v->bytes, LDBL_MANT_DIG == 64 ? 10 : sizeof(ld));
		cul_str_addf(out, "%.20Lg", ld);
	} else {
		print_bytes(out, v);
	}
}

static void print_string(struct cul_str *out, const struct cul_print_value *v)
{
	size_t n = strnlen((const char *)v->bytes, v->size);

	cul_str_add(out, "\"");
	cul_str_add_quoted(out, v->bytes, n > MAX_BYTES ? MAX_BYTES : n);
	cul_str_add(out, n > MAX_BYTES ? "\"..." : "\"");
}

static bool is_full(const struct printer *p)
{
	size_t most = p->names && p->names->brief ? CUL_PRINT_BRIEF : MAX_TEXT;

	return p->out->len - p->start > most;
}

static void print_array(const struct printer *p, const struct cul_print_value *v, unsigned depth)
{
	struct cul_str *out = p->out;
	const struct cul_type *element;
	size_t n;

	/* One that is cut short within its first element is bytes too. */
	if (cul_type_to(v->type, &element, NULL) || !element->size ||
		(v->size && v->size < element->size)) {
		print_bytes(out, v);
		return;
	}
	if (is_text(element)) {
		print_string(out, v);
		return;
	}
	n = v->size / element->size;
	cul_str_add(out, "{");
	for (size_t i = 0; i < n; i++) {
		struct cul_print_value one = {.type = element,
			.bytes = v->bytes + i * element->size,
			.size = element->size};

		if (i)
			cul_str_add(out, ", ");
		if (i == MAX_ELEMENTS || is_full(p)) {
			cul_str_add(out, "...");
			break;
		}
		print(p, &one, depth + 1);
	}
	cul_str_add(out, "}");
}

/*
 * The bytes that hold a member; false when the object at hand ends before them. `part`: of a
 * struct those that are there will do.
 */
static bool member_value(const struct cul_print_value *v, const struct cul_member *m, bool part,
	struct cul_print_value *out)
{
	size_t offset = m->bit_offset / 8, size;

	if (!m->type)
		return false;
	*out = (struct cul_print_value){.type = m->type};
	size = m->type->size;
	if (m->bit_size) {
		out->bit_offset = m->bit_offset % 8;
		out->bit_size = m->bit_size;
		size = ((size_t)out->bit_offset + m->bit_size + 7) / 8;
	}
	if (part && offset < v->size && size > v->size - offset && m->type->kind == CUL_KIND_STRUCT)
		size = v->size - offset;
	if (offset > v->size || size > v->size - offset || (m->bit_size && size > 8))
		return false;
	out->bytes = v->bytes + offset;
	out->size = size;
	return true;
}

static bool is_zero(const struct cul_print_value *v)
{
	if (v->bit_size)
		return !cul_print_bits(v);
	for (size_t i = 0; i < v->size; i++)
		if (v->bytes[i])
			return false;
	return true;
}

static void print_struct(const struct printer *p, const struct cul_print_value *v, unsigned depth)
{
	struct cul_str *out = p->out;
	struct cul_print_value one;
	bool brief, skip, cut = false;
	size_t shown = 0;

	/* What has a size and tells no members is not empty: an enum of Rust. */
	if (cul_type_fill(v->type, NULL) || (!v->type->n_members && v->type->size > 1)) {
		print_bytes(out, v);
		return;
	}
	brief = p->names && p->names->brief;
	skip = brief && v->type->n_members > CUL_PRINT_LONG;
	cul_str_add(out, "{");
	for (size_t i = 0; i < v->type->n_members; i++) {
		const struct cul_member *m = &v->type->members[i];
		bool is_there = member_value(v, m, brief, &one);

		if (skip && is_there && is_zero(&one)) {
			cut = true;
			continue;
		}
		if (shown == MAX_ELEMENTS || is_full(p) || !is_there) {
			cut = true;
			break;
		}
		if (shown++)
			cul_str_add(out, ", ");
		if (m->name && *m->name)
			cul_str_addf(out, "%s = ", m->name);
		one.called = m->name;
		print(p, &one, depth + 1);
	}
	if (cut)
		cul_str_addf(out, "%s...", shown ? ", " : "");
	cul_str_add(out, "}");
}

static void print_scalar(const struct printer *p, const struct cul_print_value *v)
{
	struct cul_str *out = p->out;

	if (!v->size) { /* incomplete, or made so by hostile bytes */
		cul_str_add(out, "?");
		return;
	}
	switch (v->type->kind) {
	case CUL_KIND_BOOL:
		cul_str_add(out, cul_print_bits(v) ? "true" : "false");
		break;
	case CUL_KIND_CHAR:
		if (is_text(v->type) && !v->bit_size)
			print_char(out, v);
		else
			print_integer(out, v);
		break;
	case CUL_KIND_ENUM:
		print_enum(out, v);
		break;
	case CUL_KIND_PTR:
		print_pointer(out, v, p->names);
		break;
	case CUL_KIND_FLOAT:
		print_float(out, v);
		break;
	default:
		if (p->names && p->names->addresses && cul_print_is_address(v))
			cul_str_addf(out, "0x%" PRIx64, cul_print_bits(v));
		else if (v->size <= 8)
			print_integer(out, v);
		else
			print_bytes(out, v);
	}
}

static void print(const struct printer *p, const struct cul_print_value *v, unsigned depth)
{
	struct cul_str *out = p->out;

	if (depth > MAX_DEPTH) {
		cul_str_add(out, "...");
		return;
	}
	if (!v->type || v->type->kind == CUL_KIND_VOID) {
		if (cul_print_is_number(NULL, v->size))
			print_integer(out, v);
		else
			print_bytes(out, v);
		return;
	}
	switch (v->type->kind) {
	case CUL_KIND_ARRAY:
		print_array(p, v, depth);
		break;
	case CUL_KIND_STRUCT:
	case CUL_KIND_UNION:
		print_struct(p, v, depth);
		break;
	default:
		print_scalar(p, v);
	}
}

void cul_print_value(struct cul_str *out, const struct cul_print_value *value,
	const struct cul_print_names *names)
{
	const struct printer p = {.out = out, .names = names, .start = out->len};

	print(&p, value, 0);
}
