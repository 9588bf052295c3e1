/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sink that writes stacks for flame graphs: a line a stack, the outermost frame first,
 * "process;main;loop;read;ksys_read_[k] 12". Of stacks only: other operations are not there.
 */
#ifndef CUL_REPORT_FOLDED_H
#define CUL_REPORT_FOLDED_H

#include <stdio.h>

#include "report/model.h"

/* As cul_text_sink_new(). */
struct cul_sink *cul_folded_sink_new(FILE *out);

#endif
