/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/command.h"

#include <errno.h>
#include <string.h>

#include "report/folded.h"
#include "report/json.h"
#include "report/stream.h"
#include "report/tee.h"
#include "report/text.h"

static struct cul_sink *new_sink(enum cul_output_format format)
{
	struct cul_style style;

	switch (format) {
	case CUL_OUTPUT_JSON:
		return cul_json_sink_new(stdout);
	case CUL_OUTPUT_FOLDED:
		return cul_folded_sink_new(stdout);
	default:
		cul_style_detect(&style, fileno(stdout));
		return cul_text_sink_new(stdout, &style);
	}
}

int cul_output_open(struct cul_output *output, enum cul_output_format format, const char *path,
	struct cul_error *err)
{
	int r;

	memset(output, 0, sizeof(*output));
	output->path = path;
	if (path) {
		r = cul_stream_create(path, &output->file, err);
		if (r < 0)
			return r;
	}
	output->sink = new_sink(format);
	if (output->file)
		output->sink = cul_tee_sink_new(output->sink, cul_json_sink_new(output->file));
	if (output->sink)
		return 0;
	cul_output_close(output, NULL);
	return cul_fail(err, -ENOMEM, "%s", cul_strerror(ENOMEM));
}

void cul_output_close(struct cul_output *output, struct cul_error *err)
{
	if (output->file && ferror(output->file) && err)
		cul_error_prefix(err, "%s", output->path);
	cul_sink_free(output->sink);
	if (output->file)
		fclose(output->file);
	memset(output, 0, sizeof(*output));
}
