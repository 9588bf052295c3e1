/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two forms of struct orc_entry (arch/x86/include/asm/orc_types.h): before and since 6.4. */
#ifndef CUL_TESTS_UNIT_UNWIND_ORC_LAYOUTS_H
#define CUL_TESTS_UNIT_UNWIND_ORC_LAYOUTS_H

#include "unwind/orc.h"

static const struct cul_orc_layout orc_old = {.size = 6,
	.sp_offset = {0, 16},
	.bp_offset = {16, 16},
	.sp_reg = {32, 4},
	.bp_reg = {36, 4},
	.type = {40, 2},
	.end = {42, 1}};

static const struct cul_orc_layout orc_new = {.size = 6,
	.sp_offset = {0, 16},
	.bp_offset = {16, 16},
	.sp_reg = {32, 4},
	.bp_reg = {36, 4},
	.type = {40, 3},
	.signal = {43, 1}};

#endif
