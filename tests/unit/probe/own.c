/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "own.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../sym/btf_build.h"

static const char *const names[OWN_FUNCTIONS] = {"plain", "many", "odd", "pass", "tree"};

static void build_function(
	struct btf_build *b, const char *name, uint32_t ret, const uint32_t *params, unsigned n)
{
	static const char *const parameters[] = {"n", "name", "p", "f", "d", "fn"};
	uint32_t id = build_type(b, BTF_KIND_FUNC_PROTO, "", n, 0, ret);

	for (unsigned i = 0; i < n; i++)
		build_pair(b, i < 6 ? parameters[i] : "", params[i]);
	build_type(b, BTF_KIND_FUNC, name, 1, 0, id);
}

static uint32_t build_pointer(struct btf_build *b, uint32_t to)
{
	return build_type(b, BTF_KIND_PTR, "", 0, 0, to);
}

static size_t build_types(struct btf_build *b)
{
	uint32_t i32, i64, ch, text, ctext, pair, pair_p, file, dentry, filename, big, dbl, gone,
		vp, handler, self, byte, kind, deep, deep_p, id;
	uint32_t sixteen[16];

	build_start(b, 1, 0);
	i32 = build_int(b, "int", 4, BTF_INT_SIGNED);
	i64 = build_int(b, "long", 8, BTF_INT_SIGNED);
	ch = build_int(b, "char", 1, BTF_INT_SIGNED);
	byte = build_int(b, "unsigned char", 1, 0);
	text = build_pointer(b, ch);
	ctext = build_pointer(b, build_type(b, BTF_KIND_CONST, "", 0, 0, ch));
	pair = build_type(b, BTF_KIND_STRUCT, "pair", 2, 0, 16);
	build_member(b, "a", i64, 0);
	build_member(b, "text", text, 64);
	pair_p = build_pointer(b, pair);
	id = build_type(b, BTF_KIND_STRUCT, "file", 1, 0, 8);
	build_member(b, "f_pos", i64, 0);
	file = build_pointer(b, id);
	id = build_type(b, BTF_KIND_STRUCT, "dentry", 1, 0, 8);
	build_member(b, "d_time", i64, 0);
	dentry = build_pointer(b, id);
	id = build_type(b, BTF_KIND_STRUCT, "filename", 2, 0, 16);
	build_member(b, "refs", i64, 0);
	build_member(b, "name", ctext, 64);
	filename = build_pointer(b, id);
	id = build_array(b, i64, 100);
	id = build_type(b, BTF_KIND_STRUCT, "big", 1, 0, 800);
	build_member(b, "words", id - 1, 0);
	big = build_pointer(b, id);
	dbl = build_type(b, BTF_KIND_FLOAT, "double", 0, 0, 8);
	gone = build_pointer(b, build_type(b, BTF_KIND_FWD, "gone", 0, 0, 0));
	vp = build_pointer(b, 0);
	id = build_type(b, BTF_KIND_FUNC_PROTO, "", 1, 0, i32);
	build_pair(b, "", i32);
	handler = build_pointer(b, id);
	self = build_type(b, BTF_KIND_STRUCT, "self", 1, 0, 16);
	build_member(b, "s", self, 0);
	kind = build_type(b, BTF_KIND_ENUM, "kind", 2, 0, 4);
	build_pair(b, "KIND_NONE", 0);
	build_pair(b, "KIND_SOME", 1);
	deep = build_type(b, BTF_KIND_STRUCT, "deep", 3, 0, 24);
	build_member(b, "next", b->next_id, 0);
	build_member(b, "pair", pair_p, 64);
	build_member(b, "text", text, 128);
	deep_p = build_pointer(b, deep);

	build_function(b, names[OWN_PLAIN], i32,
		(const uint32_t[]){i32, ctext, pair_p, file, dentry, filename}, 6);
	for (int i = 0; i < 16; i++)
		sixteen[i] = big;
	build_function(b, names[OWN_MANY], text, sixteen, 16);
	build_function(b, names[OWN_ODD], dbl,
		(const uint32_t[]){dbl, gone, vp, handler, self, build_pointer(b, byte)}, 6);
	build_function(b, names[OWN_PASS], 0, (const uint32_t[]){pair, kind, deep_p}, 3);
	build_function(b, names[OWN_TREE], pair_p, &deep_p, 1);
	return build_end(b);
}

const struct cul_type *own_type(struct own *own, unsigned function)
{
	return cul_btf_func_type(own->btf, cul_btf_func_id(own->btf, names[function]));
}

void own_start(struct own *own, const struct cul_plan_want *want)
{
	static struct btf_build b;
	struct cul_probe_run *run = &own->run;
	struct cul_error err = {0};

	memset(own, 0, sizeof(*own));
	own->options.stop_fd = -1;
	record_init(&own->record);
	run->options = &own->options;
	run->sink = &own->record.sink;
	run->arch = cul_arch_find("x86_64");
	run->pid = getpid();
	run->pid_fd = -1;
	run->bare = own->bare;
	run->plans = calloc(OWN_FUNCTIONS, sizeof(*run->plans));
	run->generated = calloc(OWN_FUNCTIONS, sizeof(*run->generated));
	if (!run->plans || !run->generated ||
		cul_btf_parse(b.file, build_types(&b), NULL, &own->btf, &err) ||
		cul_scope_process(run->pid, NULL, &run->scope, &err))
		abort();
	for (unsigned i = 0; i < OWN_FUNCTIONS; i++) {
		struct cul_site *site = cul_vec_push(&run->sites.sites);

		if (!site || !own_type(own, i) ||
			cul_plan_make(own_type(own, i), want, &run->plans[i], &err))
			abort();
		*site = (struct cul_site){.kind = CUL_SITE_FUNCTION,
			.addr = 0x1000 * i,
			.name = names[i],
			.symbol = names[i],
			.module = "own",
			.type = own_type(own, i)};
	}
}

void own_end(struct own *own)
{
	struct cul_probe_run *run = &own->run;

	for (unsigned i = 0; i < OWN_FUNCTIONS; i++)
		cul_generated_free(&run->generated[i]);
	free(run->generated);
	free(run->plans);
	cul_sites_free(&run->sites);
	cul_seen_free(&run->seen);
	cul_gaps_free(&run->gaps);
	cul_scope_free(run->scope);
	cul_btf_free(own->btf);
}
