/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/command.h"

#include <errno.h>
#include <string.h>

#include "report/json.h"
#include "report/stream.h"
#include "report/tee.h"
#include "report/text.h"

int cul_output_open(struct cul_output *output, bool json, const char *path, struct cul_error *err)
{
	struct cul_style style;
	int r;

	memset(output, 0, sizeof(*output));
	if (path) {
		r = cul_stream_create(path, &output->file, err);
		if (r < 0)
			return r;
	}
	cul_style_detect(&style, fileno(stdout));
	output->sink = json ? cul_json_sink_new(stdout) : cul_text_sink_new(stdout, &style);
	if (output->file)
		output->sink = cul_tee_sink_new(output->sink, cul_json_sink_new(output->file));
	if (output->sink)
		return 0;
	cul_output_close(output);
	return cul_fail(err, -ENOMEM, "%s", cul_strerror(ENOMEM));
}

void cul_output_close(struct cul_output *output)
{
	cul_sink_free(output->sink);
	if (output->file)
		fclose(output->file);
	memset(output, 0, sizeof(*output));
}
