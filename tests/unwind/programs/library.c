/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is long, odd and common in a C library: formats, patterns, numbers, trees, memory, files. */
#include <fnmatch.h>
#include <math.h>
#include <regex.h>
#include <search.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#define SHAPE __attribute__((noinline, noclone))

static jmp_buf back;
static char text[300];

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int order(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void visit(const void *node, VISIT which, int depth)
{
	(void)node;
	(void)which;
	(void)depth;
}

static SHAPE __attribute__((noreturn)) void fails(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	longjmp(back, 1);
}

static SHAPE void formats(void)
{
	wchar_t wide[40];
	double d;
	int a, b;

	snprintf(text, sizeof(text), "%d %s %f %g %x %5.3e %lld %c %p", 1, "abc", 3.25, 1e100, 77,
		2.5, 123456789012LL, 'c', (void *)text);
	sscanf("12 0x33 4.5 word", "%d %i %lf %200s", &a, &b, &d, text);
	swprintf(wide, 40, L"%d %ls", 3, L"x");
	mbstowcs(wide, "hello", 10);
	if (setjmp(back) == 0)
		fails("%d-%s", 5, "x");
}

static SHAPE void patterns(void)
{
	regex_t regex;

	if (regcomp(&regex, "^a[b-d]+(x|y)*$", REG_EXTENDED) == 0) {
		regexec(&regex, "abcdxyx", 0, NULL, 0);
		regfree(&regex);
	}
	fnmatch("*.[ch]", "foo.c", 0);
}

static SHAPE void memory(void)
{
	char *words[] = {"pear", "apple", "fig", "kiwi", "plum", "date"};
	void *root = NULL, *blocks[20];

	qsort(words, 6, sizeof(words[0]), compare);
	for (int i = 0; i < 6; i++)
		tsearch(words[i], &root, order);
	twalk(root, visit);
	for (int i = 0; i < 20; i++)
		blocks[i] = malloc((size_t)i * 97 + 1);
	for (int i = 0; i < 20; i += 2)
		free(blocks[i]);
	blocks[1] = realloc(blocks[1], 70000);
	for (int i = 1; i < 20; i += 2)
		free(blocks[i]);
}

static SHAPE double numbers(void)
{
	volatile double two = 2;

	return sin(two) + pow(two, 2.5) + exp(two) + strtod("1.234567890123e-30", NULL);
}

int main(void)
{
	const time_t year = 86400 * 365;
	struct tm tm;
	FILE *file;

	formats();
	patterns();
	memory();
	gmtime_r(&year, &tm);
	strftime(text, sizeof(text), "%A %d %B %Y %H:%M", &tm);
	file = fopen("/dev/null", "w");
	if (file) {
		fprintf(file, "%s %f\n", text, numbers());
		fclose(file);
	}
	return 0;
}
