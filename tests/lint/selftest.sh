#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Plants a violation of each kind in a scratch copy of the tree: tools/lint has to name every one,
# at its line, and nothing in a copy without them.
set -eu

top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
failed=0

# A small tree of its own: what the rest of the real one looks like is not tested here.
mkdir -p "$scratch/tree"
cd "$scratch/tree"
mkdir -p src/base src/sys src/mem src/sym src/trace src/watch src/probe src/bpf src/cmd tools build
cp "$top/tools/lint" tools/lint
cp "$top/.clang-format" .
git init -q .

licence='/* SPDX-License-Identifier: GPL-2''.0-or-later */'

lint()
{
	git add -A
	LINT_LIB=$scratch/tree/build/libculprit.a tools/lint >"$scratch/out" 2>"$scratch/err"
}

# file:line: what; the text of the file is standard input
plant()
{
	path=${1%%:*}
	mkdir -p "$(dirname "$path")"
	cat >"$path"
	printf '%s\n' "$1" >>"$scratch/expected"
}

repeat()
{
	awk -v n="$1" -v text="$2" 'BEGIN { for (i = 0; i < n; i++) print text }'
}

# What the rules allow.
printf '%s\nint cul_base_one(void);\n' "$licence" >src/base/good.h
printf '%s\nstruct cul_bpf_event {\n\tint a;\n};\n' "$licence" >src/bpf/event.h
printf '%s\n#include "base/good.h"\n#include "mem/good.h"\n\nint cul_sym(void);\n' "$licence" >src/sym/good.h
printf '%s\nint cul_mem(void);\n' "$licence" >src/mem/good.h
cat >src/base/good.c <<EOF
$licence
#include "base/good.h"

static const char *const names[] = {"printf(", "exit("};

/* printf("no call") */
int cul_base_one(void)
{
	static const int table[2] = {1, 2};

	return table[names[0][0] == 'p'];
}
EOF
cat >src/watch/good.c <<EOF
$licence
#include "bpf/event.h"
#include "trace/good.h"

int cul_watch_two(struct cul_bpf_event *event)
{
	return event->a;
}
EOF
printf '%s\nint cul_trace(void);\n' "$licence" >src/trace/good.h
printf '%s\n#include <stdio.h>\n\nint main(void)\n{\n\tputs("cmd prints");\n\treturn 0;\n}\n' "$licence" >src/cmd/main.c
gcc -c -fPIE -Isrc src/base/good.c -o build/src_base_good.c.o
rm -f build/libculprit.a
ar rc build/libculprit.a build/src_base_good.c.o
if ! lint; then
	echo "lint finds fault with a clean tree:"
	cat "$scratch/out" "$scratch/err"
	failed=1
fi

plant 'src/base/format.c:3: format' <<EOF
$licence
int cul_base_format(void);
int cul_base_format(void) { return 0; }
EOF
plant 'src/base/upward.c:2: include against the layers' <<EOF
$licence
#include "sym/good.h"
EOF
plant 'src/mem/upward.c:2: include against the layers' <<EOF
$licence
#include "sym/good.h"
EOF
plant 'src/watch/sideways.c:2: a case includes another case' <<EOF
$licence
#include "probe/good.h"
EOF
printf '%s\nint cul_probe(void);\n' "$licence" >src/probe/good.h
plant 'src/base/events.c:2: base/ may not include bpf/' <<EOF
$licence
#include "bpf/event.h"
EOF
plant 'src/base/nowhere.c:2: include of nowhere/x.h, a directory of no layer' <<EOF
$licence
#include "nowhere/x.h"
EOF
plant 'src/stray/x.c:1: src/stray is in no layer' <<EOF
$licence
EOF
{ echo "$licence" && repeat 600 '/* long */'; } | plant 'src/base/long.c:600: 601 lines, the limit is 600'
{ echo "$licence" && repeat 250 '/* long */'; } | plant 'src/base/long.h:250: 251 lines, the limit is 250'
{ printf '#!/bin/sh\n# %s\n' "$licence" && repeat 600 ':'; } |
	plant 'tools/long:600: 602 lines, the limit is 600'
{
	printf '%s\nint cul_base_big(int a);\n\nint cul_base_big(int a)\n{\n' "$licence"
	repeat 97 '	a++;'
	printf '	return a;\n}\n'
} | plant 'src/base/big.c:4: cul_base_big: 101 lines, the limit is 100'
plant 'src/base/licence.c:1: no SPDX' <<EOF
int cul_base_licence(void);
EOF
plant 'src/base/other.c:1: licence MIT' <<EOF
/* SPDX-License-Identifier: MIT */
EOF
plant 'tools/script:2: no SPDX' <<EOF
#!/bin/sh
:
EOF
plant 'src/base/alone.h:2: does not compile alone' <<EOF
$licence
size_t cul_base_alone(void);
EOF
plant 'src/base/type.h:2: typedef of a struct' <<EOF
$licence
typedef struct cul_base_type cul_base_type;
EOF
plant 'src/base/global.c:4: counter: a variable' <<EOF
$licence
int cul_base_global(void);

static int counter;

int cul_base_global(void)
{
	return counter++;
}
EOF
plant 'src/base/static.c:6: calls: a variable' <<EOF
$licence
int cul_base_static(void);

int cul_base_static(void)
{
	static int calls = 5;

	return calls++;
}
EOF
plant 'src/base/leave.c:8: exit() below cmd/' <<EOF
$licence
#include <stdlib.h>

void cul_base_leave(void);

void cul_base_leave(void)
{
	exit(1);
}
EOF
plant 'src/base/print.c:8: fprintf() below cmd/' <<EOF
$licence
#include <stdio.h>

void cul_base_print(void);

void cul_base_print(void)
{
	fprintf(stderr, "hello\n");
}
EOF
plant 'src/base/jump.c:7: goto in a function that uses cleanup: cul_base_jump' <<EOF
$licence
int cul_base_jump(void);

int cul_base_jump(void)
{
	cul_autofree char *text = NULL;
	goto out;
out:
	return text != NULL;
}
EOF
plant 'tools/broken.sh:4: sh -n' <<EOF
#!/bin/sh
# $licence
if true; then
fi
EOF
plant 'tools/machine.sh:3: a path of one machine: /wo''rk' <<EOF
#!/bin/sh
# $licence
cd /wo''rk/main || exit 1
EOF
sed -i "s/''//" tools/machine.sh
plant 'docs/blank.md:2: blanks at the end of the line' <<EOF
A line.
Another. $(printf ' ')
EOF
plant 'docs/registry.md:1: the name of a package registry: deb.deb''ian.org' <<EOF
From deb.deb''ian.org.
EOF
sed -i "s/''//" docs/registry.md
printf 'no newline' | plant 'docs/end.md:1: no newline at the end'

for name in global static; do
	gcc -c -fPIE -Isrc "src/base/$name.c" -o "build/src_base_$name.c.o"
	ar rc build/libculprit.a "build/src_base_$name.c.o"
done
if lint; then
	echo "lint passes a tree full of violations"
	failed=1
fi
while IFS= read -r expected; do
	if ! grep -qF -- "$expected" "$scratch/out"; then
		echo "not named: $expected"
		failed=1
	fi
done <"$scratch/expected"
lines=$(wc -l <"$scratch/out")
planted=$(wc -l <"$scratch/expected")
if [ "$lines" -ne "$planted" ]; then
	echo "$lines findings for $planted violations; not planted:"
	sed 's/^\([^:]*:[0-9]*\):.*/\1/' "$scratch/out" | while IFS= read -r place; do
		grep -qF -- "$place:" "$scratch/expected" || grep -F -- "$place:" "$scratch/out"
	done
	failed=1
fi

tools/lint --fix >"$scratch/out" 2>&1 || :
if grep -q ': format:' "$scratch/out"; then
	echo "lint --fix left a file unformatted"
	failed=1
fi
[ "$failed" = 0 ] && echo "lint names all $planted violations"
exit "$failed"
