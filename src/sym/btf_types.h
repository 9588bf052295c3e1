/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BTF records as nodes of a type graph. Internal to sym/btf*.c. */
#ifndef CUL_SYM_BTF_TYPES_H
#define CUL_SYM_BTF_TYPES_H

#include "sym/btf_raw.h"

extern const struct cul_type_ops cul_btf_types_ops;

/*
 * The node of type `id`, made now when there was none. -EBADMSG when there is no such type or it
 * is not one that an object can have; -ENOMEM.
 */
int cul_btf_types_node(struct cul_btf *btf, uint32_t id, const struct cul_type **out);

/* The value of enumerator `i` of an ENUM or ENUM64 as struct cul_enumerator has it. */
int64_t cul_btf_types_enum_value(struct cul_btf *btf, const struct btf_type *t, uint32_t i);

#endif
