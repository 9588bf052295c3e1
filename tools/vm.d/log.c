/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "log.h"

enum { LINES_SHOWN = 60 };

/*
 * The words with which Linux says that something is wrong with itself: kernel/panic.c, lib/bug.c,
 * arch/x86/kernel/dumpstack.c and traps.c, kernel/locking/lockdep.c, kernel/rcu/tree_stall.h,
 * kernel/watchdog.c, kernel/hung_task.c, kernel/sched/core.c, mm/kasan/report.c, lib/ubsan.c,
 * lib/refcount.c, lib/list_debug.c, kernel/workqueue.c. A call trace alone is no complaint: sysrq
 * prints those.
 */
static const char complaints[] =
	"BUG:|kernel BUG at|Oops[: ]|Kernel panic|general protection fault|double fault|"
	"WARNING: |WARN_ON|INFO: task .* blocked|INFO: (possible|inconsistent|suspicious)|"
	"rcu: INFO: |self-detected stall|detected stalls|kthread (starved|timer wakeup)|"
	"scheduling while atomic|sleeping function called|Voluntary context switch|"
	"circular locking|recursive locking|inconsistent lock state|bad unlock balance|"
	"suspicious RCU usage|held lock freed|lock held when returning|"
	"soft lockup|[Hh]ard LOCKUP|KASAN|UBSAN|KFENCE|KCSAN|refcount_t: |list_(add|del) "
	"corruption|"
	"unable to handle|Unable to handle|unchecked MSR|Bad page state|workqueue lockup|"
	"stack-protector|irq .*: nobody cared|invalid opcode|corrupted "
	"stack|^.{0,20}culprit-guest: [^t]";

struct text {
	char *all;
	char **line;
	size_t count;
};

/* The log as lines; a log that is not there has none. The guest's bytes are data: control
 * characters go. */
static struct text text_read(const char *path)
{
	struct text text = {0};
	FILE *file = fopen(path, "re");
	size_t len = 0, size = 0, lines = 1;

	while (file && !feof(file) && !ferror(file)) {
		if (len + 65536 + 1 > size) {
			size = size ? size * 2 : 1 << 18;
			text.all = realloc(text.all, size);
			if (!text.all)
				abort();
		}
		len += fread(text.all + len, 1, 65536, file);
	}
	if (file)
		fclose(file);
	if (!text.all)
		return text;
	text.all[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		if (text.all[i] == '\n')
			lines++;
		else if ((unsigned char)text.all[i] < ' ' && text.all[i] != '\t')
			text.all[i] = ' ';
	}
	text.line = calloc(lines, sizeof(*text.line));
	if (!text.line)
		abort();
	for (char *s = text.all, *line; (line = strsep(&s, "\n"));) {
		size_t end = strlen(line);

		while (end > 0 && line[end - 1] == ' ')
			line[--end] = '\0';
		text.line[text.count++] = line;
	}
	while (text.count > 0 && text.line[text.count - 1][0] == '\0')
		text.count--;
	return text;
}

static void text_free(struct text *text)
{
	free(text->all);
	free(text->line);
}

int log_allow(struct log_rules *rules, const char *pattern)
{
	if (rules->allow_count == LOG_ALLOW_MAX) {
		fprintf(stderr, "vm: more than %d --allow patterns\n", LOG_ALLOW_MAX);
		return -1;
	}
	if (regcomp(&rules->allow[rules->allow_count], pattern, REG_EXTENDED | REG_NOSUB) != 0) {
		fprintf(stderr, "vm: --allow %s: not an extended regular expression\n", pattern);
		return -1;
	}
	rules->allow_count++;
	return 0;
}

static bool is_allowed(const struct log_rules *rules, const char *line)
{
	for (size_t i = 0; i < rules->allow_count; i++)
		if (regexec(&rules->allow[i], line, 0, NULL, 0) == 0)
			return true;
	return false;
}

static void show(const struct text *text, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		fprintf(stderr, "vm: | %s\n", text->line[i]);
}

bool log_complains(const char *path, const struct log_rules *rules)
{
	struct text text = text_read(path);
	regex_t complaint;
	size_t first = 0, count = 0;

	if (regcomp(&complaint, complaints, REG_EXTENDED | REG_NOSUB) != 0)
		abort();
	for (size_t i = 0; i < text.count; i++) {
		if (regexec(&complaint, text.line[i], 0, NULL, 0) != 0 ||
			is_allowed(rules, text.line[i]))
			continue;
		if (count++ == 0)
			first = i;
	}
	if (count) {
		size_t end = first + LINES_SHOWN < text.count ? first + LINES_SHOWN : text.count;

		fprintf(stderr, "vm: the guest's kernel complained (%zu %s); from the first:\n",
			count, count == 1 ? "line" : "lines");
		show(&text, first, end);
		if (end < text.count)
			fprintf(stderr, "vm: | ... and %zu lines more (--log FILE keeps them)\n",
				text.count - end);
	}
	regfree(&complaint);
	text_free(&text);
	return count > 0;
}

void log_tail(const char *path, bool since_start, size_t lines)
{
	struct text text = text_read(path);
	size_t from = 0;

	for (size_t i = 0; since_start && i < text.count; i++)
		if (strstr(text.line[i], LINK_START))
			from = i + 1;
	if (text.count > 0 && strstr(text.line[text.count - 1], LINK_END))
		text.count--;
	if (text.count > from && text.count - from > lines)
		from = text.count - lines;
	show(&text, from, text.count);
	text_free(&text);
}

bool log_has(const char *path, const char *wanted)
{
	struct text text = text_read(path);
	bool found = false;

	for (size_t i = text.count; i-- > 0 && !found;)
		found = strstr(text.line[i], wanted);
	text_free(&text);
	return found;
}

int log_copy(const char *from, const char *to)
{
	FILE *in = fopen(from, "re"), *out = fopen(to, "we");
	char buf[65536];
	size_t n;
	int error = !in || !out;

	while (!error && (n = fread(buf, 1, sizeof(buf), in)) > 0)
		error = fwrite(buf, 1, n, out) != n;
	if (in)
		fclose(in);
	if (out)
		error |= fclose(out) != 0;
	return error ? -1 : 0;
}
