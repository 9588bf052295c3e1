/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/style.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/str.h"

enum { WIDTH_DEFAULT = 80, WIDTH_LEAST = 20, WIDTH_MOST = 1000 };

static unsigned detect_width(int fd)
{
	struct winsize size = {0};
	const char *columns = getenv("COLUMNS");
	uint64_t n = 0;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col)
		n = size.ws_col;
	else if (!columns || cul_parse_u64(columns, &n) < 0 || n == 0)
		n = WIDTH_DEFAULT;
	if (n < WIDTH_LEAST)
		return WIDTH_LEAST;
	return n > WIDTH_MOST ? WIDTH_MOST : (unsigned)n;
}

void cul_style_detect(struct cul_style *style, int fd)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	style->width = detect_width(fd);
	style->colour = isatty(fd) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

static const char *const inks[] = {
	[CUL_INK_PLAIN] = "",
	[CUL_INK_GUILTY] = "\033[1;31m",
	[CUL_INK_CODE] = "\033[1m",
	[CUL_INK_VALUE] = "\033[36m",
	[CUL_INK_HEADING] = "\033[4m",
	[CUL_INK_DIM] = "\033[2m",
	[CUL_INK_WARNING] = "\033[33m",
	[CUL_INK_GOOD] = "\033[32m",
};

const char *cul_style_on(const struct cul_style *style, enum cul_ink ink)
{
	return style->colour ? inks[ink] : "";
}

const char *cul_style_off(const struct cul_style *style, enum cul_ink ink)
{
	return style->colour && ink != CUL_INK_PLAIN ? "\033[0m" : "";
}
