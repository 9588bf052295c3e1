/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of attaching share: a small program that counts into a map,
 * and the kernel functions of system calls that hardly anybody else makes.
 */
#ifndef CUL_TEST_TRACE_ATTACH_OWN_H
#define CUL_TEST_TRACE_ATTACH_OWN_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/bpf.h>

/* An array map of one value. */
struct own_count {
	uint64_t hits, cookies; /* sum of the cookies of all hits */
};

enum own_kind { OWN_KPROBE, OWN_KPROBE_MULTI, OWN_FENTRY, OWN_FEXIT, OWN_RAW_TRACEPOINT };

/* Counts hits of this process alone; raw tracepoint sys_enter: calls of getpgid alone. */
int own_program(enum own_kind kind, const char *function, int map_fd); /* a descriptor */
int own_map(void);
struct own_count own_read(int map_fd);

uint64_t own_symbol(const char *name); /* of /proc/kallsyms; 0: none */
int own_open_files(void);

bool own_has_kprobes(void); /* else prints why the test is skipped */

#endif
