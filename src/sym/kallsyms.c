/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/kallsyms.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/nearest.h"
#include "sym/kallsyms_priv.h"
#include "sys/file.h"

enum {
	MAX_MODULES_SIZE = 16 << 20,
	/* Beyond the last symbol of a module nothing says where it ends. */
	LAST_SYMBOL_REACH = 64 << 10,
	/* Programs of [bpf] and parts of a module lie apart: a larger distance is a gap, no symbol.
	 */
	MAX_SYMBOL_SIZE = 64 << 20,
};

static const char own[] = "vmlinux";
static const char OWN_PATH[] = "/proc/kallsyms";

/* "victim 16384 0 - Live 0xffffffffc0201000 (OE)" (kernel/module/procfs.c, m_show) */
static bool parse_module(char *line, struct cul_kmodule *m)
{
	char *save = NULL, *field[6];

	for (int i = 0; i < 6; i++) {
		field[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!field[i])
			return false;
	}
	m->name = field[0];
	m->size = strtoull(field[1], NULL, 10);
	m->base = strtoull(field[5], NULL, 16);
	return true;
}

static int load_modules(struct cul_kallsyms *k, const char *path, struct cul_error *err)
{
	char *save = NULL, *line;
	size_t size;
	int ret;

	ret = cul_sys_read_file(path, MAX_MODULES_SIZE, &k->modules_text, &size);
	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return cul_fail(
			err, ret, "kernel modules: cannot read %s: %s", path, cul_strerror(ret));
	line = strtok_r(k->modules_text, "\n", &save);
	for (; line; line = strtok_r(NULL, "\n", &save)) {
		struct cul_kmodule m, *slot;

		if (!parse_module(line, &m))
			continue;
		slot = cul_vec_push(&k->modules);
		if (!slot)
			return cul_fail(err, -ENOMEM, "kernel modules: out of memory");
		*slot = m;
	}
	return 0;
}

static int fail_hidden(const char *path, struct cul_error *err)
{
	char setting[16] = "?";
	cul_autofree char *text = NULL;
	size_t size;

	if (cul_sys_read_file("/proc/sys/kernel/kptr_restrict", 64, &text, &size) == 0)
		snprintf(setting, sizeof(setting), "%.*s", (int)strcspn(text, "\n"), text);
	return cul_fail(err, -EPERM,
		"kernel symbols: %s shows every address as zero (kernel.kptr_restrict=%s); run as "
		"root "
		"or with CAP_SYSLOG, and with kernel.kptr_restrict at most 1",
		path, setting);
}

static int load_text(struct cul_kallsyms *k, const char *path, struct cul_error *err)
{
	int ret = cul_kallsyms_text_load(path, &k->stop, &k->text, err);

	return ret == 0 && !k->text.any_address ? fail_hidden(path, err) : ret;
}

static void *read_text(void *data)
{
	struct cul_kallsyms *k = data;

	load_text(k, OWN_PATH, &k->why);
	return NULL;
}

void cul_kallsyms_want(struct cul_kallsyms *k)
{
	if (k->reading)
		pthread_join(k->reader, NULL);
	else if (k->pending)
		read_text(k);
	k->reading = k->pending = false;
}

bool cul_kallsyms_is_read(const struct cul_kallsyms *k)
{
	return !k->pending;
}

void cul_kallsyms_read_ahead(struct cul_kallsyms *k)
{
	if (k->pending && !k->reading)
		k->reading = !pthread_create(&k->reader, NULL, read_text, k);
}

/* Whether addresses are shown, by the first of them: reading all takes long. */
static int look(struct cul_error *err)
{
	cul_autoclose int fd = cul_sys_open(OWN_PATH, O_RDONLY);
	struct cul_kallsyms_text text = {0};
	char page[4096];
	ssize_t n = fd < 0 ? fd : cul_sys_read(fd, page, sizeof(page));
	int ret;

	if (n < 0) /* for its words */
		ret = cul_kallsyms_text_load(OWN_PATH, NULL, &text, err);
	else if (cul_kallsyms_text_parse(page, (size_t)n, &text))
		ret = cul_fail(err, -ENOMEM, "kernel symbols: out of memory");
	else
		ret = text.any_address ? 0 : fail_hidden(OWN_PATH, err);
	cul_kallsyms_text_free(&text);
	return ret;
}

int cul_kallsyms_open(
	const char *kallsyms, const char *modules, struct cul_kallsyms **out, struct cul_error *err)
{
	struct cul_kallsyms *k = cul_calloc(1, sizeof(*k));
	int ret;

	if (!k)
		return cul_fail(err, -ENOMEM, "kernel symbols: out of memory");
	k->pending = !kallsyms;
	ret = kallsyms ? load_text(k, kallsyms, err) : look(err);
	if (ret == 0)
		ret = load_modules(k, modules ? modules : "/proc/modules", err);
	if (ret < 0) {
		cul_kallsyms_free(k);
		return ret;
	}
	*out = k;
	return 0;
}

/* Takes what was loaded over; frees it on failure. */
static int new_map(struct cul_kallsyms_text *text, const char *path, struct cul_kallsyms **out,
	struct cul_error *err)
{
	struct cul_kallsyms *k = text->any_address ? cul_calloc(1, sizeof(*k)) : NULL;
	int ret = text->any_address ? -ENOMEM : -EBADMSG;

	if (!k) {
		cul_kallsyms_text_free(text);
		return cul_fail(err, ret, "%s: %s", path,
			ret == -ENOMEM ? "out of memory" : "lists no symbols");
	}
	k->text = *text;
	*out = k;
	return 0;
}

int cul_kallsyms_open_map(const char *path, struct cul_kallsyms **out, struct cul_error *err)
{
	struct cul_kallsyms_text text = {0};
	int ret = cul_kallsyms_text_load(path, NULL, &text, err);

	return ret < 0 ? ret : new_map(&text, path, out, err);
}

int cul_kallsyms_parse_map(
	const char *bytes, size_t size, struct cul_kallsyms **out, struct cul_error *err)
{
	struct cul_kallsyms_text text = {0};
	int ret = cul_kallsyms_text_parse(bytes, size, &text);

	if (ret < 0)
		return cul_fail(err, ret, "kernel symbols: %s", cul_strerror(ret));
	return new_map(&text, "the symbol table", out, err);
}

void cul_kallsyms_free(struct cul_kallsyms *k)
{
	if (!k)
		return;
	k->stop = true;
	if (k->reading)
		pthread_join(k->reader, NULL);
	cul_kallsyms_index_free(&k->index);
	cul_kallsyms_text_free(&k->text);
	cul_kallsyms_some_free(k);
	free(k->modules_text);
	free(k->modules.data);
	free(k);
}

static bool same_module(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b)))
			return false;
	}
	return *a == *b;
}

static bool in_module(const struct cul_kallsyms_line *line, const char *module)
{
	return same_module(line->module ? line->module : own, module);
}

void cul_kallsyms_fill(const struct cul_kallsyms_text *text, const struct cul_kallsyms_line *line,
	struct cul_ksym *out)
{
	memset(out, 0, sizeof(*out));
	out->addr = cul_kallsyms_text_addr(line);
	out->name = line->name;
	out->module = line->module ? line->module : own;
	out->kind = line->kind;
	out->percpu = cul_kallsyms_index_percpu(text, line, out->addr);
}

static void fill(
	const struct cul_kallsyms *k, const struct cul_kallsyms_line *line, struct cul_ksym *out)
{
	cul_kallsyms_fill(&k->text, line, out);
}

static uint64_t size_between(uint64_t addr, uint64_t next)
{
	return next - addr <= MAX_SYMBOL_SIZE ? next - addr : 0;
}

/*
 * The size by a walk over all lines, for a single symbol: no index is needed. Per-CPU symbols of a
 * module and its others lie in different spaces; those of the kernel in one.
 */
static uint64_t size_by_walk(const struct cul_kallsyms *k, const struct cul_ksym *sym)
{
	bool apart = strcmp(sym->module, own) != 0;
	struct cul_kallsyms_line line;
	uint64_t next = UINT64_MAX;
	size_t pos = 0;

	while (cul_kallsyms_text_next(&k->text, &pos, &line)) {
		uint64_t addr = cul_kallsyms_text_addr(&line);

		if (addr <= sym->addr || addr >= next || !in_module(&line, sym->module))
			continue;
		if (!apart || cul_kallsyms_index_percpu(&k->text, &line, addr) == sym->percpu)
			next = addr;
	}
	return next == UINT64_MAX ? 0 : size_between(sym->addr, next);
}

/* The i-th symbol of that name; `*n` tells how many there are when it is not NULL. */
static bool walk_to(const struct cul_kallsyms *k, const char *module, const char *name, size_t i,
	struct cul_ksym *out, size_t *n)
{
	struct cul_kallsyms_line line;
	size_t pos = 0, seen = 0;
	char first = name[0];

	while (cul_kallsyms_text_next(&k->text, &pos, &line)) {
		if (line.name[0] != first || strcmp(line.name, name) != 0 ||
			(module && !in_module(&line, module)))
			continue;
		if (seen++ == i)
			fill(k, &line, out);
		if (!n && seen > i)
			break;
	}
	if (n)
		*n = seen;
	return seen > i;
}

static bool module_known(const struct cul_kallsyms *k, const char *module)
{
	struct cul_kallsyms_line line;
	size_t pos = 0;

	for (size_t i = 0; i < k->modules.len; i++) {
		if (same_module(k->modules.data[i].name, module))
			return true;
	}
	while (cul_kallsyms_text_next(&k->text, &pos, &line)) { /* "bpf" and the like */
		if (in_module(&line, module))
			return true;
	}
	return false;
}

static int fail_module(const struct cul_kallsyms *k, const char *module, struct cul_error *err)
{
	struct cul_nearest near;
	char text[256];

	cul_nearest_init(&near, module);
	cul_nearest_offer(&near, own);
	for (size_t i = 0; i < k->modules.len; i++)
		cul_nearest_offer(&near, k->modules.data[i].name);
	return cul_fail(err, -ENXIO, "module '%s' is not loaded%s", module,
		cul_nearest_text(&near, text, sizeof(text)));
}

/* Names that the build makes of other names; nobody means them. */
static bool is_shadow(const char *name)
{
	return !strncmp(name, "__pfx_", 6) || !strncmp(name, "__ksymtab_", 10) ||
	       !strncmp(name, "__kstrtab", 9);
}

static int fail_name(
	const struct cul_kallsyms *k, const char *module, const char *name, struct cul_error *err)
{
	struct cul_kallsyms_line line;
	struct cul_nearest near;
	char text[256];
	size_t pos = 0;

	if (!err)
		return -ENOENT;
	cul_nearest_init(&near, name);
	while (cul_kallsyms_text_next(&k->text, &pos, &line)) {
		if ((!module || in_module(&line, module)) && !is_shadow(line.name))
			cul_nearest_offer(&near, line.name);
	}
	return cul_fail(err, -ENOENT, "%s%s has no symbol '%s'%s%s", module ? "" : "the ",
		module ? module : "kernel", name, cul_nearest_text(&near, text, sizeof(text)),
		k->text.any_data ? ""
				 : "; this kernel lists functions only (no CONFIG_KALLSYMS_ALL): "
				   "for data give its vmlinux or System.map, or an address");
}

int cul_kallsyms_find(struct cul_kallsyms *k, const char *module, const char *name,
	struct cul_ksym *out, size_t *n_same, struct cul_error *err)
{
	struct cul_ksym sym;
	size_t n;

	cul_kallsyms_want(k);
	if (k->why.code)
		return cul_fail(err, k->why.code, "%s", k->why.text);
	if (!walk_to(k, module, name, 0, &sym, &n)) {
		if (module && !module_known(k, module))
			return fail_module(k, module, err);
		return fail_name(k, module, name, err);
	}
	sym.size = size_by_walk(k, &sym);
	*out = sym;
	if (n_same)
		*n_same = n;
	return 0;
}

int cul_kallsyms_find_nth(struct cul_kallsyms *k, const char *module, const char *name, size_t i,
	struct cul_ksym *out)
{
	struct cul_ksym sym;

	cul_kallsyms_want(k);
	if (!walk_to(k, module, name, i, &sym, NULL))
		return -ENOENT;
	sym.size = size_by_walk(k, &sym);
	*out = sym;
	return 0;
}

bool cul_kallsyms_next(struct cul_kallsyms *k, size_t *cursor, struct cul_ksym *out)
{
	struct cul_kallsyms_line line;

	cul_kallsyms_want(k);
	if (!cul_kallsyms_text_next(&k->text, cursor, &line))
		return false;
	fill(k, &line, out);
	return true;
}

/* Names that mark where something begins, and never name what is there. */
static bool is_mark(const char *name)
{
	static const char *const prefixes[] = {"__start_", "__stop_", "__pi_", "$", ".L"};
	static const char *const names[] = {"_text", "_stext", "_etext", "_sdata", "_edata",
		"_sinittext", "_einittext", "__bss_start", "__bss_stop", "_end"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(name, names[i]))
			return true;
	}
	return false;
}

static void line_of(const struct cul_kallsyms *k, size_t entry, struct cul_kallsyms_line *line)
{
	size_t pos = k->index.entries[entry].pos;

	memset(line, 0, sizeof(*line));
	cul_kallsyms_text_next(&k->text, &pos, line);
}

/* Of the entries that share the address of the last one in [0, upto): the one to name. */
static void name_of(const struct cul_kallsyms *k, size_t upto, struct cul_ksym *out)
{
	const struct cul_kallsyms_entry *e = k->index.entries;
	struct cul_kallsyms_line line;
	size_t first = upto - 1;

	while (first > 0 && e[first - 1].addr == e[upto - 1].addr)
		first--;
	for (size_t i = first; i < upto; i++) {
		line_of(k, i, &line);
		if (!is_mark(line.name)) {
			fill(k, &line, out);
			return;
		}
	}
	line_of(k, first, &line);
	fill(k, &line, out);
}

static uint64_t size_by_index(
	const struct cul_kallsyms *k, const struct cul_ksym *sym, size_t after)
{
	struct cul_kallsyms_line line;

	for (size_t i = after; i < k->index.n; i++) {
		uint64_t next = k->index.entries[i].addr;

		if (next - sym->addr > MAX_SYMBOL_SIZE)
			break;
		line_of(k, i, &line);
		if (in_module(&line, sym->module))
			return next - sym->addr;
	}
	return 0;
}

static int want_index(struct cul_kallsyms *k)
{
	int ret;

	cul_kallsyms_want(k);
	ret = k->indexed ? 0 : cul_kallsyms_index_build(&k->text, &k->index);
	k->indexed = ret == 0;
	return ret;
}

bool cul_kallsyms_has(struct cul_kallsyms *k, const char *name, uint64_t addr)
{
	struct cul_kallsyms_line line;

	if (want_index(k) < 0)
		return false;
	for (size_t i = cul_kallsyms_index_upto(&k->index, addr);
		i > 0 && k->index.entries[i - 1].addr == addr; i--) {
		line_of(k, i - 1, &line);
		if (!strcmp(line.name, name))
			return true;
	}
	return false;
}

int cul_kallsyms_at(struct cul_kallsyms *k, uint64_t addr, struct cul_ksym *out)
{
	struct cul_ksym sym;
	size_t upto;
	int ret = want_index(k);

	if (ret < 0)
		return ret;
	upto = cul_kallsyms_index_upto(&k->index, addr);
	if (upto == 0)
		return -ENOENT;
	name_of(k, upto, &sym);
	if (sym.percpu)
		return -ENOENT;
	sym.size = size_by_index(k, &sym, upto);
	if (addr - sym.addr >= (sym.size ? sym.size : LAST_SYMBOL_REACH))
		return -ENOENT;
	*out = sym;
	return 0;
}

bool cul_kallsyms_has_data(struct cul_kallsyms *k)
{
	cul_kallsyms_want(k);
	return k->text.any_data;
}

const struct cul_kmodule *cul_kallsyms_module(struct cul_kallsyms *k, const char *name)
{
	for (size_t i = 0; i < k->modules.len; i++) {
		if (same_module(k->modules.data[i].name, name))
			return &k->modules.data[i];
	}
	return NULL;
}
