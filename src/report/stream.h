/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a sink's lines go: standard output, a file, a buffer in a test.
 */
#ifndef CUL_REPORT_STREAM_H
#define CUL_REPORT_STREAM_H

#include <stdio.h>

#include "base/error.h"
#include "base/str.h"

/*
 * Writes all of `text` and flushes, so that a reader at the other end of a pipe
 * sees a line when it is complete. 0 or a negative errno: -ENOMEM when
 * `text` has failed, -EPIPE when the reader is gone.
 */
int cul_stream_write(FILE *out, const struct cul_str *text);

/* What a sink that failed means for the run, which ends with it. Returns `code`. */
int cul_stream_failed(int code, struct cul_error *err);

/*
 * Creates or empties the file of a recording, readable by its owner alone.
 * Refuses symbolic links, hard links and other people's files, because culprit
 * mostly runs as root. The caller closes `*out`.
 */
int cul_stream_create(const char *path, FILE **out, struct cul_error *err);

#endif
