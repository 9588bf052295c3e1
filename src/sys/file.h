/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening, reading and writing files whose failure a test must be able to cause. All
 * return a negative errno on failure and restart when a signal interrupts
 * them. Files opened here are closed on exec.
 */
#ifndef CUL_SYS_FILE_H
#define CUL_SYS_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

int cul_sys_open(const char *path, int flags);            /* O_CLOEXEC is added */
int cul_sys_openat(int dir, const char *path, int flags); /* of a descriptor of a directory */
/*
 * A file for reading, of a path that is not trusted: it never waits, and a device, whose driver may
 * act when it is opened, is not even opened. -EISDIR, -ENOEXEC: no regular file.
 */
int cul_sys_open_regular(const char *path);
ssize_t cul_sys_read(int fd, void *buf, size_t size);
ssize_t cul_sys_pread(int fd, void *buf, size_t size, uint64_t offset);

ssize_t cul_sys_write(int fd, const void *buf, size_t size);

/* Reads until `size` bytes came or the file ended; the number of bytes that came. */
ssize_t cul_sys_pread_full(int fd, void *buf, size_t size, uint64_t offset);

/* A whole private read-only mapping. */
int cul_sys_mmap(int fd, size_t size, void **out);

/*
 * Reads a file of unknown length to its end (those in /proc tell no length). One NUL follows the
 * bytes. The caller frees `*data`. -EFBIG beyond `max` bytes.
 */
int cul_sys_read_file(const char *path, size_t max, char **data, size_t *size);
/* The same from a descriptor, from where it is. */
int cul_sys_read_all(int fd, size_t max, char **data, size_t *size);

#endif
