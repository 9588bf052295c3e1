/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "mem/mem.h"
#include "sys/fault.h"

/* A file of the form of /proc/kcore: two segments side by side, one apart, some absurd. */
struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[6];
	char bytes[64];
};

static char path[64];

static int reset(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	unlink(path);
	return 0;
}

static void segment(struct image *im, int i, uint64_t addr, uint64_t offset, uint64_t size)
{
	im->ph[i].p_type = PT_LOAD;
	im->ph[i].p_vaddr = addr;
	im->ph[i].p_offset = offset;
	im->ph[i].p_filesz = size;
}

static struct image fresh(void)
{
	struct image im;
	uint64_t bytes = offsetof(struct image, bytes);

	memset(&im, 0, sizeof(im));
	memcpy(im.eh.e_ident, ELFMAG, SELFMAG);
	im.eh.e_ident[EI_CLASS] = ELFCLASS64;
	im.eh.e_ident[EI_DATA] =
		__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	im.eh.e_phoff = offsetof(struct image, ph);
	im.eh.e_phentsize = sizeof(im.ph[0]);
	im.eh.e_phnum = 6;
	im.ph[0].p_type = PT_NOTE;
	segment(&im, 1, 0xffffffff81000000, bytes + 32, 16);
	segment(&im, 2, 0xffffffff81000010, bytes, 16);
	segment(&im, 3, 0xffff888000000000, bytes + 48, 16);
	segment(&im, 4, 0xffffffffffffff00, bytes, 0x1000);      /* wraps */
	segment(&im, 5, 0xffffc00000000000, UINT64_MAX - 8, 64); /* beyond any file */
	memcpy(im.bytes, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.!", 64);
	return im;
}

static int open_image(const void *im, size_t size, struct cul_mem **mem, struct cul_error *err)
{
	FILE *f;
	int fd;

	strcpy(path, "/tmp/culprit-test-kcore-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_int_equal(fwrite(im, 1, size, f), size);
	fclose(f);
	return cul_mem_kcore(path, mem, err);
}

static void segments_are_found_by_address(void **state)
{
	struct image im = fresh();
	struct cul_error err = {0};
	struct cul_mem *mem;
	char buf[33] = {0};

	assert_int_equal(open_image(&im, sizeof(im), &mem, &err), 0);
	assert_int_equal(cul_mem_read(mem, 0xffff888000000002, buf, 4), 0);
	assert_string_equal(buf, "OPQR");
	assert_int_equal(cul_mem_read(mem, 0xffffffff81000000, buf, 32), 0);
	assert_string_equal(buf, "wxyzABCDEFGHIJKL0123456789abcdef");
	assert_int_equal(cul_mem_read(mem, 0xffffffff81000018, buf, 9), -EFAULT);
	assert_int_equal(cul_mem_read(mem, 0xffffffffffffff00, buf, 1), -EFAULT);
	assert_int_equal(cul_mem_read(mem, 0xffffc00000000000, buf, 1), -EFAULT);
	assert_int_equal(cul_mem_read(mem, 0, buf, 1), -EFAULT);
	cul_mem_free(mem);
}

static void malformed(const struct image *im, size_t size, int code)
{
	struct cul_error err = {0};
	struct cul_mem *mem = NULL;

	assert_int_equal(open_image(im, size, &mem, &err), code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, path));
	assert_null(mem);
	unlink(path);
}

static void malformed_files_are_refused(void **state)
{
	struct image im = fresh();

	malformed(&im, 20, -EBADMSG);
	malformed(&im, sizeof(im.eh) + 100, -EBADMSG);
	im.eh.e_ident[EI_CLASS] = ELFCLASS32;
	malformed(&im, sizeof(im), -ENOTSUP);
	im = fresh();
	im.eh.e_phnum = 65535;
	malformed(&im, sizeof(im), -EBADMSG);
	im = fresh();
	im.eh.e_phentsize = 32;
	malformed(&im, sizeof(im), -EBADMSG);
	im = fresh();
	im.eh.e_phoff = UINT64_MAX - 10;
	malformed(&im, sizeof(im), -EBADMSG);
	im = fresh();
	im.eh.e_phnum = 1; /* the note alone */
	malformed(&im, sizeof(im), -EBADMSG);
	im = fresh();
	im.eh.e_ident[EI_DATA] ^= 3;
	malformed(&im, sizeof(im), -EBADMSG);
}

static void failures_say_the_way_out(void **state)
{
	struct image im = fresh();
	struct cul_error err = {0};
	struct cul_mem *mem = NULL;

	assert_int_equal(cul_mem_kcore("/nonexistent/kcore", &mem, &err), -ENOENT);
	assert_non_null(strstr(err.text, "CONFIG_PROC_KCORE"));
	cul_sys_fail(CUL_SYS_OPEN, 0, EACCES);
	assert_int_equal(cul_mem_kcore("/proc/kcore", &mem, &err), -EPERM);
	assert_non_null(strstr(err.text, "CAP_SYS_RAWIO"));
	cul_sys_fail(CUL_SYS_OPEN, 0, EMFILE);
	assert_int_equal(cul_mem_kcore("/proc/kcore", &mem, &err), -EMFILE);
	cul_sys_fail_none();
	cul_sys_fail(CUL_SYS_PREAD, 0, EIO);
	malformed(&im, sizeof(im), -EIO);
	cul_sys_fail(CUL_SYS_PREAD, 1, EIO);
	malformed(&im, sizeof(im), -EIO);
	cul_sys_fail_none();
	for (int i = 0; i < 2; i++) {
		cul_alloc_fail_after(i);
		assert_int_equal(open_image(&im, sizeof(im), &mem, &err), -ENOMEM);
		unlink(path);
	}
	assert_null(mem);
}

static void a_failing_read_is_passed_on(void **state)
{
	struct image im = fresh();
	struct cul_mem *mem;
	char buf[4];

	assert_int_equal(open_image(&im, sizeof(im), &mem, NULL), 0);
	cul_sys_fail(CUL_SYS_PREAD, 0, EIO);
	assert_int_equal(cul_mem_read(mem, 0xffffffff81000000, buf, 4), -EIO);
	cul_mem_free(mem);
}

/* Notes of 16 and 24 bytes, of which the second is the task; then one that is cut. */
static void put_notes(struct image *im, uint32_t type, uint32_t size)
{
	const Elf64_Nhdr first = {.n_type = NT_PRSTATUS}, task = {5, size, type};

	im->ph[0].p_offset = offsetof(struct image, bytes);
	im->ph[0].p_filesz = sizeof(im->bytes);
	memset(im->bytes, 0, sizeof(im->bytes));
	memcpy(im->bytes, &first, sizeof(first));
	memcpy(im->bytes + 12, &task, sizeof(task));
	memcpy(im->bytes + 24, "CORE", 5);
	memcpy(im->bytes + 32, "task_struct", 11);
}

static int own_task(const struct image *im, char *buf, size_t size)
{
	struct cul_mem *mem;
	int ret;

	assert_int_equal(open_image(im, sizeof(*im), &mem, NULL), 0);
	ret = cul_mem_kernel_own_task(mem, buf, size);
	cul_mem_free(mem);
	unlink(path);
	return ret;
}

static void the_reader_s_task_is_in_a_note(void **state)
{
	struct image im = fresh();
	char buf[16] = {0};

	assert_int_equal(own_task(&im, buf, 11), -ENOTSUP); /* no notes */
	put_notes(&im, NT_TASKSTRUCT, 11);
	assert_int_equal(own_task(&im, buf, 11), 0);
	assert_string_equal(buf, "task_struct");
	assert_int_equal(own_task(&im, buf, 12), -EFAULT);
	put_notes(&im, NT_AUXV, 11);
	assert_int_equal(own_task(&im, buf, 11), -ENOTSUP);
	put_notes(&im, NT_AUXV, UINT32_MAX);
	assert_int_equal(own_task(&im, buf, 11), -ENOTSUP);
	put_notes(&im, NT_TASKSTRUCT, UINT32_MAX); /* beyond the file */
	assert_int_equal(own_task(&im, buf, 11), 0);
	im.ph[0].p_offset = sizeof(im) - 4; /* as are all of them */
	assert_int_equal(own_task(&im, buf, 11), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(segments_are_found_by_address, reset),
		cmocka_unit_test_teardown(malformed_files_are_refused, reset),
		cmocka_unit_test_teardown(failures_say_the_way_out, reset),
		cmocka_unit_test_teardown(a_failing_read_is_passed_on, reset),
		cmocka_unit_test_teardown(the_reader_s_task_is_in_a_note, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
