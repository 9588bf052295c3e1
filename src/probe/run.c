/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/probe.h"

#include <errno.h>

int cul_probe_run(const struct cul_probe_options *options, struct cul_sink *sink,
	struct cul_probe_outcome *outcome, struct cul_error *err)
{
	return cul_fail(err, -ENOSYS, "probe: this build cannot attach probes yet");
}
