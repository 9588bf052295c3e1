/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Types from the kernel's BTF: /sys/kernel/btf/vmlinux and, split from it, one
 * file a module. Our own reader: it maps the file and reads a type when it is
 * asked for, so that start-up does not pay for 130,000 types. The bytes are
 * checked as hostile. Format: Documentation/bpf/btf.rst.
 */
#ifndef CUL_SYM_BTF_H
#define CUL_SYM_BTF_H

#include "base/error.h"
#include "sym/type.h"

struct cul_btf;

/*
 * Opens `path`. `base` is vmlinux's BTF for a module's split BTF, NULL otherwise; it must outlive
 * the result. -ENOENT when there is none, -EBADMSG with the offset when it is malformed.
 */
int cul_btf_open(
	const char *path, struct cul_btf *base, struct cul_btf **out, struct cul_error *err);
/* The same from bytes that the caller keeps until cul_btf_free. */
int cul_btf_parse(const void *data, size_t size, struct cul_btf *base, struct cul_btf **out,
	struct cul_error *err);
void cul_btf_free(struct cul_btf *btf);

/* struct/union/enum by tag, or (CUL_TAG-less) typedef and base types. NULL when there is none. */
enum cul_btf_find { CUL_BTF_STRUCT, CUL_BTF_UNION, CUL_BTF_ENUM, CUL_BTF_TYPEDEF_OR_BASE };
const struct cul_type *cul_btf_find(struct cul_btf *btf, enum cul_btf_find what, const char *name);

/* Offers the names of `btf` itself, not of its base, for "did you mean"; they live as long as it.
 */
struct cul_nearest;
void cul_btf_nearest(struct cul_btf *btf, enum cul_btf_find what, struct cul_nearest *near);

/* The type of a variable (per-CPU ones, mostly) or a function (KIND_FUNC); NULL when not listed. */
const struct cul_type *cul_btf_var(struct cul_btf *btf, const char *name);
const struct cul_type *cul_btf_func(struct cul_btf *btf, const char *name);

/* A struct's id, as the kernel's own functions want it; not of its base. 0: not listed. */
uint32_t cul_btf_struct_id(struct cul_btf *btf, const char *tag);

/*
 * Functions of `btf` itself, not of its base. The id is that of the FUNC record, as the kernel's
 * attach_btf_id wants it; 0: not listed. `*cursor` starts as 0; false after the last. The type is
 * KIND_FUNC, NULL when it is malformed.
 */
uint32_t cul_btf_func_id(struct cul_btf *btf, const char *name);
bool cul_btf_next_func(struct cul_btf *btf, uint32_t *cursor, uint32_t *id, const char **name);
const struct cul_type *cul_btf_func_type(struct cul_btf *btf, uint32_t id);

/* An enumerator of any enum by name. -ENOENT. */
int cul_btf_enumerator(
	struct cul_btf *btf, const char *name, const struct cul_type **type, int64_t *value);

#endif
