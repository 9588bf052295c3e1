/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/btf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/nearest.h"
#include "sym/btf_raw.h"
#include "sym/btf_types.h"
#include "sys/file.h"

enum { MAX_FILE_SIZE = 1 << 30 };

static void destroy(struct cul_btf **btf)
{
	cul_btf_free(*btf);
}

static int load(struct cul_btf *btf, const void *data, size_t size, struct cul_error *err)
{
	int ret = cul_btf_raw_load(btf, data, size, err);

	if (ret < 0)
		return ret;
	btf->provider.ops = &cul_btf_types_ops;
	btf->void_type.kind = CUL_KIND_VOID;
	btf->void_type.name = "void";
	btf->void_type.filled_to = true;
	btf->void_type.filled_members = true;
	btf->void_type.provider = &btf->provider;
	btf->nodes = cul_calloc(btf->n + 1, sizeof(btf->nodes[0]));
	if (!btf->nodes)
		return cul_fail(err, -ENOMEM, "BTF: out of memory");
	return 0;
}

int cul_btf_parse(const void *data, size_t size, struct cul_btf *base, struct cul_btf **out,
	struct cul_error *err)
{
	cul_cleanup(destroy) struct cul_btf *btf = cul_calloc(1, sizeof(*btf));
	int ret;

	if (!btf)
		return cul_fail(err, -ENOMEM, "BTF: out of memory");
	btf->base = base;
	ret = load(btf, data, size, err);
	if (ret < 0)
		return ret;
	*out = cul_take(btf);
	return 0;
}

/*
 * Since Linux 6.16 the file in /sys can be mapped. Only there: an ordinary file could be cut short
 * while it is mapped. -ENODEV when it has to be read.
 */
static int map_file(struct cul_btf *btf, const char *path)
{
	cul_autoclose int fd = cul_sys_open(path, O_RDONLY);
	struct statfs fs;
	struct stat st;
	int ret;

	if (fd < 0)
		return fd;
	if (fstatfs(fd, &fs) < 0 || fs.f_type != SYSFS_MAGIC || fstat(fd, &st) < 0 ||
		st.st_size <= 0)
		return -ENODEV;
	ret = cul_sys_mmap(fd, (size_t)st.st_size, &btf->mapped);
	if (ret < 0)
		return -ENODEV;
	btf->mapped_size = (size_t)st.st_size;
	return 0;
}

int cul_btf_open(
	const char *path, struct cul_btf *base, struct cul_btf **out, struct cul_error *err)
{
	cul_cleanup(destroy) struct cul_btf *btf = cul_calloc(1, sizeof(*btf));
	char *data = NULL;
	size_t size;
	int ret;

	if (!btf)
		return cul_fail(err, -ENOMEM, "BTF: out of memory");
	btf->base = base;
	ret = map_file(btf, path);
	if (ret == -ENODEV) {
		ret = cul_sys_read_file(path, MAX_FILE_SIZE, &data, &size);
		btf->owned = data;
	} else {
		data = btf->mapped;
		size = btf->mapped_size;
	}
	if (ret < 0)
		return cul_fail(err, ret, "BTF: cannot read %s: %s%s", path, cul_strerror(ret),
			ret == -ENOENT ? "; is this kernel built with CONFIG_DEBUG_INFO_BTF?" : "");
	ret = load(btf, data, size, err);
	if (ret < 0) {
		cul_error_prefix(err, "%s", path);
		return ret;
	}
	*out = cul_take(btf);
	return 0;
}

void cul_btf_free(struct cul_btf *btf)
{
	if (!btf)
		return;
	if (btf->mapped)
		munmap(btf->mapped, btf->mapped_size);
	cul_arena_free(&btf->arena);
	free(btf->owned);
	free(btf->offsets);
	free(btf->nodes);
	free(btf);
}

/* The node of the first record of one of `kinds` and that name, here or in the base. */
static const struct cul_type *find(struct cul_btf *btf, uint32_t wanted, const char *name)
{
	if (!*name)
		return NULL;
	for (; btf; btf = btf->base) {
		uint32_t id = cul_btf_raw_find(btf, wanted, name, 0);
		const struct cul_type *type;

		if (!id)
			continue;
		if (BTF_INFO_KIND(cul_btf_raw_type(btf, id)->info) == BTF_KIND_VAR)
			id = cul_btf_raw_type(btf, id)->type;
		return cul_btf_types_node(btf, id, &type) < 0 ? NULL : type;
	}
	return NULL;
}

/* Masks of 1 << BTF_KIND_*. */
static const uint32_t kinds[] = {
	[CUL_BTF_STRUCT] = 1u << BTF_KIND_STRUCT,
	[CUL_BTF_UNION] = 1u << BTF_KIND_UNION,
	[CUL_BTF_ENUM] = 1u << BTF_KIND_ENUM | 1u << BTF_KIND_ENUM64,
	[CUL_BTF_TYPEDEF_OR_BASE] =
		1u << BTF_KIND_TYPEDEF | 1u << BTF_KIND_INT | 1u << BTF_KIND_FLOAT,
};

void cul_btf_nearest(struct cul_btf *btf, enum cul_btf_find what, struct cul_nearest *near)
{
	for (uint32_t id = btf->first_id; id < btf->first_id + btf->n; id++) {
		const struct btf_type *t = cul_btf_raw_type(btf, id);
		const char *name;

		if (!(kinds[what] >> BTF_INFO_KIND(t->info) & 1))
			continue;
		name = cul_btf_raw_string(btf, t->name_off);
		if (name && *name)
			cul_nearest_offer(near, name);
	}
}

const struct cul_type *cul_btf_find(struct cul_btf *btf, enum cul_btf_find what, const char *name)
{
	const struct cul_type *type = find(btf, kinds[what], name);
	enum cul_kind kind = what == CUL_BTF_UNION ? CUL_KIND_UNION : CUL_KIND_STRUCT;

	if (type || (what != CUL_BTF_STRUCT && what != CUL_BTF_UNION))
		return type;
	type = find(btf, 1u << BTF_KIND_FWD, name);
	return type && type->kind == kind ? type : NULL;
}

const struct cul_type *cul_btf_var(struct cul_btf *btf, const char *name)
{
	return find(btf, 1u << BTF_KIND_VAR, name);
}

const struct cul_type *cul_btf_func(struct cul_btf *btf, const char *name)
{
	return find(btf, 1u << BTF_KIND_FUNC, name);
}

uint32_t cul_btf_struct_id(struct cul_btf *btf, const char *tag)
{
	return *tag ? cul_btf_raw_find(btf, 1u << BTF_KIND_STRUCT, tag, 0) : 0;
}

uint32_t cul_btf_func_id(struct cul_btf *btf, const char *name)
{
	return *name ? cul_btf_raw_find(btf, 1u << BTF_KIND_FUNC, name, 0) : 0;
}

bool cul_btf_next_func(struct cul_btf *btf, uint32_t *cursor, uint32_t *id, const char **name)
{
	while (*cursor < btf->n) {
		uint32_t this = btf->first_id + (*cursor)++;
		const struct btf_type *t = cul_btf_raw_type(btf, this);
		const char *s;

		if (BTF_INFO_KIND(t->info) != BTF_KIND_FUNC)
			continue;
		s = cul_btf_raw_string(btf, t->name_off);
		if (!s || !*s)
			continue;
		*id = this;
		*name = s;
		return true;
	}
	return false;
}

const struct cul_type *cul_btf_func_type(struct cul_btf *btf, uint32_t id)
{
	const struct btf_type *t = cul_btf_raw_type(btf, id);
	const struct cul_type *type;

	if (!t || BTF_INFO_KIND(t->info) != BTF_KIND_FUNC || cul_btf_types_node(btf, id, &type) < 0)
		return NULL;
	return type;
}

/* Index of the enumerator in the record, -1 when it is not there. */
static long enumerator_in(const struct cul_btf *btf, const struct btf_type *t, const char *name)
{
	const struct btf_enum *e = (const void *)(t + 1);
	const struct btf_enum64 *e64 = (const void *)(t + 1);
	unsigned kind = BTF_INFO_KIND(t->info);

	if (kind != BTF_KIND_ENUM && kind != BTF_KIND_ENUM64)
		return -1;
	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const char *s = cul_btf_raw_string(
			btf, kind == BTF_KIND_ENUM ? e[i].name_off : e64[i].name_off);

		if (s && s[0] == name[0] && !strcmp(s, name))
			return (long)i;
	}
	return -1;
}

int cul_btf_enumerator(
	struct cul_btf *btf, const char *name, const struct cul_type **type, int64_t *value)
{
	for (; btf; btf = btf->base) {
		for (uint32_t id = btf->first_id; id < btf->first_id + btf->n; id++) {
			const struct btf_type *t = cul_btf_raw_type(btf, id);
			long i = enumerator_in(btf, t, name);
			const struct cul_type *node;
			int ret;

			if (i < 0)
				continue;
			ret = cul_btf_types_node(btf, id, &node);
			if (ret < 0)
				return ret;
			*value = cul_btf_types_enum_value(btf, t, (uint32_t)i);
			*type = node;
			return 0;
		}
	}
	return -ENOENT;
}
