/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a failed call tells its user: a negative errno and one sentence.
 *
 * The text is held in place, so that an error can be reported where nothing
 * may be allocated. Only cmd/ prints it. A function that takes a
 * `struct cul_error *` accepts NULL from callers who need the code alone.
 */
#ifndef CUL_BASE_ERROR_H
#define CUL_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

struct cul_error {
	int code;   /* negative errno, 0 when nothing failed */
	bool usage; /* what the user wrote is wrong on every machine, as a syntax error is */
	char text[512];
};

/*
 * Sets code and text; returns `code`, so that a caller can write
 * `return cul_fail(err, -ENOENT, "watch: ...")`. The text says what was
 * attempted, on what, why it failed and what to try. Longer texts are cut. The arguments may
 * include the error's own text.
 */
int cul_fail(struct cul_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for what is wrong on every machine. */
int cul_fail_usage(struct cul_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts `fmt` and ": " before the text that a lower layer has set. Returns err->code. */
int cul_error_prefix(struct cul_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * -ENOENT: what a user named is not in a process, nor in the kernel. Of the kernel, which was less
 * likely meant, it is said what comes near; or else what it said, unless the process has something
 * near or they say the same. First lines alone, where it is two.
 */
int cul_fail_both(
	struct cul_error *err, const struct cul_error *process, const struct cul_error *kernel);

/* The text of an errno (positive or negative) in thread-safe form; never NULL. */
const char *cul_strerror(int code);

#endif
