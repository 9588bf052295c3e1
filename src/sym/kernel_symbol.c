/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a name of the kernel to the one thing that it stands for. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "sym/kernel_priv.h"

enum { SHOWN = 6, MODULES_TRIED = 16 };

/* Where symbols of one name are listed. */
struct table {
	struct cul_kernel *k;
	bool is_map;
	const char *module, *name; /* `module` NULL: any */
};

static int nth(const struct table *t, size_t i, struct cul_ksym *out)
{
	return t->is_map ? cul_system_map_find_nth(t->k->map, t->name, i, out)
			 : cul_kallsyms_find_nth(t->k->syms, t->module, t->name, i, out);
}

/* Text that cannot move has to be where the map says: a last check of one that seems to fit. */
static int check_banner(struct cul_kernel *k, struct cul_system_map *map, struct cul_error *err)
{
	static const char wanted[] = "Linux version ";
	char found[sizeof(wanted) - 1];
	struct cul_ksym banner;
	struct cul_mem *mem;
	int r;

	if (cul_system_map_find(map, "linux_banner", &banner, NULL, NULL))
		return 0;
	mem = cul_kernel_mem(k, NULL);
	r = mem ? cul_mem_read(mem, banner.addr, found, sizeof(found)) : -EPERM;
	if (r == -EFAULT || (!r && memcmp(found, wanted, sizeof(found)) != 0))
		return cul_fail(err, -ESTALE,
			"%s: is of another build than the running kernel: linux_banner is not "
			"where it says",
			cul_system_map_path(map));
	return 0;
}

struct cul_system_map *cul_kernel_map(struct cul_kernel *k, struct cul_error *err)
{
	struct utsname uts = {0};
	int r;

	if (!k->map && !k->map_error.code) {
		uname(&uts);
		r = cul_system_map_locate(
			k->debug_paths, uts.release, k->syms, &k->map, &k->map_error);
		if (!r && check_banner(k, k->map, &k->map_error)) {
			cul_system_map_free(k->map);
			k->map = NULL;
		}
	}
	if (!k->map && err)
		*err = k->map_error;
	return k->map;
}

static int find_in_map(struct cul_kernel *k, const char *name, struct cul_ksym *out, size_t *n_same,
	struct cul_error *err)
{
	struct cul_error why = {0};

	if (cul_kernel_map(k, &why))
		return cul_system_map_find(k->map, name, out, n_same, err);
	if (why.code != -ENOENT && why.code != -ESTALE)
		return cul_fail(err, why.code, "%s", why.text);
	return cul_fail(err, -ENOENT,
		"'%s' is no function, and this kernel lists no data (no CONFIG_KALLSYMS_ALL); %s, "
		"or an address: 0xADDR:SIZE",
		name, why.text);
}

int cul_kernel_own_symbol(
	struct cul_kernel *k, const char *name, struct cul_ksym *out, struct cul_error *err)
{
	int r = cul_kallsyms_find(k->syms, "vmlinux", name, out, NULL, err);

	if (r != -ENOENT || cul_kallsyms_has_data(k->syms))
		return r;
	return find_in_map(k, name, out, NULL, err);
}

/* A module's data by its file, placed where its sections are. */
static int find_in_module(
	struct cul_kernel *k, const char *module, const char *name, struct cul_ksym *out)
{
	const struct cul_kmodule *m = cul_kallsyms_module(k->syms, module);
	struct kernel_part *p = m ? cul_kernel_part(k, m->name) : NULL;
	struct cul_objfile *file = p ? cul_kernel_part_file(k, p) : NULL;
	struct cul_elf_symbol s;

	if (!file || cul_objfile_symbol(file, name, &s, NULL) || s.is_function || s.is_tls)
		return -ENOENT;
	*out = (struct cul_ksym){.addr = s.addr,
		.size = s.size,
		.name = s.name,
		.module = m->name,
		.kind = s.is_global ? 'D' : 'd'};
	return 0;
}

/* By kallsyms; data that it does not list by what does. */
static int find(struct table *t, struct cul_ksym *out, size_t *n_same, struct cul_error *err)
{
	bool own = !t->module || !strcmp(t->module, "vmlinux");
	int r = cul_kallsyms_find(t->k->syms, t->module, t->name, out, n_same, err);

	if (r != -ENOENT || cul_kallsyms_has_data(t->k->syms))
		return r;
	*n_same = 1;
	if (!own)
		return find_in_module(t->k, t->module, t->name, out) ? r : 0;
	r = find_in_map(t->k, t->name, out, n_same, err);
	t->is_map = !r;
	return r;
}

static bool is_one_place(const struct table *t, const struct cul_ksym *first, size_t n)
{
	struct cul_ksym s;

	for (size_t i = 1; i < n; i++)
		if (!nth(t, i, &s) && (s.addr != first->addr || s.percpu != first->percpu))
			return false;
	return true;
}

/* The source files of a module's statics: "FILE:hidden: refs.c, level.c"; "" without DWARF. */
static void name_files(const struct table *t, const char *module, struct cul_str *text)
{
	struct kernel_part *p = cul_kernel_part(t->k, module);
	struct cul_objfile *file = p ? cul_kernel_part_file(t->k, p) : NULL;
	struct cul_error err = {0};
	struct cul_variable v;
	const char *files;

	if (!file || !cul_objfile_has_dwarf(file)) {
		cul_str_addf(text,
			", or by source file, FILE.c:%s, with the debug information of %s", t->name,
			module);
		return;
	}
	if (cul_objfile_variable(file, NULL, t->name, &v, &err) != -ENOTUNIQ)
		return;
	files = strstr(err.text, "FILE:");
	if (files)
		cul_str_addf(text, ", or %.160s", files);
}

static int fail_not_unique(
	const struct table *t, const struct cul_ksym *first, size_t n, struct cul_error *err)
{
	cul_autostr struct cul_str text = {0};
	const char *other = NULL;
	struct cul_ksym s;

	cul_str_addf(&text, "%zu symbols are named '%s': ", n, t->name);
	for (size_t i = 0; i < n && i < SHOWN && !nth(t, i, &s); i++) {
		cul_str_addf(&text, "%s%s at 0x%" PRIx64, i ? ", " : "", s.module, s.addr);
		if (strcmp(s.module, first->module) != 0)
			other = s.module;
	}
	cul_str_addf(&text, "%s; say which by address: 0x%" PRIx64 ":SIZE",
		n > SHOWN ? ", ..." : "", first->addr);
	if (other)
		cul_str_addf(&text, ", by module: %s:%s", other, t->name);
	if (strchr("tTwW", first->kind))
		;
	else if (!other)
		name_files(t, first->module, &text);
	else
		cul_str_addf(&text, ", by source file: FILE.c:%s", t->name);
	return cul_fail(err, -ENOTUNIQ, "%s", cul_str_text(&text));
}

static const struct cul_type *variable_type(struct cul_kernel *k, const struct cul_ksym *sym)
{
	struct kernel_part *p = cul_kernel_part(k, sym->module);
	const struct cul_type *type = NULL;
	struct cul_variable var;
	struct cul_btf *btf;
	struct cul_objfile *file;

	if (!p)
		return NULL;
	btf = cul_kernel_part_btf(k, p);
	if (btf)
		type = cul_btf_var(btf, sym->name);
	if (type)
		return type;
	file = cul_kernel_part_file(k, p);
	if (file && !cul_objfile_variable(file, NULL, sym->name, &var, NULL))
		return var.type;
	return NULL;
}

int cul_kernel_symbol(struct cul_kernel *k, const char *module, const char *name,
	struct cul_kernel_symbol *out, struct cul_error *err)
{
	struct table t = {.k = k, .module = module, .name = name};
	struct cul_kernel_symbol found = {0};
	size_t n_same = 1;
	int r;

	r = find(&t, &found.sym, &n_same, err);
	if (r)
		return r;
	if (n_same > 1 && !is_one_place(&t, &found.sym, n_same))
		return fail_not_unique(&t, &found.sym, n_same, err);
	found.is_function = strchr("tTwW", found.sym.kind) && !found.sym.percpu;
	if (!found.is_function)
		found.type = variable_type(k, &found.sym);
	*out = found;
	return 0;
}

/* What kallsyms calls the variable that DWARF has found; by DWARF alone where it lists none. */
static int name_variable(struct cul_kernel *k, const char *module, const char *name,
	const struct cul_variable *v, struct cul_kernel_symbol *out)
{
	struct table t = {.k = k, .module = module, .name = name};
	struct cul_ksym start, end;

	out->type = v->type;
	out->is_function = false;
	for (size_t i = 0; !nth(&t, i, &out->sym); i++)
		if (out->sym.addr == v->addr)
			return 0;
	out->sym = (struct cul_ksym){.addr = v->addr,
		.size = v->type->size,
		.name = cul_arena_strdup(&k->names, name),
		.module = module,
		.kind = 'd'};
	out->sym.percpu = !strcmp(module, "vmlinux") &&
			  !cul_kernel_own_symbol(k, "__per_cpu_start", &start, NULL) &&
			  !cul_kernel_own_symbol(k, "__per_cpu_end", &end, NULL) &&
			  v->addr >= start.addr && v->addr < end.addr;
	return out->sym.name ? 0 : -ENOMEM;
}

/* -ENODATA: no DWARF of that module. */
static int variable_in(struct cul_kernel *k, const char *module, const char *file, const char *name,
	struct cul_kernel_symbol *out, struct cul_error *err)
{
	struct kernel_part *p = cul_kernel_part(k, module);
	struct cul_objfile *o = p ? cul_kernel_part_file(k, p) : NULL;
	struct cul_variable v;
	int r;

	if (!o || !cul_objfile_has_dwarf(o))
		return cul_fail(err, -ENODATA,
			"%s:%s: no debug information (DWARF) of %s was found, which names its "
			"source files; give it with --debug FILE",
			file, name, module);
	r = cul_objfile_variable(o, file, name, &v, err);
	if (r)
		return r;
	if (v.is_tls)
		return cul_fail(err, -ENOTSUP, "%s:%s is thread-local", file, name);
	return name_variable(k, p->name, name, &v, out);
}

/* The modules that list the name, and vmlinux; where no data are listed those used before. */
static size_t list_modules(struct cul_kernel *k, const char *name, const char **modules)
{
	struct table t = {.k = k, .name = name};
	struct cul_ksym s;
	size_t n = 0, at;

	for (size_t i = 0; n < MODULES_TRIED && !nth(&t, i, &s); i++) {
		for (at = 0; at < n && strcmp(modules[at], s.module) != 0; at++)
			;
		if (at == n)
			modules[n++] = s.module;
	}
	if (!n)
		modules[n++] = "vmlinux";
	for (size_t i = 1; n == 1 && i < k->parts.len && i < MODULES_TRIED; i++)
		modules[n++] = k->parts.data[i]->name;
	return n;
}

int cul_kernel_variable(struct cul_kernel *k, const char *module, const char *file,
	const char *name, struct cul_kernel_symbol *out, struct cul_error *err)
{
	struct cul_kernel_symbol found = {0}, one;
	const char *modules[MODULES_TRIED + 1], *where = NULL;
	struct cul_error first = {0}, e;
	const struct cul_kmodule *m;
	size_t n = 1;
	int r;

	m = module ? cul_kallsyms_module(k->syms, module) : NULL;
	if (module && !m && strcmp(module, "vmlinux") != 0)
		return cul_fail(err, -ENXIO, "module '%s' is not loaded", module);
	if (module)
		modules[0] = m ? m->name : "vmlinux";
	else
		n = list_modules(k, name, modules);
	for (size_t i = 0; i < n; i++) {
		e.code = 0;
		r = variable_in(k, modules[i], file, name, &one, &e);
		if (!r && where && one.sym.addr != found.sym.addr)
			return cul_fail(err, -ENOTUNIQ, "%s:%s is in %s and in %s; write %s:%s:%s",
				file, name, where, modules[i], where, file, name);
		if (!r && !where) {
			found = one;
			where = modules[i];
		}
		if (r && !first.code)
			first = e;
	}
	if (!where)
		return cul_fail(err, first.code, "%s", first.text);
	*out = found;
	return 0;
}
