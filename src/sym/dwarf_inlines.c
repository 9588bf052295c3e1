/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an address to the calls that the compiler has inlined there (DWARF 5, section 3.3.8.2).
 *
 * What is read is kept, in lists by address: a unit's functions at the first question about the
 * unit, the inlined calls in a function at the first about the function.
 */
#include "sym/dwarf_priv.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
	MAX_NESTING = 64,
	MAX_ORIGINS = 8,    /* of one function */
	MAX_DIES = 1 << 22, /* looked at in one unit */
};

/* One range of a function or of an inlined call. */
struct dwarf_span {
	uint64_t start, end; /* linked */
	uint64_t max_end;    /* functions: of all up to this one */
	Dwarf_Off die;
	size_t body; /* functions */
};

struct dwarf_spans {
	struct dwarf_span *data;
	size_t len, cap;
};

struct dwarf_body {
	bool read;
	struct dwarf_spans calls; /* outer ones before those in them */
};

struct dwarf_code {
	bool read, nested_read;
	Dwarf *dwarf;  /* what its DIEs are in: the file's own, or that of a .dwo */
	unsigned seen; /* DIEs */
	size_t n_bodies;
	struct dwarf_spans functions; /* by start */
	struct dwarf_body *bodies;
};

void cul_dwarf_inlines_free(struct cul_objfile *o)
{
	for (size_t i = 0; o->code && i < o->units.len; i++) {
		struct dwarf_code *code = &o->code[i];

		for (size_t b = 0; code->bodies && b < code->n_bodies; b++)
			free(code->bodies[b].calls.data);
		free(code->bodies);
		free(code->functions.data);
	}
	free(o->code);
}

/* Each range of a DIE that has code, but for what the linker has dropped. */
static int add_ranges(struct dwarf_spans *spans, Dwarf_Die *die, size_t body)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
		struct dwarf_span *s;

		if (start <= 1 || start >= end)
			continue;
		s = cul_vec_push(spans);
		if (!s)
			return -ENOMEM;
		*s = (struct dwarf_span){
			.start = start, .end = end, .die = dwarf_dieoffset(die), .body = body};
	}
	return 0;
}

/* Functions of a unit */

static bool holds_functions(int tag, bool nested)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
		return true;
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
	case DW_TAG_lexical_block:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
		return nested;
	default:
		return false;
	}
}

/* `nested`: also those within other functions and types, which is slower. */
static int add_functions(struct dwarf_code *code, Dwarf_Die *parent, bool nested, unsigned depth)
{
	Dwarf_Die die;
	size_t before;
	int ret = 0;

	if (depth > MAX_NESTING || dwarf_child(parent, &die) != 0)
		return 0;
	do {
		int tag = dwarf_tag(&die);

		if (++code->seen > MAX_DIES)
			return 0;
		if (tag == DW_TAG_subprogram) {
			before = code->functions.len;
			ret = add_ranges(&code->functions, &die, code->n_bodies);
			code->n_bodies += code->functions.len > before;
		}
		if (ret == 0 && holds_functions(tag, nested))
			ret = add_functions(code, &die, nested, depth + 1);
	} while (ret == 0 && dwarf_next(&die));
	return ret;
}

static int by_start(const void *a, const void *b)
{
	const struct dwarf_span *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end > y->end ? -1 : x->end < y->end;
}

static int read_unit(struct cul_objfile *o, struct dwarf_code *code, size_t unit, bool nested)
{
	uint64_t max_end = 0;
	Dwarf_Die die;
	int ret;

	for (size_t b = 0; code->bodies && b < code->n_bodies; b++)
		free(code->bodies[b].calls.data);
	free(code->bodies);
	code->bodies = NULL;
	code->functions.len = code->n_bodies = code->seen = 0;
	code->read = true;
	code->nested_read = nested;
	if (!cul_dwarf_units_die(o, unit, &die))
		return -ENOENT;
	cul_dwarf_split_die(o, &die);
	code->dwarf = dwarf_cu_getdwarf(die.cu);
	ret = add_functions(code, &die, nested, 0);
	if (ret == 0 && code->n_bodies)
		code->bodies = cul_calloc(code->n_bodies, sizeof(*code->bodies));
	if (ret != 0 || !code->bodies) {
		code->functions.len = 0;
		return ret != 0 ? ret : code->n_bodies ? -ENOMEM : 0;
	}
	qsort(code->functions.data, code->functions.len, sizeof(*code->functions.data), by_start);
	for (size_t i = 0; i < code->functions.len; i++) {
		if (code->functions.data[i].end > max_end)
			max_end = code->functions.data[i].end;
		code->functions.data[i].max_end = max_end;
	}
	return 0;
}

/* The function covering `addr` (linked) that starts last: the innermost. */
static struct dwarf_span *find_function(struct dwarf_code *code, uint64_t addr)
{
	struct dwarf_span *functions = code->functions.data;
	size_t low = 0, high = code->functions.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (functions[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low > 0 && functions[low - 1].max_end > addr; low--)
		if (functions[low - 1].end > addr)
			return &functions[low - 1];
	return NULL;
}

static int function_at(struct cul_objfile *o, size_t unit, uint64_t addr, struct dwarf_code **code,
	struct dwarf_span **out)
{
	int ret;

	if (!o->code)
		o->code = cul_calloc(o->units.len, sizeof(*o->code));
	if (!o->code)
		return -ENOMEM;
	*code = &o->code[unit];
	ret = (*code)->read ? 0 : read_unit(o, *code, unit, false);
	*out = ret == 0 ? find_function(*code, addr) : NULL;
	if (ret == 0 && !*out && !(*code)->nested_read) {
		ret = read_unit(o, *code, unit, true);
		*out = ret == 0 ? find_function(*code, addr) : NULL;
	}
	return ret == 0 && !*out ? -ENOENT : ret;
}

/* Inlined calls of a function */

static int add_calls(
	struct dwarf_code *code, struct dwarf_body *body, Dwarf_Die *parent, unsigned depth)
{
	Dwarf_Die die;
	int ret = 0;

	if (depth > MAX_NESTING || dwarf_child(parent, &die) != 0)
		return 0;
	do {
		int tag = dwarf_tag(&die);

		if (++code->seen > MAX_DIES)
			return 0;
		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block)
			continue;
		if (tag == DW_TAG_inlined_subroutine)
			ret = add_ranges(&body->calls, &die, 0);
		if (ret == 0)
			ret = add_calls(code, body, &die, depth + 1);
	} while (ret == 0 && dwarf_next(&die));
	return ret;
}

static int read_body(struct dwarf_code *code, struct dwarf_body *body, Dwarf_Off off)
{
	Dwarf_Die die;

	if (body->read)
		return 0;
	body->read = true;
	return dwarf_offdie(code->dwarf, off, &die) ? add_calls(code, body, &die, 0) : 0;
}

static const char *name_of(struct cul_objfile *o, Dwarf_Die *die)
{
	static const unsigned attrs[] = {DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name};

	for (size_t i = 0; i < sizeof(attrs) / sizeof(*attrs); i++) {
		Dwarf_Attribute mem;
		const char *name = dwarf_formstring(dwarf_attr_integrate(die, attrs[i], &mem));

		if (name && *name)
			return cul_objfile_shown(o, name);
	}
	return NULL;
}

/* Where the function that contains the inlined call makes it. */
static void place_of(Dwarf_Die *die, struct cul_call *out)
{
	Dwarf_Files *files;
	uint64_t file, line;
	Dwarf_Die unit;
	const char *path;
	size_t n;

	if (!dwarf_number(die, DW_AT_call_line, &line) || line == 0 || line > INT32_MAX ||
		!dwarf_number(die, DW_AT_call_file, &file) ||
		!dwarf_diecu(die, &unit, NULL, NULL) || dwarf_getsrcfiles(&unit, &files, &n) != 0 ||
		file >= n)
		return;
	path = dwarf_filesrc(files, file, NULL, NULL);
	if (!path)
		return;
	out->file = cul_dwarf_lines_shorten(path, &unit);
	out->line = (int)line;
}

/* The function as it is in the source. */
static Dwarf_Off origin_of(Dwarf_Die *die, uint64_t *line)
{
	Dwarf_Attribute mem;
	Dwarf_Die origin = *die, next;

	for (unsigned i = 0; i < MAX_ORIGINS; i++) {
		if (!dwarf_attr(&origin, DW_AT_abstract_origin, &mem) ||
			!dwarf_formref_die(&mem, &next))
			break;
		origin = next;
	}
	if (!dwarf_number(&origin, DW_AT_decl_line, line))
		*line = 0;
	return dwarf_dieoffset(&origin);
}

int cul_objfile_calls(struct cul_objfile *o, uint64_t addr, struct cul_call *out, size_t *n)
{
	uint64_t linked = cul_objfile_linked(o, addr);
	const struct dwarf_span *chain[CUL_MAX_CALLS];
	struct dwarf_span *function;
	struct dwarf_code *code;
	struct dwarf_body *body;
	size_t unit, depth = 0;
	Dwarf_Off origin, before = 0;
	uint64_t line;
	Dwarf_Die die;
	int ret = cul_dwarf_lines_unit(o, linked, &unit);

	if (ret == 0)
		ret = function_at(o, unit, linked, &code, &function);
	if (ret != 0)
		return ret;
	body = &code->bodies[function->body];
	ret = read_body(code, body, function->die);
	if (ret != 0)
		return ret;
	chain[depth++] = function;
	for (size_t i = 0; i < body->calls.len && depth < CUL_MAX_CALLS; i++)
		if (linked >= body->calls.data[i].start && linked < body->calls.data[i].end)
			chain[depth++] = &body->calls.data[i];
	memset(out, 0, depth * sizeof(*out));
	cul_objfile_line(o, addr, &out[0].file, &out[0].line);
	for (size_t i = 0; i < depth; i++) {
		if (!dwarf_offdie(code->dwarf, chain[depth - 1 - i]->die, &die))
			return -EBADMSG;
		out[i].function = name_of(o, &die);
		origin = origin_of(&die, &line);
		/* gcc has a part that it puts back called where the function begins. */
		if (i > 0 && origin == before && out[i].line && (uint64_t)out[i].line == line)
			out[i - 1].is_part = true;
		before = origin;
		if (i + 1 < depth)
			place_of(&die, &out[i + 1]);
	}
	*n = depth;
	return 0;
}
