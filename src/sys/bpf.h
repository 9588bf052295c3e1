/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf(2) through libbpf: the only callers of its system calls, which tests
 * make fail through sys/fault.h. All return 0 (or a descriptor, close-on-exec)
 * or a negative errno. What libbpf does in user space alone is called directly.
 */
#ifndef CUL_SYS_BPF_H
#define CUL_SYS_BPF_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>

#include "base/error.h"

struct bpf_object_skeleton;

/*
 * Lockdown in its stricter form: no program may read the kernel's memory, and the verifier takes
 * the helpers that do for unknown ones (security/security.c, LOCKDOWN_BPF_READ_KERNEL).
 */
bool cul_sys_bpf_confidential(void);

/*
 * Why loading failed, where that is not the program's fault: privilege, lockdown, descriptors.
 * `doing`: "loading the BPF program". The code in `err`, or 0: another reason.
 */
int cul_sys_bpf_explain(const char *doing, int code, struct cul_error *err);

int cul_sys_bpf_map_create(enum bpf_map_type type, const char *name, unsigned key_size,
	unsigned value_size, unsigned entries);
int cul_sys_bpf_map_update(int fd, const void *key, const void *value);
/* `n` keys and values in one call (5.6; maps of maps since 5.19). */
int cul_sys_bpf_map_update_batch(int fd, const void *keys, const void *values, unsigned n);
int cul_sys_bpf_map_lookup(int fd, const void *key, void *value); /* -ENOENT: no such key */
int cul_sys_bpf_map_delete(int fd, const void *key);
/* The key after `key` (NULL: the first). -ENOENT: there is none. */
int cul_sys_bpf_map_next_key(int fd, const void *key, void *next);

/* Maps the first `size` bytes of an array map made for it, to read and write; munmap() ends it. */
int cul_sys_bpf_map_mmap(int fd, size_t size, void **out);

/*
 * Returns when every program that runs now, and may not sleep, has come to its end: the kernel
 * waits for that after each change of a map of maps (kernel/bpf/syscall.c,
 * maybe_wait_bpf_programs(); 6.1 and 6.12), for which one is made here.
 */
int cul_sys_bpf_wait_for_programs(void);

int cul_sys_bpf_prog_load(
	enum bpf_prog_type type, const char *name, const struct bpf_insn *insns, size_t n);

/* A program with what the verifier and the place it is meant for want to know besides. */
struct cul_bpf_prog {
	enum bpf_prog_type type;
	const char *name;
	const struct bpf_insn *insns;
	size_t n;
	enum bpf_attach_type expected_attach_type; /* 0: none is told */
	__u32 attach_btf_id;                       /* of the function, for BPF_PROG_TYPE_TRACING */
	int attach_btf_obj_fd;                     /* of the module's BTF; 0: vmlinux (5.11) */
	char *log;                                 /* what the verifier said; NULL: not asked for */
	size_t log_size;
	unsigned log_level; /* 1: why it was refused, 2: all it did */
};

int cul_sys_bpf_prog_load_attr(const struct cul_bpf_prog *prog);
/* Runs a raw tracepoint program once, on `cpu` (kernel 5.10). */
int cul_sys_bpf_prog_run_on(int fd, int cpu);
/* The same on this CPU; `value` is what the program returned. */
int cul_sys_bpf_run(int fd, __u32 *value);

/* Links: a descriptor whose end, and that of its copies, is the end of the attachment. */
int cul_sys_bpf_link_perf(int prog_fd, int perf_fd, __u64 cookie); /* kernel 5.15 */
/* `type`: BPF_TRACE_FENTRY, BPF_TRACE_FEXIT. Kernel 5.19 with a cookie, 5.5 without. */
int cul_sys_bpf_link_tracing(int prog_fd, enum bpf_attach_type type, __u64 cookie);
int cul_sys_bpf_link_kprobe_multi(int prog_fd, const __u64 *addrs, const __u64 *cookies, size_t n,
	bool at_return); /* kernel 5.18 */
/* Kernel 6.10 with a cookie, 4.17 without. */
int cul_sys_bpf_link_raw_tracepoint(int prog_fd, const char *name, __u64 cookie);

/* A program for an iterator, and a walk by it: reading the descriptor runs it. Kernel 5.8. */
int cul_sys_bpf_link_iter(int prog_fd);
int cul_sys_bpf_iter_create(int link_fd);

/*
 * How often a probe did not get to its program, as its link tells. -ENODATA: a kernel before 6.7;
 * -EOPNOTSUPP: the link is of another kind than perf's kprobe and kprobe-multi.
 */
int cul_sys_bpf_link_missed(int link_fd, __u64 *missed);
/* bpf_prog_info.recursion_misses: -ENODATA before kernel 5.12. */
int cul_sys_bpf_prog_recursion_misses(int prog_fd, __u64 *misses);

/* BTF objects in the kernel: the id after `id` (0: the first), -ENOENT: there is none. */
int cul_sys_bpf_btf_next_id(__u32 id, __u32 *next);
int cul_sys_bpf_btf_open(__u32 id); /* a descriptor */
int cul_sys_bpf_btf_info(int fd, struct bpf_btf_info *info);

/* Creates the maps and loads the programs of an opened skeleton. */
int cul_sys_bpf_load(struct bpf_object_skeleton *skeleton);

#endif
