/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/btf_raw.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

enum { MAX_LEN = 1 << 30, MAX_TYPES = 1 << 28 };

static int bad(struct cul_error *err, size_t offset, const char *what)
{
	return cul_fail(err, -EBADMSG, "BTF: %s at offset %zu", what, offset);
}

/* Bytes that follow struct btf_type (Documentation/bpf/btf.rst, "Type Encoding"). */
static int payload(const struct btf_type *t, uint64_t *size)
{
	static const struct {
		bool known;
		uint8_t fixed, each;
	} kinds[] = {
		[BTF_KIND_INT] = {true, sizeof(uint32_t), 0},
		[BTF_KIND_PTR] = {true, 0, 0},
		[BTF_KIND_ARRAY] = {true, sizeof(struct btf_array), 0},
		[BTF_KIND_STRUCT] = {true, 0, sizeof(struct btf_member)},
		[BTF_KIND_UNION] = {true, 0, sizeof(struct btf_member)},
		[BTF_KIND_ENUM] = {true, 0, sizeof(struct btf_enum)},
		[BTF_KIND_FWD] = {true, 0, 0},
		[BTF_KIND_TYPEDEF] = {true, 0, 0},
		[BTF_KIND_VOLATILE] = {true, 0, 0},
		[BTF_KIND_CONST] = {true, 0, 0},
		[BTF_KIND_RESTRICT] = {true, 0, 0},
		[BTF_KIND_FUNC] = {true, 0, 0},
		[BTF_KIND_FUNC_PROTO] = {true, 0, sizeof(struct btf_param)},
		[BTF_KIND_VAR] = {true, sizeof(struct btf_var), 0},
		[BTF_KIND_DATASEC] = {true, 0, sizeof(struct btf_var_secinfo)},
		[BTF_KIND_FLOAT] = {true, 0, 0},
		[BTF_KIND_DECL_TAG] = {true, sizeof(struct btf_decl_tag), 0},
		[BTF_KIND_TYPE_TAG] = {true, 0, 0},
		[BTF_KIND_ENUM64] = {true, 0, sizeof(struct btf_enum64)},
	};
	unsigned kind = BTF_INFO_KIND(t->info);

	if (kind >= sizeof(kinds) / sizeof(kinds[0]) || !kinds[kind].known)
		return -EBADMSG;
	*size = kinds[kind].fixed + (uint64_t)kinds[kind].each * BTF_INFO_VLEN(t->info);
	return 0;
}

/* One pass over all types, which notes where each begins. */
static int number_types(struct cul_btf *btf, struct cul_error *err)
{
	const uint32_t enums = 1u << BTF_KIND_ENUM | 1u << BTF_KIND_ENUM64;
	uint32_t at = 0, n = 0, max = btf->types_len / sizeof(struct btf_type);

	btf->offsets = cul_calloc(max + 1, sizeof(*btf->offsets));
	if (!btf->offsets)
		return cul_fail(err, -ENOMEM, "BTF: out of memory");
	while (at < btf->types_len) {
		const struct btf_type *t = (const void *)(btf->types + at);
		uint64_t size;

		if (btf->types_len - at < sizeof(*t))
			return bad(err, at, "a type is cut off");
		if (payload(t, &size) < 0)
			return bad(err, at, "a type of a kind this version does not know");
		if (size > btf->types_len - at - sizeof(*t))
			return bad(err, at, "a type reaches beyond its section");
		if (BTF_INFO_KFLAG(t->info) && (enums >> BTF_INFO_KIND(t->info) & 1))
			btf->enums_marked = true;
		btf->offsets[n++] = at;
		at += (uint32_t)(sizeof(*t) + size);
	}
	btf->n = n;
	if (btf->first_id > MAX_TYPES || n > MAX_TYPES)
		return bad(err, at, "too many types");
	return 0;
}

static int check_header(const struct btf_header *h, size_t size, struct cul_error *err)
{
	size_t room;

	if (h->magic == __builtin_bswap16(BTF_MAGIC))
		return bad(err, 0, "the other byte order");
	if (h->magic != BTF_MAGIC || h->version != BTF_VERSION)
		return bad(err, 0, "no BTF header");
	if (h->hdr_len < sizeof(*h) || h->hdr_len > size)
		return bad(err, 4, "a wrong header length");
	room = size - h->hdr_len;
	if (h->type_off > room || h->type_len > room - h->type_off || h->type_len > MAX_LEN ||
		(h->hdr_len + h->type_off) % sizeof(uint32_t))
		return bad(err, 8, "a type section outside of the file");
	if (h->str_off > room || h->str_len > room - h->str_off || h->str_len > MAX_LEN)
		return bad(err, 16, "a string section outside of the file");
	return 0;
}

int cul_btf_raw_load(struct cul_btf *btf, const void *data, size_t size, struct cul_error *err)
{
	const struct cul_btf *base = btf->base;
	struct btf_header h;
	const uint8_t *p;
	int ret;

	if (size < sizeof(h))
		return bad(err, size, "no room for a header");
	memcpy(&h, data, sizeof(h));
	ret = check_header(&h, size, err);
	if (ret < 0)
		return ret;
	if ((uintptr_t)data % sizeof(uint32_t)) { /* records are read in place */
		btf->owned = cul_calloc(1, size);
		if (!btf->owned)
			return cul_fail(err, -ENOMEM, "BTF: out of memory");
		data = memcpy(btf->owned, data, size);
	}
	p = (const uint8_t *)data + h.hdr_len;
	btf->types = p + h.type_off;
	btf->types_len = h.type_len;
	btf->strings = (const char *)p + h.str_off;
	btf->strings_len = h.str_len;
	btf->strings_start = base ? base->strings_start + base->strings_len : 0;
	btf->first_id = base ? base->first_id + base->n : 1;
	if (h.str_len > 0 && btf->strings[h.str_len - 1] != '\0')
		return bad(
			err, h.hdr_len + (size_t)h.str_off + h.str_len, "an unterminated string");
	if (!base && (h.str_len == 0 || btf->strings[0] != '\0'))
		return bad(err, h.hdr_len + (size_t)h.str_off, "no empty string");
	if (btf->strings_start > MAX_LEN)
		return bad(err, 16, "too many strings");
	return number_types(btf, err);
}

struct cul_btf *cul_btf_raw_owner(struct cul_btf *btf, uint32_t id)
{
	while (btf && id < btf->first_id)
		btf = btf->base;
	return btf && id - btf->first_id < btf->n ? btf : NULL;
}

const struct btf_type *cul_btf_raw_type(struct cul_btf *btf, uint32_t id)
{
	btf = cul_btf_raw_owner(btf, id);
	return btf ? (const void *)(btf->types + btf->offsets[id - btf->first_id]) : NULL;
}

const char *cul_btf_raw_string(const struct cul_btf *btf, uint32_t offset)
{
	while (btf->base && offset < btf->strings_start)
		btf = btf->base;
	offset -= btf->strings_start;
	return offset < btf->strings_len ? btf->strings + offset : NULL;
}

static bool matches(
	const struct cul_btf *btf, const struct btf_type *t, uint32_t kinds, const char *name)
{
	const char *s;

	if (!(kinds >> BTF_INFO_KIND(t->info) & 1))
		return false;
	s = cul_btf_raw_string(btf, t->name_off);
	return s && s[0] == name[0] && !strcmp(s, name);
}

static uint32_t hash(const char *name)
{
	uint32_t h = 0;

	for (; *name; name++)
		h = h * 31 + (unsigned char)*name;
	return (h ^ h >> 16) % CUL_BTF_RAW_MEMO;
}

static uint32_t scan(struct cul_btf *btf, uint32_t kinds, const char *name, uint32_t i)
{
	for (; i < btf->n; i++) {
		const struct btf_type *t = (const void *)(btf->types + btf->offsets[i]);

		if (matches(btf, t, kinds, name))
			return btf->first_id + i;
	}
	return 0;
}

uint32_t cul_btf_raw_find(struct cul_btf *btf, uint32_t kinds, const char *name, uint32_t from)
{
	uint32_t slot = hash(name), id;

	if (from > btf->first_id)
		return scan(btf, kinds, name, from - btf->first_id);
	id = btf->memo[slot].id;
	if (id && btf->memo[slot].kinds == kinds &&
		matches(btf, cul_btf_raw_type(btf, id), kinds, name))
		return id;
	id = scan(btf, kinds, name, 0);
	btf->memo[slot].id = id;
	btf->memo[slot].kinds = kinds;
	return id;
}
