/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Symbols by the names that C++ and Rust have for them: "bank::total", "Acc::count",
 * "f(int)::calls", "crate::module::NAME". What is written may leave out the parameters of
 * functions, template arguments and anonymous namespaces.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "sym/objfile_priv.h"

enum { SHOWN = 4 };

static const char ANONYMOUS[] = "(anonymous namespace)";

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/*
 * Bytes from text[0], which opens a group, to what closes it; 0: nothing does. `*unclosed` is set
 * then, and no other looked for: a name is chosen by who made the file.
 */
static size_t group(const char *text, char close, bool *unclosed)
{
	size_t depth = 0;

	for (size_t i = 0; !*unclosed && text[i]; i++) {
		depth += text[i] == text[0];
		if (text[i] == close && --depth == 0)
			return i + 1;
	}
	*unclosed = true;
	return 0;
}

/* Bytes at `text` that are left out. Blanks never count, nor do "()" and ABI tags. */
static size_t left_out(const char *text, unsigned how, bool *unclosed)
{
	size_t n;

	if (*text == ' ')
		return 1;
	if (begins(text, "[abi:"))
		return group(text, ']', unclosed);
	if (*text == '<')
		return how & CUL_SOURCE_NO_TEMPLATES ? group(text, '>', unclosed) : 0;
	if (begins(text, ANONYMOUS))
		return how & CUL_SOURCE_NO_ANONYMOUS
			       ? strlen(ANONYMOUS) + strspn(text + strlen(ANONYMOUS), ":")
			       : 0;
	if (*text != '(' || (text[1] != ')' && !(how & CUL_SOURCE_NO_PARAMS)))
		return 0;
	n = group(text, ')', unclosed);
	if (n && how & CUL_SOURCE_NO_PARAMS && begins(text + n, " const"))
		n += strlen(" const");
	return n;
}

void cul_objfile_reduce(const char *text, unsigned how, struct cul_str *out)
{
	bool unclosed = false;

	cul_str_reset(out);
	while (*text) {
		size_t n = left_out(text, how, &unclosed);

		if (!n) {
			n = begins(text, ANONYMOUS) ? strlen(ANONYMOUS) : 1;
			cul_str_addn(out, text, n);
		}
		text += n;
	}
}

/* How well the wanted name names it. */
enum fit { FITS_NOT, FITS_REDUCED, FITS_WHOLE };

static enum fit fit_of(const char *wanted, const char *shown, struct cul_str *reduced)
{
	for (unsigned how = 0; how < CUL_SOURCE_WAYS; how++) {
		cul_objfile_reduce(shown, how, reduced);
		if (!strcmp(wanted, cul_str_text(reduced)))
			return how ? FITS_REDUCED : FITS_WHOLE;
	}
	return FITS_NOT;
}

const char *cul_objfile_last_part(const char *name)
{
	const char *last = name;
	bool unclosed = false;

	while (*name) {
		size_t n = *name == '<'   ? group(name, '>', &unclosed)
			   : *name == '(' ? group(name, ')', &unclosed)
					  : 0;

		if (!n && begins(name, "::"))
			last = name + (n = 2);
		name += n ? n : 1;
	}
	return last;
}

/* Stands for one variable only once, however many symbols it has. */
static void keep(struct objfile_source *s, const struct cul_elf_symbol *sym)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->found[i].addr == sym->addr && s->found[i].is_tls == sym->is_tls)
			return;
	if (s->n < OBJFILE_SOURCE_MOST)
		s->found[s->n++] = *sym;
}

void cul_objfile_source(
	struct cul_objfile *o, const char *name, bool functions, struct objfile_source *out)
{
	cul_autostr struct cul_str wanted = {0}, reduced = {0};
	const char *last = cul_objfile_last_part(name);
	size_t cursor = 0, len = strcspn(last, "<(");
	enum fit best = FITS_REDUCED;
	struct cul_elf_symbol sym;

	out->n = 0;
	if (last == name || !len)
		return;
	cul_objfile_reduce(name, 0, &wanted);
	while (cul_objfile_next_symbol(o, &cursor, &sym)) {
		const char *shown;
		enum fit fit;

		/* The last part stands in the mangled name as it is: few need to be demangled. */
		if (sym.is_function != functions || !memmem(sym.name, strlen(sym.name), last, len))
			continue;
		shown = cul_objfile_shown(o, sym.name);
		fit = shown == sym.name ? FITS_NOT : fit_of(cul_str_text(&wanted), shown, &reduced);
		if (fit < best)
			continue;
		if (fit > best)
			out->n = 0;
		best = fit;
		keep(out, &sym);
	}
}

int cul_objfile_several(struct cul_objfile *o, const char *name, const struct objfile_source *s,
	struct cul_error *err)
{
	cul_autostr struct cul_str list = {0};

	for (size_t i = 0; i < s->n && i < SHOWN; i++)
		cul_str_addf(&list, "%s%s", i ? ", " : "", cul_objfile_shown(o, s->found[i].name));
	return cul_fail(err, -ENOTUNIQ,
		"%s: \"%s\" is the name of several: %s%s; write one's whole name", o->name, name,
		cul_str_text(&list), s->n > SHOWN ? ", ..." : "");
}

int cul_objfile_named(struct cul_objfile *o, const char *name, bool function,
	struct cul_elf_symbol *out, struct cul_error *err)
{
	struct objfile_source found;
	int ret = cul_objfile_symbol(o, name, out, err);

	if (ret != -ENOENT)
		return ret;
	cul_objfile_source(o, name, function, &found);
	if (found.n > 1)
		return cul_objfile_several(o, name, &found, err);
	if (found.n)
		*out = found.found[0];
	return found.n ? 0 : ret;
}
