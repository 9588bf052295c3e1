/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int fail(struct cul_error *err, int code, bool usage, const char *fmt, va_list ap)
{
	char text[sizeof(err->text)];

	if (err) {
		/* The old text may be among the arguments. */
		vsnprintf(text, sizeof(text), fmt, ap);
		memcpy(err->text, text, sizeof(text));
		err->code = code;
		err->usage = usage;
	}
	return code;
}

int cul_fail(struct cul_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail(err, code, false, fmt, ap);
	va_end(ap);
	return code;
}

int cul_fail_usage(struct cul_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail(err, code, true, fmt, ap);
	va_end(ap);
	return code;
}

int cul_error_prefix(struct cul_error *err, const char *fmt, ...)
{
	char old[sizeof(err->text)];
	va_list ap;
	int n;

	if (!err)
		return 0;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", old);
	return err->code;
}

static bool has_near(const struct cul_error *err)
{
	return strstr(err->text, "nearest: ") || strstr(err->text, "did you mean ");
}

int cul_fail_both(
	struct cul_error *err, const struct cul_error *process, const struct cul_error *kernel)
{
	const int mine = (int)strcspn(process->text, "\n"),
		  theirs = (int)strcspn(kernel->text, "\n");
	const char *near = strstr(kernel->text, "nearest: ");

	if (!strcmp(process->text, kernel->text) || (!near && has_near(process)))
		return cul_fail(err, -ENOENT, "%s", process->text);
	if (near)
		return cul_fail(err, -ENOENT, "%.*s; not in the kernel either; there %.*s", mine,
			process->text, (int)strcspn(near, "\n"), near);
	return cul_fail(err, -ENOENT, "%.*s; and %.*s", mine, process->text, theirs, kernel->text);
}

const char *cul_strerror(int code)
{
	const char *text = strerrordesc_np(code < 0 ? -code : code);

	return text ? text : "unknown error";
}
