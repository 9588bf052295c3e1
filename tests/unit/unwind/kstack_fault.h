/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread of a Debian 6.12 kernel that reads from a pipe into a page which a userfaultfd keeps
 * missing: its stack, the entries of ORC at the addresses that a walk asks for, and the frames of
 * /proc/TID/stack, by /proc/kallsyms. Words that no walk needs are left out, as 0.
 */
#ifndef CUL_TESTS_UNIT_UNWIND_KSTACK_FAULT_H
#define CUL_TESTS_UNIT_UNWIND_KSTACK_FAULT_H

#include "unwind/kstack.h"

struct captured_entry {
	uint64_t addr;
	struct cul_orc_entry entry;
};

/* clang-format off */
static const struct captured_entry fault_entries[] = {
	{0xffffffff922eca4f, {16, -16, 4, 1, CUL_ORC_CALL, false}},
	{0xffffffff922ed196, {16, 0, 5, 0, CUL_ORC_CALL, false}},
	{0xffffffff91ad05ee, {240, -48, 5, 1, CUL_ORC_CALL, false}},
	{0xffffffff9196076f, {112, -48, 5, 1, CUL_ORC_CALL, false}},
	{0xffffffff91960a75, {136, -40, 5, 1, CUL_ORC_CALL, false}},
	{0xffffffff9198c8bf, {32, -24, 5, 1, CUL_ORC_CALL, false}},
	{0xffffffff9198d462, {40, -32, 5, 1, CUL_ORC_CALL, false}},
	{0xffffffff91994010, {216, -48, 5, 1, CUL_ORC_CALL, false}},
	{0xffffffff91994a9f, {64, -48, 5, 1, CUL_ORC_CALL, false}},
	{0xffffffff916aa3dc, {64, -48, 5, 1, CUL_ORC_CALL, false}},
	{0xffffffff922e6425, {40, -32, 5, 1, CUL_ORC_CALL, false}},
	{0xffffffff924012a5, {0, 0, 5, 0, CUL_ORC_REGS, true}},
	{0xffffffff922dccca, {8, 0, 5, 0, CUL_ORC_CALL, false}},
	{0xffffffff91cb51d0, {128, -48, 5, 1, CUL_ORC_CALL, false}},
	{0xffffffff91cb6209, {56, -48, 5, 1, CUL_ORC_CALL, false}},
	{0xffffffff91a656d0, {152, -48, 5, 1, CUL_ORC_CALL, false}},
	{0xffffffff91a57672, {152, -48, 5, 1, CUL_ORC_CALL, false}},
	{0xffffffff91a5812a, {56, -32, 5, 1, CUL_ORC_CALL, false}},
	{0xffffffff922e0ff6, {16, -16, 4, 1, CUL_ORC_CALL, false}},
	{0xffffffff9240012e, {0, 0, 5, 0, CUL_ORC_REGS, true}},
};

static const uint64_t fault_frames[] = {
	0xffffffff91ad05ef, /* handle_userfault+0x42f */
	0xffffffff91960770, /* shmem_get_folio_gfp+0x3a0 */
	0xffffffff91960a76, /* shmem_fault+0x86 */
	0xffffffff9198c8c0, /* __do_fault+0x30 */
	0xffffffff9198d463, /* do_fault+0xc3 */
	0xffffffff91994011, /* __handle_mm_fault+0x6f1 */
	0xffffffff91994aa0, /* handle_mm_fault+0x180 */
	0xffffffff916aa3dd, /* do_user_addr_fault+0x15d */
	0xffffffff922e6426, /* exc_page_fault+0x76 */
	0xffffffff924012a6, /* asm_exc_page_fault+0x26 */
	0xffffffff922dccca, /* rep_movs_alternative+0x4a */
	0xffffffff91cb51d1, /* _copy_to_iter+0xd1 */
	0xffffffff91cb620a, /* copy_page_to_iter+0x8a */
	0xffffffff91a656d1, /* pipe_read+0xf1 */
	0xffffffff91a57673, /* vfs_read+0x333 */
	0xffffffff91a5812b, /* ksys_read+0xbb */
	0xffffffff922e0ff7, /* do_syscall_64+0x87 */
	0xffffffff9240012f, /* entry_SYSCALL_64_after_hwframe+0x76 */
};

enum { FAULT_ENTRIES = 20, FAULT_FRAMES = 18, FAULT_INTERRUPTED = 10 };

/* Bytes below fault_start.sp that the switch has left: struct inactive_task_frame. */
enum { FAULT_SWITCHED = 56 };

static const struct cul_kstack_start fault_start = {
	.pc = 0xffffffff922eca50, .sp = 0xffffcfc34042b530, .fp = 0xffffcfc34042b598};

static const uint64_t fault_stack[353] = {
	[5] = 0xffffcfc34042b598,
	[6] = 0xffffffff922eca50,
	[11] = 0xffffffff92612320,
	[16] = 0xffffcfc34042b810,
	[20] = 0xffffcfc34042b648,
	[21] = 0xffffffff922ed197,
	[23] = 0xffffffff91ad05ef,
	[41] = 0xffffffff91acdea0,
	[49] = 0xffffcfc34042b738,
	[52] = 0xffffcfc34042b810,
	[53] = 0xffffffff91960770,
	[57] = 0xffffcfc34042b734,
	[61] = 0xffffcfc34042b810,
	[65] = 0xffffcfc34042b810,
	[67] = 0xffffffff91960a76,
	[68] = 0xffffcfc34042b810,
	[69] = 0xffffcfc34042b734,
	[70] = 0xffffcfc34042b888,
	[79] = 0xffffcfc34042b810,
	[83] = 0xffffcfc34042b810,
	[84] = 0xffffffff9198c8c0,
	[85] = 0xffffcfc34042b810,
	[88] = 0xffffffff9198d463,
	[93] = 0xffffffff91994011,
	[116] = 0xffffcfc34042b968,
	[120] = 0xffffffff91994aa0,
	[123] = 0xffffcfc34042b968,
	[128] = 0xffffffff916aa3dd,
	[130] = 0xffffcfc34042b968,
	[136] = 0xffffffff922e6426,
	[141] = 0xffffffff924012a6,
	[145] = 0xffffcfc34042bb70,
	[157] = 0xffffffffffffffff,
	[158] = 0xffffffff922dccca,
	[159] = 0x10,
	[161] = 0xffffcfc34042ba18,
	[164] = 0xffffffff91cb51d1,
	[168] = 0xffffffff9171c100,
	[169] = 0xffffffff91be6f66,
	[175] = 0xffffcfc34042bb70,
	[180] = 0xffffffff91cb620a,
	[187] = 0xffffffff91a656d1,
	[192] = 0xffffcfc34042bb70,
	[193] = 0xffffcfc34042bb98,
	[206] = 0xffffffff91a57673,
	[225] = 0xffffffff91a5812b,
	[228] = 0xffffcfc34042bf58,
	[229] = 0xffffcfc34042bf48,
	[232] = 0xffffffff922e0ff7,
	[245] = 0xffffffff919c27a9,
	[252] = 0xffffffff93debbc0,
	[259] = 0xffffffff91a275cd,
	[262] = 0xffffffff91a27c83,
	[268] = 0xffffffff919a7076,
	[269] = 0xffffffff91987736,
	[270] = 0xffffcfc34042be00,
	[273] = 0xffffffff91991d1a,
	[275] = 0xffffffff919a5e5b,
	[276] = 0xffffcfc34042be60,
	[281] = 0xffffcfc34042be00,
	[283] = 0xffffffff919944a1,
	[301] = 0xffffcfc34042bf58,
	[305] = 0xffffffff91a299a3,
	[308] = 0xffffffff91986aba,
	[310] = 0xffffffff919949ce,
	[313] = 0xffffcfc34042bf58,
	[318] = 0xffffffff916aa5f9,
	[320] = 0xffffcfc34042bf58,
	[325] = 0xffffffff917a2de6,
	[331] = 0xffffffff9240012f,
	[333] = 0x1,
	[334] = 0x7f1ac5de1930,
	[335] = 0x7f1ac5de1848,
	[336] = 0x7f1ac5de1680,
	[337] = 0x7f1ac5de1828,
	[338] = 0x246,
	[340] = 0xa65060,
	[342] = 0xffffffffffffffda,
	[343] = 0x7f1ac643f2ec,
	[344] = 0x40,
	[345] = 0x7f1ac6653000,
	[346] = 0x4,
	[348] = 0x7f1ac643f2ec,
	[349] = 0x33,
	[350] = 0x246,
	[351] = 0x7f1ac5de1650,
	[352] = 0x2b,
};
/* clang-format on */

#endif
