/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the bars that the kernel counted (bpf/bars.h) to those that are shown:
 * powers of two, or of equal width.
 */
#ifndef CUL_PROBE_PICTURE_H
#define CUL_PROBE_PICTURE_H

#include "probe/probe.h"

struct cul_picture_count {
	uint32_t bar; /* of bpf/bars.h */
	uint64_t count;
	int64_t low, high; /* the least and the greatest value in it */
};

enum { CUL_PICTURE_MOST = CUL_PROBE_SCALE_MOST + 2 };

/*
 * Fills `bars`, and of `out` the bars, the counts, min and max. `from`: counted on that scale.
 */
void cul_picture_make(const struct cul_probe_scale *scale, const struct cul_picture_count *from,
	size_t n, struct cul_probe_bar bars[CUL_PICTURE_MOST], struct cul_probe_histogram *out);

#endif
