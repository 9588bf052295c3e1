/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/btf_types.h"

#include <errno.h>
#include <string.h>

/* A longer chain of typedefs, qualifiers and array dimensions is a loop. */
enum { MAX_CHAIN = 128 };

enum {
	MODIFIERS = 1 << BTF_KIND_TYPEDEF | 1 << BTF_KIND_VOLATILE | 1 << BTF_KIND_CONST |
		    1 << BTF_KIND_RESTRICT | 1 << BTF_KIND_TYPE_TAG
};

static const void *after(const struct btf_type *t)
{
	return t + 1;
}

/* The typedefs on the way to a type; NULL when there was none. */
struct typedefs {
	const char *inner; /* nearest to the type */
	const char *outer; /* the one that was written */
	uint32_t outer_id;
};

/* Follows typedefs and qualifiers from `*id`, which may become 0 (void). */
static int strip(struct cul_btf *btf, uint32_t *id, struct typedefs *on_way)
{
	memset(on_way, 0, sizeof(*on_way));
	for (int i = 0; i < MAX_CHAIN; i++) {
		const struct btf_type *t;

		if (*id == 0)
			return 0;
		t = cul_btf_raw_type(btf, *id);
		if (!t)
			return -EBADMSG;
		if (!(MODIFIERS >> BTF_INFO_KIND(t->info) & 1))
			return 0;
		if (BTF_INFO_KIND(t->info) == BTF_KIND_TYPEDEF) {
			on_way->inner = cul_btf_raw_string(btf, t->name_off);
			if (!on_way->outer_id) {
				on_way->outer = on_way->inner;
				on_way->outer_id = *id;
			}
		}
		*id = t->type;
	}
	return -EBADMSG;
}

/* BTF does not say how wide a pointer is; long is as wide on every Linux. */
static unsigned word(struct cul_btf *btf)
{
	static const char *const names[] = {
		"long unsigned int", "unsigned long", "long int", "long"};

	if (btf->base)
		return word(btf->base);
	for (size_t i = 0; !btf->word && i < sizeof(names) / sizeof(names[0]); i++) {
		uint32_t id = cul_btf_raw_find(btf, 1u << BTF_KIND_INT, names[i], 0);
		const struct btf_type *t = id ? cul_btf_raw_type(btf, id) : NULL;

		if (t && (t->size == 4 || t->size == 8))
			btf->word = t->size;
	}
	if (!btf->word)
		btf->word = sizeof(void *);
	return btf->word;
}

/* The size of an object of type `id`; 0 when it is incomplete or none. */
static int size_of(struct cul_btf *btf, uint32_t id, uint64_t *size)
{
	uint64_t count = 1;

	for (int i = 0; i < MAX_CHAIN; i++) {
		const struct btf_type *t;
		const struct btf_array *a;
		struct typedefs on_way;
		int ret = strip(btf, &id, &on_way);

		if (ret < 0)
			return ret;
		if (id == 0)
			break;
		t = cul_btf_raw_type(btf, id);
		switch (BTF_INFO_KIND(t->info)) {
		case BTF_KIND_ARRAY:
			a = after(t);
			if (__builtin_mul_overflow(count, (uint64_t)a->nelems, &count))
				return -EBADMSG;
			id = a->type;
			continue;
		case BTF_KIND_PTR:
			return __builtin_mul_overflow(count, word(btf), size) ? -EBADMSG : 0;
		case BTF_KIND_INT:
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
		case BTF_KIND_FLOAT:
			return __builtin_mul_overflow(count, (uint64_t)t->size, size) ? -EBADMSG
										      : 0;
		default:
			*size = 0;
			return 0;
		}
	}
	if (id != 0)
		return -EBADMSG;
	*size = 0;
	return 0;
}

static int64_t sign_extend(uint64_t value, uint32_t size)
{
	unsigned unused = size < 8 ? 64 - 8 * size : 0;

	return (int64_t)(value << unused) >> unused;
}

static uint64_t zero_extend(uint64_t value, uint32_t size)
{
	return size < 8 ? value & ((UINT64_C(1) << 8 * size) - 1) : value;
}

/* An encoder before Linux 6.0 marks no enum as signed: then one with a negative value is. */
static bool enum_is_signed(struct cul_btf *btf, const struct btf_type *t)
{
	const struct btf_enum *e = after(t);

	if (BTF_INFO_KFLAG(t->info))
		return true;
	if (BTF_INFO_KIND(t->info) != BTF_KIND_ENUM || btf->enums_marked ||
		(btf->base && btf->base->enums_marked))
		return false;
	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		if (e[i].val < 0)
			return true;
	}
	return false;
}

static int64_t enum_value(const struct btf_type *t, uint32_t i, bool is_signed)
{
	const struct btf_enum *e = after(t);
	const struct btf_enum64 *e64 = after(t);
	uint64_t value;

	if (BTF_INFO_KIND(t->info) == BTF_KIND_ENUM64)
		value = (uint64_t)e64[i].val_hi32 << 32 | e64[i].val_lo32;
	else
		value = (uint64_t)(int64_t)e[i].val;
	return is_signed ? sign_extend(value, t->size) : (int64_t)zero_extend(value, t->size);
}

int64_t cul_btf_types_enum_value(struct cul_btf *btf, const struct btf_type *t, uint32_t i)
{
	return enum_value(t, i, enum_is_signed(btf, t));
}

static int make_int(struct cul_type *node, const struct btf_type *t)
{
	const uint32_t *data = after(t);
	unsigned encoding = BTF_INT_ENCODING(*data);

	if (t->size == 0 || t->size > 16)
		return -EBADMSG;
	node->kind = CUL_KIND_INT;
	node->is_signed = encoding & BTF_INT_SIGNED;
	node->size = t->size;
	if ((encoding & BTF_INT_BOOL) || (node->name && !strcmp(node->name, "_Bool")))
		node->kind = CUL_KIND_BOOL;
	else if (t->size == 1 && node->name && strstr(node->name, "char"))
		node->kind = CUL_KIND_CHAR;
	return 0;
}

static int make_array(struct cul_btf *btf, struct cul_type *node, const struct btf_type *t)
{
	const struct btf_array *a = after(t);

	node->kind = CUL_KIND_ARRAY;
	node->count = a->nelems;
	return size_of(btf, (uint32_t)node->id, &node->size);
}

static int make_enum(struct cul_btf *btf, struct cul_type *node, const struct btf_type *t)
{
	if (t->size != 1 && t->size != 2 && t->size != 4 && t->size != 8)
		return -EBADMSG;
	node->kind = CUL_KIND_ENUM;
	node->size = t->size;
	node->is_signed = enum_is_signed(btf, t);
	return 0;
}

/* Everything about the node of record `t` that is not filled in later. */
static int make(struct cul_btf *btf, struct cul_type *node, const struct btf_type *t)
{
	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT:
		return make_int(node, t);
	case BTF_KIND_FLOAT:
		node->kind = CUL_KIND_FLOAT;
		node->size = t->size;
		return t->size == 0 || t->size > 16 ? -EBADMSG : 0;
	case BTF_KIND_PTR:
		node->kind = CUL_KIND_PTR;
		node->size = word(btf);
		return 0;
	case BTF_KIND_ARRAY:
		return make_array(btf, node, t);
	case BTF_KIND_STRUCT:
		node->kind = CUL_KIND_STRUCT;
		node->size = t->size;
		return 0;
	case BTF_KIND_UNION:
		node->kind = CUL_KIND_UNION;
		node->size = t->size;
		return 0;
	case BTF_KIND_FWD:
		node->kind = BTF_INFO_KFLAG(t->info) ? CUL_KIND_UNION : CUL_KIND_STRUCT;
		node->filled_members = true;
		return 0;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return make_enum(btf, node, t);
	case BTF_KIND_FUNC:
	case BTF_KIND_FUNC_PROTO:
		node->kind = CUL_KIND_FUNC;
		return 0;
	default: /* a variable, a section, a tag: nothing has such a type */
		return -EBADMSG;
	}
}

/*
 * The complete struct that a forward declaration means, when there is exactly one of its name:
 * with several (files may differ in what they call so) nobody can tell. 0 when it stays open.
 */
static uint32_t complete(struct cul_btf *btf, const struct btf_type *fwd)
{
	uint32_t kinds = 1u << (BTF_INFO_KFLAG(fwd->info) ? BTF_KIND_UNION : BTF_KIND_STRUCT);
	const char *name = cul_btf_raw_string(btf, fwd->name_off);
	uint32_t found = 0;

	if (!name || !*name)
		return 0;
	for (; btf; btf = btf->base) {
		uint32_t id = cul_btf_raw_find(btf, kinds, name, 0);

		if (!id)
			continue;
		if (found || cul_btf_raw_find(btf, kinds, name, id + 1))
			return 0;
		found = id;
	}
	return found;
}

static bool has_to(enum cul_kind kind)
{
	return kind == CUL_KIND_PTR || kind == CUL_KIND_ARRAY || kind == CUL_KIND_FUNC;
}

static bool has_members(enum cul_kind kind)
{
	return kind == CUL_KIND_STRUCT || kind == CUL_KIND_UNION || kind == CUL_KIND_ENUM ||
	       kind == CUL_KIND_FUNC;
}

static int new_node(struct cul_btf *btf, uint32_t id, struct cul_type **slot)
{
	const struct btf_type *t = cul_btf_raw_type(btf, id);
	struct cul_type *node = cul_arena_alloc(&btf->arena, sizeof(*node));
	const char *name;
	int ret;

	if (!node)
		return -ENOMEM;
	name = cul_btf_raw_string(btf, t->name_off);
	if (!name)
		return -EBADMSG;
	node->name = *name ? name : NULL;
	node->provider = &btf->provider;
	node->id = id;
	ret = make(btf, node, t);
	if (ret < 0)
		return ret;
	node->filled_to = !has_to(node->kind);
	node->filled_members |= !has_members(node->kind);
	*slot = node;
	return 0;
}

/* The node behind `id`, no typedef or qualifier, in the BTF that has it. */
static int get_node(struct cul_btf *owner, uint32_t id, struct cul_type **out)
{
	struct cul_type **slot = &owner->nodes[id - owner->first_id];
	const struct btf_type *t = cul_btf_raw_type(owner, id);
	uint32_t whole = 0;
	int ret = 0;

	if (!*slot && BTF_INFO_KIND(t->info) == BTF_KIND_FWD)
		whole = complete(owner, t);
	if (whole)
		ret = get_node(cul_btf_raw_owner(owner, whole), whole, slot);
	else if (!*slot)
		ret = new_node(owner, id, slot);
	if (ret < 0)
		return ret;
	*out = *slot;
	return 0;
}

/* typedef struct { ... } foo_t; */
static bool named_by_typedef(const struct cul_type *node)
{
	return !node->name && (node->kind == CUL_KIND_STRUCT || node->kind == CUL_KIND_UNION ||
				      node->kind == CUL_KIND_ENUM);
}

/* The same type under the name of a typedef, which keeps it in the place of its own number. */
static int get_alias(struct cul_btf *owner, const struct typedefs *by, const struct cul_type *of,
	struct cul_type **out)
{
	struct cul_type **slot = &owner->nodes[by->outer_id - owner->first_id];

	if (!*slot) {
		struct cul_type *node = cul_arena_alloc(&owner->arena, sizeof(*node));

		if (!node)
			return -ENOMEM;
		*node = *of;
		node->alias = by->outer;
		*slot = node;
	}
	*out = *slot;
	return 0;
}

int cul_btf_types_node(struct cul_btf *btf, uint32_t id, const struct cul_type **out)
{
	struct cul_type *node = NULL;
	struct typedefs on_way;
	int ret;

	ret = strip(btf, &id, &on_way);
	if (ret < 0)
		return ret;
	if (id == 0) {
		*out = &btf->void_type;
		return 0;
	}
	ret = get_node(cul_btf_raw_owner(btf, id), id, &node);
	if (ret < 0)
		return ret;
	if (on_way.inner && *on_way.inner && named_by_typedef(node))
		node->name = on_way.inner;
	if (on_way.outer && *on_way.outer)
		ret = get_alias(cul_btf_raw_owner(btf, on_way.outer_id), &on_way, node, &node);
	if (ret < 0)
		return ret;
	*out = node;
	return 0;
}

static int malformed(const struct cul_type *t, struct cul_error *err)
{
	return cul_fail(err, -EBADMSG, "BTF: type %u (%s) is malformed", (unsigned)t->id,
		t->name ? t->name : "unnamed");
}

/* The FUNC_PROTO of a FUNC node. NULL when it has none. */
static const struct btf_type *prototype(struct cul_btf *btf, const struct cul_type *node)
{
	const struct btf_type *t = cul_btf_raw_type(btf, (uint32_t)node->id);

	if (BTF_INFO_KIND(t->info) == BTF_KIND_FUNC)
		t = cul_btf_raw_type(btf, t->type);
	return t && BTF_INFO_KIND(t->info) == BTF_KIND_FUNC_PROTO ? t : NULL;
}

static int fill_to(struct cul_type_provider *p, struct cul_type *node, struct cul_error *err)
{
	struct cul_btf *btf = (struct cul_btf *)p;
	const struct btf_type *t = cul_btf_raw_type(btf, (uint32_t)node->id);
	const struct btf_array *a = after(t);
	const struct cul_type *to;
	int ret;

	if (node->kind == CUL_KIND_FUNC && !(t = prototype(btf, node)))
		return malformed(node, err);
	ret = cul_btf_types_node(btf, node->kind == CUL_KIND_ARRAY ? a->type : t->type, &to);
	if (ret == -EBADMSG)
		return malformed(node, err);
	if (ret < 0)
		return cul_fail(err, ret, "BTF: out of memory");
	node->to = to;
	node->filled_to = true;
	return 0;
}

/*
 * Where a member lies. Records without kind_flag have bit fields too: there the integer type says
 * how many bits it has, and how far in.
 */
static void place(struct cul_btf *btf, const struct btf_type *t, const struct btf_member *m,
	struct cul_member *out)
{
	const struct btf_type *type;
	const uint32_t *data;
	struct typedefs on_way;
	uint32_t id = m->type;

	if (BTF_INFO_KFLAG(t->info)) {
		out->bit_offset = BTF_MEMBER_BIT_OFFSET(m->offset);
		out->bit_size = BTF_MEMBER_BITFIELD_SIZE(m->offset);
		return;
	}
	out->bit_offset = m->offset;
	if (strip(btf, &id, &on_way) < 0 || id == 0)
		return;
	type = cul_btf_raw_type(btf, id);
	data = after(type);
	if (BTF_INFO_KIND(type->info) != BTF_KIND_INT)
		return;
	if (BTF_INT_OFFSET(*data) == 0 && BTF_INT_BITS(*data) == type->size * 8)
		return;
	out->bit_offset += BTF_INT_OFFSET(*data);
	out->bit_size = BTF_INT_BITS(*data);
}

/* A type that cannot be described is no reason to lose the struct around it. */
static int member_type(struct cul_btf *btf, uint32_t id, const struct cul_type **type)
{
	int ret = cul_btf_types_node(btf, id, type);

	if (ret == -EBADMSG)
		*type = NULL;
	return ret == -EBADMSG ? 0 : ret;
}

static int fill_struct(struct cul_btf *btf, const struct btf_type *t, struct cul_member *out)
{
	const struct btf_member *m = after(t);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		int ret = member_type(btf, m[i].type, &out[i].type);

		if (ret < 0)
			return ret;
		out[i].name = cul_btf_raw_string(btf, m[i].name_off);
		place(btf, t, &m[i], &out[i]);
		if (!out[i].name || out[i].bit_size > 128 ||
			out[i].bit_offset + out[i].bit_size > (uint64_t)t->size * 8)
			return -EBADMSG;
	}
	return 0;
}

/* `n` parameters; a last one without type and name stands for "...", which has no object. */
static int fill_params(struct cul_btf *btf, const struct btf_type *proto, struct cul_member *out,
	size_t *n, bool *is_variadic)
{
	const struct btf_param *p = after(proto);

	*n = BTF_INFO_VLEN(proto->info);
	*is_variadic = *n > 0 && p[*n - 1].type == 0 && p[*n - 1].name_off == 0;
	if (*is_variadic)
		--*n;
	for (size_t i = 0; i < *n; i++) {
		int ret = member_type(btf, p[i].type, &out[i].type);

		if (ret < 0)
			return ret;
		out[i].name = cul_btf_raw_string(btf, p[i].name_off);
		if (!out[i].name)
			return -EBADMSG;
	}
	return 0;
}

static int fill_enum(
	struct cul_btf *btf, const struct btf_type *t, struct cul_enumerator *out, bool is_signed)
{
	const struct btf_enum *e = after(t);
	const struct btf_enum64 *e64 = after(t);
	bool wide = BTF_INFO_KIND(t->info) == BTF_KIND_ENUM64;

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		out[i].name = cul_btf_raw_string(btf, wide ? e64[i].name_off : e[i].name_off);
		out[i].value = enum_value(t, i, is_signed);
		if (!out[i].name)
			return -EBADMSG;
	}
	return 0;
}

static int fill_members(struct cul_type_provider *p, struct cul_type *node, struct cul_error *err)
{
	struct cul_btf *btf = (struct cul_btf *)p;
	const struct btf_type *t = cul_btf_raw_type(btf, (uint32_t)node->id);
	size_t each = node->kind == CUL_KIND_ENUM ? sizeof(struct cul_enumerator)
						  : sizeof(struct cul_member);
	size_t n;
	void *list;
	int ret;

	if (node->kind == CUL_KIND_FUNC && !(t = prototype(btf, node)))
		return malformed(node, err);
	n = BTF_INFO_VLEN(t->info);
	list = cul_arena_alloc(&btf->arena, n * each);
	if (!list)
		return cul_fail(err, -ENOMEM, "BTF: out of memory");
	if (node->kind == CUL_KIND_ENUM)
		ret = fill_enum(btf, t, list, node->is_signed);
	else if (node->kind == CUL_KIND_FUNC)
		ret = fill_params(btf, t, list, &n, &node->is_variadic);
	else
		ret = fill_struct(btf, t, list);
	if (ret == -EBADMSG)
		return malformed(node, err);
	if (ret < 0)
		return cul_fail(err, ret, "BTF: out of memory");
	if (node->kind == CUL_KIND_ENUM)
		node->enumerators = list;
	else
		node->members = list;
	node->n_members = n;
	node->filled_members = true;
	return 0;
}

const struct cul_type_ops cul_btf_types_ops = {.fill_to = fill_to, .fill_members = fill_members};
