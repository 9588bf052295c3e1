/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"

int cul_stream_write(FILE *out, const struct cul_str *text)
{
	if (text->failed)
		return -ENOMEM;
	errno = 0;
	if (fwrite(cul_str_text(text), 1, text->len, out) != text->len || fflush(out) != 0)
		return errno ? -errno : -EIO;
	return 0;
}

/* Nothing is left armed, so that there is nothing to do about it but to start again. */
int cul_stream_failed(int code, struct cul_error *err)
{
	if (code == -ENOMEM)
		return cul_fail(err, code, "out of memory: the run was broken off");
	return cul_fail(err, code, "writing the report: %s", cul_strerror(code));
}

static int claim(int fd, const char *path, struct cul_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return cul_fail(err, -errno, "%s: %s", path, cul_strerror(errno));
	if (!S_ISREG(st.st_mode))
		return 0; /* a pipe or a device: nothing to empty or to protect */
	if (st.st_uid != geteuid() || st.st_nlink != 1)
		return cul_fail(err, -EPERM,
			"%s: this file is %s; recordings go to a file of your own, choose another "
			"name",
			path, st.st_nlink != 1 ? "linked from elsewhere too" : "another user's");
	if (fchmod(fd, 0600) < 0 || ftruncate(fd, 0) < 0)
		return cul_fail(err, -errno, "%s: %s", path, cul_strerror(errno));
	return 0;
}

int cul_stream_create(const char *path, FILE **out, struct cul_error *err)
{
	cul_autoclose int fd = -1;
	int r;

	if (!*path)
		return cul_fail(err, -EINVAL, "the name of the file to record to is empty");
	fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0 && errno == ELOOP)
		return cul_fail(err, -ELOOP,
			"%s: a symbolic link; recordings do not follow links, name the file itself",
			path);
	if (fd < 0)
		return cul_fail(err, -errno, "%s: %s", path, cul_strerror(errno));
	r = claim(fd, path, err);
	if (r < 0)
		return r;
	*out = fdopen(fd, "w");
	if (!*out)
		return cul_fail(err, -errno, "%s: %s", path, cul_strerror(errno));
	cul_take_fd(&fd);
	return 0;
}
