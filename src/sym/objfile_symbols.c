/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ELF symbol table. It is read once, sorted by address; a look-up by name
 * goes through all of it, which costs about a millisecond in 100,000 symbols.
 */
#include "sym/objfile_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* Beyond that it is no table of a program. Names are longer in no language. */
enum { SYMBOLS_MOST = 1 << 22, NAME_MOST = 1 << 14 };
enum { MAX_NESTED = 4096 }; /* symbols within each other, or at one address */

/* A symbol table with what is needed to read it. */
struct table {
	Elf *elf;
	Elf_Data *syms;
	Elf_Data *extended; /* SHT_SYMTAB_SHNDX, NULL mostly */
	size_t strings;     /* section */
	size_t n;
};

/*
 * Without an end libelf would look for the last one in all of them, for each symbol; what is
 * compressed it would unpack, however large that becomes.
 */
static bool ends_strings(Elf *elf, size_t section)
{
	Elf_Scn *scn = elf_getscn(elf, section);
	Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;
	GElf_Shdr shdr;

	return data && data->d_buf && data->d_size && gelf_getshdr(scn, &shdr) &&
	       !(shdr.sh_flags & SHF_COMPRESSED) &&
	       ((const char *)data->d_buf)[data->d_size - 1] == '\0';
}

static bool find_table(Elf *elf, GElf_Word type, struct table *out)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	memset(out, 0, sizeof(*out));
	while ((scn = elf_nextscn(elf, scn))) {
		if (!gelf_getshdr(scn, &shdr))
			continue;
		if (shdr.sh_size > SYMBOLS_MOST * sizeof(Elf64_Sym))
			continue;
		if (shdr.sh_type == SHT_SYMTAB_SHNDX && type == SHT_SYMTAB)
			out->extended = elf_getdata(scn, NULL);
		if (shdr.sh_type != type || out->syms || shdr.sh_entsize < sizeof(Elf32_Sym))
			continue;
		out->elf = elf;
		out->syms = elf_getdata(scn, NULL);
		out->strings = shdr.sh_link;
		out->n = out->syms ? out->syms->d_size / shdr.sh_entsize : 0;
	}
	return out->n > 1 && ends_strings(elf, out->strings);
}

struct objfile_section *cul_objfile_sections(struct cul_objfile *o, Elf *elf, size_t *n)
{
	struct objfile_section *sections;
	size_t names;
	Elf_Scn *scn = NULL;

	if (elf_getshdrnum(elf, n) != 0 || elf_getshdrstrndx(elf, &names) != 0)
		return NULL;
	sections = cul_arena_alloc(&o->arena, (*n + 1) * sizeof(*sections));
	while (sections && (scn = elf_nextscn(elf, scn))) {
		struct objfile_section *s = &sections[elf_ndxscn(scn)];
		GElf_Shdr shdr;
		const char *name;

		if (elf_ndxscn(scn) >= *n || !gelf_getshdr(scn, &shdr) ||
			!(shdr.sh_flags & SHF_ALLOC))
			continue;
		if (o->type != ET_REL) {
			s->addr = cul_objfile_runtime(o, shdr.sh_addr);
			s->loaded = true;
		} else {
			name = elf_strptr(elf, names, shdr.sh_name);
			s->loaded = name && cul_objfile_section_addr(o, name, &s->addr) == 0;
			if (!s->loaded && o->is_64)
				s->addr = (uint64_t)OBJFILE_UNLOADED << 48;
		}
		s->end = s->addr + shdr.sh_size < s->addr ? UINT64_MAX : s->addr + shdr.sh_size;
	}
	return sections;
}

/*
 * $a, $d, $t, $x: ARM's mapping symbols mark code and data, they name nothing. _MIPS_STUBS_ stands
 * for all stubs of a file, which have names of their own.
 */
static bool is_mapping_symbol(struct cul_objfile *o, const char *name)
{
	if (o->machine == EM_MIPS)
		return strcmp(name, "_MIPS_STUBS_") == 0;
	if (o->machine != EM_ARM && o->machine != EM_AARCH64)
		return false;
	return name[0] == '$' && name[1] && strchr("adtx", name[1]) &&
	       (name[2] == '\0' || name[2] == '.');
}

/*
 * Of aliases the one that users write: "read" rather than "__read" or "__libc_read", whichever of
 * them is weak.
 */
static uint8_t rank_of(const struct objfile_symbol *s)
{
	size_t underscores = strspn(s->name, "_");

	return (uint8_t)((s->size ? 32 : 0) + (s->is_function || s->is_object ? 16 : 0) +
			 (s->is_global ? 8 : 0) + (underscores < 2 ? 2 - underscores : 0));
}

/* "name@@VERSION", as the static linker writes it in .symtab, without the version. */
static const char *plain_name(struct cul_objfile *o, const char *name)
{
	const char *at = strchr(name, '@');

	return at && at != name ? cul_arena_strndup(&o->arena, name, (size_t)(at - name)) : name;
}

static int add_symbol(struct cul_objfile *o, const GElf_Sym *sym, const char *name,
	const struct objfile_section *section)
{
	unsigned type = GELF_ST_TYPE(sym->st_info), bind = GELF_ST_BIND(sym->st_info);
	struct objfile_symbol *s = cul_vec_push(&o->symbols);

	if (s)
		s->name = plain_name(o, name);
	if (!s || !s->name)
		return -ENOMEM;
	s->size = sym->st_size;
	s->is_ifunc = type == STT_GNU_IFUNC;
	s->is_function = type == STT_FUNC || s->is_ifunc;
	s->is_object = type == STT_OBJECT || type == STT_COMMON;
	s->is_tls = type == STT_TLS;
	s->is_global = bind != STB_LOCAL;
	s->rank = rank_of(s);
	if (s->is_tls)
		s->addr = sym->st_value;
	else if (o->type == ET_REL)
		s->addr = section->addr + sym->st_value;
	else
		s->addr = cul_objfile_runtime(o, sym->st_value);
	if (o->machine == EM_ARM && s->is_function)
		s->addr &= ~1ULL; /* Thumb */
	s->end = s->size ? s->addr + s->size : section->end;
	if (s->end < s->addr)
		s->end = UINT64_MAX;
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct objfile_symbol *x = a, *y = b;
	size_t x_len, y_len;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (x->rank != y->rank)
		return (int)y->rank - (int)x->rank;
	/* "open" rather than "open64" */
	x_len = strlen(x->name);
	y_len = strlen(y->name);
	if (x_len != y_len)
		return x_len < y_len ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Whether it says which addresses it covers. */
static bool is_extent(const struct objfile_symbol *s)
{
	return s->size && !s->is_tls;
}

static size_t up_from(const struct objfile_symbol *symbols, size_t i)
{
	uint64_t end = is_extent(&symbols[i]) ? symbols[i].end : 0;
	size_t up = i;

	while (up && !(is_extent(&symbols[up - 1]) && symbols[up - 1].end > end))
		up = symbols[up - 1].up;
	return up;
}

static void sort_symbols(struct cul_objfile *o)
{
	uint64_t max_end = 0;

	if (o->symbols.len)
		qsort(o->symbols.data, o->symbols.len, sizeof(*o->symbols.data), by_address);
	for (size_t i = 0; i < o->symbols.len; i++) {
		struct objfile_symbol *s = &o->symbols.data[i];

		if (is_extent(s) && s->end > max_end)
			max_end = s->end;
		s->max_end = max_end;
		s->up = up_from(o->symbols.data, i);
	}
}

static int read_table(struct cul_objfile *o, struct table *t)
{
	size_t n_sections = 0;
	struct objfile_section *sections = cul_objfile_sections(o, t->elf, &n_sections);

	if (!sections)
		return -EBADMSG;
	for (size_t i = 1; i < t->n; i++) {
		GElf_Word index = 0;
		GElf_Sym sym;
		const char *name;
		unsigned type;
		int ret;

		if (!gelf_getsymshndx(t->syms, t->extended, (int)i, &sym, &index))
			continue;
		if (sym.st_shndx != SHN_XINDEX)
			index = sym.st_shndx;
		type = GELF_ST_TYPE(sym.st_info);
		if (index == SHN_UNDEF || index >= n_sections || !sections[index].loaded ||
			type == STT_SECTION || type == STT_FILE)
			continue;
		name = elf_strptr(t->elf, t->strings, sym.st_name);
		if (!name || !*name || strnlen(name, NAME_MOST) == NAME_MOST ||
			is_mapping_symbol(o, name))
			continue;
		ret = add_symbol(o, &sym, name, &sections[index]);
		if (ret != 0)
			return ret;
	}
	return 0;
}

/*
 * The whole table where there is one: of the file itself or of its debug file. Else what the
 * dynamic linker needs and, of the rest, what MiniDebugInfo adds to it.
 */
static int read_tables(struct cul_objfile *o)
{
	struct table t;
	int ret = 0;

	if (find_table(o->elf, SHT_SYMTAB, &t))
		return read_table(o, &t);
	if (cul_objfile_debug_elf(o) && find_table(o->debug_elf, SHT_SYMTAB, &t))
		return read_table(o, &t);
	if (find_table(o->elf, SHT_DYNSYM, &t))
		ret = read_table(o, &t);
	if (ret == 0 && cul_objfile_mini(o) && find_table(o->mini, SHT_SYMTAB, &t))
		ret = read_table(o, &t);
	return ret;
}

static int read_symbols(struct cul_objfile *o, struct cul_error *err)
{
	int ret;

	if (o->symbols_read)
		return 0;
	ret = read_tables(o);
	if (ret != 0) {
		o->symbols.len = 0;
		return cul_fail(err, ret, "%s: the symbol table cannot be read: %s", o->name,
			cul_strerror(ret));
	}
	sort_symbols(o);
	o->symbols_read = true;
	return 0;
}

static void give(const struct objfile_symbol *s, struct cul_elf_symbol *out)
{
	*out = (struct cul_elf_symbol){
		.name = s->name,
		.addr = s->addr,
		.size = s->size,
		.is_function = s->is_function,
		.is_object = s->is_object,
		.is_tls = s->is_tls,
		.is_global = s->is_global,
		.is_ifunc = s->is_ifunc,
	};
}

enum { NEAREST = 3 };

struct nearest {
	const char *name[NEAREST];
	unsigned distance[NEAREST];
	size_t n;
};

/* Keeps the nearest few, the nearest first, each name once. */
static void keep_nearest(struct nearest *best, const char *name, unsigned distance)
{
	size_t at;

	for (at = 0; at < best->n; at++)
		if (strcmp(best->name[at], name) == 0)
			return;
	for (at = 0; at < best->n && best->distance[at] <= distance; at++)
		;
	if (at == NEAREST)
		return;
	if (best->n < NEAREST)
		best->n++;
	for (size_t i = best->n - 1; i > at; i--) {
		best->name[i] = best->name[i - 1];
		best->distance[i] = best->distance[i - 1];
	}
	best->name[at] = name;
	best->distance[at] = distance;
}

/* A variable of C++ or Rust is near by its name in the source too, or by the last part of it. */
static unsigned distance_of(struct cul_objfile *o, const struct objfile_symbol *s, const char *name,
	unsigned max, const char **shown)
{
	*shown = s->name;
	if (!s->is_object && !s->is_function)
		return max + 1;
	if (s->is_object)
		*shown = cul_objfile_shown(o, s->name);
	if (*shown != s->name && !strstr(name, "::"))
		return cul_edit_distance(name, cul_objfile_last_part(*shown), max);
	return cul_edit_distance(name, *shown, max);
}

/* Adds "; did you mean A, B or C?" by the names of functions and objects. */
void cul_objfile_nearest(struct cul_objfile *o, const char *name, struct cul_error *err)
{
	unsigned max = (unsigned)strnlen(name, 12) / 3 + 1;
	struct nearest best = {0};
	size_t len;

	if (!err || read_symbols(o, NULL) != 0)
		return;
	for (size_t i = 0; i < o->symbols.len; i++) {
		const char *shown;
		unsigned d = distance_of(o, &o->symbols.data[i], name, max, &shown);

		if (d <= max)
			keep_nearest(&best, shown, d);
	}
	for (size_t i = 0; i < best.n; i++) {
		len = strlen(err->text);
		snprintf(err->text + len, sizeof(err->text) - len, "%s%s%s",
			i == 0           ? "; did you mean "
			: i + 1 < best.n ? ", "
					 : " or ",
			best.name[i], i + 1 == best.n ? "?" : "");
	}
}

int cul_objfile_symbol(
	struct cul_objfile *o, const char *name, struct cul_elf_symbol *out, struct cul_error *err)
{
	const struct objfile_symbol *found = NULL;
	int ret = read_symbols(o, err);

	if (ret != 0)
		return ret;
	for (size_t i = 0; i < o->symbols.len; i++) {
		const struct objfile_symbol *s = &o->symbols.data[i];

		if (strcmp(s->name, name) == 0 && (!found || s->rank > found->rank))
			found = s;
	}
	if (found) {
		give(found, out);
		return 0;
	}
	cul_fail(err, -ENOENT, "%s: has no symbol \"%s\"", o->name, name);
	cul_objfile_nearest(o, name, err);
	return -ENOENT;
}

bool cul_objfile_next_symbol(struct cul_objfile *o, size_t *cursor, struct cul_elf_symbol *out)
{
	if (read_symbols(o, NULL) != 0 || *cursor >= o->symbols.len)
		return false;
	give(&o->symbols.data[(*cursor)++], out);
	return true;
}

size_t cul_objfile_symbol_data(struct cul_objfile *o, const char *name, struct cul_elf_symbol *out)
{
	const struct objfile_symbol *found = NULL;
	size_t len = strlen(name), n_local = 0, n_global = 0;

	if (read_symbols(o, NULL) != 0)
		return 0;
	for (size_t i = 0; i < o->symbols.len; i++) {
		const struct objfile_symbol *s = &o->symbols.data[i];
		bool exact;

		/* "x.lto_priv.0", "x.0": statics whose name in the source is x */
		if (s->is_function || strncmp(s->name, name, len) != 0)
			continue;
		exact = s->name[len] == '\0';
		if (!exact && s->name[len] != '.')
			continue;
		if (exact && s->is_global)
			n_global++;
		else
			n_local++;
		if (exact && (s->is_global || !n_global))
			found = s;
	}
	if (n_global == 0)
		n_global = n_local;
	if (n_global == 1 && !found) /* "x.0" alone: which static it is only DWARF can tell */
		return 2;
	if (n_global == 1)
		give(found, out);
	return n_global;
}

/* The last of the symbols that start at or before `addr`, plus one. */
static size_t upper_bound(struct cul_objfile *o, uint64_t addr)
{
	size_t low = 0, high = o->symbols.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (o->symbols.data[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The innermost of those with a size that cover `addr`; of several from its address the first. */
static const struct objfile_symbol *covering(struct cul_objfile *o, uint64_t addr)
{
	const struct objfile_symbol *symbols = o->symbols.data, *found;
	size_t i = upper_bound(o, addr);
	unsigned steps = 0;

	while (i && !(is_extent(&symbols[i - 1]) && symbols[i - 1].end > addr)) {
		if (++steps == MAX_NESTED)
			return NULL;
		i = symbols[i - 1].up;
	}
	if (i == 0)
		return NULL;
	found = &symbols[i - 1];
	for (; i && symbols[i - 1].addr == found->addr && steps < MAX_NESTED; i--, steps++)
		if (is_extent(&symbols[i - 1]) && symbols[i - 1].end > addr)
			found = &symbols[i - 1];
	return found;
}

/*
 * The label before `addr`, which no symbol with a size covers, unless something of known size has
 * ended in between: then the label is not what this code belongs to.
 */
static const struct objfile_symbol *label_before(struct cul_objfile *o, uint64_t addr)
{
	const struct objfile_symbol *label = NULL;
	size_t i = upper_bound(o, addr);

	for (unsigned steps = 0; i && steps < MAX_NESTED; i--, steps++) {
		const struct objfile_symbol *s = &o->symbols.data[i - 1];

		if (s->is_tls)
			continue;
		if (s->size || s->end <= addr || (label && label->addr != s->addr))
			return label && label->addr >= s->max_end ? label : NULL;
		label = s;
	}
	return label;
}

int cul_objfile_symbol_at(struct cul_objfile *o, uint64_t addr, struct cul_elf_symbol *out)
{
	const struct objfile_symbol *found;

	if (read_symbols(o, NULL) != 0)
		return -ENOENT;
	found = covering(o, addr);
	if (!found)
		found = label_before(o, addr);
	if (!found)
		return cul_objfile_stub_at(o, addr, out);
	give(found, out);
	return 0;
}

static bool copies_here(struct cul_objfile *o, Elf_Scn *scn, const GElf_Shdr *shdr,
	const struct table *dyn, const char *name)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t n = data && shdr->sh_entsize ? data->d_size / shdr->sh_entsize : 0;

	for (size_t i = 0; i < n; i++) {
		GElf_Rela rela = {0};
		GElf_Rel rel;
		GElf_Sym sym;
		const char *this;

		if (shdr->sh_type == SHT_RELA && !gelf_getrela(data, (int)i, &rela))
			continue;
		if (shdr->sh_type == SHT_REL) {
			if (!gelf_getrel(data, (int)i, &rel))
				continue;
			rela.r_info = rel.r_info;
		}
		if (GELF_R_TYPE(rela.r_info) != cul_objfile_reloc_copy(o) ||
			!gelf_getsym(dyn->syms, (int)GELF_R_SYM(rela.r_info), &sym))
			continue;
		this = elf_strptr(dyn->elf, dyn->strings, sym.st_name);
		if (this && strcmp(this, name) == 0)
			return true;
	}
	return false;
}

bool cul_objfile_copies(struct cul_objfile *o, const char *name)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	struct table dyn;

	if (!cul_objfile_reloc_copy(o) || !find_table(o->elf, SHT_DYNSYM, &dyn))
		return false;
	while ((scn = elf_nextscn(o->elf, scn)))
		if (gelf_getshdr(scn, &shdr) && (shdr.sh_flags & SHF_ALLOC) &&
			(shdr.sh_type == SHT_RELA || shdr.sh_type == SHT_REL) &&
			copies_here(o, scn, &shdr, &dyn, name))
			return true;
	return false;
}
