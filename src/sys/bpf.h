/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf(2) through libbpf: the only callers of its system calls, which tests
 * make fail through sys/fault.h. All return 0 (or a descriptor, close-on-exec)
 * or a negative errno. What libbpf does in user space alone is called directly.
 */
#ifndef CUL_SYS_BPF_H
#define CUL_SYS_BPF_H

#include <stddef.h>

#include <linux/bpf.h>

struct bpf_object_skeleton;

int cul_sys_bpf_map_create(enum bpf_map_type type, const char *name, unsigned key_size,
	unsigned value_size, unsigned entries);
int cul_sys_bpf_map_update(int fd, const void *key, const void *value);
/* `n` keys and values in one call (5.6; maps of maps since 5.19). */
int cul_sys_bpf_map_update_batch(int fd, const void *keys, const void *values, unsigned n);
int cul_sys_bpf_map_lookup(int fd, const void *key, void *value); /* -ENOENT: no such key */
/* The key after `key` (NULL: the first). -ENOENT: there is none. */
int cul_sys_bpf_map_next_key(int fd, const void *key, void *next);

/* Maps the first `size` bytes of an array map made for it, to read and write; munmap() ends it. */
int cul_sys_bpf_map_mmap(int fd, size_t size, void **out);

int cul_sys_bpf_prog_load(
	enum bpf_prog_type type, const char *name, const struct bpf_insn *insns, size_t n);
/* Runs a raw tracepoint program once, on `cpu` (kernel 5.10). */
int cul_sys_bpf_prog_run_on(int fd, int cpu);
/* The same on this CPU; `value` is what the program returned. */
int cul_sys_bpf_run(int fd, __u32 *value);
/* Creates the maps and loads the programs of an opened skeleton. */
int cul_sys_bpf_load(struct bpf_object_skeleton *skeleton);

#endif
