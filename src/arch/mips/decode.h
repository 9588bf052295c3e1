/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CUL_ARCH_MIPS_DECODE_H
#define CUL_ARCH_MIPS_DECODE_H

#include "arch/flow.h"

/* One instruction word. `word`: bytes of a register that frames are made of (4: o32, 8: n64). */
void cul_mips_decode(uint32_t w, unsigned word, uint64_t pc, struct cul_flow_insn *out);

#endif
