/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes BTF by hand for the tests: types are numbered as they are added, from
 * `first_id` on. Fixed room, no checks: what is wrong on purpose stays wrong.
 */
#ifndef CUL_TEST_BTF_BUILD_H
#define CUL_TEST_BTF_BUILD_H

#include <linux/btf.h>
#include <stdint.h>
#include <string.h>

struct btf_build {
	uint32_t next_id, strings_start;
	uint32_t n_words, n_strings;
	uint32_t words[512];
	char strings[2048];
	uint8_t file[8192];
};

/* For split BTF: the number of types, with void, and of string bytes of the base. */
static inline void build_start(struct btf_build *b, uint32_t first_id, uint32_t strings_start)
{
	memset(b, 0, sizeof(*b));
	b->next_id = first_id;
	b->strings_start = strings_start;
	b->n_strings = strings_start ? 0 : 1;
}

static inline uint32_t build_string(struct btf_build *b, const char *s)
{
	uint32_t at = b->n_strings;

	if (!*s)
		return 0;
	strcpy(b->strings + at, s);
	b->n_strings += (uint32_t)strlen(s) + 1;
	return b->strings_start + at;
}

static inline void build_word(struct btf_build *b, uint32_t word)
{
	b->words[b->n_words++] = word;
}

/* The common head; `size` is the type's size or the number of the type it refers to. */
static inline uint32_t build_type(struct btf_build *b, unsigned kind, const char *name,
	unsigned vlen, unsigned kflag, uint32_t size)
{
	build_word(b, build_string(b, name));
	build_word(b, (uint32_t)kflag << 31 | kind << 24 | vlen);
	build_word(b, size);
	return b->next_id++;
}

static inline uint32_t build_int(
	struct btf_build *b, const char *name, uint32_t size, unsigned encoding)
{
	uint32_t id = build_type(b, BTF_KIND_INT, name, 0, 0, size);

	build_word(b, encoding << 24 | size * 8);
	return id;
}

static inline uint32_t build_array(struct btf_build *b, uint32_t element, uint32_t count)
{
	uint32_t id = build_type(b, BTF_KIND_ARRAY, "", 0, 0, 0);

	build_word(b, element);
	build_word(b, 0);
	build_word(b, count);
	return id;
}

/* A member, enumerator or parameter: follows its head. Enumerators have no third word. */
static inline void build_member(struct btf_build *b, const char *name, uint32_t type, uint32_t bits)
{
	build_word(b, build_string(b, name));
	build_word(b, type);
	build_word(b, bits);
}

static inline void build_pair(struct btf_build *b, const char *name, uint32_t value)
{
	build_word(b, build_string(b, name));
	build_word(b, value);
}

/* Lays the file out; returns its size. */
static inline size_t build_end(struct btf_build *b)
{
	struct btf_header h = {
		.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(h),
		.type_len = b->n_words * 4,
		.str_off = b->n_words * 4,
		.str_len = b->n_strings,
	};

	memcpy(b->file, &h, sizeof(h));
	memcpy(b->file + sizeof(h), b->words, h.type_len);
	memcpy(b->file + sizeof(h) + h.type_len, b->strings, h.str_len);
	return sizeof(h) + h.type_len + h.str_len;
}

#endif
