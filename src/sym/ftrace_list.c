/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/ftrace_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sys/file.h"

enum { MAX_SIZE = 256 << 20 };

struct cul_ftrace_list {
	char *text; /* NUL behind each name and each module's name */
	size_t size;
	bool has_addresses;
	uint64_t *addrs; /* and no text */
	size_t n;
};

void cul_ftrace_list_free(struct cul_ftrace_list *l)
{
	if (!l)
		return;
	free(l->text);
	free(l->addrs);
	free(l);
}

/* "ffffffff81001004 name" and not the name alone. */
static bool begins_with_address(const char *line)
{
	size_t n = strspn(line, "0123456789abcdef");

	return n >= 8 && n <= 16 && line[n] == ' ';
}

/*
 * "vfs_read", "get_ref [victim]", with an address before it or not (kernel/trace/ftrace.c, t_show):
 * a NUL where a name and a module's name end.
 */
static void mark_ends(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		bool ends = text[i] == '\n' || text[i] == ']' || text[i] == '\t';

		if (ends || (text[i] == ' ' && text[i + 1] == '['))
			text[i] = '\0';
	}
}

/* Takes `text` over, also on failure. */
static int adopt(char *text, size_t size, struct cul_ftrace_list **out)
{
	struct cul_ftrace_list *l = size ? cul_calloc(1, sizeof(*l)) : NULL;

	if (!l) {
		free(text);
		return size ? -ENOMEM : -ENODATA;
	}
	l->text = text;
	l->size = size;
	l->has_addresses = begins_with_address(text);
	mark_ends(text, size);
	*out = l;
	return 0;
}

int cul_ftrace_list_of(uint64_t **addrs, size_t n, struct cul_ftrace_list **out)
{
	struct cul_ftrace_list *l = cul_calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->has_addresses = true;
	l->addrs = *addrs;
	l->n = n;
	*addrs = NULL;
	*out = l;
	return 0;
}

int cul_ftrace_list_parse(const char *bytes, size_t size, struct cul_ftrace_list **out)
{
	char *text = cul_calloc(1, size + 1);

	if (!text)
		return -ENOMEM;
	if (size)
		memcpy(text, bytes, size);
	return adopt(text, size, out);
}

int cul_ftrace_list_open(const char *path, struct cul_ftrace_list **out)
{
	static const char *const places[] = {
		"/sys/kernel/tracing/available_filter_functions_addrs",
		"/sys/kernel/debug/tracing/available_filter_functions_addrs",
		"/sys/kernel/tracing/available_filter_functions",
		"/sys/kernel/debug/tracing/available_filter_functions",
	};
	char *text;
	size_t size;
	int r = -ENOENT;

	if (path)
		r = cul_sys_read_file(path, MAX_SIZE, &text, &size);
	for (size_t i = 0; !path && r && i < sizeof(places) / sizeof(places[0]); i++)
		r = cul_sys_read_file(places[i], MAX_SIZE, &text, &size);
	return r ? r : adopt(text, size, out);
}

bool cul_ftrace_list_has_addresses(const struct cul_ftrace_list *l)
{
	return l->has_addresses;
}

bool cul_ftrace_list_next(
	const struct cul_ftrace_list *l, size_t *cursor, struct cul_ftrace_line *out)
{
	const char *end = l->text + l->size, *p = l->text + *cursor;

	if (l->addrs) {
		if (*cursor == l->n)
			return false;
		*out = (struct cul_ftrace_line){
			.addr = l->addrs[(*cursor)++], .name = "", .module = ""};
		return true;
	}
	while (p < end) {
		struct cul_ftrace_line line = {.name = p, .module = "vmlinux"};
		char *behind;

		p += strlen(p) + 1;
		if (l->has_addresses) {
			line.addr = strtoull(line.name, &behind, 16);
			if (behind == line.name || *behind != ' ')
				continue;
			line.name = behind + 1;
		}
		if (!*line.name || *line.name == '[')
			continue;
		if (p < end && *p == '[') {
			line.module = p[1] ? p + 1 : line.module;
			p += strlen(p) + 1;
		}
		*cursor = (size_t)(p - l->text);
		*out = line;
		return true;
	}
	*cursor = l->size;
	return false;
}
