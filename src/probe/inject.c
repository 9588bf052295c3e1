/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/inject.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "base/cleanup.h"
#include "base/errname.h"
#include "sys/bpf.h"
#include "sys/file.h"

/* The rest of the text behind the number; NULL: there is none. */
static const char *read_number(const char *text, int64_t *out)
{
	bool negative = *text == '-';
	char word[32], *end;
	size_t n;
	int number;

	text += negative;
	n = strcspn(text, ", \t");
	if (!n || n >= sizeof(word) || !isalnum((unsigned char)*text))
		return NULL;
	memcpy(word, text, n);
	word[n] = '\0';
	number = cul_errname_number(word);
	if (number) {
		*out = number;
	} else {
		errno = 0;
		*out = (int64_t)strtoull(word, &end, 0);
		if (*end || errno)
			return NULL;
	}
	if (negative)
		*out = (int64_t) - (uint64_t)*out;
	return text + n;
}

int cul_inject_parse(const char *text, struct cul_inject *out, struct cul_error *err)
{
	const char *rest = text + strspn(text, " \t");
	struct cul_inject got = {.every = 1};
	int64_t every = 1;

	rest = read_number(rest, &got.ret);
	if (rest)
		rest += strspn(rest, " \t");
	if (rest && *rest == ',') {
		rest += 1 + strspn(rest + 1, " \t");
		rest = strncasecmp(rest, "every", 5) == 0 && isspace((unsigned char)rest[5])
			       ? read_number(rest + 5 + strspn(rest + 5, " \t"), &every)
			       : NULL;
		if (rest)
			rest += strspn(rest, " \t");
	}
	if (!rest || *rest || every < 1)
		return cul_fail_usage(err, -EINVAL,
			"--inject %s: write a number or an error, such as -EIO, and perhaps how "
			"often: '-EIO,EVERY 3'",
			text);
	got.every = (uint64_t)every;
	*out = got;
	return 0;
}

int cul_inject_allowed(struct cul_error *err)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_override_return},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	struct cul_bpf_prog prog = {.type = BPF_PROG_TYPE_KPROBE,
		.name = "can_override",
		.insns = insns,
		.n = sizeof(insns) / sizeof(insns[0])};
	int fd = cul_sys_bpf_prog_load_attr(&prog);

	if (fd == -EPERM)
		return cul_sys_bpf_explain("loading the BPF program", fd, err);
	if (fd < 0)
		return cul_fail(err, -ENOTSUP,
			"--inject: this kernel lets no program override what a function returns; "
			"it takes one that was built with CONFIG_BPF_KPROBE_OVERRIDE");
	close(fd);
	return 0;
}

/* Lines "symbol+0x0/0x10 [module]\tERRNO": ei_seq_show() of lib/error-inject.c, v6.12 */
bool cul_inject_listed(const char *list, const char *symbol)
{
	size_t n = strlen(symbol);

	for (const char *line = list; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, symbol, n) && strchr("+ \t\n", line[n]))
			return true;
	}
	return false;
}

int cul_inject_check(const struct cul_site *site, struct cul_error *err)
{
	static const char path[] = "/sys/kernel/debug/error_injection/list";
	enum { MOST = 4 << 20 };
	cul_autofree char *list = NULL;
	size_t size;
	int r;

	if (site->kind != CUL_SITE_FUNCTION && site->kind != CUL_SITE_CLONE)
		return cul_fail(err, -ENOTSUP,
			"--inject: %s is no whole function; only one that is entered can be left "
			"at once",
			site->name);
	r = cul_sys_read_file(path, MOST, &list, &size);
	if (r)
		return cul_fail(err, -ENOTSUP,
			"--inject: the list of functions that may be overridden, %s, cannot be "
			"read: %s; it is there in a kernel with CONFIG_FUNCTION_ERROR_INJECTION, "
			"with debugfs mounted",
			path, cul_strerror(r));
	if (!cul_inject_listed(list, site->symbol))
		return cul_fail(err, -ENOTSUP,
			"--inject: %s is not in %s; only functions that the kernel's source "
			"marks ALLOW_ERROR_INJECTION may be overridden",
			site->symbol, path);
	return 0;
}
