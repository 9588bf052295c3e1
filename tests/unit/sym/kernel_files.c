/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "sym/kernel_files.h"
#include "sys/file.h"

static const uint8_t note_version[] = {
	/* name 6 ("Linux"), description 4, type 0x100 */
	6, 0, 0, 0, 4, 0, 0, 0, 0, 1, 0, 0, 'L', 'i', 'n', 'u', 'x', 0, 0, 0, 1, 2, 3, 4};
static const uint8_t note_id[] = {
	/* name 4 ("GNU"), description 5, type 3 */
	4, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 0xa, 0xb, 0xc, 0xd, 0xe, 0, 0, 0};

/* In a block of its own, so that a sanitizer sees a read beyond it. */
static size_t build_id(const void *notes, size_t size, uint8_t *id)
{
	cul_autofree uint8_t *copy = malloc(size ? size : 1);
	const uint8_t *found;
	size_t n;

	assert_non_null(copy);
	memcpy(copy, notes, size);
	n = cul_kernel_note_build_id(copy, size, &found);
	if (n)
		memcpy(id, found, n < 32 ? n : 32);
	return n;
}

static void the_build_id_is_found(void **state)
{
	uint8_t notes[96], id[32];

	assert_int_equal(build_id(note_id, sizeof(note_id), id), 5);
	assert_memory_equal(id, note_id + 16, 5);
	assert_int_equal(build_id(note_id, sizeof(note_id) - 3, id), 5); /* no padding */
	assert_int_equal(build_id(note_version, sizeof(note_version), id), 0);
	memcpy(notes, note_version, sizeof(note_version));
	memcpy(notes + sizeof(note_version), note_id, sizeof(note_id));
	assert_int_equal(build_id(notes, sizeof(note_version) + sizeof(note_id), id), 5);
	assert_memory_equal(id, note_id + 16, 5);
}

static void hostile_notes_are_read_within_their_bytes(void **state)
{
	uint8_t notes[64], id[32];
	unsigned found = 0;

	for (size_t n = 0; n < sizeof(note_id); n++)
		assert_int_equal(build_id(note_id, n, id), n >= sizeof(note_id) - 3 ? 5 : 0);
	/* Each byte of both in turn with each value: whatever comes, within the bytes. */
	for (size_t i = 0; i < 48; i++) {
		for (unsigned v = 0; v < 256; v++) {
			memcpy(notes, note_version, 24);
			memcpy(notes + 24, note_id, 24);
			notes[i] = (uint8_t)v;
			found += build_id(notes, 48, id) != 0;
		}
	}
	assert_true(found > 256);
	memset(notes, 0xff, sizeof(notes));
	assert_int_equal(build_id(notes, sizeof(notes), id), 0);
	memset(notes, 0, sizeof(notes));
	assert_int_equal(build_id(notes, sizeof(notes), id), 0);
}

/* Where the kernel tells one, it is of a likely length and within the file. */
static void this_kernel_has_one(void **state)
{
	cul_autofree char *text = NULL;
	const uint8_t *id = NULL;
	size_t size, n;

	if (cul_sys_read_file("/sys/kernel/notes", 1 << 20, &text, &size) < 0)
		skip();
	n = cul_kernel_note_build_id((const uint8_t *)text, size, &id);
	if (!n)
		skip();
	assert_true(n >= 8 && n <= 64);
	assert_true((const char *)id > text && (const char *)id + n <= text + size);
}

static void is(const char *path, const char *module, bool expected)
{
	if (cul_kernel_is_module_file(path, strlen(path), module) != expected)
		fail_msg("%s, %s", path, module);
}

static void modules_and_their_files(void **state)
{
	is("victim.ko", "victim", true);
	is("/a/b/victim.ko", "victim", true);
	is("kernel/sound/snd-hda-intel.ko", "snd_hda_intel", true);
	is("kernel/sound/snd_hda-intel.ko.xz", "snd_hda_intel", true);
	is("kernel/sound/snd-hda-intel.ko.zst", "snd-hda_intel", true);
	is("x/victim.ko.gz", "victim", true);
	is("x/victim.ko.debug", "victim", true);
	is("x/victim.ko.xy", "victim", false);
	is("x/victim", "victim", false);
	is("x/victim.so", "victim", false);
	is("x/my-victim.ko", "victim", false);
	is("x/victim2.ko", "victim", false);
	is("victim/x.ko", "victim", false);
	is("victim/", "victim", false);
	is(".ko", "victim", false);
	is(".ko", "", false);
	is("", "victim", false);
	is("", "", false);
	/* What follows `len` bytes is another's. */
	assert_true(cul_kernel_is_module_file("kernel/victim.ko: kernel/other.ko", 16, "victim"));
	assert_false(cul_kernel_is_module_file("kernel/victim.ko", 15, "victim"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_build_id_is_found),
		cmocka_unit_test(hostile_notes_are_read_within_their_bytes),
		cmocka_unit_test(this_kernel_has_one),
		cmocka_unit_test(modules_and_their_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
