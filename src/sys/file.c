/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sys/fault.h"

int cul_sys_openat(int dir, const char *path, int flags)
{
	int fd = cul_sys_faulted(CUL_SYS_OPEN);

	if (fd < 0)
		return fd;
	do
		fd = openat(dir, path, flags | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

int cul_sys_open(const char *path, int flags)
{
	return cul_sys_openat(AT_FDCWD, path, flags);
}

static int check_regular(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	return S_ISREG(st.st_mode) ? 0 : S_ISDIR(st.st_mode) ? -EISDIR : -ENOEXEC;
}

int cul_sys_open_regular(const char *path)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
	cul_autoclose int found = cul_sys_open(path, O_PATH);
	cul_autoclose int fd = -1;
	char same[32];
	int ret = found < 0 ? found : check_regular(found);

	if (ret != 0)
		return ret;
	snprintf(same, sizeof(same), "/proc/self/fd/%d", found);
	fd = cul_sys_open(same, flags);
	if (fd < 0) /* no /proc, or not for us: then what has the name now */
		fd = cul_sys_open(path, flags);
	ret = fd < 0 ? fd : check_regular(fd);
	return ret != 0 ? ret : cul_take_fd(&fd);
}

ssize_t cul_sys_read(int fd, void *buf, size_t size)
{
	ssize_t n = cul_sys_faulted(CUL_SYS_READ);

	if (n < 0)
		return n;
	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t cul_sys_write(int fd, const void *buf, size_t size)
{
	ssize_t n = cul_sys_faulted(CUL_SYS_WRITE);

	if (n < 0)
		return n;
	do
		n = write(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t cul_sys_pread(int fd, void *buf, size_t size, uint64_t offset)
{
	ssize_t n = cul_sys_faulted(CUL_SYS_PREAD);

	if (n < 0)
		return n;
	do
		n = pread(fd, buf, size, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t cul_sys_pread_full(int fd, void *buf, size_t size, uint64_t offset)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = cul_sys_pread(fd, (char *)buf + got, size - got, offset + got);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

int cul_sys_mmap(int fd, size_t size, void **out)
{
	int ret = cul_sys_faulted(CUL_SYS_MMAP);
	void *p;

	if (ret < 0)
		return ret;
	p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

int cul_sys_read_file(const char *path, size_t max, char **data, size_t *size)
{
	cul_autoclose int fd = cul_sys_open(path, O_RDONLY);

	return fd < 0 ? fd : cul_sys_read_all(fd, max, data, size);
}

int cul_sys_read_all(int fd, size_t max, char **data, size_t *size)
{
	cul_autofree char *buf = NULL;
	size_t len = 0, cap = 0, expected = 16 * 1024;
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_size > 0 && (uint64_t)st.st_size < max)
		expected = (size_t)st.st_size + 2;
	for (;;) {
		ssize_t n;

		if (cap - len < 2) {
			size_t more = cap ? cap * 2 : expected;
			char *bigger = cul_realloc(buf, more);

			if (!bigger)
				return -ENOMEM;
			buf = bigger;
			cap = more;
		}
		n = cul_sys_read(fd, buf + len, cap - len - 1);
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
	}
	buf[len] = '\0';
	*size = len;
	*data = cul_take(buf);
	return 0;
}
