/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/kallsyms_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sys/file.h"

enum {
	FIRST_SIZE = 256 << 10,
	MAX_SIZE = 512 << 20,
};

/*
 * Static data of the kernel itself. Global letters would not do: the bounds of sections, which the
 * linker script makes global, are listed without CONFIG_KALLSYMS_ALL too.
 */
static bool is_data(const struct cul_kallsyms_line *line)
{
	return !line->module && (line->kind == 'b' || line->kind == 'd' || line->kind == 'r');
}

static void survey(struct cul_kallsyms_text *text, const struct cul_kallsyms_line *line)
{
	static const char prefix[] = "__per_cpu_";

	if (!text->any_address)
		text->any_address = cul_kallsyms_text_addr(line) != 0;
	if (!text->any_data)
		text->any_data = is_data(line);
	if (line->module || strncmp(line->name, prefix, sizeof(prefix) - 1) != 0)
		return;
	if (!strcmp(line->name, "__per_cpu_start"))
		text->percpu_start = cul_kallsyms_text_addr(line);
	if (!strcmp(line->name, "__per_cpu_end"))
		text->percpu_end = cul_kallsyms_text_addr(line);
	text->has_percpu = text->percpu_end > text->percpu_start;
}

/* Ends the strings of the line whose newline is at `end`. */
static void split(struct cul_kallsyms_text *text, size_t start, size_t end)
{
	struct cul_kallsyms_line line;
	char *buf = text->buf, *tab;

	buf[end] = '\0';
	if (end > start && buf[end - 1] == ']') {
		tab = memrchr(buf + start, '\t', end - start);
		if (tab && tab[1] == '[') {
			*tab = '\0';
			buf[end - 1] = '\0';
		}
	}
	text->size = end + 1;
	if (cul_kallsyms_text_next(text, &start, &line))
		survey(text, &line);
}

static int grow(struct cul_kallsyms_text *text, size_t *cap)
{
	size_t more = *cap ? *cap * 2 : FIRST_SIZE;
	char *bigger;

	if (more > MAX_SIZE)
		return -EFBIG;
	bigger = cul_realloc(text->buf, more);
	if (!bigger)
		return -ENOMEM;
	text->buf = bigger;
	*cap = more;
	return 0;
}

/* Splits the lines that end in the bytes from `*line` on, of which those from `from` are new. */
static void split_lines(struct cul_kallsyms_text *text, size_t *line, size_t from, size_t len)
{
	char *newline = text->buf + from;

	while ((newline = memchr(newline, '\n', (size_t)(text->buf + len - newline)))) {
		split(text, *line, (size_t)(newline - text->buf));
		newline++;
		*line = (size_t)(newline - text->buf);
	}
}

/* The line without an end, and the end of all. There is room for two bytes more. */
static void end_lines(struct cul_kallsyms_text *text, size_t line, size_t len)
{
	text->buf[len + 1] = '\0';
	if (len > line)
		split(text, line, len);
	text->size = len;
	text->buf[len] = '\0';
}

static int read_all(int fd, const atomic_bool *stop, struct cul_kallsyms_text *text)
{
	size_t len = 0, cap = 0, line = 0;

	for (;;) {
		ssize_t n;
		int ret;

		if (stop && *stop)
			return -ECANCELED;
		if (cap - len < 4096) {
			ret = grow(text, &cap);
			if (ret < 0)
				return ret;
		}
		n = cul_sys_read(fd, text->buf + len, cap - len - 2);
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		len += (size_t)n;
		split_lines(text, &line, len - (size_t)n, len);
	}
	end_lines(text, line, len);
	return 0;
}

int cul_kallsyms_text_parse(const char *bytes, size_t size, struct cul_kallsyms_text *out)
{
	struct cul_kallsyms_text text = {0};
	size_t line = 0;

	if (size > MAX_SIZE)
		return -EFBIG;
	text.buf = cul_calloc(1, size + 2);
	if (!text.buf)
		return -ENOMEM;
	if (size)
		memcpy(text.buf, bytes, size);
	split_lines(&text, &line, 0, size);
	end_lines(&text, line, size);
	*out = text;
	return 0;
}

int cul_kallsyms_text_load(const char *path, const atomic_bool *stop, struct cul_kallsyms_text *out,
	struct cul_error *err)
{
	cul_autoclose int fd = cul_sys_open(path, O_RDONLY);
	struct cul_kallsyms_text text = {0};
	int ret;

	if (fd < 0)
		return cul_fail(err, fd, "kernel symbols: cannot open %s: %s%s", path,
			cul_strerror(fd),
			fd == -ENOENT
				? "; is this kernel built with CONFIG_KALLSYMS, and /proc mounted?"
				: "");
	ret = read_all(fd, stop, &text);
	if (ret < 0) {
		cul_kallsyms_text_free(&text);
		return cul_fail(
			err, ret, "kernel symbols: cannot read %s: %s", path, cul_strerror(ret));
	}
	*out = text;
	return 0;
}

void cul_kallsyms_text_free(struct cul_kallsyms_text *text)
{
	free(text->buf);
	memset(text, 0, sizeof(*text));
}
