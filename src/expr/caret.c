/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "expr/tree.h"

/* Columns of text that are shown; a longer text is cut at both ends around the place. */
enum { COLUMNS = 76, CONTEXT = 30 };

static bool is_column(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80; /* not a later byte of a UTF-8 character */
}

static char *put(char *p, const char *end, char c)
{
	if (p < end)
		*p++ = c;
	return p;
}

int cul_caret_add(const char *text, uint32_t at, uint32_t len, struct cul_error *err)
{
	size_t total = strlen(text), used = strlen(err->text), first, last, most;
	const char *end = err->text + sizeof(err->text) - 1;
	char *p;

	at = at > total ? (uint32_t)total : at;
	if (len > total - at)
		len = (uint32_t)(total - at);
	first = total > COLUMNS && at > CONTEXT ? at - CONTEXT : 0;
	while (first && !is_column(text[first]))
		first--;
	last = first;
	for (unsigned columns = 0; last < total; last++)
		if (is_column(text[last]) && ++columns > COLUMNS)
			break;
	/* The message gives way to the two lines, which are what cannot be guessed. */
	most = sizeof(err->text) - (last - first) - COLUMNS - sizeof("\n  \n  ^");
	p = err->text + (used < most ? used : most);
	p = put(put(put(p, end, '\n'), end, ' '), end, ' ');
	for (size_t i = first; i < last; i++)
		p = put(p, end, (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i]);
	p = put(put(put(p, end, '\n'), end, ' '), end, ' ');
	for (size_t i = first; i < at; i++)
		if (is_column(text[i]))
			p = put(p, end, ' ');
	p = put(p, end, '^');
	for (size_t i = at + 1; i < at + len && i < last; i++)
		if (is_column(text[i]))
			p = put(p, end, '~');
	*p = '\0';
	return err->code;
}

int cul_caret_fail(const struct cul_expr *e, const struct cul_node *n, struct cul_error *err,
	int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	err->code = code;
	err->usage = false;
	return cul_caret_add(e->text, n->at, n->len, err);
}

int cul_caret_no_value(const struct cul_expr *e, struct cul_error *err)
{
	const struct cul_node *n = e->root;
	cul_autostr struct cul_str type = {0};
	int len = (int)n->len;
	const char *name = e->text + n->at;

	if (!err)
		return -EINVAL;
	if (n->untyped)
		return cul_caret_fail(e, n, err, -EINVAL,
			"'%.*s' has no type here; give one: *(int *)&%.*s, or %.*s:4", len, name,
			len, name, len, name);
	cul_type_print(&type, n->type);
	if (n->type->kind == CUL_KIND_STRUCT || n->type->kind == CUL_KIND_UNION)
		return cul_caret_fail(e, n, err, -EINVAL,
			"%s is not one value; name a member of it", cul_str_text(&type));
	return cul_caret_fail(
		e, n, err, -EINVAL, "%s cannot be read as a value; cast it", cul_str_text(&type));
}
