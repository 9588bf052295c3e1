/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places by name, and names as they are shown. Each is demangled once; what that takes in all of a
 * file is bounded.
 */
#include "sym/objfile_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "sym/demangle.h"

static const uint64_t MAX_NS = 1000000000; /* demangling, in all */

static struct objfile_name *slot_of(struct objfile_name *names, size_t cap, const char *raw)
{
	size_t i = ((uintptr_t)raw * 0x9e3779b97f4a7c15ull >> 20) & (cap - 1);

	while (names[i].raw && names[i].raw != raw)
		i = (i + 1) & (cap - 1);
	return &names[i];
}

static bool make_room(struct cul_objfile *o)
{
	size_t cap = o->cap_names ? 2 * o->cap_names : 256;
	struct objfile_name *names;

	if (o->n_names < o->cap_names / 2)
		return true;
	names = cul_calloc(cap, sizeof(*names));
	if (!names)
		return false;
	for (size_t i = 0; i < o->cap_names; i++)
		if (o->names[i].raw)
			*slot_of(names, cap, o->names[i].raw) = o->names[i];
	free(o->names);
	o->names = names;
	o->cap_names = cap;
	return true;
}

static const char *demangle(struct cul_objfile *o, const char *raw)
{
	cul_autostr struct cul_str text = {0};
	uint64_t begin = cul_clock_now();
	const char *shown = NULL;

	if (o->demangle_ns > MAX_NS)
		return raw;
	if (cul_demangle(raw, &text))
		shown = cul_arena_strdup(&o->arena, cul_str_text(&text));
	o->demangle_ns += cul_clock_now() - begin;
	return shown ? shown : raw;
}

const char *cul_objfile_shown(struct cul_objfile *o, const char *raw)
{
	struct objfile_name *slot;

	if (raw[0] != '_' || (raw[1] != 'Z' && raw[1] != 'R') || !make_room(o))
		return raw;
	slot = slot_of(o->names, o->cap_names, raw);
	if (!slot->raw) {
		slot->raw = raw;
		slot->shown = demangle(o, raw);
		o->n_names++;
	}
	return slot->shown;
}

size_t cul_objfile_frames(struct cul_objfile *o, uint64_t addr, struct cul_where *out, size_t max)
{
	struct cul_call calls[CUL_MAX_CALLS];
	struct cul_elf_symbol sym;
	const char *slash = strrchr(o->name, '/'), *module = slash ? slash + 1 : o->name;
	size_t n, skipped;

	if (max == 0 || cul_objfile_symbol_at(o, addr, &sym) != 0)
		return 0;
	if (cul_objfile_calls(o, addr, calls, &n) != 0) {
		n = 1;
		memset(calls, 0, sizeof(*calls));
		cul_objfile_line(o, addr, &calls[0].file, &calls[0].line);
	}
	skipped = n > max ? n - max : 0;
	n -= skipped;
	for (size_t i = 0; i < n; i++)
		out[i] = (struct cul_where){
			.addr = addr,
			.function = calls[skipped + i].function,
			.module = module,
			.file = calls[skipped + i].file,
			.line = calls[skipped + i].line,
		};
	out[n - 1].function = cul_objfile_shown(o, sym.name);
	out[n - 1].offset = addr - sym.addr;
	return n;
}
